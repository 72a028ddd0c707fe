"""``pysctp fuzz``: send a peer mutated packets, reproducibly, and see whether it survives."""

from __future__ import annotations

import argparse
import ipaddress
import socket
import sys
from pathlib import Path
from typing import Any

from pysctpstack.cli.ports import add_udp_ports, port_number
from pysctpstack.fuzz import STATES, Prober, Report, Silence
from pysctpstack.fuzz.prober import describe

_DESCRIPTION = (
    "Set up associations with a peer and send it packets that are wrong in ways that the seed decides; ask it every now"
    " and then for a new association, and report when it gives none. For implementations that you maintain: only"
    " loopback addresses are taken unless --i-own-this-host is given."
)


def add_parser(commands: Any) -> None:
    parser = commands.add_parser("fuzz", help="fuzz a peer of your own", description=_DESCRIPTION)
    parser.add_argument("host", help="the peer's address, or a name of it")
    parser.add_argument("--port", type=port_number, required=True, help="the SCTP port on which it listens")
    parser.add_argument("--seed", type=int, required=True, help="decides every packet")
    parser.add_argument("--count", type=_positive, default=1_000, help="packets to send (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number of the first packet (default: 0)")
    parser.add_argument(
        "--states",
        type=_states,
        default=STATES,
        metavar="STATE,...",
        help=f"some of {', '.join(STATES)} (default: all)",
    )
    parser.add_argument(
        "--check-every", type=_positive, default=50, metavar="N", help="packets between checks (default: %(default)s)"
    )
    parser.add_argument(
        "--patience", type=float, default=5.0, metavar="SECONDS", help="for the peer's answers (default: %(default)g)"
    )
    parser.add_argument("--log", type=Path, metavar="FILE", help="write every packet, both ways, to this pcap file")
    parser.add_argument("--i-own-this-host", action="store_true", help="take an address that is not loopback")
    add_udp_ports(parser, local=0)
    parser.set_defaults(run=run)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 up")
    return int(text)


def _states(text: str) -> tuple[str, ...]:
    states = tuple(text.split(","))
    for state in states:
        if state not in STATES:
            raise argparse.ArgumentTypeError(f"{state!r} is none of {', '.join(STATES)}")
    return states


def run(options: argparse.Namespace) -> int:
    """0: the peer still serves. 1: it does not, or never did. 2: not allowed."""
    host = socket.getaddrinfo(options.host, None, type=socket.SOCK_DGRAM)[0][4][0]
    assert isinstance(host, str)
    if not ipaddress.ip_address(host.partition("%")[0]).is_loopback and not options.i_own_this_host:
        print(
            f"pysctp fuzz: {host} is not a loopback address: --i-own-this-host says that it is yours", file=sys.stderr
        )
        return 2
    with Prober(
        host,
        options.port,
        options.seed,
        udp_port=options.udp_port,
        remote_udp_port=options.remote_udp_port,
        states=options.states,
        check_every=options.check_every,
        patience=options.patience,
        log=options.log,
    ) as prober:
        try:
            report = prober.run(options.count, options.first, _progress)
        except Silence as silence:
            print(f"pysctp fuzz: {silence}", file=sys.stderr)
            return 1
    print(
        f"{report.packets} packets, {report.answered} of them answered, {report.associations} associations,"
        f" {report.checks} checks passed",
        flush=True,
    )
    if report.silent_after is None:
        print("the peer serves as before")
        return 0
    print(f"the peer gave no new association after packet {report.silent_after}; the last packets:")
    for number, state, packet in report.latest:
        print(f"  {number} {state}: {describe(packet)} {packet.hex()}")
    if report.latest:
        first = report.latest[0][0]
        print(f"again from there: --seed {options.seed} --first {first} --count {report.silent_after - first + 1}")
    return 1


def _progress(report: Report) -> None:
    print(f"{report.packets} packets, {report.answered} answered, the peer serves", file=sys.stderr, flush=True)
