"""A cell of the matrix: who talks with whom, how it ends, and what counts as right.

A cell runs one program at each end, captures their packets, and judges: each end's log (every message intact,
in order, the right end), and the capture (see `capture`). `run` raises `lab.Unavailable` when an end is not to be
had and returns a `Result` otherwise. Cells whose network misbehaves are in `faults`.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interop import exchange_check, known, plan
from interop.capture import Capture, CaptureError, Judge, Report
from interop.guest import GuestError
from interop.lab import ADDRESSES, Lab, udp_port
from interop.network import FIRST_BRIDGE, NetworkError
from interop.process import Process

SCENARIOS = ("close-client", "close-server", "abort-client", "abort-server")
CELL_TIMEOUT = 20.0
READY_TIMEOUT = 10.0
GIVE_UP = 5.0  # seconds that the server has left when the client has failed

ABORT, SHUTDOWN, SHUTDOWN_ACK, SHUTDOWN_COMPLETE = 6, 7, 8, 14  # RFC 9260 section 3.2, chunk types
USER_INITIATED_ABORT = 12  # RFC 9260 section 3.3.10.12


@dataclass
class Result:
    """How a cell came out; no problems: passed."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    marks: dict[str, float] = field(default_factory=dict)  # when something was done to the network; epoch seconds
    seconds: float = 0.0


