"""The labelled NYU Depth v2 `.mat` as a tree: single files instead of one, with the same names and splits.

Frames keep their zero-based index as name, ``0002``, so that the fixed splits and the ``nyu`` protocol apply to the
tree without being asked for. A scene is a room as the file's ``scenes`` name it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from depthnet.data.nyu.frames import NYU_CAMERA, NYU_SIZE
from depthnet.data.nyu.labeled import DepthKind, NyuLabeledDataset
from depthnet.errors import InputError
from depthnet.geometry.camera import scale_intrinsics
from depthnet.prepare.source import DroppedFrame, PreparedFrame

MAT_FILE = "nyu_depth_v2_labeled.mat"


@dataclass(frozen=True)
class NyuLabeledOptions:
    """What of the labelled set is prepared."""

    depth: DepthKind = "filled"
    """filled: the authors' in-filled depth. raw: what the sensor saw, 0 elsewhere."""
    split: Literal["all", "train", "test"] = "all"
    """all 1449 frames, or the authors' 795 of training or 654 of test."""


@dataclass
class NyuLabeledSource:
    """Rooms of the labelled set."""

    path: Path
    """``nyu_depth_v2_labeled.mat``, or the folder that holds it."""
    options: NyuLabeledOptions = field(default_factory=NyuLabeledOptions)
    name: str = "nyu-labeled"
    unique_names: bool = True

    def __post_init__(self) -> None:
        """Open the file and read which frame is of which room.

        Raises:
            InputError: if the file is missing, truncated, of another kind, or lacks a variable.
            MissingTierError: if h5py is not installed.
        """
        self.path = Path(self.path)
        if self.path.is_dir():
            self.path = self.path / MAT_FILE
        split = None if self.options.split == "all" else self.options.split
        self._data = NyuLabeledDataset(self.path, split, self.options.depth)
        self._frames: dict[str, list[int]] = {}
        for index, scene in enumerate(self._data.scenes()):
            self._frames.setdefault(scene, []).append(index)

    def scenes(self) -> list[str]:
        """Rooms, sorted."""
        return sorted(self._frames)

    def count_frames(self, scene: str) -> int:
        """Number of frames of a room."""
        return len(self._frames[scene])

    def frames(self, scene: str) -> Iterator[PreparedFrame | DroppedFrame]:
        """Frames of a room by index; one whose depth or bytes are damaged is dropped."""
        for index in self._frames[scene]:
            name = self._data.names[index]
            try:
                raw = self._data.read_raw(index)
            except InputError as error:
                yield DroppedFrame(name, str(error))
                continue
            assert raw.depth is not None
            yield PreparedFrame(name, raw.image, raw.depth, _intrinsics(raw.size))


def _intrinsics(size: tuple[int, int]) -> NDArray[np.float64]:
    """K of the colour camera with the digits as published, (3, 3)."""
    fx, fy, cx, cy = NYU_CAMERA
    K = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    if size == NYU_SIZE:
        return K
    return np.asarray(scale_intrinsics(K, size[0] / NYU_SIZE[0], size[1] / NYU_SIZE[1]))
