"""Rigid motions: 4x4 transforms, their inverse, and the rotations of unit quaternions.

Written once against the array API standard, so every function takes NumPy arrays and torch tensors and gives the same
kind back. ``T_tgt_src`` maps points, ``p_tgt = T_tgt_src @ p_src``; a quaternion is (x, y, z, w), the scalar last, and
q and -q are the same rotation.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

from array_api_compat import array_namespace
from array_api_compat import device as device_of

from depthnet.errors import ShapeError

ArrayT = TypeVar("ArrayT", bound=Any)


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
    _check_vector("quat_xyzw", quat_xyzw, 4)
    xp = array_namespace(quat_xyzw)
    quat = _as_float(quat_xyzw)
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
    _check_matrix("rotation", rotation, 3)
    xp = array_namespace(rotation)
    R = _as_float(rotation)
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


def pose_from_quat_xyzw(translation: ArrayT, quat_xyzw: ArrayT) -> ArrayT:
    """Transform of a translation and a quaternion: with those of a TUM line, T_world_cam.

    Args:
        translation: metres, (..., 3).
        quat_xyzw: (..., 4), scalar last; it need not have length 1.

    Returns:
        Transforms, (..., 4, 4); NaN rotation for a quaternion of zeros.

    Raises:
        ShapeError: if a shape differs.
    """
    _check_vector("translation", translation, 3)
    _check_vector("quat_xyzw", quat_xyzw, 4)
    if tuple(translation.shape[:-1]) != tuple(quat_xyzw.shape[:-1]):
        raise ShapeError(
            f"translation {tuple(translation.shape)} and quat_xyzw {tuple(quat_xyzw.shape)}: expected (..., 3) and "
            "(..., 4) of one batch; give one quaternion for each translation."
        )
    rotation = quat_xyzw_to_rotation(quat_xyzw)
    transform: ArrayT = _compose(rotation, array_namespace(rotation).astype(translation, rotation.dtype))
    return transform


def pose_to_quat_xyzw(transform: ArrayT) -> tuple[ArrayT, ArrayT]:
    """Translation and unit quaternion (w not negative) of a transform.

    Args:
        transform: rigid transforms, (..., 4, 4).

    Returns:
        Translation in metres, (..., 3), and quaternion (x, y, z, w), (..., 4).

    Raises:
        ShapeError: if transform is not (..., 4, 4).
    """
    _check_matrix("transform", transform, 4)
    return _as_float(transform)[..., :3, 3], rotation_to_quat_xyzw(transform[..., :3, :3])


def invert_transform(transform: ArrayT) -> ArrayT:
    """The transform back: T_src_tgt of T_tgt_src.

    Args:
        transform: rigid transforms, (..., 4, 4).

    Returns:
        Their inverses, (..., 4, 4), with the transposed rotation.

    Raises:
        ShapeError: if transform is not (..., 4, 4).

    Source: Hartley & Zisserman, Multiple View Geometry, 2nd ed., section 3.4: (R, t) back is (Rᵀ, -Rᵀ t).
    """
    _check_matrix("transform", transform, 4)
    xp = array_namespace(transform)
    T = _as_float(transform)
    back = xp.matrix_transpose(T[..., :3, :3])
    inverse: ArrayT = _compose(back, -(back @ T[..., :3, 3:4])[..., 0])
    return inverse


def _compose(rotation: ArrayT, translation: ArrayT) -> ArrayT:
    """(..., 4, 4) of (..., 3, 3) and (..., 3)."""
    xp = array_namespace(rotation)
    upper = xp.concat([rotation, translation[..., None]], axis=-1)
    last = xp.asarray([0.0, 0.0, 0.0, 1.0], dtype=upper.dtype, device=device_of(upper))
    lower = xp.broadcast_to(last, (*upper.shape[:-2], 1, 4))
    transform: ArrayT = xp.concat([upper, lower], axis=-2)
    return transform


def _as_float(array: ArrayT) -> ArrayT:
    xp = array_namespace(array)
    floats: ArrayT = array if xp.isdtype(array.dtype, "real floating") else xp.astype(array, xp.float32)
    return floats


def _check_vector(name: str, vector: Any, length: int) -> None:
    if vector.ndim < 1 or vector.shape[-1] != length:
        raise ShapeError(f"{name} has shape {tuple(vector.shape)}; expected (..., {length}).")


def _check_matrix(name: str, matrix: Any, side: int) -> None:
    if matrix.ndim < 2 or tuple(matrix.shape[-2:]) != (side, side):
        raise ShapeError(f"{name} has shape {tuple(matrix.shape)}; expected (..., {side}, {side}).")
