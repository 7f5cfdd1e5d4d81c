"""A person who follows only the text of a refusal gets to a granted claim, for every code.

Each scene puts somebody into a situation where a command is refused. From there on nobody thinks:
the ``next:`` line is typed as it stands, then the next one, three at the most; then the claim that
was wanted all along. Only the world may move on meanwhile, as it does: a holder gives back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple

import pytest

from handrail import errors
from handrail.wiring import Application
from tests.cli.world import (
    KNOWN_COMMANDS,
    NEXT,
    Person,
    Refusal,
    World,
    commands_in,
    eventually,
    refusal,
    refusal_in_json,
    unharmed,
)
from tests.service.guarding import land, run_out, write
from tests.support import Result

STEPS_MAX = 3
HOOKS_ONLY = {"guarded_path", "not_covered"}
"""Codes that no command gives, only what harnesses and git ask."""
LANES = """
default_role = "docs"
[[role]]
name = "docs"
lane = ["docs/**", "*.md"]
[[role]]
name = "api"
lane = ["src/**"]
[[role]]
name = "reader"
lane = ["**"]
sandbox = "read-only"
"""
MANY_ROLES = 'roles_per_session = "many"' + LANES
LEAD = """
default_role = "lead"
[[role]]
name = "lead"
lane = ["**"]
coordinates = true
"""


class Scene(NamedTuple):
    """Somebody, the command that will be refused, the claim that is wanted, how the world moves."""

    person: Person
    refused: str
    wanted: str
    moves: AbstractContextManager[object] = nullcontext()
    terminal: bool = False


Arrange = Callable[[World], Scene]
SCENES: dict[str, list[Arrange]] = {}


def scene(code: str) -> Callable[[Arrange], Arrange]:
    """Say which refusal a scene leads to."""

    def add(arrange: Arrange) -> Arrange:
        SCENES.setdefault(code, []).append(arrange)
        return arrange

    return add


def every_refusal() -> dict[str, type[errors.Refused]]:
    """List the codes of refusals, by reflection: a new one is here before it is anywhere else."""
    found: dict[str, type[errors.Refused]] = {}
    waiting: list[type[errors.Refused]] = [errors.Refused]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            found[kind.code] = kind
            waiting.append(kind)
    return found


# ------------------------------------------------------------------------------- leases of others


@scene("scope_held")
def _somebody_holds_it(world: World) -> Scene:
    holder = world.session()
    world.claim(holder, "src/api")
    moves = world.when_somebody_waits(lambda: world.release(holder))
    return Scene(world.person(), "handrail claim src/api", "handrail claim src/api", moves)


@scene("scope_held")
def _a_glob_overlaps_in_names_that_a_shell_would_change(world: World) -> Scene:
    holder = world.session()
    world.claim(holder, "docs/$HOME *.md")
    wanted = "handrail claim 'docs/it'\\''s' 'docs/*.md'"
    moves = world.when_somebody_waits(lambda: world.release(holder))
    return Scene(world.person(), wanted, wanted, moves)


@scene("scope_held")
def _a_scope_that_looks_like_an_option(world: World) -> Scene:
    holder = world.session()
    world.claim(holder, "./-x")
    moves = world.when_somebody_waits(lambda: world.release(holder))
    return Scene(world.person(), "handrail claim -- -x", "handrail claim -- -x", moves)


@scene("scope_held")
def _somebody_elses_scope_is_attested(world: World) -> Scene:
    holder, person = world.session(), world.person()
    world.claim(holder, "src")
    world.repo.write("src/a.py", "a")
    world.repo.commit("a", "src")
    moves = world.when_somebody_waits(lambda: world.release(holder))
    return Scene(person, "handrail attest HEAD", "handrail claim src/a.py", moves)


@scene("scope_awaited")
def _somebody_else_came_first(world: World) -> Scene:
    holder, first, person = world.session(), world.session(), world.person()
    world.claim(holder, "a")
    return Scene(person, "handrail claim b", "handrail claim b", _queue(world, holder, first))


@contextmanager
def _queue(world: World, holder: str, first: str) -> Iterator[None]:
    """Let ``first`` wait for a and b; once the person waits too, everybody is served in order."""
    earlier = world.shell(HANDRAIL_SESSION=first)
    started = earlier.handrail_starts("run", "--claim", "a", "--claim", "b", "--wait", "--", "true")
    try:
        assert eventually(lambda: world.waiters() == 1)
        with world.when_waiters(2, lambda: world.release(holder)):
            yield
    finally:
        started.communicate(timeout=60)
    assert started.returncode == 0


@scene("would_deadlock")
def _each_has_what_the_other_wants(world: World) -> Scene:
    other, person = world.session(), world.person()
    world.claim(other, "y")
    assert person.session is not None
    world.claim(person.session, "x")
    moves = _other_waits(world, other)
    return Scene(person, "handrail claim y --wait", "handrail claim y --wait", moves)


@contextmanager
def _other_waits(world: World, other: str) -> Iterator[None]:
    """Let ``other`` wait for x; once it has it, it does its work and gives all back."""
    shell = world.shell(HANDRAIL_SESSION=other)
    script = "handrail claim x --wait && handrail release --all"
    started = shell.starts(script)
    try:
        assert eventually(lambda: world.waiters() == 1)
        yield
    finally:
        started.communicate(timeout=60)
    assert started.returncode == 0


@scene("unanchored_limit")
def _too_many_wildcards_are_live(world: World) -> Scene:
    holder = world.session()
    for part in range(4):
        world.claim(holder, *(f"*.kind{part}{number}" for number in range(16)))
    moves = world.when_somebody_waits(lambda: world.release(holder))
    return Scene(world.person(), "handrail claim '*.mine'", "handrail claim '*.mine'", moves)


# --------------------------------------------------------------------------------- one's own past


@scene("lease_expired")
def _a_lease_ran_out(world: World) -> Scene:
    person, token = _with_expired_lease(world)
    return Scene(person, f"handrail renew {token}", "handrail claim src")


@scene("lease_expired")
def _a_commit_was_made_under_a_lease_that_ran_out(world: World) -> Scene:
    person, _ = _with_expired_lease(world)
    world.repo.write("src/a.py", "a")
    world.repo.commit("a", "src")
    return Scene(person, "handrail attest HEAD", "handrail claim src")


@scene("stale_token")
def _somebody_had_it_since(world: World) -> Scene:
    person, token = _with_expired_lease(world)
    later = world.session()
    world.claim(later, "src/deep")
    moves = world.when_somebody_waits(lambda: world.release(later))
    return Scene(person, f"handrail renew {token}", "handrail claim src", moves)


@scene("stale_token")
def _somebody_had_it_between_and_gave_it_back(world: World) -> Scene:
    person, token = _with_expired_lease(world)
    later = world.session()
    world.claim(later, "src/deep")
    world.release(later)
    return Scene(person, f"handrail renew {token}", "handrail claim src")


def _with_expired_lease(world: World) -> tuple[Person, str]:
    """Sit somebody down whose lease over src has run out."""
    person = world.person()
    assert person.session is not None
    granted = world.claim(person.session, "src", ttl_ms=1_000)
    assert eventually(lambda: not world.holds(person.session, "src"))
    return person, granted.token


@scene("orphaned")
def _another_agent_left_unfinished_work(world: World) -> Scene:
    other = world.session(agent="other")
    world.claim(other, "src")
    world.repo.write("src/a b.py", "half of it\n")
    world.release(other)
    return Scene(world.person(), "handrail claim 'src/a b.py'", "handrail claim 'src/a b.py'")


@scene("orphaned")
def _another_agents_lease_ran_out_over_unfinished_work(world: World) -> Scene:
    other = world.session(agent="other")
    write(world, other, "src/a.py", "half of it\n")
    run_out(world, other)
    return Scene(world.person(), "handrail claim src", "handrail claim src")


@scene("stale_bytes")
def _a_file_is_written_from_memory_over_what_landed(world: World) -> Scene:
    world.repo.write("docs/a b.md", "one\n")
    world.repo.commit("base", "docs")
    person, other = world.person(), world.session(agent="other")
    write(world, other, "docs/a b.md", "two\n")
    land(world, other, "docs")
    world.repo.write("docs/a b.md", "stale\n")
    return Scene(person, "handrail claim docs", "handrail claim docs")


@scene("stale_bytes")
def _an_old_commit_does_not_know_what_landed(world: World) -> Scene:
    lines = [f"line {number}\n" for number in range(20)]
    world.repo.write("docs/x.md", "".join(lines))
    world.repo.commit("base", "docs")
    beside, person = world.repo.worktree("beside"), world.person()
    world.repo.write("docs/x.md", "".join(["old\n", *lines[1:]]))
    world.repo.commit("old", "docs")
    other = world.session(agent="other", cwd=beside)
    world.claim(other, "docs", cwd=beside)
    (beside / "docs/x.md").write_text("".join([*lines[:-1], "new\n"]))
    land(world, other, "docs", cwd=beside)
    world.release(other, cwd=beside)
    assert person.session is not None
    world.claim(person.session, "docs")
    return Scene(person, "handrail attest HEAD", "handrail claim docs")


@scene("not_holder")
def _nothing_is_held_there(world: World) -> Scene:
    return Scene(world.person(), "handrail release src/api", "handrail claim src/api")


@scene("not_holder")
def _a_token_is_somebody_elses(world: World) -> Scene:
    holder = world.session()
    token = world.claim(holder, "src").token
    moves = world.when_somebody_waits(lambda: world.release(holder))
    return Scene(world.person(), f"handrail renew {token}", "handrail claim src", moves)


@scene("not_holder")
def _a_commit_was_made_without_a_lease(world: World) -> Scene:
    world.repo.write("src/a b.py", "a")
    world.repo.write("docs/x.md", "x")
    world.repo.commit("a")
    return Scene(world.person(), "handrail attest HEAD", "handrail claim 'src/a b.py' docs/x.md")


@scene("not_holder")
def _a_commit_has_paths_that_no_scope_can_spell(world: World) -> Scene:
    for name in (b"a\nb", b"c\xffd", b"e\\f", b"!g", b"-h", b"i*j", b"\t"):
        world.repo.write(b"src/".decode() + name.decode("utf-8", "surrogateescape"), "x")
        world.repo.write(name.decode("utf-8", "surrogateescape"), "x")
    world.repo.commit("odd")
    line = "handrail attest HEAD && handrail claim src"
    return Scene(world.person(), line, line)


# -------------------------------------------------------------------------------------------- roles


@scene("outside_lane")
def _another_role_owns_it(world: World) -> Scene:
    world.configure(LANES)
    return Scene(world.person(role="docs"), "handrail claim src/api", "handrail claim src/api")


@scene("outside_lane")
def _a_part_of_it_lies_in_the_own_lane(world: World) -> Scene:
    world.configure(LANES)
    person = world.person(role="docs")
    wanted = "handrail claim docs/a.md src/api"
    return Scene(person, wanted, wanted)


@scene("outside_lane")
def _it_reaches_far_beyond_the_own_lane(world: World) -> Scene:
    world.configure(LANES)
    person = world.person(role="docs")
    return Scene(person, "handrail claim '**'", "handrail claim '**'")


@scene("outside_lane")
def _other_roles_own_a_part_of_it(world: World) -> Scene:
    world.configure(LANES)
    person = world.person(role="docs")
    return Scene(person, "handrail claim src/api tools", "handrail claim src/api tools")


@scene("outside_lane")
def _nobody_owns_it_until_a_lane_grows(world: World) -> Scene:
    world.configure(LANES)
    person = world.person(role="docs")
    config = world.path / "handrail.toml"
    config.write_text(config.read_text().replace('"docs/**"', '"docs/**", "tools/**"'))
    return Scene(person, "handrail claim tools", "handrail claim tools", terminal=True)


@scene("outside_lane")
def _a_session_without_a_role_has_no_lane(world: World) -> Scene:
    world.configure(LANES.replace('default_role = "docs"', ""))
    return Scene(world.person(), "handrail claim src/api", "handrail claim src/api")


@scene("sandbox_read_only")
def _a_reader_wants_to_write(world: World) -> Scene:
    world.configure(LANES)
    return Scene(world.person(role="reader"), "handrail claim src/api", "handrail claim src/api")


@scene("sandbox_read_only")
def _a_reader_wants_to_write_what_nobody_owns(world: World) -> Scene:
    world.configure(LANES)
    person = world.person(role="reader")
    config = world.path / "handrail.toml"
    config.write_text(config.read_text() + 'may_write = ["tools/**"]\n')
    return Scene(person, "handrail claim tools", "handrail claim tools", terminal=True)


@scene("role_fixed")
def _a_claim_names_another_role(world: World) -> Scene:
    world.configure(LANES)
    wanted = "handrail claim src/api --role api"
    return Scene(world.person(role="docs"), wanted, wanted)


@scene("role_fixed")
def _a_session_wants_another_role(world: World) -> Scene:
    world.configure(LANES)
    person = world.person(role="docs")
    return Scene(person, "handrail session role api", "handrail claim src/api")


@scene("role_fixed")
def _a_session_is_started_again_as_something_else(world: World) -> Scene:
    world.configure(LANES)
    person = world.person(id="mine", role="docs")
    line = 'eval "$(handrail session start --id mine --role api)"'
    return Scene(person, line, "handrail claim src/api")


# ---------------------------------------------------------------------------------------- sessions


@scene("unknown_session")
def _there_is_no_session(world: World) -> Scene:
    return Scene(world.shell(), "handrail claim src", "handrail claim src")


@scene("unknown_session")
def _a_harness_runs_without_a_session(world: World) -> Scene:
    return Scene(world.shell(CLAUDECODE="1"), "handrail claim src", "handrail claim src")


@scene("unknown_session")
def _the_session_was_never_started(world: World) -> Scene:
    person = world.shell(AGENT_SESSION_ID="from-the-harness")
    return Scene(person, "handrail claim src", "handrail claim src")


@scene("unknown_session")
def _the_session_has_ended(world: World) -> Scene:
    person = world.person()
    assert person.handrail("session", "end").code == 0
    return Scene(person, "handrail claim src", "handrail claim src")


@scene("unknown_session")
def _a_session_is_asked_for_that_never_was(world: World) -> Scene:
    return Scene(world.shell(), "handrail session show nobody", "handrail claim src")


@scene("wrong_worktree")
def _the_session_belongs_to_another_working_tree(world: World) -> Scene:
    session = world.session()
    beside = world.repo.worktree("beside")
    shell = world.shell(beside, HANDRAIL_SESSION=session)
    return Scene(shell, "handrail claim src", "handrail claim src")


@scene("wrong_worktree")
def _it_even_holds_what_is_wanted(world: World) -> Scene:
    session = world.session()
    world.claim(session, "src")
    shell = world.shell(world.repo.worktree("beside"), HANDRAIL_SESSION=session)
    moves = world.when_somebody_waits(lambda: world.release(session))
    return Scene(shell, "handrail claim src", "handrail claim src", moves)


@scene("wrong_secret")
def _the_secret_is_another_ones(world: World) -> Scene:
    person = world.person()
    person.env["HANDRAIL_SECRET"] = "of somebody else"
    return Scene(person, "handrail claim src", "handrail claim src")


@scene("wrong_secret")
def _the_secret_is_gone(world: World) -> Scene:
    person = world.person()
    for secret in (world.folder / "secrets").iterdir():
        secret.unlink()
    return Scene(person, "handrail claim src", "handrail claim src")


@scene("session_exists")
def _the_id_is_taken(world: World) -> Scene:
    world.session(id="mine", agent="somebody")
    line = 'eval "$(handrail session start --id mine --agent another)"'
    return Scene(world.shell(), line, "handrail claim src")


# --------------------------------------------------------------------------- persons and records


@scene("needs_person")
def _an_agent_applies_a_configuration(world: World) -> Scene:
    world.configure(LANES)
    person = world.person(role="docs")
    config = world.path / "handrail.toml"
    config.write_text(config.read_text().replace('"docs/**"', '"docs/**", "tools/**"'))
    return Scene(person, "handrail config apply", "handrail claim tools", terminal=True)


@scene("needs_person")
def _an_agent_redacts(world: World) -> Scene:
    person = world.person()
    assert person.session is not None
    token = world.claim(person.session, "src").token
    world.release(person.session)
    line = f"handrail ledger redact {token.partition(':')[2]} --reason 'a name in it'"
    return Scene(person, line, "handrail claim src", terminal=True)


@scene("needs_person")
def _an_agent_changes_the_role_of_another_session(world: World) -> Scene:
    world.configure(LANES)
    person = world.person(role="docs")
    line = f"handrail session role api --session {person.session} --reason 'moved on'"
    return Scene(person, line, "handrail claim src/api", terminal=True)


@scene("needs_person")
def _an_agent_rebuilds_a_store_that_is_lost(world: World) -> Scene:
    person = world.person()
    export = world.scratch / "ledger export.txt"
    assert person.handrail("ledger", "export", "-o", str(export)).code == 0
    line = f"handrail store rebuild --from '{export}'"
    return Scene(person, line, "handrail claim src", terminal=True)


@scene("still_live")
def _a_coordinator_redacts_its_own_live_grant(world: World) -> Scene:
    world.configure(LEAD)
    person = world.person()
    assert person.session is not None
    seq = world.claim(person.session, "src").token.partition(":")[2]
    return Scene(person, f"handrail ledger redact {seq}", "handrail claim src")


@scene("still_live")
def _a_coordinator_redacts_somebody_elses_live_grant(world: World) -> Scene:
    world.configure(LEAD)
    seq = world.claim(world.session(), "src").token.partition(":")[2]
    return Scene(world.person(), f"handrail ledger redact {seq}", "handrail claim src")


@scene("still_live")
def _a_coordinator_redacts_the_configuration_in_force(world: World) -> Scene:
    world.configure(LEAD)
    with world.open() as application:
        seq = _config_in_force(application)
    return Scene(world.person(), f"handrail ledger redact {seq}", "handrail claim src")


@scene("still_live")
def _a_coordinator_redacts_what_the_tables_rest_on(world: World) -> Scene:
    world.configure(LEAD)
    return Scene(world.person(), "handrail ledger redact 1", "handrail claim src")


def _config_in_force(application: Application) -> int:
    with application.store.read() as reader:
        in_force = reader.config()
    assert in_force is not None
    return in_force.seq


@scene("unsupported_commit")
def _a_range_holds_a_merge_of_many(world: World) -> Scene:
    person = world.person()
    assert person.session is not None
    world.claim(person.session, "src")
    _merge(world)
    return Scene(person, "handrail attest 'main~1..main'", "handrail claim src")


@scene("unsupported_commit")
def _a_merge_of_many_is_named_alone(world: World) -> Scene:
    person = world.person()
    assert person.session is not None
    world.claim(person.session, "src")
    _merge(world)
    return Scene(person, "handrail attest HEAD", "handrail claim src")


def _merge(world: World) -> None:
    repo = world.repo
    for name in ("one", "two"):
        repo.git("switch", "--quiet", "--create", name, "main")
        repo.write(f"src/{name}.py", name)
        repo.commit(name, "src")
    repo.git("switch", "--quiet", "main")
    repo.git("merge", "--quiet", "--no-ff", "--message=merge", "one", "two")


# --------------------------------------------------------------------------------------- the tests


def test_every_refusal_has_a_scene() -> None:
    # Those of handing over and of sharing ledgers lead elsewhere, and not to a claim.
    elsewhere = {
        code for code, one in every_refusal().items() if one.__module__ != "handrail.errors"
    }
    assert sorted({*SCENES, *HOOKS_ONLY, *elsewhere}) == sorted(every_refusal())


ALL = [
    pytest.param(code, arrange, id=f"{code}-{arrange.__name__.strip('_')}")
    for code, scenes in SCENES.items()
    for arrange in scenes
]


@pytest.mark.sampled(2)
@pytest.mark.sampled(8)
@pytest.mark.parametrize(("code", "arrange"), ALL)
def test_following_the_text_leads_to_a_granted_claim(
    world: World, code: str, arrange: Arrange
) -> None:
    scene = arrange(world)
    person = scene.person
    with unharmed_unless_refounded(world, code), scene.moves:
        done = person.types(scene.refused, terminal=scene.terminal)
        assert _said(done).code == code
        assert done.code == (0 if scene.refused.startswith("eval") else errors.EXIT_REFUSED)
        trail, steps = [f"$ {scene.refused}\n{done.err}"], 0
        while not _granted(done) and steps <= STEPS_MAX:
            steps += _refused(done)
            line = _said(done).next if _refused(done) else scene.wanted
            done = person.types(line, terminal=scene.terminal)
            trail.append(f"$ {line}\n{done.out}{done.err}")
    assert _granted(done), "\n".join(trail)
    assert steps <= STEPS_MAX, "\n".join(trail)
    assert world.holds_in(person.cwd, person.session, _token(done)), "\n".join(trail)
    if scene.refused.startswith("handrail attest") and code != "unsupported_commit":
        assert person.types(scene.refused).code == 0, "what was refused still is"


def _refused(done: Result) -> bool:
    """Tell whether something was refused; ``eval`` hides the exit status of what it evaluates."""
    return done.code != 0 or NEXT in done.err


def _said(done: Result) -> Refusal:
    """Read a refusal out of what a shell line said, which may have said more before it."""
    lines = done.err.splitlines()
    starts = [n for n, line in enumerate(lines) if re.match(r"handrail: [a-z_]+: ", line)]
    assert starts, f"{done.argv} ended with {done.code} and no refusal: {done.err!r}"
    told = "\n".join(lines[starts[-1] : starts[-1] + 2])
    return refusal(done.__class__(done.argv, done.code or 1, "", told))


def _granted(done: Result) -> bool:
    return done.code == 0 and re.search(r"^(granted|renewed) ", done.out, re.MULTILINE) is not None


def _token(done: Result) -> str:
    found = re.search(r"^(?:granted|renewed) (\S+)", done.out, re.MULTILINE)
    assert found is not None
    return found[1]


@contextmanager
def unharmed_unless_refounded(world: World, code: str) -> Iterator[None]:
    """Check the ledger, unless a person founded a new store, whose ledger begins anew."""
    with world.open() as application, application.store.read() as reader:
        epoch = reader.epoch
    kept = unharmed(world.store)
    kept.__enter__()
    yield
    with world.open() as application, application.store.read() as reader:
        same = reader.epoch == epoch
    if same or code != "needs_person":
        kept.__exit__(None, None, None)


# ------------------------------------------------------------- what every error says, by reflection


def every_error() -> list[type[errors.HandrailError]]:
    """List every kind of error that has a sentence of its own."""
    found: list[type[errors.HandrailError]] = []
    waiting: list[type[errors.HandrailError]] = [errors.HandrailError]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            found.append(kind)
            waiting.append(kind)
    general = {"refused", "malformed", "unavailable"}
    return [kind for kind in found if kind.code not in general]


VALUES = {
    "asked": ("src/a b", "-x"),
    "scope": ("src/a\nb",),
    "reason": "Something is wrong.",  # Usage has no words of its own
    "path": "/somewhere/state of things.db",
    "expires_at": 0,
    "command": ("config", "apply"),
    "or_else": "",
    "remedy": "",
}


def an_error(kind: type[errors.HandrailError]) -> errors.HandrailError:
    """Make an error with every value that its sentence and its next command speak of."""
    names = re.findall(r"\{(\w+)\}", f"{kind.__doc__} {kind.NEXT}")
    values = {name: VALUES.get(name, f"some-{name}") for name in names}
    return kind(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.code)
def test_every_error_has_one_sentence_and_a_next_command_that_exists(
    kind: type[errors.HandrailError],
) -> None:
    error = an_error(kind)
    assert error.message.isprintable()
    assert error.message[-1] in ".?"
    assert re.search(r"[.?!] [A-Z]", error.message) is None, "more than one sentence"
    assert error.next, f"{error.code} does not say how to go on"
    assert commands_in(error.next) <= KNOWN_COMMANDS, error.next


def test_the_codes_of_errors_are_all_different() -> None:
    codes = [kind.code for kind in every_error()]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.code)
def test_every_kind_of_no_has_the_exit_status_of_its_kind(kind: type[errors.HandrailError]) -> None:
    statuses = (
        (errors.Interrupted, 130),
        (errors.Refused, 1),
        (errors.Malformed, 2),
        (errors.Unavailable, 3),
        (errors.Bug, 70),
    )
    expected = next(status for parent, status in statuses if issubclass(kind, parent))
    assert kind.exit_status == expected


def test_a_refusal_says_the_same_in_text_and_in_json(world: World) -> None:
    holder = world.session()
    world.claim(holder, "src")
    person = world.person()
    text = refusal(person.handrail("claim", "src/api"))
    json = refusal_in_json(person.handrail("claim", "src/api", "--json"))
    assert (json.code, json.next, json.status) == (text.code, text.next, text.status)
    assert json.sentence == text.sentence
    assert text.next == "handrail claim src/api --wait"
    error = person.handrail("claim", "src/api", "--json").json()["error"]
    assert error["session"] == holder
    assert error["scope"] == ["src"]
    assert error["witness"] == "src/api"
    assert error["role"] == "worker"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", error["expires_at"])
    assert re.fullmatch(r"[a-z0-9]{8}:\d+", error["token"])


def test_next_lines_begin_alike() -> None:
    assert NEXT == "  next: "
