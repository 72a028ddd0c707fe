"""Where pysctpstack answers otherwise than Linux, what it answers, and why."""

from __future__ import annotations

from typing import Any, Final, NamedTuple


class Difference(NamedTuple):
    """One scenario's; `ours`: by the path into the result (see `compare.differing`), what pysctpstack has there."""

    reason: str
    ours: dict[str, Any]


_RTO: Final = "RTO.Initial is 1 s, as RFC 9260 section 16 has it; Linux has the 3 s of RFC 4960."
_HEARTBEAT: Final = "HEARTBEATs go every 15 s, since a NAT forgets a UDP binding before 30 s (RFC 6951)."
_ECN: Final = "There is no explicit congestion notification in UDP encapsulation here, so none is announced."
_WINDOW: Final = (
    "SO_RCVBUF is what is announced. Linux counts what a message costs the kernel, and announces half of it."
)
_CWND: Final = (
    "The initial cwnd is in bytes of DATA chunks (PMDCS, RFC 9260 section 7.2.1). Linux counts headers too, as RFC "
    "4960 did."
)
_END_OF_FILE: Final = (
    "An association that has ended reads as the end of file on a one-to-one socket, again and again, as with TCP, "
    "which this style follows (RFC 6458 section 4): also after this end's own shutdown(), after a reset that has been "
    "told, and on peeled-off sockets. Linux has an end of file only for the peer's SHUTDOWN, and on sockets that were "
    "never peeled off: otherwise recv() is ENOTCONN, or EAGAIN for ever."
)
_ACCEPTED: Final = "An association that was reset before accept() says so on the accepted socket; Linux forgets it."
_EARLY: Final = "What is sent while connect() is under way waits for the association; Linux refuses it."
_PRIMARY: Final = (
    "getpeername() is the primary address (RFC 6458 section 4.1.9). Linux shows the last one given to sctp_connectx()."
)
_NO_BYTES: Final = (
    "Python's own recv() of no bytes does not ask the kernel; here it waits for something to read, as recvmsg()."
)

_ENDED: Final = {"data": "", "flags": ""}

DIFFERENCES: Final = {
    "struct_options/rtoinfo_default": Difference(_RTO, {"initial": 1_000}),
    "struct_options/peer_addr_params_default": Difference(_HEARTBEAT, {"[0].hbinterval": 15_000}),
    "options/supported_extensions": Difference(_ECN, {"ECN.value": 0}),
    "association_options/windows": Difference(_WINDOW, {"[2]": 212_992}),
    "association_options/congestion_window": Difference(_CWND, {"": 130_984}),
    "errors/after_abort": Difference(_END_OF_FILE, {"[3]": ""}),
    "errors/read_after_abort": Difference(_END_OF_FILE, {"[1]": ""}),
    "closing/half_close": Difference(_END_OF_FILE, {"[2]": _ENDED}),
    "closing/read_after_own_shutdown": Difference(_END_OF_FILE, {"[0]": "", "[1]": ""}),
    "closing/accept_after_abort": Difference(_ACCEPTED, {"[1]": "ECONNRESET"}),
    "non_blocking/send_while_connecting": Difference(_EARLY, {"[0]": 5}),
    "partial_reads/buffer_of_nothing_and_no_message": Difference(_NO_BYTES, {"[1]": "EAGAIN"}),
    "peeloff/end_of_file": Difference(_END_OF_FILE, {"[0]": _ENDED, "[1]": _ENDED}),
    "peeloff/abort": Difference(_END_OF_FILE, {"[1]": ""}),
    "several_addresses/connectx": Difference(_PRIMARY, {"[2][0]": "127.0.0.1"}),
}
