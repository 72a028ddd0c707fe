"""An SCTP endpoint: which packet belongs to which association, who listens, and where peers are (RFC 6951).

A packet finds its association by its verification tag, which is unique here: one dictionary look-up, however many
there are.
Ports and source address are checked against that association then. What has no such tag, or the wrong ports, goes
the slow way.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from heapq import heappop, heappush
from math import inf
from struct import Struct
from typing import Any

from pysctpstack.config import Config
from pysctpstack.core import handshake, heartbeat, ootb, pmtud
from pysctpstack.core.association import Association
from pysctpstack.core.cookie import Cookie, CookieJar
from pysctpstack.core.entropy import Entropy
from pysctpstack.core.fingerprint import InOrder, Names
from pysctpstack.core.handshake import CookieResolution
from pysctpstack.core.path import Path
from pysctpstack.core.route import Route, RouteTable, is_unicast_text
from pysctpstack.core.settings import Settings
from pysctpstack.core.state import State
from pysctpstack.core.tcb import Surroundings, Tcb
from pysctpstack.errors import PacketError
from pysctpstack.events import Event, Loss
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.causes import (
    CookieReceivedWhileShuttingDown,
    OutOfResource,
    RestartNewEncapsulationPort,
)
from pysctpstack.wire.chunks import Abort, Error, Init, InitAck, ShutdownAck
from pysctpstack.wire.crc32c import crc32c
from pysctpstack.wire.packet import HEADER, checksum_ok, encode, split, unpack_checksum
from pysctpstack.wire.params import Ipv4Address, Ipv6Address

FIRST_ASSOCIATION_ID = 3
"""0, 1 and 2 are SCTP_FUTURE_ASSOC, SCTP_CURRENT_ASSOC and SCTP_ALL_ASSOC (RFC 6458 section 7.2)."""

_COMMON_HEADER = 12
_SMALLEST_PACKET = 16
"""With the header of one chunk."""
_SETUP_STATES = (State.COOKIE_WAIT, State.COOKIE_ECHOED)
_NO_CHECKSUM = bytes(4)
_CLOSED = State.CLOSED
_unpack_header = HEADER.unpack_from
_unpack_ports_and_tag = Struct("!HHI").unpack_from

Alarm = tuple[float, int, Any]
"""(deadline, association id, the next later alarm of the same association that is in the heap, or None). No two of an
association have the same deadline, so that the first two fields order them."""


class Listener:
    """A port on which associations are accepted."""

    __slots__ = ("port", "settings", "addresses", "room", "local_addresses", "ipv4", "ipv6")

    def __init__(
        self,
        port: int,
        settings: Settings,
        addresses: frozenset[str],
        room: int,
        local_addresses: tuple[str, ...],
        ipv4: bool,
        ipv6: bool,
    ) -> None:
        self.port = port
        self.settings = settings
        self.addresses = addresses
        """Local addresses that are listened on; empty: all."""
        self.room = room
        """How many more associations may come up; the owner adjusts it as they are taken over."""
        self.local_addresses = local_addresses
        """What peers are told of this host's addresses; empty: nothing."""
        # Whether peers may come over it.
        self.ipv4 = ipv4
        self.ipv6 = ipv6


