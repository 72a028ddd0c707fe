"""RFC 9260 section 6, where no other test shows what one of its sentences demands. `rfc9260.json` has them all."""

from __future__ import annotations

import math

import pytest
from support.pair import STATES, UDP_PORT, A, B, Pair, Raw

from pysctpstack.config import Config
from pysctpstack.core import Message, Route, Settings, State
from pysctpstack.core.path import Path, Paths, PathState
from pysctpstack.core.rx.reassembly import MIN_CHARGE
from pysctpstack.core.tx.sender import Sender
from pysctpstack.events import AssociationLost, MessageReceived
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.packet import decode, encode
from pysctpstack.wire.params import Ipv4Address

OTHER = "192.0.2.2"
WHOLE = cp.DATA_FLAG_B | cp.DATA_FLAG_E
PMDCS = 1_460
"""The largest DATA chunk of a path whose MTU is 1,500."""


def data_of(chunks: list[c.Chunk]) -> list[c.Data]:
    return [chunk for chunk in chunks if isinstance(chunk, c.Data)]


def sacks_of(chunks: list[c.Chunk]) -> list[c.Sack]:
    return [chunk for chunk in chunks if isinstance(chunk, c.Sack)]


def open_peer(window: int = 1_000_000, **config: object) -> Raw:
    """An association whose peer has this window, without heartbeats or Nagle's algorithm."""
    peer = Raw(Config(heartbeat_interval=0, **config))  # type: ignore[arg-type]
    peer.settings.no_delay = True
    peer.accept(peer.init(a_rwnd=window))
    return peer


def two_paths() -> tuple[Sender, Path, Path]:
    """A sender with two active paths."""
    settings = Settings.from_config(Config())
    settings.no_delay = True
    first, second = (Path(Route(address, UDP_PORT), settings, 1_500, confirmed=True) for address in (A, OTHER))
    paths = Paths(first)
    paths.add(second)
    return Sender(settings, paths, 1_000, 10, 1_000_000), first, second


def leave(sender: Sender, now: float) -> list[tuple[str, list[c.Data]]]:
    """(address, DATA chunks) of each packet that leaves."""
    packets = []
    while (packet := sender.next_packet(now)) is not None:
        path, pieces = packet
        packets.append((path.address, data_of(decode(encode(1, 2, 3, pieces)).chunks)))
    return packets


# --- 6: which states ---


@pytest.mark.parametrize("state", STATES)
def test_data_leaves_in_the_states_of_section_6_only(state: State) -> None:
    peer = Raw.in_state(state, Config(heartbeat_interval=0))
    sending = (State.ESTABLISHED, State.SHUTDOWN_PENDING, State.SHUTDOWN_RECEIVED)
    if state in (State.COOKIE_WAIT, State.COOKIE_ECHOED, State.ESTABLISHED):
        peer.association.send(Message(0, 0, b"x"), peer.now)
    # Where something is outstanding, T3-rtx sends it again.
    assert bool(data_of(peer.wait(2.0))) == (state in sending)


@pytest.mark.parametrize("state", STATES)
def test_data_is_taken_in_the_states_of_section_6_only(state: State) -> None:
    peer = Raw.in_state(state)
    peer.give(peer.data(b"x"))
    taken = state in (State.ESTABLISHED, State.SHUTDOWN_PENDING, State.SHUTDOWN_SENT)
    assert [e.data for e in peer.events(MessageReceived)] == ([b"x"] if taken else [])
    assert ("data_in_wrong_state" in peer.endpoint.counters) == (not taken)


def test_several_messages_of_one_packet_are_delivered() -> None:
    peer = open_peer()
    peer.give(*(peer.data(bytes((number,)), ssn=number) for number in range(20)))
    assert [e.data for e in peer.events(MessageReceived)] == [bytes((number,)) for number in range(20)]


def test_control_chunks_come_before_data() -> None:
    peer = open_peer()
    for _ in range(4):
        peer.association.send(Message(0, 0, bytes(1_400)), peer.now)
    for _ in range(20):
        peer.association.send(Message(0, 0, bytes(100)), peer.now)
    tsns = [k.tsn for k in data_of(peer.answers())]
    # The answer to a HEARTBEAT, a report and a SACK are due when the window opens for more DATA.
    packet = peer.packet(
        c.Heartbeat(b"x" * 12), c.UnknownChunk(0xEA, 0, b"?"), c.Sack(tsns[-1], 1_000_000), peer.data()
    )
    peer.endpoint.receive_datagrams([(Route(A, UDP_PORT, B), packet)], peer.now)
    packets = [chunks for _, _, chunks in peer.sent()]
    assert {type(k) for chunks in packets for k in chunks} == {c.HeartbeatAck, c.Error, c.Sack, c.Data}
    for chunks in packets:
        are_data = [isinstance(k, c.Data) for k in chunks]
        assert are_data == sorted(are_data)
        assert 12 + sum((len(k.encode()) + 3) & ~3 for k in chunks) <= 1_472
    # DATA shares the packet of the control chunks.
    assert any({c.Data, c.HeartbeatAck} <= {type(k) for k in chunks} for chunks in packets)


