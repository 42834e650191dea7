"""Tables, desks and kitchen counters, in the sizes of real homes (metres)."""

from __future__ import annotations

import numpy as np

from depthnet.data.synthetic.palette import Palette
from depthnet.data.synthetic.pieces import Piece, Top, fronts, legs, square_legs
from depthnet.data.synthetic.shapes import Solid, box, capsule, cone, cylinder, ellipsoid, rounded

Rng = np.random.Generator


def _top(width: float, depth: float, height: float, room: float = 0.8, inset: float = 0.03) -> Top:
    x, y = width / 2 - inset, depth / 2 - inset
    return Top((-x, -y, height), (x, y, height + room))


def _table(name: str, width: float, depth: float, height: float, rng: Rng, palette: Palette) -> Piece:
    """A table with four legs or a central foot."""
    wood = palette.wood() if rng.random() < 0.8 else palette.lacquer()
    plate, thick = palette.stone() if rng.random() < 0.1 else wood, rng.uniform(0.02, 0.05)
    if rng.random() < 0.2:
        radius = min(width, depth) / 2
        solids: list[Solid] = [cylinder((0, 0, height - thick), radius, thick, plate)]
        if rng.random() < 0.6:
            solids.append(cylinder((0, 0, 0.02), 0.05, height - thick - 0.02, wood))
            solids.append(cone((0, 0, 0), (radius * 0.55, radius * 0.45), 0.03, wood))
        else:
            solids += legs(radius * 1.5, radius * 1.5, height - thick, 0.025, wood)
        return Piece(name, tuple(solids), (_top(radius * 1.35, radius * 1.35, height),))
    feet = rng.random()
    if feet < 0.45:
        solids = square_legs(width - 0.03, depth - 0.03, height - thick, rng.uniform(0.04, 0.09), wood)
    elif feet < 0.8:
        solids = legs(width, depth, height - thick, rng.uniform(0.018, 0.04), wood, 0.06)
    else:
        solids = [
            box((x * (width / 2 - 0.1), 0, (height - thick) / 2), (0.04, depth * 0.85, height - thick), wood)
            for x in (-1, 1)
        ]
    if rng.random() < 0.5:
        for y in (-1, 1):
            solids.append(box((0, y * (depth / 2 - 0.06), height - thick - 0.04), (width - 0.16, 0.02, 0.08), wood))
    rounding = rng.random() < 0.3
    size = (width, depth, thick)
    at = (0, 0, height - thick / 2)
    solids.append(rounded(at, size, 0.012, plate) if rounding else box(at, size, plate))
    if rng.random() < 0.2:
        solids.append(box((0, 0, height + 0.0015), (width * 0.35, depth * 0.98, 0.003), palette.cloth()))
    return Piece(name, tuple(solids), (_top(width, depth, height + 0.003),))


def dining_table(rng: Rng, palette: Palette) -> Piece:
    """A table to eat at."""
    return _table("table", rng.uniform(1.0, 2.0), rng.uniform(0.75, 1.0), rng.uniform(0.71, 0.77), rng, palette)


def coffee_table(rng: Rng, palette: Palette) -> Piece:
    """A low table for before the sofa."""
    return _table("coffee table", rng.uniform(0.7, 1.2), rng.uniform(0.45, 0.7), rng.uniform(0.35, 0.48), rng, palette)


def side_table(rng: Rng, palette: Palette) -> Piece:
    """A small table."""
    side = rng.uniform(0.38, 0.6)
    return _table("side table", side, side * rng.uniform(0.8, 1.0), rng.uniform(0.48, 0.75), rng, palette)


def desk(rng: Rng, palette: Palette) -> Piece:
    """A desk with drawers on one or both sides; its front is at smaller y."""
    width, depth, height = rng.uniform(1.0, 1.7), rng.uniform(0.55, 0.8), rng.uniform(0.71, 0.76)
    wood, metal = palette.front(), palette.metal()
    solids: list[Solid] = [box((0, 0, height - 0.015), (width, depth, 0.03), wood)]
    sides = [int(rng.choice([-1, 1]))] if rng.random() < 0.65 else [-1, 1]
    for side in (-1, 1):
        x = side * (width / 2 - 0.21)
        if side in sides:
            solids.append(box((x, 0.02, (height - 0.03) / 2), (0.4, depth - 0.06, height - 0.03), wood))
            low = (x - 0.2, -depth / 2 + 0.05, 0.05)
            solids += fronts(low, (x + 0.2, low[1], height - 0.04), 1, int(rng.integers(2, 5)), wood, metal, rng)
        else:
            solids.append(
                box((side * (width / 2 - 0.03), 0, (height - 0.03) / 2), (0.04, depth - 0.04, height - 0.03), wood)
            )
    solids.append(box((0, depth / 2 - 0.04, height * 0.62), (width - 0.1, 0.02, height * 0.6), wood))
    return Piece("desk", tuple(solids), (_top(width, depth, height),))


