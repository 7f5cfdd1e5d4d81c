"""Reports of tests: what passed, and reports that are none, by malice or by accident."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail import errors
from handrail.facts import reports
from handrail.facts.reports import Faulty, load_report, mark_of, read_report

JUNIT: Final = b"""<?xml version="1.0" encoding="UTF-8"?>
<testsuites><testsuite name="s">
  <testcase classname="a" name="one" time="0.1"/>
  <testcase classname="a" name="two"><failure message="no">text</failure></testcase>
  <testcase classname="a" name="three"><skipped/></testcase>
  <testcase classname="a" name="four"><error/></testcase>
  <testcase classname="a" name="five"><system-out>failure</system-out></testcase>
</testsuite></testsuites>"""
TAP: Final = b"TAP version 13\n1..5\nok 1 - one\nnot ok 2 - two\nok 3 - three # SKIP why\n"
LAUGHS: Final = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">
<!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]>
<testsuite><testcase name="&lol2;"/></testsuite>"""
OUTSIDE: Final = b"""<!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<testsuite><testcase name="&x;"/></testsuite>"""


def test_what_passed_is_what_neither_failed_nor_was_skipped() -> None:
    tests = b'<testcase classname="a" name="five"/>\n<testcase classname="a" name="one"/>'
    other = b"<testsuite>" + tests + b"</testsuite>"
    assert read_report(JUNIT).tests == 2
    assert read_report(JUNIT).digest == read_report(other).digest
    assert read_report(JUNIT).missed == ("a::two", "a::three", "a::four")
    assert read_report(TAP).missed == ("two", "three")


def test_tap_says_the_same_by_its_lines() -> None:
    # TAP's own directive of a test that is expected to fail, in any case of its letters.
    passed = read_report(TAP + b"ok 4\nok 5 two words # todo later\nok 6 # ToDo\n")
    assert passed.tests == 2
    assert passed.missed == ("two", "three", "two words", "test 6")
    assert passed.digest == read_report(b"1..2\nok 1 - test 4\nok 2 - one\n").digest


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (LAUGHS, "document type"),
        (OUTSIDE, "document type"),
        (b'<!DOCTYPE t SYSTEM "http://127.0.0.1:1/x"><testsuite/>', "document type"),
        (b"<testsuite><testcase name='&nope;'/></testsuite>", "well-formed"),
        (b"<html/>", "first element is html"),
        (b"<testsuite>", "well-formed"),
        (b"<testsuite>" + b"<a>" * 100, "nests deeper"),
        (b'<?xml version="1.0" encoding="nope"?><testsuite/>', "i"),
        (b"", "neither"),
        (b"all is well\n", "neither"),
        (b"\x00\xff", "neither"),
        (b"TAP version 13\nok 1\nBail out! no\n", "bailed out"),
    ],
)
def test_what_is_no_report_is_a_fault(raw: bytes, why: str) -> None:
    with pytest.raises(Faulty, match=why):
        read_report(raw)


def test_too_much_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "TESTS_MAX", 3)
    assert read_report(b"1..3\n" + b"ok\n" * 3).tests == 3
    for raw in (b"1..4\n" + b"ok\n" * 4, b"<testsuite>" + b"<testcase/>" * 4 + b"</testsuite>"):
        with pytest.raises(Faulty, match="more than 3"):
            read_report(raw)
    monkeypatch.setattr(reports, "REPORT_BYTES_MAX", 10)
    with pytest.raises(Faulty, match="longer"):
        read_report(b"1..1\nok 1 - a")


@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda raw: b"<testsuite>" + raw))
def test_no_bytes_give_anything_but_an_answer_or_a_fault(raw: bytes) -> None:
    with suppress(Faulty):
        assert read_report(raw).tests >= 0


def test_a_report_is_an_ordinary_file_within_the_working_tree(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tmp_path / "outside.xml").write_bytes(JUNIT)
    (tree / "sub" / "r.xml").write_bytes(JUNIT)
    assert load_report(str(tree), "sub/r.xml").tests == 2
    (tree / "link.xml").symlink_to(tmp_path / "outside.xml")
    (tree / "away").symlink_to(tmp_path)
    os.mkfifo(tree / "pipe.xml")
    for path in ("link.xml", "away/outside.xml", "pipe.xml", "sub", "nothing.xml"):
        with pytest.raises(errors.FactsUnavailable):
            load_report(str(tree), path)


def test_a_report_that_is_written_anew_has_another_mark(tmp_path: Path) -> None:
    report = tmp_path / "r.xml"
    assert mark_of(str(report)) is None
    report.write_bytes(JUNIT)
    before = mark_of(str(report))
    assert before == mark_of(str(report))
    os.utime(report, ns=(1, 1))
    assert mark_of(str(report)) != before
