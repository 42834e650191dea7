"""``depthnet check``: read a data set as a whole and say what it holds and what is likely wrong with it."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import numpy as np

from depthnet.check.frames import FrameFacts, measure_frame
from depthnet.check.report import Report, format_report
from depthnet.check.rules import RULES, Finding, Survey, find_problems
from depthnet.config import CheckConfig
from depthnet.cores import usable_cores
from depthnet.data import open_dataset
from depthnet.data.samples import DepthDataset
from depthnet.errors import ConfigError, InputError

__all__ = ["RULES", "Finding", "Report", "Survey", "check_dataset", "check_path", "find_problems", "format_report"]

OnProgress = Callable[[int, int], None]
"""Called with (samples done, samples in all) after each sample."""

_OUTDOOR = ("kitti", "cityscapes")
_FEW = 64  # below this, starting processes takes longer than reading
_dataset: DepthDataset | None = None


def check_path(path: str, config: CheckConfig, on_progress: OnProgress | None = None) -> Report:
    """Open a data set and check it, with a process for each core.

    Args:
        path: its file or folder, of any layout.
        config: what to read; ``json`` is left to the caller (:meth:`Report.write_json`).
        on_progress: called after each sample.

    Raises:
        InputError: if it cannot be opened at all.
        ConfigError: if ``limit`` or ``workers`` is below 1.
    """
    dataset = open_dataset(path, config.split, config.format)
    workers = config.workers
    if workers is None:
        workers = usable_cores() if (config.limit or len(dataset)) >= _FEW else 1
    return check_dataset(dataset, config.limit, workers, on_progress)


def check_dataset(
    dataset: DepthDataset, limit: int | None = None, workers: int = 1, on_progress: OnProgress | None = None
) -> Report:
    """Read samples and apply every rule; a sample that cannot be read is reported and the others go on.

    Args:
        dataset: any data set.
        limit: read this many samples, in even steps, instead of all.
        workers: processes that read.
        on_progress: called after each sample.

    Returns:
        The report, the same for any number of workers but for its seconds.

    Raises:
        ConfigError: if ``limit`` or ``workers`` is below 1.
        InputError: if a reading process was killed.
    """
    for option, value in (("--limit", limit), ("--workers", workers)):
        if value is not None and value < 1:
            raise ConfigError(f"{option} {value}: expected 1 or more.")
    start = time.perf_counter()
    count = len(dataset) if limit is None else min(limit, len(dataset))
    indices = [int(index) for index in np.linspace(0, len(dataset) - 1, count).round()]
    frames = []
    for facts in _measure(dataset, indices, workers):
        frames.append(facts)
        if on_progress is not None:
            on_progress(len(frames), count)
    readable = [facts for facts in frames if facts.error is None]
    survey = Survey(dataset.format, dataset.format.startswith(_OUTDOOR), readable, dataset.sequences())
    findings = find_problems(survey) if readable else []
    seconds = time.perf_counter() - start
    return Report(dataset.name, dataset.format, len(dataset), frames, findings, dataset.left_out, seconds)


def _measure(dataset: DepthDataset, indices: list[int], workers: int) -> Iterator[FrameFacts]:
    """Facts of samples in the order of ``indices``."""
    if workers == 1:
        yield from (measure_frame(dataset, index) for index in indices)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, _start, (dataset,))
    try:
        yield from pool.map(_measure_one, indices, chunksize=8)
    except BrokenProcessPool as error:
        raise InputError(
            f"{dataset.name}: a reading process was killed, most likely for memory; run again with --workers 1."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start(dataset: DepthDataset) -> None:
    global _dataset
    _dataset = dataset


def _measure_one(index: int) -> FrameFacts:
    assert _dataset is not None
    return measure_frame(_dataset, index)
