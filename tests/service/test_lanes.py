"""CODEOWNERS into ``handrail.toml`` and back, in real files."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from handrail import errors
from handrail.config import Settings, parse_config
from handrail.errors.landing import MalformedOwners
from handrail.service.lanes import OWNERS_BYTES_MAX, LanesImported, export_lanes, find_owners
from handrail.service.lanes import import_lanes as import_with
from handrail.wiring import Application
from tests.cli.world import World

OWNERS = "* @acme/core\n/docs/ @acme/docs\n"


def import_lanes(
    world: World, text: str | bytes, file: str = "CODEOWNERS", *, dry_run: bool = False
) -> LanesImported:
    site = Application.open(str(world.repo.path), {}, terminal=False).site
    raw = text.encode() if isinstance(text, str) else text
    return import_with(site, file, raw, lambda _: None, dry_run=dry_run)


def config(world: World) -> bytes:
    return (world.repo.path / "handrail.toml").read_bytes()


def put(world: World, text: str | bytes) -> bytes:
    return world.repo.write("handrail.toml", text).read_bytes()


def lanes(settings: Settings) -> dict[str, tuple[str, ...]]:
    return {role.name: role.lane for role in settings.roles}


def test_roles_are_added_at_the_end_and_all_else_stays(world: World) -> None:
    before = config(world)
    done = import_lanes(world, OWNERS)
    after = config(world)
    assert done.default_role == "worker"
    assert after.replace(b'default_role = "worker"\n', b"", 1).startswith(before)
    settings = parse_config(after)
    assert lanes(settings) == {"worker": ("**",), "core": ("**",), "docs": ("docs",)}
    assert settings.workspace.default_role == "worker"
    assert [lane.role for lane in done.added] == ["core", "docs"]
    assert [row.role for row in done.lanes_meet] == ["worker", "worker"]
    assert [(row.line, row.witness) for row in done.imported.differences] == [(1, "docs")]


def test_a_second_import_adds_nothing_and_names_what_differs(world: World) -> None:
    import_lanes(world, OWNERS)
    before = config(world)
    done = import_lanes(world, "* @acme/core\n/doc/ @other/docs\n/web @acme/web\n", dry_run=True)
    assert config(world) == before
    assert [lane.role for lane in done.added] == ["web"]
    assert done.there == ("core", "docs")
    assert [tuple(row) for row in done.differing] == [("docs", ("docs",), ("doc",))]
    again = import_lanes(world, OWNERS)
    assert (again.added, again.text, again.default_role) == ((), "", None)
    assert config(world) == before


def test_a_dry_run_writes_nothing_and_tells_the_same(world: World) -> None:
    before = config(world)
    told = import_lanes(world, OWNERS, dry_run=True)
    assert config(world) == before
    assert import_lanes(world, OWNERS) == told
    assert config(world).decode().endswith(told.text)


@pytest.mark.parametrize(
    "text",
    [
        '[workspace]\nid = "w"\n[[role]]\nname = "one"\nlane = ["a"] # no end',
        '[workspace] # é\r\nid = "w"\r\n[[role]]\r\nname = "one"\r\nlane = []\r\n',
        'workspace.id = "w"\n[[role]]\nname = "one"\nlane = []\n',
        '# """\n[[role]]\nname = "one"\nlane = []\n[ workspace ]\nid = "w"',
    ],
)
def test_any_way_of_writing_a_configuration_is_kept(world: World, text: str) -> None:
    before = put(world, text)
    done = import_lanes(world, "/docs @docs\n")
    after = config(world)
    settings = parse_config(after)
    assert lanes(settings).keys() == {"one", "docs"}
    inserted = b'default_role = "one"\n'
    if b"\r" in before:
        inserted = b'default_role = "one"\r\n'
    assert after.replace(inserted, b"", 1).startswith(before)
    kept = "one" if done.default_lost is None else None
    assert settings.workspace.default_role == kept
    assert (done.default_lost == "one") == text.startswith("workspace.id")


def test_where_roles_are_written_inline_nothing_is_changed(world: World) -> None:
    text = 'role = [{ name = "one", lane = ["a"] }]\n[workspace]\nid = "w"\n'
    before = put(world, text)
    with pytest.raises(errors.MalformedConfig, match="no role can be added at its end"):
        import_lanes(world, OWNERS)
    assert config(world) == before


