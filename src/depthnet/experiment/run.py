"""Runs a suite: every row and seed is a training of its own, in a process of its own, and can be taken up again."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shlex import join
from threading import Event, Lock

from depthnet.config import ExperimentConfig, TrainConfig
from depthnet.errors import ConfigError, DepthNetError, InputError
from depthnet.experiment.command import option_words
from depthnet.experiment.judges import score_run
from depthnet.experiment.plan import Plan, PlannedRun, PlannedStage, describe_difference, plan_suite, require_rows
from depthnet.experiment.record import images_done, is_trained, read_record
from depthnet.experiment.report import check_results_path, write_results
from depthnet.experiment.suite import find_suite, read_suite
from depthnet.io.files import locked_folder
from depthnet.options import read_config

POLL_SECONDS = 0.5
#: A training that is told to stop, or whose command was killed, may finish its step and its files.
STOP_SECONDS = 30.0


@dataclass(frozen=True)
class ExperimentProgress:
    """Where a suite is."""

    images: int
    """Images seen so far, earlier commands included."""
    total: int
    """Images of all runs."""
    finished: int
    """Runs that are trained and scored."""
    runs: int
    """All runs."""
    label: str
    """What is being done."""


@dataclass(frozen=True)
class ExperimentOutcome:
    """What a command did."""

    results: Path
    """The results file."""
    errors: list[str]
    """One line for each run that failed."""
    left_out: dict[str, str]
    """Rows that were not trained, each with the reason."""


OnProgress = Callable[[ExperimentProgress], None]


def run_experiment(
    suite: str | Path,
    config: ExperimentConfig,
    report_only: bool = False,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> ExperimentOutcome:
    """Train and score what a suite asks for and is not there yet, then write the results.

    Each run is an ordinary run folder, ``OUT/ROW-sSEED`` (with a folder for each stage), and beside its model lies
    ``result.json`` with its scores, written last: a run that has it is never repeated. A run that was begun goes on
    from its last saved state.

    Args:
        suite: a YAML file or the name of a shipped suite.
        config: data, folders and which rows.
        report_only: train nothing; write the results of what is there.
        overwrite: train rows anew whose options have changed, and replace a results file that was written otherwise.
        on_progress: called about twice a second.

    Returns:
        The results file and what failed; one failed run does not stop the others.

    Raises:
        DepthNetError: if the suite, the data or the folder cannot be used, or no run has a result.
        KeyboardInterrupt: when the user stops it; its text says how to go on.
    """
    path = find_suite(suite)
    out = Path(config.out) if config.out else Path("runs") / path.stem
    results = Path(config.results) if config.results else out / "RESULTS.md"
    if not config.data:
        raise ConfigError("--data is missing; pass a folder or file with images and depth.")
    if config.jobs < 1:
        raise ConfigError(f"--jobs {config.jobs}: there must be at least one.")
    plan = plan_suite(read_suite(path), config, out, str(path))
    require_rows(plan, config.rows)
    check_results_path(results, overwrite)
    with locked_folder(out, "depthnet experiment", STOP_SECONDS) as lock:
        _check_unchanged(plan, overwrite)
        try:
            errors = _run_all(plan, report_only, on_progress, lock)
        except KeyboardInterrupt as stop:
            words = ["depthnet", "experiment", str(suite), *option_words(config)]
            raise KeyboardInterrupt(f"what is done is kept; go on with: {join(words)}") from stop
        write_results(plan, path.stem, results, overwrite)
    return ExperimentOutcome(results, errors, plan.left_out)


class _Board:
    """Where the runs of a command are, told to the user from whichever thread knows."""

    def __init__(self, runs: list[PlannedRun], on_progress: OnProgress | None) -> None:
        self._runs, self._on_progress = runs, on_progress
        self._images = {run.folder: sum(images_done(stage) for stage in run.stages) for run in runs}
        self._at_work: dict[Path, str] = {}
        self._finished = 0
        self._lock = Lock()

    def begin(self, run: PlannedRun) -> None:
        with self._lock:
            self._at_work[run.folder] = run.title
            self._tell()

    def count(self, run: PlannedRun, images: int) -> None:
        with self._lock:
            self._images[run.folder] = images
            self._tell()

    def finish(self, run: PlannedRun) -> None:
        with self._lock:
            self._finished += 1
            self._tell()
            del self._at_work[run.folder]

    def _tell(self) -> None:
        if self._on_progress is not None:
            seen, total = sum(self._images.values()), sum(run.images for run in self._runs)
            label = "; ".join(self._at_work.values())
            self._on_progress(ExperimentProgress(seen, total, self._finished, len(self._runs), label))


def _run_all(plan: Plan, report_only: bool, on_progress: OnProgress | None, lock: int | None) -> list[str]:
    """Train (unless it is not wanted) and score every run, some side by side; one line for each that failed."""
    wanted = [run for run in plan.runs if not plan.config.rows or run.row.name in plan.config.rows]
    board = _Board(wanted, on_progress)
    stopped, scoring = Event(), Lock()

    def complete(run: PlannedRun) -> str:
        board.begin(run)
        try:
            if not report_only:
                _train_run(run, lambda images: board.count(run, images), stopped, lock)
            with scoring:  # a scoring holds a network and a data set: one at a time
                if is_trained(run.stages[-1]) and read_record(run.folder, run, plan) is None:
                    score_run(run, plan)
        except DepthNetError as error:
            return f"{run.title}: {error}"
        finally:
            board.finish(run)
        return ""

    with ThreadPoolExecutor(plan.config.jobs) as pool:
        waiting = [pool.submit(complete, run) for run in wanted]
        try:
            return [error for one in waiting if (error := one.result())]
        finally:
            stopped.set()
            pool.shutdown(cancel_futures=True)


def _train_run(run: PlannedRun, on_images: Callable[[int], None], stopped: Event, lock: int | None) -> None:
    """Train the stages of a run that are not trained, one after the other."""
    before = 0
    for stage in run.stages:
        if not is_trained(stage):
            _train_stage(stage, lambda images, before=before: on_images(before + images), stopped, lock)  # type: ignore[misc]
        before += stage.images
    on_images(before)


def _train_stage(stage: PlannedStage, on_images: Callable[[int], None], stopped: Event, lock: int | None) -> None:
    """Train one stage in a process of its own, from its saved state where there is one.

    The process holds the lock of the folder, too: should this one be killed, the next command waits until it is gone.

    Raises:
        InputError: if the process ends without a model; the text is its last word.
    """
    begun = (stage.folder / "config.yaml").is_file()
    words = ["train", "--resume", str(stage.folder)] if begun else stage.words
    command = [sys.executable, "-m", "depthnet.experiment.child", *words]
    stage.folder.mkdir(parents=True, exist_ok=True)
    log = stage.folder / "train.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            pass_fds=() if lock is None else (lock,),
        )  # fmt: skip
        try:
            while process.poll() is None and not stopped.is_set():
                on_images(images_done(stage))
                with suppress(subprocess.TimeoutExpired):
                    process.wait(POLL_SECONDS)
        finally:
            _stop(process)
    if process.returncode != 0 or not is_trained(stage):
        raise InputError(f"{_last_words(log, process.returncode)} The whole story: {log}; the same command goes on.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a training that still goes on: politely, so that no half file is left, then by force."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
    assert process.stdin is not None
    process.stdin.close()
    process.wait()


def _last_words(log: Path, code: int) -> str:
    if code < 0:
        return f"its process was ended by signal {-code} (9 is often a lack of memory)."
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1].removeprefix("depthnet: error: ") if lines else f"its process ended with code {code}."


def _check_unchanged(plan: Plan, overwrite: bool) -> None:
    """See that what lies in the folder was trained with the options that the suite now has.

    Raises:
        ConfigError: naming the row and the first difference; with ``overwrite`` such runs are removed instead.
    """
    for run in plan.runs:
        difference = _first_difference(run)
        if difference and not overwrite:
            raise ConfigError(
                f"{run.folder}: {run.title}, was trained with other options than the suite has now ({difference}); "
                "pass --overwrite to train it anew, or another --out."
            )
        if difference:
            shutil.rmtree(run.folder)


def _first_difference(run: PlannedRun) -> str:
    for stage in run.stages:
        file = stage.folder / "config.yaml"
        if file.is_file() and (difference := describe_difference(read_config(file, TrainConfig), stage.config)):
            return difference
    return ""
