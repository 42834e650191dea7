"""Tables of a page: a caption that stays, and headed columns and rows in a box of their own that scrolls."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Column:
    """One column."""

    heading: str
    header: bool = False
    """Whether its cells name their rows."""


def build_table(
    caption: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    best: Collection[tuple[int, int]] = (),
    first_rows: Collection[int] = (),
) -> str:
    """A table as HTML.

    Args:
        caption: plain text above it.
        columns: its columns.
        rows: plain text of the cells.
        best: (row, column) of the cells that are marked as the best.
        first_rows: rows that begin a group.
    """
    head = "".join(f'<th scope="col">{escape(column.heading)}</th>' for column in columns)
    body = []
    for index, row in enumerate(rows):
        cells = []
        for place, (column, cell) in enumerate(zip(columns, row, strict=True)):
            mark = ' class="best"' if (index, place) in best else ""
            tag, scope = ("th", ' scope="row"') if column.header else ("td", "")
            cells.append(f"<{tag}{scope}{mark}>{escape(cell)}</{tag}>")
        group = ' class="first"' if index in first_rows else ""
        body.append(f"<tr{group}>{''.join(cells)}</tr>")
    lines = "\n".join(body)
    return (
        f'<figure class="table"><figcaption>{escape(caption)}</figcaption>\n'
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}">\n'
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{lines}\n</tbody>\n</table>\n</div></figure>"
    )


def number(value: float, digits: int) -> str:
    """A number, or a dash where there is none."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"
