"""``decode`` and ``check`` as a user starts them, on captures that the simulated network wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.pair import Pair

from pysctpstack.testing import TraceRecord, pcap
from pysctpstack.wire.packet import Packet, decode, pack_checksum


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("captures") / "clean.pcap"
    pair = Pair(1)
    pair.connect()
    pair.send(pair.a, 5_000)
    pair.run(5)
    assert pair.network.write_pcap(path, pair.b.host) > 8
    return path


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As ``capture``, but the first packet with DATA has a wrong checksum and the second a wrong tag."""
    path = tmp_path_factory.mktemp("captures") / "broken.pcap"
    pair = Pair(1)
    pair.connect()
    pair.send(pair.a, 5_000)
    pair.run(5)

    def spoilt(number: int, record: TraceRecord) -> pcap.Captured:
        packet = decode(record.data)
        if number == 4:
            wrong = Packet(packet.source_port, packet.destination_port, 0x12345678, chunks=packet.chunks)
            return record.sent._replace(data=wrong.encode())
        data = record.data
        return record.sent._replace(data=data[:8] + pack_checksum(1) + data[12:] if number == 5 else data)

    pcap.write(path, [spoilt(number, record) for number, record in enumerate(pair.network.trace)])
    return path


def run(*arguments: str | Path, stdin: bytes = b"") -> tuple[int, str, str]:
    command = [sys.executable, "-m", "pysctpstack", *map(str, arguments)]
    result = subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False, env=os.environ)
    return result.returncode, result.stdout.decode(), result.stderr.decode()


def test_decode_prints_a_line_for_each_packet(capture: Path) -> None:
    code, out, _ = run("decode", capture)
    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith("1 0.050000 192.0.2.1:9899 > 198.51.100.1:9899 5000>7 tag=0x00000000 INIT[")
    assert any(" SACK[" in line for line in lines)


def test_decode_reads_standard_input_and_prints_json(capture: Path) -> None:
    code, out, _ = run("decode", "--json", "-", stdin=capture.read_bytes())
    packets = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [packet["number"] for packet in packets] == list(range(1, len(packets) + 1))
    assert packets[0]["chunks"][0]["name"] == "INIT"
    assert {packet["checksum_status"] for packet in packets} == {"good"}


def test_decode_of_another_udp_port(tmp_path: Path) -> None:
    path = tmp_path / "other.pcap"
    packet = Packet(1, 2, 3).encode()
    pcap.write(path, [pcap.Captured(0.0, "192.0.2.1", 7000, "192.0.2.2", 7001, packet)])
    assert run("decode", path)[1] == ""
    assert "1>2 tag=0x00000003" in run("decode", "--udp-port", "7001", path)[1]


def test_decode_into_a_pipe_that_closes(capture: Path) -> None:
    command = f"{sys.executable} -m pysctpstack decode --json {capture} | head -c 10"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert (len(result.stdout), result.stderr) == (10, "")


@pytest.mark.parametrize("command", ["decode", "check"])
def test_what_is_no_capture_is_an_error(command: str, tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("no capture")
    code, _, error = run(command, path)
    assert code == 1
    assert f"pysctp {command}: not a capture" in error
    code, _, error = run(command, tmp_path / "nothing")
    assert code == 1
    assert "No such file" in error


def test_a_damaged_capture_is_decoded_up_to_the_damage(capture: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(capture.read_bytes()[:-5])
    code, out, error = run("decode", path)
    whole = run("decode", capture)[1].splitlines()
    assert (code, out.splitlines()) == (1, whole[:-1])
    assert "ends in the middle of a frame" in error


def test_check_of_a_clean_exchange(capture: Path) -> None:
    code, out, error = run("check", capture)
    assert (code, error) == (0, "")
    assert out.splitlines()[-1].endswith(" 1 associations, 0 findings")


def test_check_tells_what_is_wrong_and_where(broken: Path) -> None:
    code, out, _ = run("check", broken)
    assert code == 1
    assert ": checksum: " in out
    assert "(RFC 9260 6.8)" in out
    assert ": tag: DATA with the tag 0x12345678" in out


def test_check_as_json(broken: Path) -> None:
    code, out, _ = run("check", "--json", "-", stdin=broken.read_bytes())
    report = json.loads(out)
    assert code == 1
    assert {finding["rule"] for finding in report["findings"]} >= {"checksum", "tag"}
    assert {"packets", "associations", "findings", "notes"} == set(report)
    first = report["findings"][0]
    assert {"rule", "section", "level", "number", "time", "source", "association", "text"} == set(first)
