"""Schedules, groups and the moving average, by hand."""

from __future__ import annotations

import pytest
import torch

from depthnet.config import OptimConfig
from depthnet.errors import ConfigError
from depthnet.networks import build_network
from depthnet.training.optim import Ema, build_optimizer, build_schedule, group_rates


def test_onecycle_rises_and_falls() -> None:
    factor = build_schedule(OptimConfig(schedule="onecycle", warmup=0.1), 100)
    assert factor(0) == pytest.approx(0.1)
    assert factor(5) == pytest.approx(0.55)
    assert factor(10) == pytest.approx(1.0)
    assert factor(55) == pytest.approx(0.5005)
    assert factor(100) == pytest.approx(1e-3)


def test_cosine_step_and_constant() -> None:
    cosine = build_schedule(OptimConfig(schedule="cosine", warmup=0.1), 100)
    assert [cosine(0), cosine(4), cosine(10), cosine(55), cosine(100)] == pytest.approx([0.1, 0.5, 1.0, 0.5, 0.0])
    drops = build_schedule(OptimConfig(schedule="step", warmup=0.0, step_size=10, step_gamma=0.1), 100)
    assert [drops(0), drops(9), drops(10), drops(25)] == pytest.approx([1.0, 1.0, 0.1, 0.01])
    constant = build_schedule(OptimConfig(schedule="constant", warmup=0.02), 100)
    assert [constant(0), constant(1), constant(99)] == pytest.approx([0.5, 1.0, 1.0])


def test_groups_have_their_rates_and_leave_out_what_is_frozen() -> None:
    network = build_network("mobile")
    network.freeze_encoder(3)
    optimizer = build_optimizer(network, OptimConfig(lr=1e-3, encoder_lr=1e-4, weight_decay=0.1))
    rates = {(group["name"], group["weight_decay"]): group["lr"] for group in optimizer.param_groups}
    assert rates == {("encoder", 0.1): 1e-4, ("encoder", 0.0): 1e-4, ("decoder", 0.1): 1e-3, ("decoder", 0.0): 1e-3}
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    assert held == {id(parameter) for parameter in network.parameters() if parameter.requires_grad}
    assert len(held) < len(list(network.parameters()))
    biases = [p for group in optimizer.param_groups if group["weight_decay"] == 0 for p in group["params"]]
    assert all(parameter.ndim == 1 for parameter in biases)


def test_factors_of_groups() -> None:
    network = build_network("mobile")
    assert group_rates(network, OptimConfig(lr=2.0)) == {"encoder": 2.0, "decoder": 2.0}
    assert group_rates(network, OptimConfig(lr=2.0, group_lr={"encoder": 0.1})) == {"encoder": 0.2, "decoder": 2.0}
    both = OptimConfig(lr=2.0, encoder_lr=0.5, group_lr={"decoder": 0.25})
    assert group_rates(network, both) == {"encoder": 0.5, "decoder": 0.5}
    optimizer = build_optimizer(network, OptimConfig(lr=2.0, group_lr={"encoder": 0.1}))
    assert {(group["name"], group["lr"]) for group in optimizer.param_groups} == {("encoder", 0.2), ("decoder", 2.0)}


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (OptimConfig(group_lr={"heads": 0.1}), "no group 'heads'; choose among: encoder, decoder"),
        (OptimConfig(group_lr={"decoder": 0.0}), "decoder 0 must be above 0"),
        (OptimConfig(group_lr={"decoder": float("nan")}), "decoder nan must be above 0"),
        (OptimConfig(encoder_lr=1e-4, group_lr={"encoder": 0.1}), "both set the rate of encoder"),
    ],
)
def test_factors_that_cannot_be_used(config: OptimConfig, line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        build_optimizer(build_network("mobile"), config)


def test_moving_average_by_hand() -> None:
    network = build_network("mobile")
    ema = Ema(network, decay=0.5)
    start = network.head.bias.detach().clone()
    with torch.no_grad():
        network.head.bias.add_(1.0)
    ema.update(network)  # decay (1 + 1) / (10 + 1)
    assert ema.network.head.bias.item() == pytest.approx(start.item() + 9 / 11, abs=1e-6)
    for _ in range(30):
        before = ema.network.head.bias.item()
        ema.update(network)
    target = network.head.bias.item()
    assert ema.network.head.bias.item() == pytest.approx((before + target) / 2, abs=1e-6)
    assert not any(parameter.requires_grad for parameter in ema.network.parameters())
