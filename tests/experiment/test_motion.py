"""Suites about motion: scores of motions known by hand, and a whole suite of two small trainings."""

from __future__ import annotations

import json
import math
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).parent.parent / "training"))
from video_scenes import SIZE, write_video

from depthnet.config import ExperimentConfig
from depthnet.data.video_frames import relative_motion
from depthnet.errors import ConfigError, InputError
from depthnet.experiment import ExperimentOutcome, run, run_experiment
from depthnet.experiment.error_graph import describe_ranks, middle_parts, rank_correlation
from depthnet.experiment.motion_judge import build_direct, stand_still
from depthnet.experiment.motion_scores import angle_deg, draw_pair, fit_scale, motion_errors, open_pairs, score_pairs
from depthnet.experiment.plan import PlannedStage, count_images, plan_suite
from depthnet.experiment.record import Scored, read_record
from depthnet.experiment.suite import Pairs, read_suite
from depthnet.geometry.se3 import se3_exp
from depthnet.predictor.pose import load_pose_model, predict_motion
from depthnet.training import train

pytestmark = pytest.mark.usefixtures("one_thread")

SUITE = """
title: Motion in a few steps
budget: 16
validations: 1
split: auto
block_images: 3
base:
  task: pose
  network: pose-early
  size: [32, 48]
  batch_size: 4
  workers: 0
  threads: 1
  log_every: 1
  precision: "32"
  accelerator: cpu
  optim: {ema: 0.5}
  augment: {recipe: none}
  pose: {gap: [1, 2]}
rows:
  - {name: early, label: early fusion}
  - name: video
    options: {task: video, network: mobile, pose: {gap: [1, 1], terms: {photometric: 1}}}
  - {name: init, options: {init: $start}}
claims:
  - name: direct
    text: Alignment beats early fusion
    tests: [{kind: better, row: direct-sensor, than: early, by: rotation_deg, margin: 0.1}]
  - name: elsewhere
    text: And elsewhere
    tests: [{kind: better, row: direct-sensor, than: no-motion, by: motion_error, pairs: flat}]
  - name: real
    text: It transfers
    tests: [{kind: better, row: early, than: no-motion, by: motion_error, pairs: street}]
pairs:
  - {name: corner, label: an unseen corner, data: $test, gap: [1, 2]}
  - {name: flat, data: $test, gap: [2, 2], note: The same corner.}
  - {name: street, data: $street}
decides: Whether the machinery runs.
"""


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for number in range(2):
        write_video(folder / f"train{number}", frames=10, seed=number)
    write_video(folder / "test", frames=7, seed=9)
    return folder


@pytest.fixture(scope="module")
def corner(videos: Path) -> Pairs:
    return Pairs("corner", data=str(videos / "test"), gap=(1, 2))


def test_the_truth_has_no_error_and_standing_still_has_all_of_it(corner: Pairs) -> None:
    frames = open_pairs(corner)
    true, still = score_pairs(relative_motion, frames, SIZE), score_pairs(stand_still, frames, SIZE)
    assert list(true.per_image) == list(still.per_image) == frames.names
    assert true.scores["rotation_deg"] == pytest.approx(0, abs=1e-5)
    assert true.scores["translation_m"] == pytest.approx(0, abs=1e-9)
    assert true.scores["direction_deg"] == pytest.approx(0, abs=1e-4)
    assert still.scores["direction_deg"] == 90
    ways = [np.linalg.norm(np.asarray(relative_motion(*draw_pair(frames, i)))[:3, 3]) for i in range(len(frames))]
    assert still.scores["translation_m"] == pytest.approx(np.mean(ways))
    for name, scores in still.per_image.items():
        expected = math.radians(scores["rotation_deg"]) + scores["translation_m"]
        assert scores["motion_error"] == pytest.approx(expected)
        assert true.per_image[name]["warp_error"] < scores["warp_error"]
    assert true.scores["warp_error"] < 0.5 * still.scores["warp_error"]


def test_errors_by_hand() -> None:
    true = np.eye(4)
    true[:3, 3] = 0.3, 0.0, 0.4
    scores = motion_errors(se3_exp(np.array([0.0, 0.0, 0.5, 0.0, 0.0, 0.0])) @ se3_exp(np.eye(6)[5] * np.pi / 6), true)
    assert scores["rotation_deg"] == pytest.approx(30)
    assert scores["translation_m"] == pytest.approx(np.hypot(0.3, 0.1))
    assert scores["direction_deg"] == pytest.approx(math.degrees(math.acos(0.8)))
    true[:3, 3] = 0.0, 0.019, 0.0
    assert "direction_deg" not in motion_errors(np.eye(4), true)
    assert angle_deg(np.zeros(3), np.ones(3)) == 90


