"""Suites about motion: errors of the motion between two frames, and the graph of pose error against warp error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from depthnet.config import TrainConfig
from depthnet.data.samples import RawSample
from depthnet.data.video_frames import relative_motion
from depthnet.experiment.compare import Table
from depthnet.experiment.error_graph import error_section
from depthnet.experiment.judge import Call, Judge
from depthnet.experiment.motion_scores import LEAST_WAY_M, FindMotion, Matrix, draw_pair, open_pairs, score_pairs
from depthnet.experiment.plan import Plan, PlannedRun
from depthnet.experiment.record import Record, Scored, is_trained, read_record, what_is_scored
from depthnet.experiment.subjects import DIRECT_PREDICTED_ROW, DIRECT_ROW, MOTION, STILL_ROW, TRUE_ROW
from depthnet.experiment.suite import Pairs
from depthnet.predictor import load_model
from depthnet.predictor.pose import load_pose_model, predict_motion

#: Depth model of direct alignment without a sensor.
DEPTH_MODEL = "mobile"


def score_run(run: PlannedRun, plan: Plan) -> dict[str, Scored]:
    """Scores on all pairs of frames."""
    find, metric = load_finder(run.stages[-1].folder, plan)
    return score_all(find, plan, metric)


def score_all(find: FindMotion, plan: Plan, metric: bool = True) -> dict[str, Scored]:
    """Scores on all pairs of frames, by their names."""
    size = tuple(plan.suite.base.get("size", TrainConfig().size))
    return {pairs.name: score_pairs(find, open_pairs(pairs), size, metric) for pairs in plan.pairs}


def load_finder(folder: Path, plan: Plan) -> tuple[FindMotion, bool]:
    """The motion that the network of a run finds, and whether it is in metres."""
    model = load_pose_model(folder, threads=plan.config.threads)

    def find(target: RawSample, source: RawSample) -> Matrix:
        return predict_motion(model, target.image, source.image)

    return find, model.info.kind == "metric"


def stand_still(target: RawSample, source: RawSample) -> Matrix:
    """No motion."""
    return np.eye(4)


def build_direct(depth_of: Callable[[RawSample], Matrix | None], guessed: bool) -> FindMotion:
    """Direct alignment of two frames, as the tracker of a video begins.

    Args:
        depth_of: the depth of a frame, metres, (H, W).
        guessed: whether a network predicted it.
    """
    from depthnet.odometry.tracker import DirectTracker

    def find(target: RawSample, source: RawSample) -> Matrix | None:
        tracker = DirectTracker(free_scale=guessed)
        assert target.K is not None
        tracker.track(target.image, depth_of(target), target.K)
        return tracker.track(source.image, depth_of(source), target.K).T_world_cam

    return find


def build_predicted_direct(plan: Plan) -> FindMotion:
    """Direct alignment with the depth that a network predicts."""
    model = load_model(DEPTH_MODEL, threads=plan.config.threads)

    def depth_of(frame: RawSample) -> Matrix:
        assert frame.K is not None
        return model.depth(frame.image, float(frame.K[0, 0]))

    return build_direct(depth_of, guessed=True)


#: Rows that are always there -> what finds their motions.
BASELINES: dict[str, Callable[[Plan], FindMotion]] = {
    TRUE_ROW: lambda plan: relative_motion,
    STILL_ROW: lambda plan: stand_still,
    DIRECT_ROW: lambda plan: build_direct(lambda frame: frame.depth, guessed=False),
    DIRECT_PREDICTED_ROW: build_predicted_direct,
}


def record_baselines(plan: Plan) -> dict[str, Record]:
    """The rows without training; scored once, like a run."""
    records = {}
    for name, build in BASELINES.items():
        record = read_record(plan.out / name, None, plan)
        if record is None:
            (_, first), *further = score_all(build(plan), plan).items()
            record = Record(what_is_scored(plan, None), first.scores, first.per_image, 0, 0.0, 0, 0, dict(further))
            record.write(plan.out / name)
        records[name] = record
    return records


def calls(plan: Plan, rows: Sequence[str]) -> tuple[dict[str, Call], str]:
    """Each row on the first pair that is scored, and direct alignment."""
    target, source = draw_pair(open_pairs(plan.pairs[0]), 0)
    found = {
        name: Call(name, partial(BASELINES[name](plan), target, source)) for name in (DIRECT_ROW, DIRECT_PREDICTED_ROW)
    }
    for name in rows:
        stage = next(run.stages[-1] for run in plan.of_row(name) if is_trained(run.stages[-1]))
        found[name] = Call(name, partial(load_finder(stage.folder, plan)[0], target, source))
    height, width = target.size
    return found, f"from two decoded {width}x{height} pictures (and, for direct alignment, their depth) to the motion"


def conditions(plan: Plan, table: Table) -> str:
    """Which pairs, which scores, and how the models were chosen."""
    lines = [f"- {_describe_pairs(pairs, place, table)}" for place, pairs in enumerate(plan.pairs)]
    return (
        "Scores are of the motion between two frames, as the model file of each run finds it; every frame that has a "
        "neighbour at the wanted distance is once the target, and its source is the same for all rows:\n\n"
        + "\n".join(lines)
        + "\n\nRotation: angle between the found and the true rotation. Translation: distance between the two "
        f"translations. Direction: angle between them, over the pairs whose camera moved at least {LEAST_WAY_M:g} m; "
        "90 where no translation was found. Warp error: the source is warped onto the target by the found motion and "
        "the target's measured depth, and the colours (0 to 1) compared; mean absolute difference over the pixels of "
        "known depth, those that the source does not show counting with the difference of the unwarped source. The "
        f"model kept of a run is the best of its {plan.suite.validations} validations, on rooms that are neither "
        "trained on nor scored here." + _describe_scales(plan, table) + _describe_lost(plan, table)
    )


def _describe_pairs(pairs: Pairs, place: int, table: Table) -> str:
    """Number, distance and true motion of the pairs."""
    still = next(iter(table[STILL_ROW].values())).of(pairs.name if place else "")
    low, high = pairs.gap
    apart = f"{low} to {high} frames" if low < high else f"{low} frame{'s' * (low > 1)}"
    return (
        f"{pairs.title}: {len(still.per_image)} pairs, {apart} apart; the camera turns by "
        f"{still.scores['rotation_deg']:.1f} degrees and moves by {still.scores['translation_m']:.3f} m between them "
        f"(mean). {pairs.note}".strip()
    )


def _describe_scales(plan: Plan, table: Table) -> str:
    """The factors of rows whose translations have no metres."""
    lines = []
    for row in plan.suite.rows:
        records = table.get(row.name, {})
        first = next(iter(records.values()), None)
        if first is None or "scale_m" not in first.scores:
            continue
        scales = [
            f"{first.of(pairs.name if place else '').scores['scale_m']:.3g} on {pairs.title}"
            for place, pairs in enumerate(plan.pairs)
        ]
        lines.append(
            f"{row.title} knows no metres: its translations are multiplied by the one factor that fits the scored "
            f"pairs best (least squares), which favours it: {', '.join(scales)}."
        )
    return " " + " ".join(lines) if lines else ""


def _describe_lost(plan: Plan, table: Table) -> str:
    """Pairs on which direct alignment gave no answer."""
    parts = []
    for name in (DIRECT_ROW, DIRECT_PREDICTED_ROW):
        record = next(iter(table[name].values()))
        for place, pairs in enumerate(plan.pairs):
            rows = record.of(pairs.name if place else "").per_image.values()
            lost = sum(row["lost"] > 0 for row in rows)
            parts += [f"{lost} of {len(rows)} on {pairs.title} ({MOTION.baselines[name]})"] if lost else []
    if not parts:
        return ""
    return f" Where direct alignment does not believe its own answer, no motion is taken for it: {'; '.join(parts)}."


JUDGE = Judge("pose", score_run, record_baselines, calls, conditions, error_section)
