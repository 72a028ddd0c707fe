"""The registries: what the highest bits of a type say, and names for everything."""

from __future__ import annotations

import pytest

from pysctpstack.wire import codepoints as cp


# RFC 9260 section 3.2, table 2.
@pytest.mark.parametrize(
    ("type_", "stops", "reported"),
    [
        (15, True, False),
        (63, True, False),
        (64, True, True),
        (127, True, True),
        (128, False, False),
        (191, False, False),
        (192, False, True),
        (255, False, True),
    ],
)
def test_what_unknown_chunks_get(type_: int, stops: bool, reported: bool) -> None:
    assert cp.chunk_stops(type_) is stops
    assert cp.chunk_reported(type_) is reported


# RFC 9260 section 3.2.1, table 3.
@pytest.mark.parametrize(
    ("type_", "stops", "reported"),
    [
        (0x0000, True, False),
        (0x3FFF, True, False),
        (0x4000, True, True),
        (0x7FFF, True, True),
        (0x8000, False, False),
        (0xBFFF, False, False),
        (0xC000, False, True),
        (0xFFFF, False, True),
    ],
)
def test_what_unknown_parameters_get(type_: int, stops: bool, reported: bool) -> None:
    assert cp.parameter_stops(type_) is stops
    assert cp.parameter_reported(type_) is reported


def test_every_cause_and_parameter_has_a_name_of_its_own() -> None:
    numbers = vars(cp)
    assert {value for name, value in numbers.items() if name.startswith("PARAM_")} == set(cp.PARAMETER_NAMES)
    assert {value for name, value in numbers.items() if name.startswith("CAUSE_") and name != "CAUSE_NAMES"} == set(
        cp.CAUSE_NAMES
    )
    for names in (cp.CHUNK_NAMES, cp.PARAMETER_NAMES, cp.CAUSE_NAMES):
        assert len(set(names.values())) == len(names)


def test_chunk_names_are_those_of_the_constants() -> None:
    for number, name in cp.CHUNK_NAMES.items():
        assert getattr(cp, name.replace("-", "_")) == number
