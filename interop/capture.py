"""Captures of a cell's packets, and tshark's judgement of them.

The judge wants every packet on the UDP ports in use to be SCTP with a right CRC32c, not malformed, without an
expert note of severity "error", and not fragmented by IP.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from interop.network import BRIDGES, FIRST_BRIDGE, RELAY

_MARKER_PORT = 9  # "discard"
_SEVERITY_ERROR = 0x0080_0000
_SEVERITY_WARNING = 0x0060_0000
_CHECKSUM_GOOD = "1"
_FIELDS = (
    "frame.number",
    "frame.time_epoch",
    "frame.time_relative",
    "ip.src",
    "ip.dst",
    "ipv6.src",
    "ipv6.dst",
    "ip.len",
    "ip.flags.mf",
    "ip.frag_offset",
    "sctp.verification_tag",
    "sctp.checksum.status",
    "sctp.chunk_type",
    "sctp.data_tsn_raw",
    "sctp.sack_a_rwnd",
    "sctp.cause_code",
    "_ws.malformed",
    "_ws.expert.severity",
    "_ws.expert.message",
    "_ws.col.Info",
)


class CaptureError(Exception):
    """tcpdump or tshark did not do what it should."""


def why_not() -> str | None:
    """Return the reason why nothing can be captured and judged here, or None."""
    for tool in ("tcpdump", "tshark"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed (Debian: {tool})"
    return None


class Capture:
    """All UDP of one of the run's bridges, written to `path` from construction until `stop`."""

    def __init__(self, path: Path, bridge: str = FIRST_BRIDGE, limit: int = 0) -> None:
        self.path = path
        self._limit = limit  # packets, after which it is enough; 0: none
        self._address = BRIDGES[bridge]
        command = [
            "tcpdump",
            "-i",
            bridge,
            "-w",
            str(path),
            "-U",
            "--immediate-mode",
            "-s",
            "2048",
            "-B",
            "32768",
            "-n",
            "-Z",
            "root",
        ]
        self._process = subprocess.Popen(
            [*command, *(["-c", str(limit)] if limit else []), "udp"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stderr is not None
        seen = []
        for line in self._process.stderr:
            seen.append(line.strip())
            if "listening on" in line:
                return
        self.close()
        raise CaptureError(f"tcpdump did not start: {' '.join(seen)}")

    def stop(self) -> None:
        """Stop when all that was sent before this call is in the file."""
        # tcpdump may have packets in hand when it is told to end. They come in order: once a datagram of our
        # own is in the file, everything before it is.
        marker = os.urandom(16)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sender.bind((self._address, 0))
            sender.sendto(marker, (self._address.rpartition(".")[0] + ".255", _MARKER_PORT))
        deadline = time.monotonic() + 5.0
        while marker not in self.path.read_bytes()[-4096:]:
            if self._limit and self._process.poll() is not None:
                break
            if time.monotonic() > deadline or self._process.poll() is not None:
                self.close()
                raise CaptureError("tcpdump does not write what it sees")
            time.sleep(0.01)
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            _out, text = self._process.communicate(timeout=5.0)
        except subprocess.TimeoutExpired:
            self.close()
            raise CaptureError("tcpdump does not end") from None
        dropped = re.search(r"(\d+) packets? dropped by kernel", text)
        if dropped is None or dropped[1] != "0":
            raise CaptureError(f"the capture is not whole: {text.strip()!r}")

    def close(self) -> None:
        """End tcpdump, whatever its state."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(5.0)
        if self._process.stderr is not None:
            self._process.stderr.close()


@dataclass
class Report:
    """What tshark found."""

    packets: int = 0
    retransmissions: int = 0  # DATA chunks whose TSN had been sent before
    problems: list[str] = field(default_factory=list)
    chunk_types: dict[str, list[int]] = field(default_factory=dict)  # per source address, in the order sent
    data_times: dict[str, list[float]] = field(default_factory=dict)  # of packets with DATA, per source; epoch seconds
    data_sizes: dict[str, list[int]] = field(default_factory=dict)  # of the same packets; bytes of IP
    causes: dict[str, list[int]] = field(default_factory=dict)  # error causes, per source address
    windows: dict[str, list[int]] = field(default_factory=dict)  # a_rwnd of SACKs, per source address
    wrong_checksums: int = 0  # of the relay's packets, in cells where it turns bits
    warnings: list[str] = field(default_factory=list)  # expert notes of severity "warning", each once
    listing: list[str] = field(default_factory=list)  # one line per packet, for people


class Judge:
    """tshark with the settings that a check needs."""

    def __init__(self) -> None:
        # The exchange's bodies are arbitrary bytes: nothing above SCTP may try to make sense of them.
        listing = _tshark("-G", "heuristic-decodes")
        rows = [line.split("\t") for line in listing.splitlines()]
        self._quiet = [part for row in rows if row[0] == "sctp" for part in ("--disable-protocol", row[1])]

    def report(
        self, paths: Iterable[Path], udp_ports: Iterable[int], *, corrupted: bool = False, fragments: bool = False
    ) -> Report:
        """Judge these captures together; packets of other UDP ports are left out.

        `corrupted`: the relay turns bits, so its packets with a wrong CRC32c are counted, and not looked into.
        `fragments`: IP may fragment.
        """
        ports = sorted(set(udp_ports))
        result = Report()
        for path in paths:
            self._add(path, ports, result, corrupted=corrupted, fragments=fragments)
        if result.packets == 0:
            result.problems.append("no packet was captured")
        return result

    def _add(self, path: Path, ports: Iterable[int], result: Report, *, corrupted: bool, fragments: bool) -> None:
        arguments = ["-n", "-r", str(path), "-o", "sctp.checksum:CRC 32c", *self._quiet]
        for port in ports:
            arguments += ["-d", f"udp.port=={port},sctp"]
        arguments += [
            "-Y",
            " || ".join([*(f"udp.port=={port}" for port in ports), "ip.flags.mf==1", "ip.frag_offset>0"]),
        ]
        arguments += ["-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=|"]
        for name in _FIELDS:
            arguments += ["-e", name]
        seen: set[tuple[str, str, str]] = set()
        for line in _tshark(*arguments).splitlines():
            values = line.split("\t")
            row = dict(zip(_FIELDS, values + [""] * (len(_FIELDS) - len(values)), strict=True))
            result.packets += 1
            source = row["ip.src"] or row["ipv6.src"]
            if corrupted and source == RELAY and row["sctp.checksum.status"] != _CHECKSUM_GOOD:
                result.wrong_checksums += 1
                continue
            if fragments and row["sctp.checksum.status"] == "" and _is_fragment(row):
                continue  # tshark shows the whole with the last one
            _judge(row, result, fragments=fragments)
            result.windows.setdefault(source, []).extend(_numbers(row["sctp.sack_a_rwnd"]))
            result.chunk_types.setdefault(source, []).extend(_numbers(row["sctp.chunk_type"]))
            result.causes.setdefault(source, []).extend(_numbers(row["sctp.cause_code"]))
            for tsn in filter(None, row["sctp.data_tsn_raw"].split("|")):
                key = (source, row["sctp.verification_tag"], tsn)
                # What the relay sends has been seen on its way there.
                result.retransmissions += key in seen and source != RELAY
                seen.add(key)
            if row["sctp.data_tsn_raw"]:
                result.data_sizes.setdefault(source, []).append(int(row["ip.len"].rpartition("|")[2] or 0))
                result.data_times.setdefault(source, []).append(float(row["frame.time_epoch"]))
            route = f"{source} > {row['ip.dst'] or row['ipv6.dst']}"
            result.listing.append(
                f"{row['frame.number']:>5} {row['frame.time_relative']:>12} {route}  {row['_ws.col.Info']}"
            )


def _judge(row: dict[str, str], result: Report, *, fragments: bool) -> None:
    where = f"packet {row['frame.number']}"
    if not fragments and _is_fragment(row):
        result.problems.append(f"{where}: fragmented by IP")
    elif row["sctp.checksum.status"] == "":
        result.problems.append(f"{where}: not SCTP")
    elif row["sctp.checksum.status"] != _CHECKSUM_GOOD:
        result.problems.append(f"{where}: wrong CRC32c")
    severities = _numbers(row["_ws.expert.severity"])
    if row["_ws.malformed"]:
        result.problems.append(f"{where}: malformed")
    elif any(severity >= _SEVERITY_ERROR for severity in severities):
        result.problems.append(f"{where}: {row['_ws.expert.message']}")
    elif any(severity >= _SEVERITY_WARNING for severity in severities):
        pairs = zip(severities, row["_ws.expert.message"].split("|"), strict=False)
        for severity, message in pairs:
            if severity >= _SEVERITY_WARNING and message not in result.warnings:
                result.warnings.append(message)


def _is_fragment(row: dict[str, str]) -> bool:
    return row["ip.flags.mf"] not in ("0", "False", "") or row["ip.frag_offset"] not in ("0", "")


def _numbers(text: str) -> list[int]:
    return [int(part, 0) for part in text.split("|") if part]


def _tshark(*arguments: str) -> str:
    result = subprocess.run(
        ["tshark", *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=30,
        check=False,
    )
    if result.returncode != 0:
        raise CaptureError(f"tshark: {result.stderr.strip()}")
    return result.stdout
