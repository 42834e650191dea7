"""A piece of furniture as solids around its own place on the floor, and what helps to build one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from depthnet.data.synthetic.palette import Palette
from depthnet.data.synthetic.scene import Light
from depthnet.data.synthetic.shapes import Solid, Vector, box, cylinder, ellipsoid, slab, turn_about


@dataclass(frozen=True)
class Top:
    """A level place to put things on."""

    low: tuple[float, float, float]
    """Corner with the smallest x and y, and the height, metres."""
    high: tuple[float, float, float]
    """Corner with the largest x and y, and the height up to which there is room, metres."""


@dataclass(frozen=True)
class Piece:
    """Something to place: x to its right, y to its back, z up, the origin at the middle of its place on the floor."""

    name: str
    solids: tuple[Solid, ...]
    tops: tuple[Top, ...] = ()
    lights: tuple[Light, ...] = ()
    yaw_rad: float = 0.0
    """How far it has been turned about the vertical since it was built."""

    @property
    def extent(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest corner of the upright box around it, metres, (3,) each."""
        corners = [one.extent() for one in self.solids]
        return np.min([low for low, _ in corners], axis=0), np.max([high for _, high in corners], axis=0)

    def placed(self, offset: Vector, yaw_rad: float) -> Piece:
        """The same piece turned about the vertical and moved. Tops keep their size only at quarter turns, which is
        how pieces with tops stand."""
        rotation, move = turn_about(2, yaw_rad), np.asarray(offset, float)
        tops = []
        for top in self.tops:
            corners = rotation @ np.array([top.low, top.high]).T + move[:, None]
            low, high = corners.min(axis=1), corners.max(axis=1)
            tops.append(Top((low[0], low[1], low[2]), (high[0], high[1], high[2])))
        lights = [
            replace(
                one, position=rotation @ one.position + move, facing=rotation @ one.facing,
                half_u=rotation @ one.half_u, half_v=rotation @ one.half_v,
            )
            for one in self.lights
        ]  # fmt: skip
        return Piece(
            self.name,
            tuple(one.moved(rotation, move) for one in self.solids),
            tuple(tops),
            tuple(lights),
            self.yaw_rad + yaw_rad,
        )


Builder = Callable[[np.random.Generator, Palette], Piece]


def legs(width: float, depth: float, height: float, radius: float, material: int, inset: float = 0.04) -> list[Solid]:
    """Four round legs under a rectangle around the origin, metres."""
    x, y = width / 2 - inset, depth / 2 - inset
    return [cylinder((i * x, j * y, 0), radius, height, material) for i in (-1, 1) for j in (-1, 1)]


def square_legs(width: float, depth: float, height: float, side: float, material: int) -> list[Solid]:
    """Four square legs flush with the corners of a rectangle around the origin, metres."""
    x, y = (width - side) / 2, (depth - side) / 2
    return [box((i * x, j * y, height / 2), (side, side, height), material) for i in (-1, 1) for j in (-1, 1)]


def fronts(
    low: Vector, high: Vector, columns: int, rows: int, material: int, knob: int | None, rng: np.random.Generator
) -> list[Solid]:
    """Doors or drawers: plates with gaps in front (smaller y) of a face, with knobs or bars.

    Args:
        low: lower left corner of the face (x, y, z), metres.
        high: upper right corner; y is that of ``low``.
        columns: plates side by side.
        rows: plates above one another.
        material: of the plates.
        knob: material of the handles; None for none.
        rng: chooses the kind of handle.
    """
    low, high = np.asarray(low, float), np.asarray(high, float)
    step = (high - low) / (columns, 1, rows)
    bars = rng.random() < 0.5
    solids = []
    for column in range(columns):
        for row in range(rows):
            corner = low + step * (column, 0, row)
            start = np.add(corner, (0.006, -0.018, 0.006))
            solids.append(slab(start, np.add(corner, (step[0] - 0.006, 0, step[2] - 0.006)), material))
            if knob is None:
                continue
            tall = step[2] > 1.2 * step[0]
            inner = step[0] - 0.05 if column % 2 == 0 else 0.05
            up = min(1.0, step[2] * 0.55) if tall else step[2] * 0.55
            at = np.add(corner, (inner if tall else step[0] / 2, -0.03, up))
            if bars:
                size = (0.015, 0.025, 0.14) if tall else (0.14, 0.025, 0.015)
                solids.append(box(at, size, knob))
            else:
                solids.append(ellipsoid(at, (0.016, 0.016, 0.016), knob))
    # Plates and knobs lie so near to the body that their shadows cannot be seen; they are many.
    return [replace(one, casts=False) for one in solids]


def books(
    low: Vector, width: float, depth: float, room: float, rng: np.random.Generator, palette: Palette, most: int = 12
) -> list[Solid]:
    """A row of standing books from a corner (x, y, z) to the right, metres; some rows stop early or lie in a pile."""
    x, y, z = (float(one) for one in low)
    solids: list[Solid] = []
    tall = min(room - 0.02, rng.uniform(0.18, 0.3))
    if tall < 0.1:
        return solids
    if rng.random() < 0.15:
        return pile((x + width / 2, y + depth / 2, z), min(width, 0.28), min(depth, 0.2), tall, rng, palette)
    end = x + width * rng.uniform(0.4, 1.0)
    while len(solids) < most:
        thick = rng.uniform(0.02, 0.07)
        if x + thick > end:
            break
        deep, high = min(depth, rng.uniform(0.13, 0.22)), tall * rng.uniform(0.75, 1.0)
        solids.append(slab((x, y, z), (x + thick - 0.002, y + deep, z + high), palette.book()))
        x += thick
    return solids


def pile(
    at: Vector, width: float, depth: float, room: float, rng: np.random.Generator, palette: Palette
) -> list[Solid]:
    """Books or papers that lie on one another around a point (x, y, z), metres."""
    x, y, z = (float(one) for one in at)
    solids = []
    for _ in range(int(rng.integers(1, 6))):
        thick = rng.uniform(0.012, 0.05)
        if thick > room:
            break
        shrink = rng.uniform(0.75, 1.0)
        one = box((0, 0, 0), (width * shrink, depth * shrink, thick), palette.book())
        angle = rng.uniform(-0.25, 0.25) * (1.0 - shrink)
        solids.append(one.moved(turn_about(2, angle), (x, y, z + thick / 2)))
        z, room = z + thick, room - thick
    return solids


def around(count: int, radius: float, phase: float = 0.0) -> list[tuple[float, float]]:
    """Points (x, y) evenly on a circle, metres."""
    return [
        (radius * math.cos(phase + 2 * math.pi * k / count), radius * math.sin(phase + 2 * math.pi * k / count))
        for k in range(count)
    ]


def solids_extent(solids: Sequence[Solid]) -> NDArray[np.float64]:
    """Upright boxes around solids: (N, 2, 3), lowest and highest corners, metres."""
    if not solids:
        return np.zeros((0, 2, 3))
    return np.array([one.extent() for one in solids])
