"""Hosts with several addresses, and the routes between them."""

from __future__ import annotations

from support.pair import CLIENT_PORT, SERVER_PORT, UDP_PORT, Node, Pair

from pysctpstack.config import Config
from pysctpstack.core import Association, Endpoint, Route
from pysctpstack.core.path import Path
from pysctpstack.testing import Link, SeededEntropy


class Routes:
    """A route table. ``own``: addresses of the host; the first reaches the first network, the last the second one.

    ``mtu``: of every route, unless ``mtus`` has another for the peer's address.
    """

    __slots__ = ("mtu", "mtus", "own")

    def __init__(self, mtu: int, own: tuple[str, ...], mtus: dict[str, int] | None = None) -> None:
        self.mtu = mtu
        self.own = own
        self.mtus = mtus or {}

    def path_mtu(self, route: Route) -> int:
        return self.mtus.get(route.peer, self.mtu)

    def source_address(self, peer: str) -> str:
        return self.own[-1] if is_second(peer) else self.own[0]

    def controls_fragmentation(self, route: Route) -> bool:  # noqa: ARG002 -- every route is the same
        return True


def is_second(address: str) -> bool:
    """Whether an address is of the second network: 203.0.113.0/24, or any of IPv6."""
    return address.startswith("203.0.113.") or ":" in address


class Multihomed(Pair):
    """A `Pair` whose ends list several addresses. ``mtus``: path MTUs by destination, where they differ."""

    def __init__(
        self,
        seed: int = 0,
        *,
        own: tuple[str, ...],
        theirs: tuple[str, ...],
        config: Config | None = None,
        link: Link | None = None,
        mtus: dict[str, int] | None = None,
    ) -> None:
        self.addresses = {"a": own, "b": theirs}
        self.mtus = mtus or {}
        super().__init__(seed, addresses=(own[0], theirs[0]), config=config, link=link)
        self.listener.local_addresses = theirs

    def _node(self, name: str, address: str, config: Config, entropy: SeededEntropy, mtu: int) -> Node:
        addresses = self.addresses[name]
        endpoint = Endpoint(config, entropy, Routes(mtu, addresses, self.mtus))
        return Node(name, address, endpoint, self.network.add_host(endpoint, *addresses, name=name))

    def associate(self, *alternates: str) -> Association:
        """Begin to connect; ``alternates``: addresses of the server that the client knows beforehand."""
        own = self.addresses["a"]
        table = self.a.endpoint.shared.route_table
        first, *others = [
            Route(address, UDP_PORT, table.source_address(address)) for address in (self.b.address, *alternates)
        ]
        return self.a.endpoint.associate(
            CLIENT_PORT, SERVER_PORT, first, self.settings, self.now, alternates=others, local_addresses=own
        )

    def path(self, node: Node, address: str) -> Path:
        """A path of the only association of ``node``."""
        return node.association.tcb.paths.by_address[address]

    def destinations(self, node: Node, *types: int, since: float = 0.0) -> list[str]:
        """Where the packets with chunks of these types went that left ``node`` from a time on."""
        return [record.route.peer for record in self.records(node.name, *types) if record.time >= since]
