"""Fingerprints are equal for states that behave alike, and only for those; states can be copied."""

from __future__ import annotations

import copy

import pytest
from support.pair import Pair

from pysctpstack.core import fingerprint
from pysctpstack.core.fingerprint import InOrder


def connected(seed: int, *, wait: float = 0.0) -> Pair:
    """A pair that has exchanged messages; everything random, and the time, depend on the arguments."""
    pair = Pair(seed)
    pair.run(wait)
    pair.connect()
    pair.send(pair.a, 5_000)
    pair.send(pair.b, 100, unordered=True)
    return pair


def both(pair: Pair) -> object:
    names = InOrder()
    return pair.a.endpoint.fingerprint(pair.now, names), pair.b.endpoint.fingerprint(pair.now, names)


def without_heartbeats(pair: Pair) -> object:
    """The times of HEARTBEATs are drawn at random."""
    for node in pair.nodes:
        for path in node.association.tcb.paths:
            path.heartbeat_deadline = pair.now
    return both(pair)


@pytest.mark.parametrize("after", [0.0, 0.02, 0.06, 0.11, 0.5])
def test_neither_tags_nor_the_time_of_day_show(after: float) -> None:
    found = set()
    for seed, wait in ((1, 50.0), (2, 50.0), (3, 12_345.678)):
        pair = connected(seed, wait=wait)
        pair.run(after)
        found.add(without_heartbeats(pair))
    assert len(found) == 1


def test_states_that_differ_have_other_fingerprints() -> None:
    pair = connected(1)
    found = {both(pair)}
    for _ in range(20):
        # The HEARTBEAT comes nearer, if nothing else happens.
        pair.run(0.01)
        found.add(both(pair))
    assert len(found) == 21


def test_the_ends_are_related_by_shared_names() -> None:
    pair = connected(1)
    apart = [node.endpoint.fingerprint(pair.now) for node in pair.nodes]
    assert both(pair) != tuple(apart)


@pytest.mark.parametrize("kind", fingerprint.RULES, ids=lambda kind: kind.__name__)
def test_every_slot_has_its_rule(kind: type) -> None:
    slots = {slot for base in kind.__mro__ for slot in getattr(base, "__slots__", ())}
    assert set(fingerprint.RULES[kind]) == slots


def test_a_copy_goes_on_as_the_original_does() -> None:
    pair = connected(1)
    pair.run(0.03)
    original, twin = pair.b.endpoint, copy.deepcopy(pair.b.endpoint)
    assert twin.fingerprint(pair.now) == original.fingerprint(pair.now)
    now = pair.now
    for _ in range(10):
        now = max(original.next_timeout(), now)
        assert twin.next_timeout() == original.next_timeout()
        for endpoint in (original, twin):
            endpoint.handle_timeout(now)
        assert twin.datagrams_to_send(now) == original.datagrams_to_send(now)
        assert twin.next_events() == original.next_events()
        assert twin.fingerprint(now) == original.fingerprint(now)
