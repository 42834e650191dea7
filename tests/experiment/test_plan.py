"""Plans: the budget in epochs and batches, options of every stage, and commands that give exactly these options."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from depthnet.cli.parsing import parse
from depthnet.cli.train import Train
from depthnet.config import ExperimentConfig, TrainConfig
from depthnet.errors import ConfigError
from depthnet.experiment.plan import Plan, describe_difference, fill_paths, plan_suite, require_rows, spend
from depthnet.experiment.record import training_seconds
from depthnet.experiment.suite import SUITES, Suite, read_suite

pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).parent.parent / "training"))
from video_scenes import write_video


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of forty frames, so that its last tenth has neighbours on both sides."""
    return write_video(tmp_path_factory.mktemp("video") / "room", frames=40)


@pytest.mark.parametrize(
    ("images", "validations", "count", "batch"),
    [(9600, 10, 635, 16), (9600, 10, 635, 8), (160_000, 20, 24_231, 32), (100, 10, 635, 16), (4800, 10, 8000, 16)],
)
def test_the_budget_is_spent_in_even_steps(images: int, validations: int, count: int, batch: int) -> None:
    config = spend(images, validations, count, TrainConfig(batch_size=batch))
    assert config.limit_batches is not None
    assert config.epochs == validations * config.validate_every
    assert 1 <= config.limit_batches <= count // batch
    seen = config.epochs * config.limit_batches * batch
    assert abs(seen - images) <= config.epochs * max(batch / 2, batch - images / config.epochs)


def test_an_epoch_by_hand() -> None:
    # 635 pictures give 39 batches of 16. Ten validations of 9600 images: two epochs between two of them, 480 images
    # each, which are 30 batches.
    config = spend(9600, 10, 635, TrainConfig(batch_size=16))
    assert (config.epochs, config.validate_every, config.limit_batches) == (20, 2, 30)


def test_a_batch_larger_than_the_data_is_made_smaller() -> None:
    config = spend(40, 2, 5, TrainConfig(batch_size=16))
    assert (config.batch_size, config.epochs, config.limit_batches) == (5, 8, 1)


def make_plan(suite_file: Path, pairs: Path, **config: object) -> Plan:
    options = ExperimentConfig(data=str(pairs), **config)  # type: ignore[arg-type]
    return plan_suite(read_suite(suite_file), options, suite_file.parent / "out", "micro.yaml")


