"""What hangs on walls and under ceilings: windows, doors, pictures, shelves, lamps (metres).

A piece for a wall has its back, y = 0, on the wall and reaches into the room towards smaller y; z is measured from the
floor. A piece for a ceiling has the ceiling at z = 0.
"""

from __future__ import annotations

import numpy as np

from depthnet.data.synthetic.palette import Palette
from depthnet.data.synthetic.pieces import Piece, Top, around, books, fronts
from depthnet.data.synthetic.scene import Light, lamp
from depthnet.data.synthetic.shapes import (
    Solid,
    box,
    capsule,
    cone,
    cylinder,
    ellipsoid,
    rod,
    rounded,
    slab,
    turn_about,
)
from depthnet.data.synthetic.things import LAMP_POWER, warm_power

Rng = np.random.Generator


def window(rng: Rng, palette: Palette, daylight: float) -> Piece:
    """A window with its frame, perhaps blinds or curtains; it lights the room when there is daylight.

    Args:
        rng: random numbers.
        palette: materials.
        daylight: 0 at night to 1 in the sun.
    """
    width, height, sill = rng.uniform(0.7, 2.0), rng.uniform(0.9, 1.4), rng.uniform(0.75, 1.05)
    wood = palette.lacquer()
    blind = rng.random() < 0.35
    glow = 4.0 * daylight
    pane = palette.blind(0.6 * glow) if blind else palette.outdoors(glow)
    half, top = width / 2, sill + height
    solids: list[Solid] = [slab((-half, -0.012, sill), (half, 0, top), pane)]
    edge = rng.uniform(0.05, 0.09)
    for x in (-half, half):
        solids.append(box((x, -0.025, sill + height / 2), (edge, 0.05, height + edge), wood))
    for z in (sill, top):
        solids.append(box((0, -0.025, z), (width + edge, 0.05, edge), wood))
    solids.append(box((0, -0.06, sill - edge / 2 - 0.01), (width + 0.14, 0.12, 0.03), wood))
    if not blind:
        for x in np.linspace(-half, half, int(rng.integers(1, 4)) + 1)[1:-1]:
            solids.append(box((x, -0.02, sill + height / 2), (0.04, 0.04, height), wood))
        if rng.random() < 0.5:
            solids.append(box((0, -0.02, sill + height * 0.5), (width, 0.04, 0.04), wood))
    if rng.random() < 0.4:
        solids += _curtains(half, top, rng, palette)
    light: tuple[Light, ...] = ()
    if daylight > 0.05:
        power = daylight * width * height * LAMP_POWER * (0.5 if blind else 1.0) * rng.uniform(0.7, 2.0)
        sky = np.array([power * (1 - 0.15 * rng.random()), power, power * (1 + 0.3 * rng.random())])
        at = np.array([0, -0.16, sill + height / 2])
        up, across = np.array([0, 0, height * 0.35]), np.array([width * 0.35, 0, 0])
        light = (Light(at, sky, across, up, np.array([0.0, -1.0, 0.0])),)
    return Piece("window", tuple(solids), (), light)


def _curtains(half: float, top: float, rng: Rng, palette: Palette) -> list[Solid]:
    """Folds of cloth on both sides of a window, on a rod."""
    cloth, bottom = palette.cloth(), rng.uniform(0.02, 0.6)
    solids: list[Solid] = [rod((-half - 0.3, -0.1, top + 0.12), (half + 0.3, -0.1, top + 0.12), 0.014, palette.metal())]
    for side in (-1, 1):
        x, end = half + 0.22, half - rng.uniform(0.0, 0.25)
        while x > end:
            solids.append(capsule((side * x, -0.1, bottom + 0.05), (side * x, -0.1, top + 0.08), 0.04, cloth))
            x -= 0.065
    return solids


