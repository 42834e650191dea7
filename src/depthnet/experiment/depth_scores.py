"""Scores of depth: every model on the same images, under one protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from depthnet.errors import InputError
from depthnet.evaluation import evaluate
from depthnet.experiment.plan import Plan
from depthnet.experiment.record import Scored

if TYPE_CHECKING:
    from depthnet.data.samples import DepthDataset
    from depthnet.evaluation import DepthPredictor


def open_scored(plan: Plan) -> DepthDataset:
    """The data that all runs are scored on."""
    from depthnet.data import open_dataset

    return open_dataset(plan.scored_data, split=plan.split, format=plan.config.format)


def score(model: DepthPredictor, dataset: DepthDataset, protocol: str | None) -> Scored:
    """Mean scores, and those of each image in the order of the data, under one protocol.

    Raises:
        InputError: if an image could not be scored: rows of a table must stand on the same images.
    """
    evaluation = evaluate(model, dataset, [protocol] if protocol else ())
    if evaluation.errors:
        raise InputError(evaluation.errors[0])
    (name,) = evaluation.scores
    per_image = {image.name: image.metrics(name) for image in evaluation.per_image if image.sums[name].pixels}
    return Scored(evaluation.scores[name], per_image)
