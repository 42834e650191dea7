"""Task ``depth``: a network learns from measured depth."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from depthnet.checkpoint import ModelInfo
from depthnet.config import TrainConfig
from depthnet.data import open_dataset
from depthnet.data.samples import DepthDataset, Sample
from depthnet.data.transforms import Size, build_train_transform, paste_rectangle, resize_sample
from depthnet.errors import InputError
from depthnet.losses.supervised import build_loss
from depthnet.metrics import depth_metrics
from depthnet.networks.blocks import DepthNetwork, resize_to
from depthnet.training.start_weights import build_depth_network
from depthnet.training.task import Batch, Judge, Part, Step, Task, Terms


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
        return loss(network(batch["image"]).float(), {**batch, "valid": in_range(batch, config)})

    return step


def in_range(batch: Batch, config: TrainConfig) -> Tensor:
    """Pixels whose measured depth lies within the run's range."""
    depth = batch["depth"]
    return batch["valid"] & (depth > config.min_depth) & (depth < config.max_depth)


def all_frames(dataset: DepthDataset, config: TrainConfig) -> DepthDataset:
    """Every frame."""
    return dataset


def frames_with_depth(dataset: DepthDataset, config: TrainConfig) -> DepthDataset:
    """Every frame of data with depth, none of data without."""
    return dataset if len(dataset) and dataset.read_depth(0) is not None else dataset[:0]


def judged_frame(dataset: DepthDataset, index: int, size: Size) -> dict[str, Any]:
    """Image and ground truth at the network's size."""
    return sample_to_item(resize_sample(dataset[index], size))


@torch.no_grad()
def predict_depth(network: DepthNetwork, image: Tensor, size: Size, config: TrainConfig) -> Tensor:
    """Depth in metres (B, 1, H, W) at the size of ``image``, computed at network size ``size``.

    It is clamped to the model's range: only here, never in front of the loss.
    """
    small = F.interpolate(image, size=size, mode="bilinear", antialias=True, align_corners=False)
    log_depth = resize_to(network(small).float(), (image.shape[-2], image.shape[-1]))
    return torch.exp(log_depth).clamp(config.min_depth, config.max_depth)


def score_depth(network: DepthNetwork, batch: Batch, size: Size, config: TrainConfig) -> list[dict[str, float]]:
    """Depth metrics of each image that has depth within the run's range."""
    prediction = predict_depth(network, batch["image"], size, config)
    valid = in_range(batch, config)
    rows = []
    for one in range(len(prediction)):
        if valid[one].any():
            scores = depth_metrics(prediction[one], batch["depth"][one], valid[one])
            rows.append({name: float(value) for name, value in scores.items()})
    return rows


def whole_network(network: DepthNetwork) -> DepthNetwork:
    """All of it predicts depth."""
    return network


def one_part(network: DepthNetwork, info: ModelInfo, config: TrainConfig) -> dict[str, Part]:
    """One file for the whole network."""
    return {"": (network, info)}


JUDGE = Judge(all_frames, judged_frame, score_depth, "delta1", shown=("delta1", "abs_rel", "rmse"))
TASK = Task(
    open=open_dataset,
    open_validation=open_dataset,
    frames=all_frames,
    build_transform=build_train_transform,
    draw=draw_frame,
    build_network=build_depth_network,
    build_step=build_depth_step,
    parts=one_part,
    judge=JUDGE,
    depth_network=whole_network,
)
