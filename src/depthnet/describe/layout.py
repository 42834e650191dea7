"""From places to pixels: boxes, labels and the lines between them."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from depthnet.describe.arms import Places, extent, place_levels
from depthnet.describe.description import Block, Description, format_count, format_quantity, format_shape, format_share

MARGIN = 36.0
HEADER = 74.0
FOOTER = 78.0
WIDEST, TALLEST = 128.0, 84.0
NARROWEST, FLATTEST = 7.0, 9.0
ROW_GAP = 26.0
ARM_GAP = 200.0  # between the widest boxes of the two arms
LANE = 16.0  # between two lines that run beside each other
LABEL_GAP = 16.0
LINE = 15.0  # from one line of a label to the next
NAME_SIZE, TEXT_SIZE = 13.0, 11.0
GLYPH = 0.6  # mean width of a character over its size
LONGEST = 52  # characters of a summary

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A level's box, by its centre, and its label."""

    block: Block
    arm: int
    x: float
    y: float
    width: float
    height: float
    label: tuple[str, ...]
    """Lines, the name first."""
    label_x: float

    def inner(self, shift: float = 0.0) -> Point:
        """The middle of the side that faces the other arm, shifted down by a share of the height."""
        return self.x + (self.width / 2 if self.arm == 0 else -self.width / 2), self.y + shift * self.height


@dataclass(frozen=True)
class Line:
    """A connection; it is drawn along its points with an arrow at the end."""

    points: tuple[Point, ...]
    is_skip: bool


@dataclass(frozen=True)
class Layout:
    """Everything that is drawn, in pixels."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def lay_out(description: Description) -> Layout:
    """Place the boxes of a network and route its connections."""
    places = place_levels(description)
    labels = {block.name: _label(block, description) for block in description.nodes}
    sizes = _box_sizes(description)
    middles, bottom = _rows(places, labels, sizes)
    arms = [[name for name, (arm, _) in places.items() if arm == side] for side in (0, 1)]
    halves = [max((sizes[name][0] for name in arm), default=0.0) / 2 for arm in arms]
    texts = [max((_label_width(labels[name]) for name in arm), default=0.0) for arm in arms]
    left = MARGIN + texts[0] + LABEL_GAP + halves[0]
    centres = (left, left + halves[0] + ARM_GAP + halves[1])
    label_xs = (left - halves[0] - LABEL_GAP, centres[1] + halves[1] + LABEL_GAP)
    boxes = []
    for block in description.nodes:
        arm, row = places[block.name]
        box = Box(block, arm, centres[arm], middles[row], *sizes[block.name], labels[block.name], label_xs[arm])
        boxes.append(box)
    lines = _lines(description, boxes, left + halves[0], centres[1] - halves[1])
    return Layout(label_xs[1] + texts[1] + MARGIN, bottom + FOOTER, tuple(boxes), tuple(lines))


def _label(block: Block, description: Description) -> tuple[str, ...]:
    lines = [block.name, format_shape(block.shape, " × ")]
    cost = []
    if block.parameters:
        cost.append(f"{format_count(block.parameters)} parameters")
    if block.multiply_adds:
        share = format_share(block.multiply_adds, description.multiply_adds)
        cost.append(f"{format_quantity(block.multiply_adds)} multiply-adds ({share})")
    if cost:
        lines.append(" · ".join(cost))
    if block.summary:
        lines.append(block.summary if len(block.summary) <= LONGEST else block.summary[: LONGEST - 1] + "…")
    return tuple(lines)


def text_width(text: str, size: float) -> float:
    """About how wide a text is: fonts differ from one viewer to the next."""
    return len(text) * size * GLYPH


def _label_width(lines: tuple[str, ...]) -> float:
    name, *others = lines
    return max(text_width(name, NAME_SIZE), *(text_width(line, TEXT_SIZE) for line in others))


def _box_sizes(description: Description) -> dict[str, Point]:
    """Width and height of each level's box: roots, so that a thousand channels and one can be seen together."""
    extents = {block.name: extent(block.shape) for block in description.nodes}
    most_channels, most_rows = (max(values) for values in zip(*extents.values()))
    return {
        name: (max(NARROWEST, WIDEST * sqrt(channels / most_channels)), max(FLATTEST, TALLEST * sqrt(rows / most_rows)))
        for name, (channels, rows) in extents.items()
    }


def _rows(places: Places, labels: dict[str, tuple[str, ...]], sizes: dict[str, Point]) -> tuple[list[float], float]:
    """The middle of each row, and where the last one ends."""
    heights = [0.0] * (1 + max(row for _, row in places.values()))
    for name, (_, row) in places.items():
        heights[row] = max(heights[row], sizes[name][1], LINE * len(labels[name]))
    middles, top = [], HEADER
    for height in heights:
        middles.append(top + height / 2)
        top += height + ROW_GAP
    return middles, top - ROW_GAP


def _lines(description: Description, boxes: list[Box], left: float, right: float) -> list[Line]:
    """Straight lines between neighbours; the others turn in lanes of their own between ``left`` and ``right``."""
    by_name = {box.block.name: box for box in boxes}
    lines: list[Line] = []
    bent: list[tuple[Box, Box, bool]] = []
    for block in description.blocks:
        end = by_name[block.name]
        for source in block.sources:
            start, is_skip = by_name[source], source != block.sources[-1]
            if start.arm == end.arm and not _between(start, end, boxes):
                side = 1 if end.y > start.y else -1
                tail, head = start.y + side * start.height / 2, end.y - side * end.height / 2
                lines.append(Line(((start.x, tail), (end.x, head)), is_skip))
            elif start.y == end.y:
                lines.append(Line((start.inner(), end.inner()), is_skip))
            else:
                bent.append((start, end, is_skip))
    bent.sort(key=lambda item: abs(item[0].y - item[1].y))
    for lane, (start, end, is_skip) in enumerate(bent, 1):
        x = left + lane * LANE if start.arm == end.arm == 0 else right - lane * LANE
        shift = 0.25 if end.y > start.y else -0.25  # so that what comes in and what goes out meet nowhere
        leaving, arriving = start.inner(shift), end.inner(-shift)
        lines.append(Line((leaving, (x, leaving[1]), (x, arriving[1]), arriving), is_skip))
    return lines


def _between(start: Box, end: Box, boxes: list[Box]) -> bool:
    """Whether a third box of their arm stands between two boxes."""
    low, high = sorted((start.y, end.y))
    return any(box.arm == start.arm and low < box.y < high for box in boxes)
