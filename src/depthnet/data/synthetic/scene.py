"""What a scene is to the renderer: an empty box (the shell of the room), solids in it, materials and lights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.data.synthetic.shapes import Solid, Solids, Vector, pack_solids
from depthnet.data.synthetic.textures import Material, Materials, pack_materials

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Light:
    """A lamp or a window: a flat patch that shines."""

    position: Floats
    """Centre, metres, (3,)."""
    power: Floats
    """Radiant intensity straight ahead, linear RGB, any unit, (3,)."""
    half_u: Floats
    """From the centre to one edge of the patch, metres, (3,)."""
    half_v: Floats
    """From the centre to the next edge, metres, (3,)."""
    facing: Floats
    """Unit direction that it shines to, falling off with the cosine; zeros for a lamp that shines all around, (3,)."""


def lamp(position: Vector, power: Vector, radius: float = 0.08) -> Light:
    """A lamp that shines all around; its patch of ``radius`` metres lies level."""
    return Light(
        np.array(position, float), np.array(power, float), np.array([radius, 0, 0]), np.array([0, radius, 0]),
        np.zeros(3),
    )  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """A box seen from inside, and what stands in it; z is up, the floor is at ``low[2]``, metres."""

    low: Floats
    """Lowest corner of the shell, (3,)."""
    high: Floats
    """Highest corner of the shell, (3,)."""
    shell: tuple[int, int, int, int, int, int]
    """Materials of the shell at low x, high x, low y, high y, floor and ceiling."""
    solids: tuple[Solid, ...]
    materials: tuple[Material, ...]
    lights: tuple[Light, ...]

    def ambient(self) -> Floats:
        """Light that arrives everywhere after many reflections, in the unit of the lights, (3,).

        Source: the equation of the integrating sphere, E = flux · rho / (area · (1 - rho)), here with rho = 0.45.
        """
        width, depth, height = self.high - self.low
        area = 1.5 * 2 * (width * depth + width * height + depth * height)
        flux = sum((one.power * (np.pi if one.facing.any() else 4 * np.pi) for one in self.lights), np.zeros(3))
        reflected: Floats = flux / area * (0.45 / 0.55)
        return reflected


@dataclass(frozen=True)
class PackedScene:
    """A scene as arrays, NumPy or torch, ready for many pictures."""

    low: Any
    high: Any
    """Corners of the shell, metres, (3,)."""
    shell: Any
    """Rows of the shell's materials, (6,) int64."""
    solids: Solids
    materials: Materials
    lights: tuple[Light, ...]
    ambient: Floats

    def on(self, device: str) -> PackedScene:
        """The same as torch tensors on a device; pictures are then rendered there.

        Raises:
            MissingTierError: if PyTorch is not installed.
        """
        try:
            import torch
        except ImportError as error:
            from depthnet.errors import MissingTierError

            raise MissingTierError(
                "Rendering on a device needs PyTorch: pip install 'depthnet[train]' (NumPy renders without it)."
            ) from error
        low, high, shell = (torch.as_tensor(one).to(device) for one in (self.low, self.high, self.shell))
        return PackedScene(
            low, high, shell, self.solids.on(device), self.materials.on(device), self.lights, self.ambient
        )


def pack_scene(scene: Scene, dtype: type[np.floating[Any]] = np.float32) -> PackedScene:
    """Put a scene into arrays."""
    return PackedScene(
        low=scene.low.astype(dtype),
        high=scene.high.astype(dtype),
        shell=np.array(scene.shell, np.int64),
        solids=pack_solids(scene.solids, dtype),
        materials=pack_materials(scene.materials, dtype),
        lights=scene.lights,
        ambient=scene.ambient(),
    )
