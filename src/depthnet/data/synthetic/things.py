"""Small things that stand on tables, shelves and floors, and lamps that stand or hang (metres)."""

from __future__ import annotations

import numpy as np

from depthnet.data.synthetic.palette import Palette
from depthnet.data.synthetic.pieces import Piece, Top, around, books, pile
from depthnet.data.synthetic.scene import Light, lamp
from depthnet.data.synthetic.shapes import Solid, box, capsule, cone, cylinder, ellipsoid, rod, rounded, turn_about

Rng = np.random.Generator

#: Intensity of one household lamp, the unit of light of these scenes.
LAMP_POWER = 1.0


def warm_power(rng: Rng, power: float) -> list[float]:
    """Power of a lamp in linear RGB, from candle light to cool white."""
    warmth = rng.uniform(-0.05, 0.35)
    return [power * (1 + 0.5 * warmth), power, power * (1 - warmth)]


def cup(rng: Rng, palette: Palette) -> Piece:
    """A cup, a glass or a jar."""
    radius, height = rng.uniform(0.03, 0.055), rng.uniform(0.07, 0.16)
    material = palette.ceramic() if rng.random() < 0.6 else palette.plastic()
    return Piece("cup", (cone((0, 0, 0), (radius * rng.uniform(0.7, 1.0), radius), height, material),))


def bottle(rng: Rng, palette: Palette) -> Piece:
    """A bottle with its neck."""
    radius, height = rng.uniform(0.03, 0.05), rng.uniform(0.14, 0.24)
    body = palette.plastic()
    return Piece("bottle", (
        cylinder((0, 0, 0), radius, height, body),
        cone((0, 0, height), (radius, radius * 0.35), radius, body),
        cylinder((0, 0, height + radius), radius * 0.35, radius * 1.2, palette.plastic()),
    ))  # fmt: skip


def bowl(rng: Rng, palette: Palette) -> Piece:
    """A bowl with fruit."""
    radius = rng.uniform(0.09, 0.17)
    solids: list[Solid] = [cone((0, 0, 0), (radius * 0.5, radius), radius * 0.55, palette.ceramic())]
    for x, y in around(int(rng.integers(0, 5)), radius * 0.5, rng.uniform(0, 6)):
        solids.append(ellipsoid((x, y, radius * 0.6), (0.038, 0.038, 0.036), palette.plastic()))
    return Piece("bowl", tuple(solids))


def carton(rng: Rng, palette: Palette) -> Piece:
    """A packet, a small case, a radio, a toaster."""
    size = rng.uniform((0.08, 0.06, 0.06), (0.34, 0.24, 0.28))
    material = [palette.plastic, palette.book, palette.lacquer, palette.wood][int(rng.integers(4))]()
    solid = (
        rounded((0, 0, size[2] / 2), size, 0.015, material)
        if rng.random() < 0.4
        else box((0, 0, size[2] / 2), size, material)
    )
    return Piece("packet", (solid,))


def book_pile(rng: Rng, palette: Palette) -> Piece:
    """A few books or papers."""
    solids = pile((0, 0, 0), rng.uniform(0.18, 0.3), rng.uniform(0.15, 0.22), 0.3, rng, palette)
    return Piece("books", tuple(solids))


def book_row(rng: Rng, palette: Palette) -> Piece:
    """Standing books."""
    width = rng.uniform(0.2, 0.5)
    solids = books((-width / 2, -0.1, 0), width, 0.2, 0.32, rng, palette, most=8)
    return Piece("books", tuple(solids))


def vase(rng: Rng, palette: Palette) -> Piece:
    """A vase or a pot with flowers or a plant."""
    radius, height = rng.uniform(0.04, 0.1), rng.uniform(0.1, 0.25)
    green = palette.leaf()
    solids: list[Solid] = [cone((0, 0, 0), (radius * 0.7, radius), height, palette.ceramic())]
    spread = rng.uniform(0.06, 0.16)
    for x, y in around(int(rng.integers(3, 7)), spread, rng.uniform(0, 6)):
        tip = (x, y, height + rng.uniform(0.08, 0.3))
        solids.append(rod((x * 0.2, y * 0.2, height - 0.01), tip, 0.004, green))
        blossom = palette.plastic() if rng.random() < 0.5 else green
        solids.append(ellipsoid(tip, rng.uniform((0.025, 0.025, 0.02), (0.06, 0.06, 0.06)), blossom))
    return Piece("vase", tuple(solids))


