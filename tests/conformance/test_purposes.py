"""Every purpose is accounted for, and the page of the documentation says so."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from conformance.not_applicable import NOT_APPLICABLE
from conformance.purposes import GROUPS, PURPOSES

TOOL = Path(__file__).resolve().parents[2] / "tools" / "conformance_table.py"


@pytest.fixture(scope="module")
def table() -> ModuleType:
    spec = importlib.util.spec_from_file_location("conformance_table", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_list_is_complete() -> None:
    counts = {group: sum(purpose.split("-")[1] == group for purpose in PURPOSES) for group in GROUPS}
    # As the specification has them.
    assert counts == {
        "as": 33, "at": 16, "imh": 10, "dm": 15, "fh": 8, "e": 6, "bdc": 8, "d": 15, "a": 3, "m": 4, "rt": 3,
    }  # fmt: skip
    assert sum(counts.values()) == len(PURPOSES) == 121


def test_each_purpose_has_a_test_or_a_reason_and_not_both(table: ModuleType) -> None:
    tests = table.tests_by_purpose()
    assert set(tests) | set(NOT_APPLICABLE) == set(PURPOSES)
    assert not set(tests) & set(NOT_APPLICABLE)
    assert all(NOT_APPLICABLE.values())


def test_each_test_is_in_the_module_of_its_group(table: ModuleType) -> None:
    assert {
        purpose: file
        for purpose, file in table.tests_by_purpose().items()
        if file.split("_")[1] != purpose.split("-")[1]
    } == {}


def test_the_page_is_up_to_date(table: ModuleType) -> None:
    assert table.main(["--check"]) == 0, "run python tools/conformance_table.py"
