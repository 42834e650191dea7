"""First hits and shadows against the plain way: every ray with every solid."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))
from simple_scenes import ALONG_Y, camera, clutter, intrinsics

from depthnet.data.synthetic.render import pixel_rays
from depthnet.data.synthetic.shapes import Solid, enter_solid, pack_solids
from depthnet.data.synthetic.tracing import BUNDLE, first_hit, is_blocked, pixel_order


def all_entrances(solids: tuple[Solid, ...], origin: Any, direction: Any) -> NDArray[np.float64]:
    """t of every ray (3, R) with every solid: (N, R)."""
    rows = []
    for solid in solids:
        o, d = (solid.rotation.T @ v for v in (origin - solid.center[:, None], direction))
        rows.append(enter_solid(solid.kind, tuple(o), tuple(d), tuple(solid.half), solid.rounding))
    return np.array(rows)


def rays(height: int, width: int) -> NDArray[np.float64]:
    order, (_, padded) = pixel_order(height, width)
    return pixel_rays(
        intrinsics(60.0, width / 2, height / 2), camera(0, -4, 1.5, ALONG_Y), order % padded, order // padded
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_first_hit_is_that_of_the_plain_way(seed: int) -> None:
    solids = clutter(seed, 60)
    origin = np.array([0, -4, 1.5])
    direction = rays(48, 64)
    far = np.full(direction.shape[1:], 7.5)
    t, index = first_hit(pack_solids(solids, np.float64), origin[:, None, None], direction, 0.02, far)
    every = all_entrances(solids, np.broadcast_to(origin[:, None], (3, far.size)), direction.reshape(3, -1))
    every = np.where((every > 0.02) & (every < 7.5), every, np.inf)
    nearest = every.min(axis=0)
    expected = np.where(np.isfinite(nearest), every.argmin(axis=0), -1)
    np.testing.assert_array_equal(index.reshape(-1), expected)
    np.testing.assert_allclose(t.reshape(-1), np.minimum(nearest, 7.5), atol=1e-12)
    assert (expected >= 0).mean() > 0.2


@pytest.mark.parametrize("spread", [0.01, 0.5, 4.0])
def test_blocked_is_that_of_the_plain_way(spread: float) -> None:
    """Bundles of rays between scattered points, from narrow to as wide as the room."""
    rng = np.random.default_rng(7)
    solids = clutter(5, 80)
    centre = rng.uniform((-3, -3, 0.2), (3, 4, 2.8), (12, 1, 3))
    start = centre + spread * rng.uniform(-0.5, 0.5, (12, BUNDLE, 3))
    way = rng.uniform((-3, -3, 0.2), (3, 4, 2.8), (12, 1, 3)) + 0.2 * rng.uniform(-1, 1, (12, BUNDLE, 3)) - start
    start, way = (np.ascontiguousarray(a.transpose(2, 0, 1)) for a in (start, way))
    blocked = is_blocked(pack_solids(solids, np.float64), start, way)
    every = all_entrances(solids, start.reshape(3, -1), way.reshape(3, -1))
    expected = ((every > 1e-3) & (every < 1 - 1e-3)).any(axis=0)
    np.testing.assert_array_equal(blocked.reshape(-1), expected)
    assert 0.1 < expected.mean() < 0.95


def test_what_casts_no_shadow_blocks_nothing() -> None:
    solids = pack_solids(clutter(5, 12), np.float64)
    solids.casts[:] = False
    start = np.zeros((3, 1, 4)) + np.array([0, -4, 1.5])[:, None, None]
    way = np.zeros((3, 1, 4)) + np.array([0, 8.0, 0])[:, None, None]
    assert not is_blocked(solids, start, way).any()


def test_a_scene_without_solids() -> None:
    t, index = first_hit(
        pack_solids([], np.float64), np.zeros((3, 1, 1)), rays(16, 16), 0.02, np.full((1, BUNDLE), 3.0)
    )
    assert (t == 3.0).all()
    assert (index == -1).all()


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (17, 33), (240, 320)])
def test_pixel_order_takes_every_pixel_once(size: tuple[int, int]) -> None:
    order, padded = pixel_order(*size)
    assert padded[0] >= size[0]
    assert padded[1] >= size[1]
    np.testing.assert_array_equal(np.sort(order.reshape(-1)), np.arange(padded[0] * padded[1]))
    first = order[0]  # a square of 16, its first quarter a square of 8
    assert {int(one) // padded[1] for one in first[:64]} == set(range(8))
    assert {int(one) % padded[1] for one in first} == set(range(16))
