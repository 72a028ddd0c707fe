"""Setting up an association (RFC 9260 sections 5.1 and 5.2): INIT, INIT ACK, COOKIE ECHO, COOKIE ACK, and their
collisions.

The side that answers keeps nothing until a cookie of its own comes back: `answer_init` and `tcb_of_cookie` turn
packets into packets
and cookies into associations, without state between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address
from math import inf

from pysctpstack.core.cookie import FORWARD_TSN, Cookie, CookieJar
from pysctpstack.core.path import Path
from pysctpstack.core.route import Route, RouteTable, is_unicast
from pysctpstack.core.settings import Settings
from pysctpstack.core.state import State
from pysctpstack.core.tcb import Handshake, Surroundings, Tcb
from pysctpstack.core.timers import T1_COOKIE, T1_INIT, T2_SHUTDOWN, T5_SHUTDOWN_GUARD
from pysctpstack.core.tx.sender import Sender
from pysctpstack.events import AssociationRestarted, AssociationUp, Loss
from pysctpstack.wire.causes import (
    Cause,
    InvalidMandatoryParameter,
    MissingMandatoryParameter,
    ProtocolViolation,
    RestartWithNewAddresses,
    StaleCookie,
    UnrecognizedParameters,
    UnresolvableAddress,
)
from pysctpstack.wire.chunks import Abort, CookieEcho, Error, Init, InitAck
from pysctpstack.wire.codepoints import PARAM_STATE_COOKIE, parameter_reported, parameter_stops
from pysctpstack.wire.packet import encode
from pysctpstack.wire.params import (
    AdaptationLayerIndication,
    CookiePreservative,
    ForwardTsnSupported,
    HostName,
    Ipv4Address,
    Ipv6Address,
    Padding,
    Parameter,
    StateCookie,
    SupportedAddressTypes,
    UnrecognizedParameter,
)

MIN_A_RWND = 1_500
FIXED_FIELDS = 16
"""Bytes of an INIT or INIT ACK's value before its parameters."""
MAX_PRESERVATIVE = 1.0
"""Seconds of Cookie Preservative that are granted at most (section 5.2.6 has the peer ask for little more)."""
MAX_LISTED = 16
"""Addresses of this host that a peer is told of at most."""
_KNOWN = (
    Ipv4Address,
    Ipv6Address,
    StateCookie,
    CookiePreservative,
    HostName,
    SupportedAddressTypes,
    UnrecognizedParameter,
    # RFC 4820 section 4: ignored in silence.
    Padding,
)


class BadInit(Exception):
    """An INIT or INIT ACK that no association can come of: to be answered with ABORT and this cause."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(type(cause).__name__)
        self.cause = cause


@dataclass(slots=True)
class PeerParameters:
    """The parameters of an INIT or INIT ACK, sorted out."""

    addresses: list[str]
    cookie: bytes | None
    preservative: float
    """Seconds."""
    unrecognized: list[bytes]
    """Whole TLVs of unknown parameters that are to be reported."""
    forward_tsn: bool = False
    """The peer supports FORWARD TSN, and so does this end (RFC 3758 section 3.3)."""
    adaptation: int = 0


# --- the side that starts (section 5.1, A and C) ---


def start(tcb: Tcb, now: float) -> None:
    """Send INIT and enter COOKIE-WAIT."""
    tcb.handshake = Handshake(_init_of(tcb, 0), tcb.paths.primary)
    tcb.enter(State.COOKIE_WAIT)
    _send_init(tcb, now)


def _init_of(tcb: Tcb, preservative: int) -> bytes:
    parameters = _address_parameters(tcb.local_addresses, tcb.paths.primary.address)
    if preservative:
        parameters.append(CookiePreservative(preservative))
    settings = tcb.settings
    if settings.pr_sctp:
        parameters.append(ForwardTsnSupported())
    if settings.adaptation_indication:
        parameters.append(AdaptationLayerIndication(settings.adaptation_indication))
    return Init(
        tcb.local_tag,
        settings.receive_buffer,
        settings.outbound_streams,
        settings.max_inbound_streams,
        tcb.initial_tsn & 0xFFFFFFFF,
        parameters,
    ).encode()


def _address_parameters(addresses: tuple[str, ...], peer: str) -> list[Parameter]:
    """This host's addresses as parameters, those that a peer at ``peer`` can reach (RFC 9260 section 5.1.2)."""
    if len(addresses) < 2:
        # RFC 6951 section 3.2: a single-homed endpoint lists none, so that NATs need not rewrite them.
        return []
    reachable = [address for address in addresses if is_in_scope(address, peer)]
    return [
        Ipv6Address(address.partition("%")[0]) if ":" in address else Ipv4Address(address)
        for address in reachable[:MAX_LISTED]
    ]


