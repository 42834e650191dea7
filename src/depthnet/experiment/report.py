"""The results file: table, claims, curves, depth maps and commands, from the run folders alone."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from depthnet.cores import usable_cores
from depthnet.errors import InputError
from depthnet.experiment.compare import Finding, Table, judge, mean_score
from depthnet.experiment.curves import draw_curves, learning_curve
from depthnet.experiment.findings import describe_finding
from depthnet.experiment.judge import Gallery
from depthnet.experiment.judges import judge_of
from depthnet.experiment.plan import Plan, PlannedRun
from depthnet.experiment.record import Record, images_done, read_records
from depthnet.experiment.speed import REPEATS, time_calls
from depthnet.experiment.subjects import format_value, is_better_high
from depthnet.io.files import atomic_path

#: First line of every results file: one that has it was written by this command and may be written again.
MARK = "<!-- Written by `depthnet experiment`; change the suite or its runs, not this file. -->"
COST_HEADS = ("images seen", "training min", "parameters", "multiply-adds")


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
    records: dict[str, dict[int, Record]] = {}
    for run, record in read_records(plan, plan.runs):
        records.setdefault(run.row.name, {})[run.seed] = record
    if not records:
        raise InputError(f"{plan.out}: no run has a result yet, so there is nothing to write.")
    chosen = judge_of(plan)
    baselines = {row: dict.fromkeys(plan.suite.seeds, record) for row, record in chosen.baselines(plan).items()}
    table: Table = records | baselines
    # A results file that is there is ours, and so are its pictures.
    gallery = Gallery(path, path.parent / plan.config.pictures, name, path.exists() or overwrite)
    sections = [
        f"{MARK}\n\n# {plan.suite.title or name}",
        _conditions(plan, chosen.conditions(plan, table)),
        "## Scores\n\n" + _tables(plan, table),
        "## Claims\n\n" + "\n\n".join(describe_finding(one, plan) for one in _findings(plan, table)),
        "## Learning curves\n\n" + _curves(plan, gallery),
        chosen.section(plan, table, gallery),
        "## What this budget decides, and what it leaves open\n\n" + _scope(plan),
        "## Commands\n\n" + _commands(plan),
    ]
    text = "\n\n".join(sections) + "\n"
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _findings(plan: Plan, table: Table) -> list[Finding]:
    return [judge(claim, table, plan.suite.block_images) for claim in plan.suite.claims]


def _conditions(plan: Plan, scores: str) -> str:
    seeds = f"{len(plan.suite.seeds)} seeds" if len(plan.suite.seeds) > 1 else "one seed"
    return (
        f"Every row has seen about {plan.suite.budget} training images, all its stages together, with {seeds}. {scores}"
    )


def _tables(plan: Plan, table: Table) -> str:
    """The table with what each row costs, and for further pairs of frames one of scores alone."""
    calls, what = judge_of(plan).calls(plan, [row.name for row in plan.suite.rows if row.name in table])
    threads, item = plan.config.threads or usable_cores(), plan.suite.subject.item
    some = f"{threads} thread{'s' * (threads > 1)}"
    notes = [f"Milliseconds: {what}, {some}, median of {REPEATS} runs in turn with the other rows."]
    if len(plan.suite.seeds) > 1:
        notes.append("± is the standard deviation over the seeds.")
    notes.append("Minutes: at the median speed of a run, whatever else the machine did; pauses do not count.")
    notes.append(f"Multiply-adds: for one {item} of the training size. Bold: the best trained row of a column.")
    first = f"{_table(plan, table, '', time_calls(calls))}\n\n{' '.join(notes)}"
    further = [f"On {pairs.title}:\n\n{_table(plan, table, pairs.name)}" for pairs in plan.pairs[1:]]
    return "\n\n".join([first, *further]) + _unfinished(plan, table)


def _table(plan: Plan, table: Table, pairs: str, times: Mapping[str, float] | None = None) -> str:
    """All rows that have a record; ``times`` in milliseconds are those of the table with costs."""
    subject = plan.suite.subject
    costs = [] if times is None else [*COST_HEADS, f"ms per {subject.item}"]
    heads = ["row", *subject.shown.values(), *costs]
    lines = ["| " + " | ".join(heads) + " |", "| --- |" + " ---: |" * (len(heads) - 1)]
    best = {metric: _best(plan, table, metric, pairs) for metric in subject.shown}
    for row in plan.suite.rows:
        if row.name in table:
            records = list(table[row.name].values())
            cells = [row.title, *(_score(records, metric, pairs, best[metric]) for metric in subject.shown)]
            cells += [] if times is None else [*_costs(records), f"{times[row.name]:.1f}"]
            lines.append("| " + " | ".join(cells) + " |")
    for name, title in subject.baselines.items():
        records = list(table[name].values())[:1]
        cells = [title, *(_score(records, metric, pairs, math.nan) for metric in subject.shown)]
        time = "" if times is None or name not in times else f"{times[name]:.1f}"
        cells += [""] * (len(heads) - len(cells) - 1) + [time] if costs else []
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _costs(records: Sequence[Record]) -> list[str]:
    """Cells below COST_HEADS."""
    first, minutes = records[0], np.mean([record.seconds for record in records]) / 60
    sizes = [f"{first.parameters / 1e6:.2f} M", f"{first.multiply_adds / 1e9:.2f} G"]
    return [str(first.images), f"{minutes:.0f}", *sizes]


def _score(records: Sequence[Record], metric: str, pairs: str, best: float) -> str:
    """Mean over the seeds, with its deviation; a dash where there is no such score."""
    values = [found[metric] for record in records if metric in (found := record.of(pairs).scores)]
    if not values:
        return "–"
    text = format_value(metric, float(np.mean(values)))
    if len(values) > 1:
        text += f" ± {format_value(metric, float(np.std(values, ddof=1)))}"
    return f"**{text}**" if np.mean(values) == best else text


def _best(plan: Plan, table: Table, metric: str, pairs: str) -> float:
    """Best mean over the seeds of the trained rows; not a number where there is no such score."""
    means = [
        mean_score(table[row.name].values(), metric, pairs)
        for row in plan.suite.rows
        if row.name in table and metric in next(iter(table[row.name].values())).of(pairs).scores
    ]
    return (max if is_better_high(metric) else min)(means, default=math.nan)


def _unfinished(plan: Plan, table: Table) -> str:
    """Lines on what is not in the table, or not with all its seeds."""
    lines = [f"- {name}: left out, {reason}." for name, reason in plan.left_out.items()]
    for run in plan.runs:
        if run.seed not in table.get(run.row.name, {}):
            seen = sum(images_done(stage) for stage in run.stages)
            lines.append(f"- {run.title}: not finished, {seen} of {run.images} images seen.")
    return "\n\nNot in the table:\n\n" + "\n".join(lines) if lines else ""


def _curves(plan: Plan, gallery: Gallery) -> str:
    subject = plan.suite.subject
    curves = [learning_curve(row.title, plan.of_row(row.name), subject.curve) for row in plan.suite.rows]

    def write(file: Path) -> None:
        file.write_text(draw_curves(subject.curve_title, "images seen", curves), encoding="utf-8")

    caption = f"{subject.curve.replace('_', ' ')} on validation against images seen, a line for each row"
    return gallery.hang("curves.svg", caption, write)


def _scope(plan: Plan) -> str:
    parts = [plan.suite.decides, plan.suite.leaves_open]
    blocks = plan.suite.block_images
    item = plan.suite.subject.item
    rule = f"A difference is taken {item} by {item} and counts when its 95 % intervals agree: "
    rule += f"a bootstrap over the {item}s"
    if blocks > 1:
        rule += f", one over blocks of {blocks} neighbouring {item}s (frames of one room are not independent)"
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
