"""Random bytes that are the same in every run: the `Entropy` of an endpoint under test."""

from __future__ import annotations

import hashlib


class SeededEntropy:
    """A source of reproducible "random" bytes. For tests only: tags and cookie keys that come from here can be
    guessed.

    Its whole state is two ints, so that a copy made by `copy.deepcopy` goes on as the original does.
    """

    __slots__ = ("seed", "drawn")

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.drawn = 0
        """Tokens that have been taken."""

    def token(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        self.drawn += 1
        return hashlib.shake_128(f"{self.seed}/{self.drawn}".encode()).digest(size)
