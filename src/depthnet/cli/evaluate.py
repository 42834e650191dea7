"""`depthnet evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from depthnet.cli.parsing import Command, Face, Flag, JobCommand, Options, join_repeated
from depthnet.cli.report import describe_error, refuse_existing_file, report_failure
from depthnet.cli.usage import UsageError
from depthnet.config import EvaluateConfig
from depthnet.errors import DepthNetError

PAGES = (".html", ".htm")


@dataclass
class Evaluate(JobCommand):
    """Score a model, or a folder of predictions by any program, against ground truth.

    depthnet evaluate --model runs/mine --data nyu_depth_v2_labeled.mat --split test --protocol nyu nyu-full

    depthnet evaluate --model predictions/ --data my_data --align median --json scores.json

    depthnet evaluate --model mobile --model runs/mine --data my_data --report page.html
    """

    job: Options[EvaluateConfig] = field(default_factory=EvaluateConfig)
    overwrite: Flag = False
    """Replace the JSON file and the report when they exist."""
    face: Options[Face] = field(default_factory=Face)

    @classmethod
    def choose(cls, name: str, words: Sequence[str]) -> tuple[type[Command], str, Sequence[str]]:
        """Take every model that is named."""
        return cls, name, join_repeated(words, "--model")

    def run(self) -> int:
        """Evaluate each model, print its table of scores and write the JSON file and the report.

        Of several models, one that cannot be evaluated is reported and the others go on.
        """
        if not self.job.data:
            raise UsageError("evaluate needs --data PATH (a folder or file with images and depth).")
        json, report = (Path(path) if path else None for path in (self.job.json, self.job.report))
        refuse_existing_file(json, "--json", self.overwrite)
        refuse_existing_file(report, "--report", self.overwrite)
        if report and report.suffix.lower() not in PAGES:
            raise UsageError(f"--report {report}: '{report.suffix}' is no page; end its name with .html.")

        from depthnet.cli.progress import image_progress
        from depthnet.evaluation import evaluate_path, format_table, split_models, write_scores
        from depthnet.report import ModelFacts, ModelReport, write_report

        names = split_models(self.job.model)
        done: list[ModelReport] = []
        failures: list[str] = []
        for name in names:
            facts = ModelFacts(self.job.report_images)
            try:
                with image_progress("evaluate") as on_progress:
                    found = evaluate_path(replace(self.job, model=name), on_progress, facts if report else None)
            except DepthNetError as error:
                if len(names) == 1:
                    raise
                failures.append(f"--model {name}: {describe_error(error)}")
                continue
            print(format_table(found))
            done.append(ModelReport(found, facts))
            failures += found.errors
        if done and json:
            write_scores([one.evaluation for one in done], json, self.overwrite)
        if done and report:
            write_report(report, done, self.job, self.overwrite)
        for line in failures:
            report_failure(line)
        return 1 if failures else 0
