"""``handrail demo``: it shows what is so, says when it is not, and leaves nothing behind."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from handrail.edge.cli.commands.demo import answer
from handrail.edge.demo.narrator import Narrator
from handrail.edge.demo.perform import Outcome, perform, verdict
from handrail.edge.demo.scenes import SCENES, Scene
from handrail.edge.demo.stage import Stage
from handrail.errors import FactsUnavailable
from tests.support import SOURCE, Handrail

LINES_MAX: Final = 60
COLUMNS_MAX: Final = 80
SECONDS_MAX: Final = 20
FLOOR_MS: Final = 8.0
"""So long an interpreter takes to start and end where the bound holds as it stands."""
ESCAPE: Final = "\x1b"

# Each is one planted bug: a program that is Handrail but for this.
BUGS: Final = {
    "grants_everything": """
        from handrail.core.decide import claim
        claim.conflict = lambda *words: None
    """,
    "confuses_names": """
        sys.argv = ["src/a" if word == "src/ab" else word for word in sys.argv]
    """,
    "gives_up_waiting": """
        sys.argv = ["1ms" if word == "20s" else word for word in sys.argv]
    """,
    "attests_anything": """
        from handrail.core.decide import attest
        from handrail.core.lease import Lease
        if "attest" in sys.argv:
            attest._covering = lambda by_anchor, path: Lease(
                1, "emil", "emil", "worker", "exclusive", ".", (), 0, 0, 0, True
            )
    """,
    "attests_nothing": """
        from handrail.core.decide import attest
        attest._covering = lambda by_anchor, path: None
    """,
    "hides_a_lease": """
        from handrail.service.board import Board
        whole = Board.status
        Board.status = lambda self: (lambda s: s._replace(leases=s.leases[:-1]))(whole(self))
    """,
    "believes_any_ledger": """
        from handrail.core import ledger
        whole = ledger.verify
        ledger.verify = lambda entries, heads=(): whole(entries, heads)._replace(problem=None)
    """,
    "overlooks_a_cut": """
        from handrail.core import ledger
        whole = ledger.verify
        ledger.verify = lambda entries, heads=(): whole(entries)
    """,
    "lets_every_edit_pass": """
        from handrail.service.guarding import Guarding
        Guarding.edit = lambda self, *words, **more: None
    """,
    "reads_no_shell": """
        from handrail.edge.shell import scan
        scan.may_write = lambda command: False
    """,
    "overlooks_what_a_script_wrote": """
        from handrail.service.guarding import Guarding
        Guarding.wrote = lambda self, before, after, known: ()
    """,
    "keeps_quiet_about_other_trees": """
        from handrail.service.notices import Notices
        Notices.take = lambda self: []
    """,
    "looks_at_no_commit": """
        from handrail.edge.guard import commits
        commits._HANDLERS = {}
    """,
    "vetoes_no_branch": """
        if "reference-transaction" in sys.argv:
            from handrail.edge.guard import commits
            commits._refused = lambda *words: commits.GO_ON
    """,
    "forgets_whose_bytes_are_stale": """
        from handrail.service import edits
        whole = edits.view_of
        edits.view_of = lambda *words: whole(*words)._replace(landings=())
    """,
    "lets_anything_land": """
        from handrail.service.verification import Verification
        whole = Verification.verify
        Verification.verify = lambda self, ranges: whole(self, ranges)._replace(judgments=())
    """,
    "believes_what_a_giver_says": """
        from handrail.service.reruns import Reruns
        Reruns.compare = lambda self, *words: ()
    """,
    "adopts_nothing": """
        from handrail.core.decide import Adopt
        from handrail.service import harness_sessions
        whole = harness_sessions.decide
        harness_sessions.decide = lambda view, asked, now: (
            [] if isinstance(asked, Adopt) else whole(view, asked, now)
        )
    """,
    "talks_nonsense": """
        if "log" in sys.argv:
            sys.exit(print("{"))
    """,
}


def broken_by(bug: str, folder: Path) -> tuple[str, ...]:
    """Write program and guard that have the bug; returns how to start the program.

    The hooks start the guard by the launch line that the program's own `init` wrote.
    """
    script, guard = folder / "handrail-with-a-bug.py", folder / "guard-with-a-bug.py"
    lines = ["import sys", *(line[8:] for line in BUGS[bug].splitlines())]
    launch = (
        "from handrail import wiring",
        f"launch = (*wiring.launch_words()[:1], {str(guard)!r}, *wiring.launch_words()[2:])",
        "wiring.launch_words = lambda: launch",
    )
    start = ("from handrail.edge.cli.main import entry", "entry()", "")
    script.write_text("\n".join([*lines, *launch, *start]), encoding="utf-8")
    found = (f"import sys; sys.path[:0] = [{str(SOURCE.parent)!r}, sys.argv[1]]",)
    answer = ("from handrail.edge.guard.entry import main", "main(sys.argv[2:])", "")
    guard.write_text("\n".join([*found, *lines, *answer]), encoding="utf-8")
    return (sys.executable, "-I", str(script))


def scenes(*names: str) -> list[Scene]:
    return [scene for scene in SCENES if scene.name in names]


def running_in(folder: Path) -> list[str]:
    """Return the processes whose environment names a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(folder).encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files; whatever happens, nothing may be left there or running."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    monkeypatch.undo()
    assert list(folder.iterdir()) == []
    assert running_in(folder) == []


