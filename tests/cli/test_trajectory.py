"""`depthnet trajectory` through its command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depthnet.geometry.se3 import se3_exp
from depthnet.io.trajectory import write_trajectory

#: Runs a command line and gives its exit code, stdout and stderr: see conftest.py.
Shell = Callable[..., Any]


@pytest.fixture
def paths(tmp_path: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    truth = se3_exp(np.cumsum(rng.normal(size=(40, 6)) * 0.05, axis=0))
    write_trajectory(tmp_path / "estimate.txt", np.arange(40) / 10, truth @ se3_exp(rng.normal(size=(40, 6)) * 0.01))
    write_trajectory(tmp_path / "truth.txt", np.arange(40) / 10, truth)
    return tmp_path / "estimate.txt", tmp_path / "truth.txt"


def test_prints_a_table_and_writes_json_once(depthnet: Shell, paths: tuple[Path, Path], tmp_path: Path) -> None:
    words = ("trajectory", "--json", "s.json", paths[0], "--align", "sim3", paths[1], "--delta", 5)
    outcome = depthnet(*words, "--delta-unit", "frames,s")
    assert outcome.code == 0, outcome.err
    assert "40 of 40 poses matched to 40" in outcome.out
    assert "RPE per 5 frames, deg" in outcome.out
    assert "RPE per 5 m" not in outcome.out
    scores = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))
    assert 0 < scores["ate_m"]["rmse"] < 0.05
    assert [one["unit"] for one in scores["rpe"]] == ["frames", "s"]
    again = depthnet(*words)
    assert again.code == 1
    assert "exists already; pass --overwrite" in again.err
    assert depthnet(*words, "--overwrite").code == 0


def test_wrong_usage_and_wrong_files(depthnet: Shell, paths: tuple[Path, Path]) -> None:
    assert depthnet("trajectory", paths[0]).code == 2
    assert depthnet("trajectory", *paths, "--align", "sim2").code == 2
    missing = depthnet("trajectory", "none.txt", paths[1])
    assert (missing.code, len(missing.err.splitlines())) == (1, 1)
    assert "none.txt: cannot be read" in missing.err
    wrong = depthnet("trajectory", *paths, "--delta", 0.5, "--delta-unit", "frames")
    assert wrong.code == 1
    assert "--delta 0.5 frames: expected a positive number, a whole one of frames" in wrong.err
