"""A bounded model checker: all interleavings of two endpoints, their users and a network that loses and duplicates.

A node is the state of both ends, the packets in flight each way, what is left of the budgets, and how far the users'
scripts have got. From each node every packet in flight may arrive next, whatever its age (so that packets overtake one
another without bounds), either end's next timer may fire, and either user may make the next call of its script. What
becomes of a packet is decided when it leaves: it is under way once, twice, or not at all. That covers losing it at any
later time, since nobody can tell when a packet that did not arrive was lost.

A timer that fires while packets are in flight is early, unless it is due at that very time: the packets are slow, and
the other end's clock has not moved. Each such firing costs one of ``Budget.timers``. With nothing in flight time
passes at both ends alike, and the next timer of either fires at no cost.

Nodes that differ in the names of random numbers only are one. Nodes that differ in their budgets only are explored
once, with the larger ones: whatever the other can do, that one can. The search goes by faults, breadth first among runs
with as many, so that the run that leads to a violation is a simplest one.

Wherever a run has got to, both ends have to come to rest from there if nothing goes wrong any more: no circles, no
waiting for ever. Where nothing more can happen, the scenario's demands have to be met.
"""

from __future__ import annotations

import itertools
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple, TypeAlias

from model.machine import NAMES, PATIENT, PORTS, End, Local, Stimulus, Table, Violation

from pysctpstack.config import Config
from pysctpstack.core import State

SETTLE_STEPS = 400
"""More than the ends of any leaf take to come to rest when nothing is lost."""


class Budget(NamedTuple):
    """What may go wrong in one run."""

    losses: int
    duplicates: int
    timers: int
    """Firings of timers while packets are in flight."""


class Node(NamedTuple):
    ends: tuple[int, int]
    """Numbers of local states."""
    flying: tuple[tuple[int, ...], tuple[int, ...]]
    """Packets in flight to ``a`` and to ``b``, sorted."""
    budget: Budget
    scripts: tuple[int, int]
    """Calls of each script that have been made."""


class View(NamedTuple):
    """Both ends at rest."""

    a: Local
    b: Local

    @property
    def live(self) -> tuple[int, int]:
        return len(self.a.live), len(self.b.live)


Action: TypeAlias = "tuple[int, Stimulus, tuple[int, ...], tuple[int, ...]]"
"""Which end, on what, the packets that it sends, and those that are under way then."""
Fate: TypeAlias = "tuple[tuple[int, ...], int, int]"
"""Packets under way, losses, duplicates."""
_NOTHING_SENT: list[Fate] = [((), 0, 0)]

Check = Callable[[View], "str | None"]
"""What a scenario demands of a leaf: None, or what is wrong."""


@dataclass(frozen=True)
class Scenario:
    """``scripts``: the calls of each user, made in their order, each at any time at which it makes sense.
    ``established``: the association is up before the budgets begin to count. ``listens``: which ends do.

    ``at_rest``: what has to hold where nothing more happens. ``after``: what has to hold when, from there on, every
    live association has sent one more message over a network without fault.

    ``replays``: a copy of a COOKIE ECHO may come after the end of its association. Within the life of the cookie that
    sets it up again at the server alone (RFC 9260 section 5.1.5 keeps no memory of cookies), with all that is on its
    way after it. ``gives_up``: an end may give up for want of answers.
    """

    name: str
    scripts: tuple[tuple[str, ...], tuple[str, ...]]
    at_rest: Check
    established: bool = False
    listens: tuple[bool, bool] = (False, True)
    replays: bool = False
    gives_up: bool = False
    config: Config = PATIENT
    after: Check = lambda _view: None


@dataclass
class Result:
    """What an exploration has seen."""

    scenario: str
    budget: Budget
    states: int = 0
    edges: int = 0
    leaves: int = 0
    depth: int = 0
    locals: int = 0
    """Local states of both ends together."""
    reached: frozenset[State] = frozenset()
    """States of associations that occurred."""
    seconds: float = 0.0
    """Of the processor."""

    def __str__(self) -> str:
        return (
            f"{self.scenario}: {self.states} states, {self.edges} edges, {self.leaves} leaves, depth {self.depth}, "
            f"{self.locals} local states, {self.seconds:.1f} s, budget {tuple(self.budget)}"
        )


