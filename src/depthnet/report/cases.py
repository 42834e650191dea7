"""The best and the worst images of a model: photo, truth, prediction and error side by side."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from depthnet.report.charts import draw_scale
from depthnet.report.facts import Case, ModelReport
from depthnet.report.pictures import ERROR_LIMIT, depth_colours, error_colours
from depthnet.report.tables import number

COLOURS = 48
"""Steps of a bar of colours."""


def cases_section(model: ModelReport, several: bool) -> str:
    """The section, or nothing when no image is shown.

    Args:
        model: what to show.
        several: whether the page has other models, so that the section says whose it is.
    """
    best, worst = model.facts.cases()
    if not best:
        return ""
    whose = f" of {escape(model.evaluation.model)}" if several else ""
    protocol = escape(model.evaluation.protocols[0].name)
    intro = (
        f"By abs_rel under {protocol}. Truth and prediction have one scale of colours per image; black is unknown. "
        "Error: blue is too near, white right, red too far, grey does not count."
    )
    return (
        f"<section>\n<h2>Best and worst images{whose}</h2>\n<p>{intro}</p>\n"
        f"{_group('Best', best)}{_group('Worst', worst)}</section>"
    )


def _group(title: str, cases: Sequence[Case]) -> str:
    return f"<h3>{title}</h3>\n{''.join(map(_article, cases))}" if cases else ""


def _article(case: Case) -> str:
    name, shown = escape(case.name), case.pictures
    metrics = case.metrics
    facts = (
        f"abs_rel {metrics['abs_rel']:.3f}, rmse {metrics['rmse']:.3f} m, delta1 {100 * metrics['delta1']:.1f} %, "
        f"scale {number(case.scale, 3)}"
    )
    metres = f"{shown.low:.2f} m (red) to {shown.high:.2f} m (blue)"
    limit = f"{100 * ERROR_LIMIT:.0f} %"
    height, width = shown.size
    panels = [
        _panel(shown.photo, f"Photo {name}", "photo", height, width),
        _panel(shown.truth, f"True depth of {name}, {metres}, black where unknown", "truth", height, width),
        _panel(shown.prediction, f"Predicted depth of {name}, {metres}", "prediction", height, width),
        _panel(shown.error, f"Relative error of {name}, −{limit} (blue) to +{limit} (red)", "error", height, width),
    ]
    scales = (
        _scale(draw_scale(shown.low, shown.high, depth_colours(COLOURS), lambda v: f"{v:g} m", f"Depth, {metres}"),
               "depth of truth and prediction"),
        _scale(draw_scale(-ERROR_LIMIT, ERROR_LIMIT, error_colours(COLOURS), _percent,
                          f"Relative error, −{limit} to +{limit}"),
               "relative error: too near < 0 < too far"),
    )  # fmt: skip
    return (
        f'<article>\n<h4>{name}</h4>\n<p class="soft">{facts}</p>\n<div class="panels">\n{"".join(panels)}</div>\n'
        f'<div class="scales">{"".join(scales)}</div>\n</article>\n'
    )


def _percent(value: float) -> str:
    return f"{100 * value:+.0f} %" if abs(value) > 1e-9 else "0 %"


def _panel(address: str | None, alt: str, caption: str, height: int, width: int) -> str:
    """A picture with its caption; ``alt`` is escaped already."""
    if address is None:
        inner = f'<div class="none" style="aspect-ratio: {width} / {height}">cannot be read</div>'
    else:
        inner = f'<img src="{address}" alt="{alt}" width="{width}" height="{height}">'
    return f"<figure>{inner}<figcaption>{caption}</figcaption></figure>\n"


def _scale(bar: str, caption: str) -> str:
    return f"<figure>{bar}<figcaption>{escape(caption)}</figcaption></figure>"
