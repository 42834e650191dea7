"""Benchmarks: fair turns, medians, the JSON shape of the contract, and a rival that may be absent."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depthnet.benchmark import BENCHMARKS, run_benchmarks, timing
from depthnet.checkpoint import ModelInfo
from depthnet.cli.benchmark import format_result
from depthnet.errors import ConfigError

pytestmark = pytest.mark.usefixtures("one_thread")

torch = pytest.importorskip("torch")

KEYS = ["ours", "rival", "rival_name", "ratio", "unit", "machine"]


class Clock:
    """A clock that stands still but for the functions that it times."""

    def __init__(self) -> None:
        self.now, self.order = 0.0, []

    def perf_counter(self) -> float:
        return self.now

    def function(self, name: str, seconds: list[float]) -> Callable[[], None]:
        """A function that takes so many seconds at each of its calls."""
        left = iter(seconds)

        def call() -> None:
            self.order.append(name)
            self.now += next(left)

        return call


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("depthnet.timing.time", clock)
    return clock


# --- timing -----------------------------------------------------------------------------------------------


def test_functions_take_turns_and_warm_up_does_not_count(clock: Clock) -> None:
    functions = {
        "ours": clock.function("ours", [500.0, 1.0, 90.0, 2.0]),  # slow at first, and once disturbed
        "rival": clock.function("rival", [0.1, 7.0, 5.0, 6.0]),
    }
    assert timing.measure(functions, repeats=3) == pytest.approx({"ours": 2.0, "rival": 6.0})
    assert clock.order == ["ours", "rival"] * 4


def test_an_even_number_of_turns_takes_the_middle_two(clock: Clock) -> None:
    found = timing.measure({"one": clock.function("one", [9.0, 9.0, 1.0, 2.0, 4.0, 100.0])}, repeats=4, warmup=2)
    assert found == pytest.approx({"one": 3.0})


def test_a_result_has_the_keys_of_the_contract() -> None:
    entry = timing.result(0.5, 2.0, "the other", "s per photo", loads="files")
    assert list(entry) == [*KEYS, "loads"]
    assert [entry[key] for key in KEYS[:5]] == [0.5, 2.0, "the other", 4.0, "s per photo"]
    assert entry["loads"] == "files"
    absent = timing.result(0.5, None, "the other", "s")
    assert (absent["ours"], absent["rival"], absent["ratio"]) == (0.5, None, None)
    assert list(json.loads(json.dumps(absent))) == KEYS


def test_the_machine_is_named_with_the_cores_that_may_be_used() -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    line = timing.machine()
    assert f", {cores} cores, with" in line
    assert line.endswith("bf16 instructions")
    assert "\n" not in line


@pytest.mark.parametrize(
    ("flags", "words"),
    [("sse avx512_bf16", "with"), ("amx_tile amx_bf16", "with"), ("avx512f avx512_bf16x", "without"), ("", "without")],
)
def test_the_processor_s_name_and_bf16(flags: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"processor\t: 0\nmodel name\t: Model: 7 @ 2 GHz\nflags\t\t: {flags}\n\nprocessor\t: 1\n"
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(timing, "Path", lambda name: tmp_path / "cpuinfo")
    line = timing.machine()
    assert line.startswith("Model: 7 @ 2 GHz, ")
    assert line.endswith(f", {words} bf16 instructions")


# --- choosing ---------------------------------------------------------------------------------------------


def test_an_unknown_name_stops_before_any_run(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    with pytest.raises(ConfigError, match=r"benchmark 'flying' is unknown; choose among: predict, train, loader"):
        run_benchmarks(["evaluate", "flying"], on_start=started.append)
    assert started == []


def test_names_run_in_order_and_none_means_all(monkeypatch: pytest.MonkeyPatch) -> None:
    import depthnet.benchmark as rooms

    class Room:
        def __init__(self, name: str) -> None:
            self.name = name

        def run(self) -> dict[str, Any]:
            return {self.name: {"ours": 1.0}, f"{self.name}-more": {"ours": 2.0}}

    monkeypatch.setattr(rooms.importlib, "import_module", lambda module: Room(module.rpartition(".")[2]))
    started: list[str] = []
    assert list(run_benchmarks(["train", "predict"], started.append)) == [
        "train", "train-more", "predict", "predict-more",
    ]  # fmt: skip
    assert started == ["train", "predict"]
    assert list(run_benchmarks())[::2] == list(BENCHMARKS)


def test_an_absent_rival_is_said_in_words() -> None:
    absent = format_result("predict", timing.result(0.0123456, None, "Depth Anything V2 Small", "s per photo"))
    assert absent == "predict: ours 0.01235 s per photo; absent, because not installed: Depth Anything V2 Small"
    both = format_result("predict", timing.result(0.02, 1.0, "other", "s"))
    assert both == "predict: ours 0.02 s, other 1 s, ratio 50.00"


# --- whole runs -------------------------------------------------------------------------------------------


def check_entries(results: dict[str, Any], names: list[str]) -> None:
    """The shape of the contract, in JSON as written to a file."""
    results = json.loads(json.dumps(results))
    assert list(results) == names
    for name, entry in results.items():
        assert list(entry)[: len(KEYS)] == KEYS, name
        assert entry["ours"] > 0
        if entry["rival"] is None:
            assert entry["ratio"] is None
        else:
            assert entry["ratio"] == pytest.approx(entry["rival"] / entry["ours"])
        assert all(isinstance(entry[key], str) and entry[key] for key in ("rival_name", "unit", "machine"))


@pytest.mark.slow
def test_evaluate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("depthnet.benchmark.evaluate.PAIRS", 1)
    results = run_benchmarks(["evaluate"])
    check_entries(results, ["evaluate"])
    assert results["evaluate"]["pairs_per_s"] == pytest.approx(1 / results["evaluate"]["ours"])


def test_the_rival_of_evaluate_computes_the_same_numbers() -> None:
    from depthnet.benchmark.evaluate import _plain
    from depthnet.evaluation import PROTOCOLS, score
    from depthnet.metrics import METRICS

    rng = np.random.default_rng(0)
    depth = rng.uniform(0.5, 9.5, (48, 64)).astype(np.float32)
    depth[:9, :20] = 0
    prediction = depth * rng.uniform(0.8, 1.2, depth.shape).astype(np.float32) + np.float32(0.01)
    for name in ("nyu", "kitti-eigen"):
        ours = score(prediction, depth, None, [PROTOCOLS[name]])[name].metrics()
        rival = _plain(prediction, depth, PROTOCOLS[name])
        assert [ours[metric] for metric in METRICS] == pytest.approx(rival, rel=1e-4)


@pytest.mark.slow
def test_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("depthnet.benchmark.loader.COUNT", 2)
    monkeypatch.setattr("depthnet.benchmark.mat_access.COUNT", 4)
    for module in ("loader", "train"):
        monkeypatch.setattr(f"depthnet.benchmark.{module}.BATCH", 2)
    results = run_benchmarks(["loader"])
    check_entries(results, ["loader", "loader-files", "loader-mat"])
    read, stored = (results["loader-mat"][f"{what}_mb_per_frame"] for what in ("read", "stored"))
    assert 0 < read <= 1.05 * stored  # no byte twice; HDF5 keeps some of so few frames
    assert results["loader"]["rival"] == results["loader-files"]["rival"]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small network in place of the shipped one, small sizes and one turn."""
    pytest.importorskip("onnx")
    from depthnet.benchmark import predict
    from depthnet.networks import build_network
    from depthnet.onnx_file import write_onnx
    from depthnet.predictor import load_model

    info = ModelInfo("tiny", "mobile", {"decoder": [8, 8, 8, 8, 8]}, (48, 64), 52.0, 0.001, 10.0)
    path = tmp_path / "tiny.onnx"
    write_onnx(path, build_network("mobile", info.network_options).eval(), info)
    monkeypatch.setattr(predict, "load_model", lambda name=path: load_model(name, device="cpu", threads=1))
    monkeypatch.setattr(predict, "REPEATS", 1)
    monkeypatch.setattr(predict, "PHOTO", (96, 128))


