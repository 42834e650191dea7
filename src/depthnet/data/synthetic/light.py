"""Light on surfaces: lamps and windows with soft shadows, highlights, and what the room reflects.

Soft shadows by interleaved sampling: each pixel looks at one of 16 points of a light, chosen by its place in a square
of 4 by 4 pixels, and the answers are then averaged over such a square as far as the same surface goes. The shade that
things throw on their surroundings from all sides (ambient occlusion) is found the same way with 16 directions. So a
light costs one shadow ray per pixel.

Source: Keller & Heidrich, Interleaved Sampling, EGWR 2001; Blinn, Models of Light Reflection, SIGGRAPH 1977.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from depthnet.data.synthetic.scene import Light, PackedScene
from depthnet.data.synthetic.surfaces import Hits
from depthnet.data.synthetic.textures import surface_colour
from depthnet.data.synthetic.tracing import is_blocked, on_device_of

#: How far things darken what is near them, metres.
_NEARBY = 0.6
#: Share of the ambient light that a place loses when all directions are blocked nearby.
_SHADE = 0.8
#: Surfaces are left by this much before a shadow ray starts, metres.
_LIFT = 2e-3
# The 16 cells of a 4 by 4 grid in an order that puts neighbours far apart (a magic square).
_ORDER = np.array([0, 14, 3, 13, 11, 5, 8, 6, 12, 2, 15, 1, 7, 9, 4, 10])


def light_samples() -> NDArray[np.float64]:
    """The 16 points of a light, as shares of its half edges: (16, 2) in [-1, 1], in the order of the pixels."""
    cells = np.stack([_ORDER % 4, _ORDER // 4], axis=1)
    return (cells + 0.5) / 2.0 - 1.0


def sky_samples() -> NDArray[np.float64]:
    """16 directions over a surface, as many where the cosine is large: (16, 3), z along the normal."""
    first, second = ((light_samples() + 1.0) / 2.0).T
    radius, angle = np.sqrt(first), 2.0 * math.pi * second
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.sqrt(1.0 - first)], axis=1)


def visibility(scene: PackedScene, hits: Hits, sample: Any) -> Any:
    """How much of each light, and of the surroundings, surfaces see through one sample each.

    Args:
        scene: the scene.
        hits: the surfaces, (G, S).
        sample: which of the 16 samples each looks at, (G, S) int64.

    Returns:
        0 to 1, (lights + 1, G, S); the last is what ambient occlusion leaves.
    """
    xp = array_namespace(hits.t)
    start = hits.point + _LIFT * hits.normal
    seen = []
    for light in scene.lights:
        towards = _light_point(light, sample, hits.t) - start
        lit = (xp.sum(towards * hits.normal, axis=0) > 0) & (_emitted(light, towards) > 0)
        (busy,) = xp.nonzero(xp.any(lit, axis=1))
        clear = xp.zeros_like(hits.t)
        # From the light on, the rays of a bundle spread as little as its patch is wide.
        way = -towards[:, busy]
        blocked = is_blocked(scene.solids, start[:, busy] - way, way)
        clear[busy] = xp.where(blocked | ~lit[busy], 0.0, 1.0)
        seen.append(clear)
    seen.append(_openness(scene, hits, start, sample))
    return xp.stack(seen)


def _openness(scene: PackedScene, hits: Hits, start: Any, sample: Any) -> Any:
    """1 where nothing is near in the direction of the sample, less where a wall is, 0 where a solid is."""
    xp = array_namespace(hits.t)
    x, y, z = (on_device_of(sky_samples()[:, axis], hits.t)[sample] for axis in range(3))
    nx, ny, nz = hits.normal
    # A frame around the normal without a singular direction: Duff et al., JCGT 2017.
    sign = xp.where(nz < 0, -1.0, 1.0)
    a = -1.0 / (sign + nz)
    b = nx * ny * a
    way = xp.stack([
        x * (1.0 + sign * nx * nx * a) + y * b + z * nx,
        x * sign * b + y * (sign + ny * ny * a) + z * ny,
        -x * sign * nx - y * ny + z * nz,
    ])  # fmt: skip
    way = xp.astype(way * _NEARBY, hits.t.dtype)
    wall = None
    for axis in range(3):
        edge = xp.where(way[axis] > 0, scene.high[axis], scene.low[axis])
        reach = (edge - start[axis]) / xp.where(xp.abs(way[axis]) < 1e-9, 1e-9, way[axis])
        wall = reach if wall is None else xp.minimum(wall, reach)
    near_wall = xp.clip(wall, 0.0, 1.0)
    return xp.where(is_blocked(scene.solids, start, way), 0.0, near_wall)


def shade(scene: PackedScene, hits: Hits, seen: Any | None, view: Any, width: Any, shiny: bool = True) -> Any:
    """Light that surfaces send towards the camera.

    Args:
        scene: the scene.
        hits: the surfaces, (G, S).
        seen: `visibility`, smoothed or not; None for a scene without shadows.
        view: unit directions from the surfaces to the camera, (3, G, S).
        width: what a pixel covers on the surface, metres, (G, S).
        shiny: False leaves the highlights out, so that a surface looks the same from everywhere.

    Returns:
        Linear RGB in the unit of the lights, (3, G, S).
    """
    xp = array_namespace(hits.t)
    flat = [xp.reshape(a, (-1,)) for a in (hits.material, hits.u, hits.v, hits.along_v, width)]
    colour = xp.reshape(surface_colour(scene.materials, *flat), hits.point.shape)
    numbers = scene.materials.numbers[flat[0]]
    shine, gloss, glow = (xp.reshape(numbers[:, column], hits.t.shape) for column in (4, 5, 6))
    openness = 1.0 if seen is None else 1.0 - _SHADE * (1.0 - seen[-1])
    surround = openness * (0.8 + 0.2 * hits.normal[2])
    ambient = on_device_of(scene.ambient.astype(np.float32), hits.t)
    diffuse = [ambient[channel] * surround for channel in range(3)]
    facing = xp.clip(xp.sum(view * hits.normal, axis=0), 0.0, 1.0)
    mirrored = [ambient[channel] * surround * (0.2 + (1.0 - facing) ** 3) for channel in range(3)]
    for number, light in enumerate(scene.lights):
        towards = _light_point(light, None, hits.t) - hits.point
        squared = xp.sum(towards * towards, axis=0)
        distance = xp.sqrt(squared)
        cosine = xp.clip(xp.sum(towards * hits.normal, axis=0) / distance, 0.0, 1.0)
        arriving = cosine * _emitted(light, towards) / (squared + 0.04)
        if seen is not None:
            arriving = arriving * seen[number]
        highlight = _highlight(towards / distance, view, hits.normal, gloss) * arriving if shiny else 0.0
        for channel in range(3):
            power = float(light.power[channel])
            diffuse[channel] = diffuse[channel] + power * arriving
            mirrored[channel] = mirrored[channel] + power * highlight
    level = float(scene.ambient.mean()) * 3.0
    sheen = shine if shiny else 0.0
    out = [
        colour[channel] * (diffuse[channel] + glow * level) + sheen * mirrored[channel]
        for channel in range(3)
    ]  # fmt: skip
    return xp.stack(out)


def _highlight(towards: Any, view: Any, normal: Any, gloss: Any) -> Any:
    xp = array_namespace(view)
    between = towards + view
    length = xp.sqrt(xp.sum(between * between, axis=0) + 1e-12)
    cosine = xp.clip(xp.sum(between * normal, axis=0) / length, 1e-6, 1.0)
    return xp.exp(gloss * xp.log(cosine)) * (gloss + 8.0) / 8.0


def _light_point(light: Light, sample: Any | None, like: Any) -> Any:
    """The centre of a light (3, 1, 1), or the point of it that each sample number stands for (3, G, S)."""
    if sample is None:
        return on_device_of(light.position.astype(np.float32)[:, None, None], like)
    points = light.position + light_samples() @ np.stack([light.half_u, light.half_v])
    table = on_device_of(points.T.astype(np.float32), like)
    return table[:, sample]


def _emitted(light: Light, towards: Any) -> Any:
    """Share of a light's power that it sends against ``towards`` (3, G, S), the way from a surface to the light."""
    xp = array_namespace(towards)
    if not light.facing.any():
        return xp.ones_like(towards[0])
    x, y, z = (float(one) for one in light.facing)
    along = -(towards[0] * x + towards[1] * y + towards[2] * z)
    return xp.clip(along / xp.sqrt(xp.sum(towards * towards, axis=0)), 0.0, 1.0)
