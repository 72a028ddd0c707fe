"""Memory of an idle association: what a process grows by for each of many, server and client apart.

Every association has its socket in both processes, made by ``accept`` and ``connect``; in the rows "one-to-many" the
server has one socket for all. What is there with the first association is not counted.
"""

from __future__ import annotations

from functools import partial

from tools.bench.bench import Bench, Sample
from tools.bench.contenders import USRSCTP, Contender, ours

SERVER = "memory of an idle association, server"
CLIENT = "memory of an idle association, client"
UNITS = {SERVER: "KiB", CLIENT: "KiB"}
REPEAT = 2
"""Memory hardly varies, and so many associations take their time."""


def run(bench: Bench) -> None:
    mtu = bench.options.mtu
    count = bench.options.associations
    one_to_many = ours(mtu, name="ours, one-to-many").with_arguments("--style", "many")
    runs = {
        "ours": partial(memory, bench, ours(mtu), count),
        "usrsctp": partial(memory, bench, USRSCTP, count),
        "ours, one-to-many": partial(memory, bench, one_to_many, count),
    }
    bench.alternate(f"of {count:,}", runs, UNITS, baseline="usrsctp", repeat=min(REPEAT, bench.options.repeat))


def memory(bench: Bench, contender: Contender, count: int) -> Sample:
    server, client = bench.pairs.run(contender, "memory", {"count": count}, count / 50 + 30.0)
    return {
        measure: (result["after"] - result["before"]) / count / 1024
        for measure, result in ((SERVER, server), (CLIENT, client))
    }
