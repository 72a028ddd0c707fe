"""Associations set up and closed: one client connects and closes, one after the other, and nobody may be lost.

``close`` returns before the SHUTDOWN is through, as in every stack. The time ends when the server has seen the end of
the last association.
"""

from __future__ import annotations

from functools import partial

from tools.bench.bench import Bench, Sample
from tools.bench.contenders import USRSCTP, Contender, ours
from tools.bench.errors import RunFailed

MEASURE = "set up and closed"
UNITS = {MEASURE: "associations/s"}


def run(bench: Bench) -> None:
    mtu = bench.options.mtu
    count = max(int(bench.options.seconds * 1_000), 100)
    runs = {
        "ours": partial(set_up, bench, ours(mtu), count),
        "usrsctp": partial(set_up, bench, USRSCTP, count),
        "ours, levers off": partial(set_up, bench, ours(mtu, levers=False), count),
    }
    bench.alternate(f"{count:,} in turn", runs, UNITS, baseline="usrsctp")


def set_up(bench: Bench, contender: Contender, count: int) -> Sample:
    server, client = bench.pairs.run(contender, "setup", {"count": count}, count / 50 + 30.0)
    if server["closed"] != count or client["closed"] != count:
        raise RunFailed(f"{count} were wanted, the client closed {client['closed']}, the server {server['closed']}")
    return {MEASURE: count / (server["last"] - client["first"])}
