"""Options of every job, one dataclass per job.

Defaults < YAML file < command line. Each field is documented by the string under it, which is also its
help on the command line; a YAML file uses the same names. Nothing heavy is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Align = Literal["none", "median", "scale", "scale-shift", "scale-shift-disparity"]
SaveFormat = Literal["png", "colour", "npy", "ply", "glb"]


@dataclass
class AugmentConfig:
    """Random changes of the training samples; image, depth, valid and K change together.

    Both pictures of a stereo pair get the same zoom, crop and colour; a flip mirrors them and swaps left and right. They
    are never rotated, which would undo the rectification, and have no cut-outs and no paste.
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
    """Task stereo: further factor of each channel of the right picture alone, within 1 - x and 1 + x."""


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
    """Factor of lr for groups of the network's parameters: encoder, decoder, or eigen2014's encoder, full, fine_1 ..."""
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
    """Train a depth network; the run folder holds all that repeats the run."""

    task: Literal["depth", "stereo"] = "depth"
    """What is learned from. depth: measured depth, by `loss`. stereo: pairs of pictures, by `photometric`; depth is not
    looked at, except to validate where the pairs have it."""
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
    """Loss of task stereo."""
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


@dataclass
class PredictConfig:
    """Depth in metres for photos: files, folders or globs."""

    model: str = "mobile"
    """A shipped name, a .onnx, a .safetensors, a run folder, or hf:NAME for a metric depth model of transformers."""
    out: str | None = None
    """Folder of the results; by default beside each input."""
    save: tuple[SaveFormat, ...] = ("png", "colour")
    """What to write: 16-bit depth png in mm, colour map, npy in metres, ply or glb point cloud; commas between."""
    focal_px: float | None = None
    """Focal length of the photo in pixels of its own size."""
    fov_deg: float | None = None
    """Horizontal field of view of the photo in degrees, instead of a focal length."""
    device: str | None = None
    """Where the network runs: cpu, cuda or cuda:N; by default the fastest that is there."""
    threads: int | None = None
    """CPU threads; by default all cores."""


@dataclass
class EvaluateConfig:
    """Score a model, or a folder of predictions by any program, against ground truth."""

    model: str = "mobile"
    """A shipped name, a .onnx, a .safetensors, a run folder, a folder of predictions, or hf:NAME for a depth model of
    transformers (a checkpoint of the hub or its folder); to compare several, repeat the option or write commas
    between."""
    data: str = ""
    """Data with ground truth, of any layout that depthnet recognises."""
    format: str | None = None
    """Layout of the data when it is not to be recognised."""
    split: str | None = None
    """Part of the data: train, val or test where it has such."""
    protocol: tuple[str, ...] = ()
    """Protocols, side by side (nyu, nyu-toolbox, nyu-full, nyu-densedepth, kitti-eigen, kitti-eigen-crop, none;
    -pooled after any); by default the data set's own."""
    align: Align = "none"
    """Fit of each prediction to its ground truth before scoring. Models of inverse depth need scale-shift; a folder of
    such predictions needs scale-shift-disparity, the same fit in 1/metres."""
    flip: bool = False
    """Average the predictions of the image and its mirror image."""
    focal_px: float | None = None
    """Focal length of the images in pixels, instead of the data set's K."""
    prediction_scale: float | None = None
    """Metres per unit of a folder of predictions (default: 1 for .npy, 0.001 for .png)."""
    json: str | None = None
    """Write the scores to this file: an object, or with several models a list of such objects, in their order."""
    report: str | None = None
    """Write one self-contained page (.html): scores, charts, best and worst images of the data, all models together."""
    report_images: int = 3
    """Best images that the report shows, and as many worst ones; 0: no image of the data."""
    device: str | None = None
    """Where the network runs: cpu, cuda or cuda:N; by default the fastest that is there."""
    threads: int | None = None
    """CPU threads; by default all cores."""


@dataclass
class ExportConfig:
    """Write a trained network as one ONNX file that needs nothing else."""

    model: str = "mobile"
    """A shipped name, a .safetensors or a run folder."""
    out: str = ""
    """The .onnx file to write."""


@dataclass
class DescribeConfig:
    """Say what a network is made of and what each part costs, as a table and as a drawing."""

    out: str | None = None
    """The drawing (.svg) to write."""
    size: tuple[int, int] | None = None
    """Height and width of the input; by default the network's own, or those that the model was trained at."""
    network_options: dict[str, Any] = field(default_factory=dict)
    """Options of the network's constructor; a model brings its own."""
    layers: bool = False
    """List the layers of each level, too."""


