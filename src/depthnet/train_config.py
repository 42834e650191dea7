"""Options of training, part of `depthnet.config`; its page says how they are documented and written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass
class AugmentConfig:
    """Random changes of the training samples; image, depth, valid and K change together.

    Both pictures of a stereo pair get the same zoom, crop and colour; a flip mirrors them and swaps left and right.
    They are never rotated, which would undo the rectification, and have no cut-outs and no paste. Frames of a video get
    the same zoom, crop, rotation, flip and colour, and the motion between them follows; there a zoom is a longer focal
    length, depth stays.
    """

    recipe: Literal["none", "eigen", "modern"] = "modern"
    """none: only the resize. eigen: the six of Eigen 2014 (scale, rotation, translation, colour, flip, crop).
    modern: these plus contrast, saturation, gamma and cut-outs."""
    scale: tuple[float, float] = (1.0, 1.5)
    """Range of the random zoom s; depth is divided by s and K keeps its focal length (Eigen's rule)."""
    rotation_deg: float = 5.0
    """Largest random rotation in the image plane, degrees."""
    flip: float = 0.5
    """Probability of a left-right flip."""
    colour: tuple[float, float] = (0.8, 1.2)
    """Range of the random factor of each colour channel."""
    brightness: float = 0.25
    """modern: brightness factor within 1 - x and 1 + x."""
    contrast: float = 0.3
    """modern: contrast factor within 1 - x and 1 + x, applied to half of the samples."""
    saturation: float = 0.4
    """modern: saturation factor within 1 - x and 1 + x, applied to half of the samples."""
    gamma: float = 0.25
    """modern: gamma within 1 / (1 + x) and 1 + x."""
    cutout: float = 0.0
    """modern: probability of replacing a random rectangle of the image by noise; depth stays."""
    paste: float = 0.0
    """modern: probability of replacing a random rectangle of image and depth by that of another sample."""
    right_colour: float = 0.0
    """Tasks stereo, pose and video: further factor of each channel of the right picture (the sources) alone, within
    1 - x and 1 + x."""


@dataclass
class LossConfig:
    """A weighted sum of the losses of depthnet.losses.supervised, by name."""

    terms: dict[str, float] = field(default_factory=lambda: {"eigen": 1.0})
    """Weight of each term: eigen, l1_log, l1, l2, l2_smooth, berhu, gradient, gradient_multiscale."""
    eigen_lambda: float = 0.5
    """Lambda of Eigen's loss: 0 is L2 in log space, 1 is fully scale invariant."""
    smooth_weight: float = 0.1
    """Weight of the smoothness term inside l2_smooth."""


@dataclass
class PhotometricConfig:
    """A weighted sum of the losses of depthnet.losses.photometric, by name: what pairs of pictures are trained by."""

    terms: dict[str, float] = field(default_factory=lambda: {"ssim": 0.85, "l1": 0.15, "smooth": 0.1})
    """Weight of each term: on the pictures l1, l2, ssim; on the disparity smooth, smooth_garg, smooth_l2."""
    scales: int = 1
    """Sizes, each half the one before, at which the pictures are compared; more find matches farther away."""
    auto_mask: bool = True
    """Tasks pose and video: a pixel that the unwarped source explains better has no pull: what moves along, or stands
    still with the camera."""
    zbuffer: bool = False
    """Tasks pose and video: what the source hides behind something nearer does not count. Where there are two sources,
    the better one counts at each pixel in any case."""


@dataclass
class PoseConfig:
    """Tasks pose and video: which frames make a pair, and what the motion between them is learned from."""

    network: str = "pose-features"
    """Task video: pose-features reads the features of the depth network, and both share its encoder; pose-early and
    pose-late are networks of their own. Task pose takes --network."""
    network_options: dict[str, Any] = field(default_factory=dict)
    """Task video: options of the pose network's constructor."""
    features: str | None = None
    """Network pose-features of task pose: the depth model whose network is tapped, with its weights: a shipped name, a
    .safetensors or a run folder; by default random weights."""
    gap: tuple[int, int] = (1, 1)
    """Range of the number of frames between target and source, drawn for each pair, within one video. Task pose takes
    the source before or after the target, task video one on each side."""
    terms: dict[str, float] = field(default_factory=dict)
    """Weight of each term; by default {rotation: 1, translation: 1} of task pose, {photometric: 1, smooth: 0.001} of
    task video. rotation (angle, radians), translation (distance, metres) and xi (both in one) compare with true poses;
    photometric warps the source onto the target; of task video also smooth, and depth: the terms of `loss` where depth
    is measured."""
    depth: str = "sensor"
    """Task pose, photometric: sensor for the depth that the data have, or a model that predicts it: a shipped name, a
    .safetensors or a run folder."""


@dataclass
class OptimConfig:
    """Optimiser and its schedule."""

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    """Optimiser; adamw decouples the weight decay."""
    lr: float = 1.5e-3
    """Peak learning rate of the decoder (and of every parameter when encoder_lr is unset)."""
    encoder_lr: float | None = None
    """Peak learning rate of a pretrained encoder."""
    group_lr: dict[str, float] = field(default_factory=dict)
    """Factor of lr for groups of the network's parameters: encoder, decoder, or eigen2014's full, fine_1 ..."""
    weight_decay: float = 1e-2
    """Weight decay."""
    schedule: Literal["onecycle", "cosine", "step", "constant"] = "onecycle"
    """Learning rate over the run; cosine, step and constant start with the warm-up."""
    warmup: float = 0.1
    """Share of the run in which the learning rate rises."""
    step_size: int = 60_000
    """step: optimiser steps between two drops."""
    step_gamma: float = 0.1
    """step: factor of a drop."""
    clip_norm: float = 1.0
    """Largest norm of the gradient; 0 leaves it alone."""
    ema: float = 0.998
    """Decay of the moving average of the weights that is validated and kept; 0 switches it off."""


@dataclass
class TrainConfig:
    """Train a network; the run folder holds all that repeats the run."""

    task: Literal["depth", "stereo", "pose", "video"] = "depth"
    """What is learned, and from what. depth: depth from measured depth, by `loss`. stereo: depth from stereo pairs, by
    `photometric`; measured depth is not looked at, except to validate where the pairs have it. pose: the motion between
    two frames of a video, by `pose`. video: depth and motion together from neighbouring frames, up to one scale."""
    data: str = ""
    """Training data: a folder or file of any layout that depthnet recognises."""
    format: str | None = None
    """Layout of the data when it is not to be recognised."""
    split: str = "train"
    """Part of the data to train on: train, all, or another split that they have (NYU: trainval, all 795 official)."""
    val_data: str | None = None
    """Validation data; by default the data itself."""
    val_split: str = "auto"
    """Part of the data to validate on. auto: their split val, else the last tenth of the training part; none: nothing.
    Frames that are validated, and their neighbours where the data know them, are not trained on."""
    network: str = "mobile"
    """Network by name: see `depthnet models`."""
    network_options: dict[str, Any] = field(default_factory=dict)
    """Options of the network's constructor."""
    init: str | None = None
    """Start from the weights of a model: a shipped name, a .safetensors or a run folder."""
    encoder_weights: str | None = None
    """Start weights of the encoder: a .safetensors file, or hf:NAME for a transformers checkpoint."""
    freeze_encoder_blocks: int = 0
    """mobile, backbone:NAME: keep the stem and this many first blocks as they are, which also makes training faster;
    blocks of a backbone are its stages, or its transformer blocks where it has no stages."""
    loss: LossConfig = field(default_factory=LossConfig)
    """Loss of task depth."""
    photometric: PhotometricConfig = field(default_factory=PhotometricConfig)
    """Loss of task stereo; what the photometric term of tasks pose and video compares (its terms on pictures)."""
    pose: PoseConfig = field(default_factory=PoseConfig)
    """Tasks pose and video."""
    optim: OptimConfig = field(default_factory=OptimConfig)
    """Optimiser."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """Augmentation."""
    size: tuple[int, int] = (240, 320)
    """Height and width of the network's input at the end of training; the model keeps it."""
    size_schedule: list[tuple[float, int, int]] = field(default_factory=list)
    """Smaller sizes for earlier parts of the run, as (share of the run at which it starts, height, width)."""
    epochs: int = 40
    """Passes over the training data."""
    batch_size: int = 16
    """Images per optimiser step and device, before accumulation."""
    accumulate: int = 1
    """Batches per optimiser step."""
    min_depth: float = 0.001
    """Smallest depth, metres: nearer ground truth is ignored and predictions are clamped."""
    max_depth: float = 10.0
    """Largest depth, metres."""
    precision: Literal["auto", "32", "bf16", "16"] = "auto"
    """auto: bf16 where the hardware multiplies it natively, else 32."""
    channels_last: bool = True
    """Memory layout of images and weights; faster for convolutions."""
    compile: bool = False
    """Compile the network with torch.compile."""
    devices: int = 1
    """Number of devices (CPU processes or GPUs)."""
    strategy: str = "auto"
    """Lightning's strategy: auto, ddp, ddp_spawn, fsdp ..."""
    accelerator: str = "auto"
    """Lightning's accelerator: auto, cpu, gpu ..."""
    workers: int = 1
    """Processes that load data, per device; 0 loads in the training process."""
    cache: bool = True
    """Keep decoded samples in memory when they fit into 4 GiB."""
    threads: int | None = None
    """CPU threads of PyTorch."""
    seed: int = 0
    """Seed of every random choice."""
    validate_every: int = 1
    """Epochs between validations."""
    checkpoint_minutes: float = 5.0
    """Largest time between two saved states of the run."""
    log_every: int = 10
    """Steps between two log lines."""
    limit_batches: int | None = None
    """Stop an epoch after this many batches (for a first test)."""
