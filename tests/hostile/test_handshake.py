"""The handshake and verification tags under attack, H1 to H12."""

from __future__ import annotations

import hmac
from itertools import product
from math import inf

import pytest
from hostile.places import (
    CLOSED,
    EVERYWHERE,
    FROM_PEER,
    PLACES,
    STRANGER,
    WITH_ASSOCIATION,
    WRONG_TAG,
    Place,
    Victim,
    at,
    in_states,
)
from support.pair import CLIENT_PORT, SERVER_PORT, UDP_PORT, A, B, Pair, Raw

from pysctpstack.config import Config
from pysctpstack.core import Message, Route, State
from pysctpstack.core.path import PathState
from pysctpstack.events import (
    AssociationLost,
    AssociationRestarted,
    AssociationUp,
    Loss,
    MessageReceived,
    SendFailed,
)
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.causes import CookieReceivedWhileShuttingDown, OutOfResource, StaleCookie
from pysctpstack.wire.packet import decode, encode
from pysctpstack.wire.params import Ipv4Address, StateCookie

LISTENER = PLACES[1]
ESTABLISHED = PLACES[4]
ACCEPTED = [place for place in WITH_ASSOCIATION if place.state not in (State.COOKIE_WAIT, State.COOKIE_ECHOED)]
"""Places whose association came up by a COOKIE ECHO of the peer's."""
RESTARTABLE = [place for place in ACCEPTED if place.state is not State.SHUTDOWN_ACK_SENT]
FROM_A2 = Route("192.0.2.2", UDP_PORT, B)
CONTROL: list[c.Chunk] = [
    c.Data(1_000, 0, 0, 0, b"x"),
    c.InitAck(7, 100_000, 1, 1, 1, [StateCookie(b"cookie")]),
    c.Sack(0, 0),
    c.Heartbeat(b"x"),
    c.HeartbeatAck(b"x"),
    c.Abort([]),
    c.Abort([], reflected=True),
    c.Shutdown(0),
    c.ShutdownAck(),
    c.Error([OutOfResource()]),
    c.Error([StaleCookie(1)]),
    c.CookieEcho(b"cookie"),
    c.CookieAck(),
    c.ShutdownComplete(),
    c.ShutdownComplete(reflected=True),
    c.UnknownChunk(0xFE, 0, b""),
]


UNANSWERED = (c.Abort, c.ShutdownComplete, c.CookieAck, c.CookieEcho)
"""Not answered out of the blue (RFC 9260 section 8.4), besides a Stale Cookie error; of COOKIE ECHO a forged one."""


# --- H1: INIT ---


@EVERYWHERE
def test_h1_a_flood_of_inits_makes_no_state(place: Place) -> None:
    victim = Victim.at(place, Config(setup_replies_per_second=50, ootb_replies_per_second=50))
    victim.now += 1
    before = victim.snapshot()
    answers = 0
    for number in range(1_000):
        route = Route(f"203.0.113.{number % 200 + 1}", 1_024 + number, B)
        sent, _ = victim.inject(victim.packet_of(victim.init(initiate_tag=number + 1), tag=0), route)
        answers += len(sent)
    assert answers == 50
    assert victim.snapshot() == before
    limited = "setup_reply_limited" if place.listening else "ootb_reply_limited"
    assert victim.endpoint.counters[limited] == 950
    victim.now += 1
    assert not place.listening or victim.serves()


@at([place for place in PLACES if place.listening])
def test_h1_the_answer_to_an_init_is_short(place: Place) -> None:
    victim = Victim.at(place)
    packet = victim.packet_of(victim.init(), tag=0)
    answers, _ = victim.inject(packet, Route(STRANGER, 9, B))
    ((_, _, (ack,)),) = answers
    assert isinstance(ack, c.InitAck)
    assert 12 + len(ack.encode()) <= 160


# --- H2 to H4: cookies ---


