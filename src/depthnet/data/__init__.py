"""Data sets: samples with image, depth, valid mask and camera, opened by their layout.

``open_dataset`` recognises the layout by itself. A layout is one entry of `FORMATS`: a test that looks at names and
first bytes, and the class to open it with. An entry may be more specific than another that also fits (a TUM sequence
has ``rgb/`` and ``depth/`` too): the most specific wins, and two equals are an error that names ``--format``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from depthnet.data.cityscapes import CityscapesDataset, looks_like_cityscapes
from depthnet.data.folder import FolderDataset
from depthnet.data.kitti.annotated import looks_like_kitti_depth, open_kitti_depth
from depthnet.data.kitti.layout import looks_like_raw
from depthnet.data.kitti.object import KittiObjectDataset, looks_like_object
from depthnet.data.kitti.odometry import KittiOdometryDataset, looks_like_odometry
from depthnet.data.kitti.raw import KittiRawDataset
from depthnet.data.nyu.bts import BtsDataset, looks_like_bts
from depthnet.data.nyu.densedepth import (
    DenseDepthDataset,
    EigenTestDataset,
    looks_like_densedepth,
    looks_like_densedepth_test,
)
from depthnet.data.nyu.fastdepth import FastDepthDataset, looks_like_fastdepth
from depthnet.data.nyu.labeled import NyuLabeledDataset
from depthnet.data.prepared import PreparedDataset, looks_like_prepared
from depthnet.data.rgbd.scannet import looks_like_scannet, open_scannet
from depthnet.data.rgbd.sequence import looks_like_sequence, open_sequence
from depthnet.data.rgbd.seven_scenes import looks_like_seven_scenes, open_seven_scenes
from depthnet.data.rgbd.tum import looks_like_tum, open_tum
from depthnet.data.samples import CachedDataset, DepthDataset, RawSample, Sample
from depthnet.errors import InputError

__all__ = ["FORMATS", "CachedDataset", "DepthDataset", "Format", "RawSample", "Sample", "open_dataset"]


@dataclass(frozen=True)
class Format:
    """One layout of data on disk."""

    looks_like: str
    """What is looked for, for messages."""
    matches: Callable[[Path], bool]
    """Cheap test of a path: names and first bytes only."""
    open: Callable[[Path, str | None], DepthDataset]
    """Opens a path with a split."""
    specificity: int = 10
    """A fitting entry of a higher number goes before those of a lower one."""


def _is_mat(path: Path) -> bool:
    if not path.is_file():
        return False
    if path.suffix.lower() == ".mat":
        return True
    with path.open("rb") as file:
        return file.read(10) == b"MATLAB 7.3"


def _is_folder(path: Path) -> bool:
    # TUM lists beside the folders mean another depth unit and unpaired names.
    return any((path / part).is_dir() for part in ("rgb", "depth")) and not (path / "depth.txt").is_file()


def _never(path: Path) -> bool:
    return False


FORMATS: dict[str, Format] = {
    "nyu-mat": Format("a MATLAB 7.3 file (nyu_depth_v2_labeled.mat)", _is_mat, NyuLabeledDataset),
    "nyu-mat-raw": Format("the same, raw depth (only by name)", _never, partial(NyuLabeledDataset, depth="raw")),
    "prepared": Format("a folder that `depthnet prepare` wrote (index.csv)", looks_like_prepared, PreparedDataset, 5),
    "kitti-raw": Format("KITTI raw (dates or DATE/DRIVE_sync/image_02/data)", looks_like_raw, KittiRawDataset),
    "kitti-raw-literature": Format(
        "the same, velodyne projected as published evaluations do (only by name)",
        _never,
        partial(KittiRawDataset, depth="literature"),
    ),
    "kitti-raw-annotated": Format(
        "the same with data_depth_annotated (only by name)", _never, partial(KittiRawDataset, depth="annotated")
    ),
    "kitti-depth": Format(
        "KITTI's annotated depth (train/DRIVE_sync/proj_depth, val_selection_cropped or groundtruth_depth.png)",
        looks_like_kitti_depth,
        open_kitti_depth,
    ),
    "kitti-odometry": Format("KITTI odometry (sequences/00/image_2)", looks_like_odometry, KittiOdometryDataset),
    "kitti-object": Format("KITTI object (training/image_2, velodyne, calib)", looks_like_object, KittiObjectDataset),
    "cityscapes": Format("Cityscapes (leftImg8bit/ with disparity/)", looks_like_cityscapes, CityscapesDataset),
    "tum": Format("TUM RGB-D (rgb.txt, depth.txt, groundtruth.txt)", looks_like_tum, open_tum),
    "7scenes": Format(
        "7-Scenes (seq-01/frame-000000.color.png, .depth.png, .pose.txt)", looks_like_seven_scenes, open_seven_scenes
    ),
    "7scenes-raw": Format(
        "the same, depth and pose of the depth camera as stored (only by name)",
        _never,
        partial(open_seven_scenes, registered=False),
    ),
    "scannet": Format("ScanNet (NAME.sens, or color/ depth/ pose/ intrinsic/)", looks_like_scannet, open_scannet),
    "sequence": Format("a sequence folder (images/ depth/ K.txt poses.txt)", looks_like_sequence, open_sequence),
    "fastdepth": Format(
        "FastDepth (train/SCENE/NNNNN.h5, val/official/NNNNN.h5)", looks_like_fastdepth, FastDepthDataset
    ),
    "bts": Format("BTS (SCENE/rgb_NNNNN.jpg, sync_depth_NNNNN.png; or a list of them)", looks_like_bts, BtsDataset),
    "densedepth": Format("DenseDepth's nyu_data (.zip or nyu2_train.csv)", looks_like_densedepth, DenseDepthDataset),
    "densedepth-test": Format("its nyu_test (eigen_test_rgb.npy)", looks_like_densedepth_test, EigenTestDataset),
    "folder": Format("a folder with rgb/NAME.(jpg|png|webp) and depth/NAME.png", _is_folder, FolderDataset, 0),
}


def open_dataset(path: str | Path, split: str | None = None, format: str | None = None) -> DepthDataset:
    """Open a data set of any known layout.

    Args:
        path: its file or folder.
        split: a part of it, where it has splits: train, val, test ...; None for all of it.
        format: name of the layout (a key of `FORMATS`); by default it is recognised.

    Returns:
        A sequence of samples, nothing decoded yet.

    Raises:
        InputError: if the path is missing, its layout is not recognised or fits two, or the data have no such split.
        MissingTierError: if a package of the [data] tier is missing.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; pass the path of a data set to --data.")
    if format is None:
        format = _recognise(path)
    elif format not in FORMATS:
        raise InputError(f"--format '{format}': unknown; choose one of {', '.join(FORMATS)}.")
    return FORMATS[format].open(path, split)


def _recognise(path: Path) -> str:
    fitting = [name for name, entry in FORMATS.items() if entry.matches(path)]
    best = max((FORMATS[name].specificity for name in fitting), default=0)
    fitting = [name for name in fitting if FORMATS[name].specificity == best]
    if not fitting:
        looked_for = "; ".join(f"{name}: {entry.looks_like}" for name, entry in FORMATS.items())
        raise InputError(
            f"{path}: unknown layout, it holds {_content(path)}. Looked for {looked_for}. "
            "Pass the folder above or below it, or name the layout with --format."
        )
    if len(fitting) > 1:
        raise InputError(
            f"{path}: fits {' and '.join(fitting)}; one layout is needed: name it, for example --format {fitting[0]}."
        )
    return fitting[0]


def _content(path: Path) -> str:
    """The first names in a folder, or the size of a file."""
    if path.is_file():
        return f"{path.stat().st_size} bytes"
    names = sorted(entry.name + ("/" if entry.is_dir() else "") for entry in path.iterdir())
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "") if names else "nothing"
