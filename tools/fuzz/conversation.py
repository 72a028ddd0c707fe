"""Inputs for an association: conversations, as bytes that survive mutation.

A conversation is a byte that picks the configuration, then records: a kind, a length of 16 bits, a body. Packets
are given as their chunks: ports, tag and checksum are added when they are sent, TSNs count from what the association
expects, and a COOKIE ECHO or HEARTBEAT ACK without a value gets the one that the association gave out last. So what
chance changes is mostly still a packet that gets in.
"""

from __future__ import annotations

from random import Random
from typing import Final, NamedTuple

from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import tlv
from pysctpstack.wire.causes import ProtocolViolation, StaleCookie, UnrecognizedChunk, UserInitiatedAbort
from pysctpstack.wire.extension_chunks import ForwardTsn
from pysctpstack.wire.packet import split
from pysctpstack.wire.params import CookiePreservative, ForwardTsnSupported, Ipv4Address, StateCookie, UnknownParameter
from tools.fuzz.mutate import INTERESTING, mutated

PACKET: Final = 0
PACKET_TAG_0: Final = 1
PACKET_TAG_OF_PEER: Final = 2
PACKET_WRONG_TAG: Final = 3
TIME: Final = 4
VERB: Final = 5
DATAGRAM: Final = 6
PACKET_FROM_ELSEWHERE: Final = 7
KINDS: Final = 8
TOGETHER: Final = 8
"""Added to the kind of a packet: it comes in one batch with the next packet."""
PACKETS: Final = (PACKET, PACKET_TAG_0, PACKET_TAG_OF_PEER, PACKET_WRONG_TAG, PACKET_FROM_ELSEWHERE)
TIMES: Final = (0.0, 0.01, 0.2, 0.5, 1.0, 3.0, 15.0, 60.0)
VERBS: Final = 12
UNREACHABLE: Final = 9
TOO_BIG: Final = 10
"""Verbs of the network's: ICMP errors, that quote what comes behind the first two bytes, after a common header."""

MAX_SIZE: Final = 6_000


class Record(NamedTuple):
    kind: int
    body: bytes


def parse(data: bytes) -> tuple[int, list[Record]]:
    """The configuration and the records of any bytes at all; a length that is too large ends with the bytes."""
    records = []
    position = 1
    while position < len(data):
        size = int.from_bytes(data[position + 1 : position + 3], "big")
        records.append(Record(data[position] & 15, data[position + 3 : position + 3 + size]))
        position += 3 + size
    return (data[0] if data else 0), records


def build(config: int, records: list[Record]) -> bytes:
    pieces = [bytes((config,))]
    for kind, body in records:
        pieces += (bytes((kind,)), len(body).to_bytes(2, "big"), body)
    return b"".join(pieces)


# --- chunks that make sense ---


