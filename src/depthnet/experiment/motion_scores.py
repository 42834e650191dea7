"""Scores of motions: what is found between two frames against the true motion, and against what the frames show."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.config import AugmentConfig, PhotometricConfig
from depthnet.data import open_dataset
from depthnet.data.samples import RawSample
from depthnet.data.video_frames import VideoFrames, build_clip_transform, relative_motion
from depthnet.errors import InputError
from depthnet.experiment.record import Scored, Scores
from depthnet.experiment.suite import Pairs
from depthnet.geometry.se3 import se3_log

Matrix = NDArray[Any]
#: Target and source frame -> T_tgt_src, (4, 4); None where it is not found.
FindMotion = Callable[[RawSample, RawSample], Matrix | None]

#: The warp error: mean absolute difference of colours from 0 to 1, at one size, with no pixel spared.
WARP = PhotometricConfig(terms={"l1": 1.0}, scales=1, auto_mask=False, zbuffer=True)
#: A camera that moved less, metres, went into no direction worth naming.
LEAST_WAY_M = 0.02


def open_pairs(pairs: Pairs) -> VideoFrames:
    """The targets of pairs of frames.

    Raises:
        InputError: if no frame has poses, depth and a neighbour at the wanted distance.
    """
    frames = VideoFrames(open_dataset(pairs.data, split=pairs.split), pairs.gap, posed=True)
    if not len(frames) or frames.read_depth(0) is None:
        raise InputError(
            f"{pairs.data}: no frames with depth and poses are {pairs.gap[0]} to {pairs.gap[1]} apart; give pairs "
            f"{pairs.name} another gap or other data."
        )
    return frames


def draw_pair(frames: VideoFrames, index: int) -> tuple[RawSample, RawSample]:
    """Target ``index`` and its source, the same ones for every row and every run."""
    target, (source,) = frames.draw_clip(index, np.random.default_rng(index))
    return target, source


def score_pairs(find: FindMotion, frames: VideoFrames, size: tuple[int, int], metric: bool = True) -> Scored:
    """Scores of the motion of each pair.

    Args:
        find: finds the motion.
        frames: the targets; each has one source.
        size: of the pictures that the warp error compares.
        metric: whether translations are in metres; else one factor for all of them is fitted to the truth.

    Returns:
        For each pair ``rotation_deg`` (angle between the rotations), ``translation_m`` (distance between the
        translations), ``motion_error`` (radians of the one plus metres of the other), ``warp_error``,
        ``direction_deg`` where the camera moved at least LEAST_WAY_M (angle between the translations, 90 where none was
        found), and ``lost``, 1 where no motion was found and none was taken for it. In the means also ``scale_m``,
        metres of the unit of translation, where it was fitted.
    """
    drawn = [draw_pair(frames, index) for index in range(len(frames))]
    found = [find(target, source) for target, source in drawn]
    true = [np.asarray(relative_motion(target, source)) for target, source in drawn]
    motions = [np.eye(4) if motion is None else np.array(motion, np.float64) for motion in found]
    fitted = {} if metric else {"scale_m": fit_scale(motions, true)}
    for motion in motions:
        motion[:3, 3] *= fitted.get("scale_m", 1.0)
    rows = {
        target.name: {
            **motion_errors(motion, truth), "warp_error": warp_error(motion, target, source, size),
            "lost": float(one is None),
        }
        for (target, source), one, motion, truth in zip(drawn, found, motions, true, strict=True)
    }  # fmt: skip
    return Scored({**mean_scores(list(rows.values())), **fitted}, rows)


def mean_scores(rows: Sequence[Scores]) -> Scores:
    """Mean of each score over the pairs that have it."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}


def fit_scale(found: Sequence[Matrix], true: Sequence[Matrix]) -> float:
    """Factor of the found translations that brings them nearest to the true ones, least squares; not negative."""
    ours, truth = (np.array([motion[:3, 3] for motion in motions]) for motions in (found, true))
    square = float((ours * ours).sum())
    return max(0.0, float((ours * truth).sum()) / square) if square > 0 else 0.0


def motion_errors(T_tgt_src: Matrix, true: Matrix) -> Scores:
    """Errors of one motion against the true one, (4, 4) each; see `score_pairs`."""
    import torch

    from depthnet.training.pose_task import score_motions

    (row,) = score_motions(torch.from_numpy(se3_log(T_tgt_src))[None], torch.from_numpy(true)[None])
    scores = {name: row[name] for name in ("rotation_deg", "translation_m", "motion_error")}
    if row["still_m"] >= LEAST_WAY_M:
        scores["direction_deg"] = angle_deg(T_tgt_src[:3, 3], true[:3, 3])
    return scores


def angle_deg(one: Matrix, other: Matrix) -> float:
    """Angle between two vectors, degrees; 90 where one is zero."""
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return math.degrees(math.acos(np.clip(float(one @ other) / lengths, -1.0, 1.0))) if lengths > 0 else 90.0


def warp_error(T_tgt_src: Matrix, target: RawSample, source: RawSample, size: tuple[int, int]) -> float:
    """How unlike the target the source is, warped by a motion and the measured depth of the target: WARP."""
    import torch

    from depthnet.losses.motion import photometric
    from depthnet.training.pose_task import clip_to_item

    change = build_clip_transform(AugmentConfig(recipe="none"), size)
    item = clip_to_item(change(target, [source], np.random.default_rng(0)))
    batch = {name: item[name][None] for name in ("image", "sources", "K", "depth")}
    xi = torch.from_numpy(se3_log(T_tgt_src).astype(np.float32))[None, None]
    return float(photometric(xi, batch["depth"], batch, WARP))
