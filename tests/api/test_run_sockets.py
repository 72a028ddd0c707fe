"""What programs under `pysctp run` do with the standard `socket` module and IPPROTO_SCTP, and with modules above it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from loopback import Programs

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
BEGIN = """
import errno, os, select, socket, sys, threading
SCTP = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
def pair():
    listener = socket.socket(*SCTP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    client = socket.socket(*SCTP)
    client.connect(listener.getsockname())
    return listener, client, listener.accept()[0]
def refused(call, *args):
    try:
        call(*args)
    except OSError as error:
        return error.errno
    raise AssertionError("it was not refused")
"""


def free_port() -> int:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("", 0))
        return int(sock.getsockname()[1])


def under_run(local: int | None = None, remote: int | None = None) -> tuple[str, ...]:
    """The command up to the program; without ports, one whose peers are in the same process."""
    local = local or free_port()
    return ("-m", "pysctpstack", "run", "--udp-port", str(local), "--remote-udp-port", str(remote or local))


def passes(programs: Programs, text: str, *args: object, **how: Any) -> None:
    """Run a program, which has to end with status 0, say "done" and nothing else."""
    program = programs(BEGIN + text + "\nprint('done')", *args, options=under_run(), **how)
    assert program.end() == (0, "done\n", "")


def test_only_sctp_sockets_are_ours(programs: Programs) -> None:
    passes(
        programs,
        """
from socket import *
from socket import socket as Socket
import _socket, ssl
assert Socket is socket and socket is sys.modules["socket"].socket
for arguments in ((), (AF_INET, SOCK_DGRAM), (AF_INET, SOCK_STREAM, IPPROTO_TCP), (AF_UNIX, SOCK_SEQPACKET)):
    with socket(*arguments) as other:
        assert type(other) is socket and os.fstat(other.fileno()), arguments
for arguments, family, type_ in (
    (SCTP, AF_INET, SOCK_STREAM),
    ((AF_INET, SOCK_SEQPACKET, 132), AF_INET, SOCK_SEQPACKET),
    ((AF_INET6, SOCK_SEQPACKET | SOCK_CLOEXEC), AF_INET6, SOCK_SEQPACKET),
):
    sock = socket(*arguments)
    assert isinstance(sock, socket) and isinstance(sock, Socket) and isinstance(sock, _socket.socket)
    assert (sock.family, sock.type, sock.proto, sock.timeout) == (family, type_, 132, None)
    assert sock.getsockopt(SOL_SOCKET, SO_TYPE) == type_ and sock.sctp_getladdrs is not None
assert socket(family=AF_INET, proto=132, type=SOCK_STREAM | SOCK_NONBLOCK).gettimeout() == 0
assert refused(socket, AF_UNIX, SOCK_STREAM, 132) == errno.EPROTONOSUPPORT
assert refused(socket, AF_INET, SOCK_DGRAM, 132) == errno.EPROTONOSUPPORT
try: socket(None, "x")
except TypeError as error: assert "integer" in str(error)
setdefaulttimeout(3.5)
assert socket(*SCTP).gettimeout() == 3.5
""",
    )


def test_what_is_about_other_protocols_works_on(programs: Programs) -> None:
    passes(
        programs,
        """
import socketserver
_, client, server = pair()
assert client.fileno() >= 0
with socket.create_server(("127.0.0.1", 0)) as listener:
    with socket.create_connection(listener.getsockname(), 5) as tcp:
        accepted, _ = listener.accept()
        copy, again = accepted.dup(), socket.fromfd(accepted.fileno(), socket.AF_INET, socket.SOCK_STREAM)
        adopted = socket.socket(fileno=accepted.detach())
        for sock in (copy, again, adopted):
            tcp.sendall(b"x")
            assert sock.recv(1) == b"x" and type(sock) is socket.socket
            sock.close()
left, right = socket.socketpair()
left.send(b"x")
assert right.recv(1) == b"x"
left.close()
right.close()
""",
    )


def test_classes_derived_from_socket(programs: Programs) -> None:
    passes(
        programs,
        """
class Plain(socket.socket):
    pass
class Own(socket.socket):
    def __init__(self, mark, proto):
        super().__init__(socket.AF_INET, socket.SOCK_STREAM, proto)
        self.mark = mark
    def listen(self):
        self.listened = True
        super().listen(7)
class Unbound(socket.socket):
    __slots__ = ("sent",)
    def __init__(self, *args, **kwargs):
        socket.socket.__init__(self, *args, **kwargs)
        self.sent = 0
    def send(self, data):
        self.sent += socket.socket.send(self, data)
    def close(self):
        socket.socket.close(self)
class Mixed(Plain):
    def connect(self, address):
        super().connect(address)
        self.peer = address

for proto in (socket.IPPROTO_SCTP, socket.IPPROTO_TCP):
    listener = Own("a mark", proto)
    assert isinstance(listener, Own) and listener.mark == "a mark"
    assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL) == proto
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    assert listener.listened
    first = Unbound(socket.AF_INET, socket.SOCK_STREAM, proto)
    second = Mixed(socket.AF_INET, socket.SOCK_STREAM, proto=proto)
    for client in (first, second):
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        assert not isinstance(server, Own)
        client.send(b"four")
        assert server.recv(10) == b"four"
        client.close()
        assert client.fileno() == -1 and server.recv(10) == b""
        server.close()
    assert first.sent == 4 and second.peer == listener.getsockname()
    assert type(first).__name__ == "Unbound" and isinstance(first, Unbound) and isinstance(second, Plain)
    listener.close()
