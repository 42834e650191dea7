"""What a page shows, before it becomes a picture or HTML."""

from __future__ import annotations

from dataclasses import dataclass, field

from PIL import Image


@dataclass(frozen=True)
class Row:
    """One sample: panels side by side and what is printed under them."""

    title: str
    """Name of the sample; empty where the page is about one thing."""
    facts: tuple[str, ...]
    """What is known about it, each a few words."""
    panels: tuple[Image.Image, ...]
    """Pictures, in the order of the page's headings; empty where the sample cannot be read."""
    error: str | None = None
    """Why it cannot be read."""


@dataclass(frozen=True)
class Page:
    """A title, and samples below each other."""

    title: str
    subtitle: str
    headings: tuple[str, ...]
    """What each panel of a row is."""
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = field(default=())
    """How to read the panels."""

    @property
    def errors(self) -> list[str]:
        """Why samples could not be read, in order."""
        return [row.error for row in self.rows if row.error is not None]
