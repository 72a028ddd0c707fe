"""``pysctp check``: does the exchange in a capture keep the rules of RFC 9260?"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from typing import Any

from pysctpstack import check
from pysctpstack.cli.decode import add_capture, opened
from pysctpstack.decode import UDP_PORT, packets

_SHOWN = 5
"""Findings of one rule in one association that are printed without ``--all``."""


def add_parser(commands: Any) -> None:
    limits = check.Limits()
    parser = commands.add_parser(
        "check",
        help="check the exchange in a capture against RFC 9260",
        description="Check every association of a capture (pcap or pcapng) against RFC 9260. The exit code is 1 when a"
        " rule was broken, 0 when none was.",
    )
    add_capture(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object, with findings, notes and associations")
    parser.add_argument("--all", action="store_true", help=f"print more than {_SHOWN} findings of one kind")
    for option, value, what in (
        ("--rto-min", limits.rto_min, "shortest retransmission time-out, in seconds"),
        ("--rto-max", limits.rto_max, "longest retransmission time-out, in seconds"),
        ("--reorder", limits.reorder, "seconds by which the network may reorder packets"),
    ):
        parser.add_argument(option, type=float, default=value, metavar="S", help=f"{what} (default: %(default)s)")
    parser.add_argument(
        "--packets-per-sack",
        type=int,
        default=limits.packets_per_sack,
        metavar="N",
        help="packets that a SACK may cover at the start (default: %(default)s; 0: any)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    limits = check.Limits(
        rto_min=options.rto_min,
        rto_max=options.rto_max,
        reorder=options.reorder,
        packets_per_sack=options.packets_per_sack,
    )
    with opened(options.capture) as file:
        report = check.report(packets(file, {UDP_PORT, *options.udp_port}), limits)
    if options.json:
        print(
            json.dumps(
                {
                    "packets": report.packets,
                    "associations": report.associations,
                    "findings": [finding.document() for finding in report.findings],
                    "notes": report.notes,
                }
            )
        )
    else:
        _print(report, options.all)
    return 1 if report.findings else 0


def _print(report: check.Report, everything: bool) -> None:
    shown: Counter[tuple[str, str, str]] = Counter()
    for finding in report.findings:
        kind = finding.rule, finding.association, finding.source
        shown[kind] += 1
        if everything or shown[kind] <= _SHOWN:
            print(finding)
    for (rule, association, source), count in shown.items():
        if count > _SHOWN and not everything:
            print(f"{association}: {source}: {rule}: {count - _SHOWN} more (--all shows them)")
    for note in report.notes:
        print(f"note: {note}")
    print(f"{report.packets} packets, {len(report.associations)} associations, {len(report.findings)} findings")
