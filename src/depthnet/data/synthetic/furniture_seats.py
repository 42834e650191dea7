"""Furniture to sit and lie on, in the sizes of real homes (metres)."""

from __future__ import annotations

import math

import numpy as np

from depthnet.data.synthetic.palette import Palette
from depthnet.data.synthetic.pieces import Piece, Top, around, legs, square_legs
from depthnet.data.synthetic.shapes import Solid, box, capsule, cylinder, ellipsoid, rod, rounded, turn_about

Rng = np.random.Generator


def chair(rng: Rng, palette: Palette) -> Piece:
    """A dining chair; its back is at larger y."""
    width, depth, seat = rng.uniform(0.4, 0.5), rng.uniform(0.4, 0.5), rng.uniform(0.43, 0.48)
    frame = palette.wood() if rng.random() < 0.7 else palette.metal()
    round_legs = rng.random() < 0.5
    solids = (legs if round_legs else square_legs)(width, depth, seat - 0.04, 0.017 if round_legs else 0.035, frame)
    soft = rng.random() < 0.5
    solids.append(rounded((0, 0, seat - 0.015), (width, depth, 0.05), 0.02, palette.cloth() if soft else frame))
    top, back = seat + rng.uniform(0.35, 0.55), depth / 2 - 0.02
    kind = rng.integers(3)
    if kind == 0:
        solids.append(rounded((0, back, (seat + 0.12 + top) / 2), (width, 0.035, top - seat - 0.12), 0.015, frame))
    for x in (-width / 2 + 0.02, width / 2 - 0.02):
        solids.append(rod((x, back, seat), (x, back + 0.03, top), 0.016, frame))
    if kind == 1:
        for x in np.linspace(-width / 2 + 0.07, width / 2 - 0.07, 5):
            solids.append(rod((x, back, seat), (x, back + 0.03, top), 0.009, frame))
    if kind >= 1:
        for z in (top - 0.03,) if kind == 1 else np.linspace(seat + 0.12, top - 0.03, 3):
            solids.append(box((0, back + 0.02, z), (width, 0.025, 0.06), frame))
    return Piece("chair", tuple(solids), (Top((-0.15, -0.15, seat + 0.01), (0.15, 0.12, seat + 0.4)),))


def office_chair(rng: Rng, palette: Palette) -> Piece:
    """A chair on five castors."""
    seat, frame, cover = rng.uniform(0.44, 0.54), palette.black(), palette.cloth()
    solids: list[Solid] = [cylinder((0, 0, 0.08), 0.03, seat - 0.12, palette.metal())]
    for x, y in around(5, 0.28, rng.uniform(0, 1)):
        solids.append(rod((0, 0, 0.1), (x, y, 0.07), 0.02, frame))
        solids.append(ellipsoid((x, y, 0.03), (0.03, 0.03, 0.03), frame))
    solids.append(rounded((0, 0, seat - 0.01), (0.48, 0.46, 0.08), 0.04, cover))
    height = rng.uniform(0.4, 0.65)
    tilt = turn_about(0, -rng.uniform(0.05, 0.2))
    back = rounded((0, 0, height / 2), (0.44, 0.07, height), 0.035, cover)
    solids.append(back.moved(tilt, (0, 0.22, seat + 0.1)))
    solids.append(rod((0, 0.1, seat - 0.03), (0, 0.25, seat + 0.2), 0.025, frame))
    if rng.random() < 0.6:
        for x in (-0.26, 0.26):
            solids.append(rod((x, 0.05, seat), (x, 0.05, seat + 0.18), 0.015, frame))
            solids.append(rounded((x, 0.03, seat + 0.2), (0.06, 0.25, 0.03), 0.014, frame))
    return Piece("office chair", tuple(solids))


