"""What an evaluation found: the scores of each protocol, of each image, and what went wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from depthnet.evaluation.protocols import EvaluationProtocol
from depthnet.io.files import atomic_path
from depthnet.metrics import METRICS, MetricSums


@dataclass(frozen=True)
class ImageScore:
    """Errors of one image."""

    name: str
    """Name of the sample."""
    sums: dict[str, MetricSums]
    """Error sums by name of protocol."""

    def metrics(self, protocol: str) -> dict[str, float]:
        """The metrics of this image under a protocol; NaN when none of its pixels counts."""
        return self.sums[protocol].metrics()


@dataclass
class Evaluation:
    """Scores of a model on a data set."""

    model: str
    """What was scored, as the user named it."""
    data: str
    """Data that it was scored on."""
    align: str = "none"
    """Fit of each prediction to its ground truth."""
    flip: bool = False
    """Whether predictions of the image and its mirror image were averaged."""
    protocols: tuple[EvaluationProtocol, ...] = ()
    """How it was scored."""
    per_image: list[ImageScore] = field(default_factory=list)
    """Scores of every image that could be scored, in the order of the data."""
    errors: list[str] = field(default_factory=list)
    """One line for each image that could not be scored."""
    seconds: float = 0.0
    """Wall time of the pass over the data."""

    @property
    def count(self) -> int:
        """Number of images that were scored."""
        return len(self.per_image)

    @property
    def scores(self) -> dict[str, dict[str, float]]:
        """The metrics of each protocol, by its name; NaN when no pixel of the data counts.

        A protocol averages the metrics of the images; a pooled one computes them once from the pixels of all images.
        """
        return {protocol.name: self._score(protocol) for protocol in self.protocols}

    @property
    def pixels(self) -> dict[str, int]:
        """Number of pixels that counted, by name of protocol."""
        return {
            protocol.name: sum(image.sums[protocol.name].pixels for image in self.per_image)
            for protocol in self.protocols
        }

    @property
    def left_out(self) -> dict[str, int]:
        """Number of images of which no pixel counts, by name of protocol; they are not part of its mean."""
        return {
            protocol.name: sum(image.sums[protocol.name].pixels == 0 for image in self.per_image)
            for protocol in self.protocols
        }

    def to_json(self) -> dict[str, Any]:
        """The results as plain values; a score that does not exist is None."""
        pixels = self.pixels
        return {
            "model": self.model,
            "data": self.data,
            "count": self.count,
            "protocols": {
                name: {**{metric: _plain(value) for metric, value in score.items()}, "pixels": pixels[name]}
                for name, score in self.scores.items()
            },
            "seconds": self.seconds,
        }

    def write_json(self, path: str | Path, overwrite: bool = False) -> None:
        """Write :meth:`to_json` to a file.

        Raises:
            InputError: if the file exists and ``overwrite`` is False, or cannot be written.
        """
        write_scores([self], path, overwrite)

    def _score(self, protocol: EvaluationProtocol) -> dict[str, float]:
        counted = [image for image in self.per_image if image.sums[protocol.name].pixels]
        if protocol.pooled or not counted:
            return sum((image.sums[protocol.name] for image in counted), MetricSums()).metrics()
        return _mean_metrics(image.metrics(protocol.name) for image in counted)


def write_scores(evaluations: Sequence[Evaluation], path: str | Path, overwrite: bool = False) -> None:
    """Write the JSON file of one model, :meth:`Evaluation.to_json`, or of several: a list of such objects, in order.

    Raises:
        InputError: if the file exists and ``overwrite`` is False, or cannot be written.
    """
    found = [evaluation.to_json() for evaluation in evaluations]
    with atomic_path(path, overwrite) as temporary:
        text = json.dumps(found[0] if len(found) == 1 else found, indent=2)
        temporary.write_text(text + "\n", encoding="utf-8")


def format_table(evaluation: Evaluation) -> str:
    """The scores as lines of text: a title, a row for each protocol, and notes on what is not part of them."""
    settings = [f"align {evaluation.align}"] * (evaluation.align != "none") + ["flip averaging"] * evaluation.flip
    title = ", ".join([f"{evaluation.model} on {evaluation.data}: {evaluation.count} images", *settings])
    pixels = evaluation.pixels
    rows = [["protocol", *METRICS, "pixels"]]
    for name, score in evaluation.scores.items():
        rows.append([name, *(_number(score[metric]) for metric in METRICS), str(pixels[name])])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [title, *(_row(row, widths) for row in rows)]
    lines += [
        f"{name}: {count} of {evaluation.count} images have no pixel that counts and are left out"
        for name, count in evaluation.left_out.items()
        if count
    ]
    return "\n".join(lines)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths))
    )
    return "  ".join([first, *rest])


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _mean_metrics(scores: Iterable[dict[str, float]]) -> dict[str, float]:
    rows = list(scores)
    return {metric: math.fsum(row[metric] for row in rows) / len(rows) for metric in METRICS}
