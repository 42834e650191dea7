"""The record of a finished run: its scores image by image, its size and its time, written last and whole."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from depthnet.checkpoint import file_sha256
from depthnet.errors import InputError
from depthnet.io.files import atomic_path

if TYPE_CHECKING:
    from depthnet.experiment.plan import Plan, PlannedRun, PlannedStage

RECORD_FILE = "result.json"
MODEL_FILE = "model.onnx"

Scores = dict[str, float]


@dataclass(frozen=True)
class Scored:
    """Scores on one data set."""

    scores: Scores
    """Means over the images."""
    per_image: dict[str, Scores]
    """Scores of each image, or of each target frame, by its name."""


@dataclass(frozen=True)
class Record:
    """What a run came to."""

    scored: dict[str, Any]
    """Which model file was scored on which data by which protocol: a record of another one is not used."""
    scores: Scores
    """Means over the images; of depth, as `depthnet evaluate` gives them."""
    per_image: dict[str, Scores]
    """Scores of each image, or of each target frame, by its name."""
    images: int
    """Images seen in training."""
    seconds: float
    """Time of the training steps, at their median speed."""
    parameters: int
    """Of the network; all of them, also those that were not trained."""
    multiply_adds: int
    """For one picture, or pair of pictures, of the training size."""
    elsewhere: dict[str, Scored] = field(default_factory=dict)
    """Scores on further pairs of frames by their names."""

    def of(self, pairs: str) -> Scored:
        """Scores on the pairs of frames of a name; empty for what every row is scored on."""
        return self.elsewhere[pairs] if pairs else Scored(self.scores, self.per_image)

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


def training_seconds(stage: PlannedStage) -> float:
    """Time that the images of a training take at its median speed, so that a pause of the machine does not count."""
    speeds = [row["images_per_s"] for row in read_table(stage.folder / "train.csv")]
    return stage.images / float(np.median(speeds))


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
        run: the run; None for a row without a model file.
        plan: says what is scored.
    """
    file = folder / RECORD_FILE
    model = run.stages[-1].folder / MODEL_FILE if run else None
    if not file.is_file() or (model is not None and not model.is_file()):
        return None
    try:
        plain = json.loads(file.read_text(encoding="utf-8"))
        elsewhere = {name: Scored(**found) for name, found in plain.pop("elsewhere", {}).items()}
        record = Record(**plain, elsewhere=elsewhere)
    except (ValueError, TypeError) as error:
        raise InputError(f"{file}: no whole record ({error}); remove the file, it is written again.") from error
    return record if record.scored == what_is_scored(plan, model) else None


def what_is_scored(plan: Plan, model: Path | None) -> dict[str, Any]:
    """The model file, data and protocol that a record is about."""
    scored = {
        "model": None if model is None else file_sha256(model),
        "data": plan.scored_data,
        "split": plan.split,
        "protocol": plan.suite.protocol,
    }
    pairs = [[one.name, one.data, one.split, *one.gap] for one in plan.pairs]
    return {**scored, "pairs": pairs} if pairs else scored


def read_records(plan: Plan, runs: Sequence[PlannedRun]) -> list[tuple[PlannedRun, Record]]:
    """The runs of these that have a record."""
    found = [(run, read_record(run.folder, run, plan)) for run in runs]
    return [(run, record) for run, record in found if record is not None]
