"""Two endpoints on a simulated network: what nearly every test of the protocol needs.

`Pair` connects, sends and closes in virtual time; keeps every event of both ends; knows every message that was sent
and checks what arrived; and answers questions about the trace. A `Raw` is a hand-made peer: it sends packets that
no endpoint would.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from pysctpstack.config import Config
from pysctpstack.core import Association, Endpoint, FixedMtu, Message, Route, Settings, State
from pysctpstack.events import (
    AssociationClosed,
    AssociationLost,
    AssociationUp,
    Event,
    MessageReceived,
    PartialDeliveryAborted,
    SendFailed,
)
from pysctpstack.testing import Host, Link, SeededEntropy, SimulatedNetwork, TraceRecord
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.packet import decode, encode
from pysctpstack.wire.params import StateCookie

A = "192.0.2.1"
B = "198.51.100.1"
CLIENT_PORT = 5_000
SERVER_PORT = 7
UDP_PORT = 9_899

T = TypeVar("T")


class WrappingEntropy(SeededEntropy):
    """Every 32-bit number is within 64 of 2^32: TSNs wrap soon after the start, and tags are all ones in front."""

    __slots__ = ()

    def token(self, size: int) -> bytes:
        token = super().token(size)
        return b"\xff\xff\xff" + bytes((token[0] | 0xC0,)) if size == 4 else token


@dataclass
class Sent:
    """A message that a test sent, as it should arrive."""

    stream_id: int
    ppid: int
    unordered: bool
    data: bytes


@dataclass
class Node:
    """One end: its endpoint, and all that it reported."""

    name: str
    address: str
    endpoint: Endpoint
    host: Host
    reading: bool = True
    """Whether messages are taken as they come; if not, they stay in ``unread`` and close the window."""
    events: list[Event] = field(default_factory=list)
    unread: list[MessageReceived] = field(default_factory=list)
    sent: dict[int, list[Sent]] = field(default_factory=dict)
    """Messages sent, by association id."""

    def of(self, kind: type[T]) -> list[T]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def association(self) -> Association:
        """The only association."""
        (association,) = [a for a in self.endpoint.associations.values() if a.state is not State.CLOSED]
        return association

    @property
    def messages(self) -> list[MessageReceived]:
        """Whole messages in the order of delivery; pieces of partial delivery are put together."""
        whole: list[MessageReceived] = []
        begun: MessageReceived | None = None
        for event in self.events:
            if isinstance(event, PartialDeliveryAborted):
                begun = None
            if not isinstance(event, MessageReceived):
                continue
            if begun is not None:
                event = MessageReceived(
                    event.association_id, event.stream_id, event.ssn, event.ppid, event.tsn,
                    event.cumulative_tsn, event.unordered, begun.data + event.data, event.complete,
                )  # fmt: skip
            begun = None if event.complete else event
            if event.complete:
                whole.append(event)
        return whole


class Pair:
    """A client ``a`` and a server ``b`` that listens on `SERVER_PORT`.

    ``config``, ``server``: of the client and, if it differs, of the server. ``mtu``: of both routes. ``entropy``:
    the class that makes the random numbers of each end from a seed.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        link: Link | None = None,
        config: Config | None = None,
        server: Config | None = None,
        mtu: int = 1_500,
        batching: float = 0.0,
        entropy: type[SeededEntropy] = SeededEntropy,
        addresses: tuple[str, str] = (A, B),
        room: int = 10,
        tracing: bool = True,
    ) -> None:
        self.seed = seed
        self.network = SimulatedNetwork(seed, link or Link(latency=0.05), batching=batching, tracing=tracing)
        self.configs = (config or Config(), server or config or Config())
        self.nodes = [
            self._node(name, address, own, entropy(2 * seed + index), mtu)
            for index, (name, address, own) in enumerate(zip("ab", addresses, self.configs, strict=True))
        ]
        self.a, self.b = self.nodes
        self.settings = Settings.from_config(self.configs[0])
        """Of associations that `connect` makes; tests change it before."""
        self.server_settings = Settings.from_config(self.configs[1])
        self.listener = self.b.endpoint.listen(SERVER_PORT, self.server_settings, room)

    def _node(self, name: str, address: str, config: Config, entropy: SeededEntropy, mtu: int) -> Node:
        endpoint = Endpoint(config, entropy, FixedMtu(mtu))
        return Node(name, address, endpoint, self.network.add_host(endpoint, address, name=name))

    # --- time ---

    @property
    def now(self) -> float:
        return self.network.now

    def drain(self) -> bool:
        """Take the events of both ends, and read if the ends do. Always False: a predicate that never holds."""
        for node in self.nodes:
            for event in node.endpoint.next_events():
                node.events.append(event)
                if isinstance(event, MessageReceived):
                    node.unread.append(event)
            if node.reading:
                self.read(node)
        return False

    def read(self, node: Node, count: int | None = None) -> None:
        """Take unread messages: all, or so many."""
        taken = node.unread[:count]
        del node.unread[: len(taken)]
        for event in taken:
            association = node.endpoint.associations.get(event.association_id)
            if association is not None:
                association.consumed(len(event.data), self.now)

    def run(self, seconds: float) -> None:
        self.network.run_until(self.drain, seconds)
        self.drain()

    def until(self, predicate: Callable[[], bool], timeout: float = 60.0) -> None:
        """Run until ``predicate`` holds; AssertionError with the trace's end if it does not in time."""

        def check() -> bool:
            self.drain()
            return predicate()

        if not self.network.run_until(check, timeout):
            last = "\n".join(self.network.trace_lines()[-20:])
            raise AssertionError(f"seed {self.seed}: not in {timeout} s\n{last}")

    # --- verbs ---

    def associate(self) -> Association:
        """Begin to connect ``a`` to ``b``."""
        route = Route(self.b.address, UDP_PORT)
        return self.a.endpoint.associate(CLIENT_PORT, SERVER_PORT, route, self.settings, self.now)

    def connect(self) -> tuple[Association, Association]:
        """Connect; both associations, ESTABLISHED."""
        client = self.associate()
        self.until(lambda: bool(self.a.of(AssociationUp)) and bool(self.b.of(AssociationUp)))
        return client, self.b.association

    def send(self, node: Node, size: int, stream_id: int = 0, *, unordered: bool = False) -> None:
        """Send a message of ``size`` bytes, different from every other, and remember it."""
        association = node.association
        sent = node.sent.setdefault(association.association_id, [])
        number = len(sent)
        data = (number.to_bytes(4, "big") * (size // 4 + 1))[:size]
        sent.append(Sent(stream_id, number, unordered, data))
        association.send(Message(stream_id, number, data, unordered=unordered), self.now)

    # --- checks ---

    def check_delivery(self) -> None:
        """Everything sent arrived exactly once, unharmed, in the order of its stream; nothing was reported lost."""
        for sender, receiver in ((self.a, self.b), (self.b, self.a)):
            expected = [message for sent in sender.sent.values() for message in sent]
            got = receiver.messages
            where = f"seed {self.seed}, {sender.name} to {receiver.name}"
            assert not sender.of(SendFailed), where
            ordered: dict[int, list[tuple[int, bytes]]] = {}
            for message in expected:
                if not message.unordered:
                    ordered.setdefault(message.stream_id, []).append((message.ppid, message.data))
            arrived: dict[int, list[tuple[int, bytes]]] = {}
            for event in got:
                if not event.unordered:
                    arrived.setdefault(event.stream_id, []).append((event.ppid, event.data))
            assert arrived == ordered, where
            loose = Counter((m.stream_id, m.ppid, m.data) for m in expected if m.unordered)
            assert Counter((e.stream_id, e.ppid, e.data) for e in got if e.unordered) == loose, where

    def check_gone(self) -> None:
        """Both ends closed in order and hold nothing: no association, no timer."""
        for node in self.nodes:
            where = f"seed {self.seed}, {node.name}"
            assert [type(e) for e in node.events if isinstance(e, (AssociationClosed, AssociationLost))] == [
                AssociationClosed
            ], where
            assert node.endpoint.next_timeout() == math.inf, where
            assert not node.endpoint.associations, where
            assert not node.endpoint.by_tag, where
            assert not node.endpoint.by_peer, where

    # --- the trace ---

    def records(self, source: str, *types: int) -> list[TraceRecord]:
        """Packets of ``a`` or ``b`` that hold a chunk of these types (none given: all); no copies of the network."""
        return [
            record
            for record in self.network.trace
            if record.source == source
            and not record.is_copy
            and (not types or any(chunk.type in types for chunk in chunks_of(record)))
        ]

    def sent_chunks(self, source: str, kind: type[T]) -> list[tuple[float, T]]:
        """(time, chunk) of all chunks of a kind that ``source`` sent."""
        return [
            (record.time, chunk)
            for record in self.records(source)
            for chunk in chunks_of(record)
            if isinstance(chunk, kind)
        ]

    def flow(self, since: int = 0) -> list[str]:
        """The trace in short: ``["a INIT", "b INIT-ACK", "a COOKIE-ECHO", ...]``, chunks of a packet joined by +."""
        return [
            f"{record.source} " + "+".join(cp.CHUNK_NAMES.get(k.type, str(k.type)) for k in chunks_of(record))
            for record in self.network.trace[since:]
            if not record.is_copy
        ]

    @property
    def mark(self) -> int:
        """For `flow`: what was sent from here on."""
        return len(self.network.trace)

    # --- forgeries ---

    def forge(
        self,
        to: Node,
        chunks: Iterable[c.Chunk | bytes],
        tag: int | None = None,
        *,
        source: str | None = None,
        udp_port: int = UDP_PORT,
        ports: tuple[int, int] | None = None,
        settle: float = 0.0,
    ) -> None:
        """Have a packet arrive at ``to`` as if from the other end; ``tag`` None: the right one.

        ``ports``: SCTP source and destination. The clock goes on by ``settle`` seconds afterwards.
        """
        other = self.b if to is self.a else self.a
        if tag is None:
            tag = to.association.tcb.local_tag
        if ports is None:
            ports = (CLIENT_PORT, SERVER_PORT) if to is self.b else (SERVER_PORT, CLIENT_PORT)
        packet = encode(*ports, tag, [k if isinstance(k, bytes) else k.encode() for k in chunks])
        self.network.inject((source or other.address, udp_port), to.address, UDP_PORT, packet)
        self.run(settle)


def chunks_of(record: TraceRecord) -> list[c.Chunk]:
    """The decoded chunks of a packet in the trace."""
    return decode(record.data, verify=False).chunks


class Raw:
    """An endpoint and a peer made by hand, without a network: datagrams go in, answers come out.

    ``endpoint`` listens on `SERVER_PORT`; the peer is at `A`, port `CLIENT_PORT`.
    """

    def __init__(self, config: Config | None = None, seed: int = 0, *, mtu: int = 1_500) -> None:
        self.config = config or Config()
        self.endpoint = Endpoint(self.config, SeededEntropy(seed), FixedMtu(mtu))
        self.settings = Settings.from_config(self.config)
        self.listener = self.endpoint.listen(SERVER_PORT, self.settings, 10)
        self.now = 100.0
        self.tag = 0
        """The endpoint's verification tag, once it is known."""
        self.own_tag = 0x11111111
        self.tsn = 1_000
        """The next TSN of the peer."""
        self.local_tsn = 0
        """The endpoint's initial TSN, once it is known."""

    def give(
        self,
        *chunks: c.Chunk | bytes,
        tag: int | None = None,
        route: Route | None = None,
        ports: tuple[int, int] = (CLIENT_PORT, SERVER_PORT),
    ) -> list[c.Chunk]:
        """A packet of these chunks arrives; the chunks of the answers."""
        encoded = [k if isinstance(k, bytes) else k.encode() for k in chunks]
        packet = encode(*ports, self.tag if tag is None else tag, encoded)
        return self.give_bytes([packet], route)

    def give_bytes(self, packets: Iterable[bytes], route: Route | None = None) -> list[c.Chunk]:
        """A batch of datagrams arrives; the chunks of the answers."""
        route = route or Route(A, UDP_PORT, B)
        self.endpoint.receive_datagrams([(route, packet) for packet in packets], self.now)
        return self.answers()

    def packet(self, *chunks: c.Chunk) -> bytes:
        """A packet of the peer."""
        return encode(CLIENT_PORT, SERVER_PORT, self.tag, [chunk.encode() for chunk in chunks])

    def sent(self) -> list[tuple[Route, int, list[c.Chunk]]]:
        """(route, tag, chunks) of what waits to be sent."""
        packets = []
        for route, data in self.endpoint.datagrams_to_send(self.now):
            packet = decode(data)
            packets.append((route, packet.verification_tag, packet.chunks))
        return packets

    def answers(self) -> list[c.Chunk]:
        return [chunk for _, _, chunks in self.sent() for chunk in chunks]

    def init(self, **fields: object) -> c.Init:
        values: dict[str, object] = {
            "initiate_tag": self.own_tag,
            "a_rwnd": 100_000,
            "outbound_streams": 4,
            "inbound_streams": 4,
            "initial_tsn": self.tsn,
        }
        return c.Init(**{**values, **fields})  # type: ignore[arg-type]

    def cookie(self, init: c.Init | None = None) -> c.CookieEcho:
        """Send INIT, and return the COOKIE ECHO to what came back."""
        (ack,) = self.give(init or self.init(), tag=0)
        assert isinstance(ack, c.InitAck)
        self.tag = ack.initiate_tag
        self.local_tsn = ack.initial_tsn
        return c.CookieEcho(state_cookie(ack))

    def accept(self, init: c.Init | None = None) -> Association:
        """Have the endpoint accept an association of the peer."""
        answers = self.give(self.cookie(init))
        assert isinstance(answers[0], c.CookieAck)
        return self.association

    def associate(self) -> c.Init:
        """Have the endpoint begin an association with the peer; its INIT."""
        route = Route(A, UDP_PORT)
        association = self.endpoint.associate(SERVER_PORT, CLIENT_PORT, route, self.settings, self.now)
        self.tag = association.tcb.local_tag
        (init,) = self.answers()
        assert isinstance(init, c.Init)
        self.local_tsn = init.initial_tsn
        return init

    def init_ack(self, **fields: object) -> c.InitAck:
        values: dict[str, object] = {
            "initiate_tag": self.own_tag,
            "a_rwnd": 100_000,
            "outbound_streams": 4,
            "inbound_streams": 4,
            "initial_tsn": self.tsn,
            "parameters": [StateCookie(b"cookie")],
        }
        return c.InitAck(**{**values, **fields})  # type: ignore[arg-type]

    @classmethod
    def in_state(cls, state: State, config: Config | None = None) -> Raw:
        """A peer of an association in this state, nothing waiting to be sent or reported. Where the state needs it,
        one DATA chunk of the endpoint, TSN ``local_tsn``, is not acknowledged."""
        peer = cls(config)
        peer.bring_to(state)
        return peer

    def bring_to(self, state: State) -> None:
        """As `in_state`, on the endpoint that there is; it has no association with the peer."""
        if state in (State.COOKIE_WAIT, State.COOKIE_ECHOED):
            self.associate()
            if state is State.COOKIE_ECHOED:
                self.give(self.init_ack())
        else:
            association = self.accept()
            if state in (State.SHUTDOWN_PENDING, State.SHUTDOWN_RECEIVED):
                association.send(Message(0, 0, b"unacknowledged"), self.now)
            if state in (State.SHUTDOWN_PENDING, State.SHUTDOWN_SENT):
                association.shutdown(self.now)
            elif state in (State.SHUTDOWN_RECEIVED, State.SHUTDOWN_ACK_SENT):
                self.give(c.Shutdown((self.local_tsn - 1) & 0xFFFFFFFF))
        self.answers()
        self.endpoint.next_events()
        assert self.association.state is state

    @property
    def association(self) -> Association:
        (association,) = [a for a in self.endpoint.associations.values() if a.state is not State.CLOSED]
        return association

    def data(self, payload: bytes = b"x", **fields: int) -> c.Data:
        """The next DATA chunk of the peer, on stream 0 unless told otherwise."""
        tsn = fields.pop("tsn", self.tsn)
        self.tsn = tsn + 1
        chunk = c.Data(tsn, fields.pop("stream_id", 0), fields.pop("ssn", 0), fields.pop("ppid", 0), payload)
        chunk.flags = fields.pop("flags", chunk.flags)
        return chunk

    def wait(self, seconds: float) -> list[c.Chunk]:
        """Let time pass, running what is due at its time; the chunks that left."""
        end = self.now + seconds
        chunks: list[c.Chunk] = self.answers()
        while (due := self.endpoint.next_timeout()) <= end:
            self.now = max(due, self.now)
            self.endpoint.handle_timeout(self.now)
            chunks += self.answers()
        self.now = end
        return chunks

    def events(self, kind: type[T]) -> list[T]:
        """Take what was reported, and return the events of one kind."""
        return [event for event in self.endpoint.next_events() if isinstance(event, kind)]


def state_cookie(ack: c.InitAck) -> bytes:
    """The State Cookie of an INIT ACK."""
    (cookie,) = [parameter.cookie for parameter in ack.parameters if isinstance(parameter, StateCookie)]
    return cookie


STATES = [state for state in State if state is not State.CLOSED]