def door(rng: Rng, palette: Palette) -> Piece:
    """A closed door in its frame."""
    width, height = rng.uniform(0.75, 0.95), rng.uniform(1.98, 2.1)
    leaf, trim, metal = palette.front(), palette.lacquer(), palette.metal()
    solids: list[Solid] = [slab((-width / 2, -0.03, 0.01), (width / 2, 0, height), leaf)]
    for x in (-1, 1):
        solids.append(box((x * (width / 2 + 0.04), -0.025, height / 2 + 0.04), (0.08, 0.05, height + 0.08), trim))
    solids.append(box((0, -0.025, height + 0.04), (width, 0.05, 0.08), trim))
    if rng.random() < 0.6:  # panels
        for low, high in ((0.15, 0.9), (1.05, height - 0.15)):
            for x in (-1, 1):
                solids.append(
                    rounded((x * width * 0.23, -0.03, (low + high) / 2), (width * 0.34, 0.02, high - low), 0.008, leaf)
                )
    solids.append(ellipsoid((width / 2 - 0.07, -0.07, 1.0), (0.03, 0.03, 0.03), metal))
    solids.append(rod((width / 2 - 0.07, -0.07, 1.0), (width / 2 - 0.07, -0.02, 1.0), 0.012, metal))
    return Piece("door", tuple(solids))


def picture(rng: Rng, palette: Palette) -> Piece:
    """A framed picture, a poster or a mirror."""
    width, height = rng.uniform(0.25, 1.1), rng.uniform(0.25, 0.8)
    middle = rng.uniform(1.35, 1.7)
    solids: list[Solid] = []
    border = rng.uniform(0.015, 0.05)
    if rng.random() < 0.8:
        solids.append(box((0, -0.012, middle), (width, 0.024, height), palette.front()))
        if rng.random() < 0.5 and min(width, height) > 0.35:
            border *= 1.0
            solids.append(
                box((0, -0.0245, middle), (width - 2 * border, 0.003, height - 2 * border), palette.ceramic())
            )
            border += rng.uniform(0.04, 0.09)
    face = palette.picture()
    solids.append(
        box(
            (0, -0.026 if solids else -0.004, middle),
            (width - 2 * border, 0.004 if solids else 0.008, height - 2 * border),
            face,
        )
    )
    return Piece("picture", tuple(solids))


def board(rng: Rng, palette: Palette) -> Piece:
    """A white board, a black board or a large flat screen."""
    width, height, middle = rng.uniform(1.0, 2.4), rng.uniform(0.7, 1.1), rng.uniform(1.4, 1.6)
    face = palette.ceramic() if rng.random() < 0.5 else palette.black()
    return Piece("board", (box((0, -0.02, middle), (width, 0.04, height), palette.metal()),
                           box((0, -0.021, middle), (width - 0.05, 0.044, height - 0.05), face)))  # fmt: skip


def clock(rng: Rng, palette: Palette) -> Piece:
    """A round clock or plate."""
    turn, height = turn_about(0, np.pi / 2), rng.uniform(1.6, 2.0)
    radius = rng.uniform(0.1, 0.2)
    rim = cylinder((0, 0, 0), radius, 0.04, palette.plastic()).moved(turn, (0, 0, height))
    face = cylinder((0, 0, 0), radius * 0.88, 0.044, palette.ceramic()).moved(turn, (0, 0, height))
    return Piece("clock", (rim, face))


def wall_shelf(rng: Rng, palette: Palette) -> Piece:
    """One to three boards with things or books."""
    width, depth, wood = rng.uniform(0.5, 1.3), rng.uniform(0.18, 0.28), palette.front()
    solids: list[Solid] = []
    tops = []
    z = rng.uniform(1.2, 1.6)
    for _ in range(int(rng.integers(1, 4))):
        solids.append(slab((-width / 2, -depth, z), (width / 2, 0, z + 0.025), wood))
        if rng.random() < 0.6:
            solids += books(
                (-width / 2 + 0.02, -depth + 0.03, z + 0.025), width - 0.04, depth - 0.05, 0.28, rng, palette, 12
            )
        else:
            tops.append(Top((-width / 2, -depth + 0.01, z + 0.025), (width / 2, -0.02, z + 0.31)))
        z += 0.35
    return Piece("shelf", tuple(solids), tuple(tops))


def wall_cupboard(rng: Rng, palette: Palette) -> Piece:
    """Kitchen cupboards on the wall."""
    columns = int(rng.integers(1, 6))
    width, depth, low = columns * rng.uniform(0.4, 0.55), rng.uniform(0.3, 0.36), rng.uniform(1.38, 1.5)
    high, front = low + rng.uniform(0.6, 0.8), palette.front()
    solids: list[Solid] = [slab((-width / 2, -depth, low), (width / 2, 0, high), front)]
    solids += fronts((-width / 2, -depth, low), (width / 2, -depth, high), columns, 1, front, palette.metal(), rng)
    return Piece("wall cupboard", tuple(solids))


