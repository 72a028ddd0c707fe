"""Every parameter, byte for byte against the figures of its RFC."""

from __future__ import annotations

import pytest

from pysctpstack.errors import PacketError
from pysctpstack.wire import causes, tlv
from pysctpstack.wire import params as p

LAYOUTS: list[tuple[p.Parameter, str]] = [
    (p.HeartbeatInfo(b"info!"), "0001 0009 696e666f 21000000"),
    (p.Ipv4Address("192.0.2.1"), "0005 0008 c0000201"),
    (p.Ipv6Address("2001:db8::1"), "0006 0014 20010db8 00000000 00000000 00000001"),
    (p.StateCookie(b"abcd"), "0007 0008 61626364"),
    (p.UnrecognizedParameter(bytes.fromhex("c0ff0005aa")), "0008 0009 c0ff0005 aa000000"),
    (p.CookiePreservative(1000), "0009 0008 000003e8"),
    (p.HostName(b"a.example\0"), "000b 000e 612e6578 616d706c 65000000"),
    (p.SupportedAddressTypes([5, 6]), "000c 0008 0005 0006"),
    (p.OutgoingSsnResetRequest(1, 2, 3, [4]), "000d 0012 00000001 00000002 00000003 0004 0000"),
    (p.OutgoingSsnResetRequest(1, 2, 3), "000d 0010 00000001 00000002 00000003"),
    (p.IncomingSsnResetRequest(1, [2, 3]), "000e 000c 00000001 0002 0003"),
    (p.IncomingSsnResetRequest(1), "000e 0008 00000001"),
    (p.SsnTsnResetRequest(1), "000f 0008 00000001"),
    (p.ReconfigResponse(1, 6), "0010 000c 00000001 00000006"),
    (p.ReconfigResponse(1, 1, 7, 8), "0010 0014 00000001 00000001 00000007 00000008"),
    (p.AddOutgoingStreamsRequest(1, 2), "0011 000c 00000001 0002 0000"),
    (p.AddIncomingStreamsRequest(1, 2), "0012 000c 00000001 0002 0000"),
    (p.EcnCapable(), "8000 0004"),
    (p.ZeroChecksumAcceptable(1), "8001 0008 00000001"),
    (p.Random(bytes(4)), "8002 0008 00000000"),
    (p.ChunkList([0xC1, 0x80]), "8003 0006 c180 0000"),
    (p.HmacAlgorithm([3, 1]), "8004 0008 0003 0001"),
    (p.Padding(b"\0\0\0\0"), "8005 0008 00000000"),
    (p.SupportedExtensions([0xC1, 0x80, 0x82]), "8008 0007 c18082 00"),
    (p.ForwardTsnSupported(), "c000 0004"),
    # RFC 5061 sections 4.2.1, 4.2.2, 4.2.4 and 4.3.1 print these.
    (p.AddIpAddress(0x01023474, p.Ipv4Address("192.0.2.1")), "c001 0010 01023474 0005 0008 c0000201"),
    (p.DeleteIpAddress(0x01023476, p.Ipv4Address("192.0.2.1")), "c002 0010 01023476 0005 0008 c0000201"),
    (
        p.ErrorCauseIndication(
            0x01023476,
            [causes.DeleteLastAddress(bytes.fromhex("c002 0010 01023476 0005 0008 c0000201"))],
        ),
        "c003 001c 01023476 00a0 0014 c002 0010 01023476 0005 0008 c0000201",
    ),
    (p.ErrorCauseIndication(1, [causes.UnsupportedHmac(2)]), "c003 000e 00000001 0105 0006 0002 0000"),
    (p.SetPrimaryAddress(0x01023479, p.Ipv4Address("192.0.2.1")), "c004 0010 01023479 0005 0008 c0000201"),
    (p.SuccessIndication(1), "c005 0008 00000001"),
    (p.AdaptationLayerIndication(0x42), "c006 0008 00000042"),
    (p.UnknownParameter(0xC0DE, b"abc"), "c0de 0007 616263 00"),
]


@pytest.mark.parametrize(("parameter", "layout"), LAYOUTS, ids=lambda item: type(item).__name__)
def test_layout(parameter: p.Parameter, layout: str) -> None:
    encoded = bytes.fromhex(layout)
    assert parameter.encode() == encoded
    assert p.decode_parameters(encoded, 0, len(encoded)) == [parameter]
    assert parameter.type == int.from_bytes(encoded[:2], "big")


