"""What this stack's own checker of exchanges (`pysctpstack.check`) finds in a cell's captures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pysctpstack.check import Limits, check
from pysctpstack.decode import packets

MOST_PACKETS = 6_000  # of a cell; beyond, the checker would take longer than the cell


def findings(paths: Iterable[Path], udp_ports: Iterable[int], *, rto: tuple[float, float]) -> list[str]:
    """Return the findings in these captures together, as "rule: host: text", each once.

    `rto`: the least and the longest RTO that an end is told, in seconds.
    """
    ports = frozenset(udp_ports)
    seen = sorted((packet for path in paths for packet in packets(path, ports)), key=lambda packet: packet.time)
    found = check(seen[:MOST_PACKETS], Limits(rto_min=rto[0], rto_max=rto[1]))
    return list(dict.fromkeys(f"{finding.rule}: {finding.source}: {finding.text}" for finding in found))
