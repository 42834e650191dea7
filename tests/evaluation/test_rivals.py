"""Models whose output has no unit: which alignment they need, and in which space it is fitted."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from depthnet.errors import ConfigError
from depthnet.evaluation import evaluate

MakeScenes = Callable[..., Any]


class Rival:
    """Gives a function of the true depth of each sample in turn."""

    def __init__(self, scenes: Any, kind: str, function: Callable[[np.ndarray], np.ndarray]) -> None:
        self.info = SimpleNamespace(kind=kind)
        self.outputs = iter([np.float32(function(np.maximum(depth, 0.25))) for depth in scenes.depths])

    def depth(self, image: np.ndarray, focal_px: float | None) -> np.ndarray:
        return next(self.outputs)


def test_inverse_depth_is_fitted_in_inverse_depth(make_scenes: MakeScenes) -> None:
    scenes = make_scenes()
    rival = Rival(scenes, "affine_invariant", lambda depth: 40.0 / depth - 3.0)
    found = evaluate(rival, scenes, ["nyu", "none"], align="scale-shift")
    assert found.align == "scale-shift-disparity"
    for scores in found.scores.values():
        assert scores["abs_rel"] == pytest.approx(0.0, abs=1e-4)
        assert scores["delta1"] == 1.0


def test_inverse_depth_without_scale_and_shift_is_refused(make_scenes: MakeScenes) -> None:
    scenes = make_scenes()
    for align in ("none", "median", "scale"):
        with pytest.raises(ConfigError, match="pass --align scale-shift") as caught:
            evaluate(Rival(scenes, "affine_invariant", np.reciprocal), scenes, align=align)
        assert "\n" not in str(caught.value)


def test_depth_up_to_a_scale_needs_one(make_scenes: MakeScenes) -> None:
    scenes = make_scenes()
    with pytest.raises(ConfigError, match="pass --align median"):
        evaluate(Rival(scenes, "scale_invariant", lambda depth: 7 * depth), scenes)
    found = evaluate(Rival(scenes, "scale_invariant", lambda depth: 7 * depth), scenes, align="median")
    assert found.scores["nyu"]["abs_rel"] == pytest.approx(0.0, abs=1e-5)


def test_a_folder_of_disparities_by_another_program(make_scenes: MakeScenes, tmp_path: Any) -> None:
    scenes = make_scenes()
    for name, depth in zip(scenes.names, scenes.depths):
        np.save(tmp_path / f"{name}.npy", 2.0 / np.maximum(depth, 0.25) + 5.0)
    found = evaluate(tmp_path, scenes, align="scale-shift-disparity")
    assert found.scores["nyu"]["abs_rel"] == pytest.approx(0.0, abs=1e-3)
    assert evaluate(tmp_path, scenes, align="scale-shift").scores["nyu"]["abs_rel"] > 0.05