def test_trainings_side_by_side_share_the_cores(suite_file: Path, pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("depthnet.experiment.plan.usable_cores", lambda: 6)

    def threads(**config: object) -> int | None:
        return make_plan(suite_file, pairs, **config).runs[0].stages[0].config.threads

    assert threads() == 1  # the suite's own
    assert (threads(jobs=2), threads(jobs=4), threads(jobs=9)) == (3, 1, 1)
    assert threads(jobs=2, threads=2) == 2


def test_a_pause_of_the_machine_is_no_training_time(suite_file: Path, pairs: Path) -> None:
    stage = make_plan(suite_file, pairs).of_row("eigen")[0].stages[0]
    stage.folder.mkdir(parents=True)
    (stage.folder / "train.csv").write_text("step,images_per_s,seconds\n1,8,1\n2,8,2\n3,0.01,900\n4,8,901\n5,8,902\n")
    assert training_seconds(stage) == stage.images / 8


def test_a_row_without_its_path_is_left_out(suite_file: Path, pairs: Path) -> None:
    plan = make_plan(suite_file, pairs)
    assert [run.row.name for run in plan.runs] == ["broken", "eigen", "l2"]
    assert plan.left_out == {"pretrained": "needs --paths '{encoder: PATH}'"}
    plan = make_plan(suite_file, pairs, paths={"encoder": "weights.safetensors"})
    assert plan.of_row("pretrained")[0].stages[0].config.encoder_weights == "weights.safetensors"
    assert fill_paths({"a": ["$x"], "b": {"c": "$x"}}, {"x": "y"}) == {"a": ["$x"], "b": {"c": "y"}}
    with pytest.raises(ConfigError, match="--rows unet: no such row; the suite has broken, eigen"):
        require_rows(plan, ["unet"])


def test_runs_have_the_options_of_base_row_and_command_line(suite_file: Path, pairs: Path) -> None:
    plan = make_plan(suite_file, pairs, threads=3, device="cpu", val_split="train")
    (run,) = plan.of_row("l2")
    (stage,) = run.stages
    assert run.folder == stage.folder == suite_file.parent / "out" / "l2-s0"
    config = stage.config
    assert (config.loss.terms, config.size, config.threads) == ({"l2": 1.0}, (32, 48), 3)
    assert (config.data, config.val_split, plan.split) == (str(pairs), "train", "train")
    assert stage.images == run.images == 64


STAGED = """
extends: micro.yaml
budget: 160
seeds: [3, 4]
rows:
  - name: staged
    options: {optim: {lr: 0.5}}
    stages:
      - {name: first, share: 0.2, options: {data: $other, optim: {ema: 0.0}}}
      - {name: second, share: 0.8}
claims: []
"""


@pytest.fixture
def staged(suite_file: Path, pairs: Path) -> Plan:
    file = suite_file.parent / "staged.yaml"
    file.write_text(STAGED)
    return make_plan(file, pairs, paths={"other": str(pairs)})


def test_each_stage_starts_from_the_one_before(staged: Plan) -> None:
    run, other_seed = staged.runs
    first, second = run.stages
    assert (run.seed, other_seed.seed, second.config.seed, other_seed.stages[0].config.seed) == (3, 4, 3, 4)
    assert (first.folder.name, second.folder.name) == ("first", "second")
    assert (first.config.init, second.config.init) == (None, str(first.folder))
    assert other_seed.stages[1].config.init == str(other_seed.stages[0].folder)
    assert (first.images, second.images, run.images) == (32, 128, 160)
    assert (first.config.optim.ema, second.config.optim.ema, first.config.optim.lr) == (0.0, 0.9, 0.5)
    # What it learns elsewhere is not validated: the score here is what counts.
    assert (first.own_data, first.config.val_split, second.config.val_split) == (True, "none", "val")


def assert_command_gives(config: TrainConfig, words: list[str]) -> None:
    assert words[0] == "train"
    assert parse(Train, "train", words[1:]).resolved() == config


def test_commands_give_exactly_these_options(staged: Plan, suite_file: Path, pairs: Path) -> None:
    for plan in (staged, make_plan(suite_file, pairs, paths={"encoder": "a b.safetensors"})):
        for run in plan.runs:
            for stage in run.stages:
                assert_command_gives(stage.config, stage.words)
                assert stage.words[-2:] == ["--out", str(stage.folder)]


@pytest.mark.parametrize("name", ["nyu-cpu", "nyu-gpu", "pose-cpu", "pose-gpu"])
def test_commands_of_the_shipped_suites_give_their_options(name: str, pairs: Path, video: Path) -> None:
    suite: Suite = read_suite(SUITES / f"{name}.yaml")
    data = str(video if suite.pairs else pairs)
    paths = {"encoder": "e.safetensors", "rooms": data, "test": data, "tum": data, "scenes": data}
    plan = plan_suite(suite, ExperimentConfig(data=data, paths=paths), Path("out"), name)
    assert len(plan.runs) == len(suite.rows) * len(suite.seeds)
    assert [one.name for one in plan.pairs] == [one.name for one in suite.pairs]
    assert not plan.left_out
    for row in suite.rows:
        for stage in plan.of_row(row.name)[0].stages:
            assert_command_gives(stage.config, stage.words)


def test_a_difference_is_named_and_pace_is_none() -> None:
    old = TrainConfig(size=(32, 48))
    assert describe_difference(old, replace(old, workers=7, threads=2, log_every=3)) == ""
    assert describe_difference(old, replace(old, size=(64, 48))) == "--size 32 48 there, --size 64 48 here"
    assert describe_difference(old, replace(old, batch_size=3)) == "the default there, --batch-size 3 here"