def test_a_header_within_some_text_is_no_header(world: World) -> None:
    text = (
        '[[gate]]\nid = "g"\nstages = ["land"]\nrun = ["""\n[workspace]\n"""]\n'
        '[[role]]\nname = "one"\nlane = []\n[workspace]\nid = "w"\n'
    )
    before = put(world, text)
    done = import_lanes(world, "/docs @docs\n")
    # The line would have changed the gate, so it is not written, and the person is told.
    assert (done.default_role, done.default_lost) == (None, "one")
    assert config(world).startswith(before)


def test_case_is_folded_as_the_configuration_says(world: World) -> None:
    put(
        world, '[workspace]\nid = "w"\nfold_case = true\n[[role]]\nname = "docs"\nlane = ["docs"]\n'
    )
    assert import_lanes(world, "/Docs/ @docs\n").differing == ()
    import_lanes(world, "/Web/ @web\n")
    assert lanes(parse_config(config(world)))["web"] == ("web",)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "none of its lines"),
        (b"# nothing\n/a\n", "none of its lines"),
        (b"/a @x\n/\xff @x\n", "line 2 is not UTF-8"),
        (b"/a\0 @x\n", "NUL"),
        (b"#" * (OWNERS_BYTES_MAX + 1), "larger"),
    ],
)
def test_a_file_that_gives_no_lanes_is_refused(world: World, raw: bytes, reason: str) -> None:
    before = config(world)
    with pytest.raises(MalformedOwners, match=reason):
        import_lanes(world, raw)
    assert config(world) == before


def test_a_configuration_that_is_missing_broken_or_a_link_is_not_written(world: World) -> None:
    path = world.repo.path / "handrail.toml"
    before = put(world, "nonsense")
    with pytest.raises(errors.MalformedConfig):
        import_lanes(world, OWNERS)
    assert config(world) == before
    path.unlink()
    with pytest.raises(errors.FactsUnavailable) as caught:
        import_lanes(world, OWNERS)
    assert caught.value.next == "handrail init"
    path.symlink_to("elsewhere.toml")
    with pytest.raises(errors.FactsUnavailable):
        import_lanes(world, OWNERS)
    assert os.listdir(world.repo.path).count("elsewhere.toml") == 0


def test_the_file_is_looked_for_where_forges_do_in_their_order() -> None:
    places = [".gitlab/CODEOWNERS", "docs/CODEOWNERS", "CODEOWNERS", ".github/CODEOWNERS"]
    there: dict[str, bytes] = {}
    with pytest.raises(errors.FactsUnavailable, match="there is none"):
        find_owners(there.get)
    for place in places:
        there[place] = place.encode()
        assert find_owners(there.get) == (place, place.encode())


def exported(text: str, owners: Sequence[str] = ()) -> tuple[str, ...]:
    settings = parse_config(b'[workspace]\nid = "w"\n' + text.encode())
    return export_lanes(settings, owners, lambda path: path == "docs").written.lines


ROLES = (
    '[[role]]\nname = "docs"\nlane = ["docs"]\n[[role]]\nname = "core"\nlane = ["src"]\n'
    '[[role]]\nname = "reader"\nlane = ["lib"]\nsandbox = "read-only"\n'
)


def test_owners_are_named_as_asked_and_who_only_reads_owns_nothing() -> None:
    assert exported(ROLES) == ("/docs/ @docs", "/src @core")
    owners = ["docs=@acme/writers", "core=core@example.org"]
    assert exported(ROLES, owners) == ("/docs/ @acme/writers", "/src core@example.org")


@pytest.mark.parametrize("owner", ["docs", "docs=", "docs=acme", "=@x", "docs=@a @b", "docs=@x\n"])
def test_what_is_no_owner_is_refused(owner: str) -> None:
    with pytest.raises((errors.Usage, errors.UnknownRole)):
        exported(ROLES, [owner])


def test_an_owner_of_an_unknown_role_is_refused_with_the_nearest() -> None:
    with pytest.raises(errors.UnknownRole, match="did you mean docs"):
        exported(ROLES, ["doc=@x"])
