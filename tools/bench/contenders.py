"""Who is measured: how the processes of each are started."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from tools.bench import build
from tools.bench.errors import RunFailed
from tools.bench.process import Process, settle

PORTS = 400
"""UDP ports in use, from the first one on: each run takes the next two, so that no late packet meets the next run."""
READY_PATIENCE = 10.0


def _usrsctp() -> list[str]:
    return [str(build.usrsctp_peer())]


def _ours() -> list[str]:
    return [sys.executable, "-m", "tools.bench.peer"]


@dataclass(frozen=True)
class Contender:
    """A program that takes the arguments of `peer.c`."""

    name: str
    command: Callable[[], Sequence[str]]
    environment: Mapping[str, str] = field(default_factory=dict)
    extra: tuple[str, ...] = ()

    def with_arguments(self, *extra: object) -> Contender:
        """The same with these arguments as well."""
        return Contender(self.name, self.command, self.environment, (*self.extra, *map(str, extra)))


USRSCTP = Contender("usrsctp", _usrsctp)
BARE_UDP = Contender("bare UDP in Python", _ours)


def ours(mtu: int, *, levers: bool = True, busy_poll: float = 0.0, name: str = "") -> Contender:
    """This stack, its path MTU at most ``mtu`` (0: the route's); ``levers``: with GSO, GRO and pktinfo."""
    default = "ours" if levers else "ours, levers off"
    environment = {} if levers else {"PYSCTPSTACK_LEVERS": "off"}
    return Contender(name or default, _ours, environment, ("--mtu", str(mtu), "--busy-poll", str(busy_poll)))


class Pairs:
    """Runs a server and a client of one contender."""

    def __init__(self, first_udp_port: int) -> None:
        self._ports = itertools.cycle(range(first_udp_port, first_udp_port + PORTS, 2))

    def next_port(self) -> int:
        """The first of two UDP ports that have not been used for a while."""
        return next(self._ports)

    def run(
        self,
        contender: Contender,
        measure: str,
        arguments: Mapping[str, object],
        timeout: float,
        profile: str = "",
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The results of server and client. RunFailed, Unavailable. ``profile``: prefix of the files for profiles."""
        command = [*contender.command()]
        port = self.next_port()
        options = [word for name, value in arguments.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        with ExitStack() as stack:
            processes = []
            for role, udp_port, remote in (("server", port, port + 1), ("client", port + 1, port)):
                argv = [*command, role, measure, "--udp-port", str(udp_port), "--remote-udp-port", str(remote)]
                argv += ["--port", str(port), *options, *contender.extra]
                if profile:
                    argv += ["--profile", f"{profile}-{role}"]
                process = Process(f"{contender.name}, {role}", argv, contender.environment)
                processes.append(stack.enter_context(process))
                if role == "server":
                    process.result(READY_PATIENCE)
            server, client = processes
            try:
                client_result = client.result(timeout)
            except RunFailed:
                if server.exit_code:
                    server.result(READY_PATIENCE)  # it says why
                raise
            server_result = server.result(timeout)
        settle()
        return server_result, client_result
