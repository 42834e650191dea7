"""`depthnet evaluate`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from depthnet.cli.parsing import Face, Flag, JobCommand, Options
from depthnet.cli.report import refuse_existing_file, report_failure
from depthnet.cli.usage import UsageError
from depthnet.config import EvaluateConfig


@dataclass
class Evaluate(JobCommand):
    """Score a model, or a folder of predictions by any program, against ground truth.

    depthnet evaluate --model runs/mine --data nyu_depth_v2_labeled.mat --split test --protocol nyu nyu-full

    depthnet evaluate --model predictions/ --data my_data --align median --json scores.json
    """

    job: Options[EvaluateConfig] = field(default_factory=EvaluateConfig)
    overwrite: Flag = False
    """Replace the JSON file when it exists."""
    face: Options[Face] = field(default_factory=Face)

    def run(self) -> int:
        """Evaluate, print the table of scores and write the JSON file."""
        if not self.job.data:
            raise UsageError("evaluate needs --data PATH (a folder or file with images and depth).")
        json = Path(self.job.json) if self.job.json else None
        refuse_existing_file(json, "--json", self.overwrite)

        from depthnet.cli.progress import image_progress
        from depthnet.evaluation import evaluate_path, format_table

        with image_progress("evaluate") as on_progress:
            evaluation = evaluate_path(self.job, on_progress)
        print(format_table(evaluation))
        if json:
            evaluation.write_json(json, self.overwrite)
        for line in evaluation.errors:
            report_failure(line)
        return 1 if evaluation.errors else 0
