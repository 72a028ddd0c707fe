"""How many bytes leave for an address that is not proven, for each byte that came: writes `docs/amplification.md`.

Who can forge a source address can have a stack answer somebody else (RFC 5062 section 8). Each kind of packet that is
answered before the address is proven is given to a real endpoint here, and what leaves is weighed.

    python tools/amplification.py          print the table
    python tools/amplification.py docs     write the page
    python tools/amplification.py check    whether the page is what would be written
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pysctpstack.config import Config
from pysctpstack.core import Endpoint, FixedMtu, Route, Settings
from pysctpstack.testing import SeededEntropy
from pysctpstack.wire import chunks as c
from pysctpstack.wire.packet import decode, encode
from pysctpstack.wire.params import HostName, Ipv4Address, Ipv6Address, Parameter, StateCookie, UnknownParameter

PAGE = Path(__file__).resolve().parent.parent / "docs" / "amplification.md"
PEER, HERE = "192.0.2.1", "198.51.100.1"
PEER6, HERE6 = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:1", "2001:db8:aaaa:bbbb:cccc:dddd:ffff:2"
PORTS = (5_000, 7)
UDP_PORT = 9_899
TAG = 0x11111111
PROBED_FOR = 60.0
"""Seconds for which probes of addresses that were only listed are counted."""


@dataclass
class Row:
    """What came, what left in answer, and the bytes of each: SCTP packets, and with their IP and UDP headers."""

    given: str
    answer: str
    packets_in: int
    bytes_in: int
    packets_out: int
    bytes_out: int
    headers: int

    @property
    def factor(self) -> float:
        """Bytes out for each byte in, IP and UDP headers counted."""
        into = self.bytes_in + self.packets_in * self.headers
        return (self.bytes_out + self.packets_out * self.headers) / into


class Bench:
    """An endpoint that listens, and what was given to it and left it."""

    def __init__(self, *, listening: bool = True, local: tuple[str, ...] = (), v6: bool = False) -> None:
        self.endpoint = Endpoint(Config(), SeededEntropy(1), FixedMtu(1_500))
        self.v6 = v6
        self.now = 100.0
        self.given: list[bytes] = []
        self.left: list[bytes] = []
        if listening:
            self.endpoint.listen(PORTS[1], Settings.from_config(Config()), 10, frozenset(), local)

    def give(self, *chunks: c.Chunk, tag: int = 0, port: int = UDP_PORT) -> list[c.Chunk]:
        """A packet arrives; the chunks of what leaves at once."""
        packet = encode(*PORTS, tag, [chunk.encode() for chunk in chunks])
        self.given.append(packet)
        route = Route(PEER6, port, HERE6) if self.v6 else Route(PEER, port, HERE)
        self.endpoint.receive_datagrams([(route, packet)], self.now)
        return [chunk for packet in self.drain() for chunk in decode(packet).chunks]

    def drain(self) -> list[bytes]:
        packets = [packet for _, packet in self.endpoint.datagrams_to_send(self.now)]
        self.left += packets
        return packets

    def forget(self) -> None:
        """Count from here on."""
        self.given.clear()
        self.left.clear()

    def row(self, given: str) -> Row:
        names = [type(chunk).__name__ for packet in self.left for chunk in decode(packet).chunks]
        answer = ", ".join(dict.fromkeys(names)) or "nothing"
        return Row(
            given,
            answer,
            len(self.given),
            sum(map(len, self.given)),
            len(self.left),
            sum(map(len, self.left)),
            48 if self.v6 else 28,
        )


def init(parameters: list[Parameter] | None = None, streams: int = 4, tag: int = TAG) -> c.Init:
    return c.Init(tag, 100_000, streams, streams, 1, parameters or [])


def _established(bench: Bench, parameters: list[Parameter] | None = None) -> int:
    """Set up an association of the peer's; our tag."""
    (ack,) = bench.give(init(parameters))
    assert isinstance(ack, c.InitAck)
    (cookie,) = [p.cookie for p in ack.parameters if isinstance(p, StateCookie)]
    bench.give(c.CookieEcho(cookie), tag=ack.initiate_tag)
    assert len(bench.endpoint.associations) == 1
    return ack.initiate_tag


