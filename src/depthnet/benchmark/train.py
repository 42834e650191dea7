"""A training step of ``unet`` at 320x224, batch 16: ours against a plain float32, contiguous loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from depthnet.benchmark.timing import measure, result
from depthnet.config import LossConfig, OptimConfig
from depthnet.losses.supervised import build_loss
from depthnet.networks import build_network
from depthnet.networks.blocks import DepthNetwork
from depthnet.training.optim import build_optimizer
from depthnet.training.run import native_bf16

BATCH, SIZE = 16, (224, 320)


def run() -> dict[str, dict[str, Any]]:
    """Seconds per image of forward, backward and optimiser step."""
    bf16 = native_bf16()
    seconds = measure(
        {"ours": training_step("unet", SIZE, channels_last=True, bf16=bf16),
         "rival": training_step("unet", SIZE, channels_last=False, bf16=False)},
        repeats=3,
    )  # fmt: skip
    precision = "bf16" if bf16 else "float32 (no bf16 instructions here)"
    return {
        "train": result(
            seconds["ours"] / BATCH, seconds["rival"] / BATCH, "plain float32, contiguous", "s per image",
            precision=precision,
        )
    }  # fmt: skip


def training_step(
    network_name: str, size: tuple[int, int], channels_last: bool, bf16: bool, freeze: int = 0
) -> Callable[[], None]:
    """One step of training on random pictures, ready to be timed."""
    torch.manual_seed(0)
    network: DepthNetwork = build_network(network_name).train()
    network.freeze_encoder(freeze)
    image = torch.rand(BATCH, 3, *size)
    if channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        image = image.contiguous(memory_format=torch.channels_last)
    depth = torch.rand(BATCH, 1, *size) * 9 + 0.5
    batch: dict[str, Tensor] = {"image": image, "depth": depth, "valid": depth > 0}
    loss = build_loss(LossConfig())
    optimizer = build_optimizer(network, OptimConfig())

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            prediction = network(image)
        total, _ = loss(prediction.float(), batch)
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step
