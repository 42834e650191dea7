"""Axes and marks of the charts."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest

from depthnet.report.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    draw_chart,
    draw_dots,
    draw_line,
    draw_scale,
    draw_steps,
    histogram_edges,
    round_up,
)
from depthnet.report.pictures import depth_colours

X, Y = Axis("x [m]", 0.0, 10.0), Axis("y", 0.0, 1.0)


def test_places_on_linear_and_logarithmic_axes() -> None:
    assert [X.place(value) for value in (0.0, 5.0, 10.0, 20.0, -1.0)] == [0.0, 0.5, 1.0, 1.0, 0.0]
    log = Axis("ratio", 0.25, 4.0, log=True)
    assert [log.place(value) for value in (0.25, 0.5, 1.0, 4.0, 0.0)] == pytest.approx([0.0, 0.25, 0.5, 1.0, 0.0])


@pytest.mark.parametrize(("low", "high"), [(0.9, 1.1), (0.5, 2.0), (0.02, 3.0), (1e-4, 5e3)])
def test_a_logarithmic_axis_has_ticks_in_its_range(low: float, high: float) -> None:
    ticks = Axis("ratio", low, high, log=True).ticks()
    assert 2 <= len(ticks) <= 9
    assert all(low <= value <= high and float(text) == pytest.approx(value) for value, text in ticks)


def test_a_line_goes_through_its_points_and_leaves_gaps() -> None:
    line = draw_line(X, Y, [(0.0, 0.0), (10.0, 1.0), (5.0, math.nan), (5.0, 0.5)], 1)
    path = re.findall(r' d="([^"]+)"', line)[0]
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    middle = f"{(LEFT + right) / 2:.1f} {(TOP + bottom) / 2:.1f}"
    assert path == f"M{LEFT:.1f} {bottom:.1f}L{right:.1f} {TOP:.1f}M{middle}"
    assert 'class="line c1"' in line
    assert 'stroke-dasharray="6 3"' in line


def test_steps_stand_on_the_floor_and_dots_skip_what_is_no_number() -> None:
    steps = draw_steps(X, Y, [0.0, 5.0, 10.0], [1.0, 0.5], 0)
    assert f"M{LEFT:.1f} {HEIGHT - BOTTOM:.1f}V{TOP:.1f}" in steps
    assert steps.count("V") == 3
    assert draw_dots(X, Y, [(1.0, 0.5), (2.0, math.nan), (math.inf, 0.5)], 0).count("h0") == 1


def test_a_chart_says_what_it_shows_and_escapes_it() -> None:
    chart = draw_chart('a "title" <b>', X, Y)
    assert 'role="img" aria-label="a &quot;title&quot; &lt;b&gt;"' in chart
    assert ">x [m]</text>" in chart
    assert ">10</text>" in chart


def test_a_scale_has_its_values_and_unit() -> None:
    bar = draw_scale(0.8, 4.2, depth_colours(8), lambda value: f"{value:g} m", "Depth")
    assert bar.count("<rect") == 8
    assert re.findall(r">([^<>]+ m)</text>", bar) == ["1 m", "2 m", "3 m", "4 m"]


def test_ends_of_axes_and_edges_of_ratios() -> None:
    assert [round_up(value) for value in (0.0, 0.1, 0.52, 7.0, 95.0, 1.0)] == pytest.approx([1, 0.1, 0.6, 8, 100, 1])
    edges = histogram_edges([0.5, 2.0], 4)
    assert edges[0] < 0.5
    assert edges[-1] > 2.0
    assert [high / low for low, high in pairwise(edges)] == pytest.approx([edges[1] / edges[0]] * 4)
    assert histogram_edges([1.0], 2)[0] < 1.0 < histogram_edges([1.0], 2)[-1]
