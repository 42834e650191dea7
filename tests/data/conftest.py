"""Small data sets on disk, byte by byte as the formats have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """Write a folder data set of noise: image value and depth differ per frame."""

    def make(
        names: list[str], size: tuple[int, int] = (6, 8), intrinsics: str | None = None, suffix: str = ".png"
    ) -> Path:
        root = tmp_path / "set"
        (root / "rgb").mkdir(parents=True)
        (root / "depth").mkdir()
        for number, name in enumerate(names):
            pixels = np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "rgb" / f"{name}{suffix}", lossless=True)
            millimetres = np.full(size, 1000 + number, dtype=np.uint16)
            millimetres[0, 0] = 0
            Image.fromarray(millimetres).save(root / "depth" / f"{name}.png")
        if intrinsics is not None:
            (root / "intrinsics.txt").write_text(intrinsics, encoding="utf-8")
        return root

    return make


MakeMat = Callable[..., Path]


@pytest.fixture
def make_mat(tmp_path: Path) -> MakeMat:
    """Write a `.mat` of the labelled set: user block, reversed axes, text through references (FACTS 1.2, 1.3, 10)."""
    h5py = pytest.importorskip("h5py")

    def make(
        count: int = 12,
        size: tuple[int, int] = (6, 8),
        leave_out: tuple[str, ...] = (),
        change: dict[str, np.ndarray[Any, Any]] | None = None,
    ) -> Path:
        path = tmp_path / "nyu_depth_v2_labeled.mat"
        arrays = frames(count, size)
        height, width = size
        with h5py.File(path, "w", userblock_size=512) as file:
            matlab = {
                "images": arrays["images"].transpose(0, 3, 2, 1),
                "depths": arrays["depths"].transpose(0, 2, 1),
                "rawDepths": arrays["rawDepths"].transpose(0, 2, 1),
                **(change or {}),
            }
            assert matlab["images"].shape[1:] == (3, width, height) or change
            for key, values in matlab.items():
                if key not in leave_out:
                    file.create_dataset(key, data=values).attrs["MATLAB_class"] = np.bytes_(
                        {"u": "uint8", "f": "single"}[values.dtype.kind]
                    )
            scenes = file.create_dataset("scenes", (1, count), dtype=h5py.ref_dtype)
            scenes.attrs["MATLAB_class"] = np.bytes_("cell")
            for i in range(count):
                codes = np.frombuffer(f"küche_{i // 3:04d}".encode("utf-16-le"), dtype="<u2")[:, None]
                text = file.create_dataset(f"#refs#/scene{i}", data=codes)
                text.attrs["MATLAB_class"] = np.bytes_("char")
                scenes[0, i] = text.ref
        header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan 1 00:00:00 2013 HDF5 schema 1.00 ."
        with path.open("r+b") as raw:
            raw.write(header.ljust(116) + bytes(8) + b"\x00\x02IM")
        return path

    return make


def frames(count: int, size: tuple[int, int]) -> dict[str, np.ndarray[Any, Any]]:
    """What `make_mat` writes, in our axes: images (N, H, W, 3), depths and rawDepths (N, H, W)."""
    rng = np.random.default_rng(7)
    depths = rng.uniform(0.7, 9.0, (count, *size)).astype(np.float32)
    raw = depths.copy()
    raw[:, 1, 2:5] = 0.0
    return {"images": rng.integers(0, 256, (count, *size, 3), dtype=np.uint8), "depths": depths, "rawDepths": raw}


@pytest.fixture
def mat_frames() -> Callable[[int, tuple[int, int]], dict[str, np.ndarray[Any, Any]]]:
    """The arrays inside the file of `make_mat`."""
    return frames
