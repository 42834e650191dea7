"""Charts as SVG text: two axes, and lines, steps, dots and rules in them.

A chart is drawn at the width of a phone and grows with its box. Colours come from the page's style: ``c0``, ``c1`` ...
are its series; lines are dashed differently too, for eyes and printers that see no colour.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from depthnet.io.depth import nice_ticks
from depthnet.io.images import RGB

WIDTH, HEIGHT = 360, 236
LEFT, RIGHT, TOP, BOTTOM = 50, 12, 10, 42
SERIES = 6
"""Series that differ in colour and dashes; a seventh looks like the first."""
DASHES = ("", "6 3", "2 2", "8 2 2 2", "10 4", "1 3")

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """Values along one side of a chart."""

    label: str
    """What they are, with their unit."""
    low: float
    high: float
    """More than ``low``."""
    log: bool = False
    """Equal ratios have equal lengths; ``low`` is positive."""
    digits: int | None = None
    """Decimals of the numbers; by default as many as they need."""

    def place(self, value: float) -> float:
        """Where a value stands: 0 at the low end, 1 at the high end; beyond them it is held there."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(max(value, low))
        return min(max((value - low) / (high - low), 0.0), 1.0)

    def ticks(self) -> list[tuple[float, str]]:
        """Round values on the axis, and how they are written."""
        if self.log and self.high > 6.0 * self.low:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            steps = (1, 2, 5) if self.high < 300.0 * self.low else (1,)
            values = [step * 10.0**power for power in powers for step in steps]
            return [(value, f"{value:g}") for value in values if self.low <= value <= self.high]
        values, digits = nice_ticks(self.low, self.high, 6)
        return [(value, f"{value:.{digits if self.digits is None else self.digits}f}") for value in values]


def draw_chart(title: str, x: Axis, y: Axis, *marks: str) -> str:
    """A chart: grid, numbers, labels and the marks over them.

    Args:
        title: what it shows, in a sentence: it is read out where nobody sees the picture.
        x: the horizontal axis.
        y: the vertical axis.
        marks: what the functions below draw for these axes.
    """
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">']
    for value, text in y.ticks():
        height = _y(y, value)
        parts.append(f'<path class="grid" d="M{LEFT} {height:.1f}H{right}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{height + 4:.1f}" text-anchor="end">{text}</text>')
    for value, text in x.ticks():
        across = _x(x, value)
        parts.append(f'<path class="grid" d="M{across:.1f} {TOP}V{bottom}"/>')
        parts.append(f'<text x="{across:.1f}" y="{bottom + 16}" text-anchor="middle">{text}</text>')
    parts.append(f'<text class="label" x="{(LEFT + right) / 2}" y="{HEIGHT - 6}" text-anchor="middle">'
                 f"{escape(x.label)}</text>")  # fmt: skip
    parts.append(f'<text class="label" transform="translate(12 {(TOP + bottom) / 2}) rotate(-90)" '
                 f'text-anchor="middle">{escape(y.label)}</text>')  # fmt: skip
    return "\n".join([*parts, *marks, "</svg>"])


def draw_bars(title: str, bars: Sequence[tuple[str, float]], digits: int = 3) -> str:
    """Bars from 0 under a title, each with its name and value above it; a value that is not finite has a dash and none.

    Args:
        title: what they show.
        bars: name and value of each, not negative.
        digits: decimals of the values.
    """
    most = max([value for _, value in bars if math.isfinite(value)], default=0.0) or 1.0
    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {24 + 34 * len(bars)}" role="img" aria-label="{escape(title)}">',
             f'<text class="label" x="4" y="14">{escape(title)}</text>']  # fmt: skip
    for index, (name, value) in enumerate(bars):
        top, known = 22 + 34 * index, math.isfinite(value)
        short = name if len(name) <= 46 else f"...{name[-43:]}"
        text, width = (f"{value:.{digits}f}", (WIDTH - 8) * value / most) if known else ("-", 0.0)
        parts.append(f'<text x="4" y="{top + 13}">{escape(short)}</text>')
        parts.append(f'<text x="{WIDTH - 4}" y="{top + 13}" text-anchor="end">{text}</text>')
        parts.append(f'<rect class="c{index % SERIES}" x="4" y="{top + 18}" width="{width:.1f}" height="9"/>')
    return "\n".join([*parts, "</svg>"])


