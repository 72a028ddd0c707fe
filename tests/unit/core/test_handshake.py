"""Setting up an association: RFC 9260 sections 5.1 and 5.2."""

from __future__ import annotations

import pytest
from support.pair import CLIENT_PORT, SERVER_PORT, STATES, UDP_PORT, A, B, Pair, Raw, WrappingEntropy, state_cookie

from pysctpstack.config import Config
from pysctpstack.core import Association, Message, Route, State
from pysctpstack.core.rx.reassembly import MIN_CHARGE
from pysctpstack.events import (
    AssociationLost,
    AssociationRestarted,
    AssociationUp,
    Loss,
    MessageReceived,
    PartialDeliveryAborted,
    SendFailed,
)
from pysctpstack.testing import Link, drop, has_chunk
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import tlv
from pysctpstack.wire.causes import (
    CookieReceivedWhileShuttingDown,
    InvalidMandatoryParameter,
    MissingMandatoryParameter,
    OutOfResource,
    RestartWithNewAddresses,
    StaleCookie,
    UnrecognizedParameters,
    UnresolvableAddress,
)
from pysctpstack.wire.params import (
    CookiePreservative,
    ForwardTsnSupported,
    HostName,
    Ipv4Address,
    Ipv6Address,
    StateCookie,
    SupportedAddressTypes,
    UnknownParameter,
    UnrecognizedParameter,
)

# --- the four packets ---


def test_init_init_ack_cookie_echo_cookie_ack() -> None:
    pair = Pair()
    client, server = pair.connect()
    assert pair.flow() == ["a INIT", "b INIT-ACK", "a COOKIE-ECHO", "b COOKIE-ACK"]
    (init,) = [chunk for _, chunk in pair.sent_chunks("a", c.Init)]
    (ack,) = [chunk for _, chunk in pair.sent_chunks("b", c.InitAck)]
    assert (init.a_rwnd, init.outbound_streams, init.inbound_streams) == (212_992, 10, 65_535)
    # RFC 6951 section 5.7: a single-homed end lists no addresses.
    assert init.parameters == [ForwardTsnSupported()]
    assert [type(parameter) for parameter in ack.parameters] == [StateCookie, ForwardTsnSupported]
    assert (client.state, server.state) == (State.ESTABLISHED, State.ESTABLISHED)
    up = AssociationUp(client.association_id, 10, 10, False)
    assert (pair.a.events, pair.b.events) == ([up], [AssociationUp(server.association_id, 10, 10, True)])


def test_the_server_keeps_nothing_before_the_cookie_comes_back() -> None:
    peer = Raw()
    peer.give(peer.init(), tag=0)
    assert not peer.endpoint.associations
    assert not peer.endpoint.by_tag


def test_each_side_sends_on_as_many_streams_as_the_other_takes() -> None:
    pair = Pair()
    pair.settings.outbound_streams = 100
    pair.settings.max_inbound_streams = 3
    pair.server_settings.outbound_streams = 7
    pair.server_settings.max_inbound_streams = 20
    pair.connect()
    (client,), (server,) = pair.a.of(AssociationUp), pair.b.of(AssociationUp)
    assert (client.outbound_streams, client.inbound_streams) == (20, 3)
    assert (server.outbound_streams, server.inbound_streams) == (3, 20)


def test_messages_sent_before_are_delivered_but_not_on_streams_that_the_peer_refuses() -> None:
    pair = Pair()
    pair.server_settings.max_inbound_streams = 2
    association = pair.associate()
    for stream_id in range(4):
        association.send(Message(stream_id, 0, bytes((stream_id,)), context=stream_id), pair.now)
    pair.run(1)
    assert [m.data for m in pair.b.messages] == [b"\0", b"\1"]
    assert [(e.stream_id, e.context, e.sent, e.error) for e in pair.a.of(SendFailed)] == [
        (2, 2, False, cp.CAUSE_INVALID_STREAM_IDENTIFIER),
        (3, 3, False, cp.CAUSE_INVALID_STREAM_IDENTIFIER),
    ]
    assert association.send_buffered == 0


