"""Where tags, TSNs, nonces and keys come from: an argument of the core, so that tests can repeat a run."""

from __future__ import annotations

from typing import Protocol


class Entropy(Protocol):
    """A source of random bytes: cryptographically strong in a real stack (RFC 9260 section 5.3.1, RFC 4086)."""

    def token(self, size: int) -> bytes:
        """``size`` random bytes."""
