"""A frame at several sizes, and the side of it that others are aligned against."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.compile import compiled
from depthnet.odometry import kernels

Floats = NDArray[Any]

#: Pixels of the finest level at most (a larger picture is halved until it fits), and of the coarsest about.
FINEST, COARSEST = 320 * 240, 40 * 30
#: Pixels of a reference that a level uses, about: more, of the same picture, cost time and add nothing that can be
#: measured, for neighbours say the same.
USED = 160 * 240
#: Rec. 601 luma.
_GREY = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Points:
    """The pixels of known depth of one level, every so many of a large one."""

    points: Floats
    """Metres, (3, N)."""
    photo: Floats
    """Derivative of the grey value by the point, and the value, (4, N)."""
    geo: Floats
    """Derivative of the inverse depth against the surface by the point, (3, N); 0 where the surface is unknown."""

    stride: int
    """2 where they are every second pixel, and so on."""

    @property
    def count(self) -> int:
        """N."""
        return int(self.points.shape[1])


@dataclass(frozen=True)
class Level:
    """A frame at one size."""

    image: Floats
    """Grey values, 0 to 255, (H, W) float32."""
    inverse: Floats
    """1 / metres, (H, W) float32; 0 where unknown."""
    camera: Floats
    """fx, fy, cx, cy, (4,) float32."""

    @cached_property
    def reference(self) -> Points:
        """What others are aligned against; made when first asked for."""
        size, stride = self.image.size, max(1, round(self.image.size / USED))
        points, photo, geo = (np.empty((count, size), np.float32) for count in (3, 4, 3))
        n = compiled(kernels.build_reference)(self.image, self.inverse, self.camera, stride, points, photo, geo)
        points, photo, geo = (np.ascontiguousarray(rows[:, :n]) for rows in (points, photo, geo))
        return Points(points, photo, geo, stride)

    @cached_property
    def middle_inverse(self) -> float:
        """Median of the known inverse depth, 1 / metres; 0 where none is known."""
        known = self.inverse[self.inverse > 0]
        return float(np.median(known)) if known.size else 0.0

    def halved(self) -> Level:
        """The frame at half the size; depths of two surfaces are not mixed."""
        size = self.image.shape[0] // 2, self.image.shape[1] // 2
        image, inverse = np.empty(size, np.float32), np.empty(size, np.float32)
        compiled(kernels.halve_image)(self.image, image)
        compiled(kernels.halve_inverse_depth)(self.inverse, inverse)
        centre = np.array([0.0, 0.0, 0.5, 0.5])
        return Level(image, inverse, ((self.camera + centre) / 2 - centre).astype(np.float32))


@dataclass(frozen=True)
class Pyramid:
    """A frame at sizes that are each half of the one before."""

    levels: tuple[Level, ...]

    @property
    def middle_inverse(self) -> float:
        """Median of the known inverse depth, 1 / metres; 0 where none is known."""
        return self.levels[-1].middle_inverse

    def share_seen(self, T_cam_me: Floats) -> float:
        """Share of this frame's pixels that a camera of the same kind at another pose sees, walls being no hindrance.

        Args:
            T_cam_me: from this frame to the other camera, (4, 4).
        """
        level = self.levels[-1]
        points = level.reference.points
        if not points.size:
            return 0.0
        motion = T_cam_me.astype(np.float32)
        return float(compiled(kernels.share_seen)(points, motion, level.camera, *level.image.shape))

    def scaled(self, scale: float) -> Pyramid:
        """The same frame with inverse depths divided by ``scale``."""
        if scale == 1.0:
            return self
        return Pyramid(tuple(Level(one.image, one.inverse / np.float32(scale), one.camera) for one in self.levels))


def build_pyramid(image: NDArray[np.uint8], depth: Floats, K: Floats) -> Pyramid:
    """Prepare a frame for alignment.

    Args:
        image: RGB, (H, W, 3) uint8.
        depth: metres, (H, W); 0 where unknown.
        K: intrinsics in pixels of this size, (3, 3), without skew.

    Returns:
        Levels from the finest, 320x240 or a little less, to the coarsest, about 40x30.
    """
    grey = np.ascontiguousarray(image.astype(np.float32) @ _GREY)
    inverse = np.zeros(depth.shape, np.float32)
    np.divide(1.0, depth, out=inverse, where=depth > 0)
    level = Level(grey, inverse, np.array([K[0, 0], K[1, 1], K[0, 2], K[1, 2]], np.float32))
    while level.image.size > FINEST:
        level = level.halved()
    levels = [level]
    while levels[-1].image.size >= 4 * COARSEST:
        levels.append(levels[-1].halved())
    return Pyramid(tuple(levels))