def test_h2_a_cookie_with_any_bit_changed_is_dropped_whatever_the_state() -> None:
    for place in (LISTENER, *ACCEPTED):
        victim = Victim.at(place)
        cookie = victim.cookies[-1].cookie if victim.cookies else victim.cookie().cookie
        for bit in range(0, 8 * len(cookie), 1 if place is LISTENER else 11):
            forged = bytearray(cookie)
            forged[bit // 8] ^= 1 << bit % 8
            victim.check_dropped(victim.packet_of(c.CookieEcho(bytes(forged))), "cookie_forged")


def test_h2_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    victim = Victim.at(LISTENER)
    cookie = victim.cookie()
    compared: list[int] = []
    genuine = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(len(one))
        return genuine(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    victim.inject(victim.packet_of(c.CookieEcho(bytes(16) + cookie.cookie[16:])))
    victim.inject(victim.packet_of(cookie))
    assert compared == [16, 16]


@at(ACCEPTED)
def test_h3_a_cookie_again_and_again_is_acknowledged_and_nothing_else(place: Place) -> None:
    victim = Victim.at(place)
    before = victim.snapshot()
    for _ in range(20):
        answers, _ = victim.inject(victim.packet_of(victim.cookies[0]))
        assert [chunks for _, _, chunks in answers] == [[c.CookieAck()]]
        assert victim.told() == []
    assert victim.snapshot() == before
    assert len(victim.endpoint.associations) == 1


def test_h3_a_cookie_again_does_not_multiply_heartbeats() -> None:
    victim = Victim.at(LISTENER)
    victim.accept(victim.init(parameters=[Ipv4Address(f"192.0.2.{n}") for n in range(2, 12)]))
    probes = sum(isinstance(k, c.Heartbeat) for k in victim.wait(0.99))
    for _ in range(50):
        victim.give(victim.cookies[0])
    probes += sum(isinstance(k, c.Heartbeat) for k in victim.wait(0.02))
    assert probes == 1


def test_h3_after_the_end_a_cookie_serves_while_it_is_fresh_and_for_one_association_at_a_time() -> None:
    victim = Victim.at(ESTABLISHED)
    victim.give(c.Abort([]))
    assert victim.endpoint.next_timeout() == inf
    room = victim.listener.room
    for _ in range(5):
        victim.give(victim.cookies[0])
    assert len(victim.endpoint.associations) == 1
    assert victim.listener.room == room - 1


@pytest.mark.parametrize("rotations", [1, 2, 3])
def test_h3_a_cookie_past_its_life_is_stale_and_past_its_key_s_is_no_cookie(rotations: int) -> None:
    victim = Victim.at(LISTENER, Config(cookie_secret_life=100.0, valid_cookie_life=60.0))
    # The life of a key begins with its first use.
    victim.cookie()
    victim.now += 99.0
    cookie = victim.cookie()
    packet = victim.packet_of(cookie)
    victim.now += 60.5
    answers, raised = victim.inject(packet)
    assert [chunks for _, _, chunks in answers] == [[c.Error([StaleCookie(500_000)])]]
    assert raised == {"cookie_stale"}
    assert not victim.endpoint.associations
    victim.now += 100.0 * rotations
    victim.check_dropped(packet, "cookie_forged")


def test_h3_a_stale_cookie_of_an_association_that_is_up_is_acknowledged() -> None:
    victim = Victim.at(ESTABLISHED)
    victim.now += 60.5
    answers, _ = victim.inject(victim.packet_of(victim.cookies[0]))
    assert answers[0][2][0] == c.CookieAck()
    assert victim.state is State.ESTABLISHED


@at([LISTENER, *ACCEPTED])
@pytest.mark.parametrize(
    ("route", "ports", "reason"),
    [
        (Route(A, UDP_PORT + 1, B), (CLIENT_PORT, SERVER_PORT), "cookie_of_other_address"),
        (Route(STRANGER, UDP_PORT, B), (CLIENT_PORT, SERVER_PORT), "cookie_of_other_address"),
        (FROM_PEER, (CLIENT_PORT + 1, SERVER_PORT), "cookie_of_other_ports"),
        (FROM_PEER, (CLIENT_PORT, SERVER_PORT + 1), "cookie_of_other_ports"),
    ],
)
def test_h4_a_cookie_taken_elsewhere(place: Place, route: Route, ports: tuple[int, int], reason: str) -> None:
    victim = Victim.at(place)
    cookie = victim.cookies[0] if victim.cookies else victim.cookie()
    victim.check_dropped(victim.packet_of(cookie, ports=ports), reason, route=route)
    victim.check_dropped(victim.packet_of(cookie, tag=victim.tag ^ 1), "cookie_of_other_ports")


# --- H5 to H8: the handshake anew ---


def test_h5_a_stale_cookie_error_loses_nothing_that_was_queued() -> None:
    victim = Victim.at(in_states([State.COOKIE_WAIT])[0])
    association = victim.association
    association.send(Message(0, 0, b"queued in COOKIE-WAIT"), victim.now)
    victim.give(victim.init_ack())
    association.send(Message(0, 0, b"queued in COOKIE-ECHOED"), victim.now)
    for _ in range(3):
        (init,) = victim.give(c.Error([StaleCookie(1)]))
        assert isinstance(init, c.Init)
        assert association.send_buffered == 44
        assert victim.told() == []
        (echo,) = victim.give(victim.init_ack())
        assert echo == c.CookieEcho(b"cookie")
    sent = victim.give(c.CookieAck())
    sent += victim.give(c.Sack(victim.local_tsn, 100_000))
    assert [k.payload for k in sent if isinstance(k, c.Data)] == [b"queued in COOKIE-WAIT", b"queued in COOKIE-ECHOED"]
    victim.give(c.Sack((victim.local_tsn + 1) & 0xFFFFFFFF, 100_000))
    assert association.send_buffered == 0
    assert not any(isinstance(event, SendFailed) for event in victim.told())


@at(WITH_ASSOCIATION)
def test_h5_a_stale_cookie_error_has_no_effect_elsewhere(place: Place) -> None:
    if place.state is State.COOKIE_ECHOED:
        return
    victim = Victim.at(place)
    victim.check_dropped(victim.packet_of(c.Error([StaleCookie(1)])), "stale_cookie_unexpected")


@at(WITH_ASSOCIATION)
def test_h6_a_late_init_is_answered_and_changes_nothing(place: Place) -> None:
    victim = Victim.at(place)
    # The first gives the association its tie-tags.
    for number in range(3):
        victim.inject(victim.packet_of(victim.init(initiate_tag=0x50 + number), tag=0))
        if number == 0:
            before = victim.snapshot()
    answers, _ = victim.inject(victim.packet_of(victim.init(initiate_tag=0x60), tag=0))
    ((_, tag, (chunk,)),) = answers
    if place.state is State.SHUTDOWN_ACK_SENT:
        assert chunk == c.ShutdownAck()
    else:
        assert tag == 0x60
        assert isinstance(chunk, c.InitAck)
        # RFC 9260 sections 5.2.1 and 5.2.2: our own tag while setting up, a new one afterwards.
        assert (chunk.initiate_tag == victim.tag) == (place.state in (State.COOKIE_WAIT, State.COOKIE_ECHOED))
    assert victim.snapshot() == before
    assert victim.told() == []


@at(WITH_ASSOCIATION)
def test_h6_a_late_init_ack_or_cookie_ack_is_dropped(place: Place) -> None:
    victim = Victim.at(place)
    if place.state is not State.COOKIE_WAIT:
        for ack in (victim.init_ack(), victim.init_ack(initiate_tag=0), victim.init_ack(a_rwnd=0, parameters=[])):
            victim.check_dropped(victim.packet_of(ack), "init_ack_unexpected")
    if place.state is not State.COOKIE_ECHOED:
        victim.check_dropped(victim.packet_of(c.CookieAck()), "cookie_ack_unexpected")


@at(WITH_ASSOCIATION)
def test_h6_a_cookie_of_a_handshake_that_was_overtaken_is_dropped(place: Place) -> None:
    """RFC 9260 section 5.2.4, C: the tie-tags are missing, the peer's tag fits and ours does not."""
    victim = Victim.at(place)
    other = Raw(victim.config, seed=6)
    other.endpoint.jar = victim.endpoint.jar
    other.now = victim.now
    late = other.cookie(other.init(initiate_tag=victim.own_tag))
    if place.state is State.COOKIE_WAIT:
        # The peer's tag is not known yet: no case of table 12.
        victim.check_dropped(victim.packet_of(late, tag=other.tag), "cookie_unknown")
    else:
        victim.check_dropped(victim.packet_of(late, tag=other.tag), "cookie_late")


def restart_cookie(victim: Victim, tag: int = 0x77777777) -> tuple[c.CookieEcho, int]:
    """What the peer gets after it has restarted, and the tag that goes with it."""
    answers, _ = victim.inject(victim.packet_of(victim.init(initiate_tag=tag, initial_tsn=9_000), tag=0))
    ((_, _, (ack,)),) = answers
    assert isinstance(ack, c.InitAck)
    (cookie,) = [p.cookie for p in ack.parameters if isinstance(p, StateCookie)]
    return c.CookieEcho(cookie), ack.initiate_tag


@at(RESTARTABLE)
def test_h7_a_restart_tells_the_user_and_forgets_what_was_under_way(place: Place) -> None:
    victim = Victim.at(place)
    echo, tag = restart_cookie(victim)
    had_data = bool(victim.association.tcb.sender.outstanding)
    answers, _ = victim.inject(victim.packet_of(echo, tag=tag))
    assert answers[0][1] == 0x77777777
    assert answers[0][2][0] == c.CookieAck()
    events = victim.told()
    assert [type(event) for event in events][:1] == [AssociationRestarted]
    assert any(isinstance(event, SendFailed) for event in events) == had_data
    assert victim.state is State.ESTABLISHED
    assert victim.association.tcb.receiver.reassembly.held == 0
    # The old tag is no one's.
    victim.check_dropped(victim.packet_of(c.Heartbeat(b"x")), "wrong_tag")
    victim.tag = tag
    heard = victim.give(victim.data(b"anew", tsn=9_000))
    assert any(isinstance(k, c.Sack) and k.cumulative_tsn == 9_000 for k in heard)


@at(RESTARTABLE)
def test_h7_tie_tags_are_nonces_that_do_not_show_the_tags(place: Place) -> None:
    victim = Victim.at(place)
    echo, _ = restart_cookie(victim)
    tcb = victim.association.tcb
    cookie = victim.endpoint.jar.verify(echo.cookie, victim.now)
    assert cookie is not None
    assert {cookie.local_tie_tag, cookie.peer_tie_tag}.isdisjoint({0, tcb.local_tag, tcb.peer_tag})
    for tag in (tcb.local_tag, tcb.peer_tag):
        assert tag.to_bytes(4, "big") not in echo.cookie


@at(WITH_ASSOCIATION)
def test_h8_a_restart_may_not_bring_new_addresses(place: Place) -> None:
    if place.state is State.COOKIE_WAIT:
        # RFC 9260 section 5.2.1: no addresses of the peer's are known yet but the one that the user named.
        return
    victim = Victim.at(place)
    before = victim.snapshot()
    init = victim.init(initiate_tag=0x66, parameters=[Ipv4Address(A), Ipv4Address(STRANGER)])
    answers, _ = victim.inject(victim.packet_of(init, tag=0))
    ((_, tag, (chunk,)),) = answers
    assert victim.snapshot() == before
    if place.state is State.SHUTDOWN_ACK_SENT:
        assert chunk == c.ShutdownAck()
        return
    assert tag == 0x66
    assert isinstance(chunk, c.Abort)
    assert [k.code for k in chunk.causes] == [cp.CAUSE_RESTART_WITH_NEW_ADDRESSES]


def test_h8_a_restart_while_the_association_closes() -> None:
    victim = Victim.at(ESTABLISHED)
    echo, tag = restart_cookie(victim)
    victim.give(c.Shutdown((victim.local_tsn - 1) & 0xFFFFFFFF))
    victim.told()
    assert victim.state is State.SHUTDOWN_ACK_SENT
    before = victim.snapshot()
    answers, _ = victim.inject(victim.packet_of(echo, tag=tag))
    assert [chunks for _, _, chunks in answers] == [[c.ShutdownAck(), c.Error([CookieReceivedWhileShuttingDown()])]]
    assert victim.snapshot() == before


# --- H9, H10: verification tags, packets out of the blue ---


@at(WITH_ASSOCIATION)
@pytest.mark.parametrize("chunk", CONTROL, ids=lambda k: f"{cp.CHUNK_NAMES.get(k.type, 'unknown')}")
def test_h9_a_guessed_tag_does_nothing(place: Place, chunk: c.Chunk) -> None:
    victim = Victim.at(place)
    reflected = isinstance(chunk, (c.Abort, c.ShutdownComplete)) and chunk.reflected
    setting_up = place.state in (State.COOKIE_WAIT, State.COOKIE_ECHOED)
    for tag in (0, victim.tag ^ 1, victim.tag ^ 0x80000000, WRONG_TAG, 0xFFFFFFFF, victim.own_tag):
        if tag == victim.own_tag and reflected and place.state is not State.COOKIE_WAIT:
            continue
        packet = victim.packet_of(chunk, tag=tag)
        if isinstance(chunk, c.ShutdownAck) and setting_up and tag:
            # RFC 9260 section 8.5.1, E: out of the blue.
            before = victim.snapshot()
            answers, _ = victim.inject(packet)
            assert [(tag, chunks) for _, tag, chunks in answers] == [(tag, [c.ShutdownComplete(reflected=True)])]
            assert victim.snapshot() == before
        else:
            victim.check_dropped(packet, "init_not_alone", "wrong_tag", "cookie_forged")


@at(WITH_ASSOCIATION)
def test_h9_the_t_bit_and_our_own_tag_do_not_go_together(place: Place) -> None:
    victim = Victim.at(place)
    victim.check_dropped(victim.packet_of(c.Abort([], reflected=True)), "abort_with_wrong_tag")
    victim.check_dropped(victim.packet_of(c.ShutdownComplete(reflected=True)), "shutdown_complete_with_wrong_tag")


@at([place for place in WITH_ASSOCIATION if place.state is not State.COOKIE_WAIT])
def test_h9_the_t_bit_and_the_peer_s_tag_do(place: Place) -> None:
    victim = Victim.at(place)
    complete = victim.packet_of(c.ShutdownComplete(reflected=True), tag=victim.own_tag)
    if place.state is State.SHUTDOWN_ACK_SENT:
        victim.inject(complete)
        assert victim.state is State.CLOSED
        return
    victim.check_dropped(complete, "shutdown_complete_unexpected")
    victim.inject(victim.packet_of(c.Abort([], reflected=True), tag=victim.own_tag))
    assert victim.state is State.CLOSED


@at(CLOSED)
@pytest.mark.parametrize("chunk", CONTROL, ids=lambda k: f"{cp.CHUNK_NAMES.get(k.type, 'unknown')}")
def test_h10_out_of_the_blue(place: Place, chunk: c.Chunk) -> None:
    victim = Victim.at(place)
    answers, _ = victim.inject(victim.packet_of(chunk))
    if isinstance(chunk, UNANSWERED) or chunk == c.Error([StaleCookie(1)]):
        assert answers == []
    else:
        reply: c.Chunk = c.Abort([], reflected=True)
        if isinstance(chunk, c.ShutdownAck):
            reply = c.ShutdownComplete(reflected=True)
        assert answers == [(FROM_PEER, victim.tag, [reply])]
    victim.check_dropped(victim.packet_of(chunk))
    for address in ("224.0.0.5", "255.255.255.255", "0.0.0.0", "ff02::1", "::"):
        route = Route(address, UDP_PORT, B)
        victim.check_dropped(victim.packet_of(chunk), "non_unicast_source", route=route)
    for ports in ((0, SERVER_PORT), (CLIENT_PORT, 0)):
        victim.check_dropped(victim.packet_of(chunk, ports=ports), "port_0")


def test_h10_two_stacks_do_not_answer_one_another_for_ever() -> None:
    for chunk, reflected in product(CONTROL, (False, True)):
        stacks = [Victim.at(CLOSED[reflected], seed=1), Victim.at(CLOSED[0], seed=2)]
        packets = [encode(CLIENT_PORT, SERVER_PORT, WRONG_TAG, [chunk.encode()])]
        for turn in range(4):
            stack = stacks[turn % 2]
            stack.endpoint.receive_datagrams([(FROM_PEER, packet) for packet in packets], stack.now)
            packets = [datagram for _, datagram in stack.endpoint.datagrams_to_send(stack.now)]
        assert packets == []


# --- H11, H12: addresses, backlog ---


def test_h11_a_listed_address_gets_probes_and_nothing_else_until_one_is_answered() -> None:
    victim = Victim.at(LISTENER)
    association = victim.accept(victim.init(parameters=[Ipv4Address(STRANGER)]))
    camped = association.tcb.paths.by_address[STRANGER]
    for number in range(30):
        association.send(Message(0, number, bytes(1_000)), victim.now)
    to_stranger: list[c.Chunk] = []
    for _ in range(300):
        victim.now = max(victim.now, min(victim.endpoint.next_timeout(), victim.now + 10))
        victim.endpoint.handle_timeout(victim.now)
        for route, _, chunks in victim.sent():
            if route.peer == STRANGER:
                to_stranger += chunks
    assert to_stranger
    assert all(isinstance(chunk, c.Heartbeat) and len(chunk.info) <= 40 for chunk in to_stranger)
    # One probe for each RTO, which doubles, until the address is given up; then one for each HB.interval.
    assert len(to_stranger) <= 5 + 1 + victim.now / 15
    assert not camped.is_confirmed


def test_h11_only_the_nonce_that_was_sent_there_confirms_an_address() -> None:
    victim = Victim.at(LISTENER)
    association = victim.accept(victim.init(parameters=[Ipv4Address(STRANGER), Ipv4Address("192.0.2.2")]))
    infos: dict[str, bytes] = {}
    while len(infos) < 2:
        victim.now = victim.endpoint.next_timeout()
        victim.endpoint.handle_timeout(victim.now)
        for route, _, chunks in victim.sent():
            for chunk in chunks:
                if isinstance(chunk, c.Heartbeat):
                    infos[route.peer] = chunk.info
    stranger, other = infos[STRANGER], infos["192.0.2.2"]
    assert stranger[:8] != other[:8]
    for forged in (bytes(8) + stranger[8:], other[:8] + stranger[8:], stranger[:7] + stranger[8:], stranger[8:], b""):
        victim.inject(victim.packet_of(c.HeartbeatAck(forged)), FROM_A2)
        assert association.tcb.paths.by_address[STRANGER].state is PathState.UNCONFIRMED
    victim.inject(victim.packet_of(c.HeartbeatAck(other)), FROM_A2)
    assert association.tcb.paths.by_address["192.0.2.2"].is_confirmed


def test_h11_fifteen_addresses_are_probed_one_for_each_rto() -> None:
    victim = Victim.at(LISTENER)
    victim.accept(victim.init(parameters=[Ipv4Address(f"203.0.113.{n}") for n in range(1, 16)]))
    times: list[float] = []
    start = victim.now
    while victim.now < start + 10:
        victim.now = victim.endpoint.next_timeout()
        victim.endpoint.handle_timeout(victim.now)
        times += [victim.now for _, _, chunks in victim.sent() for k in chunks if isinstance(k, c.Heartbeat)]
    first = {round(time - start, 3) for time in times[:1]}
    assert first == {1.0}
    assert len([time for time in times if time < start + 1.999]) == 1


def test_h12_the_backlog_is_counted_down_and_up_by_ones() -> None:
    victim = Victim.at(LISTENER)
    victim.listener.room = 3
    for number in range(10):
        route = Route(f"203.0.113.{number + 1}", UDP_PORT, B)
        answers, _ = victim.inject(victim.packet_of(victim.init(), tag=0), route)
        ((_, _, (chunk,)),) = answers
        if number >= 3:
            assert chunk == c.Abort([OutOfResource()])
            continue
        assert isinstance(chunk, c.InitAck)
        (cookie,) = [p.cookie for p in chunk.parameters if isinstance(p, StateCookie)]
        victim.inject(victim.packet_of(c.CookieEcho(cookie), tag=chunk.initiate_tag), route)
        if number == 1:
            # One that ends before anybody took it over keeps its place until somebody does.
            victim.inject(victim.packet_of(c.Abort([]), tag=chunk.initiate_tag), route)
    assert victim.listener.room == 0
    assert victim.endpoint.counters["init_without_room"] == 7
    up = [event for event in victim.told() if isinstance(event, (AssociationUp, AssociationLost))]
    assert [type(event) for event in up].count(AssociationUp) == 3
    assert [event.loss for event in up if isinstance(event, AssociationLost)] == [Loss.ABORTED]
    victim.listener.room += 1
    assert victim.serves()
    assert victim.listener.room == 1


def test_h12_a_cookie_without_room_is_refused_and_room_never_falls_below_0() -> None:
    victim = Victim.at(LISTENER)
    cookies = []
    for number in range(5):
        route = Route(f"203.0.113.{number + 1}", UDP_PORT, B)
        ((_, _, (ack,)),), _ = victim.inject(victim.packet_of(victim.init(), tag=0), route)
        assert isinstance(ack, c.InitAck)
        cookies.append((route, ack))
    victim.listener.room = 2
    for route, ack in cookies:
        (cookie,) = [p.cookie for p in ack.parameters if isinstance(p, StateCookie)]
        victim.inject(victim.packet_of(c.CookieEcho(cookie), tag=ack.initiate_tag), route)
    assert victim.listener.room == 0
    assert victim.endpoint.counters["cookie_without_room"] == 3
    assert len(victim.endpoint.associations) == 2


def test_a_real_client_comes_through_while_cookies_are_forged_and_inits_flood() -> None:
    pair = Pair()
    pair.associate()
    for number in range(200):
        init = c.Init(number + 1, 100_000, 4, 4, 1).encode()
        pair.network.inject((STRANGER, 2_000 + number), B, UDP_PORT, encode(1_000, SERVER_PORT, 0, [init]))
        forged = encode(CLIENT_PORT, SERVER_PORT, number + 1, [c.CookieEcho(bytes(100)).encode()])
        pair.network.inject((A, UDP_PORT), B, UDP_PORT, forged)
    pair.until(lambda: bool(pair.a.of(AssociationUp)) and bool(pair.b.of(AssociationUp)))
    pair.send(pair.a, 5_000)
    pair.until(lambda: bool(pair.b.of(MessageReceived)))
    pair.check_delivery()
    assert decode(pair.network.trace[0].data).verification_tag == 0
