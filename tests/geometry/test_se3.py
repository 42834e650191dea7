"""Rigid motions: there and back at every scale, hand-worked ones, gradients, and agreement with other libraries."""

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
from depthnet.geometry.se3 import (
    interpolate_transform,
    invert_transform,
    pose_from_quat_xyzw,
    pose_to_quat_xyzw,
    se3_adjoint,
    se3_exp,
    se3_exp_original,
    se3_log,
    se3_log_original,
)
from depthnet.geometry.so3 import so3_exp

RNG = np.random.default_rng(3)
COMPONENT = st.floats(-1.0, 1.0)
VECTORS = st.tuples(COMPONENT, COMPONENT, COMPONENT)
AXES = VECTORS.filter(lambda a: math.hypot(*a) > 1e-3)
#: Angles at every scale, those about half a turn among them.
ANGLES = st.one_of(
    st.floats(-300, math.log10(math.pi - 1e-6)).map(lambda power: 10.0**power),
    st.floats(-6, 0).map(lambda power: math.pi - 10.0**power),
    st.just(0.0),
)


def twist(rho: tuple[float, ...], axis: tuple[float, ...], angle: float) -> NDArray[np.float64]:
    return np.concatenate([np.array(rho), np.array(axis) / math.hypot(*axis) * angle])


def random_transforms(*shape: int) -> NDArray[np.float64]:
    return se3_exp(RNG.normal(size=(*shape, 6)))


def test_a_pose_and_its_inverse_in_batches() -> None:
    translation, quat = RNG.normal(size=(2, 5, 3)), RNG.normal(size=(2, 5, 4))
    transform = pose_from_quat_xyzw(translation, quat)
    assert transform.shape == (2, 5, 4, 4)
    np.testing.assert_allclose(
        transform @ invert_transform(transform), np.broadcast_to(np.eye(4), (2, 5, 4, 4)), atol=1e-12
    )
    np.testing.assert_allclose(invert_transform(transform), np.linalg.inv(transform), atol=1e-12)
    back_translation, back_quat = pose_to_quat_xyzw(transform)
    np.testing.assert_array_equal(back_translation, translation)
    np.testing.assert_allclose(pose_from_quat_xyzw(back_translation, back_quat), transform, atol=1e-12)


def test_a_first_line_of_tum_by_hand() -> None:
    # fr1/xyz: tx ty tz qx qy qz qw; the camera looks along its z axis, which is the third column.
    line = np.array([1.3563, 0.6305, 1.6380, 0.6132, 0.5962, -0.3311, -0.3986])
    T_world_cam = pose_from_quat_xyzw(line[:3], line[3:])
    x, y, z, w = line[3:] / np.linalg.norm(line[3:])
    np.testing.assert_allclose(T_world_cam[:3, 3], line[:3])
    np.testing.assert_allclose(
        T_world_cam[:3, 2], [2 * (x * z + y * w), 2 * (y * z - x * w), w * w - x * x - y * y + z * z]
    )


def test_torch_gives_the_same_and_its_gradient_is_finite() -> None:
    torch = pytest.importorskip("torch")
    translation, quat = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 4))
    expected = pose_from_quat_xyzw(translation, quat)
    leaf = torch.tensor(quat, dtype=torch.float32, requires_grad=True)
    transform = pose_from_quat_xyzw(torch.tensor(translation), leaf)
    assert transform.dtype == torch.float32
    np.testing.assert_allclose(transform.detach().numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(invert_transform(transform).detach().numpy(), np.linalg.inv(expected), atol=1e-5)
    _, back = pose_to_quat_xyzw(transform)
    np.testing.assert_allclose(back.detach().numpy(), pose_to_quat_xyzw(expected)[1], atol=1e-5)
    (back[:, 0] + transform[:, 0, 3]).sum().backward()
    assert torch.isfinite(leaf.grad).all()


def test_whole_numbers_become_floats() -> None:
    turn = pose_from_quat_xyzw(np.array([1, 2, 3]), np.array([0, 0, 1, 1]))
    np.testing.assert_allclose(turn, [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]], atol=1e-7)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"one quaternion for each translation"):
        pose_from_quat_xyzw(np.zeros((2, 3)), np.ones((3, 4)))
    for function in (invert_transform, pose_to_quat_xyzw):
        with pytest.raises(ShapeError, match=r"transform has shape \(3, 4\)"):
            function(np.zeros((3, 4)))


