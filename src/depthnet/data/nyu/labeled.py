"""NYU Depth v2, labelled set: the official `.mat` (MATLAB 7.3, which is HDF5), read frame by frame.

Variables as HDF5 shows them, axes reversed: ``images`` (N, 3, W, H) uint8, ``depths`` and ``rawDepths`` (N, W, H)
float32 metres (in-filled; projected with 0 = missing), ``scenes`` (1, N) references to UTF-16 text. The splits are
those of `depthnet.data.splits`; a sample is named by its zero-based index, ``0002``.

Source: Silberman, Hoiem, Kohli, Fergus, Indoor Segmentation and Support Inference from RGBD Images, ECCV 2012, and the
authors' toolbox (camera_params.m).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from depthnet.data.nyu.frames import check_nyu_depth, nyu_guards, nyu_intrinsics, nyu_positions
from depthnet.data.samples import DepthDataset, RawSample
from depthnet.data.splits import NYU_LABELED_COUNT, NYU_SPLITS
from depthnet.errors import DepthNetError, InputError, MissingTierError, one_line

DepthKind = Literal["filled", "raw"]
_VARIABLES: dict[str, str] = {"filled": "depths", "raw": "rawDepths"}
_DAMAGED = (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, MemoryError)
_MAX_SIDE = 20_000  # a damaged header may ask for more than any machine has
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class NyuLabeledDataset(DepthDataset):
    """The labelled `.mat`; one frame in memory at a time."""

    default_protocol = "nyu"

    def __init__(self, path: str | Path, split: str | None = None, depth: DepthKind = "filled") -> None:
        """Open the file, check its variables and close it; no frame is read.

        Args:
            path: ``nyu_depth_v2_labeled.mat``, or a file with the first frames of it.
            split: train, val, trainval, test or all (None).
            depth: "filled" (``depths``) or "raw" (``rawDepths``, 0 where the sensor saw nothing).

        Raises:
            InputError: if the file is missing, truncated, of another kind, or lacks a variable.
            MissingTierError: if h5py is not installed.
        """
        if depth not in _VARIABLES:
            raise InputError(f"depth '{depth}': the labelled set has {' and '.join(_VARIABLES)}; choose one.")
        self.path = Path(path)
        self.name = self.path.name
        self.format = "nyu-mat" if depth == "filled" else "nyu-mat-raw"
        self._variable = _VARIABLES[depth]
        self._handle: Any = None
        self._variables: dict[str, Any] = {}
        self._owner = 0
        with _damage_told(self.path), _open_mat(self.path) as file:
            count, self._size = _check_variables(self.path, file, self._variable)
            self._cache_bytes = max(_cache_bytes(file[variable]) for variable in ("images", self._variable))
        # Here the parts are the authors' own: their training part is what the tree of its frames calls trainval.
        self._indices = nyu_positions(self.path, range(count), "trainval" if split == "train" else split)
        self.splits, self.guards = NYU_SPLITS, nyu_guards()
        self.names = [f"{index:04d}" for index in self._indices]

    def read_raw(self, index: int) -> RawSample:
        """Read one image and its depth.

        Raises:
            InputError: if the frame cannot be read, or its depth is not NYU Depth v2 in metres.
        """
        return RawSample(
            image=np.stack([plane.T for plane in self._read("images", index)], axis=-1),
            depth=self.read_depth(index),
            K=nyu_intrinsics(self._size),
            name=self.names[index],
        )

    def read_depth(self, index: int) -> NDArray[np.float32]:
        """Read one depth map alone.

        Raises:
            InputError: if it cannot be read, or is not NYU Depth v2 in metres.
        """
        where = f"{self.path}: frame {self._indices[index]}, {self._variable}"
        return check_nyu_depth(self._read(self._variable, index).T, where)

    def _read(self, variable: str, index: int) -> NDArray[Any]:
        """One frame of a variable, axes as in the file."""
        frame = self._indices[index]
        with _damage_told(self.path, f"frame {frame} of {variable}: "):
            values: NDArray[Any] = self._stored(variable)[frame]
        return values

    def scenes(self) -> list[str]:
        """Scene name of each sample, for example ``kitchen_0004``."""
        with _damage_told(self.path), _open_mat(self.path) as file:
            if "scenes" not in file:
                raise InputError(f"{self.path}: no variable 'scenes'; the official file has it: fetch it again.")
            references = np.asarray(file["scenes"]).reshape(-1)
            return [_text(file[references[index]]) for index in self._indices]

    def _stored(self, variable: str) -> Any:
        """A variable of this process' open file: HDF5 handles must not cross a fork.

        It stays open between reads, because the cache of decoded chunks goes with it.
        """
        if self._owner != os.getpid() and self._handle is not None:
            self._variables.clear()
            self._handle.close()
            self._handle = None
        if self._handle is None:
            self._handle, self._owner = _open_mat(self.path, self._cache_bytes), os.getpid()
        if variable not in self._variables:
            self._variables[variable] = self._handle[variable]
        return self._variables[variable]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_handle": None, "_variables": {}, "_owner": 0}


def _open_mat(path: Path, cache_bytes: int = 0) -> Any:
    """Open the HDF5 file; ``cache_bytes`` is the memory for decoded chunks of each variable, 0 HDF5's own choice."""
    try:
        import h5py
    except ImportError as error:
        raise MissingTierError(f'{path}: reading a .mat needs h5py; run: pip install "depthnet[data]".') from error
    _check_signature(path)
    cache = {"rdcc_nbytes": cache_bytes} if cache_bytes else {}
    return h5py.File(path, "r", locking=False, **cache)


