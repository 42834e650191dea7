"""`depthnet experiment`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar

import tyro

from depthnet.cli.parsing import Face, Flag, JobCommand, Options
from depthnet.cli.report import report_failure
from depthnet.cli.usage import UsageError
from depthnet.config import ExperimentConfig

if TYPE_CHECKING:
    from depthnet.experiment import ExperimentProgress


@dataclass
class Experiment(JobCommand):
    """Train and score all rows of a suite of experiments, and write what the numbers say.

    depthnet experiment nyu-cpu --data nyu --results RESULTS.md

    depthnet experiment pose-cpu --data rooms --results RESULTS-pose.md --paths '{test: rooms-test}'

    depthnet experiment my_suite.yaml --data my_data --paths '{rooms: runs/rooms}'

    The same command goes on where it was stopped or killed; runs that are finished are not repeated.
    """

    positional: ClassVar[str] = "suites"

    suites: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="SUITE")]] = ()
    """A YAML file, or a suite that is shipped: nyu-cpu (depth; about three hours on two cores), pose-cpu (motion; about
    45 minutes), nyu-gpu, pose-gpu."""
    job: Options[ExperimentConfig] = field(default_factory=ExperimentConfig)
    report_only: Flag = False
    """Train nothing; write the results of the runs that are there."""
    overwrite: Flag = False
    """Train rows anew whose options have changed since, and replace a results file that was not written by this."""
    face: Options[Face] = field(default_factory=Face)

    def run(self) -> int:
        """Run the suite and print where its results are; rows that failed are reported."""
        if len(self.suites) != 1:
            raise UsageError(f"experiment needs one SUITE (a YAML file or a name); {len(self.suites)} were given.")
        if not self.job.data:
            raise UsageError("experiment needs --data PATH (a folder or file with images and depth).")
        from depthnet.experiment import run_experiment

        with suite_progress() as on_progress:
            outcome = run_experiment(self.suites[0], self.job, self.report_only, self.overwrite, on_progress)
        print(outcome.results)
        for name, reason in outcome.left_out.items():
            print(f"row {name}: left out, {reason}", file=sys.stderr)
        for line in outcome.errors:
            report_failure(line)
        return 1 if outcome.errors else 0


@contextmanager
def suite_progress() -> Iterator[Callable[[ExperimentProgress], None]]:
    """Show where a suite is: a bar over all images with the time left, or, off a terminal, a line for each run.

    Yields:
        A function of the progress so far, to be called as often as it changes.
    """
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from depthnet.cli.progress import ImagesPerSecond, open_bar

    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), ImagesPerSecond(),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    said = ""
    # Rows differ in speed: the time left follows from the last minutes, not from the last seconds.
    with open_bar(*columns, period_s=600.0) as bar:
        task = None

        def update(progress: ExperimentProgress) -> None:
            nonlocal task, said
            line = f"{min(progress.finished + 1, progress.runs)}/{progress.runs} {progress.label}"
            if task is None:  # images of an earlier command are no speed of this one
                task = bar.add_task(line, total=progress.total, completed=progress.images)
            bar.update(task, completed=progress.images, description=line)
            if bar.disable and progress.finished < progress.runs and line != said:
                said = line
                print(f"experiment: {line}", file=sys.stderr)

        yield update
