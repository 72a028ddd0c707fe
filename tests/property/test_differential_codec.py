"""Random valid packets that we encode, decoded by others: tshark, and scapy's SCTP layer.

The packets of one run go to tshark in one capture, since it takes longer to start than to read them.

What scapy (2.8) does not do, and what is therefore not compared with it: its CRC32c is not looked at, so ours is
computed by `checksum_ok` only; ECNE and CWR are unknown to it, and whatever follows an unknown chunk is raw bytes; the
padding of a chunk's last parameter, which the chunk's length does not count (RFC 9260 section 3.2), is not skipped, so
that the chunks behind it are raw bytes too; nor is the end of a PAD found; error causes are opaque bytes, and
parameters are not compared.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pysctpstack.testing.pcap import Captured, write
from pysctpstack.wire import causes as k
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import extension_chunks as e
from pysctpstack.wire import packet
from pysctpstack.wire import params as p
from pysctpstack.wire.dump import dump

PACKETS = int(os.environ.get("PYSCTPSTACK_DIFFERENTIAL_PACKETS", "400"))
SEED = os.environ.get("PYSCTPSTACK_DIFFERENTIAL_SEED", "9260")
UDP_PORT = 9_899
TSHARK = shutil.which("tshark")

u8 = range(1 << 8)
u16 = range(1 << 16)
u32 = range(1 << 32)


class Maker:
    """Valid packets of one seed."""

    def __init__(self, seed: str) -> None:
        self.random = Random(seed)

    def of(self, numbers: range) -> int:
        """Any of them; the smallest and the largest more often."""
        return self.random.choice((numbers[0], numbers[-1], self.random.choice(numbers), self.random.choice(numbers)))

    def octets(self, least: int = 0, most: int = 40) -> bytes:
        return self.random.randbytes(self.random.randint(least, most))

    def some(self, make: Callable[[], Any], most: int = 4) -> list[Any]:
        return [make() for _ in range(self.random.randint(0, most))]

    def address(self) -> p.Address:
        octets = self.random.randbytes(16)
        if self.random.random() < 0.5:
            return p.Ipv4Address(".".join(map(str, octets[:4])))
        return p.Ipv6Address(":".join(octets[at : at + 2].hex() for at in range(0, 16, 2)))

    def parameter(self) -> p.Parameter:
        random, u = self.random, self.of
        return random.choice(
            (
                lambda: self.address(),
                lambda: p.StateCookie(self.octets(1)),
                lambda: p.CookiePreservative(u(u32)),
                lambda: p.SupportedAddressTypes([5, 6][: random.randint(1, 2)]),
                lambda: p.EcnCapable(),
                lambda: p.ForwardTsnSupported(),
                lambda: p.SupportedExtensions([u(u8) for _ in range(random.randint(1, 5))]),
                lambda: p.Random(random.randbytes(32)),
                lambda: p.HmacAlgorithm([1, 3]),
                lambda: p.AdaptationLayerIndication(u(u32)),
                lambda: p.Padding(self.octets()),
            )
        )()

    def cause(self) -> k.Cause:
        u = self.of
        return self.random.choice(
            (
                lambda: k.InvalidStreamIdentifier(u(u16)),
                lambda: k.StaleCookie(u(u32)),
                lambda: k.OutOfResource(),
                lambda: k.InvalidMandatoryParameter(),
                lambda: k.NoUserData(u(u32)),
                lambda: k.CookieReceivedWhileShuttingDown(),
                lambda: k.UserInitiatedAbort(self.octets(1)),
                lambda: k.ProtocolViolation(self.octets(1)),
            )
        )()

    def chunk(self) -> c.Chunk:
        random, u = self.random, self.of
        blocks = tuple((u(u16), u(u16)) for _ in range(random.randint(0, 5)))
        return random.choice(
            (
                lambda: c.Data(u(u32), u(u16), u(u16), u(u32), self.octets(1, 100), random.randrange(16)),
                lambda: c.Sack(u(u32), u(u32), blocks, tuple(u(u32) for _ in range(random.randint(0, 4)))),
                lambda: c.Heartbeat(self.octets(1)),
                lambda: c.HeartbeatAck(self.octets(1)),
                lambda: c.Abort(self.some(self.cause), random.random() < 0.5),
                lambda: c.Shutdown(u(u32)),
                lambda: c.ShutdownAck(),
                lambda: c.Error([self.cause() for _ in range(random.randint(1, 3))]),
                lambda: c.CookieEcho(self.octets(1)),
                lambda: c.CookieAck(),
                lambda: c.Ecne(u(u32)),
                lambda: c.Cwr(u(u32)),
                lambda: e.Pad(self.octets()),
                lambda: e.ForwardTsn(u(u32), [(u(u16), u(u16)) for _ in range(random.randint(0, 4))]),
                lambda: e.ReConfig([p.AddOutgoingStreamsRequest(u(u32), u(u16))]),
            )
        )()

    def alone(self) -> c.Chunk:
        """A chunk that travels in a packet of its own."""
        u = self.of
        fixed = (
            self.random.randint(1, 0xFFFFFFFF),
            u(u32),
            self.random.randint(1, 0xFFFF),
            self.random.randint(1, 0xFFFF),
        )
        kind = self.random.choice((c.Init, c.InitAck, None))
        if kind is None:
            return c.ShutdownComplete(self.random.random() < 0.5)
        return kind(*fixed, u(u32), self.some(self.parameter))

    def packet(self) -> bytes:
        chunks = [self.alone()] if self.random.random() < 0.25 else [self.chunk(), *self.some(self.chunk, 3)]
        tag = 0 if isinstance(chunks[0], c.Init) else self.of(u32)
        ports = self.random.randint(1, 0xFFFF), self.random.randint(1, 0xFFFF)
        return packet.encode(*ports, tag, [chunk.encode() for chunk in chunks])

    def packets(self) -> list[bytes]:
        return [self.packet() for _ in range(PACKETS)]


def fields_of(datagram: bytes) -> dict[str, list[int]]:
    """What is in a packet, by tshark's names; read from the values, not from the bytes that were made of them."""
    decoded = packet.decode(datagram)
    found: dict[str, list[int]] = {
        "sctp.srcport": [decoded.source_port],
        "sctp.dstport": [decoded.destination_port],
        "sctp.verification_tag": [decoded.verification_tag],
        "sctp.checksum.status": [1],
        "sctp.chunk_type": [chunk.type for chunk in decoded.chunks],
        "sctp.chunk_length": [end - start + 4 for _, _, start, end in packet.split(datagram)[0]],
    }

    def add(**columns: object) -> None:
        for name, value in columns.items():
            found.setdefault(f"sctp.{name}", []).extend(value if isinstance(value, list) else [value])  # type: ignore[arg-type]

    for chunk in decoded.chunks:
        match chunk:
            case c.Data(tsn, stream_id, ssn, ppid, _, flags):
                add(data_tsn_raw=tsn, data_sid=stream_id, data_ssn=ssn, data_payload_proto_id=ppid)
                add(
                    data_b_bit=flags >> 1 & 1,
                    data_e_bit=flags & 1,
                    data_u_bit=flags >> 2 & 1,
                    data_i_bit=flags >> 3 & 1,
                )
            case c.Init(tag, a_rwnd, outbound, inbound, tsn):
                add(init_initiate_tag=tag, init_credit=a_rwnd, init_initial_tsn=tsn)
                add(init_nr_out_streams=outbound, init_nr_in_streams=inbound)
            case c.InitAck(tag, a_rwnd, outbound, inbound, tsn):
                add(initack_initiate_tag=tag, initack_credit=a_rwnd, initack_initial_tsn=tsn)
                add(initack_nr_out_streams=outbound, initack_nr_in_streams=inbound)
            case c.Sack(tsn, a_rwnd, gaps, duplicates):
                add(sack_cumulative_tsn_ack_raw=tsn, sack_a_rwnd=a_rwnd, sack_duplicate_tsn=list(duplicates))
                add(sack_gap_block_start=[start for start, _ in gaps], sack_gap_block_end=[end for _, end in gaps])
            case c.Shutdown(tsn):
                add(shutdown_cumulative_tsn_ack=tsn)
            case c.Abort(causes) | c.Error(causes):
                add(cause_code=[cause.code for cause in causes])
            case e.ForwardTsn(tsn, streams):
                add(forward_tsn_tsn=tsn)
                add(
                    forward_tsn_sid=[stream_id for stream_id, _ in streams], forward_tsn_ssn=[ssn for _, ssn in streams]
                )
        for parameter in getattr(chunk, "parameters", []):
            add(parameter_type=parameter.type)
        if isinstance(chunk, (c.Heartbeat, c.HeartbeatAck)):
            add(parameter_type=cp.PARAM_HEARTBEAT_INFO)
    return found


