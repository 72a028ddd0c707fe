"""`Stack`: one SCTP host of an event loop; and what `connect`, `listen` and `serve` do."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Coroutine, Generator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypedDict, TypeVar

from pysctpstack.aio.addresses import Binding, binding, check_port, failure, look_up, peers
from pysctpstack.aio.association import CLOSE_TIMEOUT, MAX_MESSAGE_SIZE, AsyncAssociation, Terms
from pysctpstack.aio.host import Host
from pysctpstack.aio.listener import Listener
from pysctpstack.aio.server import Handler, Server
from pysctpstack.config import Config
from pysctpstack.core import handshake
from pysctpstack.core.route import Route
from pysctpstack.core.settings import Settings
from pysctpstack.core.statistics import AssociationStatistics
from pysctpstack.drivers.pump import clock
from pysctpstack.drivers.udp import UdpCounters

if TYPE_CHECKING:
    from typing_extensions import Unpack


class _Managed(Protocol):
    async def __aenter__(self) -> Any: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


T = TypeVar("T", bound=_Managed)


class ConnectOptions(TypedDict, total=False):
    """Keywords of `Stack.connect`."""

    streams: int | None
    max_inbound_streams: int | None
    alternates: Sequence[str]
    local_hosts: str | Sequence[str] | None
    local_port: int
    remote_udp_port: int | None
    family: int
    no_delay: bool
    send_buffer: int | None
    close_timeout: float
    max_message_size: int
    timeout: float | None


class ListenOptions(TypedDict, total=False):
    """Keywords of `Stack.listen` and `Stack.serve`, which name ``close_timeout`` themselves."""

    streams: int | None
    max_inbound_streams: int | None
    backlog: int
    family: int
    no_delay: bool
    send_buffer: int | None
    max_message_size: int


class Opening(Coroutine[Any, Any, T], Generic[T]):
    """What `connect`, `listen` and `serve` return: to be awaited, or entered with ``async with``."""

    def __init__(self, opening: Coroutine[Any, Any, T]) -> None:
        self._opening = opening
        self._opened: T | None = None

    def send(self, value: Any) -> Any:
        return self._opening.send(value)

    def throw(self, *error: Any) -> Any:
        return self._opening.throw(*error)

    def close(self) -> None:
        self._opening.close()

    def __await__(self) -> Generator[Any, Any, T]:
        return self._opening.__await__()

    async def __aenter__(self) -> T:
        self._opened = await self._opening
        await self._opened.__aenter__()
        return self._opened

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._opened is not None
        await self._opened.__aexit__(kind, error, trace)


@dataclass(frozen=True)
class StackStatistics:
    """``counters``: discards by reason and other named counts; ``udp``: what passed each UDP port; since the start."""

    counters: dict[str, int]
    udp: dict[int, UdpCounters]
    associations: tuple[AssociationStatistics, ...]


class Stack:
    """One configured SCTP host: its UDP ports, its SCTP ports, its associations. Many can live in one event loop.

    It belongs to the loop in which it is first used. A context manager: leaving it closes the stack.
    ``add_reader``: whether the loop watches the UDP sockets (the fast way), or reads them itself as datagram
    endpoints; None: as the loop can.
    """

    def __init__(self, config: Config | None = None, *, add_reader: bool | None = None) -> None:
        self.config = config or Config()
        self._add_reader = add_reader
        self._own = False
        self._host: Host | None = None

    @classmethod
    def for_one(cls, config: Config) -> Stack:
        """A stack that ends with the association, or the listener and its associations, that it is made for."""
        stack = cls(config)
        stack._own = True
        return stack

    def _started(self) -> Host:
        loop = asyncio.get_running_loop()
        if self._host is None:
            self._host = Host(self.config, loop, add_reader=self._add_reader, own=self._own)
        elif self._host.loop is not loop:
            raise RuntimeError("this stack belongs to another event loop")
        self._host.check_open()
        return self._host

    @property
    def is_closed(self) -> bool:
        return self._host is not None and self._host.closed

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that it belongs to; None before its first use."""
        return self._host.loop if self._host is not None else None

    @property
    def udp_ports(self) -> list[int]:
        """Local UDP ports in use; empty before the first listener or association."""
        return [udp.port for udp in self._host.pump.udp] if self._host is not None else []

    @property
    def counters(self) -> dict[str, int]:
        """What was discarded, by reason, and other named counts, since the stack was made."""
        return dict(self._host.endpoint.counters) if self._host is not None else {}

    def statistics(self) -> StackStatistics:
        """A snapshot of the stack, its associations and their paths."""
        if self._host is None:
            return StackStatistics({}, {}, ())
        associations = tuple(one.statistics() for one in self._host.endpoint.associations.values())
        udp = {udp.port: replace(udp.counters) for udp in self._host.pump.udp}
        return StackStatistics(self.counters, udp, associations)

    # --- associations ---

    def connect(
        self,
        address: tuple[str, int],
        *,
        streams: int | None = None,
        max_inbound_streams: int | None = None,
        alternates: Sequence[str] = (),
        local_hosts: str | Sequence[str] | None = None,
        local_port: int = 0,
        remote_udp_port: int | None = None,
        family: int = 0,
        no_delay: bool = False,
        send_buffer: int | None = None,
        close_timeout: float = CLOSE_TIMEOUT,
        max_message_size: int = MAX_MESSAGE_SIZE,
        timeout: float | None = None,
    ) -> Opening[AsyncAssociation]:
        """Set up an association with ``(host, port)``; each address of the host is tried in turn.

        ``streams``: outbound ones; as for the other None, the configuration has the default. ``alternates``: further
        addresses of the peer. ``local_hosts``, ``local_port``: to be bound to; several addresses are told to the peer.
        ``remote_udp_port``: the peer's. ``family``: AF_INET or AF_INET6, if not either. ``no_delay``: send small
        messages at once even while others are not acknowledged yet (SCTP_NODELAY). ``send_buffer``: bytes.
        ``close_timeout``: seconds that closing may take. ``max_message_size``: of `AsyncAssociation.recv`.
        ``timeout``: seconds, for all of it.

        ConnectionRefusedError: nobody listens. TimeoutError: no answer, or ``timeout`` is up. ENETUNREACH: the host has
        no route there. `socket.gaierror`: no such name. Cancelled, it leaves no association behind.
        """
        wanted = _Wanted(
            self._terms(send_buffer, close_timeout, max_message_size),
            self._settings(streams, max_inbound_streams, no_delay),
            check_port(local_port, 0),
            self.config.remote_udp_port if remote_udp_port is None else remote_udp_port,
        )
        return Opening(self._connect(address, alternates, local_hosts, family, wanted, timeout))

    async def _connect(
        self,
        address: tuple[str, int],
        alternates: Sequence[str],
        local_hosts: str | Sequence[str] | None,
        family: int,
        wanted: _Wanted,
        timeout: float | None,
    ) -> AsyncAssociation:
        deadline = None if timeout is None else clock() + timeout
        host = self._started()
        host.use()
        try:
            peer, port = address
            check_port(port, 1)
            candidates = await _within(deadline, peers(peer, family))
            others = [ip for name in alternates for ip in await _within(deadline, look_up(name, family))]
            local = await _within(deadline, binding(local_hosts, family, self.config))
            host.start()
            errors: list[OSError] = []
            for ip in candidates:
                try:
                    return await _associate(host, [ip, *others], port, local, wanted, deadline)
                except OSError as error:
                    errors.append(error)
            # What the preferred address has to say.
            raise errors[0]
        finally:
            host.unuse()

    def listen(
        self,
        host: str | Sequence[str] | None = None,
        port: int = 0,
        *,
        streams: int | None = None,
        max_inbound_streams: int | None = None,
        backlog: int = 128,
        family: int = 0,
        no_delay: bool = False,
        send_buffer: int | None = None,
        close_timeout: float = CLOSE_TIMEOUT,
        max_message_size: int = MAX_MESSAGE_SIZE,
    ) -> Opening[Listener]:
        """Accept associations at SCTP port ``port`` (0: an ephemeral one) of ``host``: a name, an address, several, or
        (None, "") all addresses of the host's.

        ``backlog``: associations that wait to be accepted, at most. The others are as for `connect`. EADDRINUSE: the
        port is taken, or the stack's UDP port; the message says how to choose another.
        """
        terms = self._terms(send_buffer, close_timeout, max_message_size)
        settings = self._settings(streams, max_inbound_streams, no_delay)
        return Opening(self._listen(host, check_port(port, 0), family, settings, terms, backlog))

    async def _listen(
        self,
        hosts: str | Sequence[str] | None,
        port: int,
        family: int,
        settings: Settings,
        terms: Terms,
        backlog: int,
    ) -> Listener:
        host = self._started()
        host.use()
        try:
            return Listener(host, port, await binding(hosts, family, self.config), settings, terms, backlog)
        finally:
            host.unuse()

    def serve(
        self,
        handler: Handler,
        host: str | Sequence[str] | None = None,
        port: int = 0,
        *,
        close_timeout: float = CLOSE_TIMEOUT,
        **options: Unpack[ListenOptions],
    ) -> Opening[Server]:
        """Listen, and run ``handler(association)`` in a task of its own for each association. ``options``: as for
        `listen`. ``close_timeout``: seconds that handlers have after `Server.close`, too."""
        return Opening(
            self._serve(handler, self.listen(host, port, close_timeout=close_timeout, **options), close_timeout)
        )

    async def _serve(self, handler: Handler, listening: Opening[Listener], close_timeout: float) -> Server:
        return Server(handler, await listening, close_timeout)

    def _terms(self, send_buffer: int | None, close_timeout: float, max_message_size: int) -> Terms:
        size = self.config.send_buffer if send_buffer is None else send_buffer
        if size < 1 or max_message_size < 1:
            raise ValueError("send_buffer and max_message_size are at least 1 byte")
        return Terms(size, self.config.receive_buffer, close_timeout, max_message_size)

    def _settings(self, streams: int | None, max_inbound_streams: int | None, no_delay: bool) -> Settings:
        config = self.config
        if streams is not None:
            config = replace(config, outbound_streams=streams)
        if max_inbound_streams is not None:
            config = replace(config, max_inbound_streams=max_inbound_streams)
        settings = Settings.from_config(config)
        settings.no_delay = no_delay
        return settings

    # --- the end ---

    async def close(self, timeout: float | None = None) -> int:
        """Close every listener and association, wait ``timeout`` seconds at most (None: `Config.exit_linger`) for
        their last messages and the SHUTDOWN, and stop.

        Returns how many associations had to be aborted since they were not done by then.
        """
        if self._host is None or self._host.closed:
            return 0
        return await self._host.close(self.config.exit_linger if timeout is None else timeout)

    def stop(self) -> None:
        """Abort every association and close the UDP sockets, at once; also when the loop is closed already."""
        if self._host is not None:
            self._host.stop()

    async def __aenter__(self) -> Stack:
        self._started()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close(None if kind is None else 0.0)


