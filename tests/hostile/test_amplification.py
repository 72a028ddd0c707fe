"""X7: what a forged source address draws (RFC 5062 section 8), weighed by `tools/amplification.py`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hostile.places import EVERYWHERE, PLACES, STRANGER, Place, Victim
from support.pair import B

from pysctpstack.core import Route, State
from pysctpstack.wire import chunks as c
from pysctpstack.wire.params import Ipv4Address

TOOL = Path(__file__).resolve().parents[2] / "tools" / "amplification.py"
WORST = 7.0
"""Bytes out for each byte in, IP and UDP headers counted: an INIT ACK that lists 16 IPv6 addresses."""
PLAIN = 3.0
"""The same of a plain INIT."""


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("amplification", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_x7_one_packet_draws_one_at_most_and_few_bytes(tool: ModuleType) -> None:
    *single, probes = tool.rows()
    assert len(single) > 25
    for row in single:
        assert (row.packets_in, row.packets_out) in ((1, 0), (1, 1)), row
        if row.answer != "InitAck":
            assert row.factor <= 1.0, row
        else:
            assert row.factor <= (WORST if "lists 16 IPv6" in row.given else PLAIN), row
    # Each listed address: one probe an RTO until it is given up, Path.Max.Retrans of them.
    assert probes.packets_out <= 15 * 6
    assert probes.bytes_out <= probes.packets_out * 48


def test_x7_the_page_is_what_the_tool_writes(tool: ModuleType) -> None:
    assert tool.PAGE.read_text(encoding="utf-8") == tool.page(), "run python tools/amplification.py docs"


@EVERYWHERE
def test_x7_nothing_is_sent_again_to_an_address_that_is_not_proven(place: Place) -> None:
    victim = Victim.at(place)
    for chunk, tag in ((victim.init(), 0), (c.Heartbeat(b"x"), 7), (c.ShutdownAck(), 7), (c.CookieEcho(bytes(99)), 7)):
        victim.inject(victim.packet_of(chunk, tag=tag), Route(STRANGER, 4_444, B))
    later: list[str] = []
    while victim.endpoint.next_timeout() < victim.now + 300:
        victim.now = max(victim.now, victim.endpoint.next_timeout())
        victim.endpoint.handle_timeout(victim.now)
        later += [route.peer for route, _, _ in victim.sent()]
    assert STRANGER not in later


def test_x7_a_listed_address_gets_no_answers_of_the_association_s() -> None:
    """Packets that claim to come from an address that is only listed are answered to the one that is proven."""
    victim = Victim.at(PLACES[1])
    victim.accept(victim.init(parameters=[Ipv4Address(STRANGER)]))
    from_stranger = Route(STRANGER, 9_899, B)
    for chunk in (victim.data(bytes(100)), c.UnknownChunk(0xFE, 0, bytes(500)), c.Shutdown(victim.local_tsn - 1)):
        answers, _ = victim.inject(victim.packet_of(chunk), from_stranger)
        assert answers
        assert STRANGER not in {route.peer for route, _, _ in answers}
    assert victim.state is State.SHUTDOWN_ACK_SENT
