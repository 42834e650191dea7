"""Small pictures of one scored image: photo, true depth, predicted depth, error; and the scales of their colours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthnet.errors import DepthNetError
from depthnet.io.depth import colour_range, colourise_depth
from depthnet.io.images import RGB
from depthnet.pages.panels import image_panel, panel_size, resize_for_show, shown_pixels, take_pixels
from depthnet.pages.web import inline_picture

ERROR_LIMIT = 0.5
"""Relative error of the strongest colour: the same on every picture of every report, so that they can be compared."""
_NEAR, _RIGHT, _FAR, _UNCOUNTED = (33, 102, 172), (247, 247, 247), (178, 24, 43), (128, 128, 128)

Depth = NDArray[np.float32]


@dataclass(frozen=True)
class Pictures:
    """What is shown of an image, at a panel's size."""

    photo: str | None
    """Address of the picture (it is part of the page), as those below; None when it cannot be read."""
    truth: str
    prediction: str
    error: str
    low: float
    """Metres of the nearest colour of truth and prediction."""
    high: float
    """Metres of the farthest colour."""
    size: tuple[int, int]
    """(H, W) of each, pixels."""


def build_pictures(
    read_image: Callable[[], RGB], prediction: Depth, depth: Depth, counts: NDArray[np.bool_]
) -> Pictures:
    """Draw an image, its truth and prediction in one range of colours, and the error of the pixels that count.

    Args:
        read_image: decodes the photo, (H, W, 3); when it cannot, the other pictures are drawn all the same.
        prediction: metres, (H, W), as it was scored.
        depth: true depth in metres, (H, W); 0 where unknown.
        counts: pixels that were scored, (H, W); at least one.
    """
    size = panel_size(*depth.shape)
    low, high = colour_range(depth, counts, None, None)
    error = np.divide(prediction - depth, depth, out=np.full(depth.shape, np.nan, np.float32), where=counts)
    pixels = shown_pixels(depth, size)
    errors = np.where(pixels >= 0, take_pixels(error, pixels), np.float32(np.nan))
    return Pictures(
        photo=_photo(read_image, size),
        truth=_inline(colourise_depth(take_pixels(depth, pixels), low, high)),
        prediction=_inline(colourise_depth(resize_for_show(prediction, size), low, high)),
        error=_inline(colourise_error(errors)),
        low=low,
        high=high,
        size=size,
    )


def colourise_error(error: Depth) -> RGB:
    """Relative error as colours: blue is too near, white right, red too far; grey where NaN.

    Args:
        error: (prediction - truth) / truth, (H, W).

    Returns:
        8-bit RGB, (H, W, 3); errors beyond ERROR_LIMIT have the colour of their end.
    """
    ends = (-ERROR_LIMIT, 0.0, ERROR_LIMIT)
    channels = [np.interp(error, ends, shades) for shades in zip(_NEAR, _RIGHT, _FAR)]
    colours = np.stack(channels, axis=-1)
    colours[np.isnan(error)] = _UNCOUNTED
    return np.rint(colours).astype(np.uint8)


def depth_colours(count: int) -> RGB:
    """Colours of the depth pictures from the nearest to the farthest, (count, 3)."""
    colours: RGB = colourise_depth(np.linspace(1.0, 2.0, count, dtype=np.float32)[None], 1.0, 2.0)[0]
    return colours


def error_colours(count: int) -> RGB:
    """Colours of the error pictures from -ERROR_LIMIT to +ERROR_LIMIT, (count, 3)."""
    colours: RGB = colourise_error(np.linspace(-ERROR_LIMIT, ERROR_LIMIT, count, dtype=np.float32)[None])[0]
    return colours


def _photo(read_image: Callable[[], RGB], size: tuple[int, int]) -> str | None:
    try:
        return _inline(np.asarray(image_panel(read_image(), size)))
    except DepthNetError:
        return None


def _inline(picture: RGB) -> str:
    return inline_picture(Image.fromarray(picture), "JPEG", quality=85, optimize=True)
