"""Suites about depth: scores of `depthnet evaluate`, the mean depth map as the row to beat, depth maps side by side."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from depthnet.experiment.compare import Table
from depthnet.experiment.depth_maps import collect_photos, draw_depth_maps
from depthnet.experiment.depth_scores import open_scored, score
from depthnet.experiment.judge import Call, Gallery, Judge
from depthnet.experiment.mean_depth import record_mean_depth
from depthnet.experiment.plan import Plan, PlannedRun
from depthnet.experiment.record import MODEL_FILE, Record, Scored, is_trained
from depthnet.experiment.subjects import MEAN_ROW
from depthnet.predictor import load_model


def score_run(run: PlannedRun, plan: Plan) -> dict[str, Scored]:
    """Scores on the validation part."""
    model = load_model(run.stages[-1].folder / MODEL_FILE, threads=plan.config.threads)
    return {"": score(model, open_scored(plan), plan.suite.protocol)}


def record_baselines(plan: Plan) -> dict[str, Record]:
    """The mean depth map."""
    return {MEAN_ROW: record_mean_depth(plan)}


def calls(plan: Plan, rows: Sequence[str]) -> tuple[dict[str, Call], str]:
    """The exported model of each row on one picture of its training size."""
    found, how = {}, ""
    for name in rows:
        stage = next(run.stages[-1] for run in plan.of_row(name) if is_trained(run.stages[-1]))
        config = stage.config
        runtime = load_model(stage.folder / MODEL_FILE, threads=plan.config.threads).runtime
        image = np.random.default_rng(0).random((1, 3, *config.size), dtype=np.float32)
        kind, how = repr((config.network, config.network_options, config.size)), runtime.name
        found[name] = Call(kind, partial(runtime.run, image))
    return found, f"the network alone, one picture of its training size, {how}"


def conditions(plan: Plan, table: Table) -> str:
    """Which images and which protocol, and how the models were chosen."""
    suite = plan.suite
    mean = next(iter(table[MEAN_ROW].values()))
    data = f"split {plan.split} of `{Path(plan.scored_data).name}`, {len(mean.per_image)} images"
    protocol = suite.protocol or open_scored(plan).default_protocol
    return (
        f"Scores: {data}, protocol {protocol}, computed by `depthnet evaluate` from the model file of each run. "
        f"The model kept of a run is the best of its {suite.validations} validations by delta1, on the same images: "
        "so all scores are a little too good, those of every row alike."
    )


def depth_maps(plan: Plan, table: Table, gallery: Gallery) -> str:
    """Depth maps of all rows, on photos that may be shown."""
    photos, notes = collect_photos(plan)
    credits = "\n\n" + " ".join(notes) if notes else ""
    first = plan.suite.seeds[0]
    captions = [
        (row.name, f"{row.title} (delta1 {table[row.name][first].scores['delta1']:.3f})")
        for row in plan.suite.rows
        if first in table.get(row.name, {})
    ]
    if not photos or not captions:
        return f"## Depth maps\n\nNone drawn.{credits}"

    def write(file: Path) -> None:
        draw_depth_maps(plan, photos, captions).save(file, quality=88)

    picture = gallery.hang("depth.jpg", "photos, true depth and the depth of every row", write)
    what = "None of the networks was trained on these photos; scores in brackets are those of the table."
    return f"## Depth maps\n\n{picture}\n\n{what}{credits}"


JUDGE = Judge("depth", score_run, record_baselines, calls, conditions, depth_maps)
