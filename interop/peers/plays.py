"""What the two ends of a cell do with their association: a function for each part, the same on every stack.

A part checks what it sees and raises `Unexpected`. What it sent and received is counted by `Talk`; the run compares the
counts of both ends.
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from interop.peers.ends import Adaptation, Change, End, Event, Message, is_end

USER_INITIATED_ABORT = 12  # RFC 9260 section 3.3.10.12
REASON = b"the play wants it so"
END_PPID = 0xE0D  # a message that says that nothing more will come
SIZES = (1, 2, 3, 4, 5, 100, 1_000, 1_440, 1_452, 1_453, 4_096, 65_535, 65_536, 100_003, 262_144, 1_048_576)
PPID_BASE = 0x4A00_0000  # no PPID that a dissector knows: bodies are arbitrary bytes
PATIENCE = 20.0  # seconds that a survivor waits for the end of its association

_log_lock = threading.Lock()


class Unexpected(Exception):
    """An end saw something else than what must come."""


def emit(event: str, **fields: Any) -> None:
    """Write one event as a JSON line."""
    with _log_lock:
        print(json.dumps({"event": event, **fields}), flush=True)


def expect(seen: object, wanted: object, what: str) -> None:
    """Raise Unexpected unless what is seen is what is wanted."""
    if seen != wanted:
        raise Unexpected(f"{what}: {str(seen)[:200]}, not {str(wanted)[:200]}")


def body(seed: int, size: int) -> bytes:
    """Return bytes that both ends can make."""
    return random.Random(seed).randbytes(size)


class Talk:
    """An end with an association, and what went over it."""

    def __init__(self, end: End) -> None:
        self.end = end
        self.settings = end.settings
        self.sent = 0
        self.received = 0
        self._shut_down = False

    def establish(self) -> None:
        """Set the association up, as the role says; return when it is."""
        if self.settings.role == "server":
            self.end.listen()
            emit("listening")
            self.end.accept()
        else:
            self.end.connect()

    def send(self, data: bytes, sid: int = 0, ppid: int = 0, *, unordered: bool = False) -> None:
        """Send a message."""
        self.end.send(Message(data, sid, PPID_BASE + ppid, unordered))
        self.sent += 1

    def events(self) -> Iterator[Event]:
        """Yield what comes, until the end of file; ConnectionResetError when the association is lost."""
        while (event := self.end.receive()) is not None:
            if isinstance(event, Message):
                self.received += 1
                event = replace(event, ppid=event.ppid - PPID_BASE)
            elif isinstance(event, Change):
                emit("change", state=event.state, out=event.outbound, inbound=event.inbound, cause=event.cause)
                if event.state == "SHUTDOWN_COMP" and (self.end.ends_silently or self.settings.many):
                    return
            yield event

    def message(self) -> Message:
        """Return the next message."""
        for event in self.events():
            if isinstance(event, Message):
                return event
        raise Unexpected("the end of file where a message must come")

    def change(self, state: str) -> Change:
        """Return the next notification of a change of the association, which must be of this state."""
        for event in self.events():
            if isinstance(event, Change):
                expect(event.state, state, "the association's change")
                return event
        raise Unexpected(f"the end of file where {state} must come")

    def finish(self) -> None:
        """End gracefully: no message may come any more."""
        self.end.shutdown()
        self.eof()

    def eof(self) -> None:
        """Read until the end of file, without a message."""
        expect([event for event in self.events() if isinstance(event, Message)], [], "before the end of file")

    @contextmanager
    def sending(self, messages: Iterable[Message]) -> Iterator[None]:
        """Send in a thread of its own, which must have ended at the exit."""
        failures: list[OSError] = []

        def run() -> None:
            try:
                for message in messages:
                    self.send(message.data, message.sid, message.ppid, unordered=message.unordered)
            except OSError as error:
                failures.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield
        thread.join(PATIENCE)
        if failures:
            raise failures[0]
        expect(thread.is_alive(), False, "the sender is still at work")


def greet(talk: Talk) -> None:
    """A message and an answer; the client ends."""
    if talk.settings.role == "client":
        talk.send(b"hello", 0, 1)
        expect(talk.message(), Message(b"HELLO", 0, 1, False), "the answer")
        talk.finish()
    else:
        message = talk.message()
        talk.send(message.data.upper(), message.sid, message.ppid)
        talk.eof()


def negotiate(talk: Talk) -> None:
    """Both ends see the numbers of streams and the other's Adaptation Layer Indication."""
    settings = talk.settings
    found: dict[type, Event] = {}
    for event in talk.events():
        found[type(event)] = event
        if Change in found and Adaptation in found:
            break
    streams = min(settings.streams, settings.most_inbound)
    change = found[Change]
    assert isinstance(change, Change)
    expect((change.state, change.outbound, change.inbound), ("COMM_UP", streams, streams), "the association")
    expect(found[Adaptation], Adaptation(settings.adaptation), "the peer's indication")
    greet(talk)


