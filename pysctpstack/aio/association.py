"""`AsyncAssociation`: messages in and out of one association, its notifications, and its end."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from pysctpstack.aio.addresses import Address, failure
from pysctpstack.aio.host import Host, end
from pysctpstack.aio.messages import Message, Notifications
from pysctpstack.core import association as core
from pysctpstack.core.rx.reassembly import padding_of
from pysctpstack.core.state import State
from pysctpstack.core.statistics import AssociationStatistics
from pysctpstack.core.tx.send_queue import Message as Outgoing
from pysctpstack.drivers.pump import clock
from pysctpstack.events import (
    AssociationClosed,
    AssociationLost,
    AssociationRestarted,
    Event,
    MessageReceived,
    PartialDeliveryAborted,
    SendFailed,
    ShutdownReceived,
)
from pysctpstack.stack import errno_of

if TYPE_CHECKING:
    from typing_extensions import Self

CLOSE_TIMEOUT: Final = 10.0
MAX_MESSAGE_SIZE: Final = 1 << 24

_SETTING_UP: Final = (State.COOKIE_WAIT, State.COOKIE_ECHOED)


@dataclass(frozen=True)
class Terms:
    """What the user agreed on for an association. ``close_timeout``: seconds. Sizes are bytes."""

    send_buffer: int
    receive_buffer: int
    close_timeout: float = CLOSE_TIMEOUT
    max_message_size: int = MAX_MESSAGE_SIZE


class AsyncAssociation:
    """An SCTP association. Made by `connect`, or taken from a listener or server.

    Every call that waits can be cancelled and takes ``timeout``, in seconds (TimeoutError); either way it has done
    nothing: a message is sent whole or not at all, and none that was received is lost. Any number of tasks may call
    at once. Errors are `OSError` with the errno of the blocking calls: ConnectionResetError when the peer aborted,
    TimeoutError (ETIMEDOUT) when it does not answer, BrokenPipeError to send when either end has closed, EBADF after
    `close`. As an asynchronous iterator it gives messages, until the association has ended.

    Leaving it as a context manager closes it; by an exception, aborts it.
    """

    def __init__(self, host: Host, association: core.Association, terms: Terms) -> None:
        self._host = host
        self._association = association
        self._terms = terms
        self._inbox: deque[MessageReceived | PartialDeliveryAborted] = deque()
        self._pieces: list[MessageReceived] = []
        """The beginning of a message that is too large for the receive buffer."""
        self._pieces_size = 0
        self._taken = self._taken_padding = 0
        """What has been read and not been told to the association."""
        self._error = 0
        self._ended = False
        """The peer will send nothing more."""
        self._over = False
        """There is no association any more."""
        self._write_closed = False
        self._closing = False
        """The user has closed, or half closed."""
        self._closed = False
        self._undelivered = 0
        """Messages that failed after `close`."""
        self._readers = host.line()
        self._senders = host.line()
        self._drainers = host.line()
        self._changes = host.line()
        """Those that wait for it to come up, or to end."""
        self._notifications = Notifications(host.line(), terms.send_buffer)

    def __repr__(self) -> str:
        host, port = self.peer_address
        return f"<{type(self).__name__} {self._association.association_id} {self.state} with {host} port {port}>"

    # --- what it is ---

    @property
    def association_id(self) -> int:
        return self._association.association_id

    @property
    def state(self) -> str:
        """As RFC 9260 section 4 calls it, ``"ESTABLISHED"`` for example."""
        return self._association.state.value

    @property
    def peer_address(self) -> Address:
        """The peer's primary address, and its SCTP port."""
        tcb = self._association.tcb
        return tcb.paths.primary.address, tcb.peer_port

    @property
    def peer_addresses(self) -> list[str]:
        """All addresses of the peer's."""
        return [path.address for path in self._association.tcb.paths]

    @property
    def local_address(self) -> Address:
        tcb = self._association.tcb
        path = tcb.paths.primary
        return path.route.local or self._host.pump.source_address(path.address), tcb.local_port

    @property
    def outbound_streams(self) -> int:
        """Streams to send on: 0 to one less."""
        return self._association.tcb.sender.outbound_streams

    @property
    def inbound_streams(self) -> int:
        return self._association.tcb.receiver.inbound_streams

    @property
    def send_buffer(self) -> int:
        """Bytes that may be queued or unacknowledged before `send` waits; the size of the largest message."""
        return self._terms.send_buffer

    @property
    def events(self) -> Notifications:
        """What happens besides messages: addresses that fail and come back, messages that could not be delivered, the
        peer's errors, and the end. Nobody has to read it."""
        return self._notifications

    def statistics(self) -> AssociationStatistics:
        """A snapshot of the association and its paths; also after its end."""
        return self._association.statistics()

    # --- what happens (called by the host) ---

    def on_messages(self, messages: Sequence[MessageReceived]) -> None:
        if self._closed:
            # Nobody will read them, and the peer, which has not heard of the end, goes on.
            for message in messages:
                self._association.consumed(len(message.data), clock())
            return
        self._inbox.extend(messages)

    def on_event(self, event: Event) -> None:
        if isinstance(event, (AssociationLost, AssociationClosed)):
            if isinstance(event, AssociationLost):
                self._error = errno_of(event)
            self._over = self._ended = self._write_closed = True
        elif isinstance(event, ShutdownReceived):
            self._ended = self._write_closed = True
        elif isinstance(event, AssociationRestarted):
            # RFC 9260 section 5.2.4, A: it is ESTABLISHED again, whatever was going on.
            self._ended = False
            self._write_closed = self._closing
            if self._closing:
                self._association.shutdown(clock())
        elif isinstance(event, PartialDeliveryAborted):
            if not self._closed:
                self._inbox.append(event)
        elif isinstance(event, SendFailed) and self._closed:
            self._undelivered += 1
        self._notifications.put(event)

    def wake(self) -> None:
        self._readers.wake()
        self._senders.wake()
        self._drainers.wake()
        self._changes.wake()
        if self._over:
            # Not at the event: the messages that failed with the association are reported after it.
            self._notifications.end()
        self._notifications.wake()

    # --- setting up (called by `connect`) ---

    async def established(self, timeout: float | None) -> None:
        """Wait until it is up. OSError: it could not be set up."""
        await self._changes.wait(lambda: self._over or self._association.state not in _SETTING_UP, timeout)
        if self._error:
            raise failure(self._error)
        self._check_open()

    def _check_open(self) -> None:
        if self._closed or self._host.closed:
            raise failure(errno.EBADF)

    # --- sending ---

    async def send(
        self,
        data: Any,
        *,
        stream_id: int = 0,
        ppid: int = 0,
        unordered: bool = False,
        lifetime: float | None = None,
        context: int = 0,
        sack_immediately: bool = False,
        destination: str = "",
        timeout: float | None = None,
    ) -> None:
        """Queue one message, once there is room in the send buffer (back pressure).

        ``data``: bytes or anything with a buffer. ``ppid``: the number that shall be on the wire. ``lifetime``: seconds
        after which the message is given up (RFC 3758). ``context``: comes back with the notification of a failure.
        ``sack_immediately``: ask the peer to acknowledge at once (RFC 7053). ``destination``: one of the peer's
        addresses, instead of the primary one. EMSGSIZE: larger than the send buffer; EINVAL: empty, no such stream, no
        such address, or a ppid or context of more than 32 bits; EPIPE: either end has closed.
        """
        if not isinstance(data, bytes):
            data = bytes(memoryview(data))
        self._check_sending()
        association = self._association
        if len(data) > self._terms.send_buffer:
            raise failure(errno.EMSGSIZE)
        if destination and destination not in association.tcb.paths.by_address:
            raise failure(errno.EINVAL)
        if not 0 <= context <= 0xFFFFFFFF:
            raise failure(errno.EINVAL)
        if self._senders or association.send_buffered >= self._terms.send_buffer:
            await self._senders.wait(self._can_send, timeout)
            self._check_sending()
        if unordered or sack_immediately or destination or lifetime is not None:
            message = Outgoing(
                stream_id,
                ppid,
                data,
                context,
                unordered=unordered,
                sack_immediately=sack_immediately,
                expires_at=inf if lifetime is None else clock() + lifetime,
                destination=destination,
            )
        else:
            message = Outgoing(stream_id, ppid, data, context)
        try:
            if association.offer(message):
                # It leaves with more of its kind, or when an acknowledgement comes.
                return
        except ValueError:
            raise failure(errno.EINVAL) from None
        except ConnectionError:
            raise failure(errno.EPIPE) from None
        association.push_out(clock())
        if self._host.endpoint.shared.touched:
            self._host.driver.kick()

    def _check_sending(self) -> None:
        if self._write_closed or self._closed:
            self._check_open()
            raise failure(self._error or errno.EPIPE)

    def _can_send(self) -> bool:
        """When a task that waits for room may go on: not for every message that is acknowledged."""
        if self._write_closed or self._closed:
            return True
        association, size = self._association, self._terms.send_buffer
        buffered = association.send_buffered
        return buffered <= size * 3 // 4 or (buffered < size and not association.is_progressing)

    async def drain(self, *, timeout: float | None = None) -> None:
        """Wait until the peer has acknowledged, or the stack given up, all that was sent. OSError: the association was
        lost before."""
        self._check_open()
        await self._drainers.wait(lambda: not self._association.send_buffered or self._over, timeout)
        if self._error:
            raise failure(self._error)

    def shutdown(self) -> None:
        """Send nothing more: what was sent is delivered, and the association ends. Until then messages of the peer's
        can be received."""
        self._check_open()
        if not self._write_closed:
            self._write_closed = self._closing = True
            self._association.shutdown(clock())
            self._host.driver.flush()
            self._senders.wake()

    # --- receiving ---

    async def recv(self, *, timeout: float | None = None) -> Message | None:
        """The next message, whole; None: the association has ended in order, and there is none.

        One that is larger than the receive buffer is put together from its pieces as they come. EMSGSIZE: it would
        become larger than ``max_message_size``; it stays, to be read with `recv_piece`.
        """
        inbox = self._inbox
        deadline = None if timeout is None else clock() + timeout
        while True:
            if not inbox or self._readers:
                await self._readers.wait(self._can_read, None if deadline is None else deadline - clock())
            if not inbox:
                self._check_end()
                return None
            event = inbox[0]
            if isinstance(event, MessageReceived) and event.complete and not self._pieces:
                return self._take(event)
            message = self._put_together()
            if message is not None:
                return message

    def _can_read(self) -> bool:
        return bool(self._inbox) or self._ended or self._closed

    def _put_together(self) -> Message | None:
        """The first message of the inbox, if its last piece is there."""
        inbox, pieces = self._inbox, self._pieces
        while inbox:
            event = inbox[0]
            if isinstance(event, PartialDeliveryAborted):
                inbox.popleft()
                self._forget_pieces()
                continue
            if event.complete and not pieces:
                return self._take(event)
            if self._pieces_size + len(event.data) > self._terms.max_message_size:
                raise failure(errno.EMSGSIZE)
            pieces.append(event)
            self._pieces_size += len(event.data)
            last = self._take(event)
            if event.complete:
                first = pieces[0]
                data = b"".join([piece.data for piece in pieces])
                self._forget_pieces()
                return Message(
                    data, first.stream_id, first.ppid, first.unordered, first.ssn, first.tsn, last.cumulative_tsn
                )
        return None

    def _forget_pieces(self) -> None:
        self._pieces.clear()
        self._pieces_size = 0

    async def recv_piece(self, *, timeout: float | None = None) -> Message | None:
        """The next message, or (``complete`` is false) as much of it as there is: for those that are too large to be
        kept whole (RFC 6458 section 6.1.7). None: as `recv`. EBADMSG: the rest of the one that was begun will not
        come."""
        if self._pieces:
            piece = self._pieces.pop(0)
            self._pieces_size -= len(piece.data)
            return _message(piece)
        if not self._inbox or self._readers:
            await self._readers.wait(self._can_read, timeout)
        if not self._inbox:
            self._check_end()
            return None
        event = self._inbox[0]
        if isinstance(event, PartialDeliveryAborted):
            self._inbox.popleft()
            raise failure(errno.EBADMSG)
        return self._take(event)

    def _check_end(self) -> None:
        """Nothing is there, nor will be: why."""
        self._check_open()
        if self._error:
            raise failure(self._error)

    def _take(self, event: MessageReceived) -> Message:
        """Take a message from the inbox. The association is told when that may open its window: not for each of many
        small ones."""
        self._inbox.popleft()
        size = len(event.data)
        self._taken += size
        self._taken_padding += padding_of(size)
        if not self._inbox or self._taken + self._taken_padding >= self._terms.receive_buffer >> 3:
            self._association.released(self._taken, self._taken_padding, clock())
            self._taken = self._taken_padding = 0
            if self._host.endpoint.shared.touched and not self._host.closed:
                self._host.driver.kick()
        return _message(event)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        message = await self.recv()
        if message is None:
            raise StopAsyncIteration
        return message

    # --- ending ---

    async def close(self, *, timeout: float | None = None) -> None:
        """Close in order and wait for the end: what was sent is delivered. May be called again.

        Messages that nobody has read make it abort instead, as the blocking sockets do, so that the peer learns of it.
        After ``timeout`` seconds (None: ``close_timeout``) the association is aborted: TimeoutError. Cancelled, it
        goes on closing in the background. OSError: the association was lost meanwhile, and messages with it.
        """
        self.end()
        if not self._over:
            try:
                await self._changes.wait(lambda: self._over, self._terms.close_timeout if timeout is None else timeout)
            except TimeoutError:
                self.abort(b"the shutdown takes too long")
                raise
        if self._undelivered and self._error not in (0, errno.ECONNABORTED):
            self._undelivered = 0
            raise failure(self._error)

    def end(self) -> None:
        """Begin to close, as `close` does, without waiting for the end."""
        if self._closed:
            return
        self._closed = self._closing = True
        unread = bool(self._inbox or self._pieces)
        self._inbox.clear()
        self._forget_pieces()
        if not self._over:
            end(self._association, unread=unread)
            self._host.driver.flush()
        self.wake()

    def abort(self, reason: bytes = b"") -> None:
        """End at once: what is under way is lost. ``reason``: for the peer, as much of it as a packet holds."""
        self._closed = self._closing = True
        self._inbox.clear()
        self._forget_pieces()
        if not self._over:
            self._association.abort(reason, clock())
            self._host.driver.flush()
        self.wake()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.close()
        else:
            self.abort()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True) and not self._over:
            self._host.end_later(self._association.association_id, bool(self._inbox or self._pieces))


def _message(event: MessageReceived) -> Message:
    return Message(
        event.data,
        event.stream_id,
        event.ppid,
        event.unordered,
        event.ssn,
        event.tsn,
        event.cumulative_tsn,
        event.complete,
    )
