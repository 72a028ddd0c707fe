"""The byte forms of the sockets API: options and ancillary data of any bytes end in an answer or an OSError.

The sockets are real ones, on loopback, and what they were told before matters: each input has two fresh sockets
without an association, and an association that stays as long as it lives. No datagram leaves the host, whatever
addresses the bytes hold.
"""

from __future__ import annotations

import atexit
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from typing import Any

from pysctpstack import Config, SctpSocket, Stack, structs
from pysctpstack import constants as c
from pysctpstack.drivers.udp import UdpSockets
from pysctpstack.sockets import ancillary
from pysctpstack.structs.layout import CStruct
from tools.fuzz.target import Target

LOOPBACK = "127.0.0.1"
_SOCKET_LEVEL = (
    socket.SO_RCVBUF, socket.SO_SNDBUF, socket.SO_LINGER, socket.SO_REUSEADDR, socket.SO_KEEPALIVE,
    socket.SO_RCVTIMEO, socket.SO_SNDTIMEO, socket.SO_TYPE, socket.SO_ERROR, socket.SO_ACCEPTCONN,
)  # fmt: skip
_NOW = struct.pack("ii", 1, 0)
"""SO_LINGER by which close aborts, and so waits for nothing."""


def _option_names() -> list[tuple[int, int]]:
    """Level and number of every option, and of some that are none."""
    from pysctpstack.sockets.options import OPTIONS

    levels = [*OPTIONS, *((socket.SOL_SOCKET, name) for name in _SOCKET_LEVEL)]
    return sorted({*levels, (c.IPPROTO_SCTP, 999), (socket.IPPROTO_TCP, 1), (12_345, 1)})


class Bench:
    """Two stacks and an association between them, made again when it is lost."""

    def __init__(self) -> None:
        self._send = UdpSockets.send
        self._stay_here()
        self.names = _option_names()
        self.stacks: list[Stack] = []
        self.sockets: list[SctpSocket] = []
        self.runs = 0

    def _stay_here(self) -> None:
        """Until `end` this process sends UDP datagrams to loopback only."""
        send = self._send

        def send_here(udp: UdpSockets, datagrams: Any) -> None:
            send(udp, [(route, data) for route, data in datagrams if route.peer in (LOOPBACK, "::1")])

        UdpSockets.send = send_here  # type: ignore[method-assign, assignment]

    def end(self) -> None:
        """Close everything, and let other stacks of this process send where they like."""
        self.close()
        UdpSockets.send = self._send  # type: ignore[method-assign]

    def association(self) -> list[SctpSocket]:
        """Both ends of one, one-to-one, and a one-to-many socket that has another."""
        self.runs += 1
        if self.sockets and self.runs % 200 and all(self._is_up(sock) for sock in self.sockets[:2]):
            return self.sockets
        self.close()
        server = Stack(Config(udp_port=0, exit_linger=0.0))
        listener = server.socket()
        listener.bind((LOOPBACK, 0))
        listener.listen(2)
        client = Stack(Config(udp_port=0, remote_udp_port=server.udp_ports[0], exit_linger=0.0))
        self.stacks = [server, client]
        one, many = client.socket(), client.socket(socket.AF_INET, socket.SOCK_SEQPACKET)
        one.settimeout(5.0)
        listener.settimeout(5.0)
        one.connect(listener.getsockname())
        accepted, _ = listener.accept()
        many.settimeout(5.0)
        many.connect(listener.getsockname())
        other, _ = listener.accept()
        self.sockets = [one, accepted, many, other, listener]
        for sock in self.sockets:
            sock.settimeout(0.0)
        return self.sockets

    @staticmethod
    def _is_up(sock: SctpSocket) -> bool:
        try:
            status = sock.getsockopt(c.IPPROTO_SCTP, c.SCTP_STATUS, structs.Status())
        except OSError:
            return False
        return bool(status.sstat_state == c.SCTP_ESTABLISHED)

    def close(self) -> None:
        for sock in self.sockets:
            discard(sock)
        for stack in self.stacks:
            stack.close()
        self.stacks, self.sockets = [], []

    def fresh(self, number: int) -> SctpSocket:
        """A socket without an association, of one of the kinds."""
        stack = self.stacks[1]
        family = (socket.AF_INET, socket.AF_INET6)[number & 1]
        sock = stack.socket(family, (socket.SOCK_STREAM, socket.SOCK_SEQPACKET)[number >> 1 & 1])
        sock.settimeout(0.0)
        return sock


