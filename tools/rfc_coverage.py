"""Which test answers for which sentence of RFC 9260: checks `tests/rfc/rfc9260.json`, writes `docs/rfc-coverage.md`.

The list has an entry for each sentence of sections 3 to 11 with MUST, MUST NOT, SHOULD or SHOULD NOT. It names a
sentence by its section, its number there and its keywords, says in words of our own what it is about, and keeps a
hash of it, so that completeness can be checked wherever the RFC's text is at hand
(https://www.rfc-editor.org/rfc/rfc9260.txt): in the file that `PYSCTPSTACK_RFC` names, or in
`../shared/rfc/rfc9260.txt`.

    python tools/rfc_coverage.py check       every entry is answered, by tests that exist, and no sentence is missing
    python tools/rfc_coverage.py docs        write the page
    python tools/rfc_coverage.py sentences   print the sentences as they are cut, with ids, hashes and entries

An entry has one of these answers:

    tests     pytest node ids; each of them would fail if the sentence were violated
    departs   what this stack does instead, on purpose; ``tests`` may show that
    reason    why there is nothing to test
    missing   what this stack does not do yet

``code`` may name the place that does it, as ``module:name``; ``note`` may say more.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "tests" / "rfc" / "rfc9260.json"
PAGE = ROOT / "docs" / "rfc-coverage.md"
TEXT_VARIABLE = "PYSCTPSTACK_RFC"
TEXT = ROOT.parent / "shared" / "rfc" / "rfc9260.txt"
FIRST_SECTION = 3
LAST_SECTION = 11

KEYWORD = re.compile(r"\b(?:MUST NOT|MUST|SHOULD NOT|SHOULD)\b")
_HEADING = re.compile(r"^(\d+(?:\.\d+)*)\.  (\S.*)$")
_ITEM = re.compile(r"^ *(?:\*|(?:ICMP|[ivx]+|[A-Za-z])?\d*[.)]) +(?=\S)")
#: A full stop, and behind it something that can begin a sentence.
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')]*\s+(?=[\"'([]*[A-Z0-9])")
_NO_END = re.compile(r"(?:\b(?:i\.e|e\.g|etc|vs|cf|Inc|No|Fig|resp)\.|\b[A-Z]\.)[\"')]*$")


@dataclass
class Sentence:
    """A sentence of the RFC with at least one keyword."""

    section: str
    number: int
    """Counted within the section, from 1."""
    text: str

    @property
    def id(self) -> str:
        return f"9260-{self.section}-{self.number:02}"

    @property
    def keywords(self) -> list[str]:
        return KEYWORD.findall(self.text)

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]


@dataclass
class Entry:
    """A line of the list."""

    id: str
    keywords: list[str]
    hash: str
    about: str
    tests: list[str] = field(default_factory=list)
    departs: str = ""
    reason: str = ""
    missing: str = ""
    code: str = ""
    note: str = ""

    @property
    def section(self) -> str:
        return self.id.split("-")[1]

    @property
    def status(self) -> str:
        for status in ("missing", "departs", "reason"):
            if getattr(self, status):
                return status
        return "tested" if self.tests else "unanswered"


def load() -> list[Entry]:
    """The list. TypeError: a line has a key that is none."""
    return [Entry(**line) for line in json.loads(LIST.read_text(encoding="utf-8"))]


# --- the RFC's text ---


def rfc_path() -> Path | None:
    """Where the RFC's text is, or None."""
    named = os.environ.get(TEXT_VARIABLE)
    path = Path(named) if named else TEXT
    return path if path.is_file() else None


def sections(text: str) -> list[tuple[str, str, list[str]]]:
    """(number, title, lines) of every section; the table of contents, which is indented, has none."""
    found: list[tuple[str, str, list[str]]] = []
    for line in text.splitlines():
        heading = _HEADING.match(line)
        if heading:
            found.append((heading[1], heading[2], []))
        elif found:
            found[-1][2].append(line)
    return found


