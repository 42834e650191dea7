"""Cupboards, shelves and machines, in the sizes of real homes (metres)."""

from __future__ import annotations

import numpy as np

from depthnet.data.synthetic.palette import Palette
from depthnet.data.synthetic.pieces import Piece, Top, books, fronts, square_legs
from depthnet.data.synthetic.shapes import Solid, box, capsule, cylinder, rod, rounded, slab, turn_about

Rng = np.random.Generator


def _chest(
    name: str, size: tuple[float, float, float], columns: int, rows: int, rng: Rng, palette: Palette, foot: float = 0.06
) -> Piece:
    """A body with doors or drawers in front and a top to put things on."""
    width, depth, height = size
    front = palette.front()
    solids = square_legs(width - 0.02, depth - 0.02, foot, 0.05, front)
    solids.append(box((0, 0.01, (foot + height - 0.02) / 2), (width - 0.02, depth - 0.02, height - 0.02 - foot), front))
    solids.append(box((0, 0, height - 0.01), (width, depth, 0.02), front))
    face = 0.01 - (depth - 0.02) / 2
    low, high = (-width / 2 + 0.02, face, foot + 0.01), (width / 2 - 0.02, face, height - 0.03)
    solids += fronts(low, high, columns, rows, front, palette.metal() if rng.random() < 0.9 else None, rng)
    spot = Top((-width / 2 + 0.03, -depth / 2 + 0.03, height), (width / 2 - 0.03, depth / 2 - 0.03, height + 0.8))
    return Piece(name, tuple(solids), (spot,))


def wardrobe(rng: Rng, palette: Palette) -> Piece:
    """A wardrobe or a tall cupboard."""
    doors = int(rng.integers(1, 5))
    size = (doors * rng.uniform(0.42, 0.6), rng.uniform(0.5, 0.65), rng.uniform(1.75, 2.2))
    return _chest("wardrobe", size, doors, 1, rng, palette)


def dresser(rng: Rng, palette: Palette) -> Piece:
    """A chest of drawers."""
    columns = int(rng.integers(1, 3))
    size = (rng.uniform(0.6, 0.9) * (1 + 0.6 * (columns - 1)), rng.uniform(0.4, 0.52), rng.uniform(0.7, 1.25))
    return _chest("dresser", size, columns, int(rng.integers(3, 6)), rng, palette)


def nightstand(rng: Rng, palette: Palette) -> Piece:
    """A bedside cupboard."""
    size = (rng.uniform(0.38, 0.55), rng.uniform(0.35, 0.45), rng.uniform(0.45, 0.65))
    return _chest("nightstand", size, 1, int(rng.integers(1, 4)), rng, palette)


def sideboard(rng: Rng, palette: Palette) -> Piece:
    """A long low cupboard."""
    columns = int(rng.integers(2, 5))
    size = (columns * rng.uniform(0.4, 0.55), rng.uniform(0.38, 0.5), rng.uniform(0.6, 0.95))
    return _chest("sideboard", size, columns, int(rng.integers(1, 3)), rng, palette, foot=0.1)


def filing_cabinet(rng: Rng, palette: Palette) -> Piece:
    """A steel cabinet of an office."""
    rows = int(rng.integers(2, 5))
    return _chest("filing cabinet", (rng.uniform(0.4, 0.9), 0.5, 0.34 * rows), 1, rows, rng, palette, foot=0.02)


