"""What a run works with: the network, the compiled peers, the guests, our stack; each made when first wanted.

A party is one end of a cell: `ours` (pysctpstack), `usrsctp`, `linux` and, for runs without our stack, a
second guest, `linux2`. A party that cannot be had is `Unavailable`, with the reason, which is found out once.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar, cast

from interop import capture, guest, network, plan, relay, usrsctp
from interop.guest import Guest
from interop.peers.ends import Settings
from interop.process import LocalProcess, Process

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "docs" / "examples"

STANDARD_UDP_PORT = 9_899
# Another one than the standard, so that a peer that does not keep to the ports it is told is found out.
USRSCTP_UDP_PORT = 9_900
RELAY_UDP_PORT = 9_901
SCTP_PORT = 5_001

ADDRESSES = {
    "ours": network.OURS,
    "linux": network.LINUX,
    "linux2": network.LINUX2,
    "usrsctp": network.USRSCTP,
    "relay": network.RELAY,
}
_UDP_PORTS = {"usrsctp": USRSCTP_UDP_PORT, "relay": RELAY_UDP_PORT}

_Made = TypeVar("_Made")


class Unavailable(Exception):
    """A party, or a tool, that is not to be had on this machine; the message is the reason."""


def udp_port(party: str) -> int:
    """Return the UDP port that `party` uses."""
    return _UDP_PORTS.get(party, STANDARD_UDP_PORT)


class Lab:
    """The run's resources. `close` gives everything back."""

    def __init__(self, build: Path) -> None:
        self.build = build
        self._network: network.Network | None = None
        self._guests: dict[str, Guest] = {}
        self._made: dict[str, object] = {}

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Switch off guests and give up the network."""
        for machine in self._guests.values():
            machine.close()
        self._guests.clear()
        if self._network is not None:
            self._network.close()
            self._network = None

    def judge(self) -> capture.Judge:
        """Return tshark, ready to judge; raise Unavailable without the tools."""
        _require(capture.why_not())
        return self._once("judge", capture.Judge)

    def prepare(self, party: str) -> None:
        """Make sure that `party` can be started; raise Unavailable if it cannot."""
        self.network()
        if party == "ours":
            self._once("ours", _check_ours)
        elif party == "usrsctp":
            self.usrsctp_peer()
        else:
            self.guest(party)

    def network(self) -> network.Network:
        """Return the run's network."""
        if self._network is None:
            self._network = network.Network()
        return self._network

    def usrsctp_peer(self) -> Path:
        """Return the compiled usrsctp peer."""
        return self._once("usrsctp", functools.partial(usrsctp.build_usrsctp_peer, self.build))

    def slides_programs(self) -> tuple[Path, Path]:
        """Return the slides' compiled server and client."""
        return self._once("slides", functools.partial(usrsctp.build_slides, self.build))

    def guest(self, party: str) -> Guest:
        """Return the booted guest called `linux` or `linux2`."""
        return self._once(party, functools.partial(self._boot, party))

    def start(self, party: str, name: str, argv: Sequence[str], peer: str) -> Process:
        """Start a program where `party` lives, to talk with `peer`."""
        if party == "ours":
            env = {
                "PYSCTPSTACK_UDP_PORT": str(udp_port(party)),
                "PYSCTPSTACK_REMOTE_UDP_PORT": str(udp_port(peer)),
                "PYTHONUNBUFFERED": "1",
            }
            return LocalProcess(name, argv, env, str(ROOT))
        if party == "usrsctp":
            return LocalProcess(name, [*self.network().prefix(network.USRSCTP), *argv], {}, str(ROOT))
        return self.guest(party).start(name, argv, {"PYTHONDONTWRITEBYTECODE": "1"}, str(ROOT))

    def start_relay(self, ends: tuple[str, str], trouble: relay.Trouble) -> LocalProcess:
        """Start the relay between two parties, each of which takes it for the other."""
        argv = [*self.network().prefix(network.RELAY), sys.executable, "-m", "interop.relay"]
        places = [f"{ADDRESSES[party]}:{udp_port(party)}" for party in ends]
        argv += ["--at", f"{network.RELAY}:{RELAY_UDP_PORT}", "--ends", *places, *trouble.arguments()]
        return LocalProcess("relay", argv, {"PYTHONUNBUFFERED": "1"}, str(ROOT))

    def exchange_command(
        self, party: str, role: str, peer: str, exchange: plan.Exchange, *, both_addresses: bool = False
    ) -> list[str]:
        """Return the command line of `party`'s peer program; `both_addresses`: it is to have its two."""
        options = {
            "role": role,
            "local": ADDRESSES[party],
            "peer": ADDRESSES[peer],
            "port": SCTP_PORT,
            "local-udp": udp_port(party),
            "remote-udp": udp_port(peer),
        }
        if both_addresses:
            options["second"] = network.SECOND[ADDRESSES[party]]
        tail = [part for key, value in options.items() for part in (f"--{key}", str(value))] + exchange.arguments()
        if party == "usrsctp":
            return [str(self.usrsctp_peer()), *tail]
        module = "pysctpstack" if party == "ours" else "kernel"
        return [sys.executable, "-m", "interop.peers.peer", "--socket", module, *tail]

    def play_command(self, party: str, part: str, settings: Settings) -> list[str]:
        """Return the command line of `party` that plays a part."""
        stack = {"ours": "pysctpstack", "usrsctp": "usrsctp"}.get(party, "kernel")
        return [sys.executable, "-m", "interop.peers.play", stack, part, *settings.arguments()]

    def slides_command(self, party: str, role: str, server: str) -> list[str]:
        """Return the command line of the slides' program: in C in a guest, our example in Python."""
        if party == "ours":
            script = EXAMPLES / f"slides_{role}.py"
            _require(None if script.exists() else f"{script.relative_to(ROOT)} is not there")
            tail = ["--host", ADDRESSES[party], "--once"] if role == "server" else [ADDRESSES[server]]
            return [sys.executable, str(script), *tail]
        server_program, client_program = self.slides_programs()
        return [str(server_program)] if role == "server" else [str(client_program), ADDRESSES[server]]

    def _boot(self, party: str) -> Guest:
        _require(guest.why_not())
        address = ADDRESSES[party]
        self.network().add_taps(address)
        machine = Guest(
            addresses=(address, network.SECOND[address]),
            taps=network.TAPS[address],
            udp_port=STANDARD_UDP_PORT,
            root=ROOT,
            build=self.build,
            log=self.build / f"{party}.log",
        )
        self._guests[party] = machine
        machine.wait_until_up()
        return machine

    def _once(self, name: str, make: Callable[[], _Made]) -> _Made:
        """Return what `make` returns, made once; what it raises is raised again each time."""
        if name not in self._made:
            try:
                self._made[name] = make()
            except usrsctp.Missing as error:
                self._made[name] = Unavailable(str(error))
            except (Unavailable, usrsctp.BuildError, guest.GuestError) as error:
                self._made[name] = error
        made = self._made[name]
        if isinstance(made, Exception):
            raise made
        return cast("_Made", made)


def _check_ours() -> bool:
    """Raise Unavailable when our stack cannot be imported."""
    command = [sys.executable, "-c", "import pysctpstack.socket, pysctpstack.structs"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    last = (result.stderr.strip().splitlines() or [""])[-1]
    _require(None if result.returncode == 0 else f"pysctpstack cannot be imported: {last}")
    return True


def _require(reason: str | None) -> None:
    if reason is not None:
        raise Unavailable(reason)
