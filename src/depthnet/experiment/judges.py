"""The judges by subject, and the scoring of a run."""

from __future__ import annotations

from depthnet.checkpoint import resolve_model
from depthnet.config import DescribeConfig
from depthnet.describe import describe_network
from depthnet.experiment import depth_judge, motion_judge
from depthnet.experiment.judge import Judge
from depthnet.experiment.plan import Plan, PlannedRun
from depthnet.experiment.record import MODEL_FILE, Record, training_seconds, what_is_scored
from depthnet.experiment.subjects import DEPTH, MOTION

#: What is scored -> how.
JUDGES: dict[str, Judge] = {DEPTH.item: depth_judge.JUDGE, MOTION.item: motion_judge.JUDGE}


def judge_of(plan: Plan) -> Judge:
    """The judge of a suite."""
    return JUDGES[plan.suite.subject.item]


def score_run(run: PlannedRun, plan: Plan) -> Record:
    """Score the model of a trained run, and write its record.

    Raises:
        DepthNetError: if the model or an image cannot be used.
    """
    judge, last = judge_of(plan), run.stages[-1]
    (_, first), *further = judge.score(run, plan).items()
    network = describe_network(resolve_model(last.folder, judge.task), DescribeConfig(size=last.config.size))
    seconds = sum(training_seconds(stage) for stage in run.stages)
    record = Record(
        what_is_scored(plan, last.folder / MODEL_FILE), first.scores, first.per_image, run.images, seconds,
        network.parameters, network.multiply_adds, dict(further),
    )  # fmt: skip
    record.write(run.folder)
    return record