def stool(rng: Rng, palette: Palette) -> Piece:
    """A kitchen stool, low or as high as a bar."""
    height, radius = rng.uniform(0.42, 0.75), rng.uniform(0.15, 0.19)
    frame = palette.wood() if rng.random() < 0.5 else palette.metal()
    solids: list[Solid] = [
        rod((x * 1.15, y * 1.15, 0), (x, y, height - 0.03), 0.014, frame) for x, y in around(4, radius * 0.75, 0.4)
    ]
    solids.append(cylinder((0, 0, height - 0.03), radius, 0.03, frame))
    if rng.random() < 0.5:
        solids.append(ellipsoid((0, 0, height), (radius * 0.95, radius * 0.95, 0.035), palette.cloth()))
    return Piece("stool", tuple(solids))


def sofa(rng: Rng, palette: Palette) -> Piece:
    """A sofa of one to three seats; one seat is an armchair."""
    seats = int(rng.choice([1, 2, 2, 3, 3]))
    arm, one = rng.uniform(0.1, 0.24), rng.uniform(0.55, 0.75)
    width, depth = seats * one + 2 * arm, rng.uniform(0.8, 1.0)
    seat, top = rng.uniform(0.38, 0.46), rng.uniform(0.72, 0.95)
    cover, foot, edge = palette.cloth(), rng.uniform(0.0, 0.12), rng.uniform(0.03, 0.09)
    solids = legs(width, depth, foot, 0.025, palette.wood(), 0.07) if foot > 0.04 else []
    bottom = foot if foot > 0.04 else 0.0
    solids.append(rounded((0, 0, (bottom + seat - 0.12) / 2), (width, depth, seat - 0.12 - bottom), 0.03, cover))
    back = rng.uniform(0.18, 0.28)
    high = top - 0.05 - bottom
    solids.append(rounded((0, (depth - back) / 2, bottom + high / 2), (width, back, high), edge, cover))
    arm_top = seat + rng.uniform(0.1, 0.25)
    for x in (-1, 1):
        size = (arm, depth, arm_top - bottom)
        solids.append(rounded((x * (width - arm) / 2, 0, (bottom + arm_top) / 2), size, edge, cover))
    pillow = cover if rng.random() < 0.7 else palette.cloth()
    for k in range(seats):
        middle = (k - (seats - 1) / 2) * one
        solids.append(rounded((middle, -back / 2, seat - 0.06), (one - 0.01, depth - back, 0.16), 0.05, cover))
        solids.append(
            rounded(
                (middle, depth / 2 - back - 0.05, (seat + top) / 2 + 0.03), (one - 0.02, 0.16, top - seat), 0.07, cover
            )
        )
        if rng.random() < 0.4:
            solids.append(_cushion((middle + rng.uniform(-0.1, 0.1), depth / 2 - back - 0.2, seat + 0.2), rng, pillow))
    if rng.random() < 0.2:  # a blanket over the back
        solids.append(rounded((rng.uniform(-0.2, 0.2) * seats, (depth - back) / 2, high * 0.75 + bottom),
                              (0.6, back + 0.05, high * 0.6), 0.05, palette.cloth()))  # fmt: skip
    spot = Top(
        (-width / 2 + arm, -depth / 2 + 0.05, seat + 0.02), (width / 2 - arm, depth / 2 - back - 0.25, seat + 0.4)
    )
    return Piece("sofa" if seats > 1 else "armchair", tuple(solids), (spot,))


def _cushion(at: tuple[float, float, float], rng: Rng, material: int) -> Solid:
    """A square cushion that leans back."""
    side = rng.uniform(0.36, 0.46)
    lean = turn_about(2, rng.uniform(-0.3, 0.3)) @ turn_about(0, -rng.uniform(0.2, 0.5))
    return ellipsoid((0, 0, 0), (side / 2, 0.08, side / 2), material).moved(lean, at)


