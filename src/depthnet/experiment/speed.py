"""Milliseconds per image of all rows, measured in turn in one process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from depthnet.benchmark.timing import measure
from depthnet.cores import usable_cores
from depthnet.experiment.plan import Plan
from depthnet.experiment.record import MODEL_FILE, is_trained
from depthnet.predictor import load_model

REPEATS, WARMUP = 15, 3


@dataclass(frozen=True)
class Times:
    """What was measured."""

    milliseconds: dict[str, float]
    """Median of each row."""
    how: str
    """How it was measured, in words."""


def time_rows(plan: Plan, names: Sequence[str]) -> Times:
    """Time the exported model of each row on one picture of its training size.

    Rows whose networks differ in their weights alone are one measurement.

    Args:
        plan: says where the models are.
        names: rows that have a trained model.
    """
    kinds: dict[str, Any] = {}
    kind_of = {}
    how = ""
    for name in names:
        stage = next(run.stages[-1] for run in plan.of_row(name) if is_trained(run.stages[-1]))
        kind = repr((stage.config.network, stage.config.network_options, stage.config.size))
        kind_of[name] = kind
        if kind not in kinds:
            runtime = load_model(stage.folder / MODEL_FILE, threads=plan.config.threads).runtime
            image = np.random.default_rng(0).random((1, 3, *stage.config.size), dtype=np.float32)
            kinds[kind], how = partial(runtime.run, image), runtime.name
    seconds = measure(kinds, REPEATS, WARMUP)
    milliseconds = {name: 1000 * seconds[kind] for name, kind in kind_of.items()}
    threads = plan.config.threads or usable_cores()
    some = f"{threads} thread{'s' * (threads > 1)}"
    return Times(milliseconds, f"{how}, {some}, median of {REPEATS} runs in turn with the other rows")
