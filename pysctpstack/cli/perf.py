"""``pysctp perf``: how many bytes a second go from one process to another through the blocking sockets.

The client sends messages of one size for some seconds, then asks the server what it counted. Either end's last line
is JSON:
``bytes_per_second`` and ``messages_per_second`` are the receiver's, from the first message to the last.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import time
from typing import Any

from pysctpstack import constants as c
from pysctpstack.cli.ports import add_udp_ports, make_stack, port_number
from pysctpstack.sockets import SctpSocket
from pysctpstack.structs import RcvInfo
from pysctpstack.wire import crc32c

SCTP_PORT = 29_009
MAX_SIZE = 1 << 24
_BATCH = 16
"""Messages sent between two looks at the clock."""
# What a message is (payload protocol identifier): one of those that are counted, or the question for the count.
PPID_LOAD = 0
PPID_END = 1


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "perf", help="measure throughput between two processes", description=__doc__.splitlines()[0]
    )
    roles = parser.add_subparsers(dest="role", required=True, metavar="ROLE")
    server = roles.add_parser("server", help="receive and count")
    server.add_argument("--bind", default="", metavar="ADDRESS", help="local address (default: any)")
    server.add_argument("--once", action="store_true", help="end after the first client")
    add_udp_ports(server)
    server.set_defaults(run=serve)
    client = roles.add_parser("client", help="connect and send")
    client.add_argument("host", metavar="HOST", help="where the server runs")
    client.add_argument("--size", type=_size, default=1_400, metavar="BYTES", help="of a message (%(default)s)")
    client.add_argument("--seconds", type=float, default=5.0, help="how long to send (default: %(default)s)")
    add_udp_ports(client, local=0)
    client.set_defaults(run=send)
    for role in (server, client):
        role.add_argument("--port", type=port_number, default=SCTP_PORT, help="SCTP port (default: %(default)s)")
        role.add_argument("--mtu", type=int, default=0, metavar="BYTES", help="largest path MTU (the route's)")
        role.add_argument("--json", action="store_true", help="print nothing but the JSON")


def _size(text: str) -> int:
    size = int(text)
    if not 1 <= size <= MAX_SIZE:
        raise argparse.ArgumentTypeError(f"a message has 1 to {MAX_SIZE} bytes")
    return size


def _say(options: argparse.Namespace, text: str) -> None:
    if not options.json:
        print(text, file=sys.stderr, flush=True)


def serve(options: argparse.Namespace) -> int:
    family = socket.AF_INET6 if ":" in options.bind else socket.AF_INET
    with make_stack(options, path_mtu=options.mtu) as stack, stack.socket(family) as listener:
        listener.bind((options.bind, options.port))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        listener.setsockopt(c.IPPROTO_SCTP, c.SCTP_RECVRCVINFO, 1)
        listener.listen(5)
        _say(options, f"listening on SCTP port {options.port}, UDP port {stack.udp_ports[0]}")
        while True:
            association, peer = listener.accept()
            _say(options, f"client {peer[0]} port {peer[1]}")
            with association:
                print(json.dumps(_count(association)), flush=True)
            if options.once:
                return 0


def _count(association: SctpSocket) -> dict[str, float]:
    """Receive until the client asks for the result, and answer it."""
    size = messages = 0
    started = finished = 0.0
    while True:
        data, ancillary, flags, _ = association.recvmsg(1 << 20, 64)
        if not data:
            break
        now = time.perf_counter()
        if ancillary and socket.ntohl(RcvInfo.unpack(ancillary[0][2]).rcv_ppid) == PPID_END:
            break
        started = started or now
        finished = now
        size += len(data)
        messages += bool(flags & c.MSG_EOR)
    seconds = finished - started
    result = {
        "bytes": size,
        "messages": messages,
        "seconds": seconds,
        "bytes_per_second": size / seconds if seconds else 0.0,
        "messages_per_second": messages / seconds if seconds else 0.0,
    }
    if data:
        association.sctp_sendmsg(json.dumps(result).encode(), ppid=socket.htonl(PPID_END))
        association.recv(1)
    return result


def send(options: argparse.Namespace) -> int:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    with make_stack(options, path_mtu=options.mtu) as stack, stack.socket(family) as sock:
        if options.size >= sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * options.size)
        sock.connect((options.host, options.port))
        _say(options, f"sending messages of {options.size} bytes for {options.seconds:g} s")
        message = bytes(options.size)
        until = time.perf_counter() + options.seconds
        while time.perf_counter() < until:
            for _ in range(_BATCH):
                sock.send(message)
        sock.sctp_sendmsg(b"?", ppid=socket.htonl(PPID_END))
        answer = sock.recv(4096)
        if not answer:
            print("pysctp perf: the server ended without an answer", file=sys.stderr)
            return 1
        result = json.loads(answer)
        result.update(size=options.size, crc32c=crc32c.IMPLEMENTATION, counters=stack.counters)
        _say(options, f"{result['bytes_per_second'] / 1e6:.1f} MB/s, {result['messages_per_second']:.0f} messages/s")
        print(json.dumps(result), flush=True)
    return 0
