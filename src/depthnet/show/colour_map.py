"""The page of a colour map that ``predict`` wrote: the picture, and the metres of its colours."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from depthnet.io.images import open_image
from depthnet.pages.page import Page, Row
from depthnet.show.depth_map import LARGEST


def is_colour_map(path: Path) -> bool:
    """Whether a path is a picture that says the metres of its colours, as depthnet's own do."""
    if not path.is_file() or path.suffix.lower() != ".png":
        return False
    try:
        with Image.open(path) as picture:
            return "min_depth" in picture.info
    except OSError:  # no picture: whoever reads it says so
        return False


def build_colour_page(path: Path) -> Page:
    """Show a colour map.

    Raises:
        InputError: if it is damaged.
    """
    with open_image(path) as picture:
        low, high = (str(picture.info.get(name, "?")) for name in ("min_depth", "max_depth"))
        panel = picture.convert("RGB")
    size = f"{panel.width} x {panel.height} with its scale"
    panel.thumbnail((LARGEST, LARGEST))
    note = "Colours cannot be read back as metres: pass the NPY or the 16-bit PNG for those."
    return Page(path.name, "colour map", ("depth",), (Row("", (size, f"red {low}, blue {high}"), (panel,)),), (note,))
