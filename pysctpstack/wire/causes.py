"""Error causes (RFC 9260 section 3.3.10, and the extensions'): what ABORT and ERROR chunks tell.

Each has its ``code``, ``encode()`` for the whole padded TLV, and ``decode(value)``; `decode_causes` reads a
list of them. A code that is not here becomes an `UnknownCause`. Parameters and chunks inside causes stay
bytes: they are copies of what somebody could not use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import ClassVar, TypeAlias

from pysctpstack.errors import PacketError
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import tlv

_U16 = Struct("!H")
_U16_U16 = Struct("!HH")
_U32 = Struct("!I")


@dataclass(slots=True)
class UnknownCause:
    """A cause of a code that this module does not know; ``value`` without header and padding."""

    code: int
    value: bytes

    def encode(self) -> bytes:
        """The whole cause, padded."""
        return tlv.encode(self.code, self.value)


@dataclass(slots=True)
class InvalidStreamIdentifier:
    """DATA came for a stream that does not exist (RFC 9260 section 3.3.10.1)."""

    code: ClassVar[int] = cp.CAUSE_INVALID_STREAM_IDENTIFIER

    stream_id: int

    def encode(self) -> bytes:
        """The whole cause, padded."""
        return tlv.encode(cp.CAUSE_INVALID_STREAM_IDENTIFIER, _U16_U16.pack(self.stream_id, 0))

    @classmethod
    def decode(cls, value: bytes) -> InvalidStreamIdentifier:
        """From its value; PacketError ``bad_cause_length`` when the length is wrong."""
        return cls(tlv.unpack_all(_U16_U16, value, "bad_cause_length")[0])


@dataclass(slots=True)
class MissingMandatoryParameter:
    """Parameter types that an INIT or INIT ACK lacks (RFC 9260 section 3.3.10.2)."""

    code: ClassVar[int] = cp.CAUSE_MISSING_MANDATORY_PARAMETER

    types: list[int]

    def encode(self) -> bytes:
        """The whole cause, padded."""
        count = _U32.pack(len(self.types))
        return tlv.encode(cp.CAUSE_MISSING_MANDATORY_PARAMETER, count + tlv.pack_u16s(self.types))

    @classmethod
    def decode(cls, value: bytes) -> MissingMandatoryParameter:
        """From its value; PacketError ``bad_cause_length`` when the length is wrong."""
        tlv.require(value, 4, "bad_cause_length")
        types = tlv.unpack_u16s(value[4:], "bad_cause_length")
        count = _U32.unpack_from(value)[0]
        if count != len(types):
            raise PacketError("bad_cause_length", f"{count} missing parameters announced, {len(types)} listed")
        return cls(types)


@dataclass(slots=True)
class StaleCookie:
    """A cookie came too late, by so many microseconds, 0 if not told (RFC 9260 section 3.3.10.3)."""

    code: ClassVar[int] = cp.CAUSE_STALE_COOKIE

    staleness_us: int

    def encode(self) -> bytes:
        """The whole cause, padded."""
        return tlv.encode(cp.CAUSE_STALE_COOKIE, _U32.pack(self.staleness_us))

    @classmethod
    def decode(cls, value: bytes) -> StaleCookie:
        """From its value; PacketError ``bad_cause_length`` when the length is wrong."""
        return cls(*tlv.unpack_all(_U32, value, "bad_cause_length"))


@dataclass(slots=True)
class OutOfResource:
    """The sender is out of resource (RFC 9260 section 3.3.10.4)."""

    code: ClassVar[int] = cp.CAUSE_OUT_OF_RESOURCE

    def encode(self) -> bytes:
        """The whole cause, padded."""
        return tlv.encode(cp.CAUSE_OUT_OF_RESOURCE, b"")

    @classmethod
    def decode(cls, value: bytes) -> OutOfResource:
        """From its value; PacketError ``bad_cause_length`` when the length is wrong."""
        tlv.require_empty(value, "bad_cause_length")
        return cls()


@dataclass(slots=True)
class UnresolvableAddress:
    """The whole address parameter that is of no use (RFC 9260 section 3.3.10.5)."""

    code: ClassVar[int] = cp.CAUSE_UNRESOLVABLE_ADDRESS

    parameter: bytes

    def encode(self) -> bytes:
        """The whole cause, padded."""
        return tlv.encode(cp.CAUSE_UNRESOLVABLE_ADDRESS, self.parameter)

    @classmethod
    def decode(cls, value: bytes) -> UnresolvableAddress:
        """From its value."""
        return cls(value)


@dataclass(slots=True)
class UnrecognizedChunk:
    """A whole chunk of unknown type (RFC 9260 section 3.3.10.6)."""

    code: ClassVar[int] = cp.CAUSE_UNRECOGNIZED_CHUNK

    chunk: bytes

    def encode(self) -> bytes:
        """The whole cause, padded."""
        return tlv.encode(cp.CAUSE_UNRECOGNIZED_CHUNK, self.chunk)

    @classmethod
    def decode(cls, value: bytes) -> UnrecognizedChunk:
        """From its value."""
        return cls(value)


@dataclass(slots=True)
class InvalidMandatoryParameter:
    """A mandatory parameter of an INIT or INIT ACK is invalid (RFC 9260 section 3.3.10.7)."""

    code: ClassVar[int] = cp.CAUSE_INVALID_MANDATORY_PARAMETER

    def encode(self) -> bytes:
        """The whole cause, padded."""
        return tlv.encode(cp.CAUSE_INVALID_MANDATORY_PARAMETER, b"")

    @classmethod
    def decode(cls, value: bytes) -> InvalidMandatoryParameter:
        """From its value; PacketError ``bad_cause_length`` when the length is wrong."""
        tlv.require_empty(value, "bad_cause_length")
        return cls()


@dataclass(slots=True)
class UnrecognizedParameters:
    """Whole parameters of unknown type (RFC 9260 section 3.3.10.8)."""

    code: ClassVar[int] = cp.CAUSE_UNRECOGNIZED_PARAMETERS

    parameters: bytes

    def encode(self) -> bytes:
        """The whole cause, padded."""
        return tlv.encode(cp.CAUSE_UNRECOGNIZED_PARAMETERS, self.parameters)

    @classmethod
    def decode(cls, value: bytes) -> UnrecognizedParameters:
        """From its value."""
        return cls(value)


@dataclass(slots=True)
class NoUserData:
    """The DATA chunk of this TSN was empty (RFC 9260 section 3.3.10.9)."""

    code: ClassVar[int] = cp.CAUSE_NO_USER_DATA

    tsn: int

    def encode(self) -> bytes:
        """The whole cause, padded."""
        return tlv.encode(cp.CAUSE_NO_USER_DATA, _U32.pack(self.tsn))

    @classmethod
    def decode(cls, value: bytes) -> NoUserData:
        """From its value; PacketError ``bad_cause_length`` when the length is wrong."""
        return cls(*tlv.unpack_all(_U32, value, "bad_cause_length"))


@dataclass(slots=True)
class CookieReceivedWhileShuttingDown:
    """A COOKIE ECHO came in SHUTDOWN-ACK-SENT (RFC 9260 section 3.3.10.10)."""

    code: ClassVar[int] = cp.CAUSE_COOKIE_RECEIVED_WHILE_SHUTTING_DOWN

    def encode(self) -> bytes:
        """The whole cause, padded."""
        return tlv.encode(cp.CAUSE_COOKIE_RECEIVED_WHILE_SHUTTING_DOWN, b"")

    @classmethod
    def decode(cls, value: bytes) -> CookieReceivedWhileShuttingDown:
        """From its value; PacketError ``bad_cause_length`` when the length is wrong."""
        tlv.require_empty(value, "bad_cause_length")
        return cls()


@dataclass(slots=True)
class RestartWithNewAddresses:
    """Whole address parameters that a restart may not add (RFC 9260 section 3.3.10.11)."""

    code: ClassVar[int] = cp.CAUSE_RESTART_WITH_NEW_ADDRESSES

    parameters: bytes

    def encode(self) -> bytes:
        """The whole cause, padded."""
        return tlv.encode(cp.CAUSE_RESTART_WITH_NEW_ADDRESSES, self.parameters)

    @classmethod
    def decode(cls, value: bytes) -> RestartWithNewAddresses:
        """From its value."""
        return cls(value)


@dataclass(slots=True)
class UserInitiatedAbort:
    """The upper layer's reason (RFC 9260 section 3.3.10.12)."""

    code: ClassVar[int] = cp.CAUSE_USER_INITIATED_ABORT

    reason: bytes

    def encode(self) -> bytes:
        """The whole cause, padded."""
        return tlv.encode(cp.CAUSE_USER_INITIATED_ABORT, self.reason)

    @classmethod
    def decode(cls, value: bytes) -> UserInitiatedAbort:
        """From its value."""
        return cls(value)


