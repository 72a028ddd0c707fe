"""What the checker looks for, what it takes into account, and what it tells."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final, Protocol


class Seen(Protocol):
    """One captured SCTP packet, as `pysctpstack.decode.SctpPacket` has it."""

    number: int
    """The frame's number in its capture."""
    time: float
    """Seconds; only differences matter."""
    source: str
    destination: str
    data: bytes
    """From the common header on."""
    missing: int
    """Bytes at its end that were not captured."""


#: Every rule: where it stands (RFC 9260 unless another is named), how strong it is there, and what it demands.
RULES: Final[dict[str, tuple[str, str, str]]] = {
    "checksum": ("6.8", "MUST", "the CRC32c is right"),
    "chunk-length": ("3.2, 6.10", "MUST", "chunks are at least 4 bytes long, whole, and fill the packet"),
    "malformed": ("3.3", "MUST", "a chunk has its fixed fields, and parameters and causes that fit into it"),
    "padding": ("3.2", "MUST", "chunks and parameters are padded to 4 bytes, with zeros"),
    "flags": ("3.2", "MUST", "flags that have no meaning are 0"),
    "bundling": ("6.10", "MUST", "INIT, INIT ACK and SHUTDOWN COMPLETE travel alone"),
    "bundling-order": ("6.10", "MUST", "control chunks stand before DATA, and DATA in the order of the TSNs"),
    "abort-data": ("3.3.7", "MUST", "DATA is not bundled with ABORT, and nothing follows ABORT"),
    "cookie-first": ("5.1", "MUST", "COOKIE ECHO and COOKIE ACK are the first chunk of their packet"),
    "tag": ("8.5", "MUST", "a packet carries the tag that its receiver chose; an INIT, and nothing else, carries 0"),
    "t-bit": ("8.5.1", "MUST", "the T bit is set when, and only when, the tag is the sender's own"),
    "init-values": ("3.3.2, 3.3.3", "MUST", "Initiate Tag and stream numbers are not 0, a_rwnd is 1,500 at least"),
    "init-ack-cookie": ("3.3.3", "MUST", "an INIT ACK has a State Cookie"),
    "handshake": ("5.1", "MUST", "INIT, INIT ACK, COOKIE ECHO, COOKIE ACK come in this order, DATA not before its cue"),
    "cookie": ("5.1", "MUST", "COOKIE ECHO returns the State Cookie of the INIT ACK"),
    "tsn-start": ("3.3.2", "MUST", "the first TSN is the Initial TSN"),
    "tsn-reuse": ("3.3.1", "MUST", "a TSN is sent again with the same content only"),
    "tsn-gap": ("1.5.5", "MUST", "TSNs have no gap that is never filled"),
    "acked-resent": ("6.3.3", "MUST", "what is acknowledged cumulatively is not sent again"),
    "early-retransmission": ("6.3.1", "SHOULD", "without a gap report, RTO.Min passes before a chunk is sent again"),
    "backoff": ("6.3.3", "MUST", "each time-out in a row takes twice as long, up to RTO.Max and not beyond"),
    "sack-backwards": ("6.2", "MUST", "the Cumulative TSN Ack never goes back"),
    "sack-gaps": ("3.3.4", "SHOULD", "Gap Ack Blocks begin at 2, do not run backwards, ascend and stand apart"),
    "sack-unsent": ("3.3.4", "MUST", "only TSNs that were sent are acknowledged"),
    "sack-delay": ("6.2", "MUST", "no acknowledgement waits for more than 500 ms"),
    "sack-frequency": ("6.2", "SHOULD", "at least every second packet is acknowledged"),
    "window": ("6.1, A", "MUST", "no new DATA goes beyond a_rwnd, but for one chunk as a probe"),
    "no-user-data": ("3.3.1", "MUST", "a DATA chunk has user data"),
    "stream-id": ("5.1.1", "MUST", "stream identifiers are below the negotiated number of streams"),
    "ssn": ("6.5", "MUST", "the ordered messages of a stream have SSNs in order, from 0"),
    "fragments": (
        "6.9",
        "MUST",
        "the fragments of a message have consecutive TSNs, one stream, SSN and U bit, B first, E last",
    ),
    "ppid": ("3.3.1", "MUST", "all fragments of a message have the same PPID"),
    "heartbeat": ("8.3", "MUST", "HEARTBEAT is answered with HEARTBEAT ACK, until SHUTDOWN or SHUTDOWN ACK is sent"),
    "heartbeat-ack": ("8.3", "MUST", "HEARTBEAT ACK brings the information of a HEARTBEAT back"),
    "shutdown-outstanding": ("9.2", "MUST", "SHUTDOWN is sent when all own DATA has been acknowledged"),
    "shutdown-data": ("9.2", "MUST", "no new DATA comes after SHUTDOWN or SHUTDOWN ACK"),
    "shutdown-order": ("9.2", "MUST", "SHUTDOWN, SHUTDOWN ACK, SHUTDOWN COMPLETE come in this order"),
    "after-end": ("9.1, 9.2", "MUST", "nothing is sent after ABORT or SHUTDOWN COMPLETE"),
    "forward-unsupported": ("RFC 3758 3.3.1", "MUST", "FORWARD TSN is sent to peers that announced it"),
    "forward-backwards": ("RFC 3758 3.5", "MUST", "the New Cumulative TSN never goes back"),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a capture may show without a finding. Times in seconds."""

    reorder: float = 0.25
    """How much earlier a packet may have been sent than one that was captured before it."""
    duplicate: float = 0.25
    """Within this time, the same bytes again are a copy that the network made, or the capture."""
    latency: float = 0.1
    """What a host may take to react, besides the protocol's own times and the round trip."""
    rto_min: float = 1.0
    rto_max: float = 60.0
    sack_delay: float = 0.5
    packets_per_sack: int = 2
    """0: do not look."""
    train_bytes: int = 65_536
    """User data after which one SACK may cover a train of packets (the stack's own deviation; 0: from the start)."""
    occurrences: int = 3
    """How often a SHOULD, or what a lost packet can explain, must be seen before it is a finding."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of one rule."""

    rule: str
    number: int
    """The frame where it shows."""
    time: float
    source: str
    """Address of the host that broke the rule."""
    association: str
    text: str

    @property
    def section(self) -> str:
        """Where the rule stands: a section of RFC 9260, or of the RFC that is named."""
        return RULES[self.rule][0]

    @property
    def level(self) -> str:
        """``MUST`` or ``SHOULD``."""
        return RULES[self.rule][1]

    def __str__(self) -> str:
        where = self.section if self.section.startswith("RFC") else f"RFC 9260 {self.section}"
        return f"{self.number} {self.time:.6f} {self.association}: {self.source}: {self.rule}: {self.text} ({where})"

    def document(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self) | {"section": self.section, "level": self.level}


@dataclass(slots=True)
class Report:
    """The outcome: ``notes`` tell what could not be judged, because the capture does not show it."""

    packets: int = 0
    associations: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
