"""Progress on stderr: a bar with images per second and the time left on a terminal, one closing line anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

if TYPE_CHECKING:
    from depthnet.prepare.run import PrepareProgress


class ImagesPerSecond(ProgressColumn):
    """Images per second over the last moments."""

    def render(self, task: Task) -> Text:
        """Show the speed of a task."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} images/s" if speed else "- images/s", style="progress.data.speed")


@contextmanager
def open_bar(*columns: ProgressColumn, period_s: float = 30.0) -> Iterator[Progress]:
    """Show a bar on stderr that leaves no trace; where that is no terminal it is ``disable``d and shows nothing.

    Args:
        columns: what stands in its line.
        period_s: seconds of the past from which the speed, and the time left, are estimated.
    """
    console = Console(stderr=True)
    # A bar that redirected a piped stdout would send the results to the terminal.
    with Progress(
        *columns,
        console=console,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
        disable=not console.is_terminal,
        speed_estimate_period=period_s,
    ) as bar:
        yield bar


@contextmanager
def image_progress(label: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show the progress of work over images.

    Args:
        label: what is being done, before the bar.

    Yields:
        A function of (images done, images in all, None where unknown), to be called after each image.
    """
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), ImagesPerSecond(), TimeRemainingColumn())
    start, count = time.perf_counter(), 0
    with open_bar(*columns) as bar:
        task = bar.add_task(label, total=None)

        def update(done: int, total: int | None) -> None:
            nonlocal count
            count = done
            bar.update(task, completed=done, total=total)

        yield update
    if count > 1:
        seconds = time.perf_counter() - start
        print(f"{label}: {count} images in {seconds:.1f} s, {count / seconds:.1f} images per second", file=sys.stderr)


@contextmanager
def scene_progress(label: str) -> Iterator[Callable[[PrepareProgress], None]]:
    """Show the progress of work over scenes of many frames each.

    Args:
        label: what is being done, before the bar.

    Yields:
        A function of the progress so far, to be called as often as it changes.
    """
    columns = (TextColumn(label), BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    start, frames = time.perf_counter(), 0
    # Scenes may take minutes: a speed over rich's usual half minute would often be none at all.
    with open_bar(*columns, period_s=600.0) as bar:
        task = None

        def update(progress: PrepareProgress) -> None:
            nonlocal frames, task
            frames = progress.frames
            speed = frames / (time.perf_counter() - start)
            words = f"{progress.done}/{progress.scenes} scenes, {frames} frames, {speed:.1f} frames/s"
            completed = progress.done + progress.partial
            if task is None:  # scenes of an earlier run are no speed of this one
                task = bar.add_task(words, total=progress.scenes, completed=completed)  # type: ignore[arg-type]
            bar.update(task, completed=completed, description=words)

        yield update
    if frames > 1:
        seconds = time.perf_counter() - start
        print(f"{label}: {frames} frames in {seconds:.1f} s, {frames / seconds:.1f} frames per second", file=sys.stderr)
