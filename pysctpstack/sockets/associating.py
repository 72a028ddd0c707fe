"""How associations of a socket come about: listen, accept, connect, and their forms for several addresses."""

from __future__ import annotations

import errno
import socket
import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from pysctpstack import constants as c
from pysctpstack.core import handshake
from pysctpstack.core.association import Association
from pysctpstack.core.route import Route
from pysctpstack.core.settings import Settings
from pysctpstack.drivers.pump import clock
from pysctpstack.sockets import addresses
from pysctpstack.sockets.base import BaseSocket, check_local
from pysctpstack.sockets.owning import MANY, SETTING_UP
from pysctpstack.sockets.values import failure

if TYPE_CHECKING:
    from typing_extensions import Self


class AssociatingSocket(BaseSocket):
    """A socket that listens, accepts and connects."""

    # --- setting up ---

    def listen(self, backlog: int = 128) -> None:
        """Accept associations; as many as ``backlog`` and one more may wait for `accept`, as in Linux. 0, or less: no
        longer (RFC 6458 section 3.1.3). EADDRINUSE: the stack's UDP port is taken, and the message says how to choose
        another."""
        with self._lock:
            self._check_open()
            if self.one_to_one and (self.associations or self._connecting):
                raise failure(errno.EINVAL)
            if backlog <= 0:
                if self._listener is None:
                    raise failure(errno.EINVAL)
                self._stop_listening()
                # Calls may wait in `accept`.
                self.wake()
                return
            room = min(backlog, self._host.config.backlog_limit) + 1 if self.one_to_one else MANY
            if self._listener is not None:
                self._listener.room = max(room - len(self._accepted), 0)
                return
            self._host.start(listening=True)
            if not self._local_port:
                self._bind([], 0)
            if self._local_port in self._host.listening:
                raise failure(errno.EADDRINUSE)
            self._listener = self._host.endpoint.listen(
                self._local_port,
                self.settings,
                room,
                frozenset(self._bound),
                self._told_addresses(),
                ipv4=not self.ipv6_only,
                ipv6=self.family == socket.AF_INET6,
            )
            self._host.listening[self._local_port] = weakref.ref(self)

    def accept(self) -> tuple[Self, addresses.Address]:
        """The next association of a listening one-to-one socket, and the peer's address and port."""
        with self._lock:
            self._check_open()
            if not self.one_to_one or self.is_peeled:
                raise failure(errno.EOPNOTSUPP)
            if self._listener is None:
                raise failure(errno.EINVAL)
            self._wait(lambda: bool(self._accepted or self._listener is None), self._deadline(0, self.receive_timeout))
            if not self._accepted:
                raise failure(errno.EINVAL)
            child = cast("Self", self._accepted.pop(0))  # made by `_accept_child`, of this class
            if self._listener is not None:
                self._listener.room += 1
            self._refresh()
            assert child._peer is not None
            return child, self.show(*child._peer)

    def connect(self, address: object) -> None:
        """Set up an association with ``(host, port)``.

        ConnectionRefusedError: nobody listens. TimeoutError: no answer, or `settimeout`'s time is up.
        BlockingIOError (EINPROGRESS) on
        a non-blocking socket: wait until it is writable and read SO_ERROR. EISCONN, EALREADY. ENETUNREACH: the host
        has
        no route there.
        """
        ip, port = addresses.resolve(address, self.family)
        self._connect([ip], port)

    def _connect(self, ips: list[str], port: int) -> int:
        """Set up an association and wait, as `connect` says. Its id; an error has it as ``assoc_id`` once there is
        one."""
        with self._lock:
            self._check_open()
            if self.one_to_one:
                if self._connecting:
                    raise failure(errno.EALREADY)
                if self._listener is not None or self.associations or self._ended:
                    raise failure(errno.EISCONN)
            for ip in ips:
                found = self._find(ip, port)
                if found is not None:
                    raise failure(errno.EALREADY if found.state in SETTING_UP else errno.EISCONN)
            self._error = 0
            association = self._associate(ips, port, self.settings)
            id_ = association.association_id

            def settled() -> bool:
                return id_ not in self.associations or association.state not in SETTING_UP

            self._outcomes[id_] = 0
            try:
                self._wait(settled, self._deadline(0, self.send_timeout), busy=errno.EINPROGRESS)
            except OSError as error:
                error.assoc_id = id_  # type: ignore[attr-defined]  # for sctp_connectx (RFC 6458 section 9.9)
                raise
            finally:
                outcome = self._outcomes.pop(id_)
            if outcome:
                # Linux: SO_ERROR reports it once more.
                raise failure(outcome)
            return id_

    def connect_ex(self, address: object) -> int:
        """As `connect`, but the errno is returned; 0: connected."""
        try:
            self.connect(address)
        except TimeoutError as error:
            return error.errno or errno.EAGAIN
        except OSError as error:
            if error.errno is None or isinstance(error, socket.gaierror):
                raise
            return error.errno
        return 0

    def _associate(self, ips: list[str], port: int, settings: Settings) -> Association:
        """Begin an association with a peer that has these addresses, the first to be used first."""
        if port == 0:
            # Where nobody can listen.
            raise failure(errno.ECONNREFUSED)
        if self.ipv6_only and any(":" not in ip for ip in ips):
            raise failure(errno.EINVAL)
        self._host.start()
        if not any(self._host.source_address(ip) for ip in ips):
            raise failure(errno.ENETUNREACH)
        if not self._local_port:
            self._bind([], 0)
        bound = tuple(self._bound)
        pump = self._host.pump
        peer = [
            Route(ip, self.remote_udp_port, handshake.source_for(bound, ip, pump) or "".join(bound[:1])) for ip in ips
        ]
        try:
            association = self._host.endpoint.associate(
                self._local_port,
                port,
                peer[0],
                settings,
                clock(),
                alternates=peer[1:],
                local_addresses=self._told_addresses(),
            )
        except ValueError:
            raise failure(errno.EADDRNOTAVAIL) from None
        self._adopt(association.association_id)
        self._connecting = self.one_to_one
        self._host.kick()
        self._refresh()
        return association

    def _find(self, ip: str, port: int) -> Association | None:
        """The association with a peer address."""
        association = self._host.endpoint.by_peer.get((self._local_port, port, ip))
        if association is None or association.association_id not in self.associations:
            return None
        return association

    # --- several addresses (RFC 6458 sections 9.1, 9.3 to 9.6, 9.9) ---

    def sctp_bindx(self, addrs: Iterable[object], flags: int = c.SCTP_BINDX_ADD_ADDR) -> None:
        """Bind to further local addresses, of one port, or (SCTP_BINDX_REM_ADDR) no longer to some of several.

        Peers of associations set up from then on are told of them; those that are there do not learn of it (RFC 5061
        is not offered). EINVAL: another port than before, or an address that is bound already, or is not. EBUSY:
        nothing would be left. After an error everything is as before.
        """
        resolved = [addresses.resolve(address, self.family, passive=True) for address in addrs]
        with self._lock:
            self._check_open()
            if not resolved or flags not in (c.SCTP_BINDX_ADD_ADDR, c.SCTP_BINDX_REM_ADDR):
                raise failure(errno.EINVAL)
            ports = {port for _, port in resolved} | ({self._local_port} if self._local_port else set())
            if len(ports - {0}) > 1:
                raise failure(errno.EINVAL)
            ips = [ip for ip, _ in resolved]
            if flags == c.SCTP_BINDX_REM_ADDR:
                self._unbind(ips)
            else:
                self._bind_all(ips, max(ports))
            if self._listener is not None:
                self._listener.addresses = frozenset(self._bound)
                self._listener.local_addresses = self._told_addresses()

    def _bind_all(self, ips: list[str], port: int) -> None:
        """All of these local addresses, or none."""
        if len(set(ips)) < len(ips) or (self._local_port and not self._bound):
            raise failure(errno.EINVAL)
        for ip in ips:
            if ip in self._bound or (not ip and (self._local_port or len(ips) > 1)):
                raise failure(errno.EINVAL)
            if ip:
                check_local(ip)
        if not self._local_port and not ips[0]:
            self._bind([], port)
            return
        added: list[str] = []
        try:
            for ip in ips:
                if self._local_port:
                    self._bind_more(ip)
                else:
                    self._bind([ip], port)
                added.append(ip)
        except OSError:
            for ip in added:
                self._bind_less(ip)
            if not self._bound:
                self._local_port, self._owns_port = 0, False
            raise

    def _unbind(self, ips: list[str]) -> None:
        left = [ip for ip in self._bound if ip not in ips]
        if not left:
            raise failure(errno.EBUSY)
        if len(left) + len(set(ips)) != len(self._bound):
            raise failure(errno.EINVAL)
        for ip in ips:
            self._bind_less(ip)

    def sctp_connectx(self, addrs: Iterable[object]) -> int:
        """As `connect`, to a peer with several addresses of one port; the association's id.

        On a non-blocking socket the id is the attribute ``assoc_id`` of the BlockingIOError (EINPROGRESS).
        """
        resolved = [addresses.resolve(address, self.family) for address in addrs]
        if not resolved or len({port for _, port in resolved}) != 1:
            raise failure(errno.EINVAL)
        return self._connect([ip for ip, _ in resolved], resolved[0][1])

    def sctp_getpaddrs(self, assoc_id: int = 0) -> list[addresses.Address]:
        """The peer's addresses. One-to-one sockets ignore the id. EINVAL: there is no such association."""
        with self._lock:
            self._check_open()
            tcb = self._association(assoc_id).tcb
            return [self.show(path.address, tcb.peer_port) for path in tcb.paths]

    def sctp_getladdrs(self, assoc_id: int = 0) -> list[addresses.Address]:
        """The local addresses of an association, or (0) those that the socket is bound to: none, some, or all of the
        host's."""
        with self._lock:
            self._check_open()
            named = assoc_id or (self.one_to_one and self.associations)
            return self.local_addresses(self._association(assoc_id).tcb if named else None)

    def _association(self, id_: int) -> Association:
        if self.one_to_one:
            for association in self.associations.values():
                return association
        elif id_ in self.associations:
            return self.associations[id_]
        raise failure(errno.EINVAL)
