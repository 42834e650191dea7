"""A table as a panel: HTML on a page, drawn on a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from depthnet.report.tables import Column, build_table

_SIZE, _LINE, _GAP = 13, 22, 18
_INK, _SOFT, _RULE = "#0f172a", "#526077", "#dbe2ea"


@dataclass(frozen=True)
class Table:
    """Rows under headings; the first column names the rows."""

    caption: str
    """What it holds, plain text."""
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    """Plain text of the cells."""

    def html(self, alt: str) -> str:
        """The table; it has a caption of its own."""
        columns = [Column(heading, header=place == 0) for place, heading in enumerate(self.headings)]
        return build_table(self.caption, columns, self.rows)

    def picture(self) -> Image.Image:
        """The table as it is on a page: names on the left, numbers under each other."""
        font = ImageFont.load_default(size=_SIZE)
        lines = [self.headings, *self.rows]
        widths = [math.ceil(max(font.getlength(line[place]) for line in lines)) for place in range(len(self.headings))]
        width = max(sum(widths) + _GAP * (len(widths) - 1), math.ceil(font.getlength(self.caption)))
        picture = Image.new("RGB", (width + 4, _LINE * (len(lines) + 1)), "white")
        draw = ImageDraw.Draw(picture)
        draw.text((0, 0), self.caption, fill=_SOFT, font=font)
        for number, line in enumerate(lines, start=1):
            y, right = number * _LINE, 0
            draw.line((0, y - 2, width, y - 2), fill=_RULE)
            for place, (cell, column) in enumerate(zip(line, widths, strict=True)):
                right += column + _GAP * (place > 0)
                x = 0 if place == 0 else right
                ink = _SOFT if number == 1 else _INK
                draw.text((x, y), cell, fill=ink, font=font, anchor="la" if place == 0 else "ra")
        return picture
