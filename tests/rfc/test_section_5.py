"""RFC 9260 section 5, where no other test shows what one of its sentences demands. `rfc9260.json` has them all."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from support.pair import CLIENT_PORT, SERVER_PORT, STATES, UDP_PORT, A, B, Pair, Raw, chunks_of, state_cookie

from pysctpstack.config import Config
from pysctpstack.core import Association, Message, Route, State
from pysctpstack.core.cookie import Cookie
from pysctpstack.events import MessageReceived, PathChange, PathChanged
from pysctpstack.testing import drop, has_chunk
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.causes import (
    InvalidMandatoryParameter,
    MissingMandatoryParameter,
    OutOfResource,
    RestartWithNewAddresses,
    StaleCookie,
    UnresolvableAddress,
)
from pysctpstack.wire.packet import decode
from pysctpstack.wire.params import (
    CookiePreservative,
    HostName,
    Ipv4Address,
    Ipv6Address,
    Parameter,
    StateCookie,
    SupportedAddressTypes,
    UnrecognizedParameter,
)

OTHER = "192.0.2.2"
NEW_TAG = 0x22222222


def answer_to_init(peer: Raw, init: c.Init, route: Route | None = None) -> tuple[Route, int, list[c.Chunk]]:
    """(route, tag, chunks) of the packet that an INIT draws."""
    peer.endpoint.receive_datagrams([(route or Route(A, UDP_PORT, B), init_packet(init))], peer.now)
    (answer,) = peer.sent()
    return answer


def init_packet(init: c.Init) -> bytes:
    peer = Raw()
    peer.tag = 0
    return peer.packet(init)


def cookie_of(peer: Raw, ack: c.Chunk) -> Cookie:
    assert isinstance(ack, c.InitAck)
    cookie = peer.endpoint.jar.verify(state_cookie(ack), peer.now)
    assert cookie is not None
    return cookie


# --- 5.1 ---


def test_both_tags_are_on_every_packet_after_the_init() -> None:
    pair = Pair()
    client, server = pair.connect()
    tags = {"a": client.tcb.peer_tag, "b": server.tcb.peer_tag}
    for node in pair.nodes:
        pair.send(node, 3_000)
    pair.run(2)
    client.shutdown(pair.now)
    pair.run(2)
    first, *rest = pair.records("a") + pair.records("b")
    (init,) = chunks_of(first)
    assert isinstance(init, c.Init)
    assert decode(first.data).verification_tag == 0
    assert {record.source for record in rest} == {"a", "b"}
    assert all(decode(record.data).verification_tag == tags[record.source] for record in rest)
    # What INIT and INIT ACK offer is what the other end sends under.
    assert init.initiate_tag == tags["b"]
    assert [ack.initiate_tag for _, ack in pair.sent_chunks("b", c.InitAck)] == [tags["a"]]


def test_tags_are_random_and_never_0() -> None:
    class ZerosFirst:
        """Random bytes of which the first tags would be 0."""

        def __init__(self, zeros: int) -> None:
            self.zeros = zeros
            self.count = 0

        def token(self, size: int) -> bytes:
            if size == 4 and self.zeros:
                self.zeros -= 1
                return bytes(4)
            self.count += 1
            return hashlib.sha256(self.count.to_bytes(4, "big")).digest()[:size]

    peer = Raw()
    peer.endpoint.shared.entropy = ZerosFirst(3)
    assert peer.associate().initiate_tag != 0
    tags = set()
    for _ in range(50):
        tags.add(peer.tag)
        peer.association.abort(b"", peer.now)
        peer.answers()
        peer.associate()
    # A new one each time.
    assert len(tags) == 50
    assert max(tags) - min(tags) > 1 << 31


@pytest.mark.parametrize("route", [Route(A, UDP_PORT, B), Route(OTHER, 40_000, B)])
def test_an_init_ack_goes_to_the_source_of_the_init(route: Route) -> None:
    peer = Raw()
    listed: list[Parameter] = [Ipv4Address(A), Ipv4Address("192.0.2.3")]
    to, tag, (ack,) = answer_to_init(peer, peer.init(parameters=listed), route)
    assert isinstance(ack, c.InitAck)
    assert (to, tag) == (route, peer.own_tag)


def test_nothing_else_is_sent_between_cookie_echo_and_cookie_ack() -> None:
    peer = Raw.in_state(State.COOKIE_WAIT)
    peer.association.send(Message(0, 0, b"before"), peer.now)
    assert peer.give(peer.init_ack()) == [c.CookieEcho(b"cookie")]
    peer.association.send(Message(0, 0, b"meanwhile"), peer.now)
    # All that a minute brings is the cookie again.
    assert set(map(type, peer.wait(60))) == {c.CookieEcho}
    answers = peer.give(c.CookieAck())
    assert [k.payload for k in answers if isinstance(k, c.Data)] == [b"before", b"meanwhile"]


def test_cookie_ack_precedes_data_of_the_accepting_side() -> None:
    # A second cookie while DATA is ready to leave.
    peer = Raw()
    echo = peer.cookie()
    peer.give(echo)
    peer.association.send(Message(0, 0, bytes(100)), peer.now)
    peer.association.send(Message(0, 0, bytes(100)), peer.now)
    peer.answers()
    peer.endpoint.receive_datagrams(
        [(Route(A, UDP_PORT, B), peer.packet(echo, c.Sack(peer.local_tsn, 100_000)))], peer.now
    )
    packets = [[type(k) for k in chunks] for _, _, chunks in peer.sent()]
    assert packets[0][0] is c.CookieAck
    assert c.Data in [kind for packet in packets for kind in packet]
    assert all(c.CookieAck not in packet[1:] for packet in packets)


def test_cookie_ack_precedes_other_control_chunks() -> None:
    peer = Raw()
    echo = peer.cookie()
    peer.give(echo)
    batch = [peer.packet(c.Heartbeat(b"x" * 12)), peer.packet(echo)]
    (acknowledgement, answer) = peer.give_bytes(batch)
    assert (acknowledgement, answer) == (c.CookieAck(), c.HeartbeatAck(b"x" * 12))


def test_init_and_init_ack_travel_alone() -> None:
    pair = Pair()
    pair.network.rules.append(drop(has_chunk(cp.INIT_ACK), 1, 2))
    association = pair.associate()
    association.send(Message(0, 0, b"waits"), pair.now)
    pair.run(10)
    alone = [chunks_of(record) for record in pair.network.trace if not record.is_copy]
    assert sum(isinstance(chunks[0], (c.Init, c.InitAck)) for chunks in alone) == 6
    assert all(len(chunks) == 1 for chunks in alone if isinstance(chunks[0], (c.Init, c.InitAck)))
    # Nor do they come behind another chunk.
    assert not [k for chunks in alone for k in chunks[1:] if isinstance(k, (c.Init, c.InitAck))]


def test_t1_cookie_backs_off() -> None:
    pair = Pair(config=Config(max_init_retransmits=4, rto_max=5.0))
    pair.network.rules.append(drop(has_chunk(cp.COOKIE_ECHO)))
    pair.associate()
    pair.run(100)
    times = [round(time - 0.1, 6) for time, _ in pair.sent_chunks("a", c.CookieEcho)]
    assert times == [0, 1, 3, 7, 12]


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"outbound_streams": 0}, InvalidMandatoryParameter()),
        ({"a_rwnd": 1_499}, InvalidMandatoryParameter()),
        ({"parameters": [HostName(b"host.example\0")]}, UnresolvableAddress(HostName(b"host.example\0").encode())),
    ],
)
def test_a_refusal_of_the_setup_travels_under_the_initiate_tag(fields: dict[str, object], cause: object) -> None:
    peer = Raw()
    moved = Route(OTHER, 40_000, B)
    assert answer_to_init(peer, peer.init(**fields), moved) == (moved, peer.own_tag, [c.Abort([cause])])  # type: ignore[list-item]
    client = Raw()
    client.associate()
    client.endpoint.receive_datagrams([(Route(A, 40_000, B), client.packet(client.init_ack(**fields)))], client.now)
    assert [(route.port, tag, chunks) for route, tag, chunks in client.sent()] == [
        (40_000, client.own_tag, [c.Abort([cause])])  # type: ignore[list-item]
    ]


def test_other_refusals_travel_under_the_initiate_tag() -> None:
    client = Raw()
    client.associate()
    client.endpoint.receive_datagrams(
        [(Route(A, UDP_PORT, B), client.packet(client.init_ack(parameters=[])))], client.now
    )
    missing = c.Abort([MissingMandatoryParameter([cp.PARAM_STATE_COOKIE])])
    assert [(tag, chunks) for _, tag, chunks in client.sent()] == [(client.own_tag, [missing])]
    peer = Raw()
    echo = peer.cookie()
    peer.listener.room = 0
    assert answer_to_init(peer, peer.init())[1:] == (peer.own_tag, [c.Abort([OutOfResource()])])
    peer.endpoint.receive_datagrams([(Route(A, UDP_PORT, B), peer.packet(echo))], peer.now)
    assert [(tag, chunks) for _, tag, chunks in peer.sent()] == [(peer.own_tag, [c.Abort([OutOfResource()])])]


def test_the_acknowledged_point_starts_one_below_the_initial_tsn() -> None:
    peer = Raw()
    association = peer.accept()
    association.send(Message(0, 0, b"x"), peer.now)
    (data,) = peer.answers()
    assert isinstance(data, c.Data)
    assert data.tsn == peer.local_tsn
    peer.give(c.Sack(peer.local_tsn - 1, 100_000))
    assert peer.endpoint.counters == {}
    peer.give(c.Sack(peer.local_tsn - 2, 100_000))
    assert peer.endpoint.counters == {"sack_old": 1}


# --- 5.1.2 ---


def test_only_known_addresses_are_destinations() -> None:
    peer = Raw()
    peer.accept(peer.init(parameters=[Ipv4Address(OTHER)]))
    destinations = set()
    peer.association.send(Message(0, 0, bytes(5_000)), peer.now)
    end = peer.now + 500
    while (due := peer.endpoint.next_timeout()) <= end:
        destinations |= {route.peer for route, _, _ in peer.sent()}
        # A stranger's packets under the right tag change nothing.
        peer.endpoint.receive_datagrams(
            [(Route("192.0.2.66", UDP_PORT, B), peer.packet(c.Heartbeat(b"x" * 8)))], peer.now
        )
        peer.sent()
        peer.now = max(due, peer.now)
        peer.endpoint.handle_timeout(peer.now)
    assert destinations == {A, OTHER}


def test_addresses_of_both_families_are_no_error() -> None:
    listed: list[Parameter] = [Ipv6Address("2001:db8::1"), Ipv4Address(OTHER), Ipv6Address("2001:db8::2")]
    peer = Raw()
    (ack,) = peer.give(peer.init(parameters=listed), tag=0)
    assert isinstance(ack, c.InitAck)
    assert [type(parameter) for parameter in ack.parameters] == [StateCookie]
    client = Raw()
    client.associate()
    assert client.give(client.init_ack(parameters=[StateCookie(b"x"), *listed])) == [c.CookieEcho(b"x")]
    client.give(c.CookieAck())
    # The addresses of the family that the host has are proven and used, whatever becomes of the others.
    confirmed = []
    for _ in range(10):
        for heartbeat in [k for k in client.wait(1.0) if isinstance(k, c.Heartbeat)]:
            if heartbeat.info.endswith(OTHER.encode()):
                client.give(c.HeartbeatAck(heartbeat.info))
        confirmed += [e.address for e in client.events(PathChanged) if e.change is PathChange.CONFIRMED]
    assert confirmed == [OTHER]


def test_a_family_that_is_not_announced_but_used_is_supported() -> None:
    peer = Raw()
    only_ipv6: list[Parameter] = [SupportedAddressTypes([cp.PARAM_IPV6_ADDRESS]), Ipv4Address(OTHER)]
    (ack,) = peer.give(peer.init(parameters=only_ipv6), tag=0)
    assert isinstance(ack, c.InitAck)
    assert not [p for p in ack.parameters if isinstance(p, UnrecognizedParameter)]
    peer.tag = ack.initiate_tag
    assert peer.give(c.CookieEcho(state_cookie(ack))) == [c.CookieAck()]
    # The source, IPv4 too, is used; the other is probed.
    assert [type(k) for k in peer.wait(1.5)] == [c.Heartbeat]


def test_an_init_ack_from_another_address_belongs_to_the_init_whose_address_it_lists() -> None:
    client = Raw()
    client.associate()
    ack = client.init_ack(parameters=[StateCookie(b"x"), Ipv4Address(A)])
    assert client.give(ack, route=Route(OTHER, UDP_PORT, B)) == [c.CookieEcho(b"x")]


# --- 5.1.3 to 5.1.5 ---


def test_what_a_cookie_holds() -> None:
    peer = Raw(Config(valid_cookie_life=33.0))
    _, _, (ack,) = answer_to_init(peer, peer.init())
    assert isinstance(ack, c.InitAck)
    signed = state_cookie(ack)
    cookie = cookie_of(peer, ack)
    assert (cookie.created_at, cookie.lifespan) == (peer.now, 33.0)
    assert (cookie.local_port, cookie.peer_port) == (SERVER_PORT, CLIENT_PORT)
    assert (cookie.local_tag, cookie.peer_tag) == (ack.initiate_tag, peer.own_tag)
    assert hmac.digest(peer.endpoint.jar.key, signed[16:], "sha256")[:16] == signed[:16]
    assert len(peer.endpoint.jar.key) == 32
    # Small beside a packet.
    assert len(signed) < 160


def test_a_cookie_does_not_show_the_tags_in_use() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    tcb = peer.association.tcb
    _, _, (ack,) = answer_to_init(peer, peer.init(initiate_tag=NEW_TAG))
    assert isinstance(ack, c.InitAck)
    shown = state_cookie(ack)
    assert NEW_TAG.to_bytes(4, "big") in shown
    for tag in (tcb.local_tag, tcb.peer_tag):
        assert tag.to_bytes(4, "big") not in shown
    assert peer.endpoint.jar.key not in shown


@pytest.mark.parametrize("what", ["forged", "stale"])
def test_data_behind_a_cookie_that_does_not_count_is_dropped(what: str) -> None:
    peer = Raw(Config(valid_cookie_life=10.0))
    echo = peer.cookie()
    if what == "forged":
        echo = c.CookieEcho(echo.cookie[:-1] + bytes((echo.cookie[-1] ^ 1,)))
    else:
        peer.now += 11.0
    answers = peer.give(echo, peer.data(b"behind"))
    assert answers == ([] if what == "forged" else [c.Error([StaleCookie(1_000_000)])])
    assert peer.endpoint.next_events() == []
    assert not peer.endpoint.associations


def test_data_behind_a_stale_cookie_of_other_tags_is_dropped() -> None:
    peer = Raw(Config(valid_cookie_life=5.0, heartbeat_interval=0))
    peer.accept()
    peer.own_tag = NEW_TAG
    echo = peer.cookie(peer.init(initial_tsn=5_000))
    peer.endpoint.next_events()
    peer.now += 6.0
    assert peer.give(echo, peer.data(b"behind", tsn=5_000)) == [c.Error([StaleCookie(1_000_000)])]
    assert peer.events(MessageReceived) == []


# --- 5.2 ---


@pytest.mark.parametrize("state", [State.COOKIE_WAIT, State.COOKIE_ECHOED])
def test_an_init_during_setup_gets_the_same_parameters_and_a_cookie(state: State) -> None:
    peer = Raw()
    peer.settings.outbound_streams, peer.settings.max_inbound_streams = 17, 23
    peer.settings.receive_buffer = 54_321
    init = peer.associate()
    if state is State.COOKIE_ECHOED:
        peer.give(peer.init_ack())
    _, tag, (ack,) = answer_to_init(peer, peer.init(initiate_tag=NEW_TAG))
    assert isinstance(ack, c.InitAck)
    assert tag == NEW_TAG
    same = ("initiate_tag", "a_rwnd", "outbound_streams", "inbound_streams", "initial_tsn")
    assert [getattr(ack, name) for name in same] == [getattr(init, name) for name in same]
    assert cookie_of(peer, ack).peer_tag == NEW_TAG


@pytest.mark.parametrize("state", [State.COOKIE_WAIT, State.COOKIE_ECHOED])
def test_an_init_during_setup_is_answered_to_its_source(state: State) -> None:
    peer = Raw.in_state(state)
    to, _, (ack,) = answer_to_init(peer, peer.init(initiate_tag=NEW_TAG))
    assert isinstance(ack, c.InitAck)
    assert (to.peer, to.port) == (A, UDP_PORT)


def test_tie_tags_are_in_the_cookie_where_an_association_exists() -> None:
    peer = Raw()
    _, _, (ack,) = answer_to_init(peer, peer.init())
    cookie = cookie_of(peer, ack)
    assert (cookie.local_tie_tag, cookie.peer_tie_tag) == (0, 0)
    for state in STATES[1:-1]:
        peer = Raw.in_state(state)
        _, _, (ack,) = answer_to_init(peer, peer.init(initiate_tag=NEW_TAG))
        cookie = cookie_of(peer, ack)
        tcb = peer.association.tcb
        assert cookie.local_tie_tag
        assert cookie.peer_tie_tag
        assert (cookie.local_tie_tag, cookie.peer_tie_tag) == (tcb.local_tie_tag, tcb.peer_tie_tag)


@pytest.mark.parametrize("state", STATES[1:-1])
def test_new_addresses_are_refused_under_the_tag_of_the_init(state: State) -> None:
    peer = Raw.in_state(state)
    listed: list[Parameter] = [Ipv4Address(OTHER)]
    abort = c.Abort([RestartWithNewAddresses(listed[0].encode())])
    to, tag, chunks = answer_to_init(peer, peer.init(initiate_tag=NEW_TAG, parameters=listed))
    assert (to.peer, tag, chunks) == (A, NEW_TAG, [abort])


@pytest.mark.parametrize("state", STATES[2:-1])
def test_later_an_init_is_answered_under_its_tag_with_the_association_s_parameters(state: State) -> None:
    peer = Raw.in_state(state)
    settings = peer.association.tcb.settings
    # Of the association; the listener's would be others.
    settings.outbound_streams, settings.max_inbound_streams = 17, 23
    _, tag, (ack,) = answer_to_init(peer, peer.init(initiate_tag=NEW_TAG, inbound_streams=100))
    assert isinstance(ack, c.InitAck)
    assert (tag, ack.outbound_streams, ack.inbound_streams) == (NEW_TAG, 17, 23)
    assert cookie_of(peer, ack).outbound_streams == 17


def test_a_late_cookie_leaves_state_and_timers() -> None:
    peer = Raw()
    echo = peer.cookie()
    old = peer.tag
    peer.associate()
    peer.give(peer.init_ack())
    assert peer.give(echo, tag=old) == []
    assert peer.association.state is State.COOKIE_ECHOED
    # T1-cookie was started with the COOKIE ECHO and goes on.
    assert peer.wait(0.9) == []
    assert peer.wait(0.2) == [c.CookieEcho(b"cookie")]


def test_a_duplicate_cookie_stops_t1_cookie() -> None:
    peer = Raw.in_state(State.COOKIE_ECHOED)
    peer.give(peer.cookie())
    assert not [k for k in peer.wait(10) if isinstance(k, c.CookieEcho)]


@pytest.mark.parametrize(("rtt", "most"), [(0.25, 0.502), (5.0, 6.002)])
def test_the_longer_life_is_at_most_a_second_beyond_the_round_trip(rtt: float, most: float) -> None:
    peer = Raw(Config(rto_initial=20.0))
    peer.associate()
    peer.give(peer.init_ack())
    peer.now += rtt
    (init,) = peer.give(c.Error([StaleCookie(1)]))
    assert isinstance(init, c.Init)
    (preservative,) = [p for p in init.parameters if isinstance(p, CookiePreservative)]
    assert rtt < preservative.increment_ms / 1_000 <= most


# --- 5.4 ---


def listed(peer: Raw, count: int) -> Association:
    return peer.accept(peer.init(parameters=[Ipv4Address(f"192.0.2.{10 + number}") for number in range(count)]))


def test_unconfirmed_addresses_are_probed_one_at_a_time() -> None:
    peer = Raw(Config(heartbeat_interval=0, heartbeat_max_burst=1))
    listed(peer, 6)
    moments: dict[float, int] = {}
    end = peer.now + 30
    while (due := peer.endpoint.next_timeout()) <= end:
        peer.now = max(due, peer.now)
        peer.endpoint.handle_timeout(peer.now)
        probes = [route for route, _, chunks in peer.sent() for k in chunks if isinstance(k, c.Heartbeat)]
        if probes:
            moments[peer.now] = moments.get(peer.now, 0) + len(probes)
    assert sum(moments.values()) > 12
    assert max(moments.values()) == 1


@pytest.mark.parametrize("state", STATES[2:])
def test_an_unconfirmed_address_gets_probes_and_answers_to_probes_only(state: State) -> None:
    peer = Raw(Config(heartbeat_interval=0))
    association = listed(peer, 1)
    if state in (State.SHUTDOWN_PENDING, State.SHUTDOWN_RECEIVED):
        association.send(Message(0, 0, b"x"), peer.now)
    if state in (State.SHUTDOWN_PENDING, State.SHUTDOWN_SENT):
        association.shutdown(peer.now)
    elif state in (State.SHUTDOWN_RECEIVED, State.SHUTDOWN_ACK_SENT):
        peer.give(c.Shutdown(peer.local_tsn - 1))
    peer.answers()
    assert association.state is state
    unproven = Route("192.0.2.10", UDP_PORT, B)
    given: list[c.Chunk] = [
        peer.data(),
        c.Sack(peer.local_tsn - 1, 100_000),
        c.Heartbeat(b"x" * 12),
        c.UnknownChunk(0xEA, 0, b""),
        peer.data(stream_id=9),
    ]
    answers: list[tuple[Route, list[c.Chunk]]] = []
    for chunk in given:
        peer.endpoint.receive_datagrams([(unproven, peer.packet(chunk))], peer.now)
        answers += [(route, chunks) for route, _, chunks in peer.sent()]
    answers += [
        (route, chunks)
        for route, _, chunks in [answer_or_nothing(peer, peer.init(initiate_tag=NEW_TAG), unproven)]
        if not any(isinstance(k, c.InitAck) for k in chunks)
    ]
    if state in (State.SHUTDOWN_SENT, State.SHUTDOWN_ACK_SENT):
        peer.endpoint.receive_datagrams([(unproven, peer.packet(c.Shutdown(peer.local_tsn - 1)))], peer.now)
        answers += [(route, chunks) for route, _, chunks in peer.sent()]
    there = [k for route, chunks in answers for k in chunks if route.peer == unproven.peer]
    assert {type(k) for k in there} <= {c.Heartbeat, c.HeartbeatAck}


def answer_or_nothing(peer: Raw, init: c.Init, route: Route) -> tuple[Route, int, list[c.Chunk]]:
    peer.endpoint.receive_datagrams([(route, init_packet(init))], peer.now)
    answers = peer.sent()
    return answers[0] if answers else (route, 0, [])


def test_a_restart_in_shutdown_ack_sent_is_refused_at_a_confirmed_address() -> None:
    peer = Raw(Config(heartbeat_interval=0))
    association = listed(peer, 1)
    tag = peer.tag
    peer.own_tag = NEW_TAG
    echo = peer.cookie(peer.init(parameters=[Ipv4Address("192.0.2.10")]))
    restart_tag, peer.tag = peer.tag, tag
    peer.give(c.Shutdown(association.tcb.initial_tsn - 1))
    assert association.state is State.SHUTDOWN_ACK_SENT
    peer.tag = restart_tag
    peer.endpoint.receive_datagrams([(Route("192.0.2.10", UDP_PORT, B), peer.packet(echo))], peer.now)
    assert {route.peer for route, _, chunks in peer.sent() if any(isinstance(k, c.ShutdownAck) for k in chunks)} == {A}


def test_init_and_cookie_echo_are_repeated_to_every_address_that_the_user_named() -> None:
    peer = Raw()
    routes = [Route(address, UDP_PORT) for address in (A, OTHER)]
    peer.endpoint.associate(SERVER_PORT, CLIENT_PORT, routes[0], peer.settings, peer.now, alternates=routes[1:])
    peer.tag = peer.association.tcb.local_tag
    sent: list[tuple[str, type[c.Chunk]]] = []

    def repeat(times: int) -> None:
        for _ in range(times):
            sent.extend((route.peer, type(k)) for route, _, chunks in peer.sent() for k in chunks)
            peer.now = peer.endpoint.next_timeout()
            peer.endpoint.handle_timeout(peer.now)

    repeat(4)
    peer.answers()
    assert sent == [(A, c.Init), (OTHER, c.Init), (A, c.Init), (OTHER, c.Init)]
    sent.clear()
    peer.endpoint.receive_datagrams([(Route(A, UDP_PORT, B), peer.packet(peer.init_ack()))], peer.now)
    repeat(4)
    assert sent == [(A, c.CookieEcho), (OTHER, c.CookieEcho), (A, c.CookieEcho), (OTHER, c.CookieEcho)]


def test_cookie_chunks_go_to_confirmed_addresses() -> None:
    client = Raw()
    client.associate()
    more: list[Parameter] = [StateCookie(b"x"), Ipv4Address("192.0.2.10")]
    client.endpoint.receive_datagrams(
        [(Route(A, UDP_PORT, B), client.packet(client.init_ack(parameters=more)))], client.now
    )
    routes = [route.peer for route, _, _ in client.sent()]
    end = client.now + 20
    while (due := client.endpoint.next_timeout()) <= end:
        client.now = max(due, client.now)
        client.endpoint.handle_timeout(client.now)
        routes += [route.peer for route, _, _ in client.sent()]
    assert len(routes) > 3
    assert set(routes) == {A}
    # The answer to a cookie that came from a listed address goes to the one that has been proven.
    peer = Raw()
    echo = peer.cookie(peer.init(parameters=[Ipv4Address("192.0.2.10")]))
    peer.endpoint.receive_datagrams([(Route("192.0.2.10", UDP_PORT, B), peer.packet(echo))], peer.now)
    assert [(route.peer, chunks) for route, _, chunks in peer.sent()] == [(A, [c.CookieAck()])]
    # Nor does the answer to a second one.
    peer.endpoint.receive_datagrams([(Route("192.0.2.10", UDP_PORT, B), peer.packet(echo))], peer.now)
    assert [(route.peer, chunks) for route, _, chunks in peer.sent()] == [(A, [c.CookieAck()])]
