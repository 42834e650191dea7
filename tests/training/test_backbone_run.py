"""A run on a backbone: what it leaves behind needs neither the checkpoint nor its name."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from depthnet.checkpoint import load_network, read_model_info
from depthnet.config import OptimConfig, TrainConfig
from depthnet.predictor import load_model
from depthnet.training import train


def test_the_model_of_a_run_does_without_its_checkpoint(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], layer_type="basic"
    )
    transformers.ResNetModel(config).save_pretrained(tmp_path / "checkpoint")
    start = load_file(tmp_path / "checkpoint" / "model.safetensors")
    options = replace(
        tiny, network="backbone:checkpoint", network_options={"decoder": [16, 8, 8, 8, 8]}, epochs=1,
        freeze_encoder_blocks=1, optim=OptimConfig(lr=1e-2, encoder_lr=1e-3, ema=0.5),
    )  # fmt: skip
    monkeypatch.chdir(tmp_path)
    run = train(options).run
    assert run == Path("runs/backbone-checkpoint-1")
    shutil.rmtree("checkpoint")

    info = read_model_info(run / "best.safetensors")
    assert info.network_options["config"]["model_type"] == "resnet"
    assert info.network_options["decoder"] == [16, 8, 8, 8, 8]
    network, _ = load_network(run / "best.safetensors")
    weights = network.state_dict()
    kept, changed = (f"encoder.stages.{stage}.layers.0.layer.0.convolution.weight" for stage in (0, 1))
    assert torch.equal(weights[f"encoder.{kept}"], start[kept])
    assert not torch.equal(weights[f"encoder.{changed}"], start[changed])

    photo = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    depths = [load_model(run / name, "cpu", 1).depth(photo) for name in ("best.safetensors", "model.onnx")]
    np.testing.assert_allclose(depths[0], depths[1], rtol=0.02)  # the ONNX file holds weights as float16
