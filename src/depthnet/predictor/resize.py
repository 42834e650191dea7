"""Between the photo's size and the size at which the network sees it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthnet.errors import ShapeError
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


def resize_depth(depth: NDArray[np.floating[Any]], size: tuple[int, int]) -> NDArray[np.float32]:
    """Resize a depth map bilinearly: half-pixel centres, edges repeated, no smoothing where it shrinks.

    Evaluations resize predictions like this (PyTorch's ``interpolate`` with ``align_corners=False``), and a
    smoothed depth map would put points into the air between two surfaces.

    Args:
        depth: any unit, (h, w). Infinity becomes a very large number; NaN spreads to the pixels that it is mixed into.
        size: (H, W) of the result.

    Returns:
        (H, W) float32; the same array when it has that size and type already.

    Raises:
        ShapeError: if depth has another number of axes.
    """
    if depth.ndim != 2:
        raise ShapeError(f"depth {depth.shape}: expected (H, W); drop the other axes.")
    result = np.asarray(depth, dtype=np.float32)
    if result.shape == size:
        return result
    if not np.isfinite(result).all():
        result = np.nan_to_num(result, nan=np.nan, posinf=1e9, neginf=-1e9)
    if size[0] >= result.shape[0] and size[1] >= result.shape[1]:
        # Pillow widens its filter where it shrinks only; enlarging it is the same, and several times faster.
        picture = Image.fromarray(np.ascontiguousarray(result))
        return np.array(picture.resize((size[1], size[0]), Image.Resampling.BILINEAR))
    for axis in (0, 1):
        result = _resize_axis(result, size[axis], axis)
    return result


def _resize_axis(values: NDArray[np.float32], size: int, axis: int) -> NDArray[np.float32]:
    old = values.shape[axis]
    centres = np.clip((np.arange(size) + 0.5) * (old / size) - 0.5, 0.0, old - 1.0)
    low = np.floor(centres).astype(np.intp)
    high = np.minimum(low + 1, old - 1)
    share = (centres - low).astype(np.float32).reshape((-1, 1) if axis == 0 else (1, -1))
    near, far = np.take(values, low, axis), np.take(values, high, axis)
    mixed: NDArray[np.float32] = near + (far - near) * share
    return mixed