def quietly(chosen: list[Scene], program: tuple[str, ...]) -> Outcome:
    return perform(chosen, Narrator(lambda text: None), program=program)


def floor_ms() -> float:
    """Return what starting an interpreter takes on this machine, just now."""
    spans = []
    for _ in range(5):
        began = time.monotonic()
        subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True)
        spans.append((time.monotonic() - began) * 1000)
    return min(spans)


# What may stand around a caller, and must not reach the agents.
HOSTILE: Final = {
    "AGENT_SESSION_ID": "somebody",
    "CLAUDECODE": "1",
    "GIT_DIR": "/nowhere",
    "GIT_CONFIG_COUNT": "nonsense",
    "HANDRAIL_ROLE": "nobody",
    "HANDRAIL_SECRET": "wrong",
    "HANDRAIL_SESSION": "somebody",
    "HANDRAIL_STATE_DIR": "not absolute",
    "PYTHONPATH": "/nowhere",
}


@pytest.mark.serial
def test_every_promise_is_kept_within_sixty_lines_and_twenty_seconds(
    scratch: Path, handrail: Handrail
) -> None:
    began = time.monotonic()
    shown = handrail("demo", env={**HOSTILE, "TMPDIR": str(scratch)}, cwd=scratch)
    assert shown.code == 0, shown.out + shown.err
    assert time.monotonic() - began < SECONDS_MAX * max(1.0, floor_ms() / FLOOR_MS)
    lines = shown.out.splitlines()
    assert sum(line != "" for line in lines) <= LINES_MAX
    assert [line for line in lines if len(line) > COLUMNS_MAX] == []
    assert [line for line in lines if line.strip().startswith("✓")] != []
    assert f"All {len(SCENES)} promises were kept" in shown.out
    assert all(f"{number}  {scene.promise}" in lines for number, scene in enumerate(SCENES, 1))
    assert ESCAPE not in shown.out
    assert shown.err == ""


@pytest.mark.nightly
def test_nothing_of_the_caller_reaches_the_agents_and_keep_leaves_the_repository(
    tmp_path: Path, handrail: Handrail
) -> None:
    hostile = {**HOSTILE, "TMPDIR": str(tmp_path)}
    told = handrail("demo", "--json", "--keep", cwd=tmp_path, env=hostile)
    assert told.code == 0, told.out + told.err
    data = told.json()
    assert (data["kept"], data["broken"]) == (True, [])
    assert [scene["name"] for scene in data["scenes"]] == [scene.name for scene in SCENES]
    assert running_in(Path(data["left"])) == []
    verified = handrail("ledger", "verify", "-C", f"{data['left']}/repo")
    assert verified.code == 0


