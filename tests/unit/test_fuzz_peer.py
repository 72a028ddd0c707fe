"""The fuzzer for peers, against this stack itself over UDP on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from pysctpstack import Config, Stack
from pysctpstack.cli import main
from pysctpstack.fuzz import STATES, Mutator, Prober, Silence
from pysctpstack.fuzz.mutations import LARGEST, NOWHERE

HOST = "127.0.0.1"
PORT = 7_007


@pytest.fixture
def server() -> Iterator[Stack]:
    """A peer that accepts and drops whatever comes."""
    with Stack(Config(udp_port=0, exit_linger=0.0)) as stack, stack.socket() as listener:
        listener.bind((HOST, PORT))
        listener.listen(64)
        listener.settimeout(0.1)
        done = threading.Event()

        def serve() -> None:
            while not done.is_set():
                with suppress(OSError):
                    listener.accept()[0].close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield stack
        done.set()
        thread.join()


def test_packets_are_the_seeds_and_the_numbers() -> None:
    for state in STATES:
        packets = [Mutator(1).packet(number, state, NOWHERE) for number in range(300)]
        assert packets == [Mutator(1).packet(number, state, NOWHERE) for number in range(300)]
        assert packets != [Mutator(2).packet(number, state, NOWHERE) for number in range(300)]
        assert all(0 < len(body) <= LARGEST for _, body in packets)
        # Most reach the peer's association.
        assert sum(tag == NOWHERE.peer_tag for tag, _ in packets) > 150


def test_our_own_stack_survives(server: Stack, tmp_path: Path) -> None:
    log = tmp_path / "log.pcap"
    with Prober(HOST, PORT, 9_260, remote_udp_port=server.udp_ports[0], check_every=100, log=log) as prober:
        report = prober.run(400)
    assert report.silent_after is None
    assert (report.packets, report.checks) == (400, 5)
    assert report.answered > 20
    assert report.associations > 20
    assert server.counters
    dpkt = pytest.importorskip("dpkt.pcap")
    with log.open("rb") as file:
        assert sum(1 for _ in dpkt.UniversalReader(file)) > 400


def test_a_peer_that_falls_silent_is_reported(server: Stack) -> None:
    with Prober(HOST, PORT, 1, remote_udp_port=server.udp_ports[0], check_every=5) as prober:

        def silence(_report: object) -> None:
            server.close()
            prober.patience = 0.3

        report = prober.run(50, progress=silence)
    assert report.silent_after == 9
    assert [number for number, _, _ in report.latest] == list(range(10))


def test_a_peer_that_falls_silent_is_reported_when_an_association_is_wanted(server: Stack) -> None:
    with Prober(HOST, PORT, 1, remote_udp_port=server.udp_ports[0], states=["established"], check_every=5) as prober:

        def silence(_report: object) -> None:
            server.close()
            prober.patience = 0.3

        report = prober.run(50, progress=silence)
    assert report.silent_after == 4


def test_nobody_there() -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as taken:
        taken.bind((HOST, 0))
        with (
            Prober(HOST, PORT, 1, remote_udp_port=taken.getsockname()[1], patience=0.3) as prober,
            pytest.raises(Silence, match=r"no association with .*, SCTP port 7007"),
        ):
            prober.run(1)


def test_the_command(server: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    udp = str(server.udp_ports[0])
    command = ["fuzz", HOST, "--port", str(PORT), "--seed", "3", "--count", "30", "--remote-udp-port", udp]
    assert main([*command, "--states", "established,closed"]) == 0
    assert "the peer serves as before" in capsys.readouterr().out
    server.close()
    assert main([*command, "--patience", "0.3"]) == 1
    assert "no association" in capsys.readouterr().err


def test_only_loopback_unless_owned(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", "192.0.2.1", "--port", "7", "--seed", "1"]) == 2
    assert "--i-own-this-host" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--states", "open"], ["--count", "0"], ["--check-every", "-1"]])
def test_bad_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(["fuzz", HOST, "--port", "7", "--seed", "1", *arguments])
    with pytest.raises(ValueError, match="states are"):
        Prober(HOST, 7, 1, states=())
