"""Every error cause, byte for byte against the figures of its RFC."""

from __future__ import annotations

import pytest

from pysctpstack.errors import PacketError
from pysctpstack.wire import causes as c

LAYOUTS: list[tuple[c.Cause, str]] = [
    (c.InvalidStreamIdentifier(7), "0001 0008 0007 0000"),
    (c.MissingMandatoryParameter([7]), "0002 000a 00000001 0007 0000"),
    (c.MissingMandatoryParameter([7, 5]), "0002 000c 00000002 0007 0005"),
    (c.StaleCookie(1_000_000), "0003 0008 000f4240"),
    (c.OutOfResource(), "0004 0004"),
    (c.UnresolvableAddress(bytes.fromhex("000b0005aa")), "0005 0009 000b0005 aa000000"),
    (c.UnrecognizedChunk(bytes.fromhex("40000004")), "0006 0008 40000004"),
    (c.InvalidMandatoryParameter(), "0007 0004"),
    (c.UnrecognizedParameters(bytes.fromhex("c0ff0004")), "0008 0008 c0ff0004"),
    (c.NoUserData(9), "0009 0008 00000009"),
    (c.CookieReceivedWhileShuttingDown(), "000a 0004"),
    (c.RestartWithNewAddresses(bytes.fromhex("00050008c0000201")), "000b 000c 00050008 c0000201"),
    (c.UserInitiatedAbort(b"enough"), "000c 000a 656e6f75 67680000"),
    (c.ProtocolViolation(b""), "000d 0004"),
    (c.RestartNewEncapsulationPort(9899, 40000), "000e 0008 26ab 9c40"),
    (c.DeleteLastAddress(b"abcd"), "00a0 0008 61626364"),
    (c.ResourceShortage(b"abcd"), "00a1 0008 61626364"),
    (c.DeleteSourceAddress(b"abcd"), "00a2 0008 61626364"),
    (c.IllegalAsconfAck(), "00a3 0004"),
    (c.NoAuthorization(b"abcd"), "00a4 0008 61626364"),
    (c.UnsupportedHmac(2), "0105 0006 0002 0000"),
    (c.UnknownCause(0x7777, b"abc"), "7777 0007 616263 00"),
]


@pytest.mark.parametrize(("cause", "layout"), LAYOUTS, ids=lambda item: type(item).__name__)
def test_layout(cause: c.Cause, layout: str) -> None:
    encoded = bytes.fromhex(layout)
    assert cause.encode() == encoded
    assert c.decode_causes(encoded, 0, len(encoded)) == [cause]
    assert cause.code == int.from_bytes(encoded[:2], "big")


def test_a_list_keeps_its_order() -> None:
    causes = [cause for cause, _ in LAYOUTS]
    data = b"xx" + b"".join(cause.encode() for cause in causes) + b"yy"
    assert c.decode_causes(data, 2, len(data) - 2) == causes


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (1, bytes(2)),
        (2, bytes(3)),
        (2, bytes.fromhex("00000001")),
        (2, bytes.fromhex("ffffffff 0007")),
        (2, bytes.fromhex("00000001 00")),
        (3, bytes(5)),
        (4, bytes(1)),
        (7, bytes(4)),
        (9, bytes(3)),
        (10, bytes(2)),
        (14, bytes(2)),
        (0xA3, bytes(4)),
        (0x105, bytes(4)),
    ],
)
def test_a_wrong_length_is_refused(code: int, value: bytes) -> None:
    with pytest.raises(PacketError) as caught:
        c.decode_cause(code, value)
    assert caught.value.reason == "bad_cause_length"


def test_reserved_fields_are_ignored() -> None:
    assert c.decode_cause(1, bytes.fromhex("0007 beef")) == c.InvalidStreamIdentifier(7)


def test_what_no_length_field_can_say_is_refused() -> None:
    with pytest.raises(ValueError, match="65532"):
        c.UnrecognizedChunk(bytes(65_532)).encode()
