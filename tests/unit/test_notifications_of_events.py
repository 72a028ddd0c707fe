"""Events of the core as notifications, byte for byte as a Linux 6.1 kernel wrote them (RFC 6458 section 6)."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from pysctpstack import constants as c
from pysctpstack import events, structs
from pysctpstack.events import Loss, PathChange
from pysctpstack.sockets.notifications import SUBSCRIBABLE, notifications
from pysctpstack.sockets.preferences import EXPOSE_DISABLED, EXPOSE_ENABLED, EXPOSE_UNSET, Preferences
from pysctpstack.wire.causes import InvalidStreamIdentifier, UnrecognizedChunk

ID = 0x0B
EVERYTHING = frozenset(SUBSCRIBABLE.values())


def told(event: events.Event, wanted: frozenset[int] = EVERYTHING, **preferences: Any) -> list[bytes]:
    return notifications(event, Preferences(wanted, **preferences), lambda ip: (ip, 5_000))


def only(*types: int) -> frozenset[int]:
    return frozenset(types)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (events.AssociationUp(ID, 10, 9, True), "0180000014000000000000000a0009000b000000"),
        (events.AssociationRestarted(ID, 10, 9), "0180000014000000020000000a0009000b000000"),
        (events.AssociationClosed(ID), "018000001400000003000000000000000b000000"),
        # The cause's code as on the wire. Who aborts is not told of his own ABORT, only of the code.
        (
            events.AssociationLost(ID, Loss.LOCAL, True, 12, b"\6\0\0\x08\0\x0c\0\4"),
            "01800000140000000100000c000000000b000000",
        ),
        (
            events.AssociationLost(ID, Loss.ABORTED, True, 12, b"\6\0\0\x11\0\x0c\0\x0dmy reason"),
            "01800000210000000100000c000000000b000000000c000d6d7920726561736f6e",
        ),
        (events.AssociationLost(ID, Loss.TIMED_OUT, True), "018000001400000001000000000000000b000000"),
        # There never was one, so that it has no id.
        (events.AssociationLost(ID, Loss.REFUSED, False), "0180000014000000040000000000000000000000"),
        (events.AssociationLost(ID, Loss.TIMED_OUT, False), "0180000014000000040000000000000000000000"),
    ],
)
def test_association_changes(event: events.Event, expected: str) -> None:
    assert [one.hex() for one in told(event, only(c.SCTP_ASSOC_CHANGE))] == [expected]


@pytest.mark.parametrize("established", [True, False])
@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize("unordered", [True, False])
def test_a_message_that_failed(established: bool, sent: bool, unordered: bool) -> None:
    event = events.SendFailed(ID, 2, 7, 9, unordered, sent, 12, b"never", established)
    old, new = told(event)
    assert (len(old), len(new)) == (48 + 5, 32 + 5)
    older = structs.SendFailed.unpack(old)
    newer = structs.SendFailedEvent.unpack(new)
    id_ = ID if established else 0
    # B and E, and U: the flags of a DATA chunk that holds all of it.
    flags = 3 | 4 * unordered
    for one in (older, newer):
        assert (one.ssf_flags, one.ssf_error, one.ssf_assoc_id) == (int(sent), socket.htons(12), id_)
        assert one.ssf_data == b"never"
    info = older.ssf_info
    assert (info.sinfo_stream, info.sinfo_flags, info.sinfo_ppid, info.sinfo_context) == (2, flags, socket.htonl(7), 9)
    assert newer.ssfe_info == structs.SndInfo(2, flags, socket.htonl(7), 9, id_)
    assert told(event, only(c.SCTP_SEND_FAILED)) == [old]
    assert told(event, only(c.SCTP_SEND_FAILED_EVENT)) == [new]


def test_each_cause_of_an_error_is_told_by_itself() -> None:
    causes = [InvalidStreamIdentifier(99), UnrecognizedChunk(b"\x3f\0\0\5x")]
    data = b"".join(cause.encode() for cause in causes)
    found = [structs.RemoteError.unpack(one) for one in told(events.RemoteError(ID, 1, data))]
    assert [socket.ntohs(one.sre_error) for one in found] == [1, 6]
    # The value with its padding, and no header.
    assert [one.sre_data for one in found] == [b"\0\x63\0\0", b"\x3f\0\0\5x\0\0\0"]
    assert {one.sre_assoc_id for one in found} == {ID}


@pytest.mark.parametrize(
    ("change", "state", "error"),
    [
        (PathChange.AVAILABLE, c.SCTP_ADDR_AVAILABLE, c.SCTP_HEARTBEAT_SUCCESS),
        (PathChange.CONFIRMED, c.SCTP_ADDR_CONFIRMED, c.SCTP_HEARTBEAT_SUCCESS),
        (PathChange.UNREACHABLE, c.SCTP_ADDR_UNREACHABLE, c.SCTP_FAILED_THRESHOLD),
        (PathChange.MADE_PRIMARY, c.SCTP_ADDR_MADE_PRIM, 0),
    ],
)
def test_changes_of_addresses(change: PathChange, state: int, error: int) -> None:
    (one,) = told(events.PathChanged(ID, "192.0.2.1", change))
    found = structs.PaddrChange.unpack(one)
    assert (found.spc_aaddr, found.spc_state, found.spc_error) == (("192.0.2.1", 5_000), state, error)
    assert found.spc_assoc_id == ID


@pytest.mark.parametrize(("expose", "number"), [(EXPOSE_UNSET, 0), (EXPOSE_DISABLED, 0), (EXPOSE_ENABLED, 1)])
def test_potential_failure_is_told_on_demand(expose: int, number: int) -> None:
    """RFC 7829 section 7.1."""
    found = told(events.PathPotentiallyFailed(ID, "192.0.2.1"), expose_potentially_failed=expose)
    assert [structs.PaddrChange.unpack(one).spc_state for one in found] == [c.SCTP_ADDR_POTENTIALLY_FAILED] * number


def test_what_follows_comm_up() -> None:
    """The peer's adaptation layer, and that it does not authenticate."""
    types = [int.from_bytes(one[:2], "little") for one in told(events.AssociationUp(ID, 1, 1, False, 0xABCDEF01))]
    assert types == [c.SCTP_ASSOC_CHANGE, c.SCTP_ADAPTATION_INDICATION, c.SCTP_AUTHENTICATION_EVENT]
    (one,) = told(events.AssociationUp(ID, 1, 1, False, 0xABCDEF01), only(c.SCTP_ADAPTATION_INDICATION))
    assert one.hex() == "078000001000000001efcdab0b000000"
    (one,) = told(events.AssociationRestarted(ID, 1, 1), only(c.SCTP_AUTHENTICATION_EVENT))
    assert one.hex() == "088000001400000000000000020000000b000000"
    assert told(events.AssociationUp(ID, 1, 1, False), only(c.SCTP_ADAPTATION_INDICATION)) == []


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (events.SenderDry(ID), "098000000c0000000b000000"),
        (events.ShutdownReceived(ID), "058000000c0000000b000000"),
    ],
)
def test_short_ones(event: events.Event, expected: str) -> None:
    assert [one.hex() for one in told(event)] == [expected]
    assert told(event, frozenset()) == []


def test_the_end_of_partial_delivery() -> None:
    (one,) = told(events.PartialDeliveryAborted(ID, 3, 4))
    found = structs.PdapiEvent.unpack(one)
    assert (found.pdapi_indication, found.pdapi_assoc_id) == (c.SCTP_PARTIAL_DELIVERY_ABORTED, ID)
    assert (found.pdapi_stream, found.pdapi_seq) == (3, 4)
