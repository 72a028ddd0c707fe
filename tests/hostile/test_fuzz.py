"""Random and mutated packets by the thousand, into every state: the stack goes on working, in bounded memory.

`PYSCTPSTACK_FUZZ_PACKETS` is the number of packets for each state; `PYSCTPSTACK_FUZZ_SEED` where they come from.
"""

from __future__ import annotations

import gc
import os
import tracemalloc
from collections import deque
from collections.abc import Iterator
from functools import cache
from random import Random

import pytest
from hostile.places import CHUNK_TYPES, EVERYWHERE, FROM_PEER, OUTSTANDING, PLACES, Place, Victim
from support.pair import CLIENT_PORT, SERVER_PORT, UDP_PORT, A, B, Pair

from pysctpstack.config import Config
from pysctpstack.core import Message, Route, State
from pysctpstack.events import MessageReceived
from pysctpstack.wire import chunks as c
from pysctpstack.wire import tlv
from pysctpstack.wire.extension_chunks import ForwardTsn
from pysctpstack.wire.packet import encode, split
from pysctpstack.wire.params import Ipv4Address, StateCookie, UnknownParameter

PACKETS = int(os.environ.get("PYSCTPSTACK_FUZZ_PACKETS", "500"))
SEED = int(os.environ.get("PYSCTPSTACK_FUZZ_SEED", "9260"))
CONFIG = Config(
    receive_buffer=20_000, max_gap_blocks=50, max_overhead=4, association_max_retrans=4, backlog_limit=1 << 30
)
MEMORY = 500_000
"""Bytes that one association of `CONFIG`, and all that its peer sent, may hold at most."""
REPLY_FACTOR = 0.25
"""Bytes that leave at once, for each that arrives, over a whole run."""
PACKET_SIZE = 1_472
PATIENCE = 6
"""Packets after which the association is brought to its state again, if it has left it."""


@cache
def genuine_packets() -> list[bytes]:
    """What a real association sends both ways: handshake, data with loss, heartbeats, shutdown."""
    pair = Pair(config=Config(heartbeat_interval=0.5))
    pair.connect()
    for number in range(6):
        pair.send(pair.a, 100 + 900 * number, stream_id=number)
        pair.send(pair.b, 2_000, unordered=bool(number % 2))
    pair.run(3)
    pair.a.association.shutdown(pair.now)
    pair.run(5)
    return [record.data[12:] for record in pair.network.trace]


