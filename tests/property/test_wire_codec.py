"""Encoding and decoding are each other's inverse; bytes of any kind decode or raise PacketError."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pysctpstack.errors import PacketError
from pysctpstack.wire import causes, chunks, packet, params, sack, tlv
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import extension_chunks as e
from pysctpstack.wire.crc32c import crc32c
from pysctpstack.wire.dump import dump
from pysctpstack.wire.packet import Packet
from pysctpstack.wire.serial import unwrap32

# The machine that runs this may be busy: no deadline for one example.
unhurried = settings(deadline=None)

T = TypeVar("T")

u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
octets = st.binary(max_size=40)
u8_lists = st.lists(u8, max_size=9)
u16_lists = st.lists(u16, max_size=9)

CAUSES: dict[type, SearchStrategy[causes.Cause]] = {
    causes.InvalidStreamIdentifier: st.builds(causes.InvalidStreamIdentifier, u16),
    causes.MissingMandatoryParameter: st.builds(causes.MissingMandatoryParameter, u16_lists),
    causes.StaleCookie: st.builds(causes.StaleCookie, u32),
    causes.OutOfResource: st.builds(causes.OutOfResource),
    causes.UnresolvableAddress: st.builds(causes.UnresolvableAddress, octets),
    causes.UnrecognizedChunk: st.builds(causes.UnrecognizedChunk, octets),
    causes.InvalidMandatoryParameter: st.builds(causes.InvalidMandatoryParameter),
    causes.UnrecognizedParameters: st.builds(causes.UnrecognizedParameters, octets),
    causes.NoUserData: st.builds(causes.NoUserData, u32),
    causes.CookieReceivedWhileShuttingDown: st.builds(causes.CookieReceivedWhileShuttingDown),
    causes.RestartWithNewAddresses: st.builds(causes.RestartWithNewAddresses, octets),
    causes.UserInitiatedAbort: st.builds(causes.UserInitiatedAbort, octets),
    causes.ProtocolViolation: st.builds(causes.ProtocolViolation, octets),
    causes.RestartNewEncapsulationPort: st.builds(causes.RestartNewEncapsulationPort, u16, u16),
    causes.DeleteLastAddress: st.builds(causes.DeleteLastAddress, octets),
    causes.ResourceShortage: st.builds(causes.ResourceShortage, octets),
    causes.DeleteSourceAddress: st.builds(causes.DeleteSourceAddress, octets),
    causes.IllegalAsconfAck: st.builds(causes.IllegalAsconfAck),
    causes.NoAuthorization: st.builds(causes.NoAuthorization, octets),
    causes.UnsupportedHmac: st.builds(causes.UnsupportedHmac, u16),
    causes.UnknownCause: st.builds(causes.UnknownCause, u16.filter(lambda code: code not in cp.CAUSE_NAMES), octets),
}
some_causes = st.lists(st.one_of(*CAUSES.values()), max_size=4)

unknown_parameter = st.builds(
    params.UnknownParameter, u16.filter(lambda type_: type_ not in cp.PARAMETER_NAMES), octets
)
ipv4 = st.builds(params.Ipv4Address, st.ip_addresses(v=4).map(str))
ipv6 = st.builds(params.Ipv6Address, st.ip_addresses(v=6).map(str))
address: SearchStrategy[params.Address] = st.one_of(ipv4, ipv6, unknown_parameter)

PARAMETERS: dict[type, SearchStrategy[params.Parameter]] = {
    params.HeartbeatInfo: st.builds(params.HeartbeatInfo, octets),
    params.Ipv4Address: ipv4,
    params.Ipv6Address: ipv6,
    params.StateCookie: st.builds(params.StateCookie, octets),
    params.UnrecognizedParameter: st.builds(params.UnrecognizedParameter, octets),
    params.CookiePreservative: st.builds(params.CookiePreservative, u32),
    params.HostName: st.builds(params.HostName, octets),
    params.SupportedAddressTypes: st.builds(params.SupportedAddressTypes, u16_lists),
    params.EcnCapable: st.builds(params.EcnCapable),
    params.ForwardTsnSupported: st.builds(params.ForwardTsnSupported),
    params.SupportedExtensions: st.builds(params.SupportedExtensions, u8_lists),
    params.Random: st.builds(params.Random, octets),
    params.ChunkList: st.builds(params.ChunkList, u8_lists),
    params.HmacAlgorithm: st.builds(params.HmacAlgorithm, u16_lists),
    params.Padding: st.builds(params.Padding, octets),
    params.ZeroChecksumAcceptable: st.builds(params.ZeroChecksumAcceptable, u32),
    params.AddIpAddress: st.builds(params.AddIpAddress, u32, address),
    params.DeleteIpAddress: st.builds(params.DeleteIpAddress, u32, address),
    params.SetPrimaryAddress: st.builds(params.SetPrimaryAddress, u32, address),
    params.ErrorCauseIndication: st.builds(params.ErrorCauseIndication, u32, some_causes),
    params.SuccessIndication: st.builds(params.SuccessIndication, u32),
    params.AdaptationLayerIndication: st.builds(params.AdaptationLayerIndication, u32),
    params.OutgoingSsnResetRequest: st.builds(params.OutgoingSsnResetRequest, u32, u32, u32, u16_lists),
    params.IncomingSsnResetRequest: st.builds(params.IncomingSsnResetRequest, u32, u16_lists),
    params.SsnTsnResetRequest: st.builds(params.SsnTsnResetRequest, u32),
    params.ReconfigResponse: st.builds(params.ReconfigResponse, u32, u32)
    | st.builds(params.ReconfigResponse, u32, u32, u32, u32),
    params.AddOutgoingStreamsRequest: st.builds(params.AddOutgoingStreamsRequest, u32, u16),
    params.AddIncomingStreamsRequest: st.builds(params.AddIncomingStreamsRequest, u32, u16),
    params.UnknownParameter: unknown_parameter,
}
some_parameters = st.lists(st.one_of(*PARAMETERS.values()), max_size=4)

gaps = st.lists(st.tuples(u16, u16), max_size=6).map(tuple)
duplicates = st.lists(u32, max_size=6).map(tuple)

CHUNKS: dict[type, SearchStrategy[chunks.Chunk]] = {
    chunks.Data: st.builds(chunks.Data, u32, u16, u16, u32, octets, u8),
    chunks.Init: st.builds(chunks.Init, u32, u32, u16, u16, u32, some_parameters),
    chunks.InitAck: st.builds(chunks.InitAck, u32, u32, u16, u16, u32, some_parameters),
    chunks.Sack: st.builds(chunks.Sack, u32, u32, gaps, duplicates),
    chunks.Heartbeat: st.builds(chunks.Heartbeat, octets),
    chunks.HeartbeatAck: st.builds(chunks.HeartbeatAck, octets),
    chunks.Abort: st.builds(chunks.Abort, some_causes, st.booleans()),
    chunks.Shutdown: st.builds(chunks.Shutdown, u32),
    chunks.ShutdownAck: st.builds(chunks.ShutdownAck),
    chunks.Error: st.builds(chunks.Error, some_causes),
    chunks.CookieEcho: st.builds(chunks.CookieEcho, octets),
    chunks.CookieAck: st.builds(chunks.CookieAck),
    chunks.Ecne: st.builds(chunks.Ecne, u32),
    chunks.Cwr: st.builds(chunks.Cwr, u32),
    chunks.ShutdownComplete: st.builds(chunks.ShutdownComplete, st.booleans()),
    e.Auth: st.builds(e.Auth, u16, u16, octets),
    e.IData: st.builds(e.IData, u32, u16, u32, u32, octets, u8),
    e.AsconfAck: st.builds(e.AsconfAck, u32, some_parameters),
    e.ReConfig: st.builds(e.ReConfig, some_parameters),
    e.Pad: st.builds(e.Pad, octets),
    e.ForwardTsn: st.builds(e.ForwardTsn, u32, st.lists(st.tuples(u16, u16), max_size=5)),
    e.Asconf: st.builds(e.Asconf, u32, address, some_parameters),
    e.IForwardTsn: st.builds(e.IForwardTsn, u32, st.lists(st.tuples(u16, st.booleans(), u32), max_size=5)),
    chunks.UnknownChunk: st.builds(
        chunks.UnknownChunk, u8.filter(lambda type_: type_ not in cp.CHUNK_NAMES), u8, octets
    ),
}
packets = st.builds(Packet, u16, u16, u32, st.just(0), st.lists(st.one_of(*CHUNKS.values()), max_size=5))


def class_name(kind: type) -> str:
    return kind.__name__


def test_the_strategies_know_every_class() -> None:
    # One class for each number of the registry, and the one for unknown numbers.
    assert len(CAUSES) == len(cp.CAUSE_NAMES) + 1
    assert len(PARAMETERS) == len(cp.PARAMETER_NAMES) + 1
    assert len(CHUNKS) == len(cp.CHUNK_NAMES) + 1


@pytest.mark.parametrize("kind", CAUSES, ids=class_name)
@unhurried
@given(data=st.data())
def test_causes_come_back(kind: type, data: st.DataObject) -> None:
    cause = data.draw(CAUSES[kind])
    encoded = cause.encode()
    assert len(encoded) % 4 == 0
    assert causes.decode_causes(encoded, 0, len(encoded)) == [cause]


@pytest.mark.parametrize("kind", PARAMETERS, ids=class_name)
@unhurried
@given(data=st.data())
def test_parameters_come_back(kind: type, data: st.DataObject) -> None:
    parameter = data.draw(PARAMETERS[kind])
    encoded = parameter.encode()
    assert len(encoded) % 4 == 0
    assert params.decode_parameters(encoded, 0, len(encoded)) == [parameter]


@pytest.mark.parametrize("kind", CHUNKS, ids=class_name)
@unhurried
@given(data=st.data())
def test_chunks_come_back(kind: type, data: st.DataObject) -> None:
    chunk = data.draw(CHUNKS[kind])
    encoded = bytes(12) + chunk.encode()
    assert len(encoded) % 4 == 0
    [(type_, flags, start, end)], complete = packet.split(encoded)
    assert complete
    assert len(encoded) - end < 4
    assert chunks.decode_chunk(type_, flags, encoded[start:end]) == chunk


@unhurried
@given(packets)
def test_packets_come_back(original: Packet) -> None:
    datagram = original.encode()
    decoded = packet.decode(datagram)
    original.checksum = decoded.checksum
    assert decoded == original
    assert decoded.encode() == datagram
    assert "!" not in dump(datagram)


@unhurried
@given(st.lists(octets, max_size=8), u16, u16, u32)
def test_a_packet_is_its_pieces(pieces: list[bytes], source: int, destination: int, tag: int) -> None:
    datagram = packet.encode(source, destination, tag, pieces)
    assert datagram[12:] == b"".join(pieces)
    assert packet.decode_header(datagram)[:3] == (source, destination, tag)
    zeroed = datagram[:8] + bytes(4) + datagram[12:]
    assert datagram[8:12] == crc32c(zeroed).to_bytes(4, "little")
    assert packet.checksum_ok(datagram)


@unhurried
@given(u32, st.integers(-(2**40), 2**40))
def test_unwrap32(value: int, reference: int) -> None:
    unwrapped = unwrap32(value, reference)
    assert unwrapped & 0xFFFFFFFF == value
    assert -(2**31) <= unwrapped - reference < 2**31


def attempt(call: Callable[[], T]) -> T | PacketError:
    """What the call returns, or the PacketError it raises; every other exception fails the test."""
    try:
        return call()
    except PacketError as error:
        return error


def survives(datagram: bytes) -> None:
    """What has to hold for any bytes whatsoever."""
    text = dump(datagram)
    assert "\n" not in text
    outcome = attempt(lambda: packet.split(datagram))
    if isinstance(outcome, PacketError):
        assert outcome.reason == "truncated_packet"
        assert len(datagram) < 12
        return
    bounds, complete = outcome
    packet.checksum_ok(datagram)
    position = 12
    for _, _, start, end in bounds:
        assert position + 4 == start <= end <= len(datagram)
        position = (end + 3) & ~3
    assert complete is (position >= len(datagram))
    for type_, flags, start, end in bounds:
        chunk = attempt(partial(chunks.decode_chunk, type_, flags, datagram[start:end]))
        if not isinstance(chunk, PacketError):
            assert len(chunk.encode()) % 4 == 0
    decoded = attempt(lambda: packet.decode(datagram, verify=False))
    if not isinstance(decoded, PacketError):
        assert packet.decode(decoded.encode()).chunks == decoded.chunks


@unhurried
@given(st.binary(max_size=300))
def test_any_bytes(datagram: bytes) -> None:
    survives(datagram)


@unhurried
@given(st.lists(st.tuples(st.sampled_from(sorted(cp.CHUNK_NAMES)), u8, octets), max_size=5))
def test_any_values_in_real_chunks(contents: list[tuple[int, int, bytes]]) -> None:
    survives(packet.encode(1, 2, 3, [tlv.encode_chunk(*content) for content in contents]))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid packet with some bytes changed, taken away or added; lengths are a favourite."""
    datagram = bytearray(draw(packets).encode())
    for _ in range(draw(st.integers(1, 4))):
        position = draw(st.integers(0, len(datagram)))
        match draw(st.sampled_from(["length", "byte", "cut", "insert", "remove"])):
            case "length":
                position &= ~3
                datagram[position + 2 : position + 4] = draw(
                    st.sampled_from([0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 20, 0x7FFF, 0xFFFC, 0xFFFF]) | u16
                ).to_bytes(2, "big")
            case "byte":
                datagram[position : position + 1] = draw(st.binary(min_size=1, max_size=1))
            case "cut":
                del datagram[position:]
            case "insert":
                datagram[position:position] = draw(st.binary(max_size=8))
            case "remove":
                del datagram[position : position + draw(st.integers(1, 8))]
    return bytes(datagram)


