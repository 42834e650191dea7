"""Metrics: numbers worked by hand, agreement of the one-pass sums with the single formulas, NumPy and PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthnet import metrics
from depthnet.errors import InputError, ShapeError
from depthnet.metrics import METRICS, MetricSums, depth_metrics, metric_sums

# p, t, counted: errors -1/2, 0 and +2 of targets 1, 2 and 4; the last pixel is masked and worthless.
PREDICTION = np.array([[0.5, 2.0], [6.0, math.nan]], dtype=np.float32)
TARGET = np.array([[1.0, 2.0], [4.0, 0.0]], dtype=np.float32)
VALID = np.array([[True, True], [True, False]])
LN2, LN15 = math.log(2.0), math.log(1.5)
BY_HAND = {
    "abs_rel": (0.5 + 0.0 + 0.5) / 3,
    "sq_rel": (0.25 + 0.0 + 1.0) / 3,
    "rmse": math.sqrt((0.25 + 0.0 + 4.0) / 3),
    "rmse_log": math.sqrt((LN2**2 + LN15**2) / 3),
    "log10": (math.log10(2.0) + math.log10(1.5)) / 3,
    "silog": 100 * math.sqrt((LN2**2 + LN15**2) / 3 - ((LN15 - LN2) / 3) ** 2),
    "delta1": 1 / 3,
    "delta2": 2 / 3,  # a ratio of 1.5 is below 1.5625
    "delta3": 2 / 3,  # a ratio of 2 is above 1.953125
}


@pytest.mark.parametrize("name", METRICS)
def test_each_metric_by_hand(name: str, arrays_of: Callable[..., list[Any]]) -> None:
    value = getattr(metrics, name)(*arrays_of(PREDICTION, TARGET, VALID))
    assert value.shape == ()
    assert float(value) == pytest.approx(BY_HAND[name], rel=1e-6)


def test_all_in_one_pass_by_hand(arrays_of: Callable[..., list[Any]]) -> None:
    found = depth_metrics(*arrays_of(PREDICTION, TARGET, VALID))
    assert list(found) == list(METRICS)
    assert found == pytest.approx(BY_HAND, rel=1e-6)
    assert all(type(value) is float for value in found.values())


def test_perfect_prediction() -> None:
    found = depth_metrics(TARGET, TARGET, VALID)
    assert found == {name: (1.0 if name.startswith("delta") else 0.0) for name in METRICS}


@pytest.mark.parametrize("power", [1, 2, 3])
def test_delta_is_strict_in_both_directions(power: int) -> None:
    threshold = np.array([1.25**power, 1.0], dtype=np.float32)
    one, all_valid = np.array([1.0, 1.25**power], dtype=np.float32), np.ones(2, dtype=bool)
    assert float(getattr(metrics, f"delta{power}")(threshold, one, all_valid)) == 0.0
    assert depth_metrics(threshold, one, all_valid)[f"delta{power}"] == 0.0
    below = np.nextafter(np.float32(1.25**power), np.float32(0.0)).reshape(1)
    assert depth_metrics(below, one[:1], all_valid[:1])[f"delta{power}"] == 1.0


def test_silog_ignores_a_common_factor() -> None:
    rng = np.random.default_rng(0)
    target = rng.uniform(1, 9, 500)
    prediction = target * np.exp(rng.normal(0, 0.1, 500))
    valid = np.ones(500, dtype=bool)
    plain, scaled = depth_metrics(prediction, target, valid), depth_metrics(prediction * 3, target, valid)
    assert scaled["silog"] == pytest.approx(plain["silog"], rel=1e-9)
    assert scaled["rmse_log"] > 5 * plain["rmse_log"]


def test_silog_of_a_pure_factor_is_zero_in_single_precision() -> None:
    target = np.random.default_rng(1).uniform(1, 9, 10_000).astype(np.float32)
    valid = np.ones(10_000, dtype=bool)
    assert depth_metrics(target * np.float32(1.1), target, valid)["silog"] < 1e-4
    assert float(metrics.silog(target * np.float32(1.1), target, valid)) < 1e-4


def test_swapping_the_arguments_matters_only_where_it_should() -> None:
    forth, back = depth_metrics(PREDICTION, TARGET, VALID), depth_metrics(TARGET, PREDICTION, VALID)
    same = {name for name in METRICS if forth[name] == pytest.approx(back[name], rel=1e-6)}
    assert same == set(METRICS) - {"abs_rel", "sq_rel"}


def test_without_a_valid_pixel_a_metric_is_nan(arrays_of: Callable[..., list[Any]]) -> None:
    arrays = arrays_of(PREDICTION, TARGET, np.zeros_like(VALID))
    assert all(math.isnan(value) for value in depth_metrics(*arrays).values())
    assert all(math.isnan(float(getattr(metrics, name)(*arrays))) for name in METRICS)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("which", ["prediction", "target"])
def test_worthless_valid_depth_is_refused(bad: float, which: str) -> None:
    arrays = {"prediction": np.full((2, 2), 2.0), "target": np.full((2, 2), 2.0)}
    arrays[which][0, 1] = bad
    with pytest.raises(InputError, match=rf"{which}: valid depths .*positive finite metres"):
        depth_metrics(arrays["prediction"], arrays["target"], np.ones((2, 2), dtype=bool))


def test_shapes_and_mask_types_are_checked() -> None:
    with pytest.raises(ShapeError, match=r"\(2, 2\).*\(4,\).*one shape"):
        depth_metrics(PREDICTION, TARGET.reshape(-1), VALID)
    with pytest.raises(ShapeError, match="uint8; expected bool"):
        depth_metrics(PREDICTION, TARGET, VALID.astype(np.uint8))


depths = st.lists(
    st.tuples(st.floats(0.0625, 80.0, width=32), st.floats(0.0625, 80.0, width=32), st.booleans()),
    min_size=1,
    max_size=30,
)


@settings(max_examples=50, deadline=None)
@given(depths)
def test_sums_agree_with_the_single_formulas(rows: list[tuple[float, float, bool]]) -> None:
    prediction, target = (np.array([row[i] for row in rows]) for i in (0, 1))
    valid = np.array([row[2] for row in rows])
    together = depth_metrics(prediction, target, valid)
    for name in METRICS:
        alone = float(getattr(metrics, name)(prediction, target, valid))
        assert together[name] == pytest.approx(alone, rel=1e-9, abs=2e-5, nan_ok=True)


@settings(max_examples=30, deadline=None)
@given(depths, st.integers(0, 30))
def test_adding_sums_pools_the_pixels(rows: list[tuple[float, float, bool]], cut: int) -> None:
    prediction, target = (np.array([row[i] for row in rows]) for i in (0, 1))
    valid = np.array([row[2] for row in rows])
    parts = [metric_sums(prediction[s], target[s], valid[s]) for s in (slice(0, cut), slice(cut, None))]
    pooled, whole = sum(parts, MetricSums()), metric_sums(prediction, target, valid)
    assert pooled.pixels == whole.pixels == valid.sum()
    assert pooled.log == pytest.approx(whole.log)
    assert pooled.metrics() == pytest.approx(whole.metrics(), rel=1e-9, abs=2e-5, nan_ok=True)


def test_half_precision_is_computed_in_single() -> None:
    prediction, target = (np.full(70_000, value, dtype=np.float16) for value in (300.0, 100.0))
    found = depth_metrics(prediction, target, np.ones(70_000, dtype=bool))
    assert found["rmse"] == pytest.approx(200.0)
    assert found["abs_rel"] == pytest.approx(2.0)
