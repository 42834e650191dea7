"""What a suite may be about: which scores its rows have, how they are written, and which rows are always there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from depthnet.metrics import METRICS

#: Row of every suite about depth: the mean depth map of the training data, whatever the photo shows.
MEAN_ROW = "mean-depth"
#: Rows of every suite about motion, none of them trained: the truth (what the warp error is then), a camera that stands
#: still, and dense alignment of the two frames.
TRUE_ROW, STILL_ROW, DIRECT_ROW, DIRECT_PREDICTED_ROW = "true-motion", "no-motion", "direct-sensor", "direct-mobile"
#: Size of a network, by which rows can be compared besides the scores.
COSTS = ("parameters", "multiply_adds")


@dataclass(frozen=True)
class Subject:
    """What rows of one kind have in common."""

    item: str
    """What is scored, one by one."""
    compared: tuple[str, ...]
    """Scores by which claims may compare."""
    shown: Mapping[str, str]
    """Scores in the table, each with its heading."""
    curve: str
    """Score of the learning curves: a column of ``val.csv``."""
    curve_title: str
    """What it is, in words."""
    baselines: Mapping[str, str]
    """Rows that are always there, each with what the table says."""


DEPTH = Subject(
    item="image",
    compared=METRICS,
    shown={name: name for name in ("delta1", "abs_rel", "rmse", "log10", "silog")},
    curve="delta1",
    curve_title="delta1 on validation while training (at the training size, before the protocol's crop)",
    baselines={MEAN_ROW: "mean depth map of the training rooms"},
)
MOTION = Subject(
    item="pair",
    compared=("rotation_deg", "translation_m", "motion_error", "warp_error"),
    shown={
        "rotation_deg": "rotation [deg]",
        "translation_m": "translation [m]",
        "direction_deg": "direction [deg]",
        "warp_error": "warp error",
    },
    curve="motion_error",
    curve_title="motion error on validation while training (radians of rotation + metres of translation)",
    baselines={
        TRUE_ROW: "true motion",
        STILL_ROW: "no motion",
        DIRECT_ROW: "direct alignment, measured depth",
        DIRECT_PREDICTED_ROW: "direct alignment, depth by mobile",
    },
)

_DIGITS = {"silog": 2, "rotation_deg": 2, "direction_deg": 0, "warp_error": 4}


def format_value(name: str, value: float) -> str:
    """A score with the digits that its table has; a cost in millions."""
    if name in COSTS:
        return f"{value / 1e6:.2f} M"
    return f"{value:.{_DIGITS.get(name, 3)}f}"


def is_better_high(name: str) -> bool:
    """Whether a higher score is better."""
    return name.startswith("delta")
