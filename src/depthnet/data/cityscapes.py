"""Cityscapes: street scenes with the disparity and the right picture of a stereo camera.

``{type}[_sequence]/{split}/{city}/{city}_{seq:06d}_{frame:06d}_{type}.png`` with the types ``leftImg8bit``,
``rightImg8bit``, ``disparity``, ``camera`` (``.json``) and ``gtFine``. Splits are the folders: train, val, test,
train_extra.

Disparity is a 16-bit PNG: d = (value − 1) / 256 pixels; 0 is unknown, and value 1 (d = 0, infinitely far) is unknown as
depth. Depth = baseline · fx / d. Some code in the wild forgets the
− 1: its depths are too small, the more the farther (0.4 % at 1 px).

The disparity comes from semi-global matching and is wrong on the bonnet of the car that carries the camera and beyond
the border of rectification. Where the labels are there (``gtFine/…_gtFine_labelIds.png``), pixels labelled ego vehicle
(1), rectification border (2) or out of region of interest (3) are unknown; without labels they stay as they are.

Source: Cordts et al., The Cityscapes Dataset, CVPR 2016; the data set's README and csCalibration.pdf; labels.py of
cityscapesScripts.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.data.samples import DepthDataset, RawSample, build_intrinsics
from depthnet.errors import InputError
from depthnet.geometry.disparity import disparity_px_to_depth
from depthnet.io.depth import read_depth_png
from depthnet.io.images import open_image, read_rgb
from depthnet.io.text import read_text

LEFT, RIGHT, DISPARITY, CAMERA, LABELS = "leftImg8bit", "rightImg8bit", "disparity", "camera", "gtFine"
VIDEO = "_sequence"
_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_NO_DEPTH_LABELS = (1, 2, 3)
_LARGEST_BASELINE_M = 2.0


@dataclass(frozen=True)
class CityscapesCamera:
    """What a ``…_camera.json`` says of the stereo camera."""

    fx: float
    fy: float
    cx: float
    cy: float
    baseline_m: float

    @property
    def K(self) -> NDArray[np.float32]:  # noqa: N802
        """Intrinsics in pixels of the left picture, (3, 3)."""
        return build_intrinsics(self.fx, self.fy, self.cx, self.cy)


class CityscapesDataset(DepthDataset):
    """Left pictures with depth from their disparity; named ``train/aachen/aachen_000000_000019``."""

    format = "cityscapes"

    def __init__(self, path: str | Path, split: str | None = None) -> None:
        """List the pictures; nothing is opened.

        With a folder ``disparity``, the pictures that have one are the samples; without, all are, and they have no
        depth.

        Args:
            path: the folder that holds ``leftImg8bit`` (or ``leftImg8bit_sequence``).
            split: train, val, test, train_extra, or None for all that are here.

        Raises:
            InputError: if there is no picture, no such split, or disparity without cameras.
        """
        self.path = Path(path)
        self.name = self.path.resolve().name
        root = _image_root(self.path)
        self._video = VIDEO if root.name.endswith(VIDEO) else ""
        self.splits = tuple(sorted(folder.name for folder in root.iterdir() if folder.is_dir()))
        if split not in (None, "all", *self.splits):
            raise InputError(
                f"{self.path}: no split '{split}'; {root.name} holds {', '.join(self.splits) or 'nothing'}."
            )
        parts = self.splits if split in (None, "all") else (split,)
        self._images = _list_images(root, parts)
        self.has_depth = self.file_folder(DISPARITY).is_dir()
        if self.has_depth:
            if not self.file_folder(CAMERA).is_dir():
                raise InputError(
                    f"{self.file_folder(CAMERA)}: missing; depth needs the baseline and focal length of each picture: "
                    f"unpack camera_trainvaltest.zip (camera{VIDEO} for video) here."
                )
            self._images = {name: file for name, file in self._images.items() if self.file(DISPARITY, name).is_file()}
        if not self._images:
            what = " with disparity" if self.has_depth else ""
            folders = ", ".join(str(part) for part in parts)
            raise InputError(
                f"{self.path}: no picture CITY_000000_000019_{LEFT}.png{what} in {folders}; unpack the "
                "downloads of Cityscapes here, or choose another --split."
            )
        self.names = list(self._images)

    def read_raw(self, index: int) -> RawSample:
        """Decode picture ``index`` and its depth.

        Raises:
            InputError: if a file is damaged, missing, or the two differ in size.
        """
        name = self.names[index]
        file = self._images[name]
        image = read_rgb(file)
        camera = self.read_camera(index)
        depth = self.read_depth(index)
        size = image.shape[:2]
        if depth is not None and depth.shape != size:
            raise InputError(
                f"{self.file(DISPARITY, name)}: disparity is {depth.shape[1]}x{depth.shape[0]} and its picture "
                f"{size[1]}x{size[0]}; the two must be of one size: restore the file."
            )
        if camera is not None and not (0 < camera.cx < size[1] and 0 < camera.cy < size[0]):
            raise InputError(
                f"{file}: {size[1]}x{size[0]} pixels, but the camera centre of {self.file(CAMERA, name)} is "
                f"({camera.cx:g}, {camera.cy:g}); use the original pictures (they can be resized after reading)."
            )
        return RawSample(image=image, depth=depth, K=None if camera is None else camera.K, name=name)

    def read_depth(self, index: int) -> NDArray[np.float32] | None:
        """Depth of picture ``index`` in metres, (H, W), 0 where unknown; None without disparity."""
        camera = self.read_camera(index)
        if not self.has_depth or camera is None:
            return None
        depth = disparity_px_to_depth(self.read_disparity(index), camera.fx, camera.baseline_m)
        return np.asarray(depth, dtype=np.float32)

    def read_disparity(self, index: int) -> NDArray[np.float32]:
        """Disparity of picture ``index`` in pixels, (H, W); 0 where unknown, also by the labels."""
        name = self.names[index]
        disparity = read_disparity(self.file(DISPARITY, name))
        labels = self.file(LABELS, name)
        if labels.is_file():
            disparity[_labelled(labels, disparity.shape)] = 0.0
        return disparity

    def read_camera(self, index: int) -> CityscapesCamera | None:
        """Camera of picture ``index``; None where the download has no cameras at all."""
        if not self.file_folder(CAMERA).is_dir():
            return None
        return read_camera(self.file(CAMERA, self.names[index]))

    def file_folder(self, kind: str) -> Path:
        """Folder of a type; that of a video is preferred for pictures of a video."""
        folder = self.path / f"{kind}{self._video}"
        return folder if folder.is_dir() else self.path / kind

    def file(self, kind: str, name: str) -> Path:
        """File of a type for a picture, whether it is there or not."""
        ending = {CAMERA: ".json", LABELS: "_labelIds.png"}.get(kind, ".png")
        folder = self.file_folder(kind)
        if kind == RIGHT:
            ending = self._images[name].suffix
        return folder / f"{name}_{kind}{ending}"


def looks_like_cityscapes(path: Path) -> bool:
    """A folder with ``leftImg8bit`` or ``leftImg8bit_sequence``."""
    return (path / LEFT).is_dir() or (path / f"{LEFT}{VIDEO}").is_dir()


def read_disparity(path: str | Path) -> NDArray[np.float32]:
    """Read a disparity PNG of Cityscapes: (value − 1) / 256 pixels.

    Args:
        path: the file.

    Returns:
        Disparity in pixels, (H, W); 0 where unknown (values 0 and 1).

    Raises:
        InputError: if the file is missing, damaged or no 16-bit grey image, or has disparities wider than the picture.
    """
    values = read_depth_png(path, 1.0)
    disparity = np.where(values > 1.0, (values - np.float32(1.0)) / np.float32(256.0), np.float32(0.0))
    widest = float(disparity.max(initial=0.0))
    if widest >= disparity.shape[1]:
        raise InputError(
            f"{path}: disparities up to {widest:.1f} px in a picture {disparity.shape[1]} wide; expected 16-bit values "
            "256·d + 1: the file is another kind of map: restore it."
        )
    return disparity


def read_camera(path: str | Path) -> CityscapesCamera:
    """Read a ``…_camera.json``.

    Raises:
        InputError: if the file is missing, no JSON, or lacks a number, or one is impossible.
    """
    text = read_text(path)
    try:
        content = json.loads(text)
        intrinsic, extrinsic = content["intrinsic"], content["extrinsic"]
        fx, fy, cx, cy = (_number(intrinsic, key) for key in ("fx", "fy", "u0", "v0"))
        baseline_m = _number(extrinsic, "baseline")
    except (ValueError, TypeError, KeyError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(
            f'{path}: {reason}; expected {{"extrinsic": {{"baseline": ...}}, "intrinsic": {{"fx": ..., "fy": ..., '
            '"u0": ..., "v0": ...}}}}: restore the file.'
        ) from error
    if min(fx, fy, cx, cy) <= 0 or not 0.9 < fx / fy < 1.1 or not 0 < baseline_m < _LARGEST_BASELINE_M:
        raise InputError(
            f"{path}: fx {fx:g}, fy {fy:g}, u0 {cx:g}, v0 {cy:g}, baseline {baseline_m:g}; expected pixels and a "
            f"baseline in metres below {_LARGEST_BASELINE_M:g} (0.21 in Cityscapes): restore the file."
        )
    return CityscapesCamera(fx, fy, cx, cy, baseline_m)


def _number(table: dict[str, Any], key: str) -> float:
    value = float(table[key])
    if not math.isfinite(value):
        raise ValueError(f"{key} is {value}")
    return value


def _image_root(path: Path) -> Path:
    for folder in (path / LEFT, path / f"{LEFT}{VIDEO}"):
        if folder.is_dir():
            return folder
    raise InputError(f"{path}: no folder {LEFT}/; pass the folder that holds it.")


def _list_images(root: Path, parts: tuple[str | None, ...]) -> dict[str, Path]:
    """Name ``split/city/city_000000_000019`` -> left picture, sorted."""
    images: dict[str, Path] = {}
    for part in parts:
        for file in sorted((root / str(part)).glob(f"*/*_{LEFT}.*")):
            if file.suffix.lower() in _IMAGE_SUFFIXES:
                images[f"{part}/{file.parent.name}/{file.stem.removesuffix(f'_{LEFT}')}"] = file
    return images


def _labelled(path: Path, size: tuple[int, ...]) -> NDArray[np.bool_]:
    """Pixels whose label says that their disparity means nothing."""
    with open_image(path) as picture:
        if picture.mode not in ("L", "P"):
            raise InputError(f"{path}: mode {picture.mode}; expected 8-bit label numbers: use …_labelIds.png.")
        labels = np.asarray(picture)
    if labels.shape != size:
        raise InputError(
            f"{path}: labels are {labels.shape[1]}x{labels.shape[0]} and the disparity {size[1]}x{size[0]}; the two "
            "must be of one size: restore the file."
        )
    return np.isin(labels, _NO_DEPTH_LABELS)
