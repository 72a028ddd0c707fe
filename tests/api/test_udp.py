"""The UDP driver over real sockets on loopback, with the system's levers and without."""

from __future__ import annotations

import _socket
import errno
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
from loopback import ipv6, ipv6_works

from pysctpstack.config import Config
from pysctpstack.core.route import Route
from pysctpstack.drivers import ancillary, platform, routes
from pysctpstack.drivers.udp import RECEIVE_CALLS, RECEIVE_LIMIT, UdpSockets

Batch = list[tuple[Route, bytes]]
Make = Callable[..., UdpSockets]

linux = pytest.mark.skipif(not platform.LINUX, reason="a lever of Linux")
many_loopback_addresses = pytest.mark.skipif(not platform.LINUX, reason="only Linux answers to all of 127/8")


hosts = pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=ipv6)])

LEVER_SETS = {
    "all": {},
    "off": {"gso": False, "gro": False, "pktinfo": False, "icmp_errors": False},
    "gso only": {"gro": False, "pktinfo": False, "icmp_errors": False},
    "gro only": {"gso": False, "pktinfo": False, "icmp_errors": False},
    "no gro": {"gro": False},
    "no gso": {"gso": False},
}
levers = pytest.mark.parametrize("chosen", LEVER_SETS.values(), ids=LEVER_SETS.keys())


@pytest.fixture(autouse=True)
def _levers_as_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(platform.LEVERS_VARIABLE, raising=False)


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[UdpSockets] = []

    def build(addresses: Sequence[str] | None = None, port: int = 0, **changes: object) -> UdpSockets:
        made.append(UdpSockets(port, replace(Config(), **changes), addresses=addresses))  # type: ignore[arg-type]
        return made[-1]

    yield build
    for udp in made:
        udp.close()


def collect(udp: UdpSockets, count: int, seconds: float = 5.0) -> Batch:
    """What arrives on any socket, until there are ``count`` datagrams or the time is up."""
    found: Batch = []
    deadline = time.monotonic() + seconds
    while len(found) < count and (left := deadline - time.monotonic()) > 0:
        for sock in select.select(udp.sockets, [], [], left)[0]:
            found += udp.receive(sock)
    return found


def socket_for(udp: UdpSockets, host: str) -> socket.socket:
    return next(sock for sock in udp.sockets if sock.family == routes.family_of(host))


def numbered(count: int, size: int) -> list[bytes]:
    return [number.to_bytes(4, "big") + bytes([number & 0xFF]) * (size - 4) for number in range(count)]


# --- trains, sizes, order ---


@levers
@hosts
def test_datagrams_arrive_whole_and_in_order_both_ways(make: Make, host: str, chosen: dict[str, bool]) -> None:
    here, there = make(**chosen), make(**chosen)
    payloads = numbered(100, 1_472)
    here.send([(Route(host, there.port), data) for data in payloads])
    arrived = collect(there, 100)
    assert [data for _, data in arrived] == payloads
    assert {(route.peer, route.port) for route, _ in arrived} == {(host, here.port)}

    there.send(arrived)  # the route of a received datagram is the way back
    assert [data for _, data in collect(here, 100)] == payloads
    for udp in (here, there):
        assert udp.counters.datagrams_sent == udp.counters.datagrams_received == 100
        assert not any(udp.counters.send_errors_by_kind.values())


@linux
@pytest.mark.parametrize(("gso", "gro"), [(True, True), (True, False), (False, True), (False, False)])
def test_trains_are_used_where_both_switches_say_so(make: Make, gso: bool, gro: bool) -> None:
    here, there = make(gso=gso), make(gro=gro)
    here.send([(Route("127.0.0.1", there.port), data) for data in numbered(88, 1_472)])
    assert len(collect(there, 88)) == 88
    assert here.counters.trains_sent == (2 if gso else 0)  # 44 x 1,472 is the most that fits
    assert there.counters.trains_received == (2 if gso and gro else 0)


