"""Score a trajectory file against the truth: a second file, or a data set with poses."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.config import TrajectoryConfig
from depthnet.data import open_dataset
from depthnet.errors import InputError
from depthnet.geometry.frame_pairs import DeltaUnit, path_length
from depthnet.geometry.trajectory import (
    ErrorStatistics,
    KittiDrift,
    RelativeErrors,
    align_path,
    associate_times,
    ate,
    kitti_drift,
    rpe,
)
from depthnet.io.files import atomic_path
from depthnet.io.trajectory import Trajectory, read_trajectory, sort_by_time

_STATISTICS = ("rmse", "mean", "median", "std", "min", "max")


@dataclass(frozen=True)
class TrajectoryScores:
    """Errors of a trajectory."""

    estimate: str
    """What was scored, as the user named it."""
    reference: str
    """The truth, as the user named it."""
    align: str
    """How the estimate was moved onto the truth before."""
    matched: int
    """Poses that both have."""
    counts: tuple[int, int]
    """Poses of the estimate and of the truth."""
    skipped: tuple[int, int]
    """Rows without a pose in the estimate and in the truth."""
    length_m: float
    """Length of the true path through the matched frames, metres."""
    seconds: float | None
    """Time from the first to the last matched frame; None without times."""
    ate: ErrorStatistics
    """Absolute error, metres."""
    rpe: dict[tuple[float, str], RelativeErrors]
    """Relative errors by (delta, unit)."""
    kitti: KittiDrift
    """Drift over 100 to 800 m; no segments where the path is shorter."""

    def to_json(self) -> dict[str, Any]:
        """The scores as plain values; a number that does not exist is None."""
        return {
            "estimate": self.estimate,
            "reference": self.reference,
            "align": self.align,
            "matched": self.matched,
            "poses": {"estimate": self.counts[0], "reference": self.counts[1]},
            "skipped": {"estimate": self.skipped[0], "reference": self.skipped[1]},
            "length_m": self.length_m,
            "seconds": self.seconds,
            "ate_m": _plain(self.ate),
            "rpe": [
                {
                    "delta": delta,
                    "unit": unit,
                    "translation_m": _plain(errors.translation_m),
                    "rotation_deg": _plain(errors.rotation_deg),
                }
                for (delta, unit), errors in self.rpe.items()
            ],
            "kitti": {
                "t_rel_percent": _finite(self.kitti.t_rel_percent),
                "r_rel_deg_per_100m": _finite(self.kitti.r_rel_deg_per_100m),
                "segments": self.kitti.segments,
                "by_length_m": {f"{length:g}": pair for length, pair in self.kitti.by_length.items()},
            },
        }

    def write_json(self, path: str | Path, overwrite: bool = False) -> None:
        """Write :meth:`to_json` to a file.

        Raises:
            InputError: if the file exists and ``overwrite`` is False, or cannot be written.
        """
        with atomic_path(path, overwrite) as temporary:
            temporary.write_text(json.dumps(self.to_json(), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def score_trajectory(estimate: str | Path, reference: str | Path, config: TrajectoryConfig) -> TrajectoryScores:
    """Score a trajectory file.

    Args:
        estimate: the file, TUM or KITTI.
        reference: the truth: such a file, or a data set with poses.
        config: the options; see `depthnet.config.TrajectoryConfig`.

    Returns:
        The scores; relative errors are those of the aligned estimate, whose scale sim3 changes.

    Raises:
        InputError: if a file cannot be used, the data have no poses, or the two have no frame in common.
    """
    found, truth = read_trajectory(estimate), read_truth(reference, config.format, config.split)
    i, j = _match(found, truth, config.max_difference_s, str(estimate), str(reference)).T
    known = np.isfinite(truth.T_world_cam[j]).all(axis=(1, 2))
    i, j = i[known], j[known]
    true = truth.T_world_cam[j]
    moved = align_path(found.T_world_cam[i], true, config.align)
    times = _times(found, i, truth, j)
    units = config.delta_unit or _fitting_units(config.delta, times is not None)
    return TrajectoryScores(
        estimate=str(estimate),
        reference=str(reference),
        align=config.align,
        matched=len(i),
        counts=(len(found), len(truth)),
        skipped=(len(found.skipped_s), len(truth.skipped_s)),
        length_m=path_length(true),
        seconds=None if times is None else float(times[-1] - times[0]),
        ate=ate(moved, true, "none"),
        rpe={
            (config.delta, unit): rpe(moved, true, config.delta, unit, config.pairs == "all", times) for unit in units
        },
        kitti=kitti_drift(moved, true),
    )


def read_truth(path: str | Path, format: str | None = None, split: str | None = None) -> Trajectory:
    """The true path: of a trajectory file, or of a data set of one sequence.

    Args:
        path: a file, or a data set of any layout.
        format: layout of the data when it is not to be recognised.
        split: part of the data.

    Returns:
        The trajectory. Without times it has a pose for each frame, NaN where unknown.

    Raises:
        InputError: if a file cannot be used, or the data have no poses or several sequences.
    """
    path = Path(path)
    if path.is_file() and path.suffix.lower() != ".sens" and format is None:
        return read_trajectory(path)
    data = open_dataset(path, split, format)
    if len(videos := data.sequences()) != 1:
        raise InputError(f"{path}: {len(videos)} sequences ({', '.join(list(videos)[:3])} ...); pass one of them.")
    poses, times = zip(*(data.read_pose(index) for index in range(len(data))))
    known = np.array([pose is not None for pose in poses])
    if not known.any():
        raise InputError(f"{path}: none of its {len(data)} frames has a pose; pass a data set or a file that has.")
    T_world_cam = np.array([np.full((4, 4), math.nan) if pose is None else pose for pose in poses])
    if any(time_s is None for time_s in times):
        return Trajectory(None, T_world_cam)
    stamps = np.array(times, np.float64)
    return sort_by_time(Trajectory(stamps[known], T_world_cam[known], stamps[~known]))


def format_scores(scores: TrajectoryScores) -> str:
    """The scores as lines of text: a title, a table of errors with their units, and notes."""
    span = f"{scores.length_m:.2f} m" + ("" if scores.seconds is None else f" in {scores.seconds:.2f} s")
    counts = f"{scores.matched} of {scores.counts[0]} poses matched to {scores.counts[1]}"
    lines = [f"{scores.estimate} on {scores.reference}: {counts}, {span}, align {scores.align}"]
    rows = [["", *_STATISTICS, "count"], _row("ATE, m", scores.ate)]
    for (delta, unit), errors in scores.rpe.items():
        per = f"RPE per {delta:g} {'frame' if unit == 'frames' and delta == 1 else unit}"
        if errors.translation_m.count:
            rows += [_row(f"{per}, m", errors.translation_m), _row(f"{per}, deg", errors.rotation_deg)]
        else:
            lines.append(f"{per}: no two frames are so far apart")
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = ["  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]) for row in rows]
    lines[1:1] = table
    if scores.kitti.segments:
        lines.append(
            f"KITTI drift: t_rel {scores.kitti.t_rel_percent:.4f} %, r_rel "
            f"{scores.kitti.r_rel_deg_per_100m:.4f} deg per 100 m ({scores.kitti.segments} segments)"
        )
    lines += [
        f"{name}: {count} rows without a pose are left out"
        for name, count in zip((scores.estimate, scores.reference), scores.skipped)
        if count
    ]
    return "\n".join(lines)


def _match(
    found: Trajectory, truth: Trajectory, max_difference_s: float, estimate: str, reference: str
) -> NDArray[np.intp]:
    """Positions in the two of the frames that both have, (P, 2): by time, or by place where one has no times."""
    if found.times_s is None or truth.times_s is None:
        if len(found) != len(truth):
            without = estimate if found.times_s is None else reference
            raise InputError(
                f"{estimate}: {len(found)} poses for {len(truth)} of {reference}; {without} has no times, so they must "
                "be as many: use trajectories of the same frames, or TUM files."
            )
        return np.stack([np.arange(len(found))] * 2, axis=1)
    pairs = associate_times(found.times_s, truth.times_s, max_difference_s)
    if len(pairs) == 0:
        spans = [f"from {times[0]:.3f} to {times[-1]:.3f} s" for times in (found.times_s, truth.times_s)]
        raise InputError(
            f"{estimate}: no pose within {max_difference_s:g} s of one of {reference}: its times run {spans[0]}, the "
            f"others {spans[1]}; the two are of other recordings or clocks, or need a larger --max-difference-s."
        )
    return pairs


def _fitting_units(delta: float, timed: bool) -> tuple[DeltaUnit, ...]:
    """The units in which ``delta`` can be: a part of a frame cannot, and seconds need times."""
    fits: dict[DeltaUnit, bool] = {"frames": float(delta).is_integer(), "s": timed, "m": True}
    return tuple(unit for unit, fit in fits.items() if fit)


def _times(
    found: Trajectory, i: NDArray[np.intp], truth: Trajectory, j: NDArray[np.intp]
) -> NDArray[np.float64] | None:
    """Times of the matched frames, of the estimate where it has them."""
    if found.times_s is not None:
        return found.times_s[i]
    return None if truth.times_s is None else truth.times_s[j]


def _row(name: str, errors: ErrorStatistics) -> list[str]:
    return [name, *(f"{getattr(errors, statistic):.6f}" for statistic in _STATISTICS), str(errors.count)]


def _plain(errors: ErrorStatistics) -> dict[str, float | None]:
    return {name: _finite(value) for name, value in asdict(errors).items()}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
