"""The blocking sockets and the asyncio API behind one small set of blocking calls, so that what holds for both is
written once."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from loopback import PATIENCE, Stacks, loopback, subscribe
from loops import AioStacks, LoopThread

from pysctpstack import SctpSocket, Stack, aio, structs
from pysctpstack import constants as c
from pysctpstack.events import SendFailed


class Received(NamedTuple):
    data: bytes
    stream_id: int
    ppid: int
    unordered: bool


class Failed(NamedTuple):
    """A message that was not delivered."""

    data: bytes
    context: int


class End(Protocol):
    """One end of an association. ``timeout``: seconds, TimeoutError."""

    def send(
        self,
        data: bytes,
        *,
        stream_id: int = 0,
        ppid: int = 0,
        unordered: bool = False,
        lifetime: float = 0.0,
        context: int = 0,
        timeout: float = PATIENCE,
    ) -> None: ...

    def recv(self, timeout: float = PATIENCE) -> Received | None:
        """A whole message; None: the association has ended in order."""

    def shutdown(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...
    def failed(self) -> Failed: ...
    def streams(self) -> tuple[int, int]:
        """Outbound and inbound."""
        ...

    def unread(self) -> int:
        """Bytes received and not taken by the user."""
        ...

    def buffered(self) -> int:
        """Bytes sent and not acknowledged."""
        ...

    @property
    def local(self) -> tuple[str, int]: ...
    @property
    def peer(self) -> tuple[str, int]: ...


class Acceptor(Protocol):
    @property
    def address(self) -> tuple[str, int]: ...
    @property
    def udp_port(self) -> int: ...
    def accept(self) -> End: ...
    def close(self) -> None: ...


class Host(Protocol):
    """One stack."""

    def listen(self, family: int = socket.AF_INET, port: int = 0) -> Acceptor: ...
    def connect(self, address: tuple[str, int], *, timeout: float = PATIENCE) -> End: ...
    def associations(self) -> int:
        """How many have not ended."""
        ...


class Api(Protocol):
    def host(self, **config: Any) -> Host: ...
    def close(self) -> None: ...


# --- the blocking sockets ---


class BlockingEnd:
    def __init__(self, sock: SctpSocket) -> None:
        self.sock = sock
        sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_RECVRCVINFO, 1)
        subscribe(sock, c.SCTP_SEND_FAILED_EVENT)

    def send(
        self,
        data: bytes,
        *,
        stream_id: int = 0,
        ppid: int = 0,
        unordered: bool = False,
        lifetime: float = 0.0,
        context: int = 0,
        timeout: float = PATIENCE,
    ) -> None:
        self.sock.settimeout(timeout)
        self.sock.sctp_sendmsg(
            data,
            ppid=socket.htonl(ppid),
            flags=c.SCTP_UNORDERED if unordered else 0,
            stream_no=stream_id,
            timetolive=int(lifetime * 1_000),
            context=context,
        )

    def recv(self, timeout: float = PATIENCE) -> Received | None:
        self.sock.settimeout(timeout)
        pieces = []
        while True:
            data, ancillary, flags, _ = self.sock.recvmsg(1 << 20, 256)
            if flags & c.MSG_NOTIFICATION:
                continue
            if not data and not flags & socket.MSG_EOR:
                return None
            pieces.append(data)
            if flags & socket.MSG_EOR:
                info = structs.RcvInfo.unpack(ancillary[0][2])
                unordered = bool(info.rcv_flags & c.SCTP_UNORDERED)
                return Received(b"".join(pieces), info.rcv_sid, socket.ntohl(info.rcv_ppid), unordered)

    def shutdown(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()

    def abort(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def failed(self) -> Failed:
        self.sock.settimeout(PATIENCE)
        while True:
            data, _, _, flags = self.sock.sctp_recvmsg(1 << 20)
            if flags & c.MSG_NOTIFICATION:
                found = structs.parse_notification(data)
                if isinstance(found, structs.SendFailedEvent):
                    return Failed(found.ssf_data, found.ssfe_info.snd_context)

    def streams(self) -> tuple[int, int]:
        status = self.sock.getsockopt(c.IPPROTO_SCTP, c.SCTP_STATUS, structs.Status(0))
        return status.sstat_outstrms, status.sstat_instrms

    def unread(self) -> int:
        with self.sock._lock:
            return next(iter(self.sock.associations.values())).statistics().bytes_unread

    def buffered(self) -> int:
        with self.sock._lock:
            return next(iter(self.sock.associations.values())).send_buffered

    @property
    def local(self) -> tuple[str, int]:
        host, port = self.sock.getsockname()[:2]
        return host, port

    @property
    def peer(self) -> tuple[str, int]:
        host, port = self.sock.getpeername()[:2]
        return host, port


class BlockingAcceptor:
    def __init__(self, stack: Stack, family: int, port: int) -> None:
        self.stack = stack
        self.sock = stack.socket(family)
        self.sock.bind((loopback(family), port))
        self.sock.listen()
        self.address: tuple[str, int] = self.sock.getsockname()[:2]

    @property
    def udp_port(self) -> int:
        return self.stack.udp_ports[0]

    def accept(self) -> End:
        return BlockingEnd(self.sock.accept()[0])

    def close(self) -> None:
        self.sock.close()


class BlockingHost:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def listen(self, family: int = socket.AF_INET, port: int = 0) -> Acceptor:
        return BlockingAcceptor(self.stack, family, port)

    def connect(self, address: tuple[str, int], *, timeout: float = PATIENCE) -> End:
        sock = self.stack.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        try:
            sock.settimeout(timeout)
            sock.connect(address)
        except BaseException:
            sock.close()
            raise
        return BlockingEnd(sock)

    def associations(self) -> int:
        return len(self.stack.statistics().associations)


class BlockingApi:
    def __init__(self) -> None:
        self.stacks = Stacks()

    def host(self, **config: Any) -> Host:
        return BlockingHost(self.stacks(**config))

    def close(self) -> None:
        self.stacks.close()


# --- asyncio ---


class AioEnd:
    def __init__(self, loop: LoopThread, association: aio.AsyncAssociation) -> None:
        self.loop = loop
        self.association = association

    def send(
        self,
        data: bytes,
        *,
        stream_id: int = 0,
        ppid: int = 0,
        unordered: bool = False,
        lifetime: float = 0.0,
        context: int = 0,
        timeout: float = PATIENCE,
    ) -> None:
        self.loop(
            self.association.send(
                data,
                stream_id=stream_id,
                ppid=ppid,
                unordered=unordered,
                lifetime=lifetime or None,
                context=context,
                timeout=timeout,
            )
        )

    def recv(self, timeout: float = PATIENCE) -> Received | None:
        message = self.loop(self.association.recv(timeout=timeout))
        if message is None:
            return None
        assert message.complete
        return Received(message.data, message.stream_id, message.ppid, message.unordered)

    def shutdown(self) -> None:
        self.loop.soon(self.association.shutdown)

    def close(self) -> None:
        # As a socket does: it closes in the background.
        self.loop.soon(self.association.end)

    def abort(self) -> None:
        self.loop.soon(self.association.abort)

    def failed(self) -> Failed:
        while True:
            event = self.loop(self.association.events.get(timeout=PATIENCE))
            assert event is not None
            if isinstance(event, SendFailed):
                return Failed(event.data, event.context)

    def streams(self) -> tuple[int, int]:
        return self.association.outbound_streams, self.association.inbound_streams

    def unread(self) -> int:
        return self.loop.soon(self.association.statistics).bytes_unread

    def buffered(self) -> int:
        return self.loop.soon(self.association.statistics).bytes_buffered

    @property
    def local(self) -> tuple[str, int]:
        return self.association.local_address

    @property
    def peer(self) -> tuple[str, int]:
        return self.association.peer_address


class AioAcceptor:
    def __init__(self, loop: LoopThread, stack: aio.Stack, family: int, port: int) -> None:
        self.loop = loop
        self.stack = stack
        self.listener: aio.Listener = loop(stack.listen(loopback(family), port))

    @property
    def address(self) -> tuple[str, int]:
        return self.listener.address

    @property
    def udp_port(self) -> int:
        return self.stack.udp_ports[0]

    def accept(self) -> End:
        return AioEnd(self.loop, self.loop(self.listener.accept(timeout=PATIENCE)))

    def close(self) -> None:
        self.loop.soon(self.listener.close)


class AioHost:
    def __init__(self, loop: LoopThread, stack: aio.Stack) -> None:
        self.loop = loop
        self.stack = stack

    def listen(self, family: int = socket.AF_INET, port: int = 0) -> Acceptor:
        return AioAcceptor(self.loop, self.stack, family, port)

    def connect(self, address: tuple[str, int], *, timeout: float = PATIENCE) -> End:
        return AioEnd(self.loop, self.loop(self.stack.connect(address, timeout=timeout)))

    def associations(self) -> int:
        return len(self.loop.soon(self.stack.statistics).associations)


class AioApi:
    def __init__(self, loop_name: str) -> None:
        self.loop = LoopThread(loop_name)
        self.stacks = AioStacks()

    def host(self, **config: Any) -> Host:
        return AioHost(self.loop, self.stacks(**config))

    def close(self) -> None:
        self.loop(self.stacks.close())
        self.loop.close()


APIS: dict[str, Callable[[], Api]] = {
    "sockets": BlockingApi,
    "asyncio": lambda: AioApi("asyncio"),
    "endpoints": lambda: AioApi("endpoints"),
    "uvloop": lambda: AioApi("uvloop"),
}
