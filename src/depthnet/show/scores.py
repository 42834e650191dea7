"""Pages of JSON files: the scores of ``evaluate`` as a table and bars, anything else as a table of its values."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from depthnet.errors import InputError
from depthnet.io.text import read_text
from depthnet.metrics import METRICS
from depthnet.pages.page import Page, Row
from depthnet.pages.vector import Vector
from depthnet.report.charts import draw_bars
from depthnet.report.style import CHARTS, COLOURS, TABLES
from depthnet.report.tables import number
from depthnet.show.table import Table

STYLE = COLOURS + TABLES + CHARTS
BARS = ("delta1", "abs_rel", "rmse")
MOST_VALUES = 200


def is_json(path: Path) -> bool:
    """Whether a path is a JSON file by its name."""
    return path.is_file() and path.suffix.lower() == ".json"


def build_json_page(path: Path) -> Page:
    """Show what a JSON file holds.

    Raises:
        InputError: if it is no JSON.
    """
    try:
        found = json.loads(read_text(path))
    except ValueError as error:
        raise InputError(f"{path}: no whole JSON file ({error}); write it again.") from error
    evaluations = found if isinstance(found, list) else [found]
    if evaluations and all(isinstance(one, dict) and isinstance(one.get("protocols"), dict) for one in evaluations):
        return _evaluation_page(path, evaluations)
    values = list(_flatten(found))
    left_out = f"; the first {MOST_VALUES}" if len(values) > MOST_VALUES else ""
    table = Table(f"{len(values)} values{left_out}", ("name", "value"), values[:MOST_VALUES])
    return Page(path.name, "JSON file", (), (Row("", (), (table,)),), style=STYLE)


def score_bars(scores: Sequence[tuple[str, dict[str, Any]]], metrics: Sequence[str] = BARS) -> tuple[Vector, ...]:
    """Bars of each of the metrics that is there, one for each of the named scores."""
    charts = []
    for metric in metrics:
        bars = [(name, _value(found.get(metric))) for name, found in scores]
        if any(math.isfinite(value) for _, value in bars):
            better = "higher is better" if metric.startswith("delta") else "lower is better"
            charts.append(Vector(draw_bars(f"{metric}, {better}", bars), STYLE, 360))
    return tuple(charts)


def _evaluation_page(path: Path, evaluations: Sequence[dict[str, Any]]) -> Page:
    named = [
        (f"{one.get('model', '?')}, {protocol}" if len(evaluations) > 1 else protocol, scores)
        for one in evaluations
        for protocol, scores in one["protocols"].items()
    ]
    headings = ("protocol" if len(evaluations) == 1 else "model, protocol", *METRICS, "pixels")
    rows = [[name, *(number(_value(found.get(key)), 4) for key in METRICS), str(found.get("pixels", "-"))]
            for name, found in named]  # fmt: skip
    first = evaluations[0]
    models = ", ".join(str(one.get("model", "?")) for one in evaluations)
    table = Table(f"{first.get('count', '?')} images of {first.get('data', '?')}", headings, rows)
    charts = score_bars(named)
    seconds = [f"scored in {one['seconds']:.1f} s" for one in evaluations if isinstance(one.get("seconds"), float)]
    return Page(
        title=path.name,
        subtitle=f"scores of {models}",
        headings=(),
        rows=(Row("scores", tuple(seconds), (table,)), Row("", (), charts)),
        style=STYLE,
    )


def _value(found: Any) -> float:
    return float(found) if isinstance(found, int | float) else math.nan


def _flatten(found: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Name and text of every value, as a path of keys and places."""
    if isinstance(found, dict):
        for key, value in found.items():
            yield from _flatten(value, f"{name}.{key}" if name else str(key))
    elif isinstance(found, list):
        for place, value in enumerate(found):
            yield from _flatten(value, f"{name}[{place}]")
    else:
        yield name, f"{found:.6g}" if isinstance(found, float) else str(found)
