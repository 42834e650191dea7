"""`depthnet show`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import tyro

from depthnet.cli.parsing import Face, Flag, JobCommand, Options
from depthnet.cli.report import report_failure
from depthnet.cli.usage import UsageError
from depthnet.config import ShowConfig


@dataclass
class Show(JobCommand):
    """Draw what a path holds, data or anything that depthnet writes, and print the file's name.

    Data sets (a contact sheet), depth and colour maps, point clouds and meshes, videos, camera paths, run folders,
    experiments, scores (.json) and model files. A page (.html) of a cloud or mesh turns.

    depthnet show nyu_depth_v2_labeled.mat --split test

    depthnet show my_data --out my_data.html --count 20

    depthnet show trajectory.txt --video my_video

    depthnet show photo_points.ply --out photo.html

    depthnet show runs/mobile-1
    """

    positional: ClassVar[str] = "paths"

    paths: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="PATH")]] = ()
    """A data set of any layout, or a file or folder that depthnet wrote."""
    job: Options[ShowConfig] = field(default_factory=ShowConfig)
    overwrite: Flag = False
    """Replace the picture when it exists."""
    face: Options[Face] = field(default_factory=Face)

    def run(self) -> int:
        """Write the picture or page; samples that cannot be read are reported."""
        if len(self.paths) != 1:
            count = len(self.paths)
            raise UsageError(f"show needs one PATH (a data set, or what depthnet wrote); {count} were given.")
        from depthnet.show import show_path

        shown = show_path(self.paths[0], self.job, self.overwrite)
        print(shown.path)
        for line in shown.errors:
            report_failure(line)
        return 1 if shown.errors else 0
