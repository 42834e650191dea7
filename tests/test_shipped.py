"""The shipped network: small files that agree, say where they come from, and score as their card says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from depthnet.checkpoint import MODELS, SHIPPED, load_network, read_model_info, shipped_file
from depthnet.config import EvaluateConfig
from depthnet.evaluation import evaluate_path
from depthnet.predictor import load_model

CARD = (MODELS / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SHIPPED)
def test_files_are_small_and_say_the_same(name: str) -> None:
    graph, weights = shipped_file(name), shipped_file(name, ".safetensors")
    assert max(graph.stat().st_size, weights.stat().st_size) <= 5_000_000
    info = read_model_info(graph)
    assert info == read_model_info(weights)
    assert info.name == name
    assert info.kind == "metric"
    assert info.provenance["data"]["count"] == 795
    assert "validation_of" in info.scores, (
        "weights that have seen every pair cannot have validation scores of their own"
    )
    assert {"command", "config", "seed", "init"} <= info.provenance.keys()
    assert not re.search(r'"/', info.to_json()), "a path of one machine"


@pytest.mark.parametrize("name", SHIPPED)
def test_onnx_and_pytorch_give_the_same_metres(name: str) -> None:
    torch = pytest.importorskip("torch")
    network, info = load_network(shipped_file(name, ".safetensors"))
    image = np.random.default_rng(0).random((1, 3, 240, 320), dtype=np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(image)).exp().clamp(info.min_depth, info.max_depth).numpy()
    found = load_model(name).runtime.run(image)
    # Both round their weights to float16, the graph after its batch norms were folded.
    assert np.abs(found / expected - 1).mean() < 1e-3


@pytest.mark.parametrize(("folder", "title"), [("tum_fr1_rpy", "TUM RGB-D"), ("7scenes_redkitchen", "7-Scenes")])
def test_scores_on_other_cameras_are_those_of_the_card(shared_data: Path, folder: str, title: str) -> None:
    scores = evaluate_path(EvaluateConfig(model="mobile", data=str(shared_data / folder), protocol=("none",))).scores[
        "none"
    ]
    row = next(line for line in CARD.splitlines() if line.startswith(f"| {title}"))
    delta1, abs_rel, rmse = (float(cell.split("(")[0]) for cell in row.split("|")[2:5])
    assert scores["delta1"] == pytest.approx(delta1, abs=2e-3)
    assert scores["abs_rel"] == pytest.approx(abs_rel, abs=2e-3)
    assert scores["rmse"] == pytest.approx(rmse, abs=4e-3)
