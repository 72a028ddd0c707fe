"""What can go wrong with one contender without ending the run."""

from __future__ import annotations


class Unavailable(Exception):
    """Something that a contender needs is not there; the message says what, and how to get it."""


class RunFailed(Exception):
    """A run did not bring a result that can be believed."""