@dataclass(slots=True)
class ProtocolViolation:
    """The peer broke the protocol; ``info`` may say how (RFC 9260 section 3.3.10.13)."""

    code: ClassVar[int] = cp.CAUSE_PROTOCOL_VIOLATION

    info: bytes

    def encode(self) -> bytes:
        """The whole cause, padded."""
        return tlv.encode(cp.CAUSE_PROTOCOL_VIOLATION, self.info)

    @classmethod
    def decode(cls, value: bytes) -> ProtocolViolation:
        """From its value."""
        return cls(value)


@dataclass(slots=True)
class RestartNewEncapsulationPort:
    """An INIT came from another UDP port than the association's; 0 is no encapsulation

    (draft-tuexen-tsvwg-sctp-udp-encaps-cons section 4).
    """

    code: ClassVar[int] = cp.CAUSE_RESTART_NEW_ENCAPSULATION_PORT

    current_port: int
    new_port: int

    def encode(self) -> bytes:
        """The whole cause, padded."""
        return tlv.encode(cp.CAUSE_RESTART_NEW_ENCAPSULATION_PORT, _U16_U16.pack(self.current_port, self.new_port))

    @classmethod
    def decode(cls, value: bytes) -> RestartNewEncapsulationPort:
        """From its value; PacketError ``bad_cause_length`` when the length is wrong."""
        return cls(*tlv.unpack_all(_U16_U16, value, "bad_cause_length"))


