"""What a packet costs while there are many associations in both processes.

One association carries messages of 1,400 bytes, a packet each, all others are idle (their heartbeats go on). The cost
is the processor time of both processes over the packets with user data.
"""

from __future__ import annotations

from functools import partial

from tools.bench.bench import Bench, Sample
from tools.bench.contenders import USRSCTP, Contender, ours
from tools.bench.measures.goodput import buffers, check

MEASURE = "cost of a packet"
UNITS = {MEASURE: "CPU us"}
SIZE = 1_400
FEW = 100
REPEAT = 3
BASELINE = "1 association"


def run(bench: Bench) -> None:
    mtu = bench.options.mtu
    numbers = [number for number in (1, FEW, bench.options.associations) if number <= bench.options.associations]
    for contender in (ours(mtu), USRSCTP):
        if not bench.wants(contender.name):
            continue
        runs = {
            f"{number:,} association{'s' if number > 1 else ''}": partial(cost, bench, contender, number)
            for number in dict.fromkeys(numbers)
        }
        bench.alternate(contender.name, runs, UNITS, BASELINE, repeat=min(REPEAT, bench.options.repeat), filtered=False)


def cost(bench: Bench, contender: Contender, associations: int) -> Sample:
    seconds = bench.options.seconds
    arguments = {"size": SIZE, "seconds": seconds, "idle": associations - 1, **buffers(SIZE)}
    server, client = bench.pairs.run(contender, "goodput", arguments, seconds + associations / 50 + 60.0)
    check(server, client, SIZE)
    return {MEASURE: (server["cpu"] + client["cpu"]) / client["messages"] * 1e6}
