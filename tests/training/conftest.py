"""A tiny data set with depth that can be learned, and options for runs of a few seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from depthnet.config import LossConfig, OptimConfig, TrainConfig

COUNT, SIZE = 20, (48, 64)


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of 20 pairs: brighter is farther."""
    folder = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    for kind in ("rgb", "depth"):
        (folder / kind).mkdir()
    for index in range(COUNT):
        coarse = rng.integers(40, 250, (3, 4), dtype=np.uint8)
        grey = np.asarray(Image.fromarray(coarse).resize(SIZE[::-1], Image.Resampling.BILINEAR))
        Image.fromarray(np.repeat(grey[..., None], 3, 2)).save(folder / "rgb" / f"frame_{index:02d}.png")
        Image.fromarray(grey.astype(np.uint16) * 16 + 500).save(folder / "depth" / f"frame_{index:02d}.png")
    (folder / "intrinsics.txt").write_text("60 60 31.5 23.5 64 48\n")
    (folder / "val.txt").write_text("\n".join(f"frame_{index:02d}" for index in range(16, 20)) + "\n")
    (folder / "train.txt").write_text("\n".join(f"frame_{index:02d}" for index in range(16)) + "\n")
    return folder


@pytest.fixture
def tiny(pairs: Path) -> TrainConfig:
    """Options of a run of three epochs of four batches."""
    return TrainConfig(
        data=str(pairs), size=(32, 48), epochs=3, batch_size=4, workers=0, threads=1, log_every=1, accelerator="cpu",
        precision="32", loss=LossConfig(terms={"eigen": 1.0}), optim=OptimConfig(lr=1e-3, ema=0.9),
    )  # fmt: skip
