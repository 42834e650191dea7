"""Task ``depth``: a network learns from measured depth."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from depthnet.config import TrainConfig
from depthnet.data import open_dataset
from depthnet.data.samples import DepthDataset, Sample
from depthnet.data.transforms import Size, build_train_transform, paste_rectangle
from depthnet.errors import InputError
from depthnet.losses.supervised import build_loss
from depthnet.networks.blocks import DepthNetwork
from depthnet.training.task import Batch, Step, Task, Terms


def draw_frame(
    dataset: DepthDataset, index: int, config: TrainConfig, size: Size, rng: np.random.Generator
) -> dict[str, Any]:
    """An augmented frame: ``image``, ``depth``, ``valid`` and ``name``."""
    augment = config.augment
    transform = build_train_transform(augment, size)
    sample = transform(dataset.read_raw(index), rng)
    if augment.recipe == "modern" and rng.random() < augment.paste:
        other = transform(dataset.read_raw(int(rng.integers(len(dataset)))), rng)
        sample = paste_rectangle(sample, other, rng)
    return sample_to_item(sample)


def sample_to_item(sample: Sample) -> dict[str, Any]:
    """A sample as tensors under the names of the conventions.

    Raises:
        InputError: if it has no depth.
    """
    if sample.depth is None or sample.valid is None:
        raise InputError(f"{sample.name}: has no depth; training needs data with ground truth.")
    return {
        "image": torch.from_numpy(np.ascontiguousarray(sample.image)),
        "depth": torch.from_numpy(np.ascontiguousarray(sample.depth)),
        "valid": torch.from_numpy(np.ascontiguousarray(sample.valid)),
        "name": sample.name,
    }


def build_depth_step(config: TrainConfig) -> Step:
    """The supervised loss of a network on a batch of frames; depth outside the run's range does not count.

    Raises:
        ConfigError: if the loss cannot be used.
    """
    loss = build_loss(config.loss)

    def step(network: DepthNetwork, batch: Batch) -> Terms:
        depth = batch["depth"]
        valid = batch["valid"] & (depth > config.min_depth) & (depth < config.max_depth)
        return loss(network(batch["image"]).float(), {**batch, "valid": valid})

    return step


TASK = Task(open_dataset, open_dataset, build_train_transform, draw_frame, build_depth_step)
