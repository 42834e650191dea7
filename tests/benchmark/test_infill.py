"""The benchmark of in-filling: its frame, its figures on a small one, and a process that fails."""

from __future__ import annotations

import subprocess
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("scipy")

from depthnet.benchmark import infill
from depthnet.cli.benchmark import format_result
from depthnet.errors import DepthNetError


def test_the_frame_has_the_holes_of_a_sensor() -> None:
    image, depth = infill.build_frame()
    assert (image.shape, image.dtype, depth.shape) == ((480, 640, 3), np.uint8, (480, 640))
    unknown = depth == 0
    assert 0.09 < unknown.mean() < 0.13
    assert unknown[0].all()
    assert unknown[:, 0].all()
    assert depth[~unknown].min() > 0.5
    assert depth.max() < 6
    again = infill.build_frame()
    np.testing.assert_array_equal(image, again[0])
    np.testing.assert_array_equal(depth, again[1])


def test_both_are_timed_and_compared() -> None:
    figures = infill.compare(*infill.build_frame((48, 64)), repeats=1)["infill"]
    assert figures["ratio"] == pytest.approx(figures["rival"] / figures["ours"])
    assert 0 < figures["difference"] < 1e-4
    assert "64x48 frame" in format_result("infill", figures)


def test_the_figures_come_from_a_process_with_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def run(command: list[str], env: dict[str, str], **_: Any) -> subprocess.CompletedProcess[str]:
        seen.update(env)
        return subprocess.CompletedProcess(command, 0, '{"infill": {"ratio": 2.0}}', "")

    monkeypatch.setattr(subprocess, "run", run)
    assert infill.run() == {"infill": {"ratio": 2.0}}
    assert seen["OMP_NUM_THREADS"] == seen["OPENBLAS_NUM_THREADS"] == "1"


def test_a_process_that_fails_is_an_error_of_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "Traceback\nMissingTierError: needs numba")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(DepthNetError, match="exit 1, MissingTierError: needs numba"):
        infill.run()
