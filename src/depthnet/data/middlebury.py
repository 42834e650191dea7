"""Middlebury 2014 stereo scenes: two pictures, their calibration, and dense disparity.

A scene is a folder with ``im0.png``, ``im1.png``, ``calib.txt`` and ``disp0.pfm`` (pixels, infinity unknown);
``calib.txt`` has lines ``cam0=[f 0 cx; 0 f cy; 0 0 1]``, ``doffs=`` (cx1 − cx0, pixels) and ``baseline=`` (mm).
Z = baseline · f / (d + doffs). The pair that scikit-image ships is read too: ``NAME_left.png``, ``NAME_right.png`` and
``NAME_disp.npz``; for ``motorcycle`` at 741 columns the camera is known, any other needs a ``calib.txt``.

Source: Scharstein et al., High-Resolution Stereo Datasets with Subpixel-Accurate Ground Truth, GCPR 2014.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthnet.data.samples import build_intrinsics
from depthnet.errors import InputError
from depthnet.io.depth import read_depth
from depthnet.io.images import open_image
from depthnet.io.pfm import read_pfm
from depthnet.io.text import read_text

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_LINE = re.compile(r"\s*(\w+)\s*=\s*(.*?)\s*")


@dataclass(frozen=True)
class MiddleburyCamera:
    """What a ``calib.txt`` says."""

    K: NDArray[np.float32]
    """Intrinsics of the left camera in pixels, (3, 3)."""
    baseline_m: float
    doffs: float
    """cx of the right camera minus cx of the left one, pixels."""
    size: tuple[int, int] | None = None
    """(H, W), where the file tells."""


# The quarter-size Motorcycle pair: f and doffs of the published calibration, divided by four.
_MOTORCYCLE = MiddleburyCamera(build_intrinsics(994.978, 994.978, 311.193, 254.877), 0.193001, 31.086, (500, 741))


@dataclass(frozen=True)
class MiddleburyScene:
    """Files of one scene."""

    name: str
    left: Path
    right: Path
    disparity: Path | None
    calibration: Path | None

    def read_camera(self) -> MiddleburyCamera:
        """Camera of the pair.

        Raises:
            InputError: if it is damaged, or of another size than the pictures.
        """
        camera = read_middlebury_calibration(self.calibration) if self.calibration else _MOTORCYCLE
        with open_image(self.left) as picture:
            size = picture.height, picture.width
        if camera.size is not None and camera.size != size:
            raise InputError(
                f"{self.left}: {size[1]}x{size[0]} pixels, but its calibration is for {camera.size[1]}x"
                f"{camera.size[0]}; K and baseline belong to that size: use the pair it was published with."
            )
        return camera

    def read_disparity(self) -> NDArray[np.float32] | None:
        """Disparity in pixels, (H, W), 0 where unknown; None without ground truth.

        Raises:
            InputError: if the file is damaged, or holds disparities wider than the picture.
        """
        if self.disparity is None:
            return None
        values = read_pfm(self.disparity) if self.disparity.suffix.lower() == ".pfm" else read_depth(self.disparity)
        known = np.isfinite(values)
        widest = float(np.abs(values[known]).max(initial=0.0))
        if widest >= values.shape[1]:
            raise InputError(
                f"{self.disparity}: disparities up to {widest:.4g} px in a picture {values.shape[1]} wide; expected "
                "pixels of this size: restore the file."
            )
        return np.where(known, values, np.float32(0.0))


def find_middlebury(path: Path) -> list[MiddleburyScene]:
    """Scenes in a folder of scenes, or the folder's own; sorted by name."""
    if not path.is_dir():
        return []
    own = _scenes_of(path)
    if own:
        return own
    return [scene for folder in sorted(path.iterdir()) if folder.is_dir() for scene in _scenes_of(folder)]


def read_middlebury_calibration(path: str | Path) -> MiddleburyCamera:
    """Read a ``calib.txt``.

    Raises:
        InputError: if the file is missing, or a line is, or its numbers are impossible.
    """
    lines = [_LINE.fullmatch(line) for line in read_text(path).splitlines()]
    entries = {line[1]: line[2] for line in lines if line}
    cam0, cam1 = _matrix(path, entries, "cam0"), _matrix(path, entries, "cam1")
    doffs, baseline_mm = _value(path, entries, "doffs"), _value(path, entries, "baseline")
    if abs(cam1[0, 2] - cam0[0, 2] - doffs) > 0.01 or abs(cam1[0, 0] - cam0[0, 0]) > 0.01:
        raise InputError(
            f"{path}: doffs is {doffs:g}, but cx1 − cx0 is {cam1[0, 2] - cam0[0, 2]:g}, with focal lengths "
            f"{cam0[0, 0]:g} and {cam1[0, 0]:g}; a rectified pair has doffs = cx1 − cx0 and one f: restore the file."
        )
    if not 1.0 < baseline_mm < 10_000.0:
        raise InputError(f"{path}: baseline is {baseline_mm:g}; expected millimetres, such as 193.001: restore it.")
    size = None
    if "width" in entries and "height" in entries:
        size = int(_value(path, entries, "height")), int(_value(path, entries, "width"))
    K = build_intrinsics(cam0[0, 0], cam0[1, 1], cam0[0, 2], cam0[1, 2])
    return MiddleburyCamera(K, baseline_mm / 1000.0, doffs, size)


def _scenes_of(folder: Path) -> list[MiddleburyScene]:
    calibration = folder / "calib.txt"
    text = calibration if calibration.is_file() else None
    left, right = _first(folder, ("im0",)), _first(folder, ("im1",))
    if left and right and text:
        truth = _first(folder, ("disp0GT", "disp0"), (".pfm",))
        return [MiddleburyScene(folder.resolve().name, left, right, truth, text)]
    scenes = []
    for left in sorted(file for file in folder.glob("*_left.*") if file.suffix.lower() in _SUFFIXES):
        name = left.stem.removesuffix("_left")
        right = _first(folder, (f"{name}_right",))
        truth = _first(folder, (f"{name}_disp",), (".npz", ".npy", ".pfm"))
        if right and (text or name == "motorcycle"):
            scenes.append(MiddleburyScene(name, left, right, truth, text))
    return scenes


def _first(folder: Path, stems: tuple[str, ...], suffixes: tuple[str, ...] = _SUFFIXES) -> Path | None:
    candidates = (folder / f"{stem}{suffix}" for stem in stems for suffix in suffixes)
    return next((file for file in candidates if file.is_file()), None)


def _matrix(path: str | Path, entries: dict[str, str], key: str) -> NDArray[np.float64]:
    text = entries.get(key, "")
    try:
        K = np.array([[float(word) for word in row.split()] for row in text.strip("[]").split(";")])
    except ValueError:
        K = np.empty(0)
    if K.shape != (3, 3) or not np.isfinite(K).all() or K[0, 0] <= 0 or K[1, 1] <= 0:
        raise InputError(f"{path}: '{key}={text[:60]}'; expected {key}=[f 0 cx; 0 f cy; 0 0 1]: restore the file.")
    return K


def _value(path: str | Path, entries: dict[str, str], key: str) -> float:
    try:
        value = float(entries[key])
    except (KeyError, ValueError):
        value = float("nan")
    if not np.isfinite(value):
        raise InputError(f"{path}: '{key}={entries.get(key, '')[:40]}'; expected {key}=NUMBER: restore the file.")
    return value