@levers
def test_mixed_sizes_and_routes_keep_each_routes_order(make: Make, chosen: dict[str, bool]) -> None:
    here, first, second = make(**chosen), make(**chosen), make(**chosen)
    sizes = [1_000, 1_000, 1_000, 400, 400, 1_000, 0, 1_000, 12, 12, 12, 0, 0, 1_000, 1_000, 1_001, 7, 1_001]
    payloads = [bytes([number]) * size for number, size in enumerate(sizes)]
    to_first = [(Route("127.0.0.1", first.port), data) for data in payloads]
    to_second = [(Route("127.0.0.1", second.port), data) for data in reversed(payloads)]
    mixed = [pair for both in zip(to_first, to_second, strict=True) for pair in both]
    here.send(to_first[:9] + to_second[:5] + to_first[9:] + to_second[5:])
    assert [data for _, data in collect(first, len(sizes))] == payloads
    assert [data for _, data in collect(second, len(sizes))] == payloads[::-1]
    here.send(mixed)
    assert [data for _, data in collect(first, len(sizes))] == payloads
    assert [data for _, data in collect(second, len(sizes))] == payloads[::-1]


@linux
def test_small_datagrams_make_trains_of_64_and_a_shorter_one_ends_a_train(make: Make) -> None:
    here, there = make(), make()
    route = Route("127.0.0.1", there.port)
    here.send([(route, bytes(100))] * 130)
    assert here.counters.trains_sent == 3  # 64, 64, 2
    assert len(collect(there, 130)) == 130

    here.send([(Route(*route), bytes(size)) for size in (100, 100, 60, 100, 100)])  # equal, not identical routes
    assert here.counters.trains_sent == 5
    assert [len(data) for _, data in collect(there, 5)] == [100, 100, 60, 100, 100]


@levers
@hosts
def test_the_largest_datagrams_pass(make: Make, host: str, chosen: dict[str, bool]) -> None:
    here, there = make(**chosen), make(**chosen)
    payloads = [os.urandom(size) for size in (60_000, 60_000, 65_507, 30_000, 30_000)]
    here.send([(Route(host, there.port), data) for data in payloads])
    assert [data for _, data in collect(there, 5)] == payloads


@levers
def test_a_datagram_too_big_for_ip_is_counted_and_the_others_leave(make: Make, chosen: dict[str, bool]) -> None:
    here, there = make(**chosen), make(**chosen)
    route = Route("127.0.0.1", there.port)
    here.send([(route, b"before"), (route, bytes(65_508)), (route, b"after")])
    assert [data for _, data in collect(there, 2)] == [b"before", b"after"]
    assert here.counters.send_errors_by_kind["too_big"] == 1
    assert here.counters.datagrams_sent == 2


# --- the receive bound, routes, local addresses ---


@levers
def test_receive_stops_at_its_bound_and_goes_on_at_the_next_call(make: Make, chosen: dict[str, bool]) -> None:
    here, there = make(**chosen), make(**chosen)
    payloads = numbered(600, 200)
    here.send([(Route("127.0.0.1", there.port), data) for data in payloads])
    sock = socket_for(there, "127.0.0.1")
    batches: list[list[bytes]] = []
    while batch := there.receive(sock):
        batches.append([data for _, data in batch])
    assert [data for batch in batches for data in batch] == payloads
    assert len(batches) > 1
    assert all(len(batch) < RECEIVE_LIMIT + platform.UDP_MAX_SEGMENTS for batch in batches)
    if not there.counters.trains_received:
        assert len(batches[0]) == RECEIVE_CALLS

    here.send([(Route("127.0.0.1", there.port), data) for data in payloads[:150]])
    assert len(there.receive(sock, limit=10)) == (platform.UDP_MAX_SEGMENTS if there.counters.trains_received else 10)


@levers
def test_one_peer_gives_the_identical_route_object(make: Make, chosen: dict[str, bool]) -> None:
    here, other, there = make(**chosen), make(**chosen), make(**chosen)
    for _ in range(2):
        here.send([(Route("127.0.0.1", there.port), b"one")])
        other.send([(Route("127.0.0.1", there.port), b"two")])
    arrived = collect(there, 4)
    assert len({id(route) for route, _ in arrived}) == 2
    assert {route.port for route, _ in arrived} == {here.port, other.port}


