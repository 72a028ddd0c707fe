"""Cells that are played: each a row of `SCENES`, which says who plays which part, with what settings and network.

Parts are functions in `peers/plays.py`, the same on every stack. Each end checks what it sees; the run compares what
one end sent with what the other received, and asks of the capture what the row's `look` asks.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from interop.capture import Report
from interop.faults import TAKE_OVER, Relayed
from interop.lab import ADDRESSES, Lab, udp_port
from interop.network import FIRST_BRIDGE, SECOND, SECOND_BRIDGE, SIXTH
from interop.peers.ends import Settings
from interop.process import Process
from interop.relay import Trouble
from interop.scenarios import Cell, Result

FIRST_PORT = 6_000
CLIENT_PORT = 5_002
ENOUGH = 20_000  # packets of a load
NARROW, WIDE = 1_300, 1_500  # bytes of an IP packet
LAST = 20  # packets that tell the size at the end
LINUX_PARTIES = ("linux", "linux2")
INIT, HEARTBEAT, HEARTBEAT_ACK = 1, 4, 5  # RFC 9260 section 3.2, chunk types
USER_INITIATED_ABORT = 12
TALLIES = {  # what a trouble of the relay is counted as
    "loss": "lost",
    "duplicate": "duplicated",
    "reorder": "reordered",
    "corrupt": "corrupted",
    "rebind": "rebound",
}


@dataclass(frozen=True)
class Scene:
    """A row: what is played, by whom, and what must come out besides what the parts themselves check."""

    name: str
    client: str  # the part that the client plays; `by_party`: that ours plays
    server: str
    both: Mapping[str, Any] = field(default_factory=dict)  # settings of both
    clients: Mapping[str, Any] = field(default_factory=dict)
    servers: Mapping[str, Any] = field(default_factory=dict)
    trouble: Trouble | None = None  # with one, the ends talk through the relay
    act: Callable[[Played, Lab, dict[str, Process], float, Result], None] | None = None
    look: Callable[[Played, Report, Result], None] | None = None
    by_party: bool = False
    judged: tuple[str, ...] = ("client", "server")  # roles whose ends must come out well; "ours" by party
    counted: bool = True  # what one sent the other must have received
    six: bool = False  # over IPv6
    two_paths: bool = False  # each end has a second address
    peers: tuple[str, ...] = ()  # with these only
    long_seconds: float = 0.0  # `seconds` of the long form
    many: str = ""  # the role that needs a one-to-many socket for SCTP_ABORT, but on usrsctp

    def part_is(self, part: str) -> bool:
        """Whether both play `part`."""
        return self.client == self.server == part


@dataclass(frozen=True)
class Played(Relayed):
    """The cell of a scene with two parties."""

    kind: str
    scene: Scene
    port: int  # of its own: a kernel may keep what is left of an association for long
    long: bool = False

    @property
    def trouble(self) -> Trouble:
        return self.scene.trouble or Trouble()

    @property
    def corrupts(self) -> bool:
        return self.trouble.corrupt > 0

    @property
    def bridges(self) -> tuple[str, ...]:
        return (FIRST_BRIDGE, SECOND_BRIDGE) if self.scene.two_paths else (FIRST_BRIDGE,)

    @property
    def rto(self) -> tuple[float, float]:
        least = self.scene.both.get("rto", 0) / 1_000
        return (least, 2 * least) if least else (1.0, 60.0)

    @property
    def most_captured(self) -> int:
        return ENOUGH if self.scene.part_is("load") else 0

    @property
    def fragments(self) -> bool:
        return self.scene.act is narrow

    @property
    def timeout(self) -> float:
        return 40.0 + (self.scene.long_seconds if self.long else 0.0)

    @property
    def peer(self) -> str:
        """The party that is not ours."""
        return self.server if self.client == "ours" else self.client

    def role_of(self, party: str) -> str:
        """Return what `party` is in this cell."""
        return "client" if party == self.client else "server"

    def settings(self, role: str) -> Settings:
        """Return what the end with this role is told."""
        scene = self.scene
        party, other = self._party(role), self.client if role == "server" else self.server
        over = "relay" if scene.trouble else other
        addresses = {address: address for address in ADDRESSES.values()}
        if scene.six:
            addresses |= SIXTH
        values: dict[str, Any] = {
            "role": role,
            "local": addresses[ADDRESSES[party]],
            "peer": addresses[ADDRESSES[over]],
            "port": self.port,
            "local_udp": udp_port(party),
            "remote_udp": udp_port(over),
            "stays": scene.trouble is not None and role == "client" and party not in LINUX_PARTIES,
            "leads": role == "client",
            "second": SECOND.get(ADDRESSES[party], "") if scene.two_paths else "",
            "many": scene.many == role and party != "usrsctp",
            **scene.both,
            **(scene.clients if role == "client" else scene.servers),
        }
        if self.long and scene.long_seconds:
            values["seconds"] = scene.long_seconds
        return Settings(**values)

    def part(self, role: str) -> str:
        """Return the name of what the end with this role plays."""
        first = self._party(role) == "ours" if self.scene.by_party else role == "client"
        return self.scene.client if first else self.scene.server

    def command(self, lab: Lab, role: str, part: str) -> list[str]:
        """Return the command line that plays `part`."""
        return lab.play_command(self._party(role), part, self.settings(role))

    def _command(self, lab: Lab, role: str) -> list[str]:
        return self.command(lab, role, self.part(role))

    def run(self, lab: Lab, folder: Path) -> Result:
        if self.scene.act is not narrow:
            return super().run(lab, folder)
        lab.network().detour(ADDRESSES[self.peer], WIDE)
        try:
            return super().run(lab, folder)
        finally:
            lab.network().straight(ADDRESSES[self.peer])

    def _run_ends(self, lab: Lab, commands: dict[str, list[str]], ends: dict[str, Process], result: Result) -> None:
        if self.scene.trouble is not None:
            super()._run_ends(lab, commands, ends, result)
        else:
            Cell._run_ends(self, lab, commands, ends, result)

    def _start_ends(self, lab: Lab, commands: dict[str, list[str]], ends: dict[str, Process], result: Result) -> bool:
        if self.settings("server").role != "both":
            return super()._start_ends(lab, commands, ends, result)
        for role in ("server", "client"):
            ends[role] = lab.start(self._party(role), role, commands[role], "relay")
        return True

    def _interfere(self, lab: Lab, ends: dict[str, Process], deadline: float, result: Result) -> None:
        if self.scene.act is not None:
            self.scene.act(self, lab, ends, deadline, result)
        elif self.scene.trouble is not None:
            super()._interfere(lab, ends, deadline, result)

    def _judge_tallies(self, told: dict[str, dict[str, int]], result: Result) -> None:
        for name, tally in TALLIES.items():
            done = sum(told[ADDRESSES[party]][tally] for party in (self.client, self.server))
            if getattr(self.trouble, name):
                result.notes.append(f"{done} packets {tally}" if name != "rebind" else "another UDP port")
                if not done:
                    result.problems.append(f"the relay has done nothing of {name}")

    def _judge(self, ends: dict[str, Process], report: Report, result: Result) -> None:
        result.problems += report.problems[:5]
        if len(ends) < 2:
            return
        totals: dict[str, dict[str, int]] = {}
        roles = [role for role in ends if role in self.scene.judged or self._party(role) in self.scene.judged]
        for role in roles:
            events = [json.loads(line) for line in ends[role].lines if line.startswith("{")]
            result.problems += [f"{role}: {event['text']}" for event in events if event["event"] == "error"]
            done = [event for event in events if event["event"] == "done"]
            if ends[role].exit_code != 0 or not done:
                result.problems.append(
                    f"{role}: exit code {ends[role].exit_code}: {' | '.join(ends[role].errors[-3:])}"
                )
            else:
                totals[role] = done[0]
            for event in events:
                if event["event"] == "load":
                    result.notes.append(f"{role} received {event['octets'] / event['seconds'] / 1e6:.1f} MB/s")
                elif event["event"] == "lost":
                    result.notes.append(f"{role} knows after {event['after']:.1f} s")
        if self.scene.counted and len(totals) == 2:
            for sender, receiver in (("client", "server"), ("server", "client")):
                sent, received = totals[sender]["sent"], totals[receiver]["received"]
                if sent != received:
                    result.problems.append(f"the {sender} sent {sent} messages, the {receiver} received {received}")
        if report.retransmissions:
            result.notes.append(f"{report.retransmissions} retransmissions")
        if self.scene.look is not None:
            self.scene.look(self, report, result)


# --- what is done while the ends are at work ---


def _middle(cell: Played, ends: dict[str, Process], role: str, deadline: float, result: Result) -> bool:
    line = ends[role].wait_line(lambda line: '"middle"' in line, max(0.0, deadline - time.monotonic()))
    if line is None:
        result.problems.append(f"{cell.name}: the {role} does not get to the middle")
    return line is not None


def kill_peer(cell: Played, _lab: Lab, ends: dict[str, Process], deadline: float, result: Result) -> None:
    """Kill the peer's program."""
    if _middle(cell, ends, cell.role_of("ours"), deadline, result):
        ends[cell.role_of(cell.peer)].kill()


