"""Socket options (RFC 6458 section 8): one table of how to get and to set each, in bytes as a C program has them.

``host``: SOL_SOCKET. ``association``, ``paths``, ``messages``: IPPROTO_SCTP, by what they are about. ``extensions``:
what answers as Linux does with an extension off. ``functions``: options behind RFC 6458's functions.
"""

from __future__ import annotations

from typing import Final

from pysctpstack.sockets.options import association, extensions, functions, host, messages, paths
from pysctpstack.sockets.options.association import apply_initmsg
from pysctpstack.sockets.options.functions import CALLS
from pysctpstack.sockets.options.scope import Table

__all__ = ["CALLS", "OPTIONS", "apply_initmsg"]

#: (level, option): (get, set); None where that direction is refused with ENOPROTOOPT.
OPTIONS: Final[Table] = {
    **host.OPTIONS,
    **association.OPTIONS,
    **paths.OPTIONS,
    **messages.OPTIONS,
    **extensions.OPTIONS,
    **functions.OPTIONS,
}
