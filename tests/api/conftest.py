"""Fixtures of the tests over real UDP. Every test has stacks of its own, on ephemeral UDP ports."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from loopback import PATIENCE, Pair, Programs, Stacks, connected


@pytest.fixture(autouse=True)
def _no_call_blocks_for_ever() -> Iterator[None]:
    socket.setdefaulttimeout(PATIENCE)
    yield
    socket.setdefaulttimeout(None)


@pytest.fixture
def stacks() -> Iterator[Stacks]:
    made = Stacks()
    yield made
    made.close()


@pytest.fixture
def programs() -> Iterator[Programs]:
    started = Programs()
    yield started
    started.close()


@pytest.fixture
def pair(stacks: Stacks) -> Pair:
    """Two stacks and an association between one-to-one IPv4 sockets."""
    return connected(stacks)
