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
    """Draw a data set's contact sheet, a depth map in colours or a camera's path, and print the file's name.

    depthnet show nyu_depth_v2_labeled.mat --split test

    depthnet show my_data --out my_data.html --count 20

    depthnet show trajectory.txt --video my_video
    """

    positional: ClassVar[str] = "paths"

    paths: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="PATH")]] = ()
    """A data set of any layout, a depth map (16-bit PNG in mm, NPY in metres), or a camera path (TUM, KITTI)."""
    job: Options[ShowConfig] = field(default_factory=ShowConfig)
    overwrite: Flag = False
    """Replace the picture when it exists."""
    face: Options[Face] = field(default_factory=Face)

    def run(self) -> int:
        """Write the picture or page; samples that cannot be read are reported."""
        if len(self.paths) != 1:
            count = len(self.paths)
            raise UsageError(f"show needs one PATH (a data set, a depth map or a camera path); {count} were given.")
        from depthnet.show import show_path

        shown = show_path(self.paths[0], self.job, self.overwrite)
        print(shown.path)
        for line in shown.errors:
            report_failure(line)
        return 1 if shown.errors else 0
