"""The transmission control block: everything an association knows, and the few verbs that every procedure needs.

Procedures (`handshake`, `shutdown`, `heartbeat`) are functions over it. They queue chunks with `queue`, report with
`report`, and change
the state with `enter`; `output` turns the queue into packets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

from pysctpstack.core.entropy import Entropy
from pysctpstack.core.path import Path, Paths, PathState
from pysctpstack.core.route import Route, RouteTable
from pysctpstack.core.rx.receiver import Receiver
from pysctpstack.core.settings import Settings
from pysctpstack.core.state import TRANSITIONS, State
from pysctpstack.core.timers import Timers
from pysctpstack.core.tx.send_queue import Message
from pysctpstack.core.tx.sender import Sender
from pysctpstack.events import (
    Acknowledged,
    AssociationLost,
    Event,
    Loss,
    PathChange,
    PathChanged,
    PathPotentiallyFailed,
    SendFailed,
    ShutdownReceived,
)
from pysctpstack.wire.causes import Cause
from pysctpstack.wire.chunks import Abort, CookieAck
from pysctpstack.wire.codepoints import ERROR
from pysctpstack.wire.packet import encode
from pysctpstack.wire.tlv import encode_chunk


@dataclass(slots=True)
class Surroundings:
    """What the associations of one endpoint share."""

    entropy: Entropy
    route_table: RouteTable
    events: list[Event] = field(default_factory=list)
    out: list[tuple[Route, bytes]] = field(default_factory=list)
    """Datagrams that wait to be taken by the driver."""
    counters: dict[str, int] = field(default_factory=dict)
    """Discards by reason, and other named counts."""
    touched: set[int] = field(default_factory=set)
    """Associations whose deadline or state may have changed since the endpoint looked."""

    def count(self, name: str) -> None:
        self.counters[name] = self.counters.get(name, 0) + 1

    def random32(self) -> int:
        return int.from_bytes(self.entropy.token(4), "big")


@dataclass(slots=True)
class Handshake:
    """What only the setup needs, dropped when it is over."""

    init: bytes
    """The INIT chunk, for retransmission."""
    path: Path
    """Where the INIT or the COOKIE ECHO goes next."""
    cookie_echo: bytes = b""
    errors: bytes = b""
    """An ERROR chunk that reports parameters of the INIT ACK, bundled with the COOKIE ECHO."""
    attempts: int = 0
    """Retransmissions of the INIT, or of the COOKIE ECHO."""
    stale_cookies: int = 0
    """Stale Cookie errors, each of which has begun the handshake anew."""
    cookie_sent_at: float = 0.0
    adaptation: int = 0
    """The peer's Adaptation Code Point (RFC 5061 section 4.2.6); 0: none."""
    preservative: int = 0
    """Milliseconds asked for after a Stale Cookie error (RFC 9260 section 5.2.6)."""