@dataclass(frozen=True)
class Cell:
    """Two ends and what they do; `kind` is "slides" or one of SCENARIOS. Subclasses have kinds of their own."""

    client: str
    server: str
    kind: str

    @property
    def name(self) -> str:
        """The name, for `--only` and the table."""
        return f"{self.client}-to-{self.server}/{self.kind}"

    @property
    def slug(self) -> str:
        """The name as a file name."""
        return self.name.replace("/", "-")

    @property
    def bridges(self) -> tuple[str, ...]:
        """The bridges to look at."""
        return (FIRST_BRIDGE,)

    @property
    def exchange(self) -> plan.Exchange:
        """What the ends are told."""
        return plan.Exchange(self.kind)

    @property
    def timeout(self) -> float:
        """Seconds that the ends have."""
        return CELL_TIMEOUT

    @property
    def rto(self) -> tuple[float, float]:
        """The least and the longest RTO that either end is told, in seconds."""
        return (plan.RTO_MIN / 1_000, plan.RTO_MAX / 1_000) if self.exchange.short_timers else (1.0, 60.0)

    @property
    def most_captured(self) -> int:
        """Packets after which enough has been captured; 0: all are."""
        return 0

    @property
    def fragments(self) -> bool:
        """Whether the path became narrow, so that IP has to fragment chunks that exist already."""
        return False

    @property
    def corrupts(self) -> bool:
        """Whether the relay turns bits."""
        return False

    def run(self, lab: Lab, folder: Path) -> Result:
        """Run the cell; logs and the capture are left in `folder`."""
        result = Result()
        judge = lab.judge()
        for party in (self.server, self.client):
            lab.prepare(party)
        commands = {role: self._command(lab, role) for role in ("server", "client")}
        begin = time.monotonic()
        ends: dict[str, Process] = {}
        try:
            report = self._observe(judge, folder, lambda: self._run_ends(lab, commands, ends, result))
            self._judge(ends, report, result)
        except (CaptureError, GuestError, NetworkError, OSError) as error:
            result.problems.append(f"{type(error).__name__}: {error}")
        finally:
            for role, process in ends.items():
                process.kill()
                (folder / f"{role}.log").write_text(process.output())
        result.seconds = time.monotonic() - begin
        return result

    def _observe(self, judge: Judge, folder: Path, action: Callable[[], None]) -> Report:
        """Capture what passes the bridges during `action`, and return what tshark says of it."""
        captures = []
        with contextlib.ExitStack() as stack:
            for bridge in self.bridges:
                name = "capture" if bridge == FIRST_BRIDGE else f"capture-{bridge}"
                capture = Capture(folder / f"{name}.pcap", bridge, self.most_captured)
                stack.callback(capture.close)
                captures.append(capture)
            action()
            for capture in captures:
                capture.stop()
        ports = [*map(udp_port, ("relay", self.client, self.server)), udp_port("relay") + 1]
        paths = [capture.path for capture in captures]
        report = judge.report(paths, ports, corrupted=self.corrupts, fragments=self.fragments)
        report.problems += known.unlisted(self.name, report.warnings, known.WARNINGS)
        if not self.corrupts:
            findings = exchange_check.findings(paths, ports, rto=self.rto)
            report.problems += known.unlisted(self.name, findings, known.DEVIATIONS)
        (folder / "capture.txt").write_text("\n".join(report.listing) + "\n")
        return report

    def _party(self, role: str) -> str:
        return self.server if role == "server" else self.client

    def _peer(self, role: str) -> str:
        """Whom the end with this role talks with."""
        return self.client if role == "server" else self.server

    def _command(self, lab: Lab, role: str) -> list[str]:
        party, peer = self._party(role), self._peer(role)
        if self.kind == "slides":
            return lab.slides_command(party, role, self.server)
        return lab.exchange_command(party, role, peer, self.exchange)

    def _run_ends(self, lab: Lab, commands: dict[str, list[str]], ends: dict[str, Process], result: Result) -> None:
        deadline = time.monotonic() + self.timeout
        if not self._start_ends(lab, commands, ends, result):
            return
        self._interfere(lab, ends, deadline, result)
        # The slides' server in C runs for ever, as iterative servers do.
        finite = ["client"] if self.kind == "slides" and self.server != "ours" else ["client", "server"]
        for role in finite:
            exit_code = ends[role].wait(max(0.0, deadline - time.monotonic()))
            if exit_code is None:
                result.problems.append(f"the {role} has not ended in time")
            elif exit_code != 0:
                deadline = min(deadline, time.monotonic() + GIVE_UP)

    def _start_ends(self, lab: Lab, commands: dict[str, list[str]], ends: dict[str, Process], result: Result) -> bool:
        ends["server"] = server = lab.start(self.server, "server", commands["server"], self._peer("server"))
        ready = "Server Running" if self.kind == "slides" else '"listening"'
        if server.wait_line(lambda line: ready in line, READY_TIMEOUT) is None:
            result.problems.append(f"the server does not say {ready}: {' | '.join(server.output().splitlines()[-3:])}")
            return False
        ends["client"] = lab.start(self.client, "client", commands["client"], self._peer("client"))
        return True

    def _interfere(self, lab: Lab, ends: dict[str, Process], deadline: float, result: Result) -> None:
        """Do something while the ends are at work, until `deadline` (of `time.monotonic`) at most."""

    def _judge(self, ends: dict[str, Process], report: Report, result: Result) -> None:
        result.problems += report.problems[:5]
        if report.retransmissions:
            result.notes.append(f"{report.retransmissions} retransmissions")
        scenario = self.exchange.scenario
        aborts = scenario.startswith("abort-")
        _judge_end_on_the_wire(self, aborts, report, result)
        if len(ends) < 2:
            return
        if self.kind == "slides":
            _judge_slides(ends, result)
            return
        for role, process in ends.items():
            end = End(role, process, self.exchange)
            result.problems += [f"{role}: {problem}" for problem in end.problems()[:5]]


def _judge_end_on_the_wire(cell: Cell, aborts: bool, report: Report, result: Result) -> None:
    seen = {chunk for chunks in report.chunk_types.values() for chunk in chunks}
    if not aborts:
        missing = {SHUTDOWN, SHUTDOWN_ACK, SHUTDOWN_COMPLETE} - seen
        if missing:
            result.problems.append(f"chunk types {sorted(missing)} of the shutdown are not in the capture")
        if ABORT in seen:
            result.problems.append("there is an ABORT in the capture")
        return
    ender = ADDRESSES[cell.client if cell.kind == "abort-client" else cell.server]
    aborters = [source for source, chunks in report.chunk_types.items() if ABORT in chunks]
    if aborters != [ender]:
        result.problems.append(f"ABORT was sent by {aborters or 'nobody'}, not by {ender} alone")
    if cell.kind == "abort-client" and USER_INITIATED_ABORT not in report.causes.get(ender, []):
        result.problems.append("the ABORT does not have the cause User-Initiated Abort (12)")