def draw_line(x: Axis, y: Axis, points: Points, series: int) -> str:
    """A line through points, each marked; a value that is not finite leaves a gap."""
    runs: list[list[str]] = [[]]
    for across, up in points:
        if math.isfinite(across) and math.isfinite(up):
            runs[-1].append(f"{_x(x, across):.1f} {_y(y, up):.1f}")
        elif runs[-1]:
            runs.append([])
    line = "".join("M" + "L".join(run) for run in runs if run)
    dots = "".join(f"M{point}h0" for run in runs for point in run)
    return f'<path class="line {_look(series)} d="{line}"/>' + f'<path class="marker c{series % SERIES}" d="{dots}"/>'


def draw_steps(x: Axis, y: Axis, edges: Sequence[float], heights: Sequence[float], series: int) -> str:
    """A histogram's outline over a light fill."""
    floor = _y(y, y.low)
    outline = f"M{_x(x, edges[0]):.1f} {floor:.1f}"
    for edge, height in zip(edges[1:], heights, strict=True):
        outline += f"V{_y(y, height):.1f}H{_x(x, edge):.1f}"
    return f'<path class="steps {_look(series)} d="{outline}V{floor:.1f}"/>'


def draw_dots(x: Axis, y: Axis, points: Points, series: int) -> str:
    """A dot at each point that is finite."""
    finite = [point for point in points if all(map(math.isfinite, point))]
    path = "".join(f"M{_x(x, across):.1f} {_y(y, up):.1f}h0" for across, up in finite)
    return f'<path class="dots c{series % SERIES}" d="{path}"/>'


def draw_rule(value: float, axis: Axis, upright: bool = False) -> str:
    """A line at one value of the vertical axis, or, ``upright``, of the horizontal one."""
    if upright:
        return f'<path class="rule" d="M{_x(axis, value):.1f} {TOP}V{HEIGHT - BOTTOM}"/>'
    return f'<path class="rule" d="M{LEFT} {_y(axis, value):.1f}H{WIDTH - RIGHT}"/>'


def draw_key(series: int) -> str:
    """The piece of line that stands before a series' name."""
    line = f'<path class="line {_look(series)} d="M1 5H27"/>'
    return f'<svg class="key" viewBox="0 0 28 10" aria-hidden="true">{line}</svg>'


def draw_scale(low: float, high: float, colours: RGB, label: Callable[[float], str], title: str) -> str:
    """Colours as a bar with their values below.

    Args:
        low: value of the first colour.
        high: value of the last.
        colours: (N, 3).
        label: how a value is written.
        title: what it is, for those who do not see it.
    """
    left, right = 16.0, WIDTH - 16.0
    width = (right - left) / len(colours)
    parts = [f'<svg class="scale" viewBox="0 0 {WIDTH} 34" role="img" aria-label="{escape(title)}">']
    for index, (red, green, blue) in enumerate(colours.tolist()):  # each overlaps the next: no gap shows between
        start = left + index * width
        parts.append(f'<rect x="{start:.2f}" y="2" width="{min(width + 0.7, right - start):.2f}" height="12" '
                     f'fill="#{red:02x}{green:02x}{blue:02x}"/>')  # fmt: skip
    for value in nice_ticks(low, high, 6)[0]:
        across = left + (value - low) / (high - low) * (right - left)
        parts.append(f'<path class="tick" d="M{across:.1f} 14v4"/>')
        parts.append(f'<text x="{across:.1f}" y="30" text-anchor="middle">{escape(label(value))}</text>')
    return "".join([*parts, "</svg>"])


def round_up(value: float) -> float:
    """The next of 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten: the end of an axis; 1 for 0."""
    if not value > 0.0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    bases = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0)
    return next(base * power for base in bases if value <= base * power * (1.0 + 1e-9))


def histogram_edges(values: Sequence[float], bins: int) -> list[float]:
    """Edges of ``bins`` bins of equal ratio that hold all values (positive; at least one), widened by a hair."""
    low, high = min(values) / 1.02, max(values) * 1.02
    return [float(edge) for edge in np.geomspace(low, high, bins + 1)]


def _look(series: int) -> str:
    """Class, closing quote and dashes of a series."""
    return f'c{series % SERIES}" stroke-dasharray="{DASHES[series % SERIES]}"'


def _x(axis: Axis, value: float) -> float:
    return LEFT + axis.place(value) * (WIDTH - RIGHT - LEFT)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - axis.place(value) * (HEIGHT - BOTTOM - TOP)