def palette() -> list[bytes]:
    """One or more of every chunk that means something here; TSNs count from the next one, which is 1."""
    found: list[c.Chunk] = [
        *(c.Data(n, 0, n - 1, 0, bytes(size), 3) for n, size in ((1, 10), (2, 300), (3, 1_400), (5, 4))),
        *(c.Data(tsn, 1, 0, 7, bytes(200), flags) for tsn, flags in ((1, 2), (2, 0), (3, 1), (1, 7), (2, 10), (4, 0))),
        c.Data(1, 9, 0, 0, b"no such stream", 3),
        c.Data(1, 0, 0, 0, b"", 3),
        *(c.Sack(cumulative, a_rwnd) for cumulative in (0, 1, 2, 3) for a_rwnd in (0, 100_000)),
        c.Sack(0, 100_000, ((2, 2),)),
        c.Sack(0, 100_000, ((2, 2), (4, 5)), (1, 1)),
        c.Sack(0, 500, ((3, 3),)),
        ForwardTsn(1, []),
        ForwardTsn(3, [(0, 1), (1, 0)]),
        c.Init(0x2222, 100_000, 4, 4, 1_000, [ForwardTsnSupported()]),
        c.Init(0x2222, 100_000, 4, 4, 1_000, [CookiePreservative(1_000), Ipv4Address("192.0.2.9")]),
        c.InitAck(0x11111111, 100_000, 4, 4, 1_000, [StateCookie(b"cookie"), ForwardTsnSupported()]),
        c.InitAck(0x11111111, 1_500, 1, 1, 0xFFFFFFFF, [StateCookie(b"c"), UnknownParameter(0xC123, b"abc")]),
        c.CookieEcho(b""),
        c.CookieAck(),
        c.Heartbeat(b"how are you?"),
        c.UnknownChunk(cp.HEARTBEAT_ACK, 0, b""),
        c.Shutdown(0),
        c.Shutdown(1),
        c.ShutdownAck(),
        c.ShutdownComplete(),
        c.ShutdownComplete(True),
        c.Abort([UserInitiatedAbort(b"why not")]),
        c.Abort([], True),
        c.Error([StaleCookie(100)]),
        c.Error([UnrecognizedChunk(b"\x40\0\0\4"), ProtocolViolation(b"")]),
        c.Ecne(1),
        c.Cwr(1),
        *(c.UnknownChunk(type_, 0, bytes(8)) for type_ in (cp.AUTH, cp.I_DATA, cp.ASCONF, cp.RE_CONFIG)),
        *(c.UnknownChunk(type_, 0, bytes(8)) for type_ in (63, 127, 191, 255)),
    ]  # fmt: skip
    return [chunk.encode() for chunk in found]


_PALETTE: Final = palette()


def seeds() -> list[bytes]:
    """Each chunk alone, each after some data, data in one batch and in several, verbs, and life stories."""
    by_type: dict[int, list[bytes]] = {}
    for chunk in _PALETTE:
        by_type.setdefault(chunk[0], []).append(chunk)
    tag_0 = {cp.INIT}
    found = [[Record(PACKET_TAG_0 if chunk[0] in tag_0 else PACKET, chunk)] for chunk in _PALETTE]
    data, sacks = by_type[cp.DATA], by_type[cp.SACK]
    in_turn = [Record(PACKET | TOGETHER, chunk) for chunk in data[:3]]
    found += [
        in_turn,
        [Record(PACKET, b"".join(data[:3])), Record(TIME, b"\3")],
        [Record(PACKET, b"".join(data[4:7])), Record(VERB, b"\5"), Record(PACKET, sacks[1])],
        [*(Record(VERB, bytes((0, n))) for n in range(6)), Record(PACKET, sacks[3]), Record(PACKET, sacks[-2])],
        [Record(VERB, b"\1\xff"), *(Record(PACKET, sack) for sack in sacks), Record(TIME, b"\5")],
        [Record(VERB, b"\7\x40"), Record(TIME, b"\4"), Record(TIME, b"\5"), Record(PACKET, sacks[1])],
        [Record(VERB, b"\3"), Record(PACKET, sacks[1]), Record(PACKET, c.ShutdownAck().encode())],
        [Record(PACKET, c.Shutdown(0).encode()), Record(TIME, b"\4"), Record(PACKET, c.ShutdownComplete().encode())],
        [Record(PACKET_TAG_0, by_type[cp.INIT][0]), Record(PACKET, c.CookieEcho(b"").encode() + data[0])],
        [Record(PACKET_TAG_0, by_type[cp.INIT][1]), Record(TIME, b"\7"), Record(PACKET, c.CookieEcho(b"").encode())],
        [Record(VERB, b"\x08"), Record(PACKET, by_type[cp.HEARTBEAT_ACK][0])],
        [Record(VERB, bytes((UNREACHABLE, 0)) + by_type[cp.INIT][0]), Record(VERB, bytes((UNREACHABLE, 1)))],
        [Record(VERB, b"\1\xff"), Record(VERB, bytes((TOO_BIG, 0))), Record(VERB, bytes((TOO_BIG, 1)))],
        [Record(VERB, b"\1\xff"), *[Record(VERB, bytes((7, n))) for n in (254, 3, 7)], Record(VERB, b"\x0b\0")],
        [Record(PACKET_FROM_ELSEWHERE, data[0]), Record(PACKET, data[1])],
        [Record(PACKET_TAG_OF_PEER, c.Abort([], True).encode())],
    ]
    return [build(index & 3, records) for index, records in enumerate(found)]


