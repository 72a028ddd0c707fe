"""Path MTU discovery: the search of RFC 8899, black holes, and what routers tell."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pair import CLIENT_PORT, SERVER_PORT, UDP_PORT, A, Raw

from pysctpstack.config import Config
from pysctpstack.core import Association, Message, Route, Settings, State
from pysctpstack.core.mtu_search import MAX_PROBES, MIN_GAIN, PMTU_RAISE_TIMER, MtuSearch, SearchState
from pysctpstack.core.path import Path, Paths, PathState
from pysctpstack.core.route import Fragmentable, Unfragmented
from pysctpstack.wire import chunks as c
from pysctpstack.wire.extension_chunks import Pad
from pysctpstack.wire.packet import decode

SEARCH = Config(plpmtud=True, heartbeat_interval=0)
INTERVAL = SEARCH.plpmtud_probe_interval


class Routing:
    """A route table whose answers a test changes."""

    def __init__(self, mtu: int, *, control: bool = True) -> None:
        self.mtu = mtu
        self.control = control

    def path_mtu(self, _route: Route) -> int:
        return self.mtu

    def source_address(self, _peer: str) -> str:
        return ""

    def controls_fragmentation(self, _route: Route) -> bool:
        return self.control


class Searching:
    """An association with a hand-made peer, and the probes that it sends."""

    def __init__(self, config: Config = SEARCH, *, mtu: int = 1_500, control: bool = True) -> None:
        self.peer = Raw(config)
        self.routing = self.peer.endpoint.shared.route_table = Routing(mtu, control=control)
        self.association: Association = self.peer.accept()
        self.path = self.association.tcb.paths.primary
        self.search = self.path.search

    def probes(self, seconds: float = 0.0) -> list[tuple[int, c.Heartbeat, bytes]]:
        """(size of the IP datagram, HEARTBEAT, datagram) of the probes of the next seconds."""
        end = self.peer.now + seconds
        endpoint = self.peer.endpoint
        found = []
        while True:
            for _, datagram in endpoint.datagrams_to_send(self.peer.now):
                first, *rest = decode(datagram).chunks
                if isinstance(first, c.Heartbeat):
                    assert all(isinstance(chunk, Pad) for chunk in rest)
                    found.append((len(datagram) + 28, first, datagram))
            if endpoint.next_timeout() > end:
                self.peer.now = end
                return found
            self.peer.now = max(self.peer.now, endpoint.next_timeout())
            endpoint.handle_timeout(self.peer.now)

    def sizes(self, seconds: float = 0.0) -> list[int]:
        return [size for size, _, _ in self.probes(seconds)]

    def answer(self, heartbeat: c.Heartbeat, after: float = 0.1) -> None:
        self.peer.now += after
        packet = self.peer.packet(c.HeartbeatAck(heartbeat.info))
        self.peer.endpoint.receive_datagrams([(self.path.route, packet)], self.peer.now)

    def carry(self, mtu: int, seconds: float) -> list[int]:
        """Let a network answer what is not larger than ``mtu``; the sizes of the probes."""
        sizes = []
        end = self.peer.now + seconds
        while self.peer.now < end:
            for size, heartbeat, _ in self.probes(0.0):
                sizes.append(size)
                if size <= mtu:
                    self.answer(heartbeat)
                    break
            else:
                due = self.peer.endpoint.next_timeout()
                self.peer.now = min(max(due, self.peer.now), end)
        return sizes

    def complete(self, mtu: int = 1_500) -> None:
        self.carry(mtu, 3_000 if mtu < 1_500 else 1)
        assert self.search.state is SearchState.SEARCH_COMPLETE

    def use(self) -> None:
        """Send a message and have it acknowledged: the path is in use."""
        self.association.send(Message(0, 0, b"x"), self.peer.now)
        (data,) = [chunk for chunk in self.peer.answers() if isinstance(chunk, c.Data)]
        self.peer.give(c.Sack(data.tsn, 100_000))


# --- the search ---


def test_without_the_search_there_is_no_probe_and_no_timer() -> None:
    one = Searching(replace(SEARCH, plpmtud=False))
    assert one.sizes(10_000) == []
    assert one.peer.endpoint.next_timeout() == math.inf
    assert (one.path.mtu, one.search.state) == (1_500, SearchState.DISABLED)


def test_without_control_of_df_there_is_none_either() -> None:
    """RFC 6951 section 5.6."""
    one = Searching(control=False)
    assert one.sizes(10_000) == []
    assert (one.path.mtu, one.search.state) == (1_500, SearchState.DISABLED)


def test_a_probe_is_a_heartbeat_that_pad_enlarges_to_the_exact_size() -> None:
    one = Searching()
    ((size, heartbeat, datagram),) = one.probes()
    # Of the size in use: as any other datagram of it.
    assert (size, type(datagram)) == (1_200, bytes)
    one.answer(heartbeat)
    ((size, heartbeat, datagram),) = one.probes()
    assert (size, type(datagram)) == (1_500, Unfragmented)
    assert [type(chunk) for chunk in decode(datagram).chunks] == [c.Heartbeat, Pad]
    one.answer(heartbeat)
    assert (one.path.mtu, one.search.state) == (1_500, SearchState.SEARCH_COMPLETE)
    assert one.sizes(PMTU_RAISE_TIMER - 1) == []
    assert one.peer.endpoint.counters["mtu_probes"] == one.search.probes == 2


def test_the_search_starts_from_the_base_and_with_its_initial_window() -> None:
    one = Searching(mtu=65_535)
    assert one.path.mtu == 1_200
    assert one.path.congestion.pmdcs == 1_160
    assert one.path.congestion.cwnd == 4_404
    one.association.send(Message(0, 0, bytes(5_000)), one.peer.now)
    assert [len(chunk.payload) for chunk in one.peer.answers() if isinstance(chunk, c.Data)] == [1_144] * 4


def test_a_route_below_the_base_is_all_there_is() -> None:
    one = Searching(mtu=900)
    ((size, heartbeat, _),) = one.probes()
    assert size == 900
    one.answer(heartbeat)
    assert (one.path.mtu, one.search.state) == (900, SearchState.SEARCH_COMPLETE)


def test_a_lost_probe_is_no_error_no_congestion_and_not_retransmitted() -> None:
    one = Searching()
    one.carry(1_200, 0.5)
    cwnd, rto = one.path.congestion.cwnd, one.path.rto.rto
    sizes = one.sizes(10 * INTERVAL)
    assert sizes == [1_280] * MAX_PROBES + [1_240] * MAX_PROBES + [1_220] * 3
    assert one.path.mtu == 1_200
    assert (one.path.congestion.cwnd, one.path.rto.rto) == (cwnd, rto)
    assert (one.path.error_count, one.association.tcb.error_count) == (0, 0)
    assert one.path.t3_deadline == math.inf
    assert one.path.congestion.flight_size == 0


def test_an_interval_below_a_second_is_not_kept() -> None:
    """RFC 8899 section 5.1.1."""
    one = Searching(replace(SEARCH, plpmtud_probe_interval=0.01))
    assert len(one.sizes(3.5)) == 4


def test_an_isolated_loss_costs_one_interval() -> None:
    one = Searching()
    assert one.sizes(INTERVAL + 1) == [1_200] * 2
    assert one.search.state is SearchState.BASE
    one.sizes(INTERVAL)
    one.carry(1_500, 0)
    sizes = one.carry(1_500, 2 * INTERVAL)
    assert one.path.mtu == 1_500
    assert sizes == [1_200, 1_500]


def test_a_path_that_does_not_take_the_base_uses_less_and_is_probed_on() -> None:
    one = Searching()
    sizes = one.sizes(8 * INTERVAL)
    assert set(sizes) == {1_200}
    assert len(sizes) == 9
    assert (one.search.state, one.path.mtu) == (SearchState.ERROR, 512)
    ((_, heartbeat, datagram),) = one.probes(INTERVAL)
    assert isinstance(datagram, Unfragmented)
    one.answer(heartbeat)
    assert (one.search.state, one.path.mtu) == (SearchState.SEARCHING, 1_200)


@pytest.mark.parametrize("change", ["nonce", "address", "late"])
def test_only_the_answer_to_the_probe_that_is_out_counts(change: str) -> None:
    one = Searching()
    ((_, heartbeat, _),) = one.probes()
    info = heartbeat.info
    if change == "nonce":
        info = bytes((info[0] ^ 1,)) + info[1:]
    elif change == "address":
        info += b"1"
    else:
        one.probes(INTERVAL)
    one.peer.give(c.HeartbeatAck(info))
    assert one.search.state is SearchState.BASE
    assert one.peer.endpoint.counters["heartbeat_ack_unknown"] == 1


def test_an_answer_twice_counts_once() -> None:
    one = Searching()
    ((_, heartbeat, _),) = one.probes()
    one.answer(heartbeat)
    one.probes()
    one.peer.give(c.HeartbeatAck(heartbeat.info))
    assert one.path.mtu == 1_200
    assert one.peer.endpoint.counters["heartbeat_ack_unknown"] == 1


def test_an_answered_probe_measures_the_round_trip_and_clears_the_errors() -> None:
    one = Searching()
    one.path.error_count = one.association.tcb.error_count = 2
    ((_, heartbeat, _),) = one.probes()
    one.answer(heartbeat, after=0.25)
    assert one.path.rto.srtt == pytest.approx(0.25)
    assert (one.path.error_count, one.association.tcb.error_count) == (0, 0)


def test_the_search_is_taken_up_again_for_a_path_that_is_used() -> None:
    one = Searching()
    one.complete(1_400)
    assert one.path.mtu == 1_400
    # Nothing is sent: nobody needs to know.
    assert one.sizes(2 * PMTU_RAISE_TIMER) == []
    assert one.path.probe_deadline - one.peer.now <= PMTU_RAISE_TIMER
    one.peer.now = one.path.probe_deadline - INTERVAL / 2
    one.use()
    assert one.sizes(INTERVAL) == [1_500]


def test_a_route_that_has_become_wider_is_found() -> None:
    one = Searching()
    one.complete()
    one.use()
    one.routing.mtu = 9_000
    one.carry(9_000, PMTU_RAISE_TIMER + 1)
    assert one.path.mtu == 9_000


def test_a_route_that_has_become_narrower_is_kept_to() -> None:
    one = Searching()
    one.complete()
    one.use()
    one.routing.mtu = 1_300
    assert one.carry(9_000, PMTU_RAISE_TIMER + 2) == [1_200, 1_300]
    assert one.path.mtu == 1_300


def test_a_path_that_does_not_work_is_not_probed_and_is_when_it_does_again() -> None:
    one = Searching()
    one.complete(1_400)
    one.use()
    one.path.state = PathState.INACTIVE
    assert one.sizes(2 * PMTU_RAISE_TIMER) == []
    assert (one.search.state, one.path.mtu) == (SearchState.DISABLED, 1_400)
    one.path.state = PathState.ACTIVE
    one.carry(1_400, 3_000)
    assert (one.search.state, one.path.mtu) == (SearchState.SEARCH_COMPLETE, 1_400)


def test_an_association_that_closes_does_not_search() -> None:
    one = Searching()
    ((_, heartbeat, _),) = one.probes()
    one.association.send(Message(0, 0, b"x"), one.peer.now)
    one.association.shutdown(one.peer.now)
    assert one.association.state is State.SHUTDOWN_PENDING
    one.peer.give(c.HeartbeatAck(heartbeat.info))
    assert one.search.state is SearchState.SEARCHING
    assert Unfragmented not in {type(datagram) for _, _, datagram in one.probes(30)}
    assert one.path.probe_deadline == math.inf


def test_a_peer_that_restarts_is_searched_anew() -> None:
    one = Searching()
    one.complete()
    one.use()
    peer = one.peer
    one.association.send(Message(0, 0, bytes(5_000)), peer.now)
    one.probes(1.5)
    assert one.search.expirations == 1
    peer.own_tag, peer.tsn = 0x22222222, 5_000
    peer.give(peer.cookie())
    assert one.association.state is State.ESTABLISHED
    assert (one.search.expirations, one.search.state, one.path.mtu) == (0, SearchState.BASE, 1_200)
    assert one.path.congestion.cwnd == 4_404
    one.complete()
    assert one.path.mtu == 1_500


def test_the_user_turns_the_search_on_and_off() -> None:
    one = Searching(replace(SEARCH, plpmtud=False))
    one.association.discover_path_mtu(A, True, one.peer.now)
    one.carry(1_400, 1)
    assert one.path.mtu == 1_200
    one.carry(1_400, INTERVAL)
    assert one.path.mtu == 1_400
    one.association.discover_path_mtu(A, False, one.peer.now)
    assert one.sizes(10_000) == []
    assert (one.search.state, one.path.mtu) == (SearchState.DISABLED, 1_400)
    with pytest.raises(KeyError):
        one.association.discover_path_mtu("192.0.2.99", True, one.peer.now)


def test_the_user_turns_it_on_before_the_association_is_up() -> None:
    peer = Raw(replace(SEARCH, plpmtud=False))
    peer.associate()
    peer.association.discover_path_mtu(A, True, peer.now)
    assert peer.association.tcb.paths.primary.mtu == 1_500
    peer.give(peer.init_ack())
    peer.give(c.CookieAck())
    assert peer.association.tcb.paths.primary.search.state is SearchState.BASE


# --- the choice of sizes ---


@given(st.integers(300, 16_384), st.integers(300, 16_384), st.booleans())
def test_whatever_passes_is_found_within_the_gain_that_is_worth_it(route: int, passes: int, failed: bool) -> None:
    route &= ~3
    search = MtuSearch(40, ipv6=False, enabled=True)
    search.begin(4 * route, failed=failed)
    passes = max(passes * 4, search.low)
    probes = 0
    while size := search.next_size():
        search.probed = size
        assert size % 4 == 0
        assert size <= search.maximum
        assert probes == 0 or size > search.low
        probes += 1
        if size <= passes:
            search.passed()
        else:
            search.failed()
    assert search.low <= passes
    assert search.low == search.maximum or passes < search.high
    assert search.low == search.maximum or search.high - search.low <= MIN_GAIN
    assert probes <= 80


def test_over_ipv6_the_base_is_what_every_link_carries() -> None:
    search = MtuSearch(60, ipv6=True, enabled=True)
    assert (search.base, search.floor) == (1_280, 1_280)


# --- black holes ---


def test_three_time_outs_while_small_packets_pass_are_a_black_hole() -> None:
    one = Searching(replace(SEARCH, plpmtud=False))
    one.association.send(Message(0, 0, bytes(5_000)), one.peer.now)
    first = {chunk.tsn: len(chunk.payload) for chunk in one.peer.answers() if isinstance(chunk, c.Data)}
    assert list(first.values()) == [1_444] * 3 + [668]
    assert one.probes(2.9) == []
    # The second time-out: does the peer answer at all?
    ((size, question, datagram),) = one.probes(0.2)
    assert (size < 100, type(datagram)) == (True, bytes)
    one.answer(question, after=0)
    assert one.path.mtu == 1_500
    one.peer.now = 107.0
    one.peer.endpoint.handle_timeout(one.peer.now)
    ((_, datagram),) = one.peer.endpoint.datagrams_to_send(one.peer.now)
    assert isinstance(datagram, Fragmentable)
    assert (one.path.mtu, one.path.congestion.pmdcs, one.path.congestion.cwnd) == (1_200, 1_160, 1_160)
    assert (one.search.black_holes, one.peer.endpoint.counters["mtu_black_hole"]) == (1, 1)
    # What has a TSN stays as it is; what has none is cut to the new size.
    tsn = min(first)
    one.association.send(Message(0, 0, bytes(2_000)), one.peer.now)
    left = []
    for cumulative in range(tsn, tsn + 6):
        one.peer.endpoint.receive_datagrams([], one.peer.now)
        chunks = one.peer.give(c.Sack(cumulative, 100_000))
        left += [len(chunk.payload) for chunk in chunks if isinstance(chunk, c.Data)]
    assert left[:2] == [1_444, 1_444]
    assert left[-2:] == [1_144, 856]


def test_a_peer_that_is_silent_altogether_is_no_black_hole() -> None:
    one = Searching(replace(SEARCH, plpmtud=False))
    one.association.send(Message(0, 0, bytes(5_000)), one.peer.now)
    # Time-outs after 1, 3, 7, 15 and 31 s.
    assert len(one.probes(40)) == 4
    assert (one.path.mtu, one.search.black_holes) == (1_500, 0)
    assert (one.search.expirations, one.path.error_count) == (5, 5)


def test_a_peer_that_closes_answers_no_question_and_the_hole_is_found_all_the_same() -> None:
    one = Searching(replace(SEARCH, plpmtud=False))
    one.association.send(Message(0, 0, bytes(5_000)), one.peer.now)
    one.peer.give(c.Shutdown((one.peer.local_tsn - 1) & 0xFFFFFFFF))
    assert one.association.state is State.SHUTDOWN_RECEIVED
    # RFC 9260 section 8.3: no HEARTBEAT ACK from SHUTDOWN-SENT on.
    one.probes(6.9)
    assert (one.path.mtu, one.search.answered) == (1_500, False)
    one.probes(0.2)
    assert (one.path.mtu, one.search.black_holes) == (1_200, 1)


@pytest.mark.parametrize("kept_closed", [True, False])
def test_a_window_probe_that_nobody_answers_may_be_too_large_and_one_that_is_answered_is_not(
    kept_closed: bool,
) -> None:
    one = Searching(replace(SEARCH, plpmtud=False))
    one.association.send(Message(0, 0, bytes(1_444)), one.peer.now)
    (first,) = one.peer.answers()
    assert isinstance(first, c.Data)
    one.peer.give(c.Sack(first.tsn, 0))
    one.association.send(Message(0, 0, bytes(1_444)), one.peer.now)
    for _ in range(6):
        for _, question, _ in one.probes(2.0):
            one.answer(question, after=0)
        if kept_closed:
            # The probe has come, and there is still no room (RFC 9260 section 6.2).
            one.peer.give(c.Sack(first.tsn, 0))
    assert one.association.tcb.sender.probing
    assert one.path.mtu == (1_500 if kept_closed else 1_200)


def test_small_packets_that_time_out_are_no_black_hole() -> None:
    one = Searching(replace(SEARCH, plpmtud=False))
    one.association.send(Message(0, 0, bytes(1_000)), one.peer.now)
    assert one.probes(40) == []
    assert (one.search.expirations, one.path.error_count) == (0, 5)


def test_an_acknowledgement_of_what_was_stuck_ends_the_suspicion() -> None:
    one = Searching(replace(SEARCH, plpmtud=False))
    one.association.send(Message(0, 0, bytes(1_444)), one.peer.now)
    (data,) = [chunk for chunk in one.peer.answers() if isinstance(chunk, c.Data)]
    one.probes(4)
    assert one.search.expirations == 2
    one.peer.give(c.Sack(data.tsn, 100_000))
    assert (one.search.expirations, one.search.question, one.search.answered) == (0, b"", False)


def test_small_packets_that_pass_a_stuck_one_do_not_end_it() -> None:
    one = Searching(replace(SEARCH, plpmtud=False))
    one.association.send(Message(0, 0, bytes(1_444)), one.peer.now)
    (data,) = [chunk for chunk in one.peer.answers() if isinstance(chunk, c.Data)]
    one.probes(4)
    one.association.send(Message(1, 0, bytes(100)), one.peer.now)
    one.peer.give(c.Sack(data.tsn - 1, 100_000, ((2, 2),)))
    assert one.search.expirations == 2


def test_a_black_hole_during_the_search_begins_it_anew() -> None:
    one = Searching()
    one.complete()
    one.use()
    one.association.send(Message(0, 0, bytes(5_000)), one.peer.now)
    ((_, question, _),) = one.probes(3.5)
    one.answer(question, after=0)
    # Not the size that has just failed.
    assert one.carry(1_300, 10) == [1_200, 1_280, 1_400]
    assert (one.path.mtu, one.search.state) == (1_280, SearchState.SEARCHING)


# --- packet too big ---


def quote(one: Searching, tag: int | None = None, size: int = 8) -> bytes:
    """What ICMP quotes: the beginning of an SCTP packet of ours."""
    tag = one.association.tcb.peer_tag if tag is None else tag
    header = SERVER_PORT.to_bytes(2, "big") + CLIENT_PORT.to_bytes(2, "big") + tag.to_bytes(4, "big")
    return (header + bytes(500))[:size]


def too_big(one: Searching, mtu: int, quoted: bytes | None = None, peer: str = A) -> None:
    one.routing.mtu = mtu
    one.peer.endpoint.handle_packet_too_big(peer, quote(one) if quoted is None else quoted, one.peer.now)


@pytest.mark.parametrize(("mtu", "used"), [(1_400, 1_400), (600, 600), (68, 512)])
def test_the_path_mtu_falls_to_what_a_router_told(mtu: int, used: int) -> None:
    one = Searching(replace(SEARCH, plpmtud=False))
    too_big(one, mtu)
    assert one.path.mtu == used
    assert one.path.congestion.pmdcs == used - 40
    one.association.send(Message(0, 0, bytes(1_440)), one.peer.now)
    payloads = [len(chunk.payload) for chunk in one.peer.answers() if isinstance(chunk, c.Data)]
    assert payloads[0] == used - 56


@pytest.mark.parametrize(
    "case", ["short", "wrong tag", "no tag", "other address", "other port", "larger", "closed association"]
)
def test_what_is_not_proven_to_be_ours_or_tells_nothing_is_ignored(case: str) -> None:
    """RFC 9260 section 10, ICMP5 and ICMP6."""
    one = Searching(replace(SEARCH, plpmtud=False))
    quoted, peer, mtu = quote(one), A, 1_400
    if case == "short":
        quoted = quoted[:7]
    elif case == "wrong tag":
        quoted = quote(one, one.association.tcb.peer_tag ^ 1)
    elif case == "no tag":
        quoted = quote(one, 0)
    elif case == "other address":
        peer = "192.0.2.99"
    elif case == "other port":
        quoted = b"\0\1" + quoted[2:]
    elif case == "larger":
        mtu = 1_500
    else:
        one.association.abort(b"", one.peer.now)
    too_big(one, mtu, quoted, peer)
    assert one.path.mtu == 1_500
    assert one.peer.endpoint.counters["icmp_ignored"] == 1


def test_told_of_less_than_is_used_the_search_begins_with_that() -> None:
    one = Searching()
    one.complete()
    too_big(one, 1_444)
    assert one.path.mtu == 1_200
    assert one.carry(1_444, 1) == [1_200, 1_444]
    assert one.path.mtu == 1_444


def test_told_of_less_than_is_probed_the_search_goes_on_with_that() -> None:
    one = Searching()
    one.carry(1_200, 0.2)
    assert one.search.probed == 1_500
    too_big(one, 1_444)
    assert one.carry(1_444, 1) == [1_444]
    assert (one.path.mtu, one.search.state) == (1_444, SearchState.SEARCH_COMPLETE)


def test_told_of_more_than_is_probed_the_search_is_not_impressed() -> None:
    one = Searching()
    one.carry(1_200, 0.2)
    too_big(one, 9_000)
    assert one.sizes() == []
    assert one.search.probed == 1_500
    assert one.peer.endpoint.counters["icmp_ignored"] == 1


# --- paths ---


def test_a_window_is_at_least_one_packet_of_the_new_size() -> None:
    path = Path(Route(A, UDP_PORT), Settings.from_config(Config()), 1_500, confirmed=True)
    path.congestion.cwnd = 3_000
    path.set_mtu(9_000)
    assert (path.congestion.pmdcs, path.congestion.cwnd) == (8_960, 8_960)
    path.set_mtu(600)
    assert (path.congestion.pmdcs, path.congestion.cwnd) == (560, 8_960)


def test_fragments_fit_every_path() -> None:
    """RFC 9260 section 7.3: AMDCS."""
    settings = Settings.from_config(Config())
    first, second = (Path(Route(f"192.0.2.{n}", UDP_PORT), settings, 1_500, confirmed=True) for n in (1, 2))
    paths = Paths(first)
    paths.add(second)
    assert paths.fragment_size == 1_472
    paths.set_mtu(second, 1_200)
    assert (paths.fragment_size, first.packet_size) == (1_172, 1_472)
    paths.set_mtu(second, 9_000)
    assert paths.fragment_size == 1_472
