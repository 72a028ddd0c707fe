"""The page of the documentation: its tables are replaced by newly measured ones, its prose stays."""

from __future__ import annotations

from pathlib import Path

from tools.bench import build

PAGE = build.ROOT / "docs" / "performance.md"
CHART = build.ROOT / "docs" / "performance.svg"
BEGIN = "<!-- measured by tools.bench: {name} -->"
END = "<!-- end of {name} -->"


def replaced(page: str, name: str, text: str) -> str:
    """The page with ``text`` between the marks of that name. ValueError: they are not there, or not in order."""
    begin, end = BEGIN.format(name=name), END.format(name=name)
    before, found, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise ValueError(f"{PAGE.name} has no {begin} with {end} after it")
    return f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}"


def write(name: str, text: str, path: Path = PAGE) -> None:
    path.write_text(replaced(path.read_text(encoding="utf-8"), name, text), encoding="utf-8")
