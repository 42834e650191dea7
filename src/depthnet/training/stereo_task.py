"""Task ``stereo``: a network learns from rectified pairs of pictures, without ever seeing depth.

It predicts the depth of the left picture; focal length and baseline of the pair turn that into a disparity, by which
the right picture is warped onto the left one: where the depth is right, the two are alike. The focal length and the
baseline are what makes it metres.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from depthnet.config import TrainConfig
from depthnet.data import open_dataset
from depthnet.data.samples import DepthDataset
from depthnet.data.stereo import STEREO_FORMATS, StereoSample
from depthnet.data.stereo_frames import RawPair, build_stereo_transform, open_stereo_frames
from depthnet.data.transforms import Size
from depthnet.losses.photometric import build_stereo_loss
from depthnet.networks.blocks import DepthNetwork
from depthnet.training.depth_task import JUDGE, all_frames, frames_with_depth, one_part, whole_network
from depthnet.training.start_weights import build_depth_network
from depthnet.training.task import Batch, Step, Task, Terms


def open_judged(path: str | Path, split: str | None = None, format: str | None = None) -> DepthDataset:
    """Validation data: pairs, or any other data with depth."""
    is_stereo = format in STEREO_FORMATS if format else any(one.matches(Path(path)) for one in STEREO_FORMATS.values())
    return open_stereo_frames(path, split, format) if is_stereo else open_dataset(path, split, format)


def draw_pair(
    dataset: DepthDataset, index: int, config: TrainConfig, size: Size, rng: np.random.Generator
) -> dict[str, Any]:
    """An augmented pair: ``image`` (left), ``right``, ``K``, ``baseline_m``, ``doffs_px`` and ``name``."""
    pair = dataset.read_raw(index)
    assert isinstance(pair, RawPair)
    return pair_to_item(build_stereo_transform(config.augment, size)(pair, rng))


def pair_to_item(pair: StereoSample) -> dict[str, Any]:
    """A pair as tensors; ``baseline_m`` and ``doffs_px`` are (1, 1, 1), ready to stand beside maps in a batch."""
    return {
        "image": torch.from_numpy(np.ascontiguousarray(pair.left)),
        "right": torch.from_numpy(np.ascontiguousarray(pair.right)),
        "K": torch.from_numpy(np.ascontiguousarray(pair.K)),
        "baseline_m": torch.full((1, 1, 1), pair.baseline_m),
        "doffs_px": torch.full((1, 1, 1), pair.doffs),
        "name": pair.name,
    }


def build_stereo_step(config: TrainConfig) -> Step:
    """The photometric loss of a network on a batch of pairs.

    Raises:
        ConfigError: if the loss cannot be used.
    """
    loss = build_stereo_loss(config.photometric)

    def step(network: DepthNetwork, batch: Batch) -> Terms:
        return loss(predict_disparity_px(network, batch), batch)

    return step


def predict_disparity_px(network: DepthNetwork, batch: Batch) -> Tensor:
    """Signed disparity of the left pictures in pixels, (B, 1, H, W): f·b / depth - doffs."""
    disparity = network.disparity(network(batch["image"]).float())
    focal_px = batch["K"][:, 0, 0].view(-1, 1, 1, 1)
    return disparity * focal_px * batch["baseline_m"] - batch["doffs_px"]


TASK = Task(
    open=open_stereo_frames,
    open_validation=open_judged,
    frames=all_frames,
    build_transform=build_stereo_transform,
    draw=draw_pair,
    build_network=build_depth_network,
    build_step=build_stereo_step,
    parts=one_part,
    judge=replace(JUDGE, frames=frames_with_depth),
    depth_network=whole_network,
)