@dataclass(frozen=True)
class PrepareConfig:
    """From a download to a tree that trains; each source adds options of its own."""

    source: str = ""
    """What was downloaded: a folder, or a file where the source is one. Synthetic rooms need none."""
    out: str = ""
    """Folder of the tree. One that was begun with the same options is completed."""
    workers: int | None = None
    """Processes, each with a scene of its own; by default one for each core."""
    cluster: str | None = None
    """Address of a Dask scheduler (tcp://HOST:8786) whose workers do the scenes; they must see source and out, too."""
    image_format: Literal["png", "jpg"] = "png"
    """png keeps every pixel as it was; jpg (quality 95) makes pictures less than half as large and faster to write."""


@dataclass
class ShowConfig:
    """Draw what a path holds: a contact sheet of a data set, a depth map in colours, or the path of a camera."""

    out: str | None = None
    """The picture (.png, .jpg, .webp) or page (.html) to write; by default NAME_show.png in the current folder."""
    format: str | None = None
    """Layout of the data when it is not to be recognised."""
    split: str | None = None
    """Part of the data: train, val or test where it has such."""
    count: int = 6
    """Samples of a data set, or frames of a camera path, in even steps over it."""
    video: str | None = None
    """With a camera path: its video, of any layout, whose frames are shown beside it."""


@dataclass
class CheckConfig:
    """Read a data set and report what it holds and what is likely wrong with it."""

    format: str | None = None
    """Layout of the data when it is not to be recognised."""
    split: str | None = None
    """Part of the data: train, val or test where it has such."""
    limit: int | None = None
    """Read this many samples, in even steps over the data, instead of all."""
    workers: int | None = None
    """Processes that read; by default one for each core."""
    json: str | None = None
    """Write the report to this file."""


@dataclass
class TrajectoryConfig:
    """Score a camera path against the truth."""

    align: Literal["none", "se3", "sim3"] = "se3"
    """Move the estimate onto the truth first: not at all, rigidly, or with a scale (paths that have no metres)."""
    delta: float = 1.0
    """How far apart the two frames of a relative error are."""
    delta_unit: tuple[Literal["frames", "s", "m"], ...] = ()
    """Unit of delta: frames, s, m (along the estimated path); commas between. By default each that the files allow."""
    pairs: Literal["all", "consecutive"] = "all"
    """all: every frame starts a pair; consecutive: each pair starts where the one before ended."""
    max_difference_s: float = 0.01
    """Poses are of one frame when their times differ by less, seconds (evo's default; TUM's own tools take 0.02)."""
    format: str | None = None
    """Layout of the data when REFERENCE is a data set that is not to be recognised."""
    split: str | None = None
    """Part of the data when REFERENCE is a data set."""
    json: str | None = None
    """Write the scores to this file."""


@dataclass
class OdometryConfig:
    """Follow the camera through an RGB-D video, or a plain one with depth from a network."""

    out: str = ""
    """The trajectory file to write; it grows as NAME.part."""
    depth: str = "sensor"
    """sensor: the depth that the video has. Else a model that predicts it: a shipped name, a .onnx, a .safetensors or
    a run folder."""
    method: Literal["direct"] = "direct"
    """direct: dense alignment of grey values and depth."""
    focal_px: float | None = None
    """Focal length in pixels of the pictures, in place of the data's K."""
    format: Literal["tum", "kitti"] = "tum"
    """tum: one line for each tracked frame, with its time. kitti: one line for every frame; a lost frame is an error."""
    video: str | None = None
    """Name of the video, where the data have several."""
    data_format: str | None = None
    """Layout of the data when it is not to be recognised."""
    split: str | None = None
    """Part of the data: train, val or test where it has such."""
    device: str | None = None
    """Where the network runs: cpu, cuda or cuda:N; by default the fastest that is there."""
    threads: int | None = None
    """CPU threads; by default all cores. The path does not depend on it."""


@dataclass
class BenchmarkConfig:
    """Time the package against a rival, in turn, on this machine."""

    json: str | None = None
    """Write the figures to this file."""


@dataclass
class ExperimentConfig:
    """Train and score all rows of a suite of experiments, and write what the numbers say."""

    data: str = ""
    """Training data of every row; their validation part is scored."""
    format: str | None = None
    """Layout of the data when it is not to be recognised."""
    val_data: str | None = None
    """Score on these data instead."""
    val_split: str | None = None
    """Part that is scored, instead of the one that the suite names."""
    paths: dict[str, str] = field(default_factory=dict)
    """Further files and folders by the names that the suite has for them ($NAME); rows without theirs are left out."""
    out: str | None = None
    """Folder of the runs; by default runs/NAME of the suite. One that was begun with the same suite is completed."""
    results: str | None = None
    """The results file to write; by default RESULTS.md in the folder of the runs."""
    pictures: str = "docs/pictures"
    """Folder of the pictures, seen from the results file."""
    rows: tuple[str, ...] = ()
    """Train these rows only."""
    device: str | None = None
    """Where to train: cpu, cuda or mps."""
    threads: int | None = None
    """CPU threads of training, scoring and timing."""
