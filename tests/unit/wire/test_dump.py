"""The one-line text of packets that traces and failing tests show."""

from __future__ import annotations

import pytest

from pysctpstack.wire import causes, packet, params
from pysctpstack.wire import chunks as c
from pysctpstack.wire import extension_chunks as e
from pysctpstack.wire.dump import dump

HEADER = "5001>5002 tag=0x1234abcd "


@pytest.mark.parametrize(
    ("chunk", "text"),
    [
        (c.Data(1, 2, 3, 46, bytes(100)), "DATA[tsn=1 sid=2 ssn=3 ppid=46 BE len=100]"),
        (c.Data(1, 2, 3, 46, b"x", flags=0x0F), "DATA[tsn=1 sid=2 ssn=3 ppid=46 IUBE len=1]"),
        (c.Data(1, 2, 3, 46, b"x", flags=0), "DATA[tsn=1 sid=2 ssn=3 ppid=46 len=1]"),
        (c.Init(0xAB, 131072, 10, 65535, 7), "INIT[tag=0x000000ab a_rwnd=131072 os=10 is=65535 tsn=7]"),
        (
            c.Init(0xAB, 1500, 1, 1, 7, [params.Ipv4Address("192.0.2.1"), params.ForwardTsnSupported()]),
            "INIT[tag=0x000000ab a_rwnd=1500 os=1 is=1 tsn=7 ipv4=192.0.2.1 forward-tsn-supported]",
        ),
        (
            c.InitAck(1, 1500, 1, 1, 7, [params.StateCookie(b"c"), params.UnknownParameter(0xC0DE, b"")]),
            "INIT-ACK[tag=0x00000001 a_rwnd=1500 os=1 is=1 tsn=7 state-cookie parameter-0xc0de]",
        ),
        (c.Sack(12, 4660, ((2, 3), (5, 5)), (9, 10)), "SACK[cum=12 a_rwnd=4660 gaps=2-3,5-5 dups=9,10]"),
        (c.Sack(12, 4660), "SACK[cum=12 a_rwnd=4660 gaps= dups=]"),
        (c.Heartbeat(bytes(8)), "HEARTBEAT[info=8]"),
        (c.HeartbeatAck(bytes(8)), "HEARTBEAT-ACK[info=8]"),
        (c.Abort(), "ABORT[]"),
        (
            c.Abort([causes.UserInitiatedAbort(b"x"), causes.UnknownCause(99, b"")], reflected=True),
            "ABORT[T user-initiated-abort cause-99]",
        ),
        (c.Shutdown(7), "SHUTDOWN[cum=7]"),
        (c.ShutdownAck(), "SHUTDOWN-ACK[]"),
        (c.Error([causes.StaleCookie(1)]), "ERROR[stale-cookie]"),
        (c.CookieEcho(bytes(9)), "COOKIE-ECHO[cookie=9]"),
        (c.CookieAck(), "COOKIE-ACK[]"),
        (c.Ecne(1), "ECNE[tsn=1]"),
        (c.Cwr(1), "CWR[tsn=1]"),
        (c.ShutdownComplete(), "SHUTDOWN-COMPLETE[]"),
        (c.ShutdownComplete(reflected=True), "SHUTDOWN-COMPLETE[T]"),
        (c.UnknownChunk(200, 1, b"abc"), "CHUNK-200[flags=0x01 len=3]"),
        (e.Auth(1, 3, bytes(32)), "AUTH[key=1 hmac=3 len=32]"),
        (e.IData(1, 2, 3, 46, b"x"), "I-DATA[tsn=1 sid=2 mid=3 ppid=46 BE len=1]"),
        (e.IData(1, 2, 3, 4, b"x", flags=1), "I-DATA[tsn=1 sid=2 mid=3 fsn=4 E len=1]"),
        (
            e.Asconf(
                9,
                params.Ipv4Address("192.0.2.1"),
                [params.AddIpAddress(1, params.Ipv6Address("2001:db8::1"))],
            ),
            "ASCONF[seq=9 ipv4=192.0.2.1 add-ip(ipv6=2001:db8::1)]",
        ),
        (
            e.AsconfAck(9, [params.ErrorCauseIndication(1, [causes.NoAuthorization(b"")])]),
            "ASCONF-ACK[seq=9 error-cause-indication(no-authorization)]",
        ),
        (
            e.ReConfig([params.OutgoingSsnResetRequest(1, 2, 3), params.IncomingSsnResetRequest(1, [4, 5])]),
            "RE-CONFIG[outgoing-ssn-reset=all incoming-ssn-reset=4,5]",
        ),
        (
            e.ReConfig([params.ReconfigResponse(1, 6), params.AddOutgoingStreamsRequest(1, 3)]),
            "RE-CONFIG[reconfig-response=6 add-outgoing-streams=3]",
        ),
        (
            c.Init(1, 1500, 1, 1, 7, [params.SupportedExtensions([130, 7, 250])]),
            "INIT[tag=0x00000001 a_rwnd=1500 os=1 is=1 tsn=7 supported-extensions=RE-CONFIG,SHUTDOWN,250]",
        ),
        (e.Pad(bytes(5)), "PAD[len=5]"),
        (e.ForwardTsn(7, [(1, 2), (3, 4)]), "FORWARD-TSN[cum=7 streams=1:2,3:4]"),
        (e.IForwardTsn(7, [(1, True, 2), (3, False, 4)]), "I-FORWARD-TSN[cum=7 streams=1:U2,3:4]"),
    ],
    ids=lambda item: type(item).__name__,
)
def test_every_chunk(chunk: c.Chunk, text: str) -> None:
    assert dump(packet.encode(5001, 5002, 0x1234ABCD, [chunk.encode()])) == HEADER + text


def test_chunks_follow_each_other() -> None:
    datagram = packet.encode(5001, 5002, 0x1234ABCD, [c.CookieAck().encode(), c.Shutdown(1).encode()])
    assert dump(datagram) == HEADER + "COOKIE-ACK[] SHUTDOWN[cum=1]"


def test_what_is_broken_says_so() -> None:
    datagram = packet.encode(5001, 5002, 0x1234ABCD, [b"\7\0\0\5\0\0\0\0", b"\3\0\0"])
    assert dump(datagram) == HEADER + "SHUTDOWN[bad_chunk_length] !partial"
    assert dump(datagram[:8] + bytes(4)) == HEADER + "!checksum"
    assert dump(b"abc") == "[truncated_packet 3 bytes]"
