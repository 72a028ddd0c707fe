"""Sorts the packets of a capture into associations, by ports, addresses and verification tags.

An association is told from others by the tags that both ends chose, as RFC 9260 section 5.2 does: a restart is another
one. The same packets may be captured on both sides of a relay or NAT: those are two, each judged as it looks there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pysctpstack.check.association import Association
from pysctpstack.check.findings import Finding, Limits, Report, Seen
from pysctpstack.check.packets import Opened, open_packet
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp

_STRAYS = 3
"""Packets with one unknown tag that are an association whose beginning was not seen, rather than errors."""

_Place = tuple[Association, int]
"""An association, and which of its sides sent the packet."""


@dataclass(slots=True)
class _Stray:
    """Packets whose tag nobody chose."""

    packets: list[Opened] = field(default_factory=list)


class Checker:
    """Takes packets in the order of the capture; `finish` gives the report."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._report = Report()
        self._associations: list[Association] = []
        self._by_pair: dict[tuple[str, int, str, int], list[_Place]] = {}
        self._strays: dict[tuple[str, int, str, int, int], _Stray] = {}
        self._unfilled: dict[str, int] = {}

    def take(self, seen: Seen) -> None:
        """Judge the next packet."""
        self._report.packets += 1

        def tell(rule: str, text: str) -> None:
            route = f"{seen.source or '?'} > {seen.destination or '?'}"
            self._report.findings.append(Finding(rule, seen.number, seen.time, seen.source, route, text))

        packet = open_packet(seen, tell)
        if packet is None:
            return
        if packet.unfilled:
            self._unfilled[seen.source] = self._unfilled.get(seen.source, 0) + 1
        if not packet.types:
            return
        if cp.INIT in packet.types:
            if packet.tag:
                tell("tag", f"INIT with the tag {packet.tag:#010x}")
            self._init(packet)
        elif not packet.tag:
            tell("tag", f"{cp.CHUNK_NAMES.get(packet.types[0], packet.types[0])} with the tag 0")
        else:
            self._other(packet)

    def finish(self) -> Report:
        """What was found, in the order of the capture."""
        for (source, _, destination, _, tag), stray in self._strays.items():
            for packet in stray.packets:
                seen = packet.seen
                text = f"{_names(packet)} with the tag {tag:#010x}, which the peer did not choose"
                route = f"{source or '?'} > {destination or '?'}"
                self._report.findings.append(Finding("tag", seen.number, seen.time, seen.source, route, text))
        for association in self._associations:
            association.finish()
            self._report.associations.append(association.name)
        for source, count in self._unfilled.items():
            self._report.notes.append(
                f"{source or '?'}: {count} packets have no checksum: RFC 9653, or the network card fills it in"
            )
        self._report.findings.sort(key=lambda finding: (finding.number, finding.time))
        return self._report

    # --- which association ---

    def _init(self, packet: Opened) -> None:
        inits = [chunk for chunk in packet.chunks if isinstance(chunk, c.Init)]
        if not inits:
            return
        tag = inits[0].initiate_tag
        # The same INIT may go to an address of the peer's that nobody has named yet.
        places = [
            (association, index)
            for association in self._associations
            for index, (side, peer) in enumerate((association.sides, association.sides[::-1]))
            if packet.seen.source in side.addresses
            and (packet.seen.destination in peer.addresses or side.tag == tag)
            and (side.port, peer.port) == (packet.source_port, packet.destination_port)
        ]
        for association, index in reversed(places):
            side, peer = association.sides[index], association.sides[1 - index]
            collides = side.tag is None and cp.INIT in peer.first and not side.offers and not side.first
            if side.tag == tag or tag in side.offers or collides:
                if (association, index) not in self._places(packet):
                    self._join(association, index, self._pair(packet))
                association.take(index, packet)
                return
        self._begin(packet).take(0, packet)

    def _other(self, packet: Opened) -> None:
        tag = packet.tag
        places = self._places(packet)
        for association, index in reversed(places):
            if self._fits(association, index, packet):
                if packet.types[0] != cp.INIT_ACK:
                    association.choose(1 - index, tag)
                association.take(index, packet)
                return
        if elsewhere := self._elsewhere(packet):
            association, index = elsewhere
            self._join(association, index, self._pair(packet))
            association.choose(1 - index, tag)
            association.take(index, packet)
            return
        # Both ends unknown but for the other direction's tag: the capture began in mid-life.
        for association, index in reversed(places):
            if association.sides[1 - index].tag is None and not association.sides[1 - index].offers:
                association.choose(1 - index, tag)
                association.take(index, packet)
                return
        for association, index in reversed(places):
            if association.sides[index].tag == tag and any(
                isinstance(chunk, c.Abort | c.ShutdownComplete) for chunk in packet.chunks
            ):
                association.take(index, packet)
                return
        if not places:
            association = self._begin(packet)
            association.choose(1, tag)
            association.take(0, packet)
            return
        self._stray(packet)

    def _stray(self, packet: Opened) -> None:
        key = *self._pair(packet), packet.tag
        stray = self._strays.setdefault(key, _Stray())
        stray.packets.append(packet)
        if len(stray.packets) == _STRAYS:
            del self._strays[key]
            association = self._begin(packet)
            association.choose(1, packet.tag)
            for waiting in stray.packets:
                association.take(0, waiting)

    @staticmethod
    def _fits(association: Association, index: int, packet: Opened) -> bool:
        side, peer = association.sides[index], association.sides[1 - index]
        # Answers to one INIT may bear different tags, as long as none of them has been used.
        open_ = peer.tag is None or cp.COOKIE_ACK not in peer.first
        if peer.tag == packet.tag or (open_ and packet.tag in peer.offers):
            return True
        return side.tag == packet.tag and any(
            isinstance(chunk, c.Abort | c.ShutdownComplete) and chunk.reflected for chunk in packet.chunks
        )

    def _places(self, packet: Opened) -> list[_Place]:
        return self._by_pair.get(self._pair(packet), [])

    def _elsewhere(self, packet: Opened) -> _Place | None:
        """The association that this packet belongs to, though it did not use these two addresses before."""
        for association in reversed(self._associations):
            for index in (0, 1):
                side, peer = association.sides[index], association.sides[1 - index]
                if (side.port, peer.port) != (packet.source_port, packet.destination_port):
                    continue
                source, destination = packet.seen.source in side.addresses, packet.seen.destination in peer.addresses
                # The same bytes under other addresses are the far side of a relay.
                near = (source and destination) or ((source or destination) and not association.has_seen(packet.seen))
                if near and self._fits(association, index, packet):
                    return association, index
        return None

    @staticmethod
    def _pair(packet: Opened) -> tuple[str, int, str, int]:
        return packet.seen.source, packet.source_port, packet.seen.destination, packet.destination_port

    def _begin(self, packet: Opened) -> Association:
        association = Association(self._limits, self._report, (packet.source_port, packet.destination_port))
        self._associations.append(association)
        self._join(association, 0, self._pair(packet))
        return association

    def _join(self, association: Association, index: int, pair: tuple[str, int, str, int]) -> None:
        source, source_port, destination, destination_port = pair
        back = destination, destination_port, source, source_port
        self._by_pair.setdefault(pair, []).append((association, index))
        # Where captures have no addresses the two may be one: then only tags tell the sides apart.
        self._by_pair.setdefault(back, []).append((association, 1 - index))


def _names(packet: Opened) -> str:
    return ", ".join(cp.CHUNK_NAMES.get(type_, f"CHUNK-{type_}") for type_ in packet.types)


def report(packets: Iterable[Seen], limits: Limits | None = None) -> Report:
    """Judge the packets of a capture, in its order."""
    checker = Checker(limits)
    for packet in packets:
        checker.take(packet)
    return checker.finish()


def check(packets: Iterable[Seen], limits: Limits | None = None) -> list[Finding]:
    """The findings of `report`: none for an exchange that keeps RFC 9260's rules as far as the capture shows it."""
    return report(packets, limits).findings
