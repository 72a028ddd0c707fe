"""Runs unmodified programs: the standard `socket` gives SCTP sockets of this stack, and ``import sctp`` is `pysctp`.

``python -m pysctpstack run program.py`` is the command. `install` does the same for the process that calls it, for
programs that are started in some other way; `program` runs programs as ``python`` does.
"""

from pysctpstack.run.modules import install

__all__ = ["install"]
