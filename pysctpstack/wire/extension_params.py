"""Parameters of SCTP's extensions, in the shape of `pysctpstack.wire.params`: import them from there.

What is announced in INIT and INIT ACK (RFC 3758, 4820, 4895, 5061, 9653), answers to ASCONF (RFC 5061) and
the requests and responses of RE-CONFIG (RFC 6525).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import ClassVar

from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import tlv
from pysctpstack.wire.causes import Cause, decode_causes

_U32 = Struct("!I")
_U32_U32 = Struct("!II")
_U32_U32_U32 = Struct("!III")
_U32_U32_U32_U32 = Struct("!IIII")
_U32_U16_U16 = Struct("!IHH")


@dataclass(slots=True)
class ForwardTsnSupported:
    """Partial reliability is supported (RFC 3758 section 3.1)."""

    type: ClassVar[int] = cp.PARAM_FORWARD_TSN_SUPPORTED

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(cp.PARAM_FORWARD_TSN_SUPPORTED, b"")

    @classmethod
    def decode(cls, value: bytes) -> ForwardTsnSupported:
        """From its value; PacketError ``bad_parameter_length`` when the length is wrong."""
        tlv.require_empty(value, "bad_parameter_length")
        return cls()


@dataclass(slots=True)
class SupportedExtensions:
    """Chunk types beyond RFC 9260 that the sender supports (RFC 5061 section 4.2.7)."""

    type: ClassVar[int] = cp.PARAM_SUPPORTED_EXTENSIONS

    chunk_types: list[int]

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(cp.PARAM_SUPPORTED_EXTENSIONS, bytes(self.chunk_types))

    @classmethod
    def decode(cls, value: bytes) -> SupportedExtensions:
        """From its value."""
        return cls(list(value))


@dataclass(slots=True)
class Random:
    """A random number for the association's key, 32 bytes (RFC 4895 section 3.1)."""

    type: ClassVar[int] = cp.PARAM_RANDOM

    number: bytes

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(cp.PARAM_RANDOM, self.number)

    @classmethod
    def decode(cls, value: bytes) -> Random:
        """From its value."""
        return cls(value)


@dataclass(slots=True)
class ChunkList:
    """Chunk types that the sender wants authenticated (RFC 4895 section 3.2)."""

    type: ClassVar[int] = cp.PARAM_CHUNKS

    chunk_types: list[int]

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(cp.PARAM_CHUNKS, bytes(self.chunk_types))

    @classmethod
    def decode(cls, value: bytes) -> ChunkList:
        """From its value."""
        return cls(list(value))


@dataclass(slots=True)
class HmacAlgorithm:
    """HMAC identifiers in the order of preference: 1 SHA-1, 3 SHA-256 (RFC 4895 section 3.3)."""

    type: ClassVar[int] = cp.PARAM_HMAC_ALGO

    identifiers: list[int]

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(cp.PARAM_HMAC_ALGO, tlv.pack_u16s(self.identifiers))

    @classmethod
    def decode(cls, value: bytes) -> HmacAlgorithm:
        """From its value; PacketError ``bad_parameter_length`` when the length is wrong."""
        return cls(tlv.unpack_u16s(value, "bad_parameter_length"))


@dataclass(slots=True)
class Padding:
    """Bytes that enlarge an INIT chunk (RFC 4820 section 4)."""

    type: ClassVar[int] = cp.PARAM_PADDING

    padding: bytes

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(cp.PARAM_PADDING, self.padding)

    @classmethod
    def decode(cls, value: bytes) -> Padding:
        """From its value."""
        return cls(value)


@dataclass(slots=True)
class ZeroChecksumAcceptable:
    """A checksum of zero is accepted under this method of error detection (RFC 9653 section 4)."""

    type: ClassVar[int] = cp.PARAM_ZERO_CHECKSUM

    method: int

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(cp.PARAM_ZERO_CHECKSUM, _U32.pack(self.method))

    @classmethod
    def decode(cls, value: bytes) -> ZeroChecksumAcceptable:
        """From its value; PacketError ``bad_parameter_length`` when the length is wrong."""
        return cls(*tlv.unpack_all(_U32, value, "bad_parameter_length"))