def counter(rng: Rng, palette: Palette) -> Piece:
    """Kitchen base cabinets under a worktop, perhaps with a sink or a stove; its front is at smaller y."""
    columns = int(rng.integers(2, 6))
    width, depth, height = columns * rng.uniform(0.42, 0.6), rng.uniform(0.58, 0.65), rng.uniform(0.86, 0.94)
    front, metal, plate = palette.front(), palette.metal(), palette.stone()
    solids: list[Solid] = [
        box((0, 0.02, 0.05), (width, depth - 0.1, 0.1), palette.black()),
        box((0, 0, height / 2 + 0.03), (width, depth - 0.03, height - 0.14), front),
        box((0, -0.005, height - 0.02), (width, depth, 0.04), plate),
    ]
    face = -(depth - 0.03) / 2
    solids += fronts((-width / 2, face, height - 0.2), (width / 2, face, height - 0.05), columns, 1, front, metal, rng)
    solids += fronts((-width / 2, face, 0.11), (width / 2, face, height - 0.2), columns, 1, front, metal, rng)
    left, right = -width / 2 + 0.05, width / 2 - 0.05
    if rng.random() < 0.6:
        x = rng.uniform(-width / 2 + 0.35, width / 2 - 0.35)
        solids.append(box((x, -0.02, height + 0.003), (0.5, 0.4, 0.006), metal))
        solids.append(box((x, -0.02, height + 0.006), (0.42, 0.32, 0.006), palette.black()))
        solids.append(capsule((x, 0.22, height), (x, 0.22, height + 0.22), 0.012, metal))
        solids.append(capsule((x, 0.22, height + 0.22), (x, 0.05, height + 0.2), 0.01, metal))
        left, right = (left, x - 0.28) if x > 0 else (x + 0.28, right)
    elif rng.random() < 0.6:
        x = rng.uniform(-width / 2 + 0.35, width / 2 - 0.35)
        solids.append(box((x, -0.02, height + 0.004), (0.56, 0.5, 0.008), palette.black()))
        solids += [
            cylinder((x + i * 0.13, -0.02 + j * 0.12, height + 0.008), 0.08, 0.012, metal)
            for i in (-1, 1)
            for j in (-1, 1)
        ]
        left, right = (left, x - 0.3) if x > 0 else (x + 0.3, right)
    tops = (Top((left, -depth / 2 + 0.05, height), (right, depth / 2 - 0.03, height + 0.4)),)
    return Piece("counter", tuple(solids), tops if right - left > 0.3 else ())


def island(rng: Rng, palette: Palette) -> Piece:
    """A counter that stands free: a kitchen island, a bar or a shop desk."""
    width, depth, height = rng.uniform(1.2, 2.4), rng.uniform(0.6, 1.0), rng.uniform(0.88, 1.1)
    front = palette.front()
    solids: list[Solid] = [
        box((0, 0, (height - 0.04) / 2), (width - 0.1, depth - 0.1, height - 0.04), front),
        box((0, 0, height - 0.02), (width, depth, 0.04), palette.stone()),
    ]
    face = -(depth - 0.1) / 2
    knob = palette.metal() if rng.random() < 0.5 else None
    columns = int(rng.integers(2, 5))
    solids += fronts(
        (-width / 2 + 0.05, face, 0.08), (width / 2 - 0.05, face, height - 0.06), columns, 1, front, knob, rng
    )
    return Piece("island", tuple(solids), (_top(width, depth, height),))


def washstand(rng: Rng, palette: Palette) -> Piece:
    """A wash basin on a cupboard or a column, with its tap."""
    width, depth, height = rng.uniform(0.5, 1.3), rng.uniform(0.42, 0.55), rng.uniform(0.8, 0.88)
    white, metal, front = palette.ceramic(), palette.metal(), palette.front()
    solids: list[Solid] = []
    if width < 0.65 and rng.random() < 0.5:
        solids.append(cone((0, 0.03, 0), (0.12, 0.09), height - 0.14, white))
        solids.append(rounded((0, 0, height - 0.07), (width, depth, 0.14), 0.06, white))
    else:
        solids.append(box((0, 0.01, (height - 0.03) / 2), (width - 0.03, depth - 0.04, height - 0.03), front))
        face = -(depth - 0.06) / 2
        solids += fronts(
            (-width / 2 + 0.015, face, 0.08),
            (width / 2 - 0.015, face, height - 0.05),
            1 + int(width > 0.6),
            1,
            front,
            metal,
            rng,
        )
        solids.append(box((0, 0, height - 0.015), (width, depth, 0.03), palette.stone()))
    solids.append(ellipsoid((0, -0.03, height), (min(0.25, width * 0.4), depth * 0.33, 0.03), white))
    solids.append(capsule((0, depth / 2 - 0.07, height), (0, depth / 2 - 0.07, height + 0.14), 0.014, metal))
    solids.append(capsule((0, depth / 2 - 0.07, height + 0.14), (0, 0.02, height + 0.11), 0.012, metal))
    spot = Top((-width / 2 + 0.03, -depth / 2 + 0.05, height), (-0.28, depth / 2 - 0.05, height + 0.4))
    return Piece("washstand", tuple(solids), (spot,) if spot.high[0] - spot.low[0] > 0.15 else ())
