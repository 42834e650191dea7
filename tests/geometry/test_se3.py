"""Rigid motions: hand-worked rotations, there and back, and the same answers for NumPy and torch."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from depthnet.errors import ShapeError
from depthnet.geometry.se3 import (
    invert_transform,
    pose_from_quat_xyzw,
    pose_to_quat_xyzw,
    quat_xyzw_to_rotation,
    rotation_to_quat_xyzw,
)

HALF = math.sqrt(0.5)
RNG = np.random.default_rng(3)
COMPONENT = st.floats(-1.0, 1.0)
QUATS = st.tuples(COMPONENT, COMPONENT, COMPONENT, COMPONENT).filter(lambda q: math.hypot(*q) > 1e-3)


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
@settings(max_examples=60)
def test_quaternion_to_rotation_and_back(components: tuple[float, ...]) -> None:
    quat = np.array(components)
    rotation = quat_xyzw_to_rotation(quat)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    back = rotation_to_quat_xyzw(rotation)
    assert np.linalg.norm(back) == pytest.approx(1.0)
    assert back[3] >= 0
    assert abs(back @ quat) == pytest.approx(np.linalg.norm(quat)), "the same rotation, up to the sign of q"


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


def test_zeros_are_no_rotation_and_nothing_warns() -> None:
    assert np.isnan(quat_xyzw_to_rotation(np.zeros(4))).all()


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
    with pytest.raises(ShapeError, match=r"quat_xyzw has shape \(3,\); expected \(\.\.\., 4\)"):
        quat_xyzw_to_rotation(np.zeros(3))
    with pytest.raises(ShapeError, match=r"one quaternion for each translation"):
        pose_from_quat_xyzw(np.zeros((2, 3)), np.ones((3, 4)))
    with pytest.raises(ShapeError, match=r"rotation has shape \(4, 4\)"):
        rotation_to_quat_xyzw(np.eye(4))
    for function in (invert_transform, pose_to_quat_xyzw):
        with pytest.raises(ShapeError, match=r"transform has shape \(3, 4\)"):
            function(np.zeros((3, 4)))
