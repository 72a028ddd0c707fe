"""The cells of a run."""

from __future__ import annotations

from interop.differential.cell import Recorded
from interop.faults import Lifetimes, LossyRelay, OneOfTwo, TwoPaths
from interop.pysctp import Pysctp, programs
from interop.scenarios import SCENARIOS, Cell
from interop.scenes import scenes

Pairs = list[tuple[str, str]]


def matrix(*, long: bool = False) -> list[Cell]:
    """Return the cells of a run: our stack with every peer, in both roles."""
    usrsctp: Pairs = [("ours", "usrsctp"), ("usrsctp", "ours")]
    linux: Pairs = [("ours", "linux"), ("linux", "ours")]
    return [
        *_exchanges(usrsctp + linux),
        *scenes(usrsctp + linux, long=long),
        *(Cell(client, server, "slides") for client, server in linux),
        *_with_relay(usrsctp + linux),
        *(kind(client, server) for kind in (TwoPaths, OneOfTwo) for client, server in linux),
        *programs(linux),
        Pysctp("ours", "linux", "pysctp"),
        Recorded("linux", "linux", "differential"),
    ]


def self_test() -> list[Cell]:
    """Return the cells that prove peers and harness without our stack."""
    return [
        *_exchanges([("usrsctp", "linux"), ("linux", "usrsctp"), ("linux2", "linux")]),
        Cell("linux2", "linux", "slides"),
        *_with_relay([("usrsctp", "linux"), ("linux", "usrsctp")]),
        TwoPaths("linux2", "linux"),
        *programs([("linux2", "linux")]),
    ]


def _exchanges(pairs: Pairs) -> list[Cell]:
    return [Cell(client, server, scenario) for client, server in pairs for scenario in SCENARIOS]


def _with_relay(pairs: Pairs) -> list[Cell]:
    return [kind(client, server) for kind in (LossyRelay, Lifetimes) for client, server in pairs]
