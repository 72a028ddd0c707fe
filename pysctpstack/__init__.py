"""SCTP in pure Python: the sockets API of RFC 6458 over UDP (RFC 6951).

``from pysctpstack import socket`` is a one-line port of a program written for kernel SCTP. `Stack` makes further
SCTP hosts in the same
process, each with a `Config` and UDP ports of its own.
"""

from pysctpstack.config import Config
from pysctpstack.errors import PacketError
from pysctpstack.sockets import SctpSocket, Stack

__all__ = ["Config", "PacketError", "SctpSocket", "Stack"]
__version__ = "0.1.0"