@settings(max_examples=500, deadline=None)
@given(mutated())
def test_mutated_packets(datagram: bytes) -> None:
    survives(datagram)


@pytest.mark.parametrize("type_", [*sorted(cp.CHUNK_NAMES), 255])
@unhurried
@given(flags=u8, value=st.binary(max_size=60))
def test_any_value_of_every_chunk(type_: int, flags: int, value: bytes) -> None:
    chunk = attempt(lambda: chunks.decode_chunk(type_, flags, value))
    if not isinstance(chunk, PacketError):
        encoded = chunk.encode()
        assert (chunk.type, encoded[0], len(encoded) % 4) == (type_, type_, 0)


@pytest.mark.parametrize("type_", [*sorted(cp.PARAMETER_NAMES), 65535])
@unhurried
@given(value=st.binary(max_size=40))
def test_any_value_of_every_parameter(type_: int, value: bytes) -> None:
    parameter = attempt(lambda: params.decode_parameter(type_, value))
    if not isinstance(parameter, PacketError):
        encoded = parameter.encode()
        assert parameter.type == type_
        assert params.decode_parameters(encoded, 0, len(encoded)) == [parameter]


@pytest.mark.parametrize("code", [*sorted(cp.CAUSE_NAMES), 65535])
@unhurried
@given(value=st.binary(max_size=40))
def test_any_value_of_every_cause(code: int, value: bytes) -> None:
    cause = attempt(lambda: causes.decode_cause(code, value))
    if not isinstance(cause, PacketError):
        encoded = cause.encode()
        assert cause.code == code
        assert causes.decode_causes(encoded, 0, len(encoded)) == [cause]


