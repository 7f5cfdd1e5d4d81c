"""The compiled form gives back the settings, is canonical, and says when it cannot be read."""

from __future__ import annotations

import json
import subprocess
import sys
import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.config import Settings, compile_settings, load_compiled, parse_config
from handrail.config.compiled import COMPILED_FORMAT
from handrail.errors import NewerFormat, StoreCorrupt
from tests.config.samples import COMPLETE, FULL, SMALL
from tests.support import ROOT


def frozen(value: object) -> bool:
    """Say whether a value is immutable all through."""
    if isinstance(value, tuple):
        return all(frozen(part) for part in value)
    return value is None or type(value) in (str, int, bool)


@pytest.mark.parametrize("text", [SMALL, COMPLETE, FULL], ids=["small", "complete", "full"])
def test_what_is_compiled_and_loaded_again_are_the_same_settings(text: str) -> None:
    settings = parse_config(text.encode())
    loaded = load_compiled(compile_settings(settings))
    assert loaded == settings
    assert repr(loaded) == repr(settings), "equal tuples may still be of other types"
    assert frozen(loaded)
    assert hash(loaded) == hash(settings)


def test_the_compiled_form_is_one_line_of_canonical_ascii() -> None:
    settings = parse_config(FULL.replace("Ada", "Adä").encode())
    compiled = compile_settings(settings)
    assert compiled.isascii()
    assert b"\n" not in compiled
    assert compiled == compile_settings(load_compiled(compiled))
    form = json.loads(compiled)
    again = json.dumps(form, sort_keys=True, separators=(",", ":"))
    assert compiled == again.encode()


def test_the_compiled_form_does_not_depend_on_how_the_file_was_written() -> None:
    rewritten = SMALL.replace("\n\n", "\r\n# a comment\r\n").replace('"', "'")
    spelled_out = rewritten + "sandbox = 'workspace-write'\n[limits]\nttl = '1h30m'\n"
    first, second = (compile_settings(parse_config(text.encode())) for text in (SMALL, spelled_out))
    assert first == second


def test_every_default_is_written_out() -> None:
    """A default that a later version changes must not change a configuration in force."""

    def fields(value: object) -> int:
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return sum(1 + fields(part) for part in value)
        return sum(fields(part) for part in value) if isinstance(value, tuple) else 0

    def keys(value: object) -> int:
        if isinstance(value, dict):
            return sum(1 + keys(part) for part in value.values())
        return sum(keys(part) for part in value) if isinstance(value, list) else 0

    settings = parse_config(FULL.encode())
    assert keys(json.loads(compile_settings(settings))) == fields(settings) + len(["format"])


def test_a_newer_format_is_named_and_not_guessed_at() -> None:
    form = json.loads(compile_settings(parse_config(SMALL.encode())))
    newer = json.dumps({"format": COMPILED_FORMAT + 1, "other": form["roles"]}).encode()
    with pytest.raises(NewerFormat) as caught:
        load_compiled(newer)
    values = {"what": "the configuration in force", "found": 2, "known": COMPILED_FORMAT}
    assert caught.value.values == values


@pytest.mark.parametrize("found", [0, -1, "1", None, [], 0.5])
def test_a_format_that_never_was_is_a_damaged_store(found: object) -> None:
    form = json.loads(compile_settings(parse_config(SMALL.encode())))
    broken = json.dumps(form | {"format": found}).encode()
    with pytest.raises(StoreCorrupt):
        load_compiled(broken)


@given(st.data())
def test_damaged_bytes_are_a_damaged_store(data: st.DataObject) -> None:
    compiled = compile_settings(parse_config(FULL.encode()))
    at = data.draw(st.integers(0, len(compiled) - 1))
    damaged = data.draw(
        st.sampled_from([compiled[:at], compiled[:at] + b"\xff" + compiled[at + 1 :]])
        | st.binary(max_size=40)
    )
    with pytest.raises(StoreCorrupt) as caught:
        load_compiled(damaged, store="/x/state.db")
    assert caught.value.values["path"] == "/x/state.db"


def test_a_field_that_is_missing_or_new_in_the_same_format_is_a_damaged_store() -> None:
    form = json.loads(compile_settings(parse_config(SMALL.encode())))
    missing = {key: part for key, part in form.items() if key != "roles"}
    others: list[object] = [form | {"unheard": 1}, form | {"limits": {}}, form | {"roles": 1}, []]
    for broken in [missing, *others]:
        with pytest.raises(StoreCorrupt):
            load_compiled(json.dumps(broken).encode())


@pytest.mark.serial
def test_loading_a_small_configuration_takes_at_most_ten_times_what_its_json_takes() -> None:
    """The target is 100 µs, about ten times the JSON; a ratio holds on a slow machine, too."""
    compiled = compile_settings(parse_config(SMALL.encode()))
    ratios = []
    for _ in range(7):
        floor = timeit.timeit(lambda: json.loads(compiled), number=300)
        ratios.append(timeit.timeit(lambda: load_compiled(compiled), number=300) / floor)
    assert min(ratios) < 10


def test_loading_imports_nothing_that_only_parsing_needs() -> None:
    compiled = compile_settings(parse_config(SMALL.encode()))
    program = (
        "import sys; from handrail.config import load_compiled; "
        f"load_compiled({compiled!r}); print(*sorted(sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(ran.stdout.split())
    assert "handrail.config.compiled" in loaded
    lazy = {f"handrail.config.{name}" for name in ("parse", "schema", "kinds", "lines", "records")}
    assert loaded & (lazy | {"tomllib", "difflib", "dataclasses", "importlib.resources"}) == set()


def test_settings_cannot_be_changed() -> None:
    settings: Settings = parse_config(SMALL.encode())
    with pytest.raises(AttributeError):
        settings.limits.ttl_ms = 1  # type: ignore[misc]
