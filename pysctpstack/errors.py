"""The exceptions that every layer may raise."""

from __future__ import annotations


class PacketError(ValueError):
    """Bytes that are not what they claim to be.

    Decoding raises this and nothing else, whatever the bytes. ``reason`` is a short snake_case name under which the
    discard is counted (``truncated_packet``, ``bad_parameter_length`` ...).
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