@contextmanager
def _damage_told(path: Path, where: str = "") -> Iterator[None]:
    """Turn what h5py raises on a damaged file, which is of many kinds, into an InputError."""
    try:
        yield
    except DepthNetError:
        raise
    except _DAMAGED as error:
        raise InputError(
            f"{path}: {where}truncated or damaged ({one_line(error, 160)}); the official file has 2 972 037 809 bytes: "
            "fetch it again."
        ) from error


def _check_signature(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(520)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be opened ({error.strerror or error}); pass the path of nyu_depth_v2_labeled.mat."
        ) from error
    if head.startswith(_HDF5_SIGNATURE) or head[512:520] == _HDF5_SIGNATURE:
        return
    if head.startswith(b"MATLAB 5.0"):
        raise InputError(
            f"{path}: a MATLAB 5 file; expected MATLAB 7.3 (HDF5); save it with -v7.3, or, for the official "
            "splits.mat, pass nyu_depth_v2_labeled.mat: the splits are in the package."
        )
    raise InputError(f"{path}: not a MATLAB 7.3 (HDF5) file; pass nyu_depth_v2_labeled.mat, complete.")


def _check_variables(path: Path, file: Any, depth: str) -> tuple[int, tuple[int, int]]:
    """Number of frames and their size (H, W)."""
    for variable in ("images", depth):
        if variable not in file:
            have = ", ".join(key for key in file if not key.startswith("#")) or "none"
            raise InputError(
                f"{path}: no variable '{variable}' (it has {have}); expected nyu_depth_v2_labeled.mat: fetch it again."
            )
    images, depths = file["images"], file[depth]
    fits = len(images.shape) == 4 and images.shape[1] == 3 and images.dtype == np.uint8 and depths.dtype.kind == "f"
    if not fits or depths.shape != (images.shape[0], *images.shape[2:]):
        raise InputError(
            f"{path}: images {images.shape} {images.dtype} and {depth} {depths.shape} {depths.dtype}; expected "
            "(N, 3, W, H) uint8 and (N, W, H) float: every image needs its depth; pass nyu_depth_v2_labeled.mat."
        )
    if (
        not 1 <= images.shape[0] <= NYU_LABELED_COUNT
        or not 1 <= min(images.shape[2:]) <= max(images.shape) <= _MAX_SIDE
    ):
        raise InputError(
            f"{path}: images {images.shape}; the labelled set has {NYU_LABELED_COUNT} frames (or the first of them): "
            "fetch it again."
        )
    return int(images.shape[0]), (int(images.shape[3]), int(images.shape[2]))


def _cache_bytes(variable: Any) -> int:
    """Memory that keeps all chunks of a frame until the next one is read; 0 where a chunk has one frame.

    Where a chunk spans several frames, HDF5's own cache (1 or 8 MB) is too small for it, and every frame would
    decompress all of them again. More than 256 MB is not taken.
    """
    if variable.chunks is None or variable.chunks[0] == 1:
        return 0
    spans = [-(-side // chunk) * chunk for side, chunk in zip(variable.shape[1:], variable.chunks[1:])]
    return int(min(math.prod(spans) * variable.chunks[0] * variable.dtype.itemsize, 256 << 20))


def _text(codes: Any) -> str:
    """MATLAB text: UTF-16 code units, (length, 1)."""
    return np.asarray(codes).astype("<u2").tobytes().decode("utf-16-le")
