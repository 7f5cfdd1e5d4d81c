"""Three hosts on one machine: network, mount, process and name spaces of their own, one server.

``python -m tests.faults.hosts PLAN`` runs in namespaces where it is root, makes a network with a
host for the server and some for clients, and lets each client host do its part of the PLAN, a JSON
object; it prints what they all said. Each client host sees the server by its address alone, has
its own boot id, and cannot see the processes of the others.

The server itself listens on a unix socket, which a relay in the server's host carries to the
network: so it may run as whom it likes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from tests.faults.proxy import Proxy
from tests.linear.sites import Site
from tests.support import ROOT

NETWORK: Final = "10.211.77"
SERVER: Final = f"{NETWORK}.1"
NEEDED: Final = {"ip": "iproute2", "unshare": "util-linux", "nsenter": "util-linux"}
PATIENCE_S: Final = 90


def ip(*words: str) -> None:
    done = subprocess.run(("ip", *words), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


class Host:
    """A host: a process that keeps its namespaces, and a line into the network."""

    def __init__(self, number: int) -> None:
        self.number, self.address = number, f"{NETWORK}.{number + 10}"
        self.keeper = subprocess.Popen(
            (
                "unshare",
                "--net",
                "--mount",
                "--uts",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                *("sh", "-c", "echo up; exec sleep 1000"),
            ),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.keeper.stdout is not None
        assert self.keeper.stdout.readline() == "up\n"
        # The one who keeps the namespaces is the child of the one who made them.
        children = Path(f"/proc/{self.keeper.pid}/task/{self.keeper.pid}/children").read_text()
        self.pid = int(children.split()[0])
        ip(
            "link",
            "add",
            f"to{number}",
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            str(self.pid),
        )
        ip("link", "set", f"to{number}", "master", "bridge", "up")
        for words in (
            f"ip address add {self.address}/24 dev eth0",
            "ip link set lo up",
            "ip link set eth0 up",
            f"hostname host-{number}",
        ):
            subprocess.run((*self.enter(), *words.split()), check=True, capture_output=True)
        self.has_own_boot()

    def enter(self) -> tuple[str, ...]:
        return ("nsenter", "--target", str(self.pid), "--net", "--mount", "--uts", "--pid", "--")

    def has_own_boot(self) -> None:
        """Let the host say that it was started another time than the others."""
        file = Path(tempfile.mkdtemp()) / "boot_id"
        file.write_text(f"{self.number:08d}-0000-4000-8000-000000000000\n")
        mount = ("mount", "--bind", str(file), "/proc/sys/kernel/random/boot_id")
        subprocess.run((*self.enter(), *mount), check=True, capture_output=True)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a part of the plan here."""
        return subprocess.Popen(
            (*self.enter(), sys.executable, "-P", "-m", "tests.faults.hosts", *words),
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        self.keeper.kill()
        self.keeper.wait()


def run(plan: dict[str, Any]) -> list[Any]:
    """Make the hosts and let each do its part at the same time; returns what each said."""
    ip("link", "set", "lo", "up")
    ip("link", "add", "bridge", "type", "bridge")
    ip("address", "add", f"{SERVER}/24", "dev", "bridge")
    ip("link", "set", "bridge", "up")
    hosts = [Host(number) for number in range(len(plan["parts"]))]
    try:
        with Proxy(unix=plan["socket"], host=SERVER) as relay:
            url = f"postgresql://{plan['user']}@{SERVER}:{relay.port}/{plan['database']}"
            started = [
                host.start("part", json.dumps({**plan, "url": url, "mine": part}))
                for host, part in zip(hosts, plan["parts"], strict=True)
            ]
            told = [process.communicate(timeout=PATIENCE_S)[0] for process in started]
            assert [process.returncode for process in started] == [0] * len(started)
            return [json.loads(text) for text in told]
    finally:
        for host in hosts:
            host.close()


# -------------------------------------------------------------------------------- on a client host


def race(plan: dict[str, Any]) -> dict[str, Any]:
    """Claim one scope a round from several processes at once; say who won under which token."""
    from tests.faults.racing import all_rounds

    site = Site(Path(plan["mine"]["root"]), plan["url"], plan["schema"])
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip()
    return {
        "host": os.uname().nodename,
        "boot": boot,
        "processes": sum(name.isdigit() for name in os.listdir("/proc")),
        "won": all_rounds(
            *(site, plan["mine"]["sessions"], plan["rounds"]),
            *(Path(plan["meeting"]), plan["racers"]),
        ),
    }


if __name__ == "__main__":
    if sys.argv[1] == "part":
        print(json.dumps(race(json.loads(sys.argv[2]))))
    else:
        print(json.dumps(run(json.loads(sys.argv[1]))))
