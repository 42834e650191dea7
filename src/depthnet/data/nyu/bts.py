"""The copies of NYU Depth v2 made for BTS: the `sync` tree, its official splits, and lists of pairs with focal length.

``sync/SCENE/rgb_NNNNN.jpg`` with ``sync_depth_NNNNN.png`` holds every 7th synchronised raw frame, numbered
consecutively in each scene. ``official_splits/{train,test}/TYPE/`` holds labelled frames under the same file names,
NNNNN being the zero-based labelled index. Depth is 16-bit millimetres, 0 where the sensor saw nothing; it is not
in-filled.

A list has lines ``RGB DEPTH FOCAL`` (or, in the list of 36 253 frames, an in-filled depth in place of FOCAL; the depth
read here is the second column), with or without a leading ``/``.

Source: Lee et al., From Big to Small: Multi-Scale Local Planar Guidance, 2019, and the code published with it.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthnet.data.nyu.frames import NYU_CAMERA, check_nyu_depth, nyu_camera
from depthnet.data.samples import DepthDataset, RawSample, check_same_size
from depthnet.data.splits import nyu_labeled_indices, nyu_sync_frames
from depthnet.errors import InputError
from depthnet.io.depth import read_depth_png
from depthnet.io.images import read_rgb

SPLITS = ("train", "test")
_RGB, _DEPTH = re.compile(r"rgb_(\d{5})\.jpg"), re.compile(r"sync_depth_(\d{5})\.png")
_BASES = ("", "sync", "official_splits/test", "official_splits/train")
_log = logging.getLogger(__name__)

Pair = tuple[str, Path, Path]
"""Name, colour file and depth file."""


class BtsDataset(DepthDataset):
    """Pairs of ``rgb_NNNNN.jpg`` and ``sync_depth_NNNNN.png``."""

    format = "bts"
    default_protocol = "nyu"

    def __init__(self, path: str | Path, split: str | None = None) -> None:
        """List the pairs; no picture is opened.

        Args:
            path: the tree (the folder above, or one of, ``sync`` and ``official_splits``, or a folder of scenes), or a
                list file that lies in it.
            split: train (of a ``sync`` tree the 24 231 frames of the literature, as many of its scenes as are there),
                test (``official_splits/test``); None or "all" for everything.

        Raises:
            InputError: if files do not pair up or are missing, a line of the list cannot be used, or nothing is left.
        """
        self.path = Path(path)
        self.name = self.path.resolve().name
        if self.path.is_file():
            pairs = list(_read_list(self.path))
            if split not in (None, "all", "train"):
                raise InputError(f"{self.path}: a list has no split '{split}'; leave --split out to read its lines.")
        else:
            parts = _find_parts(self.path)
            self.splits = tuple(part for part in SPLITS if part in parts)
            pairs = [pair for part in parts.values() for pair in _list_pairs(self.path, part)]
            pairs = _choose(self.path, pairs, parts, split)
        if not pairs:
            raise InputError(f"{self.path}: no pair rgb_NNNNN.jpg and sync_depth_NNNNN.png; pass the folder of scenes.")
        self.names = [name for name, _, _ in pairs]
        self._images, self._depths = [pair[1] for pair in pairs], [pair[2] for pair in pairs]

    def read_raw(self, index: int) -> RawSample:
        """Decode one pair.

        Raises:
            InputError: if a file is damaged or of another kind, the sizes differ, or the depth is in another unit.
        """
        image, depth = read_rgb(self._images[index]), self.read_depth(index)
        check_same_size(image, depth, self._depths[index], "fetch them again")
        return RawSample(image, depth, nyu_camera(depth.shape), self.names[index])

    def read_depth(self, index: int) -> NDArray[np.float32]:
        """Decode one depth map alone.

        Raises:
            InputError: as :meth:`read_raw`.
        """
        return check_nyu_depth(read_depth_png(self._depths[index]), self._depths[index])


def looks_like_bts(path: Path) -> bool:
    """Whether a folder holds such scenes at one of the usual places, or a file is a list of such pairs."""
    if path.is_dir():
        return bool(_find_parts(path))
    if path.suffix != ".txt" or not path.is_file():
        return False
    with path.open("rb") as file:
        words = file.readline(1000).split()
    return len(words) == 3 and b"rgb_" in words[0] and b"sync_depth_" in words[1]


def _find_parts(path: Path) -> dict[str, Path]:
    """Part (train of the sync tree or of the official split, test, or all) -> the folder of its scenes."""
    if _has_scenes(path):
        part = path.resolve().name
        return {"train" if part == "sync" or _is_sync(path) else part if part in SPLITS else "all": path}
    parts: dict[str, Path] = {}
    for base in (path, path / "official_splits"):
        parts |= {part: base / part for part in SPLITS if _has_scenes(base / part)}
    if _has_scenes(path / "sync"):
        parts = {"train": path / "sync", **{part: folder for part, folder in parts.items() if part != "train"}}
    return parts


def _has_scenes(path: Path) -> bool:
    if not path.is_dir():
        return False
    scenes = islice((entry for entry in path.iterdir() if entry.is_dir()), 3)
    names = (file.name for scene in scenes for file in islice(scene.iterdir(), 8))
    return any(_DEPTH.fullmatch(name) or _RGB.fullmatch(name) for name in names)


def _is_sync(path: Path) -> bool:
    """Whether the folders are raw scenes, not scene types."""
    known = nyu_sync_frames()
    return any(folder.name in known for folder in path.iterdir())


def _list_pairs(root: Path, part: Path) -> Iterator[Pair]:
    for scene in sorted(folder for folder in part.iterdir() if folder.is_dir()):
        files = [file.name for file in scene.iterdir()]
        images = {match[1] for name in files if (match := _RGB.fullmatch(name))}
        depths = {match[1] for name in files if (match := _DEPTH.fullmatch(name))}
        for lone, have, lack in ((images - depths, "rgb_{}.jpg", "sync_depth_{}.png"),
                                 (depths - images, "sync_depth_{}.png", "rgb_{}.jpg")):  # fmt: skip
            if lone:
                number = min(lone)
                raise InputError(
                    f"{scene}: {have.format(number)} has no {lack.format(number)} ({len(lone)} such frames); every "
                    "image needs its depth: fetch the scene again, or remove what has no partner."
                )
        name = scene.relative_to(root).as_posix()
        for number in sorted(images):
            yield f"{name}/{number}", scene / f"rgb_{number}.jpg", scene / f"sync_depth_{number}.png"


def _choose(path: Path, pairs: list[Pair], parts: dict[str, Path], split: str | None) -> list[Pair]:
    """The pairs of a split, after a look at whether the official parts hold the frames of their name."""
    for part in SPLITS:
        if part in parts and not _is_sync(parts[part]) and parts[part].name == part:
            _check_official(parts[part], [pair for pair in pairs if parts[part] in pair[1].parents], part)
    if split is None or split == "all":
        return pairs
    if split not in parts:
        have = ", ".join(part for part in parts if part in SPLITS) or "none"
        raise InputError(f"{path}: no split '{split}' (it has {have}); choose another --split, or all.")
    chosen = [pair for pair in pairs if parts[split] in pair[1].parents]
    return _sync_train(parts[split], chosen) if split == "train" and _is_sync(parts[split]) else chosen


def _check_official(folder: Path, pairs: list[Pair], part: str) -> None:
    official = set(nyu_labeled_indices("trainval" if part == "train" else "test"))
    strange = [name for name, _, _ in pairs if int(name.rpartition("/")[2]) not in official]
    if strange:
        raise InputError(
            f"{folder}: '{strange[0]}' is not among the {len(official)} official {part} frames ({len(strange)} such); "
            "the folder holds frames of the other part, or counts from 1: fetch it again."
        )


def _sync_train(folder: Path, pairs: list[Pair]) -> list[Pair]:
    """The listed frames of the scenes that are there."""
    wanted = nyu_sync_frames()
    here = {(file.parent.name, int(name.rpartition("/")[2])): (name, file, depth) for name, file, depth in pairs}
    scenes = {scene for scene, _ in here if scene in wanted}
    listed = [(scene, number) for scene in sorted(scenes) for number in wanted[scene]]
    absent = [one for one in listed if one not in here]
    if absent:
        scene, number = absent[0]
        raise InputError(
            f"{folder / scene}: frame {number:05d} of split train is missing ({len(absent)} such); the copy is "
            "incomplete: fetch it again, or choose --split all."
        )
    if len(scenes) < len(wanted):
        _log.warning("%s: %d of the %d scenes of split train are here", folder, len(scenes), len(wanted))
    return [here[one] for one in listed]


def _read_list(path: Path) -> Iterator[Pair]:
    """The pairs of a list file, in its order."""
    lines = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    entries = [(number, words) for number, words in enumerate(lines, start=1) if words]
    folders: dict[Path, set[str]] = {}
    base: Path | None = None
    for number, words in entries:
        image, depth = _check_line(path, number, words)
        if base is None:
            base = next((path.parent / one for one in _BASES if (path.parent / one / image).is_file()), path.parent)
        for file in (base / image, base / depth):
            if file.parent not in folders:
                folders[file.parent] = {f.name for f in file.parent.iterdir()} if file.parent.is_dir() else set()
            if file.name not in folders[file.parent]:
                raise InputError(
                    f"{path}: line {number}: {file} is missing; put the list into the folder that its paths start "
                    "from, or fetch the file."
                )
        yield f"{Path(image).parent.as_posix()}/{Path(image).stem.removeprefix('rgb_')}", base / image, base / depth


def _check_line(path: Path, number: int, words: list[str]) -> tuple[str, str]:
    """Colour and depth path of a line; both must be of one frame, and the camera that of NYU Depth v2."""
    rule = "expected 'SCENE/rgb_NNNNN.jpg SCENE/sync_depth_NNNNN.png 518.8579'"
    if len(words) not in (2, 3):
        raise InputError(f"{path}: line {number}: {len(words)} words; {rule}; correct the line.")
    image, depth = (Path(word.lstrip("/")) for word in words[:2])
    of_image, of_depth = _RGB.fullmatch(image.name), _DEPTH.fullmatch(depth.name)
    if not of_image or not of_depth or of_image[1] != of_depth[1] or image.parent != depth.parent:
        raise InputError(f"{path}: line {number}: {image} and {depth} are not one frame; {rule}; correct the line.")
    if len(words) == 3 and not words[2].endswith(".png"):
        try:
            focal = float(words[2])
        except ValueError:
            focal = math.nan
        if not math.isclose(focal, NYU_CAMERA[0], rel_tol=1e-3):
            raise InputError(
                f"{path}: line {number}: focal length {words[2]}; NYU Depth v2 has {NYU_CAMERA[0]} pixels at 640x480: "
                "the list is of other data, or damaged."
            )
    return str(image), str(depth)
