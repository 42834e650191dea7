"""Depth from a single photograph, in metres."""

__version__ = "0.1.0"
