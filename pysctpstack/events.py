"""What the core reports to the layer above it: one plain record an occurrence, in the order in which they occurred.

Every record names its association by id. Sockets turn them into data, errors and the notifications of RFC 6458.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple


class Loss(Enum):
    """Why an association ended or never came up."""

    ABORTED = "the peer sent ABORT"
    TIMED_OUT = "the peer does not answer"
    REFUSED = "nobody listens at the peer"
    PROTOCOL = "the peer broke the protocol"
    LOCAL = "aborted here"


@dataclass(slots=True)
class AssociationUp:
    """The association is ESTABLISHED (RFC 9260 section 11.2.4). ``accepted``: the peer set it up."""

    association_id: int
    outbound_streams: int
    inbound_streams: int
    accepted: bool
    adaptation: int = 0
    """What the peer's upper layer is (RFC 5061 section 4.2.6); 0: it did not say."""


@dataclass(slots=True)
class AssociationRestarted:
    """The peer has restarted (RFC 9260 section 5.2.4, A): the streams start anew."""

    association_id: int
    outbound_streams: int
    inbound_streams: int
    adaptation: int = 0


@dataclass(slots=True)
class AssociationLost:
    """The association is gone (RFC 9260 section 11.2.5), or could not be set up if it was never ``established``.

    ``abort``: the ABORT chunk as the peer sent it or as it was sent to the peer, ``b""`` if there was none.
    ``cause``: its first
    error cause's code, or 0.
    """

    association_id: int
    loss: Loss
    established: bool
    cause: int = 0
    abort: bytes = b""


@dataclass(slots=True)
class ShutdownReceived:
    """The peer closes: what it sent has been delivered, and it takes no more messages."""

    association_id: int


@dataclass(slots=True)
class AssociationClosed:
    """The orderly SHUTDOWN has completed (RFC 9260 section 11.2.8)."""

    association_id: int


class MessageReceived(NamedTuple):
    """A user message, or a piece of one where ``complete`` is false (partial delivery, RFC 9260 section 6.9).

    ``ppid``: the number on the wire. ``ssn``: stream sequence number, 16 bits. ``tsn``, ``cumulative_tsn``: 32
    bits, of the
    first fragment and of the association when the message was handed over.
    """

    association_id: int
    stream_id: int
    ssn: int
    ppid: int
    tsn: int
    cumulative_tsn: int
    unordered: bool
    data: bytes
    complete: bool = True


@dataclass(slots=True)
class PartialDeliveryAborted:
    """The rest of a message of which a part was delivered will not come."""

    association_id: int
    stream_id: int
    ssn: int


@dataclass(slots=True)
class SendFailed:
    """A message that the peer has not acknowledged and will not get any more.

    ``sent``: some of it was transmitted, so that the peer may have it. ``error``: the code of the error cause
    behind it, 0 if there
    is none (its life time ended, the peer is unreachable).
    """

    association_id: int
    stream_id: int
    ppid: int
    context: int
    unordered: bool
    sent: bool
    error: int
    data: bytes
    established: bool = field(default=True, compare=False)
    """Whether the association had come up."""


@dataclass(slots=True)
class Acknowledged:
    """Queued bytes were freed: there may be room for more messages. At most one a batch."""

    association_id: int


@dataclass(slots=True)
class SenderDry:
    """Nothing is queued or outstanding any more (RFC 6458 section 6.1.9)."""

    association_id: int


class PathChange(Enum):
    AVAILABLE = "available"
    UNREACHABLE = "unreachable"
    CONFIRMED = "confirmed"
    MADE_PRIMARY = "made primary"


@dataclass(slots=True)
class PathChanged:
    """Reachability of one of the peer's addresses (RFC 9260 section 11.2.3)."""

    association_id: int
    address: str
    change: PathChange


@dataclass(slots=True)
class PathPotentiallyFailed:
    """One of the peer's addresses has not answered lately (RFC 7829 section 4.2); others are used if there are any."""

    association_id: int
    address: str


@dataclass(slots=True)
class RemoteError:
    """The peer reported an error that does not end the association (RFC 9260 section 11.2.6). ``data``: the ERROR
    chunk's causes."""

    association_id: int
    cause: int
    data: bytes


Event = (
    AssociationUp
    | AssociationRestarted
    | AssociationLost
    | ShutdownReceived
    | AssociationClosed
    | MessageReceived
    | PartialDeliveryAborted
    | SendFailed
    | Acknowledged
    | SenderDry
    | PathChanged
    | PathPotentiallyFailed
    | RemoteError
)
