"""One end of an association, the same to a play whatever stack it is on: pysctpstack, the kernel, or usrsctp.

pysctpstack and the kernel share `SocketEnd`: both take the bytes of Linux's structs (RFC 6458 section 8), which is a
part of what is shown. usrsctp is in `usrsctp_end`.
"""

from __future__ import annotations

import abc
import dataclasses
import errno
import importlib
import socket as standard_socket
import struct
from dataclasses import dataclass
from typing import Any

SOL_SCTP = 132
BUFFER_SIZE = 256 * 1024
CLOSING = 5.0  # seconds that a stack in this process has for the end of its associations
WILDCARD = {standard_socket.AF_INET: "", standard_socket.AF_INET6: "::"}


@dataclass(frozen=True)
class Settings:
    """What an end is told. Times are milliseconds; 0 and "" leave the stack's own value."""

    role: str = ""  # client, server, or both: connects to a peer that connects too
    local: str = ""
    second: str = ""  # a second address of this end's
    peer: str = ""
    port: int = 0  # the server's
    client_port: int = 0
    local_udp: int = 0
    remote_udp: int = 0
    streams: int = 3
    most_inbound: int = 0  # as `streams`
    adaptation: int = 0  # Adaptation Layer Indication (RFC 5061 section 4.2.6)
    send_buffer: int = 0
    receive_buffer: int = 0
    rto: int = 0  # initial and least; at most twice as much
    retransmissions: int = 0  # Association.Max.Retrans
    heartbeat: int = 0
    lingers: bool = True  # False: the end of the process is an ABORT
    leads: bool = False  # of two ends that play the same part, this one ends the association
    many: bool = False  # a one-to-many socket, where a stack's one-to-one socket has no SCTP_ABORT
    stays: bool = False  # after the end, until SIGTERM
    seconds: float = 3.0  # how long something lasts that could last for ever

    @property
    def family(self) -> standard_socket.AddressFamily:
        """AF_INET or AF_INET6, as the local address is."""
        return standard_socket.AF_INET6 if ":" in self.local else standard_socket.AF_INET

    def arguments(self) -> list[str]:
        """Return the options of a command line that say the same."""
        return [f"{entry.name}={getattr(self, entry.name)}" for entry in dataclasses.fields(self)]

    @classmethod
    def parse(cls, arguments: list[str]) -> Settings:
        """Read what `arguments` wrote; ValueError for anything else."""
        kinds: dict[str, type[Any]] = {name: type(value) for name, value in dataclasses.asdict(cls()).items()}
        values: dict[str, Any] = {}
        for argument in arguments:
            name, _, text = argument.partition("=")
            if name not in kinds:
                raise ValueError(f"no setting is called {name!r}")
            values[name] = text == "True" if kinds[name] is bool else kinds[name](text)
        return cls(**values)


@dataclass(frozen=True)
class Message:
    """A message; the PPID as the number on the wire."""

    data: bytes
    sid: int
    ppid: int
    unordered: bool


@dataclass(frozen=True)
class Change:
    """SCTP_ASSOC_CHANGE; `cause` and `reason` are those of the ABORT chunk that it holds, or -1."""

    state: str
    outbound: int
    inbound: int
    cause: int = -1
    reason: bytes = b""


@dataclass(frozen=True)
class Adaptation:
    """SCTP_ADAPTATION_INDICATION."""

    indication: int


@dataclass(frozen=True)
class Other:
    """A notification that no play asks for."""

    kind: int


Event = Message | Change | Adaptation | Other
STATES = {0: "COMM_UP", 1: "COMM_LOST", 2: "RESTART", 3: "SHUTDOWN_COMP", 4: "CANT_STR_ASSOC"}  # Linux's numbers


def change_of(state: str, outbound: int, inbound: int, causes: bytes) -> Change:
    """Return a Change with the first of the error causes of an ABORT, if there are any."""
    if state == "COMM_LOST" and len(causes) >= 4:
        cause, length = struct.unpack_from("!HH", causes)
        return Change(state, outbound, inbound, cause, causes[4:length])
    return Change(state, outbound, inbound)


