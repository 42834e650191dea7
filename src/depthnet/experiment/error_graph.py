"""The graph that the post names and does not show: pose error against warp error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthnet.experiment.compare import Table
from depthnet.experiment.curves import Curve, draw_curves
from depthnet.experiment.judge import Gallery
from depthnet.experiment.plan import Plan
from depthnet.experiment.subjects import MOTION, TRUE_ROW

#: Points of a line: medians over so many parts of the pairs.
PARTS = 6

#: Warp error and pose error of each pair, (N, 2).
Errors = NDArray[np.float64]


def error_section(plan: Plan, table: Table, gallery: Gallery) -> str:
    """The graph: a dot for each pair, a line for each row; and rank correlations."""
    titles = {**{row.name: row.title for row in plan.suite.rows}, **MOTION.baselines}
    errors = {titles[name]: pair_errors(table, name) for name in titles if name in table and name != TRUE_ROW}

    def write(file: Path) -> None:
        curves = [Curve(title, middle_parts(found), found) for title, found in errors.items()]
        heading = "pose error (radians of rotation + metres of translation) against warp error"
        file.write_text(draw_curves(heading, "warp error", curves, log=True), encoding="utf-8")

    caption = "pose error against warp error: a dot for each pair, a line for each row"
    return (
        f"## Pose error against warp error\n\n{gallery.hang('errors.svg', caption, write)}\n\n"
        f"The graph that the post names and does not show, on {plan.pairs[0].title}. A dot is a pair of frames; a line "
        f"goes through the medians of {PARTS} equal parts of a row's pairs, from the smallest warp errors to the "
        f"largest, and the number at its end is the pose error there. {describe_ranks(errors)}"
    )


def pair_errors(table: Table, row: str) -> Errors:
    """Warp error and pose error of each pair of a row with its first seed, (N, 2)."""
    record = next(iter(table[row].values()))
    return np.array([(pair["warp_error"], pair["motion_error"]) for pair in record.per_image.values()])


def middle_parts(errors: Errors) -> Errors:
    """Medians of parts of the pairs, in the order of their warp errors, (PARTS, 2) or fewer."""
    ordered = errors[np.argsort(errors[:, 0], kind="stable")]
    return np.array([np.median(part, axis=0) for part in np.array_split(ordered, min(PARTS, len(ordered)))])


def describe_ranks(errors: Mapping[str, Errors]) -> str:
    """Rank correlations of the two errors: of the pairs of each row, of the rows, and of the rows pair by pair."""
    within = {title: rank_correlation(found) for title, found in errors.items()}
    (least, low), *_, (most, high) = sorted(within.items(), key=lambda item: item[1])
    text = f"Rank correlation of the two errors over the pairs: from {low:.2f} ({least}) to {high:.2f} ({most})."
    if len(errors) < 3:
        return text
    stacked = np.stack(list(errors.values()))  # (rows, pairs, 2)
    rows = rank_correlation(stacked.mean(axis=1))
    pairs = float(np.mean([rank_correlation(stacked[:, pair]) for pair in range(stacked.shape[1])]))
    return (
        f"{text} Over the means of the rows: {rows:.2f}. Over the rows for one and the same pair, which leaves out how "
        f"rich in contrast the pictures are: {pairs:.2f}, mean of the pairs. 1 would mean that the smaller warp error "
        "always is the smaller pose error."
    )


def rank_correlation(errors: Errors) -> float:
    """Spearman's correlation of two columns, (N, 2); 0 where one of them is the same everywhere."""
    from scipy.stats import rankdata

    ranks = rankdata(errors, axis=0)
    deviations = ranks - ranks.mean(axis=0)
    lengths = float(np.prod(np.linalg.norm(deviations, axis=0)))
    return float(deviations[:, 0] @ deviations[:, 1]) / lengths if lengths > 0 else 0.0
