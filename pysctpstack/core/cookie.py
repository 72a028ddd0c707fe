"""The State Cookie (RFC 9260 sections 5.1.3 and 5.1.5): everything an association needs, signed, kept by the peer.

A cookie is bound to the addresses and ports, SCTP's and UDP's, that the INIT came from, and to a key that only this
stack has.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from math import inf
from struct import Struct, error
from typing import Final

from pysctpstack.core.entropy import Entropy
from pysctpstack.core.route import Route

_FIXED: Final = Struct("!ddIIIIIIIHHHHBIHHH")
_MAC_SIZE: Final = 16
FORWARD_TSN: Final = 0x01
"""A flag of a cookie: both ends support FORWARD TSN (RFC 3758 section 3.3)."""
_KEY_SIZE: Final = 32


@dataclass(slots=True)
class Cookie:
    """The contents. Tags and TSNs are 32 bits; times are seconds of the stack's clock."""

    route: Route
    """Where the INIT ACK went to."""
    addresses: list[str]
    """Further addresses that the peer listed."""
    created_at: float
    lifespan: float
    local_tag: int
    peer_tag: int
    local_tie_tag: int
    peer_tie_tag: int
    local_initial_tsn: int
    peer_initial_tsn: int
    peer_a_rwnd: int
    local_port: int
    peer_port: int
    outbound_streams: int
    inbound_streams: int
    flags: int = 0
    """Extensions in use, 8 bits."""
    adaptation: int = 0
    """The peer's Adaptation Code Point (RFC 5061 section 4.2.6); 0: none."""

    def is_stale(self, now: float) -> bool:
        return now - self.created_at > self.lifespan

    def pack(self) -> bytes:
        texts = "\0".join((self.route.peer, self.route.local, *self.addresses)).encode()
        return (
            _FIXED.pack(
                self.created_at,
                self.lifespan,
                self.local_tag,
                self.peer_tag,
                self.local_tie_tag,
                self.peer_tie_tag,
                self.local_initial_tsn,
                self.peer_initial_tsn,
                self.peer_a_rwnd,
                self.local_port,
                self.peer_port,
                self.outbound_streams,
                self.inbound_streams,
                self.flags,
                self.adaptation,
                self.route.port,
                self.route.local_port,
                len(texts),
            )
            + texts
        )

    @classmethod
    def unpack(cls, packed: bytes) -> Cookie:
        """Of bytes that this stack has signed. ValueError: they are no cookie."""
        try:
            fields = _FIXED.unpack_from(packed)
        except error as wrong:
            raise ValueError(str(wrong)) from None
        *_, port, local_port, length = fields
        if len(packed) != _FIXED.size + length:
            raise ValueError(f"{len(packed)} bytes, {_FIXED.size + length} are announced")
        peer, local, *addresses = packed[_FIXED.size :].decode().split("\0")
        # The fields after these two are in the order in which they are packed.
        return cls(Route(peer, port, local, local_port), addresses, *fields[:-3])


class CookieJar:
    """Signs and verifies cookies; the key is replaced now and then, the one before serves until its cookies are
    stale."""

    __slots__ = ("entropy", "key", "previous_key", "key_life", "replace_at", "forget_at", "max_cookie_life")

    def __init__(self, entropy: Entropy, key_life: float, max_cookie_life: float) -> None:
        self.entropy = entropy
        self.key = entropy.token(_KEY_SIZE)
        self.previous_key = b""
        self.key_life = key_life
        self.max_cookie_life = max_cookie_life
        self.replace_at = -inf
        self.forget_at = -inf

    def sign(self, cookie: Cookie) -> bytes:
        """The State Cookie parameter's value."""
        self._rotate(cookie.created_at)
        packed = cookie.pack()
        return _mac(self.key, packed) + packed

    def verify(self, signed: bytes, now: float) -> Cookie | None:
        """The contents of a cookie that this stack signed with a key it still has; None of any other bytes."""
        self._rotate(now)
        mac, packed = signed[:_MAC_SIZE], signed[_MAC_SIZE:]
        for key in (self.key, self.previous_key):
            # RFC 9260 section 5.1.5, 2: in constant time, so that a MAC can't be guessed byte by byte.
            if key and hmac.compare_digest(_mac(key, packed), mac):
                return Cookie.unpack(packed)
        return None

    def _rotate(self, now: float) -> None:
        if self.replace_at == -inf:
            self.replace_at = now + self.key_life
        elif now >= self.replace_at:
            # RFC 9260 section 5.1.3: the key SHOULD be changed reasonably frequently.
            self.previous_key = self.key if now - self.replace_at < self.max_cookie_life else b""
            self.key = self.entropy.token(_KEY_SIZE)
            self.replace_at = now + self.key_life
            self.forget_at = now + self.max_cookie_life
        if self.previous_key and now >= self.forget_at:
            self.previous_key = b""


def _mac(key: bytes, packed: bytes) -> bytes:
    return hmac.digest(key, packed, "sha256")[:_MAC_SIZE]
