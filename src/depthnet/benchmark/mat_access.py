"""Random access to a labelled `.mat` from 2 worker processes: ours against opening the file anew for every frame.

The file has the real shapes, 640x480 and gzip-compressed, with one frame to a chunk; what is read from the disk is
counted by the system and set against what a frame takes in the file.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthnet.benchmark.timing import measure, result
from depthnet.data.nyu import NyuLabeledDataset

COUNT, WORKERS, SIZE = 64, 2, (480, 640)
RIVAL = "the file opened anew for each frame, 2 workers"
Frames = list[int]

_dataset: NyuLabeledDataset | None = None


def run() -> dict[str, dict[str, Any]]:
    """Seconds per frame (image and depth) in random order."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nyu_depth_v2_labeled.mat"
        chunks, stored = write_mat(path)
        order = np.random.default_rng(0).permutation(COUNT)
        parts: list[Frames] = [part.tolist() for part in np.array_split(order, WORKERS)]
        context = multiprocessing.get_context("spawn")  # PyTorch's threads of other benchmarks must not be forked
        with ProcessPoolExecutor(WORKERS, context, _open, (str(path),)) as pool:
            seconds = measure(
                {"ours": lambda: list(pool.map(_read_ours, parts)), "rival": lambda: list(pool.map(_read_anew, parts))},
                repeats=5,
            )
            read = sum(pool.map(_read_ours, parts))
    return {
        "loader-mat": result(
            seconds["ours"] / COUNT, seconds["rival"] / COUNT, RIVAL, "s per 640x480 frame",
            frames_per_s=COUNT / seconds["ours"], chunks=chunks, compression="gzip 4",
            stored_mb_per_frame=stored / COUNT / 1e6, read_mb_per_frame=read / COUNT / 1e6,
        )
    }  # fmt: skip


def write_mat(path: Path) -> tuple[str, int]:
    """Write frames that compress like photos and depth; gives the chunk shapes and the bytes of all chunks."""
    import h5py

    rng = np.random.default_rng(0)
    height, width = SIZE
    shapes = {"images": ((3, width, height), np.uint8), "depths": ((width, height), np.float32)}
    with h5py.File(path, "w", userblock_size=512) as file:
        sets = {
            name: file.create_dataset(name, (COUNT, *shape), kind, chunks=(1, *shape), compression=4)
            for name, (shape, kind) in shapes.items()
        }
        for index in range(COUNT):
            image, depth = _frame(rng)
            sets["images"][index], sets["depths"][index] = image.transpose(2, 1, 0), depth.T
        stored = [one.id.get_chunk_info(i).size for one in sets.values() for i in range(one.id.get_num_chunks())]
        return " and ".join(str(one.chunks) for one in sets.values()), sum(stored)


def _frame(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A picture with structure at every scale and the noise of a camera; walls with the noise of a sensor."""
    height, width = SIZE
    coarse = Image.fromarray(rng.integers(0, 256, (15, 20, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
    image = np.clip(smooth + rng.integers(-2, 3, smooth.shape, dtype=np.int16), 0, 255).astype(np.uint8)
    slope = np.linspace(1.0, rng.uniform(2.0, 8.0), width) + np.zeros((height, 1))
    return image, np.rint((slope + rng.normal(0, 0.005, SIZE)) * 1000).astype(np.float32) / np.float32(1000)


def _open(path: str) -> None:
    """Start of a worker: what a loader process gets."""
    global _dataset
    _dataset = NyuLabeledDataset(path)
    _dataset.read_raw(0)


def _read_ours(frames: Frames) -> int:
    """Read frames; gives the bytes read from files meanwhile, 0 where the system does not count them."""
    assert _dataset is not None
    before = _bytes_read()
    for index in frames:
        _dataset.read_raw(index)
    return _bytes_read() - before


def _read_anew(frames: Frames) -> None:
    """The same by the few lines that most scripts have."""
    import h5py

    assert _dataset is not None
    for index in frames:
        with h5py.File(_dataset.path, "r", locking=False) as file:
            np.ascontiguousarray(np.transpose(file["images"][index], (2, 1, 0)))
            np.ascontiguousarray(np.transpose(file["depths"][index], (1, 0)))


def _bytes_read() -> int:
    counters = Path("/proc/self/io")
    return int(counters.read_text().split()[1]) if counters.exists() else 0