class Endpoint:
    """Sans-IO: datagrams and time in; datagrams, events and one deadline out.

    After any call, drain `datagrams_to_send` and `next_events`, and call `handle_timeout` when `next_timeout` has
    come. Times are
    seconds of any clock that does not go back.
    """

    __slots__ = (
        "config",
        "shared",
        "associations",
        "by_tag",
        "by_peer",
        "local_ports",
        "listeners",
        "jar",
        "reply_limit",
        "setup_limit",
        "next_id",
        "deadlines",
        "scheduled",
    )

    def __init__(self, config: Config, entropy: Entropy, route_table: RouteTable) -> None:
        self.config = config
        self.shared = Surroundings(entropy, route_table)
        self.associations: dict[int, Association] = {}
        self.by_tag: dict[int, Association] = {}
        self.by_peer: dict[tuple[int, int, str], Association] = {}
        """By local SCTP port, peer SCTP port and each peer address."""
        self.local_ports: dict[int, int] = {}
        """How many associations each local SCTP port has."""
        self.listeners: dict[int, Listener] = {}
        self.jar = CookieJar(entropy, config.cookie_secret_life, config.valid_cookie_life + handshake.MAX_PRESERVATIVE)
        self.reply_limit = ootb.ReplyLimit(config.ootb_replies_per_second)
        self.setup_limit = ootb.ReplyLimit(config.setup_replies_per_second)
        self.next_id = FIRST_ASSOCIATION_ID
        self.deadlines: list[Alarm] = []
        """Heap. An alarm may be early: its association is asked when it goes off."""
        self.scheduled: dict[int, Alarm] = {}
        """The next alarm of each association, by its id."""

    @property
    def counters(self) -> dict[str, int]:
        return self.shared.counters

    def fingerprint(self, now: float, names: Names | None = None) -> Hashable:
        """The state of all associations and listeners as a value: equal for states that behave alike.

        Drain before: what waits to be taken is no part of it. ``names``: how random numbers are called, shared
        between the ends of an association to relate their states. See `core.fingerprint`.
        """
        self._settle()
        names = names or InOrder()
        return (
            tuple((port, self.listeners[port].room) for port in sorted(self.listeners)),
            tuple(association.fingerprint(now, names) for association in self.associations.values()),
        )

    # --- the user's verbs ---

    def listen(
        self,
        port: int,
        settings: Settings,
        room: int,
        addresses: frozenset[str] = frozenset(),
        local_addresses: tuple[str, ...] = (),
        *,
        ipv4: bool = True,
        ipv6: bool = True,
    ) -> Listener:
        """Accept associations on a port, at ``addresses`` only or (empty) at all. ValueError: somebody does already.

        ``room``: how many at most. ``local_addresses``: addresses of this host that peers are told of.
        ``ipv4``, ``ipv6``: whether peers may come over it.
        """
        if port in self.listeners:
            raise ValueError(f"port {port} is listened on")
        listener = self.listeners[port] = Listener(port, settings, addresses, room, local_addresses, ipv4, ipv6)
        return listener

    def unlisten(self, port: int) -> None:
        del self.listeners[port]

    def associate(
        self,
        local_port: int,
        peer_port: int,
        route: Route,
        settings: Settings,
        now: float,
        *,
        alternates: Sequence[Route] = (),
        local_addresses: tuple[str, ...] = (),
    ) -> Association:
        """Begin to set up an association; `AssociationUp` or `AssociationLost` tells the outcome.

        ``alternates``: further addresses of the peer, known to be his. ``local_addresses``: addresses of this host
        that he is
        told of; none for a single-homed association. ValueError: there is one between these ports and this address
        already, or a port is not 1 to 65,535.
        """
        if not (0 < local_port <= 0xFFFF and 0 < peer_port <= 0xFFFF):
            raise ValueError(f"SCTP ports {local_port} and {peer_port} are not both within 1 to 65535")
        for address in (route.peer, *(alternate.peer for alternate in alternates)):
            holder = self.by_peer.get((local_port, peer_port, address))
            if holder is not None and holder.tcb.state is not State.CLOSED:
                raise ValueError(f"there is an association between port {local_port} and {address} port {peer_port}")
        tcb = Tcb(
            self._new_id(),
            settings.copy(),
            self.shared,
            route,
            (local_port, peer_port),
            local_tag=self._new_tag(),
            initial_tsn=self.shared.random32(),
            local_addresses=local_addresses,
        )
        for alternate in alternates:
            if alternate.peer not in tcb.paths.by_address:
                # RFC 9260 section 5.4, 1: what the user names is confirmed.
                mtu = self.shared.route_table.path_mtu(alternate)
                tcb.paths.add(Path(alternate, tcb.settings, mtu, confirmed=True))
        association = self._register(tcb)
        handshake.start(tcb, now)
        association.finish(now)
        return association

    def _new_id(self) -> int:
        id_ = self.next_id
        # sctp_assoc_t has 32 bits and a sign.
        self.next_id = id_ + 1 if id_ < 0x7FFFFFFF else FIRST_ASSOCIATION_ID
        return id_ if id_ not in self.associations else self._new_id()

    def _new_tag(self) -> int:
        """RFC 9260 section 5.3.1: random, not 0; and not in use here."""
        while True:
            tag = self.shared.random32()
            if tag and tag not in self.by_tag:
                return tag

    def _register(self, tcb: Tcb) -> Association:
        association = Association(tcb)
        self.associations[tcb.association_id] = association
        self.by_tag[tcb.local_tag] = association
        self.local_ports[tcb.local_port] = self.local_ports.get(tcb.local_port, 0) + 1
        self._index_addresses(association)
        self.shared.touched.add(tcb.association_id)
        return association

    def _index_addresses(self, association: Association) -> None:
        tcb = association.tcb
        for address in tcb.paths.by_address:
            key = (tcb.local_port, tcb.peer_port, address)
            holder = self.by_peer.get(key)
            # An association that has just ended may still be there.
            if holder is None or holder.tcb.state is State.CLOSED:
                self.by_peer[key] = association

    def _forget(self, association: Association) -> None:
        tcb = association.tcb
        del self.associations[tcb.association_id]
        if self.by_tag.get(tcb.local_tag) is association:
            del self.by_tag[tcb.local_tag]
        for address in tcb.paths.by_address:
            key = (tcb.local_port, tcb.peer_port, address)
            if self.by_peer.get(key) is association:
                del self.by_peer[key]
        self.scheduled.pop(tcb.association_id, None)
        left = self.local_ports.pop(tcb.local_port) - 1
        if left:
            self.local_ports[tcb.local_port] = left

    # --- the driver's side ---

    def datagrams_to_send(self, now: float) -> list[tuple[Route, bytes]]:  # noqa: ARG002 -- part of the contract
        """Take what waits to be sent, in order."""
        out = self.shared.out
        if not out:
            return []
        taken = out.copy()
        out.clear()
        return taken

    def next_events(self) -> list[Event]:
        """Take what has happened, in order."""
        events = self.shared.events
        if not events:
            return []
        taken = events.copy()
        events.clear()
        return taken

    def next_timeout(self) -> float:
        """When `handle_timeout` is due at the latest; ``math.inf``: nothing is scheduled."""
        self._settle()
        while self.deadlines:
            alarm = self.deadlines[0]
            if self.scheduled.get(alarm[1]) is alarm:
                return alarm[0]
            # Its association has ended.
            heappop(self.deadlines)
        return inf

    def handle_timeout(self, now: float) -> None:
        """Run the timers that are due, and with them the heartbeats of other associations that soon will be: so
        that thousands of idle ones cost a train of packets now and then, and not a wake-up each."""
        if self.next_timeout() > now:
            return
        while (due_at := self.next_timeout()) <= now + heartbeat.MAX_EARLY:
            id_ = self.deadlines[0][1]
            association = self.associations[id_]
            if due_at > now and not heartbeat.bring_forward(association.tcb, now):
                return
            later = heappop(self.deadlines)[2]
            if later is None:
                del self.scheduled[id_]
            else:
                self.scheduled[id_] = later
            # Timers that were put off leave their alarm behind.
            deadline = association.next_timeout()
            if deadline <= now:
                association.handle_timeout(now)
                self.shared.touched.add(id_)
            else:
                self._schedule(id_, deadline)

    def _settle(self) -> None:
        """Forget associations that have ended, and note the deadlines of those that have changed."""
        touched = self.shared.touched
        if not touched:
            return
        for id_ in touched:
            association = self.associations.get(id_)
            if association is None:
                continue
            if association.tcb.state is State.CLOSED:
                self._forget(association)
                continue
            if association.tcb.unindexed:
                association.tcb.unindexed = False
                self._index_addresses(association)
            self._schedule(id_, association.next_timeout())
        touched.clear()

    def _schedule(self, id_: int, deadline: float) -> None:
        """See to it that an alarm goes off by the deadline. One that is earlier stays: most timers are put off or
        stopped long before they are due, and then the heap is left alone."""
        alarm = self.scheduled.get(id_)
        if deadline < (inf if alarm is None else alarm[0]):
            alarm = self.scheduled[id_] = (deadline, id_, alarm)
            heappush(self.deadlines, alarm)

    # --- packets ---

    def receive_datagrams(self, batch: Sequence[tuple[Route, bytes]], now: float) -> None:
        """Process what a receive call brought. Whatever the bytes: no exception, and every discard is counted."""
        received: dict[int, Association] = {}
        # Most packets come from where the one before came: what was found out for that one holds for them.
        last_route: Route | None = None
        last_header = b""
        header_crc = 0
        known: tuple[Association, Tcb, Path] | None = None
        for route, datagram in batch:
            if len(datagram) < _SMALLEST_PACKET and self._is_empty(datagram):
                continue
            header = datagram[:8]
            if header != last_header:
                header_crc = crc32c(header + _NO_CHECKSUM)
                last_header = header
                last_route = None
            # RFC 9260 section 6.8: computed with zeros in the checksum's place. A slice is cheaper than a view.
            if crc32c(datagram[_COMMON_HEADER:], header_crc) != unpack_checksum(datagram, 8)[0]:
                self.shared.count("bad_checksum")
                continue
            if route is not last_route:
                source_port, destination_port, tag, _ = _unpack_header(datagram)
                known = self._addressee(route, source_port, destination_port, tag)
                last_route = route
            if known is not None:
                association, tcb, path = known
                if tcb.state is not _CLOSED and datagram[12] != cp.COOKIE_ECHO:
                    if route is not path.route and route.port != path.route.port:
                        self._learn_port(tcb, path, route, now)
                    association.receive(datagram, path, now)
                    received[tcb.association_id] = association
                    continue
            self._receive_slowly(route, datagram, source_port, destination_port, tag, received, now)
            # That may have begun, restarted or ended an association.
            last_route = None
        for association in received.values():
            association.finish(now)

    def _addressee(
        self, route: Route, source_port: int, destination_port: int, tag: int
    ) -> tuple[Association, Tcb, Path] | None:
        """The association whose tag, ports and addresses a packet has."""
        association = self.by_tag.get(tag)
        if association is None:
            return None
        tcb = association.tcb
        path = tcb.paths.by_address.get(route.peer)
        if path is None or tcb.peer_port != source_port or tcb.local_port != destination_port:
            return None
        return association, tcb, path

    def _is_empty(self, datagram: bytes) -> bool:
        """Whether a packet without room for a chunk is dropped here; one out of the blue takes the usual way."""
        if len(datagram) < _COMMON_HEADER:
            self.shared.count("truncated_packet")
            return True
        if checksum_ok(datagram) and _unpack_header(datagram)[2] in self.by_tag:
            self.shared.count("packet_without_chunk")
            return True
        return False

    def _learn_port(self, tcb: Tcb, path: Path, route: Route, now: float) -> None:
        """RFC 6951 section 5.4: the peer's UDP port is where its last packet came from, the tag being right."""
        self.shared.count("udp_port_changed")
        # RFC 4787 section 4.1: a NAT may have a port for each of our addresses, where only that address may answer.
        local = route.local if route.local in tcb.local_addresses else path.route.local
        path.route = Route(path.route.peer, route.port, local, route.local_port)
        if tcb.state in heartbeat.SENDING_STATES and path.heartbeat_timeout == inf:
            # Who has seen a packet can have a copy of it come from elsewhere (RFC 6951 section 8): the peer is asked
            # whether it is there. One question at a time, so that nobody is flooded with them.
            heartbeat.send(tcb, path, now)

    def _receive_slowly(
        self,
        route: Route,
        datagram: bytes,
        source_port: int,
        destination_port: int,
        tag: int,
        received: dict[int, Association],
        now: float,
    ) -> None:
        """A packet whose tag names no association between these addresses and ports."""
        if not source_port or not destination_port:
            # RFC 9260 section 3.1: port 0 is not used.
            self.shared.count("port_0")
            return
        if not is_unicast_text(route.peer):
            # RFC 9260 section 8.4, 1
            self.shared.count("non_unicast_source")
            return
        chunks, _ = split(datagram)
        ports = (destination_port, source_port)
        if any(chunk[0] == cp.INIT for chunk in chunks) or tag == 0:
            # RFC 9260 section 8.5.1, A: under tag 0 there is an INIT and nothing else, and an INIT nowhere else.
            if tag == 0 and len(chunks) == 1 and chunks[0][0] == cp.INIT:
                self._on_init(route, datagram, chunks[0], ports, now)
            else:
                self.shared.count("init_not_alone")
            return
        if chunks and chunks[0][0] == cp.COOKIE_ECHO:
            self._on_cookie_echo(route, datagram, chunks[0], ports, tag, received, now)
            return
        if (
            chunks
            and chunks[0][0] == cp.INIT_ACK
            and self._on_strange_init_ack(datagram, chunks[0], ports, tag, received, now)
        ):
            return
        association = self.by_peer.get((*ports, route.peer))
        if (
            association is None
            or association.tcb.state is State.CLOSED
            # RFC 9260 section 8.5.1, E: it belongs to an association before the one that is being set up.
            or (association.tcb.state in _SETUP_STATES and any(chunk[0] == cp.SHUTDOWN_ACK for chunk in chunks))
        ):
            ootb.answer(
                self.shared,
                self.reply_limit,
                route,
                datagram,
                chunks,
                (source_port, destination_port, tag),
                now,
            )
            return
        if tag == association.tcb.peer_tag:
            # RFC 9260 section 8.5.1, B and C: these two may carry the receiver's peer's tag, with the T bit set.
            for type_, flags, start, end in chunks:
                if flags & cp.FLAG_T and type_ == cp.ABORT:
                    association.aborted(datagram[start - 4 : end])
                    received[association.association_id] = association
                    return
                if flags & cp.FLAG_T and type_ == cp.SHUTDOWN_COMPLETE and len(chunks) == 1:
                    association.shutdown_complete()
                    received[association.association_id] = association
                    return
        # RFC 9260 section 8.5: the tag is wrong.
        self.shared.count("wrong_tag")

    def _on_strange_init_ack(
        self,
        datagram: bytes,
        chunk: tuple[int, int, int, int],
        ports: tuple[int, int],
        tag: int,
        received: dict[int, Association],
        now: float,
    ) -> bool:
        """RFC 9260 section 5.1.2, D: an INIT ACK from another address than the INIT went to, which it lists."""
        association = self.by_tag.get(tag)
        if association is None or association.tcb.state is not State.COOKIE_WAIT:
            return False
        tcb = association.tcb
        _, flags, start, end = chunk
        try:
            listed = InitAck.decode(flags, datagram[start:end]).parameters
        except PacketError:
            return False
        for parameter in listed:
            if isinstance(parameter, (Ipv4Address, Ipv6Address)) and (tcb.local_port, tcb.peer_port) == ports:
                path = tcb.paths.by_address.get(parameter.address)
                if path is not None:
                    association.receive(datagram, path, now)
                    received[association.association_id] = association
                    return True
        return False

    def _on_init(
        self,
        route: Route,
        datagram: bytes,
        chunk: tuple[int, int, int, int],
        ports: tuple[int, int],
        now: float,
    ) -> None:
        _, flags, start, end = chunk
        try:
            init = Init.decode(flags, datagram[start:end])
        except PacketError as error:
            self.shared.count(error.reason)
            return
        if init.initiate_tag == 0:
            # RFC 9260 section 3.3.2: silently discarded.
            self.shared.count("init_with_initiate_tag_0")
            return
        association = self._association_of(ports, route, init)
        if association is not None:
            self._on_init_for(association, route, init, ports, now)
            return
        listener = self._listener(ports[0], route.local, route.peer)
        if listener is None:
            ootb.refuse_init(self.shared, self.reply_limit, route, ports, init.initiate_tag, now)
            return
        if listener.room <= 0 or len(self.associations) >= self.config.max_associations:
            self.shared.count("init_without_room")
            self._answer_setup(route, ports, init.initiate_tag, _NO_ROOM, now)
            return
        if not self._may_answer_setup(now):
            return
        handshake.answer_init(
            init,
            route,
            ports,
            listener.settings,
            self.jar,
            self.shared,
            now,
            local_tag=self._new_tag(),
            local_addresses=listener.local_addresses,
        )

    def _listener(self, port: int, local: str, peer: str) -> Listener | None:
        listener = self.listeners.get(port)
        if listener is None or (listener.addresses and local and local not in listener.addresses):
            return None
        if not (listener.ipv6 if ":" in peer else listener.ipv4):
            return None
        return listener

    def _association_of(self, ports: tuple[int, int], route: Route, init: Init) -> Association | None:
        """RFC 9260 section 5.1.2, D: by the source address, or by any address that the INIT lists."""
        addresses = [route.peer]
        addresses += [p.address for p in init.parameters if isinstance(p, (Ipv4Address, Ipv6Address))]
        for address in addresses[: self.config.max_peer_addresses]:
            association = self.by_peer.get((*ports, address))
            if association is not None and association.tcb.state is not State.CLOSED:
                return association
        return None

    def _on_init_for(
        self, association: Association, route: Route, init: Init, ports: tuple[int, int], now: float
    ) -> None:
        """RFC 9260 section 5.2: an INIT for an association that exists."""
        tcb = association.tcb
        path = tcb.paths.by_address.get(route.peer)
        if path is not None and path.route.port != route.port:
            # Encaps-cons section 4, rule 7: another UDP port is another host behind the same NAT, or a restart from
            # it: refused.
            self.shared.count("init_from_new_udp_port")
            abort = Abort([RestartNewEncapsulationPort(path.route.port, route.port)]).encode()
            self._answer_setup(route, ports, init.initiate_tag, abort, now)
            return
        if path is None and tcb.state is State.COOKIE_WAIT:
            # RFC 9260 section 5.2.1, 1: an INIT ACK goes only to an address that the user named.
            self.shared.count("init_from_other_address")
            return
        if tcb.state is State.SHUTDOWN_ACK_SENT:
            # RFC 9260 section 9.2: the SHUTDOWN COMPLETE was lost; the peer needs the SHUTDOWN ACK again.
            proven = path if path is not None and path.is_confirmed else tcb.paths.current()
            tcb.send_now([ShutdownAck().encode()], proven)
            return
        if not self._may_answer_setup(now):
            return
        handshake.answer_init(
            init,
            route,
            ports,
            tcb.settings,
            self.jar,
            self.shared,
            now,
            tcb,
            self._new_tag(),
            tcb.local_addresses,
        )

    def _may_answer_setup(self, now: float) -> bool:
        """Whether one more INIT or COOKIE ECHO may be answered this second."""
        if self.setup_limit.allows(now):
            return True
        self.shared.count("setup_reply_limited")
        return False

    def _answer_setup(self, route: Route, ports: tuple[int, int], tag: int, chunk: bytes, now: float) -> None:
        """ABORT or ERROR to who wants to set up an association and can't."""
        if self._may_answer_setup(now):
            self.shared.out.append((route, encode(*ports, tag, [chunk])))

    def _on_cookie_echo(
        self,
        route: Route,
        datagram: bytes,
        chunk: tuple[int, int, int, int],
        ports: tuple[int, int],
        tag: int,
        received: dict[int, Association],
        now: float,
    ) -> None:
        """RFC 9260 sections 5.1.5 and 5.2.4; what is bundled behind the cookie belongs to the association it
        names."""
        _, _, start, end = chunk
        cookie = self.jar.verify(datagram[start:end], now)
        if cookie is None:
            self.shared.count("cookie_forged")
            return
        if (cookie.local_port, cookie.peer_port) != ports or cookie.local_tag != tag:
            self.shared.count("cookie_of_other_ports")
            return
        if cookie.route.port != route.port or route.peer not in (cookie.route.peer, *cookie.addresses):
            # RFC 5062 section 7: a cookie taken elsewhere.
            self.shared.count("cookie_of_other_address")
            return
        association = None
        for address in (cookie.route.peer, *cookie.addresses):
            association = association or self.by_peer.get((*ports, address))
        if association is not None and association.tcb.state is not State.CLOSED:
            association = self._resolve_cookie(association, cookie, route, now)
        else:
            association = self._accept(cookie, route, now)
        if association is not None:
            path = association.tcb.paths.by_address.get(route.peer, association.tcb.paths.primary)
            association.receive(datagram, path, now)
            received[association.association_id] = association

    def _send_stale(self, cookie: Cookie, route: Route, now: float) -> None:
        self.shared.count("cookie_stale")
        error = handshake.stale_cookie_error(cookie, now)
        self._answer_setup(route, (cookie.local_port, cookie.peer_port), cookie.peer_tag, error, now)

    def _accept(self, cookie: Cookie, route: Route, now: float) -> Association | None:
        if cookie.is_stale(now):
            self._send_stale(cookie, route, now)
            return None
        ports = (cookie.local_port, cookie.peer_port)
        listener = self._listener(cookie.local_port, route.local, route.peer)
        if (
            listener is None
            or listener.room <= 0
            or len(self.associations) >= self.config.max_associations
            or cookie.local_tag in self.by_tag
        ):
            self.shared.count("cookie_without_room")
            self._answer_setup(route, ports, cookie.peer_tag, _NO_ROOM, now)
            return None
        listener.room -= 1
        if cookie.route == route:
            # The driver has one object for all associations with that host.
            cookie.route = route
        tcb = handshake.tcb_of_cookie(
            cookie, listener.settings.copy(), self.shared, self._new_id(), listener.local_addresses
        )
        return self._register(tcb)

    def _resolve_cookie(self, association: Association, cookie: Cookie, route: Route, now: float) -> Association | None:
        """RFC 9260 section 5.2.4, table 12. None: what is bundled is discarded with the cookie."""
        tcb = association.tcb
        resolution = handshake.resolve(tcb, cookie)
        if cookie.is_stale(now) and resolution is not CookieResolution.DUPLICATE:
            self._send_stale(cookie, route, now)
            return None
        path = tcb.paths.by_address.get(route.peer)
        if path is not None:
            tcb.reply_path = path
        if resolution is CookieResolution.DUPLICATE:
            handshake.on_duplicate_cookie(tcb)
        elif resolution is CookieResolution.COLLISION:
            handshake.on_collision(tcb, cookie)
        elif resolution is CookieResolution.RESTART:
            if tcb.state is State.SHUTDOWN_ACK_SENT:
                error = Error([CookieReceivedWhileShuttingDown()]).encode()
                tcb.send_now([ShutdownAck().encode(), error], tcb.answer_path)
                return None
            del self.by_tag[tcb.local_tag]
            handshake.on_restart(tcb, cookie)
            self.by_tag[tcb.local_tag] = association
        else:
            self.shared.count("cookie_late" if resolution is CookieResolution.LATE else "cookie_unknown")
            return None
        return association

    # --- ICMP (RFC 9260 section 10) ---

    def handle_unreachable(self, quoted: bytes, now: float) -> None:
        """An ICMP "port unreachable" for a packet of ours, which it quotes.

        Soft, with one exception (RFC 6951 section 5.5): nobody listens where an INIT went. ``quoted`` has to hold
        that INIT with its
        Initiate Tag, which only who saw it can know.
        """
        if len(quoted) < 20 or quoted[12] != cp.INIT:
            self.shared.count("icmp_ignored")
            return
        source_port, destination_port, _, _ = _unpack_header(quoted)
        association = self.by_tag.get(int.from_bytes(quoted[16:20], "big"))
        if association is None or association.tcb.state is not State.COOKIE_WAIT:
            self.shared.count("icmp_ignored")
            return
        tcb = association.tcb
        if (tcb.local_port, tcb.peer_port) != (source_port, destination_port):
            self.shared.count("icmp_ignored")
            return
        tcb.lose(Loss.REFUSED)
        association.finish(now)

    def handle_packet_too_big(self, peer: str, quoted: bytes, now: float) -> None:
        """An ICMP "packet too big" or "fragmentation needed" for a packet of ours to ``peer``, which it quotes.

        How much is not too big is asked of the route table, which has heard it too (RFC 8899 section 4.6, RFC 9260
        section 10, ICMP7).
        """
        association = None
        if len(quoted) >= 8:
            source_port, destination_port, tag = _unpack_ports_and_tag(quoted)
            association = self.by_peer.get((source_port, destination_port, peer))
        # ICMP6: the tag proves that the quoted packet was ours. One with tag 0 holds an INIT, which is never large.
        if association is None or association.tcb.state is State.CLOSED or not tag or tag != association.tcb.peer_tag:
            self.shared.count("icmp_ignored")
            return
        pmtud.on_packet_too_big(association.tcb, association.tcb.paths.by_address[peer], now)
        association.finish(now)


_NO_ROOM = Abort([OutOfResource()]).encode()
"""RFC 9260 section 5.1: no resources for the association."""
