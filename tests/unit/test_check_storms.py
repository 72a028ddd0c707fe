"""The checker on captures of the simulated network's storms: every fault at once, and no false alarm."""

from __future__ import annotations

import pytest
from simulation.scenarios import draw
from simulation.storm import Storm

from pysctpstack.check import Limits, check
from pysctpstack.decode import SctpPacket
from pysctpstack.testing import Host, SimulatedNetwork
from pysctpstack.testing.pcap import Captured


def seen_at(network: SimulatedNetwork, host: Host) -> list[SctpPacket]:
    """What a capture on that host shows; what arrives before what is sent at the same instant."""
    seen: list[Captured] = [r.received for r in network.trace if r.destination == host.name and r.arrived]
    seen += [r.sent for r in network.trace if r.source == host.name and r.left and not r.is_copy]
    ordered = sorted(seen, key=lambda captured: captured.time)
    return [SctpPacket(number, *captured) for number, captured in enumerate(ordered, 1)]


@pytest.mark.parametrize("seed", range(60))
def test_no_false_alarm(seed: int) -> None:
    scenario = draw(seed)
    storm = Storm(scenario, tracing=True)
    storm.play()
    limits = Limits(
        reorder=0.9,  # the storms' longest delays
        duplicate=0.9,
        latency=0.3,
        rto_min=min(config.rto_min for config in scenario.configs),
        rto_max=max(config.rto_max for config in scenario.configs),
        packets_per_sack=0,  # some have `sack_frequency` 10
    )
    for end in storm.ends:
        findings = check(seen_at(storm.network, end.host), limits)
        # The network flips bits, and a damaged packet is truly one.
        assert [str(finding) for finding in findings if finding.rule != "checksum"] == []