@dataclass(slots=True)
class ErrorCauseIndication:
    """Why a request of an ASCONF failed (RFC 5061 section 4.2.3)."""

    type: ClassVar[int] = cp.PARAM_ERROR_CAUSE_INDICATION

    correlation_id: int
    causes: list[Cause]

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        causes = tlv.join([cause.encode() for cause in self.causes])
        return tlv.encode(cp.PARAM_ERROR_CAUSE_INDICATION, _U32.pack(self.correlation_id) + causes)

    @classmethod
    def decode(cls, value: bytes) -> ErrorCauseIndication:
        """From its value; PacketError ``bad_parameter_length`` when the length is wrong."""
        tlv.require(value, 4, "bad_parameter_length")
        return cls(_U32.unpack_from(value)[0], decode_causes(value, 4, len(value)))


@dataclass(slots=True)
class SuccessIndication:
    """A request of an ASCONF was fulfilled (RFC 5061 section 4.2.5)."""

    type: ClassVar[int] = cp.PARAM_SUCCESS_INDICATION

    correlation_id: int

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(cp.PARAM_SUCCESS_INDICATION, _U32.pack(self.correlation_id))

    @classmethod
    def decode(cls, value: bytes) -> SuccessIndication:
        """From its value; PacketError ``bad_parameter_length`` when the length is wrong."""
        return cls(*tlv.unpack_all(_U32, value, "bad_parameter_length"))


@dataclass(slots=True)
class AdaptationLayerIndication:
    """A number for the upper layer (RFC 5061 section 4.2.6)."""

    type: ClassVar[int] = cp.PARAM_ADAPTATION_LAYER_INDICATION

    code_point: int

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(cp.PARAM_ADAPTATION_LAYER_INDICATION, _U32.pack(self.code_point))

    @classmethod
    def decode(cls, value: bytes) -> AdaptationLayerIndication:
        """From its value; PacketError ``bad_parameter_length`` when the length is wrong."""
        return cls(*tlv.unpack_all(_U32, value, "bad_parameter_length"))


@dataclass(slots=True)
class OutgoingSsnResetRequest:
    """The sender wants to reset outgoing streams, all if none is listed (RFC 6525 section 4.1)."""

    type: ClassVar[int] = cp.PARAM_OUTGOING_SSN_RESET_REQUEST

    request_sn: int
    response_sn: int
    last_tsn: int
    streams: list[int] = field(default_factory=list)

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        fixed = _U32_U32_U32.pack(self.request_sn, self.response_sn, self.last_tsn)
        return tlv.encode(cp.PARAM_OUTGOING_SSN_RESET_REQUEST, fixed + tlv.pack_u16s(self.streams))

    @classmethod
    def decode(cls, value: bytes) -> OutgoingSsnResetRequest:
        """From its value; PacketError ``bad_parameter_length`` when the length is wrong."""
        tlv.require(value, 12, "bad_parameter_length")
        request_sn, response_sn, last_tsn = _U32_U32_U32.unpack_from(value)
        return cls(request_sn, response_sn, last_tsn, tlv.unpack_u16s(value[12:], "bad_parameter_length"))


@dataclass(slots=True)
class IncomingSsnResetRequest:
    """The sender wants its peer to reset outgoing streams, all if none is listed (RFC 6525 section 4.2)."""

    type: ClassVar[int] = cp.PARAM_INCOMING_SSN_RESET_REQUEST

    request_sn: int
    streams: list[int] = field(default_factory=list)

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        fixed = _U32.pack(self.request_sn)
        return tlv.encode(cp.PARAM_INCOMING_SSN_RESET_REQUEST, fixed + tlv.pack_u16s(self.streams))

    @classmethod
    def decode(cls, value: bytes) -> IncomingSsnResetRequest:
        """From its value; PacketError ``bad_parameter_length`` when the length is wrong."""
        tlv.require(value, 4, "bad_parameter_length")
        return cls(_U32.unpack_from(value)[0], tlv.unpack_u16s(value[4:], "bad_parameter_length"))


