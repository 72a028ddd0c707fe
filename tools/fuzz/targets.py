"""All targets, by name."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

# The states of an association, and a peer to bring it there, are the tests'.
_TESTS = str(Path(__file__).parents[2] / "tests")
if _TESTS not in sys.path:
    sys.path.insert(0, _TESTS)

from tools.fuzz import association_targets, option_targets, wire_targets  # noqa: E402 -- they need the path
from tools.fuzz.target import Target  # noqa: E402


@cache
def all_targets() -> dict[str, Target]:
    found = [*wire_targets.targets(), *association_targets.targets(), *option_targets.targets()]
    return {target.name: target for target in found}


def find(name: str) -> Target:
    """KeyError: no such target."""
    return all_targets()[name]


def matching(name: str) -> list[Target]:
    """``all``, a target, or a family such as ``association``: those that it names. KeyError: none is."""
    found = [t for t in all_targets().values() if name in ("all", t.name) or t.name.startswith(f"{name}/")]
    if not found:
        raise KeyError(name)
    return found
