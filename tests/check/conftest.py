"""Rooms in memory: right as they are, until a test breaks one thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from depthnet.data.samples import DepthDataset, RawSample, build_intrinsics

HEIGHT, WIDTH = 96, 128
Change = Callable[[RawSample, int], RawSample]


def room(index: int) -> RawSample:
    """A corridor of box shape with its own size and noise, seen along its axis; depth in whole millimetres."""
    rng = np.random.default_rng(index)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    ray_x, ray_y = (x - 63.5) / 104.0, (y - 47.5) / 104.0
    left, right, floor, ceiling, end = rng.uniform((0.8, 0.8, 0.9, 1.6, 4.0), (1.5, 1.5, 1.2, 2.2, 6.0))
    with np.errstate(divide="ignore"):
        walls = [
            np.where(ray_x < 0, -left / ray_x, right / ray_x),
            np.where(ray_y > 0, floor / ray_y, -ceiling / ray_y),
        ]
    depth = np.minimum(np.minimum(*walls), end) * (1 + rng.normal(0, 0.001, (HEIGHT, WIDTH)))
    depth = np.rint(depth * 1000).astype(np.float32) / np.float32(1000)
    depth[rng.random(depth.shape) < 0.05] = 0
    T = np.eye(4)
    T[2, 3] = 0.1 * index
    return RawSample(
        image=rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8),
        depth=depth,
        K=build_intrinsics(104.0, 104.0, 63.5, 47.5),
        name=f"{index:04d}",
        T_world_cam=T,
        time_s=100.0 + index / 30,
    )


class Rooms(DepthDataset):
    """Twelve rooms, each changed by a function of (sample, index)."""

    default_protocol = "none"

    def __init__(self, change: Change, format: str = "folder", count: int = 12) -> None:
        self.name, self.format, self._change = "rooms", format, change
        self.names = [f"{index:04d}" for index in range(count)]

    def read_raw(self, index: int) -> RawSample:
        return self._change(room(index), index)


@pytest.fixture
def rooms() -> Callable[..., Rooms]:
    """Build a data set of rooms; ``scale`` multiplies the depth, ``change`` is any function of (sample, index)."""

    def build(change: Change | None = None, scale: float = 1.0, **options: Any) -> Rooms:
        def both(sample: RawSample, index: int) -> RawSample:
            assert sample.depth is not None
            scaled = replace(sample, depth=sample.depth * np.float32(scale))
            return scaled if change is None else change(scaled, index)

        return Rooms(both, **options)

    return build
