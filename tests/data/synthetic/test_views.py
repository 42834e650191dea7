"""The way of the camera, and pictures that must agree with one another."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from depthnet.data.synthetic import PackedScene, Room, Walk, build_room, nyu_like_intrinsics, pack_scene, render
from depthnet.data.synthetic.path import clearance

SIZE = (96, 128)
K = nyu_like_intrinsics(SIZE)


@cache
def started(number: int) -> tuple[Room, PackedScene, Walk]:
    room = build_room(8, number)
    scene = pack_scene(room.scene)
    return room, scene, Walk(room, scene, 8, number, K, SIZE)


def look_up(picture: NDArray[np.float32], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bilinear values of (H, W) or (H, W, 3) at inner points (P,)."""
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = (x - left), (y - top)
    if picture.ndim == 3:
        fx, fy = fx[:, None], fy[:, None]
    upper = picture[top, left] * (1 - fx) + picture[top, left + 1] * fx
    lower = picture[top + 1, left] * (1 - fx) + picture[top + 1, left + 1] * fx
    result: NDArray[np.float64] = upper * (1 - fy) + lower * fy
    return result


def compare(scene: PackedScene, T_one: NDArray[np.float64], T_two: NDArray[np.float64], shadows: bool) -> None:
    """Every pixel of one picture, moved by its depth and the two poses, shows the same in the other."""
    one, two = (render(scene, K, T, SIZE, shadows=shadows, shiny=False, smooth_edges=False) for T in (T_one, T_two))
    y, x = (a.reshape(-1).astype(float) for a in np.mgrid[: SIZE[0], : SIZE[1]])
    rays = np.linalg.inv(K) @ np.stack([x, y, np.ones_like(x)])
    world = T_one[:3, :3] @ (rays * one.depth.reshape(-1)) + T_one[:3, 3:]
    there = T_two[:3, :3].T @ (world - T_two[:3, 3:])
    u, v = (there[k] / there[2] * K[k, k] + K[k, 2] for k in (0, 1))
    inside = (there[2] > 0.1) & (u > 0) & (u < SIZE[1] - 1.01) & (v > 0) & (v < SIZE[0] - 1.01)
    here, u, v, z = np.flatnonzero(inside), u[inside], v[inside], there[2, inside]
    # Seen by both: all four neighbours there are the same surface.
    labels = one.surface.reshape(-1)[here]
    same = np.ones(len(here), bool)
    for down in (0, 1):
        for right in (0, 1):
            same &= two.surface[np.floor(v).astype(int) + down, np.floor(u).astype(int) + right] == labels
    assert same.mean() > 0.3
    here, u, v, z = here[same], u[same], v[same], z[same]
    off = np.abs(look_up(two.depth, u, v) / z - 1.0)
    assert np.quantile(off, 0.99) < 0.02
    assert np.median(off) < 3e-4
    expected = one.light.reshape(-1, 3)[here]
    wrong = np.abs(look_up(two.light, u, v) - expected).mean(axis=1) / expected.mean()
    assert np.median(wrong) < 0.02
    assert wrong.mean() < 0.08
    # The test can fail: the same colours two pixels aside are several times as wrong on structured surfaces.
    aside = np.abs(look_up(two.light, np.minimum(u + 2, SIZE[1] - 2.0), v) - expected).mean(axis=1) / expected.mean()
    assert aside.mean() > 1.3 * wrong.mean()


@pytest.mark.parametrize(("number", "shadows"), [(0, False), (1, False), (2, True), (3, False)])
def test_frames_agree_where_both_see(number: int, shadows: bool) -> None:
    _, scene, walk = started(number)
    T = walk.pose(0.0)
    step = np.eye(4)
    step[:3, 3] = (0.06, -0.02, 0.05)
    compare(scene, T, T @ step, shadows)


def test_moments_of_one_walk_agree() -> None:
    _, scene, walk = started(4)
    compare(scene, walk.pose(0.0), walk.pose(0.12), False)


def test_a_right_picture_is_the_left_one_moved_by_its_disparity() -> None:
    """x_right = x_left - f·b / z on the same row."""
    _, scene, walk = started(5)
    baseline, T = 0.1, walk.pose(0.0)
    beside = np.eye(4)
    beside[0, 3] = baseline
    left, right = (
        render(scene, K, pose, SIZE, shadows=False, shiny=False, smooth_edges=False) for pose in (T, T @ beside)
    )
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    moved = x - K[0, 0] * baseline / left.depth
    inside = moved > 0
    nearest = np.rint(np.where(inside, moved, 0)).astype(int)
    same = inside & (right.surface[y, nearest] == left.surface)
    assert same.mean() > 0.5
    wall = same & (np.abs(moved - nearest) < 0.05)
    assert np.median(np.abs(right.depth[y, nearest] / left.depth - 1)[wall]) < 2e-3
    wrong = np.abs(right.light[y, nearest] - left.light).mean(axis=2)
    unmoved = np.abs(right.light - left.light).mean(axis=2)
    assert wrong[wall].mean() < 0.5 * unmoved[wall].mean() + 0.02 * left.light.mean()


@pytest.mark.parametrize("number", range(6))
def test_the_camera_stands_where_there_is_room(number: int) -> None:
    room, _, walk = started(number)
    for moment in (0.0, 0.5, 1.0):
        T = walk.pose(moment)
        np.testing.assert_allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-12)
        assert np.linalg.det(T[:3, :3]) == pytest.approx(1.0)
        assert clearance(room, T[:3, 3]) > -0.13
        assert 0.8 < T[2, 3] < 1.9
        assert T[2, 1] < -0.6  # the picture's down is down
    # No solid holds the camera.
    low, high = room.obstacles[:, 0], room.obstacles[:, 1]
    T = walk.pose(0.0)
    assert not ((low < T[:3, 3]) & (T[:3, 3] < high)).all(axis=1).any()


def test_clearance_by_hand() -> None:
    room, _, _ = started(0)
    x, y = (room.regions[0].low[axis] for axis in (0, 1))
    assert clearance(room, np.array([x + 0.05, y + 1.0, 1.5])) <= -0.15 + 1e-9
    chest = room.obstacles[np.argmax(np.prod(room.obstacles[:, 1] - room.obstacles[:, 0], axis=1))]
    assert clearance(room, chest.mean(axis=0)) < 0


def test_the_way_is_smooth() -> None:
    """At 30 frames per second nothing jumps: under 4 cm and 4 degrees from frame to frame."""
    _, _, walk = started(1)
    poses = [walk.pose(k / 90.0) for k in range(0, 180, 3)]
    for one, two in pairwise(poses):
        assert np.linalg.norm(two[:3, 3] - one[:3, 3]) < 3 * 0.04
        cosine = (np.trace(one[:3, :3].T @ two[:3, :3]) - 1) / 2
        assert np.degrees(np.arccos(np.clip(cosine, -1, 1))) < 3 * 4
    assert any((one != two).any() for one, two in pairwise(poses))


def test_a_moment_does_not_depend_on_those_asked_before() -> None:
    room, scene, walk = started(2)
    fresh = Walk(room, scene, 8, 2, K, SIZE)
    later = fresh.pose(1.5)
    np.testing.assert_array_equal(later, walk.pose(1.5))
    np.testing.assert_array_equal(fresh.pose(0.25), Walk(room, scene, 8, 2, K, SIZE).pose(0.25))
