"""Solid shapes: how they are described, packed into arrays, and where a line enters them.

Four kinds are enough for a furnished room, all of them convex and closed:

- BOX: half sizes along its own axes;
- CONE: a frustum along its z axis with a radius at the bottom and one at the top (equal: a cylinder);
- ELLIPSOID: three radii (equal: a sphere);
- ROUNDED: a box grown by a radius on all sides (a box with half size 0 but one: a capsule).

A convex solid is entered at most once by a line. Only that entrance counts: a ray that starts inside a solid leaves it
unseen. The functions take NumPy arrays and torch tensors (array API), any number of dimensions, and cost 25 to 40
passes over the rays (ROUNDED: up to 130 over those that come near).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from array_api_compat import device as device_of
from numpy.typing import NDArray

BOX, CONE, ELLIPSOID, ROUNDED = range(4)

#: Newton steps towards a rounded box; the error left at a grazing ray is below 1e-5 of its size.
_STEPS = 8
_TINY = 1e-20

Vector = Sequence[float] | NDArray[np.float64]
Components = tuple[Any, Any, Any]


@dataclass(frozen=True)
class Solid:
    """One convex solid."""

    kind: int
    """BOX, CONE, ELLIPSOID or ROUNDED."""
    center: NDArray[np.float64]
    """Centre of its bounding box, metres, (3,)."""
    half: NDArray[np.float64]
    """BOX: half sizes; CONE: bottom radius, top radius, half height; ELLIPSOID: radii; ROUNDED: half sizes of the
    box inside. Metres, (3,)."""
    material: int
    """Row of the scene's materials."""
    rounding: float = 0.0
    """ROUNDED: what the box inside is grown by, metres."""
    rotation: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    """From its own axes to those around it, (3, 3)."""
    casts: bool = True
    """Whether it throws a shadow; lamps let their own light out."""

    @property
    def bound(self) -> NDArray[np.float64]:
        """Half sizes of the box around it along its own axes, metres, (3,)."""
        if self.kind == CONE:
            radius = max(self.half[0], self.half[1])
            return np.array([radius, radius, self.half[2]])
        return self.half + (self.rounding if self.kind == ROUNDED else 0.0)

    def moved(self, rotation: NDArray[np.float64], offset: Vector) -> Solid:
        """The same solid after p -> rotation @ p + offset."""
        return replace(self, center=rotation @ self.center + np.asarray(offset), rotation=rotation @ self.rotation)

    def extent(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest corner of the upright box around it, metres, (3,) each."""
        reach = np.abs(self.rotation) @ self.bound
        return self.center - reach, self.center + reach


def turn_about(axis: int, angle_rad: float) -> NDArray[np.float64]:
    """Rotation matrix (3, 3) by an angle about coordinate axis 0, 1 or 2 (right-handed)."""
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    matrix = np.eye(3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[i, i] = matrix[j, j] = c
    matrix[i, j], matrix[j, i] = -s, s
    return matrix


def box(center: Vector, size: Vector, material: int, casts: bool = True) -> Solid:
    """A box by its centre and full sizes, metres."""
    return Solid(BOX, np.array(center, float), np.array(size, float) / 2, material, casts=casts)


def slab(low: Vector, high: Vector, material: int) -> Solid:
    """A box by its lowest and highest corner, metres."""
    low, high = np.asarray(low, float), np.asarray(high, float)
    return box((low + high) / 2, high - low, material)


def cone(base: Vector, radii: tuple[float, float], height: float, material: int, casts: bool = True) -> Solid:
    """An upright frustum by the centre of its base, its radii below and above, and its height, metres."""
    center = np.add(base, (0.0, 0.0, height / 2))
    return Solid(CONE, center, np.array([radii[0], radii[1], height / 2]), material, casts=casts)


def cylinder(base: Vector, radius: float, height: float, material: int, casts: bool = True) -> Solid:
    """An upright cylinder by the centre of its base, metres."""
    return cone(base, (radius, radius), height, material, casts)


def rod(start: Vector, end: Vector, radius: float, material: int) -> Solid:
    """A cylinder between two points, metres."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    along = end - start
    length = float(np.linalg.norm(along))
    half = np.array([radius, radius, length / 2])
    return Solid(CONE, (start + end) / 2, half, material, rotation=_axes_with_z(along / length))


def ellipsoid(center: Vector, radii: Vector, material: int, casts: bool = True) -> Solid:
    """An ellipsoid by its centre and radii, metres."""
    return Solid(ELLIPSOID, np.array(center, float), np.array(radii, float), material, casts=casts)


def rounded(center: Vector, size: Vector, radius: float, material: int) -> Solid:
    """A box with rounded edges by its centre, full sizes and radius of the edges, metres."""
    full = np.asarray(size, float)
    radius = min(radius, float(full.min()) / 2)
    return Solid(ROUNDED, np.array(center, float), full / 2 - radius, material, radius)


def capsule(start: Vector, end: Vector, radius: float, material: int) -> Solid:
    """A rod with round ends; ``start`` and ``end`` are the centres of the ends, metres."""
    inner = rod(start, end, radius, material)
    return replace(inner, kind=ROUNDED, half=inner.half * (0.0, 0.0, 1.0), rounding=radius)


def _axes_with_z(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """A rotation (3, 3) that takes (0, 0, 1) to a unit direction."""
    other = np.eye(3)[int(np.argmin(np.abs(direction)))]
    x = np.cross(other, direction)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(direction, x), direction], axis=1)


