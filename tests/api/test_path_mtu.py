"""DF, fragments and ICMP on the wire: path MTU discovery over real sockets, on a host made for it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest
from loopback import ALONE, namespaces

from pysctpstack.config import Config
from pysctpstack.core.route import Fragmentable, Route, Unfragmented
from pysctpstack.drivers import platform
from pysctpstack.drivers.udp import UdpSockets

pytestmark = [namespaces, pytest.mark.skipif(not platform.LINUX, reason="network namespaces are Linux's")]

PREAMBLE = textwrap.dedent(
    """
    import fcntl, socket, struct, time
    from pysctpstack import Config, Stack, structs
    from pysctpstack import constants as c
    from pysctpstack.core.route import Fragmentable, Route, Unfragmented
    from pysctpstack.drivers.udp import UdpSockets

    def loopback(mtu):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            fcntl.ioctl(sock, 0x8922, struct.pack("16si20x", b"lo", mtu))  # SIOCSIFMTU
            fcntl.ioctl(sock, 0x8914, struct.pack("16sh22x", b"lo", 0x41))  # SIOCSIFFLAGS: up, running

    wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))  # ETH_P_ALL

    def seen(family):
        "What loopback carried since the last call, each packet once."
        wire.setblocking(False)
        packets = []
        while True:
            try:
                packet, (_, protocol, kind, *_) = wire.recvfrom(70_000)
            except BlockingIOError:
                return packets
            if kind != 4 and protocol == {4: 0x0800, 6: 0x86DD}[family]:  # PACKET_OUTGOING is the other half
                packets.append(packet)
    """
)


def run(script: str) -> list[str]:
    """Run it on a host of its own; the lines that it printed."""
    command = [*ALONE, sys.executable, "-c", PREAMBLE + textwrap.dedent(script)]
    # With every lever, since they are part of what is looked at.
    environment = {name: value for name, value in os.environ.items() if name != platform.LEVERS_VARIABLE}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_marked_datagrams_leave_with_df_or_without() -> None:
    assert run(
        """
        loopback(1_400)
        udp = UdpSockets(0, Config(), addresses=["127.0.0.1"])
        route = Route("127.0.0.1", udp.port)
        seen(4)
        for kind, size in (
            (bytes, 500), (Unfragmented, 500), (Fragmentable, 500), (bytes, 500),
            (bytes, 2_000), (Fragmentable, 2_000), (Unfragmented, 2_000), (bytes, 500),
        ):
            udp.send([(route, kind(size))])
            flags = [packet[6] >> 5 for packet in seen(4)]
            print(kind.__name__, size, *({0: "-", 1: "more", 2: "DF"}[flag] for flag in flags))
        print([len(data) for _, data in udp.receive(udp.sockets[0])], udp.counters.send_errors_by_kind["too_big"])
        # In one call with others: trains are made around them.
        udp.send([(route, bytes(600))] * 3 + [(route, Unfragmented(1_000))] + [(route, bytes(600))] * 3)
        print([len(data) for _, data in udp.receive(udp.sockets[0])], udp.counters.trains_sent)
        """
    ) == [
        "bytes 500 DF",
        "Unfragmented 500 DF",
        "Fragmentable 500 -",
        "bytes 500 DF",
        "bytes 2000 more -",
        "Fragmentable 2000 more -",
        "Unfragmented 2000",
        "bytes 500 DF",
        "[500, 500, 500, 500, 2000, 2000, 500] 1",
        "[600, 600, 600, 1000, 600, 600, 600] 2",
    ]


def test_over_ipv6_the_sender_fragments_what_does_not_fit_unless_it_is_a_probe() -> None:
    assert run(
        """
        loopback(1_400)
        udp = UdpSockets(0, Config(), addresses=["::1"])
        route = Route("::1", udp.port)
        seen(6)
        for kind in (bytes, Unfragmented, Fragmentable, bytes):
            udp.send([(route, kind(2_000))])
            print(kind.__name__, len(seen(6)), udp.path_mtu(route))
        udp.send([(route, Unfragmented(1_352))])
        print([len(data) for _, data in udp.receive(udp.sockets[0])], udp.counters.send_errors_by_kind["too_big"])
        """
    ) == [
        "bytes 2 1400",
        "Unfragmented 0 1400",
        "Fragmentable 2 1400",
        "bytes 2 1400",
        "[2000, 2000, 2000, 1352] 1",
    ]


STACKS = """
    def connected(**config):
        server, client = (
            Stack(Config(udp_port=port, remote_udp_port=9_900, **config)) for port in (9_900, 9_901)
        )
        listener = server.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.bind(("127.0.0.1", 7))
        listener.listen()
        sock = client.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.connect(("127.0.0.1", 7))
        accepted, _ = listener.accept()
        return sock, accepted, (client, server)

    def fragmentation_point(sock):
        return sock.getsockopt(socket.IPPROTO_SCTP, c.SCTP_STATUS, structs.Status()).sstat_fragmentation_point

    def becomes(sock, size):
        deadline = time.monotonic() + 10
        while fragmentation_point(sock) != size and time.monotonic() < deadline:
            time.sleep(0.01)
        return fragmentation_point(sock)

    def chunks(packet):
        "The chunk types of an SCTP packet in UDP."
        at, types = 40, []
        while at + 4 <= len(packet):
            types.append(packet[at])
            at += (int.from_bytes(packet[at + 2 : at + 4], "big") + 3) & ~3
        return types
