"""Chunks: one dataclass for each type of RFC 9260, and `decode_chunk` for those of the extensions too.

Each has its ``type``, ``encode()`` for the whole padded chunk, and ``decode(flags, value)``, where the value
is without header and padding. Wrong lengths and broken structure are PacketErrors (``bad_chunk_length``, and
what parameters and causes raise); whether the values make sense is for the core to judge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from struct import Struct
from typing import ClassVar, TypeAlias

from pysctpstack.errors import PacketError
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import data as data_chunk
from pysctpstack.wire import sack as sack_chunk
from pysctpstack.wire import tlv
from pysctpstack.wire.causes import Cause, decode_causes
from pysctpstack.wire.extension_chunks import (
    Asconf,
    AsconfAck,
    Auth,
    ForwardTsn,
    IData,
    IForwardTsn,
    Pad,
    ReConfig,
)
from pysctpstack.wire.params import HeartbeatInfo, Parameter, decode_parameters

_U32 = Struct("!I")
_INIT = Struct("!IIHHI")


@dataclass(slots=True)
class Data:
    """User data (RFC 9260 section 3.3.1). ``ppid`` is the number on the wire; an empty payload decodes."""

    type: ClassVar[int] = cp.DATA

    tsn: int
    stream_id: int
    ssn: int
    ppid: int
    payload: bytes
    flags: int = cp.DATA_FLAG_B | cp.DATA_FLAG_E

    @property
    def beginning(self) -> bool:
        """The B bit: the first fragment of a message."""
        return bool(self.flags & cp.DATA_FLAG_B)

    @property
    def ending(self) -> bool:
        """The E bit: the last fragment of a message."""
        return bool(self.flags & cp.DATA_FLAG_E)

    @property
    def unordered(self) -> bool:
        """The U bit."""
        return bool(self.flags & cp.DATA_FLAG_U)

    @property
    def immediate(self) -> bool:
        """The I bit: the sender would like its SACK at once."""
        return bool(self.flags & cp.DATA_FLAG_I)

    def encode(self) -> bytes:
        """The whole chunk, padded; the TSN and SSN may be unwrapped."""
        length = len(self.payload)
        if length > 0xFFFF - data_chunk.HEADER_SIZE:
            raise ValueError(f"{length} bytes of user data do not fit into a DATA chunk")
        header = data_chunk.encode_header(self.flags, length, self.tsn, self.stream_id, self.ssn, self.ppid)
        return b"".join((header, self.payload, data_chunk.PADDING[length & 3]))

    @classmethod
    def decode(cls, flags: int, value: bytes) -> Data:
        """From the chunk's flags and value."""
        tlv.require(value, 12, "bad_chunk_length")
        tsn, stream_id, ssn, ppid = data_chunk.FIELDS.unpack_from(value)
        return cls(tsn, stream_id, ssn, ppid, value[12:], flags)


@dataclass(slots=True)
class Init:
    """Asks for an association (RFC 9260 section 3.3.2)."""

    type: ClassVar[int] = cp.INIT

    initiate_tag: int
    a_rwnd: int
    outbound_streams: int
    inbound_streams: int
    initial_tsn: int
    parameters: list[Parameter] = field(default_factory=list)

    def encode(self) -> bytes:
        """The whole chunk, padded."""
        return tlv.encode_chunk(cp.INIT, 0, _init_value(self))

    @classmethod
    def decode(cls, _flags: int, value: bytes) -> Init:
        """From the chunk's flags (ignored) and value."""
        tlv.require(value, 16, "bad_chunk_length")
        tag, a_rwnd, outbound, inbound, tsn = _INIT.unpack_from(value)
        return cls(tag, a_rwnd, outbound, inbound, tsn, decode_parameters(value, 16, len(value)))