def test_a_motion_without_metres_gets_the_factor_that_fits_best(corner: Pairs) -> None:
    frames = open_pairs(corner)

    def half(*pair: object) -> np.ndarray:
        motion = np.array(relative_motion(*pair))  # type: ignore[arg-type]
        motion[:3, 3] /= 2
        return motion

    assert score_pairs(half, frames, SIZE).scores["translation_m"] > 0.02
    fitted = score_pairs(half, frames, SIZE, metric=False)
    assert fitted.scores["scale_m"] == pytest.approx(2)
    assert fitted.scores["translation_m"] == pytest.approx(0, abs=1e-9)
    one = np.eye(4)
    one[:3, 3] = 1.0, 2.0, 0.0
    other = np.eye(4)
    other[:3, 3] = 3.0, 0.0, 7.0
    assert fit_scale([one], [other]) == pytest.approx(3 / 5)
    assert fit_scale([one], [-other]) == fit_scale([np.eye(4)], [other]) == 0


def test_direct_alignment_finds_the_motion_of_a_pair(corner: Pairs) -> None:
    pytest.importorskip("numba")
    frames = open_pairs(corner)
    found = score_pairs(build_direct(lambda frame: frame.depth, guessed=False), frames, SIZE)
    still = score_pairs(stand_still, frames, SIZE)
    assert found.scores["rotation_deg"] < 0.3 * still.scores["rotation_deg"]
    assert found.scores["warp_error"] < still.scores["warp_error"]
    blind = score_pairs(build_direct(lambda frame: None, guessed=False), frames, SIZE)
    assert blind.scores == {**still.scores, "lost": 1.0}


def test_pairs_that_cannot_be_scored_are_refused(videos: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no frames with depth and poses are 7 to 9 apart; give pairs far another gap"):
        open_pairs(Pairs("far", data=str(videos / "test"), gap=(7, 9)))
    bare = write_video(tmp_path / "bare", frames=3, depth=False)
    with pytest.raises(InputError, match="no frames with depth"):
        open_pairs(Pairs("bare", data=str(bare)))


def test_ranks() -> None:
    rising = np.array([[1.0, 10.0], [2.0, 30.0], [9.0, 31.0]])
    assert rank_correlation(rising) == pytest.approx(1)
    assert rank_correlation(rising * [1, -1]) == pytest.approx(-1)
    assert rank_correlation(rising * [1, 0]) == 0
    assert middle_parts(rising[::-1]).tolist() == rising.tolist()
    one_lost = np.stack([np.arange(18.0), np.where(np.arange(18) == 17, 900.0, 1.0)], axis=1)
    assert middle_parts(one_lost).tolist() == [[1.0 + 3 * part, 1.0] for part in range(6)]
    assert middle_parts(np.arange(24.0).reshape(12, 2))[0].tolist() == [1.0, 2.0]
    # Pair by pair the rows stand in the same order in both errors; over each row's pairs they do not.
    falling = rising * [1, -1] + [0, 100]
    text = describe_ranks({"a": falling, "b": falling * 2, "c": falling * 3})
    assert "from -1.00 (a) to -1.00 (c)" in text
    assert "Over the means of the rows: 1.00" in text
    assert ": 1.00, mean of the pairs" in text


class Finished:
    """A suite whose rows are trained in this process, and what scored them."""

    def __init__(self, root: Path, videos: Path) -> None:
        (root / "suite.yaml").write_text(SUITE, encoding="utf-8")
        self.out = root / "out"
        data = root / "data"
        data.mkdir()
        for name in ("train0", "train1"):
            (data / name).symlink_to(videos / name)
        self.config = ExperimentConfig(
            data=str(data), out=str(self.out), threads=1, paths={"test": str(videos / "test")}
        )
        self.outcome: ExperimentOutcome = run_experiment(root / "suite.yaml", self.config)
        self.text = self.outcome.results.read_text(encoding="utf-8")

    def record(self, name: str) -> dict[str, object]:
        return json.loads((self.out / name / "result.json").read_text())  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, videos: Path) -> Finished:
    pytest.importorskip("numba")
    patch = pytest.MonkeyPatch()

    def train_here(stage: PlannedStage, *_: object) -> None:
        train(stage.config, out=stage.folder)

    patch.setattr(run, "_train_stage", train_here)
    made = Finished(tmp_path_factory.mktemp("suite"), videos)
    patch.undo()
    return made


def cells(text: str, title: str) -> list[list[str]]:
    """Cells of the lines of a row in all tables."""
    lines = [line for line in text.splitlines() if line.startswith(f"| {title} |")]
    return [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines]


def test_every_row_is_scored_by_the_motion_of_its_model_file(finished: Finished, corner: Pairs) -> None:
    assert not finished.outcome.errors
    assert finished.outcome.left_out == {
        "init": "needs --paths '{start: PATH}'", "street": "needs --paths '{street: PATH}'"
    }  # fmt: skip
    for name, scaled in (("early-s0", False), ("video-s0", True)):
        record = finished.record(name)
        assert ("scale_m" in record["scores"]) == scaled  # type: ignore[operator]
        assert set(record["elsewhere"]) == {"flat"}  # type: ignore[call-overload]
        assert len(record["per_image"]) == 7  # type: ignore[arg-type]
        assert record["images"] == 16
    assert finished.record("early-s0")["parameters"] == 1_586_774
    model = load_pose_model(finished.out / "early-s0")
    scored = score_pairs(
        lambda target, source: predict_motion(model, target.image, source.image), open_pairs(corner), SIZE
    )
    (first, further) = cells(finished.text, "early fusion")
    assert first[1:5] == [
        f"{scored.scores['rotation_deg']:.2f}", f"{scored.scores['translation_m']:.3f}",
        f"{scored.scores['direction_deg']:.0f}", f"{scored.scores['warp_error']:.4f}",
    ]  # fmt: skip
    assert first[5] == "16"
    assert float(first[9]) > 0
    assert len(further) == 5


