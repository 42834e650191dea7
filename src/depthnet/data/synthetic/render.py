"""From a scene and a camera to a picture: exact z-depth, and linear light with soft edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace, to_device
from array_api_compat import device as device_of
from numpy.typing import NDArray

from depthnet.data.synthetic.light import shade, visibility
from depthnet.data.synthetic.scene import PackedScene
from depthnet.data.synthetic.surfaces import Hits, see
from depthnet.data.synthetic.tracing import BUNDLE, on_device_of, pixel_order
from depthnet.errors import ShapeError

#: Where the additional rays of a pixel on an edge pass, in pixels from its centre.
_CORNERS = ((-0.31, -0.19), (0.33, -0.1), (-0.02, 0.34))

_NEIGHBOURS = ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))
#: Smallest difference of brightness, as a share, that makes the border of two surfaces an edge to smooth.
_VISIBLE = 0.04


@dataclass(frozen=True)
class Rendering:
    """A picture before the camera's electronics."""

    depth: NDArray[np.float32]
    """z-depth of the surface at each pixel's centre, metres, (H, W)."""
    light: NDArray[np.float32]
    """Linear RGB in the unit of the lights, (H, W, 3)."""
    surface: NDArray[np.int64]
    """The same number all over a smooth surface, another on the next; negative on the shell, (H, W)."""


def pixel_rays(K: NDArray[np.float64], T_world_cam: NDArray[np.float64], x: Any, y: Any) -> NDArray[np.float64]:
    """Directions of pixels' rays in the world, of length 1 along the camera's axis.

    With this length t of a hit is its z-depth. The centre of the top-left pixel is (0, 0).

    Args:
        K: intrinsics in pixels, (3, 3).
        T_world_cam: camera to world, (4, 4).
        x: columns, any shape.
        y: rows, the same shape.

    Returns:
        (3, ...).
    """
    down = (y - K[1, 2]) / K[1, 1]
    right = (x - K[0, 2] - K[0, 1] * down) / K[0, 0]
    turned: NDArray[np.float64] = np.tensordot(T_world_cam[:3, :3], np.stack([right, down, np.ones_like(down)]), axes=1)
    return turned


