"""SVG drawings of this package as pictures: the few elements that its charts and networks are drawn with, on Pillow.

Drawn are ``rect``, ``path`` (M, L, H, V, h, v, Q, Z), ``polyline`` and ``text`` with fill, stroke, width, dashes, round
ends, opacity, an arrow at the end, ``translate`` and ``rotate(-90)`` of texts; looks come from attributes or from the
rules of a style sheet that name one class. A drawing is made four times as large and reduced, so that its lines are
smooth. What else a drawing holds is left out: this is no reader of other programs' SVG.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFont

_SMOOTH = 4
_INK = "#0f172a"
_COMMAND = re.compile(r"([MLHVhvQZ])([^MLHVhvQZ]*)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_VARIABLE = re.compile(r"var\((--[\w-]+)\)")

#: Signs that Pillow's own font does not have.
_PLAIN = str.maketrans({"×": "x", "−": "-", "±": "+/-", "→": "->", "↑": "", "↓": ""})

Point = tuple[float, float]
Look = Mapping[str, str]


@dataclass(frozen=True)
class Vector:
    """A drawing as a panel of a page."""

    svg: str
    """The drawing; of one with classes, the page brings the style sheet."""
    style: str = ""
    """The style sheet, for the picture."""
    width: int = 480
    """Pixels of the picture."""

    def picture(self) -> Image.Image:
        """The drawing as pixels."""
        return draw_vector(self.svg, self.style, self.width)

    def html(self, alt: str) -> str:
        """The drawing as it is: it says itself what it shows."""
        return f'<div class="vector" style="max-width:{self.width}px">{self.svg}</div>'


def draw_vector(svg: str, style: str, width: int) -> Image.Image:
    """Draw an SVG on white.

    Args:
        svg: a drawing of :mod:`depthnet.report.charts`, :mod:`depthnet.experiment.curves` or :mod:`depthnet.describe`.
        style: CSS for its classes; of variables the first value counts (the bright look).
        width: pixels of the picture; the height follows.
    """
    root = ElementTree.fromstring(svg)
    _, _, across, down = (float(number) for number in root.attrib["viewBox"].split())
    painter = _Painter(_read_style(style), across, down, width * _SMOOTH / across)
    painter.draw(root, {"fill": _INK})
    return painter.canvas.resize((width, round(down * width / across)), Image.Resampling.LANCZOS)


def _read_style(style: str) -> list[tuple[str, dict[str, str]]]:
    """The rules that name single classes, in order: class, and value by property."""
    variables: dict[str, str] = {}
    rules: list[tuple[str, dict[str, str]]] = []
    for selectors, body in _RULE.findall(style):
        pairs = [pair.split(":", 1) for pair in body.split(";") if ":" in pair]
        values = {name.strip(): value.strip() for name, value in pairs}
        for name, value in values.items():
            if name.startswith("--"):
                variables.setdefault(name, value)
        for selector in selectors.split(","):
            if re.fullmatch(r"\s*\.[\w-]+\s*", selector):
                rules.append((selector.strip()[1:], values))
    return [
        (
            name,
            {key: _VARIABLE.sub(lambda found: variables.get(found[1], _INK), value) for key, value in values.items()},
        )
        for name, values in rules
    ]


class _Painter:
    """Draws elements onto a canvas that is larger than the drawing by a factor."""

    def __init__(self, rules: list[tuple[str, dict[str, str]]], width: float, height: float, scale: float) -> None:
        self.rules, self.scale = rules, scale
        self.canvas = Image.new("RGB", (round(width * scale), round(height * scale)), "white")

    def draw(self, element: ElementTree.Element, inherited: Look) -> None:
        """Draw an element and all within it, with the look that it inherits."""
        look = self._look(element, inherited)
        tag = element.tag.rpartition("}")[2]
        if tag in ("defs", "title", "desc"):
            return
        number = {key: float(value) for key, value in element.attrib.items() if _NUMBER.fullmatch(value)}
        if tag == "rect":
            x, y, width, height = (number.get(key, 0.0) for key in ("x", "y", "width", "height"))
            corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]
            self._shape([corners], look)
        elif tag == "path":
            self._shape(list(_path_lines(element.attrib["d"])), look)
        elif tag == "polyline":
            values = [float(found) for found in _NUMBER.findall(element.attrib["points"])]
            self._shape([list(zip(values[::2], values[1::2]))], look)
        elif tag == "text":
            self._text(element, number, look)
        for child in element:
            self.draw(child, look)

    def _look(self, element: ElementTree.Element, inherited: Look) -> Look:
        own = {key: value for key, value in element.attrib.items() if key not in ("class", "opacity")}
        look = {**{key: value for key, value in inherited.items() if key in _INHERITED}, **own}
        for name, values in self.rules:  # a later one wins
            if name in element.attrib.get("class", "").split():
                look |= values
        return look | ({"opacity": element.attrib["opacity"]} if "opacity" in element.attrib else {})

    def _shape(self, lines: list[list[Point]], look: Look) -> None:
        scaled = [[(x * self.scale, y * self.scale) for x, y in line] for line in lines]
        if look.get("fill", "none") != "none":
            with self._ink(look["fill"], _share(look, "fill-opacity")) as (draw, colour):
                for line in scaled:
                    if len(line) > 2:
                        draw.polygon(line, fill=colour)
        if look.get("stroke", "none") == "none":
            return
        width = max(1, round(float(look.get("stroke-width", "1")) * self.scale))
        dashes = [float(found) * self.scale for found in _NUMBER.findall(look.get("stroke-dasharray", ""))]
        with self._ink(look["stroke"], _share(look, "stroke-opacity")) as (draw, colour):
            for line in scaled:
                for piece in _dashed(line, dashes) if dashes else [line]:
                    draw.line(piece, fill=colour, width=width, joint="curve")
                if look.get("stroke-linecap") == "round":
                    for x, y in (line[0], line[-1]):
                        draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=colour)
                if "marker-end" in look and len(line) > 1:
                    draw.polygon(_arrow(line[-2], line[-1], 8 * self.scale), fill=colour)

    def _text(self, element: ElementTree.Element, number: Mapping[str, float], look: Look) -> None:
        size = re.sub("px$", "", look.get("font-size", "11"))
        font = ImageFont.load_default(size=float(size) * self.scale)
        text, turned = "".join(element.itertext()).translate(_PLAIN), "rotate(-90)" in look.get("transform", "")
        place = [float(found) for found in _NUMBER.findall(look.get("transform", ""))[:2]]
        x, y = place if place else (number.get("x", 0.0), number.get("y", 0.0))
        left, top, right, bottom = font.getbbox(text, anchor="ls")
        mask = Image.new("L", (math.ceil(right - left) + 2, math.ceil(bottom - top) + 2))
        ImageDraw.Draw(mask).text((1 - left, 1 - top), text, fill=255, font=font, anchor="ls")
        share = {"middle": 0.5, "end": 1.0}.get(look.get("text-anchor", "start"), 0.0)
        along, above = left - 1 - share * font.getlength(text), top - 1
        if turned:  # what goes right goes up
            mask = mask.transpose(Image.Transpose.ROTATE_90)
            along, above = above, -along - mask.height
        corner = (round(x * self.scale + along), round(y * self.scale + above))
        self.canvas.paste(ImageColor.getrgb(look.get("fill", _INK)), corner, mask)

    def _ink(self, colour: str, opacity: float) -> _Ink:
        return _Ink(self.canvas, colour, opacity)


class _Ink:
    """A canvas to draw on in one colour; a translucent one is drawn apart and laid over, so that it counts once."""

    def __init__(self, canvas: Image.Image, colour: str, opacity: float) -> None:
        self.canvas, self.colour, self.opacity = canvas, colour, opacity
        self.layer = Image.new("L", canvas.size) if opacity < 1 else None

    def __enter__(self) -> tuple[Any, Any]:
        if self.layer is not None:
            return ImageDraw.Draw(self.layer), 255
        return ImageDraw.Draw(self.canvas), self.colour

    def __exit__(self, *_: object) -> None:
        if self.layer is not None:
            weight = Image.new("L", self.layer.size, round(255 * self.opacity))
            self.canvas.paste(ImageColor.getrgb(self.colour), (0, 0), ImageChops.multiply(self.layer, weight))


_INHERITED = ("fill", "font-size", "text-anchor")


def _share(look: Look, name: str) -> float:
    return float(look.get(name, "1")) * float(look.get("opacity", "1"))


def _path_lines(path: str) -> Iterator[list[Point]]:
    """The lines of a path, each as its points; curves in short pieces."""
    line: list[Point] = []
    for command, text in _COMMAND.findall(path):
        values = [float(found) for found in _NUMBER.findall(text)]
        if command == "M":
            if line:
                yield line
            line = list(zip(values[::2], values[1::2]))
        elif command == "L":
            line += zip(values[::2], values[1::2])
        elif command == "Q":
            (x0, y0), (x1, y1, x2, y2) = line[-1], values
            for t in (0.25, 0.5, 0.75, 1.0):
                a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t**2
                line.append((a * x0 + b * x1 + c * x2, a * y0 + b * y1 + c * y2))
        elif command == "Z":
            line.append(line[0])
        else:
            x, y = line[-1]
            (value,) = values
            across = value if command == "H" else x + value
            line.append((across, y) if command in "Hh" else (x, value if command == "V" else y + value))
    if line:
        yield line


def _dashed(line: list[Point], dashes: list[float]) -> Iterator[list[Point]]:
    """The pieces of a line that are drawn, dash and gap in turn."""
    place, left, drawn = 0, dashes[0], True
    piece = [line[0]]
    for start, end in pairwise(line):
        length = math.dist(start, end)
        done = 0.0
        while length - done > left:
            done += left
            share = done / length
            piece.append((start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])))
            if drawn:
                yield piece
            place, drawn, piece = (place + 1) % len(dashes), not drawn, [piece[-1]]
            left = dashes[place]
        left -= length - done
        piece.append(end)
    if drawn and len(piece) > 1:
        yield piece


def _arrow(before: Point, tip: Point, size: float) -> list[Point]:
    length = math.dist(before, tip) or 1.0
    x, y = (tip[0] - before[0]) / length * size, (tip[1] - before[1]) / length * size
    back = (tip[0] - x, tip[1] - y)
    return [tip, (back[0] - y * 0.44, back[1] + x * 0.44), (back[0] + y * 0.44, back[1] - x * 0.44)]