@pytest.mark.parametrize(
    ("bug", "broken"),
    [
        pytest.param("grants_everything", ("race", "overlap", "crash"), marks=pytest.mark.nightly),
        pytest.param("confuses_names", ("overlap",), marks=pytest.mark.nightly),
        pytest.param("gives_up_waiting", ("crash", "sleeper"), marks=pytest.mark.nightly),
        pytest.param("attests_anything", ("sleeper",), marks=pytest.mark.nightly),
        pytest.param("attests_nothing", ("sleeper", "cleared"), marks=pytest.mark.nightly),
        pytest.param("lets_every_edit_pass", ("edits",), marks=pytest.mark.nightly),
        pytest.param("reads_no_shell", ("edits",), marks=pytest.mark.nightly),
        pytest.param("overlooks_what_a_script_wrote", ("edits",), marks=pytest.mark.nightly),
        pytest.param("keeps_quiet_about_other_trees", ("edits",), marks=pytest.mark.nightly),
        pytest.param("looks_at_no_commit", ("sleeper", "cleared"), marks=pytest.mark.nightly),
        pytest.param("vetoes_no_branch", ("sleeper",), marks=pytest.mark.nightly),
        pytest.param("forgets_whose_bytes_are_stale", ("sleeper",), marks=pytest.mark.nightly),
        pytest.param("lets_anything_land", ("sleeper",), marks=pytest.mark.nightly),
        pytest.param("believes_what_a_giver_says", ("handoff",), marks=pytest.mark.nightly),
        pytest.param("adopts_nothing", ("cleared",), marks=pytest.mark.nightly),
        pytest.param("hides_a_lease", ("board",), marks=pytest.mark.nightly),
        ("believes_any_ledger", ("ledger",)),
        pytest.param("overlooks_a_cut", ("ledger",), marks=pytest.mark.nightly),
        pytest.param("talks_nonsense", ("race",), marks=pytest.mark.nightly),
    ],
)
def test_a_broken_promise_is_named_and_the_demo_fails(
    bug: str, broken: tuple[str, ...], scratch: Path, tmp_path: Path
) -> None:
    # The board has something to hide only after a scene that leaves leases behind.
    before = ("overlap",) if broken == ("board",) else ()
    outcome = quietly(scenes(*before, *broken), broken_by(bug, tmp_path))
    assert outcome.broken == broken
    reply = answer(outcome)
    assert reply.status == 1
    assert reply.data["broken"] == list(broken)
    assert all(name in verdict(outcome) for name in broken)


def test_a_scene_that_fails_has_shown_nothing(scratch: Path) -> None:
    def stumble(stage: Stage) -> str:
        raise KeyError("what nobody expected")

    told = io.StringIO()
    outcome = perform([Scene("stumble", "It holds.", stumble)], Narrator(told.write))
    assert outcome.broken == ("stumble",)
    assert "could not be told" in outcome.played[0].sentence
    assert "1 of 1 promises broken" in told.getvalue()


def test_without_git_it_cannot_tell(
    scratch: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FactsUnavailable):
        perform(SCENES, Narrator(lambda text: None))


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.nightly),
        pytest.param(signal.SIGHUP, marks=pytest.mark.nightly),
    ],
)
def test_a_signal_ends_it_and_no_process_and_no_folder_is_left(
    number: signal.Signals, scratch: Path, handrail: Handrail
) -> None:
    def interrupt(demo: subprocess.Popen[str]) -> None:
        demo.send_signal(number)

    # In the third scene an agent keeps a process of its own running.
    status, said = stopped_at("holds it, renewing", interrupt, handrail)
    assert status == 130
    assert said.startswith("handrail: interrupted")


def test_a_reader_who_goes_away_ends_it_and_nothing_is_left(
    scratch: Path, handrail: Handrail
) -> None:
    def close(demo: subprocess.Popen[str]) -> None:
        assert demo.stdout is not None
        demo.stdout.close()

    status, said = stopped_at("An agent holds", close, handrail)
    assert status == 3
    assert said.startswith("handrail: output_closed")


def stopped_at(
    text: str, stop: Callable[[subprocess.Popen[str]], None], handrail: Handrail
) -> tuple[int, str]:
    """Start the demo and stop it once it says ``text``; returns exit status and stderr."""
    demo = handrail.start("demo")
    try:
        assert demo.stdout is not None
        assert demo.stderr is not None
        assert any(text in line for line in demo.stdout)
        stop(demo)
        said = demo.stderr.read()
        return demo.wait(timeout=30), said
    finally:
        demo.kill()
        demo.wait()
        for stream in (demo.stdout, demo.stderr):
            assert stream is not None
            stream.close()


def test_colour_and_signs_are_for_those_who_have_them() -> None:
    def told(narrator: Narrator) -> None:
        narrator.title(1, "It holds.")
        narrator.act("ann", "$ handrail claim src", "granted")
        narrator.kept("it held")
        narrator.broken("it did not")
        narrator.verdict("Done.", kept=True)

    plain, bright = io.StringIO(), io.StringIO()
    told(Narrator(plain.write, signs=False))
    told(Narrator(bright.write, colour=True))
    assert plain.getvalue().isascii()
    assert ESCAPE not in plain.getvalue()
    assert "BROKEN: it did not" in plain.getvalue()
    assert ESCAPE in bright.getvalue()
    assert "✗" in bright.getvalue()