@dataclass(frozen=True)
class Solids:
    """Many solids as arrays, NumPy or torch; row i of each belongs to solid i."""

    kind: Any
    """(N,) int64."""
    center: Any
    """Metres, (N, 3)."""
    half: Any
    """As `Solid.half`, metres, (N, 3)."""
    rounding: Any
    """Metres, (N,)."""
    to_local: Any
    """From world axes to the solid's own, (N, 3, 3)."""
    bound: Any
    """Half sizes of the box around it along its own axes, metres, (N, 3)."""
    tilted: Any
    """True where the solid's z axis is not upright, (N,)."""
    casts: Any
    """(N,) bool."""
    material: Any
    """(N,) int64."""

    def __len__(self) -> int:
        return int(self.kind.shape[0])

    def on(self, device: str) -> Solids:
        """The same as torch tensors on a device."""
        import torch

        return Solids(*(torch.as_tensor(getattr(self, one.name)).to(device) for one in fields(self)))


def pack_solids(solids: Sequence[Solid], dtype: type[np.floating[Any]] = np.float32) -> Solids:
    """Put solids into arrays, in their order."""

    def floats(rows: list[Any], *shape: int) -> NDArray[Any]:
        return np.array(rows, dtype).reshape(len(solids), *shape)

    return Solids(
        kind=np.array([one.kind for one in solids], np.int64),
        center=floats([one.center for one in solids], 3),
        half=floats([one.half for one in solids], 3),
        rounding=floats([one.rounding for one in solids]),
        to_local=floats([one.rotation.T for one in solids], 3, 3),
        bound=floats([one.bound for one in solids], 3),
        tilted=np.array([abs(one.rotation[2, 2] - 1.0) > 1e-12 for one in solids], bool),
        casts=np.array([one.casts for one in solids], bool),
        material=np.array([one.material for one in solids], np.int64),
    )


def enter_solid(kind: int, origin: Components, direction: Components, half: Components, rounding: Any) -> Any:
    """Where lines enter solids of one kind, in the solids' own axes.

    Args:
        kind: BOX, CONE, ELLIPSOID or ROUNDED.
        origin: x, y and z of a point of each line, metres.
        direction: x, y and z of its direction, any length.
        half: the three numbers of `Solid.half`, broadcast against the lines.
        rounding: `Solid.rounding`, likewise.

    Returns:
        t of the entrance at origin + t * direction, also negative; infinity where the line misses.
    """
    if kind == BOX:
        return _enter_box(origin, direction, half)
    if kind == CONE:
        return _enter_cone(origin, direction, half)
    if kind == ELLIPSOID:
        return _enter_ellipsoid(origin, direction, half)
    return _enter_rounded(origin, direction, half, rounding)


def cross_box(origin: Components, direction: Components, half: Components) -> tuple[Any, Any]:
    """t of the entrance and exit of lines through boxes; the entrance is behind the exit where a line misses.

    Source: Kay & Kajiya, Ray Tracing Complex Scenes, SIGGRAPH 1986.
    """
    xp = array_namespace(*direction)
    before, behind = None, None
    for o, d, h in zip(origin, direction, half, strict=True):
        inverse = 1.0 / (d + _TINY)  # a direction of exactly 0 gives a huge number, no NaN
        middle, reach = o * inverse, h * xp.abs(inverse)
        first, last = reach + middle, reach - middle
        before = first if before is None else xp.minimum(before, first)
        behind = last if behind is None else xp.minimum(behind, last)
    return -before, behind  # type: ignore[operator]


