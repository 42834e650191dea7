"""A whole suite: a row that fails, kill -9 of everything, going on, and a results file that says what evaluate says."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier

import pytest

from depthnet.cli import main
from depthnet.cli.experiment import suite_progress
from depthnet.config import EvaluateConfig, ExperimentConfig
from depthnet.errors import ConfigError, InputError
from depthnet.evaluation import evaluate_path
from depthnet.experiment import ExperimentOutcome, ExperimentProgress, run, run_experiment
from depthnet.experiment.plan import PlannedStage, plan_suite
from depthnet.experiment.report import MARK
from depthnet.experiment.suite import read_suite
from depthnet.io.files import locked_folder

pytest.importorskip("torch")
from depthnet.training import train

SUITE_NAME = "suite.yaml"
PATIENCE_S = 600.0


def wait_until(true: object, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.01)


def steps(folder: Path) -> list[int]:
    table = folder / "train.csv"
    if not table.exists():
        return []
    with table.open() as file:
        return [int(float(row["step"])) for row in csv.DictReader(file)]


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def options(root: Path, pairs: Path, **more: object) -> ExperimentConfig:
    return ExperimentConfig(data=str(pairs), out=str(root / "out"), threads=1, **more)  # type: ignore[arg-type]


class Finished:
    """A suite that was killed in the middle and then completed.

    Its first row is trained before, in this process, which has PyTorch already: the commands only have to score it.
    """

    def __init__(self, root: Path, pairs: Path, text: str) -> None:
        self.root, self.pairs, self.out = root, pairs, root / "out"
        (root / SUITE_NAME).write_text(text, encoding="utf-8")
        plan = plan_suite(read_suite(root / SUITE_NAME), options(root, pairs), self.out, SUITE_NAME)
        (first,) = plan.of_row("eigen")[0].stages
        train(first.config, out=first.folder)
        self.trained = first.folder.joinpath("model.onnx").stat().st_mtime_ns
        command = ["experiment", str(root / SUITE_NAME), "--data", str(pairs), "--out", str(self.out), "--threads", "1",
                   "--rows", "eigen", "l2"]  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "depthnet", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        last = self.out / "l2-s0"
        try:
            wait_until(lambda: process.poll() is not None or len(steps(last)) >= 3, "the last row's third step")
            assert process.poll() is None, "the suite ended before it could be killed"
            tasks = Path(f"/proc/{process.pid}/task").glob("*/children")  # a child belongs to the thread that began it
            children = [pid for task in tasks for pid in task.read_text().split()]
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        self.children = [int(pid) for pid in children]
        wait_until(lambda: not any(map(alive, self.children)), "the end of the training")
        self.killed_at = steps(self.out / "l2-s0")
        self.before = self.times()
        self.seen: list[ExperimentProgress] = []
        self.outcome: ExperimentOutcome = run_experiment(
            root / SUITE_NAME, options(root, pairs, jobs=2), on_progress=self.seen.append
        )

    def times(self) -> dict[str, int]:
        """When the files were written that a repeated run would write again."""
        files = [self.out / "eigen-s0" / name for name in ("config.yaml", "model.onnx", "result.json", "train.csv")]
        return {str(file): file.stat().st_mtime_ns for file in [*files, self.out / "l2-s0" / "config.yaml"]}

    @property
    def text(self) -> str:
        return self.outcome.results.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, pairs: Path, suite_text: str) -> Finished:
    if not Path("/proc/self/task").exists():
        pytest.skip("the children of a process are looked up in /proc")
    return Finished(tmp_path_factory.mktemp("suite"), pairs, suite_text)


def test_a_killed_command_leaves_no_training_behind(finished: Finished) -> None:
    assert finished.children


def test_it_goes_on_where_it_was_killed(finished: Finished) -> None:
    assert finished.times() == finished.before  # the first row was not repeated, the last one not begun anew
    assert (finished.out / "eigen-s0" / "model.onnx").stat().st_mtime_ns == finished.trained
    assert finished.killed_at[-1] < 16
    assert steps(finished.out / "l2-s0") == list(range(1, 17))
    assert finished.seen[0].images >= 64 + 4 * finished.killed_at[0]
    assert (finished.seen[-1].images, finished.seen[-1].total, finished.seen[-1].finished) == (128, 192, 3)


def test_a_row_that_failed_did_not_stop_the_others(finished: Finished) -> None:
    (error,) = finished.outcome.errors
    assert error.startswith("row broken, seed 0: ")
    assert "nonsense" in error
    log = (finished.out / "broken-s0" / "train.log").read_text()
    assert "Traceback" not in log
    assert "- row broken, seed 0: not finished, 0 of 64 images seen." in finished.text


def test_the_table_says_what_evaluate_says(finished: Finished) -> None:
    for name, title in (("eigen", "Eigen's loss"), ("l2", "l2")):
        model = str(finished.out / f"{name}-s0" / "model.onnx")
        evaluation = evaluate_path(EvaluateConfig(model=model, data=str(finished.pairs), split="val", threads=1))
        (scores,) = evaluation.scores.values()
        (line,) = [line for line in finished.text.splitlines() if line.startswith(f"| {title} |")]
        cells = [cell.strip(" *") for cell in line.strip("|").split("|")]
        assert cells[1:6] == [
            f"{scores[metric]:.{2 if metric == 'silog' else 3}f}"
            for metric in ("delta1", "abs_rel", "rmse", "log10", "silog")
        ]
        assert cells[6] == "64"
        assert float(cells[10]) > 0
        record = json.loads((finished.out / f"{name}-s0" / "result.json").read_text())
        assert record["per_image"] == {one.name: one.metrics("none") for one in evaluation.per_image}
    assert "| mean depth map of the training rooms |" in finished.text


def test_the_file_has_claims_pictures_credits_and_commands(finished: Finished) -> None:
    text = finished.text
    assert text.startswith(MARK)
    assert "### Eigen's loss beats L2\n\n**The claim " in text
    assert "Has Eigen's loss fewer parameters than l2?" in text
    assert "Answer: no." in text  # the same network
    assert "mean depth map of the training rooms by more than 0.020 in delta1" in text
    pictures = re.findall(r"\]\((docs/pictures/[^)]*)\)", text)
    assert pictures == ["docs/pictures/suite-curves.svg", "docs/pictures/suite-depth.jpg"]
    assert all((finished.out / picture).stat().st_size > 1000 for picture in pictures)
    assert "Rooms rendered here." in text
    assert "Photos of street are left out: needs --paths '{street: PATH}'." in text
    assert "- pretrained: left out, needs --paths '{encoder: PATH}'." in text
    assert f"depthnet train --data {finished.pairs} --val-split val" in text
    assert "Whether the machinery runs." in text


def without_times(text: str) -> str:
    return re.sub(r"\| [\d.]+ \|$", "", text, flags=re.MULTILINE)


def test_the_results_are_written_again_without_training(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_train_stage", lambda *_: pytest.fail("trained again"))
    before = finished.text
    config = options(finished.root, finished.pairs)
    outcome = run_experiment(finished.root / SUITE_NAME, config, report_only=True)
    assert without_times(outcome.results.read_text(encoding="utf-8")) == without_times(before)


def test_a_changed_row_is_refused_by_name(finished: Finished) -> None:
    changed = finished.root / "changed.yaml"
    text = (finished.root / SUITE_NAME).read_text(encoding="utf-8")
    changed.write_text(text.replace("{l2: 1.0}", "{l2: 2.0}"), encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"row l2, seed 0, was trained with other options.*\{l2: 1.0\} there.*{l2: 2.0}"
    ):
        run_experiment(changed, options(finished.root, finished.pairs))
    assert (finished.out / "l2-s0" / "result.json").is_file()


def test_two_commands_on_one_folder_are_refused(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    config = options(finished.root, finished.pairs)
    monkeypatch.setattr(run, "STOP_SECONDS", 0.2)
    with (
        locked_folder(finished.out, "depthnet experiment"),
        pytest.raises(InputError, match="another `depthnet experiment` is writing there"),
    ):
        run_experiment(finished.root / SUITE_NAME, config, report_only=True)


def test_a_file_of_somebody_else_is_not_replaced(suite_file: Path, pairs: Path, tmp_path: Path) -> None:
    mine = tmp_path / "RESULTS.md"
    mine.write_text("# My own notes\n")
    with pytest.raises(InputError, match="was not written by this command"):
        run_experiment(suite_file, options(tmp_path, pairs, results=str(mine)), report_only=True)
    assert mine.read_text() == "# My own notes\n"


def test_nothing_to_write_is_an_error(suite_file: Path, pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run has a result yet"):
        run_experiment(suite_file, options(tmp_path, pairs), report_only=True)
    with pytest.raises(ConfigError, match="--data is missing"):
        run_experiment(suite_file, ExperimentConfig())


def test_ctrl_c_says_how_to_go_on(suite_file: Path, pairs: Path, tmp_path: Path) -> None:
    def stop(_: ExperimentProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"what is done is kept; go on with: depthnet experiment .*micro\.yaml"):
        run_experiment(suite_file, options(tmp_path, pairs), on_progress=stop)


def test_trainings_go_side_by_side(
    suite_file: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = Barrier(2, timeout=PATIENCE_S)
    met = []

    def train(stage: PlannedStage, *_: object) -> None:
        met.append((stage.folder.name, both.wait()))
        raise InputError("enough")

    monkeypatch.setattr(run, "_train_stage", train)
    config = options(tmp_path, pairs, rows=("eigen", "l2"), jobs=2)
    labels: list[str] = []
    with pytest.raises(InputError, match="no run has a result yet"):
        run_experiment(suite_file, config, on_progress=lambda progress: labels.append(progress.label))
    assert "row eigen, seed 0; row l2, seed 0" in labels
    assert sorted(name for name, _ in met) == ["eigen-s0", "l2-s0"]
    with pytest.raises(ConfigError, match="--jobs 0: there must be at least one"):
        run_experiment(suite_file, options(tmp_path, pairs, jobs=0))


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()


def test_a_training_is_stopped_with_its_command(sleeper: subprocess.Popen[bytes]) -> None:
    run._stop(sleeper)
    assert sleeper.returncode == -signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(sleeper.pid, 0)


def test_the_reason_of_a_failure_is_the_last_word(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text("epoch 1/2\ndepthnet: error: rgb/7.png: no image.\n\n")
    assert run._last_words(log, 1) == "rgb/7.png: no image."
    assert "signal 9" in run._last_words(log, -9)
    log.write_text("")
    assert run._last_words(log, 3) == "its process ended with code 3."


def test_progress_is_a_line_for_each_run_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with suite_progress() as update:
        for images, finished_runs, label in ((0, 0, "row a"), (4, 0, "row a"), (8, 1, "row b"), (16, 2, "row b")):
            update(ExperimentProgress(images, 16, finished_runs, 2, label))
    assert capsys.readouterr().err.splitlines() == ["experiment: 1/2 row a", "experiment: 2/2 row b"]


def test_the_command_needs_a_suite_and_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiment", "--data", "somewhere"]) == 2
    assert "needs one SUITE" in capsys.readouterr().err
    assert main(["experiment", "nyu-cpu"]) == 2
    assert "needs --data PATH" in capsys.readouterr().err
    assert main(["experiment", "nothing", "--data", "somewhere"]) == 1
    assert "no such suite" in capsys.readouterr().err
