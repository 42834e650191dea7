"""`depthnet show` on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

#: Runs a command line and gives its exit code, stdout and stderr: see conftest.py.
Shell = Callable[..., Any]


def test_the_name_of_the_picture_is_printed(depthnet: Shell, pairs: Path) -> None:
    outcome = depthnet("show", pairs, "--count", 2)
    assert (outcome.code, outcome.out, outcome.err) == (0, "pairs_show.png\n", "")
    assert Image.open("pairs_show.png").width > 800
    again = depthnet("show", pairs)
    assert again.code == 1
    assert "--overwrite" in again.err
    assert depthnet("show", "--overwrite", pairs).code == 0
    assert depthnet("show", pairs, "--out", "page.html").out == "page.html\n"


def test_an_unreadable_sample_is_told_and_the_rest_is_shown(depthnet: Shell, pairs: Path) -> None:
    (pairs / "depth" / "0001.png").write_bytes(b"")
    outcome = depthnet("show", pairs)
    assert outcome.code == 1
    assert outcome.out == "pairs_show.png\n"
    assert outcome.err.startswith("depthnet: error: ")
    assert "depth/0001.png: empty file" in outcome.err


def test_one_path_is_needed(depthnet: Shell, pairs: Path) -> None:
    assert depthnet("show").code == 2
    outcome = depthnet("show", pairs, pairs)
    assert outcome.code == 2
    assert "2 were given" in outcome.err
