"""A direct solver for the unknown pixels: nested dissection on the grid, multifrontal, without a subtraction.

The block of the system that belongs to the chosen pixels is I - W with W >= 0 and rows that sum to at most 1: a random
walk that leaks out of the block. It is eliminated as such a walk (Grassmann, Taksar, Heyman 1985): a pivot is never
computed as 1 - w, but as the sum of what its row still gives to others plus what it leaks. Every operation adds,
multiplies or divides positive numbers, so each entry of the factors and of the solution keeps its full relative
precision however nearly singular the block is, and a constant outside the block comes out constant inside.

The order is that of `order`. About n^1.5 operations for a solid block of n pixels, far fewer for the thin holes
of a sensor; memory n log n.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.compile import compiled
from depthnet.prepare.infill.order import count_storage, dissect, find_rims

Ints = NDArray[Any]
Floats = NDArray[Any]
#: Regions of so few pixels are not cut further.
LEAF = 12
#: Pivots that are applied to the rest of a front together.
PANEL = 8


@dataclass(frozen=True)
class Block:
    """The chosen pixels of a frame, factorised: given depth all around them, their depth is one cheap solve.

    Positions count the pixels in the order of elimination; a spot is a flat index into the frame with its border of one
    pixel. Memory: 36 bytes of couplings per pixel and the factors, 4 bytes a number, some 40 numbers per pixel for
    the holes of a sensor frame and 100 to 150 for a whole 480x640 frame.
    """

    spots: Ints
    """Spot of each position, (n,)."""
    place: Ints
    """Position of each spot, -1 outside the block, ((H + 2) · (W + 2),)."""
    row: int
    """W + 2."""
    couplings: Floats
    """Weight of each neighbour of its 3x3 window, 0 for the pixel itself, (n, 9)."""
    fed: Ints
    """Positions next to a pixel outside, or pulled by their own measurement."""
    fed_fronts: Ints
    """The fronts that hold a fed position, and all that their results go to, in order."""
    pull: Floats
    """What their own measurement adds to each right-hand side, (n,)."""
    starts: Ints
    """Position at which each front starts, and n."""
    rim_starts: Ints
    rim: Ints
    """Positions of the rims, sorted, front after front."""
    factor_starts: Ints
    factors: Floats
    """Of each front the pivots' rows, then the multipliers of its rim."""
    inverse: Floats
    """1 / pivot, (n,)."""

    @classmethod
    def factorise(cls, chosen: NDArray[np.bool_], weights: Floats, depth: Floats, alpha: float) -> Block:
        """Order and eliminate the pixels of ``chosen``.

        Args:
            chosen: (H, W).
            weights: (8, H, W) float32, positive inside the frame.
            depth: metres, (H, W) float64; 0 where unknown. Each pixel must be joined, over others of the block, to one
                outside it or to a known one: otherwise nothing determines it.
            alpha: pull of a known pixel's own measurement.
        """
        rows, columns = (index.astype(np.int32) for index in np.nonzero(chosen))
        starts = compiled(dissect)(rows, columns, LEAF)
        row = chosen.shape[1] + 2
        spots = (rows + 1) * np.int32(row) + columns + np.int32(1)
        place = np.full((chosen.shape[0] + 2) * row, -1, np.int32)
        place[spots] = np.arange(spots.size, dtype=np.int32)
        couplings, leak = np.empty((spots.size, 9), np.float32), np.empty(spots.size)
        compiled(couple)(weights, place, spots, row, couplings, leak)
        own = depth[rows, columns]
        leak += alpha * (own > 0)
        fed = np.nonzero(leak > 0)[0]
        rim_starts, rim, child, sibling = compiled(find_rims)(place, spots, row, starts)
        arena, factor_starts = compiled(count_storage)(starts, rim_starts, child, sibling)
        factors, inverse = np.empty(factor_starts[-1], np.float32), np.empty(spots.size)
        compiled(eliminate)(
            couplings, place, spots, row, leak, starts, rim_starts, rim, child, sibling,
            factors, factor_starts, inverse, np.empty(arena),
        )  # fmt: skip
        fed_fronts = compiled(above)(fed, starts, rim_starts, rim)
        return cls(
            spots, place, row, couplings, fed, fed_fronts, alpha * own, starts, rim_starts, rim, factor_starts, factors,
            inverse,
        )  # fmt: skip

    def solve(self, values: Floats, everywhere: bool) -> None:
        """Set the block's pixels to what those outside, and their own measurements, make of them.

        Args:
            values: depth with a border of one pixel, (H + 2, W + 2) float64, C order, changed in place.
            everywhere: False sets the pixels next to one outside, and few others: less work, and all that a sweep over
                the pixels outside reads.
        """
        flat = values.reshape(-1)
        unknowns = self.pull.copy()
        compiled(feed)(flat, self.couplings, self.place, self.spots, self.row, self.fed, unknowns)
        compiled(substitute)(
            unknowns, self.starts, self.rim_starts, self.rim, self.factors, self.factor_starts, self.inverse,
            self.fed_fronts, np.arange(self.starts.size - 1) if everywhere else self.fed_fronts,
        )  # fmt: skip
        if everywhere:
            flat[self.spots] = unknowns
        else:
            flat[self.spots[self.fed]] = unknowns[self.fed]


