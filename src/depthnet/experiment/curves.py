"""Learning curves as one SVG picture: a line for each row, named where it ends."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from depthnet.experiment.plan import PlannedRun
from depthnet.experiment.record import read_table
from depthnet.report.charts import Axis

WIDTH, HEIGHT = 1000, 520
#: Left, top, right and bottom edge of the plot; the names of the lines stand on its right.
BOX = (64, 40, 640, 470)
LINE_HEIGHT = 17
_INK, _SOFT, _GRID = "#0f172a", "#64748b", "#e2e8f0"

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """One line of the picture."""

    title: str
    points: Points
    """x and y of its points, (N, 2); N may be 0."""
    cloud: Points | None = None
    """x and y of dots beneath it, (N, 2)."""


def learning_curve(title: str, runs: Sequence[PlannedRun], metric: str) -> Curve:
    """Validation score against images seen: the mean over the seeds that have come so far.

    Stages on other data are not validated on the suite's; their images count, but they have no points.
    """
    curves = [_run_points(run, metric) for run in runs]
    shortest = min((len(points) for points in curves), default=0)
    mean = np.mean([points[:shortest] for points in curves], axis=0) if shortest else np.zeros((0, 2))
    return Curve(title, mean[np.isfinite(mean).all(axis=1)])


def _run_points(run: PlannedRun, metric: str) -> Points:
    points, before = [], 0
    for stage in run.stages:
        batch = stage.config.accumulate * stage.batch_images
        for row in read_table(stage.folder / "val.csv"):
            points.append((before + row["step"] * batch, row[metric]))
        before += stage.images
    return np.array(points, dtype=np.float64).reshape(-1, 2)


def draw_curves(title: str, x_label: str, curves: Sequence[Curve], log: bool = False) -> str:
    """The picture as SVG text; curves without a point are left out.

    Args:
        title: what the y axis shows.
        x_label: what the x axis shows.
        curves: the lines.
        log: equal ratios have equal lengths, on both axes; values that are not positive stand at their ends.
    """
    shown = [curve for curve in curves if len(curve.points)]
    left, top, right, bottom = BOX
    parts = [_text(left, 24, title, 16, _INK)]
    if shown:
        both = np.concatenate([curve.points for curve in shown] + [c.cloud for c in shown if c.cloud is not None])
        x_ends = _ratios(both[:, 0]) if log else (0.0, max(float(both[:, 0].max()), 1.0))
        y_ends = _ratios(both[:, 1]) if log else _widened(both[:, 1])
        x, y = Axis(x_label, *x_ends, log=log), Axis(title, *y_ends, log=log)
        parts += _axes(x, y)
        for index, curve in enumerate(shown):
            if curve.cloud is not None:
                parts.append(_dots(_places(curve.cloud, x, y), _colour(index, len(shown))))
        for index, curve in enumerate(shown):
            parts.append(_line(_places(curve.points, x, y), _colour(index, len(shown)), index % 2 == 1))
        parts += _names(shown, [_places(curve.points[-1:], x, y)[0] for curve in shown])
    else:
        parts.append(_text((left + right) // 2, (top + bottom) // 2, "nothing yet", 14, _SOFT))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, sans-serif" '
        f'role="img" aria-label="{escape(title)}">\n<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n{body}\n'
        "</svg>\n"
    )


def _places(points: Points, x: Axis, y: Axis) -> Points:
    """From values to pixels of the picture."""
    left, top, right, bottom = BOX
    places = [(left + x.place(across) * (right - left), bottom - y.place(up) * (bottom - top)) for across, up in points]
    return np.array(places)


def _widened(values: Points) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    rim = 0.05 * (high - low) or 0.05
    return low - rim, high + rim


def _ratios(values: Points) -> tuple[float, float]:
    positive = values[values > 0]
    return (float(positive.min()) / 1.05, float(positive.max()) * 1.05) if positive.size else (0.5, 2.0)


def _axes(x: Axis, y: Axis) -> list[str]:
    left, top, right, bottom = BOX
    parts = []
    for value, text in y.ticks():
        ((_, height),) = _places(np.array([[x.low, value]]), x, y)
        parts.append(f'<path d="M{left} {height:.1f}H{right}" stroke="{_GRID}"/>')
        parts.append(_text(left - 8, height + 4, text, 12, _SOFT, "end"))
    for value, text in x.ticks():
        ((across, _),) = _places(np.array([[value, y.low]]), x, y)
        parts.append(_text(across, bottom + 18, text, 12, _SOFT, "middle"))
    parts.append(f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="{_SOFT}"/>')
    parts.append(_text((left + right) / 2, bottom + 38, x.label, 12, _SOFT, "middle"))
    return parts


def _line(points: Points, colour: str, dashed: bool) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="6 3"' if dashed else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'


def _dots(points: Points, colour: str) -> str:
    path = "".join(f"M{x:.0f} {y:.0f}h0" for x, y in points)
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="3" stroke-linecap="round" opacity="0.25"/>'


def _names(curves: Sequence[Curve], ends: Sequence[Points]) -> list[str]:
    """Names on the right, from the highest end to the lowest, moved apart, each joined to the end of its line."""
    order = sorted(range(len(curves)), key=lambda index: ends[index][1])
    wanted = [float(ends[index][1]) for index in order]
    parts = []
    for index, y in zip(order, _apart(wanted)):
        colour, (x_end, y_end) = _colour(index, len(curves)), ends[index]
        parts.append(f'<path d="M{x_end:.1f} {y_end:.1f}L{BOX[2] + 14} {y:.1f}" stroke="{colour}" stroke-width="0.8"/>')
        value = f"{curves[index].title}  {curves[index].points[-1, 1]:.3f}"
        parts.append(_text(BOX[2] + 18, y + 4, value, 12, colour))
    return parts


def _apart(wanted: list[float]) -> list[float]:
    """Heights in order, at least a line apart, inside the picture."""
    placed: list[float] = []
    for y in wanted:
        placed.append(max(y, placed[-1] + LINE_HEIGHT) if placed else max(y, BOX[1]))
    over = max(0.0, placed[-1] - (HEIGHT - LINE_HEIGHT))
    placed[-1] -= over
    for index in range(len(placed) - 2, -1, -1):
        placed[index] = min(placed[index], placed[index + 1] - LINE_HEIGHT)
    return placed


def _colour(index: int, count: int) -> str:
    red, green, blue = colorsys.hls_to_rgb(index / count, 0.4 if index % 2 else 0.46, 0.7)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


def _text(x: float, y: float, text: str, size: int, colour: str, anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
    return f'<text {place} fill="{colour}">{escape(text)}</text>'