# --- 6.1: sending ---


def closed_window() -> Raw:
    """A peer with a closed window, and data that waits for it; the clock is at the SACK that closed it."""
    peer = open_peer()
    peer.association.send(Message(0, 0, bytes(1_000)), peer.now)
    (data,) = data_of(peer.answers())
    for _ in range(40):
        peer.association.send(Message(0, 0, bytes(1_000)), peer.now)
        data = (data_of(peer.answers()) or [data])[-1]
    peer.now += 0.1
    assert data_of(peer.give(c.Sack(data.tsn, 0))) == []
    return peer


def test_no_chunk_of_a_packet_exceeds_the_window() -> None:
    peer = open_peer(window=1_500)
    for _ in range(8):
        peer.association.tcb.sender.push(Message(0, 0, bytes(400)))
    peer.association.finish(peer.now)
    assert len(data_of(peer.answers())) == 3
    assert data_of(peer.give(c.Sack(peer.local_tsn, 500))) == []
    assert len(data_of(peer.give(c.Sack(peer.local_tsn + 2, 850)))) == 2


def test_a_probe_waits_for_cwnd() -> None:
    sender, path, _ = two_paths()
    sender.push(Message(0, 0, bytes(100)))
    sender.rwnd = 0
    # As if T3-rtx of the same path had its one packet in flight.
    path.congestion.flight_size = path.congestion.cwnd
    sender.allow_probe()
    assert leave(sender, 0.0) == []
    path.congestion.flight_size = 0
    assert [len(chunks) for _, chunks in leave(sender, 0.0)] == [1]


def test_probes_that_are_answered_are_no_errors() -> None:
    peer = closed_window()
    probes = 0
    for _ in range(40):
        for chunk in data_of(peer.wait(60)):
            probes += 1
            # Received, and dropped for want of room.
            peer.give(c.Sack(chunk.tsn - 1, 0))
    assert probes > 20
    assert peer.events(AssociationLost) == []
    assert peer.association.tcb.paths.primary.state is PathState.ACTIVE


def test_the_first_probe_after_an_rto_then_at_doubling_intervals() -> None:
    peer = closed_window()
    start = peer.now
    times: list[float] = []
    while len(times) < 5:
        peer.now = peer.endpoint.next_timeout()
        peer.endpoint.handle_timeout(peer.now)
        for chunk in data_of(peer.answers()):
            times.append(peer.now - start)
            peer.give(c.Sack(chunk.tsn, 0))
    # The RTO is 1 s; each answer comes at once, so that an interval begins with the probe before.
    gaps = [later - earlier for earlier, later in zip([0.0, *times], times, strict=False)]
    assert gaps == pytest.approx([1, 2, 4, 8, 16])


def test_retransmissions_come_before_new_data() -> None:
    peer = open_peer()
    for _ in range(4):
        peer.association.send(Message(0, 0, bytes(1_400)), peer.now)
    tsns = [k.tsn for k in data_of(peer.answers())]
    assert len(tsns) == 4
    for _ in range(3):
        peer.association.send(Message(0, 0, bytes(1_400)), peer.now)
    assert data_of(peer.answers()) == []
    sent = [k.tsn for k in data_of(peer.wait(1.0))]
    while len(sent) < 7:
        sent += [k.tsn for k in data_of(peer.give(c.Sack(sent[-1], 1_000_000)))]
    assert sent == list(range(tsns[0], tsns[0] + 7))


