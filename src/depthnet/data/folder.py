"""The folder format: ``rgb/NAME.(jpg|jpeg|png|webp)`` with ``depth/NAME.png``, 16-bit millimetres, 0 unknown.

Optional: ``intrinsics.txt``, one line ``fx fy cx cy width height`` (scaled when the images have another size); split
lists as ``splits.json`` (``{"train": [NAME, ...], "val": [...]}``) or ``train.txt``, ``val.txt``, ``test.txt`` (one
NAME a line).

A tree that holds labelled NYU Depth v2 frames under their zero-based index (``0002``) is recognised, so that the fixed
validation list and the `nyu` protocol apply to it without being asked for.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthnet.data.nyu.frames import is_nyu_labeled, nyu_guards, nyu_positions
from depthnet.data.samples import DepthDataset, RawSample, build_intrinsics, check_same_size
from depthnet.data.splits import NYU_SPLITS
from depthnet.errors import InputError
from depthnet.geometry.camera import scale_intrinsics
from depthnet.io.depth import read_depth_png
from depthnet.io.images import read_rgb

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
SPLIT_FILES = ("train", "val", "test")


class FolderDataset(DepthDataset):
    """Pairs of an image and a depth map under one name."""

    format = "folder"

    def __init__(self, path: str | Path, split: str | None = None) -> None:
        """List the pairs; no pixel is read.

        Args:
            path: folder that holds ``rgb/`` and ``depth/``.
            split: a name from the folder's split lists; None or "all" for everything. Without lists, "train" is
                everything too. NYU trees have the splits of `depthnet.data.splits`.

        Raises:
            InputError: if a folder is missing or empty, names do not pair up, ``intrinsics.txt`` cannot be read, or the
                split is not there.
        """
        self.path = Path(path)
        self.name = self.path.resolve().name
        images = _list_images(self.path)
        _check_pairs(self.path, images)
        self._intrinsics = _read_intrinsics(self.path / "intrinsics.txt")
        names = list(images)
        if is_nyu_labeled(names, self._intrinsics):
            self.default_protocol = "nyu"
            self.splits, self.guards = NYU_SPLITS, nyu_guards()
            names = [names[i] for i in nyu_positions(self.path, [int(name) for name in names], split)]
        else:
            lists = read_split_lists(self.path)
            self.splits = tuple(lists)
            names = _split_names(self.path, names, lists, split)
        self.names = names
        self._images = [images[name] for name in self.names]

    def read_raw(self, index: int) -> RawSample:
        """Decode pair ``index``; its image and depth must have one size."""
        image, depth = read_rgb(self._images[index]), self.read_depth(index)
        check_same_size(image, depth, self._depth_path(index))
        K = self._scaled_intrinsics(image.shape[0], image.shape[1])
        return RawSample(image=image, depth=depth, K=K, name=self.names[index])

    def read_depth(self, index: int) -> NDArray[np.float32]:
        """Decode the depth map of pair ``index`` alone."""
        return read_depth_png(self._depth_path(index))

    def _depth_path(self, index: int) -> Path:
        return self.path / "depth" / f"{self.names[index]}.png"

    def _scaled_intrinsics(self, height: int, width: int) -> NDArray[np.float32] | None:
        if self._intrinsics is None:
            return None
        fx, fy, cx, cy, full_width, full_height = self._intrinsics
        K = build_intrinsics(fx, fy, cx, cy)
        if (height, width) == (full_height, full_width):
            return K
        return np.asarray(scale_intrinsics(K, height / full_height, width / full_width), dtype=np.float32)


def _list_images(path: Path) -> dict[str, Path]:
    """NAME → image file, sorted by name."""
    for part in ("rgb", "depth"):
        if not (path / part).is_dir():
            raise InputError(
                f"{path}: no folder {part}/; the folder format is rgb/NAME.jpg with depth/NAME.png (16-bit mm): add it."
            )
    images: dict[str, Path] = {}
    for file in sorted((path / "rgb").iterdir()):
        if file.suffix.lower() not in IMAGE_SUFFIXES or file.name.startswith("."):
            continue
        if file.stem in images:
            raise InputError(
                f"{file}: a second image named '{file.stem}' ({images[file.stem].name}); keep one of the two."
            )
        images[file.stem] = file
    if not images:
        raise InputError(f"{path / 'rgb'}: no image ({', '.join(IMAGE_SUFFIXES)}); put the colour images there.")
    return images


def _check_pairs(path: Path, images: dict[str, Path]) -> None:
    depths = {
        file.stem
        for file in (path / "depth").iterdir()
        if file.suffix.lower() == ".png" and not file.name.startswith(".")
    }
    for names, have, lack in (
        (sorted(images.keys() - depths), "an image", "depth/{}.png"),
        (sorted(depths - images.keys()), "a depth map", "rgb/{}.jpg (or .png, .webp)"),
    ):
        if names:
            raise InputError(
                f"{path}: {len(images)} images and {len(depths)} depth maps; '{names[0]}' has {have} but no "
                f"{lack.format(names[0])} ({len(names)} such names); add the missing files or remove their partners."
            )


def _read_intrinsics(file: Path) -> tuple[float, float, float, float, int, int] | None:
    if not file.is_file():
        return None
    rule = "expected one line 'fx fy cx cy width height' in pixels"
    words = file.read_text(encoding="utf-8", errors="replace").split()
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        raise InputError(
            f"{file}: '{' '.join(words)[:80]}' are not numbers; {rule}; write it or remove the file."
        ) from None
    if len(numbers) != 6:
        raise InputError(f"{file}: {len(numbers)} numbers; {rule}; write it or remove the file.")
    fx, fy, cx, cy, width, height = numbers
    if not all(math.isfinite(v) for v in numbers) or min(fx, fy, width, height) <= 0:
        raise InputError(
            f"{file}: '{' '.join(words)}': focal lengths and sizes must be positive and finite; {rule}; "
            "correct it or remove the file."
        )
    return fx, fy, cx, cy, round(width), round(height)


def _split_names(path: Path, names: list[str], lists: dict[str, list[str]], split: str | None) -> list[str]:
    if split is None or split == "all":
        return names
    if split not in lists:
        if not lists and split == "train":
            return names
        have = f"it lists {', '.join(sorted(lists))}" if lists else "it has no split lists"
        by_line = f"one a line, to {path / (split + '.txt')} or " if split in SPLIT_FILES else ""
        raise InputError(
            f"{path}: no split '{split}' ({have}); write the names {by_line}as {{\"{split}\": [...]}} to splits.json, "
            "or choose --split all."
        )
    known = set(names)
    chosen = [_plain_name(entry, known) for entry in lists[split]]
    absent = [name for name in chosen if name not in known]
    if absent:
        raise InputError(
            f"{path}: split '{split}' names '{absent[0]}' ({len(absent)} such), which is not in rgb/; correct the list."
        )
    if not chosen:
        raise InputError(f"{path}: split '{split}' is empty; write at least one name to its list.")
    return chosen


def read_split_lists(path: Path) -> dict[str, list[str]]:
    """Split name -> entries, from ``train.txt``, ``val.txt``, ``test.txt`` and ``splits.json`` of a folder.

    Raises:
        InputError: if ``splits.json`` is not of the form that the module's first lines give.
    """
    lists: dict[str, list[str]] = {}
    for split in SPLIT_FILES:
        file = path / f"{split}.txt"
        if file.is_file():
            lists[split] = file.read_text(encoding="utf-8").split()
    file = path / "splits.json"
    if file.is_file():
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            lists |= {key: [str(name) for name in value] for key, value in content.items() if isinstance(value, list)}
        except (ValueError, AttributeError) as error:
            raise InputError(
                f'{file}: not JSON of the form {{"train": [NAME, ...], "val": [...]}} ({error}); correct it.'
            ) from error
    return lists


def _plain_name(entry: str, known: set[str]) -> str:
    """NAME of a list entry that may be written as ``NAME``, ``NAME.jpg`` or ``rgb/NAME.jpg``."""
    if entry in known:
        return entry
    file = Path(entry).name
    return Path(file).stem if Path(file).suffix.lower() in IMAGE_SUFFIXES else file
