"""What fuzzing found, one test each, so that it stays found; docs/fuzzing.md lists them."""

from __future__ import annotations

from support.pair import Raw

from pysctpstack.constants import SCTP_PR_SCTP_RTX
from pysctpstack.core.tx.send_queue import LimitedMessage
from pysctpstack.wire import chunks as c
from pysctpstack.wire.extension_chunks import ForwardTsn
from pysctpstack.wire.params import ForwardTsnSupported


def test_a_message_given_up_halfway_leaves_nothing_in_the_send_buffer() -> None:
    """SCTP_PR_SCTP_RTX, 0 retransmissions: lost while the end of it still waits for cwnd, it is given up as a whole.
    What had not been sent stayed counted, so that the send buffer filled up for good."""
    peer = Raw()
    association = peer.accept(peer.init(parameters=[ForwardTsnSupported()]))
    message = LimitedMessage(0, 0, bytes(20_000))
    message.limit_to(SCTP_PR_SCTP_RTX, 0)
    association.send(message, peer.now)
    sent = [chunk for chunk in peer.answers() if isinstance(chunk, c.Data)]
    assert 0 < sum(len(chunk.payload) for chunk in sent) < 20_000

    left = peer.wait(1.5)

    assert any(isinstance(chunk, ForwardTsn) for chunk in left)
    assert message.abandoned
    assert association.send_buffered == 0
    assert not association.is_held_back
