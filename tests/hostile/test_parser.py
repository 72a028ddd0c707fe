"""Malformed packets, P1 to P16: bytes that are not what they claim to be, in every state."""

from __future__ import annotations

from random import Random

import pytest
from hostile.places import (
    ACKNOWLEDGED,
    ANSWERING,
    CHUNK_TYPES,
    EVERYWHERE,
    OUTSTANDING,
    PLACES,
    RECEIVING,
    Place,
    Victim,
    at,
    in_states,
)
from support.pair import A, B

from pysctpstack.config import Config
from pysctpstack.core import Route, State
from pysctpstack.events import AssociationLost, Loss, MessageReceived
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import tlv
from pysctpstack.wire.causes import InvalidStreamIdentifier, UnrecognizedChunk
from pysctpstack.wire.extension_chunks import Auth, IData
from pysctpstack.wire.params import (
    HostName,
    Ipv4Address,
    Ipv6Address,
    StateCookie,
    UnknownParameter,
    UnrecognizedParameter,
)

PACKET_SIZE = 1_472
SETTLED = [State.SHUTDOWN_ACK_SENT]
FIXED = bytes.fromhex("11111111 000186a0 0004 0004 000003e8")
"""The fixed fields of an INIT or INIT ACK."""
BROKEN_PARAMETERS = [b"\x00\x05" + bytes((0, length)) + bytes(8) for length in range(4)]


def with_parameters(type_: int, parameters: bytes) -> bytes:
    """A whole chunk of this type, its fixed fields, if it has any, sound."""
    fixed = FIXED if type_ in (cp.INIT, cp.INIT_ACK) else b""
    return tlv.encode_chunk(type_, 0, fixed + parameters)


def check_broken_init_ack(victim: Victim, packet: bytes) -> None:
    """An INIT ACK that can't be read ends the attempt in COOKIE-WAIT and is dropped elsewhere."""
    if victim.state is State.COOKIE_WAIT:
        victim.check_aborted(packet, cp.CAUSE_PROTOCOL_VIOLATION)
    else:
        victim.check_dropped(packet)


# --- P1, P3: chunks ---


@EVERYWHERE
@pytest.mark.parametrize("length", range(4))
def test_p1_a_chunk_length_below_4_ends_the_packet(place: Place, length: int) -> None:
    victim = Victim.at(place)
    for type_ in (*CHUNK_TYPES, 0x3F, 0xBF, 0xFF):
        chunk = bytes((type_, 0, 0, length)) + bytes(400)
        victim.check_dropped(victim.packet_of(chunk), "partial_chunk", "ootb_empty", "wrong_tag")


@at(in_states(ANSWERING))
def test_p1_what_is_before_a_broken_length_is_processed_once(place: Place) -> None:
    victim = Victim.at(place)
    answers, raised = victim.inject(victim.packet_of(c.Heartbeat(b"are you there"), bytes(300)))
    assert [chunks for _, _, chunks in answers] == [[c.HeartbeatAck(b"are you there")]]
    assert raised == {"partial_chunk"}


@EVERYWHERE
def test_p3_a_chunk_longer_than_its_packet_is_dropped(place: Place) -> None:
    victim = Victim.at(place)
    for type_ in CHUNK_TYPES:
        for length in (9, 20, 0x7FFF, 0xFFFF):
            packet = victim.packet_of(bytes((type_, 3)) + length.to_bytes(2, "big") + bytes(4))
            victim.check_dropped(packet, "partial_chunk", "ootb_empty", "wrong_tag")


@EVERYWHERE
@pytest.mark.parametrize("trailing", range(4))
def test_p3_a_packet_without_a_chunk_is_dropped(place: Place, trailing: int) -> None:
    victim = Victim.at(place)
    victim.check_dropped(victim.packet_of(bytes(trailing)), "packet_without_chunk", "ootb_empty", "partial_chunk")
    victim.check_dropped(victim.packet_of(bytes(trailing), tag=0), "init_not_alone")


@at(in_states(ANSWERING))
@pytest.mark.parametrize("trailing", range(1, 4))
def test_p3_bytes_behind_the_last_chunk_are_dropped_and_the_chunk_is_not(place: Place, trailing: int) -> None:
    victim = Victim.at(place)
    answers, raised = victim.inject(victim.packet_of(c.Heartbeat(b"1234"), bytes(trailing)))
    assert [chunks for _, _, chunks in answers] == [[c.HeartbeatAck(b"1234")]]
    assert raised == {"partial_chunk"}


