"""The benchmark of `depthnet export --int8`: a tiny network in both files."""

from __future__ import annotations

from pathlib import Path

import pytest

from depthnet.benchmark import run_benchmarks
from depthnet.checkpoint import ModelInfo
from depthnet.predictor import load_model


def test_the_quantised_file_runs_beside_the_float_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from depthnet.networks import build_network
    from depthnet.onnx_file import write_onnx

    info = ModelInfo("tiny", "mobile", {"decoder": [8, 8, 8, 8, 8]}, (32, 48), 52.0, 0.001, 10.0)
    path = tmp_path / "tiny.onnx"
    write_onnx(path, build_network("mobile", info.network_options).eval(), info)
    monkeypatch.setattr("depthnet.benchmark.export.shipped_file", lambda name: path)
    monkeypatch.setattr(
        "depthnet.benchmark.export.load_model",
        lambda name, device: load_model(path if name == "mobile" else name, device, threads=1),
    )
    monkeypatch.setattr("depthnet.benchmark.export.REPEATS", 1)
    (found,) = run_benchmarks(["export"]).values()
    assert list(found)[:6] == ["ours", "rival", "rival_name", "ratio", "unit", "machine"]
    assert found["ours"] > 0
    assert found["ratio"] == pytest.approx(found["rival"] / found["ours"])
    assert found["integer_layers"] == found["layers"] - 1
    assert found["ours_mb"] < 0.7 * found["rival_mb"]
