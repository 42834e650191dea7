"""Where lines enter solids: numbers worked by hand, and what must hold for every closed convex solid."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from depthnet.data.synthetic import shapes
from depthnet.data.synthetic.shapes import Solid, enter_solid, surface_at


def enter(solid: Solid, origin: Any, direction: Any) -> NDArray[np.float64]:
    """t of the entrance of lines given in world axes, (N,)."""
    o = np.atleast_2d(np.asarray(origin, float) - solid.center) @ solid.rotation
    d = np.atleast_2d(np.asarray(direction, float)) @ solid.rotation
    o, d = np.broadcast_arrays(o, d)
    t: NDArray[np.float64] = enter_solid(solid.kind, tuple(o.T), tuple(d.T), tuple(solid.half), solid.rounding)
    return t


SOLIDS = {
    "box": shapes.box((1, 2, 3), (0.4, 0.8, 1.2), 0),
    "cylinder": shapes.cylinder((1, 2, 2.5), 0.3, 1.0, 0),
    "cone": shapes.cone((1, 2, 2.5), (0.5, 0.1), 1.0, 0),
    "pointed cone": shapes.cone((1, 2, 2.5), (0.0, 0.4), 1.0, 0),
    "flat cone": shapes.cone((1, 2, 2.95), (0.9, 0.2), 0.1, 0),
    "sphere": shapes.ellipsoid((1, 2, 3), (0.5, 0.5, 0.5), 0),
    "ellipsoid": shapes.ellipsoid((1, 2, 3), (0.9, 0.3, 0.1), 0),
    "rounded": shapes.rounded((1, 2, 3), (0.9, 0.5, 0.7), 0.1, 0),
    "capsule": shapes.capsule((1, 1.6, 3), (1, 2.4, 3), 0.2, 0),
    "rod": shapes.rod((0.7, 1.6, 2.7), (1.3, 2.4, 3.3), 0.1, 0),
    "turned box": shapes.box((0, 0, 0), (0.4, 0.8, 1.2), 0).moved(shapes.turn_about(0, 0.7), (1, 2, 3)),
}


@pytest.mark.parametrize(
    ("name", "origin", "direction", "t"),
    [
        ("box", (1, 2, 0), (0, 0, 1), 2.4),  # the lower face at z = 2.4
        ("box", (0, 2, 3), (1, 0, 0), 0.8),
        ("box", (0, 2, 3), (2, 0, 0), 0.4),  # t counts lengths of the direction
        ("box", (0, 2.41, 3), (1, 0, 0), math.inf),
        ("box", (3, 2, 3), (1, 0, 0), -2.2),  # behind: it entered at x = 0.8
        ("cylinder", (0, 2, 3), (1, 0, 0), 0.7),
        ("cylinder", (1.1, 2, 5), (0, 0, -1), 1.5),  # onto the cap at z = 3.5
        ("cylinder", (1.31, 2, 5), (0, 0, -1), math.inf),
        ("cone", (0, 2, 3), (1, 0, 0), 0.7),  # half way up its radius is 0.3
        ("cone", (1.4, 2, 5), (0, 0, -1), 2.25),  # radius 0.4 is at z = 2.75, on the slope
        ("cone", (1.05, 2, 5), (0, 0, -1), 1.5),
        ("cone", (1.4, 2, 0), (0, 0, 1), 2.5),
        ("sphere", (1, 2, 0), (0, 0, 1), 2.5),
        ("sphere", (1.3, 2, 0), (0, 0, 1), 2.6),  # 0.3, 0.4, 0.5
        ("ellipsoid", (1, 2, 5), (0, 0, -1), 1.9),
        ("ellipsoid", (-1, 2, 3), (1, 0, 0), 1.1),
        ("rounded", (1, 2, 0), (0, 0, 1), 2.65),
        ("rounded", (1.41, 2, 0), (0, 0, 1), 2.65 + 0.1 - math.sqrt(0.01 - 0.06**2)),  # over the round edge
        ("rounded", (1.4499, 2.2499, 0), (0, 0, 1), math.inf),  # a corner of the box around it is empty
        ("capsule", (1, 0, 3), (0, 1, 0), 1.4),
        ("capsule", (1, 2, 0), (0, 0, 1), 2.8),
    ],
)
def test_entrances_by_hand(name: str, origin: Any, direction: Any, t: float) -> None:
    assert enter(SOLIDS[name], origin, direction)[0] == pytest.approx(t, abs=1e-6)


def inside(solid: Solid, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Below 0 inside a solid, above outside: from the definitions of the shapes, (N,)."""
    local = (points - solid.center) @ solid.rotation
    if solid.kind == shapes.BOX:
        return (np.abs(local) - solid.half).max(axis=1)
    if solid.kind == shapes.ELLIPSOID:
        return np.linalg.norm(local / solid.half, axis=1) - 1.0
    if solid.kind == shapes.ROUNDED:
        return np.linalg.norm(np.maximum(np.abs(local) - solid.half, 0.0), axis=1) - solid.rounding
    bottom, top, height = solid.half
    radius = bottom + (top - bottom) * (local[:, 2] + height) / (2 * height)
    return np.maximum(np.hypot(local[:, 0], local[:, 1]) - radius, np.abs(local[:, 2]) - height)