def bed(rng: Rng, palette: Palette) -> Piece:
    """A bed with its head at larger y: mattress, blanket, pillows, perhaps a headboard."""
    width, depth = float(rng.choice([0.9, 1.0, 1.4, 1.6, 1.8])), rng.uniform(1.95, 2.15)
    frame, height, mattress = palette.wood(), rng.uniform(0.22, 0.38), rng.uniform(0.16, 0.26)
    sheet, blanket = palette.lacquer(), palette.cloth()
    solids: list[Solid] = []
    if rng.random() < 0.5:
        solids += square_legs(width, depth, height - 0.12, 0.07, frame)
        solids.append(box((0, 0, height - 0.07), (width, depth, 0.14), frame))
    else:
        solids.append(box((0, 0, height / 2), (width, depth, height), blanket if rng.random() < 0.5 else frame))
    top = height + mattress
    solids.append(rounded((0, 0, height + mattress / 2), (width - 0.04, depth - 0.05, mattress), 0.06, sheet))
    length = depth * rng.uniform(0.6, 0.85)
    hang = rng.uniform(0.08, mattress + 0.1)
    solids.append(
        rounded(
            (0, -(depth - length) / 2 - 0.01, top - hang / 2 + 0.03),
            (width + 0.06, length + 0.04, hang + 0.06),
            0.05,
            blanket,
        )
    )
    count = 1 if width < 1.2 else 2
    for row in range(int(rng.integers(1, 3))):
        cover = sheet if row == 0 else palette.cloth()
        for k in range(count):
            x = (k - (count - 1) / 2) * width / 2 + rng.uniform(-0.04, 0.04)
            lean = turn_about(2, rng.uniform(-0.1, 0.1)) @ turn_about(0, rng.uniform(0.1, 0.5))
            pillow = rounded((0, 0, 0), (0.62, 0.4, 0.15), 0.07, cover)
            solids.append(pillow.moved(lean, (x, depth / 2 - 0.26 - 0.2 * row, top + 0.1 + 0.04 * row)))
    if rng.random() < 0.4:  # unmade: heaps of blanket
        for _ in range(int(rng.integers(1, 4))):
            x, y = rng.uniform(-0.35, 0.35) * width, rng.uniform(-0.35, 0.15) * depth
            radii = rng.uniform((0.2, 0.15, 0.05), (0.5, 0.4, 0.13))
            turn = turn_about(2, rng.uniform(0, 3.1))
            solids.append(ellipsoid((0, 0, 0), radii, blanket).moved(turn, (x, y, top + 0.03)))
    if rng.random() < 0.7:
        board = rng.uniform(0.85, 1.25)
        solids.append(
            rounded(
                (0, depth / 2 + 0.03, board / 2),
                (width + 0.06, 0.06, board),
                0.02,
                frame if rng.random() < 0.7 else palette.cloth(),
            )
        )
    if rng.random() < 0.3:
        solids.append(box((0, -depth / 2 - 0.03, 0.3), (width + 0.04, 0.05, 0.6), frame))
    return Piece("bed", tuple(solids), (Top((-width / 3, -depth / 3, top + 0.04), (width / 3, 0.1, top + 0.4)),))


def ottoman(rng: Rng, palette: Palette) -> Piece:
    """A padded footstool, square or round, or a beanbag."""
    cover, size, height = palette.cloth(), rng.uniform(0.4, 0.7), rng.uniform(0.3, 0.45)
    kind = rng.integers(3)
    if kind == 0:
        return Piece("footstool", (rounded((0, 0, height / 2), (size, size, height), 0.06, cover),))
    if kind == 1:
        return Piece("footstool", (cylinder((0, 0, 0), size / 2, height, cover),))
    return Piece("beanbag", (ellipsoid((0, 0, height * 0.6), (size * 0.6, size * 0.6, height * 0.6), cover),
                             cylinder((0, 0, 0), size * 0.45, height * 0.3, cover)))  # fmt: skip


