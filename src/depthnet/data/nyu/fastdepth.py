"""The FastDepth (sparse-to-dense) copy of NYU Depth v2: one HDF5 file per frame.

``train/SCENE/NNNNN.h5`` (47 584 frames) and ``val/official/NNNNN.h5`` (the 654 official test frames), each with ``rgb``
(3, H, W) uint8 and ``depth`` (H, W) floating-point metres, in-filled. Rows and columns are in normal order.

Splits: ``train``; ``test``, which is the folder called ``val``, because its frames are the official test frames (the
name ``val`` is understood too, but nothing chooses on it by itself); ``holdout``, the training frames 00001 and 00201
of every scene, on which FastDepth validates.

Sources: Ma and Karaman, Sparse-to-Dense, ICRA 2018; Wofk et al., FastDepth, ICRA 2019, and their loaders.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.data.nyu.frames import check_nyu_depth, nyu_camera
from depthnet.data.samples import DepthDataset, RawSample
from depthnet.errors import InputError, MissingTierError, one_line

HOLDOUT = ("00001", "00201")
_FOLDERS = {"train": "train", "holdout": "train", "test": "val", "val": "val"}
_DAMAGED = (OSError, RuntimeError, KeyError, ValueError, TypeError)
_MAX_SIDE = 20_000  # a damaged header may ask for more than any machine has


class FastDepthDataset(DepthDataset):
    """Frames in HDF5 files of their own."""

    format = "fastdepth"
    default_protocol = "nyu"

    def __init__(self, path: str | Path, split: str | None = None) -> None:
        """List the files; none is opened.

        Args:
            path: the folder that holds ``train/`` and ``val/``, one of these, or a folder of scenes.
            split: train, holdout, test (or val); None or "all" for everything.

        Raises:
            InputError: if there is no frame, or none of the split.
            MissingTierError: if h5py is not installed.
        """
        _import_h5py(path)
        self.path = Path(path)
        self.name = self.path.resolve().name
        parts = [part for part in ("train", "val") if (self.path / part).is_dir()]
        self.splits = tuple({"train": "train", "val": "test"}[part] for part in parts)
        files = _list_files(self.path, parts, split)
        if not files:
            have = f"it has {', '.join(self.splits)}" if self.splits else "it has no folder train/ or val/"
            raise InputError(
                f"{self.path}: no SCENE/NNNNN.h5 of split '{split or 'all'}' ({have}); choose another --split, or pass "
                "the folder that holds train/ and val/."
            )
        self.names = [file.relative_to(self.path).with_suffix("").as_posix() for file in files]

    def read_raw(self, index: int) -> RawSample:
        """Read one frame.

        Raises:
            InputError: if the file is damaged, or its arrays are no frame of NYU Depth v2 in metres.
        """
        arrays = self._read(index, "rgb", "depth")
        image = np.ascontiguousarray(arrays["rgb"].transpose(1, 2, 0))
        depth = check_nyu_depth(arrays["depth"], self._file(index))
        return RawSample(image, depth, nyu_camera(depth.shape), self.names[index])

    def read_depth(self, index: int) -> NDArray[np.float32]:
        """Read one depth map alone.

        Raises:
            InputError: as :meth:`read_raw`.
        """
        return check_nyu_depth(self._read(index, "depth")["depth"], self._file(index))

    def _file(self, index: int) -> Path:
        return self.path / f"{self.names[index]}.h5"

    def _read(self, index: int, *keys: str) -> dict[str, NDArray[Any]]:
        h5py, path = _import_h5py(self.path), self._file(index)
        try:
            with h5py.File(path, "r", locking=False) as file:
                _check_arrays(path, file)
                return {key: file[key][()] for key in keys}
        except InputError:
            raise
        except _DAMAGED as error:
            reason = one_line(error, 160)
            raise InputError(f"{path}: not a whole HDF5 file ({reason}); copy or fetch it again.") from error


def looks_like_fastdepth(path: Path) -> bool:
    """Whether a folder holds frames as ``[train|val]/SCENE/NNNNN.h5``, judged by the first few names of each part."""
    if not path.is_dir():
        return False
    for part in (path, path / "train", path / "val"):
        if part.is_dir():
            scenes = islice((entry for entry in part.iterdir() if entry.is_dir()), 3)
            if any(file.suffix == ".h5" for scene in scenes for file in islice(scene.iterdir(), 3)):
                return True
    return False


def _list_files(path: Path, parts: list[str], split: str | None) -> list[Path]:
    if split not in (None, "all", *_FOLDERS):
        raise InputError(f"{path}: no split '{split}'; the FastDepth copy has train, holdout and test; choose one.")
    if split is None or split == "all":
        folders = [path / part for part in parts] or [path]
    elif parts:
        folders = [path / _FOLDERS[split]]
    else:  # a part, or some scenes, given by itself: its folder's name says which
        stands_for = "val" if path.resolve().name == "val" else "train"
        folders = [path] if stands_for == _FOLDERS[split] else []
    files = [file for folder in folders for file in sorted(folder.glob("*/*.h5")) if not file.name.startswith(".")]
    return [file for file in files if file.stem in HOLDOUT] if split == "holdout" else files


def _check_arrays(path: Path, file: Any) -> None:
    """Refuse files that lack an array, or whose shapes, axes or kinds of number are others."""
    for key in ("rgb", "depth"):
        if key not in file:
            have = ", ".join(file) or "none"
            raise InputError(f"{path}: no array '{key}' (it has {have}); expected rgb and depth of the FastDepth copy.")
    rgb, depth = file["rgb"], file["depth"]
    shapes = len(rgb.shape) == 3 and rgb.shape[0] == 3 and rgb.shape[1:] == depth.shape and 0 not in rgb.shape
    if not shapes or rgb.dtype != np.uint8 or depth.dtype.kind != "f" or max(rgb.shape) > _MAX_SIDE:
        raise InputError(
            f"{path}: rgb {rgb.shape} {rgb.dtype} and depth {depth.shape} {depth.dtype}; expected (3, H, W) uint8 and "
            "(H, W) floating-point metres; convert the file."
        )
    if depth.shape[0] > depth.shape[1]:
        raise InputError(
            f"{path}: {depth.shape[1]} columns and {depth.shape[0]} rows, but NYU Depth v2 is wider than high: the "
            "axes are swapped, as in the .mat; write them as (3, H, W) and (H, W)."
        )


def _import_h5py(path: str | Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise MissingTierError(f'{path}: reading .h5 files needs h5py; run: pip install "depthnet[data]".') from error
    return h5py
