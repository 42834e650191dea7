"""Trees that ``depthnet prepare`` writes: ``rgb/NAME.(png|jpg)``, ``depth/NAME.png``, ``right/`` of stereo pairs.

``index.csv`` (see `depthnet.data.prepared_index`) lists the frames with scene, time, camera and pose, so a tree of any
size is listed without a look at its pictures. Depth is 16-bit millimetres, 0 unknown. Optional split lists as in the
folder format name scenes or single frames: ``splits.json`` or ``train.txt``, ``val.txt``, ``test.txt``.

A tree of the labelled NYU Depth v2 set is recognised by its names and camera; it has that set's splits and protocol.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthnet.data.folder import IMAGE_SUFFIXES, SPLIT_FILES, read_split_lists
from depthnet.data.nyu.frames import is_nyu_labeled, nyu_guards, nyu_positions
from depthnet.data.prepared_index import PreparedIndex, is_index, read_index
from depthnet.data.samples import DepthDataset, RawSample, build_intrinsics
from depthnet.data.splits import NYU_SPLITS
from depthnet.errors import InputError
from depthnet.io.depth import read_depth_png
from depthnet.io.images import read_rgb

INDEX_FILE = "index.csv"
RECIPE_FILE = "prepare.json"


def looks_like_prepared(path: Path) -> bool:
    """True for a folder with the list or the recipe of a prepared tree."""
    return path.is_dir() and ((path / RECIPE_FILE).is_file() or is_index(path / INDEX_FILE))


class PreparedDataset(DepthDataset):
    """A prepared tree, in the order of its list; video where its source was video."""

    format = "prepared"

    def __init__(self, path: str | Path, split: str | None = None) -> None:
        """Read the list and see that its files are there; no pixel is read.

        Args:
            path: the tree.
            split: a name from the tree's split lists; None or "all" for everything. Without lists, "train" is
                everything too. A tree of the labelled NYU set has the splits of `depthnet.data.splits`.

        Raises:
            InputError: if the list is missing, damaged or names files that are not there, or the split is not there.
        """
        self.path = Path(path)
        self.name = self.path.resolve().name
        if not (self.path / INDEX_FILE).is_file():
            raise InputError(
                f"{self.path}: no {INDEX_FILE}; the preparation was stopped before a scene was done: run the same "
                "`depthnet prepare` command again, it goes on where it stopped."
            )
        self._table = read_index(self.path / INDEX_FILE)
        self._suffixes = _find_files(self.path, self._table.names)
        self._positions = self._choose(split)
        self.names = [self._table.names[position] for position in self._positions]

    def read_raw(self, index: int) -> RawSample:
        """Decode frame ``index``; picture and depth must have the size that the list says.

        Raises:
            InputError: if a file is damaged, or its size is another.
        """
        fx, fy, cx, cy, _, _ = self._table.camera(self._positions[index])
        T_world_cam, time_s = self.read_pose(index)
        return RawSample(
            image=self._read_picture("rgb", index),
            depth=self.read_depth(index),
            K=build_intrinsics(fx, fy, cx, cy),
            name=self.names[index],
            T_world_cam=T_world_cam,
            time_s=time_s,
        )

    def read_depth(self, index: int) -> NDArray[np.float32]:
        """Decode the depth map of frame ``index`` alone."""
        file = self.path / "depth" / f"{self.names[index]}.png"
        depth = read_depth_png(file)
        self._check_size(file, index, depth.shape)
        return depth

    def read_pose(self, index: int) -> tuple[NDArray[np.float64] | None, float | None]:
        """Pose and time of frame ``index``; no pixel is read."""
        position = self._positions[index]
        return self._table.T_world_cam(position), self._table.time_s(position)

    def read_right(self, index: int) -> NDArray[np.uint8] | None:
        """Decode the right picture of frame ``index``, RGB, (H, W, 3); None where there is none."""
        if self.baseline_m(index) is None:
            return None
        return self._read_picture("right", index)

    def baseline_m(self, index: int) -> float | None:
        """Distance of the right camera of frame ``index`` in metres; None where there is none."""
        return self._table.baseline_m(self._positions[index])

    def acceleration_g(self, index: int) -> NDArray[np.float64] | None:
        """What an accelerometer beside the camera felt at frame ``index``, (3,), in g along its own axes, if known."""
        return self._table.acceleration_g(self._positions[index])

    def scenes(self) -> list[str]:
        """Scene name of each sample."""
        return [self._table.scenes[position] for position in self._positions]

    def sequences(self) -> dict[str, list[int]]:
        """Positions of the frames of each scene, in the order of the list."""
        found: dict[str, list[int]] = {}
        for index, scene in enumerate(self.scenes()):
            found.setdefault(scene, []).append(index)
        return found

    def _read_picture(self, folder: str, index: int) -> NDArray[np.uint8]:
        file = self.path / folder / f"{self.names[index]}{self._suffixes[self._positions[index]]}"
        image = read_rgb(file)
        self._check_size(file, index, image.shape[:2])
        return image

    def _check_size(self, file: Path, index: int, size: tuple[int, ...]) -> None:
        *_, width, height = self._table.camera(self._positions[index])
        if size != (height, width):
            raise InputError(
                f"{file}: {size[1]}x{size[0]} pixels, but {INDEX_FILE} says {width}x{height}: the file was changed or "
                "belongs to another frame; delete it and run the same `depthnet prepare` command again."
            )

    def _choose(self, split: str | None) -> list[int]:
        """Positions in the list of the frames of a split."""
        names = self._table.names
        if is_nyu_labeled(names, self._table.shared_camera()):
            self.default_protocol = "nyu"
            self.splits, self.guards = NYU_SPLITS, nyu_guards()
            ordered = sorted(range(len(names)), key=names.__getitem__)
            return [ordered[i] for i in nyu_positions(self.path, [int(names[i]) for i in ordered], split)]
        lists = read_split_lists(self.path)
        self.splits = tuple(lists)
        if split in (None, "all") or (split == "train" and not lists):
            return list(range(len(names)))
        if split not in lists:
            have = f"it lists {', '.join(sorted(lists))}" if lists else "it has no split lists"
            raise InputError(
                f"{self.path}: no split '{split}' ({have}); write scenes or frames, one a line, to "
                f'{split if split in SPLIT_FILES else "NAME"}.txt or as {{"{split}": [...]}} to splits.json, or '
                "choose --split all."
            )
        return _positions_of(self.path, self._table, lists[split], split)


def _positions_of(path: Path, index: PreparedIndex, entries: list[str], split: str) -> list[int]:
    """Positions of the frames that ``entries`` name, singly or by scene, in the order of the list."""
    wanted, known = set(entries), {*index.names, *index.scenes}
    absent = [entry for entry in entries if entry not in known]
    if absent:
        raise InputError(
            f"{path}: split '{split}' names '{absent[0]}' ({len(absent)} such), which is neither a scene nor a frame "
            f"of {INDEX_FILE}; correct the list."
        )
    chosen = [i for i, name in enumerate(index.names) if name in wanted or index.scenes[i] in wanted]
    if not chosen:
        raise InputError(f"{path}: split '{split}' is empty; write at least one scene to its list.")
    return chosen


def _find_files(path: Path, names: list[str]) -> list[str]:
    """Suffix of each frame's picture; every frame must have its picture and its depth map."""
    pictures, depths = _list_files(path / "rgb", IMAGE_SUFFIXES), _list_files(path / "depth", (".png",))
    for files, folder in ((pictures, "rgb"), (depths, "depth")):
        missing = [name for name in names if name not in files]
        if missing:
            raise InputError(
                f"{path}: {INDEX_FILE} lists {len(names)} frames, but '{missing[0]}' is not in {folder}/ "
                f"({len(missing)} such); run the same `depthnet prepare` command again: it writes what is missing."
            )
    return [pictures[name] for name in names]


def _list_files(folder: Path, suffixes: tuple[str, ...]) -> dict[str, str]:
    """NAME -> suffix of the files of a folder."""
    try:
        with os.scandir(folder) as entries:
            parts = (os.path.splitext(entry.name) for entry in entries if not entry.name.startswith("."))  # noqa: PTH122
            return {stem: suffix for stem, suffix in parts if suffix.lower() in suffixes}
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be listed ({error.strerror or error}); a prepared tree has rgb/ and depth/ beside "
            f"{INDEX_FILE}: restore it."
        ) from error
