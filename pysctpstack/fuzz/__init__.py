"""Fuzzes a peer, any implementation: the library behind ``pysctp fuzz``.

`Prober` sets up associations with the peer by this stack, sends it packets that are wrong in ways that a seed
decides, and asks now and then whether it still serves others. Made for implementations that you maintain.
"""

from pysctpstack.fuzz.mutations import STATES, Mutator
from pysctpstack.fuzz.prober import Prober, Report, Silence

__all__ = ["STATES", "Mutator", "Prober", "Report", "Silence"]
