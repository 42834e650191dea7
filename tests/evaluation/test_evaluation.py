"""Evaluation: each protocol against a slow and plain restatement, options, the JSON contract."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depthnet.config import EvaluateConfig
from depthnet.errors import ConfigError, InputError, ShapeError
from depthnet.evaluation import (
    PROTOCOLS,
    Evaluation,
    evaluate,
    evaluate_path,
    find_protocol,
    find_protocols,
    format_table,
    score,
)
from depthnet.metrics import METRICS

MakeScenes = Callable[..., Any]
INDOOR, OUTDOOR, OPEN = (1e-3, 10.0), (1e-3, 80.0), (1e-3, 1e3)


class Fixed:
    """Gives stored depth maps in turn and keeps what it was asked."""

    def __init__(self, depths: list[np.ndarray]) -> None:
        self.depths, self.asked = depths, []

    def depth(self, image: np.ndarray, focal_px: float | None) -> np.ndarray:
        self.asked.append((image, focal_px))
        return self.depths[(len(self.asked) - 1) % len(self.depths)]


def noisy(depths: list[np.ndarray], seed: int = 1) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    predictions = [np.float32(np.maximum(d, 1) * np.exp(rng.normal(0.1, 0.3, d.shape))) for d in depths]
    for prediction in predictions:
        prediction[3, 7:9], prediction[40, 50], prediction[60, 70], prediction[61, 70] = np.nan, np.inf, -1.0, 0.0
    return predictions


def naive_pixels(
    prediction: np.ndarray, depth: np.ndarray, box: tuple[int, int, int, int], limits: tuple[float, float], cap: bool
) -> list[tuple[float, float]]:
    """Clamped prediction and truth of every pixel that counts, one after another."""
    pairs = []
    for y in range(box[0], box[1]):
        for x in range(box[2], box[3]):
            p, t = float(prediction[y, x]), float(depth[y, x])
            if t > 0 and (not cap or limits[0] < t < limits[1]):
                pairs.append((limits[0] if math.isnan(p) else min(max(p, limits[0]), limits[1]), t))
    return pairs


def naive_metrics(pairs: list[tuple[float, float]]) -> dict[str, float]:
    p, t = np.array(pairs).T
    e = np.log(p) - np.log(t)
    ratio = np.maximum(p / t, t / p)
    return {
        "abs_rel": np.mean(np.abs(t - p) / t),
        "sq_rel": np.mean((t - p) ** 2 / t),
        "rmse": np.sqrt(np.mean((t - p) ** 2)),
        "rmse_log": np.sqrt(np.mean(e**2)),
        "log10": np.mean(np.abs(np.log10(p) - np.log10(t))),
        "silog": 100 * np.sqrt(np.mean(e**2) - np.mean(e) ** 2),
        "delta1": np.mean(ratio < 1.25),
        "delta2": np.mean(ratio < 1.25**2),
        "delta3": np.mean(ratio < 1.25**3),
    }


# Boxes written out by hand for a 96 x 128 ground truth: a fifth of 480 x 640.
NAIVE = {
    "nyu": ((9, 94, 8, 120), INDOOR, True),  # 45/5, 94.2, 8.2, 120.2
    "nyu-toolbox": ((9, 94, 8, 120), INDOOR, True),  # 8.8, 94.2, 8, 120.2
    "nyu-full": ((0, 96, 0, 128), INDOOR, True),
    "nyu-densedepth": ((4, 92, 5, 123), INDOOR, True),  # 4, 92, 4.8, 123.2
    "kitti-eigen": ((39, 95, 4, 123), OUTDOOR, True),  # 39.18, 95.2, 4.6, 123.4
    "kitti-eigen-crop": ((31, 87, 4, 123), OUTDOOR, True),  # 31.9, 87.7
    "none": ((0, 96, 0, 128), OPEN, False),
}


def test_every_protocol_has_a_restatement() -> None:
    assert set(NAIVE) == set(PROTOCOLS)


@pytest.mark.parametrize("spread", [1.0, 30.0])  # with 30, predictions leave every range
def test_protocols_side_by_side_equal_the_naive_loops(make_scenes: MakeScenes, spread: float) -> None:
    scenes = make_scenes()
    predictions = [p * np.float32(spread) for p in noisy(scenes.depths)]
    names = [*PROTOCOLS, *(f"{name}-pooled" for name in PROTOCOLS)]
    found = evaluate(Fixed(predictions), scenes, names).to_json()["protocols"]
    assert list(found) == names
    for name, (box, limits, cap) in NAIVE.items():
        images = [naive_pixels(p, d, box, limits, cap) for p, d in zip(predictions, scenes.depths)]
        rows = [naive_metrics(pairs) for pairs in images]
        for metric in METRICS:
            mean = np.mean([row[metric] for row in rows])
            assert found[name][metric] == pytest.approx(mean, rel=2e-5), (name, metric)
        pooled = naive_metrics([pair for pairs in images for pair in pairs])
        assert {m: found[f"{name}-pooled"][m] for m in METRICS} == pytest.approx(pooled, rel=2e-5), name
        assert found[name]["pixels"] == found[f"{name}-pooled"]["pixels"] == sum(map(len, images))


def test_a_prediction_within_the_range_takes_the_shared_path_to_the_same_numbers() -> None:
    rng = np.random.default_rng(3)
    depth = np.float32(rng.uniform(1, 9, (96, 128)) * (rng.random((96, 128)) > 0.3))
    prediction = np.float32(rng.uniform(1, 9.5, (96, 128)))
    found = score(prediction, depth, None, find_protocols(PROTOCOLS))
    for name, (box, limits, cap) in NAIVE.items():
        pairs = naive_pixels(prediction, depth, box, limits, cap)
        assert found[name].pixels == len(pairs)
        assert found[name].metrics() == pytest.approx(naive_metrics(pairs), rel=1e-5), name


@pytest.mark.parametrize("align", ["median", "scale", "scale-shift"])
def test_alignment_is_fitted_to_the_protocol_s_own_pixels_before_the_clamp(align: str) -> None:
    rng = np.random.default_rng(4)
    depth = np.float32(rng.uniform(1, 12, (96, 128)))
    prediction = np.float32(0.3 * depth * np.exp(rng.normal(0, 0.2, depth.shape)))
    box, limits, _ = NAIVE["nyu"]
    inside = np.zeros(depth.shape, bool)
    inside[box[0] : box[1], box[2] : box[3]] = True
    inside &= depth < 10
    p, t = prediction[inside].astype(float), depth[inside].astype(float)
    scale, shift = {
        "median": (np.median(t) / np.median(p), 0.0),
        "scale": ((p @ t) / (p @ p), 0.0),
        "scale-shift": np.polyfit(p, t, 1),
    }[align]
    expected = naive_metrics(naive_pixels(prediction * scale + shift, depth, box, limits, True))
    found = score(prediction, depth, None, find_protocols(["nyu", "none"]), align)
    assert found["nyu"].metrics() == pytest.approx(expected, rel=1e-4)
    assert found["none"].metrics() != pytest.approx(expected, rel=1e-4)


def test_crops_at_their_reference_sizes() -> None:
    assert PROTOCOLS["nyu"].crop(480, 640) == (45, 471, 41, 601)
    assert PROTOCOLS["nyu-toolbox"].crop(480, 640) == (44, 471, 40, 601)
    assert PROTOCOLS["nyu-densedepth"].crop(480, 640) == (20, 460, 24, 616)
    assert PROTOCOLS["nyu-full"].crop(480, 640) == PROTOCOLS["none"].crop(480, 640) == (0, 480, 0, 640)


@pytest.mark.parametrize(
    ("size", "garg", "eigen"),
    [
        ((370, 1224), (151, 366, 43, 1180), (122, 337, 43, 1180)),
        ((370, 1226), (151, 366, 44, 1181), (122, 337, 44, 1181)),
        ((374, 1238), (152, 370, 44, 1193), (124, 341, 44, 1193)),
        ((375, 1242), (153, 371, 44, 1197), (124, 342, 44, 1197)),
        ((376, 1241), (153, 372, 44, 1196), (124, 343, 44, 1196)),
    ],
)
def test_kitti_crops_cut_fractions_off(size: tuple[int, int], garg: tuple[int, ...], eigen: tuple[int, ...]) -> None:
    assert PROTOCOLS["kitti-eigen"].crop(*size) == garg
    assert PROTOCOLS["kitti-eigen-crop"].crop(*size) == eigen


def test_ranges_are_open_for_truth_and_closed_for_predictions() -> None:
    depth = np.array([[0.0, 0.001, 0.0011, 5.0, 9.999, 10.0, 11.0, np.nan]], dtype=np.float32)
    found = score(np.full_like(depth, 20.0), depth, None, find_protocols(["nyu-full", "none"]))
    assert found["nyu-full"].pixels == 3
    assert found["none"].pixels == 6
    far = score(np.full((1, 1), np.inf, np.float32), np.full((1, 1), 5.0, np.float32), None, [PROTOCOLS["nyu-full"]])
    assert far["nyu-full"].metrics()["abs_rel"] == pytest.approx(1.0)  # infinity counts as 10 m
    gap = score(np.full((1, 1), np.nan, np.float32), np.full((1, 1), 5.0, np.float32), None, [PROTOCOLS["nyu-full"]])
    assert gap["nyu-full"].metrics()["rmse"] == pytest.approx(4.999)  # NaN counts as 1 mm


def test_an_explicit_mask_is_kept() -> None:
    depth = np.full((4, 4), 2.0, np.float32)
    valid = np.zeros((4, 4), bool)
    valid[1, 2] = True
    assert score(depth, depth, valid, [PROTOCOLS["none"]])["none"].pixels == 1
    with pytest.raises(ShapeError, match="one shape"):
        score(depth, depth[:2], None, [PROTOCOLS["none"]])


def test_protocol_names() -> None:
    assert find_protocol("nyu-pooled").pooled
    assert [p.name for p in find_protocols(["nyu", "none", "nyu"])] == ["nyu", "none"]
    with pytest.raises(ConfigError, match=r"kitti-eign: unknown; choose from nyu, .*none.*meant kitti-eigen\."):
        find_protocol("kitti-eign")


def test_images_without_a_counting_pixel_are_left_out_and_said(make_scenes: MakeScenes) -> None:
    scenes = make_scenes(("near", "far"))
    scenes.depths[1][:] = 50.0
    found = evaluate(Fixed(scenes.depths), scenes, ["nyu", "none"])
    assert found.count == 2
    assert found.left_out == {"nyu": 1, "none": 0}
    assert found.scores["nyu"]["delta1"] == 1.0
    assert "nyu: 1 of 2 images have no pixel that counts" in format_table(found)
    scenes.depths[0][:] = 50.0
    nothing = evaluate(Fixed(scenes.depths), scenes).to_json()["protocols"]["nyu"]
    assert nothing == {**dict.fromkeys(METRICS), "pixels": 0}


def test_focal_length_comes_from_the_option_then_the_camera(make_scenes: MakeScenes) -> None:
    model, scenes = Fixed([np.ones((96, 128), np.float32)]), make_scenes()
    evaluate(model, scenes)
    evaluate(model, scenes, focal_px=518.8579)
    assert [focal for _, focal in model.asked] == [100.0, 100.0, 518.8579, 518.8579]
    with pytest.raises(ConfigError, match="--focal-px -1"):
        evaluate(model, scenes, focal_px=-1.0)


def test_flip_averages_with_the_mirror_image(make_scenes: MakeScenes) -> None:
    scenes = make_scenes(("a",))
    left = np.zeros((96, 128), np.float32)
    left[:, :64] = 4.0
    model = Fixed([left + 1.0])  # blind to the image: its two answers differ after mirroring back
    scenes.depths[0][:] = 3.0
    found = evaluate(model, scenes, flip=True)
    assert found.scores["nyu"]["abs_rel"] == pytest.approx(0.0, abs=1e-7)
    np.testing.assert_array_equal(model.asked[0][0][:, ::-1], model.asked[1][0])


def test_predictions_of_another_size_are_resized_to_the_ground_truth(make_scenes: MakeScenes) -> None:
    scenes = make_scenes(("a",))
    scenes.depths[0] = np.tile(1 + 8 * (np.arange(128, dtype=np.float32) + 0.5) / 128, (96, 1))
    half = np.tile(1 + 8 * (np.arange(64, dtype=np.float32) + 0.5) / 64, (48, 1))
    found = evaluate(Fixed([half]), scenes)
    assert found.scores["nyu"]["abs_rel"] == pytest.approx(0.0, abs=1e-6)  # its crop has no edge column


def test_options_that_do_not_fit_the_model(make_scenes: MakeScenes, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--flip"):
        evaluate(tmp_path, make_scenes(), flip=True)
    with pytest.raises(ConfigError, match="--prediction-scale"):
        evaluate(Fixed([]), make_scenes(), prediction_scale=1.0)
    with pytest.raises(ConfigError, match="--data: missing"):
        evaluate_path(EvaluateConfig())
    with pytest.raises(ConfigError, match="--align x: unknown"):
        evaluate(Fixed([]), make_scenes(), align="x")


def test_json_has_the_contract_s_shape(make_scenes: MakeScenes, tmp_path: Path) -> None:
    found = evaluate(Fixed(noisy(make_scenes().depths)), make_scenes(), ["nyu", "nyu-pooled"])
    found.write_json(tmp_path / "scores.json")
    read = json.loads((tmp_path / "scores.json").read_text())
    assert list(read) == ["model", "data", "count", "protocols", "seconds"]
    assert read["count"] == 2
    assert list(read["protocols"]["nyu"]) == [*METRICS, "pixels"]
    assert read["protocols"]["nyu"]["pixels"] == sum(image.sums["nyu"].pixels for image in found.per_image)
    assert read["seconds"] > 0
    with pytest.raises(InputError, match="exists already"):
        found.write_json(tmp_path / "scores.json")


def test_table_lines_up() -> None:
    table = format_table(Evaluation("m", "d", "median", True, tuple(find_protocols(["nyu", "nyu-toolbox"]))))
    title, *rows = table.splitlines()
    assert title == "m on d: 0 images, align median, flip averaging"
    assert len({len(row) for row in rows}) == 1
    assert rows[0].split() == ["protocol", *METRICS, "pixels"]