FIELDS = (
    "srcport", "dstport", "verification_tag", "checksum.status", "chunk_type", "chunk_length", "data_tsn_raw",
    "data_sid", "data_ssn", "data_payload_proto_id", "data_b_bit", "data_e_bit", "data_u_bit", "data_i_bit",
    "init_initiate_tag", "init_credit", "init_nr_out_streams", "init_nr_in_streams", "init_initial_tsn",
    "initack_initiate_tag", "initack_credit", "initack_nr_out_streams", "initack_nr_in_streams",
    "initack_initial_tsn", "sack_cumulative_tsn_ack_raw", "sack_a_rwnd", "sack_gap_block_start",
    "sack_gap_block_end", "sack_duplicate_tsn", "shutdown_cumulative_tsn_ack", "forward_tsn_tsn",
    "forward_tsn_sid", "forward_tsn_ssn", "parameter_type", "cause_code",
)  # fmt: skip


@pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")
def test_tshark_reads_what_we_wrote(tmp_path: Path) -> None:
    packets = Maker(SEED).packets()
    capture = tmp_path / "packets.pcap"
    seen = [Captured(n / 1_000, "192.0.2.1", UDP_PORT, "192.0.2.2", UDP_PORT, data) for n, data in enumerate(packets)]
    assert write(capture, seen) == len(packets)
    assert TSHARK is not None
    command = [TSHARK, "-r", str(capture), "-d", f"udp.port=={UDP_PORT},sctp", "-T", "fields"]
    command += ["-E", "header=y", "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=,"]
    for preference in ("checksum:crc-32c", "reassembly:FALSE", "ulp_dissection:FALSE", "relative_tsns:FALSE"):
        command += ["-o", f"sctp.{preference}"]
    for field in (*(f"sctp.{name}" for name in FIELDS), "_ws.malformed"):
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    rows = list(csv.DictReader(done.stdout.splitlines(), delimiter="\t"))
    assert len(rows) == len(packets)
    for row, datagram in zip(rows, packets, strict=True):
        assert not row.pop("_ws.malformed"), dump(datagram)
        theirs = {name: [_number(cell) for cell in cells.split(",")] for name, cells in row.items() if cells}
        ours = {name: numbers for name, numbers in fields_of(datagram).items() if numbers}
        assert theirs == ours, dump(datagram)


