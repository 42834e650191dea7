"""The page of a run folder: what was trained, how the losses fell and the scores rose, and its samples."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from depthnet.checkpoint import RUN_MODELS
from depthnet.config import TrainConfig
from depthnet.experiment.record import Scores, read_table
from depthnet.io.images import read_image
from depthnet.options import read_config
from depthnet.pages.page import Page, Row
from depthnet.pages.vector import Vector
from depthnet.report.charts import Axis, draw_chart, draw_line, round_up
from depthnet.report.style import CHARTS, COLOURS

CHART_STYLE = COLOURS + CHARTS
_NO_LOSS = ("step", "epoch", "lr", "images_per_s", "seconds")
SCORES = ("delta1", "abs_rel", "rmse", "motion_error", "rotation_deg", "translation_m")
"""Scores of validation that have a curve; the first of them that a run has tells its best model."""
MOST_POINTS = 200
"""Points of a curve; of a longer table neighbouring rows are averaged."""
_WIDEST = 1100


def is_run(path: Path) -> bool:
    """Whether a path is a folder that ``depthnet train`` wrote."""
    return (path / "config.yaml").is_file() and (path / "environment.json").is_file()


def build_run_page(path: Path) -> Page:
    """Draw a run, finished or not.

    Raises:
        ConfigError: if its ``config.yaml`` cannot be read.
        InputError: if another of its files cannot.
    """
    config = read_config(path / "config.yaml", TrainConfig)
    training, validation = read_table(path / "train.csv"), read_table(path / "val.csv")
    losses = [name for name in (training[0] if training else ()) if name not in _NO_LOSS]
    scores = [name for name in SCORES if validation and name in validation[0]]
    rows = [Row("training", _training_facts(config, training), _charts(training, losses))]
    if validation:
        rows.append(Row("validation", _validation_facts(validation, scores), _charts(validation, scores)))
    samples = path / "samples.png"
    if samples.is_file():
        picture = Image.fromarray(read_image(samples).image)
        picture.thumbnail((_WIDEST, 10 * _WIDEST))
        rows.append(Row("samples", ("from left to right: image, prediction, truth",), (picture,)))
    models = ", ".join(name for name in RUN_MODELS if (path / name).is_file()) or "no model file yet"
    return Page(
        title=path.resolve().name,
        subtitle=f"run folder: {config.task} by {config.network} on {Path(config.data).name}; {models}",
        headings=(),
        rows=tuple(rows),
        notes=_command(path),
        style=CHART_STYLE,
    )


def curve_chart(name: str, x_label: str, points: Sequence[tuple[float, float]]) -> Vector:
    """One curve over its own range; from 0 where the values do not span more than a factor of 20, else in ratios."""
    finite = [point for point in points if all(map(math.isfinite, point))]
    values = [value for _, value in finite] or [0.0]
    low, high = min(values), max(values)
    if low > 0 and high > 20 * low:
        y = Axis(name, low / 1.1, high * 1.1, log=True)
    else:
        y = Axis(name, min(0.0, -round_up(-low)) if low < 0 else 0.0, round_up(high))
    x = Axis(x_label, 0.0, max([1.0, *(across for across, _ in finite)]))
    return Vector(draw_chart(f"{name} against {x_label}", x, y, draw_line(x, y, points, 0)), CHART_STYLE, 360)


def _charts(table: Sequence[Scores], names: Sequence[str]) -> tuple[Vector, ...]:
    return tuple(curve_chart(name, "step", thin([(row["step"], row[name]) for row in table])) for name in names)


def thin(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most :data:`MOST_POINTS` points, each the mean of as many neighbours."""
    group = -(-len(points) // MOST_POINTS) or 1
    pieces = [points[start : start + group] for start in range(0, len(points), group)]
    return [
        (math.fsum(x for x, _ in piece) / len(piece), math.fsum(y for _, y in piece) / len(piece)) for piece in pieces
    ]


def _training_facts(config: TrainConfig, training: Sequence[Scores]) -> tuple[str, ...]:
    facts = [
        f"{config.epochs} epochs of batches of {config.batch_size * config.accumulate * config.devices}",
        f"size {config.size[0]} x {config.size[1]}",
        f"{config.optim.name}, lr {config.optim.lr:g}, {config.optim.schedule}",
        f"start: {config.init or config.encoder_weights or 'random'}",
        f"seed {config.seed}",
    ]
    if training:
        last = training[-1]
        done = f"{last['step']:.0f} steps in {last['seconds'] / 60:.1f} min"
        facts += [f"{done}, {last['images_per_s']:.1f} images/s", f"loss {last['loss']:.4f}"]
    else:
        facts.append("no step is logged yet")
    return tuple(facts)


def _validation_facts(validation: Sequence[Scores], scores: Sequence[str]) -> tuple[str, ...]:
    if not scores:
        return (f"{len(validation)} validations",)
    chosen = scores[0]
    best = (max if chosen == "delta1" else min)(validation, key=lambda row: row[chosen])
    found = ", ".join(f"{name} {best[name]:.4f}" for name in scores)
    return f"{len(validation)} validations", f"best by {chosen}, epoch {best['epoch']:.0f}: {found}"


def _command(path: Path) -> tuple[str, ...]:
    """The command of the run and the machine it ran on, as it wrote them down."""
    try:
        found = json.loads((path / "environment.json").read_text(encoding="utf-8"))
        return f"Command: {found['command']}", f"depthnet {found['depthnet']}, PyTorch {found['torch']}"
    except (OSError, ValueError, KeyError, TypeError):  # only told, never needed
        return ()
