"""The loader against the training step that it feeds: it must not hold training back; and a `.mat` in random order."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from depthnet.benchmark import mat_access
from depthnet.benchmark.timing import measure, result
from depthnet.benchmark.train import BATCH, training_step
from depthnet.config import TrainConfig
from depthnet.data import open_dataset
from depthnet.data.samples import CachedDataset
from depthnet.training.loader import TrainSamples
from depthnet.training.run import native_bf16

SIZE, COUNT = (240, 320), 32


def run() -> dict[str, dict[str, Any]]:
    """Seconds per sample of the loader on one core (cached files, modern recipe) and of ``mobile``'s step on all.

    ``loader-mat`` is a frame of a labelled `.mat`, from 2 workers.
    """
    with tempfile.TemporaryDirectory() as folder:
        _write_pairs(Path(folder))
        config = TrainConfig(data=folder, size=SIZE)
        samples = {
            "cached": TrainSamples(CachedDataset(open_dataset(folder)), config),
            "decoded": TrainSamples(open_dataset(folder), config),
        }
        step = training_step("mobile", SIZE, channels_last=True, bf16=native_bf16(), freeze=3)
        functions: dict[str, Any] = {
            name: lambda chosen=chosen: [chosen[0, index] for index in range(COUNT)] for name, chosen in samples.items()
        }
        seconds = measure({**functions, "step": step}, repeats=3)
    rival, unit = "the training step of mobile on all cores, batch 16", "s per sample"
    per_step = seconds["step"] / BATCH
    cached, decoded = seconds["cached"] / COUNT, seconds["decoded"] / COUNT
    return {
        "loader": result(cached, per_step, rival, unit, loads="decoded frames kept in memory, 1 core"),
        "loader-files": result(decoded, per_step, rival, unit, loads="WebP and PNG files, 1 core"),
        **mat_access.run(),
    }


def _write_pairs(folder: Path) -> None:
    """Pairs like the NYU training tree: 320x240 WebP and 16-bit PNG."""
    rng = np.random.default_rng(0)
    for kind in ("rgb", "depth"):
        (folder / kind).mkdir()
    for index in range(COUNT):
        coarse = Image.fromarray(rng.integers(0, 256, (15, 20, 3), dtype=np.uint8))
        coarse.resize(SIZE[::-1], Image.Resampling.BICUBIC).save(folder / "rgb" / f"{index:04d}.webp", quality=90)
        slope = np.linspace(1000, 5000, SIZE[1]) + rng.integers(0, 40, SIZE)
        Image.fromarray(slope.astype(np.uint16)).save(folder / "depth" / f"{index:04d}.png")
    (folder / "intrinsics.txt").write_text("259.4 259.7 162.5 126.6 320 240\n")
