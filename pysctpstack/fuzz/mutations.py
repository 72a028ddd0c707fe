"""Packets that are wrong: a sensible one for the state, and one to three changes. A seed and a number decide all."""

from __future__ import annotations

from random import Random
from typing import Final, NamedTuple

from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import tlv
from pysctpstack.wire.causes import ProtocolViolation, StaleCookie, UnrecognizedChunk
from pysctpstack.wire.extension_chunks import Asconf, AsconfAck, Auth, ForwardTsn, IData, IForwardTsn, Pad, ReConfig
from pysctpstack.wire.params import (
    AddIpAddress,
    CookiePreservative,
    DeleteIpAddress,
    ForwardTsnSupported,
    HostName,
    Ipv4Address,
    OutgoingSsnResetRequest,
    Padding,
    Parameter,
    StateCookie,
    SupportedExtensions,
    UnknownParameter,
)

STATES: Final = ("closed", "cookie-wait", "established", "shutdown-sent")
"""What the association of the packet is at, as its sender sees it: there is none; INIT has been sent and its answer
is not taken; it is up; SHUTDOWN has been sent."""

LARGEST: Final = 1_400
"""Bytes of the largest packet that is made."""
_NUMBERS: Final = (0, 1, 2, 3, 4, 5, 7, 8, 16, 127, 128, 255, 256, 1_452, 32_767, 32_768, 65_531, 65_535)


class Bearings(NamedTuple):
    """Where an association is: tags and TSNs as on the wire."""

    local_tag: int
    peer_tag: int
    next_tsn: int
    """The next that the fuzzer would send."""
    peer_cumulative: int
    """The last that was received from the peer."""


NOWHERE: Final = Bearings(0x0F0F0F0F, 0x1E1E1E1E, 1_000, 2_000)
"""Of no association."""