class Mill:
    """Makes packets of every degree of sense."""

    def __init__(self, random: Random, victim: Victim) -> None:
        self.random = random
        self.victim = victim
        self.genuine = genuine_packets()

    def tsn(self) -> int:
        """Of DATA: most are what comes next or soon."""
        random = self.random
        near = next((a.tcb.receiver.tsn_map.cumulative + 1 for a in self.victim.endpoint.associations.values()), 1_000)
        if random.random() < 0.05:
            return random.choice((0, 0xFFFFFFFF, (near + 70_000) & 0xFFFFFFFF, (near + (1 << 31)) & 0xFFFFFFFF))
        return (near + random.choice((-3, -1, 0, 0, 0, 1, 2, 3, 5, 40))) & 0xFFFFFFFF

    def acknowledged(self) -> int:
        """A Cumulative TSN Ack: few are of what was never sent, since those end the association."""
        random = self.random
        for association in self.victim.endpoint.associations.values():
            sender = association.tcb.sender
            if random.random() < 0.97:
                return random.randint(sender.cumulative - random.choice((0, 0, 3)), sender.next_tsn - 1) & 0xFFFFFFFF
        return random.getrandbits(32)

    def chunk(self) -> c.Chunk:
        """A chunk that makes sense somewhere."""
        random, victim = self.random, self.victim
        kind = random.randrange(16)
        noise = random.randbytes(random.randrange(60))
        if kind < 4:
            payload = random.randbytes(random.choice((1, 3, 100, 1_400)))
            # Fragments that contradict one another end the association too.
            flags = random.choice((3, 3, 7, 11, random.randrange(16)))
            return c.Data(self.tsn(), random.randrange(5), random.randrange(4), 0, payload, flags)
        if kind < 7:
            gaps = tuple((random.randrange(4), random.randrange(5)) for _ in range(random.choice((0, 0, 0, 1, 2))))
            a_rwnd = random.choice((0, 500, 100_000, 0xFFFFFFFF))
            return c.Sack(self.acknowledged(), a_rwnd, gaps, (self.tsn(),) * random.randrange(3))
        if kind == 7:
            return random.choice(victim.cookies) if victim.cookies and random.random() < 0.7 else c.CookieEcho(noise)
        if kind == 8:
            parameters = [Ipv4Address(A), UnknownParameter(random.randrange(0x10000), noise), StateCookie(noise)]
            fields = {"a_rwnd": random.choice((0, 1_500, 100_000)), "parameters": random.sample(parameters, 2)}
            return random.choice((victim.init, victim.init_ack))(**fields)
        if kind == 9:
            return random.choice((c.Heartbeat(noise), c.HeartbeatAck(noise)))
        if kind == 10:
            return random.choice((c.Shutdown(self.acknowledged()), c.ShutdownAck(), c.CookieAck()))
        if kind == 11:
            return ForwardTsn(self.tsn(), [(random.randrange(6), random.randrange(4))] * random.randrange(3))
        if kind == 12 and random.random() < 0.1:
            return random.choice((c.Abort([], random.random() < 0.5), c.ShutdownComplete(random.random() < 0.5)))
        return c.UnknownChunk(random.choice((*CHUNK_TYPES, random.randrange(256))), random.randrange(256), noise)

    def body(self) -> bytes:
        random = self.random
        kind = random.randrange(8)
        if kind == 0:
            return random.randbytes(random.randrange(120))
        if kind == 1:
            # Sound bounds, random contents.
            return b"".join(
                tlv.encode_chunk(
                    random.choice(CHUNK_TYPES), random.randrange(256), random.randbytes(random.randrange(40))
                )
                for _ in range(random.randrange(1, 5))
            )
        if kind < 5:
            body = b"".join(self.chunk().encode() for _ in range(random.choice((1, 1, 1, 2, 3))))
        else:
            body = random.choice(self.genuine)
        if kind % 2:
            body = self.mutated(body)
        return body

    def mutated(self, body: bytes) -> bytes:
        """Bits flipped, bytes set, lengths changed, the end cut off, a piece repeated."""
        random = self.random
        changed = bytearray(body)
        for _ in range(random.randrange(1, 5)):
            if not changed:
                break
            place = random.randrange(len(changed))
            kind = random.randrange(5)
            if kind == 0:
                changed[place] ^= 1 << random.randrange(8)
            elif kind == 1:
                changed[place] = random.choice((0, 1, 3, 4, 127, 128, 255))
            elif kind == 2:
                bounds, _ = split(bytes(12) + changed)
                if bounds:
                    start = random.choice(bounds)[2] - 12
                    changed[start - 2 : start] = random.choice((0, 3, 4, 8, 20, 0xFFFF)).to_bytes(2, "big")
            elif kind == 3:
                del changed[place:]
            else:
                changed[place:place] = changed[place : place + 4 * random.randrange(9)]
        return bytes(changed[: 2 * PACKET_SIZE])

    def packet(self) -> bytes:
        random, victim = self.random, self.victim
        if random.random() < 0.02:
            return random.randbytes(random.randrange(40))
        tag = random.choices((victim.tag, 0, victim.own_tag, random.getrandbits(32)), (80, 10, 5, 5))[0]
        body = self.body()
        if body[:1] == b"\1" and random.random() < 0.7:
            tag = 0
        packet = encode(CLIENT_PORT, SERVER_PORT, tag, [body])
        if random.random() < 0.02:
            packet = packet[:9] + random.randbytes(1) + packet[10:]
        return packet

    def route(self) -> Route:
        if self.random.random() < 0.95:
            return FROM_PEER
        return Route(self.random.choice((A, "203.0.113.8", "224.0.0.1")), self.random.choice((UDP_PORT, 1)), B)


