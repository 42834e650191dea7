"""Every command on tiny input, through its command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from depthnet.config import TrainConfig

#: Runs a command line and gives its exit code, stdout and stderr: see conftest.py.
Shell = Callable[..., Any]


class TestPredict:
    def test_writes_beside_the_input_and_prints_one_line(self, depthnet: Shell, tiny_model: Path, photos: Path) -> None:
        outcome = depthnet("predict", photos / "a.png", "--model", tiny_model, "--threads", 1, "--focal-px", 40)
        assert outcome.code == 0, outcome.err
        assert {path.name for path in photos.iterdir()} >= {"a_depth.png", "a_depth_colour.png"}
        (line,) = outcome.out.splitlines()
        for fact in ("a.png", "40 x 30", "median", "--focal-px", "ms"):
            assert fact in line

    def test_a_folder_goes_to_out_with_the_speed_on_stderr(
        self, depthnet: Shell, tiny_model: Path, photos: Path, tmp_path: Path
    ) -> None:
        outcome = depthnet("predict", photos, "--model", tiny_model, "--out", tmp_path / "o", "--save", "npy")
        assert outcome.code == 0, outcome.err
        assert sorted(path.name for path in (tmp_path / "o").iterdir()) == ["a_depth.npy", "b_depth.npy", "c_depth.npy"]
        assert len(outcome.out.splitlines()) == 3
        assert "3 images" in outcome.err
        assert "images per second" in outcome.err
        assert np.load(tmp_path / "o" / "b_depth.npy").shape == (31, 40)

    def test_a_bad_file_is_reported_and_the_others_go_on(
        self, depthnet: Shell, tiny_model: Path, photos: Path, tmp_path: Path
    ) -> None:
        (photos / "b.png").write_bytes(b"not a picture")
        outcome = depthnet("predict", photos, "none.jpg", "--model", tiny_model, "--out", tmp_path / "o")
        assert outcome.code == 1
        assert len(outcome.out.splitlines()) == 2
        errors = [line for line in outcome.err.splitlines() if line.startswith("depthnet: error: ")]
        assert len(errors) == 2
        assert "b.png" in errors[0]
        assert "none.jpg" in errors[1]
        assert (tmp_path / "o" / "c_depth.png").is_file()

    def test_an_empty_folder_and_a_glob_without_match_stop_no_other(
        self, depthnet: Shell, tiny_model: Path, photos: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "empty").mkdir()
        outcome = depthnet("predict", "empty", "*.gif", photos / "a.png", "--model", tiny_model, "--out", "o")
        assert outcome.code == 1
        assert (tmp_path / "o" / "a_depth.png").is_file()
        errors = [line for line in outcome.err.splitlines() if line.startswith("depthnet: error: ")]
        assert ["empty: no photo" in errors[0], "*.gif: no photo" in errors[1], len(errors)] == [True, True, 2]
        outcome = depthnet("predict", "empty", "--model", "not-there")
        assert outcome.code == 1
        assert outcome.err.startswith("depthnet: error: empty: no photo there")

    def test_nothing_is_overwritten_unless_asked(self, depthnet: Shell, tiny_model: Path, photos: Path) -> None:
        words = ("predict", photos / "a.png", "--model", tiny_model)
        assert depthnet(*words).code == 0
        refused = depthnet(*words)
        assert refused.code == 1
        assert "--overwrite" in refused.err
        assert depthnet(*words, "--overwrite").code == 0

    def test_wrong_usage(self, depthnet: Shell) -> None:
        assert depthnet("predict").code == 2
        assert depthnet("predict", "a.jpg", "--focal-px", 3, "--fov-deg", 60).code == 2

    def test_an_unknown_model_is_one_line(self, depthnet: Shell, photos: Path) -> None:
        outcome = depthnet("predict", photos / "a.png", "--model", "huge")
        assert outcome.code == 1
        assert len(outcome.err.splitlines()) == 1
        assert "huge" in outcome.err


class TestEvaluate:
    def test_a_perfect_folder_of_predictions(self, depthnet: Shell, pairs: Path, tmp_path: Path) -> None:
        outcome = depthnet(
            "evaluate", "--model", pairs / "depth", "--data", pairs, "--protocol", "none", "nyu", "--json", "s.json"
        )
        assert outcome.code == 0, outcome.err
        result = json.loads((tmp_path / "s.json").read_text())
        assert set(result) == {"model", "data", "count", "protocols", "seconds"}
        assert result["count"] == 3
        assert list(result["protocols"]) == ["none", "nyu"]
        assert result["protocols"]["none"]["abs_rel"] == 0
        assert result["protocols"]["none"]["delta1"] == 1
        assert result["protocols"]["none"]["pixels"] == 3 * 48 * 64
        for word in ("delta1", "abs_rel", "none", "nyu"):
            assert word in outcome.out

    def test_a_model(self, depthnet: Shell, tiny_model: Path, pairs: Path) -> None:
        outcome = depthnet("evaluate", "--model", tiny_model, "--data", pairs, "--align", "median", "--threads", 1)
        assert outcome.code == 0, outcome.err
        assert "align median" in outcome.out

    def test_an_image_that_cannot_be_scored_makes_exit_1(self, depthnet: Shell, pairs: Path) -> None:
        predictions = pairs.parent / "predictions"
        predictions.mkdir()
        for name in ("0000", "0001"):
            np.save(predictions / f"{name}.npy", np.full((48, 64), 2.5, np.float32))
        outcome = depthnet("evaluate", "--model", predictions, "--data", pairs)
        assert outcome.code == 1
        assert "2 images" in outcome.out
        assert "depthnet: error: " in outcome.err

    def test_the_json_file_is_checked_before_the_work(self, depthnet: Shell, pairs: Path, tmp_path: Path) -> None:
        (tmp_path / "s.json").write_text("{}")
        outcome = depthnet("evaluate", "--model", "not-there", "--data", pairs, "--json", "s.json")
        assert outcome.code == 1
        assert "s.json: exists already" in outcome.err
        (tmp_path / "folder").mkdir()
        outcome = depthnet("evaluate", "--model", "not-there", "--data", pairs, "--json", "folder", "--overwrite")
        assert outcome.code == 1
        assert "folder: is a folder" in outcome.err

    def test_wrong_usage(self, depthnet: Shell) -> None:
        assert depthnet("evaluate", "--model", "mobile").code == 2


class TestTrain:
    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Any, ...]]:
        """What `depthnet.training.train` was called with; it trains nothing."""
        from types import SimpleNamespace

        seen: list[tuple[Any, ...]] = []

        def train(*args: Any) -> SimpleNamespace:
            seen.append(args)
            return SimpleNamespace(run=Path("runs/x"), scores={"delta1": 0.75})

        monkeypatch.setattr("depthnet.training.train", train, raising=False)
        return seen

    def test_words_become_options(self, depthnet: Shell, calls: list[tuple[Any, ...]]) -> None:
        line = "train --data d --network unet --init m --loss l1,gradient --out r --device cpu --threads 2 --seed 3"
        outcome = depthnet(*line.split(), "--config", "debug", "--overwrite")
        assert outcome.code == 0, outcome.err
        ((config, out, resume, overwrite),) = calls
        assert isinstance(config, TrainConfig)
        assert (config.data, config.network, config.init, config.threads, config.seed) == ("d", "unet", "m", 2, 3)
        assert config.loss.terms == {"l1": 1.0, "gradient": 1.0}
        assert config.accelerator == "cpu"
        assert (out, resume, overwrite) == (Path("r"), None, True)
        assert "run: runs/x" in outcome.out
        assert "delta1: 0.75" in outcome.out

    def test_resume_takes_the_options_of_the_run(
        self, depthnet: Shell, calls: list[tuple[Any, ...]], tmp_path: Path
    ) -> None:
        (tmp_path / "r").mkdir()
        (tmp_path / "r" / "config.yaml").write_text("data: d\nepochs: 9\n")
        assert depthnet("train", "--resume", "r").code == 0
        ((config, out, resume, _),) = calls
        assert (config.data, config.epochs, out, resume) == ("d", 9, None, Path("r"))

    def test_wrong_usage(self, depthnet: Shell, calls: list[tuple[Any, ...]]) -> None:
        assert depthnet("train").code == 2
        assert depthnet("train", "--resume", "r", "--config", "debug").code == 2
        assert depthnet("train", "--resume", "r", "--out", "other").code == 2
        assert "terms: {}" in depthnet("train", "--loss", "", "--print-config").out, "no loss is not the default loss"
        for no_run in ("not-there", "debug"):  # debug: a packaged configuration, but no run
            missing = depthnet("train", "--resume", no_run)
            assert missing.code == 1
            assert f"{no_run}: no run folder" in missing.err
        assert not calls


class TestExport:
    def test_words_become_arguments(self, depthnet: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        from depthnet.export import OnnxExport

        def export_onnx(model: str, out: Path, overwrite: bool) -> OnnxExport:
            out.write_bytes(f"{model} {overwrite}".encode())
            return OnnxExport(out, 0.00123, False)

        monkeypatch.setattr("depthnet.export.export_onnx", export_onnx)
        outcome = depthnet("export", "--model", "m", "--out", "m.onnx", "--overwrite")
        assert outcome.code == 0, outcome.err
        assert (tmp_path / "m.onnx").read_text() == "m True"
        line = "m.onnx: 0.0 MB, float32 weights, at most 0.12 % from PyTorch at any pixel of 3 sizes\n"
        assert outcome.out == line

    def test_int8_is_reported_beside_float(self, depthnet: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
        from depthnet.export.int8 import Int8Export, Pair
        from depthnet.export.integers import Layers

        calls: list[tuple[Any, ...]] = []

        def export_int8(*arguments: Any) -> Int8Export:
            calls.append(arguments)
            return Int8Export(
                Path("m.onnx"), Layers(61, 1), 64, 100, Pair(4.7e6, 2.7e6), Pair(0.025, 0.016), (192, 256), 0.0078,
                "nyu", Pair(0.7303, 0.7299),
            )  # fmt: skip

        monkeypatch.setattr("depthnet.export.export_int8", export_int8)
        words = ("--model", "m", "--out", "m.onnx", "--int8", "--data", "set", "--format", "folder", "--threads", "1")
        outcome = depthnet("export", *words)
        assert outcome.code == 0, outcome.err
        assert calls[0][:-1] == ("m", Path("m.onnx"), "set", False, "folder", 1)
        assert outcome.out.splitlines() == [
            "m.onnx: 61 of 62 layers in int8, ranges from 64 pictures",
            "size    2.70 MB, float 4.70 MB",
            "speed   16.0 ms, float 25.0 ms for 256x192: 1.56 times as fast",
            "depth   0.78 % from float's in the median",
            "delta1  0.7299, float 0.7303 (nyu, 100 pictures): -0.0004",
        ]

    def test_wrong_usage(self, depthnet: Shell) -> None:
        assert depthnet("export", "--model", "m").code == 2
        without_data = depthnet("export", "--model", "m", "--out", "m.onnx", "--int8")
        assert without_data.code == 2
        assert "export --int8 needs --data PATH" in without_data.err
        assert depthnet("export", "--model", "m", "--out", "m.onnx", "--data", "set").code == 2


class TestBenchmark:
    FIGURES: ClassVar[dict[str, Any]] = {
        "predict": {"ours": 0.02, "rival": 1.0, "rival_name": "other", "ratio": 50.0, "unit": "s", "machine": "m"},
        "train": {"ours": 0.5, "rival": None, "rival_name": "another", "ratio": None, "unit": "s", "machine": "m"},
    }

    def test_one_line_each_and_json(self, depthnet: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        seen: list[list[str]] = []

        def run_benchmarks(names: Any, on_start: Any) -> dict[str, Any]:
            seen.append(list(names))
            return self.FIGURES

        monkeypatch.setattr("depthnet.benchmark.run_benchmarks", run_benchmarks)
        outcome = depthnet("benchmark", "predict", "--json", "b.json", "train")
        assert outcome.code == 0, outcome.err
        assert seen == [["predict", "train"]]
        first, second = outcome.out.splitlines()
        assert "50.0" in first
        assert "0.5 s; absent, because not installed: another" in second
        assert json.loads((tmp_path / "b.json").read_text()) == self.FIGURES
        assert depthnet("benchmark", "predict", "--json", "b.json").code == 1
        assert len(seen) == 1

    def test_an_unknown_name(self, depthnet: Shell) -> None:
        outcome = depthnet("benchmark", "flying")
        assert outcome.code == 1
        assert "'flying'" in outcome.err


def test_models_lists_what_is_shipped(depthnet: Shell) -> None:
    outcome = depthnet("models")
    assert outcome.code == 0, outcome.err
    for word in ("mobile", "unet", "debug", "unet-original"):
        assert word in outcome.out


def test_the_example_photo_is_small(project: Path) -> None:
    with Image.open(project / "examples" / "office.jpg") as photo:
        assert photo.size == (320, 240)
