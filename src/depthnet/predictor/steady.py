"""Depth of a video that does not flicker: each frame is drawn towards the ones before it, along the motion.

A network that sees one frame at a time answers a little differently each time: the whole map is nearer or farther by
some per cent, and parts of it waver. Here a correction of log depth is found on a grid of a quarter of the network's
size, where it varies smoothly, and the frame keeps its own detail:

1. Where each pixel was in the frame before: optical flow by Lucas and Kanade, coarse to fine (:func:`estimate_flow`).
2. What was shown there: the estimate of the frame before, read at that place.
3. Whether to believe it: not where the grey values differ (something else is seen: it moved, or it was hidden), not
   where log depth differs by much more than over the whole frame, not where the place lies outside the frame before.
4. A running mean: a pixel that was believed n times counts its past n times, and its new depth once; n is
   :data:`MOST_PAST` at most, so that a depth that really changes is followed.

Only earlier frames are used, so nothing is delayed. After a cut, where little can be believed, it begins anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthnet.io.images import RGB

#: Frames that the past counts for at most.
MOST_PAST = 8.0
#: Pixels of the network's size, along each side, per point of the grid.
GRID_STEP = 4
# Difference of grey (of 1) and of log depth at which trust has fallen to 1 / e.
_GREY_SCALE, _LOG_DEPTH_SCALE = 0.10, 0.5
# A pixel is matched where trust by grey is more than _MATCHED; with fewer matched than _LEAST_MATCHED it is a cut.
_MATCHED, _LEAST_MATCHED = 0.5, 0.25
# Flow: levels that halve the grid, radius of the windows, and the variance of the gradient below which it rests.
_LEVELS, _RADIUS, _REST, _MOST_STEP = 3, 3, 1e-4, 2.0

Map = NDArray[np.float32]


@dataclass(frozen=True)
class _Past:
    """What is kept of the frame before, all on the grid."""

    grey: Map
    log_depth: Map
    count: Map
    """How many frames the estimate rests on."""


class Steadier:
    """Draws the depth of each frame towards those before it; one for each video, frames in order."""

    def __init__(self) -> None:
        self._past: _Past | None = None

    def steady(self, grey: Map, depth: Map) -> Map:
        """Depth of the next frame with less flicker.

        Args:
            grey: the frame on the grid, see :func:`grid_grey`.
            depth: what the network gave for it, metres, (h, w).

        Returns:
            Metres, (h, w).
        """
        own = np.log(_resize(depth, grey.shape, Image.Resampling.BOX))
        past = self._past
        correction = None if past is None or past.grey.shape != grey.shape else _correction(past, grey, own)
        if correction is None:
            self._past = _Past(grey, own, np.ones_like(own))
            return depth
        change, count = correction
        self._past = _Past(grey, own + change, np.minimum(count + 1, MOST_PAST))
        steadied: Map = depth * np.exp(_resize(change, depth.shape))
        return steadied


def grid_grey(image: RGB, size: tuple[int, int]) -> Map:
    """A picture (H, W, 3) as grey values in [0, 1] on the grid of a depth map of ``size`` (h, w)."""
    height, width = (max(2, side // GRID_STEP) for side in size)
    small = Image.fromarray(image).resize((width, height), Image.Resampling.BOX, reducing_gap=1.0)
    return np.asarray(small.convert("L"), np.float32) / np.float32(255)


def _correction(past: _Past, grey: Map, own: Map) -> tuple[Map, Map] | None:
    """What to add to a frame's log depth, and how many frames of the past that counts for; None after a cut."""
    flow = estimate_flow(grey, past.grey)
    place = _grid(grey.shape) + flow
    before, count, grey_before = sample(np.stack([past.log_depth, past.count, past.grey]), place)
    last = np.array(grey.shape[::-1], np.float32)[:, None, None] - 1
    inside = ((place >= -0.5) & (place <= last + 0.5)).all(axis=0)
    unlike = grey - grey_before
    unlike = _box_mean(np.abs(unlike - np.median(unlike))[None], 1)[0]  # the exposure may have changed
    trust = np.exp(-((unlike / _GREY_SCALE) ** 2)) * inside
    matched = trust > _MATCHED
    if matched.mean() < _LEAST_MATCHED:
        return None
    change = before - own
    count = count * trust * np.exp(-(((change - np.median(change[matched])) / _LOG_DEPTH_SCALE) ** 2))
    return change * (count / (count + 1)), count


