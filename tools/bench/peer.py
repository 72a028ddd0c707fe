"""One end of a measurement on this project's sockets, and on bare UDP. `peer.c` is the same program on usrsctp.

Run as a program: ``peer.py server|client MEASURE --option value ...``; the measures are explained in `peer.c`. The
server prints ``{"ready": true}`` when it listens; the last line of either is its result. Nothing here is private to the
package: a user's program would be written like this.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pysctpstack import SctpSocket, Stack

BACKLOG = 4_096
CLOCK_BYTES = 65_536
"""About so much is sent between two looks at the clock, ..."""
CLOCK_MESSAGES = 64
"""... but not more messages than this."""
HOST = "127.0.0.1"
now = time.monotonic


def emit(result: dict[str, Any]) -> None:
    print(json.dumps(result), flush=True)


def message_of(size: int) -> bytes:
    """What both ends know a message to be."""
    return bytes((i * 7 + 3) & 0xFF for i in range(size))


def resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGESIZE")


class Peer:
    """Sockets made as the options say, on one stack."""

    def __init__(self, options: argparse.Namespace, stack: Stack) -> None:
        self.options = options
        self.stack = stack

    def make_socket(self, no_delay: bool) -> SctpSocket:
        from pysctpstack import socket as sctp

        sock = self.stack.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_NODELAY, int(no_delay))
        if self.options.send_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.options.send_buffer)
        if self.options.receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.options.receive_buffer)
        return sock

    def listen(self, no_delay: bool = False) -> SctpSocket:
        sock = self.make_socket(no_delay)
        sock.bind((HOST, self.options.port))
        sock.listen(BACKLOG)
        emit({"ready": True})
        return sock

    def connect(self, no_delay: bool = False) -> SctpSocket:
        sock = self.make_socket(no_delay)
        sock.connect((HOST, self.options.port))
        return sock

    def open_others(self, listener: SctpSocket | None, number: int) -> list[SctpSocket]:
        """The other associations of a process, in the order in which they come."""
        if listener is not None:
            return [listener.accept()[0] for _ in range(number)]
        return [self.connect() for _ in range(number)]

    # --- goodput ---

    def serve_goodput(self) -> dict[str, Any]:
        size = self.options.size
        room = max(size, 65_536)
        listener = self.listen()
        others = self.open_others(listener, self.options.idle)
        sock, _ = listener.accept()
        cpu = time.process_time()
        receive = sock.recv
        clock = now
        first = last = receive(room)
        first_time = last_time = clock()
        total, reads = len(first), 1
        while data := receive(room):
            last_time = clock()
            total += len(data)
            reads += 1
            last = data
        cpu = time.process_time() - cpu
        message = message_of(size)
        offset = (total - len(last)) % size
        intact = first == message[: len(first)] and last == message[offset : offset + len(last)]
        sock.close()
        del others
        return {
            "bytes": total,
            "first_bytes": len(first),
            "reads": reads,
            "seconds": last_time - first_time,
            "cpu": cpu,
            "intact": intact,
        }

    def send_goodput(self) -> dict[str, Any]:
        message = message_of(self.options.size)
        between = range(min(max(CLOCK_BYTES // len(message), 1), CLOCK_MESSAGES))
        others = self.open_others(None, self.options.idle)
        sock = self.connect()
        cpu = time.process_time()
        messages = 0
        send = sock.send
        until = now() + self.options.seconds
        while now() < until:
            for _ in between:
                send(message)
            messages += len(between)
        # All has arrived when the association has ended.
        sock.shutdown(socket.SHUT_WR)
        if sock.recv(1):
            raise SystemExit("a message where the end of the association was due")
        cpu = time.process_time() - cpu
        sock.close()
        del others
        return {"bytes": messages * len(message), "messages": messages, "cpu": cpu}

    def finish(self) -> None:
        """Wait until every association has ended."""
        left = self.stack.close(timeout=10.0)
        if left:
            raise SystemExit(f"{left} associations did not end")

    # --- ping-pong ---

    def serve_ping_pong(self) -> dict[str, Any]:
        size = self.options.size
        sock, _ = self.listen(no_delay=True).accept()
        messages = 0
        while data := sock.recv(size):
            sock.send(data)
            messages += 1
        sock.close()
        return {"messages": messages}

    def send_ping_pong(self) -> dict[str, Any]:
        message = message_of(self.options.size)
        sock = self.connect(no_delay=True)
        times: list[float] = []
        until = now() + self.options.seconds
        while (before := now()) < until:
            sock.send(message)
            if sock.recv(len(message)) != message:
                raise SystemExit("the echo is not what was sent")
            times.append(now() - before)
        sock.close()
        self.finish()
        return {"microseconds": [round(value * 1e6, 2) for value in times]}

    # --- set-up and memory ---

    def serve_setup(self) -> dict[str, Any]:
        listener = self.listen()
        for _ in range(self.options.count):
            sock, _ = listener.accept()
            if sock.recv(64):
                raise SystemExit("a message where the end of the association was due")
            sock.close()
        return {"closed": self.options.count, "last": now()}

    def connect_setup(self) -> dict[str, Any]:
        first = now()
        for _ in range(self.options.count):
            self.connect().close()
        self.finish()
        return {"closed": self.options.count, "first": first}

    def serve_memory(self) -> dict[str, Any]:
        if self.options.style == "many":
            return self.hold_memory_of_many()
        return self.hold_memory(self.listen())

    def hold_memory_of_many(self) -> dict[str, Any]:
        """As `hold_memory`, with one one-to-many socket for all associations."""
        from pysctpstack import socket as sctp

        with self.stack.socket(socket.AF_INET, socket.SOCK_SEQPACKET) as sock:
            sock.bind((HOST, self.options.port))
            sock.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_EVENTS, sctp.EventSubscribe(sctp_association_event=1))
            sock.listen(BACKLOG)
            emit({"ready": True})

            def await_associations(number: int) -> None:
                while number:
                    change, _, flags, _ = sock.recvmsg(65_536)
                    if flags & sctp.MSG_NOTIFICATION and sctp.AssocChange.unpack(change).sac_state == sctp.SCTP_COMM_UP:
                        number -= 1

            await_associations(1)
            before = resident()
            await_associations(self.options.count)
            return self.report_and_hold(before)

    def connect_memory(self) -> dict[str, Any]:
        return self.hold_memory(None)

    def hold_memory(self, listener: SctpSocket | None) -> dict[str, Any]:
        others = self.open_others(listener, 1)  # whatever is made once is there now
        before = resident()
        others += self.open_others(listener, self.options.count)
        return self.report_and_hold(before)

    def report_and_hold(self, before: int) -> dict[str, Any]:
        result = {"before": before, "after": resident(), "associations": self.options.count}
        emit(result)
        sys.stdin.read()
        return result


def udp_ping_pong(options: argparse.Namespace, is_server: bool) -> dict[str, Any]:
    """The same exchange without SCTP: what two Python processes need for it at least."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, options.udp_port))
        peer = (HOST, options.remote_udp_port)
        if is_server:
            emit({"ready": True})
            messages = 0
            while len(data := sock.recv(65_536)) > 1:
                sock.sendto(data, peer)
                messages += 1
            return {"messages": messages}
        sock.settimeout(5.0)
        message = message_of(options.size)
        times: list[float] = []
        until = now() + options.seconds
        while (before := now()) < until:
            sock.sendto(message, peer)
            if sock.recv(65_536) != message:
                raise SystemExit("the echo is not what was sent")
            times.append(now() - before)
        sock.sendto(b"", peer)
        return {"microseconds": [round(value * 1e6, 2) for value in times]}


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    result.add_argument("role", choices=("server", "client"))
    result.add_argument("measure", choices=("goodput", "ping-pong", "setup", "memory", "udp-ping-pong"))
    result.add_argument("--udp-port", type=int, required=True)
    result.add_argument("--remote-udp-port", type=int, required=True)
    result.add_argument("--port", type=int, required=True)
    result.add_argument("--size", type=int, default=64)
    result.add_argument("--seconds", type=float, default=1.0)
    result.add_argument("--count", type=int, default=1)
    result.add_argument("--idle", type=int, default=0)
    result.add_argument("--send-buffer", type=int, default=0)
    result.add_argument("--receive-buffer", type=int, default=0)
    result.add_argument("--style", choices=("one", "many"), default="one", help="of the server's sockets, for memory")
    result.add_argument("--mtu", type=int, default=0, help="largest path MTU (0: the route's)")
    result.add_argument("--busy-poll", type=float, default=0.0, help="seconds (Config.busy_poll)")
    result.add_argument("--profile", default="", metavar="FILE", help="write samples, or with --count-calls cProfile's")
    result.add_argument("--count-calls", type=int, default=0)
    return result