def is_in_scope(address: str, peer: str) -> bool:
    """Whether a host at ``peer`` may reach ``address``: no loopback address but from loopback, no link-local one
    but from
    a link-local address."""
    ip, other = ip_address(address.partition("%")[0]), ip_address(peer.partition("%")[0])
    if ip.is_loopback or other.is_loopback:
        return ip.is_loopback and other.is_loopback
    return not ip.is_link_local or other.is_link_local


def source_for(addresses: tuple[str, ...], peer: str, route_table: RouteTable) -> str:
    """The local address to send to ``peer`` from; ``""``: the system is to choose."""
    suitable = [a for a in addresses if (":" in a) == (":" in peer) and is_in_scope(a, peer)]
    if not suitable:
        return ""
    chosen = route_table.source_address(peer)
    return chosen if chosen in suitable else suitable[0]


def _send_init(tcb: Tcb, now: float) -> None:
    assert tcb.handshake is not None
    path = tcb.handshake.path
    # RFC 9260 section 8.5.1, A: an INIT travels under tag 0, and alone.
    tcb.shared.out.append((path.route, encode(tcb.local_port, tcb.peer_port, 0, [tcb.handshake.init])))
    tcb.timers.start(T1_INIT, now + _t1(tcb, path))


def _t1(tcb: Tcb, path: Path) -> float:
    return min(path.rto.rto, tcb.settings.max_init_timeout)


def on_init_ack(tcb: Tcb, init_ack: InitAck, now: float) -> None:
    """RFC 9260 section 5.1, C: echo the cookie."""
    if tcb.state is not State.COOKIE_WAIT or tcb.handshake is None:
        # Section 5.2.3: an old or duplicate one.
        tcb.shared.count("init_ack_unexpected")
        return
    if init_ack.initiate_tag == 0:
        # Section 3.3.3: the association is closed. Without a tag of the peer's, ours is reflected.
        _abort_setup(tcb, tcb.local_tag, Abort([], reflected=True))
        tcb.lose(Loss.PROTOCOL)
        return
    if init_ack.a_rwnd < MIN_A_RWND:
        # Section 3.3.3: the packet is discarded, and the association stays as it is: T1-init goes on.
        tcb.shared.count("init_ack_with_small_window")
        _abort_setup(tcb, init_ack.initiate_tag, Abort([InvalidMandatoryParameter()]))
        return
    tcb.peer_tag = init_ack.initiate_tag
    try:
        check_fixed_fields(init_ack)
        parameters = sort_out(init_ack.parameters, tcb.reply_path.route, tcb.local_addresses, tcb.settings, tcb.shared)
        if parameters.cookie is None:
            raise BadInit(MissingMandatoryParameter([PARAM_STATE_COOKIE]))
    except BadInit as bad:
        # Section 5.1: the peer keeps no association yet, but is told why there will be none.
        _abort_setup(tcb, init_ack.initiate_tag, Abort([bad.cause]))
        tcb.lose(Loss.PROTOCOL, bad.cause.code)
        return
    tcb.set_peer(
        tag=init_ack.initiate_tag,
        initial_tsn=init_ack.initial_tsn,
        a_rwnd=init_ack.a_rwnd,
        # Section 5.1.1: no more than the peer takes.
        outbound_streams=min(tcb.settings.outbound_streams, init_ack.inbound_streams),
        inbound_streams=min(tcb.settings.max_inbound_streams, init_ack.outbound_streams),
        forward_tsn=parameters.forward_tsn,
    )
    _add_paths(tcb, parameters.addresses)
    handshake = tcb.handshake
    # Section 5.1.2: the address that answered is the first to be used.
    tcb.paths.primary = handshake.path = tcb.reply_path
    handshake.cookie_echo = CookieEcho(parameters.cookie).encode()
    handshake.attempts = 0
    handshake.adaptation = parameters.adaptation
    handshake.errors = _unrecognized_error(parameters.unrecognized, tcb)
    tcb.timers.stop(T1_INIT)
    tcb.enter(State.COOKIE_ECHOED)
    # Karn: an answer to a repeated INIT tells nothing of the round-trip time, and the first does only if none was
    # repeated.
    _send_cookie_echo(tcb, now)


