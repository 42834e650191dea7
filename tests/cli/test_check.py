"""`depthnet check` on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

#: Runs a command line and gives its exit code, stdout and stderr: see conftest.py.
Shell = Callable[..., Any]


def test_the_report_is_printed_and_written(depthnet: Shell, pairs: Path) -> None:
    outcome = depthnet("check", pairs, "--json", "report.json")
    assert outcome.code == 0  # one colour and one depth in all of them: suspicious, not surely wrong
    assert outcome.out.startswith("pairs: folder, 3 samples\n")
    assert "warning: constant: images of one single colour (3 samples: 0000, 0001, 0002)" in outcome.out
    content = json.loads(Path("report.json").read_text(encoding="utf-8"))
    assert content["ok"] is True
    again = depthnet("check", pairs, "--json", "report.json")
    assert again.code == 1
    assert "--overwrite" in again.err
    assert depthnet("check", "--limit", 1, pairs).out.startswith("pairs: folder, 3 samples, 1 looked at\n")


def test_unreadable_files_are_one_line_each_and_exit_1(depthnet: Shell, pairs: Path) -> None:
    (pairs / "depth" / "0001.png").write_bytes(b"")
    outcome = depthnet("check", pairs)
    assert outcome.code == 1
    assert "1 cannot be read" in outcome.out
    lines = [line for line in outcome.err.splitlines() if line.startswith("depthnet: error:")]
    assert len(lines) == 1
    assert "depth/0001.png: empty file" in lines[0]


def test_a_surely_wrong_unit_is_exit_1(depthnet: Shell, pairs: Path) -> None:
    for file in (pairs / "depth").iterdir():
        Image.fromarray(np.full((48, 64), 3, np.uint16)).save(file)
    outcome = depthnet("check", pairs)
    assert outcome.code == 1
    assert "error: unit: the median depth of the data is 0.003 m" in outcome.out


def test_one_data_set_is_needed(depthnet: Shell, pairs: Path) -> None:
    assert depthnet("check").code == 2
    assert depthnet("check", pairs, pairs).code == 2
    assert depthnet("check", "nowhere").code == 1