def couple(weights: Floats, place: Ints, spots: Ints, row: int, couplings: Floats, leak: Floats) -> None:
    """Copy the weights of each position into ``couplings``; ``leak`` is their sum over pixels outside the block."""
    for i in range(spots.size):
        y, x = spots[i] // row - 1, spots[i] % row - 1
        couplings[i, 4] = 0
        leak[i] = 0
        for k in range(8):
            j = k + (k > 3)
            couplings[i, j] = weights[k, y, x]
            if place[spots[i] + (j // 3 - 1) * row + j % 3 - 1] < 0:
                leak[i] += couplings[i, j]


def eliminate(
    couplings: Floats, place: Ints, spots: Ints, row: int, leak: Floats, starts: Ints, rim_starts: Ints, rim: Ints,
    child: Ints, sibling: Ints, factors: Floats, factor_starts: Ints, inverse: Floats, arena: Floats,
) -> None:  # fmt: skip
    """Eliminate all positions; fills ``factors`` and ``inverse``, and uses up ``leak``.

    What a front leaves for its parent lies in the ``arena`` until then; its top falls as soon as all above are gone.
    """
    fronts = starts.size - 1
    local, where = np.empty(spots.size, np.int32), np.zeros(fronts, np.int64)
    lying, gone = np.empty(fronts, np.int32), np.zeros(fronts, np.bool_)
    count, top, largest = 0, 0, 0
    for f in range(fronts):
        largest = max(largest, starts[f + 1] - starts[f] + rim_starts[f + 1] - rim_starts[f])
    room = np.empty(largest * largest)
    for f in range(fronts):
        a, b = starts[f], starts[f + 1]
        edge = rim[rim_starts[f] : rim_starts[f + 1]]
        own, size = b - a, b - a + edge.size
        for i in range(own):
            local[a + i] = i
        for i in range(edge.size):
            local[edge[i]] = own + i
        front = room[: size * size].reshape(size, size)
        front[:] = 0
        assemble(front, couplings, place, spots, row, local, a, b)
        c = child[f]
        while c >= 0:
            add_child(front, arena[where[c] :], rim[rim_starts[c] : rim_starts[c + 1]], local)
            gone[c] = True
            c = sibling[c]
        while count > 0 and gone[lying[count - 1]]:
            count -= 1
            top = where[lying[count]]
        for first in range(0, own, PANEL):
            last = min(first + PANEL, own)
            eliminate_panel(front, first, last, leak, a, inverse)
            apply_panel(front, first, last, own, leak, a, edge, inverse)
        store(front, own, factors[factor_starts[f] :], arena[top:])
        lying[count], count, where[f], top = f, count + 1, top, top + edge.size * edge.size


def assemble(front: Floats, couplings: Floats, place: Ints, spots: Ints, row: int, local: Ints, a: int, b: int) -> None:
    """Enter the couplings of the positions a to b with each other and with later ones, both ways."""
    for i in range(a, b):
        for k in range(9):
            j = place[spots[i] + (k // 3 - 1) * row + k % 3 - 1]
            if j >= a and j != i:
                front[i - a, local[j]] = couplings[i, k]
                if j >= b:
                    front[local[j], i - a] = couplings[j, 8 - k]


def add_child(front: Floats, left: Floats, rim: Ints, local: Ints) -> None:
    """Add what a child left for its rim."""
    for i in range(rim.size):
        target, source = front[local[rim[i]]], left[i * rim.size :]
        for j in range(rim.size):
            target[local[rim[j]]] += source[j]


def eliminate_panel(front: Floats, first: int, last: int, leak: Floats, a: int, inverse: Floats) -> None:
    """Eliminate a few pivots from each other; position ``a`` is the first of the front.

    Rows are rounded as they are stored before their pivot is taken, so that the stored rows still sum to 1.
    """
    for i in range(first, last):
        pivot = leak[a + i]
        for k in range(i + 1, front.shape[0]):
            front[i, k] = np.float32(front[i, k])
            pivot += front[i, k]
        inverse[a + i] = 1.0 / pivot
        for j in range(i + 1, last):
            share = np.float64(np.float32(front[j, i] * inverse[a + i]))
            front[j, i] = share
            leak[a + j] += share * leak[a + i]
            target, source = front[j], front[i]
            for k in range(i + 1, front.shape[0]):
                target[k] += share * source[k]


def apply_panel(
    front: Floats, first: int, last: int, own: int, leak: Floats, a: int, edge: Ints, inverse: Floats
) -> None:
    """Eliminate the pivots of a panel from all later rows of the front: a row is read and written once."""
    share = np.zeros(PANEL)
    for j in range(last, front.shape[0]):
        target = front[j]
        lost = 0.0
        for i in range(first, last):
            given = target[i]
            for t in range(first, i):
                given += share[t - first] * front[t, i]
            share[i - first] = target[i] = np.float32(given * inverse[a + i])
            lost += share[i - first] * leak[a + i]
        leak[a + j if j < own else edge[j - own]] += lost
        if last - first == PANEL:
            s0, s1, s2, s3, s4, s5, s6, s7 = (
                share[0], share[1], share[2], share[3], share[4], share[5], share[6], share[7],
            )  # fmt: skip
            rows = front[first:last]
            for k in range(last, front.shape[0]):
                low = s0 * rows[0, k] + s1 * rows[1, k] + s2 * rows[2, k] + s3 * rows[3, k]
                target[k] += low + s4 * rows[4, k] + s5 * rows[5, k] + s6 * rows[6, k] + s7 * rows[7, k]
        else:
            for i in range(first, last):
                for k in range(last, front.shape[0]):
                    target[k] += share[i - first] * front[i, k]


def store(front: Floats, own: int, factors: Floats, left: Floats) -> None:
    """Keep the pivots' rows and the rim's multipliers; copy what is left for the parent."""
    size = front.shape[0]
    rim = size - own
    for i in range(own):
        for k in range(size):
            factors[i * size + k] = front[i, k]
    for j in range(rim):
        for i in range(own):
            factors[own * size + j * own + i] = front[own + j, i]
        for k in range(rim):
            left[j * rim + k] = front[own + j, own + k]


def feed(values: Floats, couplings: Floats, place: Ints, spots: Ints, row: int, fed: Ints, unknowns: Floats) -> None:
    """Add to each right-hand side what the pixels outside the block give."""
    for i in fed:
        for k in range(9):
            spot = spots[i] + (k // 3 - 1) * row + k % 3 - 1
            if place[spot] < 0:
                unknowns[i] += couplings[i, k] * values[spot]


def above(fed: Ints, starts: Ints, rim_starts: Ints, rim: Ints) -> Ints:
    """Fronts that hold one of the positions, and all fronts that their results go to, in order."""
    fronts = starts.size - 1
    marked = np.zeros(max(fronts, 1), np.bool_)
    holder = np.searchsorted(starts, fed, side="right") - 1
    for f in holder:
        marked[f] = True
    for f in range(fronts):
        if marked[f] and rim_starts[f + 1] > rim_starts[f]:
            marked[np.searchsorted(starts, rim[rim_starts[f]], side="right") - 1] = True
    return np.nonzero(marked[:fronts])[0]


def substitute(
    unknowns: Floats, starts: Ints, rim_starts: Ints, rim: Ints, factors: Floats, factor_starts: Ints, inverse: Floats,
    fed: Ints, wanted: Ints,
) -> None:  # fmt: skip
    """Solve in place: right-hand sides in, depth out, in the order of elimination.

    ``fed`` are the fronts that something other than 0 reaches on the way in, ``wanted`` those to set on the way out.
    """
    longest = 1
    for f in range(starts.size - 1):
        longest = max(longest, starts[f + 1] - starts[f] + rim_starts[f + 1] - rim_starts[f])
    mine = np.empty(longest)
    for f in fed:
        a, own, first = starts[f], starts[f + 1] - starts[f], rim_starts[f]
        size = own + rim_starts[f + 1] - first
        for j in range(size):
            row = factors[factor_starts[f] + (j * size if j < own else own * size + (j - own) * own) :]
            total = 0.0
            for i in range(min(j, own)):
                total += row[i] * mine[i]
            if j < own:
                mine[j] = unknowns[a + j] = unknowns[a + j] + total
            else:
                unknowns[rim[first + j - own]] += total
    for f in wanted[::-1]:
        a, own, first = starts[f], starts[f + 1] - starts[f], rim_starts[f]
        size = own + rim_starts[f + 1] - first
        for j in range(own, size):
            mine[j] = unknowns[rim[first + j - own]]
        for i in range(own - 1, -1, -1):
            row = factors[factor_starts[f] + i * size :]
            total = unknowns[a + i]
            for k in range(i + 1, size):
                total += row[k] * mine[k]
            mine[i] = unknowns[a + i] = total * inverse[a + i]
