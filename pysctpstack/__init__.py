"""SCTP in pure Python: the sockets API of RFC 6458 over UDP (RFC 6951).

``from pysctpstack import socket`` is a one-line port of a program written for kernel SCTP.
"""

__version__ = "0.1.0"