def plant(rng: Rng, palette: Palette) -> Piece:
    """A tall plant in a pot on the floor."""
    pot, height = rng.uniform(0.13, 0.22), rng.uniform(0.5, 1.4)
    green = palette.leaf()
    top = pot * 1.6
    solids: list[Solid] = [cone((0, 0, 0), (pot * 0.75, pot), top, palette.ceramic())]
    solids.append(rod((0, 0, top - 0.02), (0, 0, top + height), 0.015, palette.wood()))
    for k in range(int(rng.integers(6, 16))):
        angle, lift = k * 2.4 + rng.uniform(-0.4, 0.4), top + height * rng.uniform(0.2, 1.0)
        long, tilt = rng.uniform(0.12, 0.3), rng.uniform(-0.9, 0.4)
        leaf = ellipsoid((long, 0, 0), (long, long * rng.uniform(0.25, 0.5), 0.008), green)
        solids.append(leaf.moved(turn_about(2, angle) @ turn_about(1, tilt), (0, 0, lift)))
    return Piece("plant", tuple(solids))


def monitor(rng: Rng, palette: Palette) -> Piece:
    """A computer screen with a keyboard before it."""
    width, black = rng.uniform(0.4, 0.62), palette.black()
    screen = palette.picture() if rng.random() < 0.5 else black
    high = width * 0.6
    solids: list[Solid] = [
        cylinder((0, 0.06, 0), 0.1, 0.012, black),
        box((0, 0.07, 0.06), (0.05, 0.03, 0.12), black),
        box((0, 0.05, 0.1 + high / 2), (width, 0.04, high), black),
        box((0, 0.028, 0.1 + high / 2), (width - 0.03, 0.004, high - 0.03), screen),
        box((0, -0.2, 0.01), (0.42, 0.14, 0.02), palette.plastic()),
        ellipsoid((0.28, -0.2, 0.012), (0.03, 0.05, 0.018), black),
    ]
    return Piece("monitor", tuple(solids))


def laptop(rng: Rng, palette: Palette) -> Piece:
    """An open laptop."""
    body, screen = palette.black(), palette.picture()
    lid = box((0, 0, 0.11), (0.34, 0.012, 0.22), body).moved(turn_about(0, -0.3), (0, 0.11, 0.015))
    face = box((0, -0.008, 0.11), (0.31, 0.004, 0.19), screen).moved(turn_about(0, -0.3), (0, 0.11, 0.015))
    return Piece("laptop", (box((0, 0, 0.01), (0.34, 0.23, 0.02), body), lid, face))


def frame(rng: Rng, palette: Palette) -> Piece:
    """A photograph that stands."""
    width, height = rng.uniform(0.1, 0.24), rng.uniform(0.12, 0.28)
    turn = turn_about(0, -0.2)
    back = box((0, 0, height / 2), (width, 0.015, height), palette.wood()).moved(turn, (0, 0, 0.002))
    face = box((0, -0.009, height / 2), (width - 0.03, 0.003, height - 0.03), palette.picture())
    return Piece("photograph", (back, face.moved(turn, (0, 0, 0.002))))


def toy(rng: Rng, palette: Palette) -> Piece:
    """A soft animal."""
    size, fur = rng.uniform(0.07, 0.16), palette.cloth()
    solids: list[Solid] = [ellipsoid((0, 0, size), (size * 0.8, size * 0.7, size), fur)]
    solids.append(ellipsoid((0, -size * 0.1, size * 2.3), (size * 0.6, size * 0.55, size * 0.55), fur))
    for x in (-1, 1):
        solids.append(ellipsoid((x * size * 0.5, 0, size * 2.8), (size * 0.22,) * 3, fur))
        solids.append(
            capsule((x * size * 0.5, -size * 0.4, size * 0.3), (x * size * 0.7, -size, size * 0.3), size * 0.28, fur)
        )
    return Piece("toy", tuple(solids))


def ball(rng: Rng, palette: Palette) -> Piece:
    """A ball."""
    radius = rng.uniform(0.04, 0.3 if rng.random() < 0.2 else 0.14)
    return Piece("ball", (ellipsoid((0, 0, radius), (radius, radius, radius), palette.plastic()),))


def crate(rng: Rng, palette: Palette) -> Piece:
    """A cardboard box, a storage tub, a suitcase."""
    size = rng.uniform((0.3, 0.25, 0.2), (0.6, 0.45, 0.45))
    material = palette.wood() if rng.random() < 0.4 else palette.plastic()
    solids: list[Solid] = [rounded((0, 0, size[2] / 2), size, 0.02, material)]
    if rng.random() < 0.5:
        solids.append(rounded((0, 0, size[2] + 0.015), (size[0] + 0.02, size[1] + 0.02, 0.03), 0.01, palette.plastic()))
    return Piece(
        "crate",
        tuple(solids),
        (Top((-size[0] / 3, -size[1] / 3, size[2] + 0.031), (size[0] / 3, size[1] / 3, size[2] + 0.4)),)
        if len(solids) > 1
        else (),
    )