""",
    )


def test_descriptors_are_for_waiting_only(programs: Programs) -> None:
    passes(
        programs,
        """
import ssl
_, client, server = pair()
number = client.fileno()
copy = os.dup(number)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
for call in (
    lambda: socket.socket(fileno=number),
    lambda: socket.socket(*SCTP, fileno=number),
    lambda: socket.socket(fileno=copy),
    lambda: socket.fromfd(number, *SCTP),
    lambda: socket.fromfd(number, socket.AF_UNIX, socket.SOCK_STREAM),
    client.dup, client.detach, lambda: context.wrap_socket(client),
):
    assert refused(call) == errno.EOPNOTSUPP
try:
    socket.socket(fileno=number)
except OSError as error:
    assert "descriptor" in error.strerror
client.close()
os.close(copy)
assert refused(socket.socket, -1, -1, -1, 99_999) == errno.EBADF
client.close()
""",
    )


def test_peeling_off_by_option(programs: Programs) -> None:
    """SCTP_SOCKOPT_PEELOFF gives a descriptor, as C's `sctp_peeloff`, that `socket.socket` takes over."""
    passes(
        programs,
        """
import struct
server = socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET, socket.IPPROTO_SCTP)
server.setsockopt(socket.IPPROTO_SCTP, 32, 1)
server.bind(("127.0.0.1", 0))
server.listen()
for arguments in ((), SCTP):
    client = socket.socket(*SCTP)
    client.connect(server.getsockname())
    client.send(b"first")
    _, [(_, _, info)], _, _ = server.recvmsg(100, 100)
    id_ = struct.unpack("=HHHxxIIIIi", info)[-1]
    same, descriptor = struct.unpack("=ii", server.getsockopt(socket.IPPROTO_SCTP, 102, struct.pack("=ii", id_, 0)))
    branch = socket.socket(*arguments, fileno=descriptor)
    assert same == id_ and branch.fileno() == descriptor
    client.send(b"second")
    assert branch.recv(100) == b"second"
    assert refused(lambda: socket.socket(fileno=descriptor)) == errno.EOPNOTSUPP
    branch.close()
    assert client.recv(100) == b""
    client.close()
""",
    )


