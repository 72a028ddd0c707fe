"""The ``pysctp`` command, also ``python -m pysctpstack``: its subcommands, one module each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pysctpstack import __version__
from pysctpstack.cli import check, decode, demo, fuzz, perf, run

EXIT_INTERRUPTED = 130


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="pysctp", description="SCTP in pure Python, over UDP (RFC 6951).")
    top.add_argument("--version", action="version", version=f"pysctpstack {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo.add_parser(commands)
    decode.add_parser(commands)
    check.add_parser(commands)
    fuzz.add_parser(commands)
    perf.add_parser(commands)
    run.add_parser(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Returns its exit code: 0, 1 for a failure, 2 for bad usage, 130 when interrupted."""
    options = parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except OSError as error:
        print(f"pysctp {options.command}: {error}", file=sys.stderr)
        return 1