@at(in_states(ANSWERING))
@pytest.mark.parametrize("padding", range(3))
def test_p3_the_last_chunk_may_lack_its_padding(place: Place, padding: int) -> None:
    victim = Victim.at(place)
    whole = c.Heartbeat(b"12345").encode()
    answers, _ = victim.inject(victim.packet_of(whole[: 13 + padding]))
    assert [chunks for _, _, chunks in answers] == [[c.HeartbeatAck(b"12345")]]


# --- P2, P4: parameters and causes ---


@EVERYWHERE
@pytest.mark.parametrize("length", range(4))
@pytest.mark.parametrize("type_", [cp.INIT, cp.HEARTBEAT, cp.HEARTBEAT_ACK, cp.ERROR], ids=cp.CHUNK_NAMES.get)
def test_p2_a_parameter_length_below_4_is_rejected(place: Place, type_: int, length: int) -> None:
    victim = Victim.at(place)
    packet = victim.packet_of(
        with_parameters(type_, BROKEN_PARAMETERS[length]), tag=0 if type_ == cp.INIT else victim.tag
    )
    victim.check_dropped(packet, "bad_parameter_length")


@EVERYWHERE
@pytest.mark.parametrize("length", range(4))
def test_p2_in_init_ack_it_ends_the_attempt(place: Place, length: int) -> None:
    victim = Victim.at(place)
    check_broken_init_ack(victim, victim.packet_of(with_parameters(cp.INIT_ACK, BROKEN_PARAMETERS[length])))


@EVERYWHERE
@pytest.mark.parametrize("length", range(4))
def test_p2_an_abort_with_broken_causes_is_dropped(place: Place, length: int) -> None:
    """RFC 9260 section 3.3.7: one with a format error is discarded in silence."""
    victim = Victim.at(place)
    packet = victim.packet_of(with_parameters(cp.ABORT, BROKEN_PARAMETERS[length]))
    victim.check_dropped(packet, "bad_parameter_length", "ootb_abort")


@EVERYWHERE
@pytest.mark.parametrize("length", range(4))
def test_p2_extensions_that_are_not_offered_are_unknown_whatever_they_hold(place: Place, length: int) -> None:
    victim = Victim.at(place)
    re_config = with_parameters(cp.RE_CONFIG, BROKEN_PARAMETERS[length])
    victim.check_dropped(victim.packet_of(re_config), "unknown_chunk")
    asconf = with_parameters(cp.ASCONF, bytes(4) + BROKEN_PARAMETERS[length])
    before = victim.snapshot()
    answers, _ = victim.inject(victim.packet_of(asconf))
    assert victim.snapshot() == before
    if place.state not in (State.CLOSED, State.COOKIE_WAIT):
        assert [chunks for _, _, chunks in answers] == [[c.Error([UnrecognizedChunk(asconf)])]]


@EVERYWHERE
@pytest.mark.parametrize("beyond", [1, 4, 0xFF00])
def test_p4_a_last_parameter_partly_outside_its_chunk(place: Place, beyond: int) -> None:
    outside = cp.PARAM_IPV4_ADDRESS.to_bytes(2, "big") + (8 + beyond).to_bytes(2, "big") + bytes((192, 0, 2, 9))
    cookie = StateCookie(b"cookie").encode()
    victim = Victim.at(place)
    init = tlv.encode_chunk(cp.INIT, 0, FIXED + outside)
    victim.check_dropped(victim.packet_of(init, tag=0), "bad_parameter_length")
    init_ack = tlv.encode_chunk(cp.INIT_ACK, 0, FIXED + cookie + outside)
    check_broken_init_ack(victim, victim.packet_of(init_ack))


# --- P5, P6: SACK ---


@EVERYWHERE
def test_p5_sack_counts_beyond_its_body(place: Place) -> None:
    victim = Victim.at(place)
    for gaps, duplicates in ((1, 0), (0, 1), (0xFFFF, 0xFFFF), (0, 0xFFFF), (3, 3)):
        for body in (b"", bytes(4), bytes(20)):
            if len(body) != 4 * (gaps + duplicates):
                counts = gaps.to_bytes(2, "big") + duplicates.to_bytes(2, "big")
                fixed = ((victim.local_tsn - 1) & 0xFFFFFFFF).to_bytes(4, "big") + bytes(4)
                sack = tlv.encode_chunk(cp.SACK, 0, fixed + counts + body)
                victim.check_dropped(victim.packet_of(sack), "bad_sack", "sack_in_wrong_state")
    for length in range(12):
        sack = tlv.encode_chunk(cp.SACK, 0, bytes(length))
        victim.check_dropped(victim.packet_of(sack), "bad_sack", "sack_in_wrong_state")


