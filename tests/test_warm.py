"""A run out of a warm process is what a start would have been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tests import warm
from tests.cli.world import make_world, refusal
from tests.support import Handrail, Repo, launcher

TELLS: Final = """
import gc, json, os, resource, signal, sys, threading, time
print(json.dumps({
    "argv": sys.argv,
    "environment": {os.fsdecode(k): os.fsdecode(v) for k, v in sorted(os.environb.items())},
    "folder": os.getcwd(),
    "path": sys.path,
    "umask": os.umask(0),
    "files": sorted(int(number) for number in os.listdir("/proc/self/fd"))[:-1],
    "zone": time.tzname,
    "name": open("/proc/self/comm").read(),
    "group": os.getpgid(0),
    "session": os.getsid(0),
    "threads": threading.active_count(),
    "garbage": (gc.isenabled(), gc.get_threshold()),
    "limits": [resource.getrlimit(number) for number in (resource.RLIMIT_NOFILE, 8, 2)],
    "signals": [str(signal.getsignal(number)) for number in range(1, 32)],
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "streams": [
        (one.encoding, one.errors, one.line_buffering, one.isatty(), one.fileno(), one.seekable())
        for one in (sys.stdin, sys.stdout, sys.stderr)
    ],
    "read": sys.stdin.read(),
    "main": __name__,
}))
print("to stderr", file=sys.stderr)
"""
# As Handrail ends: at once.
LAST: Final = """
import os, sys
sys.stdout.flush()
sys.stderr.flush()
os._exit(7)
"""


def program(folder: Path, text: str) -> Path:
    """Write a program whose name makes it one that is forked."""
    script = folder / "handrail"
    python = Path(launcher()[0]).with_name("python")
    script.write_text(f"#!{python}\n{text}{LAST}", encoding="utf-8")
    script.chmod(0o755)
    return script


def forked(script: Path, *words: str, timeout_s: float = 30, **given: Any) -> warm.Ended:
    """Run a program out of a warm process."""
    env: Mapping[str, str] = given.pop("env", os.environ)
    argv, text = (str(script), *words), given.pop("input", None)
    assert not warm.starts_cold(argv, env, text)
    cwd = given.pop("cwd", script.parent)
    return warm.run(argv, cwd=cwd, env=env, input=text, timeout_s=timeout_s)


@pytest.mark.parametrize("input", [None, "", "told\nby é \udcff\r\n"])
@pytest.mark.parametrize("language", ["C", "C.UTF-8", "tr_TR.UTF-8"])
def test_a_run_sees_what_a_start_sees(tmp_path: Path, language: str, input: str | None) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    env = {"LANG": language, "TZ": "Asia/Kathmandu", "ODD": "é\udcff\n=", "EMPTY": ""}
    forked(program(tmp_path, ""), env=env)  # the warm process is there before all that follows
    script = program(tmp_path, TELLS)
    words = ("", "two words", "é", "\udcff", "-c", "a\nb")
    before = os.umask(0o027)
    try:
        ended = forked(script, *words, env=env, cwd=folder, input=input)
        started = subprocess.run(
            (script, *words),
            cwd=folder,
            env=env,
            input=None if input is None else input.encode("utf-8", "surrogateescape"),
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            check=False,
        )
    finally:
        os.umask(before)
    seen, expected = json.loads(ended.out), json.loads(started.stdout)
    assert seen == expected
    assert (seen["umask"], seen["files"]) == (0o027, [0, 1, 2])
    assert (ended.code, ended.err) == (started.returncode, started.stderr) == (7, b"to stderr\n")


def test_a_run_is_a_process_of_its_own_below_the_one_of_the_tests(tmp_path: Path) -> None:
    script = program(tmp_path, "import os; print(os.getpid(), os.getppid())")
    first, second = (list(map(int, forked(script).out.split())) for _ in range(2))
    assert first[0] != second[0]
    assert first[1] == second[1] != os.getpid()
    above = Path(f"/proc/{first[1]}/stat").read_text().rpartition(")")[2].split()[1]
    assert int(above) == os.getpid()


def test_nothing_of_a_run_reaches_the_next_one(tmp_path: Path) -> None:
    script = program(
        tmp_path,
        "import json, os, random, sys\n"
        "print(os.environ.pop('MARK', None), getattr(json, 'mark', None), random.random())\n"
        "json.mark = os.environ['MARK'] = 'x'; os.chdir('/')",
    )
    one, other = (forked(script).out.decode().split() for _ in range(2))
    assert one[:2] == other[:2] == ["None", "None"]
    assert one[2] != other[2], "both draw from one random state"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
def test_a_run_that_a_signal_ends_says_which(tmp_path: Path, number: signal.Signals) -> None:
    script = program(tmp_path, f"import os; os.kill(os.getpid(), {int(number)})")
    assert forked(script).code == -number


def test_a_run_past_its_time_is_killed(tmp_path: Path) -> None:
    mark = tmp_path / "number"
    text = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    with pytest.raises(subprocess.TimeoutExpired):
        forked(program(tmp_path, text), timeout_s=4)
    quick = program(tmp_path, "print('still served')")
    assert forked(quick).out == b"still served\n"
    assert not Path(f"/proc/{mark.read_text()}").exists()


def test_runs_go_on_beside_each_other(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = program(tmp_path, "import sys; print(open(sys.argv[1]).read())")
    (tmp_path / "more").mkdir()
    writer = program(tmp_path / "more", "import sys; open(sys.argv[1], 'w').write('met')")
    told: list[bytes] = []
    thread = threading.Thread(target=lambda: told.append(forked(reader, str(pipe)).out))
    thread.start()
    assert forked(writer, str(pipe)).code == 7
    thread.join()
    assert told == [b"met\n"]


def test_a_long_answer_comes_whole(tmp_path: Path) -> None:
    text = "import sys; sys.stderr.write('e' * 300_000); sys.stdout.write('o' * 300_000)"
    assert forked(program(tmp_path, text))[1:] == (b"o" * 300_000, b"e" * 300_000)


def test_a_traceback_of_a_run_is_its_own(tmp_path: Path) -> None:
    ended = forked(program(tmp_path, "raise ValueError('mine')"))
    assert ended.code != 0
    assert b"ValueError: mine" in ended.err


@pytest.mark.parametrize(
    ("argv", "env", "input"),
    [
        (("/bin/handrail", "hook", "git"), {}, None),
        (("/bin/handrail", "demo"), {}, None),
        (("/usr/bin/git", "status"), {}, None),
        (("/bin/handrail", "status"), {"PYTHONPATH": "x"}, None),
        (("/bin/handrail", "status"), {"LC_ALL": "C"}, None),
        (("/bin/handrail", "a\0b"), {}, None),
        (("/bin/handrail", "x" * 200_000), {}, None),
        (("/bin/handrail", "status"), {}, "x" * 5_000),
    ],
)
def test_what_asks_for_a_real_start_has_one(
    argv: tuple[str, ...], env: dict[str, str], input: str | None
) -> None:
    assert warm.starts_cold(argv, env, input)
    assert not warm.starts_cold(("/bin/handrail", "status"), {"LANG": "C"}, "x")


def test_a_plain_line_needs_no_shell_and_any_other_has_one(tmp_path: Path) -> None:
    world = make_world(tmp_path, tmp_path / "template")
    person = world.person()
    for line in ("handrail", "handrail whoami", "handrail claim ../x -q", "handrail why a b"):
        typed, plain = person.types(line, fresh=True), person.types(line)
        assert plain == typed
    shells = person.typed
    assert shells == 4
    for number, line in enumerate(("handrail why $HOME", "handrail 'status'", " handrail"), 1):
        person.types(line)
        assert person.typed == shells + number
    person.types("unset HANDRAIL_SESSION")
    assert refusal(person.types("handrail whoami")).code == "unknown_session"


def test_the_command_line_says_the_same_either_way(repo: Repo, handrail: Handrail) -> None:
    assert handrail("init").code == 0
    for line in ("status --json", "whoami", "nonsense", "claim", "--version", "config validate"):
        ended = handrail(*line.split())
        started = handrail.start(*line.split())
        out, err = started.communicate(timeout=60)
        seen = [text.partition('"now"')[0] for text in (ended.out, out)]
        assert seen[0] == seen[1], line
        assert (ended.code, ended.err) == (started.returncode, err), line
