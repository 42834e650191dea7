"""The page of an experiment's folder: the scores of its runs as a table and bars, and their learning curves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from depthnet.errors import InputError
from depthnet.experiment.curves import WIDTH, Curve, draw_curves
from depthnet.experiment.record import RECORD_FILE, read_table
from depthnet.io.text import read_text
from depthnet.pages.page import Page, Row
from depthnet.pages.vector import Vector
from depthnet.report.tables import number
from depthnet.show.run import SCORES
from depthnet.show.scores import STYLE, score_bars
from depthnet.show.table import Table


def is_experiment(path: Path) -> bool:
    """Whether a path is a folder of runs that ``depthnet experiment`` scored."""
    return path.is_dir() and any(path.glob(f"*/{RECORD_FILE}"))


def build_experiment_page(path: Path) -> Page:
    """Draw the runs of an experiment that have a result.

    Raises:
        InputError: if a result cannot be read.
    """
    records = {file.parent.name: _read_record(file) for file in sorted(path.glob(f"*/{RECORD_FILE}"))}
    scores = [(name, record["scores"]) for name, record in records.items()]
    metrics = list(dict.fromkeys(metric for _, found in scores for metric in found))
    rows = [[name, *(number(found.get(metric, float("nan")), 4) for metric in metrics), str(records[name]["images"]),
             f"{records[name]['seconds'] / 60:.1f}", f"{records[name]['parameters'] / 1e6:.2f} M"]
            for name, found in scores]  # fmt: skip
    table = Table("Means over the scored images.",
                  ("run", *metrics, "images seen", "training min", "parameters"), rows)  # fmt: skip
    charts = score_bars(scores, [metric for metric in SCORES if metric in metrics])
    best = next((metric for metric in SCORES if metric in metrics), None)
    curves = Vector(draw_curves(f"{best} on validation", "step", _curves(path, best)), "", WIDTH) if best else None
    return Page(
        title=path.resolve().name,
        subtitle=f"experiment: {len(records)} runs with a result",
        headings=(),
        rows=(
            Row("scores", (), (table,)),
            Row("", (), charts),
            *([Row("learning curves", (), (curves,))] if curves else []),
        ),
        style=STYLE,
    )


def _read_record(file: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(read_text(file))
        return {key: found[key] for key in ("scores", "images", "seconds", "parameters")}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file}: no whole record ({error}); remove the file, it is written again.") from error


def _curves(path: Path, metric: str) -> list[Curve]:
    """A curve for each run with validations, also of those that have no result yet; of stages each is one."""
    tables = {file.parent.relative_to(path).as_posix(): read_table(file) for file in sorted(path.glob("**/val.csv"))}
    return [
        Curve(name, np.array([(row["step"], row[metric]) for row in table if metric in row]).reshape(-1, 2))
        for name, table in tables.items()
    ]
