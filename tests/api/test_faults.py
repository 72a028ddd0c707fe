"""Bad input and faults: nobody there, ports taken, rubbish on the wire, packets lost, peers that die."""

from __future__ import annotations

import errno
import random
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from loopback import (
    ALONE,
    SHORT_TIMERS,
    Pair,
    Program,
    Programs,
    Stacks,
    assoc_change,
    call,
    connected,
    expect_errno,
    families,
    levers,
    listening,
    loopback,
    namespaces,
    notification,
    readable,
    receive_all,
    subscribe,
    until,
    writable,
)
from relay import Mangle, Relay

from pysctpstack import Config, SctpSocket, Stack, structs
from pysctpstack import constants as c
from pysctpstack.drivers import platform
from pysctpstack.wire.packet import encode

NOBODY = ("127.0.0.1", 5_000)


def free_udp_port(family: int = socket.AF_INET) -> int:
    """One that nobody has at this moment."""
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((loopback(family), 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    """A UDP socket that has a port for itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("", 0))
        yield holder


# --- nobody there ---


@families
def test_connect_where_no_udp_port_is_open(stacks: Stacks, family: int) -> None:
    client = stacks(remote_udp_port=free_udp_port(family), **SHORT_TIMERS).socket(family)
    # ICMP tells of it where the system tells us; elsewhere the peer is silent.
    number = errno.ECONNREFUSED if levers().icmp_errors else errno.ETIMEDOUT
    expect_errno(number, client.connect, (loopback(family), 5_000))
    # The socket is as good as new.
    expect_errno(number, client.connect, (loopback(family), 5_000))


def test_the_levers_can_be_turned_off_from_outside(stacks: Stacks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(platform.LEVERS_VARIABLE, "off")
    client = stacks(remote_udp_port=free_udp_port(), **SHORT_TIMERS).socket()
    # ICMP is not heard any more.
    expect_errno(errno.ETIMEDOUT, client.connect, NOBODY)


@families
def test_connect_where_no_sctp_port_is_open(stacks: Stacks, family: int) -> None:
    server_stack = stacks()
    listener = listening(server_stack, family)
    client = stacks.towards(server_stack).socket(family)
    with pytest.raises(ConnectionRefusedError):
        client.connect((loopback(family), 5_000))
    client.connect(listener.getsockname())


@families
def test_connect_where_nobody_answers(stacks: Stacks, family: int) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as silent:
        silent.bind((loopback(family), 0))
        silent.settimeout(0)
        client = stacks(remote_udp_port=silent.getsockname()[1], **SHORT_TIMERS).socket(family)
        error = expect_errno(errno.ETIMEDOUT, client.connect, (loopback(family), 5_000))
        assert isinstance(error, TimeoutError)
        # The INIT and its retransmissions, max_init_retransmits of them.
        packets = [silent.recv(2_000) for _ in range(3)]
        assert len(set(packets)) == 1
        expect_errno(errno.EAGAIN, silent.recv, 2_000)


def test_connect_to_a_program_that_speaks_something_else(stacks: Stacks) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        stack = stacks(remote_udp_port=other.getsockname()[1], **SHORT_TIMERS)
        connecting = call(stack.socket().connect, NOBODY)
        _, client = other.recvfrom(2_000)
        for answer in (b"", b"?", b"HTTP/1.1 400 Bad Request\r\n\r\n"):
            other.sendto(answer, client)
        with pytest.raises(TimeoutError):
            connecting.outcome()
        assert (stack.counters["truncated_packet"], stack.counters["bad_checksum"]) == (2, 1)


NO_ROUTE = """
    import socket
    from pysctpstack import Config, Stack
    stack = Stack(Config(udp_port=0))
    for family, host in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        for type_ in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
            print(stack.socket(family, type_).connect_ex((host, 5_000)))
"""


@namespaces
def test_connect_where_no_route_leads(programs: Programs) -> None:
    program = programs(NO_ROUTE, wrapper=ALONE)
    assert program.end() == (0, f"{errno.ENETUNREACH}\n" * 4, "")


# --- UDP ports that are taken ---


def test_listen_on_a_taken_udp_port_says_which_and_what_to_do(stacks: Stacks, taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    stack = stacks(udp_port=port)
    error = expect_errno(errno.EADDRINUSE, stack.socket().listen)
    for hint in (f"UDP port {port}", "PYSCTPSTACK_UDP_PORT", "udp_port="):
        assert hint in str(error)
    # When it is free again, the same stack may have it.
    taken.close()
    stack.socket().listen()
    assert stack.udp_ports == [port]


def test_a_client_does_without_its_udp_port(stacks: Stacks, taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    server_stack = stacks()
    listener = listening(server_stack)
    stack = stacks.towards(server_stack, udp_port=port)
    client = stack.socket()
    client.connect(listener.getsockname())
    client.send(b"from another port")
    accepted, _ = listener.accept()
    assert accepted.recv(100) == b"from another port"
    [other] = stack.udp_ports
    assert other != port
    # To listen it needs that very port, and what is connected stays where it is.
    expect_errno(errno.EADDRINUSE, stack.socket().listen)
    taken.close()
    late = listening(stack)
    assert stack.udp_ports == [other, port]
    third = stacks(remote_udp_port=port).socket()
    third.connect(late.getsockname())
    there, _ = late.accept()
    there.send(b"listening now")
    assert third.recv(100) == b"listening now"
    accepted.send(b"still here")
    assert client.recv(100) == b"still here"
    third.send(b"and back")
    assert there.recv(100) == b"and back"
    there.close()
    assert third.recv(100) == b""


def test_the_default_udp_port_is_9899(stacks: Stacks) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:

        def bound() -> bool:
            try:
                holder.bind(("", 9_899))
            except OSError:
                return False
            return True

        # Whoever has it at the moment is another test, or gone.
        until(bound, "UDP port 9899 to be free")
        stack = Stack(Config())
        stacks.made.append(stack)
        error = expect_errno(errno.EADDRINUSE, stack.socket().listen)
        assert "9899" in str(error)
        client = stack.socket()
        client.setblocking(False)
        expect_errno(errno.EINPROGRESS, client.connect, NOBODY)
        assert readable(holder)
        packet, source = holder.recvfrom(2_000)
        assert source[1] == stack.udp_ports[0] != 9_899
        assert packet[2:4] == (5_000).to_bytes(2, "big")


def test_two_listeners_on_one_udp_port(stacks: Stacks) -> None:
    first = stacks()
    first.socket().listen()
    second = stacks(udp_port=first.udp_ports[0])
    expect_errno(errno.EADDRINUSE, second.socket().listen)


# --- rubbish ---


def test_rubbish_is_dropped_and_counted(pair: Pair) -> None:
    rng = random.Random(1)
    port = pair.server_stack.udp_ports[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for size in range(12):
            sender.sendto(rng.randbytes(size), ("127.0.0.1", port))
        for size in range(12, 212):
            sender.sendto(rng.randbytes(size), ("127.0.0.1", port))
        until(lambda: pair.server_stack.counters.get("bad_checksum", 0) == 200, "200 packets with a bad checksum")
    assert pair.server_stack.counters["truncated_packet"] == 12
    pair.client.send(b"unharmed")
    assert pair.server.recv(10) == b"unharmed"


def test_well_formed_packets_of_strangers_are_dropped_and_counted(stacks: Stacks) -> None:
    pair = connected(stacks)
    listener_port, client_port = pair.listener.getsockname()[1], pair.client.getsockname()[1]
    data = struct.pack(">BBHIHHI", 0, 3, 20, 1, 0, 0, 0) + b"evil"
    abort = struct.pack(">BBH", 6, 0, 4)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.settimeout(10)

        def send(chunks: list[bytes], tag: int, source: int = client_port) -> None:
            packet = encode(source, listener_port, tag, chunks)
            stranger.sendto(packet, ("127.0.0.1", pair.server_stack.udp_ports[0]))

        # Into the association, with guessed tags: neither data nor the end of it.
        for chunk in (data, abort):
            send([chunk], 0x01010101)
        until(lambda: pair.server_stack.counters.get("wrong_tag", 0) == 2, "two packets with a wrong tag")
        # Of no association: answered with ABORT, the tag reflected.
        send([data], 0x02020202, source=7)
        answer = stranger.recv(100)
        assert struct.unpack_from(">HHI", answer) == (listener_port, 7, 0x02020202)
        assert answer[12:14] == b"\x06\x01"
        # A lone header, chunks with impossible lengths, a cookie of nobody's.
        send([], 0x03030303, source=7)
        send([b"\x0a\x00\x00\x08abcd"], 0x04040404, source=7)
        send([b"\x00\x03\x00\x02"], 0x05050505)
        for name in ("ootb_empty", "cookie_forged"):
            until(lambda name=name: pair.server_stack.counters.get(name, 0) >= 1, name)  # type: ignore[misc]
    pair.client.send(b"unharmed")
    assert pair.server.recv(10) == b"unharmed"
    assert pair.client_stack.counters.get("udp_port_changed", 0) == 0


def through(stacks: Stacks, relay: Relay, listener: SctpSocket, **config: Any) -> tuple[SctpSocket, SctpSocket]:
    """A client and the accepted socket of an association through the relay."""
    client = stacks(remote_udp_port=relay.port, **config).socket()
    client.connect(listener.getsockname())
    accepted, _ = listener.accept()
    return client, accepted


QUICK = {"path_mtu": 1_500, "rto_initial": 0.1, "rto_min": 0.1, "rto_max": 0.5, "sack_delay": 0.02}


def transfer(here: SctpSocket, there: SctpSocket, count: int = 200) -> None:
    """Messages one way: each once, in order, unchanged."""
    sent = [b"%05d" % number * (1 + number % 400) for number in range(count)]
    sending = call(lambda: [here.send(message) for message in sent])
    assert [there.recv(10_000) for _ in sent] == sent
    sending.outcome()


def test_flipped_bits_and_truncated_copies_change_nothing(stacks: Stacks) -> None:
    rng = random.Random(2)
    made = {"bad_checksum": 0, "truncated_packet": 0}

    def mangle(packet: bytes) -> list[bytes]:
        # Before each packet: one with a bit flipped, and one cut off.
        flipped = bytearray(packet)
        position = rng.randrange(len(packet) * 8)
        flipped[position // 8] ^= 1 << position % 8
        cut = packet[: rng.randrange(len(packet))]
        made["bad_checksum"] += 1
        made["truncated_packet" if len(cut) < 12 else "bad_checksum"] += 1
        return [bytes(flipped), cut, packet]

    server_stack = stacks(**QUICK)
    listener = listening(server_stack)
    with Relay(server_stack.udp_ports[0], lambda: mangle) as relay:
        client, server = through(stacks, relay, listener, **QUICK)
        transfer(client, server)
        transfer(server, client)
        client.close()
        assert receive_all(server) == b""

    def counted(name: str) -> int:
        return sum(stack.counters.get(name, 0) for stack in stacks.made)

    for name, count in made.items():
        until(lambda name=name, count=count: counted(name) >= count, f"{count} of {name}")  # type: ignore[misc]
        assert counted(name) == count


def duplicated(packet: bytes) -> list[bytes]:
    return [packet] * 3


class Lossy:
    """Loses every fifth packet, and lets every seventh be overtaken by the next."""

    def __init__(self) -> None:
        self.count = 0
        self.held: list[bytes] = []

    def __call__(self, packet: bytes) -> list[bytes]:
        self.count += 1
        if self.count % 5 == 0:
            return []
        if self.count % 7 == 0:
            self.held.append(packet)
            return []
        held, self.held = self.held, []
        return [packet, *held]


@pytest.mark.parametrize("make_mangle", [lambda: duplicated, Lossy], ids=["duplicated", "lossy"])
def test_nothing_is_lost_and_nothing_comes_twice(stacks: Stacks, make_mangle: Callable[[], Mangle]) -> None:
    server_stack = stacks(**QUICK)
    listener = listening(server_stack)
    with Relay(server_stack.udp_ports[0], make_mangle) as relay:
        client, server = through(stacks, relay, listener, **QUICK)
        transfer(client, server, 100)
        transfer(server, client, 100)
        client.close()
        assert receive_all(server) == b""
        # Both ends have come to their end, too.
        assert server_stack.close(5.0) == 0


def test_a_nat_that_changes_its_port_is_followed(stacks: Stacks) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    client = stacks.towards(server_stack).socket()
    client.connect(listener.getsockname())
    server, _ = listener.accept()
    with Relay(server_stack.udp_ports[0]) as relay:
        port = socket.htons(relay.port)
        client.setsockopt(c.IPPROTO_SCTP, c.SCTP_REMOTE_UDP_ENCAPS_PORT, structs.UdpEncaps(sue_port=port))
        client.send(b"from elsewhere")
        assert server.recv(100) == b"from elsewhere"
        assert server_stack.counters["udp_port_changed"] == 1
        server.send(b"noted")
        assert client.recv(100) == b"noted"


# --- peers that die ---

SERVER = """
    import sys
    from pysctpstack import Config, Stack
    stack = Stack(Config(udp_port=int(sys.argv[1]), heartbeat_interval=0))
    listener = stack.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(stack.udp_ports[0], listener.getsockname()[1], flush=True)
    sock, _ = listener.accept()
    sock.recv(100)
    print("got it", flush=True)
    sock.recv(100)
"""


def server_program(programs: Programs) -> tuple[Program, int, tuple[str, int]]:
    """A server in a process of its own: its UDP port and its address."""
    program = programs(SERVER, 0)
    udp_port, port = map(int, program.line().split())
    return program, udp_port, ("127.0.0.1", port)


@pytest.mark.parametrize("busy", [True, False], ids=["busy", "idle"])
def test_a_peer_that_dies_is_noticed(stacks: Stacks, programs: Programs, busy: bool) -> None:
    program, udp_port, address = server_program(programs)
    client_stack = stacks(remote_udp_port=udp_port, **SHORT_TIMERS)
    client = client_stack.socket()
    client.connect(address)
    client.send(b"hello")
    assert program.line() == "got it"
    subscribe(client, c.SCTP_ASSOC_CHANGE, c.SCTP_SEND_FAILED_EVENT)
    program.kill()
    if busy:
        client.sctp_sendmsg(b"into the void", context=3)
    # Its UDP port is closed, as ICMP tells; but to an association that works that is no proof (RFC 6951 section 5.5).
    lost = assoc_change(client, c.SCTP_COMM_LOST)
    assert lost.sac_error == 0
    if busy:
        failed = notification(client)
        assert isinstance(failed, structs.SendFailedEvent)
        assert (failed.ssfe_info.snd_context, failed.ssf_data) == (3, b"into the void")
    expect_errno(errno.ETIMEDOUT, client.recv, 10)
    assert client.recv(10) == b""
    expect_errno(errno.EPIPE, client.send, b"x")
    if levers().icmp_errors:
        assert client_stack.counters["icmp_ignored"] > 0


def test_a_peer_that_dies_wakes_whoever_waits(stacks: Stacks, programs: Programs) -> None:
    program, udp_port, address = server_program(programs)
    client = stacks(remote_udp_port=udp_port, **SHORT_TIMERS).socket()
    client.connect(address)
    client.send(b"hello")
    assert program.line() == "got it"
    assert not readable(client, 0)
    reading = call(client.recv, 10)
    program.kill()
    assert readable(client)
    assert writable(client)
    with pytest.raises(TimeoutError) as caught:
        reading.outcome()
    assert caught.value.errno == errno.ETIMEDOUT


def test_an_address_that_does_not_answer_is_reported(stacks: Stacks, programs: Programs) -> None:
    program, udp_port, address = server_program(programs)
    client = stacks(remote_udp_port=udp_port, **SHORT_TIMERS).socket()
    client.connect(address)
    subscribe(client, c.SCTP_PEER_ADDR_CHANGE, c.SCTP_ASSOC_CHANGE)
    program.kill()
    change = notification(client)
    assert isinstance(change, structs.PaddrChange)
    assert (change.spc_state, change.spc_aaddr) == (c.SCTP_ADDR_UNREACHABLE, address)
    assert change.spc_assoc_id == assoc_change(client, c.SCTP_COMM_LOST).sac_assoc_id


CLIENT = """
    import sys
    from pysctpstack import Config, Stack
    udp_port, remote_udp_port, port, peer_port = map(int, sys.argv[1:])
    stack = Stack(Config(udp_port=udp_port, remote_udp_port=remote_udp_port))
    sock = stack.socket()
    sock.bind(("127.0.0.1", port))
    sock.connect(("127.0.0.1", peer_port))
    sock.send(b"here")
    print(stack.udp_ports[0], flush=True)
    sock.recv(100)
"""


def test_a_peer_that_restarts_is_a_restart(stacks: Stacks, programs: Programs) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    listener_port = listener.getsockname()[1]
    first = programs(CLIENT, 0, server_stack.udp_ports[0], 40_404, listener_port)
    udp_port = first.line()
    accepted, _ = listener.accept()
    assert accepted.recv(10) == b"here"
    subscribe(accepted, c.SCTP_ASSOC_CHANGE)
    first.kill()
    second = programs(CLIENT, udp_port, server_stack.udp_ports[0], 40_404, listener_port)
    assert second.line() == udp_port
    assoc_change(accepted, c.SCTP_RESTART)
    assert accepted.recv(10) == b"here"


def test_a_peer_that_restarts_does_not_open_again_what_was_closed(stacks: Stacks, programs: Programs) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    listener_port = listener.getsockname()[1]
    first = programs(CLIENT, 0, server_stack.udp_ports[0], 40_405, listener_port)
    udp_port = first.line()
    accepted, _ = listener.accept()
    assert accepted.recv(10) == b"here"
    first.kill()
    accepted.send(b"never acknowledged")
    accepted.close()
    # The restart makes the association ESTABLISHED, which was SHUTDOWN-PENDING; nobody is left to close it.
    listens_only = CLIENT.replace('sock.send(b"here")', "pass")
    second = programs(listens_only, udp_port, server_stack.udp_ports[0], 40_405, listener_port)
    assert second.line() == udp_port
    until(lambda: second.process.poll() is not None, "the peer sees the end of the association")
    assert second.process.returncode == 0
    assert server_stack.close(timeout=5.0) == 0


def test_a_peer_that_stops_reading_is_not_given_up(stacks: Stacks) -> None:
    # Its window is closed for much longer than it takes to give up a peer that is silent, and it answers the probes.
    pair = connected(stacks, receive_buffer=10_000, path_mtu=1_500, **SHORT_TIMERS)
    sent = [b"%03d" % number * 400 for number in range(20)]
    for message in sent:
        pair.client.send(message)
    pair.client.settimeout(1.5)
    with pytest.raises(TimeoutError):
        pair.client.recv(10)
    assert [pair.server.recv(2_000) for _ in sent] == sent