@pytest.mark.parametrize(
    ("lost", "flow"),
    [
        (cp.INIT, "a INIT, a INIT, b INIT-ACK, a COOKIE-ECHO, b COOKIE-ACK"),
        (cp.INIT_ACK, "a INIT, b INIT-ACK, a INIT, b INIT-ACK, a COOKIE-ECHO, b COOKIE-ACK"),
        (cp.COOKIE_ECHO, "a INIT, b INIT-ACK, a COOKIE-ECHO, a COOKIE-ECHO, b COOKIE-ACK"),
        (cp.COOKIE_ACK, "a INIT, b INIT-ACK, a COOKIE-ECHO, b COOKIE-ACK, a COOKIE-ECHO, b COOKIE-ACK"),
    ],
)
def test_each_packet_may_be_lost(lost: int, flow: str) -> None:
    pair = Pair()
    pair.network.rules.append(drop(has_chunk(lost), 1))
    pair.connect()
    assert pair.flow() == flow.split(", ")
    assert 1.0 < pair.now < 1.3
    assert [len(node.of(AssociationUp)) for node in pair.nodes] == [1, 1]


def test_each_packet_may_come_twice() -> None:
    pair = Pair(link=Link(latency=0.05, duplicate=1.0))
    pair.connect()
    pair.run(5)
    pair.send(pair.a, 10)
    pair.send(pair.b, 10)
    pair.run(5)
    pair.check_delivery()
    assert [len(node.of(AssociationUp)) for node in pair.nodes] == [1, 1]
    # Two INITs, two INIT ACKs each, of which each arrives twice: the first counts. Two cookies, as many COOKIE ACKs.
    assert pair.a.endpoint.counters["init_ack_unexpected"] == 3
    assert pair.a.endpoint.counters["cookie_ack_unexpected"] == 3


def test_t1_backs_off_and_gives_up_after_max_init_retransmits() -> None:
    pair = Pair(config=Config(max_init_retransmits=4, rto_max=5.0))
    pair.network.cut(B)
    association = pair.associate()
    association.send(Message(1, 2, b"never", context=9), pair.now)
    pair.run(100)
    times = [time for time, _ in pair.sent_chunks("a", c.Init)]
    assert times == [0, 1, 3, 7, 12]
    assert pair.a.events == [
        AssociationLost(3, Loss.TIMED_OUT, False),
        SendFailed(3, 1, 2, 9, False, False, 0, b"never"),
    ]
    assert pair.a.endpoint.next_timeout() == float("inf")
    assert not pair.a.endpoint.associations


def test_max_init_timeout_bounds_t1() -> None:
    pair = Pair(config=Config(max_init_retransmits=3))
    pair.settings.max_init_timeout = 1.5
    pair.network.cut(B)
    pair.associate()
    pair.run(20)
    assert [time for time, _ in pair.sent_chunks("a", c.Init)] == [0, 1, 2.5, 4]


def test_cookie_echo_is_given_up_too() -> None:
    pair = Pair(config=Config(max_init_retransmits=2))
    pair.network.rules.append(drop(has_chunk(cp.COOKIE_ACK)))
    pair.associate()
    pair.run(100)
    assert len(pair.sent_chunks("a", c.CookieEcho)) == 3
    assert [e.loss for e in pair.a.of(AssociationLost)] == [Loss.TIMED_OUT]


def test_an_answer_to_the_first_cookie_echo_measures_the_round_trip_and_to_a_second_does_not() -> None:
    pair = Pair()
    client, _ = pair.connect()
    assert client.tcb.paths.primary.rto.srtt == pytest.approx(0.1)
    pair = Pair()
    pair.network.rules.append(drop(has_chunk(cp.COOKIE_ECHO), 1))
    client, _ = pair.connect()
    assert client.tcb.paths.primary.rto.srtt is None


def test_closing_before_it_is_up_closes_once_it_is() -> None:
    pair = Pair()
    association = pair.associate()
    association.send(Message(0, 0, b"hello"), pair.now)
    association.shutdown(pair.now)
    with pytest.raises(ConnectionError):
        association.send(Message(0, 0, b"no more"), pair.now)
    pair.run(5)
    assert [m.data for m in pair.b.messages] == [b"hello"]
    pair.check_gone()


# --- what INIT and INIT ACK may hold ---