@EVERYWHERE
@pytest.mark.parametrize("gap", [(0, 0), (0, 1), (2, 1), (65_535, 1), (1, 0)])
def test_p6_gap_blocks_that_are_none(place: Place, gap: tuple[int, int]) -> None:
    victim = Victim.at(place)
    sack = c.Sack(victim.local_tsn - 1 & 0xFFFFFFFF, 100_000, (gap,))
    victim.check_dropped(victim.packet_of(sack), "sack_invalid", "sack_in_wrong_state")


@EVERYWHERE
@pytest.mark.parametrize("gaps", [((1, 65_535),), ((65_535, 65_535),), ((2, 2), (60_000, 65_535))])
def test_p6_gap_blocks_to_65535_reach_beyond_what_was_sent(place: Place, gaps: tuple[tuple[int, int], ...]) -> None:
    victim = Victim.at(place)
    packet = victim.packet_of(c.Sack(victim.local_tsn - 1 & 0xFFFFFFFF, 100_000, gaps))
    if place.state in ACKNOWLEDGED:
        victim.check_aborted(packet, cp.CAUSE_PROTOCOL_VIOLATION)
    else:
        victim.check_dropped(packet, "sack_in_wrong_state")


OUTSTANDING_PLACE = next(place for place in PLACES if place.traffic == "outstanding")


@pytest.mark.parametrize(
    "gaps", [((2, 3), (2, 3)), ((3, 3), (2, 2)), ((2, 3), (3, 3)), ((2, 2), (3, 3)), ((2, 3),) * 16_000]
)
def test_p6_unordered_overlapping_and_very_many_blocks_say_what_one_says(gaps: tuple[tuple[int, int], ...]) -> None:
    victims = [Victim.at(OUTSTANDING_PLACE) for _ in range(2)]
    for victim, blocks in zip(victims, (((2, 3),), gaps), strict=True):
        victim.inject(victim.packet_of(c.Sack(victim.local_tsn - 1, 100_000, blocks)))
        sender = victim.association.tcb.sender
        assert [chunk.acked for chunk in sender.outstanding.values()] == [False, True, True]
        assert len(sender.gap_blocks) <= OUTSTANDING
    assert victims[0].association.tcb.sender.in_flight == victims[1].association.tcb.sender.in_flight


# --- P7, P8: answers that grow ---


@EVERYWHERE
def test_p7_many_unknown_chunks_draw_one_packet(place: Place) -> None:
    victim = Victim.at(place)
    chunks = [c.UnknownChunk(0xFE, 0, bytes(number % 9)) for number in range(140)]
    before = victim.snapshot()
    answers, raised = victim.inject(victim.packet_of(*chunks))
    assert victim.snapshot() == before
    assert len(answers) <= 1
    for _, _, answer in answers:
        assert 12 + sum(len(chunk.encode()) for chunk in answer) <= PACKET_SIZE
    if place.state not in (State.CLOSED, State.COOKIE_WAIT):
        assert raised == {"unknown_chunk", "errors_not_reported"}


@EVERYWHERE
def test_p7_many_unknown_parameters_of_an_init_draw_one_short_packet(place: Place) -> None:
    victim = Victim.at(place)
    parameters = [UnknownParameter(0xFE00 + number, bytes(number % 9)) for number in range(150)]
    answers, raised = victim.inject(victim.packet_of(victim.init(parameters=parameters), tag=0))
    ((_, _, (chunk,)),) = answers
    if isinstance(chunk, c.InitAck):
        echoed = [p for p in chunk.parameters if isinstance(p, UnrecognizedParameter)]
        assert 0 < sum(len(p.encode()) for p in echoed) <= Config().max_echo
        assert "unknown_parameters_not_reported" in raised
        assert 12 + len(chunk.encode()) < 1_000
    else:
        assert not place.listening or place.state in SETTLED