def _judge_slides(ends: dict[str, Process], result: Result) -> None:
    text = "\n".join(ends["client"].lines)
    received = re.findall(r"Received following data on stream (\d+):?\s+Message #(\d)", text)
    if received != [("0", "1"), ("1", "2"), ("2", "3")]:
        result.problems.append(f"the client received (stream, message) {received}")
    if ends["client"].exit_code != 0:
        result.problems.append(f"the client's exit code is {ends['client'].exit_code}: {ends['client'].errors[-1:]}")
    if "Connected to" not in "\n".join(ends["server"].lines):
        result.problems.append("the server does not say that it was connected to")


class End:
    """One end's log of an exchange, and what is wrong with it."""

    def __init__(self, role: str, process: Process, exchange: plan.Exchange) -> None:
        self.role = role
        self.process = process
        self.exchange = exchange
        self.ends_it = exchange.scenario.endswith(role)
        self.aborts = exchange.scenario.startswith("abort-")
        self.events: list[dict[str, Any]] = []
        self.broken: list[str] = []
        for line in process.lines:
            try:
                self.events.append(json.loads(line))
            except ValueError:
                self.broken.append(f"it wrote {line!r}")

    def problems(self) -> list[str]:
        """Return everything that is not as it must be, most telling first."""
        checks: list[Callable[[], list[str]]] = [self._failures, self._messages, self._end, self._association]
        return [problem for check in checks for problem in check()]

    def count(self, *kinds: str) -> int:
        """Return how many events of these kinds there are."""
        return len(self._of(*kinds))

    def _of(self, *kinds: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] in kinds]

    def _failures(self) -> list[str]:
        result = self.broken + [f"it reports {event}" for event in self._of("error", "send_error")]
        if self.process.exit_code != 0:
            result.append(f"its exit code is {self.process.exit_code}; {' | '.join(self.process.errors[-3:])}")
        return result

    def _messages(self) -> list[str]:
        direction = plan.SERVER_TO_CLIENT if self.role == "client" else plan.CLIENT_TO_SERVER
        exchange = self.exchange
        result = []
        messages = self._of("message")
        for stream in range(exchange.streams):
            mine = [event for event in messages if event["sid"] == stream]
            came = [plan.index_of(event["ppid"]) for event in mine]
            for index, event in zip(came, mine, strict=True):
                body = exchange.body(direction, stream, index)
                expected = (plan.ppid(direction, stream, index), len(body), plan.crc(body), False, True)
                if tuple(event[key] for key in ("ppid", "len", "crc", "unordered", "ok")) != expected:
                    result.append(f"message {index} of stream {stream} is not what was sent: {event}")
                    break
            if came != sorted(set(came)):
                result.append(f"messages of stream {stream} came in another order, or twice")
            missing = sorted(set(range(exchange.messages)) - set(came))
            lost = [index for index in missing if not exchange.expires(direction, index)]
            if lost or len(came) + len(missing) != exchange.messages:
                result.append(
                    f"{len(mine)} of {exchange.messages} messages came on stream {stream}; missing: {lost[:9]}"
                )
        if any(event["sid"] >= exchange.streams for event in messages):
            result.append("messages came on streams that do not exist")
        if [event["count"] for event in self._of("sent")] != [exchange.streams * exchange.messages]:
            result.append("it did not send everything")
        return result

    def _end(self) -> list[str]:
        ends = [event["how"] for event in self._of("end")]
        if not self.aborts:
            # One shutdown, and one end of file at each side.
            return [] if ends == ["eof"] else [f"it saw {ends}, not the end of the association"]
        if self.ends_it:
            return [] if self._of("abort_sent") else ["it did not abort"]
        result = []
        if ends != ["reset"]:
            result.append(f"it saw {ends}, not a reset")
        losses = [event for event in self._of("assoc_change") if event["state"] == "COMM_LOST"]
        if len(losses) != 1:
            result.append(f"it was notified of SCTP_COMM_LOST {len(losses)} times")
        elif self.role == "server" and losses[0]["cause"] != USER_INITIATED_ABORT:
            result.append(f"the notification has not the cause that the client sent: {losses[0]}")
        return result

    def _association(self) -> list[str]:
        ups = [event for event in self._of("assoc_change") if event["state"] == "COMM_UP"]
        return [
            f"the association has {event['out']} outbound and {event['in']} inbound streams"
            for event in ups
            if (event["out"], event["in"]) != (self.exchange.streams, self.exchange.streams)
        ]
