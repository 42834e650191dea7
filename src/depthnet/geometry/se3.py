"""Rigid motions: 4x4 transforms, their inverse, exponential and logarithm, adjoint and interpolation.

Written once against the array API standard, so every function takes NumPy arrays and torch tensors and gives the same
kind back. ``T_tgt_src`` maps points, ``p_tgt = T_tgt_src @ p_src``. An se(3) vector is ``xi = (rho, phi)``: the
translation part in metres first, the rotation vector in radians after it.
"""

from __future__ import annotations

from typing import Any, TypeVar

from array_api_compat import array_namespace
from array_api_compat import device as device_of

from depthnet.errors import ShapeError
from depthnet.geometry.arrays import as_float, check_matrix, check_vector
from depthnet.geometry.so3 import (
    exp_coefficients,
    identity_plus,
    quat_xyzw_to_rotation,
    rotation_to_quat_xyzw,
    so3_exp,
    so3_hat,
    so3_left_jacobian,
    so3_left_jacobian_inverse,
    so3_log,
)

ArrayT = TypeVar("ArrayT", bound=Any)


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
    check_vector("translation", translation, 3)
    check_vector("quat_xyzw", quat_xyzw, 4)
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
    check_matrix("transform", transform, 4)
    return as_float(transform)[..., :3, 3], rotation_to_quat_xyzw(transform[..., :3, :3])


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
    check_matrix("transform", transform, 4)
    xp = array_namespace(transform)
    T = as_float(transform)
    back = xp.matrix_transpose(T[..., :3, :3])
    inverse: ArrayT = _compose(back, -(back @ T[..., :3, 3:4])[..., 0])
    return inverse


def se3_exp(xi: ArrayT) -> ArrayT:
    """Transform of an se(3) vector: rotation exp(phi), translation V(phi) rho.

    Args:
        xi: (rho, phi), (..., 6): metres and radians.

    Returns:
        Transforms, (..., 4, 4).

    Raises:
        ShapeError: if the last axis is not 6 long.

    Source: Barfoot, State Estimation for Robotics, 2017, eq. 7.32.
    """
    rho, phi = _split(xi)
    return _compose(so3_exp(phi), _apply(so3_left_jacobian(phi), rho))


def se3_log(transform: ArrayT) -> ArrayT:
    """se(3) vector of a transform, its rotation vector no longer than π.

    Args:
        transform: rigid transforms, (..., 4, 4).

    Returns:
        (rho, phi), (..., 6): metres and radians.

    Raises:
        ShapeError: if transform is not (..., 4, 4).

    Source: Barfoot, State Estimation for Robotics, 2017, eq. 7.36.
    """
    check_matrix("transform", transform, 4)
    T = as_float(transform)
    phi = so3_log(T[..., :3, :3])
    xi: ArrayT = array_namespace(T).concat([_apply(so3_left_jacobian_inverse(phi), T[..., :3, 3]), phi], axis=-1)
    return xi


def se3_exp_original(xi: ArrayT) -> ArrayT:
    """Transform by the rule of the original experiments: t = R u, where the exponential has V u.

    The rotation is Rodrigues' of the rotation vector, to first order (I + hat) where θ² < 1e-12.

    Args:
        xi: (u, phi), (..., 6), translation part first as everywhere here; the original's files store phi first.

    Returns:
        Transforms, (..., 4, 4).

    Raises:
        ShapeError: if the last axis is not 6 long.

    Source: Zhan et al., Unsupervised Learning of Monocular Depth Estimation and Visual Odometry with Deep Feature
    Reconstruction, CVPR 2018, its SE(3) layer.
    """
    u, phi = _split(xi)
    xp = array_namespace(phi)
    squared = xp.sum(phi * phi, axis=-1)
    sine, cosine, _ = exp_coefficients(squared)
    tiny = squared < 1e-12
    sine, cosine = xp.where(tiny, xp.ones_like(sine), sine), xp.where(tiny, xp.zeros_like(cosine), cosine)
    rotation = identity_plus(so3_hat(phi), sine, cosine)
    transform: ArrayT = _compose(rotation, _apply(rotation, u))
    return transform


def se3_log_original(transform: ArrayT) -> ArrayT:
    """The vector that :func:`se3_exp_original` takes to this transform: u = Rᵀ t, phi = log R.

    Args:
        transform: rigid transforms, (..., 4, 4).

    Returns:
        (u, phi), (..., 6): metres and radians.

    Raises:
        ShapeError: if transform is not (..., 4, 4).
    """
    check_matrix("transform", transform, 4)
    xp = array_namespace(transform)
    T = as_float(transform)
    R = T[..., :3, :3]
    xi: ArrayT = xp.concat([_apply(xp.matrix_transpose(R), T[..., :3, 3]), so3_log(R)], axis=-1)
    return xi


def se3_adjoint(transform: ArrayT) -> ArrayT:
    """The matrix that carries se(3) vectors to another frame: exp(Ad(T) xi) = T exp(xi) T⁻¹.

    Args:
        transform: rigid transforms, (..., 4, 4).

    Returns:
        [[R, hat(t) R], [0, R]], (..., 6, 6).

    Raises:
        ShapeError: if transform is not (..., 4, 4).

    Source: Barfoot, State Estimation for Robotics, 2017, eq. 7.45.
    """
    check_matrix("transform", transform, 4)
    xp = array_namespace(transform)
    T = as_float(transform)
    R = T[..., :3, :3]
    upper = xp.concat([R, so3_hat(T[..., :3, 3]) @ R], axis=-1)
    lower = xp.concat([xp.zeros_like(R), R], axis=-1)
    adjoint: ArrayT = xp.concat([upper, lower], axis=-2)
    return adjoint


def interpolate_transform(start: ArrayT, end: ArrayT, share: ArrayT | float) -> ArrayT:
    """A transform on the geodesic (the screw motion) from one to another: start exp(share log(start⁻¹ end)).

    Args:
        start: rigid transforms, (..., 4, 4): what share 0 gives.
        end: rigid transforms, (..., 4, 4): what share 1 gives.
        share: part of the way, a number or (...); beyond 0 to 1 it goes on with the same motion.

    Returns:
        Transforms, (..., 4, 4).

    Raises:
        ShapeError: if start or end is not (..., 4, 4).
    """
    check_matrix("end", end, 4)
    xi = se3_log(invert_transform(start) @ as_float(end))
    part = share if isinstance(share, float | int) else as_float(share)[..., None]
    between: ArrayT = as_float(start) @ se3_exp(part * xi)
    return between


def _compose(rotation: ArrayT, translation: ArrayT) -> ArrayT:
    """(..., 4, 4) of (..., 3, 3) and (..., 3)."""
    xp = array_namespace(rotation)
    upper = xp.concat([rotation, translation[..., None]], axis=-1)
    last = xp.asarray([0.0, 0.0, 0.0, 1.0], dtype=upper.dtype, device=device_of(upper))
    lower = xp.broadcast_to(last, (*upper.shape[:-2], 1, 4))
    transform: ArrayT = xp.concat([upper, lower], axis=-2)
    return transform


def _split(xi: ArrayT) -> tuple[ArrayT, ArrayT]:
    """Translation and rotation part, (..., 3) each."""
    check_vector("xi", xi, 6)
    xi = as_float(xi)
    return xi[..., :3], xi[..., 3:]


def _apply(matrix: ArrayT, vector: ArrayT) -> ArrayT:
    """(..., 3) of (..., 3, 3) times (..., 3)."""
    product: ArrayT = (matrix @ vector[..., None])[..., 0]
    return product
