"""``depthnet evaluate --report``: what an evaluation found, as one page that needs nothing else.

facts = ModelFacts()
evaluation = evaluate(model, dataset, on_scored=facts)
write_report("page.html", [ModelReport(evaluation, facts)], config)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from depthnet.config import EvaluateConfig
from depthnet.io.files import atomic_path
from depthnet.report.facts import ModelFacts, ModelReport
from depthnet.report.page import build_report

__all__ = ["ModelFacts", "ModelReport", "build_report", "write_report"]


def write_report(
    path: str | Path, models: Sequence[ModelReport], config: EvaluateConfig, overwrite: bool = False
) -> None:
    """Write the page of one or several models.

    Args:
        path: the .html file.
        models: evaluations of the same data under the same protocols, each with its facts; at least one.
        config: the options of the run, which the page repeats.
        overwrite: replace the file when it exists.

    Raises:
        InputError: if the file exists and ``overwrite`` is False, or cannot be written.
    """
    written = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text(build_report(models, config, written), encoding="utf-8")