def test_files(programs: Programs, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(bytes(range(256)) * 1000)
    passes(
        programs,
        """
_, client, server = pair()
with open(sys.argv[1], "rb") as file:
    sending = threading.Thread(target=client.sendfile, args=(file, 6, 250_000))
    sending.start()
    data = b""
    while len(data) < 250_000:
        data += server.recv(1 << 16)
    sending.join()
    file.seek(6)
    assert data == file.read(250_000)
with client.makefile("w") as out, server.makefile("r") as lines:
    print("a line", file=out, flush=True)
    assert lines.readline() == "a line\\n"
client.close()
server.close()
""",
        tmp_path / "data",
    )


def test_selectors_and_socketserver(programs: Programs) -> None:
    passes(
        programs,
        """
import socketserver
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())
class Server(socketserver.ThreadingTCPServer):
    def __init__(self, address, handler):
        super().__init__(address, handler, bind_and_activate=False)
        self.socket.close()
        self.socket = socket.socket(self.address_family, self.socket_type, socket.IPPROTO_SCTP)
        self.server_bind()
        self.server_activate()
with Server(("127.0.0.1", 0), Handler) as server:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    for text in (b"one\\n", b"two\\n"):
        with socket.socket(*SCTP) as client:
            client.connect(server.server_address)
            client.sendall(text)
            assert client.recv(100) == text.upper()
    server.shutdown()
    thread.join()
""",
    )


def test_asyncio(programs: Programs) -> None:
    passes(
        programs,
        """
import asyncio
async def main():
    loop = asyncio.get_running_loop()
    listener, client = socket.socket(*SCTP), socket.socket(*SCTP)
    for sock in (listener, client):
        sock.setblocking(False)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    accepting = asyncio.create_task(loop.sock_accept(listener))
    await loop.sock_connect(client, listener.getsockname())
    server, _ = await accepting
    await loop.sock_sendall(client, b"ping")
    assert await loop.sock_recv(server, 100) == b"ping"
    readable = asyncio.Event()
    loop.add_reader(client, readable.set)
    await loop.sock_sendall(server, b"pong")
    await asyncio.wait_for(readable.wait(), 5)
    loop.remove_reader(client)
    assert client.recv(100) == b"pong"
    for sock in (server, client, listener):
        sock.close()

    async def serve(reader, writer):
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()
    listener = socket.socket(*SCTP)
    listener.bind(("127.0.0.1", 0))
    async with await asyncio.start_server(serve, sock=listener):
        client = socket.socket(*SCTP)
        client.setblocking(False)
        await loop.sock_connect(client, listener.getsockname())
        reader, writer = await asyncio.open_connection(sock=client)
        writer.write(b"a line\\n")
        assert await reader.read() == b"a line\\n"
        writer.close()
        await writer.wait_closed()
asyncio.run(asyncio.wait_for(main(), 20))
""",
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_has_a_stack_of_its_own(programs: Programs) -> None:
    passes(
        programs,
        """
import multiprocessing
def child(inherited):
    assert refused(inherited.send, b"x") == errno.EBADF
    assert isinstance(socket.socket(*SCTP), socket.socket)
    listener = socket.socket(*SCTP)
    listener.bind(("127.0.0.1", 0))
listener, client, server = pair()
process = multiprocessing.get_context("fork").Process(target=child, args=(client,))
process.start()
process.join()
assert process.exitcode == 0
client.send(b"still there")
assert server.recv(100) == b"still there"
server.close()
client.close()
""",
    )


def test_other_interpreters_are_not_touched(programs: Programs) -> None:
    """A program that is started by the program is plain Python, unless it is started with `run`, too."""
    passes(
        programs,
        """
import subprocess
text = "import socket; print(socket.socket.__init__.__module__)"
for command, expected in (((), "socket"), (("-m", "pysctpstack", "run"), "pysctpstack.run.standard")):
    done = subprocess.run([sys.executable, *command, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout == expected + "\\n", done.stdout
""",
    )


def test_the_program_may_arrange_it_itself(programs: Programs) -> None:
    program = programs(
        """
        import socket
        from socket import socket as early
        from pysctpstack.run import install
        install()
        install()
        import sctp
        sock = early(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
        print(hasattr(sock, "sctp_sendmsg"), isinstance(sctp.sctpsocket_tcp(socket.AF_INET).sock(), early))
        """
    )
    assert program.end() == (0, "True True\n", "")


def test_a_thread_that_outlives_the_program_text_sends(programs: Programs) -> None:
    """The stack stays up until the threads have ended, and then brings over what they have sent."""
    local, remote = free_port(), free_port()
    server = programs(
        BEGIN
        + """
listener = socket.socket(*SCTP)
listener.bind(("127.0.0.1", 0))
listener.listen()
print(listener.getsockname()[1], flush=True)
association, _ = listener.accept()
print(association.recv(100).decode(), association.recv(100).decode(), association.recv(100) == b"")
""",
        options=under_run(local, remote),
    )
    port = server.line()
    client = programs(
        BEGIN
        + """
import time
client = socket.socket(*SCTP)
client.connect(("127.0.0.1", int(sys.argv[1])))
def late():
    time.sleep(0.2)
    client.send(b"late")
threading.Thread(target=late).start()
client.send(b"early")
""",
        port,
        options=under_run(remote, local),
    )
    assert client.end() == (0, "", "")
    assert server.end() == (0, "early late True\n", "")


@pytest.mark.parametrize("kind", ["standard", "pysctp"])
def test_the_slides_programs_for_kernel_sctp(programs: Programs, kind: str) -> None:
    ports = free_port(), free_port()
    server, client = (
        [sys.executable, *under_run(*ends), str(EXAMPLES / f"{kind}_{role}.py")]
        for role, ends in (("server", ports), ("client", ports[::-1]))
    )
    with subprocess.Popen(
        [*server, "--host", "127.0.0.1", "--once"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "Server Running\n"
        done = subprocess.run([*client, "127.0.0.1"], capture_output=True, text=True, timeout=30, check=False)
        output, errors = process.communicate(timeout=30)
    expected = [f"Received following data on stream {stream}: Message #{stream + 1}" for stream in range(3)]
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, expected, "")
    assert (process.returncode, errors) == (0, "")
    assert output.splitlines()[-1] == "Sent: Message #3"
