"""Between the photo's size and the size at which the network sees it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthnet.io.images import RGB

#: The network sees no side shorter than this, so that its deepest level has pixels to work with.
MIN_SIDE = 32


def network_size(height: int, width: int, input_size: tuple[int, int]) -> tuple[int, int]:
    """Size (H, W) at which the network sees a photo: its aspect, about as many pixels as in training.

    Sides are multiples of 16 where that changes the aspect by less than 3 %, else of 8, 4, 2 or 1. No side is
    shorter than :data:`MIN_SIDE`: a strip that would be is squeezed along its length instead (from an aspect
    of 75 : 1 for a network trained at 240 x 320).

    Args:
        height: height of the photo in pixels.
        width: width of the photo in pixels.
        input_size: (H, W) of the training images.
    """
    pixels = input_size[0] * input_size[1]
    aspect = width / height
    tall, wide = math.sqrt(pixels / aspect), math.sqrt(pixels * aspect)
    if min(tall, wide) <= MIN_SIDE:
        long_side = max(MIN_SIDE, 16 * round(pixels / MIN_SIDE / 16))
        return (MIN_SIDE, long_side) if wide > tall else (long_side, MIN_SIDE)
    for step in (16, 8, 4, 2):
        size = (max(MIN_SIDE, step * round(tall / step)), max(MIN_SIDE, step * round(wide / step)))
        if abs(math.log(size[1] / size[0] / aspect)) < math.log(1.03):
            return size
    return round(tall), round(wide)


def network_input(image: RGB, size: tuple[int, int]) -> NDArray[np.float32]:
    """The photo (H, W, 3) uint8 resized to ``size``, as float32 (1, 3, *size) in [0, 1].

    A whole-number reduction averages its pixels (as the training images were made); any other resize is
    bilinear with the support widened to the reduction.
    """
    height, width = size
    picture = Image.fromarray(image)
    factor = picture.height // height
    if factor >= 1 and (picture.height, picture.width) == (factor * height, factor * width):
        picture = picture.reduce(factor) if factor > 1 else picture
    else:
        picture = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    planes = np.asarray(picture).transpose(2, 0, 1)[None]
    scaled: NDArray[np.float32] = np.multiply(planes, np.float32(1 / 255), dtype=np.float32, order="C")
    return scaled


def resize_depth(depth: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Resize depth (h, w) to ``size`` bilinearly, pixel centres kept."""
    if depth.shape == size:
        return depth
    picture = Image.fromarray(np.ascontiguousarray(depth, np.float32))
    return np.array(picture.resize((size[1], size[0]), Image.Resampling.BILINEAR))
