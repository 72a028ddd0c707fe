"""The scenarios, by area. Each is a function of the `socket` module and a `Kit`, and returns what is compared."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

from interop.differential.kit import Kit

AREAS = (
    "errors",
    "options",
    "struct_options",
    "association_options",
    "ancillary",
    "notifications",
    "closing",
    "non_blocking",
    "partial_reads",
    "one_to_many",
    "peeloff",
    "several_addresses",
)

Function = Callable[[ModuleType, Kit], Any]


class Scenario(NamedTuple):
    """One scenario; `name` is `area/function`."""

    name: str
    function: Function

    @property
    def purpose(self) -> str:
        """The first line of its docstring."""
        return (self.function.__doc__ or "").strip().partition("\n")[0]


def all_scenarios() -> list[Scenario]:
    """Every public function that the modules of the areas define, in their order."""
    found = []
    for area in AREAS:
        module = importlib.import_module(f"{__name__}.{area}")
        for name, function in vars(module).items():
            if callable(function) and not name.startswith("_") and function.__module__ == module.__name__:
                found.append(Scenario(f"{area}/{name}", function))
    return found
