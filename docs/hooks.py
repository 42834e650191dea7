"""What MkDocs does with the pages beside rendering them.

``<!-- include: FILE -->`` is replaced by a file of the repository, ``<!-- include: FILE#Heading -->`` by a part of it,
``<!-- help: COMMAND -->`` by what the command says about itself: nothing is typed twice. Links in an included text are
turned to pages of the site; where there is none, the words stay. A page that would load something from another host is
a warning, and so the end of ``mkdocs build --strict``.
"""

from __future__ import annotations

import io
import logging
import os
import posixpath
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

from griffe import Docstring, Extension, Object

ROOT = Path(__file__).resolve().parent.parent
#: Files of the repository that are pages of the site.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "RESULTS.md": "results.md",
    "src/depthnet/models/README.md": "model-card.md",
}
CONFIGS = "src/depthnet/configs/"
#: What a browser fetches by itself; links that a reader follows are none.
FETCHED = re.compile(r"<(?:script|img|iframe|source|video)\b[^>]*\ssrc=\"?https?:|<link\b[^>]*\shref=\"?https?:[^>]*>")
log = logging.getLogger("mkdocs.hooks.depthnet")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in the marks of a page."""
    source = page.file.src_uri

    def fill(mark: re.Match[str]) -> str:
        kind, name = mark.groups()
        return help_text(name) if kind == "help" else included(name, source)

    return re.sub(r"<!-- (include|help): (.+?) -->", fill, markdown)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Warn of what is fetched from another host (the canonical address of the page itself is only a name)."""
    for found in FETCHED.findall(output):
        if 'rel="canonical"' not in found:
            log.warning("%s: fetches from another host: %s", page.file.src_uri, found[:120])
    return output


def included(name: str, page: str) -> str:
    """The text of ``FILE`` or ``FILE#Heading``, with links as seen from a page; empty for a file that is not there."""
    file, _, heading = name.partition("#")
    path = ROOT / file
    if not path.is_file():
        return ""
    text = path.read_text(encoding="utf-8").rstrip()
    if heading:
        text = section(text, heading)
    return relinked(text, posixpath.dirname(file), page) if path.suffix == ".md" else text


def section(text: str, heading: str) -> str:
    """What stands under a heading, down to the next one of its level or above."""
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^#{{1,6}} |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"no heading '{heading}' to include")
    level = len(found[1])
    rest = re.search(rf"^#{{1,{level}}} ", text[found.start(2) :], re.MULTILINE)
    return text[found.start(2) : found.start(2) + rest.start() if rest else len(text)].strip()


def relinked(text: str, folder: str, page: str) -> str:
    """Links and pictures of a text in ``folder`` of the repository, as seen from a page of the site."""

    def link(found: re.Match[str]) -> str:
        words, target = found.groups()
        path, _, anchor = target.partition("#")
        if "://" in target or not path:
            return found[0]
        place = posixpath.normpath(posixpath.join(folder, path))
        if place.startswith("docs/"):
            place = place.removeprefix("docs/")
        elif place.startswith(CONFIGS):
            place, anchor = "reference/configurations.md", posixpath.splitext(posixpath.basename(place))[0]
        elif place in PAGES:
            place = PAGES[place]
        else:
            return words.strip("![]")
        return f"{words}({posixpath.relpath(place, posixpath.dirname(page) or '.')}{'#' * bool(anchor)}{anchor})"

    return re.sub(r"(!?\[[^\]]*\])\(([^)\s]+)\)", link, text)


def help_text(command: str) -> str:
    """What ``depthnet COMMAND --help`` prints."""
    from depthnet.cli import main

    said = io.StringIO()
    with patch.dict(os.environ, COLUMNS="100"), redirect_stdout(said):
        code = main([*command.split(), "--help"])
    if code:
        raise ValueError(f"depthnet {command} --help: exit code {code}")
    return said.getvalue().rstrip()


class PlainRoles(Extension):
    """Sphinx roles in docstrings, such as :func:`name`, are shown as the name."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the docstring of each object as it is read."""
        if isinstance(obj.docstring, Docstring):
            obj.docstring.value = re.sub(r":(?:func|class|meth|mod|data|attr|exc):`~?\.?", "`", obj.docstring.value)
