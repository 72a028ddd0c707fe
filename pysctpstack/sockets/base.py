"""What programs do with every socket: wait for it, name it, set its options, ask what is ready, and close it.

A call that has to wait hands itself to the stack's driver, which lets it receive packets meanwhile.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from math import inf
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from pysctpstack import constants as c
from pysctpstack.core.tcb import Tcb
from pysctpstack.drivers import routes
from pysctpstack.drivers.pump import clock
from pysctpstack.sockets import addresses
from pysctpstack.sockets.options import CALLS, OPTIONS
from pysctpstack.sockets.owning import OwningSocket
from pysctpstack.sockets.readiness import Readiness
from pysctpstack.sockets.values import failure, option_buffer, option_bytes, shaped

if TYPE_CHECKING:
    from typing_extensions import Self

MSG_PEEK: Final = int(socket.MSG_PEEK)
MSG_DONTWAIT: Final = int(getattr(socket, "MSG_DONTWAIT", 0x40))
MSG_CTRUNC: Final = int(getattr(socket, "MSG_CTRUNC", 0x08))

_LEVELS: Final = (socket.SOL_SOCKET, c.IPPROTO_SCTP, socket.IPPROTO_IP, socket.IPPROTO_IPV6)


class BaseSocket(OwningSocket):
    """An SCTP socket with the methods of the standard library's and those of RFC 6458 section 9.

    ``family``: AF_INET or AF_INET6. ``type``: SOCK_STREAM, one association, or SOCK_SEQPACKET, many. Errors are
    `OSError` with the
    errno that Linux gives.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- waiting ---

    def _check_open(self) -> None:
        if self._closed:
            raise failure(errno.EBADF)
        self._host.check_open()

    def _deadline(self, flags: int, limit: float | None) -> float:
        """Until when a call may block; -inf: not at all."""
        if self._timeout == 0.0 or flags & MSG_DONTWAIT:
            return -inf
        if self._timeout is not None:
            return clock() + self._timeout
        return inf if limit is None else clock() + limit

    def _wait(self, ready: Callable[[], bool], deadline: float, *, busy: int = errno.EAGAIN) -> None:
        """Wait until ``ready()``. BlockingIOError if the socket does not block, TimeoutError when its time is up."""

        def ready_or_closed() -> bool:
            return self._closed or self._host.closed or ready()

        if ready():
            return
        if deadline == -inf:
            raise failure(busy)
        if not self._waits.wait(ready_or_closed, deadline):
            if self._timeout is None:
                # SO_RCVTIMEO and SO_SNDTIMEO end a call of a blocking socket like one that does not block.
                raise failure(busy)
            raise TimeoutError("timed out")
        self._check_open()

    # --- names ---

    def bind(self, address: object) -> None:
        """Bind to ``(host, port)``; port 0: an ephemeral one. EADDRINUSE, EADDRNOTAVAIL, EINVAL: it is bound
        already."""
        ip, port = addresses.resolve(address, self.family, passive=True)
        with self._lock:
            self._check_open()
            if self._local_port:
                raise failure(errno.EINVAL)
            if ip:
                check_local(ip)
            self._bind([ip] if ip else [], port)

    def _bind(self, ips: list[str], port: int) -> None:
        self._local_port = self._host.reserve_port(port, ips[0] if ips else "", shares=self._shares_port)
        self._bound = ips[:1]
        self._owns_port = True
        for ip in ips[1:]:
            self._bind_more(ip)

    def _bind_more(self, ip: str) -> None:
        """One more local address for a socket that is bound to some."""
        if self._owns_port:
            self._host.reserve_port(self._local_port, ip, shares=self._shares_port)
        self._bound.append(ip)

    def _bind_less(self, ip: str) -> None:
        """Undo `_bind_more`."""
        if self._owns_port:
            self._host.release_port(self._local_port, ip)
        self._bound.remove(ip)

    def _told_addresses(self) -> tuple[str, ...]:
        """Local addresses that peers are told of: several explicit ones, or those that the host has now if it says so
        (`Config.multihome`); otherwise none (RFC 6951 sections 3.2 and 5.7)."""
        if self._bound or not self._host.config.multihome:
            return tuple(self._bound) if len(self._bound) > 1 else ()
        found = self._host.config.udp_addresses or routes.interface_addresses()
        return tuple(ip for ip in found if self.family == socket.AF_INET6 or ":" not in ip)

    def getsockname(self) -> addresses.Address:
        with self._lock:
            self._check_open()
            # Linux: of several addresses the one bound last, and for the wildcard where the last association is.
            ip = self._bound[-1] if self._bound else ""
            if not ip:
                for association in self.associations.values():
                    primary = association.tcb.paths.primary
                    ip = primary.route.local or self._host.source_address(primary.address)
            if not ip and self._peer is not None:
                ip = self._host.source_address(self._peer[0])
            return self.show(ip, self._local_port)

    def getpeername(self) -> addresses.Address:
        """The peer's primary address. ENOTCONN: there is none."""
        with self._lock:
            self._check_open()
            if self._peer is None or self._connecting:
                raise failure(errno.ENOTCONN)
            for association in self.associations.values():
                return self.show(association.tcb.paths.primary.address, association.tcb.peer_port)
            return self.show(*self._peer)

    def local_addresses(self, tcb: Tcb | None) -> list[addresses.Address]:
        """Of an association, or (None) those that the socket is bound to: all of the host's for the wildcard one."""
        ips = list(tcb.local_addresses) if tcb is not None else []
        if not ips and self._local_port:
            ips = list(self._bound) or [
                ip
                for ip in self._host.config.udp_addresses or routes.interface_addresses()
                if self.family == socket.AF_INET6 or ":" not in ip
            ]
        return [self.show(ip, self._local_port) for ip in ips]

    @property
    def _shares_port(self) -> bool:
        """SO_REUSEADDR, SO_REUSEPORT and SCTP_REUSE_PORT mean the same here."""
        reuse = (socket.SO_REUSEADDR, getattr(socket, "SO_REUSEPORT", socket.SO_REUSEADDR))
        return self.reuses_port or any(self.switches.get(option) for option in reuse)

    @property
    def is_bound(self) -> bool:
        return bool(self._local_port)

    @property
    def is_bound_to_all(self) -> bool:
        """Bound, and to the wildcard address."""
        return bool(self._local_port) and not self._bound

    # --- options ---

    def setsockopt(self, level: int, optname: int, value: Any, optlen: int | None = None) -> None:
        """``value``: an int, a struct of `pysctpstack.structs`, or bytes. ENOPROTOOPT: no such option, or it can't be
        set; EINVAL: a bad value."""
        if value is None:
            if optlen is None:
                raise TypeError("setsockopt() requires 4 arguments when the third is None")
            value = bytes(optlen)
        octets = option_bytes(value)
        call = CALLS.get((level, optname))
        if call is not None:
            self._check_open()
            call(self, octets)
            return
        with self._lock:
            self._check_open()
            entry = OPTIONS.get((level, optname))
            if entry is None or entry[1] is None:
                raise failure(errno.ENOPROTOOPT)
            entry[1](self, octets)

    def getsockopt(self, level: int, optname: int, arg: Any = 0) -> Any:
        """``arg`` 0: the value as an int. An int: at most so many bytes of it. Bytes or a struct: the in-and-out
        buffer that SCTP
        options read (association id, address) before they fill it; the answer has its type.
        """
        with self._lock:
            self._check_open()
            entry = OPTIONS.get((level, optname))
            if entry is None or entry[0] is None:
                raise failure(errno.ENOPROTOOPT if level in _LEVELS else errno.EOPNOTSUPP)
            value = entry[0](self, option_buffer(arg))
        return shaped(value, arg)

    # --- time ---

    def settimeout(self, timeout: float | None) -> None:
        """Seconds after which a call that blocks raises TimeoutError; None: never; 0: the socket does not block."""
        if timeout is not None and timeout < 0:
            raise ValueError("Timeout value out of range")
        self._timeout = None if timeout is None else float(timeout)

    def gettimeout(self) -> float | None:
        return self._timeout

    @property
    def timeout(self) -> float | None:
        return self._timeout

    def setblocking(self, flag: bool) -> None:
        self.settimeout(None if flag else 0.0)

    def getblocking(self) -> bool:
        return self._timeout != 0.0

    # --- readiness ---

    def fileno(self) -> int:
        """A descriptor to wait on with `select`, `poll`, `selectors` or asyncio, made at the first call; -1 once
        closed.

        It is readable and writable when this socket is. Reading from it or writing to it is undefined.
        """
        with self._lock:
            return -1 if self._closed or self._host.closed else self.make_readiness()

    def make_readiness(self) -> int:
        """`fileno` of an open socket, with the lock held."""
        if self._readiness is None:
            # Somebody has to read UDP while the program waits outside of this library.
            self._readiness = Readiness()
            if not self.one_to_one:
                for id_ in self.associations:
                    self._recount(id_)
            self._readiness.update(self._can_read(), self._can_write())
        return self._readiness.fileno()

    # --- ending ---

    @property
    def is_listening(self) -> bool:
        return self._listener is not None

    def shutdown(self, how: int) -> None:
        """Close in order, keeping the socket for what the peer still sends. SHUT_RD: what comes from now on is thrown
        away, and the peer does not learn of it (RFC 6458 section 4.1.7). ENOTCONN: there is no association to end."""
        with self._lock:
            self._check_open()
            if how not in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR):
                raise failure(errno.EINVAL)
            if self._listener is not None:
                if how != socket.SHUT_WR:
                    # Linux: to stop listening would be to disconnect, which SCTP does not do.
                    raise failure(errno.EOPNOTSUPP)
                return
            if not self.one_to_one or self._peer is None or self._connecting:
                raise failure(errno.ENOTCONN)
            if self.is_peeled:
                # As in Linux, where SCTP_EOF ends its association.
                return
            if how != socket.SHUT_WR:
                self._ended = self._read_closed = True
                self.wake()
            if how != socket.SHUT_RD:
                self._write_closed = True
                self._direct = None
                for association in list(self.associations.values()):
                    association.shutdown(clock())
                self._host.kick()
                self.wake()

    def close(self) -> None:
        """Close the socket. Its associations shut down in the background: what was sent is delivered.

        SO_LINGER with time 0, or messages that nobody has read, abort them instead (as TCP does).
        """
        # In this order, and that of `file_closed` the other way round: one of the two sees the other.
        self._close_wanted = True
        if self._files:
            return
        with self._lock:
            if self._closed:
                return
            ending = list(self.associations.values())
            self._close()
            if self.linger and ending and not self._host.closed:
                self._host.linger(ending, self.linger)

    def detach(self) -> int:
        """There is no descriptor to hand over: EOPNOTSUPP."""
        raise failure(errno.EOPNOTSUPP)

    # --- files ---

    def file_opened(self) -> None:
        """A file over this socket: `close` waits for it."""
        self._files.append(None)

    def file_closed(self) -> None:
        """The last file of a socket that was closed before it closes the socket."""
        self._files.pop()
        if self._close_wanted and not self._files:
            # Perhaps in the garbage collector.
            self._host.end_soon(self)


def check_local(ip: str) -> None:
    """EADDRNOTAVAIL unless the address is one of the host's."""
    if addresses.is_for_many(ip):
        raise failure(errno.EADDRNOTAVAIL)
    with socket.socket(routes.family_of(ip), socket.SOCK_DGRAM) as probe:
        probe.bind(routes.sockaddr(ip, 0))