def test_p7_many_unknown_parameters_of_an_init_ack_draw_one_packet() -> None:
    victim = Victim.at(in_states([State.COOKIE_WAIT])[0])
    parameters = [StateCookie(bytes(600)), *(UnknownParameter(0xFE00 + n, bytes(n % 9)) for n in range(80))]
    answers, raised = victim.inject(victim.packet_of(victim.init_ack(parameters=parameters)))
    ((_, _, (cookie_echo, error)),) = answers
    assert cookie_echo == c.CookieEcho(bytes(600))
    assert isinstance(error, c.Error)
    assert len(error.encode()) <= PACKET_SIZE // 4 + 8
    assert raised == {"unknown_parameters_not_reported"}


@EVERYWHERE
def test_p8_a_heartbeat_ack_that_does_not_hold_our_info_is_dropped(place: Place) -> None:
    victim = Victim.at(place)
    if place.state in (State.ESTABLISHED, State.SHUTDOWN_PENDING, State.SHUTDOWN_RECEIVED):
        victim.association.heartbeat(A, victim.now)
        victim.answers()
    for size in range(40):
        victim.check_dropped(
            victim.packet_of(c.HeartbeatAck(bytes(size))), "heartbeat_ack_unknown", "heartbeat_ack_unexpected"
        )
    victim.check_dropped(victim.packet_of(c.UnknownChunk(cp.HEARTBEAT_ACK, 0, b"")), "missing_heartbeat_info")


@EVERYWHERE
def test_p8_a_heartbeat_without_info_or_larger_than_a_packet_is_dropped(place: Place) -> None:
    victim = Victim.at(place)
    victim.check_dropped(victim.packet_of(c.UnknownChunk(cp.HEARTBEAT, 0, b"")), "missing_heartbeat_info")
    other = UnknownParameter(0x8765, b"no info").encode()
    victim.check_dropped(victim.packet_of(c.UnknownChunk(cp.HEARTBEAT, 0, other)), "missing_heartbeat_info")
    for size in (PACKET_SIZE - 19, 65_527):
        victim.check_dropped(victim.packet_of(c.Heartbeat(bytes(size))), "heartbeat_too_large")


@EVERYWHERE
def test_p8_a_heartbeat_that_fits_is_answered_with_as_many_bytes_or_not_at_all(place: Place) -> None:
    victim = Victim.at(place)
    packet = victim.packet_of(c.Heartbeat(bytes(PACKET_SIZE - 20)))
    if place.state in ANSWERING:
        answers, _ = victim.inject(packet)
        assert [chunks for _, _, chunks in answers] == [[c.HeartbeatAck(bytes(PACKET_SIZE - 20))]]
    else:
        victim.check_dropped(packet, "heartbeat_unexpected")


# --- P9: COOKIE ECHO ---


