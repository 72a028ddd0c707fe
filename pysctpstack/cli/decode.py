"""``pysctp decode``: the SCTP packets of a capture, a line each, or as JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from pysctpstack.cli.ports import port_number
from pysctpstack.decode import UDP_PORT, Remark, document, line, read


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "decode",
        help="print the SCTP packets of a capture",
        description="Print the SCTP packets of a capture (pcap or pcapng), in UDP or straight on IP, a line each.",
    )
    add_capture(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line, with every field")
    parser.set_defaults(run=run)


def add_capture(parser: argparse.ArgumentParser) -> None:
    """The arguments of every command that reads a capture."""
    parser.add_argument("capture", metavar="CAPTURE", help="capture file; -: standard input")
    parser.add_argument(
        "--udp-port",
        type=port_number,
        action="append",
        default=[],
        metavar="PORT",
        help=f"a UDP port that carries SCTP, besides {UDP_PORT}; may be repeated",
    )


@contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """The capture file of this name, or standard input for ``-``."""
    if name == "-":
        yield sys.stdin.buffer
    else:
        with open(name, "rb") as file:
            yield file


def run(options: argparse.Namespace) -> int:
    """Print the packets; a damaged capture is an error after what could be read of it."""
    try:
        with opened(options.capture) as file:
            for item in read(file, {UDP_PORT, *options.udp_port}):
                if isinstance(item, Remark):
                    remark = {"number": item.number, "time": item.time, "remark": item.text}
                    print(json.dumps(remark) if options.json else f"{item.number} {item.time:.6f} {item.text}")
                else:
                    print(json.dumps(document(item)) if options.json else line(item))
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (head, say) has seen enough; the interpreter's own flush at exit must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
