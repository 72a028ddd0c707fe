"""Messages in the DATA of one direction: fragments (RFC 9260 section 6.9), SSNs (section 6.5), PPIDs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from pysctpstack.wire import codepoints as cp


class Fragment(Protocol):
    """What this module reads of a DATA chunk."""

    tsn: int
    chunk_flags: int
    stream_id: int
    ssn: int
    ppid: int
    number: int
    first: float


def check_messages(
    sent: Mapping[int, Fragment],
    initial: int | None,
    forwarded: int | None,
    reset: bool,
    tell: Callable[[str, int, float, str], None],
) -> None:
    """Walk the chunks in the order of their TSNs; after one that was not seen, begin anew."""
    previous = initial - 1 if initial is not None else None
    expected: dict[int, int] = {}
    from_the_start = initial is not None
    open_: Fragment | None = None
    known = from_the_start
    """Whether the chunks before tell if a message is open."""
    for tsn in sorted(sent):
        chunk = sent[tsn]
        if previous is None or tsn != previous + 1:
            open_, from_the_start, known = None, False, False
            expected.clear()
        previous = tsn
        beginning = bool(chunk.chunk_flags & cp.DATA_FLAG_B)
        ending = bool(chunk.chunk_flags & cp.DATA_FLAG_E)
        ordered = not chunk.chunk_flags & cp.DATA_FLAG_U
        where = f"TSN {tsn & 0xFFFFFFFF}"
        if open_ is not None and forwarded is not None and forwarded >= open_.tsn:
            open_, known = None, False  # RFC 3758: the rest of an abandoned message need not come
        if beginning:
            if open_ is not None:
                text = f"{where} begins a message inside the one of TSN {open_.tsn & 0xFFFFFFFF}"
                tell("fragments", chunk.number, chunk.first, text)
            if ordered:
                _ssn(chunk, where, expected, from_the_start, forwarded is not None, reset, tell)
        elif open_ is not None:
            _same_message(chunk, open_, where, tell)
        elif known:
            tell("fragments", chunk.number, chunk.first, f"{where} continues a message that has not begun")
        if beginning and not ending:
            open_ = chunk
        elif ending:
            open_ = None
        known |= beginning or ending


def _ssn(
    chunk: Fragment,
    where: str,
    expected: dict[int, int],
    from_the_start: bool,
    partial: bool,
    reset: bool,
    tell: Callable[[str, int, float, str], None],
) -> None:
    want = expected.get(chunk.stream_id, 0 if from_the_start else None)
    # RFC 6525: a reset stream begins at 0 again; RFC 3758: an abandoned message's SSN may never show.
    excused = partial or (reset and chunk.ssn == 0)
    if want is not None and chunk.ssn != want and not excused:
        text = f"{where} has SSN {chunk.ssn} on stream {chunk.stream_id}, {want} is next"
        tell("ssn", chunk.number, chunk.first, text)
    expected[chunk.stream_id] = (chunk.ssn + 1) & 0xFFFF


def _same_message(chunk: Fragment, first: Fragment, where: str, tell: Callable[[str, int, float, str], None]) -> None:
    differs = [
        name
        for name, mine, other in (
            ("stream", chunk.stream_id, first.stream_id),
            # RFC 9260 section 3.3.1: the SSN of unordered messages means nothing.
            ("SSN", chunk.ssn, first.ssn if not first.chunk_flags & cp.DATA_FLAG_U else chunk.ssn),
            ("U bit", chunk.chunk_flags & cp.DATA_FLAG_U, first.chunk_flags & cp.DATA_FLAG_U),
        )
        if mine != other
    ]
    if differs:
        text = f"{where} has another {', '.join(differs)} than its message's first fragment"
        tell("fragments", chunk.number, chunk.first, text)
    if chunk.ppid != first.ppid:
        tell(
            "ppid",
            chunk.number,
            chunk.first,
            f"{where} has PPID {chunk.ppid}, its message's first fragment {first.ppid}",
        )
