"""The lines and flows of the tests (`tests/simulation/flows.py`), for the tool."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from simulation.flows import BUFFER, PAYLOAD, Bottleneck, Line  # noqa: E402

__all__ = ["BUFFER", "PAYLOAD", "ROOT", "Bottleneck", "Line", "GRID"]

GRID = [
    Line(rtt, rate, loss)
    for rtt in (0.01, 0.05, 0.2)
    for rate in (10_000_000, 100_000_000)
    for loss in (0.0, 0.001, 0.01, 0.03)
]