def cut_peer_off(cell: Played, lab: Lab, ends: dict[str, Process], deadline: float, result: Result) -> None:
    """Let the peer's host vanish until ours has given up."""
    ours = cell.role_of("ours")
    if not _middle(cell, ends, ours, deadline, result):
        return
    lab.network().cut(ADDRESSES[cell.peer])
    try:
        ends[ours].wait(max(0.0, deadline - time.monotonic()))
        ends[cell.role_of(cell.peer)].kill()
    finally:
        lab.network().restore(ADDRESSES[cell.peer])


def restart_client(cell: Played, lab: Lab, ends: dict[str, Process], deadline: float, result: Result) -> None:
    """Let the client die so that the server learns nothing of it, and start it again on the same ports."""
    if not _middle(cell, ends, "client", deadline, result):
        return
    says_goodbye = cell.client in LINUX_PARTIES
    if says_goodbye:
        lab.network().cut(ADDRESSES[cell.client])
    try:
        if ends["client"].wait(max(0.0, deadline - time.monotonic())) is None:
            result.problems.append("the client lives on")
            return
    finally:
        if says_goodbye:
            lab.network().restore(ADDRESSES[cell.client])
    ends["client"] = lab.start(cell.client, "client", cell.command(lab, "client", "greet"), cell.server)


