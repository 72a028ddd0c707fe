"""`pysctpstack.socket`: the standard module, name for name, plus SCTP."""

from __future__ import annotations

import errno
import inspect
import os
import socket as standard
from collections.abc import Iterator
from typing import Any

import pytest
from loopback import PATIENCE, Programs, Stacks, expect_errno

import pysctpstack
from pysctpstack import SctpSocket, constants, socket, structs
from pysctpstack.sockets import default_stack

SCTP_NAMES = {"socket", "SocketType"}
"""The only names that are not the standard module's own."""


def one_free_port() -> dict[str, str]:
    with standard.socket(standard.AF_INET, standard.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        port = str(probe.getsockname()[1])
    return {"PYSCTPSTACK_UDP_PORT": port, "PYSCTPSTACK_REMOTE_UDP_PORT": port}


@pytest.fixture
def default(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A default stack on a UDP port of its own, for both directions."""
    for name, port in one_free_port().items():
        monkeypatch.setenv(name, port)
    default_stack().close()
    yield
    default_stack().close()


def test_every_public_name_of_the_standard_module_is_there() -> None:
    names = {name for name in dir(standard) if not name.startswith("_")} | set(standard.__all__)
    missing = {name for name in names if not hasattr(socket, name)}
    assert missing == set()
    different = {name for name in names if getattr(socket, name) is not getattr(standard, name)}
    # An int is the same number, whoever defines it.
    different = {name for name in different if getattr(socket, name) != getattr(standard, name)}
    assert different == SCTP_NAMES


def test_the_names_of_sctp_are_there() -> None:
    for module in (constants, structs):
        for name in module.__all__:
            assert hasattr(socket, name), name
    assert socket.SCTP_INITMSG == 2
    assert socket.InitMsg is structs.InitMsg
    assert int(socket.MSG_EOR) == int(standard.MSG_EOR)
    assert socket.MSG_NOTIFICATION == 0x8000


def test_a_name_that_nobody_has() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(socket, "no_such_name")  # noqa: B009


@pytest.mark.parametrize(
    ("args", "family", "type_"),
    [
        ((standard.AF_INET, standard.SOCK_STREAM, 132), standard.AF_INET, standard.SOCK_STREAM),
        ((standard.AF_INET, standard.SOCK_SEQPACKET, 132), standard.AF_INET, standard.SOCK_SEQPACKET),
        ((standard.AF_INET6, standard.SOCK_STREAM, 132), standard.AF_INET6, standard.SOCK_STREAM),
        ((standard.AF_INET, standard.SOCK_SEQPACKET), standard.AF_INET, standard.SOCK_SEQPACKET),
        ((standard.AF_INET, standard.SOCK_SEQPACKET, 0), standard.AF_INET, standard.SOCK_SEQPACKET),
        ((-1, -1, 132), standard.AF_INET, standard.SOCK_STREAM),
    ],
)
def test_sctp_sockets(default: None, args: tuple[int, ...], family: int, type_: int) -> None:
    with socket.socket(*args) as sock:
        assert isinstance(sock, SctpSocket)
        assert isinstance(sock, socket.socket)
        assert type(sock) is socket.socket
        assert (sock.family, sock.type, sock.proto) == (family, type_, 132)


@pytest.mark.parametrize(
    "args",
    [
        (),
        (standard.AF_INET,),
        (standard.AF_INET, standard.SOCK_STREAM),
        (standard.AF_INET, standard.SOCK_DGRAM),
        (standard.AF_INET, standard.SOCK_STREAM, standard.IPPROTO_TCP),
        (standard.AF_INET, standard.SOCK_DGRAM, standard.IPPROTO_UDP),
    ],
)
def test_sockets_of_other_protocols_are_the_standard_ones(args: tuple[int, ...]) -> None:
    with socket.socket(*args) as sock:
        assert type(sock) is standard.socket
        assert isinstance(sock, socket.socket)
        assert not isinstance(sock, SctpSocket)


@pytest.mark.skipif(not hasattr(standard, "AF_UNIX"), reason="no Unix sockets here")
def test_seqpacket_of_another_family_is_not_sctp() -> None:
    with socket.socket(standard.AF_UNIX, standard.SOCK_SEQPACKET) as sock:
        assert type(sock) is standard.socket


def test_keywords_and_descriptors() -> None:
    with socket.socket(family=socket.AF_INET, type=socket.SOCK_DGRAM) as sock:
        number = sock.detach()
    with socket.socket(fileno=number) as again:
        assert again.type == socket.SOCK_DGRAM
    with pytest.raises(OSError, match="not supported"):
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP, 0)


def test_other_objects_are_no_sockets() -> None:
    assert not isinstance(object(), socket.socket)
    assert issubclass(socket.socket, SctpSocket)


def test_functions_of_the_standard_module_work_as_ever() -> None:
    first, second = socket.socketpair()
    with first, second:
        first.sendall(b"pair")
        assert second.recv(10) == b"pair"
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert type(server) is standard.socket
        with socket.create_connection(server.getsockname(), timeout=PATIENCE) as client:
            accepted, _ = server.accept()
            with accepted:
                client.sendall(b"tcp")
                assert accepted.recv(10) == b"tcp"
    assert socket.htonl(1) == standard.htonl(1)
    assert socket.getaddrinfo("127.0.0.1", 80)
    assert socket.timeout is TimeoutError


def test_constructor_errors(default: None) -> None:
    expect_errno(errno.EAFNOSUPPORT, sctp, standard.AF_UNIX)
    expect_errno(errno.ESOCKTNOSUPPORT, sctp, standard.AF_INET, standard.SOCK_RAW)


def sctp(family: int = standard.AF_INET, type_: int = standard.SOCK_STREAM) -> Any:
    return socket.socket(family, type_, socket.IPPROTO_SCTP)


def test_the_default_stack_takes_its_ports_from_the_environment(default: None) -> None:
    listener = sctp()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    assert default_stack().udp_ports == [int(os.environ["PYSCTPSTACK_UDP_PORT"])]
    # Client and server on one stack.
    client = sctp()
    client.connect(listener.getsockname())
    accepted: Any = listener.accept()[0]
    assert type(accepted) is type(client)
    client.sctp_sendmsg(b"Message #1", ppid=socket.htonl(1), stream_no=2)
    accepted.setsockopt(socket.IPPROTO_SCTP, socket.SCTP_EVENTS, socket.EventSubscribe(sctp_data_io_event=1))
    client.sctp_sendmsg(b"Message #2", stream_no=1)
    assert accepted.recv(100) == b"Message #1"
    data, _, info, _ = accepted.sctp_recvmsg(100)
    assert (data, info.sinfo_stream) == (b"Message #2", 1)


def test_the_default_stack_is_one_and_comes_back_after_close(default: None) -> None:
    first = default_stack()
    assert default_stack() is first
    first.close()
    assert default_stack() is not first


@pytest.mark.parametrize("text", ["x", "-1", "65536", "98 99"])
def test_environment_variables_that_are_no_ports(default: None, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    closed = default_stack()
    closed.close()
    for name in ("PYSCTPSTACK_UDP_PORT", "PYSCTPSTACK_REMOTE_UDP_PORT"):
        with monkeypatch.context() as patched:
            patched.setenv(name, text)
            with pytest.raises(ValueError, match=name):
                sctp()


def test_without_environment_variables_the_ports_are_9899(programs: Programs) -> None:
    program = programs(
        """
        import os
        for name in ("PYSCTPSTACK_UDP_PORT", "PYSCTPSTACK_REMOTE_UDP_PORT"):
            os.environ.pop(name, None)
        from pysctpstack.sockets import default_stack
        config = default_stack().config
        print(config.udp_port, config.remote_udp_port)
        """
    )
    assert program.end() == (0, "9899 9899\n", "")


def test_a_program_written_for_kernel_sctp_is_ported_by_its_import(programs: Programs) -> None:
    # One import differs from what one would write for the kernel's SCTP.
    program = programs(
        """
        import os, struct
        from pysctpstack import socket
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.setsockopt(socket.IPPROTO_SCTP, socket.SCTP_INITMSG, struct.pack("HHHH", 3, 3, 2, 0))
        server.bind(("", 0))
        server.listen(5)
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
        client.setsockopt(socket.IPPROTO_SCTP, socket.SCTP_EVENTS, b"\\1" + bytes(13))
        client.connect(("127.0.0.1", server.getsockname()[1]))
        connection, peer = server.accept()
        for stream in range(3):
            connection.sctp_sendmsg(b"Message #%d" % stream, ppid=socket.htonl(7), stream_no=stream)
        connection.close()
        while True:
            data, _, info, flags = client.sctp_recvmsg(1024)
            if not data:
                break
            print(data.decode(), info.sinfo_stream, socket.ntohl(info.sinfo_ppid), bool(flags & socket.MSG_EOR))
        """,
        env=one_free_port(),
    )
    lines = [f"Message #{stream} {stream} 7 True\n" for stream in range(3)]
    assert program.end() == (0, "".join(lines), "")


def test_the_package_names_what_is_public() -> None:
    for name in pysctpstack.__all__:
        assert hasattr(pysctpstack, name)
    assert inspect.ismodule(pysctpstack.socket)


def test_methods_of_the_standard_socket_that_make_sense_are_there(stacks: Stacks) -> None:
    missing = {name for name in dir(standard.socket) if not name.startswith("_")} - set(dir(stacks().socket()))
    # Descriptors of the operating system that are not ours to duplicate, share or control; and files.
    assert missing <= {"dup", "share", "ioctl", "sendfile", "sendmsg_afalg", "set_inheritable", "get_inheritable"}


def test_a_descriptor_of_peeloff_becomes_a_socket(programs: Programs) -> None:
    """As C programs and their ports have it: SCTP_SOCKOPT_PEELOFF, then a socket of the descriptor."""
    program = programs(
        """
        import struct
        from pysctpstack import socket

        many = socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET, socket.IPPROTO_SCTP)
        many.bind(("127.0.0.1", 0))
        many.listen()
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
        client.connect(many.getsockname())
        client.send(b"x")
        _, [(_, _, info)], _, _ = (many.setsockopt(132, socket.SCTP_RECVRCVINFO, 1), many.recvmsg(10, 100))[1]
        id_ = socket.RcvInfo.unpack(info).rcv_assoc_id
        answer = many.getsockopt(132, socket.SCTP_SOCKOPT_PEELOFF, struct.pack("ii", id_, 0))
        descriptor = struct.unpack("ii", answer)[1]
        peeled = socket.socket(fileno=descriptor)
        assert isinstance(peeled, socket.socket)
        assert peeled.fileno() == descriptor
        peeled.send(b"over")
        print(client.recv(10).decode())
        """,
        env=one_free_port(),
    )
    assert program.line() == "over"
