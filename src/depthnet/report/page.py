"""The page of a report: facts about one or several models as one HTML document that needs nothing else."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import fields
from html import escape

from depthnet import __version__
from depthnet.config import EvaluateConfig
from depthnet.evaluation import Evaluation
from depthnet.metrics import METRICS
from depthnet.pages.web import html_document
from depthnet.report.cases import cases_section
from depthnet.report.facts import ModelReport
from depthnet.report.plots import distance_section, drift_section, error_section
from depthnet.report.style import STYLE
from depthnet.report.tables import Column, build_table, number

UNITS = {"sq_rel": "m", "rmse": "m", "silog": "%"}
"""Unit of a metric; the others have none."""
ERRORS_SHOWN = 20


def build_report(models: Sequence[ModelReport], config: EvaluateConfig, written: str) -> str:
    """The page as HTML text.

    Args:
        models: evaluations of the same data under the same protocols, with what was collected meanwhile; at least one.
        config: the options of the run.
        written: when, in words.
    """
    first = models[0].evaluation
    title = f"Depth on {first.data}: {', '.join(model.evaluation.model for model in models)}"
    sections = [
        _head(models, config, written),
        _scores(models),
        _comparison(models),
        distance_section(models),
        error_section(models),
        drift_section(models),
        *(cases_section(model, several=len(models) > 1) for model in models),
        _failures(models),
    ]
    body = "\n".join(section for section in sections if section)
    return html_document(title, STYLE, f"<main>\n{body}\n</main>")


def command_words(config: EvaluateConfig) -> list[str]:
    """The command that gives these options, as a shell takes it: those that are not the default, and model and data."""
    words = ["depthnet", "evaluate"]
    for option in fields(config):
        value, name = getattr(config, option.name), f"--{option.name.replace('_', '-')}"
        if option.name not in ("model", "data") and value == option.default:
            continue
        if isinstance(value, bool):
            words.append(name if value else f"--no-{option.name}")
        else:
            words += [name, *(value if isinstance(value, tuple) else [str(value)])]
    return [shlex.quote(word) for word in words]


def _head(models: Sequence[ModelReport], config: EvaluateConfig, written: str) -> str:
    first = models[0].evaluation
    names = ", ".join(model.evaluation.model for model in models)
    protocols = ", ".join(protocol.name for protocol in first.protocols)
    rows = {
        "model" if len(models) == 1 else "models": names,
        "data": first.data,
        "split": config.split or "all of the data",
        "images": ", ".join(dict.fromkeys(str(model.evaluation.count) for model in models)),
        "protocols" if len(first.protocols) > 1 else "protocol": protocols,
        "alignment": _alignment([model.evaluation for model in models]),
        **({"flip": "averaged with the prediction of the mirror image"} if first.flip else {}),
        **({"focal length": f"{config.focal_px:g} px"} if config.focal_px else {}),
        "made by": f"depthnet {__version__}, {written}",
    }
    command = " ".join(f"<span>{escape(word)}</span>" for word in command_words(config))
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows.items())
    tiles = _tiles(models[0].evaluation) if len(models) == 1 else ""
    return (
        f"<h1>{escape(names)} <span class='soft'>on {escape(first.data)}</span></h1>\n{tiles}\n"
        f'<dl class="run">{facts}</dl>\n<pre><code>{command}</code></pre>'
    )


def _alignment(evaluations: Sequence[Evaluation]) -> str:
    words = [
        "none: metres as predicted" if one.align == "none" else f"{one.align}, image by image" for one in evaluations
    ]
    if len(set(words)) == 1:
        return words[0]
    return "; ".join(f"{one.model}: {word}" for one, word in zip(evaluations, words))


def _tiles(evaluation: Evaluation) -> str:
    """The numbers that everybody asks for first, by the first protocol."""
    score = evaluation.scores[evaluation.protocols[0].name]
    values = {
        "delta1 (higher is better)": "-" if math.isnan(score["delta1"]) else f"{100 * score['delta1']:.1f} %",
        "abs_rel (lower is better)": number(score["abs_rel"], 3),
        "rmse (lower is better)": f"{number(score['rmse'], 3)} m",
        "images": str(evaluation.count),
    }
    return '<dl class="tiles">' + "".join(f"<div><dt>{k}</dt><dd>{v}</dd></div>" for k, v in values.items()) + "</dl>"


def _scores(models: Sequence[ModelReport]) -> str:
    """Every metric of every model under every protocol; the best of several models in bold."""
    several = len(models) > 1
    columns = [Column("protocol", header=True), *([Column("model")] if several else [])]
    columns += [Column(_metric_heading(metric)) for metric in METRICS] + [Column("pixels")]
    rows: list[list[str]] = []
    first_rows: set[int] = set()
    best: set[tuple[int, int]] = set()
    evaluations = [model.evaluation for model in models]
    tables = [(evaluation, evaluation.scores, evaluation.pixels) for evaluation in evaluations]
    for protocol in evaluations[0].protocols:
        if several:
            first_rows.add(len(rows))
        for place, metric in enumerate(METRICS):
            values = [scores[protocol.name][metric] for _, scores, _ in tables]
            best |= {(len(rows) + row, place + 2) for row in _best(values, metric) if several}
        for evaluation, scores, pixels in tables:
            cells = [number(scores[protocol.name][metric], 4) for metric in METRICS]
            rows.append([protocol.name, *([evaluation.model] if several else []), *cells, f"{pixels[protocol.name]:,}"])
    caption = (
        "Mean over the images of each image's score; a protocol ending in -pooled takes all pixels together. "
        "↓ lower is better, ↑ higher is better." + (" Bold green: the best of the models." if several else "")
    )
    table = build_table(caption, columns, rows, best, first_rows)
    return f"<section>\n<h2>Scores</h2>\n{table}\n{_left_out(evaluations)}</section>"


def _best(values: Sequence[float], metric: str) -> Iterable[int]:
    """Rows that hold the best value, as it is printed."""
    finite = [round(value, 4) for value in values if math.isfinite(value)]
    if not finite:
        return ()
    wanted = max(finite) if metric.startswith("delta") else min(finite)
    return (row for row, value in enumerate(values) if math.isfinite(value) and round(value, 4) == wanted)


def _metric_heading(metric: str) -> str:
    unit = f" [{UNITS[metric]}]" if metric in UNITS else ""
    return f"{metric}{unit}\u00a0{'↑' if metric.startswith('delta') else '↓'}"


def _left_out(evaluations: Iterable[Evaluation]) -> str:
    notes = [
        f"<p>{escape(one.model)}, {escape(name)}: {count} of {one.count} images have no pixel that counts and are "
        "left out.</p>\n"
        for one in evaluations
        for name, count in one.left_out.items()
        if count
    ]
    return "".join(notes)


def _comparison(models: Sequence[ModelReport]) -> str:
    """Each further model against the first, image by image."""
    if len(models) < 2:
        return ""
    columns = ["model", "images of both", "difference of abs_rel", "standard error", "images better", "images worse"]
    protocol = models[0].evaluation.protocols[0].name
    base = _by_image(models[0].evaluation, protocol)
    rows = []
    for model in models[1:]:
        found = _by_image(model.evaluation, protocol)
        pairs = [found[name] - base[name] for name in base.keys() & found.keys()]
        rows.append([model.evaluation.model, str(len(pairs)), *_paired(pairs)])
    caption = (
        f"Against {models[0].evaluation.model}, on the same images, by abs_rel under {protocol}. A negative difference "
        "is better than it; one within two standard errors of 0 decides little."
    )
    table = build_table(caption, [Column(name, header=name == "model") for name in columns], rows)
    return f"<section>\n<h2>Model against model</h2>\n{table}\n</section>"


def _by_image(evaluation: Evaluation, protocol: str) -> dict[str, float]:
    counted = (image for image in evaluation.per_image if image.sums[protocol].pixels)
    return {image.name: image.metrics(protocol)["abs_rel"] for image in counted}


def _paired(differences: Sequence[float]) -> list[str]:
    n = len(differences)
    if not n:
        return ["-"] * 4
    mean = math.fsum(differences) / n
    spread = math.sqrt(math.fsum((one - mean) ** 2 for one in differences) / (n - 1) / n) if n > 1 else math.nan
    better, worse = sum(one < 0 for one in differences), sum(one > 0 for one in differences)
    shares = [f"{count} ({100 * count / n:.0f} %)" for count in (better, worse)]
    return [f"{mean:+.4f}", number(spread, 4), *shares]


def _failures(models: Sequence[ModelReport]) -> str:
    """What could not be scored."""
    lines = [
        line if len(models) == 1 or line.startswith(model.evaluation.model) else f"{model.evaluation.model}: {line}"
        for model in models
        for line in model.evaluation.errors
    ]
    if not lines:
        return ""
    items = "".join(f'<li class="bad">{escape(line)}</li>' for line in lines[:ERRORS_SHOWN])
    more = f"<p>... and {len(lines) - ERRORS_SHOWN} more</p>" if len(lines) > ERRORS_SHOWN else ""
    return f"<section>\n<h2>Not scored</h2>\n<ul>{items}</ul>{more}\n</section>"
