"""Changes to bytes that know nothing of their structure."""

from __future__ import annotations

from random import Random

#: Numbers around which lengths, counts and offsets go wrong.
INTERESTING = (0, 1, 2, 3, 4, 5, 7, 8, 12, 15, 16, 20, 127, 128, 255, 256, 1_472, 32_767, 32_768, 65_531, 65_535)


def mutated(data: bytes, other: bytes, max_size: int, random: Random) -> bytes:
    """``data`` with 1 to 4 changes; ``other`` is an input that pieces may be taken from."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3, 4))):
        size = len(changed)
        place = random.randrange(size + 1)
        kind = random.randrange(9)
        if kind == 0 and size:
            changed[place % size] ^= 1 << random.randrange(8)
        elif kind == 1 and size:
            changed[place % size] = random.choice(INTERESTING) & 0xFF
        elif kind == 2 and size > 1:
            place %= size - 1
            changed[place : place + 2] = random.choice(INTERESTING).to_bytes(2, "big")
        elif kind == 3 and size > 1:
            place %= size - 1
            number = int.from_bytes(changed[place : place + 2], "big") + random.randint(-4, 4)
            changed[place : place + 2] = (number & 0xFFFF).to_bytes(2, "big")
        elif kind == 4 and size > 3:
            place %= size - 3
            changed[place : place + 4] = random.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)).to_bytes(4, "big")
        elif kind == 5:
            del changed[place : place + random.choice((1, 2, 4, 4, 8, 16, size))]
        elif kind == 6:
            changed[place:place] = random.randbytes(random.choice((1, 2, 4, 4, 8, 16)))
        elif kind == 7 and size:
            start = random.randrange(size)
            changed[place:place] = changed[start : start + 4 * random.randint(1, 8)]
        elif kind == 8 and other:
            start = random.randrange(len(other))
            changed[place:place] = other[start : start + 4 * random.randint(1, 16)]
    return bytes(changed[:max_size])