class Mutator:
    """Makes the packets of one seed. Packet ``number`` is the same in every run for equal `Bearings`."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def packet(self, number: int, state: str, where: Bearings) -> tuple[int, bytes]:
        """The verification tag and the chunks of one packet, not empty."""
        random = Random(f"{self.seed}/{number}/{state}")
        chunks = [self._chunk(random, state, where).encode() for _ in range(random.choice((1, 1, 1, 2, 3)))]
        for _ in range(random.choice((1, 1, 2, 3))):
            chunks = self._changed(random, chunks)
        body = b"".join(chunks)[:LARGEST]
        if random.random() < 0.05:
            body = body[: random.randrange(len(body) + 1)]
        tag = random.choices((where.peer_tag, 0, where.local_tag, random.getrandbits(32)), weights=(85, 5, 5, 5))[0]
        if body[:1] == bytes((cp.INIT,)) and random.random() < 0.8:
            tag = 0
        return tag, body or bytes((cp.DATA,))

    def _chunk(self, random: Random, state: str, where: Bearings) -> c.Chunk:
        """One that means something to the peer, in this state if it can."""
        usual: dict[str, tuple[int, ...]] = {
            "closed": (cp.INIT, cp.COOKIE_ECHO, cp.SHUTDOWN_ACK, cp.ABORT),
            "cookie-wait": (cp.INIT, cp.COOKIE_ECHO, cp.DATA, cp.INIT_ACK),
            "established": (cp.DATA, cp.DATA, cp.SACK, cp.FORWARD_TSN, cp.HEARTBEAT, cp.ERROR, cp.RE_CONFIG, cp.ASCONF),
            "shutdown-sent": (cp.SHUTDOWN, cp.SHUTDOWN_ACK, cp.SHUTDOWN_COMPLETE, cp.DATA, cp.SACK),
        }
        types = usual[state] if random.random() < 0.8 else tuple(cp.CHUNK_NAMES)
        return self._chunk_of(random.choice(types), random, where)

    def _chunk_of(self, type_: int, random: Random, where: Bearings) -> c.Chunk:
        tsn = (where.next_tsn + random.choice((0, 0, 0, 1, 2, 3, -1, 70_000))) & 0xFFFFFFFF
        acknowledged = (where.peer_cumulative + random.choice((0, 0, 0, 1, -1, 70_000))) & 0xFFFFFFFF
        noise = random.randbytes(random.randrange(40))
        payload = random.randbytes(random.choice((1, 4, 100, 1_000)))
        address = Ipv4Address("127.0.0.1")
        if type_ == cp.DATA:
            flags = random.choice((3, 3, 3, 2, 0, 1, 7, 11))
            return c.Data(tsn, random.choice((0, 0, 1, 9_999)), random.choice((0, 1)), 0, payload, flags)
        if type_ in (cp.INIT, cp.INIT_ACK):
            parameters: list[Parameter] = [
                StateCookie(noise), ForwardTsnSupported(), CookiePreservative(1_000), HostName(b"localhost\0"), address,
                SupportedExtensions([cp.RE_CONFIG, cp.ASCONF, cp.I_DATA]), UnknownParameter(0xC123, noise),
                Padding(noise),
            ]  # fmt: skip
            kind = c.Init if type_ == cp.INIT else c.InitAck
            some = random.sample(parameters, random.randrange(4))
            return kind(where.local_tag, random.choice((0, 1_500, 100_000)), 10, 10, where.next_tsn, some)
        if type_ == cp.SACK:
            gaps = tuple((random.randrange(5), random.randrange(9)) for _ in range(random.randrange(3)))
            return c.Sack(acknowledged, random.choice((0, 100_000, 0xFFFFFFFF)), gaps, (tsn,) * random.randrange(3))
        if type_ == cp.ABORT:
            return c.Abort([ProtocolViolation(noise)], random.random() < 0.5)
        if type_ == cp.ERROR:
            return c.Error([StaleCookie(1), UnrecognizedChunk(noise)])
        if type_ == cp.FORWARD_TSN:
            return ForwardTsn(tsn, [(random.randrange(4), random.randrange(4))] * random.randrange(3))
        if type_ == cp.RE_CONFIG:
            return ReConfig([OutgoingSsnResetRequest(where.next_tsn, 0, where.next_tsn - 1 & 0xFFFFFFFF, [0, 1])])
        if type_ == cp.ASCONF:
            return Asconf(where.next_tsn, address, [AddIpAddress(1, address), DeleteIpAddress(2, address)])
        simple: dict[int, c.Chunk] = {
            cp.HEARTBEAT: c.Heartbeat(noise), cp.HEARTBEAT_ACK: c.HeartbeatAck(noise),
            cp.SHUTDOWN: c.Shutdown(acknowledged),
            cp.SHUTDOWN_ACK: c.ShutdownAck(), cp.SHUTDOWN_COMPLETE: c.ShutdownComplete(random.random() < 0.5),
            cp.COOKIE_ECHO: c.CookieEcho(noise), cp.COOKIE_ACK: c.CookieAck(), cp.ECNE: c.Ecne(tsn), cp.CWR: c.Cwr(tsn),
            cp.AUTH: Auth(0, 1, noise), cp.I_DATA: IData(tsn, 0, 0, 0, payload, 3), cp.PAD: Pad(noise),
            cp.ASCONF_ACK: AsconfAck(where.next_tsn, []), cp.I_FORWARD_TSN: IForwardTsn(tsn, [(0, False, 0)]),
        }  # fmt: skip
        return simple[type_]

    def _changed(self, random: Random, chunks: list[bytes]) -> list[bytes]:
        """The chunks with one change to one of them."""
        index = random.randrange(len(chunks))
        chunk = bytearray(chunks[index])
        if len(chunk) < 4:
            # A change before this one has cut it off within its header.
            return chunks
        kind = random.randrange(9)
        place = random.randrange(len(chunk))
        if kind == 0:
            # The chunk's own length.
            chunk[2:4] = random.choice((*_NUMBERS, len(chunk) - 4, len(chunk) + 4)).to_bytes(2, "big")
        elif kind == 1:
            chunk[1] = random.randrange(256)
        elif kind == 2:
            chunk[0] = random.choice((*cp.CHUNK_NAMES, random.randrange(256)))
        elif kind == 3 and len(chunk) >= 6:
            # Lengths, counts, identifiers: all are 16 bits on an even place.
            place = random.randrange(4, len(chunk) - 1) & ~1
            chunk[place : place + 2] = random.choice(_NUMBERS).to_bytes(2, "big")
        elif kind == 4:
            chunk[place] ^= 1 << random.randrange(8)
        elif kind == 5:
            # Shorter, and told truly.
            chunk = bytearray(tlv.encode_chunk(chunk[0], chunk[1], bytes(chunk[4 : max(place, 4)])))
        elif kind == 6:
            inserted = random.randbytes(4 * random.randint(1, 4))
            chunk = bytearray(tlv.encode_chunk(chunk[0], chunk[1], bytes(chunk[4:]) + inserted))
        elif kind == 7:
            return [*chunks[: index + 1], bytes(chunk), *chunks[index + 1 :]]
        else:
            del chunk[max(place, 1) :]
        return [*chunks[:index], bytes(chunk), *chunks[index + 1 :]]
