"""Alignment: hand numbers, optimality, degenerate predictions, NumPy and PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from depthnet.alignment import (
    ALIGNMENTS,
    align,
    alignment_for,
    apply_fit,
    fit_median,
    fit_none,
    fit_scale,
    fit_scale_shift,
    fit_scale_shift_disparity,
)
from depthnet.errors import ConfigError, InputError, ShapeError

ALL = np.ones(4, dtype=bool)


def test_hand_numbers(arrays_of: Callable[..., list[Any]]) -> None:
    # Targets are 2 p + 1 but for the last pixel, which is masked.
    prediction, target = np.array([1.0, 2.0, 4.0, 9.0]), np.array([3.0, 5.0, 9.0, 100.0])
    arrays = arrays_of(prediction, target, np.array([True, True, True, False]))
    assert fit_none(*arrays) == (1.0, 0.0)
    assert fit_median(*arrays) == pytest.approx((5.0 / 2.0, 0.0))
    assert fit_scale(*arrays) == pytest.approx((49.0 / 21.0, 0.0))  # (3 + 10 + 36) / (1 + 4 + 16)
    assert fit_scale_shift(*arrays) == pytest.approx((2.0, 1.0))


def test_median_of_an_even_number_is_the_mean_of_the_middle_two(arrays_of: Callable[..., list[Any]]) -> None:
    arrays = arrays_of(np.array([4.0, 1.0, 3.0, 2.0], dtype=np.float32), np.array([10.0, 20.0, 0.5, 0.25]), ALL)
    assert fit_median(*arrays) == pytest.approx((5.25 / 2.5, 0.0))


def test_least_squares_fits_are_the_best() -> None:
    rng = np.random.default_rng(1)
    prediction = rng.uniform(1, 5, (8, 9)).astype(np.float32)
    target = (0.7 * prediction + 0.4 + rng.normal(0, 0.2, (8, 9))).astype(np.float32)
    valid = rng.random((8, 9)) > 0.3
    p, t = prediction[valid].astype(float), target[valid].astype(float)
    slope = np.linalg.lstsq(p[:, None], t, rcond=None)[0]
    line = np.linalg.lstsq(np.stack([p, np.ones_like(p)], axis=1), t, rcond=None)[0]
    assert fit_scale(prediction, target, valid) == pytest.approx((slope[0], 0.0), rel=1e-5)
    assert fit_scale_shift(prediction, target, valid) == pytest.approx(tuple(line), rel=1e-4)
    aligned = align("scale-shift", prediction, target, valid)
    assert aligned.shape == prediction.shape
    np.testing.assert_allclose(aligned, prediction * line[0] + line[1], rtol=1e-5)


@pytest.mark.parametrize("method", ["median", "scale", "scale-shift"])
def test_a_wrong_unit_is_undone(method: str) -> None:
    target = np.random.default_rng(2).uniform(1, 9, 50)
    np.testing.assert_allclose(align(method, target * 1000.0, target, np.ones(50, dtype=bool)), target, rtol=1e-9)


@pytest.mark.parametrize("method", ["median", "scale", "scale-shift"])
def test_non_finite_predictions_are_left_out_of_the_fit(method: str) -> None:
    prediction, target = np.array([1.0, math.nan, 2.0, math.inf]), np.array([2.0, 7.0, 4.0, 9.0])
    assert ALIGNMENTS[method](prediction, target, ALL) == pytest.approx((2.0, 0.0))


@pytest.mark.parametrize("method", ["median", "scale", "scale-shift"])
def test_no_usable_pixel_is_an_error(method: str) -> None:
    one = np.ones(4)
    for prediction, valid in ((one, ~ALL), (one * math.nan, ALL)):
        with pytest.raises(InputError, match="no valid pixel with a finite prediction"):
            align(method, prediction, one, valid)


def test_degenerate_predictions() -> None:
    target = np.array([1.0, 2.0, 3.0, 6.0])
    zero, constant = np.zeros(4), np.full(4, 0.3, dtype=np.float32)
    with pytest.raises(InputError, match="median is 0"):
        align("median", zero, target, ALL)
    with pytest.raises(InputError, match="0 at every valid pixel"):
        align("scale", zero, target, ALL)
    for flat in (zero, constant):
        assert fit_scale_shift(flat, target, ALL) == (0.0, 3.0)


def test_disparity_gives_a_negative_scale() -> None:
    target = np.array([1.0, 2.0, 4.0, 8.0])
    assert fit_scale_shift(1.0 / target, target, ALL)[0] < 0


def test_unknown_names_and_shapes() -> None:
    with pytest.raises(ConfigError, match="affine: unknown; choose one of none, median, scale, scale-shift"):
        align("affine", np.ones(4), np.ones(4), ALL)
    with pytest.raises(ShapeError, match="one shape"):
        align("median", np.ones(4), np.ones((2, 2)), ALL)


def test_disparity_by_hand(arrays_of: Callable[..., list[Any]]) -> None:
    # 1/t = 0.1 p + 0.05 but for the last pixel, which has no depth and is masked.
    prediction, target = np.array([0.5, 2.0, 4.5, 1.0]), np.array([10.0, 4.0, 2.0, 0.0])
    arrays = arrays_of(prediction, target, np.array([True, True, True, False]))
    assert fit_scale_shift_disparity(*arrays) == pytest.approx((0.1, 0.05))
    aligned = align("scale-shift-disparity", *arrays)
    np.testing.assert_allclose(np.asarray(aligned), [10.0, 4.0, 2.0, 1 / 0.15], rtol=1e-6)


def test_disparity_of_zero_or_less_lies_far_away(arrays_of: Callable[..., list[Any]]) -> None:
    (prediction,) = arrays_of(np.array([1.0, 0.0, -3.0, math.nan], dtype=np.float32))
    depth = np.asarray(apply_fit("scale-shift-disparity", prediction, 0.5, 0.0))
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, [2.0, 1e6, 1e6, math.nan])


def test_the_alignment_of_each_kind_of_output() -> None:
    assert [alignment_for("metric", name) for name in ALIGNMENTS] == list(ALIGNMENTS)
    assert alignment_for("affine_invariant", "scale-shift") == "scale-shift-disparity"
    assert alignment_for("scale_invariant", "scale") == "scale"
    for kind, name in (("affine_invariant", "none"), ("affine_invariant", "median"), ("scale_invariant", "none")):
        with pytest.raises(ConfigError, match=f"--align {name}: this model gives .* pass --align"):
            alignment_for(kind, name)
    with pytest.raises(ConfigError, match="--align least: unknown"):
        alignment_for("metric", "least")