@dataclass(slots=True)
class InitAck:
    """Answers an INIT (RFC 9260 section 3.3.3)."""

    type: ClassVar[int] = cp.INIT_ACK

    initiate_tag: int
    a_rwnd: int
    outbound_streams: int
    inbound_streams: int
    initial_tsn: int
    parameters: list[Parameter] = field(default_factory=list)

    def encode(self) -> bytes:
        """The whole chunk, padded."""
        return tlv.encode_chunk(cp.INIT_ACK, 0, _init_value(self))

    @classmethod
    def decode(cls, _flags: int, value: bytes) -> InitAck:
        """From the chunk's flags (ignored) and value."""
        tlv.require(value, 16, "bad_chunk_length")
        tag, a_rwnd, outbound, inbound, tsn = _INIT.unpack_from(value)
        return cls(tag, a_rwnd, outbound, inbound, tsn, decode_parameters(value, 16, len(value)))


def _init_value(chunk: Init | InitAck) -> bytes:
    fixed = _INIT.pack(
        chunk.initiate_tag,
        chunk.a_rwnd,
        chunk.outbound_streams,
        chunk.inbound_streams,
        chunk.initial_tsn & 0xFFFFFFFF,
    )
    return fixed + tlv.join([parameter.encode() for parameter in chunk.parameters])


@dataclass(slots=True)
class Sack:
    """Acknowledges DATA chunks (RFC 9260 section 3.3.4); shapes as in `pysctpstack.wire.sack`."""

    type: ClassVar[int] = cp.SACK

    cumulative_tsn: int
    a_rwnd: int
    gaps: tuple[tuple[int, int], ...] = ()
    duplicates: tuple[int, ...] = ()

    def encode(self) -> bytes:
        """The whole chunk."""
        return sack_chunk.encode(self.cumulative_tsn, self.a_rwnd, self.gaps, self.duplicates)

    @classmethod
    def decode(cls, _flags: int, value: bytes) -> Sack:
        """From the chunk's flags (ignored) and value; PacketError ``bad_sack``."""
        return cls(*sack_chunk.decode(value, 0, len(value)))


@dataclass(slots=True)
class Heartbeat:
    """Probes a path (RFC 9260 section 3.3.5). ``info`` is the value of the Heartbeat Info parameter."""

    type: ClassVar[int] = cp.HEARTBEAT

    info: bytes

    def encode(self) -> bytes:
        """The whole chunk, padded."""
        return tlv.encode_chunk(cp.HEARTBEAT, 0, tlv.join([HeartbeatInfo(self.info).encode()]))

    @classmethod
    def decode(cls, _flags: int, value: bytes) -> Heartbeat:
        """From the chunk's flags (ignored) and value; PacketError ``missing_heartbeat_info``."""
        return cls(_heartbeat_info(value))


@dataclass(slots=True)
class HeartbeatAck:
    """Brings a HEARTBEAT's info back (RFC 9260 section 3.3.6)."""

    type: ClassVar[int] = cp.HEARTBEAT_ACK

    info: bytes

    def encode(self) -> bytes:
        """The whole chunk, padded."""
        return tlv.encode_chunk(cp.HEARTBEAT_ACK, 0, tlv.join([HeartbeatInfo(self.info).encode()]))

    @classmethod
    def decode(cls, _flags: int, value: bytes) -> HeartbeatAck:
        """From the chunk's flags (ignored) and value; PacketError ``missing_heartbeat_info``."""
        return cls(_heartbeat_info(value))


def _heartbeat_info(value: bytes) -> bytes:
    for type_, start, end in tlv.walk(value, 0, len(value)):
        if type_ == cp.PARAM_HEARTBEAT_INFO:
            return value[start:end]
    raise PacketError("missing_heartbeat_info", f"none in {len(value)} bytes")