def tv_stand(rng: Rng, palette: Palette) -> Piece:
    """A television, flat or with a tube, on its bench."""
    size = (rng.uniform(0.9, 1.7), rng.uniform(0.4, 0.5), rng.uniform(0.4, 0.6))
    bench = _chest("television", size, int(rng.integers(2, 4)), 1, rng, palette)
    black, z = palette.black(), size[2]
    screen = palette.picture() if rng.random() < 0.3 else black
    width = min(size[0] * 0.95, rng.uniform(0.7, 1.3))
    solids = list(bench.solids)
    if rng.random() < 0.65:
        solids.append(box((0, 0, z + 0.01), (width * 0.4, 0.22, 0.02), black))
        solids.append(box((0, 0.02, z + 0.05), (0.08, 0.04, 0.08), black))
        solids.append(box((0, 0.0, z + 0.07 + width * 0.29), (width, 0.05, width * 0.58), black))
        solids.append(box((0, -0.027, z + 0.07 + width * 0.29), (width - 0.05, 0.005, width * 0.58 - 0.05), screen))
    else:
        side = rng.uniform(0.55, 0.8)
        body = palette.plastic()
        solids.append(rounded((0, -0.12, z + side * 0.4), (side, 0.16, side * 0.8), 0.02, body))
        solids.append(rounded((0, 0.06, z + side * 0.36), (side * 0.75, 0.3, side * 0.6), 0.05, body))
        solids.append(rounded((0, -0.19, z + side * 0.42), (side * 0.85, 0.04, side * 0.6), 0.015, black))
    return Piece("television", tuple(solids))


def bookshelf(rng: Rng, palette: Palette) -> Piece:
    """Open shelves with books and things."""
    width, depth = rng.uniform(0.6, 1.5), rng.uniform(0.25, 0.4)
    rows, room = int(rng.integers(3, 7)), rng.uniform(0.27, 0.36)
    wood, thick = palette.front(), 0.02
    height = rows * (room + thick) + thick + 0.05
    inside = width / 2 - thick
    solids: list[Solid] = [
        slab((x - thick / 2, -depth / 2, 0), (x + thick / 2, depth / 2, height), wood) for x in (-inside, inside)
    ]
    if rng.random() < 0.7:
        solids.append(slab((-inside, depth / 2 - 0.01, 0.0), (inside, depth / 2, height), wood))
    tops = []
    for row in range(rows + 1):
        z = 0.05 + row * (room + thick)
        solids.append(slab((-inside, -depth / 2, z), (inside, depth / 2 - 0.01, z + thick), wood))
        if row == rows:
            break
        low = (-inside + 0.02, -depth / 2 + 0.04, z + thick)
        if rng.random() < 0.65:
            solids += books(low, 2 * inside - 0.04, depth - 0.06, room, rng, palette, most=16)
        else:
            tops.append(Top(low, (inside - 0.02, depth / 2 - 0.03, z + thick + room - 0.02)))
    tops.append(Top((-inside, -depth / 2 + 0.02, height), (inside, depth / 2 - 0.03, height + 0.4)))
    return Piece("bookshelf", tuple(solids), tuple(tops))


def fridge(rng: Rng, palette: Palette) -> Piece:
    """A refrigerator with one or two doors."""
    width, depth, height = rng.uniform(0.55, 0.9), rng.uniform(0.6, 0.75), rng.uniform(1.4, 1.9)
    skin, metal = (palette.ceramic() if rng.random() < 0.6 else palette.metal()), palette.metal()
    split = height * rng.uniform(0.3, 0.7)
    solids: list[Solid] = [box((0, 0.03, height / 2), (width, depth - 0.06, height), skin)]
    for low, high in ((0.05, split), (split + 0.01, height)):
        solids.append(rounded((0, -depth / 2 + 0.03, (low + high) / 2), (width, 0.06, high - low), 0.015, skin))
        middle = (low + high) / 2
        x, y = -width / 2 + 0.06, -depth / 2 - 0.01
        solids.append(capsule((x, y, middle - 0.15), (x, y, middle + 0.15), 0.012, metal))
    return Piece("fridge", tuple(solids), (Top((-width / 3, -0.1, height), (width / 3, depth / 3, height + 0.35)),))


