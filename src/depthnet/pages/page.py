"""What a page shows, before it becomes a picture or HTML."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from PIL import Image


class Drawn(Protocol):
    """A panel that is more than a picture on an HTML page: a chart, a table, a view that turns."""

    def picture(self) -> Image.Image:
        """The panel for a page that is a picture."""

    def html(self, alt: str) -> str:
        """The panel for an HTML page; ``alt`` says what it shows, plain text."""


Panel: TypeAlias = Image.Image | Drawn


def panel_picture(panel: Panel) -> Image.Image:
    """The picture of any panel."""
    return panel if isinstance(panel, Image.Image) else panel.picture()


@dataclass(frozen=True)
class Row:
    """One sample: panels side by side and what is printed under them."""

    title: str
    """Name of the sample; empty where the page is about one thing."""
    facts: tuple[str, ...]
    """What is known about it, each a few words."""
    panels: tuple[Panel, ...]
    """Pictures, in the order of the page's headings; empty where the sample cannot be read."""
    error: str | None = None
    """Why it cannot be read."""


@dataclass(frozen=True)
class Page:
    """A title, and samples below each other."""

    title: str
    subtitle: str
    headings: tuple[str, ...]
    """What each panel of a row is; none where the panels say it themselves and each row has its own."""
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = field(default=())
    """How to read the panels."""
    style: str = ""
    """CSS that its panels need on an HTML page."""
    script: str = ""
    """JavaScript that its panels need on an HTML page."""

    @property
    def errors(self) -> list[str]:
        """Why samples could not be read, in order."""
        return [row.error for row in self.rows if row.error is not None]
