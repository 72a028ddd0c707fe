"""Fingerprints: the state of an association as a value that is equal for states that behave alike.

What tells two runs apart without a difference in what happens next is taken out: times are relative to now, tags and
tokens are numbered in the order in which they are met, TSNs are counted from the first one met near them. Keys,
statistics, rate limits and configuration are no part of it, nor is what waits to be drained.

Each class of the core has a table here that says what becomes of each of its slots, so that a test can tell when a slot
has been forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from math import inf
from typing import Any, Protocol

from pysctpstack.core.congestion import CongestionControl
from pysctpstack.core.mtu_search import MtuSearch
from pysctpstack.core.path import Path, Paths
from pysctpstack.core.rto import RtoEstimator
from pysctpstack.core.rx.ack_policy import IDLE_AFTER, AckPolicy
from pysctpstack.core.rx.reassembly import InboundStream, Reassembly, Run
from pysctpstack.core.rx.receiver import Receiver
from pysctpstack.core.rx.tsn_map import TsnMap
from pysctpstack.core.tcb import Handshake, Tcb
from pysctpstack.core.timers import Timers
from pysctpstack.core.tx.outstanding import Chunk
from pysctpstack.core.tx.partial_reliability import PartialReliability
from pysctpstack.core.tx.send_queue import LimitedMessage, Message, SendQueue
from pysctpstack.core.tx.sender import Sender
from pysctpstack.events import MessageReceived

NEAR = 1 << 20
"""TSNs within this distance of one another are taken to count from the same initial TSN."""


class Names(Protocol):
    """How the random numbers of a state are called. One object may serve the states of both ends."""

    def tag(self, value: int) -> Hashable:
        """Of a verification tag or tie-tag; 0, which is none, must not be called as another is."""

    def tsn(self, value: int) -> Hashable:
        """Of a TSN of 32 bits; the names of TSNs near each other must tell their distance."""

    def token(self, value: bytes) -> Hashable:
        """Of bytes that mean something only to who made them: cookies and nonces."""


class InOrder:
    """Names by the order of first appearance."""

    __slots__ = ("tags", "bases", "tokens")

    def __init__(self) -> None:
        self.tags: dict[int, int] = {0: 0}
        self.bases: list[int] = []
        self.tokens: dict[bytes, int] = {b"": 0}

    def tag(self, value: int) -> Hashable:
        return self.tags.setdefault(value, len(self.tags))

    def tsn(self, value: int) -> Hashable:
        for index, base in enumerate(self.bases):
            distance = (value - base + 0x80000000) % 0x100000000 - 0x80000000
            if -NEAR < distance < NEAR:
                return index, distance
        self.bases.append(value)
        return len(self.bases) - 1, 0

    def token(self, value: bytes) -> Hashable:
        return self.tokens.setdefault(value, len(self.tokens))


class _Walk:
    """One fingerprint in the making."""

    __slots__ = ("now", "names")

    def __init__(self, now: float, names: Names) -> None:
        self.now = now
        self.names = names


_Rule = Callable[[_Walk, Any], Hashable]


def _plain(_walk: _Walk, value: Any) -> Hashable:
    kept: Hashable = value
    return kept


def _seconds(walk: _Walk, value: Any) -> Hashable:
    # Rounded: floats that stand for the same time differ in their last bits.
    return _plain(walk, value) if value in (None, inf, -inf) else round(float(value), 6)


def _time(walk: _Walk, value: Any) -> Hashable:
    return _seconds(walk, value - walk.now)


def _tag(walk: _Walk, value: Any) -> Hashable:
    return walk.names.tag(value)


def _tsn(walk: _Walk, value: Any) -> Hashable:
    return walk.names.tsn(value & 0xFFFFFFFF)


def _tsn_or_none(walk: _Walk, value: Any) -> Hashable:
    return None if value < 0 else walk.names.tsn(value & 0xFFFFFFFF)


def _token(walk: _Walk, value: Any) -> Hashable:
    return walk.names.token(value)


def _cookie_echo(walk: _Walk, chunk: Any) -> Hashable:
    return walk.names.token(chunk[4 : int.from_bytes(chunk[2:4], "big")])


def _nested(walk: _Walk, value: Any) -> Hashable:
    return None if value is None else _of(walk, value)


def _list_of(rule: _Rule) -> _Rule:
    return lambda walk, values: tuple(rule(walk, value) for value in values)


def _values_of(rule: _Rule) -> _Rule:
    return lambda walk, values: tuple(rule(walk, value) for value in values.values())


def _dict_of(rule: _Rule) -> _Rule:
    """Of a dictionary whose keys are plain and whose order is of no account."""
    return lambda walk, values: tuple((key, rule(walk, values[key])) for key in sorted(values))


def _address(_walk: _Walk, path: Any) -> Hashable:
    address: str | None = path and path.address
    return address


def _blocks(walk: _Walk, blocks: Any) -> Hashable:
    return tuple((_tsn(walk, first), _tsn(walk, last)) for first, last in blocks)


def _control(_walk: _Walk, control: Any) -> Hashable:
    return tuple((chunk, _address(_walk, path)) for chunk, path in control)


def _runs(walk: _Walk, runs: Any) -> Hashable:
    return tuple(_of(walk, runs[first]) for first in sorted(runs))


def _event(_walk: _Walk, event: MessageReceived) -> Hashable:
    return event.stream_id, event.ssn, event.ppid, event.unordered, event.data, event.complete


def _run_first(walk: _Walk, run: Run | None) -> Hashable:
    return None if run is None else _tsn(walk, run.first)


LEFT_OUT: _Rule = lambda _walk, _value: None  # noqa: E731 -- a rule like the others
"""Of slots that are configuration, statistics, scratch, or told by others."""

RULES: dict[type, dict[str, _Rule]] = {
    Tcb: {
        "association_id": LEFT_OUT,
        "settings": LEFT_OUT,
        "shared": LEFT_OUT,
        "state": _plain,
        "local_port": _plain,
        "peer_port": _plain,
        "local_tag": _tag,
        "peer_tag": _tag,
        "local_tie_tag": _tag,
        "peer_tie_tag": _tag,
        "initial_tsn": _tsn,
        "accepted": _plain,
        "local_addresses": _list_of(_plain),
        "paths": _nested,
        "reply_path": _address,
        "data_path": _address,
        "probes_until": LEFT_OUT,
        "probes": LEFT_OUT,
        "timers": _nested,
        "sender": _nested,
        "receiver": _nested,
        "handshake": _nested,
        "error_count": _plain,
        "control": _control,
        "errors": _values_of(_plain),
        "unindexed": LEFT_OUT,
        "left_out": LEFT_OUT,
        "shutdown_wanted": _plain,
        "was_established": _plain,
        "newly_established": _plain,
        "acknowledged": LEFT_OUT,
        "dry_reported": _plain,
        "sack_wanted": _plain,
        "forward_tsn": _plain,
        "activity": LEFT_OUT,
        "packets_sent": LEFT_OUT,
        "packets_received": LEFT_OUT,
        "control_sent": LEFT_OUT,
        "control_received": LEFT_OUT,
        "sacks_received": LEFT_OUT,
        "gap_blocks_received": LEFT_OUT,
    },
    Handshake: {
        # The INIT is told by the Tcb and ``preservative``.
        "init": LEFT_OUT,
        "cookie_echo": _cookie_echo,
        "errors": _plain,
        "attempts": _plain,
        "stale_cookies": _plain,
        "cookie_sent_at": _time,
        "preservative": _plain,
        "adaptation": _plain,
        "path": _address,
    },
    Timers: {"deadlines": _list_of(_time)},
    Paths: {"by_address": _values_of(_nested), "primary": _address, "fragment_size": LEFT_OUT},
    Path: {
        "address": _plain,
        "route": _plain,
        "state": _plain,
        "is_confirmed": _plain,
        "rto": _nested,
        "congestion": _nested,
        "header_size": LEFT_OUT,
        "mtu": _plain,
        "packet_size": LEFT_OUT,
        "search": _nested,
        "error_count": _plain,
        "path_max_retrans": LEFT_OUT,
        "potentially_failed_max_retrans": LEFT_OUT,
        "primary_switchover_max_retrans": LEFT_OUT,
        "heartbeat_interval": LEFT_OUT,
        "heartbeats": LEFT_OUT,
        "sack_delay": LEFT_OUT,
        "delays_sacks": LEFT_OUT,
        "discovers_mtu": LEFT_OUT,
        "t3_deadline": _time,
        "heartbeat_deadline": _time,
        "heartbeat_timeout": _time,
        "probe_deadline": _time,
        "heartbeat_nonce": _token,
        "heartbeat_sent_at": _time,
        "rtt_tsn": _tsn_or_none,
        "rtt_sent_at": _time,
        "last_sent_at": _time,
        "window_used": _plain,
        "newly_acked": LEFT_OUT,
        "newly_acked_packets": LEFT_OUT,
        "restart_t3": LEFT_OUT,
    },
    MtuSearch: {
        "base": LEFT_OUT,
        "base_room": LEFT_OUT,
        "floor": LEFT_OUT,
        "enabled": _plain,
        "state": _plain,
        "low": _plain,
        "high": _plain,
        "maximum": _plain,
        "tried_maximum": _plain,
        "probed": _plain,
        "count": _plain,
        "nonce": _token,
        "sent_at": _time,
        "completed_at": _time,
        "expirations": _plain,
        "stuck": _tsn_or_none,
        "question": _token,
        "asked_at": _time,
        "answered": _plain,
        "probes": LEFT_OUT,
        "black_holes": LEFT_OUT,
    },
    CongestionControl: {
        "pmdcs": _plain,
        "cwnd": _plain,
        "ssthresh": _plain,
        "partial_bytes_acked": _plain,
        "flight_size": _plain,
        "collapsed": _plain,
    },
    SendQueue: {
        "messages": _list_of(_nested),
        "size": _plain,
        # Told by the Tcb.
        "partial": LEFT_OUT,
        "_expiries": LEFT_OUT,
        "_sequence": LEFT_OUT,
        "_given_up": LEFT_OUT,
    },
    Message: {
        "stream_id": _plain,
        "ppid": _plain,
        "data": _plain,
        "unordered": _plain,
        "sack_immediately": _plain,
        "context": _plain,
        "expires_at": _time,
        "destination": _plain,
        "ssn": _plain,
        "first_tsn": _tsn_or_none,
        "offset": _plain,
        "abandoned": _plain,
    },
    Chunk: {
        "tsn": _tsn,
        # Told by the message, the TSN and the payload.
        "header": LEFT_OUT,
        "payload": _plain,
        "size": LEFT_OUT,
        "message": _nested,
        "path": _address,
        "acked": _plain,
        "marked": _plain,
        "missing": _plain,
        "fast_retransmitted": _plain,
    },
    Sender: {
        "paths": LEFT_OUT,
        "queue": _nested,
        "outstanding": _values_of(_nested),
        "next_tsn": _tsn,
        "cumulative": _tsn,
        "next_ssn": _dict_of(_plain),
        "outbound_streams": _plain,
        "rwnd": _plain,
        "largest_rwnd": _plain,
        "in_flight": _plain,
        "buffered": _plain,
        "gap_blocks": _blocks,
        # The chunks tell which of them are marked.
        "marked": LEFT_OUT,
        "recovery_exit": _tsn_or_none,
        "fast_retransmit": _plain,
        "burst": _plain,
        "max_burst": LEFT_OUT,
        "no_delay": LEFT_OUT,
        "max_segment": LEFT_OUT,
        "urge_sack": _plain,
        "probe_allowed": _plain,
        "probing": _plain,
        "probe_backoff": _plain,
        "sacks_since_probe": _plain,
        "retransmissions": LEFT_OUT,
        "unordered_chunks": LEFT_OUT,
        # Only while packets are made.
        "oversized": LEFT_OUT,
        "partial": _nested,
    },
    PartialReliability: {
        # Told by the Tcb.
        "enabled": LEFT_OUT,
        # The chunks tell which of them are abandoned, marked, and when they expire.
        "highest": LEFT_OUT,
        "lapsing": LEFT_OUT,
        "point": LEFT_OUT,
        "due": _plain,
        # Of no account before something has been abandoned: see `_of_no_effect`.
        "told": _tsn,
        "told_at": _time,
        "path": _address,
        "answered": LEFT_OUT,
        "abandoned": LEFT_OUT,
    },
    TsnMap: {
        "initial_tsn": LEFT_OUT,
        "cumulative": _tsn,
        "starts": _list_of(_tsn),
        "ends": _list_of(_tsn),
        "duplicates": _list_of(_tsn),
        "max_blocks": LEFT_OUT,
        "max_duplicates": LEFT_OUT,
    },
    Run: {
        "first": _tsn,
        "last": _tsn,
        "begins": _plain,
        "ends": _plain,
        "stream_id": _plain,
        "ssn": _plain,
        "unordered": _plain,
        "ppid": _plain,
        "pieces": _list_of(_plain),
        "size": _plain,
        "padding": _plain,
    },
    InboundStream: {"next_ssn": _plain, "waiting": _dict_of(_nested)},
    Reassembly: {
        "by_first": _runs,
        "by_last": LEFT_OUT,
        "streams": _dict_of(_nested),
        "held": _plain,
        "padding": _plain,
    },
    Receiver: {
        "association_id": LEFT_OUT,
        "events": LEFT_OUT,
        "inbound_streams": _plain,
        "tsn_map": _nested,
        "reassembly": _nested,
        "ack": _nested,
        "receive_buffer": _plain,
        "max_overhead": LEFT_OUT,
        "unread": _plain,
        "unread_padding": _plain,
        "largest_chunk": _plain,
        "announced": _plain,
        # Only their difference counts: see `_of`.
        "received": LEFT_OUT,
        "promised": LEFT_OUT,
        "partial": _run_first,
        "partial_delivery_point": LEFT_OUT,
        "unordered_chunks": LEFT_OUT,
        "duplicates": LEFT_OUT,
        "out_of_sequence": LEFT_OUT,
        "sacks": LEFT_OUT,
        "deferred": _list_of(_event),
        "deferred_size": _plain,
        "sack_delay": LEFT_OUT,
        "packet_bytes": _plain,
        "packet_new": _plain,
        "counters": LEFT_OUT,
    },
    RtoEstimator: {
        "srtt": _seconds,
        "rttvar": _seconds,
        "rto": _seconds,
        "minimum": LEFT_OUT,
        "maximum": LEFT_OUT,
    },
    AckPolicy: {
        "frequency": LEFT_OUT,
        "train_after": LEFT_OUT,
        "unacknowledged": _plain,
        "immediate": _plain,
        "due": _plain,
        "had_gaps": _plain,
        "steady_bytes": _plain,
        "last_data_at": _time,
    },
}
"""What becomes of each slot of each class."""
RULES[LimitedMessage] = {**RULES[Message], "policy": _plain, "limit": _plain, "losses": _values_of(_plain)}


_KEPT: dict[type, dict[str, _Rule]] = {
    kind: {slot: rule for slot, rule in rules.items() if rule is not LEFT_OUT} for kind, rules in RULES.items()
}


def _of_no_effect(walk: _Walk, value: Any) -> tuple[str, ...]:
    """Slots that hold something which can't change what happens next, as things are."""
    if isinstance(value, Path):
        slots: tuple[str, ...] = ()
        if value.rtt_tsn < 0 or value.rto.minimum == value.rto.maximum:
            slots = ("rtt_tsn", "rtt_sent_at")
        used_since = max(value.last_sent_at, walk.now - value.heartbeat_interval)
        if not value.heartbeat_nonce and value.heartbeat_sent_at <= used_since:
            slots += ("heartbeat_sent_at",)
        return slots
    if isinstance(value, RtoEstimator) and value.minimum == value.maximum:
        return ("srtt", "rttvar")
    if isinstance(value, AckPolicy) and value.train_after >= 1 << 62:
        # RFC 9260 section 6.2 to the letter: how steadily DATA comes in does not count.
        return ("steady_bytes", "last_data_at")
    if isinstance(value, AckPolicy) and (not value.steady_bytes or walk.now - value.last_data_at > IDLE_AFTER):
        return ("last_data_at",)
    if isinstance(value, PartialReliability) and value.path is None:
        return ("told", "told_at")
    if isinstance(value, Handshake) and not value.cookie_echo:
        return ("cookie_sent_at",)
    if isinstance(value, MtuSearch):
        return (*(() if value.nonce else ("sent_at",)), *(() if value.question else ("asked_at",)))
    if isinstance(value, Sender) and not value.probing:
        # A probe begins the count anew.
        return ("sacks_since_probe",)
    return ()


def _of(walk: _Walk, value: Any) -> Hashable:
    ignored = _of_no_effect(walk, value)
    kept = tuple(
        None if slot in ignored else rule(walk, getattr(value, slot)) for slot, rule in _KEPT[type(value)].items()
    )
    if isinstance(value, Receiver):
        # Neither by itself counts, and both grow for ever.
        return (value.promised - value.received, *kept)
    return kept


def fingerprint(tcb: Tcb, now: float, names: Names | None = None) -> Hashable:
    """The state of an association at the time ``now``. ``names``: None calls random numbers by their order."""
    return _of(_Walk(now, names or InOrder()), tcb)
