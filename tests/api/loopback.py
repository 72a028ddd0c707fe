"""Stacks that talk over real UDP on loopback: what the tests of the sockets API share."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import shutil
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pysctpstack import Config, SctpSocket, Stack, structs
from pysctpstack import constants as c
from pysctpstack.drivers import platform

PATIENCE = 10.0
"""Seconds after which a test gives up on what should happen at once."""

STILL = 3.0
"""Seconds without change after which a transfer counts as stalled, should a window probe be under way all the time."""

SHORT_TIMERS: dict[str, Any] = {
    "rto_initial": 0.05,
    "rto_min": 0.05,
    "rto_max": 0.1,
    "association_max_retrans": 3,
    "path_max_retrans": 2,
    "max_init_retransmits": 2,
    "heartbeat_interval": 0.1,
}
"""With these, a peer that does not answer is given up within a second."""


def ipv6_works() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


ipv6 = pytest.mark.skipif(not ipv6_works(), reason="no IPv6 on this host")
ALONE = ("unshare", "--map-root-user", "--net")
"""Wraps a command, to run it on a host with no network at all, where it may make one as it likes."""


def _namespaces_work() -> bool:
    return shutil.which(ALONE[0]) is not None and not subprocess.run([*ALONE, "true"], capture_output=True).returncode


namespaces = pytest.mark.skipif(not _namespaces_work(), reason="no network namespaces here")
families = pytest.mark.parametrize(
    "family", [socket.AF_INET, pytest.param(socket.AF_INET6, marks=ipv6)], ids=["IPv4", "IPv6"]
)


def loopback(family: int) -> str:
    return "127.0.0.1" if family == socket.AF_INET else "::1"


def levers() -> platform.Levers:
    """Which of the system's levers the stacks of this run use."""
    return platform.levers(Config())


class Stacks:
    """Makes stacks, and closes them when the test is over."""

    def __init__(self) -> None:
        self.made: list[Stack] = []

    def __call__(self, **config: Any) -> Stack:
        """A stack of its own; an ephemeral UDP port unless ``config`` has one."""
        self.made.append(Stack(replace(Config(), **{"udp_port": 0, **config})))
        return self.made[-1]

    def towards(self, server: Stack, **config: Any) -> Stack:
        """A stack whose peers are on ``server``, which has its UDP port by now."""
        return self(remote_udp_port=server.udp_ports[0], **config)

    def close(self) -> None:
        for stack in self.made:
            stack.close()


@dataclass
class Pair:
    """An association: both its ends, and what they belong to."""

    listener: SctpSocket
    client: SctpSocket
    server: SctpSocket
    server_stack: Stack
    client_stack: Stack

    @property
    def ends(self) -> tuple[SctpSocket, SctpSocket]:
        return self.client, self.server


def listening(
    stack: Stack, family: int = socket.AF_INET, type_: int = socket.SOCK_STREAM, backlog: int = 16
) -> SctpSocket:
    """A listening socket on loopback."""
    sock = stack.socket(family, type_)
    sock.bind((loopback(family), 0))
    sock.listen(backlog)
    return sock


def connected(
    stacks: Stacks,
    *,
    family: int = socket.AF_INET,
    server: dict[str, Any] | None = None,
    client: dict[str, Any] | None = None,
    prepare: Callable[[SctpSocket], None] = lambda _: None,
    **both: Any,
) -> Pair:
    """Two stacks and one association between one-to-one sockets. ``prepare``: done to the listening socket and the
    connecting one before they meet; keywords are fields of the stacks' `Config`."""
    server_stack = stacks(**both, **(server or {}))
    listener = server_stack.socket(family)
    prepare(listener)
    listener.bind((loopback(family), 0))
    listener.listen()
    client_stack = stacks.towards(server_stack, **both, **(client or {}))
    sock = client_stack.socket(family)
    prepare(sock)
    sock.connect(listener.getsockname())
    accepted, _ = listener.accept()
    return Pair(listener, sock, accepted, server_stack, client_stack)


def expect_errno(number: int, call: Callable[..., Any], *args: Any) -> OSError:
    """Call, and demand this errno."""
    with pytest.raises(OSError) as caught:
        call(*args)
    found = caught.value.errno
    assert found == number, f"{errno.errorcode.get(found or 0, found)} instead of {errno.errorcode[number]}"
    return caught.value


def readable(sock: Any, timeout: float = PATIENCE) -> bool:
    return bool(select.select([sock], [], [], timeout)[0])


def writable(sock: Any, timeout: float = PATIENCE) -> bool:
    return bool(select.select([], [sock], [], timeout)[1])


