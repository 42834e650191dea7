"""What rays see: the first surface on each, with its normal, its texture coordinates and its material."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace
from array_api_compat import device as device_of

from depthnet.data.synthetic.scene import PackedScene
from depthnet.data.synthetic.shapes import BOX, CONE, ELLIPSOID, ROUNDED, surface_at
from depthnet.data.synthetic.tracing import first_hit

#: Nearest surface that a camera sees, in units of the ray (metres of z for pixels).
NEAR = 0.02


@dataclass(frozen=True)
class Hits:
    """The surfaces that bundles of rays meet; G bundles of S rays."""

    t: Any
    """hit point = origin + t * direction, (G, S)."""
    point: Any
    """Metres, (3, G, S)."""
    normal: Any
    """Unit, towards the ray, (3, G, S)."""
    u: Any
    v: Any
    along_v: Any
    """Texture coordinates as `surface_at` gives them, (G, S)."""
    material: Any
    """Row of the material, (G, S) int64."""
    key: Any
    """The same number all over a smooth surface, another on the next, (G, S) int64."""

    def at(self, rays: Any) -> Hits:
        """The hits of some rays of every bundle: their places in it, (S',)."""
        maps = (self.u, self.v, self.along_v, self.material, self.key)
        return Hits(self.t[:, rays], self.point[:, :, rays], self.normal[:, :, rays], *(one[:, rays] for one in maps))


def see(scene: PackedScene, origin: Any, direction: Any) -> Hits:
    """Follow rays to the first surface.

    Args:
        scene: the scene, in the arrays' own library.
        origin: inside the shell, metres, (3, 1, 1).
        direction: (3, G, BUNDLE), any length.

    Returns:
        What they meet; every ray meets at least the shell.
    """
    xp = array_namespace(direction)
    far, face = _shell_exit(scene, origin, direction)
    t, solid = first_hit(scene.solids, origin, direction, NEAR, far)
    point = origin + t * direction
    flat_point = xp.reshape(point, (3, -1))
    index = xp.reshape(solid, (-1,))
    face = xp.reshape(face, (-1,))
    normal = xp.zeros_like(flat_point)
    u, v, along_v = _shell_surface(flat_point, face, normal)
    material = scene.shell[face]
    key = -1 - face
    for kind in (BOX, CONE, ELLIPSOID, ROUNDED):
        (those,) = xp.nonzero((index >= 0) & (_take(scene.solids.kind, index) == kind))
        if those.shape[0] == 0:
            continue
        rows = index[those]
        local_normal, (a, b, c), part = _on_solids(scene, kind, rows, flat_point[:, those])
        normal[:, those] = local_normal
        # Every solid cuts its piece from another place of the material.
        shift = xp.astype(rows, a.dtype)
        u[those], v[those], along_v[those] = a + 0.731 * shift, b + 0.417 * shift, c
        material[those] = scene.solids.material[rows]
        key[those] = rows * 8 + part
    shape = t.shape
    return Hits(
        t, point, xp.reshape(normal, point.shape), *(xp.reshape(a, shape) for a in (u, v, along_v, material, key))
    )


def _take(values: Any, index: Any) -> Any:
    """values[index] with the last row for -1, and zeros where there are no rows at all."""
    xp = array_namespace(index)
    return values[index] if values.shape[0] else xp.full(index.shape, -1, dtype=values.dtype, device=device_of(index))


def _shell_exit(scene: PackedScene, origin: Any, direction: Any) -> tuple[Any, Any]:
    """t (G, S) at which rays leave the shell, and the side: 0 to 5 for low x, high x, low y, ... high z."""
    xp = array_namespace(direction)
    t, face = None, None
    for axis in range(3):
        d = direction[axis]
        forward = d > 0
        wall = xp.where(forward, scene.high[axis], scene.low[axis])
        there = (wall - origin[axis]) / xp.where(xp.abs(d) < 1e-12, 1e-12, d)
        there = xp.where(xp.abs(d) < 1e-12, 1e12, there)
        side = xp.where(forward, 2 * axis + 1, 2 * axis)
        if t is None:
            t, face = there, side
        else:
            face = xp.where(there < t, side, face)
            t = xp.minimum(t, there)
    return t, face


def _shell_surface(point: Any, face: Any, normal: Any) -> tuple[Any, Any, Any]:
    """Texture coordinates of points on the shell; their normals are written to ``normal`` (3, P)."""
    xp = array_namespace(point)
    axis = face // 2
    inward = xp.where(face % 2 == 1, -1.0, 1.0)
    for one in range(3):
        normal[one] = xp.where(axis == one, inward, 0.0)
    u = xp.where(axis == 0, point[1], point[0])
    v = xp.where(axis == 2, point[1], point[2])
    return u, v, 0.0 * u


def _on_solids(scene: PackedScene, kind: int, rows: Any, point: Any) -> tuple[Any, Any, Any]:
    """World normal (3, P), texture coordinates and face of points (3, P) on the solids ``rows``."""
    xp = array_namespace(point)
    turn, half = scene.solids.to_local[rows], scene.solids.half[rows]
    offset = [point[axis] - scene.solids.center[rows, axis] for axis in range(3)]
    local = tuple(turn[:, i, 0] * offset[0] + turn[:, i, 1] * offset[1] + turn[:, i, 2] * offset[2] for i in range(3))
    n, uv, part = surface_at(kind, local, (half[:, 0], half[:, 1], half[:, 2]))
    world = [turn[:, 0, j] * n[0] + turn[:, 1, j] * n[1] + turn[:, 2, j] * n[2] for j in range(3)]
    return xp.stack(world), uv, part