def _enter_box(origin: Components, direction: Components, half: Components) -> Any:
    xp = array_namespace(*direction)
    enter, leave = cross_box(origin, direction, half)
    return xp.where(enter <= leave, enter, math.inf)


def _enter_ellipsoid(origin: Components, direction: Components, half: Components) -> Any:
    xp = array_namespace(*direction)
    (ox, oy, oz), (dx, dy, dz) = ([a / h for a, h in zip(one, half, strict=True)] for one in (origin, direction))
    squared = dx * dx + dy * dy + dz * dz
    nearest = -(ox * dx + oy * dy + oz * dz) / squared
    px, py, pz = ox + nearest * dx, oy + nearest * dy, oz + nearest * dz
    inside = (1.0 - (px * px + py * py + pz * pz)) / squared
    return xp.where(inside >= 0, nearest - xp.sqrt(xp.abs(inside)), math.inf)


def _enter_cone(origin: Components, direction: Components, half: Components) -> Any:
    """Entrance through the side, x² + y² = (a + b·z)², or through the cap that faces the line.

    With A·t² + 2·B·t + C for the side, the line enters at the root where the form falls: (-B - √(B² - A·C)) / A,
    whatever the sign of A; written as C / (√ - B) where B < 0 to stay exact when A vanishes.
    """
    xp = array_namespace(*direction)
    (ox, oy, oz), (dx, dy, dz) = origin, direction
    bottom, top, height = half
    # From the point of the line nearest to the centre on, the numbers are as small as the solid.
    nearest = -(ox * dx + oy * dy + oz * dz) / (dx * dx + dy * dy + dz * dz)
    ox, oy, oz = ox + nearest * dx, oy + nearest * dy, oz + nearest * dz
    slope = (top - bottom) / (2.0 * height)
    radius = (top + bottom) / 2.0 + slope * oz
    rise = slope * dz
    a = dx * dx + dy * dy - rise * rise
    b = ox * dx + oy * dy - rise * radius
    c = ox * ox + oy * oy - radius * radius
    inside = b * b - a * c
    root = xp.sqrt(xp.where(inside > 0, inside, 0.0))
    falling = b < 0
    side = xp.where(falling, c, -b - root) / _away_from_zero(xp.where(falling, root - b, a))
    met = (inside > 0) & (xp.abs(oz + side * dz) <= height) & (radius + side * rise >= 0)
    side = xp.where(met, side, math.inf)
    up = dz > 0
    cap = (xp.where(up, -height, height) - oz) / _away_from_zero(dz)
    x, y = ox + cap * dx, oy + cap * dy
    rim = xp.where(up, bottom, top)
    cap = xp.where(x * x + y * y <= rim * rim, cap, math.inf)
    return nearest + xp.minimum(side, cap)


def _enter_rounded(origin: Components, direction: Components, half: Components, rounding: Any) -> Any:
    """Newton's method on the distance from the box inside, from the entrance into the box around.

    The distance to a convex set is a convex function along a line: from outside, Newton's steps never pass the
    entrance, and each squares the error.
    """
    xp = array_namespace(*direction)
    enter, leave = cross_box(origin, direction, tuple(h + rounding for h in half))
    found = xp.full_like(enter, math.inf)
    near = enter <= leave
    # Most lines miss even the box around: only the others are followed.
    o, d, h = ([xp.broadcast_to(one, near.shape)[near] for one in three] for three in (origin, direction, half))
    radius = xp.broadcast_to(rounding, near.shape)[near]
    t, gap, hits = enter[near], radius, radius > 0
    for _ in range(_STEPS + 1):
        p = [a + t * b for a, b in zip(o, d, strict=True)]
        beyond = [a - xp.minimum(xp.maximum(a, -b), b) for a, b in zip(p, h, strict=True)]
        distance = xp.sqrt(beyond[0] ** 2 + beyond[1] ** 2 + beyond[2] ** 2)
        slope = beyond[0] * d[0] + beyond[1] * d[1] + beyond[2] * d[2]
        gap = distance - radius
        move = hits & (gap > 1e-6)
        if not bool(xp.any(move)):
            break
        hits = hits & ((gap <= 1e-6) | (slope < 0))
        t = t + xp.where(move & hits, gap * distance / xp.where(slope < 0, -slope, 1.0), 0.0)
    found[near] = xp.where(hits & (gap <= 2e-5), t, math.inf)
    return found


