"""The results file: table, claims, curves, depth maps and commands, from the run folders alone."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import numpy as np

from depthnet.cores import usable_cores
from depthnet.errors import InputError
from depthnet.experiment.compare import Finding, Table, judge
from depthnet.experiment.curves import draw_curves, learning_curve
from depthnet.experiment.depth_maps import collect_photos, draw_depth_maps
from depthnet.experiment.findings import describe_finding, format_value
from depthnet.experiment.mean_depth import record_mean_depth
from depthnet.experiment.plan import Plan, PlannedRun
from depthnet.experiment.record import Record, images_done, open_scored, read_records
from depthnet.experiment.speed import time_rows
from depthnet.experiment.suite import MEAN_ROW, Row
from depthnet.io.files import atomic_path

#: First line of every results file: one that has it was written by this command and may be written again.
MARK = "<!-- Written by `depthnet experiment`; change the suite or its runs, not this file. -->"
SHOWN = ("delta1", "abs_rel", "rmse", "log10", "silog")
MEAN_TITLE = "mean depth map of the training rooms"

Records = dict[str, dict[int, Record]]


def check_results_path(path: Path, overwrite: bool) -> None:
    """Refuse, before any work, to replace a file that this command did not write.

    Raises:
        InputError: naming the file.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; --results takes the name of a file.")
    if path.exists() and not overwrite and not path.read_text(encoding="utf-8", errors="replace").startswith(MARK):
        raise InputError(f"{path}: was not written by this command; pass --overwrite or another --results.")


def write_results(plan: Plan, name: str, path: Path, overwrite: bool) -> None:
    """Write the results file and its pictures from what the run folders hold.

    Args:
        plan: the runs.
        name: name of the suite; the pictures are called after it.
        path: the results file.
        overwrite: passed by the user.

    Raises:
        InputError: if no run has a result, or a file cannot be written.
    """
    records: Records = {}
    for run, record in read_records(plan, plan.runs):
        records.setdefault(run.row.name, {})[run.seed] = record
    if not records:
        raise InputError(f"{plan.out}: no run has a result yet, so there is nothing to write.")
    mean = record_mean_depth(plan)
    records[MEAN_ROW] = dict.fromkeys(plan.suite.seeds, mean)
    replace_pictures = path.exists() or overwrite  # a results file that is there is ours, and so are its pictures
    pictures = path.parent / plan.config.pictures
    sections = [
        f"{MARK}\n\n# {plan.suite.title or name}",
        _conditions(plan, mean),
        "## Scores\n\n" + _table(plan, records),
        "## Claims\n\n" + "\n\n".join(describe_finding(one, plan) for one in _findings(plan, records)),
        "## Learning curves\n\n" + _curves(plan, pictures / f"{name}-curves.svg", path, replace_pictures),
        "## Depth maps\n\n" + _depth_maps(plan, records, pictures / f"{name}-depth.jpg", path, replace_pictures),
        "## What this budget decides, and what it leaves open\n\n" + _scope(plan),
        "## Commands\n\n" + _commands(plan),
    ]
    text = "\n\n".join(sections) + "\n"
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _findings(plan: Plan, table: Table) -> list[Finding]:
    return [judge(claim, table, plan.suite.block_images) for claim in plan.suite.claims]


def _conditions(plan: Plan, mean: Record) -> str:
    suite = plan.suite
    data = f"split {plan.split} of `{Path(plan.scored_data).name}`, {len(mean.per_image)} images"
    protocol = suite.protocol or open_scored(plan).default_protocol
    seeds = f"{len(suite.seeds)} seeds" if len(suite.seeds) > 1 else "one seed"
    return (
        f"Every row has seen about {suite.budget} training images, all its stages together, with {seeds}. Scores: "
        f"{data}, protocol {protocol}, computed by `depthnet evaluate` from the model file of each run. "
        f"The model kept of a run is the best of its {suite.validations} validations by delta1, on the same images: "
        "so all scores are a little too good, those of every row alike."
    )


def _table(plan: Plan, records: Records) -> str:
    times = time_rows(plan, [row.name for row in plan.suite.rows if row.name in records])
    heads = ["row", *SHOWN, "images seen", "training min", "parameters", "multiply-adds", "ms per image"]
    lines = ["| " + " | ".join(heads) + " |", "| --- |" + " ---: |" * (len(heads) - 1)]
    best = _best(records)
    for row in plan.suite.rows:
        if row.name in records:
            lines.append(_line(row, records[row.name], best, times.milliseconds[row.name]))
    (mean, *_) = records[MEAN_ROW].values()
    cells = [MEAN_TITLE, *(format_value(metric, mean.scores[metric]) for metric in SHOWN)]
    lines.append("| " + " | ".join([*cells, *["" for _ in heads[len(cells) :]]]) + " |")
    notes = [f"Milliseconds: the network alone, one picture of its training size, {times.how}."]
    if len(plan.suite.seeds) > 1:
        notes.append("± is the standard deviation over the seeds.")
    notes.append("Multiply-adds: for that picture. Bold: the best mean of a column.")
    return "\n".join(lines) + "\n\n" + " ".join(notes) + _unfinished(plan, records)