def test_a_list_keeps_its_order_and_the_unknown_ones_in_their_place() -> None:
    parameters = [parameter for parameter, _ in LAYOUTS]
    data = b"xx" + b"".join(parameter.encode() for parameter in parameters) + b"yy"
    assert p.decode_parameters(data, 2, len(data) - 2) == parameters


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (0x0005, bytes(3)),
        (0x0005, bytes(16)),
        (0x0006, bytes(4)),
        (0x0006, bytes(17)),
        (0x0009, bytes(3)),
        (0x000C, bytes(3)),
        (0x000D, bytes(11)),
        (0x000D, bytes(13)),
        (0x000E, bytes(3)),
        (0x000E, bytes(5)),
        (0x000F, bytes(5)),
        (0x0010, bytes(4)),
        (0x0010, bytes(12)),
        (0x0010, bytes(20)),
        (0x0011, bytes(4)),
        (0x0012, bytes(12)),
        (0x8000, bytes(1)),
        (0x8001, bytes(3)),
        (0x8004, bytes(1)),
        (0xC000, bytes(4)),
        (0xC001, bytes(3)),
        (0xC001, bytes(4)),
        (0xC001, bytes(4) + bytes.fromhex("0005 0007 c00002 00")),
        (0xC002, bytes(4) + bytes.fromhex("0005 0008 c0000201 0005 0008 c0000201")),
        (0xC003, bytes(3)),
        (0xC003, bytes(4) + bytes.fromhex("00a0 0001")),
        (0xC004, bytes(4) + bytes.fromhex("0006 0008 c0000201")),
        (0xC005, bytes(8)),
        (0xC006, b""),
    ],
)
def test_a_wrong_length_is_refused(type_: int, value: bytes) -> None:
    with pytest.raises(PacketError) as caught:
        p.decode_parameter(type_, value)
    assert caught.value.reason == "bad_parameter_length"


def test_parameters_in_parameters_do_not_nest() -> None:
    # Eight thousand Add IP Address parameters, each in the one before: no recursion follows them.
    value = b""
    for _ in range(8_000):
        value = bytes(4) + tlv.encode(0xC001, value)
    decoded = p.decode_parameter(0xC001, value)
    assert isinstance(decoded, p.AddIpAddress)
    assert isinstance(decoded.address, p.UnknownParameter)
    assert decoded.address.type == 0xC001


def test_addresses_are_written_as_the_system_writes_them() -> None:
    assert p.decode_parameter(6, bytes.fromhex("fe80" + "00" * 13 + "01")) == p.Ipv6Address("fe80::1")
    assert p.Ipv6Address("fe80::1%eth0").encode() == p.Ipv6Address("fe80::1").encode()


@pytest.mark.parametrize(
    "parameter", [p.Ipv4Address("2001:db8::1"), p.Ipv4Address("host.example"), p.Ipv6Address("192.0.2.1")]
)
def test_what_is_no_address_is_refused(parameter: p.Ipv4Address | p.Ipv6Address) -> None:
    with pytest.raises(ValueError, match=parameter.address):
        parameter.encode()


@pytest.mark.parametrize("parameter", [p.ReconfigResponse(1, 1, 7, None), p.ReconfigResponse(1, 1, None, 8)])
def test_half_a_pair_of_next_tsns_is_refused(parameter: p.ReconfigResponse) -> None:
    with pytest.raises(ValueError, match="both next TSNs or none"):
        parameter.encode()


def test_reserved_fields_are_ignored() -> None:
    assert p.decode_parameter(0x11, bytes.fromhex("00000001 0002 beef")) == p.AddOutgoingStreamsRequest(1, 2)


def test_what_no_length_field_can_say_is_refused() -> None:
    with pytest.raises(ValueError, match="65532"):
        p.StateCookie(bytes(65_532)).encode()
    with pytest.raises(ValueError, match="65"):
        p.SupportedAddressTypes([5] * 32_766).encode()


def test_the_module_gives_out_all_it_decodes() -> None:
    assert {type(parameter).__name__ for parameter, _ in LAYOUTS} <= set(p.__all__)
