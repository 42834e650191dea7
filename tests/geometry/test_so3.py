"""Rotations: hand-worked turns, exponential and logarithm at every scale, gradients, and agreement with SciPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from depthnet.errors import ShapeError
from depthnet.geometry.so3 import (
    quat_xyzw_to_rotation,
    rotation_to_quat_xyzw,
    so3_exp,
    so3_hat,
    so3_left_jacobian,
    so3_left_jacobian_inverse,
    so3_log,
)

HALF = math.sqrt(0.5)
RNG = np.random.default_rng(3)
COMPONENT = st.floats(-1.0, 1.0)
QUATS = st.tuples(COMPONENT, COMPONENT, COMPONENT, COMPONENT).filter(lambda q: math.hypot(*q) > 1e-3)
AXES = st.tuples(COMPONENT, COMPONENT, COMPONENT).filter(lambda a: math.hypot(*a) > 1e-3)
#: Angles at every scale, those about half a turn among them.
ANGLES = st.one_of(
    st.floats(-300, math.log10(math.pi - 1e-6)).map(lambda power: 10.0**power),
    st.floats(-6, 0).map(lambda power: math.pi - 10.0**power),
    st.just(0.0),
)


def vector(axis: tuple[float, ...], angle: float) -> NDArray[np.float64]:
    return np.array(axis) / math.hypot(*axis) * angle


@pytest.mark.parametrize(
    ("quat_xyzw", "moved"),
    [
        # A quarter turn about one axis takes the next axis to the one after it.
        ((HALF, 0, 0, HALF), {(0, 1, 0): (0, 0, 1), (0, 0, 1): (0, -1, 0), (1, 0, 0): (1, 0, 0)}),
        ((0, HALF, 0, HALF), {(0, 0, 1): (1, 0, 0), (1, 0, 0): (0, 0, -1)}),
        ((0, 0, HALF, HALF), {(1, 0, 0): (0, 1, 0), (0, 1, 0): (-1, 0, 0)}),
        ((0, 0, 0, 1), {(1, 2, 3): (1, 2, 3)}),
        ((1, 0, 0, 0), {(1, 2, 3): (1, -2, -3)}),
    ],
)
def test_quarter_and_half_turns_by_hand(
    quat_xyzw: tuple[float, ...], moved: dict[tuple[float, ...], tuple[float, ...]]
) -> None:
    rotation = quat_xyzw_to_rotation(np.array(quat_xyzw, dtype=np.float64))
    for before, after in moved.items():
        np.testing.assert_allclose(rotation @ np.array(before, dtype=np.float64), after, atol=1e-12)


@given(QUATS)
@example((1.0, 0.0, 0.0, 0.0))
@example((0.0, 1.0, 0.0, 0.0))
@example((0.6, 0.8, 0.0, 1e-9))
@example((0.5, 0.5, 0.5, -0.5))
@settings(max_examples=60, deadline=None)
def test_quaternion_to_rotation_and_back(components: tuple[float, ...]) -> None:
    quat = np.array(components)
    rotation = quat_xyzw_to_rotation(quat)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    back = rotation_to_quat_xyzw(rotation)
    assert np.linalg.norm(back) == pytest.approx(1.0)
    assert back[3] >= 0
    assert abs(back @ quat) == pytest.approx(np.linalg.norm(quat)), "the same rotation, up to the sign of q"


def test_zeros_are_no_rotation_and_nothing_warns() -> None:
    assert np.isnan(quat_xyzw_to_rotation(np.zeros(4))).all()


@given(AXES, ANGLES)
@example((1.0, 0.0, 0.0), math.pi - 1e-6)
@example((0.6, 0.8, 0.0), 1e-300)
@example((0.3, -0.2, 0.9), 0.1)
@settings(max_examples=150, deadline=None)
def test_exponential_and_back_in_float64(axis: tuple[float, ...], angle: float) -> None:
    phi = vector(axis, angle)
    back = so3_log(so3_exp(phi))
    np.testing.assert_allclose(back, phi, rtol=1e-12, atol=min(1e-12, 1e-12 * angle))


@given(AXES, ANGLES)
@settings(max_examples=50, deadline=None)
def test_exponential_and_back_in_float32(axis: tuple[float, ...], angle: float) -> None:
    phi = vector(axis, min(angle, math.pi - 1e-3)).astype(np.float32)
    rotation = so3_exp(phi)
    assert rotation.dtype == np.float32
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(so3_log(rotation), phi, atol=2e-6)


@given(AXES)
@example((1.0, 0.0, 0.0))
@example((0.0, 0.0, -1.0))
@example((1.0, -1.0, 0.0))
@settings(max_examples=50, deadline=None)
def test_at_half_turns_the_logarithm_is_one_of_the_same_rotation(axis: tuple[float, ...]) -> None:
    for phi, tolerance in ((vector(axis, math.pi), 1e-14), (vector(axis, math.pi).astype(np.float32), 1e-6)):
        rotation = so3_exp(phi)
        back = so3_log(rotation)
        assert np.linalg.norm(back) == pytest.approx(math.pi, rel=1e-6)
        np.testing.assert_allclose(so3_exp(back), rotation, atol=tolerance)
    unit = vector(axis, 1.0)
    exact = 2 * np.outer(unit, unit) - np.eye(3)
    np.testing.assert_allclose(so3_exp(so3_log(exact)), exact, atol=1e-14)


@given(AXES, st.floats(0, 20))
@settings(max_examples=50, deadline=None)
def test_the_exponential_is_scipys(axis: tuple[float, ...], angle: float) -> None:
    rotations = pytest.importorskip("scipy.spatial.transform").Rotation
    phi = vector(axis, angle)
    np.testing.assert_allclose(so3_exp(phi), rotations.from_rotvec(phi).as_matrix(), atol=1e-14)
    if angle < math.pi - 1e-6:
        np.testing.assert_allclose(so3_log(so3_exp(phi)), rotations.from_matrix(so3_exp(phi)).as_rotvec(), atol=1e-12)


def test_a_hat_is_a_cross_product() -> None:
    a, b = RNG.normal(size=(2, 5, 3))
    np.testing.assert_allclose((so3_hat(a) @ b[..., None])[..., 0], np.cross(a, b), atol=1e-15)


@given(AXES, st.floats(0, 6))
@example((1.0, 0.0, 0.0), 0.1)
@example((1.0, 0.0, 0.0), 0.0999999)
@settings(max_examples=50, deadline=None)
def test_the_left_jacobian_and_its_inverse(axis: tuple[float, ...], angle: float) -> None:
    phi = vector(axis, angle)
    V = so3_left_jacobian(phi)
    np.testing.assert_allclose(V @ so3_left_jacobian_inverse(phi), np.eye(3), atol=1e-11)
    # The mean of the rotations along the way, by Gauss' rule.
    shares, weights = np.polynomial.legendre.leggauss(12)
    mean = np.tensordot(weights / 2, so3_exp(phi * (shares[:, None] + 1) / 2), 1)
    np.testing.assert_allclose(V, mean, atol=1e-12)
    step = 1e-6 * RNG.normal(size=3)
    np.testing.assert_allclose(so3_exp(phi + step), so3_exp(V @ step) @ so3_exp(phi), atol=1e-11)


def test_batches_of_any_shape_and_kind(arrays_of: Callable[..., list[Any]]) -> None:
    phi = RNG.normal(size=(2, 3, 3))
    phi[0, 0], phi[0, 1] = 0.0, vector((1, 2, 3), math.pi)
    (batch,) = arrays_of(phi)
    for function in (so3_exp, so3_left_jacobian, so3_left_jacobian_inverse):
        result = function(batch)
        assert result.shape == (2, 3, 3, 3)
        assert type(result) is type(batch)
        np.testing.assert_allclose(np.asarray(result)[1, 2], function(phi[1, 2]), atol=1e-14)
    np.testing.assert_allclose(np.asarray(so3_log(so3_exp(batch)))[1], phi[1], atol=1e-13)


@pytest.mark.parametrize("angle", [0.0, 1e-200, 1e-9, 0.0999, 0.1001, 1.0, math.pi - 1e-4, math.pi, 4.0])
def test_gradients_in_float64(angle: float) -> None:
    torch = pytest.importorskip("torch")
    phi = torch.tensor(vector((0.5, -0.7, 0.3), angle), requires_grad=True)
    for function in (so3_exp, so3_left_jacobian, so3_left_jacobian_inverse):
        assert torch.autograd.gradcheck(function, phi), function.__name__
    if angle < math.pi:
        assert torch.autograd.gradcheck(lambda p: so3_log(so3_exp(p)), phi)
    # Also where a branch is chosen, the gradient of the logarithm is a number.
    rotation = so3_exp(phi).detach().requires_grad_()
    so3_log(rotation).sum().backward()
    assert torch.isfinite(rotation.grad).all()


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"quat_xyzw has shape \(3,\); expected \(\.\.\., 4\)"):
        quat_xyzw_to_rotation(np.zeros(3))
    for function in (so3_log, rotation_to_quat_xyzw):
        with pytest.raises(ShapeError, match=r"rotation has shape \(4, 4\)"):
            function(np.eye(4))
    for function in (so3_hat, so3_exp, so3_left_jacobian, so3_left_jacobian_inverse):
        with pytest.raises(ShapeError, match=r"phi has shape \(2, 4\); expected \(\.\.\., 3\)"):
            function(np.zeros((2, 4)))
