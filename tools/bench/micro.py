"""Micro-benchmarks of the hot files, in nanoseconds: run as a program it prints a line of JSON.

``{"case": {"ns": value}}``, or ``{"case": {"problem": text}}`` where a file no longer has what is measured here. Cases
of the core and of drivers/udp are per packet, all others per call.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from pysctpstack import Config
from pysctpstack.core import Route
from pysctpstack.drivers.udp import UdpSockets
from pysctpstack.wire import crc32c, data, packet, sack
from tools.bench.core_loop import CorePair

PAYLOAD = bytes(1_400)
MTU = 1_500
SAMPLES = 5
SAMPLE_SECONDS = 0.02
TRAIN = 44
"""Packets that one UDP call carries at most, at this path MTU."""
DATA_FLAGS = 3
"""A whole message."""


def per_call(function: Callable[..., object], *arguments: object) -> float:
    """Nanoseconds of a call: the median of a few samples."""
    clock = time.perf_counter
    number = 1
    while True:
        started = clock()
        for _ in range(number):
            function(*arguments)
        if (elapsed := clock() - started) >= SAMPLE_SECONDS / 4:
            break
        number *= 4
    number = max(int(number * SAMPLE_SECONDS / elapsed), 1)
    samples = []
    for _ in range(SAMPLES):
        started = clock()
        for _ in range(number):
            function(*arguments)
        samples.append((clock() - started) / number)
    return statistics.median(samples) * 1e9


def data_packet() -> bytes:
    header = data.encode_header(DATA_FLAGS, len(PAYLOAD), 1, 0, 0, 0)
    return packet.encode(5_000, 5_001, 0x12345678, [header, PAYLOAD])


def wire_packet_encode() -> float:
    chunks = [data.encode_header(DATA_FLAGS, len(PAYLOAD), 1, 0, 0, 0), PAYLOAD]
    return per_call(packet.encode, 5_000, 5_001, 0x12345678, chunks)


def wire_packet_checksum() -> float:
    return per_call(packet.checksum_ok, data_packet())


def wire_packet_split() -> float:
    return per_call(packet.split, data_packet())


def wire_crc32c() -> float:
    return per_call(crc32c.crc32c, PAYLOAD)


def wire_data_encode() -> float:
    return per_call(data.encode_header, DATA_FLAGS, len(PAYLOAD), 1, 0, 0, 0)


def wire_data_decode() -> float:
    return per_call(data.CHUNK.unpack_from, data_packet(), 12)


GAPS = [(2 * i, 2 * i) for i in range(1, 11)]


def wire_sack_encode() -> float:
    return per_call(sack.encode, 1, 1 << 20, (), ())


def wire_sack_decode() -> float:
    return per_call(sack.decode, sack.encode(1, 1 << 20, (), ()), 4, 16)


def wire_sack_encode_gaps() -> float:
    return per_call(sack.encode, 1, 1 << 20, GAPS, ())


def wire_sack_decode_gaps() -> float:
    chunk = sack.encode(1, 1 << 20, GAPS, ())
    return per_call(sack.decode, chunk, 4, len(chunk))


def core_side(size: int, side: str) -> Callable[[], float]:
    """What one end of the core takes for a packet: with `send`, SACKs and output, or with events and SACKs."""

    def measure() -> float:
        pair = CorePair(MTU, max(1 << 20, 2 * size))
        pair.run(size, 0.3)
        seconds = pair.sender_seconds if side == "send" else pair.receiver_seconds
        return seconds / pair.packets * 1e9

    return measure


def udp_side(levers: bool, side: str) -> Callable[[], float]:
    """What sending or receiving a packet of 1,428 bytes through a UDP socket takes, the kernel's part included."""

    def measure() -> float:
        config = Config(gso=levers, gro=levers, pktinfo=levers, icmp_errors=levers)
        datagram = data_packet()
        with closing(UdpSockets(0, config)) as sender, closing(UdpSockets(0, config)) as receiver:
            route = Route("127.0.0.1", receiver.port)
            batch = [(route, datagram)] * TRAIN
            sock = next(sock for sock in receiver.sockets if sock.getsockname()[0] == "0.0.0.0")
            clock = time.perf_counter
            times = []
            until = clock() + SAMPLES * SAMPLE_SECONDS * 5
            while clock() < until:
                started = clock()
                sender.send(batch)
                sent = clock()
                left = TRAIN
                while left > 0:
                    got = receiver.receive(sock)
                    if not got:
                        raise RuntimeError(f"{left} of {TRAIN} datagrams did not arrive")
                    left -= len(got)
                times.append(sent - started if side == "send" else clock() - sent)
        return statistics.median(times) / TRAIN * 1e9

    return measure


CASES: dict[str, Callable[[], float]] = {
    "wire/packet.py: encode, 1,400 B of DATA": wire_packet_encode,
    "wire/packet.py: check the checksum of the same": wire_packet_checksum,
    "wire/packet.py: split the same": wire_packet_split,
    "wire/crc32c.py: 1,400 B": wire_crc32c,
    "wire/data.py: encode a header": wire_data_encode,
    "wire/data.py: decode a header": wire_data_decode,
    "wire/sack.py: encode, no gaps": wire_sack_encode,
    "wire/sack.py: decode, no gaps": wire_sack_decode,
    "wire/sack.py: encode, 10 gaps": wire_sack_encode_gaps,
    "wire/sack.py: decode, 10 gaps": wire_sack_decode_gaps,
    "core/tx/sender.py: a packet sent, 1,400 B messages": core_side(1_400, "send"),
    "core/tx/sender.py: a packet sent, 64 KiB messages": core_side(65_536, "send"),
    "core/rx/receiver.py: a packet received, 1,400 B messages": core_side(1_400, "receive"),
    "core/rx/receiver.py: a packet received, 64 KiB messages": core_side(65_536, "receive"),
    "drivers/udp.py: a packet sent, in trains": udp_side(True, "send"),
    "drivers/udp.py: a packet received, in trains": udp_side(True, "receive"),
    "drivers/udp.py: a packet sent, levers off": udp_side(False, "send"),
    "drivers/udp.py: a packet received, levers off": udp_side(False, "receive"),
}


def run() -> dict[str, dict[str, Any]]:
    results: dict[str, dict[str, Any]] = {}
    for case, function in CASES.items():
        try:
            results[case] = {"ns": function()}
        except Exception as error:
            # A file that has changed its shape costs its own line, not the run.
            results[case] = {"problem": f"{type(error).__name__}: {error}"}
    return results


if __name__ == "__main__":
    print(json.dumps(run()), flush=True)
