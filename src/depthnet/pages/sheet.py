"""A page as one picture, drawn with Pillow."""

from __future__ import annotations

import textwrap
from functools import cache
from typing import Any, TypeAlias

from PIL import Image, ImageDraw, ImageFont

from depthnet.pages.page import Page, Row, panel_picture

MARGIN, GAP = 24, 10
_PAPER, _INK, _SOFT, _RED, _LINE = "#ffffff", "#0f172a", "#64748b", "#b91c1c", "#e2e8f0"
_TITLE, _TEXT, _SMALL = 26, 15, 13
_NARROWEST = 480

Panels: TypeAlias = tuple[Image.Image, ...]


def draw_sheet(page: Page) -> Image.Image:
    """Draw title, panels and captions of a page."""
    pictures = [tuple(panel_picture(panel) for panel in row.panels) for row in page.rows]
    columns = _column_widths(page, pictures)
    width = max(_NARROWEST, *(sum(row) + GAP * (len(row) - 1) for row in columns))
    head = [(page.title, _TITLE, _INK), (page.subtitle, _TEXT, _SOFT)]
    lines = [(line, size, ink) for text, size, ink in head for line in _wrap(text, size, width)]
    notes = [line for note in page.notes for line in _wrap(note, _SMALL, width)]
    rows = [_draw_row(*parts, width) for parts in zip(page.rows, pictures, columns)]
    top = sum(_line_height(size) for _, size, _ in lines) + 14
    headings = _line_height(_SMALL) + 4 if page.headings else 0
    height = top + headings + sum(row.height + 18 for row in rows) + _line_height(_SMALL) * len(notes)
    sheet = Image.new("RGB", (width + 2 * MARGIN, height + 2 * MARGIN), _PAPER)
    draw, y = ImageDraw.Draw(sheet), MARGIN
    for text, size, ink in lines:
        draw.text((MARGIN, y), text, fill=ink, font=_font(size))
        y += _line_height(size)
    y = MARGIN + top
    for heading, x in zip(page.headings, _column_starts(columns[0])):
        draw.text((MARGIN + x, y), heading, fill=_SOFT, font=_font(_SMALL))
    y += headings
    for row in rows:
        sheet.paste(row, (MARGIN, y))
        y += row.height + 18
    for note in notes:
        draw.text((MARGIN, y), note, fill=_SOFT, font=_font(_SMALL))
        y += _line_height(_SMALL)
    return sheet


def _draw_row(row: Row, panels: Panels, columns: list[int], width: int) -> Image.Image:
    """Panels, a line with the name and the facts, and a thin rule below."""
    title = _wrap(row.title, _TEXT, width) if row.title else []
    if row.error is not None:
        text, ink = _wrap(f"cannot be read: {row.error}", _TEXT, width), _RED
    else:
        text, ink = _wrap("   ".join(row.facts), _SMALL, width), _SOFT
    top = max((panel.height for panel in panels), default=0) + 6
    height = top + _line_height(_TEXT) * (len(title) + len(text)) + 4
    picture = Image.new("RGB", (width, height), _PAPER)
    draw, y = ImageDraw.Draw(picture), top
    for panel, x in zip(panels, _column_starts(columns)):
        picture.paste(panel, (x, 0))
    for line in title:
        draw.text((0, y), line, fill=_INK, font=_font(_TEXT))
        y += _line_height(_TEXT)
    for line in text:
        draw.text((0, y), line, fill=ink, font=_font(_SMALL))
        y += _line_height(_TEXT)
    draw.line((0, height - 1, width, height - 1), fill=_LINE)
    return picture


def _column_widths(page: Page, pictures: list[Panels]) -> list[list[int]]:
    """Widths of the columns of each row: the same for all under headings, else each row's own."""
    if not page.headings:
        return [[panel.width for panel in panels] for panels in pictures]
    widths = [0] * len(page.headings)
    for panels in pictures:
        for place, panel in enumerate(panels):
            widths[place] = max(widths[place], panel.width)
    return [[width or 160 for width in widths]] * max(1, len(pictures))


def _column_starts(widths: list[int]) -> list[int]:
    return [sum(widths[:place]) + GAP * place for place in range(len(widths))]


@cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size=size)


def _line_height(size: int) -> int:
    return round(size * 1.4)


def _wrap(text: str, size: int, width: int) -> list[str]:
    """Lines that fit into ``width`` pixels; names without blanks are cut anywhere."""
    if _font(size).getlength(text) <= width:
        return [text]
    per_line = max(8, int(len(text) * width / _font(size).getlength(text)) - 2)
    return textwrap.wrap(text, per_line) or [""]
