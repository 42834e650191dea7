"""KITTI's annotated depth as published: the parts ``train`` and ``val``, and the 1000 selected validation images.

Three layouts, metres = value / 256, 0 unknown:

- ``data_depth_annotated``: ``{train,val}/<drive>_sync/proj_depth/groundtruth/image_0x/<frame>.png``, or the drives
  directly. The images are those of KITTI raw, looked for in the same tree and beside it; the splits are those of KITTI
  raw (of Eigen's test the 652 frames that have annotated depth) and the benchmark's own parts, ``benchmark-train`` and
  ``benchmark-val``.
- ``val_selection_cropped``: ``groundtruth_depth/``, ``image/`` and ``intrinsics/``; 1216x352.
- One frame: ``groundtruth_depth.png`` with ``image.(png|jpg|webp)``.

Source: Uhrig et al., Sparsity Invariant CNNs, 3DV 2017, and the readme of its development kit.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthnet.data.kitti.layout import (
    BENCHMARK_PARTS,
    IMAGE_SUFFIXES,
    KittiDrive,
    find_annotated,
    find_drives,
    looks_like_annotated,
)
from depthnet.data.kitti.raw import KittiRawDataset, read_annotated_depth
from depthnet.data.samples import DepthDataset, RawSample
from depthnet.data.splits.kitti import KITTI_SPLITS
from depthnet.errors import InputError
from depthnet.io.images import read_rgb
from depthnet.io.text import read_text

BENCHMARK_SPLITS = tuple(f"benchmark-{part}" for part in BENCHMARK_PARTS)
_RAW_NAMES = ("", "raw", "raw_data", "kitti_raw", "KITTI_raw", "kitti_data")
_SELECTED = re.compile(
    r"(\d{4}_\d{2}_\d{2}_drive_\d{4})_sync_(?:groundtruth_depth|image|velodyne_raw)_(\d{10})_image_0([23])"
)
_TRUTH, _IMAGE = "groundtruth_depth", "image"


class KittiDepthDataset(KittiRawDataset):
    """Frames of KITTI raw that have annotated depth, from the root of the annotations."""

    splits = (*KITTI_SPLITS, *BENCHMARK_SPLITS)

    def __init__(self, path: str | Path, split: str | None = None, raw: str | Path | None = None) -> None:
        """List the frames; no pixel is read.

        Args:
            path: ``data_depth_annotated``, or its part ``train`` or ``val``.
            split: a name of `splits`; None or "all" for every frame that has an image and annotated depth.
            raw: root of the dates of KITTI raw; by default it is looked for.

        Raises:
            InputError: as `KittiRawDataset`; also if the images are not found.
        """
        top = Path(path).resolve()
        annotated = find_annotated(top)
        if split in BENCHMARK_SPLITS:
            annotated = {name: folder for name, folder in annotated.items() if f"benchmark-{_part(folder)}" == split}
            if not annotated:
                raise InputError(f"{path}: no drive of split '{split}' is here; choose another --split.")
            split = None
        raw_root = Path(raw) if raw is not None else _find_raw(top, annotated)
        self._chosen = annotated
        super().__init__(raw_root, split, "annotated", annotated=path)
        self.name, self.format = top.name, "kitti-depth"

    def _annotated_folders(self, annotated: str | Path | None) -> dict[str, Path]:
        return self._chosen

    def _drives(self) -> dict[str, KittiDrive]:
        return {name: drive for name, drive in super()._drives().items() if name in self._chosen}


class KittiDepthSelection(DepthDataset):
    """``val_selection_cropped``, or one frame of any annotated depth."""

    format = "kitti-depth"
    default_protocol = "kitti-eigen"

    def __init__(self, path: str | Path) -> None:
        """List the pairs; no pixel is read.

        Raises:
            InputError: if there is no pair, or a depth map has no image.
        """
        self.path = Path(path)
        if (self.path / "val_selection_cropped").is_dir():
            self.path /= "val_selection_cropped"
        self.name = self.path.resolve().name
        if (self.path / _TRUTH).is_dir():
            self._pairs = _selected_pairs(self.path)
        else:
            self._pairs = {_IMAGE: (_one_image(self.path), self.path / f"{_TRUTH}.png")}
        self.names = list(self._pairs)

    def read_raw(self, index: int) -> RawSample:
        """Decode pair ``index``.

        Raises:
            InputError: if a file is damaged, or the two differ in size.
        """
        file, truth = self._pairs[self.names[index]]
        image = read_rgb(file)
        depth = read_annotated_depth(truth, (image.shape[0], image.shape[1]))
        intrinsics = self.path / "intrinsics" / f"{file.stem}.txt"
        K = _read_intrinsics(intrinsics, image.shape[:2]) if intrinsics.is_file() else None
        return RawSample(image=image, depth=depth, K=K, name=self.names[index])

    def read_depth(self, index: int) -> NDArray[np.float32]:
        """Decode the depth map of pair ``index`` alone."""
        return read_annotated_depth(self._pairs[self.names[index]][1])


def open_kitti_depth(path: Path, split: str | None = None) -> DepthDataset:
    """Open any of the three layouts.

    Raises:
        InputError: if it cannot be opened, or has no such split.
    """
    if looks_like_annotated(path):
        return KittiDepthDataset(path, split)
    if split not in (None, "all", "val", "benchmark-val"):
        raise InputError(f"{path}: no split '{split}'; these are single validation frames: leave --split out.")
    return KittiDepthSelection(path)


def looks_like_kitti_depth(path: Path) -> bool:
    """Annotated depth of KITTI in one of the three layouts."""
    if not path.is_dir():
        return False
    inner = path / "val_selection_cropped" if (path / "val_selection_cropped").is_dir() else path
    if (inner / _TRUTH).is_dir() and (inner / _IMAGE).is_dir():
        return True
    return (path / f"{_TRUTH}.png").is_file() or looks_like_annotated(path)


def _part(folder: Path) -> str:
    """``train`` or ``val`` of ``…/train/<drive>_sync/proj_depth/groundtruth``."""
    return folder.parents[2].name


def _find_raw(top: Path, annotated: dict[str, Path]) -> Path:
    """Root of KITTI raw that holds drives of ``annotated``, looked for beside and above ``top``."""
    for place in (top, *list(top.parents)[:2]):
        for name in _RAW_NAMES:
            candidate = place / name
            if candidate.is_dir() and find_drives(candidate).keys() & annotated.keys():
                return candidate
    raise InputError(
        f"{top}: annotated depth of {len(annotated)} drives, but the images of none were found; unpack KITTI raw "
        f"(2011_09_26/..._sync) beside it, or in {top.parent / 'raw'}."
    )


def _selected_pairs(path: Path) -> dict[str, tuple[Path, Path]]:
    images: dict[str, Path] = {}
    for file in sorted((path / _IMAGE).iterdir()):
        name = _selected_name(file)
        if file.suffix.lower() in IMAGE_SUFFIXES and name is not None:
            images[name] = file
    pairs: dict[str, tuple[Path, Path]] = {}
    for truth in sorted((path / _TRUTH).glob("*.png")):
        name = _selected_name(truth)
        if name is None or name not in images:
            raise InputError(
                f"{truth}: no image belongs to it in {path / _IMAGE}; expected the pair DRIVE_sync_groundtruth_depth_"
                "FRAME_image_0X.png and DRIVE_sync_image_FRAME_image_0X.png: restore the folder."
            )
        pairs[name] = (images[name], truth)
    if not pairs:
        raise InputError(f"{path / _TRUTH}: no PNG; unpack data_depth_selection.zip again.")
    return pairs


def _selected_name(file: Path) -> str | None:
    match = _SELECTED.fullmatch(file.stem)
    return f"{match[1]}_sync/image_0{match[3]}/{match[2]}" if match else None


def _one_image(path: Path) -> Path:
    found = [path / f"{_IMAGE}{suffix}" for suffix in IMAGE_SUFFIXES if (path / f"{_IMAGE}{suffix}").is_file()]
    if len(found) != 1:
        raise InputError(
            f"{path}: {len(found)} images beside {_TRUTH}.png; expected one, {_IMAGE}.png (or .jpg, .webp)."
        )
    return found[0]


def _read_intrinsics(file: Path, size: tuple[int, ...]) -> NDArray[np.float32]:
    """K of nine numbers, row by row."""
    words = read_text(file).split()
    try:
        K = np.array([float(word) for word in words], dtype=np.float32).reshape(3, 3)
    except ValueError:
        text = " ".join(words)[:60]
        raise InputError(f"{file}: '{text}'; expected nine numbers, K row by row: restore the file.") from None
    inside = 0 < K[0, 2] < size[1] and 0 < K[1, 2] < size[0]
    if not (np.isfinite(K).all() and K[0, 0] > 0 and K[1, 1] > 0 and inside and np.array_equal(K[2], [0, 0, 1])):
        raise InputError(
            f"{file}: {K.ravel().tolist()} is no K [fx 0 cx; 0 fy cy; 0 0 1] of an image of {size[1]}x{size[0]}; "
            "restore the file."
        )
    return K