def _listed_addresses(count: int) -> list[Parameter]:
    return [Ipv4Address(f"203.0.113.{number}") for number in range(1, count + 1)]


def _listed_addresses6(count: int) -> list[Parameter]:
    return [Ipv6Address(f"2001:db8:1111:2222:3333:4444:5555:66{number:02x}") for number in range(1, count + 1)]


def _to_listener(name: str, bench: Bench, *chunks: c.Chunk, tag: int = 0, port: int = UDP_PORT) -> Row:
    bench.give(*chunks, tag=tag, port=port)
    return bench.row(name)


def _for_an_association(name: str, *chunks: c.Chunk, tag: int = 0, port: int = UDP_PORT, closing: bool = False) -> Row:
    bench = Bench()
    local_tag = _established(bench)
    if closing:
        tcb = next(iter(bench.endpoint.associations.values())).tcb
        bench.give(c.Shutdown((tcb.initial_tsn - 1) & 0xFFFFFFFF), tag=local_tag)
    bench.forget()
    return _to_listener(name, bench, *chunks, tag=tag, port=port)


def _stale_cookie() -> Row:
    bench = Bench()
    (ack,) = bench.give(init())
    assert isinstance(ack, c.InitAck)
    (cookie,) = [p.cookie for p in ack.parameters if isinstance(p, StateCookie)]
    bench.now += 60.5
    bench.forget()
    return _to_listener("COOKIE ECHO, its cookie stale", bench, c.CookieEcho(cookie), tag=ack.initiate_tag)


def _probes_of_listed_addresses() -> Row:
    bench = Bench()
    _established(bench, _listed_addresses(15))
    bench.left.clear()
    end = bench.now + PROBED_FOR
    while (due := bench.endpoint.next_timeout()) <= end:
        bench.now = due
        bench.endpoint.handle_timeout(due)
        # What goes to the address that the handshake has proven is no concern here.
        out = bench.endpoint.datagrams_to_send(due)
        bench.left += [packet for route, packet in out if route.peer != PEER]
    return bench.row(f"handshake that lists 15 addresses; what they get in {PROBED_FOR:.0f} s")


OUT_OF_THE_BLUE: list[tuple[str, c.Chunk]] = [
    ("DATA", c.Data(1, 0, 0, 0, b"x")),
    ("SACK", c.Sack(1, 1)),
    ("HEARTBEAT", c.Heartbeat(b"")),
    ("HEARTBEAT ACK", c.HeartbeatAck(b"")),
    ("ABORT", c.Abort([])),
    ("SHUTDOWN", c.Shutdown(1)),
    ("SHUTDOWN ACK", c.ShutdownAck()),
    ("ERROR", c.Error([])),
    ("INIT ACK", c.InitAck(TAG, 100_000, 4, 4, 1)),
    ("COOKIE ECHO, forged", c.CookieEcho(bytes(100))),
    ("COOKIE ACK", c.CookieAck()),
    ("SHUTDOWN COMPLETE", c.ShutdownComplete()),
    ("unknown chunk", c.UnknownChunk(0xFE, 0, b"")),
]


