"""Materials: procedural patterns on surfaces, smoothed by what a pixel covers.

A material mixes three colours by a pattern of two coordinates in metres. Every pattern is computed where it is seen and
nowhere else, about 40 ns per pixel and octave of noise on one CPU core. What is finer than a pixel is averaged out:
lines by their exact share of the pixel's width, noise by fading octaves whose cells are smaller than the pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

(PLAIN, WOOD, BOARDS, TILES, BRICK, STRIPES, PLAID, DOTS, FABRIC, SPECKLE, MARBLE, PICTURE, OUTDOORS) = range(13)

#: Side of the table of random numbers that all patterns draw from; its patterns repeat after so many cells.
_SIDE = 256
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Material:
    """How a surface looks; colours are linear RGB reflectances in [0, 1]."""

    pattern: int
    """PLAIN, WOOD, ... of this module."""
    colours: tuple[Colour, Colour, Colour]
    """Base, second and third colour: see each pattern."""
    scale: tuple[float, float] = (1.0, 1.0)
    """Cells per metre along u and along v."""
    amount: float = 0.3
    """Strength of the variation, 0 to 1."""
    line: float = 0.05
    """Share of a cell that lines take (BOARDS, TILES, BRICK, STRIPES, PLAID), or the radius of DOTS."""
    shine: float = 0.0
    """Strength of the highlights, 0 (matt) to 1."""
    gloss: float = 30.0
    """Sharpness of the highlights: exponent of Blinn and Phong."""
    glow: float = 0.0
    """Light given off per unit of colour, beside what is reflected."""


@dataclass(frozen=True)
class Materials:
    """Many materials as arrays, NumPy or torch; row i of each belongs to material i."""

    pattern: Any
    """(M,) int64."""
    colours: Any
    """(M, 3, 3): material, colour, channel."""
    numbers: Any
    """scale u, scale v, amount, line, shine, gloss, glow: (M, 7)."""
    noise: Any
    """Random numbers in [0, 1), (_SIDE * _SIDE,): one table for all scenes."""

    def on(self, device: str) -> Materials:
        """The same as torch tensors on a device."""
        import torch

        return Materials(*(torch.as_tensor(getattr(self, field.name)).to(device) for field in fields(self)))


def pack_materials(materials: Sequence[Material], dtype: type[np.floating[Any]] = np.float32) -> Materials:
    """Put materials into arrays, in their order."""
    numbers = [(*one.scale, one.amount, one.line, one.shine, one.gloss, one.glow) for one in materials]
    return Materials(
        pattern=np.array([one.pattern for one in materials], np.int64),
        colours=np.array([one.colours for one in materials], dtype),
        numbers=np.array(numbers, dtype),
        noise=_noise_table().astype(dtype),
    )


def _noise_table() -> NDArray[np.float64]:
    return np.random.default_rng(20_140_609).random(_SIDE * _SIDE)


def surface_colour(materials: Materials, material: Any, u: Any, v: Any, along_v: Any, width: Any) -> Any:
    """Colours of points on surfaces.

    Args:
        materials: the table.
        material: row of each point's material, (P,).
        u: first coordinate on the surface, metres, (P,).
        v: second coordinate, metres, (P,); upright on upright surfaces.
        along_v: 1 where wood runs along v, (P,).
        width: what the pixel covers on the surface, metres, (P,).

    Returns:
        Linear RGB, (3, P).
    """
    xp = array_namespace(u)
    first, second, shade = xp.zeros_like(u), xp.zeros_like(u), xp.ones_like(u)
    pattern = materials.pattern[material]
    for number in sorted({int(one) for one in xp.unique_values(pattern)}):
        (those,) = xp.nonzero(pattern == number)
        rows = materials.numbers[material[those]]
        fabric = _Surface(materials.noise, *(a[those] for a in (u, v, along_v, width)), *(rows[:, i] for i in range(4)))
        first[those], second[those], shade[those] = _PATTERNS[number](fabric)
    colours = materials.colours[material]
    mixed = []
    for channel in range(3):
        base = colours[:, 0, channel]
        base = base + (colours[:, 1, channel] - base) * first
        mixed.append((base + (colours[:, 2, channel] - base) * second) * shade)
    return xp.stack(mixed)


@dataclass(frozen=True)
class _Surface:
    """What a pattern may look at: coordinates and the numbers of the material, all (P,)."""

    table: Any
    u: Any
    v: Any
    along_v: Any
    width: Any
    scale_u: Any
    scale_v: Any
    amount: Any
    line: Any

    def along(self) -> tuple[Any, Any]:
        """Coordinates along and across the grain."""
        xp = array_namespace(self.u)
        turned = self.along_v > 0
        return xp.where(turned, self.v, self.u), xp.where(turned, self.u, self.v)

    def noise(self, x: Any, y: Any, width: Any) -> Any:
        """Smooth noise around 0, within 0.5; x and y in cells, width of the pixel in cells."""
        xp = array_namespace(x)
        left, top = xp.floor(x), xp.floor(y)
        fx, fy = x - left, y - top
        fx, fy = fx * fx * (3.0 - 2.0 * fx), fy * fy * (3.0 - 2.0 * fy)
        column, row = xp.astype(left, xp.int64), xp.astype(top, xp.int64)
        low, high = (row & (_SIDE - 1)) * _SIDE, ((row + 1) & (_SIDE - 1)) * _SIDE
        near, far = column & (_SIDE - 1), (column + 1) & (_SIDE - 1)
        table = self.table
        a, b, c, d = table[low + near], table[low + far], table[high + near], table[high + far]
        upper = a + (b - a) * fx
        value = upper + (c + (d - c) * fx - upper) * fy - 0.5
        return value * xp.clip(1.5 - 2.0 * width, 0.0, 1.0)

    def cloud(self, x: Any, y: Any, width: Any, octaves: int) -> Any:
        """Sum of noises of doubled frequency and halved strength, within 1."""
        total = self.noise(x, y, width)
        for octave in range(1, octaves):
            twice = 2.0**octave
            total = total + self.noise(x * twice + 17.3 * octave, y * twice + 9.1 * octave, width * twice) / twice
        return total

    def cell(self, column: Any, row: Any, width: Any) -> Any:
        """A random number in [-0.5, 0.5] for each cell; fades where cells are smaller than a pixel."""
        xp = array_namespace(column)
        i, j = xp.astype(column, xp.int64), xp.astype(row, xp.int64)
        value = self.table[((j * 37 + 11) & (_SIDE - 1)) * _SIDE + ((i * 91 + 5) & (_SIDE - 1))] - 0.5
        return value * xp.clip(1.5 - width, 0.0, 1.0)


def _share_of_line(x: Any, line: Any, width: Any) -> Any:
    """Share of a pixel, ``width`` cells wide around x, that lies in the first part ``line`` of its cells."""
    xp = array_namespace(x)
    width = xp.clip(width, 1e-3, None)

    def covered(at: Any) -> Any:
        whole = xp.floor(at)
        return whole * line + xp.minimum(at - whole, line)

    return (covered(x + width / 2) - covered(x - width / 2)) / width


def _step(x: Any, softness: Any) -> Any:
    """0 below 0, 1 above, rising over ``softness``."""
    xp = array_namespace(x)
    return xp.clip(x / softness + 0.5, 0.0, 1.0)


def _plain(s: _Surface) -> tuple[Any, Any, Any]:
    """Base colour, gently clouded: paint, plaster, plastic, metal."""
    return 0.0 * s.u, 0.0 * s.u, 1.0 + s.amount * s.cloud(s.u * s.scale_u, s.v * s.scale_v, s.width * s.scale_u, 2)


def _wood(s: _Surface) -> tuple[Any, Any, Any]:
    """Grain between the base and the second colour."""
    xp = array_namespace(s.u)
    along, across = s.along()
    x, y = along * s.scale_u, across * s.scale_v
    width = s.width * s.scale_v
    wave = s.noise(x, y * 0.35, width * 0.35)
    grain = 0.5 + 1.2 * s.noise(x * 0.5 + 3.7, y + 3.0 * wave, width) + 0.5 * s.noise(x * 3.0, y * 4.0, width * 4.0)
    return xp.clip(grain, 0.0, 1.0), 0.0 * s.u, 1.0 + s.amount * wave


def _cells(s: _Surface, x: Any, y: Any, shift: Any, grain: Any) -> tuple[Any, Any, Any]:
    """Cells in rows with lines of the third colour between them."""
    xp = array_namespace(x)
    row = xp.floor(y)
    x = x + shift(row)
    across = s.width * s.scale_v
    along = s.width * s.scale_u
    tint = s.cell(xp.floor(x), row, xp.maximum(across, along))
    ratio = s.scale_u / s.scale_v
    lines = 1.0 - (1.0 - _share_of_line(x, s.line * ratio, along)) * (1.0 - _share_of_line(y, s.line, across))
    return xp.clip(0.5 + tint + grain(tint), 0.0, 1.0), lines, 1.0 + s.amount * tint


def _boards(s: _Surface) -> tuple[Any, Any, Any]:
    """Wooden boards: base to second colour, joints of the third."""
    x, y = s.u * s.scale_u, s.v * s.scale_v

    def grain(tint: Any) -> Any:
        return 0.8 * s.noise(s.u * 2.0 + 40.0 * tint, s.v * 60.0 + 90.0 * tint, s.width * 60.0)

    return _cells(s, x, y, lambda row: 5.0 * s.cell(row, row, 0.0 * row), grain)


def _tiles(s: _Surface) -> tuple[Any, Any, Any]:
    """Tiles in a grid: base to second colour, joints of the third."""
    x, y = s.u * s.scale_u, s.v * s.scale_v
    return _cells(s, x, y, lambda row: 0.0 * row, lambda tint: 0.5 * s.noise(x * 5.0, y * 5.0, s.width * s.scale_v * 5))


def _brick(s: _Surface) -> tuple[Any, Any, Any]:
    """Rows shifted by half a cell: base to second colour, mortar of the third."""
    x, y = s.u * s.scale_u, s.v * s.scale_v
    return _cells(s, x, y, lambda row: 0.5 * row, lambda tint: 0.8 * s.noise(x * 9.0, y * 4.0, s.width * s.scale_v * 4))


def _stripes(s: _Surface) -> tuple[Any, Any, Any]:
    """Stripes of the second colour with a thin edge of the third."""
    x, width = s.u * s.scale_u, s.width * s.scale_u
    edge = _share_of_line(x - s.line * 0.5, 0.06 + 0.0 * x, width)
    return _share_of_line(x, s.line, width), edge * s.amount, 1.0 + 0.0 * x


def _plaid(s: _Surface) -> tuple[Any, Any, Any]:
    """Crossing stripes of the second and third colour, woven."""
    x, y = s.u * s.scale_u, s.v * s.scale_v
    one, two = (_share_of_line(a, s.line, s.width * k) for a, k in ((x, s.scale_u), (y, s.scale_v)))
    fine = s.noise(s.u * 300.0, s.v * 300.0, s.width * 300.0)
    return one, 0.6 * two, 1.0 + 0.5 * fine + s.amount * s.noise(s.u * 3.0, s.v * 3.0, s.width * 3.0)


def _dots(s: _Surface) -> tuple[Any, Any, Any]:
    """Blossoms of the second colour with a heart of the third, on every other cell of a grid: wallpaper."""
    xp = array_namespace(s.u)
    x, y, width = s.u * s.scale_u, s.v * s.scale_v, s.width * s.scale_u
    column = xp.floor(x)
    y = y + 0.5 * column
    row = xp.floor(y)
    dx, dy = x - column - 0.5, y - row - 0.5
    turn = 6.28 * s.cell(column, row, 0.0 * width)
    radius = xp.sqrt(dx * dx + dy * dy)
    petals = s.line * (1.0 + 0.35 * xp.cos(5.0 * xp.atan2(dy, dx) + turn))
    soft = xp.clip(width, 0.02, None)
    far = xp.clip(1.6 - width, 0.0, 1.0)
    return _step(petals - radius, soft) * far, _step(0.4 * s.line - radius, soft) * far, 1.0 + 0.0 * x


def _fabric(s: _Surface) -> tuple[Any, Any, Any]:
    """Cloth: fine threads and soft folds between the base and the second colour."""
    xp = array_namespace(s.u)
    threads = s.noise(s.u * 180.0, s.v * 40.0, s.width * 180.0) + s.noise(s.u * 40.0, s.v * 180.0, s.width * 180.0)
    folds = s.cloud(s.u * s.scale_u, s.v * s.scale_v, s.width * s.scale_u, 2)
    return xp.clip(0.5 + 0.6 * threads + folds, 0.0, 1.0), 0.0 * s.u, 1.0 + s.amount * folds


def _speckle(s: _Surface) -> tuple[Any, Any, Any]:
    """Grains of the second and third colour: carpet, terrazzo, cork."""
    xp = array_namespace(s.u)
    x, y, width = s.u * s.scale_u, s.v * s.scale_v, s.width * s.scale_u
    fine = s.noise(x, y, width) + 0.5 * s.noise(x * 2.3, y * 2.3, width * 2.3)
    worn = s.cloud(s.u * 1.1, s.v * 1.1, s.width, 2)
    return xp.clip(0.5 + 1.4 * fine, 0.0, 1.0), xp.clip(4.0 * fine - 1.2, 0.0, 1.0), 1.0 + s.amount * worn


def _marble(s: _Surface) -> tuple[Any, Any, Any]:
    """Veins of the second colour, clouds of the third."""
    xp = array_namespace(s.u)
    x, y, width = s.u * s.scale_u, s.v * s.scale_v, s.width * s.scale_u
    bend = s.cloud(x * 0.7, y * 0.7, width, 3)
    veins = 1.0 - xp.abs(s.cloud(x + 2.0 * bend, y - bend, width, 3)) * 6.0
    return xp.clip(veins, 0.0, 1.0), xp.clip(s.amount * (0.5 + 2.0 * bend), 0.0, 1.0), 1.0 + 0.0 * x


def _picture(s: _Surface) -> tuple[Any, Any, Any]:
    """Shapes of three colours: posters, paintings, screens, book jackets."""
    x, y, width = s.u * s.scale_u, s.v * s.scale_v, s.width * s.scale_u
    soft = 0.03 + 0.2 * width
    shapes = s.cloud(x, y, width, 3)
    bright = 1.0 + s.amount * s.noise(x * 6.0, y * 6.0, width * 6.0)
    return _step(shapes, soft), _step(s.cloud(x * 1.7 + 31.0, y * 1.3 + 7.0, width, 2) - 0.12, soft), bright


def _outdoors(s: _Surface) -> tuple[Any, Any, Any]:
    """What a window shows: sky (base) over trees or houses (second colour), hazed by the third."""
    x, y = s.u * s.scale_u, s.v * s.scale_v
    skyline = 0.6 * s.cloud(x * 1.5, 0.0 * x + 0.5, s.width, 3)
    ground = _step(skyline - y, 0.08 + 0.0 * x)
    leaves = s.cloud(x * 6.0, y * 6.0, s.width * 6.0, 2)
    return ground, 0.3 * ground, 1.0 + s.amount * ground * leaves


_PATTERNS: dict[int, Callable[[_Surface], tuple[Any, Any, Any]]] = {
    PLAIN: _plain, WOOD: _wood, BOARDS: _boards, TILES: _tiles, BRICK: _brick, STRIPES: _stripes, PLAID: _plaid,
    DOTS: _dots, FABRIC: _fabric, SPECKLE: _speckle, MARBLE: _marble, PICTURE: _picture, OUTDOORS: _outdoors,
}  # fmt: skip