@dataclass(slots=True)
class DeleteLastAddress:
    """The whole request to delete the last address (RFC 5061 section 4.3.1)."""

    code: ClassVar[int] = cp.CAUSE_DELETE_LAST_ADDRESS

    parameter: bytes

    def encode(self) -> bytes:
        """The whole cause, padded."""
        return tlv.encode(cp.CAUSE_DELETE_LAST_ADDRESS, self.parameter)

    @classmethod
    def decode(cls, value: bytes) -> DeleteLastAddress:
        """From its value."""
        return cls(value)


@dataclass(slots=True)
class ResourceShortage:
    """The whole request that was refused for lack of resources (RFC 5061 section 4.3.2)."""

    code: ClassVar[int] = cp.CAUSE_RESOURCE_SHORTAGE

    parameter: bytes

    def encode(self) -> bytes:
        """The whole cause, padded."""
        return tlv.encode(cp.CAUSE_RESOURCE_SHORTAGE, self.parameter)

    @classmethod
    def decode(cls, value: bytes) -> ResourceShortage:
        """From its value."""
        return cls(value)


@dataclass(slots=True)
class DeleteSourceAddress:
    """The whole request to delete the packet's source address (RFC 5061 section 4.3.3)."""

    code: ClassVar[int] = cp.CAUSE_DELETE_SOURCE_ADDRESS

    parameter: bytes

    def encode(self) -> bytes:
        """The whole cause, padded."""
        return tlv.encode(cp.CAUSE_DELETE_SOURCE_ADDRESS, self.parameter)

    @classmethod
    def decode(cls, value: bytes) -> DeleteSourceAddress:
        """From its value."""
        return cls(value)


@dataclass(slots=True)
class IllegalAsconfAck:
    """An ASCONF-ACK from the future came (RFC 5061 section 4.3.4)."""

    code: ClassVar[int] = cp.CAUSE_ILLEGAL_ASCONF_ACK

    def encode(self) -> bytes:
        """The whole cause, padded."""
        return tlv.encode(cp.CAUSE_ILLEGAL_ASCONF_ACK, b"")

    @classmethod
    def decode(cls, value: bytes) -> IllegalAsconfAck:
        """From its value; PacketError ``bad_cause_length`` when the length is wrong."""
        tlv.require_empty(value, "bad_cause_length")
        return cls()


