"""A network address translator: many inside addresses behind one public one.

It stands at the edge of the network: between it and its hosts there is no delay, and a path to or from them
is the link of its public address. The names of its behaviours are those of RFC 4787.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

FIRST_PUBLIC_PORT = 40_000
_PUBLIC_PORTS = 65_536 - FIRST_PUBLIC_PORT

Transport = tuple[str, int]
"""An address and a UDP port."""


@dataclass(slots=True)
class Binding:
    """One inside address and port with the public port that stands for it."""

    inside: Transport
    public_port: int
    last_used: float
    peers: set[Transport] = field(default_factory=set)
    """Whom the inside has sent to through this binding."""


class Nat:
    """The translation table of one public address. Made by `SimulatedNetwork.nat`.

    ``symmetric``: every destination gets a public port of its own (address and port-dependent mapping of RFC
    4787 section 4.1), which implies ``strict``. ``strict``: only whom the inside has sent to may answer
    (address and port-dependent filtering, section 5). ``idle_timeout``: seconds without an outgoing datagram
    after which a binding is forgotten (section 4.3 asks for 120 and more).
    """

    __slots__ = (
        "idle_timeout",
        "public_address",
        "strict",
        "symmetric",
        "_by_inside",
        "_by_port",
        "_next_port",
    )

    def __init__(
        self,
        public_address: str,
        *,
        symmetric: bool = False,
        strict: bool = False,
        idle_timeout: float = math.inf,
    ) -> None:
        self.public_address = public_address
        self.symmetric = symmetric
        self.strict = strict or symmetric
        self.idle_timeout = idle_timeout
        self._next_port = FIRST_PUBLIC_PORT
        self._by_port: dict[int, Binding] = {}
        self._by_inside: dict[tuple[Transport, Transport | None], Binding] = {}

    @property
    def bindings(self) -> list[Binding]:
        """The bindings in the order of their making, idle ones included until they are found to be dead."""
        return list(self._by_port.values())

    def rebind(self) -> None:
        """Forget every binding: the old public ports are dead, and the next outgoing datagram gets a new one.

        What a NAT does that was restarted, or that needed the port for somebody else.
        """
        self._by_port.clear()
        self._by_inside.clear()

    def outgoing(self, inside: Transport, peer: Transport, now: float) -> Transport:
        """The source under which ``peer`` sees a datagram from ``inside``. Makes or refreshes the binding.

        Raises RuntimeError when every public port is in use.
        """
        key = (inside, peer if self.symmetric else None)
        binding = self._by_inside.get(key)
        if binding is not None and self._expired(binding, now):
            del self._by_port[binding.public_port]
            binding = None
        if binding is None:
            binding = Binding(inside, self._free_port(now), now)
            self._by_inside[key] = self._by_port[binding.public_port] = binding
        binding.last_used = now
        binding.peers.add(peer)
        return (self.public_address, binding.public_port)

    def incoming(self, public_port: int, source: Transport, now: float) -> Transport | None:
        """Whom a datagram from ``source`` to ``public_port`` is for; None when the NAT drops it.

        Does not refresh the binding: RFC 4787 section 4.3 demands that of outgoing datagrams only.
        """
        binding = self._by_port.get(public_port)
        if binding is None or self._expired(binding, now) or (self.strict and source not in binding.peers):
            return None
        return binding.inside

    def _expired(self, binding: Binding, now: float) -> bool:
        return now - binding.last_used > self.idle_timeout

    def _free_port(self, now: float) -> int:
        if len(self._by_port) == _PUBLIC_PORTS:
            self._forget_idle(now)
        if len(self._by_port) == _PUBLIC_PORTS:
            raise RuntimeError(f"the NAT at {self.public_address} has no public port left")
        while self._next_port in self._by_port:
            self._step_port()
        port = self._next_port
        self._step_port()
        return port

    def _step_port(self) -> None:
        self._next_port = self._next_port + 1 if self._next_port < 65_535 else FIRST_PUBLIC_PORT

    def _forget_idle(self, now: float) -> None:
        for key, binding in list(self._by_inside.items()):
            if self._expired(binding, now):
                del self._by_inside[key], self._by_port[binding.public_port]
