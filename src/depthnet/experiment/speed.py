"""Milliseconds per prediction of all rows, measured in turn in one process."""

from __future__ import annotations

from collections.abc import Mapping

from depthnet.benchmark.timing import measure
from depthnet.experiment.judge import Call

REPEATS, WARMUP = 15, 3


def time_calls(calls: Mapping[str, Call]) -> dict[str, float]:
    """Median milliseconds of each call; those of one kind are one measurement."""
    kinds = {call.kind: call.run for call in calls.values()}
    seconds = measure(kinds, REPEATS, WARMUP)
    return {name: 1000 * seconds[call.kind] for name, call in calls.items()}
