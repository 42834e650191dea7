"""`depthnet check`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

import tyro

from depthnet.cli.parsing import Face, Flag, JobCommand, Options
from depthnet.cli.report import refuse_existing_file, report_failure
from depthnet.cli.usage import UsageError
from depthnet.config import CheckConfig


@dataclass
class Check(JobCommand):
    """Read a data set and report counts, sizes, depth ranges, unreadable files and likely mistakes.

    depthnet check my_data

    depthnet check nyu_depth_v2_labeled.mat --split test --limit 100 --json report.json
    """

    positional: ClassVar[str] = "datasets"

    datasets: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="DATASET")]] = ()
    """Data of any layout that depthnet recognises."""
    job: Options[CheckConfig] = field(default_factory=CheckConfig)
    overwrite: Flag = False
    """Replace the JSON file when it exists."""
    face: Options[Face] = field(default_factory=Face)

    def run(self) -> int:
        """Check and print the report; 1 when something cannot be read or is surely wrong."""
        if len(self.datasets) != 1:
            raise UsageError(f"check needs one DATASET (its file or folder); {len(self.datasets)} were given.")
        json = Path(self.job.json) if self.job.json else None
        refuse_existing_file(json, "--json", self.overwrite)
        from depthnet.check import check_path, format_report
        from depthnet.cli.progress import image_progress

        with image_progress("check") as on_progress:
            report = check_path(self.datasets[0], self.job, on_progress)
        print(format_report(report))
        if json:
            report.write_json(json, self.overwrite)
        for line in report.unreadable:
            report_failure(line)
        return 0 if report.ok else 1