def paragraphs(lines: list[str]) -> list[str]:
    """Paragraphs and list items, each on one line, without the item's marker."""
    found: list[list[str]] = [[]]
    for line in lines:
        if not line.strip():
            found.append([])
            continue
        marker = _ITEM.match(line)
        if marker and (not found[-1] or line.lstrip()[0] == "*"):
            found.append([line[marker.end() :]])
        else:
            found[-1].append(line)
    return [" ".join(" ".join(paragraph).split()) for paragraph in found if paragraph]


def split_sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph."""
    found: list[str] = []
    begin = 0
    for end in _SENTENCE_END.finditer(paragraph):
        if not _NO_END.search(paragraph[begin : end.start()]):
            found.append(paragraph[begin : end.start()].strip())
            begin = end.end()
    found.append(paragraph[begin:].strip())
    return found


def sentences(text: str) -> list[Sentence]:
    """Every sentence with a keyword in the sections that the list is about, in order."""
    found: list[Sentence] = []
    for section, _, lines in sections(text):
        if not FIRST_SECTION <= int(section.partition(".")[0]) <= LAST_SECTION:
            continue
        number = 0
        for paragraph in paragraphs(lines):
            for sentence in split_sentences(paragraph):
                if KEYWORD.search(sentence):
                    number += 1
                    found.append(Sentence(section, number, sentence))
    return found


# --- checks: each returns what is wrong, as lines ---


def check_answers(entries: list[Entry]) -> list[str]:
    """Every entry has one answer, and a summary; no two have the same id."""
    wrong = [f"{id_}: twice" for id_, count in Counter(entry.id for entry in entries).items() if count > 1]
    for entry in entries:
        if not entry.about:
            wrong.append(f"{entry.id}: says nothing")
        elif entry.status == "unanswered":
            wrong.append(f"{entry.id}: neither a test nor a reason")
        elif sum(map(bool, (entry.departs, entry.reason, entry.missing))) > 1 or (
            entry.tests and (entry.reason or entry.missing)
        ):
            wrong.append(f"{entry.id}: more than one answer")
    return wrong


def check_tests(entries: list[Entry]) -> list[str]:
    """Every test that is named exists, and so does every place in the code."""
    wrong: list[str] = []
    names: dict[str, set[str]] = {}
    for entry in entries:
        for test in entry.tests:
            file, _, name = test.partition("::")
            if file not in names:
                names[file] = definitions(ROOT / file)
            if not name.startswith("test_") or name not in names[file]:
                wrong.append(f"{entry.id}: no test {test}")
        if entry.code:
            module, _, name = entry.code.partition(":")
            path = ROOT / (module.replace(".", "/") + ".py")
            if name not in definitions(path):
                wrong.append(f"{entry.id}: no code {entry.code}")
    return wrong


def definitions(path: Path) -> set[str]:
    """Functions, classes, their methods (``Class.method``) and constants at the top of a file; empty without one."""
    if not path.is_file():
        return set()
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found.add(node.name)
            found |= {f"{node.name}.{item.name}" for item in node.body if isinstance(item, ast.FunctionDef)}
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def check_completeness(entries: list[Entry], text: str) -> list[str]:
    """The list has just the sentences of the RFC's text, under their numbers."""
    listed = {entry.id: entry for entry in entries}
    wrong: list[str] = []
    found: set[str] = set()
    for sentence in sentences(text):
        found.add(sentence.id)
        entry = listed.get(sentence.id)
        if entry is None:
            wrong.append(f"{sentence.id}: not in the list")
        elif (entry.hash, entry.keywords) != (sentence.hash, sentence.keywords):
            wrong.append(f"{sentence.id}: another sentence, {' '.join(sentence.keywords)} {sentence.hash}")
    wrong += [f"{id_}: no such sentence" for id_ in listed if id_ not in found]
    return wrong


def check_order(entries: list[Entry]) -> list[str]:
    """The list is in the order of the RFC."""

    def key(entry: Entry) -> tuple[list[int], int]:
        _, section, number = entry.id.split("-")
        return [int(part) for part in section.split(".")], int(number)

    return [
        f"{after.id}: stands behind {before.id}" for before, after in pairwise(entries) if key(before) >= key(after)
    ]


