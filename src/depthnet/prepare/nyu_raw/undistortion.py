"""Undo lens distortion by looking up, for each pixel of the straight picture, where the lens had put it.

The four neighbours and their weights depend on camera and size only, so a map is made once per process and kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.prepare.nyu_raw.calibration import Floats, LensCamera


@dataclass(frozen=True)
class BilinearMap:
    """Where the pixels of the straight picture come from, and how their four neighbours are weighted."""

    size: tuple[int, int]
    """(H, W) of both pictures."""
    corner: NDArray[np.intp]
    """Flat index of the upper left neighbour, (H·W,); never in the last row or column."""
    weights: Floats
    """Weights of the neighbours upper left, upper right, lower left, lower right, (4, H·W); they sum to 1."""
    outside: NDArray[np.intp]
    """Flat indices of the pixels that the lens did not see; their neighbours are the nearest that it saw."""

    def neighbours(self) -> Iterator[tuple[NDArray[np.intp], Floats]]:
        """The four neighbours: flat index and weight, (H·W,) each."""
        for step, weight in zip((0, 1, self.size[1], self.size[1] + 1), self.weights, strict=True):
            yield self.corner + step, weight

    def apply(self, values: NDArray[Any]) -> Floats:
        """Look up a plane, (H, W)."""
        flat = np.ascontiguousarray(values, dtype=np.float64).ravel()
        total = np.zeros(flat.size)
        for index, weight in self.neighbours():
            part = flat.take(index)
            part *= weight
            total += part
        return total.reshape(self.size)


@cache
def bilinear_map(camera: LensCamera, size: tuple[int, int]) -> BilinearMap:
    """Map from a distorted picture of ``camera``, ``size`` (H, W), to a straight one with the same intrinsics."""
    height, width = size
    ray_x, ray_y = np.broadcast_arrays(*camera.rays(size))
    distorted_x, distorted_y = camera.distort(ray_x, ray_y)
    x = (camera.fx * distorted_x + camera.cx).ravel()
    y = (camera.fy * distorted_y + camera.cy).ravel()
    column, row = np.floor(x), np.floor(y)
    outside = (column < 0) | (column > width - 2) | (row < 0) | (row > height - 2)
    column, row = np.clip(column, 0, width - 2), np.clip(row, 0, height - 2)
    right, down = np.clip(x - column, 0.0, 1.0), np.clip(y - row, 0.0, 1.0)
    return BilinearMap(
        size=size,
        corner=(row * width + column).astype(np.intp),
        weights=np.stack([(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right]),
        outside=np.flatnonzero(outside),
    )


def undistort_image(image: NDArray[np.uint8], camera: LensCamera, border: int | None = None) -> NDArray[np.uint8]:
    """A colour picture without lens distortion, with the camera's own intrinsics.

    Args:
        image: RGB, (H, W, 3).
        camera: its lens.
        border: value of the pixels that the lens did not see; None repeats the nearest that it saw.

    Returns:
        RGB, (H, W, 3): bilinear, rounded to the nearest value, halves up.
    """
    lookup = bilinear_map(camera, (image.shape[0], image.shape[1]))
    straight = np.empty_like(image)
    for channel in range(image.shape[2]):
        straight[..., channel] = lookup.apply(image[..., channel]) + 0.5
    if border is not None:
        straight.reshape(-1, image.shape[2])[lookup.outside] = border
    return straight
