"""What is known not to be as it should, or not to be possible, each with the reason; all else fails the run.

Keys are patterns (`fnmatch`) of cells' names, or of what tshark and the checker say.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from typing import Final

UNABLE: Final[dict[str, str]] = {}
"""Cells that a peer cannot play. They are SKIP, and the only ones that may be with `--require`."""

WARNINGS: Final[dict[tuple[str, str], str]] = {
    ("*", "More than 100 TSNs were gap-acknowledged in this SACK."): "a loss early in a window: the blocks are large",
}
"""(cell, tshark's expert note of severity "warning") that are right to be there."""

DEVIATIONS: Final[dict[tuple[str, str], str]] = {}
"""(cell, finding of `pysctpstack.check`) that the peer is answerable for."""


def why_unable(name: str) -> str | None:
    """Return the reason why the cell cannot be played, or None."""
    return next((reason for pattern, reason in UNABLE.items() if fnmatch.fnmatch(name, pattern)), None)


def unlisted(name: str, texts: Iterable[str], table: dict[tuple[str, str], str]) -> list[str]:
    """Return the texts of a cell that `table` does not know."""
    return [
        text
        for text in texts
        if not any(fnmatch.fnmatch(name, cell) and fnmatch.fnmatch(text, pattern) for cell, pattern in table)
    ]
