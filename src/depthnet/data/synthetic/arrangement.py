"""Placing furniture: what stands where without going through anything else.

Every solid is held by the upright box around it, and a new piece fits where none of its boxes overlaps another by more
than a few millimetres. So chairs may stand with their seats under a table, and things may lie under a bed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from depthnet.data.synthetic.palette import Palette
from depthnet.data.synthetic.pieces import Builder, Piece, Top, solids_extent
from depthnet.data.synthetic.scene import Floats

#: Overlap of two boxes that is only contact, metres.
_TOUCH = 0.004
#: Distance of furniture from its wall: room for a skirting board, metres.
WALL_GAP = 0.018


@dataclass(frozen=True)
class Region:
    """A rectangle of floor with walls around it, metres."""

    low: tuple[float, float]
    high: tuple[float, float]
    ceiling: float

    @property
    def area(self) -> float:
        """Square metres."""
        return (self.high[0] - self.low[0]) * (self.high[1] - self.low[1])

    def wall(self, number: int) -> tuple[Floats, Floats, float]:
        """Wall 0 to 3: its start (x, y, 0), the unit direction along it, and its length.

        A piece turned by ``number`` quarter turns has its back to it.
        """
        (x0, y0), (x1, y1) = self.low, self.high
        start = ((x0, y1), (x0, y0), (x0, y0), (x1, y0))[number]
        along = (1.0, 0.0, 0.0) if number % 2 == 0 else (0.0, 1.0, 0.0)
        return np.array([*start, 0.0]), np.array(along), (x1 - x0) if number % 2 == 0 else (y1 - y0)


@dataclass
class Arrangement:
    """Pieces placed so far."""

    rng: np.random.Generator
    palette: Palette
    pieces: list[Piece] = field(default_factory=list)
    extents: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2, 3)))
    """Boxes around all solids, (N, 2, 3), metres."""
    kept_free: list[NDArray[np.float64]] = field(default_factory=list)
    """Boxes (2, 3) where furniture must not stand: before doors."""

    def fits(self, piece: Piece, region: Region | None) -> bool:
        """Whether a piece goes through nothing and stays within its region."""
        own = solids_extent(piece.solids)
        if region is not None:
            low = (region.low[0] - _TOUCH, region.low[1] - _TOUCH, -_TOUCH)
            high = (region.high[0] + _TOUCH, region.high[1] + _TOUCH, region.ceiling + _TOUCH)
            if (own[:, 0] < low).any() or (own[:, 1] > high).any():
                return False
        others = np.concatenate([self.extents, np.array(self.kept_free).reshape(-1, 2, 3)])
        if len(others) == 0:
            return True
        deep = np.minimum(own[:, None, 1], others[None, :, 1]) - np.maximum(own[:, None, 0], others[None, :, 0])
        return not (deep.min(axis=2) > _TOUCH).any()

    def add(self, piece: Piece) -> None:
        """Place a piece, whatever is there."""
        self.pieces.append(piece)
        self.extents = np.concatenate([self.extents, solids_extent(piece.solids)])

    def try_add(self, piece: Piece, region: Region | None) -> bool:
        """Place a piece where it fits."""
        if not self.fits(piece, region):
            return False
        self.add(piece)
        return True

    def against_wall(
        self, piece: Piece, region: Region, walls: Sequence[int] = (0, 1, 2, 3), gap: float = WALL_GAP, tries: int = 12
    ) -> Piece | None:
        """Place a piece with its back to a wall; None where there is no room."""
        low, high = piece.extent
        for _ in range(tries):
            number = int(self.rng.choice(walls))
            start, along, length = region.wall(number)
            room = length - (high[0] - low[0]) - 0.02
            if room <= 0:
                continue
            # Corners are the usual place: one of four pieces stands in one.
            share = float(self.rng.choice([0.0, 1.0])) if self.rng.random() < 0.25 else self.rng.random()
            # Along walls 2 and 3 the piece's own x runs against the direction of the wall.
            offset = 0.01 + share * room + (-low[0] if number < 2 else high[0])
            back = {0: (0, -1.0, 0), 1: (1.0, 0, 0), 2: (0, 1.0, 0), 3: (-1.0, 0, 0)}[number]
            at = start + along * offset + np.array(back) * (high[1] + gap)
            placed = piece.placed(at, number * math.pi / 2)
            if self.try_add(placed, region):
                return placed
        return None

    def free_standing(self, piece: Piece, region: Region, turns: bool = True, tries: int = 12) -> Piece | None:
        """Place a piece anywhere on the floor, at a quarter turn or (``turns``) any angle."""
        for _ in range(tries):
            x, y = (self.rng.uniform(a, b) for a, b in zip(region.low, region.high, strict=True))
            angle = self.rng.uniform(0, 2 * math.pi) if turns else int(self.rng.integers(4)) * math.pi / 2
            placed = piece.placed((x, y, 0.0), angle)
            if self.try_add(placed, region):
                return placed
        return None

    def around_table(self, build: Builder, table: Piece, region: Region, count: int) -> int:
        """Place chairs around a piece, their fronts towards it; returns how many found room."""
        low, high = table.extent
        placed = 0
        for _ in range(count * 4):
            if placed == count:
                break
            side = int(self.rng.integers(4))
            chair = build(self.rng, self.palette)
            front = float(chair.extent[0][1])
            # A chair's back is at larger y; on side k it is turned by k quarter turns, its back away from the table.
            share = self.rng.uniform(0.2, 0.8)
            edge = high[1] if side == 0 else low[0] if side == 1 else low[1] if side == 2 else high[0]
            out = self.rng.uniform(-0.22, 0.25) - front
            x, y = low[0] + share * (high[0] - low[0]), low[1] + share * (high[1] - low[1])
            at = ((x, edge + out), (edge - out, y), (x, edge - out), (edge + out, y))[side]
            angle = side * math.pi / 2 + self.rng.normal(0, 0.12)
            placed += self.try_add(chair.placed((*at, 0.0), angle), region)
        return placed

    def on_top(self, build: Builder, top: Top, tries: int = 4) -> bool:
        """Put a small thing on a level place."""
        thing = build(self.rng, self.palette)
        angle = self.rng.normal(0, 0.5)
        thing = thing.placed((0, 0, 0), angle)
        low, high = thing.extent
        if high[2] > top.high[2] - top.low[2]:
            return False
        least, most = np.array(top.low[:2]) - low[:2], np.array(top.high[:2]) - high[:2]
        if (least > most).any():
            return False
        for _ in range(tries):
            x, y = self.rng.uniform(least, most)
            if self.try_add(thing.placed((x, y, top.low[2] + 1e-4), 0.0), None):
                return True
        return False
