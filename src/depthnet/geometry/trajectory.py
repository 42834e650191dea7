"""Camera paths against the truth: pairing by time, alignment, absolute and relative errors, KITTI's drift.

A trajectory is T_world_cam of each frame, (N, 4, 4), metres; two that are compared have one pose for each of the same
frames (`associate_times` pairs them). Absolute and relative errors are those of evo and of the TUM benchmark, drift is
that of KITTI odometry.

Source: Sturm et al., A Benchmark for the Evaluation of RGB-D SLAM Systems, IROS 2012; Geiger et al., CVPR 2012.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from depthnet.errors import ConfigError, InputError, ShapeError
from depthnet.geometry.frame_pairs import DeltaUnit, Poses, distances_along, select_pairs
from depthnet.geometry.se3 import invert_transform
from depthnet.geometry.so3 import so3_log

ArrayT = TypeVar("ArrayT", bound=Any)
PathAlign = Literal["none", "se3", "sim3"]

#: Stamps that differ by less belong together, seconds: the TUM benchmark's limit.
MAX_DIFFERENCE_S = 0.02
#: Lengths of the pieces over which KITTI measures drift, metres.
KITTI_LENGTHS_M = (100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0)

# Positions whose second principal spread is less than this share of the first lie on a line, up to rounding.
_LINE_SHARE = 1e-14


@dataclass(frozen=True)
class Similarity:
    """Target = scale · rotation · source + translation."""

    rotation: Any
    """(3, 3)."""
    translation: Any
    """Metres, (3,)."""
    scale: float
    """Target metres per source unit."""

    def move(self, T_world_cam: ArrayT) -> ArrayT:
        """Poses of the source in the frame of the target, (N, 4, 4): positions are scaled, rotations stay rotations."""
        xp = array_namespace(T_world_cam)
        rotation = self.rotation @ T_world_cam[..., :3, :3]
        position = self.scale * (self.rotation @ T_world_cam[..., :3, 3:4]) + self.translation[:, None]
        upper = xp.concat([rotation, position], axis=-1)
        moved: ArrayT = xp.concat([upper, T_world_cam[..., 3:, :]], axis=-2)
        return moved


@dataclass(frozen=True)
class ErrorStatistics:
    """What is told of a list of errors; NaN when it is empty."""

    rmse: float
    mean: float
    median: float
    std: float
    min: float
    max: float
    count: int

    @classmethod
    def of(cls, errors: NDArray[np.float64]) -> ErrorStatistics:
        """Statistics of errors, (N,); the standard deviation is that of the list itself (divided by N)."""
        if len(errors) == 0:
            return cls(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, 0)
        return cls(
            rmse=float(np.sqrt(np.mean(errors**2))),
            mean=float(np.mean(errors)),
            median=float(np.median(errors)),
            std=float(np.std(errors)),
            min=float(np.min(errors)),
            max=float(np.max(errors)),
            count=len(errors),
        )


@dataclass(frozen=True)
class RelativeErrors:
    """Errors of the motion between pairs of frames."""

    translation_m: ErrorStatistics
    """Length of the translation error, metres."""
    rotation_deg: ErrorStatistics
    """Angle of the rotation error, degrees."""


@dataclass(frozen=True)
class KittiDrift:
    """Drift over pieces of the path; NaN when none of the lengths fits into it."""

    t_rel_percent: float
    """Mean translation error per metre driven, percent."""
    r_rel_deg_per_100m: float
    """Mean rotation error, degrees per 100 m driven."""
    segments: int
    """Pieces that were measured."""
    by_length: dict[float, tuple[float, float]]
    """The two means for each length in metres that fits."""


def associate_times(
    first: NDArray[np.float64], second: NDArray[np.float64], max_difference_s: float = MAX_DIFFERENCE_S
) -> NDArray[np.intp]:
    """Pair two lists of stamps one to one, greedily, smallest difference first.

    Args:
        first: stamps in ascending order, seconds, (N,).
        second: stamps in ascending order, seconds, (M,).
        max_difference_s: only stamps that differ by less are paired.

    Returns:
        Positions in ``first`` and ``second``, (P, 2), in order of time.

    Source: `associate.py` of the TUM RGB-D benchmark, without its walk over all N M pairs.
    """
    # One stamp more on either side than the window holds: what is strictly inside is decided below, as published.
    low = np.maximum(np.searchsorted(second, first - max_difference_s, "left") - 1, 0)
    high = np.minimum(np.searchsorted(second, first + max_difference_s, "right") + 1, len(second))
    counts = high - low
    i = np.repeat(np.arange(len(first)), counts)
    j = np.arange(len(i)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(low, counts)
    difference = np.abs(first[i] - second[j])
    near = difference < max_difference_s
    i, j, difference = i[near], j[near], difference[near]
    taken_i, taken_j = np.zeros(len(first), np.bool_), np.zeros(len(second), np.bool_)
    pairs = []
    for one in np.lexsort((j, i, difference)):
        if not taken_i[i[one]] and not taken_j[j[one]]:
            taken_i[i[one]] = taken_j[j[one]] = True
            pairs.append((i[one], j[one]))
    return np.array(sorted(pairs), dtype=np.intp).reshape(-1, 2)


def umeyama(source: ArrayT, target: ArrayT, with_scale: bool = False) -> Similarity:
    """Rotation, translation and scale that bring points nearest to others, in the sense of least squares.

    The rotation is never a reflection, also where one would fit better.

    Args:
        source: points, (N, 3).
        target: where each of them should be, (N, 3).
        with_scale: find the scale, too; else it is 1.

    Returns:
        The similarity with target ≈ scale · rotation · source + translation.

    Raises:
        ShapeError: if the two are not (N, 3).
        InputError: if a point is not finite, or they lie in one place or on one line: no rotation is the best then.

    Source: Umeyama, Least-Squares Estimation of Transformation Parameters Between Two Point Patterns, IEEE TPAMI 13(4),
    1991, eq. 40 to 43.
    """
    if source.ndim != 2 or source.shape[1] != 3 or tuple(source.shape) != tuple(target.shape):
        raise ShapeError(f"source {tuple(source.shape)} and target {tuple(target.shape)}; expected (N, 3) both.")
    xp = array_namespace(source, target)
    count = source.shape[0]
    if count == 0 or not bool(xp.all(xp.isfinite(source))) or not bool(xp.all(xp.isfinite(target))):
        raise InputError(f"alignment of {count} positions: expected finite ones, at least 3; check the trajectories.")
    mean_source, mean_target = xp.mean(source, axis=0), xp.mean(target, axis=0)
    centred_source, centred_target = source - mean_source, target - mean_target
    U, D, Vt = xp.linalg.svd(xp.matrix_transpose(centred_target) @ centred_source / count)
    if not float(D[1]) > _LINE_SHARE * float(D[0]):
        raise InputError(
            f"alignment of {count} positions: they lie in one place or on one line, so that no rotation is the best; "
            "score without alignment (--align none)."
        )
    mirrored = float(xp.linalg.det(U) * xp.linalg.det(Vt)) < 0
    sign = xp.stack([xp.ones_like(D[0]), xp.ones_like(D[0]), (-1.0 if mirrored else 1.0) * xp.ones_like(D[0])])
    rotation = (U * sign) @ Vt
    variance = xp.sum(centred_source * centred_source) / count
    scale = float(xp.sum(D * sign) / variance) if with_scale else 1.0
    return Similarity(rotation, mean_target - scale * (rotation @ mean_source), scale)


def align_path(estimate: Poses, reference: Poses, align: PathAlign = "se3") -> Poses:
    """The estimate in the frame of the reference.

    Args:
        estimate: T_world_cam, (N, 4, 4).
        reference: T_world_cam of the same frames, (N, 4, 4).
        align: none leaves it alone; se3 moves it as a whole by the positions; sim3 scales it, too (paths of a single
            camera without depth have no metres).

    Returns:
        T_world_cam, (N, 4, 4).

    Raises:
        ShapeError: if a shape differs.
        InputError: if there is no pose, or the positions determine no alignment.
        ConfigError: if there is no such alignment.
    """
    _check_paths(estimate, reference)
    if align == "none":
        return estimate
    if align not in ("se3", "sim3"):
        raise ConfigError(f"--align {align}: unknown; choose one of none, se3, sim3.")
    return umeyama(estimate[:, :3, 3], reference[:, :3, 3], align == "sim3").move(estimate)


def ate(estimate: Poses, reference: Poses, align: PathAlign = "se3") -> ErrorStatistics:
    """Absolute trajectory error: distances between the positions of the same frames, metres.

    Arguments and errors are those of :func:`align_path`.

    Source: Sturm et al. 2012, eq. 6; evo's APE of the translation part.
    """
    moved = align_path(estimate, reference, align)
    return ErrorStatistics.of(np.linalg.norm(moved[:, :3, 3] - reference[:, :3, 3], axis=1))


def rpe(
    estimate: Poses,
    reference: Poses,
    delta: float = 1.0,
    unit: DeltaUnit = "frames",
    all_pairs: bool = True,
    times_s: NDArray[np.float64] | None = None,
) -> RelativeErrors:
    """Relative pose error: how far the motion between two frames is from the true one.

    For frames i, j the error is the transform (R_i⁻¹ R_j)⁻¹ (E_i⁻¹ E_j). It does not change with a rigid alignment,
    but with a scale.

    Args:
        estimate: T_world_cam, (N, 4, 4).
        reference: T_world_cam of the same frames, (N, 4, 4).
        delta: how far apart the two frames of a pair are.
        unit: frames; s for seconds; m for metres along the estimated path.
        all_pairs: every frame starts a pair; else each pair starts where the one before ended.
        times_s: times of the frames in ascending order, seconds, (N,), for unit s.

    Returns:
        Errors of translation and rotation; their count is 0 where no two frames are so far apart.

    Raises:
        ShapeError: if a shape differs.
        InputError: if there is no pose, delta is not positive or, for frames, not whole, or times are needed.

    Source: Sturm et al. 2012, eq. 3; the pairs are evo's, those by time the benchmark's own.
    """
    _check_paths(estimate, reference)
    i, j = select_pairs(estimate, delta, unit, all_pairs, times_s).T
    error = _relative(_relative(reference[i], reference[j]), _relative(estimate[i], estimate[j]))
    return RelativeErrors(
        ErrorStatistics.of(np.linalg.norm(error[:, :3, 3], axis=1)),
        ErrorStatistics.of(np.degrees(_angles(error))),
    )


def kitti_drift(
    estimate: Poses, reference: Poses, lengths_m: Sequence[float] = KITTI_LENGTHS_M, step: int = 10
) -> KittiDrift:
    """Drift as KITTI odometry measures it: t_rel and r_rel.

    A piece starts at every ``step``-th frame and ends at the first frame that is more than its length farther along the
    true path; its errors are divided by its length, and the means go over all pieces of all lengths.

    Args:
        estimate: T_world_cam, (N, 4, 4).
        reference: T_world_cam of the same frames, (N, 4, 4).
        lengths_m: lengths of the pieces, metres.
        step: frames between two starts.

    Raises:
        ShapeError: if a shape differs.
        InputError: if there is no pose.

    Source: the development kit of KITTI odometry, evaluate_odometry.cpp.
    """
    _check_paths(estimate, reference)
    distances = distances_along(reference)
    starts = np.arange(0, len(reference), step)
    found: dict[float, NDArray[np.float64]] = {}
    for length in lengths_m:
        ends = np.searchsorted(distances, distances[starts] + length, side="right")
        i, j = starts[ends < len(reference)], ends[ends < len(reference)]
        if len(i):
            error = _relative(_relative(estimate[i], estimate[j]), _relative(reference[i], reference[j]))
            found[length] = np.stack([np.linalg.norm(error[:, :3, 3], axis=1), _angles(error)]) / length
    if not found:
        return KittiDrift(math.nan, math.nan, 0, {})
    every = np.concatenate(list(found.values()), axis=1)
    return KittiDrift(
        *_drift_units(every), every.shape[1], {length: _drift_units(one) for length, one in found.items()}
    )


def _drift_units(errors: NDArray[np.float64]) -> tuple[float, float]:
    """Percent and degrees per 100 m of errors per metre, (2, N)."""
    translation, rotation = errors.mean(axis=1)
    return 100.0 * float(translation), 100.0 * float(np.degrees(rotation))


def _relative(start: Poses, end: Poses) -> Poses:
    relative: Poses = invert_transform(start) @ end
    return relative


def _angles(transforms: Poses) -> NDArray[np.float64]:
    """Rotation angles, radians, (N,); exact also where arccos of the trace is not, near 0."""
    angles: NDArray[np.float64] = np.linalg.norm(so3_log(transforms[:, :3, :3]), axis=-1)
    return angles


def _check_paths(estimate: Poses, reference: Poses) -> None:
    if estimate.ndim != 3 or estimate.shape[1:] != (4, 4) or estimate.shape != reference.shape:
        raise ShapeError(
            f"estimate {estimate.shape} and reference {reference.shape}; expected (N, 4, 4) both, of the same frames."
        )
    if len(estimate) == 0:
        raise InputError("trajectory: no pose to compare; expected at least one frame that both have.")