# --- the page ---

_INTRODUCTION = """\
# RFC coverage

<!-- Written by `python tools/rfc_coverage.py docs` from `tests/rfc/rfc9260.json`. -->

Sections 3 to 11 of [RFC 9260](https://www.rfc-editor.org/rfc/rfc9260) have {total} sentences with MUST, MUST NOT,
SHOULD or SHOULD NOT. Each has a number here, counted within its section, and an answer: a test that fails if the
sentence is violated, a deviation that is meant, a reason why there is nothing to test, or an admission that it is
missing. The summaries are ours; the RFC's own words count.

| answer | MUST, MUST NOT | SHOULD, SHOULD NOT only |
|---|---|---|
"""

_ANSWERS = {
    "tested": "tested",
    "departs": "departs on purpose",
    "reason": "a reason",
    "missing": "missing",
}


def page(entries: list[Entry]) -> str:
    """`docs/rfc-coverage.md`."""
    lines = [_INTRODUCTION.format(total=len(entries)).rstrip("\n")]
    for status, answer in _ANSWERS.items():
        of_status = [entry for entry in entries if entry.status == status]
        hard = sum(any(keyword.startswith("MUST") for keyword in entry.keywords) for entry in of_status)
        lines.append(f"| {answer} | {hard} | {len(of_status) - hard} |")
    titles = {"missing": "What is missing", "departs": "What is done otherwise on purpose"}
    for status, title in titles.items():
        of_status = [entry for entry in entries if entry.status == status]
        if of_status:
            lines += ["", f"## {title}", "", "| sentence | keywords | about | instead |", "|---|---|---|---|"]
            lines += [_row(entry, getattr(entry, status)) for entry in of_status]
    section = ""
    for entry in entries:
        if entry.section != section:
            section = entry.section
            lines += ["", f"## Section {section}", "", "| sentence | keywords | about | answer |", "|---|---|---|---|"]
        lines.append(_row(entry, _answer(entry)))
    return "\n".join(lines) + "\n"


def _row(entry: Entry, answer: str) -> str:
    cells = (entry.id.removeprefix("9260-"), ", ".join(entry.keywords), entry.about, answer)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _answer(entry: Entry) -> str:
    parts = [f"{entry.status}: {getattr(entry, entry.status)}"] if entry.status not in ("tested", "reason") else []
    if entry.reason:
        parts.append(entry.reason)
    for test in entry.tests:
        file, _, name = test.partition("::")
        parts.append(f"`{file.removeprefix('tests/')}` `{name}`")
    if entry.code:
        parts.append(f"in `{entry.code}`")
    if entry.note:
        parts.append(entry.note)
    return "; ".join(parts)


# --- the command ---


def main(arguments: list[str]) -> int:
    """Run a command; the exit status."""
    command = arguments[0] if len(arguments) == 1 else ""
    if command not in ("check", "docs", "sentences"):
        print(__doc__)
        return 2
    path = rfc_path()
    text = path.read_text(encoding="utf-8-sig") if path else ""
    if command == "sentences":
        if path is None:
            print(f"no text of the RFC: name it in {TEXT_VARIABLE}")
            return 1
        about = {entry.id: entry.about for entry in load()} if LIST.is_file() else {}
        for sentence in sentences(text):
            print(sentence.id, ", ".join(sentence.keywords), sentence.hash)
            print(f"    {sentence.text}\n    -> {about.get(sentence.id, 'not in the list')}")
        return 0
    entries = load()
    if command == "docs" and not check_answers(entries):
        PAGE.write_text(page(entries), encoding="utf-8")
        return 0
    wrong = check_answers(entries) + check_order(entries) + check_tests(entries)
    if path is None:
        print(f"completeness not checked: no text of the RFC; name it in {TEXT_VARIABLE}")
    else:
        wrong += check_completeness(entries, text)
    if not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page(entries):
        wrong.append(f"{PAGE.relative_to(ROOT)} is not up to date: python tools/rfc_coverage.py docs")
    print("\n".join(wrong))
    print({status: sum(entry.status == status for entry in entries) for status in _ANSWERS})
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