def rows() -> list[Row]:
    """Every kind of packet that may come from an address that is not proven."""
    own = tuple(f"2001:db8::{number:x}:2" for number in range(1, 17))
    unknown: list[Parameter] = [UnknownParameter(0xFE00 + number, b"") for number in range(64)]
    measured: list[Callable[[], Row]] = [
        lambda: _to_listener("INIT", Bench(), init()),
        lambda: _to_listener("INIT, over IPv6", Bench(v6=True), init()),
        lambda: _to_listener("INIT, the listener lists 16 IPv6 addresses", Bench(v6=True, local=own), init()),
        lambda: _to_listener("INIT with 64 unknown parameters", Bench(), init(unknown)),
        lambda: _to_listener("INIT that lists 16 addresses", Bench(), init(_listed_addresses(16))),
        lambda: _to_listener("INIT that lists 16 IPv6 addresses", Bench(v6=True), init(_listed_addresses6(16))),
        lambda: _to_listener("INIT, nobody listens", Bench(listening=False), init()),
        lambda: _to_listener("INIT without streams", Bench(), init(streams=0)),
        lambda: _to_listener("INIT with a host name", Bench(), init([HostName(bytes(500))])),
        lambda: _to_listener("INIT with Initiate Tag 0", Bench(), init(tag=0)),
        lambda: _for_an_association("INIT for an association", init(tag=0x22222222)),
        lambda: _for_an_association("INIT for an association, 15 new addresses", init(_listed_addresses(15))),
        lambda: _for_an_association("INIT for an association, another UDP port", init(), port=40_000),
        lambda: _for_an_association("INIT in SHUTDOWN-ACK-SENT", init(), closing=True),
        lambda: _for_an_association("any packet for an association, its tag wrong", c.Heartbeat(bytes(1_000)), tag=7),
        _stale_cookie,
    ]
    table = [measure() for measure in measured]
    table += [_to_listener(f"{name}, out of the blue", Bench(), chunk, tag=7) for name, chunk in OUT_OF_THE_BLUE]
    return [*table, _probes_of_listed_addresses()]


def table(measured: list[Row]) -> str:
    """The rows in Markdown."""
    lines = [
        "| what comes | what leaves | bytes in | bytes out | out / in | with IP and UDP headers |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for row in measured:
        answer = row.answer if row.packets_out <= 1 else f"{row.packets_out} x {row.answer}"
        bare = row.bytes_out / row.bytes_in
        lines.append(f"| {row.given} | {answer} | {row.bytes_in} | {row.bytes_out} | {bare:.2f} | {row.factor:.2f} |")
    return "\n".join(lines)


def page() -> str:
    """The page, whole."""
    measured = rows()
    largest = max(measured[:-1], key=lambda row: row.factor)
    plain = measured[0]
    config = Config()
    return f"""# What a forged source address draws

A packet whose source address is forged makes a stack answer somebody who did not ask. This table, measured by
`tools/amplification.py`, has every kind of packet that can come before the address is proven, by a COOKIE ECHO, or by
a HEARTBEAT ACK for an address that was only listed. One packet draws one at most, nothing is sent a second time, and no
state is kept.

A plain INIT draws {plain.factor:.1f} times its bytes; the largest INIT ACK ({largest.given}) {largest.factor:.1f}
times. INIT ACK, and ABORT and ERROR in answer to INIT and COOKIE ECHO, are limited for the whole stack to
`Config.setup_replies_per_second` ({config.setup_replies_per_second:,}), answers to packets out of the blue to
`Config.ootb_replies_per_second` ({config.ootb_replies_per_second:,}).

The last row is no answer to one packet: who has proven one address, and lists others, has those probed with
HEARTBEATs, `Config.heartbeat_max_burst` of them ({config.heartbeat_max_burst}) in an RTO, until they answer or are
given up. `Config.max_peer_addresses` ({config.max_peer_addresses}) bounds how many there are.

{table(measured)}

Bytes in and out are those of SCTP packets, the common header included; the last column adds 28 bytes of IPv4 and UDP
headers to each packet, 48 with IPv6.
"""


def main(arguments: list[str]) -> int:
    if arguments == ["docs"]:
        PAGE.write_text(page(), encoding="utf-8")
    elif arguments == ["check"]:
        if PAGE.read_text(encoding="utf-8") != page():
            print(f"{PAGE} is not up to date: run python tools/amplification.py docs")
            return 1
    elif not arguments:
        print(table(rows()))
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
