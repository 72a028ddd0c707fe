"""Blocking sockets with the semantics of Python's `socket` module and the names of RFC 6458."""

from pysctpstack.sockets.hosts import Stack, default_stack
from pysctpstack.sockets.vectors import SctpSocket

__all__ = ["SctpSocket", "Stack", "default_stack"]
