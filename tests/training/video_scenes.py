"""Tiny videos with exact depth and poses: a camera that moves in the corner of a painted room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthnet.geometry.se3 import se3_exp

#: Height and width of the pictures.
SIZE = (32, 48)
K = np.array([[40.0, 0.0, 23.5], [0.0, 40.0, 15.5], [0.0, 0.0, 1.0]])
#: Walls n · p = d of the room: at the back, on the left and below.
WALLS = ((0.0, 0.0, 1.0, 2.5), (-0.8, 0.0, 0.6, 1.6), (0.0, 1.0, 0.0, 0.9))


def view(T_world_cam: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Picture (H, W, 3) and depth (H, W) from a pose; each point of the walls has one colour from everywhere."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(float)
    rays = np.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], np.ones_like(x)], -1) @ T_world_cam[:3, :3].T
    with np.errstate(divide="ignore"):
        hits = [(d - T_world_cam[:3, 3] @ n) / (rays @ n) for *axis, d in WALLS for n in [np.array(axis)]]
    depth = np.min([np.where(hit > 0, hit, np.inf) for hit in hits], axis=0)
    points = T_world_cam[:3, 3] + depth[..., None] * rays
    waves = np.random.default_rng(5).normal(size=(3, 6, 3)) * 3.0
    colours = [np.sin(points @ channel.T + np.arange(6)).mean(-1) for channel in waves]
    return np.rint(127 + 200 * np.stack(colours, -1).clip(-0.6, 0.6)).astype(np.uint8), depth.astype(np.float32)


def write_video(folder: Path, frames: int = 9, seed: int = 0, poses: bool = True, depth: bool = True) -> Path:
    """A sequence folder of frames within 8 cm and 3 degrees of one another on each axis."""
    rng = np.random.default_rng(seed)
    cameras = [se3_exp(rng.uniform(-1, 1, 6) * np.repeat([0.08, 0.05], 3)) for _ in range(frames)]
    (folder / "images").mkdir(parents=True)
    np.savetxt(folder / "K.txt", K)
    if poses:
        np.savetxt(folder / "poses.txt", np.array(cameras).reshape(frames, 16))
    for number, camera in enumerate(cameras):
        image, metres = view(camera)
        Image.fromarray(image).save(folder / "images" / f"{number:04d}.png")
        if depth:
            (folder / "depth").mkdir(exist_ok=True)
            Image.fromarray(np.rint(metres * 1000).astype(np.uint16)).save(folder / "depth" / f"{number:04d}.png")
    return folder
