"""The list of what RFC 9260 demands, `rfc9260.json`: every entry is answered, and what is missing is known."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

MISSING: list[str] = []
"""Sentences that are not held yet. Who makes one of them hold takes it out here, and gives its entry a test."""


def _tool() -> ModuleType:
    path = Path(__file__).parents[2] / "tools" / "rfc_coverage.py"
    spec = importlib.util.spec_from_file_location("rfc_coverage", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its module up here.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


tool = _tool()
ENTRIES = tool.load()


def test_every_sentence_has_one_answer() -> None:
    assert tool.check_answers(ENTRIES) == []
    assert tool.check_order(ENTRIES) == []
    assert len(ENTRIES) > 400
    assert {entry.section.partition(".")[0] for entry in ENTRIES} == {"3", "4", "5", "6", "7", "8", "9", "10"}


def test_every_test_that_is_named_exists() -> None:
    assert tool.check_tests(ENTRIES) == []


def test_what_is_missing_is_known() -> None:
    assert [entry.id for entry in ENTRIES if entry.missing] == MISSING


def test_the_page_is_up_to_date() -> None:
    assert tool.PAGE.read_text(encoding="utf-8") == tool.page(ENTRIES), "python tools/rfc_coverage.py docs"


def test_the_list_is_complete() -> None:
    path = tool.rfc_path()
    if path is None:
        pytest.skip(f"no text of the RFC: {tool.TEXT_VARIABLE} may name it")
    assert tool.check_completeness(ENTRIES, path.read_text(encoding="utf-8-sig")) == []


# --- the tool itself ---

TEXT = """\
3.  Packets

   This sentence demands nothing.  A sender MUST be polite, i.e., it SHOULD
   NOT shout.  It MUST NOT
   spit.

   *  An item MUST end
      somewhere.
   *  Another SHOULD too

   1)  HB.interval MUST be set.  ["Quoted"] SHOULD count.

3.1.  Chunks

   The receiver MUST listen.

12.  Security

   Nobody MUST be harmed.
"""


def test_sentences_are_cut_and_numbered() -> None:
    assert [(s.id, s.keywords, s.text) for s in tool.sentences(TEXT)] == [
        ("9260-3-01", ["MUST", "SHOULD NOT"], "A sender MUST be polite, i.e., it SHOULD NOT shout."),
        ("9260-3-02", ["MUST NOT"], "It MUST NOT spit."),
        ("9260-3-03", ["MUST"], "An item MUST end somewhere."),
        ("9260-3-04", ["SHOULD"], "Another SHOULD too"),
        ("9260-3-05", ["MUST"], "HB.interval MUST be set."),
        ("9260-3-06", ["SHOULD"], '["Quoted"] SHOULD count.'),
        ("9260-3.1-01", ["MUST"], "The receiver MUST listen."),
    ]


def test_a_gap_is_found() -> None:
    whole = [
        tool.Entry(sentence.id, sentence.keywords, sentence.hash, "about", reason="because")
        for sentence in tool.sentences(TEXT)
    ]
    assert tool.check_completeness(whole, TEXT) == tool.check_answers(whole) == tool.check_order(whole) == []
    assert tool.check_completeness(whole[1:], TEXT) == ["9260-3-01: not in the list"]
    assert tool.check_completeness([*whole, tool.Entry("9260-9-01", [], "", "about")], TEXT) == [
        "9260-9-01: no such sentence"
    ]
    (wrong,) = tool.check_completeness(whole, TEXT.replace("polite", "rude"))
    assert wrong.startswith("9260-3-01: another sentence")
    assert tool.check_order([whole[1], whole[0]]) == ["9260-3-01: stands behind 9260-3-02"]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, "neither a test nor a reason"),
        ({"about": "", "reason": "r"}, "says nothing"),
        ({"tests": ["t"], "reason": "r"}, "more than one answer"),
        ({"missing": "m", "departs": "d"}, "more than one answer"),
        ({"tests": ["t"], "missing": "m"}, "more than one answer"),
    ],
)
def test_an_entry_without_one_answer_is_found(fields: dict[str, object], wrong: str) -> None:
    entry = tool.Entry("9260-3-01", ["MUST"], "0" * 12, **{"about": "about", **fields})
    assert tool.check_answers([entry]) == [f"9260-3-01: {wrong}"]


def test_tests_and_code_that_do_not_exist_are_found() -> None:
    here = "tests/rfc/test_rfc_coverage.py"
    good = {"tests": [f"{here}::test_a_gap_is_found"], "code": "pysctpstack.core.endpoint:Endpoint.listen"}
    assert tool.check_tests([tool.Entry("x", [], "", "about", **good)]) == []
    for test in (f"{here}::test_no_such", f"{here}::_tool", "tests/rfc/test_nowhere.py::test_a_gap_is_found"):
        assert tool.check_tests([tool.Entry("x", [], "", "about", tests=[test])]) == [f"x: no test {test}"]
    assert tool.check_tests([tool.Entry("x", [], "", "about", code="pysctpstack.core.endpoint:no_such")]) == [
        "x: no code pysctpstack.core.endpoint:no_such"
    ]
