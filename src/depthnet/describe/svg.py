"""The drawing of a network as one SVG that needs nothing else."""

from __future__ import annotations

from xml.sax.saxutils import escape

from depthnet.describe.arms import is_u
from depthnet.describe.description import Description
from depthnet.describe.layout import (
    LABEL_GAP,
    LINE,
    MARGIN,
    NAME_SIZE,
    TEXT_SIZE,
    Box,
    Layout,
    Line,
    lay_out,
    text_width,
)

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
INK, QUIET_INK = "#1f2933", "#5b6773"
#: Kind of level -> fill and edge of its box.
COLOURS = {
    "input": ("#c3cad2", "#7b8794"),
    "encoder": ("#7fa8d9", "#2f6aa8"),
    "decoder": ("#f3b26b", "#b9690d"),
    "output": ("#8cc38a", "#3a7d3c"),
    "level": ("#7fa8d9", "#2f6aa8"),
}
LINE_COLOUR, SKIP_COLOUR = "#3e4c59", "#8a5aa8"
CORNER = 6.0
SCALE_NOTE = (
    "Shapes are channels × rows × columns; a box is as wide as the square root of the channels and as high as that "
    "of the rows. /2: stride 2."
)


def draw_svg(description: Description) -> str:
    """Draw a network: boxes by resolution and channels, what each costs, and every connection.

    The text is the same for the same description, byte by byte.
    """
    layout = lay_out(description)
    shape = "a U" if is_u(description) else "a column"
    width, height = _number(layout.width), _number(layout.height)
    kinds = {box.block.name: _kind(box, description) for box in layout.boxes}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-labelledby="title desc" font-family="{FONT}">',
        f'<title id="title">{escape(description.title)}</title>',
        f'<desc id="desc">{escape(_spoken(description, shape))}</desc>',
        _defs(),
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
        _text(MARGIN, 40, description.title, 22, INK, weight="600"),
        _text(MARGIN, 60, description.totals, NAME_SIZE, QUIET_INK),
        *(_draw_line(line) for line in layout.lines),
        *(_draw_box(box, kinds[box.block.name]) for box in layout.boxes),
        _legend(layout, list(dict.fromkeys(kinds.values())), any(line.is_skip for line in layout.lines)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _spoken(description: Description, shape: str) -> str:
    skips = ", ".join(f"{source} to {target}" for source, target in description.skips)
    return (
        f"The network drawn as {shape}: {description.totals}. "
        f"Levels in order: {', '.join(block.name for block in description.blocks)}. Skips: {skips or 'none'}."
    )


def _kind(box: Box, description: Description) -> str:
    block = box.block
    if not block.sources:
        return "input"
    if block is description.blocks[-1]:
        return "output"
    if not any(other.name.startswith("encoder_") for other in description.blocks):
        return "level"
    return "encoder" if block.name.startswith("encoder_") else "decoder"


def _defs() -> str:
    marker = (
        '<marker id="{}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" '
        'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0.5 8 4 0 7.5Z" fill="{}"/></marker>'
    )
    return f"<defs>{marker.format('arrow', LINE_COLOUR)}{marker.format('skip-arrow', SKIP_COLOUR)}</defs>"


def _draw_line(line: Line) -> str:
    first, *middle, last = line.points
    path = f"M{_point(first)}"
    for before, corner, after in zip(line.points, middle, line.points[2:]):
        path += f"L{_point(_towards(corner, before))}Q{_point(corner)} {_point(_towards(corner, after))}"
    path += f"L{_point(last)}"
    return _stroke(path, line.is_skip)


def _stroke(path: str, is_skip: bool) -> str:
    look = (
        f'stroke="{SKIP_COLOUR}" stroke-dasharray="6 4" marker-end="url(#skip-arrow)"'
        if is_skip
        else f'stroke="{LINE_COLOUR}" marker-end="url(#arrow)"'
    )
    return f'<path d="{path}" fill="none" stroke-width="1.6" {look}/>'


def _towards(corner: tuple[float, float], end: tuple[float, float]) -> tuple[float, float]:
    """The point a rounded corner away from ``corner`` on the way to ``end``, along an axis."""
    x, y = (max(-CORNER, min(CORNER, b - a)) for a, b in zip(corner, end))
    return corner[0] + x, corner[1] + y


def _draw_box(box: Box, kind: str) -> str:
    fill, edge = COLOURS[kind]
    left, top = box.x - box.width / 2, box.y - box.height / 2
    anchor = "end" if box.arm == 0 else "start"
    first = box.y - LINE * len(box.label) / 2 + 0.75 * LINE
    lines = [_text(box.label_x, first, box.label[0], NAME_SIZE, INK, anchor, "600")]
    for index, line in enumerate(box.label[1:], 1):
        lines.append(
            _text(box.label_x, first + index * LINE, line, TEXT_SIZE, INK if index == 1 else QUIET_INK, anchor)
        )
    rectangle = (
        f'<rect x="{_number(left)}" y="{_number(top)}" width="{_number(box.width)}" height="{_number(box.height)}" '
        f'rx="2" fill="{fill}" stroke="{edge}"/>'
    )
    return "\n".join([f'<g id="{escape(box.block.name)}">', rectangle, *lines, "</g>"])


def _legend(layout: Layout, kinds: list[str], has_skips: bool) -> str:
    y, x = layout.height - 36, MARGIN
    parts = []
    for kind in kinds:
        fill, edge = COLOURS[kind]
        parts.append(
            f'<rect x="{_number(x)}" y="{_number(y - 9)}" width="11" height="11" fill="{fill}" stroke="{edge}"/>'
        )
        parts.append(_text(x + LABEL_GAP, y, kind, TEXT_SIZE, INK))
        x += 2.2 * LABEL_GAP + text_width(kind, TEXT_SIZE)
    for is_skip, words in ((False, "data"), (True, "skip")):
        if is_skip <= has_skips:
            parts.append(_stroke(f"M{_point((x, y - 4))}H{_number(x + 34)}", is_skip))
            parts.append(_text(x + 42, y, words, TEXT_SIZE, INK))
            x += 42 + 1.2 * LABEL_GAP + text_width(words, TEXT_SIZE)
    parts.append(_text(MARGIN, y + 20, SCALE_NOTE, TEXT_SIZE, QUIET_INK))
    return "\n".join(parts)


def _text(x: float, y: float, text: str, size: float, colour: str, anchor: str = "start", weight: str = "400") -> str:
    return (
        f'<text x="{_number(x)}" y="{_number(y)}" font-size="{_number(size)}" fill="{colour}" '
        f'text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'
    )


def _point(point: tuple[float, float]) -> str:
    return f"{_number(point[0])} {_number(point[1])}"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