class Tcb:
    __slots__ = (
        "association_id",
        "settings",
        "shared",
        "state",
        "local_port",
        "peer_port",
        "local_tag",
        "peer_tag",
        "local_tie_tag",
        "peer_tie_tag",
        "initial_tsn",
        "accepted",
        "local_addresses",
        "paths",
        "reply_path",
        "data_path",
        "probes_until",
        "probes",
        "timers",
        "sender",
        "receiver",
        "handshake",
        "error_count",
        "control",
        "errors",
        "unindexed",
        "left_out",
        "shutdown_wanted",
        "was_established",
        "newly_established",
        "acknowledged",
        "dry_reported",
        "sack_wanted",
        "forward_tsn",
        "activity",
        "packets_sent",
        "packets_received",
        "control_sent",
        "control_received",
        "sacks_received",
        "gap_blocks_received",
    )

    def __init__(
        self,
        association_id: int,
        settings: Settings,
        shared: Surroundings,
        route: Route,
        ports: tuple[int, int],
        *,
        local_tag: int,
        initial_tsn: int,
        local_addresses: tuple[str, ...] = (),
    ) -> None:
        self.association_id = association_id
        self.settings = settings
        self.shared = shared
        self.state = State.CLOSED
        self.local_port, self.peer_port = ports
        self.local_tag = local_tag
        self.peer_tag = 0
        # RFC 9260 section 5.2.2: nonces of their own, so that a cookie does not show the tags in use.
        self.local_tie_tag = 0
        self.peer_tie_tag = 0
        self.initial_tsn = initial_tsn
        """Of the TSNs that are sent."""
        self.accepted = False
        self.local_addresses = local_addresses
        """Addresses of this host that peers are told of; empty: none, the association is single-homed here."""
        self.paths = Paths(Path(route, settings, shared.route_table.path_mtu(route), confirmed=True))
        self.data_path = self.reply_path = self.paths.primary
        """Where the last packet came from (RFC 9260 section 6.4: replies go there)."""
        self.probes_until = 0.0
        """HB.Max.Burst counts until then."""
        self.probes = 0
        """HEARTBEATs to unconfirmed addresses since it began to."""
        self.timers = Timers()
        self.sender = Sender(settings, self.paths, initial_tsn, settings.outbound_streams, 0)
        self.receiver = Receiver(association_id, shared.events, shared.counters, settings, 1, 0)
        self.handshake: Handshake | None = None
        self.error_count = 0
        """Retransmissions in a row, for the association as a whole (RFC 9260 section 8.1)."""
        self.control: list[tuple[bytes, Path | None]] = []
        """Control chunks that wait for the next packet; None: to the current path."""
        self.errors: dict[int, bytes] = {}
        """Error causes of the packet at hand, each reported once; the keys only tell them apart."""
        self.left_out: frozenset[str] = frozenset()
        """Addresses that the peer listed and that can't be used from here: no paths, and not new either."""
        self.unindexed = False
        """Addresses have been added that the endpoint does not know yet."""
        self.shutdown_wanted = False
        """The user closed before the association was up."""
        self.was_established = False
        self.newly_established = False
        """ESTABLISHED has been entered, and what begins with it has not begun."""
        self.acknowledged = Acknowledged(association_id)
        self.dry_reported = True
        self.sack_wanted = False
        """A SACK has to leave with the next flush."""
        self.forward_tsn = False
        """Both ends support FORWARD TSN (RFC 3758 section 3.3)."""
        # For SCTP_GET_ASSOC_STATS. Control chunks: without the SACKs that go with other chunks.
        self.packets_sent = self.packets_received = 0
        self.control_sent = self.control_received = 0
        self.sacks_received = self.gap_blocks_received = 0
        self.activity = -1
        """What has been sent and received, when it was looked at last (SCTP_AUTOCLOSE)."""

    # --- states ---

    def enter(self, state: State) -> None:
        if state not in TRANSITIONS[self.state]:
            raise AssertionError(f"no transition from {self.state.value} to {state.value}")
        self.state = state
        if state is State.ESTABLISHED:
            self.was_established = self.newly_established = True
        elif state is State.CLOSED:
            self.timers.stop_all()
            self.control.clear()
            for path in self.paths:
                path.t3_deadline = path.heartbeat_deadline = path.heartbeat_timeout = path.probe_deadline = inf

    def report(self, event: Event) -> None:
        self.shared.events.append(event)

    @property
    def answer_path(self) -> Path:
        """Where answers go: back to where the packet came from (RFC 9260 section 6.4), if that is proven (section
        5.4)."""
        return self.reply_path if self.reply_path.is_confirmed else self.paths.current()

    @property
    def sack_path(self) -> Path:
        """Where SACKs go: to where the last DATA came from (RFC 9260 section 6.4)."""
        return self.data_path if self.data_path.is_confirmed else self.paths.current()

    def set_peer(
        self,
        *,
        tag: int,
        initial_tsn: int,
        a_rwnd: int,
        outbound_streams: int,
        inbound_streams: int,
        forward_tsn: bool,
    ) -> None:
        """What INIT, INIT ACK or a cookie told of the peer: ready to receive, and to send up to ``a_rwnd`` bytes."""
        self.peer_tag = tag
        self.receiver = Receiver(
            self.association_id,
            self.shared.events,
            self.shared.counters,
            self.settings,
            initial_tsn,
            inbound_streams,
        )
        self.sender.rwnd = self.sender.largest_rwnd = a_rwnd
        self.sender.outbound_streams = outbound_streams
        self.forward_tsn = forward_tsn
        self.sender.use_partial_reliability(forward_tsn)

    # --- packets ---

    def queue(self, chunk: bytes, path: Path | None = None) -> None:
        """Have a control chunk sent with the next packet to ``path`` (None: the current one)."""
        self.control.append((chunk, path))

    def queue_cookie_ack(self) -> None:
        """COOKIE ACK is the first chunk of its packet (RFC 9260 section 5.1, D)."""
        self.control.insert(0, (CookieAck().encode(), self.answer_path))

    def queue_errors(self) -> None:
        """Report the errors of a packet, as many as fit into one ERROR chunk of one packet."""
        path = self.answer_path
        room = path.packet_size - 12 - 4
        causes: list[bytes] = []
        for cause in self.errors.values():
            room -= len(cause)
            if room < 0:
                self.shared.count("errors_not_reported")
                break
            causes.append(cause)
        self.errors.clear()
        if causes:
            self.queue(encode_chunk(ERROR, 0, b"".join(causes)), path)

    def send_now(self, chunks: Sequence[bytes], path: Path) -> None:
        """Send a packet of just these chunks."""
        self.packets_sent += 1
        self.control_sent += len(chunks)
        self.shared.out.append((path.route, encode(self.local_port, self.peer_port, self.peer_tag, chunks)))

    # --- failure ---

    def count_error(self, path: Path, now: float) -> bool:
        """A transmission to ``path`` was not answered (RFC 9260 sections 8.1 and 8.2). False: the peer is given
        up."""
        self.error_count += 1
        self.count_path_error(path, now)
        if self.error_count > self.settings.association_max_retrans:
            self.lose(Loss.TIMED_OUT)
            return False
        return True

    def count_path_error(self, path: Path, now: float) -> None:
        """Only the path's counter: the association goes on (section 8.2)."""
        if path.state is PathState.INACTIVE:
            return
        path.error_count += 1
        if path.error_count > path.path_max_retrans:
            path.state = PathState.INACTIVE
            self.report(PathChanged(self.association_id, path.address, PathChange.UNREACHABLE))
        elif (
            path.state is PathState.ACTIVE
            and len(self.paths) > 1
            and path.error_count > path.potentially_failed_max_retrans
        ):
            # RFC 7829 section 4.2, 1 and 4: probed at once, and not used while another path works.
            path.state = PathState.POTENTIALLY_FAILED
            path.heartbeat_deadline = now
            self.report(PathPotentiallyFailed(self.association_id, path.address))
        if path is self.paths.primary and path.error_count > path.primary_switchover_max_retrans:
            # RFC 7829 section 5: for good, not just until it works again.
            other = self.paths.alternate(path)
            if other.state is PathState.ACTIVE:
                self.set_primary(other)

    def set_primary(self, path: Path) -> None:
        """New data goes to this address from now on, while it works (RFC 9260 section 11.1.7)."""
        self.paths.primary = path
        self.report(PathChanged(self.association_id, path.address, PathChange.MADE_PRIMARY))

    def path_works(self, path: Path) -> None:
        """Something sent to ``path`` was acknowledged (RFC 9260 section 8.2)."""
        path.error_count = 0
        if path.state is PathState.POTENTIALLY_FAILED:
            path.state = PathState.ACTIVE
        elif path.state is PathState.INACTIVE:
            path.state = PathState.ACTIVE
            self.report(PathChanged(self.association_id, path.address, PathChange.AVAILABLE))

    def set_path_mtu(self, path: Path, mtu: int) -> None:
        """``mtu``: bytes of an IP datagram, all headers counted."""
        self.paths.set_mtu(path, mtu)

    def note_acknowledged(self) -> None:
        """A SACK, or what stands for one, has been processed: tell the paths and the user what it freed."""
        freed = False
        for path in self.paths:
            if path.newly_acked:
                freed = True
                self.path_works(path)
                if path.search.expirations:
                    path.search.acknowledged(path.newly_acked, self.sender.cumulative, alone=len(self.paths) == 1)
        answered = self.sender.partial.answered
        if answered is not None:
            # A FORWARD TSN, which is retransmitted and counted as DATA is (RFC 3758 section 3.5, C5).
            self.sender.partial.answered = None
            freed = True
            self.path_works(answered)
        if freed:
            # RFC 9260 section 8.1: the peer answers.
            self.error_count = 0
            self.report(self.acknowledged)

    def abort(self, causes: list[Cause], loss: Loss = Loss.LOCAL) -> None:
        """Send ABORT and end the association (RFC 9260 section 9.1)."""
        chunk = Abort(causes).encode()
        if self.state is not State.COOKIE_WAIT:
            # In COOKIE-WAIT the peer's tag is not known, and it holds no state that could be aborted.
            path = self.paths.current()
            room = path.packet_size - 12
            self.send_now([chunk if len(chunk) <= room else Abort([]).encode()], path)
        self.lose(loss, causes[0].code if causes else 0, chunk)

    def lose(self, loss: Loss, cause: int = 0, abort: bytes = b"") -> None:
        """End the association and tell the user, with every message that the peer has not acknowledged."""
        established = self.was_established
        self.receiver.abandon()
        self.enter(State.CLOSED)
        self.report(AssociationLost(self.association_id, loss, established, cause, abort))
        for message, sent in self.sender.take_undelivered():
            self.report_failed(message, sent=sent, error=cause)

    def report_failed(self, message: Message, *, sent: bool, error: int = 0) -> None:
        self.report(
            SendFailed(
                self.association_id,
                message.stream_id,
                message.ppid,
                message.context,
                message.unordered,
                sent,
                error,
                message.data,
                self.was_established,
            )
        )

    def report_shutdown(self) -> None:
        self.report(ShutdownReceived(self.association_id))
