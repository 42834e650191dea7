"""How the rows of a suite are scored: what a suite about depth and one about motion do differently."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from depthnet.experiment.compare import Table
from depthnet.experiment.plan import Plan, PlannedRun
from depthnet.experiment.record import Record, Scored
from depthnet.io.files import atomic_path


@dataclass(frozen=True)
class Call:
    """Something that is timed."""

    kind: str
    """Calls of one kind take the same time: they are one measurement."""
    run: Callable[[], object]
    """One prediction."""


@dataclass(frozen=True)
class Gallery:
    """Where the pictures of a results file go."""

    results: Path
    """The results file."""
    folder: Path
    name: str
    """Name of the suite; the pictures are called after it."""
    replace: bool
    """Whether pictures that are there may be replaced."""

    def hang(self, name: str, caption: str, write: Callable[[Path], object]) -> str:
        """Write a picture and give the line that shows it.

        Args:
            name: end of its file name.
            caption: what it shows, for those who do not see it.
            write: writes it into a file.
        """
        picture = self.folder / f"{self.name}-{name}"
        with atomic_path(picture, self.replace) as temporary:
            write(temporary)
        return f"![{caption}]({Path(os.path.relpath(picture, self.results.parent)).as_posix()})"


@dataclass(frozen=True)
class Judge:
    """Scores the rows of suites of one kind, and tells about them."""

    task: str
    """What a model finds that can be scored, as `depthnet.checkpoint.resolve_model` calls it."""
    score: Callable[[PlannedRun, Plan], dict[str, Scored]]
    """Scores of a trained run: first those of the table, then those on further pairs of frames, by their names."""
    baselines: Callable[[Plan], dict[str, Record]]
    """Records of the rows that are always there; scored once, like runs."""
    calls: Callable[[Plan, Sequence[str]], tuple[dict[str, Call], str]]
    """What is timed of some trained rows, and of baselines where that means something, and what that is, in words."""
    conditions: Callable[[Plan, Table], str]
    """What the scores are of, in words."""
    section: Callable[[Plan, Table, Gallery], str]
    """A section of the results with pictures."""