def _away_from_zero(values: Any) -> Any:
    xp = array_namespace(values)
    return xp.where(xp.abs(values) < 1e-12, 1e-12, values)


def surface_at(kind: int, point: Components, half: Components) -> tuple[Components, Components, Any]:
    """Outward normal, texture coordinates and face of points on solids of one kind, in the solids' own axes.

    Args:
        kind: BOX, CONE, ELLIPSOID or ROUNDED.
        point: x, y and z on the surface, metres.
        half: `Solid.half`, of the same shape.

    Returns:
        The unit normal (x, y, z); texture coordinates (u, v) in metres along the surface, v upright on upright faces,
        with a third number that is 1 where the surface is longer along v than along u (so that wood can run along a
        board); and a face number that is the same all over a smooth part of the surface.
    """
    xp = array_namespace(*point)
    x, y, z = point
    if kind == BOX:
        ratios = [xp.abs(p) / h for p, h in zip(point, half, strict=True)]
        on_x = (ratios[0] >= ratios[1]) & (ratios[0] >= ratios[2])
        on_y = ~on_x & (ratios[1] >= ratios[2])
        on_z = ~on_x & ~on_y
        normal = tuple(xp.where(on, xp.where(p < 0, -1.0, 1.0), 0.0) for on, p in zip((on_x, on_y, on_z), point))
        side = xp.where(on_x, x, xp.where(on_y, y, z)) > 0
        face = xp.where(on_x, 0, xp.where(on_y, 2, 4)) + xp.where(side, 1, 0)
        return normal, _box_uv(on_x, on_z, point, half), face
    if kind == ELLIPSOID:
        normal = _unit(tuple(p / (h * h) for p, h in zip(point, half, strict=True)))
        return normal, (xp.atan2(y, x) * half[0], z, 0.0 * z), _no_faces(z)
    if kind == ROUNDED:
        beyond = tuple(p - xp.minimum(xp.maximum(p, -h), h) for p, h in zip(point, half, strict=True))
        normal = _unit(beyond)
        steep = [xp.abs(n) for n in normal]
        on_x = (steep[0] >= steep[1]) & (steep[0] >= steep[2])
        on_z = ~on_x & (steep[2] > steep[1])
        return normal, _box_uv(on_x, on_z, point, half), _no_faces(z)
    slope = (half[1] - half[0]) / (2.0 * half[2])
    radius = xp.sqrt(x * x + y * y)
    at_cap = (half[2] - xp.abs(z)) < (half[0] + half[1]) / 2.0 + slope * z - radius
    side = _unit((x, y, -slope * radius))
    flat = xp.where(z < 0, -1.0, 1.0)
    normal = (xp.where(at_cap, 0.0, side[0]), xp.where(at_cap, 0.0, side[1]), xp.where(at_cap, flat, side[2]))
    u = xp.where(at_cap, x, xp.atan2(y, x) * (half[0] + half[1]) / 2.0)
    return normal, (u, xp.where(at_cap, y, z), 0.0 * z + 1.0), xp.where(at_cap, xp.where(z < 0, 1, 2), 0)


def _box_uv(on_x: Any, on_z: Any, point: Components, half: Components) -> Components:
    """v upright on upright faces; and 1 where the face is longer along v than along u."""
    xp = array_namespace(*point)
    x, y, z = point
    u, v = xp.where(on_x, y, x), xp.where(on_z, y, z)
    longer = xp.where(on_z, half[1], half[2]) > xp.where(on_x, half[1], half[0])
    return u, v, xp.where(longer, 1.0, 0.0)


def _no_faces(z: Any) -> Any:
    xp = array_namespace(z)
    return xp.zeros(z.shape, dtype=xp.int64, device=device_of(z))


def _unit(vector: Components) -> Components:
    xp = array_namespace(*vector)
    x, y, z = vector
    scale = 1.0 / xp.sqrt(x * x + y * y + z * z + 1e-30)
    return x * scale, y * scale, z * scale