# --- change ---


def changed_chunks(body: bytes, random: Random) -> bytes:
    """A packet's chunks with one change that leaves the others, and most bounds, alone."""
    bounds, _ = split(bytes(12) + body)
    chunks = [bytearray(body[start - 16 : ((end + 3) & ~3) - 12]) for _, _, start, end in bounds]
    kind = random.randrange(11)
    if not chunks or kind == 0:
        chunks.insert(random.randrange(len(chunks) + 1), bytearray(random.choice(_PALETTE)))
        return b"".join(chunks)
    index = random.randrange(len(chunks))
    chunk = chunks[index]
    if kind == 1 and len(chunks) > 1:
        del chunks[index]
    elif kind == 2:
        chunks.insert(index, bytearray(chunk))
    elif kind == 3:
        other = random.randrange(len(chunks))
        chunks[index], chunks[other] = chunks[other], chunk
    elif kind == 4:
        chunk[1] = random.choice((0, 1, 2, 3, 4, 6, 7, 8, 11, random.randrange(256)))
    elif kind == 5:
        chunk[0] = random.choice((*cp.CHUNK_NAMES, random.randrange(256)))
    elif kind in (6, 7) and len(chunk) >= 8:
        # TSN, Cumulative TSN Ack, Initiate Tag.
        number = int.from_bytes(chunk[4:8], "big")
        step = random.choice((-1, 1, 1, 2, 3, -3, 50, 1_000, 65_535, 70_000, 1 << 31))
        chunk[4:8] = ((number + step) & 0xFFFFFFFF).to_bytes(4, "big")
    elif kind == 8 and len(chunk) >= 10:
        place = random.randrange(4, len(chunk) - 1) & ~1
        value = random.choice((*INTERESTING, *range(6)))
        chunk[place : place + 2] = value.to_bytes(2, "big")
    elif kind == 9:
        # Another length of value, told truly.
        value = mutated(bytes(chunk[4:]), random.choice(_PALETTE), 1_400, random)
        chunks[index] = bytearray(tlv.encode_chunk(chunk[0], chunk[1], value))
    else:
        chunks[index] = bytearray(mutated(bytes(chunk), b"", 1_460, random))
    return b"".join(chunks)


def changed(data: bytes, other: bytes, max_size: int, random: Random) -> bytes:
    """A conversation with 1 to 3 changes; records of ``other`` may get in."""
    config, records = parse(data)
    for _ in range(random.choice((1, 1, 2, 3))):
        kind = random.randrange(12)
        index = random.randrange(len(records)) if records else 0
        if not records or kind == 0:
            records.insert(index, Record(PACKET | random.choice((0, TOGETHER)), random.choice(_PALETTE)))
        elif kind == 1 and len(records) > 1:
            del records[index]
        elif kind == 2:
            records.insert(random.randrange(len(records) + 1), records[index])
        elif kind == 3:
            _, others = parse(other)
            start = random.randrange(len(others)) if others else 0
            records[index:index] = others[start : start + random.randint(1, 4)]
        elif kind == 4:
            records[index] = records[index]._replace(kind=records[index].kind ^ TOGETHER)
        elif kind == 5:
            records[index] = records[index]._replace(kind=random.randrange(16))
        elif kind == 6:
            records.insert(index, Record(TIME, bytes((random.randrange(len(TIMES)),))))
        elif kind == 7:
            records.insert(index, Record(VERB, bytes((random.randrange(VERBS), random.randrange(256)))))
        elif kind == 8 and random.random() < 0.3:
            config = random.randrange(256)
        elif records[index].kind & 7 in PACKETS:
            records[index] = records[index]._replace(body=changed_chunks(records[index].body, random))
        else:
            records[index] = records[index]._replace(body=mutated(records[index].body, b"", 1_472, random))
    while len(records) > 1 and sum(3 + len(record.body) for record in records) >= max_size:
        records.pop(random.randrange(len(records)))
    return build(config, records)[:max_size]