class End(abc.ABC):
    """One end. Errors are OSErrors; `receive` returns None at the end of file."""

    settings: Settings
    ends_silently = False
    """After a shutdown of its own the stack reports SCTP_SHUTDOWN_COMP, and then no end of file."""

    @abc.abstractmethod
    def listen(self) -> None:
        """Begin to listen."""

    @abc.abstractmethod
    def accept(self) -> None:
        """Become the end of the association that comes first."""

    @abc.abstractmethod
    def connect(self) -> None:
        """Set up the association."""

    @abc.abstractmethod
    def send(self, message: Message, lifetime: int = 0) -> None:
        """Send a message, which lives for so many milliseconds (RFC 3758), 0 for ever."""

    @abc.abstractmethod
    def receive(self) -> Event | None:
        """Return what comes next."""

    @abc.abstractmethod
    def shutdown(self) -> None:
        """Send no more: the graceful end."""

    @abc.abstractmethod
    def abort(self, reason: bytes) -> None:
        """Send ABORT with a User Initiated Abort cause (RFC 9260 section 3.3.10.12)."""

    @abc.abstractmethod
    def close(self) -> None:
        """Give the socket up, and wait for what the stack has still to do."""


class SocketEnd(End):
    """An end on a module that is like the standard `socket`, with Linux's numbers and structs."""

    _RTOINFO, _ASSOCINFO, _INITMSG, _ADAPTATION_LAYER, _PADDRPARAMS = 0, 1, 2, 7, 9
    _RECVRCVINFO, _EVENT, _UDP_ENCAPS = 32, 127, 132
    _SNDINFO, _RCVINFO, _PRINFO = 2, 3, 5
    _UNORDERED, _ABORT, _PR_TTL, _HB_ENABLE = 0x1, 0x4, 0x10, 0x1
    _ASSOC_CHANGE, _SHUTDOWN_EVENT, _ADAPTATION = 0x8001, 0x8005, 0x8007
    _MSG_NOTIFICATION = 0x8000
    _SNDBUFFORCE, _RCVBUFFORCE = 32, 33

    def __init__(self, settings: Settings, kind: str) -> None:
        self.settings = settings
        self.ends_silently = kind == "kernel"
        self._stack: Any = None
        self._listener: Any = None
        self._target: Any = None  # one-to-many: the peer's address
        self._buffer = bytearray(BUFFER_SIZE)
        style = standard_socket.SOCK_SEQPACKET if settings.many else standard_socket.SOCK_STREAM
        if kind == "kernel":
            self._sock: Any = standard_socket.socket(settings.family, style, SOL_SCTP)
            if settings.role != "server":
                self._set_remote_udp_port()
        else:
            package = importlib.import_module("pysctpstack")
            config = package.Config(
                udp_port=settings.local_udp,
                remote_udp_port=settings.remote_udp,
                multihome=bool(settings.second),
            )
            self._stack = package.Stack(config)
            self._sock = self._stack.socket(settings.family, style)
        self._configure(kind)
        port = settings.client_port if settings.role == "client" else settings.port
        address = WILDCARD[settings.family] if self._stack and settings.second else settings.local
        self._sock.bind((address, port))

    def _set_remote_udp_port(self) -> None:
        # struct sctp_udpencaps, aligned to 8. For an association to come Linux wants the wildcard address.
        anyone = struct.pack("=H126x", self.settings.family)
        option = struct.pack("=i4x", 0) + anyone + struct.pack("!H6x", self.settings.remote_udp)
        self._sock.setsockopt(SOL_SCTP, self._UDP_ENCAPS, option)

    def _configure(self, kind: str) -> None:
        sock, settings = self._sock, self.settings
        inbound = settings.most_inbound or settings.streams
        options = {
            self._INITMSG: struct.pack("=HHHH", settings.streams, inbound, 0, 0),
            self._RECVRCVINFO: struct.pack("=i", 1),
        }
        if settings.rto:
            options[self._RTOINFO] = struct.pack("=iIII", 0, settings.rto, 2 * settings.rto, settings.rto)
        if settings.retransmissions:
            options[self._ASSOCINFO] = struct.pack("=iHHIII", 0, settings.retransmissions, 0, 0, 0, 0)
        if settings.heartbeat:
            options[self._PADDRPARAMS] = struct.pack(
                "=i128xIHIIIIB1x", 0, settings.heartbeat, 0, 0, 0, self._HB_ENABLE, 0, 0
            )
        if settings.adaptation:
            options[self._ADAPTATION_LAYER] = struct.pack("=I", settings.adaptation)
        for name, value in options.items():
            sock.setsockopt(SOL_SCTP, name, value)
        for event in (self._ASSOC_CHANGE, self._SHUTDOWN_EVENT, self._ADAPTATION):
            sock.setsockopt(SOL_SCTP, self._EVENT, struct.pack("=iHBx", 0, event, 1))
        level = standard_socket.SOL_SOCKET
        if not settings.lingers:
            sock.setsockopt(level, standard_socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Linux doubles what it is told, and limits it without the -FORCE (it charges the overhead of each packet).
        forced = kind == "kernel"
        if settings.send_buffer:
            name = self._SNDBUFFORCE if forced else standard_socket.SO_SNDBUF
            sock.setsockopt(level, name, settings.send_buffer)
        if settings.receive_buffer:
            name = self._RCVBUFFORCE if forced else standard_socket.SO_RCVBUF
            sock.setsockopt(level, name, settings.receive_buffer)

    def listen(self) -> None:
        self._sock.listen(1)

    def accept(self) -> None:
        if not self.settings.many:
            self._listener = self._sock
            self._sock, _address = self._listener.accept()

    def connect(self) -> None:
        self._target = (self.settings.peer, self.settings.port)
        self._sock.connect(self._target)

    def send(self, message: Message, lifetime: int = 0) -> None:
        self._send(message, self._UNORDERED if message.unordered else 0, lifetime)

    def _send(self, message: Message, flags: int, lifetime: int = 0) -> None:
        info = struct.pack("=HHIIi", message.sid, flags, standard_socket.htonl(message.ppid), 0, 0)
        ancillary = [(SOL_SCTP, self._SNDINFO, info)]
        if lifetime:
            ancillary.append((SOL_SCTP, self._PRINFO, struct.pack("=HxxI", self._PR_TTL, lifetime)))
        if self.settings.many:
            self._sock.sendmsg([message.data], ancillary, 0, self._target)
        else:
            self._sock.sendmsg([message.data], ancillary)

    def receive(self) -> Event | None:
        data = b""
        while True:
            count, ancillary, flags, address = self._sock.recvmsg_into([self._buffer], 256)
            if count == 0 and not flags & standard_socket.MSG_EOR:
                return None
            data += self._buffer[:count]
            if flags & standard_socket.MSG_EOR:
                break
        if flags & self._MSG_NOTIFICATION:
            return self._notification(data)
        if self.settings.many and self._target is None:
            self._target = address
        info = next(value for _level, kind, value in ancillary if kind == self._RCVINFO)
        sid, _ssn, info_flags, ppid = struct.unpack_from("=HHHxxI", info)
        return Message(data, sid, standard_socket.ntohl(ppid), bool(info_flags & self._UNORDERED))

    def _notification(self, data: bytes) -> Event:
        (kind,) = struct.unpack_from("=H", data)
        if kind == self._ASSOC_CHANGE:
            state, _error, outbound, inbound = struct.unpack_from("=HHHH", data, 8)
            return change_of(STATES[state], outbound, inbound, data[20:])
        if kind == self._ADAPTATION:
            return Adaptation(struct.unpack_from("=I", data, 8)[0])
        return Other(kind)

    def shutdown(self) -> None:
        self._sock.shutdown(standard_socket.SHUT_WR)

    def abort(self, reason: bytes) -> None:
        self._send(Message(reason, 0, 0, False), self._ABORT)

    def close(self) -> None:
        for sock in (self._sock, self._listener):
            if sock is not None:
                sock.close()
        if self._stack is not None:
            self._stack.close(CLOSING)


def open_end(kind: str, settings: Settings) -> End:
    """Return an end on "pysctpstack", "kernel" or "usrsctp", bound."""
    if kind == "usrsctp":
        module = importlib.import_module("interop.peers.usrsctp_end")
        end: End = module.UsrsctpEnd(settings)
        return end
    return SocketEnd(settings, kind)


def is_end(error: OSError) -> bool:
    """Whether an error says that the association is over, rather than that a call is wrong."""
    # ESRCH: Linux, to a send after an ABORT.
    ends = (errno.ECONNRESET, errno.ECONNABORTED, errno.ETIMEDOUT, errno.EPIPE, errno.ESHUTDOWN, errno.ESRCH)
    return error.errno in ends