def machine(rng: Rng, palette: Palette) -> Piece:
    """A stove, a dishwasher or a washing machine."""
    width, depth, height = rng.uniform(0.55, 0.65), 0.6, rng.uniform(0.84, 0.92)
    skin, black, metal = palette.ceramic(), palette.black(), palette.metal()
    solids: list[Solid] = [box((0, 0, height / 2), (width, depth, height), skin)]
    if rng.random() < 0.5:
        drum = cylinder((0, 0, -0.02), 0.19, 0.04, black).moved(turn_about(0, np.pi / 2), (0, -depth / 2 - 0.01, 0.45))
        solids += [drum, box((0, -depth / 2 - 0.005, height - 0.07), (width * 0.9, 0.01, 0.09), palette.plastic())]
    else:
        solids.append(box((0, -depth / 2 - 0.008, 0.45), (width * 0.8, 0.016, 0.4), black))
        solids.append(capsule((-0.2, -depth / 2 - 0.02, 0.64), (0.2, -depth / 2 - 0.02, 0.64), 0.012, metal))
        solids += [cylinder((x, y, height), 0.08, 0.012, black) for x in (-0.14, 0.14) for y in (-0.13, 0.13)]
    return Piece("machine", tuple(solids), (Top((-0.25, -0.25, height + 0.013), (0.25, 0.25, height + 0.4)),))


def fireplace(rng: Rng, palette: Palette) -> Piece:
    """A chimney breast with its hearth and mantel."""
    width, depth, height = rng.uniform(1.1, 1.7), rng.uniform(0.3, 0.45), rng.uniform(1.0, 1.3)
    stone, wood, black = palette.tiles(), palette.front(), palette.black()
    opening = width * 0.28
    solids: list[Solid] = [
        slab((-width / 2, -depth / 2, 0), (-opening, depth / 2, height), stone),
        slab((opening, -depth / 2, 0), (width / 2, depth / 2, height), stone),
        slab((-opening, -depth / 2, 0.7), (opening, depth / 2, height), stone),
        slab((-opening, depth / 2 - 0.04, 0), (opening, depth / 2, 0.7), black),
        slab((-width / 2 - 0.08, -depth / 2 - 0.08, height), (width / 2 + 0.08, depth / 2, height + 0.06), wood),
        slab((-width / 2, -depth / 2 - 0.3, 0), (width / 2, -depth / 2, 0.03), stone),
    ]
    solids += [
        rod((-0.2, y, 0.04 + z), (0.2, y + 0.02, 0.04 + z), 0.04, wood) for y, z in ((-0.05, 0), (0.04, 0), (0, 0.07))
    ]
    top = height + 0.06
    return Piece(
        "fireplace", tuple(solids), (Top((-width / 2, -depth / 2, top), (width / 2, depth / 2 - 0.02, top + 0.5)),)
    )


def piano(rng: Rng, palette: Palette) -> Piece:
    """An upright piano."""
    dark, white = palette.wood(), palette.ceramic()
    solids: list[Solid] = [
        box((0, 0.12, 0.6), (1.45, 0.36, 1.2), dark),
        box((0, -0.16, 0.66), (1.45, 0.3, 0.12), dark),
        box((0, -0.17, 0.73), (1.25, 0.16, 0.02), white),
        box((0, 0.12, 1.21), (1.5, 0.4, 0.02), dark),
    ]
    solids += [box((x, -0.22, 0.3), (0.08, 0.08, 0.6), dark) for x in (-0.66, 0.66)]
    return Piece("piano", tuple(solids), (Top((-0.7, -0.05, 1.22), (0.7, 0.28, 1.7)),))


def rack(rng: Rng, palette: Palette) -> Piece:
    """A metal rack or a clothes rail with clothes."""
    width, height, metal = rng.uniform(0.7, 1.2), rng.uniform(1.4, 1.7), palette.metal()
    solids: list[Solid] = [rod((x, 0, 0), (x, 0, height), 0.015, metal) for x in (-width / 2, width / 2)]
    solids.append(rod((-width / 2, 0, height - 0.02), (width / 2, 0, height - 0.02), 0.012, metal))
    solids += [box((x, 0, 0.015), (0.03, 0.45, 0.03), metal) for x in (-width / 2, width / 2)]
    x = -width / 2 + 0.08
    while x < width / 2 - 0.1:
        long = rng.uniform(0.5, 1.0)
        solids.append(
            rounded(
                (x, 0, height - 0.03 - long / 2),
                (rng.uniform(0.03, 0.07), rng.uniform(0.3, 0.42), long),
                0.02,
                palette.cloth(),
            )
        )
        x += rng.uniform(0.07, 0.16)
    return Piece("clothes rail", tuple(solids))