def on_broken_init_ack(tcb: Tcb, value: bytes) -> None:
    """An INIT ACK that is too short, or whose parameters do not add up."""
    if tcb.state is not State.COOKIE_WAIT:
        # Section 5.2.3
        tcb.shared.count("init_ack_unexpected")
        return
    # Section 3.3.10.13. The tag was right, so that it is the peer that broke the protocol, and would again.
    cause = ProtocolViolation(b"an INIT ACK that cannot be read")
    # Section 8.5.1, B: under the peer's tag, if it can be read.
    tag = int.from_bytes(value[:4], "big") if len(value) >= FIXED_FIELDS else 0
    _abort_setup(tcb, tag or tcb.local_tag, Abort([cause], reflected=not tag))
    tcb.lose(Loss.PROTOCOL, cause.code)


def _abort_setup(tcb: Tcb, tag: int, abort: Abort) -> None:
    """ABORT to where the INIT ACK came from, under ``tag``."""
    packet = encode(tcb.local_port, tcb.peer_port, tag, [abort.encode()])
    tcb.shared.out.append((tcb.reply_path.route, packet))


def _unrecognized_error(unrecognized: list[bytes], tcb: Tcb) -> bytes:
    """An ERROR chunk that reports as many of the parameters as fit into a quarter of a packet."""
    room = min(tcb.paths.current().packet_size // 4, tcb.settings.max_echo)
    fitting: list[bytes] = []
    for parameter in unrecognized:
        if len(parameter) > room:
            tcb.shared.count("unknown_parameters_not_reported")
            break
        fitting.append(parameter)
        room -= len(parameter)
    return Error([UnrecognizedParameters(b"".join(fitting))]).encode() if fitting else b""


def _known_sources(tcb: Tcb) -> tuple[str, ...]:
    """The local addresses that the peer knows: those that it was told of, or else the one that its packets go to.

    Whatever came from another one would be out of the blue, and be answered with an ABORT that ends the association
    (RFC 9260 sections 5.1.2, A, 8.4 and 8.5.1, B). Empty: it is not known which that is.
    """
    if len(tcb.local_addresses) > 1:
        return tcb.local_addresses
    route = tcb.reply_path.route
    local = route.local or tcb.shared.route_table.source_address(route.peer)
    return (local,) if local else ()


def _add_paths(tcb: Tcb, addresses: list[str]) -> None:
    if not addresses and len(tcb.paths) == 1:
        return
    primary = tcb.paths.primary
    known = _known_sources(tcb)
    for path in tcb.paths:
        if path is not tcb.reply_path and not path.route.local:
            path.route = path.route._replace(local=source_for(known, path.address, tcb.shared.route_table))
    for address in addresses:
        if address not in tcb.paths.by_address:
            local = source_for(known, address, tcb.shared.route_table)
            if known and not local:
                tcb.shared.count("peer_address_without_source")
                tcb.left_out |= {address}
                continue
            route = Route(address, primary.route.port, local, primary.route.local_port)
            # Section 5.4, 3: proven by a HEARTBEAT before anything else goes there.
            mtu = tcb.shared.route_table.path_mtu(route)
            tcb.paths.add(Path(route, tcb.settings, mtu, confirmed=False))
            tcb.unindexed = True


def _send_cookie_echo(tcb: Tcb, now: float) -> None:
    handshake = tcb.handshake
    assert handshake is not None
    path = handshake.path
    chunks = [handshake.cookie_echo]
    if handshake.errors and len(handshake.cookie_echo) + len(handshake.errors) <= path.packet_size - 12:
        # Section 3.2.1: reported along with the COOKIE ECHO, which comes first.
        chunks.append(handshake.errors)
    handshake.cookie_sent_at = now
    tcb.send_now(chunks, path)
    tcb.timers.start(T1_COOKIE, now + _t1(tcb, path))


def on_cookie_ack(tcb: Tcb, now: float) -> None:
    """RFC 9260 section 5.1, E."""
    if tcb.state is State.COOKIE_ECHOED:
        handshake = tcb.handshake
        if handshake is not None and handshake.attempts == 0:
            tcb.reply_path.rto.measure(now - handshake.cookie_sent_at)
        _establish(tcb, handshake.adaptation if handshake is not None else 0)
    else:
        # Section 5.2.5
        tcb.shared.count("cookie_ack_unexpected")


def on_t1(tcb: Tcb, now: float) -> None:
    """T1-init or T1-cookie has expired: once more, or the peer is given up (sections 5.1.4 and 5.1.6)."""
    handshake = tcb.handshake
    assert handshake is not None
    handshake.attempts += 1
    if handshake.attempts > tcb.settings.max_init_retransmits:
        tcb.lose(Loss.TIMED_OUT)
        return
    handshake.path.rto.back_off()
    # Section 5.1: retransmissions use all addresses of the peer that are proven.
    handshake.path = tcb.paths.alternate(handshake.path)
    if tcb.state is State.COOKIE_WAIT:
        _send_init(tcb, now)
    else:
        _send_cookie_echo(tcb, now)


def on_stale_cookie(tcb: Tcb, now: float) -> None:
    """RFC 9260 section 5.2.6, alternative 3: a new INIT that asks for a longer life."""
    handshake = tcb.handshake
    if tcb.state is not State.COOKIE_ECHOED or handshake is None:
        tcb.shared.count("stale_cookie_unexpected")
        return
    # Counted by itself: an INIT ACK makes ``attempts`` 0 again, and a peer whose cookies are always stale sends both.
    handshake.stale_cookies += 1
    if handshake.stale_cookies > tcb.settings.max_init_retransmits:
        tcb.lose(Loss.TIMED_OUT)
        return
    # Twice the measured round-trip time, and no more than a second beyond it.
    rtt = now - handshake.cookie_sent_at
    handshake.preservative = int(1_000 * min(2 * rtt, rtt + MAX_PRESERVATIVE)) + 1
    handshake.init = _init_of(tcb, handshake.preservative)
    tcb.timers.stop(T1_COOKIE)
    tcb.enter(State.COOKIE_WAIT)
    _send_init(tcb, now)


def _establish(tcb: Tcb, adaptation: int) -> None:
    tcb.timers.stop(T1_INIT)
    tcb.timers.stop(T1_COOKIE)
    tcb.handshake = None
    tcb.error_count = 0
    tcb.enter(State.ESTABLISHED)
    outbound, inbound = tcb.sender.outbound_streams, tcb.receiver.inbound_streams
    tcb.report(AssociationUp(tcb.association_id, outbound, inbound, tcb.accepted, adaptation))
    for message in tcb.sender.take_beyond_streams():
        # Sent before the peer said how few streams it takes.
        tcb.report_failed(message, sent=False, error=1)


# --- the side that answers (section 5.1, B and D) ---


def check_fixed_fields(chunk: Init | InitAck) -> None:
    """BadInit for values with which there can be no association (sections 3.3.2 and 3.3.3)."""
    if not chunk.outbound_streams or not chunk.inbound_streams or chunk.a_rwnd < MIN_A_RWND:
        raise BadInit(InvalidMandatoryParameter())


def sort_out(
    parameters: list[Parameter],
    route: Route,
    local_addresses: tuple[str, ...],
    settings: Settings,
    shared: Surroundings,
) -> PeerParameters:
    """Known parameters by kind, unknown ones by the two highest bits of their type (section 3.2.1). BadInit: a host
    name.

    ``route``: where they came from. ``local_addresses``: this host's, besides the one that they came to.
    """
    here = {route.local, *local_addresses}
    if route.peer in here:
        # An association of this host with itself.
        here = set()
    found = PeerParameters([], None, 0.0, [])
    for parameter in parameters:
        if isinstance(parameter, (Ipv4Address, Ipv6Address)):
            address = parameter.address
            if address in found.addresses:
                continue
            if len(found.addresses) >= settings.max_peer_addresses:
                shared.count("peer_address_beyond_limit")
            elif address in here or not is_usable(address, route.peer):
                shared.count("peer_address_unusable")
            else:
                found.addresses.append(address)
        elif isinstance(parameter, StateCookie):
            found.cookie = parameter.cookie
        elif isinstance(parameter, CookiePreservative):
            found.preservative = min(parameter.increment_ms / 1_000, MAX_PRESERVATIVE)
        elif isinstance(parameter, HostName):
            # Section 5.1.2, B
            named = parameter.encode()
            raise BadInit(UnresolvableAddress(named if len(named) <= settings.max_echo else b""))
        elif isinstance(parameter, ForwardTsnSupported) and settings.pr_sctp:
            found.forward_tsn = True
        elif isinstance(parameter, AdaptationLayerIndication):
            found.adaptation = parameter.code_point
        elif not isinstance(parameter, _KNOWN):
            if parameter_reported(parameter.type):
                found.unrecognized.append(parameter.encode())
            if parameter_stops(parameter.type):
                break
    return found


def is_usable(address: str, source: str) -> bool:
    """Whether a peer at ``source`` may have an address that it lists: unicast, and of this host only if it is here.

    RFC 9260 section 8.4, 1, and RFC 5062 section 5: what a peer lists is probed, so that nobody else is to be listed.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if ip.is_loopback and not ip_address(source.partition("%")[0]).is_loopback:
        return False
    return is_unicast(ip)


def answer_init(
    init: Init,
    route: Route,
    ports: tuple[int, int],
    settings: Settings,
    jar: CookieJar,
    shared: Surroundings,
    now: float,
    tcb: Tcb | None = None,
    local_tag: int = 0,
    local_addresses: tuple[str, ...] = (),
) -> None:
    """Answer an INIT with INIT ACK, or with ABORT if no association can come of it. No state is kept or changed.

    ``tcb``: the association that the sender's address and ports belong to already (section 5.2). ``local_tag``: the
    Initiate Tag to offer.
    """
    local_port, peer_port = ports

    def answer(chunk: bytes) -> None:
        # Section 5.1: the tag is the INIT's Initiate Tag. Encaps-cons section 3: the UDP ports are the INIT's,
        # swapped.
        shared.out.append((route, encode(local_port, peer_port, init.initiate_tag, [chunk])))

    try:
        check_fixed_fields(init)
        parameters = sort_out(init.parameters, route, local_addresses, settings, shared)
        if tcb is not None:
            # The source is an address of the peer as much as those that are listed (section 5.1.2).
            _refuse_new_addresses(tcb, route.peer, parameters.addresses)
    except BadInit as bad:
        answer(Abort([bad.cause]).encode())
        return
    initial_tsn = shared.random32()
    # Section 3.3.3: no more than the peer takes.
    offered_streams = min(settings.outbound_streams, init.inbound_streams)
    tie_tags = (0, 0)
    if tcb is not None:
        if tcb.state in (State.COOKIE_WAIT, State.COOKIE_ECHOED):
            # Section 5.2.1: the same parameters as in the INIT that is under way, tag included.
            local_tag, initial_tsn = tcb.local_tag, tcb.initial_tsn & 0xFFFFFFFF
            offered_streams = settings.outbound_streams
        if tcb.state is not State.COOKIE_WAIT:
            # Section 5.2.2
            if not tcb.local_tie_tag:
                tcb.local_tie_tag = shared.random32() | 1
                tcb.peer_tie_tag = shared.random32() | 1
            tie_tags = (tcb.local_tie_tag, tcb.peer_tie_tag)
    cookie = Cookie(
        route,
        [address for address in parameters.addresses if address != route.peer],
        now,
        settings.valid_cookie_life + parameters.preservative,
        local_tag,
        init.initiate_tag,
        *tie_tags,
        initial_tsn,
        init.initial_tsn,
        init.a_rwnd,
        local_port,
        peer_port,
        min(settings.outbound_streams, init.inbound_streams),
        min(settings.max_inbound_streams, init.outbound_streams),
        FORWARD_TSN if parameters.forward_tsn else 0,
        parameters.adaptation,
    )
    # The cookie first, then what was not recognized, as far as it fits.
    answers: list[Parameter] = [StateCookie(jar.sign(cookie))]
    if parameters.forward_tsn:
        answers.append(ForwardTsnSupported())
    if settings.adaptation_indication:
        answers.append(AdaptationLayerIndication(settings.adaptation_indication))
    room = settings.max_echo
    for unrecognized in parameters.unrecognized:
        room -= len(unrecognized) + 4
        if room < 0:
            shared.count("unknown_parameters_not_reported")
            break
        answers.append(UnrecognizedParameter(unrecognized))
    answers += _address_parameters(local_addresses, route.peer)
    answer(
        InitAck(
            local_tag,
            settings.receive_buffer,
            offered_streams,
            settings.max_inbound_streams,
            initial_tsn,
            answers,
        ).encode()
    )


def _refuse_new_addresses(tcb: Tcb, source: str, listed_addresses: list[str]) -> None:
    """Sections 5.2.1 and 5.2.2: an INIT for an association may not bring addresses that it does not have."""
    if tcb.state is State.COOKIE_WAIT:
        return
    had = tcb.paths.by_address
    new = [] if source in had else [source]
    new += [a for a in listed_addresses if a not in had and a not in tcb.left_out and a != source]
    if new:
        listed = b"".join(
            (Ipv6Address(address) if ":" in address else Ipv4Address(address)).encode() for address in new
        )
        raise BadInit(RestartWithNewAddresses(listed))


def stale_cookie_error(cookie: Cookie, now: float) -> bytes:
    """Section 5.1.5, 4: by how many microseconds the cookie's life has passed."""
    staleness = int((now - cookie.created_at - cookie.lifespan) * 1_000_000)
    return Error([StaleCookie(min(staleness, 0xFFFFFFFF))]).encode()


def tcb_of_cookie(
    cookie: Cookie,
    settings: Settings,
    shared: Surroundings,
    association_id: int,
    local_addresses: tuple[str, ...],
) -> Tcb:
    """Section 5.1.5, 5 and 6: the association that the cookie holds, ESTABLISHED, its COOKIE ACK queued."""
    tcb = Tcb(
        association_id,
        settings,
        shared,
        cookie.route,
        (cookie.local_port, cookie.peer_port),
        local_tag=cookie.local_tag,
        initial_tsn=cookie.local_initial_tsn,
        local_addresses=local_addresses,
    )
    tcb.accepted = True
    _take_peer(tcb, cookie)
    _add_paths(tcb, cookie.addresses)
    tcb.queue_cookie_ack()
    _establish(tcb, cookie.adaptation)
    return tcb


def _take_peer(tcb: Tcb, cookie: Cookie) -> None:
    tcb.set_peer(
        tag=cookie.peer_tag,
        initial_tsn=cookie.peer_initial_tsn,
        a_rwnd=cookie.peer_a_rwnd,
        outbound_streams=cookie.outbound_streams,
        inbound_streams=cookie.inbound_streams,
        forward_tsn=bool(cookie.flags & FORWARD_TSN),
    )


# --- COOKIE ECHO for an association that exists (section 5.2.4) ---


class CookieResolution(Enum):
    """Table 12: what a cookie means to an association."""

    RESTART = "A: the peer may have restarted"
    COLLISION = "B: both sides were setting up the association"
    LATE = "C: this cookie was overtaken by another handshake"
    DUPLICATE = "D: the association that exists"
    UNKNOWN = "no case of the table"


def resolve(tcb: Tcb, cookie: Cookie) -> CookieResolution:
    local_matches = cookie.local_tag == tcb.local_tag
    peer_matches = cookie.peer_tag == tcb.peer_tag
    if local_matches:
        return CookieResolution.DUPLICATE if peer_matches else CookieResolution.COLLISION
    if peer_matches:
        no_tie_tags = cookie.local_tie_tag == cookie.peer_tie_tag == 0
        return CookieResolution.LATE if no_tie_tags else CookieResolution.UNKNOWN
    if tcb.local_tie_tag and cookie.local_tie_tag == tcb.local_tie_tag and cookie.peer_tie_tag == tcb.peer_tie_tag:
        return CookieResolution.RESTART
    return CookieResolution.UNKNOWN


def on_duplicate_cookie(tcb: Tcb) -> None:
    """Case D: the COOKIE ACK was lost, or the peer's cookie came before its INIT ACK was answered."""
    if tcb.state is State.COOKIE_ECHOED:
        _establish(tcb, tcb.handshake.adaptation if tcb.handshake is not None else 0)
    tcb.queue_cookie_ack()


def on_collision(tcb: Tcb, cookie: Cookie) -> None:
    """Case B: the peer has taken a new tag since."""
    if tcb.state in (State.COOKIE_WAIT, State.COOKIE_ECHOED):
        _take_peer(tcb, cookie)
        _add_paths(tcb, cookie.addresses)
        tcb.queue_cookie_ack()
        _establish(tcb, cookie.adaptation)
    else:
        tcb.peer_tag = cookie.peer_tag
        tcb.queue_cookie_ack()


def on_restart(tcb: Tcb, cookie: Cookie) -> None:
    """Case A: everything begins anew, under new tags, except for what the peer has to be told to retransmit:
    nothing."""
    undelivered = tcb.sender.take_undelivered()
    tcb.receiver.abort_partial_delivery()
    tcb.timers.stop_all()
    tcb.control.clear()
    tcb.local_tag = cookie.local_tag
    tcb.local_tie_tag = tcb.peer_tie_tag = 0
    tcb.initial_tsn = cookie.local_initial_tsn
    tcb.error_count = 0
    tcb.shutdown_wanted = False
    for path in tcb.paths:
        path.reset_congestion()
        path.error_count = 0
        # A HEARTBEAT to the peer before its restart will not be answered.
        path.heartbeat_timeout = inf
        path.heartbeat_nonce = b""
    unread, padding = tcb.receiver.unread, tcb.receiver.unread_padding
    tcb.sender = Sender(tcb.settings, tcb.paths, cookie.local_initial_tsn, cookie.outbound_streams, cookie.peer_a_rwnd)
    _take_peer(tcb, cookie)
    # What the user has not read yet is still his to read, and still takes room.
    tcb.receiver.unread, tcb.receiver.unread_padding = unread, padding
    if tcb.state is not State.ESTABLISHED:
        tcb.enter(State.ESTABLISHED)
    tcb.newly_established = True
    tcb.timers.stop(T2_SHUTDOWN)
    tcb.timers.stop(T5_SHUTDOWN_GUARD)
    tcb.report(
        AssociationRestarted(tcb.association_id, cookie.outbound_streams, cookie.inbound_streams, cookie.adaptation)
    )
    for message, sent in undelivered:
        tcb.report_failed(message, sent=sent)
    tcb.queue_cookie_ack()