@given(VECTORS, AXES, ANGLES, st.floats(-3, 3))
@example((1.0, 2.0, 3.0), (1.0, 0.0, 0.0), math.pi - 1e-6, 0.0)
@example((1.0, 2.0, 3.0), (1.0, -1.0, 0.5), 1e-300, 0.0)
@example((0.0, 0.0, 0.0), (1.0, -1.0, 0.5), 0.1, 0.0)
@settings(max_examples=150, deadline=None)
def test_exponential_and_back_in_float64(
    rho: tuple[float, ...], axis: tuple[float, ...], angle: float, power: float
) -> None:
    size = 10.0**power
    xi = twist(tuple(size * r for r in rho), axis, angle)
    back = se3_log(se3_exp(xi))
    np.testing.assert_allclose(back[:3], xi[:3], atol=1e-12 * max(size, 1.0))
    np.testing.assert_allclose(back[3:], xi[3:], rtol=1e-12, atol=min(1e-12, 1e-12 * angle))


@given(VECTORS, AXES, ANGLES)
@settings(max_examples=50, deadline=None)
def test_exponential_and_back_in_float32(rho: tuple[float, ...], axis: tuple[float, ...], angle: float) -> None:
    xi = twist(rho, axis, min(angle, math.pi - 1e-3)).astype(np.float32)
    transform = se3_exp(xi)
    assert transform.dtype == np.float32
    np.testing.assert_allclose(se3_log(transform), xi, atol=5e-6)


@given(VECTORS, AXES)
@settings(max_examples=50, deadline=None)
def test_at_half_turns_the_logarithm_is_one_of_the_same_motion(rho: tuple[float, ...], axis: tuple[float, ...]) -> None:
    transform = se3_exp(twist(rho, axis, math.pi))
    np.testing.assert_allclose(se3_exp(se3_log(transform)), transform, atol=1e-13)


def test_a_quarter_turn_about_z_along_x_by_hand() -> None:
    # A motion of speed 1 that turns left by a quarter goes along a circle of radius 2 / π.
    transform = se3_exp(np.array([1.0, 0, 0, 0, 0, math.pi / 2]))
    np.testing.assert_allclose(transform[:3, 3], [2 / math.pi, 2 / math.pi, 0], atol=1e-15)
    original = se3_exp_original(np.array([1.0, 0, 0, 0, 0, math.pi / 2]))
    np.testing.assert_allclose(original[:3, 3], [0, 1, 0], atol=1e-15)
    np.testing.assert_allclose(original[:3, :3], transform[:3, :3], atol=1e-15)


def test_the_exponential_is_scipys_of_the_matrix() -> None:
    expm = pytest.importorskip("scipy.linalg").expm
    for xi in RNG.normal(size=(20, 6)) * RNG.uniform(1e-3, 2, (20, 1)):
        x, y, z = xi[3:]
        matrix = np.array([[0, -z, y, xi[0]], [z, 0, -x, xi[1]], [-y, x, 0, xi[2]], [0, 0, 0, 0]])
        np.testing.assert_allclose(se3_exp(xi), expm(matrix), atol=1e-12)


@pytest.mark.parametrize("angle", [0.0, 1e-5, 0.3, 2.0, 3.1])
def test_kornia_agrees(angle: float) -> None:
    torch = pytest.importorskip("torch")
    lie = pytest.importorskip("kornia.geometry.liegroup")
    xi = torch.tensor(np.stack([twist((1.0, -2.0, 0.5), (0.3, 0.4, -0.5), angle), np.zeros(6)]))
    if angle == 0.0:
        xi = xi[:, :3].repeat(1, 2) * 0 + torch.tensor([1.0, -2.0, 0.5, 0, 0, 0], dtype=torch.float64)
    theirs = lie.Se3.exp(xi)
    torch.testing.assert_close(se3_exp(xi), theirs.matrix(), rtol=0, atol=1e-6 if angle < 1e-3 else 1e-9)
    torch.testing.assert_close(se3_adjoint(theirs.matrix()), theirs.adjoint(), rtol=0, atol=1e-9)
    if angle > 1e-3:
        torch.testing.assert_close(se3_log(theirs.matrix())[0], theirs.log()[0], rtol=0, atol=1e-7)


def test_the_originals_first_order_begins_at_a_millionth() -> None:
    xi = np.array([0.0, 0, 0, 0, 0, 0.999e-6])
    np.testing.assert_array_equal(se3_exp_original(xi)[:2, :2], [[1, -xi[5]], [xi[5], 1]])
    xi[5] = 1.5e-6
    assert se3_exp_original(xi)[0, 0] < 1.0


def test_the_originals_vector_and_back() -> None:
    xi = RNG.normal(size=(7, 6))
    np.testing.assert_allclose(se3_log_original(se3_exp_original(xi)), xi, atol=1e-12)
    shifted = se3_exp_original(xi)
    np.testing.assert_allclose(shifted[:, :3, 3], np.einsum("bij,bj->bi", so3_exp(xi[:, 3:]), xi[:, :3]), atol=1e-14)