"""


def test_probes_leave_with_df_and_raise_the_path_mtu() -> None:
    assert run(
        textwrap.dedent(STACKS)
        + textwrap.dedent(
            """
            loopback(9_000)
            sock, accepted, stacks = connected(plpmtud=True, gso=False)
            print(becomes(sock, 9_000 - 28 - 12 - 16))
            # Of the client: HEARTBEAT and PAD.
            ours = [packet for packet in seen(4) if packet[20:22] == (9_901).to_bytes(2, "big")]
            probes = [packet for packet in ours if chunks(packet) == [4, 132]]
            print([(len(packet), packet[6] >> 5) for packet in probes])
            sock.send(bytes(20_000))
            print(len(accepted.recv(20_000)), max(len(packet) for packet in seen(4)))
            for stack in stacks:
                stack.close()
            """
        )
    ) == ["8944", "[(1200, 2), (9000, 2)]", "20000 9000"]


@pytest.mark.parametrize(("forged", "point"), [(0, 1_300 - 28 - 12 - 16), (1, 9_000 - 28 - 12 - 16)])
def test_what_icmp_tells_is_believed_when_it_quotes_a_packet_of_ours(forged: int, point: int) -> None:
    assert run(
        textwrap.dedent(STACKS)
        + textwrap.dedent(
            f"""
            loopback(9_000)
            sock, accepted, stacks = connected()
            print(fragmentation_point(sock))
            sock.send(b"x")
            accepted.recv(1)
            quoted = next(p for p in seen(4) if p[20:22] == (9_901).to_bytes(2, "big") and chunks(p)[0] == 0)
            tag = bytes(byte ^ {forged} for byte in quoted[32:36])
            message = struct.pack("!BBHHH", 3, 4, 0, 0, 1_300) + quoted[:32] + tag + quoted[36:]
            total = sum(struct.unpack(f"!{{len(message) // 2}}H", message[: len(message) & ~1]))
            total += message[-1] << 8 if len(message) % 2 else 0
            while total >> 16:
                total = (total & 0xFFFF) + (total >> 16)
            message = message[:2] + struct.pack("!H", ~total & 0xFFFF) + message[4:]
            with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
                raw.sendto(message, ("127.0.0.1", 0))
            time.sleep(0.2 if {forged} else 0)
            print(becomes(sock, {point}))
            for stack in stacks:
                stack.close()
            """
        )
    ) == ["8944", str(point)]


def test_this_system_controls_df() -> None:
    udp = UdpSockets(0, Config())
    try:
        assert udp.controls_fragmentation(Route("127.0.0.1", 9))
        # What is marked is bytes to everybody else.
        assert Unfragmented(b"x") == Fragmentable(b"x") == b"x"
    finally:
        udp.close()