def run(options: argparse.Namespace) -> dict[str, Any]:
    is_server = options.role == "server"
    if options.measure == "udp-ping-pong":
        return udp_ping_pong(options, is_server)
    from pysctpstack import Config, Stack

    config = Config(
        udp_port=options.udp_port,
        remote_udp_port=options.remote_udp_port,
        path_mtu=options.mtu,
        busy_poll=options.busy_poll,
    )
    with Stack(config) as stack:
        peer = Peer(options, stack)
        actions = {
            "goodput": (peer.serve_goodput, peer.send_goodput),
            "ping-pong": (peer.serve_ping_pong, peer.send_ping_pong),
            "setup": (peer.serve_setup, peer.connect_setup),
            "memory": (peer.serve_memory, peer.connect_memory),
        }
        result = actions[options.measure][0 if is_server else 1]()
        stack.close(timeout=10.0 if is_server and not options.idle and options.measure != "memory" else 0.0)
        return result


def main() -> None:
    options = parser().parse_args()
    if options.profile:
        import pysctpstack.socket  # noqa: F401 -- what imports cost is no part of the profile
        from tools.bench.profiling import Samples, ThreadProfiles

        with (ThreadProfiles if options.count_calls else Samples)(options.profile):
            result = run(options)
    else:
        result = run(options)
    emit(result)


if __name__ == "__main__":
    main()