PREDICT = ["predict", "predict-files", "predict-overhead", "predict-unet"]


@pytest.mark.slow
@pytest.mark.usefixtures("stand_in")
def test_predict_with_its_rival(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    results = run_benchmarks(["predict"])
    check_entries(results, PREDICT)
    for name in PREDICT:
        assert results[name]["rival"] > 0, name
    assert results["predict"]["rival"] == results["predict-unet"]["rival"]
    assert results["predict"]["rival"] > results["predict-overhead"]["rival"]


@pytest.mark.slow
@pytest.mark.usefixtures("stand_in")
def test_predict_without_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    results = run_benchmarks(["predict"])
    check_entries(results, PREDICT)
    for name in ("predict", "predict-files", "predict-unet"):
        assert results[name]["rival"] is None
        assert "absent" in format_result(name, results[name])
    assert results["predict-overhead"]["rival"] > 0


def test_the_rival_is_the_published_network() -> None:
    pytest.importorskip("transformers")
    from depthnet.benchmark.predict import build_rival

    network = build_rival()
    assert sum(parameter.numel() for parameter in network.parameters()) == 24_785_089  # 24.8 M in its paper
    assert not network.training
    with torch.inference_mode():
        depth = network(torch.rand(1, 3, 28, 42)).predicted_depth
    assert depth.shape == (1, 28, 42)
