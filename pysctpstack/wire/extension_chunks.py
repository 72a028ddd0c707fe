"""Chunks of SCTP's extensions, in the shape of `pysctpstack.wire.chunks`.

RFC 3758 (partial reliability), 4820 (padding), 4895 (authentication), 5061 (addresses), 6525 (streams),
8260 (interleaving).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import ClassVar

from pysctpstack.errors import PacketError
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import tlv
from pysctpstack.wire.params import Address, Parameter, decode_address, decode_parameters

_U32 = Struct("!I")
_U16_U16 = Struct("!HH")
_I_DATA = Struct("!IHHII")
_I_FORWARD_STREAM = Struct("!HHI")


@dataclass(slots=True)
class Auth:
    """Authenticates what follows it in the packet (RFC 4895 section 5.1)."""

    type: ClassVar[int] = cp.AUTH

    key_id: int
    hmac_id: int
    hmac: bytes

    def encode(self) -> bytes:
        """The whole chunk, padded."""
        return tlv.encode_chunk(cp.AUTH, 0, _U16_U16.pack(self.key_id, self.hmac_id) + self.hmac)

    @classmethod
    def decode(cls, _flags: int, value: bytes) -> Auth:
        """From the chunk's flags (ignored) and value."""
        tlv.require(value, 4, "bad_chunk_length")
        key_id, hmac_id = _U16_U16.unpack_from(value)
        return cls(key_id, hmac_id, value[4:])


@dataclass(slots=True)
class Asconf:
    """Asks for changes of the sender's addresses (RFC 5061 section 4.1.1).

    ``address`` is one of the sender's; an `UnknownParameter` if the peer broke that rule.
    """

    type: ClassVar[int] = cp.ASCONF

    sequence_number: int
    address: Address
    parameters: list[Parameter] = field(default_factory=list)

    def encode(self) -> bytes:
        """The whole chunk, padded."""
        parameters = [self.address.encode(), *(parameter.encode() for parameter in self.parameters)]
        return tlv.encode_chunk(cp.ASCONF, 0, _U32.pack(self.sequence_number) + tlv.join(parameters))

    @classmethod
    def decode(cls, _flags: int, value: bytes) -> Asconf:
        """From the chunk's flags (ignored) and value; PacketError ``missing_address``."""
        tlv.require(value, 4, "bad_chunk_length")
        bounds = tlv.walk(value, 4, len(value))
        if not bounds:
            raise PacketError("missing_address", "an ASCONF chunk begins with an address parameter")
        address = decode_address(value, 4, bounds[0][2])
        rest = bounds[1][1] - 4 if len(bounds) > 1 else len(value)
        return cls(_U32.unpack_from(value)[0], address, decode_parameters(value, rest, len(value)))


@dataclass(slots=True)
class AsconfAck:
    """Answers an ASCONF (RFC 5061 section 4.1.2)."""

    type: ClassVar[int] = cp.ASCONF_ACK

    sequence_number: int
    parameters: list[Parameter] = field(default_factory=list)

    def encode(self) -> bytes:
        """The whole chunk, padded."""
        parameters = tlv.join([parameter.encode() for parameter in self.parameters])
        return tlv.encode_chunk(cp.ASCONF_ACK, 0, _U32.pack(self.sequence_number) + parameters)

    @classmethod
    def decode(cls, _flags: int, value: bytes) -> AsconfAck:
        """From the chunk's flags (ignored) and value."""
        tlv.require(value, 4, "bad_chunk_length")
        return cls(_U32.unpack_from(value)[0], decode_parameters(value, 4, len(value)))


@dataclass(slots=True)
class ReConfig:
    """Stream reconfiguration requests and responses (RFC 6525 section 3.1)."""

    type: ClassVar[int] = cp.RE_CONFIG

    parameters: list[Parameter] = field(default_factory=list)

    def encode(self) -> bytes:
        """The whole chunk, padded."""
        parameters = tlv.join([parameter.encode() for parameter in self.parameters])
        return tlv.encode_chunk(cp.RE_CONFIG, 0, parameters)

    @classmethod
    def decode(cls, _flags: int, value: bytes) -> ReConfig:
        """From the chunk's flags (ignored) and value."""
        return cls(decode_parameters(value, 0, len(value)))


@dataclass(slots=True)
class Pad:
    """Enlarges a packet (RFC 4820 section 3)."""

    type: ClassVar[int] = cp.PAD

    padding: bytes

    def encode(self) -> bytes:
        """The whole chunk, padded."""
        return tlv.encode_chunk(cp.PAD, 0, self.padding)

    @classmethod
    def decode(cls, _flags: int, value: bytes) -> Pad:
        """From the chunk's flags (ignored) and value."""
        return cls(value)


