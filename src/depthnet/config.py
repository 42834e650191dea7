"""Options of every job, one dataclass per job.

Defaults < YAML file < command line. Each field is documented by the string under it, which is also its
help on the command line; a YAML file uses the same names. Nothing heavy is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from depthnet.train_config import (
    AugmentConfig,
    LossConfig,
    OptimConfig,
    PhotometricConfig,
    PoseConfig,
    TrainConfig,
)

__all__ = [
    "Align",
    "AugmentConfig",
    "BenchmarkConfig",
    "CheckConfig",
    "DescribeConfig",
    "EvaluateConfig",
    "ExperimentConfig",
    "ExportConfig",
    "LossConfig",
    "OdometryConfig",
    "OptimConfig",
    "PhotometricConfig",
    "PoseConfig",
    "PredictConfig",
    "PrepareConfig",
    "SaveFormat",
    "ServeConfig",
    "ShowConfig",
    "TrainConfig",
    "TrajectoryConfig",
    "VideoLayout",
]

Align = Literal["none", "median", "scale", "scale-shift", "scale-shift-disparity"]
SaveFormat = Literal["png", "colour", "npy", "ply", "glb", "mesh", "mesh-ply"]
VideoLayout = Literal["side-by-side", "depth"]


@dataclass
class PredictConfig:
    """Depth in metres for photos and videos: files, folders or globs."""

    model: str = "mobile"
    """A shipped name, a .onnx, a .safetensors, a run folder, or hf:NAME for a metric depth model of transformers."""
    out: str | None = None
    """Folder of the results; by default beside each input."""
    save: tuple[SaveFormat, ...] = ()
    """What to write: 16-bit depth png in mm, colour map, npy in metres; ply or glb: point cloud; mesh: textured glb;
    mesh-ply; commas between. What is 3-D is upright in viewers: metres, x right, y up, the camera looks along -z.
    Of a video, colour is a video, and the others are a file for each frame. By default png,colour of a photo, and
    colour of a video."""
    max_points: int = 1_000_000
    """Points of a cloud or corners of a mesh at most: a larger photo gives every 2nd, 3rd, ... pixel of both axes.
    A million are 15 MB of ply, 24 MB of glb, 45 MB of mesh and its texture."""
    focal_px: float | None = None
    """Focal length of the photo in pixels of its own size."""
    fov_deg: float | None = None
    """Horizontal field of view of the photo in degrees, instead of a focal length."""
    video: VideoLayout = "side-by-side"
    """Videos: show each frame beside its depth, or the depth alone. Times and turns are kept, sound is not."""
    steady: bool = False
    """Videos: reduce the flicker of the depth, by earlier frames only."""
    colour_range: tuple[float, float] | None = None
    """Videos: metres of the two ends of the colours, near and far; by default they follow the depth, slowly."""
    fps: float | None = None
    """Take each folder or glob of pictures as a video of so many frames per second (29.97 is 30000/1001)."""
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
    int8: bool = False
    """Quantise: 8-bit weights and activations, their ranges found on the pictures of --data."""
    data: str | None = None
    """Pictures like those that the model will see, for int8: data of any layout, or a folder or glob of photos."""
    format: str | None = None
    """Layout of the data when it is not to be recognised."""
    threads: int | None = None
    """CPU threads with which the speed of int8 is measured; by default all cores."""


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
    """Draw what a path holds: data, or anything that depthnet writes."""

    out: str | None = None
    """The picture (.png, .jpg, .webp) or page (.html) to write; by default NAME_show.png in the current folder."""
    format: str | None = None
    """Layout of the data when it is not to be recognised."""
    split: str | None = None
    """Part of the data: train, val or test where it has such."""
    count: int = 6
    """Samples of a data set, or frames of a video or camera path, in even steps over it."""
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
    method: Literal["direct", "learned"] = "direct"
    """direct: dense alignment of grey values and depth. learned: the motions that the pose network of --model finds."""
    model: str | None = None
    """learned: a .onnx, a .safetensors or a run folder of `depthnet train --task pose` or `video`."""
    focal_px: float | None = None
    """Focal length in pixels of the pictures, in place of the data's K."""
    format: Literal["tum", "kitti"] = "tum"
    """tum: a line for each tracked frame, with its time. kitti: a line for every frame; a lost frame is an error."""
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
class ServeConfig:
    """A page in the browser that turns photos into depth, and the same over an API."""

    model: str = "mobile"
    """The model that is chosen at first: a shipped name, a .onnx, a .safetensors, a run folder, or hf:NAME. Visitors
    choose between it and the shipped ones."""
    host: str = "127.0.0.1"
    """Address to listen at. The default is for this machine alone; 0.0.0.0 lets in all who can reach it, unasked."""
    port: int = 7860
    """Port to listen at; 0 takes a free one."""
    max_upload_mb: int = 50
    """Megabytes of a photo's file at most."""
    max_megapixels: float = 50.0
    """Million pixels of a photo at most; 89.5 is the limit of every command."""
    waiting: int = 64
    """Requests that may wait while two are worked on; more are turned away."""
    device: str | None = None
    """Where the network runs: cpu, cuda or cuda:N; by default the fastest that is there."""
    threads: int | None = None
    """CPU threads of the network; by default all cores."""


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
    """CPU threads of training, scoring and timing; without it, trainings side by side share the cores."""
    jobs: int = 1
    """Trainings side by side. Small networks gain: two with one thread each are faster than one with two."""
