"""Processes that end, in every manner, and processes that fork."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import socket
import textwrap
import time
from pathlib import Path

import pytest
from loopback import Programs, Stacks, call, expect_errno, listening, receive_all

MEGABYTE = 1 << 20

# --- the end of the process ---

SENDER = """
    import sys
    from pysctpstack import Config, Stack
    stack = Stack(Config(udp_port=0, remote_udp_port=int(sys.argv[1])))
    sock = stack.socket()
    sock.connect(("127.0.0.1", int(sys.argv[2])))
    for number in range(16):
        sock.send(bytes([number]) * 65_536)
"""
EXPECTED = hashlib.sha256(b"".join(bytes([number]) * 65_536 for number in range(16))).hexdigest()
ENDINGS = {
    "close": ("    sock.close()", 0),
    "no close": ("", 0),
    "forgotten": ("    del sock, stack", 0),
    "sys.exit": ("    sys.exit(3)", 3),
    "exception": ("    raise LookupError('nobody catches this')", 1),
    "with": ("    with stack, sock: pass", 0),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_program_that_sends_and_ends_loses_nothing(stacks: Stacks, programs: Programs, ending: str) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    last, status = ENDINGS[ending]
    for _ in range(2):
        program = programs(SENDER + last, server_stack.udp_ports[0], listener.getsockname()[1])
        accepted, _ = listener.accept()
        received = receive_all(accepted)
        assert len(received) == MEGABYTE
        assert hashlib.sha256(received).hexdigest() == EXPECTED
        code, _, err = program.end()
        assert code == status, err
        assert ("LookupError" in err) if ending == "exception" else err == ""


def test_the_peer_may_read_after_the_program_has_begun_to_end(stacks: Stacks, programs: Programs) -> None:
    # The message fits the buffers, so that the program is at its end before anything is read.
    server_stack = stacks()
    listener = listening(server_stack)
    program = programs(
        SENDER.replace("range(16)", "range(6)") + "    print('done', flush=True)",
        server_stack.udp_ports[0],
        listener.getsockname()[1],
    )
    accepted, _ = listener.accept()
    assert program.line() == "done"
    assert len(receive_all(accepted)) == 6 * 65_536
    assert program.end() == (0, "", "")


def test_a_server_program_that_sends_and_ends_loses_nothing(stacks: Stacks, programs: Programs) -> None:
    program = programs(
        """
        from pysctpstack import Config, Stack
        stack = Stack(Config(udp_port=0))
        listener = stack.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        print(stack.udp_ports[0], listener.getsockname()[1], flush=True)
        sock, _ = listener.accept()
        for number in range(16):
            sock.send(bytes([number]) * 65_536)
        """
    )
    udp_port, port = map(int, program.line().split())
    client = stacks(remote_udp_port=udp_port).socket()
    client.connect(("127.0.0.1", port))
    assert hashlib.sha256(receive_all(client)).hexdigest() == EXPECTED
    assert program.end() == (0, "", "")


def test_a_program_that_sets_up_by_sending_and_ends(stacks: Stacks, programs: Programs) -> None:
    server_stack = stacks()
    server = listening(server_stack, type_=socket.SOCK_SEQPACKET)
    program = programs(
        """
        import socket, sys
        from pysctpstack import Config, Stack
        stack = Stack(Config(udp_port=0, remote_udp_port=int(sys.argv[1])))
        sock = stack.socket(socket.AF_INET, socket.SOCK_SEQPACKET)
        sock.sendto(b"in passing", ("127.0.0.1", int(sys.argv[2])))
        """,
        server_stack.udp_ports[0],
        server.getsockname()[1],
    )
    assert server.recv(100) == b"in passing"
    assert program.end() == (0, "", "")


def test_two_stacks_of_one_program_that_ends(programs: Programs) -> None:
    # Each is the other's peer, and what the client has sent can't all arrive before the server closes. That must not
    # wait for the client's time to be up.
    program = programs(
        """
        import socket
        from pysctpstack import Config, Stack
        server_stack = Stack(Config(udp_port=0))
        listener = server_stack.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = Stack(Config(udp_port=0, remote_udp_port=server_stack.udp_ports[0])).socket()
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        for _ in range(4):
            client.send(bytes(60_000))
        server.recv(1, socket.MSG_PEEK)
        """,
        options=("-W", "always"),
    )
    before = time.monotonic()
    code, _, err = program.end()
    assert code == 0
    # The server leaves messages unread, which aborts the association as the kernel would; the client may say so.
    assert "did not close" not in err.replace("0 association(s) did not close", "")
    assert time.monotonic() - before < 5.0


def test_a_program_that_ends_while_threads_wait(stacks: Stacks, programs: Programs) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    program = programs(
        SENDER
        + """
    import threading
    def read():
        try:
            sock.recv(100)
        except OSError as error:
            print(error.errno, flush=True)
    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    """,
        server_stack.udp_ports[0],
        listener.getsockname()[1],
    )
    accepted, _ = listener.accept()
    assert hashlib.sha256(receive_all(accepted)).hexdigest() == EXPECTED
    code, _, err = program.end()
    assert (code, err) == (0, "")


def test_the_end_does_not_wait_for_a_peer_that_is_gone(stacks: Stacks, programs: Programs) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        server_stack = stacks()
        listener = listening(server_stack)
        program = programs(
            """
            import socket, sys
            from pysctpstack import Config, Stack, constants, structs
            stack = Stack(Config(udp_port=0, remote_udp_port=int(sys.argv[1]), exit_linger=0.2))
            sock = stack.socket()
            sock.connect(("127.0.0.1", int(sys.argv[2])))
            encaps = structs.UdpEncaps(sue_port=socket.htons(int(sys.argv[3])))
            sock.setsockopt(constants.IPPROTO_SCTP, constants.SCTP_REMOTE_UDP_ENCAPS_PORT, encaps)
            for _ in range(3):
                sock.send(b"lost")
            """,
            server_stack.udp_ports[0],
            listener.getsockname()[1],
            silent.getsockname()[1],
            options=("-W", "always"),
        )
        before = time.monotonic()
        code, _, err = program.end()
        assert time.monotonic() - before < 5.0
    assert code == 0
    assert "RuntimeWarning" in err
    assert "1 association(s) did not close within 0.2 s" in err
    assert "exit_linger" in err
    assert "3 message(s) may be lost" in err


def test_a_peer_given_up_at_the_end_is_warned_of_too(stacks: Stacks, programs: Programs) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    program = programs(
        """
        import sys
        from pysctpstack import Config, Stack
        stack = Stack(Config(udp_port=0, remote_udp_port=int(sys.argv[1])))
        sock = stack.socket()
        sock.connect(("127.0.0.1", int(sys.argv[2])))
        for _ in range(30):
            sock.send(bytes(10_000))
        print("sent", flush=True)
        """,
        server_stack.udp_ports[0],
        listener.getsockname()[1],
        options=("-W", "always"),
    )
    accepted, _ = listener.accept()
    assert program.line() == "sent"
    # It cannot have delivered all: the receive buffer is smaller. And now nobody will read it.
    accepted.close()
    code, _, err = program.end()
    assert code == 0
    assert "0 association(s) did not close" in err
    assert "message(s) may be lost" in err


def test_a_program_without_associations_ends_at_once(programs: Programs) -> None:
    before = time.monotonic()
    program = programs(
        """
        import socket
        from pysctpstack import Config, Stack
        stack = Stack(Config(udp_port=0))
        stack.socket().listen()
        listener = stack.socket()
        listener.listen()
        client = stack.socket()
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", 5_000))
        """
    )
    assert program.end() == (0, "", "")
    assert time.monotonic() - before < 4.0


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_child_of_multiprocessing_that_sends_and_ends(
    stacks: Stacks, programs: Programs, tmp_path: Path, method: str
) -> None:
    # Its forked children end without running exit handlers.
    server_stack = stacks()
    listener = listening(server_stack)
    script = tmp_path / "program.py"
    script.write_text(
        textwrap.dedent("""
            import multiprocessing, sys, warnings
            from pysctpstack import Config, Stack

            def send(udp_port, port):
                stack = Stack(Config(udp_port=0, remote_udp_port=udp_port))
                sock = stack.socket()
                sock.connect(("127.0.0.1", port))
                for number in range(16):
                    sock.send(bytes([number]) * 65_536)

            if __name__ == "__main__":
                warnings.simplefilter("ignore", DeprecationWarning)
                context = multiprocessing.get_context(sys.argv[1])
                process = context.Process(target=send, args=(int(sys.argv[2]), int(sys.argv[3])))
                process.start()
                process.join()
                print(process.exitcode)
        """)
    )
    program = programs(
        "import runpy, sys; sys.argv.pop(0); runpy.run_path(sys.argv[0], run_name='__main__')",
        script,
        method,
        server_stack.udp_ports[0],
        listener.getsockname()[1],
    )
    accepted, _ = listener.accept()
    assert hashlib.sha256(receive_all(accepted)).hexdigest() == EXPECTED
    assert program.end() == (0, "0\n", "")


# --- fork ---

FORK = """
    import errno, os, sys, threading, warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    from pysctpstack import Config, Stack, socket
    remote_udp_port, port = map(int, sys.argv[1:])
    os.environ["PYSCTPSTACK_UDP_PORT"] = "0"
    os.environ["PYSCTPSTACK_REMOTE_UDP_PORT"] = str(remote_udp_port)

    def number_of(call, *args):
        try:
            call(*args)
        except OSError as error:
            return errno.errorcode[error.errno]
        return "no error"

    stack = Stack(Config(udp_port=0, remote_udp_port=remote_udp_port))
    sock = stack.socket()
    sock.connect(("127.0.0.1", port))
    default = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
    default.connect(("127.0.0.1", port))
