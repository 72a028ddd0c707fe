"""The exchange that every peer carries out: which messages are sent, their sizes, bytes and PPIDs.

Everything is a function of (direction, stream, index) and of a few numbers that both ends are told (`Exchange`),
so that the receiver knows what must arrive. Python peers import this module; the C peer includes the header that
`c_header()` writes, which
holds the same numbers and the same formulae.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

CLIENT_TO_SERVER = 0
SERVER_TO_CLIENT = 1

STREAMS = 3
MESSAGES = 100  # per stream and direction, unless the cell has another number

# One byte up to more than one UDP datagram can carry: around every border where padding, fragmentation or
# length arithmetic could go wrong. 1,444 and 1,452 are the most user data in one DATA chunk at an MTU of
# 1,500 over IPv4, with and without UDP.
_SMALL = (*range(1, 10), 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 255, 256, 257, 511, 512, 513)
_AROUND_1K = (1_000, 1_023, 1_024, 1_025, 1_200, 1_300, 1_399, 1_400, 1_401)
_AROUND_MTU = (1_428, 1_436, 1_440, 1_443, 1_444, 1_445, 1_448, 1_451, 1_452, 1_453)
SIZES: tuple[int, ...] = (*_SMALL, *_AROUND_1K, *_AROUND_MTU, 2_888, 9_000, 65_536)

# PPIDs as on the wire. Those of the exchange's messages have the direction in the first byte, never 0xFF.
READY_PPID = 0xFF00_0001  # "I have received everything"; scenarios that end with ABORT wait for it
READY_BODY = b"ready"
ABORT_REASON = b"interop abort"

# Milliseconds, of both ends where the exchange has short timers.
RTO_INITIAL, RTO_MIN, RTO_MAX = 500, 300, 1_000
HEARTBEAT_INTERVAL = 1_000

# body[i] = seed + 13 * i + 29 * (i // 256) modulo 256: neighbouring bytes, fragments and messages all differ.
_BYTE_STEP = 13
_BLOCK_STEP = 29
_RAMPS = tuple(bytes((start + _BYTE_STEP * i) & 0xFF for i in range(256)) for start in range(256))


@dataclass(frozen=True)
class Exchange:
    """What both ends are told of an exchange."""

    scenario: str
    streams: int = STREAMS
    messages: int = MESSAGES  # per stream and direction
    largest: int = max(SIZES)  # bytes; longer messages of the plan are cut to it
    pace: int = 0  # milliseconds from one message to the next; 0: as fast as they are taken
    lifetime: int = 0  # milliseconds that the messages for which `expires` is true live; 0: nothing expires
    short_timers: bool = False  # RTO_INITIAL, RTO_MIN, RTO_MAX and HEARTBEAT_INTERVAL

    stay: bool = False  # the client is there until SIGTERM, or, if its stack is the kernel's, for good

    def arguments(self) -> list[str]:
        """Return the options of the peers' command lines."""
        numbers = ("streams", "messages", "largest", "pace", "lifetime")
        tail = [part for name in numbers for part in (f"--{name}", str(getattr(self, name)))]
        switches = [("--short-timers", self.short_timers), ("--stay", self.stay)]
        return ["--scenario", self.scenario, *tail, *(name for name, on in switches if on)]

    def size(self, direction: int, stream: int, index: int) -> int:
        """Return the length in bytes of message `index` of `stream`."""
        return min(SIZES[(index + 13 * stream + 5 * direction) % len(SIZES)], self.largest)

    def body(self, direction: int, stream: int, index: int) -> bytes:
        """Return the bytes of message `index` of `stream`."""
        length = self.size(direction, stream, index)
        seed = 131 * direction + 31 * stream + 7 * index
        blocks = [_RAMPS[(seed + _BLOCK_STEP * block) & 0xFF] for block in range((length + 255) // 256)]
        return b"".join(blocks)[:length]

    def expires(self, direction: int, index: int) -> bool:
        """Whether message `index` of each stream need not arrive: every second one of the client's, if messages
        have a life time. The last one, which tells the server that it has everything, lives for ever."""
        return bool(self.lifetime) and direction == CLIENT_TO_SERVER and index % 2 == 1 and index < self.messages - 1


def ppid(direction: int, stream: int, index: int) -> int:
    """Return the PPID of message `index` of `stream`, as the number on the wire."""
    return ((direction + 1) << 24) | (stream << 16) | index


def index_of(ppid_on_the_wire: int) -> int:
    """Return the index of the message that has this PPID."""
    return ppid_on_the_wire & 0xFFFF


def crc(data: bytes) -> int:
    """Return the checksum that the peers' logs hold of a body (CRC-32 of IEEE 802.3, as zlib has it)."""
    return zlib.crc32(data)


def c_header() -> str:
    """Return the plan as a C header."""
    sizes = ", ".join(str(value) for value in SIZES)
    return f"""/* Written by interop/plan.py for usrsctp_peer.c. */
#ifndef INTEROP_PLAN_H
#define INTEROP_PLAN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAN_READY_PPID 0x{READY_PPID:08X}u
#define PLAN_READY_BODY "{READY_BODY.decode()}"
#define PLAN_ABORT_REASON "{ABORT_REASON.decode()}"
#define PLAN_LARGEST {max(SIZES)}
#define PLAN_RTO_INITIAL {RTO_INITIAL}
#define PLAN_RTO_MIN {RTO_MIN}
#define PLAN_RTO_MAX {RTO_MAX}

static const size_t plan_sizes[] = {{ {sizes} }};

static inline size_t plan_size(unsigned direction, unsigned stream, unsigned index)
{{
    return plan_sizes[(index + 13 * stream + 5 * direction) % {len(SIZES)}];
}}

static inline uint8_t plan_byte(unsigned direction, unsigned stream, unsigned index, size_t i)
{{
    size_t ramp = {_BYTE_STEP} * i + {_BLOCK_STEP} * (i / 256);

    return (uint8_t)(131 * direction + 31 * stream + 7 * index + ramp);
}}

static inline bool plan_expires(unsigned direction, unsigned index, unsigned messages)
{{
    return direction == {CLIENT_TO_SERVER} && index % 2 == 1 && index < messages - 1;
}}

static inline uint32_t plan_ppid(unsigned direction, unsigned stream, unsigned index)
{{
    return ((uint32_t)(direction + 1) << 24) | ((uint32_t)stream << 16) | index;
}}
#endif
"""
