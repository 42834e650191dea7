"""The loops over pixels: derivatives against differences, depth that does not mix over edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from depthnet.geometry.se3 import se3_exp
from depthnet.odometry import kernels
from depthnet.odometry.align import DirectAligner, Reference
from depthnet.odometry.pyramid import Level, build_pyramid

#: Gain, bias, scale of nothing changed.
LIGHT = (1.0, 0.0, 1.0)


def residuals(
    level: Level, motion: np.ndarray[Any, Any], light: tuple[float, float, float] = LIGHT
) -> np.ndarray[Any, Any]:
    from depthnet.compile import compiled

    points = level.reference
    out = np.empty((5, points.count), np.float32)
    compiled(kernels.measure_residuals)(
        points.points, points.photo, points.geo, motion[:3].astype(np.float32), level.camera, np.array(light),
        level.image, level.inverse, out, 0, points.count,
    )  # fmt: skip
    return out


@pytest.mark.parametrize("axis", range(6))
def test_derivatives_are_those_of_the_residuals(room: Any, axis: int) -> None:
    image, depth = room.frame(np.eye(4))
    level = build_pyramid(image, depth, room.K).levels[0]
    points = level.reference
    step = np.zeros(6)
    step[axis] = 1e-3
    ahead, behind = residuals(level, se3_exp(step)), residuals(level, se3_exp(-step))
    velocity = step[:3, None] + np.cross(step[3:], points.points.T).T
    for row, columns in ((0, points.photo[:3]), (1, points.geo)):
        both = (ahead[2 + row] > 0) & (behind[2 + row] > 0)
        measured = ((ahead[row] - behind[row]) / 2)[both]
        predicted = np.sum(columns * velocity, axis=0)[both]
        assert both.mean() > 0.6
        # central differences of a sampled picture against those of its interpolation
        assert np.median(np.abs(measured - predicted)) < 0.05 * np.abs(measured).max()
        assert np.corrcoef(measured, predicted)[0, 1] > 0.98


def test_equations_are_the_weighted_products(room: Any) -> None:
    image, depth = room.frame(np.eye(4))
    level = build_pyramid(image, depth, room.K).levels[1]
    points, light, motion = level.reference, (0.8, 3.0, 1.0), se3_exp(np.full(6, 0.01))
    from depthnet.compile import compiled

    assert points.count > 2 * kernels.BLOCK
    out, scales = residuals(level, motion, light), np.array([3.0, 0.01])
    sums = np.empty((kernels.ROWS, kernels.PHOTO))
    compiled(kernels.sum_share)(
        points.points, points.photo, points.geo, motion[:3].astype(np.float32), level.camera, np.array(light), scales,
        level.image, level.inverse, sums, 0, points.count,
    )  # fmt: skip
    photo, geo = sums[: kernels.PHOTO], sums[kernels.PHOTO :, : kernels.GEO][: kernels.GEO]
    squares = (out[0] / 3) ** 2 + (out[1] / 0.01) ** 2
    np.testing.assert_allclose(sums[-1, 2:5], [out[2].sum(), out[3].sum(), (out[2] * 5 / (5 + squares)).sum()], 1e-4)
    p = points.points.astype(np.float64)
    weight = (5 + out[2] + out[3]) / (5 + (out[0] / 3) ** 2 + (out[1] / scales[1]) ** 2)
    J = np.concatenate([points.photo[:3], np.cross(p.T, points.photo[:3].T).T]) * 0.8
    J = np.concatenate([J, -points.photo[3:4], -np.ones((1, points.count)), out[:1]])
    expected = (J * weight * out[2] / 9.0) @ J.T
    np.testing.assert_allclose(np.triu(photo), np.triu(expected), rtol=2e-3, atol=1e-3 * np.abs(expected).max())
    J = np.concatenate([points.geo, np.cross(p.T, points.geo.T).T, -out[4:5], out[1:2]])
    expected = (J * weight * out[3] / scales[1] ** 2) @ J.T
    np.testing.assert_allclose(np.triu(geo), np.triu(expected), rtol=2e-3, atol=1e-3 * np.abs(expected).max())


def test_depth_of_two_surfaces_is_not_mixed() -> None:
    inverse = np.array([[1.0, 1.02, 0, 0], [0.25, 0.25, 0, 0], [0, 0.5, 2.0, 2.0], [0, 0, 2.0, 1.0]], np.float32)
    image = np.arange(16, dtype=np.float32).reshape(4, 4)
    half = Level(image, inverse, np.array([4, 4, 1.5, 1.5], np.float32)).halved()
    np.testing.assert_allclose(half.inverse, [[1.01, 0.0], [0.5, 2.0]])
    np.testing.assert_allclose(half.image, [[2.5, 4.5], [10.5, 12.5]])
    np.testing.assert_allclose(half.camera, [2, 2, 0.5, 0.5])


def test_an_exact_motion_is_found_under_another_exposure(room: Any) -> None:
    motion = se3_exp(np.array([0.05, -0.02, 0.04, 0.02, -0.05, 0.03]))
    first, second = room.frame(np.eye(4)), room.frame(motion, gain=0.8, bias=15)
    frames = [build_pyramid(*one, room.K) for one in (first, second)]
    found = DirectAligner().align([Reference(frames[0], np.eye(4))], frames[1], np.eye(4))
    assert found is not None
    error = np.linalg.inv(motion) @ found.T_world_cam
    assert np.linalg.norm(error[:3, 3]) < 1e-3
    assert np.degrees(np.linalg.norm(error[:3, :3] - np.eye(3)) / np.sqrt(2)) < 0.03
    assert found.scale == 1.0


def test_a_wrong_scale_of_depth_is_found_when_it_is_free(room: Any) -> None:
    motion = se3_exp(np.array([0.03, 0.0, 0.02, 0.0, 0.03, 0.0]))
    image, depth = room.frame(motion)
    first, second = build_pyramid(*room.frame(np.eye(4)), room.K), build_pyramid(image, depth * np.float32(1.1), room.K)
    found = DirectAligner(free_scale=True).align([Reference(first, np.eye(4))], second, np.eye(4))
    assert found is not None
    assert found.scale == pytest.approx(1 / 1.1, rel=5e-3)
    assert np.linalg.norm((np.linalg.inv(motion) @ found.T_world_cam)[:3, 3]) < 3e-3


def test_threads_do_not_change_a_bit(room: Any) -> None:
    large = type(room)((240, 320))
    motion = se3_exp(np.array([0.02, 0.0, 0.01, 0.0, 0.02, 0.01]))
    frames = [build_pyramid(*large.frame(pose), large.K) for pose in (np.eye(4), motion)]
    found = [
        DirectAligner(threads).align([Reference(frames[0], np.eye(4))], frames[1], np.eye(4)) for threads in (1, 2)
    ]
    assert found[0] is not None
    assert found[1] is not None
    np.testing.assert_array_equal(found[0].T_world_cam, found[1].T_world_cam)