@pytest.mark.parametrize("cwnd", [1, PMDCS, 10 * PMDCS - 1, 10 * PMDCS, 10 * PMDCS + 1])
def test_cwnd_is_exceeded_by_less_than_one_packet(cwnd: int) -> None:
    peer = open_peer(max_burst=1_000)
    congestion = peer.association.tcb.paths.primary.congestion
    congestion.cwnd = cwnd
    for _ in range(30):
        peer.association.tcb.sender.push(Message(0, 0, bytes(PMDCS - 16)))
    peer.association.finish(peer.now)
    packets = -(-cwnd // PMDCS)
    assert len(data_of(peer.answers())) == packets
    assert cwnd <= congestion.flight_size < cwnd + PMDCS
    # The next SACK lets as many leave as it acknowledged, and what cwnd grew by.
    sent = data_of(peer.give(c.Sack(peer.local_tsn, 1_000_000)))
    assert congestion.cwnd <= congestion.flight_size < congestion.cwnd + PMDCS
    assert sent


def test_max_burst_leaves_cwnd_as_it_is() -> None:
    peer = open_peer()
    congestion = peer.association.tcb.paths.primary.congestion
    congestion.cwnd = 100_000
    for _ in range(30):
        peer.association.tcb.sender.push(Message(0, 0, bytes(1_400)))
    peer.association.finish(peer.now)
    assert len(data_of(peer.answers())) == 4
    assert congestion.cwnd == 100_000


def lost_first(count: int) -> tuple[Raw, list[int]]:
    """``count`` chunks left at intervals of 0.05 s; the first is reported missing twice."""
    peer = open_peer()
    peer.association.tcb.paths.primary.congestion.cwnd = 100_000
    tsns = []
    for _ in range(count):
        peer.association.send(Message(0, 0, bytes(1_400)), peer.now)
        tsns += [k.tsn for k in data_of(peer.answers())]
        peer.now += 0.05
    return peer, tsns


def test_t3_is_restarted_when_the_earliest_outstanding_chunk_is_sent_again() -> None:
    peer, tsns = lost_first(6)
    path = peer.association.tcb.paths.primary
    first = path.t3_deadline
    for last in (2, 3):
        peer.give(c.Sack(tsns[0] - 1, 1_000_000, ((2, last),)))
    assert path.t3_deadline == first
    peer.now += 0.1
    assert [k.tsn for k in data_of(peer.give(c.Sack(tsns[0] - 1, 1_000_000, ((2, 4),))))] == [tsns[0]]
    assert path.t3_deadline == peer.now + path.rto.rto


def test_t3_is_not_restarted_by_other_transmissions() -> None:
    peer, tsns = lost_first(10)
    path = peer.association.tcb.paths.primary
    # New data: the first one's deadline stands.
    assert path.t3_deadline == pytest.approx(101.0)
    base = tsns[0] - 1

    def report(*gaps: tuple[int, int]) -> list[int]:
        return [k.tsn for k in data_of(peer.give(c.Sack(base, 1_000_000, gaps)))]

    assert report((2, 3)) == report((2, 4)) == []
    assert report((2, 5)) == tsns[:1]
    deadline = path.t3_deadline
    peer.now += 0.1
    # The sixth is lost too, and sent again; the first, sent again before, is still the earliest.
    assert report((2, 5), (7, 7)) == report((2, 5), (7, 8)) == []
    assert report((2, 5), (7, 9)) == tsns[5:6]
    peer.association.send(Message(0, 0, bytes(1_400)), peer.now)
    assert len(data_of(peer.answers())) == 1
    assert path.t3_deadline == deadline


# --- 6.2: acknowledging ---


@pytest.mark.parametrize("state", [State.ESTABLISHED, State.SHUTDOWN_PENDING, State.SHUTDOWN_SENT])
@pytest.mark.parametrize("bad_stream", [False, True])
def test_one_sack_for_a_packet_at_most(state: State, bad_stream: bool) -> None:
    peer = Raw.in_state(state, Config(heartbeat_interval=0))
    loose = WHOLE | cp.DATA_FLAG_U
    sacks = 0
    for tsn in range(1_000, 1_120, 3):
        # Several reasons for a SACK in one packet: a gap, a duplicate, the I bit, no such stream.
        given = [
            peer.data(tsn=tsn, flags=loose),
            peer.data(tsn=tsn, flags=loose),
            peer.data(tsn=tsn + 2, flags=loose | cp.DATA_FLAG_I),
            peer.data(tsn=tsn + 1, stream_id=99 if bad_stream else 0, flags=loose),
        ]
        sacks += len(sacks_of(peer.give(*given)))
    sacks += len(sacks_of(peer.wait(0.5)))
    assert sacks == 40


def test_what_is_dropped_behind_new_data_is_answered_at_once() -> None:
    peer = open_peer(receive_buffer=10_000)
    peer.give(peer.data(b"x"))
    # A packet of its own would wait for a second one.
    (sack,) = peer.give(peer.data(bytes(9_999), ssn=1), peer.data(bytes(10), ssn=2))
    assert sack == c.Sack(1_001, 0)
    assert peer.endpoint.counters["data_beyond_window"] == 1


def test_fragments_that_wait_keep_the_window_small() -> None:
    peer = open_peer(receive_buffer=100_000)
    (sack,) = peer.give(peer.data(bytes(5_000), flags=cp.DATA_FLAG_B))
    assert isinstance(sack, c.Sack)
    assert sack.a_rwnd == 95_000
    assert peer.events(MessageReceived) == []
    # They are delivered with the last one, and released by the user.
    peer.give(peer.data(bytes(1_000), flags=cp.DATA_FLAG_E | cp.DATA_FLAG_I))
    (event,) = peer.events(MessageReceived)
    peer.association.consumed(len(event.data), peer.now)
    (sack,) = peer.give(peer.data(b"x", ssn=1, flags=WHOLE | cp.DATA_FLAG_I))
    assert isinstance(sack, c.Sack)
    assert sack.a_rwnd == 100_000 - MIN_CHARGE


def test_what_was_dropped_takes_no_room() -> None:
    peer = open_peer(receive_buffer=100_000, max_gap_blocks=1)
    peer.give(peer.data(bytes(1_000), tsn=1_001, flags=WHOLE | cp.DATA_FLAG_U))
    (sack,) = peer.give(peer.data(bytes(1_000), tsn=1_003, flags=WHOLE | cp.DATA_FLAG_U))
    assert isinstance(sack, c.Sack)
    assert (sack.gaps, sack.a_rwnd) == (((2, 2),), 99_000)


def test_no_acknowledgement_is_taken_back() -> None:
    peer = open_peer(receive_buffer=10_000)
    acknowledged: set[int] = set()
    for number in range(60):
        # Every second TSN first, then those between, whatever the window says; nothing is read.
        tsn = 1_000 + (2 * number if number < 30 else 2 * (number - 30) + 1)
        for sack in sacks_of(peer.give(peer.data(bytes(900), tsn=tsn, ssn=tsn - 1_000))):
            told = set(range(1_000, sack.cumulative_tsn + 1))
            told |= {sack.cumulative_tsn + k for start, end in sack.gaps for k in range(start, end + 1)}
            assert told >= acknowledged
            acknowledged = told
    assert peer.endpoint.counters["data_beyond_window"] > 0


def test_a_sack_delay_of_more_than_half_a_second_is_refused() -> None:
    with pytest.raises(ValueError):
        Config(sack_delay=0.501)


# --- 6.3, 6.4 ---


def test_karn_a_chunk_behind_a_retransmission_is_not_measured() -> None:
    peer = open_peer()
    rto = peer.association.tcb.paths.primary.rto
    peer.association.send(Message(0, 0, bytes(1_400)), peer.now)
    peer.now += 0.5
    # Sent, and measured, after the first; the first is then lost and sent again.
    peer.association.send(Message(0, 0, bytes(1_400)), peer.now)
    tsns = [k.tsn for k in data_of(peer.answers())]
    assert [k.tsn for k in data_of(peer.wait(0.6))] == tsns[:1]
    peer.give(c.Sack(tsns[1], 1_000_000))
    assert rto.srtt is None


def test_karn_a_fast_retransmission_is_not_measured() -> None:
    peer, tsns = lost_first(6)
    for last in (2, 3, 4):
        again = data_of(peer.give(c.Sack(tsns[0] - 1, 1_000_000, ((2, last),))))
    assert [k.tsn for k in again] == tsns[:1]
    peer.now += 0.1
    peer.give(c.Sack(tsns[-1], 1_000_000))
    assert peer.association.tcb.paths.primary.rto.srtt is None


def test_a_retransmission_elsewhere_is_timed_by_that_address() -> None:
    sender, first, second = two_paths()
    second.rto.rto = 7.0
    sender.push(Message(0, 0, bytes(1_400)))
    sender.replenish_burst()
    assert [address for address, _ in leave(sender, 0.0)] == [A]
    assert first.t3_deadline == 1.0
    sender.on_t3(first)
    assert [address for address, _ in leave(sender, 1.0)] == [OTHER]
    assert (first.t3_deadline, second.t3_deadline) == (math.inf, 8.0)


def with_two_addresses(**config: object) -> Raw:
    peer = Raw(Config(heartbeat_interval=0, **config))  # type: ignore[arg-type]
    peer.settings.no_delay = True
    peer.accept(peer.init(parameters=[Ipv4Address(OTHER)]))
    peer.association.tcb.paths.by_address[OTHER].confirm()
    return peer


def destinations(peer: Raw, *given: tuple[str, c.Chunk]) -> list[str]:
    """Where SACKs go, within the delay, after these chunks came from these addresses."""
    found = []
    for address, chunk in given:
        peer.endpoint.receive_datagrams([(Route(address, UDP_PORT, B), peer.packet(chunk))], peer.now)
        found += [route.peer for route, _, chunks in peer.sent() if sacks_of(chunks)]
    peer.now += 0.2
    peer.endpoint.handle_timeout(peer.now)
    return found + [route.peer for route, _, chunks in peer.sent() if sacks_of(chunks)]


def test_a_sack_goes_to_where_the_last_data_came_from() -> None:
    peer = with_two_addresses()
    assert destinations(peer, (A, peer.data())) == [A]
    assert destinations(peer, (OTHER, peer.data(ssn=1))) == [OTHER]
    assert destinations(peer, (A, peer.data(ssn=2)), (OTHER, peer.data(ssn=3))) == [OTHER]


def test_other_chunks_do_not_change_where_a_sack_goes() -> None:
    peer = with_two_addresses()
    assert destinations(peer, (A, peer.data())) == [A]
    assert destinations(peer, (A, peer.data(ssn=1)), (OTHER, c.Heartbeat(b"x" * 12))) == [A]


def test_data_for_an_inactive_address_goes_to_an_active_one() -> None:
    sender, first, second = two_paths()
    second.state = PathState.INACTIVE
    sender.push(Message(0, 0, b"x", destination=OTHER))
    sender.replenish_burst()
    assert [address for address, _ in leave(sender, 0.0)] == [A]
    first.state, second.state = PathState.INACTIVE, PathState.ACTIVE
    sender.push(Message(0, 0, b"x"))
    sender.push(Message(0, 0, b"x", destination=A))
    assert {address for address, _ in leave(sender, 0.0)} == {OTHER}


# --- 6.5 to 6.10 ---


def test_each_stream_counts_its_ordered_messages() -> None:
    peer = open_peer()
    for number in range(12):
        peer.association.send(Message(number % 3, 0, b"x", unordered=number % 4 == 3), peer.now)
    counted: dict[int, list[int]] = {}
    for chunk in data_of(peer.answers()):
        if not chunk.unordered:
            counted.setdefault(chunk.stream_id, []).append(chunk.ssn)
    assert counted == {0: [0, 1, 2], 1: [0, 1, 2], 2: [0, 1, 2]}


def test_one_sack_with_the_lowest_blocks_where_not_all_fit() -> None:
    peer = Raw(Config(max_gap_blocks=5_000, heartbeat_interval=0), mtu=600)
    peer.accept()
    for number in range(400):
        sacks = sacks_of(peer.give(peer.data(tsn=1_001 + 2 * number, flags=WHOLE | cp.DATA_FLAG_U)))
        assert len(sacks) == 1
    (sack,) = sacks
    assert sack.gaps == tuple((2 + 2 * number, 2 + 2 * number) for number in range((572 - 12 - 16) // 4))


def test_a_chunk_is_not_cut_again_when_the_path_mtu_shrinks() -> None:
    peer = open_peer()
    peer.association.send(Message(0, 0, bytes(1_440)), peer.now)
    (data,) = data_of(peer.answers())
    peer.association.tcb.paths.primary.set_mtu(600)
    (again,) = data_of(peer.wait(1.0))
    assert (again.tsn, len(again.payload)) == (data.tsn, 1_440)
    assert (again.beginning, again.ending) == (True, True)


def test_every_fragment_of_an_unordered_message_says_so() -> None:
    peer = open_peer()
    peer.association.send(Message(0, 0, bytes(5_000), unordered=True), peer.now)
    fragments = data_of(peer.answers())
    assert len(fragments) == 4
    assert all(fragment.unordered for fragment in fragments)


def test_packets_share_bytes_by_bundling_up_to_the_path_mtu() -> None:
    pair = Pair()
    pair.settings.no_delay = True
    client, _ = pair.connect()
    for number in range(50):
        client.tcb.sender.push(Message(0, number, bytes(100)))
    client.tcb.sender.replenish_burst()
    client.finish(pair.now)
    pair.run(1)
    sizes = [len(record.data) for record in pair.records("a", cp.DATA)]
    assert sizes[0] == 12 + 12 * 116
    assert max(sizes) <= 1_472
    assert [m.ppid for m in pair.b.messages] == list(range(50))