def render(
    scene: PackedScene,
    K: NDArray[np.float64],
    T_world_cam: NDArray[np.float64],
    size: tuple[int, int],
    shadows: bool = True,
    smooth_edges: bool = True,
    shiny: bool = True,
) -> Rendering:
    """Render a scene.

    A 240 by 320 picture of a furnished room takes about 0.1 s on one CPU core, and 2.5 times as long with shadows.

    Args:
        scene: the scene; on the device where it lies.
        K: intrinsics in pixels of this size, (3, 3).
        T_world_cam: camera to world, metres, inside the shell, (4, 4).
        size: (H, W).
        shadows: soft shadows of every light and of the surroundings.
        smooth_edges: average several rays where a pixel shows more than one surface.
        shiny: highlights.

    Returns:
        Depth and light, NumPy.

    Raises:
        ShapeError: if K or T_world_cam has another shape, or the size is not positive.
    """
    if K.shape != (3, 3) or T_world_cam.shape != (4, 4) or min(size) < 1:
        raise ShapeError(f"K {K.shape}, T_world_cam {T_world_cam.shape}, size {size}: expected (3, 3), (4, 4), (H, W).")
    order, padded = pixel_order(*size)
    view = _View(scene, K, T_world_cam)
    hits = view.see(order % padded[1], order // padded[1])
    keys = _to_picture(hits.key, view.device(order), padded)
    seen = _smooth_visibility(view, hits, keys, order, padded) if shadows else None
    light = view.light(hits, None if seen is None else _from_picture(seen, view.device(order)), shiny)
    colours = _to_picture(light, view.device(order), padded)
    if smooth_edges:
        _soften(view, colours, keys, seen, shiny)
    height, width = size
    depth = view.host(_to_picture(hits.t, view.device(order), padded))
    return Rendering(
        depth[:height, :width].astype(np.float32),
        np.ascontiguousarray(view.host(colours)[:, :height, :width].transpose(1, 2, 0), dtype=np.float32),
        view.host(keys)[:height, :width].copy(),
    )


def render_depth(
    scene: PackedScene, K: NDArray[np.float64], T_world_cam: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.float32]:
    """z-depth alone, metres, (H, W); several times faster than the whole picture."""
    order, padded = pixel_order(*size)
    view = _View(scene, K, T_world_cam)
    hits = view.see(order % padded[1], order // padded[1])
    return view.host(_to_picture(hits.t, view.device(order), padded))[: size[0], : size[1]].astype(np.float32)


@dataclass(frozen=True)
class _View:
    """A scene from one camera."""

    scene: PackedScene
    K: NDArray[np.float64]
    T_world_cam: NDArray[np.float64]

    def host(self, values: Any) -> NDArray[Any]:
        return np.asarray(to_device(values, "cpu"))

    def device(self, values: NDArray[Any]) -> Any:
        return on_device_of(values, self.scene.low)

    def floats(self, values: NDArray[np.float64]) -> Any:
        return self.device(values.astype(np.float64 if "float64" in str(self.scene.low.dtype) else np.float32))

    def see(self, x: NDArray[Any], y: NDArray[Any]) -> Hits:
        """Surfaces at pixels (G, S)."""
        origin = self.floats(self.T_world_cam[:3, 3, None, None])
        return see(self.scene, origin, self.floats(pixel_rays(self.K, self.T_world_cam, x, y)))

    def light(self, hits: Hits, seen: Any | None, shiny: bool) -> Any:
        """Linear RGB of surfaces, (3, G, S)."""
        xp = array_namespace(hits.t)
        back = self.floats(self.T_world_cam[:3, 3, None, None]) - hits.point
        back = back / xp.sqrt(xp.sum(back * back, axis=0))
        slant = xp.clip(xp.sum(back * hits.normal, axis=0), 0.1, 1.0)
        return shade(self.scene, hits, seen, back, hits.t / float(self.K[0, 0]) / xp.sqrt(slant), shiny)


def _to_picture(values: Any, order: Any, padded: tuple[int, int]) -> Any:
    """(..., G, S) in bundles to (..., H, W)."""
    xp = array_namespace(values)
    picture = xp.empty_like(xp.reshape(values, (*values.shape[:-2], -1)))
    picture[..., xp.reshape(order, (-1,))] = xp.reshape(values, picture.shape)
    return xp.reshape(picture, (*values.shape[:-2], *padded))


def _from_picture(picture: Any, order: Any) -> Any:
    """(C, H, W) to (C, G, S) in bundles."""
    xp = array_namespace(picture)
    return xp.reshape(xp.reshape(picture, (picture.shape[0], -1))[:, xp.reshape(order, (-1,))], (-1, *order.shape))


def _smooth_visibility(view: _View, hits: Hits, keys: Any, order: NDArray[np.int64], padded: tuple[int, int]) -> Any:
    """`visibility` (C, H, W), found at every other pixel and averaged over squares of 4 by 4 within one surface."""
    xp = array_namespace(hits.t)
    column, row = order[0] % padded[1], order[0] // padded[1]
    # Squares start at multiples of 16, so that the same places of every bundle are the black fields of a chess board.
    (chosen,) = np.nonzero((column + row) % 2 == 0)
    column, row = order[:, chosen] % padded[1], order[:, chosen] // padded[1]
    found = visibility(view.scene, hits.at(view.device(chosen)), view.device(column % 4 + 4 * (row % 4)))
    values = xp.zeros((found.shape[0] + 1, padded[0] * padded[1]), dtype=found.dtype, device=device_of(found))
    places = view.device(order[:, chosen].reshape(-1))
    values[:-1, places] = xp.reshape(found, (found.shape[0], -1))
    values[-1, places] = 1.0
    values = xp.reshape(values, (-1, *padded))
    for axis in (0, 1):
        total = xp.zeros_like(values)
        for shift in range(-2, 2):
            here, there = _overlap(padded, axis, shift)
            total[:, *here] += values[:, *there] * xp.astype(keys[here] == keys[there], values.dtype)
        values = total
    count = values[-1]
    return xp.where(count > 0, values[:-1] / xp.where(count > 0, count, 1.0), 1.0)


def _overlap(size: tuple[int, int], axis: int, shift: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Slices of the pixels that have a neighbour ``shift`` pixels on, and of these neighbours."""
    here = [slice(0, size[0]), slice(0, size[1])]
    there = list(here)
    here[axis] = slice(max(0, -shift), size[axis] - max(0, shift))
    there[axis] = slice(max(0, shift), size[axis] - max(0, -shift))
    return (here[0], here[1]), (there[0], there[1])


def _edges(keys: Any, colours: Any) -> Any:
    """Pixels (H, W) beside one of another surface and another brightness."""
    xp = array_namespace(keys)
    edge = xp.zeros(keys.shape, dtype=xp.bool, device=device_of(keys))
    grey = xp.sum(colours, axis=0)
    for axis in (0, 1):
        here, there = _overlap(tuple(keys.shape), axis, 1)
        a, b = grey[here], grey[there]
        differs = (keys[here] != keys[there]) & (xp.abs(a - b) > _VISIBLE * (a + b))
        edge[here] |= differs
        edge[there] |= differs
    return edge


def _soften(view: _View, colours: Any, keys: Any, seen: Any | None, shiny: bool) -> None:
    """Replace the light of pixels on edges by the mean of several rays; ``colours`` (3, H, W) is changed."""
    rows, columns = np.nonzero(view.host(_edges(keys, colours)))
    if rows.size == 0:
        return
    # In the order of 16 by 16 squares, so that bundles stay narrow; the last bundle repeats its last ray.
    near = np.lexsort((columns, rows, columns // 8, rows // 8, columns // 16, rows // 16))
    padding = near[np.arange(-(-near.size // BUNDLE) * BUNDLE).clip(max=near.size - 1)].reshape(-1, BUNDLE)
    y, x = rows[padding], columns[padding]
    total = 0.0
    for right, down in _CORNERS:
        hits = view.see(x + right, y + down)
        shadow = None if seen is None else _borrow(seen, keys, hits.key, view.device(y), view.device(x))
        total = total + view.light(hits, shadow, shiny)
    colours[:, view.device(y), view.device(x)] = total / len(_CORNERS)


def _borrow(seen: Any, keys: Any, key: Any, y: Any, x: Any) -> Any:
    """`visibility` (C, G, S) of surfaces ``key`` at pixels y, x: that of a neighbour which shows the same surface."""
    xp = array_namespace(seen)
    height, width = keys.shape
    row, column = y, x
    found = keys[y, x] == key
    for down, right in _NEIGHBOURS:
        r, c = xp.clip(y + down, 0, height - 1), xp.clip(x + right, 0, width - 1)
        same = ~found & (keys[r, c] == key)
        row, column, found = xp.where(same, r, row), xp.where(same, c, column), found | same
    return seen[:, row, column]
