"""Task ``pose``: a network learns the motion between two frames of a video.

Supervised by true poses, or by warping: with the depth of the target, measured or predicted by a depth model that is
kept as it is, the right motion makes the source look like the target.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from depthnet.checkpoint import ModelInfo, load_network, resolve_weights
from depthnet.config import AugmentConfig, TrainConfig
from depthnet.data import open_dataset
from depthnet.data.samples import DepthDataset
from depthnet.data.transforms import Size
from depthnet.data.video_frames import Clip, VideoFrames, build_clip_transform
from depthnet.errors import ConfigError, InputError
from depthnet.geometry.se3 import se3_exp
from depthnet.geometry.so3 import so3_log
from depthnet.losses.motion import TRUE_TERMS, check_motion_terms, motion_terms
from depthnet.losses.terms import weighted_sum
from depthnet.networks import build_pose_network
from depthnet.networks.blocks import resize_to
from depthnet.networks.pose import PoseNetwork
from depthnet.predictor.resize import network_size
from depthnet.training.start_weights import start_pose_from
from depthnet.training.task import Batch, Judge, Part, Step, Task, Terms

#: Weights where the run names none.
DEFAULT_TERMS = {"rotation": 1.0, "translation": 1.0}
#: The depth that data have, as ``pose.depth``.
SENSOR = "sensor"


def needs_poses(terms: dict[str, float]) -> bool:
    """Whether a term compares with the truth."""
    return any(terms.get(name) for name in TRUE_TERMS)


def pair_frames(dataset: DepthDataset, config: TrainConfig) -> VideoFrames:
    """The frames that can be targets of a training.

    Raises:
        InputError: if there are none, or the photometric term lacks its depth.
    """
    terms = config.pose.terms or DEFAULT_TERMS
    frames = require_targets(VideoFrames(dataset, config.pose.gap, posed=needs_poses(terms)), needs_poses(terms))
    if terms.get("photometric") and config.pose.depth == SENSOR and frames.read_depth(0) is None:
        raise InputError(
            f"{dataset.name}: has no depth to warp by; let a depth model predict it, for example --pose.depth mobile."
        )
    return frames


def require_targets(frames: VideoFrames, posed: bool) -> VideoFrames:
    """The frames, refused where no pair can be made of them."""
    if len(frames) == 0:
        with_poses = " and have poses" if posed else ""
        low, high = frames.gap
        raise InputError(
            f"{frames.dataset.name}: no frames of one video are {low} to {high} apart{with_poses}; "
            "pass data of video, or another --pose.gap."
        )
    return frames


def judged_pairs(dataset: DepthDataset, config: TrainConfig) -> VideoFrames:
    """The frames with poses that have a source."""
    return VideoFrames(dataset, config.pose.gap, posed=True)


def draw_clip(
    dataset: DepthDataset, index: int, config: TrainConfig, size: Size, rng: np.random.Generator
) -> dict[str, Any]:
    """An augmented target with its sources; see `clip_to_item`."""
    assert isinstance(dataset, VideoFrames)
    return clip_to_item(build_clip_transform(config.augment, size)(*dataset.draw_clip(index, rng), rng))


def judged_clip(dataset: DepthDataset, index: int, size: Size) -> dict[str, Any]:
    """A target with its sources, unchanged; the sources are the same in every run."""
    assert isinstance(dataset, VideoFrames)
    rng = np.random.default_rng(index)
    return clip_to_item(build_clip_transform(AugmentConfig(recipe="none"), size)(*dataset.draw_clip(index, rng), rng))


def clip_to_item(clip: Clip) -> dict[str, Any]:
    """A clip as tensors: ``image``, ``sources``, ``K``, ``depth`` and ``valid`` (all unknown where there is none),
    ``zoom`` (1, 1, 1), ``name`` and, where it is known, ``T_tgt_src``."""
    depth = np.zeros((1, *clip.image.shape[1:]), np.float32) if clip.depth is None else clip.depth
    item = {
        "image": torch.from_numpy(np.ascontiguousarray(clip.image)),
        "sources": torch.from_numpy(np.ascontiguousarray(clip.sources)),
        "K": torch.from_numpy(np.ascontiguousarray(clip.K, np.float32)),
        "depth": torch.from_numpy(np.array(depth, order="C")),  # a copy: a data set may hand out what it keeps
        "valid": torch.from_numpy(np.ascontiguousarray(depth > 0)),
        "zoom": torch.full((1, 1, 1), clip.zoom),
        "name": clip.name,
    }
    if clip.T_tgt_src is not None:
        item["T_tgt_src"] = torch.from_numpy(clip.T_tgt_src.astype(np.float32))
    return item


def build_start_pose_network(config: TrainConfig) -> PoseNetwork:
    """The pose network at its start weights: random, then the tapped depth model's, or a whole model (``--init``).

    Raises:
        ConfigError: if the network or an option is unknown, or the options do not fit the network.
        InputError: if a model cannot be used.
    """
    options = dict(config.network_options)
    if config.encoder_weights is not None:
        raise ConfigError(
            "encoder_weights are for depth networks; give pose-features a depth model: --pose.features M."
        )
    if config.pose.features is None:
        network = build_pose_network(config.network, options)
    else:
        if config.network != "pose-features" or options.keys() & {"depth", "depth_options"}:
            raise ConfigError(
                f"pose.features {config.pose.features}: goes with --network pose-features, which takes its depth "
                "network from there; leave depth and depth_options out of network_options."
            )
        depth, info = load_network(resolve_weights(config.pose.features))
        options |= {"depth": info.network, "depth_options": info.network_options}
        network = build_pose_network(config.network, options)
        network.depth.load_state_dict(depth.state_dict())  # type: ignore[union-attr]
    if config.init is not None:
        start_pose_from(network, config.network, config.init)
    return network


def build_pose_step(config: TrainConfig) -> Step:
    """The loss of a pose network on a batch of clips.

    Raises:
        ConfigError: if a term cannot be used.
        InputError: if the depth model cannot be read.
    """
    weights = dict(config.pose.terms or DEFAULT_TERMS)
    check_motion_terms(weights, (), config.photometric)
    depth_of = build_depth_source(config) if weights.get("photometric") else None

    def step(network: PoseNetwork, batch: Batch) -> Terms:
        xi = predict_xi(network, batch)
        with torch.autocast(xi.device.type, enabled=False):
            depth = None if depth_of is None else depth_of(batch)
            return weighted_sum(weights, motion_terms(weights, xi, depth, batch, config.photometric))

    return step


def predict_xi(network: PoseNetwork, batch: Batch) -> Tensor:
    """xi of T_tgt_src to each source, (B, S, 6), float32."""
    sources = batch["sources"].unbind(dim=1)
    return torch.stack([network(batch["image"], source).float() for source in sources], dim=1)


def build_depth_source(config: TrainConfig) -> Callable[[Batch], Tensor]:
    """What the photometric term warps by: the depth of the data, or that of a model, in metres; 0 where unknown."""
    if config.pose.depth == SENSOR:
        return lambda batch: torch.where(batch["valid"], batch["depth"], 0.0)
    network, info = load_network(resolve_weights(config.pose.depth))
    network.requires_grad_(False)

    @torch.no_grad()
    def predict(batch: Batch) -> Tensor:
        image = batch["image"]
        height, width = image.shape[-2:]
        size = network_size(height, width, info.input_size)
        small = F.interpolate(image, size=size, mode="bilinear", antialias=True, align_corners=False)
        depth = network.to(image.device)(small).exp().clamp(info.min_depth, info.max_depth)
        focal_px = batch["K"][:, 0, 0].view(-1, 1, 1, 1) * (size[1] / width)
        return resize_to(depth * (focal_px / info.training_focal_px), (height, width))  # the camera rule

    return predict


def score_pairs(network: PoseNetwork, batch: Batch, size: Size, config: TrainConfig) -> list[dict[str, float]]:
    """Errors of the motion of each pair; the pictures have the network's size already."""
    with torch.no_grad():
        xi = predict_xi(network, batch)
    return [score for one in zip(xi, batch["T_tgt_src"]) for score in score_motions(*one)]