@dataclass
class Explorer:
    """One exploration. `run` returns what was seen, or raises the Violation that it found, the run in its text."""

    scenario: Scenario
    budget: Budget
    max_states: int = 10_000_000
    table: Table = field(default_factory=Table)
    _nodes: list[Node] = field(default_factory=list)
    _parents: array[int] = field(default_factory=lambda: array("q"))
    _depths: array[int] = field(default_factory=lambda: array("i"))
    _actions: list[Action | None] = field(default_factory=list)
    _layers: list[list[int]] = field(init=False)
    """Nodes by how much of the budgets is spent."""
    _seen: dict[bytes, list[Budget]] = field(default_factory=dict)
    _pairs: dict[tuple[int, int], tuple[list[int], dict[int, int]]] = field(default_factory=dict)
    _resting: set[tuple[tuple[int, int], tuple[int, ...], tuple[int, ...]]] = field(default_factory=set)
    """Ends and packets in flight that come to rest."""
    _fates: dict[tuple[tuple[int, ...], int, int], list[Fate]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._layers = [[] for _ in range(sum(self.budget) + 1)]

    # --- the start ---

    def _start(self) -> Node:
        table = self.table
        scenario = self.scenario
        a, b = (
            table.settle(End(side, scenario.config, (PORTS[side], PORTS[1 - side]), scenario.listens[side])).state
            for side in (0, 1)
        )
        ends = (a, b)
        if scenario.established:
            ends = self._settled(ends, [(0, "associate")])
            for end in ends:
                if [live.state for live in table.locals[end].live] != [State.ESTABLISHED]:
                    raise Violation("the association does not come up")
        return Node(ends, ((), ()), self.budget, (0, 0))

    def _settled(self, ends: tuple[int, int], calls: list[tuple[int, str]]) -> tuple[int, int]:
        """Both ends after these calls, when nothing more happens."""
        flying: list[list[int]] = [[], []]
        for side, verb in calls:
            step = self.table.step(ends[side], verb)
            ends = (step.state, ends[1]) if side == 0 else (ends[0], step.state)
            flying[1 - side] += step.packets
        for _ in range(SETTLE_STEPS):
            following = self._settle_once(ends, flying)
            if following is None:
                return ends
            ends = following
        raise Violation(f"no rest after {SETTLE_STEPS} steps without loss")

    def _settle_once(self, ends: tuple[int, int], flying: list[list[int]]) -> tuple[int, int] | None:
        """What happens next when nothing goes wrong: packets arrive in order, the next timer fires when none is in
        flight. None: nothing."""
        table = self.table
        stimulus: Stimulus
        if flying[0] or flying[1]:
            side = 0 if flying[0] else 1
            stimulus = flying[side].pop(0)
        else:
            remaining = [table.locals[end].remaining for end in ends]
            shortest = min(remaining)
            if shortest == inf:
                return None
            side, stimulus = remaining.index(shortest), "timer"
            waited = table.step(ends[1 - side], (shortest,)).state
            ends = (ends[0], waited) if side == 0 else (waited, ends[1])
        step = table.step(ends[side], stimulus)
        flying[1 - side] += step.packets
        return (step.state, ends[1]) if side == 0 else (ends[0], step.state)

    # --- the search ---

    def run(self) -> Result:
        began = time.process_time()
        result = Result(self.scenario.name, self.budget)
        nodes = self._nodes
        start = self._start()
        self._visit(None, start, -1, 0)
        for layer in self._layers:
            # Grows while it is worked on.
            for current in layer:
                node = nodes[current]
                try:
                    leaf = True
                    depth = self._depths[current] + 1
                    for action, child in self._successors(node):
                        leaf = False
                        result.edges += 1
                        self._visit(action, child, current, depth)
                    if leaf:
                        result.leaves += 1
                        self._check_leaf(node)
                    else:
                        self._check_progress(node)
                except Violation as violation:
                    raise Violation(f"{self.scenario.name}: {violation}\n{self._story(current)}") from None
                except Exception as error:
                    raise Violation(f"{self.scenario.name}: {error!r}\n{self._story(current)}") from error
                if len(nodes) > self.max_states:
                    raise OverflowError(f"{self.scenario.name}: more than {self.max_states} states")
        result.states, result.depth = len(nodes), max(self._depths)
        result.locals = len(self.table.locals)
        result.reached = frozenset(live.state for local in self.table.locals for live in local.live)
        result.seconds = time.process_time() - began
        return result

    def _visit(self, action: Action | None, node: Node, parent: int, depth: int) -> None:
        """Note a node for exploration, unless it has been with no less of each budget."""
        key = self._key(node)
        losses, duplicates, timers = budget = node.budget
        known = self._seen.get(key)
        if known is None:
            self._seen[key] = [budget]
        else:
            for other in known:
                if other[0] >= losses and other[1] >= duplicates and other[2] >= timers:
                    return
            known.append(budget)
        self._layers[sum(self.budget) - losses - duplicates - timers].append(len(self._nodes))
        self._nodes.append(node)
        self._parents.append(parent)
        self._depths.append(depth)
        self._actions.append(action)

    def _successors(self, node: Node) -> Iterator[tuple[Action, Node]]:
        table = self.table
        quiet = not node.flying[0] and not node.flying[1]
        for side in (0, 1):
            state = node.ends[side]
            local = table.locals[state]
            flying = node.flying[side]
            previous = -1
            for index, packet in enumerate(flying):
                if packet != previous:
                    previous = packet
                    rest = flying[:index] + flying[index + 1 :]
                    yield from self._stimulate(node, side, packet, rest, node.budget, node.scripts)
            yield from self._fire(node, side, local.remaining, quiet)
            script = self.scenario.scripts[side]
            position = node.scripts[side]
            if position < len(script) and script[position] in local.verbs:
                scripts = (position + 1, node.scripts[1]) if side == 0 else (node.scripts[0], position + 1)
                yield from self._stimulate(node, side, script[position], flying, node.budget, scripts)

    def _fire(self, node: Node, side: int, remaining: float, quiet: bool) -> Iterator[tuple[Action, Node]]:
        """What the next timer of one end leads to."""
        if remaining == inf:
            return
        if remaining and not quiet:
            if not node.budget.timers:
                return
            node = node._replace(budget=node.budget._replace(timers=node.budget.timers - 1))
        elif remaining:
            other = 1 - side
            if self.table.locals[node.ends[other]].remaining < remaining:
                return
            waited = self.table.step(node.ends[other], (remaining,)).state
            node = node._replace(ends=(node.ends[0], waited) if other else (waited, node.ends[1]))
        yield from self._stimulate(node, side, "timer", node.flying[side], node.budget, node.scripts)

    def _stimulate(
        self,
        node: Node,
        side: int,
        stimulus: Stimulus,
        flying: tuple[int, ...],
        budget: Budget,
        scripts: tuple[int, int],
    ) -> Iterator[tuple[Action, Node]]:
        """One stimulus of one end, and every fate of the packets that it sends. ``flying``: what is left on the way to
        that end."""
        try:
            step = self.table.step(node.ends[side], stimulus)
        except Violation as violation:
            raise Violation(f"{violation}\n  on {self._name(side, stimulus)}") from None
        other = node.flying[1 - side]
        if not step.packets:
            fates = _NOTHING_SENT
        else:
            fates = self._fates_of(step.packets, budget.losses, budget.duplicates)
        for fate, losses, duplicates in fates:
            towards = tuple(sorted(other + fate)) if fate else other
            spent = budget
            if losses or duplicates:
                spent = Budget(budget.losses - losses, budget.duplicates - duplicates, budget.timers)
            action = (side, stimulus, step.packets, fate)
            if side == 0:
                yield action, Node((step.state, node.ends[1]), (flying, towards), spent, scripts)
            else:
                yield action, Node((node.ends[0], step.state), (towards, flying), spent, scripts)

    def _describe(self, action: Action) -> str:
        side, stimulus, packets, fate = action
        name = self._name(side, stimulus)
        if packets:
            how = ("(lost)", "", "(twice)")
            name += ": sends " + ", ".join(self.table.packets[p].label + how[min(fate.count(p), 2)] for p in packets)
        return name

    def _name(self, side: int, stimulus: Stimulus) -> str:
        what = f"receives {self.table.packets[stimulus].label}" if isinstance(stimulus, int) else stimulus
        return f"{NAMES[side]} {what}"

    def _fates_of(self, packets: tuple[int, ...], losses: int, duplicates: int) -> list[Fate]:
        """All that may become of packets."""
        key = (packets, losses, duplicates)
        fates = self._fates.get(key)
        if fates is None:
            fates = self._fates[key] = []
            # Copies under way of each.
            for copies in itertools.product((1, 0, 2), repeat=len(packets)):
                lost, doubled = copies.count(0), copies.count(2)
                if lost <= losses and doubled <= duplicates:
                    under_way = tuple(p for p, n in zip(packets, copies, strict=True) for _ in range(n))
                    fates.append((under_way, lost, doubled))
        return fates

    def _key(self, node: Node) -> bytes:
        """What tells nodes apart, budgets aside: shapes, and the pattern in which random numbers occur."""
        pair = self._pairs.get(node.ends)
        if pair is None:
            pair = self._pairs[node.ends] = self._pair_key(node.ends)
        numbers, names = pair[0] + list(node.scripts), pair[1]
        packets = self.table.packets
        own = False
        for flying in node.flying:
            numbers.append(len(flying))
            for number in flying if len(flying) < 2 else sorted(flying, key=self._order):
                _, _, shape, atoms = packets[number]
                numbers.append(shape)
                for atom in atoms:
                    name = names.get(atom)
                    if name is None:
                        if not own:
                            names = names.copy()
                            own = True
                        name = names[atom] = len(names)
                    numbers.append(name)
        return array("I", numbers).tobytes()

    def _pair_key(self, ends: tuple[int, int]) -> tuple[list[int], dict[int, int]]:
        numbers: list[int] = []
        names: dict[int, int] = {}
        for end in ends:
            local = self.table.locals[end]
            numbers.append(local.shape)
            for atom in local.atoms:
                numbers.append(names.setdefault(atom, len(names)))
        return numbers, names

    def _order(self, number: int) -> tuple[int, int]:
        return self.table.packets[number].shape, number

    # --- what has to hold ---

    def _view(self, ends: tuple[int, int]) -> View:
        return View(self.table.locals[ends[0]], self.table.locals[ends[1]])

    def _check_leaf(self, node: Node) -> None:
        view = self._view(node.ends)
        for local in view:
            for live in local.live:
                if live.state is not State.ESTABLISHED:
                    raise Violation(f"deadlock in {live.state.value}")
        wrong = self.scenario.at_rest(view)
        if wrong is None:
            # An association that lives has to show that it works; half of one has to notice.
            for side in (0, 1):
                if view[side].live:
                    view = self._view(self._settled(node.ends, [(s, "send") for s in (0, 1) if view[s].live]))
                    break
            wrong = _disagreement(view, self.scenario) or self.scenario.after(view)
        if wrong is not None:
            raise Violation(f"{wrong}\n  a: {view.a.records}\n  b: {view.b.records}")

    def _check_progress(self, node: Node) -> None:
        """From here both ends come to rest, if no more calls are made and nothing goes wrong."""
        ends, flying = node.ends, [list(packets) for packets in node.flying]
        passed = []
        for _ in range(SETTLE_STEPS):
            at = (ends, tuple(flying[0]), tuple(flying[1]))
            if at in self._resting:
                break
            passed.append(at)
            following = self._settle_once(ends, flying)
            if following is None:
                break
            ends = following
        else:
            raise Violation(f"no rest after {SETTLE_STEPS} steps without loss")
        self._resting.update(passed)

    def _story(self, number: int) -> str:
        """The run that leads to a node."""
        lines: list[str] = []
        while number >= 0:
            node = self._nodes[number]
            states = ", ".join(self.table.locals[end].summary for end in node.ends)
            action = self._actions[number]
            lines.append(f"  {self._describe(action) if action else 'start'}  [{states}]")
            number = self._parents[number]
        return "\n".join(reversed(lines))


def _disagreement(view: View, scenario: Scenario) -> str | None:
    """What is wrong with two ends at rest, whatever the scenario: they have to agree, and messages to be accounted
    for."""
    if max(view.live) > 1 or view.live[0] != view.live[1]:
        return f"{view.live[0]} and {view.live[1]} associations are left"
    if view.live[0]:
        (a,), (b,) = view.a.live, view.b.live
        if a.tags != b.tags[::-1]:
            return "the verification tags do not agree"
        if not (a.idle and b.idle):
            return "data is stuck"
        if (a.next_tsn, b.next_tsn) != (b.expected_tsn, a.expected_tsn):
            return "the TSNs do not agree"
    for side in (0, 1):
        wrong = _unaccounted(view, side, scenario)
        if wrong is not None:
            return wrong
    return None


def _unaccounted(view: View, side: int, scenario: Scenario) -> str | None:
    """What is wrong with the messages that one end sent: each is delivered, or reported as failed, as its association
    ended."""
    for index, record in enumerate(view[side].records):
        name = f"{NAMES[side]}{index}"
        if record.status == "setup":
            return f"{name} is never told what became of it"
        if record.status == "lost: TIMED_OUT" and not scenario.gives_up:
            return f"{name} was given up, though not that much was lost"
        ranges = [
            range(first, following)
            for other in view[1 - side].records
            for origin, first, following in other.delivered
            if origin == name
        ]
        delivered = {number for numbers in ranges for number in numbers}
        if len(delivered) < sum(map(len, ranges)) and not scenario.replays:
            return f"messages of {name} were delivered in two associations"
        if delivered and max(delivered) >= record.sent:
            return f"{name} sent {record.sent} messages, {delivered} were delivered"
        missing = set(range(record.sent)) - delivered
        if record.status in ("up", "closed") and not record.restarts:
            if missing or record.failed:
                return f"{name} is {record.status}: {missing} not delivered, {record.failed} failed"
        elif record.status != "died":
            missing -= set(record.failed)
            if missing:
                return f"{name} is {record.status}: {missing} neither delivered nor reported"
    return None
