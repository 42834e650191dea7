"""Task ``video``: depth and motion together from neighbouring frames, without a measurement of either.

The target is compared with the frames before and after it, warped by the predicted depth and motions. Nothing in that
knows a unit: all of it may be as many times as large. So the model says that it gives depth up to a scale, and is
validated with the scale of each image fitted by the medians, the translation by the same factor. True poses or measured
depth among the terms bring the metres back. The motions are written to a model file of their own.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from depthnet.alignment import fit_median
from depthnet.checkpoint import POSE_PREFIX, ModelInfo
from depthnet.config import TrainConfig
from depthnet.data import open_dataset
from depthnet.data.samples import DepthDataset
from depthnet.data.transforms import Size
from depthnet.data.video_frames import VideoFrames, build_clip_transform
from depthnet.errors import ConfigError
from depthnet.losses.motion import check_motion_terms, motion_terms, smooth_normalised
from depthnet.losses.supervised import build_loss
from depthnet.losses.terms import weighted_sum
from depthnet.metrics import depth_metrics
from depthnet.networks import build_pose_network
from depthnet.networks.blocks import DepthNetwork
from depthnet.networks.pose_features import PoseFeatures
from depthnet.networks.video import VideoNetwork
from depthnet.training.depth_task import in_range, predict_depth
from depthnet.training.pose_task import (
    draw_clip,
    judged_clip,
    needs_poses,
    predict_xi,
    require_targets,
    score_motions,
)
from depthnet.training.start_weights import build_depth_network
from depthnet.training.task import Batch, Judge, Part, Step, Task, Terms

#: Weights where the run names none: Godard et al., ICCV 2019.
DEFAULT_TERMS = {"photometric": 1.0, "smooth": 1e-3}
#: Depth that is warped by lies within 1 mm and 10 km, so that no start of training overflows.
LOG_DEPTH_RANGE = (-6.9, 9.2)


def clip_frames(dataset: DepthDataset, config: TrainConfig) -> VideoFrames:
    """The frames that have a neighbour on both sides.

    Raises:
        InputError: if there are none.
    """
    posed = needs_poses(config.pose.terms)
    return require_targets(VideoFrames(dataset, config.pose.gap, both=True, posed=posed), posed)


def judged_clips(dataset: DepthDataset, config: TrainConfig) -> DepthDataset:
    """The frames with depth that have neighbours, and, where the data have poses, have those too."""
    posed = any(dataset.read_pose(index)[0] is not None for index in range(len(dataset)))
    frames = VideoFrames(dataset, config.pose.gap, both=True, posed=posed)
    return frames if len(frames) and frames.read_depth(0) is not None else frames[:0]


def build_video_network(config: TrainConfig) -> VideoNetwork:
    """Depth network at the start weights that ``depth`` would have, and a pose network with random ones.

    Raises:
        ConfigError: if a network or an option is unknown.
    """
    depth, options = build_depth_network(config), dict(config.pose.network_options)
    if config.pose.network != "pose-features":
        return VideoNetwork(build_pose_network(config.pose.network, options), depth)
    if taken := sorted(options.keys() & {"depth", "depth_options", "frozen"}):
        raise ConfigError(f"pose.network_options: {taken[0]} follows from --network and its options; leave it out.")
    depth_options = {**config.network_options, **depth.file_options}
    pose = PoseFeatures(config.network, depth_options, frozen=False, **options)
    pose.depth.load_state_dict(depth.state_dict())
    return VideoNetwork(pose)


def build_video_step(config: TrainConfig) -> Step:
    """The loss of depth and motions on a batch of clips.

    Raises:
        ConfigError: if a term cannot be used.
    """
    weights = dict(config.pose.terms or DEFAULT_TERMS)
    check_motion_terms(weights, ("smooth", "depth"), config.photometric)
    supervised = build_loss(config.loss) if weights.get("depth") else None

    def step(network: VideoNetwork, batch: Batch) -> Terms:
        log_depth, xi = network(batch["image"], batch["sources"])
        with torch.autocast(xi.device.type, enabled=False):
            log_depth, xi = log_depth.float(), xi.float()
            terms = motion_terms(weights, xi, metres(log_depth, batch), batch, config.photometric)
            if weights.get("smooth"):
                terms["smooth"] = smooth_normalised(log_depth, batch["image"])
            if supervised is not None:
                truth = {**batch, "depth": batch["depth"] / batch["zoom"], "valid": in_range(batch, config)}
                terms["depth"], _ = supervised(log_depth, truth)
            return weighted_sum(weights, terms)

    return step


def metres(log_depth: Tensor, batch: Batch) -> Tensor:
    """Depth that the geometry of the clip has, (B, 1, H, W): the camera rule, with f_input / f_train the zoom."""
    low, high = LOG_DEPTH_RANGE
    bounded = log_depth + (log_depth.clamp(low, high) - log_depth).detach()  # the gradient leads back
    return bounded.exp() * batch["zoom"]


@torch.no_grad()
def score_clips(network: VideoNetwork, batch: Batch, size: Size, config: TrainConfig) -> list[dict[str, float]]:
    """Depth metrics after a fit of the scale by medians; with poses, mean errors of the motions at the same scale."""
    prediction = predict_depth(network.depth, batch["image"], size, config)
    valid, xi = in_range(batch, config), predict_xi(network.pose, batch)
    rows = []
    for one in range(len(prediction)):
        if not valid[one].any():
            continue
        scale, _ = fit_median(prediction[one], batch["depth"][one], valid[one])
        scores = depth_metrics(scale * prediction[one], batch["depth"][one], valid[one])
        row = {name: float(value) for name, value in scores.items()}
        if "T_tgt_src" in batch:
            motions = score_motions(xi[one], batch["T_tgt_src"][one], scale)
            row |= {name: sum(motion[name] for motion in motions) / len(motions) for name in motions[0]}
        rows.append(row)
    return rows


def video_parts(network: VideoNetwork, info: ModelInfo, config: TrainConfig) -> dict[str, Part]:
    """A depth model as any other, and beside it the motion; both say whether their unit is the metre."""
    terms = config.pose.terms
    metric = any(terms.get(name) for name in ("depth", "translation", "xi"))
    info = replace(info, kind="metric" if metric else "scale_invariant")
    pose_info = replace(
        info, name=f"{POSE_PREFIX}{info.name}", network=config.pose.network, task="pose",
        network_options={**config.pose.network_options, **network.pose.file_options},
    )  # fmt: skip
    return {"": (network.depth, info), POSE_PREFIX: (network.pose, pose_info)}


def depth_part(network: VideoNetwork) -> DepthNetwork:
    """The depth network."""
    return network.depth


JUDGE = Judge(
    judged_clips, judged_clip, score_clips, "delta1", needs="frames with true depth and neighbours",
    shown=("delta1", "abs_rel", "rotation_deg", "translation_m"),
)  # fmt: skip
TASK = Task(
    open=open_dataset,
    open_validation=open_dataset,
    frames=clip_frames,
    build_transform=build_clip_transform,
    draw=draw_clip,
    build_network=build_video_network,
    build_step=build_video_step,
    parts=video_parts,
    judge=JUDGE,
    depth_network=depth_part,
)
