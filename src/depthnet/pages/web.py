"""A page as one HTML file that needs no other: the pictures are inside."""

from __future__ import annotations

import base64
import hashlib
import io
from html import escape
from typing import Any

from PIL import Image

from depthnet.pages.page import Page, Panel, Row

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; --ink: #0f172a; --soft: #64748b; --line: #e2e8f0; --paper: #ffffff; --bad: #b91c1c }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e2e8f0; --soft: #94a3b8; --line: #334155; --paper: #0f172a; --bad: #f87171 }
}
body { margin: 2rem; background: var(--paper); color: var(--ink); font: 15px/1.45 system-ui, sans-serif }
h1 { font-size: 1.6rem; margin: 0 }
p { color: var(--soft); margin: .2rem 0 1rem }
h2 { font-size: 1rem; margin: .4rem 0 0 }
section { border-bottom: 1px solid var(--line); padding: 1rem 0 .4rem }
.panels { display: flex; flex-wrap: wrap; gap: 10px; align-items: flex-start }
figure { margin: 0 } figcaption { color: var(--soft); font-size: .85rem } img { display: block; max-width: 100% }
.error { color: var(--bad) }
ul { list-style: none; padding: 0; margin: 0 0 .6rem; color: var(--soft); font-size: .9rem }
li { display: inline; margin-right: 1.2em }
"""


def page_to_html(page: Page) -> str:
    """The page as HTML text."""
    rows = "\n".join(_row(row, page.headings) for row in page.rows)
    notes = "\n".join(f"<p>{escape(note)}</p>" for note in page.notes)
    body = f"<h1>{escape(page.title)}</h1>\n<p>{escape(page.subtitle)}</p>\n{rows}\n{notes}"
    return html_document(page.title, _STYLE + page.style, body, page.script)


def html_document(title: str, style: str, body: str, script: str = "") -> str:
    """A whole document; its policy makes the browser itself refuse all that is not in the file, and any other script.

    Args:
        title: plain text.
        style: CSS.
        body: HTML; all text in it is escaped already.
        script: JavaScript that runs at the end; none: no script runs at all.
    """
    policy = _POLICY
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
        policy, body = f"{policy}; script-src 'sha256-{digest}'", f"{body}\n<script>{script}</script>"
    head = (
        '<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{escape(title)}</title>\n"
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{style}</style>'
    )
    return f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{body}\n</body>\n</html>\n'


def inline_picture(picture: Image.Image, format: str = "PNG", **options: Any) -> str:
    """The address of a picture that is part of the page.

    Args:
        picture: any mode that the format takes.
        format: Pillow's name of it.
        options: Pillow's options of it.
    """
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return f"data:image/{format.lower()};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _figure(panel: Panel, heading: str, title: str) -> str:
    alt = f"{heading} of {title}" if heading and title else heading or title
    if isinstance(panel, Image.Image):
        shown = f'<img alt="{escape(alt)}" src="{inline_picture(panel)}">'
    else:
        shown = panel.html(alt)
    caption = f"<figcaption>{escape(heading)}</figcaption>" if heading else ""
    return f"<figure>{shown}{caption}</figure>"


def _row(row: Row, headings: tuple[str, ...]) -> str:
    figures = "\n".join(
        _figure(panel, heading, row.title) for heading, panel in zip(headings or [""] * len(row.panels), row.panels)
    )
    facts = "".join(f"<li>{escape(fact)}</li>" for fact in row.facts)
    below = f"<ul>{facts}</ul>" if row.error is None else f'<p class="error">cannot be read: {escape(row.error)}</p>'
    title = f"<h2>{escape(row.title)}</h2>\n" if row.title else ""
    return f'<section>\n<div class="panels">\n{figures}\n</div>\n{title}{below}\n</section>'