def cut_first_path(cell: Played, lab: Lab, ends: dict[str, Process], deadline: float, result: Result) -> None:
    """Cut the path between the first addresses; what is left has to do."""
    if not all(_middle(cell, ends, role, deadline, result) for role in ("client", "server")):
        return
    lab.network().cut(ADDRESSES[cell.peer])
    result.marks["cut"] = time.time()
    try:
        for role in ("client", "server"):
            ends[role].wait(max(0.0, deadline - time.monotonic()))
    finally:
        lab.network().restore(ADDRESSES[cell.peer])


def narrow(cell: Played, lab: Lab, ends: dict[str, Process], deadline: float, result: Result) -> None:
    """Let the path carry smaller packets than before."""
    if _middle(cell, ends, cell.role_of("ours"), deadline, result):
        lab.network().detour(ADDRESSES[cell.peer], NARROW)


# --- what is asked of the capture ---


def heartbeats(cell: Played, report: Report, result: Result) -> None:
    """HEARTBEAT and its answer from both ends."""
    for party in (cell.client, cell.server):
        types = report.chunk_types.get(ADDRESSES[party], [])
        for kind in (HEARTBEAT, HEARTBEAT_ACK):
            if kind not in types:
                result.problems.append(f"{party} sent no chunk of type {kind}")
        result.notes.append(f"{types.count(HEARTBEAT)} HEARTBEATs of {party}")


def window_closes(cell: Played, report: Report, result: Result) -> None:
    """The receiver's window closes (to less than a packet's data), and opens again."""
    receiver = next(role for role in ("client", "server") if cell.part(role) == "dawdles")
    windows = report.windows.get(ADDRESSES[cell.server if receiver == "server" else cell.client], [])
    least = min(windows, default=-1)
    if not 0 <= least < 1_452:
        result.problems.append(f"the receiver's window is {least} at least")
        return
    opened = max(windows[windows.index(least) :])
    if opened < 8_192:
        result.problems.append(f"the receiver's window is {opened} at most after it was {least}")
    result.notes.append(f"a_rwnd {least}, then {opened}")


def abort_on_the_wire(cell: Played, report: Report, result: Result) -> None:
    """The aborter's ABORT carries User Initiated Abort."""
    aborter = cell.client if cell.part("client") == "aborts" else cell.server
    if USER_INITIATED_ABORT not in report.causes.get(ADDRESSES[aborter], []):
        result.problems.append(f"{aborter} sent no User Initiated Abort")


def both_connect(cell: Played, report: Report, result: Result) -> None:
    """Both ends sent INIT."""
    for party in (cell.client, cell.server):
        if INIT not in report.chunk_types.get(ADDRESSES[party], []):
            result.problems.append(f"{party} sent no INIT")


def takes_second_path(cell: Played, report: Report, result: Result) -> None:
    """DATA of both ends is on the second path soon."""
    for party in (cell.client, cell.server):
        times = report.data_times.get(SECOND[ADDRESSES[party]], [])
        later = [at for at in times if at > result.marks.get("cut", 0.0)]
        if not later or later[0] - result.marks["cut"] > TAKE_OVER:
            result.problems.append(f"{party} sent no DATA on the second path within {TAKE_OVER} s of the cut")
        else:
            result.notes.append(f"{party} over after {later[0] - result.marks['cut']:.1f} s")


def smaller_packets(_cell: Played, report: Report, result: Result) -> None:
    """Packets with DATA were larger at first than the path carries later, and fit at last."""
    sizes = report.data_sizes.get(ADDRESSES["ours"], [])
    if not sizes or sizes[0] <= NARROW or max(sizes[-LAST:]) > NARROW:
        result.problems.append(f"the packets of ours do not get smaller: {sizes[:2]}, at the end {sizes[-LAST:]}")


