"""A simulated network and clock: programs that speak SCTP are tested in virtual time, without sockets or
sleeping.
"""

from pysctpstack.testing.clock import VirtualClock
from pysctpstack.testing.entropy import SeededEntropy
from pysctpstack.testing.host import Host, SansIOEndpoint, seeded_bytes
from pysctpstack.testing.link import DEFAULT_QUEUE, Fate, Link
from pysctpstack.testing.nat import Binding, Nat
from pysctpstack.testing.network import SimulatedNetwork, SimulationError
from pysctpstack.testing.trace import Rule, TraceRecord, chunk_types, drop, has_chunk

__all__ = [
    "SimulatedNetwork",
    "SimulationError",
    "SansIOEndpoint",
    "Host",
    "Link",
    "DEFAULT_QUEUE",
    "Nat",
    "Binding",
    "VirtualClock",
    "TraceRecord",
    "Fate",
    "Rule",
    "drop",
    "has_chunk",
    "chunk_types",
    "seeded_bytes",
    "SeededEntropy",
]
