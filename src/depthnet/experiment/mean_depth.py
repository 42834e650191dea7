"""The row that no network must lose to: the mean depth map of the training data, whatever the photo shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.data.samples import DepthDataset
from depthnet.experiment.depth_scores import open_scored, score
from depthnet.experiment.plan import Plan, open_training
from depthnet.experiment.record import Record, read_record, what_is_scored
from depthnet.experiment.subjects import MEAN_ROW
from depthnet.predictor.resize import resize_depth

SIZE = (60, 80)
#: A larger data set is read in even steps: the mean changes little.
MOST_IMAGES = 1000


class MeanDepth:
    """Gives the same depth map for every photo.

    Args:
        depth: metres, (h, w).
    """

    def __init__(self, depth: NDArray[np.float32]) -> None:
        self.map = depth

    def depth(self, image: NDArray[np.uint8], focal_px: float | None = None) -> NDArray[np.float32]:
        """The map at the size of a photo (H, W, 3), metres, (H, W)."""
        return resize_depth(self.map, (image.shape[0], image.shape[1]))


def average_depth(dataset: DepthDataset) -> NDArray[np.float32]:
    """Mean of ln(depth), pixel by pixel, as metres, (60, 80); where nothing was ever measured, the mean of all.

    Source: the baseline "mean" of Eigen, Puhrsch and Fergus, NIPS 2014, table 1.
    """
    sums, counts = np.zeros(SIZE), np.zeros(SIZE)
    for index in np.unique(np.linspace(0, len(dataset) - 1, min(len(dataset), MOST_IMAGES)).round().astype(int)):
        depth: Any = dataset.read_depth(int(index))
        rows, columns = (((np.arange(n) + 0.5) * whole / n).astype(int) for n, whole in zip(SIZE, depth.shape))
        small = depth[np.ix_(rows, columns)]
        known = small > 0
        sums += np.log(np.where(known, small, 1.0))
        counts += known
    overall = sums.sum() / max(1.0, counts.sum())
    mean: NDArray[np.float32] = np.exp(np.where(counts > 0, sums / np.maximum(counts, 1), overall)).astype(np.float32)
    return mean


def record_mean_depth(plan: Plan) -> Record:
    """The record of the mean depth map; scored once, like a run."""
    folder: Path = plan.out / MEAN_ROW
    record = read_record(folder, None, plan)
    if record is None:
        first = next(stage for run in plan.runs for stage in run.stages if not stage.own_data)
        training = open_training(first.config)
        found = score(MeanDepth(average_depth(training)), open_scored(plan), plan.suite.protocol)
        record = Record(
            what_is_scored(plan, None), found.scores, found.per_image, len(training), 0.0, int(np.prod(SIZE)), 0
        )
        record.write(folder)
    return record