"""

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@forks
def test_a_forked_child_may_not_use_what_it_inherits(stacks: Stacks, programs: Programs) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    program = programs(
        FORK
        + """
    sock.fileno()
    pid = os.fork()
    if not pid:
        calls = [
            (sock.send, b"x"), (sock.recv, 10), (sock.connect, ("127.0.0.1", port)), (sock.getsockname,),
            (default.send, b"x"), (stack.socket,), (sock.setsockopt, socket.SOL_SOCKET, socket.SO_RCVBUF, 9_000),
        ]
        print(*(number_of(*call) for call in calls), sock.fileno(), flush=True)
        sock.close()
        default.close()
        stack.close()
        # A default stack of its own.
        mine = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
        mine.connect(("127.0.0.1", port))
        mine.send(b"child")
        mine.close()
        sys.exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    # The parent has not noticed.
    for one in (sock, default):
        one.send(b"parent")
        print(one.recv(10).decode(), flush=True)
    """,
        server_stack.udp_ports[0],
        listener.getsockname()[1],
    )
    parent = [listener.accept()[0] for _ in range(2)]
    assert program.line() == "EBADF " * 7 + "-1"
    child, _ = listener.accept()
    assert receive_all(child) == b"child"
    assert program.line() == "7"
    for sock in parent:
        assert sock.recv(10) == b"parent"
        sock.send(b"answer")
        assert program.line() == "answer"
    assert [receive_all(sock) for sock in parent] == [b"", b""]
    assert program.end() == (0, "", "")


@forks
def test_fork_while_other_threads_use_the_stack(stacks: Stacks, programs: Programs) -> None:
    # The lock may be held at that moment, by a thread that the child does not have.
    server_stack = stacks()
    listener = listening(server_stack)
    program = programs(
        FORK
        + """
    stop = False
    def work():
        while not stop:
            sock.getsockname()
            sock.send(b"work")
    threads = [threading.Thread(target=work), threading.Thread(target=default.recv, args=(10,), daemon=True)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        pid = os.fork()
        if not pid:
            good = number_of(sock.send, b"x") == number_of(default.recv, 10) == "EBADF"
            sock.close()
            default.close()
            os._exit(0 if good else 1)
        if os.waitpid(pid, 0)[1]:
            print("a child failed", flush=True)
    stop = True
    threads[0].join()
    print("done", flush=True)
    """,
        server_stack.udp_ports[0],
        listener.getsockname()[1],
    )
    working, _ = listener.accept()
    listener.accept()
    reading = call(receive_all, working)
    assert program.line() == "done"
    assert set(reading.outcome()) == set(b"work")
    assert program.end() == (0, "", "")


@forks
def test_stacks_of_the_parent_end_with_the_parent_only(stacks: Stacks, programs: Programs) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    program = programs(
        FORK
        + """
    pid = os.fork()
    if not pid:
        sys.exit(0)
    print(os.waitpid(pid, 0)[1], flush=True)
    print(sock.recv(10).decode(), default.recv(10).decode(), flush=True)
    """,
        server_stack.udp_ports[0],
        listener.getsockname()[1],
    )
    accepted = [listener.accept()[0] for _ in range(2)]
    assert program.line() == "0"
    # The child has ended, exit handlers and all, and the association is there.
    for sock in accepted:
        expect_errno(errno.EAGAIN, sock.recv, 10, socket.MSG_DONTWAIT)
        sock.send(b"unharmed")
    assert program.line() == "unharmed unharmed"
    assert [receive_all(sock) for sock in accepted] == [b"", b""]
    assert program.end() == (0, "", "")
