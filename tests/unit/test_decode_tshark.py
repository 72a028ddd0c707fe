"""The decoder agrees with tshark on every field that both have: on others' captures, and on our own of every chunk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.pair import Pair

from interop import dissection
from interop.dissection import FIELDS, differences, why_not
from pysctpstack.decode import packets
from pysctpstack.testing import Link, pcap
from pysctpstack.wire import causes, params
from pysctpstack.wire import chunks as c
from pysctpstack.wire import extension_chunks as e
from pysctpstack.wire.packet import Packet

DIRECTORY = Path(os.environ.get("PYSCTPSTACK_CAPTURES", Path(__file__).parents[3] / "shared" / "captures"))
CAPTURES = sorted(path for path in DIRECTORY.glob("*") if path.suffix in (".pcap", ".pcapng", ".cap"))

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

PARAMETERS: Sequence[params.Parameter] = [
    params.Ipv4Address("192.0.2.1"),
    params.Ipv6Address("2001:db8::1"),
    params.StateCookie(b"a cookie of 19 byte"),
    params.CookiePreservative(1000),
    params.SupportedAddressTypes([5, 6]),
    params.EcnCapable(),
    params.ForwardTsnSupported(),
    params.SupportedExtensions([192, 130, 128]),
    params.Random(bytes(range(32))),
    params.ChunkList([128, 193]),
    params.HmacAlgorithm([1, 3]),
    params.AdaptationLayerIndication(7),
    params.UnrecognizedParameter(params.ForwardTsnSupported().encode()),
]

CHUNKS: Sequence[c.Chunk] = [
    c.Data(0xFFFFFFFF, 65_535, 65_534, 0x12345678, b"user data", 0x0F),
    c.Data(1, 2, 3, 4, b"four", 0),
    c.Init(0xAABBCCDD, 1500, 10, 20, 30, list(PARAMETERS)),
    c.InitAck(1, 2**32 - 1, 65_535, 1, 2**32 - 1, list(PARAMETERS)),
    c.Sack(100, 1000, ((2, 3), (5, 9)), (7, 8, 9)),
    c.Heartbeat(b"some information"),
    c.HeartbeatAck(b"some"),
    c.Abort([causes.UserInitiatedAbort(b"why"), causes.ProtocolViolation(b"")], True),
    c.Shutdown(77),
    c.ShutdownAck(),
    c.Error([
        causes.InvalidStreamIdentifier(9),
        causes.MissingMandatoryParameter([7, 5]),
        causes.StaleCookie(123_456),
        causes.OutOfResource(),
        causes.InvalidMandatoryParameter(),
        causes.NoUserData(99),
        causes.CookieReceivedWhileShuttingDown(),
    ]),
    c.CookieEcho(b"the cookie"),
    c.CookieAck(),
    c.Ecne(5),
    c.Cwr(6),
    c.ShutdownComplete(True),
    e.Auth(1, 3, bytes(range(32))),
    e.IData(5, 1, 2, 46, b"first", 2),
    e.IData(6, 1, 2, 1, b"second", 1),
    e.Asconf(3, params.Ipv4Address("192.0.2.1"), [params.AddIpAddress(4, params.Ipv6Address("2001:db8::2"))]),
    e.AsconfAck(3, [params.SuccessIndication(4)]),
    e.ReConfig([params.OutgoingSsnResetRequest(1, 2, 3, [4, 5])]),
    e.ReConfig([params.IncomingSsnResetRequest(1, [2])]),
    e.ReConfig([params.ReconfigResponse(9, 1)]),
    e.ReConfig([params.AddOutgoingStreamsRequest(1, 16), params.AddIncomingStreamsRequest(2, 3)]),
    e.Pad(bytes(9)),
    e.ForwardTsn(50, [(1, 2), (3, 4)]),
    e.IForwardTsn(60, [(1, True, 70_000), (2, False, 3)]),
    c.UnknownChunk(0x7F, 0xA5, b"unknown"),
]  # fmt: skip


@pytest.mark.skipif(not CAPTURES, reason=f"no captures in {DIRECTORY}")
@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.name)
def test_captures_of_others(capture: Path) -> None:
    assert packets(capture)
    assert differences(capture) == []


def write(path: Path, chunks: Sequence[c.Chunk]) -> None:
    datagrams = [
        Packet(5001, 5002, 0x01020304 if not isinstance(chunk, c.Init) else 0, chunks=[chunk]).encode()
        for chunk in chunks
    ]
    pcap.write(path, [pcap.Captured(n, "192.0.2.1", 9899, "192.0.2.2", 9899, data) for n, data in enumerate(datagrams)])


def test_every_chunk_parameter_and_cause(tmp_path: Path) -> None:
    path = tmp_path / "every.pcap"
    write(path, CHUNKS)
    assert {chunk.type for chunk in CHUNKS} == set(range(16)) | {64, 127, 128, 130, 132, 192, 193, 194}
    assert differences(path) == []


def test_traces_of_the_simulated_network(tmp_path: Path) -> None:
    path = tmp_path / "trace.pcap"
    pair = Pair(3, link=Link(latency=0.01, loss=0.1, corrupt=0.05))
    pair.connect()
    for stream in range(3):
        pair.send(pair.a, 4000, stream)
        pair.send(pair.b, 10)
    pair.run(30)
    pair.network.write_pcap(path, pair.b.host)
    assert len(packets(path)) > 20
    assert differences(path) == []


def test_a_difference_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every field is compared: whatever it is that our side has otherwise, it shows."""
    path = tmp_path / "every.pcap"
    write(path, CHUNKS)
    rows = list(dissection.tshark(path, [9899]))
    monkeypatch.setattr(dissection, "tshark", lambda _path, _ports: [(number, dict(row)) for number, row in rows])
    assert differences(path) == []
    for name, pick in list(FIELDS.items()):
        with monkeypatch.context() as patch:
            patch.setitem(FIELDS, name, lambda packet, pick=pick: pick(packet)[1:])
            assert any(name in text for text in differences(path)), name
