"""The pictures of a depth video: the frame and its depth in colours, with a scale in metres that holds still.

The rule of the colours: their two ends follow the depths that 2 % of the pixels are nearer than, and farther than, as
running means: the range widens within :data:`WIDEN_S` seconds and narrows within :data:`NARROW_S`, so that no frame
makes it jump. The scale is drawn again when an end has moved by 1 % of the range. Or both stay where they are given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from depthnet.config import VideoLayout
from depthnet.errors import InputError
from depthnet.io.depth import colour_levels, colour_range, colour_table, draw_scale_bar
from depthnet.io.images import RGB
from depthnet.io.video_writer import Canvas

#: Seconds over which the range of the colours follows the depth, when it grows and when it shrinks.
WIDEN_S, NARROW_S = 0.5, 5.0
_REDRAW_SHARE = 0.01
_PAPER = 255
# A scale needs this many pixels of height, and the width of one with labels as long as "10.45 m".
_LEAST_HEIGHT, _WIDEST_SCALE = 160, (10.0, 10.5)
_STEP = 4  # every so many-th pixel of the network's map tells its range


class ColourRange:
    """Metres of the two ends of the colours, frame after frame.

    Args:
        fixed: near and far end in metres that never change; None to follow the depth.

    Raises:
        InputError: if the fixed ends are not positive or in the wrong order.
    """

    def __init__(self, fixed: Sequence[float] | None = None) -> None:
        if fixed is not None and not 0 <= fixed[0] < fixed[1] < math.inf:
            raise InputError(
                f"--colour-range {fixed[0]:g} {fixed[1]:g}: give the near end first, then the far, metres."
            )
        self.fixed = fixed
        self._ends = np.array(fixed or (0.0, 0.0))
        self._shown = self._ends
        self._time_s: Fraction | None = None

    def follow(self, depth: NDArray[np.float32], time_s: Fraction) -> tuple[float, float]:
        """Ends for the next frame, metres.

        Args:
            depth: metres, (h, w).
            time_s: when it is shown.
        """
        if self.fixed is None:
            sample = depth[::_STEP, ::_STEP]
            ends = np.array(colour_range(sample, sample > 0, None, None))
            if self._time_s is None:
                self._ends = self._shown = ends
            else:
                wider = np.array([ends[0] < self._ends[0], ends[1] > self._ends[1]])
                passed = float(time_s - self._time_s) / np.where(wider, WIDEN_S, NARROW_S)
                self._ends = self._ends - (ends - self._ends) * np.expm1(-passed)
            self._time_s = time_s
            if np.abs(self._ends - self._shown).max() > _REDRAW_SHARE * (self._shown[1] - self._shown[0]):
                self._shown = self._ends
        return float(self._shown[0]), float(self._shown[1])


class Painter:
    """Paints the frames of one video; the pictures are :attr:`size`, at least 160 pixels high.

    Args:
        size: (H, W) of the frames.
        layout: what is shown, from left to right; the scale is the last.
        fixed_range: see :class:`ColourRange`.
    """

    def __init__(self, size: tuple[int, int], layout: VideoLayout, fixed_range: Sequence[float] | None = None) -> None:
        self._frame_size, self._colours = size, colour_table()
        self._range, self._drawn = ColourRange(fixed_range), (0.0, 0.0)
        height, width = max(size[0], _LEAST_HEIGHT), size[1] + size[1] % 2
        self._left = width if layout == "side-by-side" else 0
        self._right = self._left + width
        self._scale_width = draw_scale_bar(*_WIDEST_SCALE, height).width
        self.size = (height, self._right + self._scale_width)
        self._canvas = Canvas(self.size)

    def paint(self, image: RGB, depth: NDArray[np.float32], time_s: Fraction) -> Canvas:
        """The next picture; it is painted over by the one after it.

        Args:
            image: the frame, (H, W, 3).
            depth: its depth in metres, at the network's size or any other, (h, w); its colours are scaled to the frame.
            time_s: when it is shown.
        """
        low, high = self._range.follow(depth, time_s)
        if (low, high) != self._drawn:
            paper = np.full((self.size[0], self._scale_width, 3), _PAPER, np.uint8)
            bar = np.asarray(draw_scale_bar(low, high, self.size[0]))[:, : self._scale_width]
            paper[:, : bar.shape[1]] = bar
            self._canvas.put(paper, self._right)
            self._drawn = (low, high)
        if self._left:
            self._canvas.put(image)
        self._canvas.put(np.take(self._colours, colour_levels(depth, low, high), axis=0), self._left, self._frame_size)
        return self._canvas
