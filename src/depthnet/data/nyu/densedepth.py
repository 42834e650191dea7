"""The copy of NYU Depth v2 that DenseDepth trains on (made by Hu et al.), from its `.zip` files or extracted.

``nyu_data.zip``: ``data/nyu2_train.csv`` and ``data/nyu2_test.csv`` name the pairs. Training depth
(``nyu2_train/SCENE_out/N.png``) is **8-bit**, 255 = 10 m: steps of 39 mm. Test depth (``nyu2_test/NNNNN_depth.png``) is
**16-bit millimetres**; NNNNN is the zero-based labelled index. Depth is in-filled.

``nyu_test.zip``: ``eigen_test_rgb.npy`` (N, H, W, 3) in 0..255 and ``eigen_test_depth.npy`` (N, H, W) in metres. Its
box, ``eigen_test_crop.npy``, is that of ``--protocol nyu-densedepth``. Inside the archive the arrays are compressed as
a whole: reading in order is fast, going back starts from the beginning again; extract it for access in any order.

Sources: Hu et al., Revisiting Single Image Depth Estimation, WACV 2019; Alhashim and Wonka, DenseDepth, 2018, and their
loaders.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthnet.data.nyu.file_tree import FileTree
from depthnet.data.nyu.frames import check_nyu_depth, nyu_camera
from depthnet.data.nyu.npy_frames import NpyFrames
from depthnet.data.samples import DepthDataset, RawSample, check_same_size
from depthnet.data.splits import nyu_labeled_indices
from depthnet.errors import InputError
from depthnet.io.depth import read_depth_png
from depthnet.io.images import open_image, read_rgb

SPLITS = ("train", "test")
EIGHT_BIT_METRES = 10.0
_TEST_IMAGE = re.compile(r"(.*nyu2_test/)(\d{5})_colors\.png")
_TEST_ARRAYS = ("eigen_test_rgb.npy", "eigen_test_depth.npy")


class DenseDepthDataset(DepthDataset):
    """The pairs of the CSV lists."""

    format = "densedepth"
    default_protocol = "nyu"

    def __init__(self, path: str | Path, split: str | None = None) -> None:
        """Read the lists; no picture is opened.

        Args:
            path: ``nyu_data.zip``, or the folder it was extracted to, or its ``data`` folder.
            split: train or test; None or "all" for both.

        Raises:
            InputError: if there is no list, a line is no pair, or a file that it names is missing.
        """
        self.path = Path(path)
        self.name = self.path.resolve().name
        self._files = FileTree(self.path)
        lists = _find_lists(self._files)
        self.splits = tuple(lists)
        if split not in (None, "all", *lists):
            have = ", ".join(lists) or "none: data/nyu2_train.csv and data/nyu2_test.csv are missing"
            raise InputError(f"{self.path}: no split '{split}' (it has {have}); choose another --split.")
        chosen = [split] if split in lists else list(lists)
        self._pairs = [(part, *pair) for part in chosen for pair in _read_list(self._files, part, lists[part])]
        if not self._pairs:
            raise InputError(f"{self.path}: its lists nyu2_*.csv name no pair; pass nyu_data.zip or its data folder.")
        self.names = [_name(part, image) for part, image, _ in self._pairs]

    def read_raw(self, index: int) -> RawSample:
        """Decode one pair.

        Raises:
            InputError: if a file is damaged, has not the bits that its part has, or the sizes differ.
        """
        _, image_file, depth_file = self._pairs[index]
        image, depth = read_rgb(self._files.where(image_file), self._files.read(image_file)), self.read_depth(index)
        check_same_size(image, depth, self._files.where(depth_file), "fetch them again")
        return RawSample(image, depth, nyu_camera(depth.shape), self.names[index])

    def read_depth(self, index: int) -> NDArray[np.float32]:
        """Decode one depth map alone.

        Raises:
            InputError: as :meth:`read_raw`.
        """
        part, _, file = self._pairs[index]
        where, content = self._files.where(file), self._files.read(file)
        read = _read_8bit if part == "train" else read_depth_png
        return check_nyu_depth(read(where, content=content), where)


class EigenTestDataset(DepthDataset):
    """The 654 test frames as two arrays."""

    format = "densedepth-test"
    default_protocol = "nyu"
    splits = ("test",)

    def __init__(self, path: str | Path, split: str | None = None) -> None:
        """Read the heads of the arrays.

        Args:
            path: ``nyu_test.zip``, or the folder it was extracted to.
            split: test; None or "all" for the same.

        Raises:
            InputError: if an array is missing, cut off, or of another shape.
        """
        self.path = Path(path)
        self.name = self.path.resolve().name
        if split not in (None, "all", "test"):
            raise InputError(f"{self.path}: no split '{split}'; these are the test frames: leave --split out.")
        files = FileTree(self.path)
        names = {name.rpartition("/")[2]: name for name in files.list()}
        if any(name not in names for name in _TEST_ARRAYS):
            raise InputError(f"{self.path}: no {' and '.join(_TEST_ARRAYS)}; pass nyu_test.zip or its folder.")
        self._images, self._depths = (NpyFrames(files, names[name]) for name in _TEST_ARRAYS)
        images, depths = self._images.shape, self._depths.shape
        if len(images) != 4 or images[3] != 3 or images[:3] != depths or self._depths.dtype.kind != "f":
            raise InputError(
                f"{self.path}: images {images} and depth {depths} {self._depths.dtype}; expected (N, H, W, 3) and "
                "(N, H, W) floating-point metres: fetch them again."
            )
        official = nyu_labeled_indices("test")
        indices = official if len(official) == images[0] else range(images[0])
        self.names = [f"{index:04d}" for index in indices]

    def read_raw(self, index: int) -> RawSample:
        """Read one frame.

        Raises:
            InputError: if it cannot be read, or is not 0..255 and metres.
        """
        where, pixels = f"{self._images.where}: frame {index}", self._images.read(index)
        image, depth = _eight_bits(pixels, where), self.read_depth(index)
        return RawSample(image, depth, nyu_camera(depth.shape), self.names[index])

    def read_depth(self, index: int) -> NDArray[np.float32]:
        """Read one depth map alone.

        Raises:
            InputError: as :meth:`read_raw`.
        """
        return check_nyu_depth(self._depths.read(index), f"{self._depths.where}: frame {index}")


def looks_like_densedepth(path: Path) -> bool:
    """Whether a folder or `.zip` holds ``nyu2_train.csv`` or ``nyu2_test.csv``, in ``data/`` or not."""
    lists = [f"{base}nyu2_{part}.csv" for base in ("", "data/") for part in SPLITS]
    return any(name in lists for name in _zip_names(path)) or any((path / name).is_file() for name in lists)


def looks_like_densedepth_test(path: Path) -> bool:
    """Whether a folder or `.zip` holds the two arrays of the test frames."""
    return any(name.rpartition("/")[2] == _TEST_ARRAYS[0] for name in _zip_names(path)) or all(
        (path / name).is_file() for name in _TEST_ARRAYS
    )


def _zip_names(path: Path) -> list[str]:
    if path.suffix.lower() != ".zip" or not path.is_file():
        return []
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return []


def _find_lists(files: FileTree) -> dict[str, str]:
    """Part -> name of its list."""
    if files.path.is_dir():
        bases = [base for base in ("", "data/") for part in SPLITS if (files.path / f"{base}nyu2_{part}.csv").is_file()]
        return {part: f"{base}nyu2_{part}.csv" for base in dict.fromkeys(bases) for part in SPLITS
                if (files.path / f"{base}nyu2_{part}.csv").is_file()}  # fmt: skip
    names = set(files.list())
    return {part: name for part in SPLITS for name in (f"nyu2_{part}.csv", f"data/nyu2_{part}.csv") if name in names}


def _read_list(files: FileTree, part: str, name: str) -> Iterator[tuple[str, str]]:
    """Colour and depth file of each line; the paths of the lists start with ``data/``, wherever that folder lies."""
    base = name.removesuffix(f"nyu2_{part}.csv")
    here = set(files.list(f"{base}nyu2_{part}"))
    try:
        rows = list(csv.reader(io.StringIO(files.read(name).decode("utf-8")), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{files.where(name)}: not a CSV list of pairs ({error}); fetch it again.") from error
    for number, row in enumerate(rows, start=1):
        if not row:
            continue
        if len(row) != 2 or not _is_pair(part, *row):
            raise InputError(
                f"{files.where(name)}: line {number}: '{','.join(row)[:120]}' is not the image and the depth map of "
                "one frame; fetch the list again."
            )
        image, depth = (base + entry.removeprefix("data/") for entry in row)
        for file in (image, depth):
            if file not in here:
                raise InputError(f"{files.where(name)}: line {number}: {file} is missing; fetch the data again.")
        yield image, depth


def _is_pair(part: str, image: str, depth: str) -> bool:
    """Whether two paths of a list are of one frame, and of a frame that belongs to the part."""
    if part == "train":
        ends = image.endswith(".jpg") and depth.endswith(".png")
        return ends and "nyu2_train/" in image and image[:-4] == depth[:-4]
    match = _TEST_IMAGE.fullmatch(image)
    if match is None or depth != f"{match[1]}{match[2]}_depth.png":
        return False
    return int(match[2]) in nyu_labeled_indices("test")


def _name(part: str, image: str) -> str:
    """``SCENE_out/N`` of a training frame, ``NNNNN`` of a test frame."""
    inner = image.partition(f"nyu2_{part}/")[2]
    return inner.removesuffix("_colors.png" if part == "test" else ".jpg")


def _read_8bit(path: Path, content: bytes) -> NDArray[np.float32]:
    """Training depth: 8-bit grey, 255 = 10 m."""
    with open_image(path, content) as picture:
        if picture.mode != "L":
            raise InputError(
                f"{path}: a picture of mode {picture.mode}; the training depth of this layout is 8-bit grey, 255 = 10 "
                "m: fetch it again, or put 16-bit millimetres into a folder with rgb/ and depth/."
            )
        return np.asarray(picture, np.float32) * np.float32(EIGHT_BIT_METRES / 255.0)


def _eight_bits(pixels: NDArray[np.generic], where: str) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels).astype(np.uint8, copy=False)
    levels = pixels.astype(np.float64)
    lowest, highest = float(levels.min()), float(levels.max())
    if not (lowest >= 0.0 and 1.0 < highest <= 255.0):  # NaN fails too
        raise InputError(f"{where}: values from {lowest:g} to {highest:g}; expected RGB in 0..255: fetch it again.")
    return np.rint(levels).astype(np.uint8)