@unhurried
@given(st.binary(max_size=80), st.integers(0, 90), st.integers(0, 90))
def test_the_walker_makes_progress(data: bytes, start: int, end: int) -> None:
    end = min(end, len(data))
    found = attempt(lambda: tlv.walk(data, start, end))
    if isinstance(found, PacketError):
        assert found.reason == "bad_parameter_length"
        return
    position = start
    for _, value_start, value_end in found:
        assert position + 4 == value_start <= value_end <= end
        position += (value_end - position + 3) & ~3
    assert position >= end


@unhurried
@given(st.binary(max_size=60), st.integers(0, 8), u16 | st.integers(0, 8), u16 | st.integers(0, 8))
def test_sacks_of_any_counts(blocks: bytes, before: int, gap_count: int, duplicate_count: int) -> None:
    counts = gap_count.to_bytes(2, "big") + duplicate_count.to_bytes(2, "big")
    datagram = bytes(before + 8) + counts + blocks
    outcome = attempt(lambda: sack.decode(datagram, before, len(datagram)))
    if isinstance(outcome, PacketError):
        assert outcome.reason == "bad_sack"
        assert len(blocks) != 4 * (gap_count + duplicate_count)
        return
    assert (len(outcome[2]), len(outcome[3])) == (gap_count, duplicate_count)
    assert sack.encode(*outcome)[4:] == datagram[before:]