@pytest.mark.parametrize("fields", [{"outbound_streams": 0}, {"inbound_streams": 0}, {"a_rwnd": 1_499}, {"a_rwnd": 0}])
def test_an_init_with_impossible_values_is_aborted_under_its_own_tag(fields: dict[str, int]) -> None:
    peer = Raw()
    assert peer.give(peer.init(**fields), tag=0) == [c.Abort([InvalidMandatoryParameter()])]
    client = Raw()
    client.associate()
    assert client.give(client.init_ack(**fields)) == [c.Abort([InvalidMandatoryParameter()])]
    if "a_rwnd" in fields:
        # RFC 9260 section 3.3.3: this one is only discarded.
        assert client.association.state is State.COOKIE_WAIT
        assert client.give(client.init_ack()) == [c.CookieEcho(b"cookie")]
        return
    assert [(e.loss, e.cause) for e in client.events(AssociationLost)] == [
        (Loss.PROTOCOL, cp.CAUSE_INVALID_MANDATORY_PARAMETER)
    ]


def test_an_initiate_tag_of_0() -> None:
    peer = Raw()
    assert peer.give(peer.init(initiate_tag=0), tag=0) == []
    assert peer.endpoint.counters["init_with_initiate_tag_0"] == 1
    client = Raw()
    client.associate()
    assert client.give(client.init_ack(initiate_tag=0)) == [c.Abort([], reflected=True)]
    assert [e.loss for e in client.events(AssociationLost)] == [Loss.PROTOCOL]


def test_an_init_ack_without_a_cookie() -> None:
    client = Raw()
    client.associate()
    answers = client.give(client.init_ack(parameters=[]))
    assert answers == [c.Abort([MissingMandatoryParameter([cp.PARAM_STATE_COOKIE])])]
    assert [e.loss for e in client.events(AssociationLost)] == [Loss.PROTOCOL]


def test_a_host_name_is_refused_by_both_sides() -> None:
    name = HostName(b"peer.example\0")
    cause = UnresolvableAddress(name.encode())
    peer = Raw()
    assert peer.give(peer.init(parameters=[name]), tag=0) == [c.Abort([cause])]
    client = Raw()
    client.associate()
    assert client.give(client.init_ack(parameters=[StateCookie(b"x"), name])) == [c.Abort([cause])]


#: Unknown parameters by the two highest bits: stop / stop and report / skip / skip and report (section 3.2.1).
UNKNOWN = {bits: UnknownParameter(bits << 14 | 0x3F00, b"what?") for bits in range(4)}


@pytest.mark.parametrize("bits", range(4))
def test_unknown_parameters_of_an_init(bits: int) -> None:
    peer = Raw()
    unknown = UNKNOWN[bits]
    after = Ipv4Address("192.0.2.77")
    (ack,) = peer.give(peer.init(parameters=[unknown, after]), tag=0)
    assert isinstance(ack, c.InitAck)
    reported = [p.parameter for p in ack.parameters if isinstance(p, UnrecognizedParameter)]
    assert reported == ([unknown.encode()] if bits & 1 else [])
    peer.tag = ack.initiate_tag
    peer.give(c.CookieEcho(state_cookie(ack)))
    # Processing went on behind it or not.
    assert ("192.0.2.77" in peer.association.tcb.paths.by_address) == bool(bits & 2)


@pytest.mark.parametrize("bits", range(4))
def test_unknown_parameters_of_an_init_ack(bits: int) -> None:
    client = Raw()
    client.associate()
    unknown = UNKNOWN[bits]
    answers = client.give(client.init_ack(parameters=[StateCookie(b"x"), unknown, Ipv4Address("192.0.2.77")]))
    expected: list[c.Chunk] = [c.CookieEcho(b"x")]
    if bits & 1:
        expected.append(c.Error([UnrecognizedParameters(unknown.encode())]))
    assert answers == expected
    assert ("192.0.2.77" in client.association.tcb.paths.by_address) == bool(bits & 2)


def test_a_cookie_behind_a_parameter_that_stops_is_missing() -> None:
    client = Raw()
    client.associate()
    answers = client.give(client.init_ack(parameters=[UNKNOWN[0], StateCookie(b"x")]))
    assert answers == [c.Abort([MissingMandatoryParameter([cp.PARAM_STATE_COOKIE])])]


def test_extensions_that_are_not_spoken_are_reported_as_their_type_asks() -> None:
    peer = Raw(Config(pr_sctp=False))
    (ack,) = peer.give(
        peer.init(parameters=[SupportedAddressTypes([cp.PARAM_IPV4_ADDRESS]), ForwardTsnSupported()]), tag=0
    )
    assert isinstance(ack, c.InitAck)
    assert ack.parameters[1:] == [UnrecognizedParameter(ForwardTsnSupported().encode())]


