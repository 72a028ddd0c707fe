"""What the sockets answer, against what kernel SCTP answered to the same scenarios (`interop/differential`).

The scenarios are run once, in a process of their own, several at once: most of their time they wait for nothing.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from loopback import ipv6_works, levers

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "interop" / "differential"
RECORDED = json.loads((FOLDER / "linux.json").read_text())["results"]
SHARE = 0.95
"""Of the scenarios, that are to be equal."""

NEEDS_PKTINFO = {"several_addresses/peer_addresses"}
"""Without it one UDP socket for the wildcard address cannot send from the address that a socket is bound to."""

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="errnos and flags are the host's"),
    pytest.mark.skipif(not ipv6_works(), reason="some scenarios need IPv6"),
]


def _module(*arguments: str, env: dict[str, str] | None = None) -> str:
    command = [sys.executable, "-m", "interop.differential", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def problems() -> dict[str, str | None]:
    """By scenario: where the answer is neither Linux's nor the known other one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        port = str(probe.getsockname()[1])
    # Its sockets are each other's peers, on one stack.
    env = {"PYSCTPSTACK_UDP_PORT": port, "PYSCTPSTACK_REMOTE_UDP_PORT": port}
    lines = [json.loads(line) for line in _module("check", "--at-once", "4", env=env).splitlines()]
    return {line["name"]: line["problem"] for line in lines}


@pytest.mark.parametrize("name", RECORDED)
def test_answers_like_linux(problems: dict[str, str | None], name: str) -> None:
    if name in NEEDS_PKTINFO and not levers().pktinfo:
        pytest.skip("without IP_PKTINFO packets leave from the system's choice of addresses")
    assert name in problems, "recorded, but there is no such scenario"
    assert problems[name] is None, problems[name]


def test_no_recorded_scenario_failed_or_blocked() -> None:
    assert not [
        name
        for name, result in RECORDED.items()
        if result == "HANG" or (isinstance(result, dict) and "raised" in result)
    ]


def test_every_scenario_is_recorded(problems: dict[str, str | None]) -> None:
    assert problems.keys() == RECORDED.keys()


def test_the_page_is_up_to_date_and_most_are_equal() -> None:
    shown = json.loads(_module("count"))
    assert shown["page"], "run `python -m interop.differential document`"
    assert shown["equal"] >= SHARE * shown["total"]
    assert shown["total"] >= 200
    assert min(shown["areas"].values()) >= 15