def radiator(rng: Rng, palette: Palette) -> Piece:
    """A radiator."""
    width, height, white = rng.uniform(0.5, 1.3), rng.uniform(0.4, 0.65), palette.lacquer()
    solids: list[Solid] = [
        rounded((x, -0.06, 0.12 + height / 2), (0.045, 0.1, height), 0.02, white)
        for x in np.arange(-width / 2, width / 2, 0.055)
    ]
    solids += [
        slab((x - 0.02, -0.08, 0), (x + 0.02, -0.04, 0.14), white) for x in (-width / 2 + 0.03, width / 2 - 0.06)
    ]
    return Piece("radiator", tuple(solids))


def switch(rng: Rng, palette: Palette) -> Piece:
    """A light switch or a socket."""
    z = 1.15 if rng.random() < 0.5 else 0.3
    return Piece("switch", (box((0, -0.006, z), (0.08, 0.012, 0.12), palette.ceramic()),))


def mirror(rng: Rng, palette: Palette) -> Piece:
    """A bathroom cabinet with a pale front."""
    width, height = rng.uniform(0.4, 1.1), rng.uniform(0.5, 0.9)
    solids: list[Solid] = [box((0, -0.06, 1.55), (width, 0.12, height), palette.lacquer())]
    solids.append(box((0, -0.123, 1.55), (width - 0.04, 0.006, height - 0.04), palette.picture()))
    return Piece("mirror", tuple(solids))


def hung_clothes(rng: Rng, palette: Palette) -> Piece:
    """Coats or towels on hooks."""
    solids: list[Solid] = [box((0, -0.012, 1.66), (0.7, 0.024, 0.08), palette.wood())]
    for x in np.linspace(-0.26, 0.26, int(rng.integers(2, 5))):
        long = rng.uniform(0.4, 0.95)
        solids.append(rod((x, -0.07, 1.67), (x, -0.01, 1.66), 0.012, palette.metal()))
        if rng.random() < 0.8:
            size = (rng.uniform(0.15, 0.3), 0.1, long)
            solids.append(rounded((x, -0.08, 1.65 - long / 2), size, 0.045, palette.cloth()))
    return Piece("coats", tuple(solids))


def ceiling_lamp(rng: Rng, palette: Palette, power: float) -> Piece:
    """A lamp under the ceiling: flat, hanging, a panel or a chandelier; ``power`` 0 is switched off."""
    kind, glow = rng.integers(4), 3.0 if power > 0 else 0.0
    shade, metal = palette.shade(glow), palette.metal()
    drop = 0.0
    if kind == 0:
        solids: list[Solid] = [ellipsoid((0, 0, -0.02), (0.2, 0.2, 0.09), shade, casts=False)]
    elif kind == 1:
        drop = rng.uniform(0.3, 0.8)
        solids = [
            rod((0, 0, -drop), (0, 0, 0), 0.006, metal),
            cone((0, 0, -drop - 0.2), (0.2, 0.08), 0.2, shade, casts=False),
        ]
    elif kind == 2:
        solids = [box((0, 0, -0.03), (rng.uniform(0.3, 1.2), rng.uniform(0.15, 0.6), 0.06), shade, casts=False)]
    else:
        drop = rng.uniform(0.3, 0.6)
        solids = [rod((0, 0, -drop), (0, 0, 0), 0.01, metal)]
        for x, y in around(int(rng.integers(3, 7)), 0.25, rng.uniform(0, 1)):
            solids.append(rod((0, 0, -drop), (x, y, -drop + 0.05), 0.008, metal))
            solids.append(ellipsoid((x, y, -drop + 0.1), (0.05, 0.05, 0.06), shade, casts=False))
    light = (lamp((0, 0, -drop - 0.14), warm_power(rng, power), 0.15),) if power > 0 else ()
    return Piece("ceiling lamp", tuple(solids), (), light)


def ceiling_fan(rng: Rng, palette: Palette) -> Piece:
    """A fan under the ceiling."""
    wood, metal = palette.wood(), palette.metal()
    solids: list[Solid] = [rod((0, 0, -0.25), (0, 0, 0), 0.015, metal), cylinder((0, 0, -0.35), 0.11, 0.12, metal)]
    for k in range(5):
        blade = box((0.38, 0, 0), (0.52, 0.13, 0.01), wood)
        solids.append(blade.moved(turn_about(2, 1.2566 * k + rng.uniform(0, 0.01)), (0, 0, -0.28)))
    return Piece("ceiling fan", tuple(solids))
