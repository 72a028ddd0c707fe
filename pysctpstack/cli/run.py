"""``pysctp run``: run a program written for kernel SCTP, or for pysctp, on this stack, as it is."""

from __future__ import annotations

import argparse
import os
from typing import Any

from pysctpstack.cli.ports import port_number
from pysctpstack.config import REMOTE_UDP_PORT_VARIABLE, UDP_PORT_VARIABLE
from pysctpstack.run import install, program

_DESCRIPTION = (
    "Run a Python program on this stack, unmodified: what it makes with the standard socket module and IPPROTO_SCTP,"
    " or with pysctp (import sctp), are sockets of this stack. Everything after the program, or after MODULE or CODE,"
    " is the program's."
)


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "run",
        help="run a program written for kernel SCTP or pysctp",
        description=_DESCRIPTION,
        usage="pysctp run [-h] [--udp-port PORT] [--remote-udp-port PORT] (PROGRAM | -m MODULE | -c CODE | -) ...",
        allow_abbrev=False,
    )
    for option, variable, what in (
        ("--udp-port", UDP_PORT_VARIABLE, "local UDP port that carries SCTP"),
        ("--remote-udp-port", REMOTE_UDP_PORT_VARIABLE, "the peer's UDP port"),
    ):
        parser.add_argument(option, type=port_number, metavar="PORT", help=f"{what} (default: ${variable}, or 9899)")
    parser.add_argument("-m", dest="module", nargs=argparse.REMAINDER, metavar="MODULE ...", help="run a module")
    parser.add_argument("-c", dest="code", nargs=argparse.REMAINDER, metavar="CODE ...", help="run this code")
    parser.add_argument(
        "program",
        nargs=argparse.REMAINDER,
        metavar="PROGRAM ...",
        help="run a script, or a folder or archive with a __main__.py; -: run what comes from standard input",
    )
    parser.set_defaults(run=run, usage_error=parser.error)


def run(options: argparse.Namespace) -> int:
    way, words = _what(options)
    for port, variable in (
        (options.udp_port, UDP_PORT_VARIABLE),
        (options.remote_udp_port, REMOTE_UDP_PORT_VARIABLE),
    ):
        if port is not None:
            os.environ[variable] = str(port)
    install()
    if way == "module":
        return program.run_module(words[0], words[1:])
    if way == "code":
        return program.run_code(words[0], words[1:])
    if words[0] == "-":
        return program.run_stdin(words[1:])
    return program.run_file(words[0], words[1:])


def _what(options: argparse.Namespace) -> tuple[str, list[str]]:
    """How to run it, and the program with its arguments."""
    for way in ("module", "code"):
        if getattr(options, way) is not None:
            # With `-mMODULE`, in one word, the rest are positional.
            words = [*getattr(options, way), *options.program]
            if not words:
                options.usage_error(f"which {way}?")
            return way, words
    words = options.program[1:] if options.program[:1] == ["--"] else options.program
    if not words:
        options.usage_error("which program?")
    return "program", words
