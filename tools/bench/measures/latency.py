"""Ping-pong between two processes: the time until a message of 64 bytes has come back."""

from __future__ import annotations

import statistics
from functools import partial

from tools.bench.bench import Bench, Sample
from tools.bench.contenders import BARE_UDP, USRSCTP, Contender, ours
from tools.bench.errors import RunFailed
from tools.bench.results import percentile, settled

SIZE = 64
MEDIAN = "ping-pong, median"
TAIL = "ping-pong, 99th percentile"
UNITS = {MEDIAN: "us", TAIL: "us"}


def run(bench: Bench) -> None:
    mtu = bench.options.mtu
    runs = {
        "ours": partial(ping_pong, bench, ours(mtu), "ping-pong"),
        "ours, busy polling": partial(ping_pong, bench, ours(mtu, busy_poll=0.0001), "ping-pong"),
        "usrsctp": partial(ping_pong, bench, USRSCTP, "ping-pong"),
        "ours, levers off": partial(ping_pong, bench, ours(mtu, levers=False), "ping-pong"),
        BARE_UDP.name: partial(ping_pong, bench, BARE_UDP, "udp-ping-pong"),
    }
    bench.alternate(f"{SIZE} B", runs, UNITS, baseline="usrsctp")


def ping_pong(bench: Bench, contender: Contender, measure: str) -> Sample:
    seconds = bench.options.seconds
    server, client = bench.pairs.run(contender, measure, {"size": SIZE, "seconds": seconds}, seconds + 30.0)
    times = client["microseconds"]
    if len(times) < 100:
        raise RunFailed(f"only {len(times)} messages came back")
    if server["messages"] != len(times):
        raise RunFailed(f"{len(times)} messages came back, the server sent {server['messages']}")
    values = settled(times)
    return {MEDIAN: statistics.median(values), TAIL: percentile(values, 99)}
