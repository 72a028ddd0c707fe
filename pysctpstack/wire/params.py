"""Parameters: one dataclass for each of RFC 9260, and those of the extensions from `extension_params`.

Each has its ``type``, ``encode()`` for the whole padded TLV, and ``decode(value)``; `decode_parameters` reads
a list of them. A type that is not here becomes an `UnknownParameter`, in its place: the rules of RFC 9260
section 3.2.1 about what to skip, where to stop and what to report are the core's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import ClassVar, TypeAlias

from pysctpstack.errors import PacketError
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import tlv
from pysctpstack.wire.extension_params import (
    AdaptationLayerIndication,
    AddIncomingStreamsRequest,
    AddOutgoingStreamsRequest,
    ChunkList,
    ErrorCauseIndication,
    ForwardTsnSupported,
    HmacAlgorithm,
    IncomingSsnResetRequest,
    OutgoingSsnResetRequest,
    Padding,
    Random,
    ReconfigResponse,
    SsnTsnResetRequest,
    SuccessIndication,
    SupportedExtensions,
    ZeroChecksumAcceptable,
)

__all__ = [
    "HeartbeatInfo",
    "Ipv4Address",
    "Ipv6Address",
    "StateCookie",
    "UnrecognizedParameter",
    "CookiePreservative",
    "HostName",
    "SupportedAddressTypes",
    "EcnCapable",
    "ForwardTsnSupported",
    "SupportedExtensions",
    "Random",
    "ChunkList",
    "HmacAlgorithm",
    "Padding",
    "ZeroChecksumAcceptable",
    "AddIpAddress",
    "DeleteIpAddress",
    "SetPrimaryAddress",
    "ErrorCauseIndication",
    "SuccessIndication",
    "AdaptationLayerIndication",
    "OutgoingSsnResetRequest",
    "IncomingSsnResetRequest",
    "SsnTsnResetRequest",
    "ReconfigResponse",
    "AddOutgoingStreamsRequest",
    "AddIncomingStreamsRequest",
    "UnknownParameter",
    "Parameter",
    "Address",
    "decode_parameter",
    "decode_parameters",
    "decode_address",
]

_U32 = Struct("!I")


@dataclass(slots=True)
class UnknownParameter:
    """A parameter of a type that this module does not know; ``value`` without header and padding."""

    type: int
    value: bytes

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(self.type, self.value)


@dataclass(slots=True)
class HeartbeatInfo:
    """What the sender of a HEARTBEAT wants back (RFC 9260 section 3.3.5)."""

    type: ClassVar[int] = cp.PARAM_HEARTBEAT_INFO

    info: bytes

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(cp.PARAM_HEARTBEAT_INFO, self.info)

    @classmethod
    def decode(cls, value: bytes) -> HeartbeatInfo:
        """From its value."""
        return cls(value)


@dataclass(slots=True)
class Ipv4Address:
    """An address in dotted form (RFC 9260 section 3.3.2.1.1). Encoding anything else is a ValueError."""

    type: ClassVar[int] = cp.PARAM_IPV4_ADDRESS

    address: str

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(cp.PARAM_IPV4_ADDRESS, IPv4Address(self.address).packed)

    @classmethod
    def decode(cls, value: bytes) -> Ipv4Address:
        """From its value; PacketError ``bad_parameter_length`` when the length is wrong."""
        if len(value) != 4:
            raise PacketError("bad_parameter_length", f"an IPv4 address of {len(value)} bytes")
        return cls(str(IPv4Address(value)))


@dataclass(slots=True)
class Ipv6Address:
    """An address in RFC 5952's form (RFC 9260 section 3.3.2.1.2); a scope (``%eth0``) is not sent.

    Encoding anything else is a ValueError.
    """

    type: ClassVar[int] = cp.PARAM_IPV6_ADDRESS

    address: str

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(cp.PARAM_IPV6_ADDRESS, IPv6Address(self.address).packed)

    @classmethod
    def decode(cls, value: bytes) -> Ipv6Address:
        """From its value; PacketError ``bad_parameter_length`` when the length is wrong."""
        if len(value) != 16:
            raise PacketError("bad_parameter_length", f"an IPv6 address of {len(value)} bytes")
        return cls(str(IPv6Address(value)))


@dataclass(slots=True)
class StateCookie:
    """The state that the sender of an INIT ACK does not keep (RFC 9260 section 3.3.3.1.1)."""

    type: ClassVar[int] = cp.PARAM_STATE_COOKIE

    cookie: bytes

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(cp.PARAM_STATE_COOKIE, self.cookie)

    @classmethod
    def decode(cls, value: bytes) -> StateCookie:
        """From its value."""
        return cls(value)


@dataclass(slots=True)
class UnrecognizedParameter:
    """A parameter of the INIT, whole, that was not understood (RFC 9260 section 3.3.3.1.2)."""

    type: ClassVar[int] = cp.PARAM_UNRECOGNIZED

    parameter: bytes

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(cp.PARAM_UNRECOGNIZED, self.parameter)

    @classmethod
    def decode(cls, value: bytes) -> UnrecognizedParameter:
        """From its value."""
        return cls(value)


@dataclass(slots=True)
class CookiePreservative:
    """A wish for a longer cookie life, in milliseconds (RFC 9260 section 3.3.2.1.3)."""

    type: ClassVar[int] = cp.PARAM_COOKIE_PRESERVATIVE

    increment_ms: int

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(cp.PARAM_COOKIE_PRESERVATIVE, _U32.pack(self.increment_ms))

    @classmethod
    def decode(cls, value: bytes) -> CookiePreservative:
        """From its value; PacketError ``bad_parameter_length`` when the length is wrong."""
        return cls(*tlv.unpack_all(_U32, value, "bad_parameter_length"))


@dataclass(slots=True)
class HostName:
    """Deprecated (RFC 9260 section 3.3.2.1.4). ``name`` holds its terminating zeros too."""

    type: ClassVar[int] = cp.PARAM_HOST_NAME

    name: bytes

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(cp.PARAM_HOST_NAME, self.name)

    @classmethod
    def decode(cls, value: bytes) -> HostName:
        """From its value."""
        return cls(value)


@dataclass(slots=True)
class SupportedAddressTypes:
    """Parameter types of the addresses that the sender can use (RFC 9260 section 3.3.2.1.5)."""

    type: ClassVar[int] = cp.PARAM_SUPPORTED_ADDRESS_TYPES

    types: list[int]

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(cp.PARAM_SUPPORTED_ADDRESS_TYPES, tlv.pack_u16s(self.types))

    @classmethod
    def decode(cls, value: bytes) -> SupportedAddressTypes:
        """From its value; PacketError ``bad_parameter_length`` when the length is wrong."""
        return cls(tlv.unpack_u16s(value, "bad_parameter_length"))


@dataclass(slots=True)
class EcnCapable:
    """Reserved for Explicit Congestion Notification (RFC 9260 section 3.3.2)."""

    type: ClassVar[int] = cp.PARAM_ECN_CAPABLE

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(cp.PARAM_ECN_CAPABLE, b"")

    @classmethod
    def decode(cls, value: bytes) -> EcnCapable:
        """From its value; PacketError ``bad_parameter_length`` when the length is wrong."""
        tlv.require_empty(value, "bad_parameter_length")
        return cls()


#: What stands where RFC 5061 wants an address parameter: one of the two, unless the peer broke the rule.
Address: TypeAlias = Ipv4Address | Ipv6Address | UnknownParameter


def decode_address(data: bytes, start: int, end: int) -> Address:
    """The one parameter in ``data[start:end]``, of whatever type; PacketError ``bad_parameter_length``.

    What is no address stays undecoded: parameters nested in parameters would let a packet choose the depth.
    """
    bounds = tlv.walk(data, start, end)
    if len(bounds) != 1:
        raise PacketError("bad_parameter_length", f"{len(bounds)} parameters where one address belongs")
    type_, value_start, value_end = bounds[0]
    value = data[value_start:value_end]
    if type_ == cp.PARAM_IPV4_ADDRESS:
        return Ipv4Address.decode(value)
    if type_ == cp.PARAM_IPV6_ADDRESS:
        return Ipv6Address.decode(value)
    return UnknownParameter(type_, value)


def _correlated_address(value: bytes) -> tuple[int, Address]:
    tlv.require(value, 4, "bad_parameter_length")
    return _U32.unpack_from(value)[0], decode_address(value, 4, len(value))


@dataclass(slots=True)
class AddIpAddress:
    """A request to add an address (RFC 5061 section 4.2.1)."""

    type: ClassVar[int] = cp.PARAM_ADD_IP

    correlation_id: int
    address: Address

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(cp.PARAM_ADD_IP, _U32.pack(self.correlation_id) + tlv.join([self.address.encode()]))

    @classmethod
    def decode(cls, value: bytes) -> AddIpAddress:
        """From its value; PacketError ``bad_parameter_length`` when the length is wrong."""
        return cls(*_correlated_address(value))


@dataclass(slots=True)
class DeleteIpAddress:
    """A request to delete an address (RFC 5061 section 4.2.2)."""

    type: ClassVar[int] = cp.PARAM_DELETE_IP

    correlation_id: int
    address: Address

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(cp.PARAM_DELETE_IP, _U32.pack(self.correlation_id) + tlv.join([self.address.encode()]))

    @classmethod
    def decode(cls, value: bytes) -> DeleteIpAddress:
        """From its value; PacketError ``bad_parameter_length`` when the length is wrong."""
        return cls(*_correlated_address(value))


@dataclass(slots=True)
class SetPrimaryAddress:
    """A wish to be sent to at this address (RFC 5061 section 4.2.4)."""

    type: ClassVar[int] = cp.PARAM_SET_PRIMARY

    correlation_id: int
    address: Address

    def encode(self) -> bytes:
        """The whole parameter, padded."""
        return tlv.encode(cp.PARAM_SET_PRIMARY, _U32.pack(self.correlation_id) + tlv.join([self.address.encode()]))

    @classmethod
    def decode(cls, value: bytes) -> SetPrimaryAddress:
        """From its value; PacketError ``bad_parameter_length`` when the length is wrong."""
        return cls(*_correlated_address(value))


Parameter: TypeAlias = (
    HeartbeatInfo
    | Ipv4Address
    | Ipv6Address
    | StateCookie
    | UnrecognizedParameter
    | CookiePreservative
    | HostName
    | SupportedAddressTypes
    | EcnCapable
    | ForwardTsnSupported
    | SupportedExtensions
    | Random
    | ChunkList
    | HmacAlgorithm
    | Padding
    | ZeroChecksumAcceptable
    | AddIpAddress
    | DeleteIpAddress
    | SetPrimaryAddress
    | ErrorCauseIndication
    | SuccessIndication
    | AdaptationLayerIndication
    | OutgoingSsnResetRequest
    | IncomingSsnResetRequest
    | SsnTsnResetRequest
    | ReconfigResponse
    | AddOutgoingStreamsRequest
    | AddIncomingStreamsRequest
    | UnknownParameter
)

_DECODERS: dict[int, Callable[[bytes], Parameter]] = {
    HeartbeatInfo.type: HeartbeatInfo.decode,
    Ipv4Address.type: Ipv4Address.decode,
    Ipv6Address.type: Ipv6Address.decode,
    StateCookie.type: StateCookie.decode,
    UnrecognizedParameter.type: UnrecognizedParameter.decode,
    CookiePreservative.type: CookiePreservative.decode,
    HostName.type: HostName.decode,
    SupportedAddressTypes.type: SupportedAddressTypes.decode,
    EcnCapable.type: EcnCapable.decode,
    ForwardTsnSupported.type: ForwardTsnSupported.decode,
    SupportedExtensions.type: SupportedExtensions.decode,
    Random.type: Random.decode,
    ChunkList.type: ChunkList.decode,
    HmacAlgorithm.type: HmacAlgorithm.decode,
    Padding.type: Padding.decode,
    ZeroChecksumAcceptable.type: ZeroChecksumAcceptable.decode,
    AddIpAddress.type: AddIpAddress.decode,
    DeleteIpAddress.type: DeleteIpAddress.decode,
    SetPrimaryAddress.type: SetPrimaryAddress.decode,
    ErrorCauseIndication.type: ErrorCauseIndication.decode,
    SuccessIndication.type: SuccessIndication.decode,
    AdaptationLayerIndication.type: AdaptationLayerIndication.decode,
    OutgoingSsnResetRequest.type: OutgoingSsnResetRequest.decode,
    IncomingSsnResetRequest.type: IncomingSsnResetRequest.decode,
    SsnTsnResetRequest.type: SsnTsnResetRequest.decode,
    ReconfigResponse.type: ReconfigResponse.decode,
    AddOutgoingStreamsRequest.type: AddOutgoingStreamsRequest.decode,
    AddIncomingStreamsRequest.type: AddIncomingStreamsRequest.decode,
}


def decode_parameter(type: int, value: bytes) -> Parameter:  # noqa: A002
    """The parameter of this type and value; PacketError ``bad_parameter_length``."""
    decoder = _DECODERS.get(type)
    return decoder(value) if decoder else UnknownParameter(type, value)


def decode_parameters(data: bytes, start: int, end: int) -> list[Parameter]:
    """The parameters in ``data[start:end]``, in order; PacketError ``bad_parameter_length``."""
    return [
        decode_parameter(type_, data[value_start:value_end])
        for type_, value_start, value_end in tlv.walk(data, start, end)
    ]
