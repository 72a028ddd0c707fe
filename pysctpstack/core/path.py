"""One destination address of the peer: its reachability, round-trip time, congestion window and MTU.

RFC 9260 keeps these per destination transport address; several are the general case, one is the usual one.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from math import inf
from typing import Final

from pysctpstack.core.congestion import CongestionControl
from pysctpstack.core.mtu_search import MIN_PLPMTU, MtuSearch
from pysctpstack.core.route import Route
from pysctpstack.core.rto import RtoEstimator
from pysctpstack.core.settings import Settings

IPV4_HEADER: Final = 20
IPV6_HEADER: Final = 40
UDP_HEADER: Final = 8
COMMON_HEADER: Final = 12
MAX_IPV4_DATAGRAM: Final = 65_535


class PathState(Enum):
    UNCONFIRMED = "unconfirmed"
    ACTIVE = "active"
    POTENTIALLY_FAILED = "potentially failed"
    """RFC 7829: it has not answered lately; others are preferred, and it is probed each RTO."""
    INACTIVE = "inactive"


class Path:
    __slots__ = (
        "address",
        "route",
        "state",
        "is_confirmed",
        "rto",
        "congestion",
        "header_size",
        "mtu",
        "packet_size",
        "search",
        "error_count",
        "path_max_retrans",
        "potentially_failed_max_retrans",
        "primary_switchover_max_retrans",
        "heartbeat_interval",
        "heartbeats",
        "sack_delay",
        "delays_sacks",
        "discovers_mtu",
        "t3_deadline",
        "heartbeat_deadline",
        "heartbeat_timeout",
        "probe_deadline",
        "heartbeat_nonce",
        "heartbeat_sent_at",
        "rtt_tsn",
        "rtt_sent_at",
        "last_sent_at",
        "newly_acked",
        "newly_acked_packets",
        "window_used",
        "restart_t3",
    )

    def __init__(self, route: Route, settings: Settings, mtu: int, *, confirmed: bool) -> None:
        self.address = route.peer
        self.route = route
        self.state = PathState.ACTIVE if confirmed else PathState.UNCONFIRMED
        self.is_confirmed = confirmed
        """The peer has been shown to be there (RFC 9260 section 5.4): before, nothing but probes goes there, not even
        when the path is given up as inactive."""
        self.rto = RtoEstimator(settings.rto_initial, settings.rto_min, settings.rto_max)
        ipv6 = ":" in self.address
        self.header_size = (IPV6_HEADER if ipv6 else IPV4_HEADER) + UDP_HEADER
        """Bytes of a datagram before the SCTP packet."""
        self.discovers_mtu = settings.discovers_mtu
        if not settings.discovers_mtu and settings.path_mtu:
            mtu = settings.path_mtu
        self._set_size(mtu)
        self.search = MtuSearch(
            self.header_size + COMMON_HEADER, ipv6=ipv6, enabled=settings.plpmtud and settings.discovers_mtu
        )
        self.congestion = CongestionControl(self.packet_size - COMMON_HEADER, ipv6=":" in self.address)
        self.error_count = 0
        # What SCTP_PEER_ADDR_PARAMS and SCTP_PEER_ADDR_THLDS may change for this address alone; see `Settings`.
        self.path_max_retrans = settings.path_max_retrans
        self.potentially_failed_max_retrans = settings.potentially_failed_max_retrans
        self.primary_switchover_max_retrans = settings.primary_switchover_max_retrans
        self.heartbeat_interval = settings.heartbeat_interval
        self.heartbeats = settings.heartbeats
        self.sack_delay = settings.sack_delay
        self.delays_sacks = settings.delays_sacks
        self.t3_deadline = inf
        self.heartbeat_deadline = inf
        """When the next HEARTBEAT is due, if the path is idle until then."""
        self.heartbeat_timeout = inf
        """When the HEARTBEAT in flight counts as unanswered."""
        self.probe_deadline = inf
        """When the search for the path MTU goes on (RFC 8899 section 5.1.1)."""
        self.heartbeat_nonce = b""
        self.heartbeat_sent_at = 0.0
        # RFC 9260 section 6.3.1, C4: one measurement per round trip. -1: none under way.
        self.rtt_tsn = -1
        self.rtt_sent_at = 0.0
        self.last_sent_at = -inf
        """When DATA was last sent here, for the cwnd of an idle path (RFC 9260 section 7.2.1)."""
        self.window_used = False
        """cwnd was what held more back when the last packet left."""
        # What the SACK that is being processed said of this path.
        self.newly_acked = 0
        self.newly_acked_packets = 0
        self.restart_t3 = False

    def _set_size(self, mtu: int) -> None:
        self.mtu = max(min(mtu, MAX_IPV4_DATAGRAM), MIN_PLPMTU)
        # A chunk ends on a 4-byte boundary, so what exceeds one can't be used.
        self.packet_size = (self.mtu - self.header_size) & ~3
        """Bytes of the largest SCTP packet, common header included."""

    def set_mtu(self, mtu: int) -> None:
        """``mtu``: bytes of an IP datagram, all headers counted. `Paths.set_mtu` tells the other paths too."""
        self._set_size(mtu)
        self.congestion.resize(self.packet_size - COMMON_HEADER)

    def reset_congestion(self) -> None:
        """Back to the initial cwnd (RFC 9260 sections 5.2.4, A and 7.2.5)."""
        self.congestion = CongestionControl(self.packet_size - COMMON_HEADER, ipv6=":" in self.address)
        self.rtt_tsn = -1

    def confirm(self) -> None:
        """A probe's nonce came back."""
        self.is_confirmed = True
        self.state = PathState.ACTIVE