def bench(rng: Rng, palette: Palette) -> Piece:
    """A wooden bench."""
    width, depth, height = rng.uniform(0.9, 1.6), rng.uniform(0.3, 0.42), rng.uniform(0.42, 0.48)
    wood = palette.wood()
    solids = square_legs(width - 0.1, depth, height - 0.04, 0.06, wood)
    solids.append(box((0, 0, height - 0.02), (width, depth, 0.04), wood))
    if rng.random() < 0.4:
        solids.append(rounded((0, 0, height + 0.03), (width - 0.03, depth - 0.02, 0.06), 0.03, palette.cloth()))
    return Piece("bench", tuple(solids))


def toilet(rng: Rng, palette: Palette) -> Piece:
    """A toilet with its tank at the back."""
    white = palette.ceramic()
    solids = [
        cylinder((0, -0.02, 0), 0.13, 0.34, white),
        ellipsoid((0, -0.08, 0.33), (0.19, 0.25, 0.08), white),
        ellipsoid((0, -0.08, 0.41), (0.2, 0.26, 0.03), white),
        rounded((0, 0.25, 0.58), (0.42, 0.18, 0.4), 0.03, white),
        box((0, 0.2, 0.19), (0.2, 0.28, 0.38), white),
    ]
    return Piece("toilet", tuple(solids), (Top((-0.18, 0.18, 0.785), (0.18, 0.32, 1.1)),))


def bathtub(rng: Rng, palette: Palette) -> Piece:
    """A bathtub along y: its rim, its floor and its walls."""
    width, depth, height = rng.uniform(0.7, 0.8), rng.uniform(1.5, 1.75), rng.uniform(0.5, 0.6)
    white, rim = palette.ceramic(), 0.08
    outside = white if rng.random() < 0.6 else palette.tiles()
    solids = [box((0, 0, 0.08), (width, depth, 0.16), outside)]
    for x in (-1, 1):
        solids.append(box((x * (width - rim) / 2, 0, height / 2 + 0.08), (rim, depth, height - 0.16), outside))
        solids.append(rounded((x * (width - rim) / 2, 0, height - 0.01), (rim + 0.02, depth, 0.06), 0.02, white))
    for y in (-1, 1):
        solids.append(box((0, y * (depth - rim) / 2, height / 2 + 0.08), (width, rim, height - 0.16), outside))
        solids.append(rounded((0, y * (depth - rim) / 2, height - 0.01), (width, rim + 0.02, 0.06), 0.02, white))
    metal = palette.metal()
    solids.append(capsule((0, depth / 2 - 0.04, height), (0, depth / 2 - 0.04, height + 0.15), 0.018, metal))
    solids.append(capsule((0, depth / 2 - 0.04, height + 0.15), (0, depth / 2 - 0.18, height + 0.12), 0.015, metal))
    return Piece("bathtub", tuple(solids))


def exercise(rng: Rng, palette: Palette) -> Piece:
    """A pram, an exercise machine, a bicycle: a frame of bars with wheels."""
    metal, dark = palette.metal(), palette.black()
    size = rng.uniform(0.35, 0.5)
    solids: list[Solid] = []
    for y in (-size, size):
        wheel = cylinder((0, 0, -0.02), rng.uniform(0.14, 0.3), 0.04, dark)
        solids.append(wheel.moved(turn_about(1, math.pi / 2), (0, y, wheel.half[0])))
    hub = [one.center for one in solids]
    saddle, bar = np.array([0, -size * 0.4, rng.uniform(0.6, 0.95)]), np.array([0, size * 0.75, rng.uniform(0.8, 1.1)])
    grip = np.array([0.25, 0, 0])
    joint = np.array([0, 0, hub[0][2] + 0.05])
    for start, end in ((hub[0], joint), (joint, saddle), (joint, bar), (saddle, bar), (hub[0], saddle), (hub[1], bar)):
        solids.append(rod(start, end, 0.018, metal))
    solids.append(capsule(bar - grip, bar + grip, 0.02, dark))
    solids.append(ellipsoid(saddle, (0.1, 0.14, 0.05), dark))
    return Piece("bicycle", tuple(solids))
