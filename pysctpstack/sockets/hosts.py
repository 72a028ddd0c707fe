"""`Stack`, the public face of one SCTP host; the default one behind the module-level sockets; and what becomes of
stacks when the
process forks or exits.
"""

from __future__ import annotations

import atexit
import os
import socket
import sys
import threading
import warnings
import weakref
from dataclasses import dataclass, replace
from types import TracebackType
from typing import cast

from pysctpstack import constants as c
from pysctpstack.config import Config, config_of_environment
from pysctpstack.core.statistics import AssociationStatistics
from pysctpstack.drivers.pump import clock
from pysctpstack.drivers.udp import UdpCounters
from pysctpstack.sockets.vectors import SctpSocket
from pysctpstack.stack import Host


@dataclass(frozen=True)
class StackStatistics:
    """``counters``: discards by reason and other named counts; ``udp``: what passed each UDP port; since the start."""

    counters: dict[str, int]
    udp: dict[int, UdpCounters]
    associations: tuple[AssociationStatistics, ...]


class Stack:
    """One configured SCTP host: its UDP port, its SCTP ports, its sockets. Many can live in one process.

    A context manager: leaving it closes the stack. Nothing is opened before the first socket needs it.
    """

    def __init__(self, config: Config | None = None) -> None:
        self._host = Host(config or Config())
        _hosts.add(self._host)
        _end_with_multiprocessing()

    @property
    def config(self) -> Config:
        return self._host.config

    @property
    def udp_ports(self) -> list[int]:
        """Local UDP ports in use; empty before the first socket listens or connects."""
        return self._host.udp_ports

    @property
    def counters(self) -> dict[str, int]:
        """What was discarded, by reason, and other named counts, since the stack was made."""
        with self._host.lock:
            return dict(self._host.endpoint.counters)

    def statistics(self) -> StackStatistics:
        """A snapshot of the stack, its associations and their paths."""
        host = self._host
        with host.lock:
            associations = tuple(association.statistics() for association in host.endpoint.associations.values())
            udp = {udp.port: replace(udp.counters) for udp in host.pump.udp}
            return StackStatistics(dict(host.endpoint.counters), udp, associations)

    def socket(
        self,
        family: int = socket.AF_INET,
        type: int = socket.SOCK_STREAM,  # noqa: A002
        proto: int = c.IPPROTO_SCTP,
    ) -> SctpSocket:
        """A one-to-one (SOCK_STREAM) or one-to-many (SOCK_SEQPACKET) SCTP socket of this stack."""
        if proto not in (0, c.IPPROTO_SCTP):
            raise ValueError(f"a Stack makes SCTP sockets (protocol {c.IPPROTO_SCTP}), not of protocol {proto}")
        return SctpSocket(self._host, family, type)

    def close(self, timeout: float = 0.0) -> int:
        """Close every socket, wait ``timeout`` seconds at most for their last messages and the SHUTDOWN, and stop.

        Returns how many associations had to be aborted since they were not done by then.
        """
        host = self._host
        if host.closed:
            return 0
        deadline = clock() + timeout
        host.close_sockets()
        with host.lock:
            left = host.finish(deadline)
        host.stop()
        return left

    def __enter__(self) -> Stack:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(self.config.exit_linger if kind is None else 0.0)


_hosts: weakref.WeakSet[Host] = weakref.WeakSet()
"""A host that has begun to send is kept alive by its driver's thread, whatever becomes of its `Stack`."""
_default: Stack | None = None
_default_lock = threading.Lock()


def default_stack() -> Stack:
    """The stack of the module-level sockets, made at first use; its UDP ports come from the environment."""
    global _default
    with _default_lock:
        if _default is None or _default._host.closed:
            _default = Stack(config_of_environment())
        return _default


def take_peeled(descriptor: int) -> SctpSocket | None:
    """The socket of the default stack that SCTP_SOCKOPT_PEELOFF gave this descriptor, to one taker."""
    stack = _default
    if stack is None:
        return None
    with stack._host.lock:
        return cast("SctpSocket | None", stack._host.peeled.pop(descriptor, None))


def _at_exit() -> None:
    """Close what is open as a kernel would when a process ends, and wait until it has arrived."""
    began = clock()
    hosts = [host for host in _hosts if not host.closed]
    lost_before = {id(host): host.lost_after_close for host in hosts}
    # All of them before the first wait: stacks of one process may be each other's peers.
    for host in hosts:
        host.close_sockets()
    for host in hosts:
        with host.lock:
            left = host.finish(began + host.config.exit_linger)
        host.stop()
        lost = host.lost_after_close - lost_before[id(host)]
        if left or lost:
            warnings.warn(
                f"pysctpstack: {left} association(s) did not close within {host.config.exit_linger:g} s of the end "
                f"of the program (Config.exit_linger), and {lost} message(s) may be lost",
                RuntimeWarning,
                stacklevel=1,
            )


_ends_with_multiprocessing = False


def _end_with_multiprocessing() -> None:
    """A forked child of `multiprocessing` ends without running exit handlers; what it runs are finalizers."""
    global _ends_with_multiprocessing
    if "multiprocessing.util" not in sys.modules or _ends_with_multiprocessing:
        return
    from multiprocessing import parent_process, util

    if parent_process() is not None:
        util.Finalize(None, _at_exit, exitpriority=0)
        _ends_with_multiprocessing = True


def _after_fork_in_child() -> None:
    global _default, _default_lock, _ends_with_multiprocessing
    _default = None
    _default_lock = threading.Lock()
    _ends_with_multiprocessing = False
    for host in list(_hosts):
        host.abandon()
    _hosts.clear()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
