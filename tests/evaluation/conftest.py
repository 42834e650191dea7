"""A small data set in memory."""

from __future__ import annotations

import numpy as np
import pytest

from depthnet.data.samples import DepthDataset, RawSample


class Scenes(DepthDataset):
    """Random depth maps with holes and pixels beyond 10 m, in memory."""

    format = "memory"
    name = "scenes"
    default_protocol = "nyu"

    def __init__(self, names: tuple[str, ...] = ("a", "b"), size: tuple[int, int] = (96, 128), seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.names = list(names)
        self.depths = [np.float32(rng.uniform(0.5, 12.0, size) * (rng.random(size) > 0.2)) for _ in names]

    def read_raw(self, index: int) -> RawSample:
        depth = self.depths[index]
        K = np.diag([100.0, 100.0, 1.0]).astype(np.float32)
        image = np.zeros((*depth.shape, 3), np.uint8)
        image[:, : depth.shape[1] // 2] = index
        return RawSample(image=image, depth=depth, K=K, name=self.names[index])


@pytest.fixture
def make_scenes() -> type[Scenes]:
    """Builds the data set: names, size and seed are its arguments."""
    return Scenes