def estimate_flow(grey: Map, before: Map) -> Map:
    """Where each pixel was in the frame before: ``grey(x)`` looks like ``before(x + flow)``.

    From coarse to fine, one step of Lucas and Kanade for each window and level: enough for motion of about a tenth of
    the width between two frames. Where a window has no texture, it keeps the flow of the coarser level.

    Args:
        grey: the frame, (h, w).
        before: the frame before, (h, w).

    Returns:
        Flow (x, y) in pixels, (2, h, w).

    Source: Lucas and Kanade, An Iterative Image Registration Technique, IJCAI 1981; Bouguet, Pyramidal Implementation
    of the Lucas Kanade Feature Tracker, 2000.
    """
    sizes = [tuple(max(2, -(-side >> level)) for side in grey.shape) for level in reversed(range(_LEVELS))]
    flow = np.zeros((2, *sizes[0]), np.float32)
    for size in sizes:
        scale = (size[1] / flow.shape[2], size[0] / flow.shape[1])
        flow = np.stack([_resize(one, size) * np.float32(by) for one, by in zip(flow, scale)])
        now, then = (_resize(one, size, Image.Resampling.BOX) for one in (grey, before))
        flow = _box_mean(flow + _flow_step(now, then, flow), 1)
    return flow


def _flow_step(grey: Map, before: Map, flow: Map) -> Map:
    """One step of the least squares of each window, (2, h, w)."""
    gradient_y, gradient_x = np.gradient(grey)
    residual = grey - sample(before[None], _grid(grey.shape) + flow)[0]
    residual -= residual.mean()
    xx, xy, yy, along_x, along_y = _box_mean(
        np.stack([
            gradient_x * gradient_x, gradient_x * gradient_y, gradient_y * gradient_y,
            gradient_x * residual, gradient_y * residual,
        ]), _RADIUS,
    )  # fmt: skip
    xx, yy = xx + _REST, yy + _REST
    step = np.stack([yy * along_x - xy * along_y, xx * along_y - xy * along_x]) / (xx * yy - xy * xy)
    clipped: Map = np.clip(step, -_MOST_STEP, _MOST_STEP)
    return clipped


def sample(maps: Map, place: Map) -> Map:
    """Read maps (C, h, w) bilinearly at pixels (x, y), (2, h, w); outside, their edge."""
    height, width = maps.shape[1:]
    x = np.clip(place[0], 0, width - 1)
    y = np.clip(place[1], 0, height - 1)
    left, top = np.minimum(x.astype(np.intp), width - 2), np.minimum(y.astype(np.intp), height - 2)
    share_x, share_y = (x - left).astype(np.float32), (y - top).astype(np.float32)
    flat, corner = maps.reshape(len(maps), -1), top * width + left
    upper, lower = (
        flat[:, start] + (flat[:, start + 1] - flat[:, start]) * share_x for start in (corner, corner + width)
    )
    read: Map = upper + (lower - upper) * share_y
    return read


def _box_mean(maps: Map, radius: int) -> Map:
    """Mean over windows of (2 radius + 1)², (C, h, w); beyond the edge, its values repeat."""
    return np.asarray(_window(maps.shape[1], radius) @ maps @ _window(maps.shape[2], radius).T, np.float32)


@cache
def _window(length: int, radius: int) -> Map:
    """The matrix (length, length) that takes the mean over windows of a column."""
    near = np.clip(np.arange(length)[:, None] + np.arange(-radius, radius + 1), 0, length - 1)
    matrix = np.zeros((length, length), np.float32)
    np.add.at(matrix, (np.arange(length)[:, None], near), 1 / (2 * radius + 1))
    return matrix


@cache
def _grid(size: tuple[int, ...]) -> Map:
    """Pixels (x, y) of a map, (2, h, w)."""
    y, x = np.mgrid[: size[0], : size[1]]
    return np.stack([x, y]).astype(np.float32)


def _resize(one: Map, size: tuple[int, ...], how: Image.Resampling = Image.Resampling.BILINEAR) -> Map:
    if one.shape == size:
        return one
    return np.array(Image.fromarray(np.ascontiguousarray(one)).resize((size[1], size[0]), how))
