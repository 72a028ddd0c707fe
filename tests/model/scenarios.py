"""What the model checker explores, and what has to hold where it comes to rest.

`SCENARIOS` are the procedures one by one; `WIDE` have more going on at once, and are explored when there is time.
"""

from __future__ import annotations

from dataclasses import replace

from model.checker import Budget, Check, Scenario, View
from model.machine import PATIENT

#: Who gives up early leaves halves of associations behind, which the next message ends.
IMPATIENT = replace(PATIENT, max_init_retransmits=1, association_max_retrans=1)

#: Each scenario sees every run with so many faults.
BUDGET = Budget(losses=2, duplicates=1, timers=2)


def ended(a: list[str], b: list[str]) -> Check:
    """Both users have been told just this of their associations, and what is up is alive."""

    def check(view: View) -> str | None:
        for local, expected in zip(view, (a, b), strict=True):
            found = [record.status for record in local.records]
            if found != expected:
                return f"the user has seen {found}, {expected} was to be"
            if len(local.live) != expected.count("up"):
                return f"{len(local.live)} associations are kept"
        return None

    return check


def nothing(_view: View) -> str | None:
    """No demands beyond those on every leaf: after one more message both ends agree."""
    return None


def none_left(view: View) -> str | None:
    return "an association is left" if any(view.live) else None


def restarted(view: View) -> str | None:
    """The end that died is up again, and the other knows that it restarted."""
    wrong = ended(["died", "up"], ["up"])(view)
    return wrong or (None if view.b.records[0].restarts == 1 else "the restart was not reported once")


def restarted_or_new(view: View) -> str | None:
    """The end that died is up again. What the other sent meanwhile may have told it that the old association is gone
    (RFC 9260 section 8.4, 8)."""
    return restarted(view) and ended(["died", "up"], ["lost: ABORTED", "up"])(view)


def server_gone(view: View) -> str | None:
    """The server has nothing; the client may not have noticed yet."""
    return "the server has an association again" if view.b.live else None


def gone_here(view: View) -> str | None:
    """The end that aborted has nothing left; the other may not know yet."""
    if view.a.live or [record.status for record in view.a.records] not in (["lost: LOCAL"], ["lost: ABORTED"]):
        return f"aborted, but {view.a.records}"
    return None


def closed_here(view: View) -> str | None:
    """The client has closed in order; the server, too, or a copy of its COOKIE ECHO has been there since."""
    if view.a.live or [record.status for record in view.a.records] != ["closed"]:
        return f"closed, but {view.a.records}"
    return None if "closed" in [record.status for record in view.b.records] else "closed at one end only"


both_up = ended(["up"], ["up"])
both_closed = ended(["closed"], ["closed"])

SCENARIOS = [
    Scenario("setup", (("associate",), ("send",)), both_up),
    Scenario("collision", (("associate",), ("associate",)), both_up, listens=(True, True)),
    Scenario("restart", (("restart", "associate"), ()), restarted, established=True),
    # Two cookies that were made before there was an association have no tie-tags: when that of the life before comes
    # first, the other is discarded (RFC 9260 section 5.2.4, table 12), until the client gives up.
    Scenario(
        "restart of a setup",
        (("associate", "restart", "associate"), ()),
        nothing,
        replays=True,
        gives_up=True,
    ),
    Scenario("restart of the server", (("send", "send"), ("restart",)), server_gone, established=True),
    Scenario("data", (("send", "send"), ()), both_up, established=True),
    Scenario("shutdown", (("shutdown",), ("send",)), both_closed, established=True),
    Scenario("shutdown after data", (("send", "shutdown"), ()), both_closed, established=True),
    Scenario("shutdown from both", (("shutdown",), ("shutdown",)), both_closed, established=True),
    Scenario("once more", (("shutdown", "associate"), ()), ended(["closed", "up"], ["closed", "up"]), established=True),
    Scenario("whole life", (("associate", "send", "shutdown"), ()), closed_here, after=none_left, replays=True),
    Scenario("abort", (("abort",), ("send",)), gone_here, after=none_left, established=True),
    Scenario("abort with data", (("send", "abort"), ("send",)), gone_here, after=none_left, established=True),
    Scenario("abort of a setup", (("associate", "abort"), ()), gone_here, after=none_left, replays=True),
    Scenario("impatience", (("associate", "send"), ()), nothing, config=IMPATIENT, replays=True, gives_up=True),
]

WIDE = [
    Scenario("setup with data both ways", (("associate", "send"), ("send",)), both_up),
    # A copy of the COOKIE ECHO after the end gives the server an association that ignores the SHUTDOWN ACK of the one
    # before: both have the same tags (RFC 9260 section 8.5.1, E speaks of associations that are being set up only).
    Scenario(
        "shutdown and restart",
        (("restart", "associate"), ("shutdown",)),
        nothing,
        established=True,
        replays=True,
        gives_up=True,
    ),
    Scenario("collision with data", (("associate", "send"), ("associate",)), both_up, listens=(True, True)),
    Scenario("collision of clients", (("associate",), ("associate",)), nothing, listens=(False, False)),
    Scenario("restart with data", (("restart", "associate", "send"), ("send",)), restarted_or_new, established=True),
    Scenario("shutdown with data both ways", (("send", "shutdown"), ("send",)), both_closed, established=True),
    Scenario("shutdown from both with data", (("send", "shutdown"), ("shutdown",)), both_closed, established=True),
]
