"""What a data set gives: samples with image, depth, valid mask and camera that belong together.

A data set writes one method, ``read_raw``, that decodes a frame to uint8 pixels; everything else (float samples,
slices, selections by name, the cache) is here. Training reads the raw form, so that a picture is turned to float only
once, at the very end of the augmentation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import InputError, ShapeError

Protocol = Literal["nyu", "kitti-eigen", "none"]


@dataclass
class Sample:
    """One frame as every part of depthnet takes it."""

    image: NDArray[np.float32]
    """RGB in [0, 1], (3, H, W)."""
    depth: NDArray[np.float32] | None = None
    """z-depth in metres, (1, H, W); 0 where unknown."""
    valid: NDArray[np.bool_] | None = None
    """True where the depth is known, (1, H, W)."""
    K: NDArray[np.float32] | None = None
    """Intrinsics in pixels of this image size, (3, 3)."""
    name: str = ""
    """Name within the data set."""
    T_world_cam: NDArray[np.float64] | None = None
    """Camera to world, metres, (4, 4)."""
    time_s: float | None = None
    """Time of the colour frame, seconds."""

    def to_raw(self) -> RawSample:
        """The same frame with 8-bit pixels; exact when the image came from 8 bits."""
        pixels = np.rint(np.clip(self.image, 0.0, 1.0) * np.float32(255.0)).astype(np.uint8)
        depth = self.depth
        if depth is not None and self.valid is not None:
            depth = np.where(self.valid, depth, np.float32(0.0))
        return RawSample(
            image=np.ascontiguousarray(pixels.transpose(1, 2, 0)),
            depth=None if depth is None else depth[0],
            K=self.K,
            name=self.name,
            T_world_cam=self.T_world_cam,
            time_s=self.time_s,
        )


@dataclass
class RawSample:
    """One frame as it comes out of a decoder: the cheap form for caches and augmentation."""

    image: NDArray[np.uint8]
    """RGB, (H, W, 3)."""
    depth: NDArray[np.float32] | None = None
    """z-depth in metres, (H, W); 0 where unknown, never negative, NaN or infinite."""
    K: NDArray[np.float32] | None = None
    """Intrinsics in pixels of this image size, (3, 3)."""
    name: str = ""
    """Name within the data set."""
    T_world_cam: NDArray[np.float64] | None = None
    """Camera to world, metres, (4, 4)."""
    time_s: float | None = None
    """Time of the colour frame, seconds."""

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            raise ShapeError(
                f"{self.name}: image {self.image.shape} {self.image.dtype}; expected (H, W, 3) uint8; "
                "convert it to 8-bit RGB first."
            )
        if self.depth is not None and self.depth.shape != self.image.shape[:2]:
            raise ShapeError(
                f"{self.name}: depth {self.depth.shape} and image {self.image.shape[:2]} differ in size (H, W); "
                "a depth map belongs to the pixels of its image: resize one of the two."
            )

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def nbytes(self) -> int:
        """Memory of the pixels, bytes."""
        return self.image.nbytes + (0 if self.depth is None else self.depth.nbytes)

    def to_sample(self) -> Sample:
        """The same frame in float: image (3, H, W) in [0, 1], depth and valid (1, H, W)."""
        image = np.ascontiguousarray(self.image.transpose(2, 0, 1)).astype(np.float32)
        image *= np.float32(1.0 / 255.0)
        depth = None if self.depth is None else np.ascontiguousarray(self.depth, dtype=np.float32)[None]
        return Sample(
            image=image,
            depth=depth,
            valid=None if depth is None else depth > 0,
            K=self.K,
            name=self.name,
            T_world_cam=self.T_world_cam,
            time_s=self.time_s,
        )


class DepthDataset(ABC, Sequence[Sample]):
    """A sequence of samples of one layout.

    A subclass sets the attributes below and writes ``read_raw``. It can be pickled and forked: open files are kept per
    process and opened at the first read.
    """

    name: str
    """What the data are called in tables: the folder or file name."""
    format: str
    """Name of the layout in the table of `depthnet.data`."""
    default_protocol: Protocol = "none"
    """Evaluation protocol that is usual for these data."""
    names: list[str]
    """Names of the samples, in order; known without reading a pixel."""
    splits: tuple[str, ...] = ()
    """Names of the parts that the data have, for `split`."""
    guards: frozenset[str] = frozenset()
    """Frames that stand so near to those of split "val" that training on them would make its scores flatter."""
    left_out: Mapping[str, str] = MappingProxyType({})
    """Frames on disk that are no samples, with the reason: what a listing skips is reported here, never silently."""

    @abstractmethod
    def read_raw(self, index: int) -> RawSample:
        """Decode sample ``index`` (0 ≤ index < len) to 8-bit pixels and metres."""

    def read_depth(self, index: int) -> NDArray[np.float32] | None:
        """Depth of sample ``index`` in metres, (H, W), 0 where unknown; None when it has none.

        A layout that can leaves the picture undecoded, which is what takes the time.
        """
        return self.read_raw(index).depth

    def read_pose(self, index: int) -> tuple[NDArray[np.float64] | None, float | None]:
        """``T_world_cam`` and ``time_s`` of sample ``index``, None where unknown.

        A layout that can leaves the pictures undecoded, which is what takes the time.
        """
        raw = self.read_raw(index)
        return raw.T_world_cam, raw.time_s

    def sequences(self) -> dict[str, list[int]]:
        """Positions of the frames of each video by its name, in order of time; by default all are one sequence."""
        return {self.name: list(range(len(self)))}

    def places(self) -> list[tuple[str, int]]:
        """Video of each sample and its number within it; a selection keeps those of the whole, so that numbers that
        follow each other are neighbours in time."""
        places = [("", 0)] * len(self)
        for video, positions in self.sequences().items():
            for number, position in enumerate(positions):
                places[position] = (video, number)
        return places

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> DepthDataset: ...

    def __getitem__(self, index: int | slice) -> Sample | DepthDataset:
        if isinstance(index, slice):
            return self.select(range(*index.indices(len(self))))
        position = int(index)
        if not -len(self) <= position < len(self):
            raise IndexError(f"sample {position} of {self.name}: it has {len(self)}.")
        return self.read_raw(position % len(self)).to_sample()

    def select(self, chosen: Iterable[str | int]) -> DepthDataset:
        """Some of the samples, in the given order.

        Args:
            chosen: names or positions.

        Returns:
            A data set that reads from this one.

        Raises:
            InputError: if a name or a position is not here.
        """
        return Selection(self, [self._position(one) for one in chosen])

    def without(self, validation: DepthDataset) -> DepthDataset:
        """The samples that may be trained on when ``validation`` is scored: not its own, and not its guards."""
        held = {*validation.names, *validation.guards}
        return self.select(index for index, name in enumerate(self.names) if name not in held)

    def _position(self, one: str | int) -> int:
        if not isinstance(one, str):
            if not 0 <= int(one) < len(self):
                raise InputError(f"{self.name}: no sample {one}; it has {len(self)}, counted from 0.")
            return int(one)
        index: dict[str, int] | None = self.__dict__.get("_index")
        if index is None:
            index = self.__dict__["_index"] = {name: i for i, name in enumerate(self.names)}
        if one not in index:
            some = ", ".join(self.names[:3])
            raise InputError(f"{self.name}: no sample named '{one}'; its {len(self)} names look like {some}.")
        return index[one]


class Selection(DepthDataset):
    """Some samples of another data set."""

    def __init__(self, dataset: DepthDataset, positions: Sequence[int]) -> None:
        self.dataset = dataset
        self.positions = list(positions)
        self.name = dataset.name
        self.format = dataset.format
        self.default_protocol = dataset.default_protocol
        self.splits, self.guards, self.left_out = dataset.splits, dataset.guards, dict(dataset.left_out)
        self.names = [dataset.names[i] for i in self.positions]

    def read_raw(self, index: int) -> RawSample:
        """Decode sample ``index`` of the selection."""
        return self.dataset.read_raw(self.positions[index])

    def read_depth(self, index: int) -> NDArray[np.float32] | None:
        """Depth of sample ``index`` of the selection."""
        return self.dataset.read_depth(self.positions[index])

    def read_pose(self, index: int) -> tuple[NDArray[np.float64] | None, float | None]:
        """Pose and time of sample ``index`` of the selection."""
        return self.dataset.read_pose(self.positions[index])

    def sequences(self) -> dict[str, list[int]]:
        """Positions in the selection of the frames of each video, in the order of the selection."""
        video = {position: name for name, positions in self.dataset.sequences().items() for position in positions}
        chosen: dict[str, list[int]] = {}
        for index, position in enumerate(self.positions):
            chosen.setdefault(video[position], []).append(index)
        return chosen

    def places(self) -> list[tuple[str, int]]:
        """Video of each sample and its number within the whole video."""
        whole = self.dataset.places()
        return [whole[position] for position in self.positions]


class CachedDataset(DepthDataset):
    """Keeps decoded frames in memory, as many as fit.

    Frames are kept when first read; ``preload`` reads them all, which lets forked loader processes share one copy. A
    pickled cache starts empty. The arrays that it gives are shared and read-only.
    """

    def __init__(self, dataset: DepthDataset, limit_bytes: int = 4 << 30) -> None:
        """Wrap ``dataset``; ``limit_bytes`` bounds the memory of the kept pixels."""
        self.dataset = dataset
        self.limit_bytes = limit_bytes
        self.name = dataset.name
        self.format = dataset.format
        self.default_protocol = dataset.default_protocol
        self.splits, self.guards, self.left_out = dataset.splits, dataset.guards, dict(dataset.left_out)
        self.names = dataset.names
        self._kept: dict[int, RawSample] = {}
        self._used_bytes = 0

    @property
    def cached(self) -> int:
        """Number of frames in memory."""
        return len(self._kept)

    def read_raw(self, index: int) -> RawSample:
        """Frame ``index``, from memory when it is there."""
        raw = self._kept.get(index)
        if raw is None:
            raw = self.dataset.read_raw(index)
            if self._used_bytes + raw.nbytes <= self.limit_bytes:
                raw.image.flags.writeable = False
                if raw.depth is not None:
                    raw.depth.flags.writeable = False
                self._kept[index] = raw
                self._used_bytes += raw.nbytes
        return replace(raw)

    def read_depth(self, index: int) -> NDArray[np.float32] | None:
        """Depth of frame ``index``, from memory when the frame is there; it is not kept by itself."""
        raw = self._kept.get(index)
        return self.dataset.read_depth(index) if raw is None else raw.depth

    def read_pose(self, index: int) -> tuple[NDArray[np.float64] | None, float | None]:
        """Pose and time of frame ``index``."""
        return self.dataset.read_pose(index)

    def sequences(self) -> dict[str, list[int]]:
        """Those of the data set behind it."""
        return self.dataset.sequences()

    def places(self) -> list[tuple[str, int]]:
        """Those of the data set behind it."""
        return self.dataset.places()

    def preload(self) -> int:
        """Read every frame that fits; returns how many are in memory."""
        for index in range(len(self)):
            if index not in self._kept:
                before = self.cached
                self.read_raw(index)
                if self.cached == before:
                    break
        return self.cached

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}, "_used_bytes": 0}


def build_intrinsics(fx: float, fy: float, cx: float, cy: float) -> NDArray[np.float32]:
    """K, (3, 3), from focal lengths and principal point in pixels."""
    return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]], dtype=np.float32)


def check_depth(depth: NDArray[np.floating[Any]], where: str | Path) -> NDArray[np.float32]:
    """Refuse a depth map with negative, NaN or infinite values.

    Args:
        depth: metres, (H, W); 0 where unknown.
        where: file and frame, for the message.

    Returns:
        The same values as float32.

    Raises:
        InputError: if a value is negative or not finite.
    """
    lowest, highest = (float(depth.min()), float(depth.max())) if depth.size else (0.0, 0.0)
    if not np.isfinite(lowest) or not np.isfinite(highest):
        count = int(np.count_nonzero(~np.isfinite(depth)))
        raise InputError(
            f"{where}: depth has {count} NaN or infinite pixels; expected finite metres; write 0 where unknown."
        )
    if lowest < 0:
        count = int(np.count_nonzero(depth < 0))
        raise InputError(
            f"{where}: depth has {count} negative pixels (down to {lowest:g} m); expected metres; "
            "write 0 where unknown."
        )
    return np.ascontiguousarray(depth, dtype=np.float32)


def check_same_size(
    image: NDArray[np.uint8], depth: NDArray[np.float32], file: str | Path, next_step: str = "resize one of them"
) -> None:
    """Image and depth of a registered pair must have one size.

    Args:
        image: RGB, (H, W, 3).
        depth: metres, (H, W).
        file: where the depth comes from, for the message.
        next_step: what to do about it.

    Raises:
        InputError: if they differ.
    """
    if image.shape[:2] != depth.shape:
        raise InputError(
            f"{file}: depth is {depth.shape[1]}x{depth.shape[0]} and its image {image.shape[1]}x{image.shape[0]}; the "
            f"two must have one size: {next_step}."
        )
