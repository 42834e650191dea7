"""Progress on stderr: a bar with images per second and the time left on a terminal, one closing line anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class ImagesPerSecond(ProgressColumn):
    """Images per second over the last moments."""

    def render(self, task: Task) -> Text:
        """Show the speed of a task."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} images/s" if speed else "- images/s", style="progress.data.speed")


@contextmanager
def image_progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show the progress of work over images.

    Args:
        label: what is being done, before the bar.

    Yields:
        A function of (images done, images in all), to be called after each image.
    """
    console = Console(stderr=True)
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), ImagesPerSecond(), TimeRemainingColumn())
    start, count = time.perf_counter(), 0
    # A bar that redirected a piped stdout would send the results to the terminal.
    with Progress(
        *columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty(), disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(label, total=None)

        def update(done: int, total: int) -> None:
            nonlocal count
            count = done
            bar.update(task, completed=done, total=total)

        yield update
    if count > 1:
        seconds = time.perf_counter() - start
        print(f"{label}: {count} images in {seconds:.1f} s, {count / seconds:.1f} images per second", file=sys.stderr)
