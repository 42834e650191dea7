"""Colorization's 3x3 stencil on a frame: its weights from the picture, and sweeps over the known pixels.

Plain loops over rows, written so that each inner one runs on vector instructions after `depthnet.compile.compiled`.
Neighbours are numbered by rows, 0 1 2 / 3 . 4 / 5 6 7.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]


def build_weights(image: NDArray[np.uint8], weights: Floats) -> None:
    """Fill ``weights`` with how much each pixel's depth follows each of its neighbours.

    For a pixel of grey g (.298936 R + .587043 G + .114021 B, in [0, 1]): exp(-(g_i - g)² / s), divided by their sum;
    s = max(.6 v, -m / ln .01, 2e-6), with v the population variance of grey in the window, the pixel included, and m
    the least (g_i - g)². Grey differences are exact: they are whole multiples of 1 / 255e6.

    Args:
        image: RGB, (H, W, 3); at least 2 pixels.
        weights: (8, H, W) float32, written; 0 for a neighbour outside the frame, else above 1e-15.

    Source: fill_depth_colorization.m of the NYU Depth v2 toolbox.
    """
    height, width = image.shape[0], image.shape[1]
    grey = np.zeros((height + 2, width + 2), np.int32)
    inside = np.zeros((height + 2, width + 2), np.float32)
    for y in range(height):
        for x in range(width):
            red, green, blue = np.int32(image[y, x, 0]), np.int32(image[y, x, 1]), np.int32(image[y, x, 2])
            grey[y + 1, x + 1] = 298936 * red + 587043 * green + 114021 * blue
            inside[y + 1, x + 1] = 1.0
    rate = np.empty(width, np.float32)
    for y in range(height):
        squared_differences(grey, inside, weights, y)
        decay_rate(grey, inside, weights, y, rate)
        exponentials(inside, weights, y, rate)


def squared_differences(grey: Floats, inside: Floats, weights: Floats, y: int) -> None:
    """(g_i - g)² of one row, into ``weights``; 0 for a neighbour outside the frame."""
    unit = np.float32(1 / 255e6)
    centre = grey[y + 1, 1:]
    for k in range(8):
        j = k + (k > 3)
        row, there, out = grey[y + j // 3, j % 3 :], inside[y + j // 3, j % 3 :], weights[k, y]
        for x in range(out.size):
            difference = np.float32(row[x] - centre[x]) * unit * there[x]
            out[x] = difference * difference


def decay_rate(grey: Floats, inside: Floats, weights: Floats, y: int, rate: Floats) -> None:
    """log2(e) / s of one row, into ``rate``."""
    unit, one, far = np.float32(1 / 255e6), np.float32(1), np.float32(4)
    mean, count = np.zeros(rate.size, np.float32), np.ones(rate.size, np.float32)
    variance, least = np.zeros(rate.size, np.float32), np.full(rate.size, far, np.float32)
    centre = grey[y + 1, 1:]
    for k in range(8):
        j = k + (k > 3)
        row, there, square = grey[y + j // 3, j % 3 :], inside[y + j // 3, j % 3 :], weights[k, y]
        for x in range(rate.size):
            mean[x] += np.float32(row[x] - centre[x]) * unit * there[x]
            count[x] += there[x]
            least[x] = min(least[x], square[x] if there[x] > np.float32(0.5) else far)
    for x in range(rate.size):
        mean[x] /= count[x]
        variance[x] = mean[x] * mean[x]  # of the pixel itself, whose difference is 0
    for k in range(8):
        j = k + (k > 3)
        row, there = grey[y + j // 3, j % 3 :], inside[y + j // 3, j % 3 :]
        for x in range(rate.size):
            deviation = np.float32(row[x] - centre[x]) * unit - mean[x]
            variance[x] += deviation * deviation * there[x]
    for x in range(rate.size):
        spread = max(np.float32(0.6) * variance[x] / count[x], least[x] * np.float32(0.21714724095162588))
        rate[x] = np.float32(1.4426950408889634) * one / max(spread, np.float32(2e-6))


def exponentials(inside: Floats, weights: Floats, y: int, rate: Floats) -> None:
    """From squared differences to weights that sum to 1, in place, one row.

    2^z is 2^n times the Taylor series of 2^r, n whole and |r| at most 1/2 (relative error 1e-7); z is above -45.
    """
    c1, c2, c3 = np.float32(0.6931471805599453), np.float32(0.2402265069591007), np.float32(0.05550410866482158)
    c4, c5, c6 = np.float32(0.009618129107628477), np.float32(0.0013333558146428443), np.float32(0.0001540353039338161)
    one = np.float32(1)
    total = np.zeros(rate.size, np.float32)
    bits = np.empty(rate.size, np.int32)
    power = bits.view(np.float32)
    for k in range(8):
        j = k + (k > 3)
        there, out = inside[y + j // 3, j % 3 :], weights[k, y]
        for x in range(rate.size):
            z = -out[x] * rate[x]
            n = np.int32(z - np.float32(0.5))
            r = z - np.float32(n)
            series = (((np.float32(1.5252733804059841e-05) * r + c6) * r + c5) * r + c4) * r + c3
            out[x] = (((series * r + c2) * r + c1) * r + one) * there[x]
            bits[x] = (n + np.int32(127)) << np.int32(23)
        for x in range(rate.size):
            out[x] *= power[x]
            total[x] += out[x]
    for x in range(rate.size):
        total[x] = one / total[x]
    for k in range(8):
        out = weights[k, y]
        for x in range(rate.size):
            out[x] *= total[x]


def relax(values: Floats, pull: Floats, relaxed: Floats, weights: Floats, keep: float, down: bool) -> float:
    """One sweep: each relaxed pixel takes keep · (mean of its neighbours by weight) + pull.

    A row sees the new values of the row before it and its own old ones.

    Args:
        values: depth with a border of one pixel, (H + 2, W + 2) float64, changed in place.
        pull: what a pixel's own measurement adds, (H, W) float64.
        relaxed: 1 where a pixel takes part, 0 where it stays, (H, W) float32.
        weights: (8, H, W) float32.
        keep: 1 / (1 + alpha).
        down: from the first row to the last, or back.

    Returns:
        The largest change.
    """
    height, width = pull.shape
    change = np.empty(width)
    worst = 0.0
    for i in range(height):
        y = i if down else height - 1 - i
        above, here, below, w, own, part = values[y], values[y + 1], values[y + 2], weights[:, y], pull[y], relaxed[y]
        for x in range(width):
            mean = w[0, x] * above[x] + w[1, x] * above[x + 1] + w[2, x] * above[x + 2] + w[3, x] * here[x]
            mean += w[4, x] * here[x + 2] + w[5, x] * below[x] + w[6, x] * below[x + 1] + w[7, x] * below[x + 2]
            change[x] = part[x] * (keep * mean + own[x] - here[x + 1])
        for x in range(width):
            here[x + 1] += change[x]
            worst = max(worst, abs(change[x]))
    return worst