@EVERYWHERE
def test_p9_a_cookie_cut_or_prolonged_or_with_other_lengths_inside(place: Place) -> None:
    victim = Victim.at(place)
    genuine = signed_cookie(victim)
    for length in (*range(30), len(genuine) // 2, len(genuine) - 1):
        victim.check_dropped(victim.packet_of(c.CookieEcho(genuine[:length])), "cookie_forged")
    for more in (1, 4, 60_000):
        victim.check_dropped(victim.packet_of(c.CookieEcho(genuine + bytes(more))), "cookie_forged")
    for position in range(0, len(genuine) - 1, 2):
        inflated = genuine[:position] + b"\xff\xff" + genuine[position + 2 :]
        if inflated != genuine:
            victim.check_dropped(victim.packet_of(c.CookieEcho(inflated)), "cookie_forged")


def signed_cookie(victim: Victim) -> bytes:
    """A cookie that the endpoint signs for a peer elsewhere, whatever the state of its association; noise if it signs
    none."""
    answers, _ = victim.inject(victim.packet_of(victim.init(), tag=0), Route("203.0.113.50", 7_777, B))
    for _, _, chunks in answers:
        for chunk in chunks:
            if isinstance(chunk, c.InitAck):
                return next(p.cookie for p in chunk.parameters if isinstance(p, StateCookie))
    return Random(9).randbytes(120)


# --- P10 to P12: DATA ---


@EVERYWHERE
@pytest.mark.parametrize("stream_id", [4, 5, 0xFFFF])
def test_p10_a_stream_that_was_not_negotiated(place: Place, stream_id: int) -> None:
    victim = Victim.at(place)
    packet = victim.packet_of(victim.data(stream_id=stream_id, tsn=1_005))
    if place.state not in RECEIVING:
        victim.check_dropped(packet, "data_in_wrong_state")
        return
    answers, raised = victim.inject(packet)
    chunks = [chunk for _, _, packet_chunks in answers for chunk in packet_chunks]
    assert c.Error([InvalidStreamIdentifier(stream_id)]) in chunks
    assert raised == {"data_invalid_stream"}
    assert victim.told() == []
    assert victim.state is place.state
    assert stream_id not in victim.association.tcb.receiver.reassembly.streams


@EVERYWHERE
def test_p11_data_without_user_data(place: Place) -> None:
    victim = Victim.at(place)
    packet = victim.packet_of(victim.data(b""))
    if place.state in RECEIVING:
        victim.check_aborted(packet, cp.CAUSE_NO_USER_DATA)
        assert [e.loss for e in victim.told() if isinstance(e, AssociationLost)] == [Loss.PROTOCOL]
    else:
        victim.check_dropped(packet, "data_in_wrong_state")


@EVERYWHERE
@pytest.mark.parametrize("size", range(12))
def test_p11_data_without_its_fixed_fields_brings_nothing(place: Place, size: int) -> None:
    victim = Victim.at(place)
    if place.state not in RECEIVING:
        cut = tlv.encode_chunk(cp.DATA, 3, bytes(size))
        victim.check_dropped(victim.packet_of(cut), "data_in_wrong_state")
        return
    expected = victim.association.tcb.receiver.tsn_map.cumulative
    cut = tlv.encode_chunk(cp.DATA, 3, victim.data(b"").encode()[4 : 4 + size])
    answers, raised = victim.inject(victim.packet_of(cut))
    assert "bad_chunk_length" in raised
    assert len(answers) <= 1
    assert victim.told() == []
    assert victim.association.tcb.receiver.tsn_map.cumulative == expected
    assert victim.state is place.state


@EVERYWHERE
def test_p12_i_data_is_an_unknown_chunk_that_ends_its_packet(place: Place) -> None:
    victim = Victim.at(place)
    for flags, mid, fsn in ((3, 0, 0), (2, 0, 0), (2, 0, 0), (0, 7, 5), (0, 7, 5), (1, 0xFFFFFFFF, 0xFFFFFFFF)):
        chunk = IData(victim.tsn, 0, mid, fsn, b"interleaved", flags)
        packet = victim.packet_of(chunk, c.Heartbeat(b"behind it"))
        if place.state in (State.CLOSED, State.COOKIE_WAIT):
            victim.check_dropped(packet, "unknown_chunk")
            continue
        before = victim.snapshot()
        answers, raised = victim.inject(packet)
        whole = chunk.encode()[: 20 + len(chunk.payload)]
        assert [chunks for _, _, chunks in answers] == [[c.Error([UnrecognizedChunk(whole)])]]
        assert raised == {"unknown_chunk"}
        assert victim.snapshot() == before


# --- P13, P14: INIT ---


@EVERYWHERE
def test_p13_an_init_that_must_not_be_answered(place: Place) -> None:
    victim = Victim.at(place)
    init = victim.init(initiate_tag=0x44444444)
    victim.check_dropped(victim.packet_of(victim.init(initiate_tag=0), tag=0), "init_with_initiate_tag_0")
    for others in ([c.Heartbeat(b"x")], [init], [c.CookieEcho(b"x")], [c.Abort([])]):
        victim.check_dropped(victim.packet_of(init, *others, tag=0), "init_not_alone")
        victim.check_dropped(victim.packet_of(*others, init, tag=0), "init_not_alone")
        victim.check_dropped(victim.packet_of(init, *others), "init_with_tag", "init_not_alone")
    for tag in (victim.tag, victim.own_tag, 0x44444444, 0xFFFFFFFF):
        victim.check_dropped(victim.packet_of(init, tag=tag), "init_with_tag", "init_not_alone")


@EVERYWHERE
@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"outbound_streams": 0}, cp.CAUSE_INVALID_MANDATORY_PARAMETER),
        ({"inbound_streams": 0}, cp.CAUSE_INVALID_MANDATORY_PARAMETER),
        ({"a_rwnd": 1_499}, cp.CAUSE_INVALID_MANDATORY_PARAMETER),
        ({"a_rwnd": 0}, cp.CAUSE_INVALID_MANDATORY_PARAMETER),
        ({"parameters": [HostName(b"victim.example\0")]}, cp.CAUSE_UNRESOLVABLE_ADDRESS),
    ],
)
def test_p13_an_init_that_no_association_can_come_of(place: Place, fields: dict[str, object], cause: int) -> None:
    victim = Victim.at(place)
    before = victim.snapshot()
    answers, _ = victim.inject(victim.packet_of(victim.init(initiate_tag=0x44444444, **fields), tag=0))
    ((_, tag, (chunk,)),) = answers
    assert victim.snapshot() == before
    if place.state is State.SHUTDOWN_ACK_SENT:
        # RFC 9260 section 9.2: as to any INIT.
        assert chunk == c.ShutdownAck()
        return
    assert isinstance(chunk, c.Abort)
    assert not chunk.reflected
    assert tag == 0x44444444
    # Where nobody listens there is no more to be said than that.
    assert [k.code for k in chunk.causes] == ([cause] if place.listening else [])