@dataclass(slots=True)
class SsnTsnResetRequest:
    """A request to reset all SSNs and TSNs (RFC 6525 section 4.3)."""

    type: ClassVar[int] = cp.PARAM_SSN_TSN_RESET_REQUEST

    request_sn: int

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(cp.PARAM_SSN_TSN_RESET_REQUEST, _U32.pack(self.request_sn))

    @classmethod
    def decode(cls, value: bytes) -> SsnTsnResetRequest:
        """From its value; PacketError ``bad_parameter_length`` when the length is wrong."""
        return cls(*tlv.unpack_all(_U32, value, "bad_parameter_length"))


@dataclass(slots=True)
class ReconfigResponse:
    """The answer to a request (RFC 6525 section 4.4); the TSNs are both there or both None."""

    type: ClassVar[int] = cp.PARAM_RECONFIG_RESPONSE

    response_sn: int
    result: int
    sender_next_tsn: int | None = None
    receiver_next_tsn: int | None = None

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        fixed = _U32_U32.pack(self.response_sn, self.result)
        if self.sender_next_tsn is not None and self.receiver_next_tsn is not None:
            fixed += _U32_U32.pack(self.sender_next_tsn, self.receiver_next_tsn)
        elif self.sender_next_tsn is not self.receiver_next_tsn:
            raise ValueError("a response has both next TSNs or none (RFC 6525 section 4.4)")
        return tlv.encode(cp.PARAM_RECONFIG_RESPONSE, fixed)

    @classmethod
    def decode(cls, value: bytes) -> ReconfigResponse:
        """From its value; PacketError ``bad_parameter_length`` when the length is wrong."""
        if len(value) == 8:
            return cls(*_U32_U32.unpack(value))
        return cls(*tlv.unpack_all(_U32_U32_U32_U32, value, "bad_parameter_length"))


@dataclass(slots=True)
class AddOutgoingStreamsRequest:
    """The sender wants more outgoing streams (RFC 6525 section 4.5)."""

    type: ClassVar[int] = cp.PARAM_ADD_OUTGOING_STREAMS_REQUEST

    request_sn: int
    new_streams: int

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(
            cp.PARAM_ADD_OUTGOING_STREAMS_REQUEST, _U32_U16_U16.pack(self.request_sn, self.new_streams, 0)
        )

    @classmethod
    def decode(cls, value: bytes) -> AddOutgoingStreamsRequest:
        """From its value; PacketError ``bad_parameter_length`` when the length is wrong."""
        request_sn, new_streams, _ = tlv.unpack_all(_U32_U16_U16, value, "bad_parameter_length")
        return cls(request_sn, new_streams)


@dataclass(slots=True)
class AddIncomingStreamsRequest:
    """The sender wants its peer to have more outgoing streams (RFC 6525 section 4.6)."""

    type: ClassVar[int] = cp.PARAM_ADD_INCOMING_STREAMS_REQUEST

    request_sn: int
    new_streams: int

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(
            cp.PARAM_ADD_INCOMING_STREAMS_REQUEST, _U32_U16_U16.pack(self.request_sn, self.new_streams, 0)
        )

    @classmethod
    def decode(cls, value: bytes) -> AddIncomingStreamsRequest:
        """From its value; PacketError ``bad_parameter_length`` when the length is wrong."""
        request_sn, new_streams, _ = tlv.unpack_all(_U32_U16_U16, value, "bad_parameter_length")
        return cls(request_sn, new_streams)
