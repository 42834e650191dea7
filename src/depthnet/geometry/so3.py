"""Rotations: unit quaternions, rotation vectors (exponential and logarithm), and the Jacobian between them.

Written once against the array API standard, so every function takes NumPy arrays and torch tensors and gives the same
kind back. A quaternion is (x, y, z, w), the scalar last, and q and -q are the same rotation. A rotation vector ``phi``
is the axis times the angle in radians. Every function that is smooth has finite, right gradients in torch also at
angle 0, and the logarithm also at half turns.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

from array_api_compat import array_namespace
from array_api_compat import device as device_of

from depthnet.geometry.arrays import as_float, check_matrix, check_vector

ArrayT = TypeVar("ArrayT", bound=Any)

# Below this squared angle the coefficients are power series, whose five terms are exact to 1e-17 there; above it their
# closed forms lose no more than they are multiplied by later.
_SERIES_BELOW = 1e-2


def quat_xyzw_to_rotation(quat_xyzw: ArrayT) -> ArrayT:
    """Rotation matrix of a quaternion.

    Args:
        quat_xyzw: (..., 4), scalar last; it need not have length 1.

    Returns:
        Rotation matrices, (..., 3, 3); NaN for a quaternion of zeros, which is no rotation.

    Raises:
        ShapeError: if the last axis is not 4 long.

    Source: Diebel, Representing Attitude, 2006, eq. 125, divided by the squared length.
    """
    check_vector("quat_xyzw", quat_xyzw, 4)
    xp = array_namespace(quat_xyzw)
    quat = as_float(quat_xyzw)
    squared = xp.sum(quat * quat, axis=-1)
    two = 2.0 / xp.where(squared > 0, squared, xp.full_like(squared, math.nan))
    x, y, z, w = (quat[..., i] for i in range(4))
    rows = (
        (1.0 - two * (y * y + z * z), two * (x * y - z * w), two * (x * z + y * w)),
        (two * (x * y + z * w), 1.0 - two * (x * x + z * z), two * (y * z - x * w)),
        (two * (x * z - y * w), two * (y * z + x * w), 1.0 - two * (x * x + y * y)),
    )
    rotation: ArrayT = xp.stack([xp.stack(row, axis=-1) for row in rows], axis=-2)
    return rotation


def rotation_to_quat_xyzw(rotation: ArrayT) -> ArrayT:
    """Unit quaternion of a rotation matrix, the one of the two whose w is not negative.

    The matrix gives 4 q qᵀ; the row of the largest component is taken and brought to length 1, so that no angle, half
    turns included, is divided by something small.

    Args:
        rotation: rotation matrices, (..., 3, 3).

    Returns:
        Quaternions (x, y, z, w) of length 1, (..., 4).

    Raises:
        ShapeError: if rotation is not (..., 3, 3).

    Source: Shepperd, Quaternion from Rotation Matrix, J. Guidance and Control 1(3), 1978.
    """
    check_matrix("rotation", rotation, 3)
    xp = array_namespace(rotation)
    R = as_float(rotation)
    xx, yy, zz = R[..., 0, 0], R[..., 1, 1], R[..., 2, 2]
    xy, xz, yz = R[..., 1, 0] + R[..., 0, 1], R[..., 0, 2] + R[..., 2, 0], R[..., 2, 1] + R[..., 1, 2]
    xw, yw, zw = R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]
    squares = (1.0 + xx - yy - zz, 1.0 - xx + yy - zz, 1.0 - xx - yy + zz, 1.0 + xx + yy + zz)
    products = xp.stack(
        [
            xp.stack([squares[0], xy, xz, xw], axis=-1),
            xp.stack([xy, squares[1], yz, yw], axis=-1),
            xp.stack([xz, yz, squares[2], zw], axis=-1),
            xp.stack([xw, yw, zw, squares[3]], axis=-1),
        ],
        axis=-2,
    )
    largest = xp.argmax(xp.stack(squares, axis=-1), axis=-1)
    chosen = xp.arange(4, device=device_of(R)) == largest[..., None]
    row = xp.sum(xp.where(chosen[..., None], products, xp.zeros_like(products)), axis=-2)
    row = xp.where(row[..., 3:4] < 0, -row, row)
    quat: ArrayT = row / xp.sqrt(xp.sum(row * row, axis=-1))[..., None]
    return quat


def so3_hat(phi: ArrayT) -> ArrayT:
    """Cross-product matrix: so3_hat(a) @ b = a x b.

    Args:
        phi: vectors, (..., 3).

    Returns:
        Skew-symmetric matrices, (..., 3, 3).

    Raises:
        ShapeError: if the last axis is not 3 long.
    """
    check_vector("phi", phi, 3)
    xp = array_namespace(phi)
    x, y, z = (as_float(phi)[..., i] for i in range(3))
    o = xp.zeros_like(x)
    rows = ((o, -z, y), (z, o, -x), (-y, x, o))
    hat: ArrayT = xp.stack([xp.stack(row, axis=-1) for row in rows], axis=-2)
    return hat


def so3_exp(phi: ArrayT) -> ArrayT:
    """Rotation matrix of a rotation vector: exp(hat(phi)) = I + A hat + B hat², A = sin θ / θ, B = (1 - cos θ) / θ².

    Args:
        phi: axis times angle in radians, (..., 3), any length.

    Returns:
        Rotation matrices, (..., 3, 3).

    Raises:
        ShapeError: if the last axis is not 3 long.

    Source: Rodrigues' formula; Murray, Li, Sastry, A Mathematical Introduction to Robotic Manipulation, 1994, eq. 2.14.
    """
    hat = so3_hat(phi)
    sine, cosine, _ = exp_coefficients(_squared_length(as_float(phi)))
    return identity_plus(hat, sine, cosine)


def so3_log(rotation: ArrayT) -> ArrayT:
    """Rotation vector of a rotation matrix, no longer than π.

    It goes by the unit quaternion (v, w), w >= 0: phi = 2 atan2(|v|, w) v / |v|, in which nothing cancels at any angle.
    At a half turn, where phi and -phi are the same rotation, it gives one of the two.

    Args:
        rotation: rotation matrices, (..., 3, 3).

    Returns:
        Rotation vectors in radians, (..., 3).

    Raises:
        ShapeError: if rotation is not (..., 3, 3).

    Source: Hertzberg et al., Integrating Generic Sensor Fusion Algorithms with Sound State Representations
    through Encapsulation of Manifolds, Information Fusion 14(1), 2013, eq. 31.
    """
    quat = rotation_to_quat_xyzw(rotation)
    xp = array_namespace(quat)
    vector, w = quat[..., :3], quat[..., 3]
    squared = _squared_length(vector)
    small = squared < _SERIES_BELOW
    one = xp.ones_like(squared)
    sine = xp.sqrt(xp.where(small, one, squared))
    ratio = xp.where(small, squared, one) / (xp.where(small, w, one) ** 2)
    # 2 atan(u) / (u w) in powers of u² = |v|² / w²
    series = 2.0 * _polynomial(ratio, [(-1.0) ** n / (2 * n + 1) for n in range(9)]) / xp.where(small, w, one)
    phi: ArrayT = xp.where(small, series, 2.0 * xp.atan2(sine, w) / sine)[..., None] * vector
    return phi


def so3_left_jacobian(phi: ArrayT) -> ArrayT:
    """The matrix V with exp(phi + d) = exp(V d) exp(phi) for small d: I + B hat + C hat², C = (θ - sin θ) / θ³.

    It is also what turns the translation part of an se(3) vector into the translation of its transform.

    Args:
        phi: rotation vectors in radians, (..., 3).

    Returns:
        Jacobians, (..., 3, 3).

    Raises:
        ShapeError: if the last axis is not 3 long.

    Source: Barfoot, State Estimation for Robotics, 2017, eq. 7.37b.
    """
    hat = so3_hat(phi)
    _, cosine, cubic = exp_coefficients(_squared_length(as_float(phi)))
    return identity_plus(hat, cosine, cubic)


def so3_left_jacobian_inverse(phi: ArrayT) -> ArrayT:
    """The inverse of :func:`so3_left_jacobian`: I - hat / 2 + D hat², D = (1 - (θ/2) cot(θ/2)) / θ².

    Args:
        phi: rotation vectors in radians, (..., 3), shorter than 2 π, where there is no inverse.

    Returns:
        Inverse Jacobians, (..., 3, 3).

    Raises:
        ShapeError: if the last axis is not 3 long.

    Source: Barfoot, State Estimation for Robotics, 2017, eq. 7.37a.
    """
    hat = so3_hat(phi)
    squared = _squared_length(as_float(phi))
    xp = array_namespace(squared)
    small = squared < _SERIES_BELOW
    large = xp.where(small, xp.ones_like(squared), squared)
    half = xp.sqrt(large) / 2.0
    series = _polynomial(squared, [1 / 12, 1 / 720, 1 / 30240, 1 / 1209600, 1 / 47900160])
    quadratic = xp.where(small, series, (1.0 - half * xp.cos(half) / xp.sin(half)) / large)
    inverse: ArrayT = identity_plus(hat, xp.full_like(squared, -0.5), quadratic)
    return inverse


def exp_coefficients(squared_angle: ArrayT) -> tuple[ArrayT, ArrayT, ArrayT]:
    """sin θ / θ, (1 - cos θ) / θ² and (θ - sin θ) / θ³ of θ², smooth at 0, and exact once multiplied by θ, θ², θ³."""
    xp = array_namespace(squared_angle)
    small = squared_angle < _SERIES_BELOW
    # Each branch of a `where` gets values at which it and its gradient are finite.
    near = xp.where(small, squared_angle, xp.zeros_like(squared_angle))
    far = xp.where(small, xp.ones_like(squared_angle), squared_angle)
    angle = xp.sqrt(far)
    sine = xp.sin(angle)
    closed = (sine / angle, 2.0 * xp.sin(angle / 2.0) ** 2 / far, (angle - sine) / (far * angle))
    first, second, third = (
        xp.where(small, _polynomial(near, [(-1.0) ** n / math.factorial(2 * n + k) for n in range(5)]), exact)
        for k, exact in enumerate(closed, 1)
    )
    return first, second, third


def identity_plus(hat: ArrayT, first: ArrayT, second: ArrayT) -> ArrayT:
    """I + first hat + second hat², (..., 3, 3), of coefficients (...)."""
    xp = array_namespace(hat)
    identity = xp.eye(3, dtype=hat.dtype, device=device_of(hat))
    result: ArrayT = identity + first[..., None, None] * hat + second[..., None, None] * (hat @ hat)
    return result


def _squared_length(vector: ArrayT) -> ArrayT:
    squared: ArrayT = array_namespace(vector).sum(vector * vector, axis=-1)
    return squared


def _polynomial(x: ArrayT, coefficients: list[float]) -> ArrayT:
    """coefficients[0] + coefficients[1] x + ..., by Horner's rule."""
    value: ArrayT = array_namespace(x).full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = value * x + coefficient
    return value
