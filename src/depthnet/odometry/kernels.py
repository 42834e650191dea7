"""The loops of direct alignment over pixels, compiled by Numba.

Each runs over plain arrays, without branches where vector instructions serve. Arrays of pixels are (rows, N) float32,
one row for each quantity; a share ``start`` to ``stop`` of the pixels is one call, so that threads may split them, and
the sums of a share do not depend on how many threads there are.

Source: Kerl, Sturm, Cremers, Robust Odometry Estimation for RGB-D Cameras, ICRA 2013 (Student-t weights); Baker &
Matthews, Lucas-Kanade 20 Years On, IJCV 2004, section 3.2 (derivatives on the reference side).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]

#: Degrees of freedom of the Student-t distribution of residuals.
FREEDOM = 5.0
#: Pixels whose products are summed in float32 before they join the float64 sums.
BLOCK = 256
#: Columns of the photometric equations: motion (6), gain, bias, residual; of the geometric: motion, scale, residual.
PHOTO, GEO = 9, 8
#: Rows of the sums of a share: both triangles, and a row for the scales.
ROWS = PHOTO + GEO + 1
#: Neighbours whose inverse depths differ by more than this share of the larger stand on two surfaces.
STEP = 0.1


def halve_image(fine: Floats, coarse: Floats) -> None:
    """Mean of each 2x2 block of ``fine``, (2H, 2W) or one more, into ``coarse``, (H, W)."""
    quarter = np.float32(0.25)
    for y in range(coarse.shape[0]):
        upper, lower, out = fine[2 * y], fine[2 * y + 1], coarse[y]
        for x in range(coarse.shape[1]):
            out[x] = quarter * (upper[2 * x] + upper[2 * x + 1] + lower[2 * x] + lower[2 * x + 1])


def halve_inverse_depth(fine: Floats, coarse: Floats) -> None:
    """Mean of the nearest surface in each 2x2 block of inverse depth; surfaces behind it do not mix in.

    Args:
        fine: 1 / metres, (2H, 2W) or one more; 0 where unknown.
        coarse: (H, W), written; 0 where all four are unknown.
    """
    same = np.float32(1.0 - STEP)
    for y in range(coarse.shape[0]):
        for x in range(coarse.shape[1]):
            a, b = fine[2 * y, 2 * x], fine[2 * y, 2 * x + 1]
            c, d = fine[2 * y + 1, 2 * x], fine[2 * y + 1, 2 * x + 1]
            least = same * max(max(a, b), max(c, d))
            total, count = np.float32(0.0), np.float32(0.0)
            for value in (a, b, c, d):
                if value > np.float32(0.0) and value >= least:
                    total += value
                    count += np.float32(1.0)
            coarse[y, x] = total / max(count, np.float32(1.0))


def build_reference(
    image: Floats, inverse: Floats, camera: Floats, stride: int, points: Floats, photo: Floats, geo: Floats
) -> int:
    """The pixels of a reference with known depth: their points and what a small motion does to them.

    A point that moves by v changes its grey value by photo . v, and its inverse depth against the reference's surface
    by geo . v; for a rotation by w, v = w x P.

    Args:
        image: grey values, (H, W).
        inverse: 1 / metres, (H, W); 0 where unknown.
        camera: fx, fy, cx, cy.
        stride: 2 for every second pixel of a row, beginning one further in each row, and so on.
        points: metres, (3, H W), written; in the order of rows.
        photo: rows of the derivative by the point, then the grey value, (4, H W), written.
        geo: derivative by the point, (3, H W), written; 0 where the surface around a pixel is not known or not smooth.

    Returns:
        How many pixels were written.
    """
    height, width = image.shape
    fx, fy, cx, cy = camera[0], camera[1], camera[2], camera[3]
    half, step, zero = np.float32(0.5), np.float32(STEP), np.float32(0.0)
    n = 0
    for y in range(1, height - 1):
        for x in range(1 + y % stride, width - 1, stride):
            w = inverse[y, x]
            if w <= zero:
                continue
            ray_x, ray_y = (np.float32(x) - cx) / fx, (np.float32(y) - cy) / fy
            z = np.float32(1.0) / w
            points[0, n], points[1, n], points[2, n] = ray_x * z, ray_y * z, z
            gx = half * (image[y, x + 1] - image[y, x - 1]) * fx
            gy = half * (image[y + 1, x] - image[y - 1, x]) * fy
            photo[0, n], photo[1, n], photo[2, n] = gx * w, gy * w, -(gx * ray_x + gy * ray_y) * w
            photo[3, n] = image[y, x]
            left, right, above, below = inverse[y, x - 1], inverse[y, x + 1], inverse[y - 1, x], inverse[y + 1, x]
            least, most = min(min(left, right), min(above, below)), max(max(left, right), max(above, below))
            if least > zero and most - least <= step * most:
                wx, wy = half * (right - left) * fx, half * (below - above) * fy
                geo[0, n], geo[1, n], geo[2, n] = wx * w, wy * w, (w - wx * ray_x - wy * ray_y) * w
            else:
                geo[0, n], geo[1, n], geo[2, n] = zero, zero, zero
            n += 1
    return n


def sum_share(
    points: Floats, photo: Floats, geo: Floats, motion: Floats, camera: Floats, light: Floats, scales: Floats,
    image: Floats, inverse: Floats, sums: Floats, start: int, stop: int,
) -> None:  # fmt: skip
    """All that an iteration asks of a share of a reference's pixels, block after block while it is in the cache.

    Args:
        points: of the reference, metres, (3, N).
        photo: its derivatives and grey values, (4, N).
        geo: its surface, (3, N).
        motion: T_current_reference, (3, 4).
        camera: fx, fy, cx, cy of the current frame.
        light: gain, bias and scale.
        scales: of photometric and geometric residuals.
        image: grey values of the current frame, (H, W).
        inverse: its inverse depth, (H, W).
        sums: written, (ROWS, PHOTO): the sums of :func:`sum_equations` from rows 0 and PHOTO on, in the last row those
            of :func:`sum_scales`.
        start, stop: the share.
    """
    residuals = np.empty((5, BLOCK), np.float32)
    a, b = np.empty((PHOTO, BLOCK), np.float32), np.empty((GEO, BLOCK), np.float32)
    sums[:] = 0.0
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        measure_residuals(points, photo, geo, motion, camera, light, image, inverse, residuals, first, last)
        sum_scales(residuals, scales, sums[PHOTO + GEO], last - first)
        sum_equations(points, photo, geo, residuals, scales, light, a, b, sums, first, last)


def measure_residuals(
    points: Floats, photo: Floats, geo: Floats, motion: Floats, camera: Floats, light: Floats,
    image: Floats, inverse: Floats, residuals: Floats, start: int, stop: int,
) -> None:  # fmt: skip
    """What the current frame shows where the points of a reference come to lie, against what they should look like.

    Args:
        points: of the reference, metres, (3, N).
        photo: its grey values in row 3, (4, N).
        geo: its surface, (3, N); a pixel with zeros has no geometric residual.
        motion: T_current_reference, (3, 4).
        camera: fx, fy, cx, cy of the current frame.
        light: gain, bias and scale: grey = gain * reference + bias, inverse depth = scale * that of the moved point.
        image: grey values of the current frame, (H, W).
        inverse: its inverse depth, (H, W).
        residuals: written from column 0 on, (5, stop - start or more): photometric, geometric, 1 or 0 for whether each
            of the two is known, and the inverse depth of the moved point.
        start, stop: the pixels.
    """
    height, width = image.shape
    fx, fy, cx, cy = camera[0], camera[1], camera[2], camera[3]
    r00, r01, r02, t0 = motion[0, 0], motion[0, 1], motion[0, 2], motion[0, 3]
    r10, r11, r12, t1 = motion[1, 0], motion[1, 1], motion[1, 2], motion[1, 3]
    r20, r21, r22, t2 = motion[2, 0], motion[2, 1], motion[2, 2], motion[2, 3]
    gain, bias, scale = np.float32(light[0]), np.float32(light[1]), np.float32(light[2])
    one, zero, step, near = np.float32(1.0), np.float32(0.0), np.float32(STEP), np.float32(0.01)
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    most_x, most_y = right - np.float32(1e-3), bottom - np.float32(1e-3)
    for k in range(stop - start):
        n = start + k
        px, py, pz = points[0, n], points[1, n], points[2, n]
        z = r20 * px + r21 * py + r22 * pz + t2
        w = one / max(z, near)
        u = fx * (r00 * px + r01 * py + r02 * pz + t0) * w + cx
        v = fy * (r10 * px + r11 * py + r12 * pz + t1) * w + cy
        seen = (z > near) & (u >= zero) & (v >= zero) & (u < right) & (v < bottom)
        # A pixel that is not seen is looked up at the rim and counts nothing: no branch in this loop.
        u, v = min(max(u, zero), most_x), min(max(v, zero), most_y)
        x, y = np.uint32(np.int32(u)), np.uint32(np.int32(v))
        x1, y1 = x + np.uint32(1), y + np.uint32(1)
        a, b = u - np.float32(np.int32(u)), v - np.float32(np.int32(v))
        w00, w01, w10, w11 = (one - a) * (one - b), a * (one - b), (one - a) * b, a * b
        value = w00 * image[y, x] + w01 * image[y, x1] + w10 * image[y1, x] + w11 * image[y1, x1]
        d00, d01, d10, d11 = inverse[y, x], inverse[y, x1], inverse[y1, x], inverse[y1, x1]
        least, most = min(min(d00, d01), min(d10, d11)), max(max(d00, d01), max(d10, d11))
        surface = abs(geo[0, n]) + abs(geo[1, n]) + abs(geo[2, n])
        solid = seen & (least > zero) & (most - least <= step * most) & (surface > zero)
        residuals[0, k] = value - gain * photo[3, n] - bias if seen else zero
        residuals[1, k] = w00 * d00 + w01 * d01 + w10 * d10 + w11 * d11 - scale * w if solid else zero
        residuals[2, k] = one if seen else zero
        residuals[3, k] = one if solid else zero
        residuals[4, k] = w


def sum_scales(residuals: Floats, scales: Floats, sums: Floats, count: int) -> None:
    """Sums for the next estimate of the scales of both residuals, and for how well the pixels fit.

    Args:
        residuals: of :func:`measure_residuals`, (5, BLOCK).
        scales: of photometric and geometric residuals.
        sums: added to, (5,): weighted squares of both, counts of both, and of freedom / (freedom + squares) over the
            pixels that are seen.
        count: columns of the residuals that count.
    """
    freedom = np.float32(FREEDOM)
    inverse_p, inverse_g = np.float32(1.0 / scales[0]), np.float32(1.0 / scales[1])
    p, g, kp, kg, fit = np.float32(0.0), np.float32(0.0), np.float32(0.0), np.float32(0.0), np.float32(0.0)
    for k in range(count):
        a, b = residuals[0, k] * inverse_p, residuals[1, k] * inverse_g
        share = np.float32(1.0) / (freedom + a * a + b * b)
        weight = (freedom + residuals[2, k] + residuals[3, k]) * share
        p += weight * a * a
        g += weight * b * b
        kp += residuals[2, k]
        kg += residuals[3, k]
        fit += residuals[2, k] * freedom * share
    sums[0] += p
    sums[1] += g
    sums[2] += kp
    sums[3] += kg
    sums[4] += fit


def sum_equations(
    points: Floats, photo: Floats, geo: Floats, residuals: Floats, scales: Floats, light: Floats,
    a: Floats, b: Floats, sums: Floats, start: int, stop: int,
) -> None:  # fmt: skip
    """Weighted products of all pairs of columns of the photometric and of the geometric equations.

    Args:
        points: of the reference, (3, N).
        photo: its derivatives and grey values, (4, N).
        geo: its derivatives, (3, N).
        residuals: of :func:`measure_residuals`, (5, BLOCK).
        scales: of photometric and geometric residuals.
        light: its gain: where the current frame is darker, its grey values move less.
        a, b: room for the columns of a block, (PHOTO, BLOCK) and (GEO, BLOCK).
        sums: added to, the upper triangles of the first PHOTO rows, for columns motion (6), gain, bias, residual, and
            of the next GEO rows, for motion (6), scale of inverse depth, residual.
        start, stop: the pixels, BLOCK at most.
    """
    freedom, gain = np.float32(FREEDOM), np.float32(light[0])
    inverse_p, inverse_g = np.float32(1.0 / scales[0]), np.float32(1.0 / scales[1])
    for k in range(stop - start):
        n = start + k
        rp, rg = residuals[0, k] * inverse_p, residuals[1, k] * inverse_g
        weight = np.sqrt((freedom + residuals[2, k] + residuals[3, k]) / (freedom + rp * rp + rg * rg))
        wp, wg = weight * residuals[2, k] * inverse_p, weight * residuals[3, k] * inverse_g
        x, y, z = points[0, n], points[1, n], points[2, n]
        moved = wp * gain
        dx, dy, dz = photo[0, n] * moved, photo[1, n] * moved, photo[2, n] * moved
        a[0, k], a[1, k], a[2, k] = dx, dy, dz
        a[3, k], a[4, k], a[5, k] = y * dz - z * dy, z * dx - x * dz, x * dy - y * dx
        a[6, k], a[7, k], a[8, k] = -wp * photo[3, n], -wp, weight * rp
        dx, dy, dz = geo[0, n] * wg, geo[1, n] * wg, geo[2, n] * wg
        b[0, k], b[1, k], b[2, k] = dx, dy, dz
        b[3, k], b[4, k], b[5, k] = y * dz - z * dy, z * dx - x * dz, x * dy - y * dx
        b[6, k], b[7, k] = -wg * residuals[4, k], weight * rg
    add_products(a, sums[:PHOTO], stop - start)
    add_products(b, sums[PHOTO:], stop - start)


def add_products(columns: Floats, sums: Floats, count: int) -> None:
    """Add the products of all pairs of rows of ``columns``, (C, BLOCK), to the upper triangle of ``sums``."""
    rows = columns.shape[0]
    for i in range(rows):
        for j in range(i, rows - 2, 3):  # three at once: row i is read once for them
            p, q, r = np.float32(0.0), np.float32(0.0), np.float32(0.0)
            for k in range(count):
                value = columns[i, k]
                p += value * columns[j, k]
                q += value * columns[j + 1, k]
                r += value * columns[j + 2, k]
            sums[i, j] += p
            sums[i, j + 1] += q
            sums[i, j + 2] += r
        for j in range(rows - (rows - i) % 3, rows):
            total = np.float32(0.0)
            for k in range(count):
                total += columns[i, k] * columns[j, k]
            sums[i, j] += total


def share_seen(points: Floats, motion: Floats, camera: Floats, height: int, width: int) -> float:
    """Share of points that a camera sees.

    Args:
        points: metres, (3, N), N at least 1.
        motion: T_camera_points, (3, 4).
        camera: fx, fy, cx, cy.
        height, width: of its pictures.
    """
    fx, fy, cx, cy = camera[0], camera[1], camera[2], camera[3]
    near, right, bottom = np.float32(1e-3), np.float32(width - 1), np.float32(height - 1)
    seen = 0
    for n in range(points.shape[1]):
        px, py, pz = points[0, n], points[1, n], points[2, n]
        x = motion[0, 0] * px + motion[0, 1] * py + motion[0, 2] * pz + motion[0, 3]
        y = motion[1, 0] * px + motion[1, 1] * py + motion[1, 2] * pz + motion[1, 3]
        z = motion[2, 0] * px + motion[2, 1] * py + motion[2, 2] * pz + motion[2, 3]
        u, v = fx * x + (cx * z), fy * y + (cy * z)
        inside = (z > near) & (u >= 0.0) & (u <= right * z) & (v >= 0.0) & (v <= bottom * z)
        seen += 1 if inside else 0
    return float(seen / points.shape[1])
