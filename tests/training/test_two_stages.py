"""``eigen2014`` in its two runs: the coarse stack, then the fine one that starts from that run and keeps it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import depthnet
from depthnet.checkpoint import read_model_info
from depthnet.config import OptimConfig, TrainConfig
from depthnet.networks import build_network
from depthnet.options import read_config
from depthnet.training import train
from depthnet.training.checks import check_options
from depthnet.training.optim import group_rates

OPTIONS = {"input_size": [64, 80], "full_width": 16}
FINE = {f"fine_{layer}.{kind}" for layer in (1, 2, 3) for kind in ("weight", "bias")}


def changed(first: Path, second: Path) -> set[str]:
    """Names of the tensors in which two model files differ."""
    left, right = load_file(first), load_file(second)
    assert left.keys() == right.keys()
    return {name for name in left if not np.array_equal(left[name], right[name])}


def test_the_fine_run_keeps_what_the_coarse_run_learned(tiny: TrainConfig, tmp_path: Path) -> None:
    factors = {"encoder": 0.001, "full": 0.1}
    optim = OptimConfig(name="sgd", lr=5.0, group_lr=factors, weight_decay=1e-4, ema=0.9)
    common = replace(tiny, network="eigen2014", epochs=1, optim=optim)
    coarse = train(replace(common, network_options={"stage": "coarse", **OPTIONS}), out=tmp_path / "coarse").run
    options, rates = {"stage": "fine", **OPTIONS}, replace(optim, group_lr={"fine_1": 0.001, "fine_2": 0.01})
    second = replace(common, network_options=options, init=str(coarse), optim=rates)
    fine = train(second, out=tmp_path / "fine").run
    assert changed(coarse / "best.safetensors", fine / "last.safetensors") == FINE
    assert read_model_info(fine / "model.onnx").network_options == options


@pytest.mark.parametrize(
    ("name", "factors"),
    [
        ("eigen2014-coarse", {"encoder": 0.02, "full": 0.1}),
        ("eigen2014-fine", {"fine_1": 0.001, "fine_2": 0.01, "fine_3": 0.001}),
    ],
)
def test_the_recipes_fit_the_network(name: str, factors: dict[str, float]) -> None:
    config = read_config(Path(depthnet.__file__).parent / "configs" / f"{name}.yaml", TrainConfig)
    check_options(config)
    with torch.device("meta"):
        network = build_network(config.network, config.network_options)
    assert config.size == network.input_size
    rates = group_rates(network, config.optim)
    learns = {group for group, parameters in network.parameter_groups().items() if parameters[0].requires_grad}
    assert {group: rates[group] / config.optim.lr for group in learns} == pytest.approx(factors)
    assert config.init == (None if name == "eigen2014-coarse" else "runs/eigen2014-coarse")
