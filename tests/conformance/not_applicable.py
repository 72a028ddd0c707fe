"""Purposes of ETSI TS 102 369 that this stack cannot be put to, each with the reason. At present there is none."""

from __future__ import annotations

NOT_APPLICABLE: dict[str, str] = {}