@dataclass(slots=True)
class Abort:
    """Ends an association at once (RFC 9260 section 3.3.7). ``reflected`` is the T bit."""

    type: ClassVar[int] = cp.ABORT

    causes: list[Cause] = field(default_factory=list)
    reflected: bool = False

    def encode(self) -> bytes:
        """The whole chunk, padded."""
        causes = tlv.join([cause.encode() for cause in self.causes])
        return tlv.encode_chunk(cp.ABORT, cp.FLAG_T if self.reflected else 0, causes)

    @classmethod
    def decode(cls, flags: int, value: bytes) -> Abort:
        """From the chunk's flags and value."""
        return cls(decode_causes(value, 0, len(value)), bool(flags & cp.FLAG_T))


@dataclass(slots=True)
class Shutdown:
    """Starts a graceful close (RFC 9260 section 3.3.8)."""

    type: ClassVar[int] = cp.SHUTDOWN

    cumulative_tsn: int

    def encode(self) -> bytes:
        """The whole chunk; the TSN may be unwrapped."""
        return tlv.encode_chunk(cp.SHUTDOWN, 0, _U32.pack(self.cumulative_tsn & 0xFFFFFFFF))

    @classmethod
    def decode(cls, _flags: int, value: bytes) -> Shutdown:
        """From the chunk's flags (ignored) and value."""
        return cls(*tlv.unpack_all(_U32, value, "bad_chunk_length"))


@dataclass(slots=True)
class ShutdownAck:
    """Acknowledges a SHUTDOWN (RFC 9260 section 3.3.9)."""

    type: ClassVar[int] = cp.SHUTDOWN_ACK

    def encode(self) -> bytes:
        """The whole chunk."""
        return tlv.encode_chunk(cp.SHUTDOWN_ACK, 0, b"")

    @classmethod
    def decode(cls, _flags: int, value: bytes) -> ShutdownAck:
        """From the chunk's flags (ignored) and value."""
        tlv.require_empty(value, "bad_chunk_length")
        return cls()


@dataclass(slots=True)
class Error:
    """Reports errors that do not end the association (RFC 9260 section 3.3.10)."""

    type: ClassVar[int] = cp.ERROR

    causes: list[Cause] = field(default_factory=list)

    def encode(self) -> bytes:
        """The whole chunk, padded."""
        return tlv.encode_chunk(cp.ERROR, 0, tlv.join([cause.encode() for cause in self.causes]))

    @classmethod
    def decode(cls, _flags: int, value: bytes) -> Error:
        """From the chunk's flags (ignored) and value."""
        return cls(decode_causes(value, 0, len(value)))


@dataclass(slots=True)
class CookieEcho:
    """Returns the State Cookie (RFC 9260 section 3.3.11)."""

    type: ClassVar[int] = cp.COOKIE_ECHO

    cookie: bytes

    def encode(self) -> bytes:
        """The whole chunk, padded."""
        return tlv.encode_chunk(cp.COOKIE_ECHO, 0, self.cookie)

    @classmethod
    def decode(cls, _flags: int, value: bytes) -> CookieEcho:
        """From the chunk's flags (ignored) and value."""
        return cls(value)


@dataclass(slots=True)
class CookieAck:
    """Acknowledges a COOKIE ECHO (RFC 9260 section 3.3.12)."""

    type: ClassVar[int] = cp.COOKIE_ACK

    def encode(self) -> bytes:
        """The whole chunk."""
        return tlv.encode_chunk(cp.COOKIE_ACK, 0, b"")

    @classmethod
    def decode(cls, _flags: int, value: bytes) -> CookieAck:
        """From the chunk's flags (ignored) and value."""
        tlv.require_empty(value, "bad_chunk_length")
        return cls()


@dataclass(slots=True)
class Ecne:
    """Reserved for an Explicit Congestion Notification Echo (RFC 4960 Appendix A.1)."""

    type: ClassVar[int] = cp.ECNE

    lowest_tsn: int

    def encode(self) -> bytes:
        """The whole chunk; the TSN may be unwrapped."""
        return tlv.encode_chunk(cp.ECNE, 0, _U32.pack(self.lowest_tsn & 0xFFFFFFFF))

    @classmethod
    def decode(cls, _flags: int, value: bytes) -> Ecne:
        """From the chunk's flags (ignored) and value."""
        return cls(*tlv.unpack_all(_U32, value, "bad_chunk_length"))