def test_reports_of_unknown_parameters_stay_small() -> None:
    many = [UnknownParameter(0xFF00 + number, bytes(200)) for number in range(50)]
    peer = Raw()
    (ack,) = peer.give(peer.init(parameters=many), tag=0)
    assert len(ack.encode()) < 1_000
    client = Raw()
    client.associate()
    _, error = client.give(client.init_ack(parameters=[StateCookie(b"x"), *many]))
    assert isinstance(error, c.Error)
    assert len(error.encode()) < 500


def test_an_init_with_a_broken_parameter_is_dropped() -> None:
    peer = Raw()
    broken = tlv.encode_chunk(cp.INIT, 0, peer.init().encode()[4:] + b"\x80\x08\0\2")
    assert peer.give(broken, tag=0) == []
    assert peer.endpoint.counters["bad_parameter_length"] == 1


def test_listed_addresses_become_unconfirmed_paths_up_to_a_limit() -> None:
    peer = Raw()
    listed = [Ipv4Address(f"192.0.2.{number}") for number in range(1, 40)] + [Ipv6Address("2001:db8::1")]
    peer.accept(peer.init(parameters=[*listed, Ipv4Address(A)]))
    paths = peer.association.tcb.paths
    assert 10 < len(paths) <= 17
    assert [path.is_confirmed for path in paths].count(True) == 1
    assert paths.primary.address == A


# --- cookies ---


