"""Cells whose network misbehaves: a relay that loses, delays and reorders, and two paths of which one is cut."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from interop import plan
from interop.capture import Report
from interop.lab import ADDRESSES, Lab
from interop.network import FIRST_BRIDGE, SECOND, SECOND_BRIDGE
from interop.process import LocalProcess, Process
from interop.relay import Trouble
from interop.scenarios import READY_TIMEOUT, Cell, End, Result

FORWARD_TSN = 192  # RFC 3758 section 3.2

MESSAGES_BEFORE_CUT = 100  # that each end has received
MESSAGES_DURING_CUT = 170  # that each end receives until the path is restored
TAKE_OVER = 3.0  # seconds in which DATA must take the second path: a few RTOs
RETURN = 4.0  # seconds in which DATA must be back on the first path: a few HEARTBEATs
MESSAGES_AFTER_RETURN = 100  # or packets with DATA, at least, on the first path again


@dataclass(frozen=True)
class Relayed(Cell):
    """The ends talk through a relay, which makes trouble."""

    @property
    def trouble(self) -> Trouble:
        """What the relay does."""
        raise NotImplementedError

    def _peer(self, role: str) -> str:  # noqa: ARG002 -- the same for both
        return "relay"

    def _run_ends(self, lab: Lab, commands: dict[str, list[str]], ends: dict[str, Process], result: Result) -> None:
        relay = lab.start_relay((self.client, self.server), self.trouble)
        try:
            if relay.wait_line(lambda line: '"ready"' in line, READY_TIMEOUT) is None:
                result.problems.append(f"the relay does not start: {' | '.join(relay.errors[-3:])}")
                return
            super()._run_ends(lab, commands, ends, result)
            self._take_tallies(relay, result)
        finally:
            relay.kill()

    def _interfere(self, lab: Lab, ends: dict[str, Process], deadline: float, result: Result) -> None:  # noqa: ARG002
        client, server = ends["client"], ends["server"]
        if client.wait_line(lambda line: '"done"' in line, max(0.0, deadline - time.monotonic())) is None:
            return
        # The client stays, since its SHUTDOWN COMPLETE may be lost, which nobody but it can make good.
        server.wait(max(0.0, deadline - time.monotonic()))
        if isinstance(client, LocalProcess):
            client.terminate()

    def _take_tallies(self, relay: LocalProcess, result: Result) -> None:
        relay.terminate()
        line = relay.wait_line(lambda line: '"relayed"' in line, READY_TIMEOUT)
        if line is None:
            result.problems.append(f"the relay does not say what it did: {' | '.join(relay.errors[-3:])}")
            return
        self._judge_tallies(json.loads(line), result)

    def _judge_tallies(self, told: dict[str, dict[str, int]], result: Result) -> None:
        for party in (self.client, self.server):
            tally = told[ADDRESSES[party]]
            wanted = [name for name in ("loss", "reorder", "duplicate") if getattr(self.trouble, name)]
            done = [tally[{"loss": "lost", "reorder": "reordered", "duplicate": "duplicated"}[name]] for name in wanted]
            if not all(done):
                result.problems.append(f"the relay has done nothing of {wanted} to {party}: {tally}")
            result.notes.append(f"{tally['lost']} of {tally['packets']} packets of {party} lost")


@dataclass(frozen=True)
class LossyRelay(Relayed):
    """1,000 messages in each direction; one packet in twenty is lost, others are late, out of order or doubled."""

    kind: str = "lossy-relay"

    @property
    def exchange(self) -> plan.Exchange:
        return plan.Exchange("close-client", streams=4, messages=250, stay=True)

    @property
    def timeout(self) -> float:
        return 60.0

    @property
    def trouble(self) -> Trouble:
        return Trouble(loss=0.05, duplicate=0.01, reorder=0.05, delay=10.0, jitter=5.0)


@dataclass(frozen=True)
class Lifetimes(Relayed):
    """Every second message of the client's has a short life, and one packet in five is lost (RFC 3758)."""

    kind: str = "lifetimes"

    @property
    def exchange(self) -> plan.Exchange:
        return plan.Exchange(
            "close-client", streams=2, messages=100, largest=1_200, pace=10, lifetime=60, short_timers=True, stay=True
        )

    @property
    def timeout(self) -> float:
        return 40.0

    @property
    def trouble(self) -> Trouble:
        # With this seed no handshake is among what is lost: Linux waits long for a second COOKIE ACK.
        return Trouble(loss=0.2, delay=10.0, jitter=5.0, seed=11)

    def _judge(self, ends: dict[str, Process], report: Report, result: Result) -> None:
        super()._judge(ends, report, result)
        if len(ends) < 2:
            return
        skips = report.chunk_types.get(ADDRESSES[self.client], []).count(FORWARD_TSN)
        if skips == 0:
            result.problems.append("the client sent no FORWARD TSN")
        client, server = (End(role, ends[role], self.exchange) for role in ("client", "server"))
        missing = self.exchange.streams * self.exchange.messages - server.count("message")
        failed = client.count("notification")
        if missing == 0:
            result.problems.append("every message arrived: nothing has expired")
        if failed < missing and not self.client.startswith("linux"):  # which does not tell of all
            result.problems.append(f"{missing} messages are missing, but the client was told of {failed} only")
        result.notes.append(f"{missing} messages expired, {skips} FORWARD TSN")