def _line(row: Row, by_seed: dict[int, Record], best: dict[str, float], milliseconds: float) -> str:
    cells = [row.title]
    for metric in SHOWN:
        values = [record.scores[metric] for record in by_seed.values()]
        text = format_value(metric, float(np.mean(values)))
        if len(values) > 1:
            text += f" ± {format_value(metric, float(np.std(values, ddof=1)))}"
        cells.append(f"**{text}**" if np.mean(values) == best[metric] else text)
    first = next(iter(by_seed.values()))
    minutes = np.mean([record.seconds for record in by_seed.values()]) / 60
    cells += [str(first.images), f"{minutes:.0f}", f"{first.parameters / 1e6:.2f} M"]
    cells += [f"{first.multiply_adds / 1e9:.2f} G", f"{milliseconds:.1f}"]
    return "| " + " | ".join(cells) + " |"


def _best(records: Records) -> dict[str, float]:
    """Best mean over the seeds of each shown metric."""
    best = {}
    for metric in SHOWN:
        means = [
            float(np.mean([one.scores[metric] for one in rows.values()]))
            for name, rows in records.items()
            if name != MEAN_ROW
        ]
        best[metric] = max(means) if metric.startswith("delta") else min(means)
    return best


def _unfinished(plan: Plan, records: Records) -> str:
    """Lines on what is not in the table, or not with all its seeds."""
    lines = [f"- {name}: left out, {reason}." for name, reason in plan.left_out.items()]
    for run in plan.runs:
        if run.seed not in records.get(run.row.name, {}):
            seen = sum(images_done(stage) for stage in run.stages)
            lines.append(f"- {run.title}: not finished, {seen} of {run.images} images seen.")
    return "\n\nNot in the table:\n\n" + "\n".join(lines) if lines else ""


def _curves(plan: Plan, picture: Path, results: Path, replace: bool) -> str:
    curves = [learning_curve(row.title, plan.of_row(row.name), "delta1") for row in plan.suite.rows]
    with atomic_path(picture, replace) as temporary:
        title = "delta1 on validation while training (at the training size, before the protocol's crop)"
        temporary.write_text(draw_curves(title, "images seen", curves), encoding="utf-8")
    return f"![delta1 on validation against images seen, a line for each row]({_relative(picture, results)})"


def _depth_maps(plan: Plan, records: Records, picture: Path, results: Path, replace: bool) -> str:
    photos, notes = collect_photos(plan)
    credits = "\n\n" + " ".join(notes) if notes else ""
    first = plan.suite.seeds[0]
    captions = [
        (row.name, f"{row.title} (delta1 {records[row.name][first].scores['delta1']:.3f})")
        for row in plan.suite.rows
        if first in records.get(row.name, {})
    ]
    if not photos or not captions:
        return f"None drawn.{credits}"
    with atomic_path(picture, replace) as temporary:
        draw_depth_maps(plan, photos, captions).save(temporary, quality=88)
    what = "None of the networks was trained on these photos; scores in brackets are those of the table."
    return f"![photos, true depth and the depth of every row]({_relative(picture, results)})\n\n{what}{credits}"


def _scope(plan: Plan) -> str:
    parts = [plan.suite.decides, plan.suite.leaves_open]
    blocks = plan.suite.block_images
    rule = "A difference is taken image by image and counts when its 95 % intervals agree: a bootstrap over the images"
    if blocks > 1:
        rule += f", one over blocks of {blocks} neighbouring images (frames of one room are not independent)"
    if len(plan.suite.seeds) > 1:
        rule += ", and a t interval over the seeds"
    else:
        rule += "; with one seed, the luck of a start and of the order of the images is not in them"
    return "\n\n".join(part.strip() for part in [*parts, rule + "."] if part.strip())


def _commands(plan: Plan) -> str:
    first = [run for run in plan.runs if run.seed == plan.suite.seeds[0]]
    blocks = [f"{run.row.title}:\n\n```\n{_run_commands(run)}\n```" for run in first]
    seeds = ", ".join(map(str, plan.suite.seeds))
    note = f" With further seeds: the same with `--seed`, of {seeds}." if len(plan.suite.seeds) > 1 else ""
    machine = f"The times above are of a machine with {usable_cores()} usable cores."
    return f"Each is what the command ran for the first seed.{note} {machine}\n\n" + "\n\n".join(blocks)


def _run_commands(run: PlannedRun) -> str:
    return "\n".join(shlex.join(["depthnet", *stage.words]) for stage in run.stages)


def _relative(picture: Path, results: Path) -> str:
    return Path(os.path.relpath(picture, results.parent)).as_posix()