def score_motions(xi: Tensor, T_tgt_src: Tensor, scale: float = 1.0) -> list[dict[str, float]]:
    """Errors of predicted motions, (S, 6), against true ones, (S, 4, 4).

    Args:
        xi: predicted.
        T_tgt_src: true.
        scale: metres of the unit of the predicted translation.

    Returns:
        For each pair ``rotation_deg`` and ``translation_m``; ``still_deg`` and ``still_m``, the errors of saying that
        the camera did not move; and ``motion_error``, translation_m plus the angle in radians.
    """
    found, true = se3_exp(xi.double()), T_tgt_src.double()
    angles = torch.linalg.vector_norm(so3_log(found[:, :3, :3].mT @ true[:, :3, :3]), dim=-1)
    distances = torch.linalg.vector_norm(scale * found[:, :3, 3] - true[:, :3, 3], dim=-1)
    turns = torch.linalg.vector_norm(so3_log(true[:, :3, :3]), dim=-1)
    ways = torch.linalg.vector_norm(true[:, :3, 3], dim=-1)
    return [
        {
            "rotation_deg": math.degrees(angle),
            "translation_m": distance,
            "motion_error": angle + distance,
            "still_deg": math.degrees(turn),
            "still_m": way,
        }
        for angle, distance, turn, way in zip(*(x.tolist() for x in (angles, distances, turns, ways)), strict=True)
    ]


def pose_part(network: PoseNetwork, info: ModelInfo, config: TrainConfig) -> dict[str, Part]:
    """One file, which says that it holds motion."""
    return {"": (network, replace(info, task="pose"))}


JUDGE = Judge(
    judged_pairs, judged_clip, score_pairs, "motion_error", needs="pairs of frames with poses", falls=True,
    shown=("rotation_deg", "translation_m", "still_deg", "still_m"),
)  # fmt: skip
TASK = Task(
    open=open_dataset,
    open_validation=open_dataset,
    frames=pair_frames,
    build_transform=build_clip_transform,
    draw=draw_clip,
    build_network=build_start_pose_network,
    build_step=build_pose_step,
    parts=pose_part,
    judge=JUDGE,
    depth_network=None,
)
