"""Bytes to values and back: packets, chunks, parameters and error causes of SCTP.

No state, no time, no input or output. Decoding untrusted bytes raises `pysctpstack.errors.PacketError` and
nothing else, and every walk over them makes progress. ``data`` and ``sack`` are functions over ints for the
data path; the rest is one dataclass per chunk, parameter and cause. What is judged here is length and
structure: whether a value makes sense (a tag of 0, no streams) is for the core to say.
"""
