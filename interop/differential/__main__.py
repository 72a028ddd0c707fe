"""Run, check, record and document the differential test: `python -m interop.differential`.

    run kernel|pysctpstack    run the scenarios on one of the two, and write a JSON line for each
    check                     run them on pysctpstack, and write a JSON line for each with its problem, or none
    record < LINES            make what `run kernel` wrote the results that are compared with
    document                  write docs/differential.md
    count                     write how many scenarios there are, how many are equal, and whether the page says so

pysctpstack's sockets talk to each other on its default stack: PYSCTPSTACK_UDP_PORT and PYSCTPSTACK_REMOTE_UDP_PORT have
to be the same free port.
"""

from __future__ import annotations

import argparse
import fnmatch
import importlib
import json
import os
import platform
import sys

from interop.differential import compare, document
from interop.differential.runner import run_all
from interop.differential.scenarios import all_scenarios


def main() -> None:
    """Do what the command line says."""
    usage, _, text = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m interop.differential",
        description=usage,
        epilog=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=("run", "check", "record", "document", "count"))
    parser.add_argument("socket", nargs="?", choices=("kernel", "pysctpstack"), default="pysctpstack")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="scenarios whose name matches (* and ? do)")
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="run so many scenarios at once")
    arguments = parser.parse_args()
    if arguments.command == "document":
        document.write()
    elif arguments.command == "count":
        print(json.dumps(document.count()))
    elif arguments.command == "record":
        lines = [json.loads(line) for line in sys.stdin]
        compare.save(lines[0]["system"], {line["name"]: line["result"] for line in lines[1:]})
    else:
        _run(arguments)


def _run(arguments: argparse.Namespace) -> None:
    module = importlib.import_module("socket" if arguments.socket == "kernel" else "pysctpstack.socket")
    checks = arguments.command == "check"
    recorded = compare.load()[1] if checks else {}
    if not checks:
        print(json.dumps({"system": f"{platform.system()} {platform.release()}"}), flush=True)
    scenarios = [scenario for scenario in all_scenarios() if fnmatch.fnmatch(scenario.name, arguments.only)]
    for name, result, seconds in run_all(scenarios, module, arguments.at_once):
        if checks:
            problem = compare.problem(name, recorded.get(name, compare.ABSENT), result)
            line: dict[str, object] = {"name": name, "problem": problem}
        else:
            line = {"name": name, "result": result, "seconds": round(seconds, 2)}
        print(json.dumps(line), flush=True)
    # Threads that hang are left behind, and so is what the stack would wait for.
    os._exit(0)


if __name__ == "__main__":
    main()