@dataclass(slots=True)
class Cwr:
    """Reserved for Congestion Window Reduced (RFC 4960 Appendix A.2)."""

    type: ClassVar[int] = cp.CWR

    lowest_tsn: int

    def encode(self) -> bytes:
        """The whole chunk; the TSN may be unwrapped."""
        return tlv.encode_chunk(cp.CWR, 0, _U32.pack(self.lowest_tsn & 0xFFFFFFFF))

    @classmethod
    def decode(cls, _flags: int, value: bytes) -> Cwr:
        """From the chunk's flags (ignored) and value."""
        return cls(*tlv.unpack_all(_U32, value, "bad_chunk_length"))


@dataclass(slots=True)
class ShutdownComplete:
    """Ends the shutdown (RFC 9260 section 3.3.13). ``reflected`` is the T bit."""

    type: ClassVar[int] = cp.SHUTDOWN_COMPLETE

    reflected: bool = False

    def encode(self) -> bytes:
        """The whole chunk."""
        return tlv.encode_chunk(cp.SHUTDOWN_COMPLETE, cp.FLAG_T if self.reflected else 0, b"")

    @classmethod
    def decode(cls, flags: int, value: bytes) -> ShutdownComplete:
        """From the chunk's flags and value."""
        tlv.require_empty(value, "bad_chunk_length")
        return cls(bool(flags & cp.FLAG_T))


@dataclass(slots=True)
class UnknownChunk:
    """A chunk of a type that nobody here knows; ``value`` without header and padding."""

    type: int
    flags: int
    value: bytes

    def encode(self) -> bytes:
        """The whole chunk, padded."""
        return tlv.encode_chunk(self.type, self.flags, self.value)


Chunk: TypeAlias = (
    Data
    | Init
    | InitAck
    | Sack
    | Heartbeat
    | HeartbeatAck
    | Abort
    | Shutdown
    | ShutdownAck
    | Error
    | CookieEcho
    | CookieAck
    | Ecne
    | Cwr
    | ShutdownComplete
    | Auth
    | IData
    | AsconfAck
    | ReConfig
    | Pad
    | ForwardTsn
    | Asconf
    | IForwardTsn
    | UnknownChunk
)

_DECODERS: dict[int, Callable[[int, bytes], Chunk]] = {
    Data.type: Data.decode,
    Init.type: Init.decode,
    InitAck.type: InitAck.decode,
    Sack.type: Sack.decode,
    Heartbeat.type: Heartbeat.decode,
    HeartbeatAck.type: HeartbeatAck.decode,
    Abort.type: Abort.decode,
    Shutdown.type: Shutdown.decode,
    ShutdownAck.type: ShutdownAck.decode,
    Error.type: Error.decode,
    CookieEcho.type: CookieEcho.decode,
    CookieAck.type: CookieAck.decode,
    Ecne.type: Ecne.decode,
    Cwr.type: Cwr.decode,
    ShutdownComplete.type: ShutdownComplete.decode,
    Auth.type: Auth.decode,
    IData.type: IData.decode,
    AsconfAck.type: AsconfAck.decode,
    ReConfig.type: ReConfig.decode,
    Pad.type: Pad.decode,
    ForwardTsn.type: ForwardTsn.decode,
    Asconf.type: Asconf.decode,
    IForwardTsn.type: IForwardTsn.decode,
}


def decode_chunk(type: int, flags: int, value: bytes) -> Chunk:  # noqa: A002
    """The chunk of this type, flags and value (bounds from `pysctpstack.wire.packet.split`).

    PacketError ``bad_chunk_length``, ``bad_sack``, ``missing_heartbeat_info``, ``missing_address``,
    ``bad_parameter_length``, ``bad_cause_length``.
    """
    decoder = _DECODERS.get(type)
    return decoder(flags, value) if decoder else UnknownChunk(type, flags, value)