@many_loopback_addresses
def test_the_local_address_is_known_and_answers_come_from_it(make: Make) -> None:
    here, there = make(), make()
    for local in ("127.0.0.1", "127.0.0.2"):
        here.send([(Route(local, there.port), b"question")])
        [(route, _)] = collect(there, 1)
        assert route == Route("127.0.0.1", here.port, local)
        there.send([(route, b"answer"), (route, b"answer")])  # a train, where there are trains
        assert {route.peer for route, _ in collect(here, 2)} == {local}
        there.send([(route, b"answer")])
        assert {route.peer for route, _ in collect(here, 1)} == {local}


@linux
@ipv6
def test_the_local_address_is_known_over_ipv6(make: Make) -> None:
    here, there = make(), make()
    here.send([(Route("::1", there.port, "::1"), b"x")])
    assert collect(there, 1) == [(Route("::1", here.port, "::1"), b"x")]


def test_without_pktinfo_the_local_address_is_the_systems_choice(make: Make) -> None:
    here, there = make(), make(pktinfo=False)
    here.send([(Route("127.0.0.1", there.port), b"x")])
    assert collect(there, 1) == [(Route("127.0.0.1", here.port, ""), b"x")]
    there.send([(Route("127.0.0.1", here.port, "192.0.2.77"), b"y")])  # no lever to choose a source with
    assert [data for _, data in collect(here, 1)] == [b"y"]


@many_loopback_addresses
@levers
def test_bound_addresses_get_a_socket_each(make: Make, chosen: dict[str, bool]) -> None:
    here, there = make(**chosen), make(["127.0.0.2", "127.0.0.3", "127.0.0.2"], **chosen)
    assert len(there.sockets) == 2
    here.send([(Route("127.0.0.3", there.port), b"three"), (Route("127.0.0.2", there.port), b"two")])
    arrived = collect(there, 2)
    assert {(route.local, data) for route, data in arrived} == {
        ("127.0.0.2", b"two"),
        ("127.0.0.3", b"three"),
    }
    there.send(arrived)
    assert {(route.peer, data) for route, data in collect(here, 2)} == {
        ("127.0.0.2", b"two"),
        ("127.0.0.3", b"three"),
    }
    there.send([(Route("127.0.0.1", here.port), b"any")])  # the system's choice is none of its own: the first serves
    assert [route.peer for route, _ in collect(here, 1)] == ["127.0.0.2"]


@linux
def test_a_source_address_that_is_not_the_hosts_is_counted(make: Make) -> None:
    here, there = make(), make()
    route = Route("127.0.0.1", there.port, "192.0.2.77")
    here.send([(route, b"one")] + [(route, b"two")] * 2)
    errors = here.counters.send_errors_by_kind
    assert errors["bad_address"] + errors["unreachable"] == 3
    assert here.levers.gso  # that was not the train's fault
    here.send([(Route("127.0.0.1", there.port), b"ours")] * 2)
    assert [data for _, data in collect(there, 2)] == [b"ours"] * 2
    assert here.counters.trains_sent == 1


@linux
@ipv6
def test_link_local_addresses_keep_their_scope(make: Make) -> None:
    link_local = [address for address in routes.interface_addresses() if address.startswith("fe80:")]
    if not link_local:
        pytest.skip("no link-local address on this host")
    address = link_local[0]
    assert "%" in address
    here, there = make(), make()
    here.send([(Route(address, there.port, address), b"x")])
    [(route, _)] = collect(there, 1)
    assert route == Route(address, here.port, address)
    there.send([(route, b"y")])
    assert [data for _, data in collect(here, 1)] == [b"y"]
    assert routes.source_address(address) == address
    here.send([(Route("fe80::1%no-such-if", there.port), b"z")])
    assert here.counters.send_errors_by_kind["unreachable"] == 1


