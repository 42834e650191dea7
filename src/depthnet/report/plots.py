"""Sections with charts: score against distance, histogram of errors, drift of the scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from depthnet.report.charts import (
    Axis,
    draw_chart,
    draw_dots,
    draw_key,
    draw_line,
    draw_rule,
    draw_steps,
    histogram_edges,
    round_up,
)
from depthnet.report.facts import ERROR_STEP, DistanceBin, ModelReport, distance_edges
from depthnet.report.tables import Column, build_table, number

DRIFT_BINS = 24


def distance_section(models: Sequence[ModelReport]) -> str:
    """abs_rel and delta1 by true depth, drawn and in numbers."""
    edges = distance_edges(model.facts for model in models)
    if not edges:
        return "<section>\n<h2>Score against distance</h2>\n<p>No pixel of the data counts.</p>\n</section>"
    found = [model.facts.by_distance(edges) for model in models]
    width = edges[1] - edges[0]
    x = Axis("true depth [m]", edges[0], edges[0] + width * (len(edges) - 1))
    errors = [one.abs_rel for bins in found for one in bins if one.pixels]
    charts = []
    for metric, y in (
        ("abs_rel", Axis("abs_rel", 0.0, round_up(max(errors)))),
        ("delta1", Axis("delta1", 0.0, 1.0)),
    ):
        lines = [
            draw_line(x, y, [(one.low + width / 2, getattr(one, metric)) for one in bins], series)
            for series, bins in enumerate(found)
        ]
        better = "higher is better" if metric == "delta1" else "lower is better"
        charts.append(_figure(draw_chart(f"{metric} against true depth in metres", x, y, *lines),
                              f"{metric} by true depth, {better}"))  # fmt: skip
    return _section("Score against distance", models, charts, _first_protocol(models), _distance_table(models, found))


def error_section(models: Sequence[ModelReport]) -> str:
    """Histogram of the signed relative error."""
    facts = [model.facts for model in models if model.facts.pixels]
    if not facts:
        return ""
    middle = facts[0].errors.size // 2 - 1
    shares = [one.facts.errors / max(one.facts.pixels, 1) * 100 for one in models]
    reach = next(
        limit for limit in (8, 20, 40) if limit == 40 or all(_share_within(s, middle, limit) > 99 for s in shares)
    )
    edges = [(step - 0.5) * ERROR_STEP * 100 for step in range(-reach, reach + 2)]
    drawn = [share[middle - reach : middle + reach + 1].tolist() for share in shares]
    x = Axis("relative error [%]: too near < 0 < too far", edges[0], edges[-1])
    y = Axis(f"pixels [% per {100 * ERROR_STEP:g} %]", 0.0, round_up(max(map(max, drawn))))
    steps = [draw_steps(x, y, edges, heights, series) for series, heights in enumerate(drawn)]
    chart = draw_chart("Histogram of the relative error of the pixels in percent", x, y, draw_rule(0, x, True), *steps)
    caption = "Share of the pixels by (prediction − truth) / truth"
    rows = []
    for model, share in zip(models, shares, strict=True):
        n = model.facts.pixels
        cells = [model.facts.signed / n * 100, model.facts.too_far / n * 100] if n else [math.nan] * 2
        beyond = 100 - _share_within(share, middle, reach) if n else math.nan
        rows.append([model.evaluation.model, *(f"{number(cell, 1)} %" for cell in (*cells, beyond))])
    heads = ("model", "mean error", "pixels too far", f"pixels beyond ±{edges[-1]:.0f} %, not drawn")
    table = build_table("Signed: positive is too far.", [Column(h, header=h == "model") for h in heads], rows)
    return _section("Errors", models, [_figure(chart, caption)], _first_protocol(models), table)


def drift_section(models: Sequence[ModelReport]) -> str:
    """Scale of each image: over the data, and how often."""
    scales = [list(model.facts.scales.values()) for model in models]
    finite = [value for values in scales for value in values if math.isfinite(value)]
    if not finite:
        note = "No image has a scale: no pixel counts, or the predictions are inverse depth without a unit."
        return f"<section>\n<h2>Drift of the scale</h2>\n<p>{note}</p>\n</section>"
    edges = histogram_edges([*finite, 1.0], DRIFT_BINS)
    y = Axis("true / predicted median depth", edges[0], edges[-1], log=True)
    x = Axis("image, in the order of the data", 0.0, max(map(len, scales)) + 1.0, digits=0)
    dots = [draw_dots(x, y, list(enumerate(values, 1)), series) for series, values in enumerate(scales)]
    over = draw_chart("Scale of each image in the order of the data", x, y, draw_rule(1.0, y), *dots)
    shares = [np.histogram([v for v in values if math.isfinite(v)], edges)[0] / len(values) * 100 for values in scales]
    share = Axis("images [%]", 0.0, round_up(max(float(one.max()) for one in shares)))
    across = Axis(y.label, edges[0], edges[-1], log=True)
    steps = [draw_steps(across, share, edges, one.tolist(), series) for series, one in enumerate(shares)]
    often = draw_chart("How often each scale occurs", across, share, draw_rule(1.0, across, True), *steps)
    intro = (
        "The factor that would bring an image's median depth to the true one (what --align median multiplies by), "
        "before any alignment. 1: the image is metric as predicted; 1.1: everything in it is predicted a tenth too "
        "near. The less it varies, the more one factor would serve all images."
    )
    table = build_table("Scale over the images.", [Column(h, header=h == "model") for h in _DRIFT_HEADS],
                        [[m.evaluation.model, *_drift(values)] for m, values in zip(models, scales)])  # fmt: skip
    figures = [_figure(over, "Scale of each image"), _figure(often, "Its distribution")]
    return _section("Drift of the scale", models, figures, intro, table)


_DRIFT_HEADS = ("model", "median", "spread (deviation / median)", "from 5 % to 95 % of the images", "without a scale")


def _drift(values: Sequence[float]) -> list[str]:
    finite = np.array([value for value in values if math.isfinite(value)])
    if not finite.size:
        return ["-", "-", "-", str(len(values))]
    low, middle, high = np.percentile(finite, (5, 50, 95))
    spread = float(np.std(finite / middle))
    return [f"{middle:.3f}", f"{spread:.3f}", f"{low:.3f} to {high:.3f}", str(len(values) - finite.size)]


def _distance_table(models: Sequence[ModelReport], found: Sequence[Sequence[DistanceBin]]) -> str:
    total = sum(one.pixels for one in found[0])
    columns = [Column("true depth [m]", header=True), Column("pixels [%]")]
    for metric in ("abs_rel ↓", "delta1 ↑"):
        columns += [Column(metric if len(models) == 1 else f"{metric} {m.evaluation.model}") for m in models]
    rows = []
    for index, one in enumerate(found[0]):
        name = f"from {one.low:g}" if one.high == math.inf else f"{one.low:g} to {one.high:g}"
        cells = [number(getattr(bins[index], metric), 3) for metric in ("abs_rel", "delta1") for bins in found]
        rows.append([name, number(100 * one.pixels / total if total else math.nan, 1), *cells])
    return build_table("Pixels of all images together.", columns, rows)


def _share_within(share: np.ndarray[tuple[int], np.dtype[np.float64]], middle: int, reach: int) -> float:
    return float(share[middle - reach : middle + reach + 1].sum())


def _first_protocol(models: Sequence[ModelReport]) -> str:
    return f"Pixels that count under {models[0].evaluation.protocols[0].name}."


def _figure(chart: str, caption: str) -> str:
    return f"<figure>{chart}<figcaption>{escape(caption)}</figcaption></figure>"


def _section(title: str, models: Sequence[ModelReport], figures: Sequence[str], intro: str, table: str) -> str:
    key = ""
    if len(models) > 1:
        items = (f"<li>{draw_key(i)}{escape(m.evaluation.model)}</li>" for i, m in enumerate(models))
        key = f'<ul class="key">{"".join(items)}</ul>\n'
    charts = f'<div class="charts">\n{"".join(figures)}\n</div>'
    return f"<section>\n<h2>{escape(title)}</h2>\n<p>{escape(intro)}</p>\n{key}{charts}\n{table}\n</section>"
