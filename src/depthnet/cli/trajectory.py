"""`depthnet trajectory`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

import tyro

from depthnet.cli.parsing import Face, Flag, JobCommand, Options
from depthnet.cli.report import refuse_existing_file
from depthnet.cli.usage import UsageError
from depthnet.config import TrajectoryConfig


@dataclass
class Trajectory(JobCommand):
    """Score a camera path against the truth: absolute and relative errors, and drift where the path is long.

    depthnet trajectory trajectory.txt rgbd_dataset_freiburg1_rpy/groundtruth.txt

    depthnet trajectory trajectory.txt 7scenes/redkitchen/seq-01 --align sim3 --delta-unit s --json scores.json
    """

    positional: ClassVar[str] = "paths"

    paths: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="ESTIMATE REFERENCE")]] = ()
    """The trajectory file (TUM or KITTI), and the truth: such a file, or a data set with poses."""
    job: Options[TrajectoryConfig] = field(default_factory=TrajectoryConfig)
    overwrite: Flag = False
    """Replace the JSON file when it exists."""
    face: Options[Face] = field(default_factory=Face)

    def run(self) -> int:
        """Score and print a table with units; write the JSON file."""
        if len(self.paths) != 2:
            raise UsageError(f"trajectory needs two paths, ESTIMATE and REFERENCE; {len(self.paths)} were given.")
        json = Path(self.job.json) if self.job.json else None
        refuse_existing_file(json, "--json", self.overwrite)
        from depthnet.evaluation.trajectory import format_scores, score_trajectory

        scores = score_trajectory(*self.paths, self.job)
        print(format_scores(scores))
        if json:
            scores.write_json(json, self.overwrite)
        return 0
