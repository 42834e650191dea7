"""``depthnet benchmark``: ours and a rival, in turn, in one process, as a ratio.

The machine is shared and noisy, so each figure is the median of interleaved runs after a warm-up, and what
counts is the ratio. A rival that is not installed is said to be absent.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any

from depthnet.errors import ConfigError

Result = dict[str, Any]
#: Name -> module with a function ``run() -> dict[str, Result]``: one entry under the name, more under NAME-WHAT.
BENCHMARKS = {
    "predict": "depthnet.benchmark.predict",
    "train": "depthnet.benchmark.train",
    "loader": "depthnet.benchmark.loader",
    "evaluate": "depthnet.benchmark.evaluate",
    "prepare": "depthnet.benchmark.prepare",
    "infill": "depthnet.benchmark.infill",
    "odometry": "depthnet.benchmark.odometry",
    "video": "depthnet.benchmark.video",
    "export": "depthnet.benchmark.export",
    "serve": "depthnet.benchmark.serve",
}


def run_benchmarks(names: Iterable[str] = (), on_start: Callable[[str], None] | None = None) -> dict[str, Result]:
    """Run benchmarks by name.

    Args:
        names: keys of :data:`BENCHMARKS`; all when empty.
        on_start: called with each name before it runs.

    Returns:
        ``{NAME: {"ours": s, "rival": s or None, "rival_name": …, "ratio": rival / ours or None, "unit": …,
        "machine": …}}``; a benchmark may add entries named NAME-WHAT.

    Raises:
        ConfigError: if a name is unknown.
    """
    chosen = list(names) or list(BENCHMARKS)
    unknown = [name for name in chosen if name not in BENCHMARKS]
    if unknown:
        raise ConfigError(f"benchmark {unknown[0]!r} is unknown; choose among: {', '.join(BENCHMARKS)}.")
    results: dict[str, Result] = {}
    for name in chosen:
        if on_start is not None:
            on_start(name)
        results.update(importlib.import_module(BENCHMARKS[name]).run())
    return results