@pytest.mark.parametrize(
    "address",
    ["224.0.0.1", "255.255.255.255", "0.0.0.0", "127.0.0.1", "ff02::1", "::", "::1", A, B],
)  # fmt: skip
def test_p14_addresses_that_a_peer_must_not_list_are_ignored(address: str) -> None:
    victim = Victim.at(PLACES[1])
    parameter = Ipv6Address(address) if ":" in address else Ipv4Address(address)
    association = victim.accept(victim.init(parameters=[parameter, parameter]))
    assert list(association.tcb.paths.by_address) == [A]
    assert ("peer_address_unusable" in victim.endpoint.counters) == (address != A)
    assert len(victim.endpoint.by_peer) == 1


def test_p14_an_association_of_a_host_with_itself_may_list_its_own_addresses() -> None:
    victim = Victim.at(PLACES[1])
    here = Route(B, 9_899, B)
    (ack,) = victim.give(victim.init(parameters=[Ipv4Address(B), Ipv4Address("198.51.100.2")]), tag=0, route=here)
    assert isinstance(ack, c.InitAck)
    assert victim.endpoint.counters == {}


def test_p14_a_thousand_addresses_are_cut_to_the_limit() -> None:
    victim = Victim.at(PLACES[1])
    listed = [Ipv4Address(f"203.0.{113 + number // 250}.{number % 250 + 1}") for number in range(1_000)]
    association = victim.accept(victim.init(parameters=listed + listed))
    assert len(association.tcb.paths) == Config().max_peer_addresses + 1
    assert victim.endpoint.counters["peer_address_beyond_limit"] >= 1_000 - 16


# --- P15, P16 ---


@EVERYWHERE
def test_p15_auth_is_an_unknown_chunk_that_ends_its_packet_in_silence(place: Place) -> None:
    victim = Victim.at(place)
    cookie = c.CookieEcho(signed_cookie(victim))
    for auth in (Auth(0, 1, bytes(20)), Auth(9, 3, bytes(32)), Auth(0, 0xFFFF, b""), c.UnknownChunk(cp.AUTH, 0, b"x")):
        for behind in ([], [cookie], [victim.data(tsn=1_000)], [c.Abort([])]):
            victim.check_dropped(victim.packet_of(auth, *behind), "unknown_chunk", "ootb_abort")
    # Not first: what is before it is processed as if it were not there.
    if place.state in ANSWERING:
        answers, _ = victim.inject(victim.packet_of(c.Heartbeat(b"x"), Auth(0, 1, b""), c.Heartbeat(b"y")))
        assert [chunks for _, _, chunks in answers] == [[c.HeartbeatAck(b"x")]]


@EVERYWHERE
def test_p16_no_packet_of_a_batch_keeps_the_others_from_being_processed(place: Place) -> None:
    victim = Victim.at(place)
    random = Random(16)
    batch = []
    for _ in range(100):
        header = bytes((random.choice(CHUNK_TYPES), random.randrange(256), 0, random.randrange(60)))
        body = header + random.randbytes(60)
        batch.append(victim.packet_of(body, tag=random.choice((victim.tag ^ 1, 0))))
        batch.append(random.randbytes(random.randrange(40)))
    greeting = victim.packet_of(victim.data(b"greeting", tsn=1_000, flags=7))
    route = Route(A, 9_899, B)
    victim.endpoint.receive_datagrams([(route, packet) for packet in [*batch, greeting, *batch]], victim.now)
    heard = [event.data for event in victim.told() if isinstance(event, MessageReceived)]
    taken = place.state in RECEIVING and place.traffic != "held"
    assert heard == ([b"greeting"] if taken else [])
    assert victim.state is place.state