def streams(talk: Talk) -> None:
    """All streams are there; a message on each of them, or on a hundred of many, and back."""
    number = talk.settings.streams
    change = talk.change("COMM_UP")
    expect((change.outbound, change.inbound), (number, number), "streams outbound and inbound")
    chosen = sorted({index * (number - 1) // max(1, min(number, 100) - 1) for index in range(min(number, 100))})
    if talk.settings.role == "client":
        with talk.sending(Message(b"on %d" % sid, sid, sid, False) for sid in chosen):
            for sid in chosen:
                expect(talk.message(), Message(b"on %d" % sid, sid, sid, False), "the echo")
        talk.finish()
    else:
        for _sid in chosen:
            message = talk.message()
            talk.send(message.data, message.sid, message.ppid)
        talk.eof()


def sizes(talk: Talk) -> None:
    """Messages of 1 byte to 1 MiB, ordered and unordered in turn, each with a PPID of its own, both ways at once."""

    def made(role: str) -> list[Message]:
        seed = 1_000 * (role == "client")
        both = [(size, unordered) for size in SIZES for unordered in (False, True)]
        return [
            Message(body(seed + index, size), index % talk.settings.streams, (seed << 16) + index + 1, unordered)
            for index, (size, unordered) in enumerate(both)
        ]

    _exchange(talk, made("client"), made("server"))


def exchange(talk: Talk) -> None:
    """A hundred and fifty messages of up to 3,000 bytes each way, on three streams."""

    def made(role: str) -> list[Message]:
        seed = 1_000 * (role == "client")
        return [
            Message(body(seed + index, 1 + index * 389 % 3_000), index % 3, seed + index, False) for index in range(150)
        ]

    _exchange(talk, made("client"), made("server"))


def paces(talk: Talk) -> None:
    """A message every 10 ms each way, 250 times."""

    def made() -> Iterator[Message]:
        for index in range(250):
            yield Message(body(index, 500), 0, index, False)
            time.sleep(0.01)

    with talk.sending(made()):
        for index in range(250):
            if index == 40:
                emit("middle")
            expect(talk.message(), Message(body(index, 500), 0, index, False), "the message")
    talk.finish() if talk.settings.leads else talk.eof()


def bulk(talk: Talk) -> None:
    """Four megabytes each way."""
    data = [Message(body(index, 40_000), 0, index, False) for index in range(100)]
    _exchange(talk, data, data)


def crowd(talk: Talk) -> None:
    """Messages that fill, and overfill, a tiny receive buffer, each way."""
    sizes = [1_000, 100, 1_300, 4_000, 1, 2_500] * 8
    data = [Message(body(index, size), index % 2, index, False) for index, size in enumerate(sizes)]
    _exchange(talk, data, data)


def _exchange(talk: Talk, of_client: list[Message], of_server: list[Message]) -> None:
    leads = talk.settings.leads
    mine, wanted = (of_client, of_server) if leads else (of_server, of_client)
    with talk.sending(mine):
        came = [talk.message() for _message in wanted]
    expect({message.ppid for message in came}, {message.ppid for message in wanted}, "the PPIDs that came")
    known = {message.ppid: message for message in wanted}
    for message in came:
        if message != known[message.ppid]:
            size = len(known[message.ppid].data)
            raise Unexpected(f"message {message.ppid:#x}, {size} bytes, came as {len(message.data)} other bytes")
    for sid in {message.sid for message in wanted}:
        orders = [[m.ppid for m in those if m.sid == sid and not m.unordered] for those in (came, wanted)]
        expect(orders[0], orders[1], f"the order on stream {sid}")
    talk.finish() if leads else talk.eof()


def load(talk: Talk) -> None:
    """As much as goes, both ways, for `seconds`; every message says which it is."""
    blob = body(7, 16_384)
    until = time.monotonic() + talk.settings.seconds
    lengths = (100, 1_400, 1_400, 8_000, 16_000)

    def made() -> Iterator[Message]:
        index = 0
        while time.monotonic() < until:
            yield Message(blob[: lengths[index % len(lengths)]], 0, index, False)
            index += 1
        yield Message(b"%d" % index, 0, END_PPID << 16, False)

    begin = time.monotonic()
    octets = 0
    with talk.sending(made()):
        for index, message in enumerate(iter(talk.message, None)):
            if message.ppid == END_PPID << 16:
                expect(int(message.data), index, "messages before the end")
                break
            octets += len(message.data)
            if message.ppid != index or message.data != blob[: lengths[index % len(lengths)]]:
                raise Unexpected(f"message {index} came as {message.ppid} with {len(message.data)} bytes")
    emit("load", octets=octets, seconds=time.monotonic() - begin)
    talk.finish() if talk.settings.role == "client" else talk.eof()


def closes_in_flight(talk: Talk) -> None:
    """Send, and shut down at once, while the other end sends too: all of both must arrive."""
    expect(talk.message().data, b"begin", "the first message")
    for index in range(150):
        talk.send(body(index, 2_000), 0, index)
    talk.end.shutdown()
    for index, event in enumerate(event for event in talk.events() if isinstance(event, Message)):
        expect(event, Message(body(index + 1, 1_500), 0, index + 1, False), "the message")
    expect(talk.received > 1, True, "messages of the other end came")


def closed_upon(talk: Talk) -> None:
    """Send until the other end's SHUTDOWN ends that, and read all."""

    def made() -> Iterator[Message]:
        yield Message(b"begin", 0, 0, False)
        for index in range(1, 100_000):
            yield Message(body(index, 1_500), 0, index, False)

    try:
        with talk.sending(made()):
            for index, event in enumerate(event for event in talk.events() if isinstance(event, Message)):
                if event.data != body(index, 2_000):
                    raise Unexpected(f"message {index} came as {event.ppid} with {len(event.data)} bytes")
    except OSError as error:
        if not is_end(error):
            raise
    expect(talk.received, 150, "messages before the end of file")


def aborts(talk: Talk) -> None:
    """Abort with a reason while both ends send."""
    talk.message()  # which also tells a one-to-many socket who the peer is
    for index in range(20):
        talk.send(body(index, 5_000), 0, index)
    talk.end.abort(REASON)
    emit("aborted")


def aborted(talk: Talk) -> None:
    """Send without an end; see the peer's ABORT with its reason."""
    stopped = threading.Event()

    def made() -> Iterator[Message]:
        index = 0
        while not stopped.is_set():
            yield Message(body(index, 3_000), 0, index, False)
            index += 1

    try:
        with talk.sending(made()):
            change = _loss(talk)
            stopped.set()
    except OSError as error:
        if not is_end(error):
            raise
    expect((change.cause, change.reason), (USER_INITIATED_ABORT, REASON), "cause and reason of the ABORT")


def _loss(talk: Talk) -> Change:
    """Read until SCTP_COMM_LOST."""
    for event in talk.events():
        if isinstance(event, Change) and event.state == "COMM_LOST":
            return event
    raise Unexpected("the end of file where SCTP_COMM_LOST must come")


def survives(talk: Talk) -> None:
    """Send on until the association is lost with the peer."""
    talk.send(b"still here")
    talk.message()
    emit("middle")
    begin = time.monotonic()
    try:
        while time.monotonic() < begin + PATIENCE:
            talk.send(b"still here")
            time.sleep(0.02)
    except OSError as error:
        if not is_end(error):
            raise
        emit("lost", after=time.monotonic() - begin, errno=error.errno)
        return
    raise Unexpected(f"the association lives {PATIENCE:.0f} s after its peer's death")


def reads(talk: Talk) -> None:
    """Answer the first message, and read on until the end, whatever it is."""
    talk.message()
    talk.send(b"here too")
    try:
        for _event in talk.events():
            pass
    except OSError as error:
        if not is_end(error):
            raise


def restarts(talk: Talk) -> None:
    """The first life of a client: it ends without a word to anybody."""
    talk.send(b"first life")
    talk.message()
    emit("middle")
    time.sleep(1.0)  # in which the run may cut the network: a kernel says goodbye for its programs
    os.kill(os.getpid(), signal.SIGKILL)


def outlives(talk: Talk) -> None:
    """A server whose client restarts."""
    expect(talk.message().data, b"first life", "the message")
    talk.send(b"welcome")
    talk.change("RESTART")
    talk.sent = 0  # what the first life was told of is no longer counted
    talk.received = 0
    message = talk.message()
    talk.send(message.data.upper(), message.sid, message.ppid)
    talk.eof()


def idles(talk: Talk) -> None:
    """Say nothing for longer than the HEARTBEAT interval; the association must be there still."""
    if talk.settings.role == "client":
        talk.send(b"before")
        talk.message()
        time.sleep(talk.settings.seconds)
        talk.send(b"after")
        expect(talk.message().data, b"after", "the echo")
        talk.finish()
    else:
        for _number in range(2):
            talk.send(talk.message().data)
        talk.eof()


def fills(talk: Talk) -> None:
    """Send more than the peer has room for, and go on when it has."""
    for index in range(400):
        talk.send(body(index, 1_000), 0, index)
    expect(talk.message().data, b"all came", "the answer")
    talk.finish()


def dawdles(talk: Talk) -> None:
    """Read nothing at first: the window closes, and opens again."""
    time.sleep(1.5)
    for index in range(400):
        expect(talk.message(), Message(body(index, 1_000), 0, index, False), "the message")
    talk.send(b"all came")
    talk.eof()


def sends_much(talk: Talk) -> None:
    """Send messages that fill packets until the path is narrow, and 300 more."""
    talk.send(body(0, 1_400), 0, 0)
    emit("middle")
    for index in range(1, 300):
        talk.send(body(index, 1_400), 0, index)
        time.sleep(0.005)
    expect(talk.message().data, b"all came", "the answer")
    talk.finish()


def receives_much(talk: Talk) -> None:
    """Receive what `sends_much` sends."""
    for index in range(300):
        expect(talk.message(), Message(body(index, 1_400), 0, index, False), "the message")
    talk.send(b"all came")
    talk.eof()


def converses(talk: Talk) -> None:
    """Sixty messages, each answered before the next."""
    if talk.settings.role == "client":
        for index in range(60):
            talk.send(body(index, 300), 0, index)
            expect(talk.message(), Message(body(index, 300), 0, index, False), "the echo")
        talk.finish()
    else:
        for event in talk.events():
            if isinstance(event, Message):
                talk.send(event.data, event.sid, event.ppid)


PARTS: Final[dict[str, Callable[[Talk], None]]] = {
    part.__name__: part
    for part in (
        greet,
        negotiate,
        streams,
        sizes,
        exchange,
        paces,
        bulk,
        crowd,
        load,
        closes_in_flight,
        closed_upon,
        aborts,
        aborted,
        survives,
        reads,
        restarts,
        outlives,
        idles,
        fills,
        dawdles,
        sends_much,
        receives_much,
        converses,
    )
}
