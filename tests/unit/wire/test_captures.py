"""Captures of other stacks' traffic, packet by packet against what tshark made of them.

The captures are not part of the repository (their licences differ): they are looked for in
``shared/captures`` beside it, or where the environment variable ``PYSCTPSTACK_CAPTURES`` says. dpkt reads the
files, pcap and pcapng by their content; what is around the SCTP packet is taken off here.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pysctpstack.errors import PacketError
from pysctpstack.wire import chunks, packet, params, sack, tlv
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import extension_chunks as e
from pysctpstack.wire.dump import dump

DIRECTORY = Path(os.environ.get("PYSCTPSTACK_CAPTURES", Path(__file__).parents[4] / "shared" / "captures"))
TABLES = sorted(DIRECTORY.glob("*.tshark.tsv"))

pytestmark = pytest.mark.skipif(not TABLES, reason=f"no captures in {DIRECTORY}")

LINKTYPE_ETHERNET = 1
LINKTYPE_LINUX_SLL = 113
LINKTYPE_SCTP = 248

#: Where the parameters begin in the values of chunks that have some.
PARAMETERS_AT = {
    cp.INIT: 16,
    cp.INIT_ACK: 16,
    cp.HEARTBEAT: 0,
    cp.HEARTBEAT_ACK: 0,
    cp.RE_CONFIG: 0,
    cp.ASCONF: 4,
    cp.ASCONF_ACK: 4,
}


def network_packet(link_type: int, frame: bytes) -> tuple[int, bytes]:
    """The EtherType and what it announces, VLAN tags taken off."""
    at = {LINKTYPE_ETHERNET: 12, LINKTYPE_LINUX_SLL: 14}[link_type]
    while frame[at : at + 2] in (b"\x81\x00", b"\x88\xa8"):
        at += 4
    return int.from_bytes(frame[at : at + 2], "big"), frame[at + 2 :]


def sctp_packet(link_type: int, frame: bytes) -> bytes | None:
    """The SCTP packet in a frame, without the padding of its link; None if there is none."""
    if link_type == LINKTYPE_SCTP:
        return frame
    ether_type, network = network_packet(link_type, frame)
    if ether_type == 0x0800 and network[9] == 132:
        assert not int.from_bytes(network[6:8], "big") & 0x3FFF, "an IP fragment"
        return network[(network[0] & 15) * 4 : int.from_bytes(network[2:4], "big")]
    if ether_type == 0x86DD and network[6] == 132:
        return network[40 : 40 + int.from_bytes(network[4:6], "big")]
    return None


def sctp_packets(path: Path) -> Iterator[tuple[int, bytes]]:
    """Frame number, counted from 1, and SCTP packet of each frame that has one."""
    dpkt_pcap = pytest.importorskip("dpkt.pcap")
    with path.open("rb") as file:
        reader = dpkt_pcap.UniversalReader(file)
        for number, (_, frame) in enumerate(reader, start=1):
            datagram = sctp_packet(reader.datalink(), frame)
            if datagram is not None:
                yield number, datagram


def numbers(cell: str) -> list[int]:
    """A cell of the table: numbers in decimal or hexadecimal, one for each chunk that has the field."""
    return [int(number, 0) for number in cell.split(",") if number]


def all_parameters(data: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """Type and length of each parameter, and of the addresses inside the requests of RFC 5061."""
    found = []
    for type_, value_start, value_end in tlv.walk(data, start, end):
        found.append((type_, value_end - value_start + 4))
        if type_ in (cp.PARAM_ADD_IP, cp.PARAM_DELETE_IP, cp.PARAM_SET_PRIMARY):
            found += all_parameters(data, value_start + 4, value_end)
    return found


def as_table(datagram: bytes) -> dict[str, list[int]]:
    """What this package makes of a packet, in the columns of the table."""
    source_port, destination_port, tag, checksum = packet.decode_header(datagram)
    bounds, _ = packet.split(datagram)
    row: dict[str, list[int]] = {
        "sctp.srcport": [source_port],
        "sctp.dstport": [destination_port],
        "sctp.verification_tag": [tag],
        "sctp.checksum": [checksum],
        "sctp.checksum.status": [int(packet.checksum_ok(datagram))],
        "sctp.chunk_type": [type_ for type_, _, _, _ in bounds],
        "sctp.chunk_flags": [flags for _, flags, _, _ in bounds],
        "sctp.chunk_length": [end - start + 4 for _, _, start, end in bounds],
    }

    def add(column: str, *values: int) -> None:
        row.setdefault("sctp." + column, []).extend(values)

    for type_, flags, start, end in bounds:
        value = datagram[start:end]
        match chunks.decode_chunk(type_, flags, value):
            case chunks.Data(tsn, stream_id, ssn, ppid):
                add("data_tsn_raw", tsn)
                add("data_sid", stream_id)
                add("data_ssn", ssn)
                add("data_payload_proto_id", ppid)
            case chunks.Init(tag, a_rwnd, outbound, inbound, tsn) | chunks.InitAck(tag, a_rwnd, outbound, inbound, tsn):
                prefix = "init_" if type_ == cp.INIT else "initack_"
                add(prefix + "initiate_tag", tag)
                add(prefix + "credit", a_rwnd)
                add(prefix + "nr_out_streams", outbound)
                add(prefix + "nr_in_streams", inbound)
                add(prefix + "initial_tsn", tsn)
            case chunks.Sack(tsn, a_rwnd, gaps, duplicates):
                assert sack.decode(datagram, start, end) == (tsn, a_rwnd, gaps, duplicates)
                add("sack_cumulative_tsn_ack_raw", tsn)
                add("sack_a_rwnd", a_rwnd)
                add("sack_gap_block_start", *[first for first, _ in gaps])
                add("sack_gap_block_end", *[last for _, last in gaps])
                add("sack_duplicate_tsn", *duplicates)
            case chunks.Shutdown(tsn):
                add("shutdown_cumulative_tsn_ack", tsn)
            case chunks.Abort(causes) | chunks.Error(causes):
                add("cause_code", *[cause.code for cause in causes])
            case e.ForwardTsn(tsn):
                add("forward_tsn_tsn", tsn)
            case e.Asconf(sequence_number):
                add("asconf_seq_nr_number", sequence_number)
            case e.AsconfAck(sequence_number):
                add("asconf_ack_seq_nr_number", sequence_number)
        if type_ in PARAMETERS_AT:
            parameters = all_parameters(value, PARAMETERS_AT[type_], len(value))
            add("parameter_type", *[parameter for parameter, _ in parameters])
            add("parameter_length", *[length for _, length in parameters])
    return row


#: The key, and what is text. Columns that `as_table` does not fill have to be empty.
NOT_COMPARED = {"frame.number", "_ws.malformed"}


@pytest.mark.parametrize("name", [table.name.removesuffix(".tshark.tsv") for table in TABLES])
def test_we_read_what_tshark_reads(name: str) -> None:
    with (DIRECTORY / f"{name}.tshark.tsv").open(newline="") as file:
        expected = {int(row["frame.number"]): row for row in csv.DictReader(file, delimiter="\t")}
    seen = set()
    for number, datagram in sctp_packets(DIRECTORY / name):
        row = expected[number]
        seen.add(number)
        ours = as_table(datagram)
        for column in row.keys() - NOT_COMPARED:
            assert ours.get(column, []) == numbers(row[column]), f"frame {number}, {column}: {dump(datagram)}"
    assert seen == set(expected)


#: Chunks that we would write otherwise: a length that counts the final padding, padding that is not zero.
WRITTEN_OTHERWISE = {
    ("corelight-communityid-sctp.pcap", 1),
    ("zeek-communityid-sctp.pcap", 1),
    ("ndpi-sctp.cap", 1),
}


@pytest.mark.parametrize("name", [table.name.removesuffix(".tshark.tsv") for table in TABLES])
def test_what_we_read_we_write_the_same(name: str) -> None:
    for number, datagram in sctp_packets(DIRECTORY / name):
        for type_, flags, start, end in packet.split(datagram)[0]:
            chunk = chunks.decode_chunk(type_, flags, datagram[start:end])
            encoded = chunk.encode()
            same = encoded == datagram[start - 4 : (end + 3) & ~3]
            assert same is ((name, number) not in WRITTEN_OTHERWISE), f"frame {number}: {dump(datagram)}"
            assert chunks.decode_chunk(type_, flags, encoded[4 : int.from_bytes(encoded[2:4], "big")]) == chunk


def capture(name: str) -> dict[int, bytes]:
    path = DIRECTORY / name
    if not path.exists():
        pytest.skip(f"no {path}")
    return dict(sctp_packets(path))


def test_the_init_whose_length_counts_its_padding() -> None:
    # tshark calls it malformed; its peer took it, and RFC 9260 section 3.2 wants it taken.
    init = packet.decode(capture("zeek-communityid-sctp.pcap")[1]).chunks
    assert init == [
        chunks.Init(
            0x43232544,
            65535,
            17,
            17,
            1560164255,
            [params.ForwardTsnSupported(), params.SupportedAddressTypes([5])],
        )
    ]


@pytest.mark.parametrize(("number", "chunk"), [(16, chunks.CookieAck()), (35, chunks.ShutdownAck())])
def test_chunks_before_padding_of_the_link_survive_it(number: int, chunk: chunks.Chunk) -> None:
    # Ten zero bytes follow, a DATA chunk of length 0. RFC 9260 section 6.10: process what is complete.
    datagram = capture("usrsctp-corpus-webrtc-addip.derived.pcap")[number]
    ((type_, flags, start, end),), complete = packet.split(datagram)
    assert chunks.decode_chunk(type_, flags, datagram[start:end]) == chunk
    assert not complete
    with pytest.raises(PacketError) as caught:
        packet.decode(datagram)
    assert caught.value.reason == "bad_chunk_length"


def test_adler32_is_not_crc32c() -> None:
    datagrams = capture("ndpi-sctp.cap")
    assert len(datagrams) == 4
    for datagram in datagrams.values():
        with pytest.raises(PacketError) as caught:
            packet.decode(datagram)
        assert caught.value.reason == "bad_checksum"