def until(condition: Callable[[], bool], what: str) -> None:
    """Poll what no descriptor tells: a counter of another thread, a process."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.005)


def subscribe(sock: SctpSocket, *types: int) -> None:
    for type_ in types:
        sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_EVENT, structs.Event(c.SCTP_ALL_ASSOC, type_, 1))


def notification(sock: SctpSocket) -> structs.Notification:
    """The next arrival, which has to be a notification."""
    data, _, _, msg_flags = sock.sctp_recvmsg(1 << 20)
    assert msg_flags & c.MSG_NOTIFICATION, f"a message of {len(data)} bytes"
    return structs.parse_notification(data)


def assoc_change(sock: SctpSocket, state: int) -> structs.AssocChange:
    """The next arrival, which has to be SCTP_ASSOC_CHANGE with this state."""
    found = notification(sock)
    assert isinstance(found, structs.AssocChange)
    assert found.sac_state == state
    return found


def fill(sock: SctpSocket, size: int = 1_400, **how: Any) -> int:
    """Send until there is no room, nor will be until the peer reads: how many messages that took.

    The send buffer alone is not enough, since it drains into the peer's receive buffer.
    """
    timeout = sock.gettimeout()
    sock.setblocking(False)
    count = 0
    settled_at = time.monotonic() + STILL
    while time.monotonic() < settled_at:
        try:
            sock.sctp_sendmsg(bytes(size), **how)
        except BlockingIOError:
            status = sock.getsockopt(c.IPPROTO_SCTP, c.SCTP_STATUS, structs.Status(_association_of(sock)))
            if status.sstat_rwnd < size and not status.sstat_unackdata:
                break
            time.sleep(0.002)
        else:
            count += 1
            settled_at = time.monotonic() + STILL
    sock.settimeout(timeout)
    return count


def _association_of(sock: SctpSocket) -> int:
    """The one association of a one-to-many socket."""
    return next(iter(sock.associations), 0)


def receive_all(sock: SctpSocket) -> bytes:
    """Everything up to the end of file."""
    pieces = []
    while piece := sock.recv(1 << 20):
        pieces.append(piece)
    return b"".join(pieces)


def receive_message(sock: SctpSocket, bufsize: int = 1 << 20) -> bytes:
    """One message, however many pieces it comes in."""
    pieces = []
    while True:
        data, _, msg_flags, _ = sock.recvmsg(bufsize)
        assert data, "end of file inside of a message"
        pieces.append(data)
        if msg_flags & socket.MSG_EOR:
            return b"".join(pieces)


@dataclass
class Call:
    """A call in a thread of its own, and what came of it."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    result: Any = None
    error: BaseException | None = None
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.result = self.function(*self.args)
        except BaseException as error:
            self.error = error

    @property
    def done(self) -> bool:
        return not self.thread.is_alive()

    def outcome(self) -> Any:
        """The result; what was raised is raised here."""
        self.thread.join(PATIENCE)
        assert self.done, "the call still blocks"
        if self.error is not None:
            raise self.error
        return self.result


def call(function: Callable[..., Any], *args: Any) -> Call:
    return Call(function, args)


def blocked(function: Callable[..., Any], *args: Any) -> Call:
    """`call`, returned once the call waits in the driver."""
    started = call(function, *args)
    until(lambda: started.done or _waits(started.thread), "the call to block")
    assert not started.done, f"it did not block: {started.result!r}, {started.error!r}"
    return started


def _waits(thread: threading.Thread) -> bool:
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None:
        if frame.f_code.co_name == "wait" and frame.f_globals.get("__name__") == "pysctpstack.drivers.threaded":
            return True
        frame = frame.f_back
    return False


class Program:
    """A Python program in a process of its own; warnings that it does not expect end it."""

    def __init__(
        self,
        text: str,
        *args: object,
        env: dict[str, str] | None = None,
        options: tuple[str, ...] = (),
        wrapper: tuple[str, ...] = (),
    ) -> None:
        self.process = subprocess.Popen(
            [*wrapper, sys.executable, "-W", "error", *options, "-c", textwrap.dedent(text), *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        answer = call(self.process.stdout.readline).outcome()
        assert answer, self.process.stderr.read()
        return str(answer).rstrip("\n")

    def say(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def end(self) -> tuple[int, str, str]:
        """Wait for its end: exit status, what it has printed since the last `line`, what it wrote to stderr."""
        out, err = self.process.communicate(timeout=2 * PATIENCE)
        return self.process.returncode, out, err

    def kill(self) -> None:
        """SIGKILL: not even its exit handlers run."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.kill()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


class Programs:
    """Starts programs, and sees to it that none outlives the test."""

    def __init__(self) -> None:
        self.started: list[Program] = []

    def __call__(self, text: str, *args: object, **how: Any) -> Program:
        self.started.append(Program(text, *args, **how))
        return self.started[-1]

    def close(self) -> None:
        for program in self.started:
            program.close()
