"""Decodes captures of SCTP, in UDP (RFC 6951) or straight on IP: ``pysctp decode`` as a library.

`read` gives the packets of a capture, `document` one packet as plain values for JSON, `line` the same as text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from pysctpstack.decode.document import document, line
from pysctpstack.decode.files import CaptureError, Frame, frames
from pysctpstack.decode.network import UDP_PORT, Network, Remark, SctpPacket, train

__all__ = [
    "read",
    "packets",
    "document",
    "line",
    "SctpPacket",
    "Remark",
    "Frame",
    "frames",
    "Network",
    "train",
    "CaptureError",
    "UDP_PORT",
]


def read(capture: str | Path | BinaryIO, udp_ports: Collection[int] = (UDP_PORT,)) -> Iterator[SctpPacket | Remark]:
    """The SCTP packets of a capture file, pcap or pcapng, and remarks about what could not be had, in order.

    ``udp_ports``: UDP ports whose datagrams are SCTP. Raises OSError, of which CaptureError is one.
    """
    if isinstance(capture, str | Path):
        with open(capture, "rb") as file:
            yield from Network(udp_ports).packets(frames(file))
    else:
        yield from Network(udp_ports).packets(frames(capture))


def packets(capture: str | Path | BinaryIO, udp_ports: Collection[int] = (UDP_PORT,)) -> list[SctpPacket]:
    """The SCTP packets of `read` without its remarks."""
    return [item for item in read(capture, udp_ports) if isinstance(item, SctpPacket)]
