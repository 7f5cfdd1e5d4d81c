"""What each command answers, in text and in JSON; both parsers; completion; the live board.

Golden files lie in ``tests/cli/golden``; ``conftest.py`` says how to write them anew.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail import __version__
from handrail.edge.cli import click_app, quick
from handrail.edge.cli.invocation import Invocation
from handrail.edge.cli.main import main
from handrail.edge.cli.nouns import COMMANDS
from handrail.edge.cli.spec import COMMON, Command, Option
from handrail.errors import Usage
from tests.cli.transcripts import TOPICS, play
from tests.cli.world import Terminal, World, entries_of, eventually, refusal, unharmed
from tests.support import launcher

GOLDEN: Final = Path(__file__).parent / "golden"
HELPED: Final = (
    "",
    *sorted({command.path.partition(" ")[0] for command in COMMANDS if " " in command.path}),
    *(command.path for command in COMMANDS),
)


def check_golden(name: str, text: str, config: pytest.Config) -> None:
    """Compare with a golden file, or write it if that was asked for."""
    path = GOLDEN / f"{name}.txt"
    if config.getoption("--update-golden", default=False):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"there is no {path.name}; pytest tests/cli --update-golden writes it"
    assert text == path.read_text(encoding="utf-8"), f"{path.name} says something else"


# ------------------------------------------------------------------------------------------ golden


@pytest.mark.parametrize("topic", TOPICS)
def test_commands_answer_as_in_the_golden_transcript(
    world: World, topic: str, pytestconfig: pytest.Config
) -> None:
    check_golden(topic, play(world, TOPICS[topic]), pytestconfig)


@pytest.mark.parametrize("path", HELPED, ids=lambda path: path or "handrail")
def test_help_is_as_in_the_golden_file(
    path: str,
    pytestconfig: pytest.Config,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*path.split(), "--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    name = f"help-{path.replace(' ', '-')}" if path else "help"
    check_golden(name, out, pytestconfig)


def test_help_is_the_same_in_a_process_of_its_own(world: World) -> None:
    shell = world.shell()
    for words in (("claim", "--help"), ("claim", "-h")):
        done = shell.handrail(*words)
        assert (done.code, done.err) == (0, "")
        assert done.out == (GOLDEN / "help-claim.txt").read_text(encoding="utf-8")


def test_every_golden_file_belongs_to_a_test() -> None:
    helped = {f"help-{path.replace(' ', '-')}" if path else "help" for path in HELPED}
    assert {path.stem for path in GOLDEN.iterdir()} == {*TOPICS, *helped}


def test_every_command_appears_in_a_transcript() -> None:
    typed = " ".join(line for lines in TOPICS.values() for line in lines)
    elsewhere = {"demo", "completion", "lease renew"}
    missing = [c.path for c in COMMANDS if f"handrail {c.path}" not in typed]
    assert set(missing) <= elsewhere, missing


def test_the_help_of_all_fits_on_eighty_columns_and_has_no_path_of_this_machine(
    world: World,
) -> None:
    for path in GOLDEN.glob("help*.txt"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert len(line) <= 80, (path.name, line)


def test_every_example_of_the_help_is_a_command_line_that_parses() -> None:
    for command in COMMANDS:
        parsed = by_click(_words_of(command.example))
        assert parsed is not None, command.example
        assert parsed[0] == command.path or "renew" in command.example, command.example


def _words_of(example: str) -> list[str]:
    """Take the words of ``handrail …`` out of an example, as a shell would."""
    inner = re.search(r"handrail ([^)>]*)", example)
    assert inner is not None, example
    return shlex.split(inner[1].removesuffix('"'))


# ------------------------------------------------------------------------------------- two parsers

QUICK: Final = [command for command in COMMANDS if command.quick]
WORDS: Final = st.sampled_from(["src", "a b", "docs/*.md", "2024x/y", "é", "x", "90m", "10", "-"])
VALUES: Final = {
    "text": st.sampled_from(["one", "two words", "", "90m"]),
    "duration": st.sampled_from(["90m", "1h30m", "nonsense", "", "5"]),
    "maybe": st.sampled_from(["90m", "5q", "10", "", "soon"]),
    "many": st.sampled_from(["one", "two words", ""]),
}


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    command = draw(st.sampled_from(QUICK))
    words: list[str] = []
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 2)))):
        words += draw(before())
    words += command.path.split()
    for _ in range(draw(st.integers(0, 6))):
        if draw(st.booleans()):
            words.append(draw(WORDS))
        else:
            words += draw(options(command))
    if draw(st.booleans()):
        words += ["--", *draw(st.lists(st.one_of(WORDS, st.just("--json")), max_size=2))]
    return words


@st.composite
def before(draw: st.DrawFn) -> list[str]:
    option: Option = draw(st.sampled_from(COMMON))
    flag = draw(st.sampled_from(option.flags))
    return [flag] if option.kind == "flag" else [flag, draw(VALUES[option.kind])]


@st.composite
def options(draw: st.DrawFn, command: Command) -> list[str]:
    option: Option = draw(st.sampled_from([*command.options, *COMMON]))
    flag = draw(st.sampled_from(option.flags))
    if option.kind == "flag":
        return [flag]
    value = draw(VALUES[option.kind])
    if option.kind == "maybe" and draw(st.booleans()):
        return [flag]
    if flag.startswith("--") and draw(st.booleans()):
        return [f"{flag}={value}"]
    return [flag, value]


def by_click(argv: Sequence[str]) -> tuple[str, Invocation] | None:
    """Parse with click alone; None where it refuses."""
    caught: list[tuple[str, Invocation]] = []

    def catch(command: Command, invocation: Invocation) -> int:
        caught.append((command.path, invocation))
        return 0

    with patch.object(click_app, "execute", catch):
        try:
            click_app.run(argv)
        except Usage:
            return None
    return caught[0]


def seen(command: Command, invocation: Invocation) -> dict[str, object]:
    """Look at everything that a command could ask of its invocation."""
    ask = {"flag": invocation.flag, "many": invocation.words}
    options = {
        option.name: ask.get(option.kind, invocation.text)(option.name)
        for option in (*command.options, *COMMON)
    }
    arguments = {
        argument.name: (invocation.words if argument.many else invocation.text)(argument.name)
        for argument in command.arguments
    }
    return {**options, **arguments}


@given(command_lines())
def test_the_quick_parser_understands_what_click_understands(argv: list[str]) -> None:
    quickly = quick.parse(argv)
    if quickly is None:
        return
    command, invocation = quickly
    slowly = by_click(argv)
    assert slowly is not None, "click refuses what was understood"
    assert slowly[0] == command.path
    assert seen(command, slowly[1]) == seen(command, invocation)


@pytest.mark.parametrize(
    ("argv", "wait", "scope"),
    [
        (["claim", "--wait", "src"], "", ("src",)),
        (["claim", "--wait", "90m", "src"], "90m", ("src",)),
        (["claim", "src", "--wait"], "", ("src",)),
        (["claim", "src", "--wait", "1h30m", "docs"], "1h30m", ("src", "docs")),
        (["claim", "--wait=5s", "src"], "5s", ("src",)),
        (["claim", "--wait", "--", "90m"], "", ("90m",)),
        (["claim", "--wait", "./90m"], "", ("./90m",)),
        (["claim", "src"], None, ("src",)),
    ],
)
def test_wait_takes_a_duration_or_nothing(
    argv: list[str], wait: str | None, scope: tuple[str, ...]
) -> None:
    quickly = quick.parse(argv)
    slowly = by_click(argv)
    assert quickly is not None
    assert slowly is not None
    for invocation in (quickly[1], slowly[1]):
        assert invocation.text("wait") == wait
        assert invocation.words("scope") == scope


def test_an_option_that_may_be_repeated_keeps_each_word() -> None:
    argv = ["-q", "handoff", "offer", "--scope", "a", "-m", "x", "--scope=b", "packet.json"]
    quickly, slowly = quick.parse(argv), by_click(argv)
    assert quickly is not None
    assert slowly is not None
    for invocation in (quickly[1], slowly[1]):
        assert invocation.words("scope") == ("a", "b")
        assert (invocation.text("file"), invocation.flag("quiet")) == ("packet.json", True)


def test_plain_lines_are_parsed_quickly_and_the_rest_is_left_to_click() -> None:
    assert quick.parse(["claim", "src", "--json"]) is not None
    assert quick.parse(["renew"]) is not None
    assert quick.parse(["-q", "claim", "src"]) is not None
    assert quick.parse(["-C", ".", "accept", "fix"]) is not None
    assert quick.parse(["status", "--json"]) is not None
    assert quick.parse(["why", "src/a.py"]) is not None
    assert quick.parse(["verify", "--stdin"]) is not None
    for argv in (["claim", "--help"], ["claim"], ["claim", "src", "--nope"], ["log"], []):
        assert quick.parse(argv) is None
    for argv in (
        ["handoff"],
        ["handoff", "list"],
        ["-q"],
        ["-C"],
        ["offer", "a", "b"],
        ["status", "x"],
    ):
        assert quick.parse(argv) is None


def test_the_quick_path_imports_no_click(world: World) -> None:
    person = world.person()
    code = (
        "import sys; from handrail.edge.cli.main import main; main(sys.argv[1:]);"
        " print('click' in sys.modules, 'rich' in sys.modules)"
    )
    python = launcher()[0] if len(launcher()) > 1 else str(Path(launcher()[0]).with_name("python"))
    done = subprocess.run(
        (python, "-c", code, "claim", "src"),
        cwd=world.path,
        env={**person.env, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "False False"


# --------------------------------------------------------------------------------- common options


def test_wait_without_a_duration_waits_until_the_scope_is_free(world: World) -> None:
    holder, person = world.session(), world.person()
    world.claim(holder, "src")
    with world.when_somebody_waits(lambda: world.release(holder)):
        done = person.handrail("claim", "--wait", "src", "--json")
    assert (done.code, done.json()["scope"]) == (0, ["src"])
    assert "waiting, number 1 in line: src is held by session" in done.err


def test_wait_with_a_duration_ends_in_time_with_the_last_refusal(world: World) -> None:
    holder, person = world.session(), world.person()
    world.claim(holder, "src")
    started = time.monotonic()
    done = person.handrail("claim", "--wait", "300ms", "src", "--json")
    assert 0.3 <= time.monotonic() - started < 15
    assert (done.code, done.json()["error"]["code"]) == (1, "scope_held")
    assert world.waiters() == 0


def test_json_may_stand_before_or_after_the_command(world: World) -> None:
    person = world.person()
    for argv in (("--json", "whoami"), ("whoami", "--json"), ("-q", "--json", "whoami")):
        assert person.handrail(*argv).json()["session"] == person.session


def test_a_directory_may_stand_before_or_after_the_command_and_paths_are_seen_from_it(
    world: World, tmp_path: Path
) -> None:
    person = world.person()
    person.cwd = tmp_path
    (world.path / "deep").mkdir()
    deep = str(world.path / "deep")
    for argv in (("-C", deep, "status"), (f"-C{deep}", "status"), ("status", "-C", deep)):
        assert person.handrail(*argv).code == 0
    assert person.handrail("-C", "repo/deep", "why", "x.py", "--json").json()["path"] == "deep/x.py"
    assert person.handrail("-C", deep, "ledger", "export", "-o", "here.txt").code == 0
    assert (world.path / "deep" / "here.txt").exists()
    assert person.handrail("-C", deep, "ledger", "verify", "here.txt").code == 0
    done = person.handrail("run", "-C", deep, "-q", "--claim", "x", "--", "pwd")
    assert done.out.strip() == os.path.realpath(deep)
    assert person.handrail("-C", deep, "claim", "src", "--json").json()["scope"] == ["src"]


def test_quiet_says_nothing_but_the_answer(world: World) -> None:
    person = world.shell()
    for argv in (("init",), ("session", "start"), ("ledger", "verify")):
        loud, quiet = person.handrail(*argv), person.handrail(*argv, "-q")
        assert loud.err != ""
        assert (quiet.code, quiet.err) == (0, "")


def test_the_version_is_that_of_the_package(world: World) -> None:
    assert world.shell().handrail("--version").out == f"handrail {__version__}\n"


TOLD: Final = "All of it is done, the log says how, and nothing is left to do."
DRY: Final = {
    "init": "handrail init --dry-run",
    "claim": "handrail claim new --dry-run",
    "release": "handrail release src --dry-run",
    "attest": "handrail attest HEAD --dry-run",
    "ledger import": "handrail ledger import ../export.txt --dry-run",
    "config apply": "handrail config apply --dry-run",
    "lanes import": "echo '/docs @docs' | handrail lanes import /dev/stdin --dry-run",
    "ci": "git init -q --bare ../hub.git && echo '{}' >../event && GITHUB_SHA=$(git rev-parse HEAD)"
    " handrail ci ../event --event schedule --remote ../hub.git --dry-run",
    "ledger sync": "git init -q --bare ../hub.git && handrail ledger sync ../hub.git --dry-run",
    "enroll": "handrail enroll --dry-run",
    "task block": "handrail task block --rule 'no network' --dry-run",
    "handoff offer": f"handrail handoff offer --kind return -m '{TOLD}' --dry-run",
    "offer": f"handrail offer --kind return -m '{TOLD}' --dry-run",
    "export": "handrail export --dry-run",
    "store rebuild": "handrail store rebuild --dry-run",
    "store copy": "handrail store copy ../copy.db --dry-run",
    "store migrate": "printf '\\n[store]\\nurl = \"postgresql://db.example/x\"\\n' >>handrail.toml"
    " && handrail store migrate --dry-run; git checkout --quiet handrail.toml",
    "reading done": "handrail reading done GUIDE.md --dry-run",
    "uninstall": "handrail uninstall --dry-run",
    "audit": "handrail audit --fix --dry-run",
}


def test_every_dry_run_is_tried() -> None:
    dry = {c.path for c in COMMANDS if any(option.name == "dry_run" for option in c.options)}
    assert dry == set(DRY)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("path", DRY)
def test_a_dry_run_changes_nothing(world: World, path: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(world.path, other)
    for store in (other / ".git" / "handrail").glob("state.*"):
        store.unlink()
    foreign = world.shell(other)
    assert foreign.types("handrail init && handrail ledger export -o ../export.txt").code == 0
    if path == "reading done":
        world.repo.write("GUIDE.md", "Be brief.\n")
        reads_first(world)
    person = world.person()
    assert person.session is not None
    if path != "reading done":
        world.claim(person.session, "src")
    world.repo.write("src/a.py", "a")
    world.repo.commit("a", "src")
    with (world.path / "handrail.toml").open("a") as config:
        config.write("# changed\n")
    if path in ("config apply", "enroll", "uninstall"):
        del person.env["HANDRAIL_SESSION"]
    if path in ("handoff offer", "offer", "export"):
        assert person.types("handrail task new work && handrail accept").code == 0
        shutil.rmtree(world.path / ".handrail" / "handoffs")
    before = _everything(world)
    done = person.types(DRY[path], terminal=True)
    assert done.code == 0, done.err
    assert _everything(world) == before
    assert "would" in done.out or done.out == "nothing to mend\n", done.out


def reads_first(world: World) -> None:
    """Let everybody have to read GUIDE.md first."""
    text = (world.path / "handrail.toml").read_text()
    whole = text.replace("lane = ", 'reading = ["GUIDE.md"]\nlane = ', 1)
    (world.path / "handrail.toml").write_text(whole)
    assert world.shell().types("handrail config apply --quiet", terminal=True).code == 0


def _everything(world: World) -> tuple[object, ...]:
    files = sorted(str(path) for path in world.path.rglob("*") if "state.db-" not in path.name)
    return (
        entries_of(world.store),
        files,
        (world.path / "handrail.toml").read_bytes(),
        world.repo.git("status", "--porcelain"),
    )


# -------------------------------------------------------------------------------------- completion


def test_bash_completes_commands_and_options(world: World) -> None:
    person = world.shell()
    for typed, expected in {
        "handrail cla": ["claim"],
        "handrail session st": ["start"],
        "handrail claim --wa": ["--wait"],
        "handrail ledger ": ["export", "import", "redact", "sync", "verify"],
        "handrail release --a": ["--all"],
    }.items():
        words = typed.split(" ")
        line = (
            'eval "$(handrail completion bash)"; COMP_WORDS=('
            + " ".join(f"'{w}'" for w in words)
            + f"); COMP_CWORD={len(words) - 1}; _handrail_completion handrail;"
            ' printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = person.types(line)
        assert (sorted(done.out.split()), done.err) == (expected, ""), (typed, done)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_asks_in_a_way_that_is_answered(world: World, shell: str) -> None:
    person = world.shell()
    script = person.handrail("completion", shell).out
    assert f"_HANDRAIL_COMPLETE={shell}_complete" in script
    asked = {"_HANDRAIL_COMPLETE": f"{shell}_complete", "COMP_WORDS": "handrail cla"}
    word = {"COMP_CWORD": "cla" if shell == "fish" else "1"}
    done = person.handrail(env={**asked, **word})
    assert (done.code, done.err) == (0, "")
    assert "claim" in done.out
    if shutil.which(shell) is not None:
        checked = subprocess.run((shell, "-n"), input=script, text=True, check=False)
        assert checked.returncode == 0


def test_completion_of_nonsense_is_harmless(world: World) -> None:
    for value in ("nonsense", "bash_nonsense", "bash_complete", ""):
        done = world.shell().handrail("status", env={"_HANDRAIL_COMPLETE": value})
        assert "Traceback" not in done.err
        assert done.code in (0, 1)


# --------------------------------------------------------------------------------- the live board


@contextmanager
def screen(world: World, *argv: str, columns: int = 100, **env: str) -> Iterator[Terminal]:
    environment = {**world.shell().env, "TERM": "xterm-256color", **env}
    shown = Terminal((*launcher(), *argv), world.path, environment, columns)
    try:
        yield shown
    finally:
        shown.close()


@pytest.mark.parametrize("key", ["q", "Q", "\x1b", "\x03"], ids=["q", "Q", "escape", "ctrl-c"])
def test_the_board_is_drawn_follows_claims_and_gives_the_terminal_back(
    world: World, key: str
) -> None:
    holder = world.session(agent="ada")
    with screen(world, "status", "--watch") as shown, unharmed(world.store):
        assert shown.reads("nobody holds anything"), shown.text
        world.claim(holder, "src/api")
        assert shown.reads("src/api"), shown.text
        assert shown.reads("ada")
        world.release(holder)
        at = len(shown.text)
        assert eventually(lambda: "nobody holds" in shown.drain()[at:])
        shown.press(key)
        assert shown.ends() == 0
        assert termios.tcgetattr(shown.slave) == shown.before
    assert shown.text.rstrip().endswith("\x1b[?25h") or "\x1b[?1049l" in shown.text[-80:]
    assert "\x1b[?1049h" in shown.text
    assert "\x1b[?1049l" in shown.text
    assert "Traceback" not in shown.text


def test_the_board_shows_who_is_at_which_task(world: World) -> None:
    world.shell(HANDRAIL_SESSION=world.session()).handrail("task", "new", "fix-login")
    with screen(world, "status", "--watch") as shown:
        assert shown.reads("task fix-login: with nobody yet"), shown.text
        shown.press("q")
        assert shown.ends() == 0


def test_the_board_fits_a_narrow_terminal(world: World) -> None:
    world.claim(world.session(agent="a-rather-long-agent-name"), "src/a/rather/long/path/*.py")
    for columns in (20, 1):
        with screen(world, "status", "--watch", columns=columns) as shown:
            assert shown.reads("\x1b[?1049h")
            assert shown.fills()
            shown.press("q")
            assert shown.ends() == 0
            assert "Traceback" not in shown.text


COLOUR: Final = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7])[;m]")


def test_colour_is_for_terminals_that_want_it(world: World) -> None:
    (world.path / "handrail.toml").write_bytes(b"# another\n")
    with screen(world, "status", "--watch") as shown:
        assert shown.reads("differs")
        shown.press("q")
        assert shown.ends() == 0
    assert COLOUR.search(shown.text)
    with screen(world, "status", "--watch", NO_COLOR="1") as shown:
        assert shown.reads("differs")
        shown.press("q")
        assert shown.ends() == 0
    assert COLOUR.search(shown.text) is None


def test_a_hostile_scope_cannot_move_the_cursor(world: World) -> None:
    world.claim(world.session(), "src/[31m\u202egpj.exe")
    done = world.shell().handrail("status")
    assert "\u202e" not in done.out
    assert all(line.isprintable() for line in done.out.splitlines())


def test_the_board_needs_a_terminal(world: World) -> None:
    said = refusal(world.shell().handrail("status", "--watch"))
    assert (said.code, said.next) == ("usage", "handrail status --json")


def test_the_board_ends_when_its_terminal_hangs_up(world: World) -> None:
    with screen(world, "status", "--watch") as shown:
        assert shown.reads("nobody holds anything")
        os.killpg(shown.process.pid, signal.SIGHUP)
        assert shown.ends() == -signal.SIGHUP


def test_json_is_ascii_and_one_object_whatever_the_names(world: World) -> None:
    person = world.person(agent="ada")
    assert person.handrail("claim", "stra\u00dfe", "\U0001f600").code == 0
    done = person.handrail("status", "--json")
    assert done.out.isascii()
    assert done.out.count("\n") == 1
    assert json.loads(done.out)["leases"][0]["scope"] == ["stra\u00dfe", "\U0001f600"]
