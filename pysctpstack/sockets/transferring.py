"""How sockets send and receive messages (RFC 6458 sections 3 to 5)."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterable
from math import inf
from typing import Any, Final

from pysctpstack import constants as c
from pysctpstack import structs
from pysctpstack.core.association import Association
from pysctpstack.core.rx.reassembly import MIN_CHARGE, padding_of
from pysctpstack.core.state import State
from pysctpstack.core.tx.send_queue import Message
from pysctpstack.drivers.pump import clock
from pysctpstack.events import MessageReceived
from pysctpstack.sockets import addresses, ancillary
from pysctpstack.sockets.ancillary import Ancillary, SendInfo
from pysctpstack.sockets.associating import AssociatingSocket
from pysctpstack.sockets.base import MSG_CTRUNC, MSG_PEEK
from pysctpstack.sockets.files import make_file
from pysctpstack.sockets.inbox import MSG_EOR, Notice
from pysctpstack.sockets.options import apply_initmsg
from pysctpstack.sockets.values import as_int, failure, message_of, writable
from pysctpstack.structs.layout import CStruct

_DEFAULT: Final = SendInfo()


class TransferringSocket(AssociatingSocket):
    """A socket that sends and receives messages."""

    # --- sending ---

    def send(self, data: Any, flags: int = 0) -> int:
        """Send one message on stream 0. Returns its length: a message is sent whole or not at all."""
        return self._send(message_of(data), _DEFAULT, None, flags)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """As `send`."""
        self._send(message_of(data), _DEFAULT, None, flags)

    def sendto(self, data: Any, *args: Any) -> int:
        """``sendto(data, [flags,] address)``: a one-to-many socket sets up the association if there is none."""
        if not 1 <= len(args) <= 2:
            raise TypeError(f"sendto() takes 2 or 3 arguments ({1 + len(args)} given)")
        flags = as_int(args[0]) if len(args) == 2 else 0
        return self._send(message_of(data), _DEFAULT, args[-1], flags)

    def sendmsg(
        self,
        buffers: Iterable[Any],
        ancdata: Iterable[tuple[int, int, Any]] = (),
        flags: int = 0,
        address: object = None,
    ) -> int:
        """Send the buffers as one message, with SCTP_SNDINFO, SCTP_SNDRCV, SCTP_PRINFO or SCTP_INIT (RFC 6458
        section 5.3)."""
        info = ancillary.parse(ancdata, SendInfo())
        return self._send(b"".join(message_of(buffer) for buffer in buffers), info, address, flags)

    def sctp_sendmsg(
        self,
        msg: Any,
        to: object = None,
        ppid: int = 0,
        flags: int = 0,
        stream_no: int = 0,
        timetolive: int = 0,
        context: int = 0,
    ) -> int:
        """RFC 6458 section 9.7. ``ppid``: opaque, as in C: `htonl` of the number on the wire. ``timetolive``:
        milliseconds, 0 for ever."""
        # As C converts them to uint32_t.
        ppid, flags, timetolive, context = (value & 0xFFFFFFFF for value in (ppid, flags, timetolive, context))
        info = SendInfo(stream_no, socket.ntohl(ppid), flags, timetolive, context, says_stream=True, says_lifetime=True)
        return self._send(message_of(msg), info, to, 0)

    def sctp_send(self, msg: Any, sinfo: structs.SndRcvInfo | bytes, flags: int = 0) -> int:
        """RFC 6458 section 9.9: send as ``sinfo`` says."""
        info = ancillary.parse([(c.IPPROTO_SCTP, c.SCTP_SNDRCV, sinfo)], SendInfo())
        return self._send(message_of(msg), info, None, flags)

    def _send(self, data: bytes, info: SendInfo, to: object, flags: int) -> int:
        peer = None if to is None else addresses.resolve(to, self.family)
        with self._lock:
            association = self._direct
            if association is not None and peer is None and not (flags or info.flags or info.lifetime):
                # One more message of the usual kind on a connected socket.
                size = len(data)
                if 0 < size <= self.send_buffer > association.send_buffered and not self._host.closed:
                    try:
                        if association.offer(Message(info.stream_id, info.ppid, data, info.context)):
                            return size
                    except ValueError:
                        raise failure(errno.EINVAL) from None
                    except ConnectionError:
                        raise failure(errno.EPIPE) from None
                    association.push_out(clock())
                    self._sent(association)
                    return size
            self._check_open()
            if self._error:
                raise failure(self.take_error())
            if len(data) > self.send_buffer:
                raise failure(errno.EMSGSIZE)
            ending = info.flags & (c.SCTP_EOF | c.SCTP_ABORT)
            if (
                (self.one_to_one and ending and not self.is_peeled)
                or (not data and not ending)
                or (data and info.flags & c.SCTP_EOF)
                or (info.flags & c.SCTP_ADDR_OVER and peer is None)
                or not ancillary.valid_flags(info.flags)
            ):
                raise failure(errno.EINVAL)
            if info.flags & c.SCTP_SENDALL and not self.one_to_one:
                return self._send_all(data, info, flags)
            if self.is_peeled:
                # Its association is what it is for, whatever the address.
                peer = None
            return self._send_to(self._destination(info, peer), data, info, peer, flags)

    def _destination(self, info: SendInfo, peer: tuple[str, int] | None) -> Association:
        """The association that a message goes to, set up if need be."""
        if self.one_to_one:
            if self._write_closed or (self._listener is not None):
                raise failure(errno.EPIPE)
            for association in self.associations.values():
                if peer is not None and self._find(*peer) is not association:
                    # Linux: the address has to be one of the peer's.
                    raise failure(errno.EADDRNOTAVAIL)
                return association
            if peer is None:
                raise failure(errno.EPIPE)
        elif peer is None:
            association_ = self.associations.get(info.association_id)
            if association_ is None:
                raise failure(errno.EPIPE)
            return association_
        else:
            found = self._find(*peer)
            if found is not None:
                return found
            if info.flags & (c.SCTP_EOF | c.SCTP_ABORT):
                raise failure(errno.EINVAL)
        settings = self.settings
        if info.init is not None:
            settings = settings.copy()
            apply_initmsg(settings, info.init)
        ips = [peer[0], *ancillary.destination_ips(info)]
        if len(set(ips)) < len(ips):
            raise failure(errno.EADDRNOTAVAIL)
        if info.completed(self.preferences).stream_id >= settings.outbound_streams:
            raise failure(errno.EINVAL)
        return self._associate(ips, peer[1], settings)

    def _send_all(self, data: bytes, info: SendInfo, flags: int) -> int:
        """SCTP_SENDALL (RFC 6458 section 5.3.2): to every association of a one-to-many socket."""
        sent = 0
        for association in list(self.associations.values()):
            if association.state is State.ESTABLISHED:
                with contextlib.suppress(BrokenPipeError):
                    # It may end while the call waits for it, which is no reason to leave out those that follow.
                    sent = self._send_to(association, data, info, None, flags)
        return sent

    def _send_to(
        self, association: Association, data: bytes, info: SendInfo, peer: tuple[str, int] | None, flags: int
    ) -> int:
        if info.flags & c.SCTP_ABORT:
            association.abort(data, clock())
            self._host.kick()
            # As in Linux, the reason is no message.
            return 0
        if data:
            info = info.completed(self.preferences_of(association.association_id))
            if self.disable_fragments and len(data) > association.max_payload:
                # RFC 6458 section 8.1.11
                raise failure(errno.EMSGSIZE)
            if info.flags & c.SCTP_PR_SCTP_MASK == c.SCTP_PR_SCTP_PRIO:
                self._has_priorities = True
                self.update_direct()
            wanted = association.send_buffered + len(data) - self.send_buffer
            if self._has_priorities and wanted > 0:
                association.make_room(info.lifetime, wanted, clock())
                self._host.kick()
            if association.send_buffered >= self.send_buffer and not self._write_closed:
                self._await_room(association, flags)
            if self._error:
                raise failure(self.take_error())
            now = clock()
            to_that_address = peer is not None and (self.one_to_one or info.flags & c.SCTP_ADDR_OVER)
            message = info.message(data, now, peer[0] if peer is not None and to_that_address else "")
            try:
                association.send(message, now)
            except ValueError:
                raise failure(errno.EINVAL) from None
            except ConnectionError:
                raise failure(errno.EPIPE) from None
        if info.flags & c.SCTP_EOF:
            association.shutdown(clock())
        self._sent(association)
        return len(data)

    def _sent(self, association: Association) -> None:
        if self._host.endpoint.shared.touched:
            self._host.kick()
        if association.is_held_back:
            self._host.poll()
        if self._readiness is not None and not self.one_to_one:
            self._recount(association.association_id)
        self._refresh()

    def _await_room(self, association: Association, flags: int) -> None:
        """The send buffer is full: wait until a good part of it is free, so that the caller isn't woken for every
        message that is acknowledged. EPIPE: the association is peeled off meanwhile."""

        def is_gone() -> bool:
            return association.association_id not in self.associations

        def has_room() -> bool:
            buffered = association.send_buffered
            if buffered <= self.send_buffer * 3 // 4 or self._write_closed or is_gone():
                return True
            return buffered < self.send_buffer and not association.is_progressing

        self._wait(has_room, self._deadline(flags, self.send_timeout))
        if is_gone() and association.state is not State.CLOSED:
            raise failure(errno.EPIPE)

    # --- receiving ---

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """The next message, or ``bufsize`` bytes of it; the rest is for the next call. ``b""``: the association has
        ended."""
        return self._receive(bufsize, flags)[0]

    def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, addresses.Address | None]:
        """As `recv`, with the peer's address; None: the association has ended."""
        data, _, _, address = self._receive(bufsize, flags)
        return data, address

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        return self.recvfrom_into(buffer, nbytes, flags)[0]

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, addresses.Address | None]:
        view = writable(buffer)
        if nbytes < 0 or nbytes > len(view):
            raise ValueError("nbytes is negative or larger than the buffer")
        data, address = self.recvfrom(nbytes or len(view), flags)
        view[: len(data)] = data
        return len(data), address

    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0
    ) -> tuple[bytes, list[Ancillary], int, addresses.Address | None]:
        """``(data, ancdata, msg_flags, address)``, with SCTP_RCVINFO and SCTP_SNDRCV as subscribed to (RFC 6458
        section 5.3).

        msg_flags: MSG_EOR ends a message, MSG_NOTIFICATION marks a notification, MSG_CTRUNC: ``ancbufsize`` was too
        small.
        """
        data, arrival, msg_flags, address = self._receive(bufsize, flags)
        if arrival is None:
            return data, [], msg_flags, None
        found: list[tuple[int, CStruct]] = []
        if self.wants_nxtinfo:
            found += self._nxtinfo(arrival, peek=bool(flags & MSG_PEEK))
        if isinstance(arrival, MessageReceived):
            if self.wants_rcvinfo:
                found.append((c.SCTP_RCVINFO, ancillary.rcvinfo(arrival, self.context_of(arrival))))
            if self.wants_sndrcvinfo:
                found.append((c.SCTP_SNDRCV, ancillary.sndrcvinfo(arrival, self.context_of(arrival))))
        fitting, truncated = ancillary.fit(found, ancbufsize)
        return data, fitting, msg_flags | (MSG_CTRUNC if truncated else 0), address

    def _nxtinfo(self, arrival: MessageReceived | Notice, *, peek: bool) -> list[tuple[int, CStruct]]:
        """SCTP_NXTINFO of what follows ``arrival``, if anything does; after MSG_PEEK that is still to be read."""
        with self._lock:
            arrivals, offset = self._arrivals.arrivals, self._arrivals.offset
            index = 1 if not peek and arrivals and arrivals[0] is arrival else 0
            if len(arrivals) <= index:
                return []
            following = arrivals[index]
            length = len(following.data) - (offset if index == 0 else 0)
            return [(c.SCTP_NXTINFO, ancillary.nxtinfo(following, length))]

    def recvmsg_into(
        self, buffers: Iterable[Any], ancbufsize: int = 0, flags: int = 0
    ) -> tuple[int, list[Ancillary], int, addresses.Address | None]:
        """As `recvmsg`, into the buffers one after the other."""
        views = [writable(buffer) for buffer in buffers]
        data, ancdata, msg_flags, address = self.recvmsg(sum(len(view) for view in views), ancbufsize, flags)
        rest = data
        for view in views:
            here, rest = rest[: len(view)], rest[len(view) :]
            view[: len(here)] = here
        return len(data), ancdata, msg_flags, address

    def sctp_recvmsg(self, bufsize: int) -> tuple[bytes, addresses.Address | None, structs.SndRcvInfo, int]:
        """``(msg, from_addr, sinfo, msg_flags)`` (RFC 6458 section 9.8).

        ``sinfo`` is all zero unless ``sctp_data_io_event`` was subscribed to, and for a notification.
        """
        data, arrival, msg_flags, address = self._receive(bufsize, 0)
        info = structs.SndRcvInfo()
        if self.wants_sndrcvinfo and isinstance(arrival, MessageReceived):
            info = ancillary.sndrcvinfo(arrival, self.context_of(arrival))
        return data, address, info, msg_flags

    def _receive(
        self, bufsize: int, flags: int
    ) -> tuple[bytes, MessageReceived | Notice | None, int, addresses.Address | None]:
        """Bytes of the first arrival, that arrival (None: end of file), msg_flags, and the peer that it came from: once
        it has been read that one may be forgotten at any time."""
        with self._lock:
            inbox = self._arrivals
            arrivals = inbox.arrivals
            if arrivals and not (flags or inbox.offset or self._host.closed):
                # A whole message, as usual.
                first = arrivals[0]
                if first.__class__ is MessageReceived:
                    data = first.data
                    size = len(data)
                    if size <= bufsize:
                        address = self._peer_addresses[first.association_id]
                        arrivals.popleft()
                        if first.association_id != self._taken_of:
                            self._release_window()
                            self._taken_of = first.association_id
                        self._taken += size
                        if size < MIN_CHARGE:
                            self._taken_padding += MIN_CHARGE - size
                        if not arrivals:
                            self._all_read()
                        elif self._taken + self._taken_padding >= self.settings.receive_buffer >> 3:
                            self._release_window()
                        return data, first, MSG_EOR if first.complete else 0, address
            self._check_open()
            if bufsize < 0:
                raise ValueError("negative buffersize in recv")
            if not arrivals:
                self._await_arrival(flags)
                if not arrivals:
                    return b"", None, 0, None
            peek = bool(flags & MSG_PEEK)
            data, arrival, msg_flags, ends = inbox.read(bufsize, peek=peek)
            id_ = arrival.association_id if isinstance(arrival, MessageReceived) else 0
            address = arrival.address if isinstance(arrival, Notice) else self._peer_addresses[id_]
            if not peek:
                if id_:
                    self._consumed(id_, len(data), len(arrival.data) if ends else 0)
                if not arrivals:
                    self._all_read()
            return data, arrival, msg_flags, address

    def _all_read(self) -> None:
        self._release_window()
        self._refresh()

    def _await_arrival(self, flags: int) -> None:
        """Wait for something to read. Returns without it at the end of file; raises the pending error."""
        if self._listener is not None and self.one_to_one:
            raise failure(errno.ENOTCONN)
        deadline = self._deadline(flags, self.receive_timeout)
        if self.one_to_one and not self.associations and not (self._ended or self._error):
            # Linux: only who would wait is told that it would be in vain.
            raise failure(errno.EAGAIN if deadline == -inf else errno.ENOTCONN)
        self._wait(lambda: bool(self._arrivals or self._ended or self._error), deadline)
        if not self._arrivals and self._error:
            raise failure(self.take_error())

    def _consumed(self, id_: int, size: int, whole: int) -> None:
        """Bytes of an association's message have been read, ``whole`` if that was its last. The association is told
        when
        that may open its window: not for each of many small messages."""
        if id_ != self._taken_of:
            self._release_window()
            self._taken_of = id_
        self._taken += size
        self._taken_padding += padding_of(whole)
        if self._taken + self._taken_padding >= self.settings.receive_buffer // 8:
            self._release_window()

    # --- files ---

    def makefile(self, mode: str = "r", buffering: int | None = None, **text: Any) -> Any:
        """A file over the messages, as `socket.socket.makefile`; boundaries of messages are lost in it."""
        return make_file(self, mode, buffering, text)