@pytest.mark.parametrize("name", SOLIDS)
def test_solids_are_closed(name: str) -> None:
    """From outside, every ray towards a point inside enters, at the surface, and is inside right after."""
    solid = SOLIDS[name]
    rng = np.random.default_rng(3)
    low, high = solid.extent()
    targets = rng.uniform(low, high, (3000, 3))
    targets = targets[inside(solid, targets) < -1e-3]
    outward = rng.standard_normal(targets.shape)
    origins = solid.center + 3.0 * outward / np.linalg.norm(outward, axis=1, keepdims=True)
    t = enter(solid, origins, targets - origins)
    assert len(targets) > 100
    assert (np.isfinite(t) & (t > 0) & (t < 1)).all()
    assert np.abs(inside(solid, origins + t[:, None] * (targets - origins))).max() < 1e-4
    assert (inside(solid, origins + (t + 1e-3)[:, None] * (targets - origins)) < 0).all()


@pytest.mark.parametrize("name", SOLIDS)
def test_lines_that_miss_meet_nothing(name: str) -> None:
    """Where an entrance is claimed the line comes inside, and where none is, no point of the line is inside."""
    solid = SOLIDS[name]
    rng = np.random.default_rng(4)
    origins = solid.center + rng.uniform(-2, 2, (400, 3))
    directions = rng.standard_normal((400, 3))
    missed = ~np.isfinite(enter(solid, origins, directions))
    along = np.linspace(-6, 6, 800)
    for origin, direction in zip(origins[missed], directions[missed], strict=True):
        assert inside(solid, origin + along[:, None] * direction).min() > -2e-4
    assert 0 < missed.sum() < 400


@pytest.mark.parametrize("name", SOLIDS)
def test_normals_point_outwards(name: str) -> None:
    solid = SOLIDS[name]
    rng = np.random.default_rng(5)
    origins = solid.center + 2.0 * rng.standard_normal((500, 3))
    directions = solid.center + rng.uniform(-0.1, 0.1, (500, 3)) - origins
    t = enter(solid, origins, directions)
    hit = np.isfinite(t)
    points = (origins + t[:, None] * directions)[hit]
    local = (points - solid.center) @ solid.rotation
    half = tuple(np.full(len(local), one) for one in solid.half)
    normal, (u, v, along_v), face = surface_at(solid.kind, tuple(local.T), half)
    world = np.stack(normal, axis=1) @ solid.rotation.T
    np.testing.assert_allclose(np.linalg.norm(world, axis=1), 1.0, atol=1e-6)
    assert ((world * directions[hit]).sum(axis=1) < 1e-6).all()
    assert (inside(solid, points + 1e-3 * world) > 0).all()
    assert (inside(solid, points - 1e-5 * world) < 1e-8).all()
    assert np.isfinite(u).all()
    assert np.isfinite(v).all()
    assert set(np.unique(along_v)) <= {0.0, 1.0}
    assert face.min() >= 0
    assert face.max() <= 5


@settings(max_examples=30, deadline=None)
@given(radius=st.floats(0.01, 2.0), seed=st.integers(0, 1000))
def test_a_rounded_point_is_a_sphere(radius: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ball = shapes.rounded((0, 0, 0), (2 * radius,) * 3, radius, 0)
    sphere = shapes.ellipsoid((0, 0, 0), (radius,) * 3, 0)
    origin, direction = rng.standard_normal((2, 20, 3))
    one, other = enter(ball, origin * 4, direction), enter(sphere, origin * 4, direction)
    both = np.isfinite(one) & np.isfinite(other)
    assert (np.isfinite(one) == np.isfinite(other)).mean() >= 0.95  # a line that only grazes may go either way
    np.testing.assert_allclose(one[both], other[both], atol=2e-3 * max(1.0, radius))


def test_the_box_around_a_solid() -> None:
    low, high = SOLIDS["capsule"].extent()
    np.testing.assert_allclose(low, (0.8, 1.4, 2.8))
    np.testing.assert_allclose(high, (1.2, 2.6, 3.2))
    turned = shapes.box((0, 0, 0), (2, 1, 1), 0).moved(shapes.turn_about(2, math.pi / 2), (5, 0, 0))
    np.testing.assert_allclose(turned.extent(), [(4.5, -1, -0.5), (5.5, 1, 0.5)], atol=1e-12)


def test_turns_are_right_handed() -> None:
    np.testing.assert_allclose(shapes.turn_about(2, math.pi / 2) @ (1, 0, 0), (0, 1, 0), atol=1e-12)
    np.testing.assert_allclose(shapes.turn_about(0, math.pi / 2) @ (0, 1, 0), (0, 0, 1), atol=1e-12)
    np.testing.assert_allclose(shapes.turn_about(1, math.pi / 2) @ (0, 0, 1), (1, 0, 0), atol=1e-12)