def bits_were_turned(_cell: Played, report: Report, result: Result) -> None:
    """tshark saw wrong checksums, too."""
    if report.wrong_checksums == 0:
        result.problems.append("no packet with a wrong CRC32c was captured")


_LARGE = {"send_buffer": 2_200_000, "receive_buffer": 1_000_000}
_SHORT = {"rto": 300}
_SLIGHT = 5.0  # milliseconds

SCENES: Final[tuple[Scene, ...]] = (
    Scene("handshake", "greet", "greet"),
    Scene(
        "handshake-options", "negotiate", "negotiate", {"streams": 7, "most_inbound": 5, "adaptation": 0x5C7B, **_SHORT}
    ),
    *(Scene(f"streams-{number}", "streams", "streams", {"streams": number}) for number in (1, 3, 10, 65_535)),
    Scene("messages", "sizes", "sizes", _LARGE),
    Scene("load", "load", "load", _LARGE, long_seconds=30.0),
    Scene("loss", "exchange", "exchange", _SHORT, trouble=Trouble(loss=0.08, delay=_SLIGHT)),
    Scene("delay", "exchange", "exchange", trouble=Trouble(delay=60.0, jitter=40.0)),
    Scene("reorder", "exchange", "exchange", _SHORT, trouble=Trouble(reorder=0.2, delay=_SLIGHT)),
    Scene("duplicate", "exchange", "exchange", _SHORT, trouble=Trouble(duplicate=0.2, delay=_SLIGHT)),
    Scene(
        "corrupt", "exchange", "exchange", _SHORT, trouble=Trouble(corrupt=0.08, delay=_SLIGHT), look=bits_were_turned
    ),
    Scene("close-client-in-flight", "closes_in_flight", "closed_upon"),
    Scene("close-server-in-flight", "closed_upon", "closes_in_flight"),
    Scene("abort-client-in-flight", "aborts", "aborted", counted=False, many="client", look=abort_on_the_wire),
    Scene("abort-server-in-flight", "aborted", "aborts", counted=False, many="server", look=abort_on_the_wire),
    Scene(
        "peer-killed",
        "survives",
        "reads",
        {**_SHORT, "retransmissions": 4},
        by_party=True,
        act=kill_peer,
        judged=("ours",),
    ),
    Scene(
        "peer-vanished",
        "survives",
        "reads",
        {**_SHORT, "retransmissions": 4},
        by_party=True,
        act=cut_peer_off,
        judged=("ours",),
    ),
    Scene(
        "client-restarts",
        "restarts",
        "outlives",
        _SHORT,
        {"client_port": CLIENT_PORT, "lingers": False},
        act=restart_client,
    ),
    Scene(
        "init-collision",
        "exchange",
        "exchange",
        {"role": "both", "rto": 1_000},
        trouble=Trouble(meet=1),
        look=both_connect,
    ),
    Scene("idle", "idles", "idles", {**_SHORT, "heartbeat": 300}, look=heartbeats, long_seconds=45.0),
    Scene("tiny-buffers", "crowd", "crowd", {**_SHORT, "receive_buffer": 4_096, "send_buffer": 8_192}),
    Scene("large-buffers", "bulk", "bulk", {"receive_buffer": 4_000_000, "send_buffer": 4_000_000}),
    Scene("zero-window-client", "dawdles", "fills", _SHORT, {"receive_buffer": 32_768}, look=window_closes),
    Scene("zero-window-server", "fills", "dawdles", _SHORT, servers={"receive_buffer": 32_768}, look=window_closes),
    Scene("path-mtu", "sends_much", "receives_much", _SHORT, by_party=True, act=narrow, look=smaller_packets),
    Scene("udp-port-change", "converses", "converses", _SHORT, trouble=Trouble(after=30, rebind=1, delay=_SLIGHT)),
    Scene(
        "path-cut",
        "paces",
        "paces",
        {**_SHORT, "heartbeat": 500},
        act=cut_first_path,
        look=takes_second_path,
        two_paths=True,
        peers=("usrsctp",),
    ),
    Scene("ipv6", "exchange", "exchange", six=True),
)


def scenes(pairs: list[tuple[str, str]], *, long: bool = False) -> list[Cell]:
    """Return the cells of all scenes for these pairs of client and server."""
    return [
        Played(client, server, scene.name, scene, FIRST_PORT + 100 * pair + number, long)
        for pair, (client, server) in enumerate(pairs)
        for number, scene in enumerate(SCENES)
        if not scene.peers or {client, server} & {*scene.peers}
    ]