def _number(cell: str) -> int:
    return int(cell) if cell.isdigit() else int(cell in ("True",)) if cell in ("True", "False") else int(cell, 0)


#: By our class: scapy's name of it, and scapy's field for each of our attributes.
SCAPY: dict[type, tuple[str, dict[str, str]]] = {
    c.Data: ("SCTPChunkData", {"tsn": "tsn", "stream_id": "stream_id", "ssn": "stream_seq", "ppid": "proto_id"}),
    c.Init: (
        "SCTPChunkInit",
        {
            "initiate_tag": "init_tag",
            "a_rwnd": "a_rwnd",
            "outbound_streams": "n_out_streams",
            "inbound_streams": "n_in_streams",
            "initial_tsn": "init_tsn",
        },
    ),
    c.Sack: ("SCTPChunkSACK", {"cumulative_tsn": "cumul_tsn_ack", "a_rwnd": "a_rwnd"}),
    c.Heartbeat: ("SCTPChunkHeartbeatReq", {}),
    c.HeartbeatAck: ("SCTPChunkHeartbeatAck", {}),
    c.Abort: ("SCTPChunkAbort", {"reflected": "TCB"}),
    c.Error: ("SCTPChunkError", {}),
    c.Shutdown: ("SCTPChunkShutdown", {"cumulative_tsn": "cumul_tsn_ack"}),
    c.ShutdownAck: ("SCTPChunkShutdownAck", {}),
    c.CookieEcho: ("SCTPChunkCookieEcho", {"cookie": "cookie"}),
    c.CookieAck: ("SCTPChunkCookieAck", {}),
    c.ShutdownComplete: ("SCTPChunkShutdownComplete", {"reflected": "TCB"}),
    e.ForwardTsn: ("SCTPChunkForwardTSN", {"new_cumulative_tsn": "new_tsn"}),
    e.ReConfig: ("SCTPChunkReConfig", {}),
    e.Pad: ("SCTPChunkPad", {}),
}
SCAPY[c.InitAck] = ("SCTPChunkInitAck", SCAPY[c.Init][1])
UNKNOWN_TO_SCAPY = (c.Ecne, c.Cwr)


def test_scapy_reads_what_we_wrote() -> None:
    sctp = pytest.importorskip("scapy.layers.sctp", reason="scapy is not installed (it is in the test extra)")
    compared = 0
    for datagram in Maker(SEED).packets():
        decoded = packet.decode(datagram)
        theirs = sctp.SCTP(datagram)
        assert (theirs.sport, theirs.dport, theirs.tag) == (
            decoded.source_port, decoded.destination_port, decoded.verification_tag,
        )  # fmt: skip
        layer = theirs.payload
        for chunk, (_, _, start, end) in zip(decoded.chunks, packet.split(datagram)[0], strict=True):
            if isinstance(chunk, UNKNOWN_TO_SCAPY):
                break
            name, attributes = SCAPY[type(chunk)]
            where = f"{dump(datagram)}: {layer!r}"
            assert type(layer).__name__ == name, where
            assert (layer.type, layer.len) == (chunk.type, end - start + 4), where
            for ours, field in attributes.items():
                assert getattr(layer, field) == getattr(chunk, ours), where
            if isinstance(chunk, c.Data):
                flags = layer.delay_sack << 3 | layer.unordered << 2 | layer.beginning << 1 | layer.ending
                assert (flags, bytes(layer.data)) == (chunk.flags, chunk.payload), where
            elif isinstance(chunk, c.Sack):
                gaps = [tuple(map(int, block.split(":"))) for block in layer.gap_ack_list]
                assert (gaps, list(layer.dup_tsn_list)) == (list(chunk.gaps), list(chunk.duplicates)), where
            compared += 1
            if isinstance(chunk, e.Pad) or (hasattr(layer, "params") and (end - start) & 3):
                # It does not find the end of these.
                break
            layer = layer.payload
    assert compared > PACKETS
