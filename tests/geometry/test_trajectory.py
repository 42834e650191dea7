"""Camera paths against the truth: hand-worked errors, identities, degenerate input, and rules written out plainly."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from depthnet.errors import ConfigError, InputError, ShapeError
from depthnet.geometry.se3 import invert_transform, se3_exp
from depthnet.geometry.trajectory import (
    ErrorStatistics,
    Similarity,
    align_path,
    associate_times,
    ate,
    kitti_drift,
    rpe,
    umeyama,
)

RNG = np.random.default_rng(11)


def random_path(count: int, step: float = 0.1, seed: int = 0) -> NDArray[np.float64]:
    """Frames that go about ``step`` metres ahead each and turn as they like."""
    rng = np.random.default_rng(seed)
    poses = [se3_exp(rng.normal(size=6))]
    for twist in rng.normal(size=(count - 1, 6)) * 0.05 + np.array([0, 0, step, 0, 0, 0]):
        poses.append(poses[-1] @ se3_exp(twist))
    return np.array(poses)


def at(*positions: tuple[float, float, float]) -> NDArray[np.float64]:
    """Frames at these places, all looking ahead."""
    T = np.tile(np.eye(4), (len(positions), 1, 1))
    T[:, :3, 3] = positions
    return T


def published(first: list[float], second: list[float], most: float) -> list[tuple[int, int]]:
    """The rule as it is stated: all pairs within the limit, by difference, each stamp once."""
    near = sorted((abs(a - b), a, b) for a in first for b in second if abs(a - b) < most)
    left, right, pairs = list(first), list(second), []
    for _, a, b in near:
        if a in left and b in right:
            left.remove(a)
            right.remove(b)
            pairs.append((first.index(a), second.index(b)))
    return sorted(pairs)


STAMPS = st.lists(st.integers(0, 40).map(lambda n: n / 128), max_size=12, unique=True).map(sorted)


@given(STAMPS, STAMPS, st.sampled_from([1 / 64, 3 / 128, 0.02, 1.0]))
def test_association_is_the_published_one(first: list[float], second: list[float], most: float) -> None:
    pairs = associate_times(np.array(first), np.array(second), most)
    assert [tuple(pair) for pair in pairs.tolist()] == published(first, second, most)


@pytest.mark.parametrize("with_scale", [False, True])
def test_umeyama_finds_the_similarity_again(with_scale: bool, arrays_of: Callable[..., list[Any]]) -> None:
    source, T, scale = RNG.normal(size=(9, 3)), se3_exp(RNG.normal(size=6)), 3.7 if with_scale else 1.0
    found = umeyama(*arrays_of(source, scale * source @ T[:3, :3].T + T[:3, 3]), with_scale=with_scale)
    np.testing.assert_allclose(np.asarray(found.rotation), T[:3, :3], atol=1e-12)
    np.testing.assert_allclose(np.asarray(found.translation), T[:3, 3], atol=1e-12)
    assert found.scale == pytest.approx(scale, rel=1e-12)


def test_umeyama_by_hand() -> None:
    # A square turned by a quarter, doubled and moved.
    square = np.array([[1.0, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]])
    found = umeyama(square, 2 * square @ np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]) + [5, 6, 7], with_scale=True)
    np.testing.assert_allclose(found.rotation, [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-15)
    np.testing.assert_allclose(found.translation, [5, 6, 7])
    assert found.scale == pytest.approx(2)


def test_umeyama_never_mirrors() -> None:
    source = RNG.normal(size=(8, 3)) * [3, 2, 1]
    found = umeyama(source, source * [1, 1, -1])
    assert np.linalg.det(found.rotation) == pytest.approx(1)
    best = np.sum((source @ found.rotation.T + found.translation - source * [1, 1, -1]) ** 2)
    for twist in RNG.normal(size=(30, 6)) * 0.1:
        T = se3_exp(twist)
        other = source @ (T[:3, :3] @ found.rotation).T + found.translation + T[:3, 3]
        assert np.sum((other - source * [1, 1, -1]) ** 2) >= best


def test_paths_that_determine_no_alignment_are_refused() -> None:
    line = np.arange(20.0)[:, None] * [0.3, -0.2, 0.1] + [100, 3, 7]
    for points in (line, np.ones((5, 3)), np.array([[1.0, 2, 3], [2, 3, 5]]), np.ones((1, 3))):
        with pytest.raises(InputError, match=r"one place or on one line.*--align none"):
            umeyama(points, points)
    for points in (np.zeros((0, 3)), np.array([[1.0, 2, np.nan]] * 4)):
        with pytest.raises(InputError, match=r"expected finite ones, at least 3"):
            umeyama(points, points)
    with pytest.raises(ShapeError, match=r"source \(4, 3\) and target \(5, 3\)"):
        umeyama(np.ones((4, 3)), np.ones((5, 3)))


def test_a_similarity_moves_poses_and_keeps_rotations() -> None:
    quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    moved = Similarity(quarter, np.array([1.0, 0, 0]), 2.0).move(at((1, 2, 3)))
    np.testing.assert_allclose(moved[0, :3, 3], [1 - 4, 2, 6])
    np.testing.assert_allclose(moved[0, :3, :3], quarter)


def test_absolute_error_by_hand() -> None:
    reference = at((0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0))
    estimate = at((0, 0, 0), (1, 0, 3), (1, 1, 4), (0, 1, 0))
    errors = ate(estimate, reference, align="none")
    assert errors == ErrorStatistics(rmse=2.5, mean=1.75, median=1.5, std=errors.std, min=0, max=4, count=4)
    assert errors.std == pytest.approx(math.sqrt(2.5**2 - 1.75**2))


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_alignment_takes_away_what_it_is_for(seed: int) -> None:
    reference = random_path(12, seed=seed)
    estimate = se3_exp(np.random.default_rng(seed).normal(size=6)) @ reference
    assert ate(estimate, reference, "se3").max < 1e-12
    np.testing.assert_allclose(align_path(estimate, reference, "se3"), reference, atol=1e-12)
    estimate[:, :3, 3] *= 0.2
    assert ate(estimate, reference, "sim3").max < 1e-12
    assert ate(estimate, reference, "se3").rmse > 1e-3


def test_relative_error_by_hand() -> None:
    # The estimate walks 1.1 m where the truth walks 1 m, and turns 10° too far between frames 1 and 2.
    reference = at((0, 0, 0), (0, 0, 1), (0, 0, 2))
    estimate = at((0, 0, 0), (0, 0, 1.1), (0, 0, 2.2))
    estimate[2] = estimate[2] @ se3_exp(np.array([0, 0, 0, 0, math.radians(10), 0]))
    errors = rpe(estimate, reference)
    assert (errors.translation_m.mean, errors.translation_m.count) == (pytest.approx(0.1), 2)
    assert (errors.rotation_deg.min, errors.rotation_deg.max) == (pytest.approx(0, abs=1e-12), pytest.approx(10))
    assert rpe(estimate, reference, delta=2).translation_m.mean == pytest.approx(0.2)


def test_relative_errors_do_not_change_with_the_frame() -> None:
    reference, T = random_path(40), se3_exp(RNG.normal(size=6))
    estimate = reference @ se3_exp(0.01 * RNG.normal(size=(40, 6)))
    assert rpe(T @ estimate, reference, 5).translation_m.rmse == pytest.approx(
        rpe(estimate, reference, 5).translation_m.rmse
    )
    assert rpe(reference, T @ reference, 5).rotation_deg.max < 1e-12


def test_no_pair_gives_no_number() -> None:
    errors = rpe(random_path(3), random_path(3), delta=3)
    assert errors.translation_m.count == 0
    assert math.isnan(errors.translation_m.rmse)
    assert math.isnan(errors.rotation_deg.median)


def kitti_by_the_book(estimate: Any, reference: Any) -> tuple[float, float, int]:
    """The rule of the development kit, step by step."""
    distances = [0.0]
    for before, after in pairwise(reference):
        distances.append(distances[-1] + float(np.linalg.norm(after[:3, 3] - before[:3, 3])))
    found = []
    for first in range(0, len(reference), 10):
        for length in range(100, 900, 100):
            last = next((n for n, d in enumerate(distances) if d > distances[first] + length), None)
            if last is None:
                continue
            true = np.linalg.inv(reference[first]) @ reference[last]
            error = np.linalg.inv(np.linalg.inv(estimate[first]) @ estimate[last]) @ true
            angle = math.acos(max(-1.0, min(1.0, (np.trace(error[:3, :3]) - 1) / 2)))
            found.append((np.linalg.norm(error[:3, 3]) / length, angle / length))
    translation, rotation = np.mean(found, axis=0)
    return 100 * translation, 100 * math.degrees(rotation), len(found)


def test_kitti_drift_is_the_development_kits() -> None:
    reference = random_path(260, step=1.3)
    estimate = [reference[0]]
    for before, after in pairwise(reference):
        estimate.append(estimate[-1] @ invert_transform(before) @ after @ se3_exp(0.01 * RNG.normal(size=6)))
    t_rel, r_rel, count = kitti_by_the_book(estimate, reference)
    drift = kitti_drift(np.array(estimate), reference)
    assert drift.segments == count
    assert (drift.t_rel_percent, drift.r_rel_deg_per_100m) == (pytest.approx(t_rel), pytest.approx(r_rel, rel=1e-6))
    assert set(drift.by_length) == {100.0, 200.0, 300.0}


def test_kitti_drift_of_a_path_that_is_too_long_by_a_hundredth() -> None:
    reference = at(*((0, 0, 0.5 * n) for n in range(500)))
    estimate = reference.copy()
    estimate[:, 2, 3] *= 1.01
    drift = kitti_drift(estimate, reference)
    # A piece ends at the first frame beyond its length, half a metre later.
    lengths = {100.0: 1.005, 200.0: 1.0025}
    assert {length: pytest.approx(t, rel=1e-9) for length, t in lengths.items()} == {
        length: t for length, (t, _) in drift.by_length.items()
    }
    assert drift.r_rel_deg_per_100m == pytest.approx(0, abs=1e-12)
    short = kitti_drift(reference[:200], reference[:200])
    assert (short.segments, short.by_length) == (0, {})
    assert math.isnan(short.t_rel_percent)


def test_other_input_is_refused() -> None:
    path = random_path(4)
    for function in (ate, rpe, kitti_drift):
        with pytest.raises(ShapeError, match=r"estimate \(4, 4, 4\) and reference \(3, 4, 4\)"):
            function(path, path[:3])
        with pytest.raises(InputError, match=r"no pose to compare"):
            function(path[:0], path[:0])
    with pytest.raises(ConfigError, match=r"--align sim2: unknown; choose one of none, se3, sim3"):
        ate(path, path, "sim2")  # type: ignore[arg-type]