def test_the_adjoint_carries_a_motion_to_another_frame() -> None:
    T, xi = random_transforms(5), 0.5 * RNG.normal(size=(5, 6))
    carried = (se3_adjoint(T) @ xi[..., None])[..., 0]
    np.testing.assert_allclose(se3_exp(carried), T @ se3_exp(xi) @ invert_transform(T), atol=1e-12)


def test_interpolation_goes_at_a_steady_pace() -> None:
    start, end = random_transforms(4), random_transforms(4)
    np.testing.assert_allclose(interpolate_transform(start, end, 0.0), start, atol=1e-14)
    np.testing.assert_allclose(interpolate_transform(start, end, 1.0), end, atol=1e-12)
    third, two_thirds = (interpolate_transform(start, end, np.full(4, n / 3)) for n in (1, 2))
    step = invert_transform(start) @ third
    np.testing.assert_allclose(invert_transform(third) @ two_thirds, step, atol=1e-12)
    np.testing.assert_allclose(start @ step @ step @ step, end, atol=1e-12)
    np.testing.assert_allclose(interpolate_transform(end, start, 2 / 3), third, atol=1e-12)


def test_batches_of_any_shape_and_kind(arrays_of: Callable[..., list[Any]]) -> None:
    xi = RNG.normal(size=(2, 3, 6))
    xi[0, 0] = 0.0
    (batch,) = arrays_of(xi)
    transform = se3_exp(batch)
    assert transform.shape == (2, 3, 4, 4)
    assert type(transform) is type(batch)
    np.testing.assert_allclose(np.asarray(transform)[1, 2], se3_exp(xi[1, 2]), atol=1e-14)
    np.testing.assert_allclose(np.asarray(se3_log(transform)), se3_log(se3_exp(xi)), atol=1e-12)
    assert se3_adjoint(transform).shape == (2, 3, 6, 6)
    assert interpolate_transform(transform, transform, 0.3).shape == (2, 3, 4, 4)


@pytest.mark.parametrize("angle", [0.0, 1e-200, 1e-9, 0.0999, 0.1001, 1.0, math.pi - 1e-4])
def test_gradients_in_float64(angle: float) -> None:
    torch = pytest.importorskip("torch")
    xi = torch.tensor(twist((0.4, -1.0, 2.0), (0.5, -0.7, 0.3), angle), requires_grad=True)
    end = torch.tensor(random_transforms())
    assert torch.autograd.gradcheck(se3_exp, xi)
    assert torch.autograd.gradcheck(lambda x: se3_log(se3_exp(x)), xi)
    assert torch.autograd.gradcheck(lambda x: se3_adjoint(se3_exp(x)), xi)
    assert torch.autograd.gradcheck(lambda x: interpolate_transform(se3_exp(x), end, 0.3), xi)
    if angle != 1e-9:  # the numerical derivative steps over the original's change to first order
        assert torch.autograd.gradcheck(se3_exp_original, xi, eps=1e-8 if angle == 0 else 1e-6, atol=1e-5)


def test_gradients_in_float32_are_finite_and_near_those_of_float64() -> None:
    torch = pytest.importorskip("torch")
    for angle in (0.0, 1e-30, 1e-4, 0.05, 0.5, 3.1):
        grads = []
        for dtype in (torch.float32, torch.float64):
            xi = torch.tensor(twist((0.4, -1.0, 2.0), (0.5, -0.7, 0.3), angle), dtype=dtype, requires_grad=True)
            se3_exp(xi).square().sum().backward()
            (se3_log(se3_exp(xi)).sum() * 0.5).backward()
            grads.append(xi.grad.double())
        assert torch.isfinite(grads[0]).all()
        torch.testing.assert_close(grads[0], grads[1], rtol=2e-4, atol=2e-4)


def test_other_kinds_of_arrays_are_refused() -> None:
    for function in (se3_exp, se3_exp_original):
        with pytest.raises(ShapeError, match=r"xi has shape \(7,\); expected \(\.\.\., 6\)"):
            function(np.zeros(7))
    for function in (se3_log, se3_log_original, se3_adjoint):
        with pytest.raises(ShapeError, match=r"transform has shape \(3, 4\); expected \(\.\.\., 4, 4\)"):
            function(np.zeros((3, 4)))
    with pytest.raises(ShapeError, match=r"end has shape \(3, 3\)"):
        interpolate_transform(np.eye(4), np.eye(3), 0.5)