def test_rows_without_training_are_always_there(finished: Finished) -> None:
    for title, timed in (
        ("true motion", False), ("no motion", False), ("direct alignment, measured depth", True),
        ("direct alignment, depth by mobile", True),
    ):  # fmt: skip
        first, further = cells(finished.text, title)
        assert first[5:9] == [""] * 4
        assert (first[9] != "") == timed
        assert len(further) == 5
    assert cells(finished.text, "true motion")[0][1:4] == ["0.00", "0.000", "0"]
    assert cells(finished.text, "no motion")[0][3] == "90"


def test_the_results_say_what_was_compared(finished: Finished) -> None:
    text = finished.text
    assert "- an unseen corner: 7 pairs, 1 to 2 frames apart; the camera turns by " in text
    assert "- flat: 7 pairs, 2 frames apart; " in text
    assert "(mean). The same corner." in text
    assert re.search(r"video knows no metres: .* favours it: [\d.e-]+ on an unseen corner, [\d.e-]+ on flat\.", text)
    assert "Is direct alignment, measured depth better than early fusion by more than 0.10 in rotation-deg?" in text
    assert "Is direct alignment, measured depth better than no motion in motion-error on flat? " in text
    assert "in motion-error on street? Not settled: needs --paths '{street: PATH}'." in text
    assert "with 95 % confidence" in text
    assert "by bootstrap over 3 blocks of 3 frames" in text
    assert "depthnet train --task pose" in text


def test_the_graph_has_a_dot_for_each_pair_and_a_line_for_each_row(finished: Finished) -> None:
    pictures = re.findall(r"\]\((docs/pictures/[^)]*)\)", finished.text)
    assert pictures == ["docs/pictures/suite-curves.svg", "docs/pictures/suite-errors.svg"]
    svg = "{http://www.w3.org/2000/svg}"
    root = ElementTree.fromstring((finished.out / pictures[1]).read_text(encoding="utf-8"))
    lines = root.findall(f"{svg}polyline")
    clouds = [path for path in root.findall(f"{svg}path") if path.get("opacity")]
    assert len(lines) == len(clouds) == 5  # two networks, no motion, and direct alignment twice
    assert all(cloud.get("d", "").count("M") == 7 for cloud in clouds)
    assert all(len(line.get("points", "").split()) == 6 for line in lines)
    texts = [text.text or "" for text in root.iter(f"{svg}text")]
    assert sum(text.startswith("early fusion  ") for text in texts) == 1
    assert "Rank correlation of the two errors over the pairs: from " in finished.text


def test_what_is_scored_is_not_scored_again_until_it_changes(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[str] = []

    def count(find: object, frames: object, size: object, metric: bool = True) -> Scored:
        scored.append("once more")
        return Scored({}, {})

    monkeypatch.setattr("depthnet.experiment.motion_judge.score_pairs", count)
    run_experiment(finished.out.parent / "suite.yaml", finished.config, report_only=True)
    assert not scored
    suite = read_suite(finished.out.parent / "suite.yaml")
    suite.pairs[1].gap = (3, 3)
    plan = plan_suite(suite, finished.config, finished.out, "suite.yaml")
    assert read_record(finished.out / "early-s0", plan.of_row("early")[0], plan) is None


def test_rows_are_counted_in_their_own_targets(finished: Finished) -> None:
    """Task video needs a neighbour on each side; the two frames that are held out have none: none is validated."""
    plan = plan_suite(read_suite(finished.out.parent / "suite.yaml"), finished.config, finished.out, "suite.yaml")
    counts: dict[str, int] = {}
    found = [count_images(plan.of_row(row)[0].stages[0].config, counts) for row in ("early", "video")]
    assert found == [18, 16]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("pairs: flat}", "pairs: nowhere}", "a claim names pairs 'nowhere'; besides the first there are: flat, street"),
        ("by: rotation_deg", "by: delta1", "better by 'delta1'; choose one of: rotation_deg, translation_m"),
        ("name: early,", "name: no-motion,", "row 'no-motion' stands twice or is taken"),
        ("name: flat, ", "name: corner, ", "pairs 'corner' stands twice"),
    ],
)
def test_mistakes_are_named(old: str, new: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE.replace(old, new))
    with pytest.raises(ConfigError, match=re.escape(message)):
        read_suite(tmp_path / "suite.yaml")


def test_the_first_pairs_must_be_given(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE)
    with pytest.raises(ConfigError, match=r"pairs corner, on which all rows are compared: needs --paths '\{test: PATH"):
        run_experiment(tmp_path / "suite.yaml", ExperimentConfig(data=str(videos)))
