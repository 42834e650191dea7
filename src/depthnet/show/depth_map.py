"""The page of one depth map: its colours with a scale in metres, and what it holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from depthnet.io.depth import colour_range, colourise_depth, draw_scale_bar, read_depth
from depthnet.pages.page import Page, Row
from depthnet.show.dataset import describe_depth

SUFFIXES = (".png", ".npy", ".npz", ".pgm", ".tif", ".tiff")
LARGEST = 1600
"""Pixels of the longer side of the picture."""


def is_depth_map(path: Path) -> bool:
    """Whether a path is a file of a kind that holds one depth map."""
    return path.is_file() and path.suffix.lower() in SUFFIXES


def build_depth_page(path: Path) -> Page:
    """Show a 16-bit PNG in millimetres or an NPY in metres.

    Raises:
        InputError: if the file holds no depth map.
    """
    depth = read_depth(path)
    known = np.isfinite(depth) & (depth > 0)
    low, high = colour_range(depth, known, None, None)
    step = -(-max(depth.shape) // LARGEST)
    colours = Image.fromarray(colourise_depth(depth[::step, ::step], low, high))
    bar = draw_scale_bar(low, high, max(colours.height, 160))
    panel = Image.new("RGB", (colours.width + bar.width, bar.height), "white")
    panel.paste(colours, (0, 0))
    panel.paste(bar, (colours.width, 0))
    facts = (f"{depth.shape[1]} x {depth.shape[0]}", *describe_depth(np.where(known, depth, np.float32(0.0))))
    return Page(path.name, "depth map", ("depth",), (Row("", facts, (panel,)),), ("Black where unknown.",))
