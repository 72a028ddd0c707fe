"""The cells of the matrix: who talks with whom, how it ends, and what counts as right.

A cell runs one program at each end, captures their packets, and judges: each end's log (every message intact,
in order, the right end), and the capture (see `capture`). `run` raises `lab.Unavailable` when an end is not to be
had and returns a `Result` otherwise.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interop import plan
from interop.capture import Capture, CaptureError, Report
from interop.guest import GuestError
from interop.lab import ADDRESSES, Lab, udp_port
from interop.process import Process

SCENARIOS = ("close-client", "close-server", "abort-client", "abort-server")
CELL_TIMEOUT = 20.0
READY_TIMEOUT = 10.0

ABORT, SHUTDOWN, SHUTDOWN_ACK, SHUTDOWN_COMPLETE = 6, 7, 8, 14  # RFC 9260 section 3.2, chunk types
USER_INITIATED_ABORT = 12  # RFC 9260 section 3.3.10.12


@dataclass
class Result:
    """How a cell came out; no problems: passed."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class Cell:
    """Two ends and what they do; `kind` is "slides" or one of SCENARIOS."""

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

    def run(self, lab: Lab, folder: Path) -> Result:
        """Run the cell; logs and the capture are left in `folder`."""
        result = Result()
        judge = lab.judge()
        for party in (self.server, self.client):
            lab.prepare(party)
        commands = {role: self._command(lab, role) for role in ("server", "client")}
        begin = time.monotonic()
        capture = Capture(folder / "capture.pcap")
        ends: dict[str, Process] = {}
        try:
            self._run_ends(lab, commands, ends, result)
            capture.stop()
            report = judge.report(capture.path, (udp_port(self.client), udp_port(self.server)))
            (folder / "capture.txt").write_text("\n".join(report.listing) + "\n")
            self._judge(ends, report, result)
        except (CaptureError, GuestError, OSError) as error:
            result.problems.append(f"{type(error).__name__}: {error}")
        finally:
            capture.close()
            for role, process in ends.items():
                process.kill()
                (folder / f"{role}.log").write_text(process.output())
        result.seconds = time.monotonic() - begin
        return result

    def _command(self, lab: Lab, role: str) -> list[str]:
        party, peer = (self.server, self.client) if role == "server" else (self.client, self.server)
        if self.kind == "slides":
            return lab.slides_command(party, role, self.server)
        return lab.exchange_command(party, role, peer, self.kind)

    def _run_ends(self, lab: Lab, commands: dict[str, list[str]], ends: dict[str, Process], result: Result) -> None:
        deadline = time.monotonic() + CELL_TIMEOUT
        ends["server"] = server = lab.start(self.server, "server", commands["server"], self.client)
        ready = "Server Running" if self.kind == "slides" else '"listening"'
        if server.wait_line(lambda line: ready in line, READY_TIMEOUT) is None:
            result.problems.append(f"the server does not say {ready}: {' | '.join(server.output().splitlines()[-3:])}")
            return
        ends["client"] = client = lab.start(self.client, "client", commands["client"], self.server)
        # The slides' server in C runs for ever, as iterative servers do.
        finite = [client] if self.kind == "slides" and self.server != "ours" else [client, server]
        for process in finite:
            if process.wait(max(0.0, deadline - time.monotonic())) is None:
                result.problems.append(f"the {process.name} has not ended after {CELL_TIMEOUT:.0f} s")

    def _judge(self, ends: dict[str, Process], report: Report, result: Result) -> None:
        result.problems += report.problems[:5]
        if report.retransmissions:
            result.notes.append(f"{report.retransmissions} retransmissions")
        aborts = self.kind.startswith("abort-")
        _judge_end_on_the_wire(self, aborts, report, result)
        if len(ends) < 2:
            return
        if self.kind == "slides":
            _judge_slides(ends, result)
            return
        for role, process in ends.items():
            end = End(role, process, ends_it=self.kind.endswith(role), aborts=aborts)
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

    def __init__(self, role: str, process: Process, *, ends_it: bool, aborts: bool) -> None:
        self.role = role
        self.process = process
        self.ends_it = ends_it
        self.aborts = aborts
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

    def _of(self, *kinds: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] in kinds]

    def _failures(self) -> list[str]:
        result = self.broken + [f"it reports {event}" for event in self._of("error", "send_error")]
        if self.process.exit_code != 0:
            result.append(f"its exit code is {self.process.exit_code}; {' | '.join(self.process.errors[-3:])}")
        return result

    def _messages(self) -> list[str]:
        direction = plan.SERVER_TO_CLIENT if self.role == "client" else plan.CLIENT_TO_SERVER
        result = []
        messages = self._of("message")
        for stream in range(plan.STREAMS):
            mine = [event for event in messages if event["sid"] == stream]
            for index, event in enumerate(mine):
                body = plan.body(direction, stream, index)
                expected = (plan.ppid(direction, stream, index), len(body), plan.crc(body), False, True)
                if tuple(event[key] for key in ("ppid", "len", "crc", "unordered", "ok")) != expected:
                    result.append(f"message {index} of stream {stream} is not what was sent: {event}")
                    break
            if len(mine) != plan.MESSAGES:
                result.append(f"{len(mine)} of {plan.MESSAGES} messages came on stream {stream}")
        if any(event["sid"] >= plan.STREAMS for event in messages):
            result.append("messages came on streams that do not exist")
        if [event["count"] for event in self._of("sent")] != [plan.STREAMS * plan.MESSAGES]:
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
            if (event["out"], event["in"]) != (plan.STREAMS, plan.STREAMS)
        ]


def matrix() -> list[Cell]:
    """Return the cells of a run: our stack with every peer, in both roles."""
    pairs = [(a, b) for peer in ("usrsctp", "linux") for a, b in (("ours", peer), (peer, "ours"))]
    return [*_exchanges(pairs), Cell("ours", "linux", "slides"), Cell("linux", "ours", "slides")]


def self_test() -> list[Cell]:
    """Return the cells that prove peers and harness without our stack."""
    pairs = [("usrsctp", "linux"), ("linux", "usrsctp"), ("linux2", "linux")]
    return [*_exchanges(pairs), Cell("linux2", "linux", "slides")]


def _exchanges(pairs: list[tuple[str, str]]) -> list[Cell]:
    return [Cell(client, server, scenario) for client, server in pairs for scenario in SCENARIOS]