@dataclass(slots=True)
class NoAuthorization:
    """The whole request that policy refuses (RFC 5061 section 4.3.5)."""

    code: ClassVar[int] = cp.CAUSE_NO_AUTHORIZATION

    parameter: bytes

    def encode(self) -> bytes:
        """The whole cause, padded."""
        return tlv.encode(cp.CAUSE_NO_AUTHORIZATION, self.parameter)

    @classmethod
    def decode(cls, value: bytes) -> NoAuthorization:
        """From its value."""
        return cls(value)


@dataclass(slots=True)
class UnsupportedHmac:
    """An AUTH chunk used this HMAC identifier (RFC 4895 section 4.1)."""

    code: ClassVar[int] = cp.CAUSE_UNSUPPORTED_HMAC

    identifier: int

    def encode(self) -> bytes:
        """The whole cause, padded."""
        return tlv.encode(cp.CAUSE_UNSUPPORTED_HMAC, _U16.pack(self.identifier))

    @classmethod
    def decode(cls, value: bytes) -> UnsupportedHmac:
        """From its value; PacketError ``bad_cause_length`` when the length is wrong."""
        return cls(*tlv.unpack_all(_U16, value, "bad_cause_length"))


Cause: TypeAlias = (
    InvalidStreamIdentifier
    | MissingMandatoryParameter
    | StaleCookie
    | OutOfResource
    | UnresolvableAddress
    | UnrecognizedChunk
    | InvalidMandatoryParameter
    | UnrecognizedParameters
    | NoUserData
    | CookieReceivedWhileShuttingDown
    | RestartWithNewAddresses
    | UserInitiatedAbort
    | ProtocolViolation
    | RestartNewEncapsulationPort
    | DeleteLastAddress
    | ResourceShortage
    | DeleteSourceAddress
    | IllegalAsconfAck
    | NoAuthorization
    | UnsupportedHmac
    | UnknownCause
)

_DECODERS: dict[int, Callable[[bytes], Cause]] = {
    InvalidStreamIdentifier.code: InvalidStreamIdentifier.decode,
    MissingMandatoryParameter.code: MissingMandatoryParameter.decode,
    StaleCookie.code: StaleCookie.decode,
    OutOfResource.code: OutOfResource.decode,
    UnresolvableAddress.code: UnresolvableAddress.decode,
    UnrecognizedChunk.code: UnrecognizedChunk.decode,
    InvalidMandatoryParameter.code: InvalidMandatoryParameter.decode,
    UnrecognizedParameters.code: UnrecognizedParameters.decode,
    NoUserData.code: NoUserData.decode,
    CookieReceivedWhileShuttingDown.code: CookieReceivedWhileShuttingDown.decode,
    RestartWithNewAddresses.code: RestartWithNewAddresses.decode,
    UserInitiatedAbort.code: UserInitiatedAbort.decode,
    ProtocolViolation.code: ProtocolViolation.decode,
    RestartNewEncapsulationPort.code: RestartNewEncapsulationPort.decode,
    DeleteLastAddress.code: DeleteLastAddress.decode,
    ResourceShortage.code: ResourceShortage.decode,
    DeleteSourceAddress.code: DeleteSourceAddress.decode,
    IllegalAsconfAck.code: IllegalAsconfAck.decode,
    NoAuthorization.code: NoAuthorization.decode,
    UnsupportedHmac.code: UnsupportedHmac.decode,
}


def decode_cause(code: int, value: bytes) -> Cause:
    """The cause of this code and value; PacketError ``bad_cause_length`` when the value does not fit."""
    decoder = _DECODERS.get(code)
    return decoder(value) if decoder else UnknownCause(code, value)


def decode_causes(data: bytes, start: int, end: int) -> list[Cause]:
    """The causes in ``data[start:end]``, in order; PacketError as `decode_cause` and `tlv.walk`."""
    return [
        decode_cause(code, data[value_start:value_end]) for code, value_start, value_end in tlv.walk(data, start, end)
    ]