@linux
def test_datagrams_to_a_multicast_group_are_dropped(make: Make) -> None:
    there = make()
    membership = socket.inet_aton("239.255.77.77") + socket.inet_aton("127.0.0.1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        sender.sendto(b"to all", ("239.255.77.77", there.port))
        sender.sendto(b"to one", ("127.0.0.1", there.port))
        assert [data for _, data in collect(there, 1)] == [b"to one"]
    assert there.counters.non_unicast == 1


def test_a_flood_of_sources_does_not_disturb_and_is_forgotten(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pysctpstack.drivers.udp._KNOWN_ROUTES", 2)
    there = make()
    senders = [make() for _ in range(4)]
    for _ in range(2):
        for sender in senders:
            sender.send([(Route("127.0.0.1", there.port), b"x")])
    arrived = collect(there, 8)
    assert [route.port for route, _ in arrived] == [sender.port for sender in senders] * 2
    there.send(arrived)
    assert all(len(collect(sender, 2)) == 2 for sender in senders)


# --- trains that the system refuses ---


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Make ``sendmsg`` fail with an errno while ``when(buffers, control)`` holds; each time is listed."""

    def install(number: int, when: Callable[[list[bytes], list[ancillary.Control]], bool]) -> list[int]:
        refused: list[int] = []

        def sendmsg(sock: socket.socket, buffers: list[bytes], control: list[ancillary.Control], *more: object) -> int:
            if when(buffers, control):
                refused.append(number)
                raise OSError(number, os.strerror(number))
            return _socket.socket.sendmsg(sock, buffers, control, *more)  # type: ignore[arg-type]

        monkeypatch.setattr(socket.socket, "sendmsg", sendmsg)
        return refused

    return install


def is_train(buffers: list[bytes], control: list[ancillary.Control]) -> bool:
    return any(level == platform.SOL_UDP for level, _, _ in control)


@linux
@pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO, errno.EMSGSIZE])
def test_a_refused_train_leaves_as_single_datagrams(make: Make, refuse: Callable[..., list[int]], number: int) -> None:
    here, there, other = make(icmp_errors=False), make(), make()
    refused = refuse(number, is_train)
    payloads = numbered(100, 1_000)
    for _ in range(2):
        here.send([(Route("127.0.0.1", there.port), data) for data in payloads])
        assert [data for _, data in collect(there, 100)] == payloads
    assert here.counters.gso_fallbacks == len(refused) == 1  # learned at the first
    assert here.counters.trains_sent == 0
    here.send([(Route("127.0.0.1", other.port), data) for data in payloads[:10]])
    assert [data for _, data in collect(other, 10)] == payloads[:10]
    # EINVAL is about the kernel, the others about the route.
    assert here.levers.gso == (number != errno.EINVAL)
    assert len(refused) == (1 if number == errno.EINVAL else 2)


@linux
@pytest.mark.parametrize("number", [errno.ENOBUFS, errno.EAGAIN])
@pytest.mark.parametrize("poll", [True, False])
def test_a_full_buffer_is_waited_for_a_little_then_datagrams_are_dropped(
    make: Make, monkeypatch: pytest.MonkeyPatch, refuse: Callable[..., list[int]], number: int, poll: bool
) -> None:
    if not poll:
        monkeypatch.delattr(select, "poll")
    here, there = make(), make()
    full = [True]
    refused: list[int] = refuse(number, lambda *_: full[0] or len(refused) < 3)
    route = Route("127.0.0.1", there.port, "127.0.0.1")
    started = time.monotonic()
    here.send([(route, b"lost")] * 20 + [(route, b"lost too")])
    assert time.monotonic() - started < 1.0
    assert here.counters.send_errors_by_kind["no_buffer"] == 21
    refused.clear()
    full[0] = False
    here.send([(route, b"late")])
    assert len(refused) == 3
    assert [data for _, data in collect(there, 1)] == [b"late"]
    assert here.counters.send_errors_by_kind["no_buffer"] == 21


NARROW_LOOPBACK = textwrap.dedent(
    """
    import fcntl, socket, struct
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8922, struct.pack("16si20x", b"lo", 1400))  # SIOCSIFMTU
        fcntl.ioctl(sock, 0x8914, struct.pack("16sh22x", b"lo", 0x41))  # SIOCSIFFLAGS: up, running
    from pysctpstack.config import Config
    from pysctpstack.core.route import Route
    from pysctpstack.drivers.udp import UdpSockets
    udp = UdpSockets(0, Config(), addresses=["127.0.0.1"])
    def trains(size):
        before = udp.counters.trains_sent
        udp.send([(Route("127.0.0.1", udp.port), bytes([n]) * size) for n in range(10)])
        arrived = udp.receive(udp.sockets[0])
        assert [data for _, data in arrived] == [bytes([n]) * size for n in range(10)]
        return udp.counters.trains_sent - before
    # 1,372 bytes fit. More is fragmented by the kernel, one datagram a call; the others keep their trains.
    print(udp.path_mtu(Route("127.0.0.1", udp.port)), trains(1372), trains(1373), trains(20000), trains(1372))
    print(udp.levers.gso, udp.counters.gso_fallbacks, sum(udp.counters.send_errors_by_kind.values()))
    udp.close()
    """
)


@linux
def test_datagrams_beyond_the_mtu_are_fragmented_and_trains_kept_for_the_others() -> None:
    unshare = shutil.which("unshare")
    command = [unshare or "", "--user", "--map-root-user", "--net"]
    if unshare is None or subprocess.run([*command, "true"], capture_output=True, timeout=10).returncode:
        pytest.skip("no network namespaces for us here")
    done = subprocess.run([*command, sys.executable, "-c", NARROW_LOOPBACK], capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == ("1400 1 0 0 1\nTrue 1 0\n", "")


# --- ICMP ---


def closed_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@linux
@hosts
@pytest.mark.parametrize("local", ["", "here"])
def test_icmp_errors_quote_our_datagram(make: Make, host: str, local: str) -> None:
    here = make()
    route = Route(host, closed_port(), host if local else "")
    here.send([(route, bytes(range(256)))])
    [(reported, quoted, number)] = here.errors()
    assert reported == route
    assert number == errno.ECONNREFUSED
    assert len(quoted) >= 8
    assert bytes(range(256)).startswith(quoted)
    assert here.errors() == []
    assert here.counters.icmp_errors == 1


@linux
@hosts
def test_an_unread_icmp_error_neither_spins_nor_costs_other_datagrams(make: Make, host: str) -> None:
    here, there = make(), make()
    nobody, somebody = Route(host, closed_port()), Route(host, there.port)
    for number in range(20):
        here.send([(nobody, b"anyone?"), (somebody, bytes([number]))])
    assert [data for _, data in collect(there, 20)] == [bytes([number]) for number in range(20)]
    assert not any(here.counters.send_errors_by_kind.values())

    sock = socket_for(here, host)
    assert select.select([sock], [], [], 5)[0] == [sock]
    assert here.receive(sock) == []
    assert select.select([sock], [], [], 0)[0] == []
    assert here.errors_waiting
    assert [route for route, _, _ in here.errors()] == [nobody] * 20
    assert not here.errors_waiting


def test_without_the_lever_nobody_is_told_of_icmp(make: Make) -> None:
    here = make(icmp_errors=False)
    here.send([(Route("127.0.0.1", closed_port()), b"anyone?")] * 3)
    assert here.receive(socket_for(here, "127.0.0.1")) == []
    assert here.errors() == []
    assert here.counters.icmp_errors == 0


def test_errors_in_place_of_a_datagram_are_counted_and_passed_over(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = make(), make(gro=False, pktinfo=False)
    there_too = make(gso=False)
    waiting = [errno.ECONNRESET, errno.EMSGSIZE, errno.ECONNREFUSED] * 2

    def failing(name: str) -> Callable[..., object]:
        def call(sock: socket.socket, *arguments: object) -> object:
            if waiting:
                raise OSError(waiting.pop(), "as Windows does")
            return getattr(_socket.socket, name)(sock, *arguments)

        return call

    for udp, name in ((there, "recvfrom"), (there_too, "recvmsg_into")):
        here.send([(Route("127.0.0.1", udp.port), b"x")])
        with monkeypatch.context() as patch:
            patch.setattr(socket.socket, name, failing(name))
            assert [data for _, data in collect(udp, 1)] == [b"x"]
        assert udp.counters.receive_errors == 6
        waiting[:] = [errno.ECONNRESET] * 6


@linux
def test_an_incomplete_datagram_is_dropped(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = make(), make()
    monkeypatch.setattr("pysctpstack.drivers.ancillary.SPACE", 16)  # no room for the local address
    here.send([(Route("127.0.0.1", there.port), b"x")])
    assert select.select(there.sockets, [], [], 5)[0]
    assert there.receive(socket_for(there, "127.0.0.1")) == []
    assert there.counters.truncated == 1


@levers
def test_a_socket_closed_by_somebody_else_gives_nothing(make: Make, chosen: dict[str, bool]) -> None:
    udp = make(**chosen)
    sock = udp.sockets[0]
    sock.close()
    assert udp.receive(sock) == []
    assert udp.counters.receive_errors == 1
    udp.send([(Route("127.0.0.1", udp.port), b"x")] * 2)
    assert udp.counters.send_errors_by_kind["other"] == 2


# --- ports ---


def test_an_ephemeral_port_is_the_same_for_both_families(make: Make) -> None:
    udp = make()
    assert udp.port
    assert {sock.getsockname()[1] for sock in udp.sockets} == {udp.port}
    assert len({sock.family for sock in udp.sockets}) == len(udp.sockets) == (2 if ipv6_works() else 1)
    assert not any(sock.getblocking() for sock in udp.sockets)


def test_a_taken_port_says_which_and_how_to_choose_another(make: Make) -> None:
    taken = make().port
    with pytest.raises(OSError, match=rf"UDP port {taken} .* is taken") as raised:
        UdpSockets(taken, Config())
    assert raised.value.errno == errno.EADDRINUSE
    for way_out in ("PYSCTPSTACK_UDP_PORT", "Config(udp_port=...)", "--udp-port"):
        assert way_out in str(raised.value)


@ipv6
def test_a_port_taken_for_one_family_only_leaves_nothing_behind(make: Make) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(("::", 0))
        port = sock.getsockname()[1]
        with pytest.raises(OSError, match=f"UDP port {port} of :: is taken"):
            make(port=port)
    assert make(port=port).port == port


@ipv6
def test_an_ephemeral_port_that_the_other_family_lacks_is_tried_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def bind(sock: socket.socket, address: routes.SockAddr) -> None:
        if sock.family == socket.AF_INET6:
            tried.append(address[1])
            if len(tried) < 4:
                raise OSError(errno.EADDRINUSE, "taken")
        _socket.socket.bind(sock, address)

    monkeypatch.setattr(socket.socket, "bind", bind)
    udp = make()
    assert len(tried) == 4
    assert udp.port == tried[-1]
    tried.clear()
    monkeypatch.setattr("pysctpstack.drivers.binding._PORT_ATTEMPTS", 3)
    with pytest.raises(OSError, match="is taken"):
        make()


@pytest.mark.parametrize("missing", [socket.AF_INET, pytest.param(socket.AF_INET6, marks=ipv6)])
def test_a_host_with_one_family_uses_it(make: Make, monkeypatch: pytest.MonkeyPatch, missing: int) -> None:
    if missing == socket.AF_INET and not ipv6_works():
        pytest.skip("no other family")
    initialise = socket.socket.__init__

    def lacking(sock: socket.socket, family: int = -1, *more: int) -> None:
        if family == missing:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        initialise(sock, family, *more)

    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "__init__", lacking)
        udp = make()
        host = "127.0.0.1" if missing == socket.AF_INET6 else "::1"
        with pytest.raises(OSError, match=os.strerror(errno.EAFNOSUPPORT)) as raised:
            make(["127.0.0.1", "::1"])  # what was asked for by name is not left out
        assert raised.value.errno == errno.EAFNOSUPPORT
    [sock] = udp.sockets
    assert sock.family == routes.family_of(host)
    udp.send([(Route(host, udp.port), b"to myself")])
    assert [data for _, data in collect(udp, 1)] == [b"to myself"]
    udp.send([(Route("::1" if host == "127.0.0.1" else "127.0.0.1", udp.port), b"nowhere")])
    assert udp.counters.send_errors_by_kind["unreachable"] == 1


def test_addresses_that_cannot_be_bound_say_so(make: Make) -> None:
    with pytest.raises(OSError, match=r"UDP port 9899 of 192\.0\.2\.77: ") as raised:
        make(["192.0.2.77"], port=9899)
    assert raised.value.errno == errno.EADDRNOTAVAIL
    with pytest.raises(OSError, match="'localhost' is not an IP address"):
        make(["localhost"])
    with pytest.raises(ValueError, match="no address"):
        make([])


def test_close_is_final_and_may_be_repeated(make: Make) -> None:
    udp = make()
    sock = udp.sockets[0]
    route = Route("127.0.0.1", udp.port)
    udp.send([(route, b"x")])
    udp.close()
    udp.close()
    assert sock.fileno() == -1
    assert udp.sockets == []
    assert udp.receive(sock) == []
    assert udp.errors() == []
    udp.send([(route, b"x")])
    assert udp.counters.send_errors_by_kind["unreachable"] == 1
    assert make(port=udp.port).port == udp.port


def test_a_name_never_reaches_the_resolver(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("asked the resolver"))
    udp = make()
    udp.send([(Route("localhost", udp.port), b"x"), (Route("no::such::thing", udp.port), b"x")])
    assert udp.counters.send_errors_by_kind["unreachable"] == 2
    assert udp.path_mtu(Route("localhost", 1)) == 1_280
    assert udp.source_address("localhost") == ""


# --- levers ---


def test_the_environment_turns_every_lever_off(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(platform.LEVERS_VARIABLE, "off")
    assert make().levers == platform.Levers(gso=False, gro=False, pktinfo=False, icmp_errors=False)


@linux
def test_linux_has_every_lever_and_large_buffers(make: Make) -> None:
    udp = make()
    assert udp.levers == platform.Levers(gso=True, gro=True, pktinfo=True, icmp_errors=True)
    assert udp.receive_buffer == min(s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) for s in udp.sockets)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        assert udp.receive_buffer > plain.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


@linux
def test_without_privilege_the_buffers_are_what_the_limit_allows(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    forced = make().receive_buffer
    monkeypatch.setattr(platform, "SO_RCVBUFFORCE", None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        assert plain.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) <= make().receive_buffer <= forced


@linux
@pytest.mark.parametrize("name", ["gso", "gro"])
def test_a_kernel_without_trains_is_found_out(make: Make, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(platform, {"gso": "UDP_SEGMENT", "gro": "UDP_GRO"}[name], 4_242)
    assert getattr(make().levers, name) is False


@linux
def test_drops_of_a_full_receive_buffer_are_counted(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "enlarge_buffers", lambda _: None)
    here, there = make(gso=False), make()
    sock = socket_for(there, "127.0.0.1")
    route = Route("127.0.0.1", there.port)
    here.send([(route, bytes(1_000))] * 2_000)
    kept = 0
    while batch := there.receive(sock):
        kept += len(batch)
    assert 0 < kept < 2_000
    here.send([(route, b"after")])  # the counter comes with the next datagram
    assert len(collect(there, 1)) == 1
    assert there.counters.receive_overflow == 2_000 - kept


# --- what the host knows ---


def test_path_mtu_of_loopback_fills_a_udp_datagram(make: Make) -> None:
    udp = make()
    if platform.LINUX:
        assert udp.path_mtu(Route("127.0.0.1", 9)) == 65_535
    assert 1_280 <= udp.path_mtu(Route("127.0.0.1", 9, "127.0.0.1")) <= 65_535
    assert make(path_mtu=1_400).path_mtu(Route("127.0.0.1", 9)) == 1_400


@linux
def test_path_mtu_without_ip_mtu_is_the_interfaces(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "IP_MTU", None)
    assert make().path_mtu(Route("127.0.0.1", 9)) == 65_535
    monkeypatch.setattr(platform, "SIOCGIFMTU", None)
    assert make().path_mtu(Route("127.0.0.1", 9)) == 1_280


@hosts
def test_source_address_of_loopback_is_loopback(make: Make, host: str) -> None:
    assert make().source_address(host) == host


def test_interface_addresses_can_be_bound(make: Make) -> None:
    addresses = routes.interface_addresses()
    assert "127.0.0.1" in addresses
    assert len(set(addresses)) == len(addresses)
    for address in addresses:
        assert make([address]).port


def test_interface_addresses_without_getifaddrs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctypes", None)
    assert "127.0.0.1" in routes.interface_addresses()

    def broken(*_: object, **__: object) -> list[object]:
        raise socket.gaierror("no resolver")

    monkeypatch.setattr(socket, "getaddrinfo", broken)
    assert "127.0.0.1" in routes.interface_addresses()


def test_an_icmp_error_of_another_origin_is_none() -> None:
    assert ancillary.icmp_error(struct.pack("=IBBBBII", errno.EMSGSIZE, 1, 0, 0, 0, 0, 0)) == 0
    assert ancillary.icmp_error(struct.pack("=IBBBBII", errno.ECONNREFUSED, 2, 3, 3, 0, 0, 0)) == errno.ECONNREFUSED
    assert ancillary.icmp_error(b"short") == 0
