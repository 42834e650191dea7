"""Small pictures of one sample: image, depth in colours, depth edges on the image, known pixels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthnet.io.depth import colourise_depth, draw_scale_bar
from depthnet.io.images import RGB

Depth = NDArray[np.float32]

AREA = 300 * 225
"""Pixels of a panel, whatever its shape."""
#: A depth step shows where 1/z, which is linear on every plane, bends by more than this share of itself.
EDGE = 0.06
EDGE_COLOUR = (255, 214, 0)
_KNOWN, _UNKNOWN = (226, 232, 240), (51, 65, 85)


def panel_size(height: int, width: int) -> tuple[int, int]:
    """(H, W) of the panels for images of this size: the same area for all shapes, and whole factors when enlarged."""
    scale = math.sqrt(AREA / (height * width))
    if scale > 1:
        scale = max(1, math.floor(scale))
    return max(1, round(height * scale)), max(1, round(width * scale))


def image_panel(image: RGB, size: tuple[int, int]) -> Image.Image:
    """The image, (H, W, 3), at a panel's size."""
    enlarged = size[0] > image.shape[0]
    return Image.fromarray(image).resize(size[::-1], Image.Resampling.NEAREST if enlarged else Image.Resampling.LANCZOS)


def depth_panel(depth: Depth, size: tuple[int, int], low: float, high: float) -> Image.Image:
    """Depth in colours from ``low`` to ``high`` metres with its scale on the right."""
    colours = Image.fromarray(colourise_depth(resize_for_show(depth, size), low, high))
    bar = draw_scale_bar(low, high, max(size[0], 160))
    panel = Image.new("RGB", (size[1] + bar.width, max(size[0], bar.height)), "white")
    panel.paste(colours, (0, 0))
    panel.paste(bar, (size[1], 0))
    return panel


def alignment_panel(image: RGB, depth: Depth, size: tuple[int, int], low: float, high: float) -> Image.Image:
    """Depth on the image, so that a shift between the two is seen.

    Dense depth: its steps as lines on the dimmed grey image. Sparse depth (a laser scan): some of its points, coloured.
    """
    grey = np.asarray(image_panel(image, size).convert("L"), np.float32) * np.float32(0.7)
    picture = np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    small = resize_for_show(depth, size)
    if is_sparse(depth):
        y, x = np.ogrid[: size[0], : size[1]]
        dots = (small > 0) & (y % 4 < 2) & (x % 4 < 2)  # the image stays visible between them
        picture[dots] = colourise_depth(small, low, high)[dots]
    else:
        picture[find_steps(small)] = EDGE_COLOUR
    return Image.fromarray(picture)


def known_panel(depth: Depth, size: tuple[int, int]) -> Image.Image:
    """Known pixels bright, unknown ones dark."""
    small = resize_for_show(depth, size)
    return Image.fromarray(np.where((small > 0)[..., None], _KNOWN, _UNKNOWN).astype(np.uint8))


def is_sparse(depth: Depth) -> bool:
    """Whether known pixels stand apart, as those of a projected laser scan do."""
    known = depth > 0
    pairs = np.count_nonzero(known[:, 1:] & known[:, :-1])
    return bool(pairs < 0.6 * np.count_nonzero(known))


def resize_for_show(depth: Depth, size: tuple[int, int]) -> Depth:
    """Depth at a panel's size, (H, W), 0 where unknown; see :func:`shown_pixels`."""
    return take_pixels(depth, shown_pixels(depth, size))


def take_pixels(values: NDArray[np.float32], pixels: NDArray[np.intp]) -> NDArray[np.float32]:
    """Values of a map at the places that :func:`shown_pixels` gave for its depth; 0 where it gave none."""
    taken: NDArray[np.float32] = np.where(pixels >= 0, values.ravel()[pixels], np.float32(0.0))
    return taken


def shown_pixels(depth: Depth, size: tuple[int, int]) -> NDArray[np.intp]:
    """The place in the flattened map that each pixel of a panel shows, (H, W): depth is never mixed from two surfaces.

    Dense depth: the pixel in the middle. Sparse depth: the nearest point of each cell, spread to its neighbours, so
    that single points stay visible; -1 where there is none.
    """
    (height, width), (rows, columns) = depth.shape, size
    if not is_sparse(depth) or not (depth > 0).any():
        y = ((np.arange(rows) + 0.5) * height / rows).astype(int)
        x = ((np.arange(columns) + 0.5) * width / columns).astype(int)
        middles: NDArray[np.intp] = y[:, None] * width + x
        return middles
    points = np.flatnonzero(depth > 0)
    points = points[np.argsort(-depth.ravel()[points], kind="stable")]  # of those in one cell the last, nearest, stays
    y, x = np.divmod(points, width)
    cells = np.full((rows + 2, columns + 2), -1)
    cells[y * rows // height + 1, x * columns // width + 1] = points
    around = np.stack([cells[j : j + rows, i : i + columns] for j in range(3) for i in range(3)])
    nearest = np.where(around >= 0, depth.ravel()[around], np.inf).argmin(axis=0)
    chosen: NDArray[np.intp] = np.take_along_axis(around, nearest[None], axis=0)[0]
    return chosen


def find_steps(depth: Depth) -> NDArray[np.bool_]:
    """Pixels at steps between surfaces, (H, W).

    On any plane 1/z is linear in the pixel, so its second difference is 0 there, however slanted the plane; at a step
    it is not. Pixels beside unknown ones are left out.
    """
    known = depth > 0
    inverse = np.divide(1.0, depth, out=np.zeros_like(depth), where=known)
    steps = np.zeros(depth.shape, bool)
    for axis in (0, 1):
        moved = np.moveaxis(inverse, axis, 0)
        bend = np.abs(moved[2:] - 2 * moved[1:-1] + moved[:-2])
        all_known = np.moveaxis(known, axis, 0)
        whole = all_known[2:] & all_known[1:-1] & all_known[:-2]
        np.moveaxis(steps, axis, 0)[1:-1] |= whole & (bend > EDGE * moved[1:-1])
    return steps
