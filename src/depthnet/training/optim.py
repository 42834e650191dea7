"""Optimisers and learning-rate schedules."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor

from depthnet.config import OptimConfig
from depthnet.errors import ConfigError
from depthnet.networks.blocks import Network


def group_rates(network: Network, config: OptimConfig) -> dict[str, float]:
    """Peak learning rate of each of the network's groups of parameters, by name.

    Raises:
        ConfigError: if ``group_lr`` names another group or holds a factor that is not positive, or the encoder has two
            rates.
    """
    rates = {name: config.lr * network.lr_factors.get(name, 1.0) for name in network.parameter_groups()}
    for name, factor in config.group_lr.items():
        if name not in rates:
            raise ConfigError(f"optim.group_lr: the network has no group {name!r}; choose among: {', '.join(rates)}.")
        if not 0 < factor < math.inf:
            raise ConfigError(f"optim.group_lr: {name} {factor:g} must be above 0; leave it out for 1.")
        rates[name] = config.lr * factor
    if config.encoder_lr is not None:
        if "encoder" in config.group_lr:
            raise ConfigError("optim.encoder_lr and optim.group_lr both set the rate of encoder; leave out one.")
        rates["encoder"] = config.encoder_lr
    return rates


def build_optimizer(network: Network, config: OptimConfig) -> torch.optim.Optimizer:
    """Optimiser in which each of the network's groups of parameters has its own rate; frozen ones are left out.

    Biases and norm parameters are not decayed: decay is meant for weights that multiply.

    Raises:
        ConfigError: if the rates of the groups cannot be used.
    """
    groups = []
    rates = group_rates(network, config)
    for name, parameters in network.parameter_groups().items():
        trainable = [parameter for parameter in parameters if parameter.requires_grad]
        for decay, chosen in (
            (config.weight_decay, [p for p in trainable if p.ndim > 1]),
            (0.0, [p for p in trainable if p.ndim <= 1]),
        ):
            if chosen:
                groups.append({"params": chosen, "lr": rates[name], "weight_decay": decay, "name": name})
    if config.name == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=0.9, nesterov=True)
    cls = torch.optim.AdamW if config.name == "adamw" else torch.optim.Adam
    return cls(groups, lr=config.lr)


def build_schedule(config: OptimConfig, total_steps: int) -> Callable[[int], float]:
    """Factor of the peak learning rate at each optimiser step.

    Args:
        config: schedule and its numbers.
        total_steps: optimiser steps of the whole run.

    Returns:
        A function of the step (from 0) for ``torch.optim.lr_scheduler.LambdaLR``.

    Source: one-cycle as in Smith and Topin 2018 with cosine ramps: from 1/10 of the peak up to it, then down
    to 1/1000 of it.
    """
    warmup = max(1, round(config.warmup * total_steps))

    def ramp(step: int, start: float, end: float, length: int) -> float:
        share = min(1.0, step / max(1, length))
        return end + (start - end) * 0.5 * (1 + math.cos(math.pi * share))

    def onecycle(step: int) -> float:
        if step < warmup:
            return ramp(step, 0.1, 1.0, warmup)
        return ramp(step - warmup, 1.0, 1e-3, total_steps - warmup)

    def warm(step: int) -> float:
        return min(1.0, (step + 1) / warmup) if config.warmup > 0 else 1.0

    def cosine(step: int) -> float:
        return warm(step) if step < warmup else ramp(step - warmup, 1.0, 0.0, total_steps - warmup)

    def drops(step: int) -> float:
        return warm(step) * config.step_gamma ** (step // config.step_size)

    return {"onecycle": onecycle, "cosine": cosine, "step": drops, "constant": warm}[config.schedule]


class Ema(torch.nn.Module):
    """Exponential moving average of a network's weights and statistics, kept in float32.

    The decay starts low, (1 + n) / (10 + n) after n updates, so that the random start is soon forgotten.
    """

    def __init__(self, network: Network, decay: float) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self.updates = torch.nn.Buffer(torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def update(self, network: Network) -> None:
        """Move the average one step towards the present weights of ``network``."""
        self.updates.add_(1)
        updates = int(self.updates)
        decay = min(self.decay, (1 + updates) / (10 + updates))
        averages: list[Tensor] = []
        values: list[Tensor] = []
        for average, value in zip(self.network.state_dict().values(), network.state_dict().values(), strict=True):
            if average.is_floating_point():
                averages.append(average)
                values.append(value)
            else:
                average.copy_(value)
        torch._foreach_lerp_(averages, values, 1 - decay)