def run(place: Place, packets: int) -> Iterator[tuple[Victim, int, int]]:
    """Let so many packets loose; yields the victim, and bytes in and out, after each round and when all is over."""
    victim = Victim.at(place, CONFIG)
    mill = Mill(Random(f"{SEED} {place.name}"), victim)
    bytes_in = bytes_out = 0
    for number in range(packets):
        if number % PATIENCE == 0:
            yield victim, bytes_in, bytes_out
            bring_back(victim, place)
            if place.state is State.CLOSED and place.listening:
                # A cookie that is good here, to be echoed, or something like it.
                victim.cookie()
        packet = mill.packet()
        bytes_in += len(packet)
        victim.endpoint.receive_datagrams([(mill.route(), packet)], victim.now)
        left = victim.endpoint.datagrams_to_send(victim.now)
        assert all(len(datagram) <= PACKET_SIZE for _, datagram in left)
        # A SACK may let go of data, a cookie of what was queued.
        assert len(left) <= 3 + CONFIG.max_burst + OUTSTANDING
        bytes_out += sum(len(datagram) for _, datagram in left)
        if number % 3 == 0:
            pass_time(victim, mill.random.choice((0.0, 0.01, 0.3, 2.0)))
        read(victim, all_of_it=number % 7 == 0)
    yield victim, bytes_in, bytes_out


def pass_time(victim: Victim, seconds: float) -> None:
    """Timers run when they are due, and each call moves the deadline on."""
    end = victim.now + seconds
    while (due := victim.endpoint.next_timeout()) <= end:
        victim.now = max(victim.now, due)
        victim.endpoint.handle_timeout(victim.now)
        assert victim.endpoint.next_timeout() > victim.now
        victim.endpoint.datagrams_to_send(victim.now)
    victim.now = end


def read(victim: Victim, *, all_of_it: bool) -> None:
    """Take the events; the user reads some of the messages late or never, and answers now and then."""
    for event in victim.told():
        association = victim.endpoint.associations.get(event.association_id)
        if isinstance(event, MessageReceived) and association is not None and all_of_it:
            association.consumed(len(event.data), victim.now)
            if association.state is State.ESTABLISHED and association.send_buffered < 5_000:
                association.send(Message(0, 0, event.data[:100]), victim.now)
    victim.endpoint.datagrams_to_send(victim.now)


def bring_back(victim: Victim, place: Place) -> None:
    """To its place, if it is not there any more."""
    victim.endpoint.next_timeout()
    victim.listener.room = 100
    del victim.cookies[:-5]
    if victim.state is place.state:
        return
    for association in list(victim.endpoint.associations.values()):
        association.abort(b"", victim.now)
    victim.answers()
    victim.told()
    assert victim.endpoint.next_timeout() == float("inf")
    victim.now += 1
    if place.state is not State.CLOSED:
        victim.settle(place)


@pytest.mark.timeout(120 + PACKETS // 100)
@EVERYWHERE
def test_p16_a_stack_survives_random_and_mutated_packets(place: Place) -> None:
    # Once around, so that what is made once is made.
    for _ in run(place, 60):
        pass
    gc.collect()
    tracemalloc.start(1)
    try:
        base = tracemalloc.get_traced_memory()[0]
        ((victim, bytes_in, bytes_out),) = deque(run(place, PACKETS), maxlen=1)
        gc.collect()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    if PACKETS > 500:
        print(f"{PACKETS:,} packets, {bytes_in:,} bytes, drew {bytes_out:,} bytes; {peak - base:,} bytes of memory")
    assert peak - base < MEMORY
    assert bytes_out <= REPLY_FACTOR * bytes_in
    if not place.listening:
        victim.listener = victim.endpoint.listen(SERVER_PORT, victim.settings, 10)
    victim.now += 1
    assert victim.serves()
    pass_time(victim, 3_000)
    if place is PLACES[0]:
        assert not victim.endpoint.associations
