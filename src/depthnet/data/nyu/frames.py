"""What all copies of NYU Depth v2 share: the camera, the depth that is possible, and the labelled frames' splits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.data.samples import build_intrinsics, check_depth
from depthnet.data.splits import NYU_LABELED_COUNT, NYU_SPLITS, nyu_labeled_indices, read_split_file
from depthnet.errors import InputError
from depthnet.geometry.camera import crop_intrinsics, scale_intrinsics

# RGB camera at 640x480: fx fy cx cy, integer pixel centres from 0.
NYU_CAMERA = (518.8579, 519.4696, 325.5824, 253.7362)
NYU_SIZE = (480, 640)
# The sensor sees from 0.4 m to 10 m; a median below the first or a depth above the second is another unit.
NYU_LIMITS = (0.3, 20.0)


def nyu_intrinsics(size: tuple[int, int]) -> NDArray[np.float32]:
    """K, (3, 3), of the RGB camera of NYU Depth v2 for images of ``size`` (H, W)."""
    K = build_intrinsics(*NYU_CAMERA)
    if size == NYU_SIZE:
        return K
    return np.asarray(scale_intrinsics(K, size[0] / NYU_SIZE[0], size[1] / NYU_SIZE[1]), dtype=np.float32)


def nyu_camera(size: tuple[int, ...]) -> NDArray[np.float32] | None:
    """K, (3, 3), of frames of NYU Depth v2 that a copy gives at ``size`` (H, W); None where it cannot be known.

    Whole frames are 4:3 (to the pixel, after a resize). Frames of 427 x 561 are cut to the toolbox' valid region,
    whose first pixel is row 44, column 40.
    """
    height, width = size
    if (height, width) == (427, 561):
        return np.asarray(crop_intrinsics(nyu_intrinsics(NYU_SIZE), 44, 40), dtype=np.float32)
    return nyu_intrinsics((height, width)) if abs(3 * width - 4 * height) <= 4 else None


def check_nyu_depth(depth: NDArray[np.floating[Any]], where: str | Path) -> NDArray[np.float32]:
    """Refuse a depth map that cannot be NYU Depth v2 in metres.

    Args:
        depth: metres, (H, W); 0 where unknown.
        where: file and frame, for the message.

    Returns:
        The same values as float32.

    Raises:
        InputError: if a value is negative or not finite, reaches more than twice as far as the sensor, or most of the
            map is nearer than the sensor can see: another unit was read as metres.
    """
    checked = check_depth(depth, where)
    some = checked[::4, ::4]
    middle = float(np.median(some[some > 0])) if (some > 0).any() else 1.0
    farthest = float(checked.max(initial=0.0))
    if farthest <= NYU_LIMITS[1] and middle >= NYU_LIMITS[0]:
        return checked
    raise InputError(
        f"{where}: depth has a median of {middle:.3g} m and reaches {farthest:.4g} m; NYU Depth v2 lies between 0.4 "
        "and 10 m, so the unit is another: convert the file to that of its layout."
    )


def nyu_positions(path: Path, indices: Sequence[int], split: str | None) -> list[int]:
    """Positions in ``indices`` (labelled, zero-based) that belong to ``split``; all of them for None.

    Raises:
        InputError: if the split is unknown or has no frame here.
    """
    if split is None or split == "all":
        return list(range(len(indices)))
    if split not in NYU_SPLITS:
        raise InputError(f"{path}: no split '{split}'; NYU Depth v2 has {', '.join(NYU_SPLITS)}; choose one.")
    wanted = set(nyu_labeled_indices(split))
    chosen = [position for position, index in enumerate(indices) if index in wanted]
    if not chosen:
        raise InputError(
            f"{path}: none of the {len(wanted)} frames of split '{split}' is among the {len(indices)} here; "
            "choose another --split."
        )
    return chosen


def nyu_guards() -> frozenset[str]:
    """Names of the labelled frames that are left out of training beside the fixed validation blocks."""
    return frozenset(f"{index:04d}" for index in read_split_file("nyu_train_val")["guard"])


def is_nyu_labeled(names: Sequence[str], intrinsics: Sequence[float] | None) -> bool:
    """True when a tree holds labelled frames of NYU Depth v2 under their indices.

    Four digits alone prove little: the camera (fx, fy, cx, cy, width, height) must be that of NYU Depth v2 or, without
    one, the names must be the whole official training or test part.
    """
    if not names or not all(len(name) == 4 and name.isdecimal() for name in names):
        return False
    indices = {int(name) for name in names}
    if intrinsics is None:
        return indices in (set(nyu_labeled_indices("trainval")), set(nyu_labeled_indices("test")))
    fx, fy, _, _, width, height = intrinsics
    same_fx = math.isclose(fx, NYU_CAMERA[0] * width / NYU_SIZE[1], rel_tol=1e-3)
    same_fy = math.isclose(fy, NYU_CAMERA[1] * height / NYU_SIZE[0], rel_tol=1e-3)
    return same_fx and same_fy and max(indices) < NYU_LABELED_COUNT
