"""Write docs/conformance.md: the test purposes of ETSI TS 102 369, each with its test, or the reason why it has none.

    python tools/conformance_table.py            write the page
    python tools/conformance_table.py --check    only say whether it is up to date (exit status 1: it is not)

The purposes and the reasons come from tests/conformance/purposes.py and tests/conformance/not_applicable.py, the tests
from the names of the functions there: purpose sctp-as-v-1-1-1 is shown by test_sctp_as_v_1_1_1.
"""

from __future__ import annotations

import argparse
import ast
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests" / "conformance"
PAGE = ROOT / "docs" / "conformance.md"

HEAD = """\
# Conformance

ETSI TS 102 369 lists test purposes for SCTP. They were written for RFC 4960; what each has to show follows from RFC
9260 here, which rules where the two differ: a host name is refused, RTO.Initial is 1 s, an INIT with Initiate Tag 0 is
dropped in silence. In an identifier, *v* is for valid behaviour of the peer, *i* for invalid, *o* for inopportune.

{count}. Every test plays the peer against the protocol core in virtual time, asserts on
the packets that leave (chunks, tags, ports, order, times) and on what the user is told, and is one function, named
after its purpose:

    pytest tests/conformance
    pytest tests/conformance -k test_sctp_as_v_1_1_1

`tools/conformance_table.py` writes this page.
"""


def tests_by_purpose() -> dict[str, str]:
    """Purpose to the file that shows it, e.g. ``"sctp-as-v-1-1-1": "test_as_association_setup.py"``.

    ValueError: two functions have the same purpose.
    """
    found: dict[str, str] = {}
    for path in sorted(TESTS.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_sctp_"):
                purpose = node.name.removeprefix("test_").replace("_", "-")
                if purpose in found:
                    raise ValueError(f"{purpose} is in {found[purpose]} and in {path.name}")
                found[purpose] = path.name
    return found


def purposes() -> dict[str, str]:
    """All purposes, in the order of the specification, with their subjects."""
    table: dict[str, str] = runpy.run_path(str(TESTS / "purposes.py"))["PURPOSES"]
    return table


def groups() -> dict[str, str]:
    """The groups' abbreviations, in the order of the specification, with their titles."""
    table: dict[str, str] = runpy.run_path(str(TESTS / "purposes.py"))["GROUPS"]
    return table


def not_applicable() -> dict[str, str]:
    """Purposes without a test, with the reason."""
    table: dict[str, str] = runpy.run_path(str(TESTS / "not_applicable.py"))["NOT_APPLICABLE"]
    return table


def group_of(purpose: str) -> str:
    """``"as"`` of ``"sctp-as-v-1-1-1"``."""
    return purpose.split("-")[1]


def render() -> str:
    """The page. KeyError: a purpose has neither a test nor a reason."""
    subjects, tests, reasons = purposes(), tests_by_purpose(), not_applicable()
    count = f"All {len(subjects)} purposes have a test"
    if reasons:
        count = f"{len(subjects) - len(reasons)} of {len(subjects)} purposes have a test, the others a reason"
    parts = [HEAD.format(count=count)]
    for group, title in groups().items():
        parts.append(f"\n## {title} ({group.upper()})\n\n| purpose | subject | test |\n|---|---|---|\n")
        for purpose, subject in subjects.items():
            if group_of(purpose) == group:
                test = f"not applicable: {reasons[purpose]}" if purpose in reasons else f"`{tests[purpose]}`"
                parts.append(f"| {purpose} | {subject} | {test} |\n")
    return "".join(parts)


def main(arguments: list[str] | None = None) -> int:
    """The command; the exit status."""
    parser = argparse.ArgumentParser(description="Write docs/conformance.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the page is out of date")
    if parser.parse_args(arguments).check:
        if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == render():
            return 0
        print(f"{PAGE.relative_to(ROOT)} is out of date: run python tools/conformance_table.py", file=sys.stderr)
        return 1
    PAGE.write_text(render(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
