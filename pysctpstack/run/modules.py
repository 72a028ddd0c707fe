"""What a program finds under the names ``socket``, ``sctp`` and ``_sctp``."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import socket
import sys
import types
from collections.abc import Sequence

from pysctpstack.run import standard

_PYSCTP = {"sctp": "pysctpstack.pysctp", "_sctp": "pysctpstack.pysctp.bottom"}


def install() -> None:
    """From here on, in this process, the standard `socket` makes SCTP sockets of the default stack, and ``import
    sctp`` gives `pysctpstack.pysctp`.

    Sockets of other protocols stay the standard library's. To be called before SCTP sockets are made; a second call
    changes nothing.
    """
    standard.install()
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds ``sctp`` and ``_sctp`` here, whether or not pysctp is installed."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in _PYSCTP or path is not None or _is_programs_own(fullname):
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        pysctp = importlib.import_module("pysctpstack.pysctp")
        # There ``sctp.socket`` is the standard module, and what `sock()` returns is a socket of it.
        pysctp.use(socket)
        original = importlib.import_module(_PYSCTP[spec.name])
        module = types.ModuleType(spec.name, original.__doc__)
        module.__dict__.update({k: v for k, v in original.__dict__.items() if not k.startswith("__") or k == "__all__"})
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """It is complete when it is made."""


def _is_programs_own(name: str) -> bool:
    """Whether a module of this name is there that is not pysctp's, which has both in one folder."""
    find = importlib.machinery.PathFinder.find_spec
    found = find(name)
    if found is None:
        return False
    folder = os.path.dirname(found.origin or "")
    return any(find(other, [folder]) is None for other in _PYSCTP if other != name)
