"""Where levels stand, the drawing, and the table."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from itertools import combinations

import pytest

from depthnet.describe.arms import is_u, place_levels
from depthnet.describe.description import Block, Description, Layer, format_quantity, format_share
from depthnet.describe.layout import lay_out
from depthnet.describe.svg import draw_svg
from depthnet.describe.table import format_table

SVG = "{http://www.w3.org/2000/svg}"


def description(*blocks: Block, inputs: tuple[Block, ...] = (Block("image", (3, 32, 48)),)) -> Description:
    parameters, multiply_adds = sum(b.parameters for b in blocks), sum(b.multiply_adds for b in blocks)
    return Description("net & <more>", inputs, blocks, parameters + 7, multiply_adds)


LAYERS = (Layer("first.conv", "conv 3×3 /2", (3, 32, 48), (8, 16, 24), 200, 80_000), Layer("", "bmm", (), (), 10, 0))
U = description(
    Block("encoder_2", (8, 16, 24), ("image",), 210, 80_000, "conv 3×3 /2", LAYERS),
    Block("encoder_top", (64, 8, 12), ("encoder_2",), 5000, 480_000, "2 × Part"),
    Block("decoder_top", (32, 8, 12), ("encoder_top",), 2000, 190_000, "conv 1×1"),
    Block("decoder_2", (8, 16, 24), ("encoder_2", "decoder_top"), 300, 100_000, "conv 3×3"),
    Block("log_depth", (1, 32, 48), ("decoder_2",), 0, 0),
)
STACKS = description(
    Block("encoder_a", (8, 16, 24), ("image",), 1, 1),
    Block("encoder_b", (4096,), ("encoder_a",), 1, 1),
    Block("encoder_fine", (4, 16, 24), ("image",), 1, 1),
    Block("decoder_c", (1, 16, 24), ("encoder_fine", "encoder_b"), 1, 1),
    Block("log_depth", (1, 32, 48), ("image", "decoder_c"), 1, 1),
)


def test_levels_of_one_resolution_stand_beside_each_other() -> None:
    assert is_u(U)
    assert place_levels(U) == {
        "image": (0, 0), "encoder_2": (0, 1), "encoder_top": (0, 2),
        "decoder_top": (1, 2), "decoder_2": (1, 1), "log_depth": (1, 0),
    }  # fmt: skip


def test_another_network_is_a_column_with_what_stands_aside() -> None:
    assert not is_u(STACKS)
    assert place_levels(STACKS) == {
        "image": (0, 0), "encoder_a": (0, 1), "encoder_b": (0, 2), "decoder_c": (0, 3), "log_depth": (0, 4),
        "encoder_fine": (1, 2),
    }  # fmt: skip


def test_two_inputs_start_two_arms() -> None:
    pair = description(
        Block("one", (8, 3, 4), ("target",)),
        Block("two", (8, 3, 4), ("source",)),
        Block("head", (6,), ("one", "two")),
        inputs=(Block("target", (3, 6, 8)), Block("source", (3, 6, 8))),
    )
    places = place_levels(pair)
    assert len(set(places.values())) == len(places)
    assert {places["target"][0], places["source"][0]} == {0, 1}


@pytest.mark.parametrize("found", [U, STACKS], ids=["u", "column"])
def test_nothing_lies_on_something_else(found: Description) -> None:
    layout = lay_out(found)
    for one, other in combinations(layout.boxes, 2):
        apart_x = abs(one.x - other.x) >= (one.width + other.width) / 2
        apart_y = abs(one.y - other.y) >= max(one.height + other.height, 15 * (len(one.label) + len(other.label))) / 2
        assert apart_x or apart_y, (one.block.name, other.block.name)
    for box in layout.boxes:
        outward = box.label_x - box.x
        assert abs(outward) > box.width / 2
        assert (outward < 0) == (box.arm == 0)
        assert box.y - box.height / 2 > 0
        assert box.y + box.height / 2 < layout.height


def test_lines_go_from_box_to_box() -> None:
    for found in (U, STACKS):
        layout = lay_out(found)
        assert sum(line.is_skip for line in layout.lines) == len(found.skips)
        assert len(layout.lines) == sum(len(block.sources) for block in found.blocks)
        for line in layout.lines:
            for x, y in (line.points[0], line.points[-1]):
                assert any(
                    abs(x - box.x) <= box.width / 2 + 1e-6 and abs(y - box.y) <= box.height / 2 + 1e-6
                    for box in layout.boxes
                )


@pytest.mark.parametrize("found", [U, STACKS], ids=["u", "column"])
def test_the_drawing_is_whole(found: Description) -> None:
    text = draw_svg(found)
    assert text == draw_svg(found)
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    width, height = (float(word) for word in root.get("viewBox", "").split()[2:])
    assert (root.get("width"), root.get("height")) == (f"{width:g}", f"{height:g}")
    assert root.findtext(f"{SVG}title") == "net & <more>"
    assert "multiply-adds" in (root.findtext(f"{SVG}desc") or "")
    words = [element.text for element in root.iter(f"{SVG}text")]
    for block in found.nodes:
        assert block.name in words
        assert " × ".join(map(str, block.shape)) in words
    marks = [path.get("marker-end") for path in root.iter(f"{SVG}path") if path.get("marker-end")]
    assert marks.count("url(#skip-arrow)") == len(found.skips) + 1, "the skips and their sample in the legend"
    for element in root.iter(f"{SVG}text"):
        assert 0 <= float(element.get("x", "-1")) <= width
        assert 0 <= float(element.get("y", "-1")) <= height


def test_the_table_adds_up() -> None:
    lines = format_table(U).splitlines()
    assert lines[0] == "net & <more>: 7 517 parameters, 850 k multiply-adds, image 3 x 32 x 48"
    assert lines[2].split()[:3] == ["level", "shape", "reads"]
    row = next(line for line in lines if line.startswith("decoder_2"))
    assert "encoder_2 + decoder_top" in row
    assert "11.8 %" in row
    assert "8x16x24" in row
    assert "(unused)" in lines[-2]
    assert " 7 " in lines[-2]
    assert lines[-1].split() == ["total", "7", "517", "850", "k", "100.0", "%"]
    assert format_table(U).isascii()
    assert len(format_table(U, layers=True).splitlines()) == len(lines) + len(LAYERS)
    assert "  first.conv  " in format_table(U, layers=True)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (1000, "1.00 k"), (12_345, "12.3 k"), (999_499, "999 k"), (999_600, "1.00 M"),
     (2_481_561_600, "2.48 G"), (9_996_000_000, "10.0 G"), (99_960_000, "100 M"), (3 * 10**12, "3.00 T")],
)  # fmt: skip
def test_three_digits_and_a_unit(value: int, text: str) -> None:
    assert format_quantity(value) == text


def test_shares() -> None:
    assert [format_share(part, 1000) for part in (0, 0.4, 1, 68, 1000)] == [
        "0.0 %",
        "<0.1 %",
        "0.1 %",
        "6.8 %",
        "100.0 %",
    ]
    assert format_share(0, 0) == "0.0 %"
