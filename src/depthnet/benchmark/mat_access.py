"""Random access to a labelled `.mat` from 2 worker processes: ours against opening the file anew for every frame.

The file has the real shapes, 640x480 and gzip-compressed, with one frame to a chunk; what is read from the disk is
counted by the system and set against what a frame takes in the file. The time is that of the processors: decompressing
is all there is to do, and on a machine with other work the clock on the wall told anything from 11 to 180 ms.

The rival has workers of its own. HDF5 shares an open file within a process, so in ours it would not open anything anew.
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthnet.benchmark.timing import result
from depthnet.data.nyu.labeled import NyuLabeledDataset

COUNT, WORKERS, REPEATS, SIZE = 64, 2, 5, (480, 640)
RIVAL = "the file opened anew for each frame, 2 workers"
Frames = list[int]

_dataset: NyuLabeledDataset | None = None


@dataclass(frozen=True)
class Pass:
    """What one reading of all frames took."""

    cpu_s: float
    """Processor seconds of all workers together."""
    wall_s: float
    read_bytes: int
    """Bytes read from files; 0 where the system does not count them."""


def run() -> dict[str, dict[str, Any]]:
    """Processor seconds per frame (image and depth) in random order."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nyu_depth_v2_labeled.mat"
        chunks, stored = write_mat(path)
        order = np.random.default_rng(0).permutation(COUNT)
        parts: list[Frames] = [part.tolist() for part in np.array_split(order, WORKERS)]
        context = multiprocessing.get_context("spawn")  # PyTorch's threads of other benchmarks must not be forked
        with (
            ProcessPoolExecutor(WORKERS, context, _open, (str(path),)) as ours,
            ProcessPoolExecutor(WORKERS, context) as rival,
        ):
            turns = [
                (_pass(ours, _read_ours, parts, path), _pass(rival, _read_anew, parts, path))
                for _ in range(1 + REPEATS)
            ][1:]  # the first one starts the processes
    (our_cpu, rival_cpu), (our_wall, _) = (
        [statistics.median(getattr(turn[side], field) for turn in turns) for side in (0, 1)]
        for field in ("cpu_s", "wall_s")
    )
    read = statistics.median(turn[0].read_bytes for turn in turns)
    return {
        "loader-mat": result(
            our_cpu / COUNT, rival_cpu / COUNT, RIVAL, "processor s per 640x480 frame",
            frames_per_s=COUNT / our_wall, chunks=chunks, compression="gzip 4",
            stored_mb_per_frame=stored / COUNT / 1e6, read_mb_per_frame=read / COUNT / 1e6,
        )
    }  # fmt: skip


def _pass(
    pool: ProcessPoolExecutor, read: Callable[[Frames, Path], tuple[float, int]], parts: list[Frames], path: Path
) -> Pass:
    start = time.perf_counter()
    done = list(pool.map(read, parts, [path] * len(parts)))
    return Pass(sum(cpu for cpu, _ in done), time.perf_counter() - start, sum(size for _, size in done))


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


def _read_ours(frames: Frames, path: Path) -> tuple[float, int]:
    """Read frames; gives the processor seconds of this process, and the bytes that it read from files."""
    assert _dataset is not None
    start, before = time.process_time(), _bytes_read()
    for index in frames:
        _dataset.read_raw(index)
    return time.process_time() - start, _bytes_read() - before


def _read_anew(frames: Frames, path: Path) -> tuple[float, int]:
    """The same by the few lines that most scripts have."""
    import h5py

    start, before = time.process_time(), _bytes_read()
    for index in frames:
        with h5py.File(path, "r", locking=False) as file:
            np.ascontiguousarray(np.transpose(file["images"][index], (2, 1, 0)))
            np.ascontiguousarray(np.transpose(file["depths"][index], (1, 0)))
    return time.process_time() - start, _bytes_read() - before


def _bytes_read() -> int:
    counters = Path("/proc/self/io")
    return int(counters.read_text().split()[1]) if counters.exists() else 0
