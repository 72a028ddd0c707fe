"""Sockets of their own for single associations of a one-to-many socket (RFC 6458 section 9.2)."""

from __future__ import annotations

import errno
import socket
import weakref
from typing import TYPE_CHECKING, Final, cast

from pysctpstack.events import MessageReceived
from pysctpstack.sockets.inbox import Notice
from pysctpstack.sockets.transferring import TransferringSocket
from pysctpstack.sockets.values import failure

if TYPE_CHECKING:
    from typing_extensions import Self

_NONBLOCK: Final = int(getattr(socket, "SOCK_NONBLOCK", 0x800))


class PeelingSocket(TransferringSocket):
    """A socket that gives associations away."""

    def sctp_peeloff(self, assoc_id: int) -> Self:
        """A new socket for one association of a one-to-many socket, with what it has received and nobody has read.

        It is one-to-one in all but its type and the flags that messages may have: there SCTP_EOF and SCTP_ABORT are
        allowed. EINVAL: no such association, or this is no one-to-many socket.
        """
        with self._lock:
            self._check_open()
            return self._peel_off(assoc_id)

    def peel_off(self, id_: int, flags: int) -> int:
        """SCTP_SOCKOPT_PEELOFF_FLAGS: the same; returns a descriptor that `socket.socket(fileno=...)` takes over.

        With the lock held.
        """
        child = self._peel_off(id_)
        if flags & _NONBLOCK:
            child.settimeout(0.0)
        descriptor = child.make_readiness()
        self._host.peeled[descriptor] = child
        return descriptor

    def peeled(self, descriptor: int) -> Self:
        """The socket of a descriptor that SCTP_SOCKOPT_PEELOFF gave. EBADF: it gave none, or somebody has it."""
        with self._lock:
            sock = self._host.peeled.pop(descriptor, None)
        if sock is None:
            raise failure(errno.EBADF)
        return cast("Self", sock)  # made by `_peel_off`

    def _peel_off(self, id_: int) -> Self:
        association = None if self.one_to_one else self.associations.get(id_)
        if association is None:
            raise failure(errno.EINVAL)
        child = self._bare(self._host, self.family, self.type)
        child.one_to_one = child.is_peeled = True
        self._hand_down(child)
        child._bound, child._local_port = list(self._bound), self._local_port
        preferences = self.preferences_of(id_)
        if self._taken_of == id_:
            # What has been read here makes room there.
            self._release_window()
        address = self._address_of(id_)
        self._forget(id_)
        if self._readiness is not None:
            self._recount(id_)
        child._preferences[id_] = preferences
        child._has_priorities = self._has_priorities
        child._adopt(id_)
        self._host.owners[id_] = weakref.ref(child)
        self._move_arrivals(child, id_, address)
        # Calls may wait here for what happens to this association.
        self.wake()
        return child

    def _move_arrivals(self, child: Self, id_: int, address: object) -> None:
        """The messages and notifications of an association, begun ones too, go with it."""
        mine = self._arrivals
        stays: list[MessageReceived | Notice] = []
        goes: list[MessageReceived | Notice] = []
        for arrival in mine.arrivals:
            if isinstance(arrival, MessageReceived):
                is_of = arrival.association_id == id_
            else:
                is_of = arrival.address == address
            (goes if is_of else stays).append(arrival)
        if goes and mine.arrivals[0] is goes[0]:
            child._arrivals.offset, mine.offset = mine.offset, 0
        mine.arrivals.clear()
        mine.arrivals.extend(stays)
        child._arrivals.arrivals.extend(goes)
        for messages in self._waiting:
            if messages[0].association_id == id_:
                child._arrivals.arrivals.extend(messages)
        self._waiting = [messages for messages in self._waiting if messages[0].association_id != id_]
        if self._delivering == id_:
            # The rest of its message comes there.
            self._delivering = 0
            self._hand_over_waiting()
        child._peer_addresses[id_] = child._address_of(id_)
