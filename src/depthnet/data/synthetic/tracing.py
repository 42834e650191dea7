"""Which solid each ray meets first, and whether anything stands between two points.

Rays travel in bundles: arrays (3, G, S) hold G bundles of S rays that lie close together (a square of pixels). Each
bundle is wrapped in a thick line; only solids that this line can touch are tried, first for the bundle, then for each
quarter of it, and the pairs (quarter bundle, solid) that are left are met in a few large array operations. So the cost
grows with what can be seen, not with rays times solids.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace, is_numpy_array, to_device
from array_api_compat import device as device_of

from depthnet.data.synthetic.shapes import BOX, CONE, ELLIPSOID, ROUNDED, Solids, cross_box, enter_solid

#: Rays in a bundle of pixels, a square of 16 by 16; a quarter has 8 by 8.
BUNDLE = 256
#: Rays of one array operation: their numbers stay in the processor's cache.
_RAYS_AT_ONCE = 32768
#: A part of the way that is left out at both ends, so that a surface does not shade itself.
_MARGIN = 1e-3


def first_hit(solids: Solids, origin: Any, direction: Any, near: float, far: Any) -> tuple[Any, Any]:
    """The first solid that each ray enters.

    Args:
        solids: the solids, in the arrays' own library.
        origin: where the rays start, metres, (3, G or 1, S or 1).
        direction: (3, G, S), any; S a multiple of 4 length.
        near: smallest t that counts.
        far: largest t that counts, (G, S).

    Returns:
        t with hit point = origin + t * direction, (G, S), ``far`` where nothing is met; and the solid's row,
        (G, S) int64, -1 where nothing is met.
    """
    xp = array_namespace(direction)
    nearest = xp.reshape(xp.asarray(far, copy=True), _quarters(far))
    index = xp.full(nearest.shape, -1, dtype=xp.int64, device=device_of(direction))
    for quarter, solid, t in _meetings(solids, origin, direction, far):
        t = xp.where(t > near, t, math.inf)
        _keep_least(nearest, quarter, t)
        pair, ray = xp.nonzero(t == nearest[quarter])
        index[quarter[pair], ray] = solid[pair]
    return xp.reshape(nearest, far.shape), xp.reshape(index, far.shape)


def is_blocked(solids: Solids, start: Any, way: Any) -> Any:
    """Whether a solid that casts shadows stands between two points.

    Args:
        solids: the solids, in the arrays' own library.
        start: first points, metres, (3, G, S).
        way: from the first points to the second, metres, (3, G, S).

    Returns:
        (G, S) bool.
    """
    xp = array_namespace(way)
    far = xp.ones(way.shape[1:], dtype=way.dtype, device=device_of(way))
    nearest = xp.ones(_quarters(far), dtype=way.dtype, device=device_of(way))
    for quarter, _, t in _meetings(solids, start, way, far, only_casting=True):
        _keep_least(nearest, quarter, xp.where(t > _MARGIN, t, 1.0))
    return xp.reshape(nearest < 1.0 - _MARGIN, far.shape)


def _meetings(
    solids: Solids, origin: Any, direction: Any, far: Any, only_casting: bool = False
) -> Iterator[tuple[Any, Any, Any]]:
    """Quarter bundles, the solids that they may meet, and t of their rays' entrances.

    Yields:
        Rows of quarters (P,), rising; rows of solids (P,); t (P, S / 4), infinity for a miss.
    """
    xp = array_namespace(direction)
    one_origin = origin.shape[1] == 1
    shape = _quarters(far)
    quarters = xp.reshape(direction, (3, *shape))
    starts = origin if one_origin else xp.reshape(origin, (3, *shape))
    ranges = xp.reshape(far, shape)
    bundle, solid = xp.nonzero(_may_meet(solids, _thick_lines(origin, direction, far), only_casting))
    quarter = xp.reshape(bundle[:, None] * 4 + xp.arange(4, device=device_of(bundle))[None], (-1,))
    solid = xp.repeat(solid, 4)
    keep = _pairs_may_meet(solids, _thick_lines(starts, quarters, ranges), quarter, solid)
    quarter, solid = quarter[keep], solid[keep]
    rising = xp.argsort(quarter, stable=True)
    quarter, solid = quarter[rising], solid[rising]
    kinds, tilted = solids.kind[solid], solids.tilted[solid]
    at_once = max(1, _RAYS_AT_ONCE // shape[1])
    for kind in (BOX, CONE, ELLIPSOID, ROUNDED):
        for turned in (False, True):
            (chosen,) = xp.nonzero((kinds == kind) & (tilted == turned))
            for first in range(0, int(chosen.shape[0]), at_once):
                some = chosen[first : first + at_once]
                rows, those = quarter[some], solid[some]
                at = starts[:, 0] if one_origin else starts[:, rows]
                yield rows, those, _enter_pairs(solids, kind, turned, those, at, quarters[:, rows])


def _quarters(rays: Any) -> tuple[int, int]:
    """Shape of (G, S) rays cut into quarter bundles."""
    return int(rays.shape[0]) * 4, int(rays.shape[1]) // 4


def _enter_pairs(solids: Solids, kind: int, tilted: bool, solid: Any, origin: Any, direction: Any) -> Any:
    """t (P, S) at which rays (3, P, S) from ``origin`` (3, P, S) or (3, 1) enter one solid per row."""
    turn, center, half = solids.to_local[solid], solids.center[solid], solids.half[solid]
    offset = tuple(origin[axis] - center[:, axis, None] for axis in range(3))

    def local(vector: Any) -> Any:
        x, y, z = vector
        if not tilted:
            return (
                turn[:, 0, 0, None] * x + turn[:, 0, 1, None] * y,
                turn[:, 1, 0, None] * x + turn[:, 1, 1, None] * y,
                z,
            )
        return tuple(
            turn[:, row, 0, None] * x + turn[:, row, 1, None] * y + turn[:, row, 2, None] * z for row in range(3)
        )

    halves = tuple(half[:, axis, None] for axis in range(3))
    return enter_solid(kind, local(offset), local(direction), halves, solids.rounding[solid][:, None])


def _keep_least(least: Any, rows: Any, values: Any) -> None:
    """Lower ``least`` (B, S) at ``rows`` (P,), rising with repeats, to the least of ``values`` (P, S) of each row."""
    xp = array_namespace(least)
    if not is_numpy_array(least):
        least.scatter_reduce_(0, rows[:, None].expand(values.shape), values, "amin")
        return
    starts = xp.flatnonzero(xp.concat([xp.ones(1, dtype=bool), rows[1:] != rows[:-1]]))
    own = rows[starts]
    least[own] = xp.minimum(least[own], np.minimum.reduceat(values, starts, axis=0))


class _Lines(NamedTuple):
    """Thick lines, one around the rays of each bundle, B of them."""

    point: Any
    """Where it starts, metres, (3, B)."""
    axis: Any
    """Unit direction, (3, B)."""
    spread: Any
    """Thickness at the start, metres, (B,)."""
    growth: Any
    """How much thicker it gets per metre, (B,)."""
    most: Any
    """Thickness that it never passes, metres, (B,)."""
    reach: Any
    """How far from the start the rays end at most, metres, (B,)."""

    def at(self, rows: Any) -> _Lines:
        """Some of the lines."""
        return _Lines(self.point[:, rows], self.axis[:, rows], *(one[rows] for one in self[2:]))


def _thick_lines(origin: Any, direction: Any, far: Any) -> _Lines:
    """A line that holds every ray of a bundle when it is thickened.

    Args:
        origin: (3, B or 1, S or 1).
        direction: (3, B, S).
        far: (B, S).
    """
    xp = array_namespace(direction)
    length = xp.sqrt(xp.sum(direction * direction, axis=0))
    unit = direction / length
    axis = xp.mean(unit, axis=2)
    axis = axis / xp.sqrt(xp.sum(axis * axis, axis=0) + 1e-20)
    cosine = xp.min(xp.sum(unit * axis[:, :, None], axis=0), axis=1)
    point = (xp.min(origin, axis=2) + xp.max(origin, axis=2)) / 2
    start = origin - point[:, :, None]
    spread = xp.sqrt(xp.max(xp.sum(start * start, axis=0), axis=1))
    # A ray is nowhere farther from the axis than at one of its ends.
    most = xp.maximum(_from_axis(start, axis), _from_axis(start + far * direction, axis))
    # Directions more than 70 degrees apart are no cone any more.
    cosine = xp.where(cosine < 0.34, xp.asarray(1e-4, dtype=cosine.dtype, device=device_of(cosine)), cosine)
    growth = xp.sqrt(xp.clip(1.0 / (cosine * cosine) - 1.0, 0.0, None)) + 1e-4
    reach = xp.max(length * far, axis=1) + spread
    bundles = direction.shape[1]
    return _Lines(
        xp.broadcast_to(point, (3, bundles)), axis, xp.broadcast_to(spread, (bundles,)), growth, most + 1e-4, reach
    )


def _from_axis(offset: Any, axis: Any) -> Any:
    """Largest distance of points (3, B, S), given from the start of their line, from its axis (3, B): (B,)."""
    xp = array_namespace(axis)
    along = xp.sum(offset * axis[:, :, None], axis=0)
    squared = xp.sum(offset * offset, axis=0) - along * along
    return xp.sqrt(xp.clip(xp.max(squared, axis=1), 0.0, None))


def _may_meet(solids: Solids, lines: _Lines, only_casting: bool) -> Any:
    """Whether each thick line (B) can touch each solid (N): (B, N) bool, never wrongly False."""
    xp = array_namespace(solids.center)
    turn = xp.reshape(xp.permute_dims(solids.to_local, (2, 1, 0)), (3, -1))
    local_center = xp.sum(solids.to_local * solids.center[:, None, :], axis=2)
    count = len(solids)

    def local(vectors: Any) -> list[Any]:
        turned = xp.permute_dims(vectors, (1, 0)) @ turn
        return [turned[:, row * count : (row + 1) * count] for row in range(3)]

    origin = [one - local_center[None, :, row] for row, one in enumerate(local(lines.point))]
    half = tuple(solids.bound[None, :, row] for row in range(3))
    sizes = [one[:, None] for one in lines[2:]]
    touches = _line_touches(tuple(origin), tuple(local(lines.axis)), half, *sizes)
    return touches & solids.casts[None] if only_casting else touches


def _pairs_may_meet(solids: Solids, lines: _Lines, row: Any, solid: Any) -> Any:
    """Whether thick line ``row[p]`` can touch solid ``solid[p]``: (P,) bool, never wrongly False."""
    turn, center = solids.to_local[solid], solids.center[solid]
    some = lines.at(row)
    offset = [some.point[i] - center[:, i] for i in range(3)]
    origin, along = (
        tuple(turn[:, i, 0] * v[0] + turn[:, i, 1] * v[1] + turn[:, i, 2] * v[2] for i in range(3))
        for v in (offset, some.axis)
    )
    half = tuple(solids.bound[solid, i] for i in range(3))
    return _line_touches(origin, along, half, *some[2:])


def _line_touches(origin: Any, axis: Any, half: Any, spread: Any, growth: Any, most: Any, reach: Any) -> Any:
    """Whether a thick line touches a box: the plain line against the box grown by the thickness at its far end, and
    the box against the ball that holds all rays."""
    xp = array_namespace(axis[0])
    distance = xp.sqrt(origin[0] ** 2 + origin[1] ** 2 + origin[2] ** 2)
    radius = xp.sqrt(half[0] ** 2 + half[1] ** 2 + half[2] ** 2)
    thickness = xp.minimum(spread + growth * (distance + radius), most)
    enter, leave = cross_box(origin, axis, tuple(h + thickness for h in half))
    outside = [xp.clip(xp.abs(o) - h, 0.0, None) for o, h in zip(origin, half, strict=True)]
    within = outside[0] ** 2 + outside[1] ** 2 + outside[2] ** 2 <= reach * reach
    return (enter <= leave) & (leave >= -spread) & within


def pixel_order(height: int, width: int) -> tuple[Any, tuple[int, int]]:
    """Pixels of a picture in the order of bundles of 16 by 16, quarters of 8 by 8 inside.

    Returns:
        Row-major pixel numbers of a picture padded to multiples of 16, (G, S) int64; and its (H, W).
    """
    rows, columns = -(-height // 16) * 16, -(-width // 16) * 16
    pixels = np.arange(rows * columns).reshape(rows // 16, 2, 8, columns // 16, 2, 8)
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 4, 2, 5)).reshape(-1, BUNDLE), (rows, columns)


def on_device_of(values: np.ndarray[Any, Any], like: Any) -> Any:
    """NumPy values as an array of the library and on the device of ``like``."""
    xp = array_namespace(like)
    return to_device(xp.asarray(values), device_of(like))
