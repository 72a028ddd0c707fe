"""Checks captured exchanges against RFC 9260: ``pysctp check`` as a library.

``check(pysctpstack.decode.packets(path))`` gives the findings; `RULES` lists what is checked, and where it stands.
"""

from pysctpstack.check.checker import Checker, check, report
from pysctpstack.check.findings import RULES, Finding, Limits, Report, Seen

__all__ = ["check", "report", "Checker", "Finding", "Limits", "Report", "RULES", "Seen"]