@dataclass(slots=True)
class ForwardTsn:
    """Tells the receiver to wait no longer for abandoned messages (RFC 3758 section 3.2).

    ``streams``: (stream identifier, SSN) of the last skipped ordered message of each stream.
    """

    type: ClassVar[int] = cp.FORWARD_TSN

    new_cumulative_tsn: int
    streams: list[tuple[int, int]] = field(default_factory=list)

    def encode(self) -> bytes:
        """The whole chunk; the TSN and SSNs may be unwrapped."""
        value = _U32.pack(self.new_cumulative_tsn & 0xFFFFFFFF) + b"".join(
            [_U16_U16.pack(stream_id, ssn & 0xFFFF) for stream_id, ssn in self.streams]
        )
        return tlv.encode_chunk(cp.FORWARD_TSN, 0, value)

    @classmethod
    def decode(cls, _flags: int, value: bytes) -> ForwardTsn:
        """From the chunk's flags (ignored) and value."""
        tlv.require(value, 4, "bad_chunk_length")
        if len(value) % 4:
            raise PacketError("bad_chunk_length", f"{len(value)} bytes do not hold streams of 4")
        return cls(_U32.unpack_from(value)[0], list(_U16_U16.iter_unpack(value[4:])))


@dataclass(slots=True)
class IForwardTsn:
    """FORWARD TSN for interleaved messages (RFC 8260 section 2.3.1).

    ``streams``: (stream identifier, whether of unordered messages, MID) of the last skipped message of each.
    """

    type: ClassVar[int] = cp.I_FORWARD_TSN

    new_cumulative_tsn: int
    streams: list[tuple[int, bool, int]] = field(default_factory=list)

    def encode(self) -> bytes:
        """The whole chunk; the TSN and MIDs may be unwrapped."""
        value = _U32.pack(self.new_cumulative_tsn & 0xFFFFFFFF) + b"".join(
            [
                _I_FORWARD_STREAM.pack(stream_id, unordered, mid & 0xFFFFFFFF)
                for stream_id, unordered, mid in self.streams
            ]
        )
        return tlv.encode_chunk(cp.I_FORWARD_TSN, 0, value)

    @classmethod
    def decode(cls, _flags: int, value: bytes) -> IForwardTsn:
        """From the chunk's flags (ignored) and value."""
        tlv.require(value, 4, "bad_chunk_length")
        if len(value) % 8 != 4:
            raise PacketError("bad_chunk_length", f"{len(value)} bytes do not hold streams of 8")
        streams = [
            (stream_id, bool(flags & 1), mid) for stream_id, flags, mid in _I_FORWARD_STREAM.iter_unpack(value[4:])
        ]
        return cls(_U32.unpack_from(value)[0], streams)


@dataclass(slots=True)
class IData:
    """User data that may be interleaved (RFC 8260 section 2.1).

    ``ppid_or_fsn`` is the PPID in a first fragment (B bit) and the Fragment Sequence Number in the others.
    """

    type: ClassVar[int] = cp.I_DATA

    tsn: int
    stream_id: int
    mid: int
    ppid_or_fsn: int
    payload: bytes
    flags: int = cp.DATA_FLAG_B | cp.DATA_FLAG_E

    @property
    def ppid(self) -> int | None:
        """The Payload Protocol Identifier, which only a first fragment has."""
        return self.ppid_or_fsn if self.flags & cp.DATA_FLAG_B else None

    @property
    def fsn(self) -> int:
        """The Fragment Sequence Number, 0 in a first fragment."""
        return 0 if self.flags & cp.DATA_FLAG_B else self.ppid_or_fsn

    def encode(self) -> bytes:
        """The whole chunk, padded; the TSN and MID may be unwrapped."""
        fixed = _I_DATA.pack(self.tsn & 0xFFFFFFFF, self.stream_id, 0, self.mid & 0xFFFFFFFF, self.ppid_or_fsn)
        return tlv.encode_chunk(cp.I_DATA, self.flags, fixed + self.payload)

    @classmethod
    def decode(cls, flags: int, value: bytes) -> IData:
        """From the chunk's flags and value."""
        tlv.require(value, 16, "bad_chunk_length")
        tsn, stream_id, _, mid, ppid_or_fsn = _I_DATA.unpack_from(value)
        return cls(tsn, stream_id, mid, ppid_or_fsn, value[16:], flags)
