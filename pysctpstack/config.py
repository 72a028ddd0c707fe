"""Every knob of a stack, with its unit, its default and the section that names it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

UDP_PORT_VARIABLE = "PYSCTPSTACK_UDP_PORT"
REMOTE_UDP_PORT_VARIABLE = "PYSCTPSTACK_REMOTE_UDP_PORT"


@dataclass(frozen=True)
class Config:
    """The settings of one stack. Times are seconds, sizes are bytes, unless a field says otherwise.

    Sockets start from these values and may change their own through socket options.
    """

    # --- UDP encapsulation (RFC 6951) ---
    udp_port: int = 9899
    """Local UDP port. A stack that only connects takes an ephemeral one when this is taken."""
    remote_udp_port: int = 9899
    """UDP port of peers that have not told theirs (SCTP_REMOTE_UDP_ENCAPS_PORT overrides it)."""
    udp_addresses: tuple[str, ...] = ()
    """Local addresses to have UDP sockets at, one each, where the wildcard address of each family is not wanted:
    several stacks may
    then share a UDP port, and the local address of a packet is known on every system."""
    path_mtu: int = 0
    """Upper bound of the path MTU (an IP datagram, all headers counted). 0: the route's MTU."""
    multihome: bool = False
    """List the host's addresses in INIT and INIT ACK even for a wildcard bind (RFC 6951 section 5.7 says not to)."""
    gso: bool = True
    """Send trains of equal datagrams in one call where the system can (Linux UDP_SEGMENT)."""
    gro: bool = True
    """Receive trains of equal datagrams in one call where the system can (Linux UDP_GRO)."""
    pktinfo: bool = True
    """Learn each datagram's local address where the system can (IP_PKTINFO)."""
    icmp_errors: bool = True
    """Learn of unreachable peers in the COOKIE-WAIT state where the system can (Linux IP_RECVERR)."""

    # --- timers and retransmission (RFC 9260 section 16) ---
    rto_initial: float = 1.0
    rto_min: float = 1.0
    rto_max: float = 60.0
    association_max_retrans: int = 10
    path_max_retrans: int = 5
    potentially_failed_max_retrans: int = 0
    """Errors of a path after which another is preferred, long before it is inactive (PFMR of RFC 7829)."""
    max_init_retransmits: int = 8
    heartbeat_interval: float = 15.0
    """RFC 9260 has 30 s; a NAT forgets a UDP binding sooner (RFC 6951 section 5.7 asks for shorter ones)."""
    heartbeat_max_burst: int = 1
    """Paths that are probed at once (HB.Max.Burst)."""
    valid_cookie_life: float = 60.0
    cookie_secret_life: float = 3600.0
    """A cookie's signing key is replaced after this time; the one before stays valid for one Valid.Cookie.Life."""
    shutdown_guard: float = 0.0
    """T5-shutdown-guard. 0: five times RTO.Max (RFC 9260 section 9.2)."""

    # --- acknowledgement (RFC 9260 section 6.2) ---
    sack_delay: float = 0.2
    sack_frequency: int = 2
    """A SACK for every so many packets; see ``strict_sack``."""
    sack_train_after: int = 65_536
    """Bytes received since the start, an idle time or a gap, after which one SACK a batch of datagrams is enough."""
    strict_sack: bool = False
    """Keep to one SACK for every ``sack_frequency`` packets, also inside a batch."""

    # --- congestion control (RFC 9260 section 7) ---
    max_burst: int = 4
    """Packets that may leave at once beyond those newly acknowledged (Max.Burst)."""

    # --- extensions ---
    pr_sctp: bool = True
    """Partial reliability (RFC 3758): a message's life time holds for what has been sent of it, too."""

    # --- path MTU discovery (RFC 8899) ---
    plpmtud: bool = False
    """Search for the path MTU with probes, from 1,200 bytes up to the route's, where the system controls DF. Without
    it the path MTU is the route's, until packets of that size turn out to vanish: then it is 1,200 bytes."""
    plpmtud_probe_interval: float = 20.0
    """How long the answer to a probe is waited for; 1 at least, and more than 15 is good (RFC 8899 section 5.1.1)."""

    # --- streams and buffers ---
    outbound_streams: int = 10
    max_inbound_streams: int = 65_535
    send_buffer: int = 212_992
    """SO_SNDBUF of new sockets."""
    receive_buffer: int = 212_992
    """SO_RCVBUF of new sockets; the a_rwnd that is announced."""
    backlog_limit: int = 4_096
    """Upper bound of ``listen(backlog)``."""

    # --- latency ---
    busy_poll: float = 0.0
    """For so long a call that blocks looks for packets again and again before it sleeps, and so does without the time
    that waking up takes; processor time for latency, as SO_BUSY_POLL of Linux. 0.0001 suits a peer that answers at
    once."""

    # --- what a peer may cost ---
    max_associations: int = 65_536
    """Associations of one stack; an INIT or COOKIE ECHO beyond is answered with ABORT (Out of Resource)."""
    max_peer_addresses: int = 16
    """Addresses of a peer that are kept for an association; those that it lists beyond are ignored."""
    max_overhead: int = 16
    """What small messages and fragments cost beyond their bytes (each counts as 256 at least) may be so many times
    the
    receive buffer; DATA beyond is dropped."""
    max_echo: int = 512
    """Bytes of unknown parameters of an INIT that its INIT ACK repeats; those beyond are not reported."""
    max_gap_blocks: int = 300
    """Gap Ack Blocks kept for received DATA; DATA that would open another is dropped."""
    max_duplicates: int = 20
    """Duplicate TSNs reported in one SACK."""
    setup_replies_per_second: int = 20_000
    """INIT ACK, and ABORT or ERROR in answer to INIT and COOKIE ECHO, that the stack sends a second."""
    ootb_replies_per_second: int = 1_000
    """ABORT and SHUTDOWN COMPLETE that the stack answers packets of no association with, a second."""

    # --- the process ---
    exit_linger: float = 5.0
    """At interpreter exit: the longest wait for the last messages and the SHUTDOWN to complete."""

    def __post_init__(self) -> None:
        """ValueError for what no association could be set up with, or what an RFC rules out."""
        if not 0.0 < self.sack_delay <= 0.5:
            # RFC 9260 section 6.2
            raise ValueError(f"sack_delay={self.sack_delay} is not within 0 to 0.5 seconds")
        if self.receive_buffer < 1_500:
            # RFC 9260 section 3.3.2: the smallest window that an INIT may announce
            raise ValueError(f"receive_buffer={self.receive_buffer} is below 1,500 bytes")
        for name in ("outbound_streams", "max_inbound_streams"):
            if not 1 <= getattr(self, name) <= 65_535:
                raise ValueError(f"{name}={getattr(self, name)} is not within 1 to 65,535")
        if not 0.0 <= self.busy_poll <= 1.0:
            raise ValueError(f"busy_poll={self.busy_poll} is not within 0 to 1 seconds")
        for name in ("udp_port", "remote_udp_port"):
            if not 0 <= getattr(self, name) <= 65_535:
                raise ValueError(f"{name}={getattr(self, name)} is not a UDP port")
        if not 0.0 < self.rto_min <= self.rto_initial <= self.rto_max:
            raise ValueError(
                f"rto_min={self.rto_min}, rto_initial={self.rto_initial} and rto_max={self.rto_max} are not in order"
            )


def config_of_environment() -> Config:
    """That of the default stacks: their UDP ports come from the environment. ValueError: a variable is no port."""
    config = Config()
    return replace(
        config,
        udp_port=_port_of_environment(UDP_PORT_VARIABLE, config.udp_port),
        remote_udp_port=_port_of_environment(REMOTE_UDP_PORT_VARIABLE, config.remote_udp_port),
    )


def _port_of_environment(variable: str, default: int) -> int:
    text = os.environ.get(variable, "")
    if not text:
        return default
    if not text.isdigit() or int(text) > 65_535:
        raise ValueError(f"{variable}={text!r} is not a UDP port")
    return int(text)