class Paths:
    """The peer's addresses. ``by_address`` keeps the order in which they became known."""

    __slots__ = ("by_address", "primary", "fragment_size")

    def __init__(self, primary: Path) -> None:
        self.by_address: dict[str, Path] = {primary.address: primary}
        self.primary = primary
        self.fragment_size = primary.packet_size
        """Bytes of the largest SCTP packet that every path takes: a fragment that fits it can be sent again to any
        address (AMDCS, RFC 9260 section 7.3)."""

    def __iter__(self) -> Iterator[Path]:
        return iter(self.by_address.values())

    def __len__(self) -> int:
        return len(self.by_address)

    def add(self, path: Path) -> None:
        self.by_address[path.address] = path
        self.fragment_size = min(self.fragment_size, path.packet_size)

    def set_mtu(self, path: Path, mtu: int) -> None:
        """The MTU of ``path`` is found to be another: bytes of an IP datagram, all headers counted."""
        path.set_mtu(mtu)
        self.fragment_size = min(other.packet_size for other in self)

    def current(self) -> Path:
        """Where new DATA goes: the primary path, or another while that does not work (RFC 9260 section 6.4.1)."""
        primary = self.primary
        if primary.state is PathState.ACTIVE or len(self.by_address) == 1:
            return primary
        return self._best([*self._in_turn_after(primary), primary])

    def alternate(self, path: Path) -> Path:
        """Another path than ``path``, for what timed out there (RFC 9260 section 6.4); ``path`` if there is none."""
        if len(self.by_address) == 1:
            return path
        others = [other for other in self._in_turn_after(path) if other.is_confirmed]
        best = self._best(others) if others else path
        # Better back to where it failed once than to where everything fails.
        return path if path.is_confirmed and _RANK[path.state] < _RANK[best.state] else best

    def _in_turn_after(self, path: Path) -> list[Path]:
        paths = list(self.by_address.values())
        at = paths.index(path)
        return paths[at + 1 :] + paths[:at]

    def _best(self, candidates: list[Path]) -> Path:
        """The first of the best: active ones, then the potentially failed with the fewest errors (RFC 7829 section
        4.2),
        then inactive ones, since one of them may have recovered."""
        confirmed = [path for path in candidates if path.is_confirmed]
        return min(confirmed, key=lambda path: (_RANK[path.state], path.error_count), default=self.primary)


_RANK: Final = {
    PathState.ACTIVE: 0,
    PathState.POTENTIALLY_FAILED: 1,
    PathState.INACTIVE: 2,
    PathState.UNCONFIRMED: 3,
}
