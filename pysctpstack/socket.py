"""The standard `socket` module, name for name, plus SCTP.

    from pysctpstack import socket

is a one-line port of a program written for kernel SCTP. Sockets of IPPROTO_SCTP are pysctpstack's, on the default
stack; those of
another protocol are the standard library's. Every other name is the standard module's own.
"""

from __future__ import annotations

import errno as _errno
import os as _os
import socket as _std
from typing import TYPE_CHECKING
from typing import Any as _Any

from pysctpstack.constants import *
from pysctpstack.constants import IPPROTO_SCTP
from pysctpstack.sockets.hosts import default_stack as _default_stack
from pysctpstack.sockets.hosts import take_peeled as _take_peeled
from pysctpstack.sockets.vectors import SctpSocket as _SctpSocket
from pysctpstack.structs import *

# After the constants, since MSG_EOR is the host's own number here, as in the flags that `recvmsg` returns.
from socket import *  # isort: skip

# FreeBSD's module has another number for it.
from pysctpstack.constants import MSG_NOTIFICATION as MSG_NOTIFICATION  # isort: skip

if not TYPE_CHECKING:

    def __getattr__(name: str) -> _Any:
        """What the standard module does not list in its ``__all__``, or gets later."""
        return getattr(_std, name)


class _SocketType(type):
    """Makes `socket.socket(...)` an SCTP socket or one of the standard library, by its protocol."""

    def __call__(
        cls,
        family: int = -1,
        type: int = -1,
        proto: int = -1,
        fileno: int | None = None,
    ) -> _Any:
        peeled = None if fileno is None else _take_peeled(fileno)
        if peeled is not None:
            return peeled
        if proto == IPPROTO_SCTP or (
            proto in (-1, 0) and type != -1 and type & 0xF == _std.SOCK_SEQPACKET and _is_ip(family)
        ):
            if fileno is not None:
                # There is no descriptor behind an SCTP socket that could be taken over.
                raise OSError(_errno.EOPNOTSUPP, _os.strerror(_errno.EOPNOTSUPP))
            return super().__call__(family, type)
        return _std.socket(family, type, proto, fileno)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, (_SctpSocket, _std.socket))


def _is_ip(family: int) -> bool:
    return family in (-1, _std.AF_INET, _std.AF_INET6)


class socket(_SctpSocket, metaclass=_SocketType):  # type: ignore[no-redef]  # it stands in for the standard one
    """``socket(family=AF_INET, type=SOCK_STREAM, proto=IPPROTO_SCTP)``: an SCTP socket; see
    `pysctpstack.sockets.SctpSocket`.

    ``type`` SOCK_STREAM: one-to-one; SOCK_SEQPACKET: one-to-many. Another ``proto``: a socket of the standard
    library.
    """

    def __init__(self, family: int = -1, type: int = -1) -> None:
        super().__init__(
            _default_stack()._host,
            _std.AF_INET if family == -1 else family,
            _std.SOCK_STREAM if type == -1 else type,
        )


SocketType = socket  # type: ignore[misc, assignment]  # as in the standard module
