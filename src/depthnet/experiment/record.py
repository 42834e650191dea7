"""The record of a finished run: its scores image by image, its size and its time, written last and whole."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthnet.checkpoint import file_sha256
from depthnet.config import DescribeConfig
from depthnet.describe import describe_network
from depthnet.errors import InputError
from depthnet.evaluation import evaluate
from depthnet.io.files import atomic_path
from depthnet.predictor import load_model

if TYPE_CHECKING:
    from depthnet.data.samples import DepthDataset
    from depthnet.evaluation import DepthPredictor
    from depthnet.experiment.plan import Plan, PlannedRun, PlannedStage

RECORD_FILE = "result.json"
MODEL_FILE = "model.onnx"

Scores = dict[str, float]


@dataclass(frozen=True)
class Record:
    """What a run came to."""

    scored: dict[str, Any]
    """Which model file was scored on which data by which protocol: a record of another one is not used."""
    scores: Scores
    """Means over the images, as `depthnet evaluate` gives them."""
    per_image: dict[str, Scores]
    """Scores of each image by its name."""
    images: int
    """Images seen in training."""
    seconds: float
    """Time of the training steps."""
    parameters: int
    """Of the network; all of them, also those that were not trained."""
    multiply_adds: int
    """For one picture of the training size."""

    def write(self, folder: Path) -> None:
        """Write it into the folder of its run."""
        with atomic_path(folder / RECORD_FILE) as temporary:
            temporary.write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")


def is_trained(stage: PlannedStage) -> bool:
    """Whether a training has come to its end: its model file is written last, under a temporary name until whole."""
    return (stage.folder / MODEL_FILE).is_file()


def images_done(stage: PlannedStage) -> int:
    """Images that a training has seen, by its table, which grows every few steps."""
    if is_trained(stage):
        return stage.images
    rows = read_table(stage.folder / "train.csv")
    return int(rows[-1]["step"]) * stage.config.accumulate * stage.batch_images if rows else 0


def read_table(path: Path) -> list[Scores]:
    """Rows of ``train.csv`` or ``val.csv`` of a run; none when it is not there yet."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def read_record(folder: Path, run: PlannedRun | None, plan: Plan) -> Record | None:
    """The record in a folder; None when there is none, or it is of another model, data or protocol.

    Args:
        folder: folder of the run.
        run: the run; None for the mean depth map, which has no model file.
        plan: says what is scored.
    """
    file = folder / RECORD_FILE
    model = run.stages[-1].folder / MODEL_FILE if run else None
    if not file.is_file() or (model is not None and not model.is_file()):
        return None
    try:
        record = Record(**json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise InputError(f"{file}: no whole record ({error}); remove the file, it is written again.") from error
    return record if record.scored == what_is_scored(plan, model) else None


def what_is_scored(plan: Plan, model: Path | None) -> dict[str, Any]:
    """The model file, data and protocol that a record is about."""
    return {
        "model": None if model is None else file_sha256(model),
        "data": plan.scored_data,
        "split": plan.split,
        "protocol": plan.suite.protocol,
    }


def open_scored(plan: Plan) -> DepthDataset:
    """The data that all runs are scored on."""
    from depthnet.data import open_dataset

    return open_dataset(plan.scored_data, split=plan.split, format=plan.config.format)


def score_run(run: PlannedRun, plan: Plan) -> Record:
    """Score the model of a trained run, and write its record.

    Raises:
        DepthNetError: if the model or an image cannot be used.
    """
    last = run.stages[-1]
    model = last.folder / MODEL_FILE
    scores, per_image = score(load_model(model, threads=plan.config.threads), open_scored(plan), plan.suite.protocol)
    network = describe_network(model, DescribeConfig(size=last.config.size))
    seconds = sum(read_table(stage.folder / "train.csv")[-1]["seconds"] for stage in run.stages)
    record = Record(
        what_is_scored(plan, model), scores, per_image, run.images, seconds, network.parameters,
        network.multiply_adds,
    )  # fmt: skip
    record.write(run.folder)
    return record


def score(model: DepthPredictor, dataset: DepthDataset, protocol: str | None) -> tuple[Scores, dict[str, Scores]]:
    """Mean scores, and those of each image in the order of the data, under one protocol.

    Raises:
        InputError: if an image could not be scored: rows of a table must stand on the same images.
    """
    evaluation = evaluate(model, dataset, [protocol] if protocol else ())
    if evaluation.errors:
        raise InputError(evaluation.errors[0])
    (name,) = evaluation.scores
    per_image = {image.name: image.metrics(name) for image in evaluation.per_image if image.sums[name].pixels}
    return evaluation.scores[name], per_image


def read_records(plan: Plan, runs: Sequence[PlannedRun]) -> list[tuple[PlannedRun, Record]]:
    """The runs of these that have a record."""
    found = [(run, read_record(run.folder, run, plan)) for run in runs]
    return [(run, record) for run, record in found if record is not None]
