"""The commands and the runnable examples, each as a user starts it: in processes of their own, over UDP on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import Stacks, listening

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
THREE = [f"Received following data on stream {stream}: Message #{stream + 1}" for stream in range(3)]


@pytest.fixture
def udp_ports() -> tuple[int, int]:
    """Two UDP ports that are free now."""
    with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as other:
        one.bind(("", 0))
        other.bind(("", 0))
        return one.getsockname()[1], other.getsockname()[1]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
        check=False,
    )


@contextlib.contextmanager
def started(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_demo_prints_a_line_per_message_on_other_ports_than_9899(udp_ports: tuple[int, int]) -> None:
    server, client = map(str, udp_ports)
    done = run("-m", "pysctpstack", "demo", "--udp-port", server, "--remote-udp-port", client)
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, THREE, "")


def test_demo_uses_9899_by_default() -> None:
    with contextlib.closing(socket.socket(type=socket.SOCK_DGRAM)) as probe:
        try:
            probe.bind(("", 9899))
        except OSError:
            taken = True
        else:
            taken = False
    done = run("-m", "pysctpstack", "demo")
    if taken:
        assert done.returncode == 1
        assert "9899" in done.stderr
    else:
        assert (done.returncode, done.stdout.splitlines()) == (0, THREE)


def test_demo_says_which_udp_port_is_taken(udp_ports: tuple[int, int]) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as holder:
        holder.bind(("", udp_ports[0]))
        done = run("-m", "pysctpstack", "demo", "--udp-port", str(udp_ports[0]))
    assert done.returncode == 1
    assert f"UDP port {udp_ports[0]}" in done.stderr
    assert "--udp-port" in done.stderr


@pytest.mark.parametrize("size", [100, 1_400, 65_536])
def test_perf_ends_with_the_receivers_figures_as_json(udp_ports: tuple[int, int], size: int) -> None:
    port = str(udp_ports[0])
    with started("-m", "pysctpstack", "perf", "server", "--once", "--json", "--udp-port", port) as server:
        # The client's INIT is repeated until the server is there.
        client = run(
            *("-m", "pysctpstack", "perf", "client", "127.0.0.1", "--json", "--remote-udp-port", port),
            *("--size", str(size), "--seconds", "0.2", "--mtu", "1500"),
        )
        if client.returncode == 1 and "refused" in client.stderr:
            # The server was not up yet: ICMP said so at once.
            assert server.stdout is not None
            while "refused" in client.stderr:
                client = run(
                    *("-m", "pysctpstack", "perf", "client", "127.0.0.1", "--json", "--remote-udp-port", port),
                    *("--size", str(size), "--seconds", "0.2", "--mtu", "1500"),
                )
        output, errors = server.communicate(timeout=30)
    assert (client.returncode, client.stderr, errors) == (0, "", "")
    seen_by_server, seen_by_client = json.loads(output.splitlines()[-1]), json.loads(client.stdout.splitlines()[-1])
    assert seen_by_server["messages"] > 0
    assert seen_by_server["bytes"] == seen_by_server["messages"] * size
    for name in ("bytes_per_second", "messages_per_second"):
        assert seen_by_server[name] > 0
        assert seen_by_client[name] == pytest.approx(seen_by_server[name])


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_slides_server_and_client(udp_ports: tuple[int, int]) -> None:
    ports = {"PYSCTPSTACK_UDP_PORT": str(udp_ports[0]), "PYSCTPSTACK_REMOTE_UDP_PORT": str(udp_ports[1])}
    swapped = {"PYSCTPSTACK_UDP_PORT": str(udp_ports[1]), "PYSCTPSTACK_REMOTE_UDP_PORT": str(udp_ports[0])}
    with started(str(EXAMPLES / "slides_server.py"), **ports) as server:
        assert first_line(server) == "Server Running"
        for _ in range(2):
            # The server is iterative: it serves one client after the other.
            done = run(str(EXAMPLES / "slides_client.py"), "127.0.0.1", **swapped)
            assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, THREE, "")
            assert first_line(server) == "Connected to 127.0.0.1"
            lines = [first_line(server) for _ in range(7)]
            assert [line for line in lines if line] == [
                *(f"Sent: Message #{number}" for number in (1, 2, 3)),
                "Server Running",
            ]


def test_one_to_many_echo_pair(udp_ports: tuple[int, int]) -> None:
    ports = {"PYSCTPSTACK_UDP_PORT": str(udp_ports[0])}
    swapped = {"PYSCTPSTACK_UDP_PORT": str(udp_ports[1]), "PYSCTPSTACK_REMOTE_UDP_PORT": str(udp_ports[0])}
    with started(str(EXAMPLES / "echo_server.py"), "--once", **ports) as server:
        assert first_line(server) == "Server Running"
        done = run(str(EXAMPLES / "echo_client.py"), "127.0.0.1", "--", "one", "two", "three", "four", **swapped)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines() == [
            "one (stream 0, ppid 0)",
            "two (stream 1, ppid 1)",
            "three (stream 2, ppid 2)",
            "four (stream 0, ppid 3)",
        ]
        output, errors = server.communicate(timeout=30)
        assert (server.returncode, errors) == (0, "")
        assert output.startswith("Association 3 with 127.0.0.1 port ")


def test_bad_usage_exits_with_2() -> None:
    for arguments in (("demo", "--udp-port", "65536"), ("perf",), ("perf", "client", "127.0.0.1", "--size", "0"), ()):
        done = run("-m", "pysctpstack", *arguments)
        assert done.returncode == 2, arguments
        assert "usage: pysctp" in done.stderr


def test_a_connect_to_nobody_is_said_and_exits_with_1(stacks: Stacks) -> None:
    # A stack is there, but nobody listens on that SCTP port: told at once, whether ICMP is heard or not.
    stack = stacks()
    listening(stack)
    port = str(stack.udp_ports[0])
    done = run("-m", "pysctpstack", "perf", "client", "127.0.0.1", "--remote-udp-port", port, "--json")
    assert done.returncode == 1
    assert done.stderr.startswith("pysctp perf: ")
