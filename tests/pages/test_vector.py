"""SVG drawings become pictures: what stands where, in which colour, by attribute and by style sheet."""

from __future__ import annotations

import numpy as np
import pytest

from depthnet.pages.vector import Vector, draw_vector
from depthnet.report.charts import Axis, draw_bars, draw_chart, draw_line, draw_rule, draw_steps
from depthnet.report.style import CHARTS, COLOURS

STYLE = COLOURS + CHARTS
BLUE, ORANGE = (0, 114, 178), (213, 94, 0)


def near(picture: np.ndarray, colour: tuple[int, int, int], tolerance: int = 40) -> np.ndarray:
    return (np.abs(picture.astype(int) - colour) < tolerance).all(axis=-1)


def draw(body: str, style: str = "", width: int = 100) -> np.ndarray:
    return np.asarray(draw_vector(f'<svg viewBox="0 0 100 50">{body}</svg>', style, width))


def test_shapes_stand_where_they_are_told() -> None:
    picture = draw('<rect x="10" y="5" width="20" height="10" fill="#ff0000"/>'
                   '<path d="M40 40H60V45h-20Z" fill="none" stroke="#0000ff" stroke-width="2"/>'
                   '<polyline points="70,10 90,10" fill="none" stroke="#00ff00" stroke-width="4"/>')  # fmt: skip
    assert picture.shape == (50, 100, 3)
    red, blue, green = (near(picture, colour) for colour in ((255, 0, 0), (0, 0, 255), (0, 255, 0)))
    assert red[6:14, 11:29].all()
    assert red.sum() == pytest.approx(200, abs=20)
    assert blue[40, 45:55].all()
    assert not blue[42:44, 45:55].any(), "it is not filled"
    assert green[9:11, 72:88].all()
    assert draw("", width=300).shape == (150, 300, 3)


def test_looks_come_from_classes_and_the_later_rule_wins() -> None:
    style = (
        ":root { --a: #ff0000 } @media dark { :root { --a: #00ff00 } } .one { fill: var(--a) } .two { fill: #0000ff }"
    )
    body = '<rect class="{}" x="0" y="0" width="100" height="50"/>'
    assert near(draw(body.format("one"), style), (255, 0, 0)).all()
    assert near(draw(body.format("two one"), style), (0, 0, 255)).all()
    assert near(draw(body.format("one"), style + " .one { fill: none }"), (255, 255, 255)).all()


def test_dashes_opacity_and_arrows() -> None:
    dashed = near(draw('<path d="M0 25H100" stroke="#000000" stroke-dasharray="10 10" stroke-width="4"/>'), (0, 0, 0))
    assert [bool(dashed[25, x]) for x in (5, 15, 25, 35, 95)] == [True, False, True, False, False]
    body = '<rect x="0" y="0" width="100" height="50" fill="#ff0000" fill-opacity="0.5"/>'
    assert near(draw(body), (255, 127, 127), 4).all()
    arrow = near(draw('<path d="M10 25H90" fill="none" stroke="#000000" marker-end="url(#arrow)"/>'), (0, 0, 0), 90)
    assert arrow[22:29, 83].sum() > arrow[22:29, 50].sum(), "the head is wider than the shaft"
    assert not arrow[:, 92:].any()


@pytest.mark.parametrize(("anchor", "left", "right"), [("start", 50, 75), ("middle", 38, 62), ("end", 25, 50)])
def test_texts_hang_where_they_are_told(anchor: str, left: int, right: int) -> None:
    columns = np.flatnonzero(
        (draw(f'<text x="50" y="30" font-size="12" text-anchor="{anchor}">abcd</text>') < 128).any((0, 2))
    )
    assert columns.min() == pytest.approx(left, abs=3)
    assert columns.max() == pytest.approx(right, abs=6)


def test_a_turned_text_reads_upwards() -> None:
    body = '<text transform="translate(50 25) rotate(-90)" text-anchor="middle" font-size="12">abcd</text>'
    rows, columns = np.nonzero((draw(body) < 128).any(axis=2))
    assert np.ptp(rows) > np.ptp(columns)
    assert rows.mean() == pytest.approx(25, abs=3)
    assert columns.max() <= 53, "its foot is on the right"


def test_a_chart_is_drawn_with_its_line() -> None:
    x, y = Axis("step", 0, 100), Axis("loss", 0, 1)
    marks = (draw_line(x, y, [(0, 0.5), (100, 0.5)], 0), draw_rule(0.25, y), draw_steps(x, y, [0, 50], [1.0], 1))
    picture = np.asarray(Vector(draw_chart("a", x, y, *marks), STYLE, 720).picture())
    assert picture.shape == (472, 720, 3)
    middle = round(2 * (10 + 184 / 2))  # half-way up the plot
    assert near(picture[middle - 1 : middle + 2, 400:690], BLUE).any(axis=0).all()
    assert near(picture, ORANGE).any(), "the histogram's outline"
    assert near(picture[40:380, 120:370], (250, 236, 223), 12).mean() > 0.5, "and its light fill"


def test_bars_are_as_long_as_their_values() -> None:
    svg = draw_bars("delta1 <of> two", [("a", 0.8), ("b", 0.4), ("none", float("nan"))])
    assert "delta1 &lt;of&gt; two" in svg
    picture = np.asarray(Vector(svg, STYLE, 360).picture())
    first, second = (near(picture, colour).sum(axis=1).max() for colour in (BLUE, ORANGE))
    assert first == pytest.approx(352, abs=2)
    assert second == pytest.approx(176, abs=2)
    assert svg.count(">-</text>") == 1


def test_a_page_keeps_the_drawing_itself() -> None:
    assert '<svg class="chart"' in Vector(draw_bars("t", [("a", 1.0)]), STYLE, 360).html("")
