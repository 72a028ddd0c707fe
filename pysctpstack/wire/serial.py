"""Serial numbers without their wrap: a TSN becomes an unbounded int at the wire's edge.

RFC 9260 section 1.6 compares them modulo 2**32. Unwrapped once on arrival,
they are ordered by ``<``, are keys of dictionaries and can be bisected.
"""

from __future__ import annotations


def unwrap32(value: int, reference: int) -> int:
    """The int nearest to ``reference`` whose low 32 bits are ``value``.

    Exactly 2**31 away in both directions, the lower one is taken (RFC 1982 leaves that case undefined).
    The result is negative when a small reference is approached from below its wrap.
    """
    return reference - 0x80000000 + ((value - reference + 0x80000000) & 0xFFFFFFFF)
