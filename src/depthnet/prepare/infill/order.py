"""The order in which the pixels of a block are eliminated, and what that takes: nested dissection on the grid.

The longer side of the pixels' box is cut at a line with few of them, which is eliminated after both halves (George
1973): a line of pixels separates, for the stencil reaches one pixel. Work then stands in dense fronts: the pixels to
eliminate and their rim, the later pixels that they are coupled to (Duff and Reid 1983). All functions are plain loops
for `depthnet.compile.compiled`; words as in `infill_elimination.Block`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[Any]


def dissect(rows: Ints, columns: Ints, leaf: int) -> Ints:
    """Bring pixels into the order of elimination, in place; gives where each front starts, and their number."""
    size = rows.size
    starts = np.empty(size + 1, np.int32)
    fronts = 0
    lines = 2
    for i in range(size):
        lines = max(lines, rows[i] + 1, columns[i] + 1)
    counts = np.zeros(lines, np.int32)
    spare_rows, spare_columns = np.empty_like(rows), np.empty_like(columns)
    stack = np.zeros((64, 2), np.int64)  # the smaller half is next: never deeper than log2 of the pixels
    stack[0, 1] = size
    depth = 1
    while depth > 0:
        depth -= 1
        a, b = stack[depth, 0], stack[depth, 1]
        if b - a <= leaf:
            if b > a:
                starts[fronts] = a
                fronts += 1
            continue
        tall = np.ptp(rows[a:b]) >= np.ptp(columns[a:b])
        along = rows if tall else columns
        cut = choose_line(along, a, b, counts)
        left, on_line = 0, 0
        for i in range(a, b):
            left += along[i] < cut
            on_line += along[i] == cut
        middle, last = a + left, b - on_line
        next_left, next_right, next_line = a, middle, last
        for i in range(a, b):
            if along[i] < cut:
                k, next_left = next_left, next_left + 1
            elif along[i] > cut:
                k, next_right = next_right, next_right + 1
            else:
                k, next_line = next_line, next_line + 1
            spare_rows[k], spare_columns[k] = rows[i], columns[i]
        rows[a:b] = spare_rows[a:b]
        columns[a:b] = spare_columns[a:b]
        if on_line > 0:
            starts[fronts] = last
            fronts += 1
        larger_first = 0 if left >= last - middle else 1
        stack[depth + larger_first, 0], stack[depth + larger_first, 1] = a, middle
        stack[depth + 1 - larger_first, 0], stack[depth + 1 - larger_first, 1] = middle, last
        depth += 2
    ordered = np.full(fronts + 1, size, np.int32)
    ordered[:fronts] = np.sort(starts[:fronts])
    return ordered


def choose_line(along: Ints, a: int, b: int, counts: Ints) -> int:
    """The line with few pixels on it and many on either side; ``counts`` is room for one number per line."""
    low, high = along[a:b].min(), along[a:b].max()
    counts[low : high + 1] = 0
    for i in range(a, b):
        counts[along[i]] += 1
    best, cut, before = np.inf, low, 0
    for line in range(low, high + 1):
        smaller = min(before, b - a - before - counts[line])
        cost = (counts[line] + 0.5) / (smaller + 1.0)
        if cost < best:
            best, cut = cost, line
        before += counts[line]
    return int(cut)


def find_rims(place: Ints, spots: Ints, row: int, starts: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """The rim of each front, and the tree of fronts: a front's result goes to the one of the first pixel of its rim.

    Returns:
        Where each rim starts, the rims, the first child of each front or -1, and each front's next sibling or -1.
    """
    fronts, size = starts.size - 1, spots.size
    front_of, seen = np.empty(size, np.int32), np.full(size, -1, np.int32)
    child, sibling = np.full(fronts, -1, np.int32), np.full(fronts, -1, np.int32)
    rim_starts, rim = np.zeros(fronts + 1, np.int64), np.empty(9 * size, np.int32)
    for f in range(fronts):
        front_of[starts[f] : starts[f + 1]] = f
    used = 0
    for f in range(fronts):
        first, b = used, starts[f + 1]
        if used + size > rim.size:
            longer = np.empty(2 * rim.size, np.int32)
            longer[:used] = rim[:used]
            rim = longer
        for i in range(starts[f], b):
            for k in range(9):
                j = place[spots[i] + (k // 3 - 1) * row + k % 3 - 1]
                if j >= b and seen[j] != f:
                    seen[j], rim[used], used = f, j, used + 1
        c = child[f]
        while c >= 0:
            for t in range(rim_starts[c], rim_starts[c + 1]):
                j = rim[t]
                if j >= b and seen[j] != f:
                    seen[j], rim[used], used = f, j, used + 1
            c = sibling[c]
        rim_starts[f + 1] = used
        if used > first:
            rim[first:used].sort()
            parent = front_of[rim[first]]
            sibling[f], child[parent] = child[parent], f
    return rim_starts, rim[:used].copy(), child, sibling


def count_storage(starts: Ints, rim_starts: Ints, child: Ints, sibling: Ints) -> tuple[int, Ints]:
    """Numbers that lie in the arena of `eliminate` at most, and where the factors of each front start."""
    fronts = starts.size - 1
    lying, gone = np.empty(fronts + 1, np.int32), np.zeros(fronts + 1, np.bool_)
    factor_starts = np.zeros(fronts + 1, np.int64)
    count, top, most = 0, 0, 0
    for f in range(fronts):
        own, rim = starts[f + 1] - starts[f], rim_starts[f + 1] - rim_starts[f]
        factor_starts[f + 1] = factor_starts[f] + own * (own + 2 * rim)
        c = child[f]
        while c >= 0:
            gone[c] = True
            c = sibling[c]
        while count > 0 and gone[lying[count - 1]]:
            count -= 1
            top -= (rim_starts[lying[count] + 1] - rim_starts[lying[count]]) ** 2
        lying[count], count, top = f, count + 1, top + rim * rim
        most = max(most, top)
    return most, factor_starts