@dataclass(frozen=True)
class TwoPaths(Cell):
    """Both ends have two addresses; the network between the first ones is cut for a while, and comes back."""

    kind: str = "two-paths"

    @property
    def bridges(self) -> tuple[str, ...]:
        return (FIRST_BRIDGE, SECOND_BRIDGE)

    @property
    def exchange(self) -> plan.Exchange:
        return plan.Exchange("close-client", messages=300, pace=10, short_timers=True)

    @property
    def timeout(self) -> float:
        return 30.0

    def _command(self, lab: Lab, role: str) -> list[str]:
        return lab.exchange_command(self._party(role), role, self._peer(role), self.exchange, both_addresses=True)

    def _interfere(self, lab: Lab, ends: dict[str, Process], deadline: float, result: Result) -> None:
        guest = ADDRESSES[self.server if self.server != "ours" else self.client]
        if not _all_receive(ends, MESSAGES_BEFORE_CUT, deadline):
            result.problems.append(f"the ends do not receive {MESSAGES_BEFORE_CUT} messages on two paths")
            return
        lab.network().cut(guest)
        result.marks["cut"] = time.time()
        try:
            if not _all_receive(ends, MESSAGES_BEFORE_CUT + MESSAGES_DURING_CUT, deadline):
                result.problems.append("the transfer does not go on while the first path is cut")
        finally:
            lab.network().restore(guest)
            result.marks["restored"] = time.time()

    def _judge(self, ends: dict[str, Process], report: Report, result: Result) -> None:
        super()._judge(ends, report, result)
        if "restored" not in result.marks:
            return
        cut, restored = result.marks["cut"], result.marks["restored"]
        for party in (self.client, self.server):
            address = ADDRESSES[party]
            first, second = (report.data_times.get(place, []) for place in (address, SECOND[address]))
            meanwhile = [at for at in second if cut < at < restored]
            if not any(at < cut for at in first):
                result.problems.append(f"{party} sent no DATA on the first path before the cut")
            if not meanwhile or meanwhile[0] - cut > TAKE_OVER:
                result.problems.append(f"{party} sent no DATA on the second path within {TAKE_OVER} s of the cut")
                continue
            back_at = max(second[-1], restored)
            if back_at - restored > RETURN:
                result.problems.append(f"{party} sent DATA on the second path {RETURN} s after the first was back")
            returned = sum(at > back_at for at in first)
            if returned < MESSAGES_AFTER_RETURN:
                result.problems.append(f"{party} sent only {returned} packets with DATA on the first path at the end")
            result.notes.append(f"{party} over after {meanwhile[0] - cut:.1f} s, back after {back_at - restored:.1f} s")


@dataclass(frozen=True)
class OneOfTwo(Cell):
    """The guest has two addresses and says so; ours has two as well, but is bound to one and tells of none.

    To the guest, packets from the other address of ours would be out of the blue: its ABORT would be the end.
    """

    kind: str = "one-of-two"

    @property
    def bridges(self) -> tuple[str, ...]:
        return (FIRST_BRIDGE, SECOND_BRIDGE)

    @property
    def exchange(self) -> plan.Exchange:
        return plan.Exchange("close-client", pace=10, short_timers=True)

    def _command(self, lab: Lab, role: str) -> list[str]:
        party = self._party(role)
        return lab.exchange_command(party, role, self._peer(role), self.exchange, both_addresses=party != "ours")

    def _judge(self, ends: dict[str, Process], report: Report, result: Result) -> None:
        super()._judge(ends, report, result)
        if SECOND[ADDRESSES["ours"]] in report.chunk_types:
            result.problems.append("ours sent from an address that the guest does not know of")


def _all_receive(ends: dict[str, Process], messages: int, deadline: float) -> bool:
    """Wait until each end has received so many messages since its start; return whether that came about."""
    return all(
        process.wait_line(_nth_message(messages), max(0.0, deadline - time.monotonic())) is not None
        for process in ends.values()
    )


def _nth_message(wanted: int) -> Callable[[str], bool]:
    number = count(1)
    return lambda line: '"event": "message"' in line and next(number) == wanted
