"""`python -m interop.peers.play STACK PART name=value...`: play one part of a cell; events are JSON lines."""

from __future__ import annotations

import os
import signal
import sys
import traceback

from interop.peers.ends import Settings, open_end
from interop.peers.plays import PARTS, Talk, Unexpected, emit

STAY = 15.0  # seconds; longer, whoever should say SIGTERM is not there any more


def main(arguments: list[str]) -> int:
    """Play; return the exit code."""
    stack, part, *rest = arguments
    settings = Settings.parse(rest)
    if settings.stays:
        # Before there are other threads, which inherit it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        talk = Talk(open_end(stack, settings))
        talk.establish()
        PARTS[part](talk)
    except (OSError, Unexpected) as error:
        where = traceback.extract_tb(error.__traceback__)
        lines = ", ".join(f"{frame.name}:{frame.lineno}" for frame in where[2:])
        emit("error", text=f"{type(error).__name__}: {error} ({lines})")
        return 1
    emit("done", sent=talk.sent, received=talk.received)
    if settings.stays:
        # When its SHUTDOWN COMPLETE was lost, only this end can repeat it.
        signal.sigtimedwait({signal.SIGTERM}, STAY)
    talk.end.close()
    return 0


if __name__ == "__main__":
    exit_code = main(sys.argv[1:])
    sys.stdout.flush()
    # A sender thread may be left that waits in a C library for ever.
    os._exit(exit_code)
