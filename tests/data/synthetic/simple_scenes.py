"""Scenes of a few solids for tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.data.synthetic.scene import Light, PackedScene, Scene, lamp, pack_scene
from depthnet.data.synthetic.shapes import Solid, box, cone, cylinder, ellipsoid, rod, rounded, turn_about
from depthnet.data.synthetic.textures import PLAIN, Material

GREY = Material(PLAIN, ((0.5, 0.5, 0.5),) * 3, amount=0.0)
#: From the camera's axes (x right, y down, z forward) to a world where it looks along +y and z is up.
ALONG_Y = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])


def pack(
    solids: tuple[Solid, ...],
    lights: tuple[Light, ...] = (),
    materials: tuple[Material, ...] = (GREY,),
    dtype: Any = np.float64,
) -> PackedScene:
    """A shell of 10 m by 10 m by 4 m around the origin of the floor, and solids in it."""
    scene = Scene(
        low=np.array([-5.0, -5.0, 0.0]), high=np.array([5.0, 5.0, 4.0]), shell=(0,) * 6, solids=solids,
        materials=materials, lights=lights or (lamp((0, 0, 3.5), (1, 1, 1)),),
    )  # fmt: skip
    return pack_scene(scene, dtype)


def camera(x: float, y: float, z: float, turn: NDArray[np.float64] = ALONG_Y) -> NDArray[np.float64]:
    """T_world_cam of a camera at a place; by default it looks along +y."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn, (x, y, z)
    return matrix


def intrinsics(focal: float, cx: float, cy: float) -> NDArray[np.float64]:
    return np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1.0]])


def clutter(seed: int, count: int) -> tuple[Solid, ...]:
    """Solids of all kinds, turned in all ways, in front of a camera at (0, -4, 1.5)."""
    rng = np.random.default_rng(seed)
    solids = []
    for number in range(count):
        size = rng.uniform(0.05, 0.5, 3)
        solid = (
            box((0, 0, 0), size, 0),
            cone((0, 0, 0), (size[0], size[1]), size[2], 0),
            cylinder((0, 0, 0), size[0], size[1], 0),
            ellipsoid((0, 0, 0), size, 0),
            rounded((0, 0, 0), size, 0.04, 0),
            rod((0, 0, 0), size, 0.03, 0),
        )[number % 6]
        turn = turn_about(2, rng.uniform(0, 6))
        if number % 2:
            turn = turn @ turn_about(0, rng.uniform(0, 6))
        solids.append(solid.moved(turn, rng.uniform((-2, -2, 0.5), (2, 4, 2.5))))
    return tuple(solids)