@pytest.mark.parametrize("bit", range(0, 800, 7))
def test_a_forged_cookie_is_dropped_silently(bit: int) -> None:
    peer = Raw()
    cookie = bytearray(peer.cookie().cookie)
    cookie[bit // 8 % len(cookie)] ^= 1 << bit % 8
    assert peer.give(c.CookieEcho(bytes(cookie))) == []
    assert peer.endpoint.counters == {"cookie_forged": 1}
    assert not peer.endpoint.associations


def test_a_cookie_counts_only_from_where_and_under_what_it_was_given() -> None:
    peer = Raw()
    echo = peer.cookie()
    assert peer.give(echo, tag=peer.tag ^ 1) == []
    assert peer.give(echo, ports=(CLIENT_PORT + 1, SERVER_PORT)) == []
    assert peer.endpoint.counters == {"cookie_of_other_ports": 2}
    assert peer.give(echo, route=Route("192.0.2.66", UDP_PORT, B)) == []
    assert peer.give(echo, route=Route(A, UDP_PORT + 1, B)) == []
    assert peer.endpoint.counters["cookie_of_other_address"] == 2
    assert peer.give(echo) == [c.CookieAck()]


def test_a_stale_cookie_is_answered_with_by_how_much() -> None:
    peer = Raw(Config(valid_cookie_life=10.0))
    echo = peer.cookie()
    peer.now += 10.25
    assert peer.sent() == []
    peer.endpoint.receive_datagrams([(Route(A, UDP_PORT, B), peer.packet(echo))], peer.now)
    ((_, tag, chunks),) = peer.sent()
    assert (tag, chunks) == (peer.own_tag, [c.Error([StaleCookie(250_000)])])
    assert not peer.endpoint.associations


def test_a_stale_cookie_makes_the_client_ask_for_a_longer_life() -> None:
    config = Config(valid_cookie_life=0.05)
    pair = Pair(config=config, link=Link(latency=0.1))
    pair.connect()
    assert pair.flow() == [
        "a INIT", "b INIT-ACK", "a COOKIE-ECHO", "b ERROR",
        "a INIT", "b INIT-ACK", "a COOKIE-ECHO", "b COOKIE-ACK",
    ]  # fmt: skip
    _, second = [chunk for _, chunk in pair.sent_chunks("a", c.Init)]
    (preservative,) = [p for p in second.parameters if isinstance(p, CookiePreservative)]
    # Twice the round trip of 0.2 s; never more than a second beyond it.
    assert 400 <= preservative.increment_ms <= 402
    assert second.initiate_tag == pair.a.association.tcb.local_tag


def test_a_server_whose_cookies_are_always_stale_is_given_up() -> None:
    pair = Pair(config=Config(valid_cookie_life=0.01, max_init_retransmits=3), link=Link(latency=2.0))
    pair.settings.rto_initial = 30.0
    pair.associate()
    pair.run(200)
    assert len(pair.sent_chunks("a", c.Init)) == 4
    assert [e.loss for e in pair.a.of(AssociationLost)] == [Loss.TIMED_OUT]


@pytest.mark.parametrize("state", [state for state in STATES if state is not State.COOKIE_ECHOED])
def test_a_stale_cookie_error_means_nothing_in_other_states(state: State) -> None:
    peer = Raw.in_state(state)
    assert peer.give(c.Error([StaleCookie(1)])) == []
    assert peer.association.state is state
    assert peer.endpoint.counters["stale_cookie_unexpected"] == 1


# --- INIT for an association that exists (sections 5.2.1 and 5.2.2) ---


@pytest.mark.parametrize("state", [State.COOKIE_WAIT, State.COOKIE_ECHOED])
def test_during_setup_an_init_is_answered_with_the_parameters_of_our_own(state: State) -> None:
    peer = Raw.in_state(state)
    tcb = peer.association.tcb
    deadlines = list(tcb.timers.deadlines)
    (ack,) = peer.give(peer.init(initiate_tag=0x22222222), tag=0)
    assert isinstance(ack, c.InitAck)
    assert (ack.initiate_tag, ack.initial_tsn) == (tcb.local_tag, tcb.initial_tsn)
    assert (tcb.state, tcb.timers.deadlines) == (state, deadlines)


@pytest.mark.parametrize("state", [s for s in STATES[2:] if s is not State.SHUTDOWN_ACK_SENT])
def test_later_an_init_gets_a_new_tag_and_changes_nothing(state: State) -> None:
    peer = Raw.in_state(state)
    tcb = peer.association.tcb
    before = (tcb.state, tcb.peer_tag, tcb.local_tag, list(tcb.timers.deadlines))
    (ack,) = peer.give(peer.init(initiate_tag=0x22222222), tag=0)
    assert isinstance(ack, c.InitAck)
    assert ack.initiate_tag != tcb.local_tag
    assert (tcb.state, tcb.peer_tag, tcb.local_tag, list(tcb.timers.deadlines)) == before


def test_in_shutdown_ack_sent_an_init_gets_the_shutdown_ack_again() -> None:
    peer = Raw.in_state(State.SHUTDOWN_ACK_SENT)
    assert peer.give(peer.init(initiate_tag=0x22222222), tag=0) == [c.ShutdownAck()]


@pytest.mark.parametrize("state", STATES[1:-1])
def test_an_init_may_not_bring_new_addresses(state: State) -> None:
    peer = Raw.in_state(state)
    four, six = Ipv4Address("192.0.2.66"), Ipv6Address("2001:db8::66")
    cause = RestartWithNewAddresses(four.encode() + six.encode())
    assert peer.give(peer.init(parameters=[Ipv4Address(A), four, six]), tag=0) == [c.Abort([cause])]
    assert peer.association.state is state


@pytest.mark.parametrize("state", STATES[1:-1])
def test_nor_come_from_one_that_lists_the_peer_s(state: State) -> None:
    """Otherwise anybody could restart an association by listing the address of its peer."""
    peer = Raw.in_state(state)
    thief = Route("192.0.2.66", UDP_PORT, B)
    cause = RestartWithNewAddresses(Ipv4Address("192.0.2.66").encode())
    assert peer.give(peer.init(parameters=[Ipv4Address(A)]), tag=0, route=thief) == [c.Abort([cause])]


def test_in_cookie_wait_only_the_address_that_was_asked_for_is_answered() -> None:
    peer = Raw.in_state(State.COOKIE_WAIT)
    thief = Route("192.0.2.66", UDP_PORT, B)
    assert peer.give(peer.init(parameters=[Ipv4Address(A)]), tag=0, route=thief) == []
    assert peer.endpoint.counters == {"init_from_other_address": 1}


def test_unexpected_init_acks_and_cookie_acks_are_ignored() -> None:
    for state in STATES[1:]:
        peer = Raw.in_state(state)
        assert peer.give(peer.init_ack()) == []
        assert peer.endpoint.counters == {"init_ack_unexpected": 1}
    for state in [s for s in STATES if s is not State.COOKIE_ECHOED]:
        peer = Raw.in_state(state)
        assert peer.give(c.CookieAck()) == []
        assert peer.endpoint.counters == {"cookie_ack_unexpected": 1}
        assert peer.association.state is state


# --- COOKIE ECHO for an association that exists: table 12 ---


def restart_cookie(peer: Raw, tag: int = 0x22222222) -> c.CookieEcho:
    """The COOKIE ECHO of a peer that starts again with another tag; ``peer.tag`` becomes the tag it goes under."""
    peer.own_tag = tag
    return peer.cookie(peer.init(initial_tsn=5_000))


def test_action_a_the_peer_has_restarted() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    association = peer.association
    old_tag = peer.tag
    association.send(Message(1, 2, b"in flight", context=3), peer.now)
    peer.give(peer.data(b"begun", flags=cp.DATA_FLAG_B))
    path = association.tcb.paths.primary
    path.congestion.cwnd = 99_999
    peer.answers()
    assert peer.give(restart_cookie(peer)) == [c.CookieAck()]
    assert peer.association is association
    assert peer.tag != old_tag
    assert list(peer.endpoint.by_tag) == [peer.tag]
    events = peer.endpoint.next_events()
    assert AssociationRestarted(association.association_id, 4, 4) in events
    assert SendFailed(association.association_id, 1, 2, 3, False, True, 0, b"in flight") in events
    assert path.congestion.cwnd == 4_404
    # Everything counts anew in both directions.
    peer.tsn = 5_000
    assert isinstance(peer.give(peer.data(b"again"))[0], c.Sack)
    assert [e.data for e in peer.events(MessageReceived)] == [b"again"]
    association.send(Message(0, 0, b"new"), peer.now)
    (data,) = peer.answers()
    assert isinstance(data, c.Data)
    assert (data.tsn, data.ssn) == (peer.local_tsn, 0)
    # What still comes under the old tag is dropped.
    assert peer.give(peer.data(b"old"), tag=old_tag) == []
    assert peer.endpoint.counters["wrong_tag"] == 1


def test_a_restart_ends_partial_delivery_and_keeps_what_is_unread_counted() -> None:
    peer = Raw(Config(receive_buffer=10_000))
    peer.accept()
    for number in range(9):
        peer.give(peer.data(bytes(1_000), flags=0 if number else cp.DATA_FLAG_B))
    peer.give(restart_cookie(peer))
    assert peer.events(PartialDeliveryAborted) == [PartialDeliveryAborted(3, 0, 0)]
    peer.tsn = 5_000
    (sack,) = peer.give(peer.data(b"x"))
    assert isinstance(sack, c.Sack)
    # 9,000 bytes of the time before are still with the user.
    assert sack.a_rwnd == 0


def test_a_restart_forgets_the_heartbeat_that_nobody_will_answer() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    peer.association.heartbeat(A, peer.now)
    peer.answers()
    peer.give(restart_cookie(peer))
    errors = peer.association.tcb.paths.primary.error_count
    peer.wait(1.5)
    assert peer.association.tcb.paths.primary.error_count == errors == 0


@pytest.mark.parametrize("state", [State.SHUTDOWN_PENDING, State.SHUTDOWN_SENT, State.SHUTDOWN_RECEIVED])
def test_action_a_while_closing(state: State) -> None:
    peer = Raw.in_state(state)
    assert peer.give(restart_cookie(peer)) == [c.CookieAck()]
    assert peer.association.state is State.ESTABLISHED
    assert len(peer.events(AssociationRestarted)) == 1
    # Neither T2-shutdown nor T5 is left.
    assert [type(k) for k in peer.wait(400)].count(c.Shutdown) == 0


def test_action_a_in_shutdown_ack_sent_is_refused() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    echo = restart_cookie(peer)
    tag, peer.tag = peer.tag, peer.association.tcb.local_tag
    peer.give(c.Shutdown(peer.association.tcb.initial_tsn - 1))
    assert peer.association.state is State.SHUTDOWN_ACK_SENT
    assert peer.give(echo, tag=tag) == [c.ShutdownAck(), c.Error([CookieReceivedWhileShuttingDown()])]
    assert peer.association.state is State.SHUTDOWN_ACK_SENT


def test_a_second_use_of_a_restart_cookie_is_a_duplicate() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    echo = restart_cookie(peer)
    peer.give(echo)
    assert peer.give(echo) == [c.CookieAck()]
    assert len(peer.events(AssociationRestarted)) == 1


@pytest.mark.parametrize("state", [State.COOKIE_WAIT, State.COOKIE_ECHOED])
def test_action_b_the_peer_s_cookie_comes_first_and_sets_its_tag(state: State) -> None:
    peer = Raw.in_state(state)
    peer.own_tag = 0x33333333
    assert peer.give(peer.cookie()) == [c.CookieAck()]
    association = peer.association
    assert (association.state, association.tcb.peer_tag) == (State.ESTABLISHED, 0x33333333)
    assert peer.events(AssociationUp) == [AssociationUp(association.association_id, 4, 4, False)]
    # T1 is stopped.
    assert [type(k) for k in peer.wait(10)] == []


def test_action_b_when_established_updates_the_tag_only() -> None:
    peer = Raw.in_state(State.COOKIE_ECHOED)
    peer.own_tag = 0x33333333
    echo = peer.cookie()
    peer.give(c.CookieAck())
    peer.endpoint.next_events()
    assert peer.association.tcb.peer_tag == 0x11111111
    assert peer.give(echo) == [c.CookieAck()]
    assert peer.association.tcb.peer_tag == 0x33333333
    assert peer.endpoint.next_events() == []


def test_action_c_a_cookie_that_was_overtaken_is_dropped() -> None:
    peer = Raw()
    echo = peer.cookie()
    old = peer.tag
    # Meanwhile the endpoint itself sets up an association with the same tag of the peer.
    peer.associate()
    peer.give(peer.init_ack())
    assert peer.give(echo, tag=old) == []
    assert peer.endpoint.counters == {"cookie_late": 1}
    assert peer.association.state is State.COOKIE_ECHOED


def test_action_d_the_cookie_ack_was_lost() -> None:
    peer = Raw()
    echo = peer.cookie()
    assert peer.give(echo) == [c.CookieAck()]
    peer.give(peer.data(b"1"))
    # Even after the cookie's life.
    peer.now += 1_000
    answers = peer.give(echo, peer.data(b"2", ssn=1))
    assert answers[0] == c.CookieAck()
    assert [e.data for e in peer.events(MessageReceived)] == [b"1", b"2"]
    assert len(peer.endpoint.associations) == 1


def test_action_d_in_cookie_echoed_establishes() -> None:
    peer = Raw.in_state(State.COOKIE_ECHOED)
    assert peer.give(peer.cookie()) == [c.CookieAck()]
    assert peer.association.state is State.ESTABLISHED


def test_a_case_that_is_not_in_the_table_is_dropped() -> None:
    peer = Raw()
    echo = peer.cookie(peer.init(initiate_tag=0x44444444))
    old = peer.tag
    peer.accept()
    # Both tags are others, and the cookie has no tie tags.
    assert peer.give(echo, tag=old) == []
    assert peer.endpoint.counters == {"cookie_unknown": 1}


def test_a_stale_cookie_for_an_association_that_it_does_not_name() -> None:
    peer = Raw(Config(valid_cookie_life=5.0, heartbeat_interval=0))
    peer.accept()
    echo = restart_cookie(peer)
    peer.now += 6.0
    assert peer.give(echo) == [c.Error([StaleCookie(1_000_000)])]
    assert peer.events(AssociationRestarted) == []


def test_a_sack_for_data_behind_the_cookie_follows_the_cookie_ack() -> None:
    peer = Raw()
    (first, second) = peer.give(peer.cookie(), peer.data(b"early"))
    assert (type(first), type(second)) == (c.CookieAck, c.Sack)


def test_a_cookie_echo_that_is_not_first_is_dropped_with_what_follows() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    assert peer.give(peer.data(b"x"), c.CookieEcho(b"y"), peer.data(b"z", ssn=1))[0] == c.Sack(
        1_000, 212_992 - MIN_CHARGE
    )
    assert peer.endpoint.counters == {"cookie_echo_not_first": 1}


# --- collisions and restarts of whole endpoints ---


def both_connect(pair: Pair, gap: float) -> tuple[Association, Association]:
    """Both connect between the same ports, the second after ``gap`` seconds."""
    pair.b.endpoint.unlisten(SERVER_PORT)
    client = pair.associate()
    if gap:
        pair.run(gap)
    other = pair.b.endpoint.associate(SERVER_PORT, CLIENT_PORT, Route(A, UDP_PORT), pair.server_settings, pair.now)
    return client, other


@pytest.mark.parametrize("gap", [0.0, 0.01, 0.049])
@pytest.mark.parametrize("entropy", [None, WrappingEntropy])
def test_both_connect_at_once(gap: float, entropy: type[WrappingEntropy] | None) -> None:
    pair = Pair(entropy=entropy) if entropy else Pair()
    both_connect(pair, gap)
    pair.until(lambda: all(node.of(AssociationUp) for node in pair.nodes))
    pair.run(5)
    for node in pair.nodes:
        assert len(node.of(AssociationUp)) == len(node.endpoint.associations) == 1
        pair.send(node, 3_000, 1)
    pair.run(2)
    pair.check_delivery()
    pair.a.association.shutdown(pair.now)
    pair.run(5)
    pair.check_gone()


@pytest.mark.parametrize("seed", range(40))
def test_both_connect_at_once_over_a_bad_line(seed: int) -> None:
    patient = Config(max_init_retransmits=30, rto_initial=0.3, rto_min=0.2)
    pair = Pair(seed, config=patient, link=Link(0.05, jitter=0.05, loss=0.25, duplicate=0.2, reorder=0.2))
    both_connect(pair, seed % 4 * 0.015)
    pair.until(lambda: all(node.of(AssociationUp) for node in pair.nodes), 1_000)
    for node in pair.nodes:
        pair.send(node, 3_000, 1)
    pair.run(100)
    pair.check_delivery()
    assert [len(node.of(AssociationUp)) for node in pair.nodes] == [1, 1]


def test_a_peer_that_crashed_and_connects_again_restarts_the_association() -> None:
    pair = Pair()
    pair.connect()
    pair.send(pair.b, 10)
    pair.run(1)
    # The client's memory is gone, its address and ports are as before.
    again = Pair(seed=1)
    pair.a.host.endpoint = pair.a.endpoint = again.a.endpoint
    pair.a.events.clear()
    pair.b.events.clear()
    pair.a.sent.clear()
    pair.b.sent.clear()
    pair.associate()
    pair.until(lambda: bool(pair.a.of(AssociationUp)) and bool(pair.b.of(AssociationRestarted)))
    assert not pair.b.of(AssociationUp)
    pair.send(pair.a, 5_000)
    pair.send(pair.b, 5_000)
    pair.run(2)
    pair.check_delivery()


def test_a_client_that_reconnects_while_the_server_waits_for_shutdown_complete() -> None:
    pair = Pair()
    client, _ = pair.connect()
    pair.network.rules.append(drop(has_chunk(cp.SHUTDOWN_COMPLETE), 1))
    client.shutdown(pair.now)
    pair.run(0.5)
    assert not pair.a.endpoint.associations
    pair.a.events.clear()
    mark = pair.mark
    pair.associate()
    pair.until(lambda: bool(pair.a.of(AssociationUp)))
    # RFC 9260 sections 8.5.1, E and 9.2: INIT draws the SHUTDOWN ACK, which is answered as out of the blue.
    assert pair.flow(mark)[:3] == ["a INIT", "b SHUTDOWN-ACK", "a SHUTDOWN-COMPLETE"]
    assert len(pair.b.of(AssociationUp)) == 2


# --- no room ---


def test_an_init_and_a_cookie_without_room_are_refused() -> None:
    peer = Raw()
    echo = peer.cookie()
    peer.listener.room = 0
    assert peer.give(echo) == [c.Abort([OutOfResource()])]
    assert peer.give(peer.init(), tag=0) == [c.Abort([OutOfResource()])]
    assert peer.endpoint.counters == {"cookie_without_room": 1, "init_without_room": 1}
    peer.listener.room = 1
    peer.accept()
    assert peer.listener.room == 0


def test_max_associations() -> None:
    peer = Raw(Config(max_associations=1))
    peer.accept()
    other = Route("192.0.2.2", UDP_PORT, B)
    assert peer.give(peer.init(), tag=0, route=other) == [c.Abort([OutOfResource()])]


def test_a_cookie_after_the_listener_has_gone() -> None:
    peer = Raw()
    echo = peer.cookie()
    peer.endpoint.unlisten(SERVER_PORT)
    assert peer.give(echo) == [c.Abort([OutOfResource()])]
