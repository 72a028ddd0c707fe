"""What the fast paths of the hot files do is what the slow paths would have done.

`Receiver.take` and `Sender.send_train` handle the usual chunk and the usual packet by themselves. Here each drives one
of two equals, the other goes the slow way, and they are compared by all that they know.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pysctpstack.config import Config
from pysctpstack.core import Message, Route, Settings
from pysctpstack.core.path import Path, Paths
from pysctpstack.core.rx import receiver as rx
from pysctpstack.core.rx.receiver import Receiver
from pysctpstack.core.tx.sender import Sender
from pysctpstack.errors import PacketError
from pysctpstack.events import Event, MessageReceived
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.data import PADDING, encode_header
from pysctpstack.wire.packet import HEADER, encode, split

INITIAL_TSN = 0xFFFFFFF0
"""Near the end, so that TSNs wrap."""
STREAMS = 3


def known(thing: Any) -> Any:
    """All that an object knows, as values."""
    if isinstance(thing, dict):
        return {key: known(value) for key, value in thing.items()}
    if isinstance(thing, (list, tuple)) or type(thing).__name__ == "deque":
        return [known(value) for value in thing]
    if isinstance(thing, Path):
        return thing.address
    names = {name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())}
    if names:
        return {name: known(getattr(thing, name)) for name in names}
    return thing


# --- receiving ---

PIECES = st.sampled_from((1, 7, 100, 256, 300, 1_000))


@st.composite
def chunks_of_messages(draw: st.DrawFn) -> list[bytes]:
    """The DATA chunks of some messages in TSN order; now and then one is lost, doubled, swapped or wrong."""
    chunks: list[bytes] = []
    tsn = INITIAL_TSN
    next_ssn = dict.fromkeys(range(STREAMS), 0)
    for _ in range(draw(st.integers(1, 12))):
        stream_id = draw(st.integers(0, STREAMS - 1))
        unordered = draw(st.booleans())
        fragments = draw(st.lists(PIECES, min_size=1, max_size=5))
        for index, size in enumerate(fragments):
            flags = cp.DATA_FLAG_U if unordered else 0
            flags |= cp.DATA_FLAG_B if index == 0 else 0
            flags |= cp.DATA_FLAG_E if index == len(fragments) - 1 else 0
            flags |= cp.DATA_FLAG_I if draw(st.integers(0, 9)) == 0 else 0
            ssn = 0 if unordered else next_ssn[stream_id]
            payload = bytes((tsn + position) & 0xFF for position in range(size))
            chunks.append(encode_header(flags, size, tsn, stream_id, ssn, index) + payload + PADDING[size & 3])
            tsn += 1
        next_ssn[stream_id] += not unordered
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(chunks) - 1))
        what = draw(st.sampled_from(("lose", "double", "swap", "flags", "stream", "ssn", "empty")))
        if what == "lose" and len(chunks) > 1:
            del chunks[at]
        elif what == "double":
            chunks.insert(draw(st.integers(0, len(chunks))), chunks[at])
        elif what == "swap":
            other = draw(st.integers(0, len(chunks) - 1))
            chunks[at], chunks[other] = chunks[other], chunks[at]
        elif what == "flags":
            chunks[at] = chunks[at][:1] + bytes((draw(st.integers(0, 15)),)) + chunks[at][2:]
        elif what == "stream":
            chunks[at] = chunks[at][:9] + bytes((draw(st.integers(0, STREAMS)),)) + chunks[at][10:]
        elif what == "ssn":
            chunks[at] = chunks[at][:11] + bytes((draw(st.integers(0, 3)),)) + chunks[at][12:]
        elif what == "empty":
            chunks[at] = chunks[at][:2] + (16).to_bytes(2, "big") + chunks[at][4:16]
    return chunks


def receiver() -> tuple[Receiver, list[Event]]:
    events: list[Event] = []
    config = Config(receive_buffer=4_000)
    return Receiver(3, events, {}, Settings.from_config(config), INITIAL_TSN, STREAMS), events


def slowly(receiver: Receiver, packet: bytes, position: int) -> tuple[int, bool]:
    """One chunk by `on_data`: where the next one begins, and whether the association goes on."""
    _, flags, start, end = split(bytes(12) + packet[position:])[0][0]
    shift = position - 12
    try:
        outcome = receiver.on_data(packet, flags, start + shift, end + shift)
    except PacketError:
        return len(packet), True
    ends = outcome in (rx.NO_USER_DATA, rx.BROKEN_FRAGMENTS)
    return (end + shift + 3) & ~3, not ends


@settings(max_examples=400, deadline=None)
@given(chunks=chunks_of_messages(), packing=st.lists(st.integers(1, 5), min_size=1), reads=st.sampled_from((0, 1, 9)))
def test_take_does_what_on_data_does(chunks: list[bytes], packing: list[int], reads: int) -> None:
    fast, fast_events = receiver()
    slow, slow_events = receiver()
    goes_on = True
    turn = 0
    while chunks and goes_on:
        count = packing[turn % len(packing)]
        turn += 1
        packet = b"".join(chunks[:count])
        del chunks[:count]
        position = 0
        while position < len(packet) and goes_on:
            after = fast.take(packet, position)
            while position < after:
                position, goes_on = slowly(slow, packet, position)
                assert goes_on
            if position < len(packet):
                position, goes_on = slowly(slow, packet, position)
                assert slowly(fast, packet, after) == (position, goes_on)
        now = float(turn)
        assert fast.end_of_packet(now) == slow.end_of_packet(now)
        assert fast_events == slow_events
        assert known(fast) == known(slow)
        if turn % 3 == 0:
            assert fast.make_sack(1_000) == slow.make_sack(1_000)
        for event in fast_events[:reads]:
            if isinstance(event, MessageReceived):
                padding = max(rx.MIN_CHARGE - len(event.data), 0)
                assert fast.consumed(len(event.data), padding) == slow.consumed(len(event.data), padding)
        del fast_events[:reads], slow_events[:reads]
        assert known(fast) == known(slow)


# --- sending ---


def sender(**config: Any) -> Sender:
    preferences = Settings.from_config(Config(**config))
    path = Path(Route("192.0.2.1", 9_899), preferences, 1_500, confirmed=True)
    result = Sender(preferences, Paths(path), INITIAL_TSN, STREAMS, 40_000)
    result.use_partial_reliability(True)
    return result


def packets(sender: Sender, now: float, *, trains: bool) -> list[bytes]:
    """What leaves now, as `output.flush` has it."""
    header = HEADER.pack(1, 2, 3, 0)
    out: list[tuple[Route, bytes]] = []
    while True:
        if trains:
            sender.send_train(now, header, out)
        packet = sender.next_packet(now)
        if packet is None:
            break
        path, pieces = packet
        out.append((path.route, encode(1, 2, 3, pieces)))
    sender.end_burst()
    return [datagram for _, datagram in out]


MESSAGES = st.tuples(
    st.integers(0, STREAMS - 1),
    st.sampled_from((1, 50, 100, 700, 1_444, 1_445, 3_000, 20_000)),
    st.booleans(),
    st.integers(0, 12).map(lambda dice: dice == 0),
    st.sampled_from((0, 0, 0, 0, 3)),
)
SACKS = st.tuples(st.integers(0, 30), st.sampled_from((0, 1_000, 3_000, 40_000, 200_000)), st.booleans())


@settings(max_examples=300, deadline=None)
@given(
    steps=st.lists(st.one_of(st.lists(MESSAGES, min_size=1, max_size=12), SACKS, st.just("timeout")), max_size=25),
    no_delay=st.booleans(),
    max_segment=st.sampled_from((0, 0, 500)),
    max_burst=st.sampled_from((0, 4, 30)),
)
def test_send_train_does_what_next_packet_does(
    steps: list[Any], no_delay: bool, max_segment: int, max_burst: int
) -> None:
    both = [sender(max_burst=max_burst) for _ in range(2)]
    for each in both:
        each.no_delay, each.max_segment = no_delay, max_segment
    now = 1.0
    for step in steps:
        now += 0.01
        if step == "timeout":
            now += 60.0
        sent = []
        for each, trains in zip(both, (True, False), strict=True):
            if step == "timeout":
                each.take_expired(now)
                each.on_t3(each.paths.primary)
            elif isinstance(step, list):
                for stream_id, size, unordered, sack_immediately, life in step:
                    each.push(
                        Message(
                            stream_id,
                            7,
                            bytes(size),
                            unordered=unordered,
                            sack_immediately=sack_immediately,
                            **({"expires_at": now + life} if life else {}),
                        )
                    )
                each.replenish_burst()
            else:
                advance, a_rwnd, gap = step
                outstanding = each.next_tsn - 1 - each.cumulative
                advance = min(advance, outstanding)
                gaps = ((2, outstanding - advance),) if gap and outstanding - advance >= 2 else ()
                each.on_sack((each.cumulative + advance) & 0xFFFFFFFF, a_rwnd, gaps, now)
            if each.waits_for_window():
                each.allow_probe()
            sent.append(packets(each, now, trains=trains))
        assert sent[0] == sent[1]
        assert known(both[0]) == known(both[1])
        assert known(both[0].paths.primary.congestion) == known(both[1].paths.primary.congestion)
        for name in ("t3_deadline", "rtt_tsn", "rtt_sent_at", "last_sent_at", "window_used"):
            assert getattr(both[0].paths.primary, name) == getattr(both[1].paths.primary, name), name
