"""Sphinx configuration: warnings are errors (`sphinx-build -W -n`)."""

from pysctpstack import __version__

project = "pysctpstack"
copyright = "2026, the pysctpstack authors"  # noqa: A001 -- Sphinx's name
version = release = __version__
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["examples"]
html_theme = "alabaster"
