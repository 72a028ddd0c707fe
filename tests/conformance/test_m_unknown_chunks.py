"""M: chunks of unknown types: the two highest bits tell what to do (RFC 9260 section 3.2)."""

from __future__ import annotations

from conformance.peer import Peer, check_sack

from pysctpstack.core import State
from pysctpstack.events import MessageReceived
from pysctpstack.wire import chunks as c
from pysctpstack.wire.causes import UnrecognizedChunk


def check_unknown_chunk(highest_bits: int, *, skipped: bool, is_reported: bool) -> None:
    """A packet with an unknown chunk, its length no multiple of 4, and DATA behind it."""
    peer = Peer.at(State.ESTABLISHED)
    unknown = c.UnknownChunk(highest_bits << 6 | 0x3E, 0x5A, b"what is this?")
    answers = peer.give(unknown, peer.data(b"behind it"))
    errors = [answer for answer in answers if isinstance(answer, c.Error)]
    sacks = [answer for answer in answers if isinstance(answer, c.Sack)]
    assert len(errors) + len(sacks) == len(answers)
    # The whole chunk, without its padding.
    whole = unknown.encode()[: 4 + len(unknown.value)]
    assert errors == ([c.Error([UnrecognizedChunk(whole)])] if is_reported else [])
    messages = [event.data for event in peer.events(MessageReceived)]
    if skipped:
        (sack,) = sacks
        check_sack(sack, peer.tsn - 1)
        assert messages == [b"behind it"]
    else:
        assert sacks == []
        assert messages == []
        # The DATA counts as never received: sent again, it is new.
        (answer,) = peer.give(peer.data(b"again", tsn=peer.tsn - 1))
        check_sack(answer, peer.tsn - 1)
        assert [event.data for event in peer.events(MessageReceived)] == [b"again"]
    assert {left.tag for left in peer.log} == {peer.own_tag}
    assert peer.is_in(State.ESTABLISHED)


def test_sctp_m_i_10_1() -> None:
    check_unknown_chunk(0b11, skipped=True, is_reported=True)


def test_sctp_m_i_10_2() -> None:
    check_unknown_chunk(0b00, skipped=False, is_reported=False)


def test_sctp_m_i_10_3() -> None:
    check_unknown_chunk(0b01, skipped=False, is_reported=True)


def test_sctp_m_i_10_4() -> None:
    check_unknown_chunk(0b10, skipped=True, is_reported=False)
