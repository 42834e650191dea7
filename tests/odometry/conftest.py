"""A corner of a room whose pictures and depth are known exactly at every camera pose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from depthnet.geometry.se3 import se3_exp

#: Planes n . p = d in metres: a slanted wall, a floor, a side wall.
PLANES = np.array([[0.2, 0.0, 1.0, 2.5], [0.0, 1.0, 0.05, 0.9], [-1.0, 0.0, 0.3, 1.2]])


@dataclass(frozen=True)
class Room:
    """Camera and size of the pictures."""

    size: tuple[int, int] = (96, 128)

    @property
    def K(self) -> NDArray[np.float64]:  # noqa: N802
        height, width = self.size
        return np.array([[width * 0.82, 0.0, (width - 1) / 2], [0.0, width * 0.82, (height - 1) / 2], [0.0, 0.0, 1.0]])

    def frame(
        self, T_world_cam: NDArray[np.float64], gain: float = 1.0, bias: float = 0.0
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Picture, (H, W, 3) uint8, and z-depth in metres, (H, W)."""
        y, x = np.mgrid[0 : self.size[0], 0 : self.size[1]]
        rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(self.K).T @ T_world_cam[:3, :3].T
        centre = T_world_cam[:3, 3]
        with np.errstate(divide="ignore"):
            z = (PLANES[:, 3] - PLANES[:, :3] @ centre) / (rays @ PLANES[:, :3].T)
        depth = np.where(z > 0, z, np.inf).min(axis=-1)
        points = centre + rays * depth[..., None]
        waves = np.array([[9.0, 2.0, 4.0], [-3.0, 8.0, 5.0], [4.0, -5.0, 7.0], [15.0, 6.0, -11.0]])
        grey = 128 + 24 * np.sin(points @ waves.T + np.arange(4)).sum(axis=-1)
        picture = np.clip(np.rint(gain * grey + bias), 0, 255).astype(np.uint8)
        return np.repeat(picture[..., None], 3, axis=2), depth.astype(np.float32)

    def path(self, count: int, step: float = 1.0) -> list[NDArray[np.float64]]:
        """Poses of a hand that swings, beginning at the identity."""
        swing = np.array([0.1, 0.03, 0.05, 0.03, 0.12, 0.06])
        return [
            se3_exp(swing * np.sin(step * 0.12 * i * np.array([1.0, 1.7, 0.6, 1.3, 1.0, 0.8]))) for i in range(count)
        ]


@pytest.fixture(scope="session")
def room() -> Room:
    pytest.importorskip("numba")
    return Room()


@pytest.fixture
def video(room: Room, tmp_path: Path) -> Path:
    """A sequence folder of eight frames with ground truth."""
    folder = tmp_path / "walk"
    for part in ("images", "depth"):
        (folder / part).mkdir(parents=True)
    np.savetxt(folder / "K.txt", room.K)
    poses = room.path(8)
    for number, pose in enumerate(poses):
        image, depth = room.frame(pose)
        Image.fromarray(image).save(folder / "images" / f"{number:04d}.png")
        Image.fromarray(np.rint(depth * 1000).astype(np.uint16)).save(folder / "depth" / f"{number:04d}.png")
    np.savetxt(folder / "poses.txt", np.array(poses).reshape(-1, 16))
    return folder