def bag(rng: Rng, palette: Palette) -> Piece:
    """A bag or a heap of clothes."""
    cloth = palette.cloth()
    solids: list[Solid] = []
    for _ in range(int(rng.integers(1, 4))):
        radii = rng.uniform((0.12, 0.1, 0.06), (0.3, 0.22, 0.2))
        x, y = rng.uniform(-0.12, 0.12, 2)
        solids.append(ellipsoid((x, y, radii[2] * 0.75), (radii[0], radii[1], radii[2] * 0.75), cloth))
    return Piece("bag", tuple(solids))


def basket(rng: Rng, palette: Palette) -> Piece:
    """A waste-paper bin or a laundry basket."""
    radius, height = rng.uniform(0.12, 0.24), rng.uniform(0.25, 0.55)
    body = palette.plastic() if rng.random() < 0.6 else palette.wood()
    return Piece("basket", (cone((0, 0, 0), (radius * 0.8, radius), height, body),
                            cone((0, 0, height), (radius * 0.93, radius * 0.9), 0.01, palette.cloth())))  # fmt: skip


def _lampshade(at: tuple[float, float, float], size: float, glow: float, palette: Palette) -> Solid:
    return cone(
        at,
        (size, size * palette.between(0.5, 0.95)),
        size * palette.between(1.0, 1.5),
        palette.shade(glow),
        casts=False,
    )


def table_lamp(rng: Rng, palette: Palette) -> Piece:
    """A lamp for a table; two of three are on."""
    shines, foot, size = rng.random() < 0.65, rng.uniform(0.15, 0.3), rng.uniform(0.1, 0.18)
    body = palette.ceramic()
    solids: list[Solid] = [
        cylinder((0, 0, 0), 0.07, 0.015, body),
        ellipsoid((0, 0, foot / 2), (0.05, 0.05, foot / 2), body),
        rod((0, 0, foot * 0.8), (0, 0, foot + 0.04), 0.008, palette.metal()),
        _lampshade((0, 0, foot), size, 3.0 if shines else 0.0, palette),
    ]
    light: tuple[Light, ...] = ()
    if shines:
        light = (lamp((0, 0, foot + size * 0.7), warm_power(rng, LAMP_POWER * rng.uniform(0.15, 0.4)), size * 0.6),)
    return Piece("table lamp", tuple(solids), (), light)


def floor_lamp(rng: Rng, palette: Palette) -> Piece:
    """A standing lamp; two of three are on."""
    shines, height, size = rng.random() < 0.65, rng.uniform(1.2, 1.6), rng.uniform(0.14, 0.25)
    metal = palette.metal()
    solids: list[Solid] = [cylinder((0, 0, 0), 0.14, 0.025, metal), rod((0, 0, 0), (0, 0, height + 0.05), 0.012, metal)]
    solids.append(_lampshade((0, 0, height), size, 3.0 if shines else 0.0, palette))
    light: tuple[Light, ...] = ()
    if shines:
        light = (lamp((0, 0, height + size * 0.7), warm_power(rng, LAMP_POWER * rng.uniform(0.3, 0.7)), size * 0.6),)
    return Piece("floor lamp", tuple(solids), (), light)


def fan(rng: Rng, palette: Palette) -> Piece:
    """A standing fan, or a vacuum cleaner's bulk."""
    height, plastic = rng.uniform(0.35, 1.1), palette.plastic()
    head = cylinder((0, 0, -0.05), 0.2, 0.1, plastic).moved(turn_about(0, np.pi / 2), (0, 0, height + 0.2))
    return Piece(
        "fan",
        (cylinder((0, 0, 0), 0.16, 0.03, plastic), rod((0, 0, 0), (0, 0, height + 0.1), 0.02, palette.metal()), head),
    )


#: What stands on tables and shelves, and how often.
SMALL = {
    cup: 4,
    bottle: 4,
    bowl: 2,
    carton: 4,
    book_pile: 4,
    book_row: 2,
    vase: 2,
    frame: 2,
    toy: 1,
    ball: 0.4,
    table_lamp: 1.2,
    laptop: 0.7,
}
#: What stands on floors.
LOOSE = {crate: 4, bag: 3, basket: 2, ball: 0.7, toy: 0.5, book_pile: 1, fan: 0.7, plant: 2, floor_lamp: 1.2}
