"""``pysctp demo``: a server and a client, two processes, three messages on three streams, over UDP on loopback."""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import Any

from pysctpstack import constants as c
from pysctpstack.cli.ports import add_udp_ports, make_stack, port_number
from pysctpstack.structs import EventSubscribe, InitMsg

SCTP_PORT = 29_008
STREAMS = 3
HOST = "127.0.0.1"
READY = "Server Running"
TIMEOUT = 20.0
"""Seconds after which either process gives up."""


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "demo",
        help="run a server and a client on this host and show what arrives",
        description="Run a server and a client as two processes on 127.0.0.1. The server sends three messages on three"
        " streams over SCTP in UDP; the client prints a line for each.",
    )
    add_udp_ports(parser)
    parser.set_defaults(run=run, remote_udp_port=0)
    parser.add_argument("--port", type=port_number, default=SCTP_PORT, help="SCTP port (default: %(default)s)")
    parser.add_argument("--role", choices=("server", "client"), help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    if options.role == "server":
        return serve(options)
    if options.role == "client":
        return receive(options)
    # Each end's own UDP port is the other's remote one.
    server = _start(options, "server", options.udp_port, options.remote_udp_port)
    try:
        assert server.stdout is not None
        if server.stdout.readline().strip() != READY:
            return server.wait() or 1
        client = _start(options, "client", options.remote_udp_port, options.udp_port)
        assert client.stdout is not None
        for line in client.stdout:
            print(line, end="", flush=True)
        client.stdout.close()
        return client.wait() or server.wait()
    finally:
        if server.poll() is None:
            server.kill()
        server.wait()
        if server.stdout is not None:
            server.stdout.close()


def _start(options: argparse.Namespace, role: str, udp_port: int, remote_udp_port: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pysctpstack", "demo", "--role", role, "--port", str(options.port)]
    command += ["--udp-port", str(udp_port), "--remote-udp-port", str(remote_udp_port)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def serve(options: argparse.Namespace) -> int:
    """Accept one association and send a message on each of three streams."""
    with make_stack(options) as stack, stack.socket() as listener:
        listener.settimeout(TIMEOUT)
        listener.bind((HOST, options.port))
        listener.setsockopt(c.IPPROTO_SCTP, c.SCTP_INITMSG, InitMsg(STREAMS, STREAMS, 2))
        listener.listen(5)
        print(READY, flush=True)
        association, _ = listener.accept()
        with association:
            for stream in range(STREAMS):
                association.sctp_sendmsg(f"Message #{stream + 1}".encode(), stream_no=stream)
    return 0


def receive(options: argparse.Namespace) -> int:
    """Connect, and print what arrives on which stream until the server closes."""
    with make_stack(options) as stack, stack.socket() as sock:
        sock.settimeout(TIMEOUT)
        sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_INITMSG, InitMsg(STREAMS, STREAMS, 2))
        sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_EVENTS, EventSubscribe(sctp_data_io_event=1))
        sock.connect((HOST, options.port))
        received = 0
        while True:
            message, _, info, _ = sock.sctp_recvmsg(1024)
            if not message:
                break
            received += 1
            print(f"Received following data on stream {info.sinfo_stream}: {message.decode()}", flush=True)
    return 0 if received == STREAMS else 1
