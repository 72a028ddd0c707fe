"""The programs at the two ends of an interop cell: `peer.py`, `usrsctp_peer.c`, the slides' C programs."""
