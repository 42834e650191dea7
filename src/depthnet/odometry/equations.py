"""One iteration of an alignment after the sums over pixels: scales, equations, and the step; compiled by Numba.

All of it is small matrices, for which a call of NumPy costs more than the arithmetic.

Source: Triggs et al., Bundle Adjustment - A Modern Synthesis, 1999, section 6.1 (Schur complement).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.odometry.kernels import GEO, PHOTO

Floats = NDArray[Any]

#: Least scales: an eighth-bit rounding of grey values, and 0.1 mm at 1 m.
LEAST_SCALES = (0.3, 1e-4)
#: Bounds of the curvature that a step meets, as a share of what the equations promise.
LEAST_CURVATURE, MOST_CURVATURE = 0.4, 1.2
#: Numbers that an iteration leaves to the next one: gradient (6), step (6), curvature.
MEMORY = 13


def relate(T_world_references: Floats, firsts: Floats, adjoints: Floats) -> None:
    """Where references stand as the first of them sees it.

    Args:
        T_world_references: their poses, (R, 4, 4).
        firsts: T_first_reference, (R, 4, 4), written.
        adjoints: of T_reference_first: of a small motion in the frame of the first, in the frame of each, (R, 6, 6),
            written.

    Source: Barfoot, State Estimation for Robotics, 2017, section 7.1.4 (adjoint).
    """
    inverse = np.empty((4, 4))
    invert(T_world_references[0], inverse)
    firsts[:], adjoints[:] = 0.0, 0.0
    for r in range(firsts.shape[0]):
        place(inverse, T_world_references[r], firsts[r])
        firsts[r, 3, 3] = 1.0
        back = np.empty((4, 4))
        invert(firsts[r], back)
        for i in range(3):
            i1, i2 = (i + 1) % 3, (i + 2) % 3
            for j in range(3):
                adjoints[r, i, j] = adjoints[r, 3 + i, 3 + j] = back[i, j]
                adjoints[r, i, 3 + j] = back[i1, 3] * back[i2, j] - back[i2, 3] * back[i1, j]


def invert(T: Floats, inverse: Floats) -> None:
    """Write the inverse of a rigid motion, (4, 4)."""
    for i in range(3):
        for j in range(3):
            inverse[i, j] = T[j, i]
        inverse[i, 3] = -(T[0, i] * T[0, 3] + T[1, i] * T[1, 3] + T[2, i] * T[2, 3])
        inverse[3, i] = 0.0
    inverse[3, 3] = 1.0


def iterate(
    parts: Floats, owners: Floats, adjoints: Floats, firsts: Floats, free_scale: bool, scales: Floats, lights: Floats,
    information: Floats, counts: Floats, memory: Floats, motion: Floats, poses: Floats,
) -> None:  # fmt: skip
    """From the sums over all shares to the next motion, lights and scales.

    Args:
        parts: sums of the shares, (S, ROWS, PHOTO).
        owners: the reference of each share, (S,).
        adjoints: of a motion in the frame of the first reference, in that of each, (R, 6, 6).
        firsts: T_first_reference, (R, 4, 4).
        free_scale: whether the factor of inverse depth is estimated.
        scales: of both residuals, (R, 2), changed.
        lights: gain, bias and factor, (R, 3), changed.
        information: what each reference says about the motion in the frame of the first, (R, 6, 6), written.
        counts: pixels that are seen, (R,), written.
        memory: gradient, step and curvature of the iteration before, (MEMORY,), changed; of the first one of a level,
            zeros and a guess of the curvature.
        motion: T_current_first, (4, 4), changed.
        poses: T_current_reference, (R, 3, 4), written.
    """
    references = adjoints.shape[0]
    solved, gradient = np.zeros((references, 3, 7)), np.zeros(6)
    total = np.zeros((6, 6))
    for r in range(references):
        sums = np.zeros(parts.shape[1:])
        for s in range(parts.shape[0]):
            if owners[s] == r:
                sums += parts[s]
        counts[r] = sums[PHOTO + GEO, 2]
        H, g = assemble(sums, free_scale)
        eliminate(H, g, solved[r])
        change_frame(H, g, adjoints[r], information[r], gradient)
        total += information[r]
        for i in range(2):
            ratio = sums[PHOTO + GEO, i] / max(sums[PHOTO + GEO, 2 + i], 1.0)
            scales[r, i] = max(scales[r, i] * np.sqrt(ratio), LEAST_SCALES[i])
    step = np.zeros((6, 1))
    for i in range(6):  # directions about which nothing is known stay
        total[i, i] += 1e-6 * total[i, i] + 1e-9
        step[i, 0] = -gradient[i]
    solve(total, step)
    lengthen(step, gradient, memory)
    for r in range(references):
        follow(lights[r], solved[r], adjoints[r], step)
    move(motion, step)
    for r in range(references):
        place(motion, firsts[r], poses[r])


def assemble(sums: Floats, free_scale: bool) -> tuple[Floats, Floats]:
    """H and g of motion (6), gain, bias and scale, (9, 9) and (9,), from the sums over pixels."""
    H, g = np.zeros((9, 9)), np.zeros(9)
    for i in range(8):
        for j in range(i, 8):
            H[i, j] = sums[i, j]
        g[i] = sums[i, 8]
    for i in range(7 if free_scale else 6):
        row = 8 if i == 6 else i
        for j in range(i, 7 if free_scale else 6):
            H[row, 8 if j == 6 else j] += sums[PHOTO + i, j]
        g[row] += sums[PHOTO + i, 7]
    for i in range(9):
        for j in range(i):
            H[i, j] = H[j, i]
    for i in range(6, 9):  # a picture of one grey value has no gain
        H[i, i] += 1e-6 * (sums[6, 6] + sums[7, 7]) + 1e-6
    return H, g


def eliminate(H: Floats, g: Floats, solved: Floats) -> None:
    """Solve gain, bias and scale for a motion, and take them out of the motion's equations.

    Args:
        H: (9, 9); its first six rows and columns are changed.
        g: (9,); likewise.
        solved: what a motion asks of the three, and their gradient, (3, 7), written.
    """
    for i in range(3):
        for j in range(6):
            solved[i, j] = H[6 + i, j]
        solved[i, 6] = g[6 + i]
    solve(H[6:, 6:].copy(), solved)
    for i in range(6):
        for k in range(3):
            for j in range(6):
                H[i, j] -= H[i, 6 + k] * solved[k, j]
            g[i] -= H[i, 6 + k] * solved[k, 6]


def change_frame(H: Floats, g: Floats, adjoint: Floats, information: Floats, gradient: Floats) -> None:
    """Write adjoint' H adjoint, (6, 6), and add adjoint' g to ``gradient``."""
    for i in range(6):
        for j in range(6):
            total = 0.0
            for k in range(6):
                for m in range(6):
                    total += adjoint[k, i] * H[k, m] * adjoint[m, j]
            information[i, j] = total
        for k in range(6):
            gradient[i] += adjoint[k, i] * g[k]


def solve(H: Floats, right: Floats) -> None:
    """Replace ``right``, (N, M), by the solution of H x = right; H, (N, N), positive definite, is used up."""
    count = H.shape[0]
    for i in range(count):
        for j in range(i + 1, count):
            factor = H[j, i] / H[i, i]
            for k in range(i, count):
                H[j, k] -= factor * H[i, k]
            for k in range(right.shape[1]):
                right[j, k] -= factor * right[i, k]
    for i in range(count - 1, -1, -1):
        for k in range(right.shape[1]):
            for j in range(i + 1, count):
                right[i, k] -= H[i, j] * right[j, k]
            right[i, k] /= H[i, i]


def lengthen(step: Floats, gradient: Floats, memory: Floats) -> None:
    """Divide a step by the curvature that the one before met, as a share of what the equations had promised."""
    curvature = memory[12]
    before, now = 0.0, 0.0
    for i in range(6):
        before += memory[6 + i] * memory[i]
        now += memory[6 + i] * gradient[i]
    if before < 0.0:
        curvature = min(max(curvature * (1.0 - now / before), LEAST_CURVATURE), MOST_CURVATURE)
    for i in range(6):
        step[i, 0] /= curvature
        memory[i], memory[6 + i] = gradient[i], step[i, 0]
    memory[12] = curvature


def follow(light: Floats, solved: Floats, adjoint: Floats, step: Floats) -> None:
    """Change gain, bias and scale as the step of the motion asks."""
    for i in range(3):
        change = solved[i, 6]
        for j in range(6):
            for k in range(6):
                change += solved[i, j] * adjoint[j, k] * step[k, 0]
        light[i] -= change


def move(motion: Floats, xi: Floats) -> None:
    """Multiply a motion from the right by one near exp(xi), by Cayley's formula: exactly rigid, and quick.

    Source: Absil, Mahony, Sepulchre, Optimization Algorithms on Matrix Manifolds, 2008, section 4.1 (retractions).
    """
    x, y, z = xi[3, 0] / 2, xi[4, 0] / 2, xi[5, 0] / 2
    scale = 2.0 / (1.0 + x * x + y * y + z * z)
    small = np.array(
        [
            [1.0 - scale * (y * y + z * z), scale * (x * y - z), scale * (x * z + y), xi[0, 0]],
            [scale * (x * y + z), 1.0 - scale * (x * x + z * z), scale * (y * z - x), xi[1, 0]],
            [scale * (x * z - y), scale * (y * z + x), 1.0 - scale * (x * x + y * y), xi[2, 0]],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )
    before = motion.copy()
    place(before, small, motion[:3])


def place(first: Floats, second: Floats, product: Floats) -> None:
    """Write the upper three rows of first @ second, (3, 4)."""
    for i in range(3):
        for j in range(4):
            total = 0.0
            for k in range(4):
                total += first[i, k] * second[k, j]
            product[i, j] = total