@dataclass(frozen=True)
class _Wanted:
    """How an association shall be."""

    terms: Terms
    settings: Settings
    local_port: int
    remote_udp_port: int


async def _within(deadline: float | None, task: Coroutine[Any, Any, Any]) -> Any:
    if deadline is None:
        return await task
    try:
        return await asyncio.wait_for(task, max(deadline - clock(), 0.0))
    except asyncio.TimeoutError:
        # Before Python 3.11 that is another class.
        raise TimeoutError("timed out") from None


async def _associate(
    host: Host, ips: list[str], port: int, local: Binding, wanted: _Wanted, deadline: float | None
) -> AsyncAssociation:
    """Set up an association with a peer that has these addresses, the first to be used first."""
    pump = host.pump
    if not any(pump.source_address(ip) for ip in ips):
        raise failure(errno.ENETUNREACH)
    bound = local.addresses
    to = [Route(ip, wanted.remote_udp_port, handshake.source_for(bound, ip, pump) or "".join(bound[:1])) for ip in ips]
    local_port = host.bind(wanted.local_port, bound)
    try:
        core = host.endpoint.associate(
            local_port, port, to[0], wanted.settings, clock(), alternates=to[1:], local_addresses=local.told
        )
    except ValueError:
        host.unbind(local_port, bound)
        raise failure(errno.EADDRNOTAVAIL) from None
    association = AsyncAssociation(host, core, wanted.terms)
    host.adopt(core, association, (local_port, bound))
    host.driver.flush()
    try:
        await association.established(None if deadline is None else deadline - clock())
    except BaseException:
        association.abort()
        raise
    return association
