"""What every command has: ``--udp-port``, ``--remote-udp-port``, and the stack that follows from them."""

from __future__ import annotations

import argparse

from pysctpstack.config import Config
from pysctpstack.sockets import Stack

DEFAULT = Config()


def port_number(text: str) -> int:
    """An argument that is a port, 0 to 65535."""
    if not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)


def add_udp_ports(parser: argparse.ArgumentParser, *, local: int = DEFAULT.udp_port) -> None:
    parser.add_argument(
        "--udp-port",
        type=port_number,
        default=local,
        metavar="PORT",
        help="local UDP port that carries SCTP (default: %(default)s; 0: any that is free)",
    )
    parser.add_argument(
        "--remote-udp-port",
        type=port_number,
        default=DEFAULT.remote_udp_port,
        metavar="PORT",
        help="the peer's UDP port (default: %(default)s)",
    )


def make_stack(options: argparse.Namespace, *, path_mtu: int = 0) -> Stack:
    return Stack(Config(udp_port=options.udp_port, remote_udp_port=options.remote_udp_port, path_mtu=path_mtu))
