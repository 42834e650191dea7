"""Which frames of a path are a given time, number of frames or way apart."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import ConfigError, InputError

Poses = NDArray[np.float64]
DeltaUnit = Literal["frames", "s", "m"]

# A pair stands for its delta when it is no farther from it than this share, as in evo.
_DELTA_TOLERANCE = 0.1


def select_pairs(
    T_world_cam: Poses,
    delta: float,
    unit: DeltaUnit = "frames",
    all_pairs: bool = True,
    times_s: NDArray[np.float64] | None = None,
) -> NDArray[np.intp]:
    """Pairs of frames that are ``delta`` apart.

    By frames: i and i + delta. By metres: the frame whose distance along the path is nearest to delta, if it is within
    a tenth; without all pairs, each next frame at which delta is reached. By seconds: the frame nearest in time, if it
    is within a tenth (none is across a gap); the last frame ends no pair, as in the benchmark's tool.

    Args:
        T_world_cam: the path, (N, 4, 4).
        delta: how far apart the two frames of a pair are.
        unit: frames; s for seconds; m for metres along the path.
        all_pairs: every frame starts a pair; else each pair starts where the one before ended.
        times_s: times of the frames in ascending order, seconds, (N,), for unit s.

    Returns:
        Positions (i, j), i < j, (P, 2).

    Raises:
        InputError: if delta is not positive or, for frames, not whole, or times are needed.
        ConfigError: if there is no such unit.
    """
    count = len(T_world_cam)
    if not (np.isfinite(delta) and delta > 0) or (unit == "frames" and delta != int(delta)):
        raise InputError(f"--delta {delta:g} {unit}: expected a positive number, a whole one of frames; change it.")
    if unit == "frames":
        starts = np.arange(count - int(delta) if count > delta else 0)
        pairs = np.stack([starts, starts + int(delta)], axis=1)
    elif unit == "m":
        if not all_pairs:
            return _steps_along(step_lengths(T_world_cam), delta)
        return _nearest_pairs(distances_along(T_world_cam), delta)
    elif unit == "s":
        if times_s is None or len(times_s) != count:
            raise InputError("--delta-unit s: needs the time of every pose; use a file with times, or frames or m.")
        pairs = _nearest_pairs(times_s, delta)
        pairs = pairs[pairs[:, 1] < count - 1]
    else:
        raise ConfigError(f"--delta-unit {unit}: unknown; choose one of frames, s, m.")
    return pairs if all_pairs else _without_overlap(pairs)


def step_lengths(T_world_cam: Poses) -> NDArray[np.float64]:
    """Distances between consecutive positions, metres, (N - 1,)."""
    lengths: NDArray[np.float64] = np.linalg.norm(np.diff(T_world_cam[:, :3, 3], axis=0), axis=1)
    return lengths


def distances_along(T_world_cam: Poses) -> NDArray[np.float64]:
    """Distance along the path from its start to each frame, metres, (N,)."""
    return np.concatenate([[0.0], np.cumsum(step_lengths(T_world_cam))])


def path_length(T_world_cam: Poses) -> float:
    """Length of a path, metres: the sum of the distances between consecutive positions."""
    return float(step_lengths(T_world_cam).sum())


def _nearest_pairs(progress: NDArray[np.float64], delta: float) -> NDArray[np.intp]:
    """Each frame with the later one whose progress is nearest to ``delta`` more, if near enough."""
    i = np.arange(max(len(progress) - 1, 0))
    after = np.clip(np.searchsorted(progress, progress[i] + delta), i + 1, len(progress) - 1)
    before = np.maximum(np.searchsorted(progress, progress[np.maximum(after - 1, i + 1)]), i + 1)
    misses = [np.abs(progress[j] - progress[i] - delta) for j in (before, after)]
    pairs = np.stack([i, np.where(misses[0] <= misses[1], before, after)], axis=1)
    return pairs[np.minimum(*misses) <= _DELTA_TOLERANCE * delta]


def _steps_along(lengths: NDArray[np.float64], delta: float) -> NDArray[np.intp]:
    """Consecutive pairs of the frames at which ``delta`` metres more are reached."""
    ends, gone = [0], 0.0
    for index, length in enumerate(lengths.tolist(), 1):
        gone += length
        if gone >= delta:
            ends.append(index)
            gone = 0.0
    return np.stack([ends[:-1], ends[1:]], axis=1).astype(np.intp)


def _without_overlap(pairs: NDArray[np.intp]) -> NDArray[np.intp]:
    """The pairs, in order, that start no earlier than the one before ended."""
    kept, free_from = [], 0
    for i, j in pairs.tolist():
        if i >= free_from:
            kept.append((i, j))
            free_from = j
    return np.array(kept, dtype=np.intp).reshape(-1, 2)
