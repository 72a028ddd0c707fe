"""Goodput one way between two processes, and the processor time that it takes.

The same for everybody: the client sends for so many seconds and closes; goodput is what the server received after its
first read, over the time from then to its last one. Every byte must have arrived, and the first and the last read must
hold what was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from tools.bench.bench import Bench, Sample
from tools.bench.contenders import USRSCTP, Contender, ours
from tools.bench.errors import RunFailed
from tools.bench.results import Results, number

GOODPUT = "goodput"
CPU = "processor time"
UNITS = {GOODPUT: "MB/s", CPU: "CPU s/GB"}
BUFFER = 1 << 20
"""SO_SNDBUF and SO_RCVBUF of both stacks, unless messages are larger."""
USRSCTP_SEND_BUFFER = 256 << 10
"""usrsctp's own."""


def buffer_for(size: int) -> int:
    return max(BUFFER, 2 * size)


def run(bench: Bench) -> None:
    mtu = bench.options.mtu
    for size in bench.options.sizes:
        case, tuned = f"{size:,} B", buffers(size)
        mine = {
            "ours": ours(mtu),
            "ours, levers off": ours(mtu, levers=False),
            "ours, loopback's MTU": ours(0, name="ours, loopback's MTU"),
        }
        runs = {
            name: partial(goodput, bench, contender, size, tuned)
            for name, contender in mine.items()
            if bench.wants(name)
        }
        theirs = {}
        if bench.wants(USRSCTP.name):
            theirs = {
                f"usrsctp, {name}": partial(goodput, bench, USRSCTP, size, arguments)
                for name, arguments in usrsctp_buffers(size).items()
            }
        bench.alternate(case, {**runs, **theirs}, UNITS, baseline=USRSCTP.name, filtered=False)
        if theirs:
            keep_best(bench.results, case, list(theirs))


def buffers(size: int) -> dict[str, int]:
    return {"send_buffer": buffer_for(size), "receive_buffer": buffer_for(size)}


def usrsctp_buffers(size: int) -> dict[str, dict[str, int]]:
    """What usrsctp is tried with: larger buffers are not always better for it."""
    large = buffer_for(size)
    own: dict[str, int] = {} if size <= USRSCTP_SEND_BUFFER // 2 else {"send_buffer": large}
    candidates = {
        "its own buffers": own,
        "a large send buffer": {"send_buffer": large},
        "our buffers": buffers(size),
    }
    return {name: value for name, value in candidates.items() if value is own or value != own}


def keep_best(results: Results, case: str, candidates: list[str]) -> None:
    """Let the fastest of usrsctp's rows stand for it."""
    others = {row.contender: row for row in results.of(GOODPUT) if row.case == case and row.contender in candidates}
    medians = {name: row.median for name, row in others.items() if row.samples}
    best = next((name for name in medians if medians[name] == max(medians.values())), "")
    rest = ", ".join(f"{name.partition(', ')[2]} {number(value)}" for name, value in medians.items() if name != best)
    row = results.keep_best(case, candidates, USRSCTP.name, GOODPUT)
    if best:
        row.note = f"with {best.partition(', ')[2]}; with {rest}" if rest else f"with {best.partition(', ')[2]}"


def goodput(
    bench: Bench,
    contender: Contender,
    size: int,
    arguments: Mapping[str, object],
    seconds: float | None = None,
    profile: str = "",
) -> Sample:
    """One run. RunFailed: bytes are missing or wrong."""
    seconds = seconds or bench.options.seconds
    server, client = bench.pairs.run(
        contender, "goodput", {"size": size, "seconds": seconds, **arguments}, seconds + 60.0, profile
    )
    check(server, client, size)
    received = server["bytes"] - server["first_bytes"]
    return {
        GOODPUT: received / server["seconds"] / 1e6,
        CPU: (server["cpu"] + client["cpu"]) / (server["bytes"] / 1e9),
    }


def check(server: Mapping[str, Any], client: Mapping[str, Any], size: int) -> None:
    """RunFailed: not all that was sent has arrived, or not as it was, or there is too little to tell the time by."""
    if server["bytes"] != client["bytes"]:
        raise RunFailed(f"{client['bytes']} bytes were sent, {server['bytes']} arrived")
    if not server["intact"]:
        raise RunFailed("a message arrived with other bytes than it was sent with")
    if server["bytes"] < 2 * size or server["seconds"] <= 0:
        raise RunFailed(f"only {server['bytes']} bytes arrived")
