"""What a program wants of an association at the level of calls: defaults of messages, notifications, marks.

A socket has one of these for the associations to come; an association has what the socket had when it began, until it
is changed for it alone (RFC 6458 section 7.2: SCTP_FUTURE_ASSOC and its kin). Values, so that many share one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pysctpstack import constants as c

EXPOSE_UNSET: Final = 0
EXPOSE_DISABLED: Final = 1
EXPOSE_ENABLED: Final = 2
"""Values of SCTP_EXPOSE_POTENTIALLY_FAILED_STATE in Linux."""


@dataclass(frozen=True, slots=True)
class Preferences:
    subscribed: frozenset[int] = frozenset()
    """Notification types that are wanted (RFC 6458 section 6.2), SCTP_DATA_IO_EVENT among them."""
    stream: int = 0
    flags: int = 0
    """SCTP_UNORDERED and the like, and the policy of partial reliability."""
    ppid: int = 0
    """Opaque, as the structs have it."""
    context: int = 0
    timetolive: int = 0
    """Milliseconds, or what the policy counts (RFC 7496 section 4.2)."""
    receive_context: int = 0
    """SCTP_CONTEXT: what comes with received messages (RFC 6458 section 8.1.25)."""
    expose_potentially_failed: int = EXPOSE_UNSET
    scheduler: int = c.SCTP_SS_FCFS
    stream_values: tuple[tuple[int, int], ...] = ()
    """Streams and their priorities (RFC 8260 section 4.3.3)."""
    stream_resets: int = 0
    """SCTP_ENABLE_STREAM_RESET."""

    @property
    def has_send_defaults(self) -> bool:
        """Whether a message that says nothing of itself is anything but plain."""
        return bool(self.stream or self.flags or self.ppid or self.context or self.timetolive)