def discard(sock: SctpSocket) -> None:
    """Close without waiting, whatever the options say."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOW)
    sock.close()


@cache
def bench() -> Bench:
    """The one of this process."""
    made = Bench()
    atexit.register(made.end)
    return made


def end() -> None:
    """Leave nothing behind, for a process that goes on with something else."""
    if bench.cache_info().currsize:
        made = bench()
        atexit.unregister(made.end)
        made.end()
        bench.cache_clear()


def only_os_error(call: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except OSError:
        return None


def _which(data: bytes) -> tuple[SctpSocket, tuple[int, int], bytes, bool]:
    """The socket and option that the first bytes pick, the value, and whether the socket is a fresh one."""
    there = bench()
    sockets = there.association()
    name = there.names[data[1] % len(there.names)]
    pick = data[0] % 8
    fresh = pick >= 4
    return (there.fresh(pick) if fresh else sockets[pick]), name, data[2:], fresh


def run_set(data: bytes) -> None:
    """Set an option to these bytes, and read it back."""
    if len(data) < 2:
        return
    sock, (level, name), value, fresh = _which(data)
    try:
        only_os_error(sock.setsockopt, level, name, value)
        only_os_error(sock.getsockopt, level, name, value)
    finally:
        if fresh:
            discard(sock)


def run_get(data: bytes) -> None:
    """Get an option, these bytes being its buffer; the answer is no longer than that."""
    if len(data) < 2:
        return
    sock, (level, name), value, fresh = _which(data)
    try:
        answer = only_os_error(sock.getsockopt, level, name, value)
        if answer is not None and len(answer) > len(value):
            raise ValueError(f"{len(answer)} bytes into a buffer of {len(value)}")
        only_os_error(sock.getsockopt, level, name, len(value))
    finally:
        if fresh:
            discard(sock)


def _control(data: bytes) -> list[tuple[int, int, bytes]]:
    """Control messages: a byte for the type, one for the length, the value; level 132 unless the type is odd and
    high."""
    found = []
    position = 0
    while position + 2 <= len(data):
        type_, size = data[position], data[position + 1]
        found.append((socket.SOL_SOCKET if type_ > 250 else c.IPPROTO_SCTP, type_ % 16, data[position + 2 :][:size]))
        position += 2 + size
    return found


def run_ancillary(data: bytes) -> None:
    """sendmsg with these control messages, through the parser and through a socket."""
    control = _control(data[1:])
    default = ancillary.SendInfo()
    info = only_os_error(ancillary.parse, control, default)
    if info is not None:
        only_os_error(ancillary.destination_ips, info)
    there = bench()
    sock = there.association()[data[0] % 4 if data else 0]
    peer = [there.sockets[4].getsockname()] if data and data[0] & 16 else []
    only_os_error(sock.sendmsg, [b"message"], control, 0, *peer)
    # So that the windows stay open.
    for end in there.sockets[:4]:
        only_os_error(end.recvmsg, 65_536, 256)


def run_struct(kinds: tuple[type[CStruct], ...], data: bytes) -> None:
    """A struct of any bytes of its size unpacks and packs again; other sizes are a ValueError."""
    if not data:
        return
    kind, octets = kinds[data[0] % len(kinds)], data[1:]
    try:
        value = kind.unpack(octets)
    except ValueError:
        return
    # A length or a count of 0 is what `pack` fills in.
    packed = value.pack()
    if kind.unpack(packed).pack() != packed:
        raise ValueError(f"{value} does not come back")


def _structs() -> tuple[type[CStruct], ...]:
    found = (getattr(structs, name) for name in sorted(dir(structs)))
    return tuple(kind for kind in found if isinstance(kind, type) and issubclass(kind, CStruct) and kind is not CStruct)


def _option_seeds() -> list[bytes]:
    """For each option and kind of socket: an int, and every size that a struct has."""
    sizes = sorted({4, *(kind.SIZE for kind in _structs())})
    names = _option_names()
    return [
        bytes((pick, index)) + struct.pack("i", value) * (size // 4)
        for index in range(len(names))
        for pick, value, size in ((0, 1, 4), (2, 0, 8), (4, 1, 4), *((1, 0, size) for size in sizes))
    ]


def _control_seeds() -> list[bytes]:
    kinds = {
        c.SCTP_INIT: structs.InitMsg(), c.SCTP_SNDRCV: structs.SndRcvInfo(), c.SCTP_SNDINFO: structs.SndInfo(),
        c.SCTP_PRINFO: structs.PrInfo(), c.SCTP_AUTHINFO: structs.AuthInfo(),
    }  # fmt: skip
    seeds = [bytes((pick, type_, kind.SIZE)) + kind.pack() for type_, kind in kinds.items() for pick in (0, 2, 18)]
    seeds.append(bytes((18, c.SCTP_DSTADDRV4, 4, 127, 0, 0, 1)))
    seeds.append(bytes((18, c.SCTP_DSTADDRV6, 16)) + bytes(15) + b"\1")
    return seeds


def targets() -> list[Target]:
    kinds = _structs()
    struct_seeds = [bytes((index,)) + bytes(kind.SIZE) for index, kind in enumerate(kinds)]
    return [
        Target("options/set", "setsockopt with any bytes", run_set, _option_seeds, max_size=400, isolated=False),
        Target("options/get", "getsockopt with any bytes", run_get, _option_seeds, max_size=400, isolated=False),
        Target(
            "options/ancillary",
            "sendmsg with any ancillary data",
            run_ancillary,
            _control_seeds,
            max_size=400,
            isolated=False,
        ),
        Target(
            "options/structs", "structs of any bytes", partial(run_struct, kinds), lambda: struct_seeds, max_size=400
        ),
    ]
