"""Options of the level SOL_SOCKET, and IPV6_V6ONLY."""

from __future__ import annotations

import errno
import socket
from struct import Struct
from typing import TYPE_CHECKING, Final

from pysctpstack import constants as c
from pysctpstack.sockets.options.scope import INT_SIZE, Entry, Getter, Table, integer, packed_int
from pysctpstack.sockets.values import failure

if TYPE_CHECKING:
    from pysctpstack.sockets.base import BaseSocket

# As Linux has them on 64-bit machines. It also has an upper limit, from sysctl; here it is far above that.
MIN_SEND_BUFFER: Final = 4_608
MIN_RECEIVE_BUFFER: Final = 2_304
MAX_BUFFER: Final = 1 << 30
_LINGER: Final = Struct("=ii")
_TIMEVAL: Final = Struct("=qq")


def _buffer_size(value: bytes, minimum: int) -> int:
    """Linux sets twice what is asked for, so as to have room for its own book-keeping, and says so."""
    size = integer(value) & 0xFFFFFFFF
    return max(2 * min(size, MAX_BUFFER // 2), minimum)


def _set_sndbuf(sock: BaseSocket, value: bytes) -> None:
    sock.send_buffer = _buffer_size(value, MIN_SEND_BUFFER)
    # There may be room now for who waits for some.
    sock.wake()


def _set_rcvbuf(sock: BaseSocket, value: bytes) -> None:
    # What has been announced to a peer can't be taken back, so a smaller buffer is for new associations.
    sock.settings.receive_buffer = size = _buffer_size(value, MIN_RECEIVE_BUFFER)
    for association in sock.associations.values():
        receiver = association.tcb.receiver
        receiver.receive_buffer = max(receiver.receive_buffer, size)


def _set_linger(sock: BaseSocket, value: bytes) -> None:
    if len(value) < _LINGER.size:
        raise failure(errno.EINVAL)
    on, seconds = _LINGER.unpack_from(value)
    # A negative time is a very long one, as Linux converts it.
    seconds &= 0x7FFFFFFF
    sock.linger = seconds if on else None
    if on:
        sock.switches[socket.SO_LINGER] = seconds


def _get_linger(sock: BaseSocket, _arg: bytes) -> bytes:
    return _LINGER.pack(sock.linger is not None, sock.switches.get(socket.SO_LINGER, 0))


def _timeout(attribute: str) -> Entry:
    """SO_RCVTIMEO and SO_SNDTIMEO: a ``struct timeval``, 0 for ever."""

    def set_(sock: BaseSocket, value: bytes) -> None:
        if len(value) < _TIMEVAL.size:
            raise failure(errno.EINVAL)
        seconds, microseconds = _TIMEVAL.unpack_from(value)
        if not 0 <= microseconds < 1_000_000:
            raise failure(errno.EDOM)
        # A time that has passed is no time at all.
        setattr(sock, attribute, 0.0 if seconds < 0 else seconds + microseconds / 1_000_000 or None)

    def get(sock: BaseSocket, _arg: bytes) -> bytes:
        seconds = getattr(sock, attribute) or 0
        return _TIMEVAL.pack(int(seconds), round((seconds - int(seconds)) * 1_000_000))

    return get, set_


def _remembered(option: int, default: int = 0, *, is_switch: bool = True) -> Entry:
    """An option that programs set by habit: remembered, and of no effect on sockets whose UDP port is the stack's."""

    def set_(sock: BaseSocket, value: bytes) -> None:
        number = integer(value)
        sock.switches[option] = int(number != 0) if is_switch else number

    return (lambda sock, _: packed_int(sock.switches.get(option, default))), set_


def _constant(get: Getter) -> Entry:
    def refuse(_sock: BaseSocket, value: bytes) -> None:
        raise failure(errno.EINVAL if len(value) < INT_SIZE else errno.ENOPROTOOPT)

    return get, refuse


def _set_ipv6_only(sock: BaseSocket, value: bytes) -> None:
    """RFC 3493 section 5.3. EINVAL: the socket is bound."""
    number = integer(value)
    if sock.family != socket.AF_INET6:
        raise failure(errno.ENOPROTOOPT)
    if sock.is_bound:
        raise failure(errno.EINVAL)
    sock.ipv6_only = number != 0


def _get_ipv6_only(sock: BaseSocket, _arg: bytes) -> bytes:
    if sock.family != socket.AF_INET6:
        raise failure(errno.EOPNOTSUPP)
    return packed_int(sock.ipv6_only)


_BY_NAME: Final[dict[str, Entry]] = {
    "SO_TYPE": _constant(lambda sock, _: packed_int(sock.type)),
    "SO_DOMAIN": _constant(lambda sock, _: packed_int(sock.family)),
    "SO_PROTOCOL": _constant(lambda _sock, _: packed_int(c.IPPROTO_SCTP)),
    "SO_ACCEPTCONN": _constant(lambda sock, _: packed_int(sock.is_listening)),
    "SO_ERROR": _constant(lambda sock, _: packed_int(sock.take_error())),
    "SO_SNDLOWAT": _constant(lambda _sock, _: packed_int(1)),
    "SO_SNDBUF": ((lambda sock, _: packed_int(sock.send_buffer)), _set_sndbuf),
    "SO_RCVBUF": ((lambda sock, _: packed_int(sock.settings.receive_buffer)), _set_rcvbuf),
    "SO_LINGER": (_get_linger, _set_linger),
    "SO_RCVTIMEO": _timeout("receive_timeout"),
    "SO_SNDTIMEO": _timeout("send_timeout"),
}

#: Only what the host's `socket` module has.
OPTIONS: Final[Table] = {
    (socket.SOL_SOCKET, getattr(socket, name)): entry for name, entry in _BY_NAME.items() if hasattr(socket, name)
}
for _name in ("SO_REUSEADDR", "SO_REUSEPORT", "SO_KEEPALIVE", "SO_BROADCAST", "SO_OOBINLINE", "SO_DONTROUTE"):
    if hasattr(socket, _name):
        OPTIONS[socket.SOL_SOCKET, getattr(socket, _name)] = _remembered(getattr(socket, _name))
if hasattr(socket, "IPV6_V6ONLY"):
    OPTIONS[socket.IPPROTO_IPV6, socket.IPV6_V6ONLY] = (_get_ipv6_only, _set_ipv6_only)
if hasattr(socket, "SO_RCVLOWAT"):
    OPTIONS[socket.SOL_SOCKET, socket.SO_RCVLOWAT] = _remembered(socket.SO_RCVLOWAT, 1, is_switch=False)
