"""Rooms: what is built stands, hangs and fits as it does in homes."""

from __future__ import annotations

import inspect
from collections import Counter
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from depthnet.data.synthetic import (
    build_room,
    fixtures,
    furniture_seats,
    furniture_storage,
    furniture_tables,
    things,
)
from depthnet.data.synthetic.palette import Palette
from depthnet.data.synthetic.pieces import Piece, solids_extent
from depthnet.data.synthetic.recipes import RECIPES
from depthnet.data.synthetic.room import Room

ROOMS = range(12)
FURNITURE = {
    f"{module.__name__.rpartition('.')[2]}.{name}": function
    for module in (furniture_seats, furniture_storage, furniture_tables, things)
    for name, function in vars(module).items()
    if inspect.isfunction(function) and not name.startswith("_")
    and inspect.signature(function).return_annotation == "Piece" and function.__module__ == module.__name__
}  # fmt: skip
HUNG = [fixtures.picture, fixtures.board, fixtures.clock, fixtures.wall_shelf, fixtures.wall_cupboard, fixtures.mirror,
        fixtures.hung_clothes, fixtures.radiator, fixtures.switch, fixtures.door]  # fmt: skip


@cache
def room(number: int) -> Room:
    return build_room(5, number)


def joined(extents: NDArray[np.float64], start: NDArray[np.bool_], gap: float = 0.012) -> NDArray[np.bool_]:
    """Which boxes (N, 2, 3) touch those in ``start``, directly or through others."""
    held = start.copy()
    for _ in range(len(extents)):
        low, high = extents[held, 0] - gap, extents[held, 1] + gap
        touch = (extents[:, None, 0] <= high[None]) & (extents[:, None, 1] >= low[None])
        grown = held | touch.all(axis=2).any(axis=1)
        if (grown == held).all():
            break
        held = grown
    return held


def build(function: object, seed: int) -> Piece:
    rng = np.random.default_rng(seed)
    return function(rng, Palette(rng))  # type: ignore[operator]


def test_there_is_furniture() -> None:
    assert len(FURNITURE) >= 40


@pytest.mark.parametrize("name", FURNITURE)
def test_furniture_stands_on_the_floor_and_holds_together(name: str) -> None:
    for seed in range(6):
        piece = build(FURNITURE[name], seed)
        if not piece.solids:
            continue
        extents = solids_extent(piece.solids)
        assert extents[:, 0, 2].min() == pytest.approx(0.0, abs=0.012), seed
        held = joined(extents, extents[:, 0, 2] < 0.012)
        assert held.all(), f"seed {seed}: solids {np.flatnonzero(~held)} float"
        low, high = piece.extent
        assert (high - low).max() < 3.1
        assert high[2] < 2.5
        for top in piece.tops:
            assert top.low[0] < top.high[0]
            assert top.low[1] < top.high[1]
            below = extents[:, 1, 2] - top.low[2]
            assert (np.abs(below) < 0.05).any(), f"seed {seed}: a top at {top.low[2]:.3f} m over nothing"


@pytest.mark.parametrize("function", HUNG, ids=lambda one: one.__name__)
def test_what_hangs_touches_its_wall(function: object) -> None:
    for seed in range(6):
        extents = solids_extent(build(function, seed).solids)
        held = joined(extents, extents[:, 1, 1] > -0.02)
        assert held.all(), f"seed {seed}: solids {np.flatnonzero(~held)} float"


@pytest.mark.parametrize(
    ("function", "axis", "low", "high"),
    [
        (furniture_seats.chair, 2, 0.7, 1.1),
        (furniture_seats.bed, 1, 1.9, 2.4),
        (furniture_seats.sofa, 1, 0.75, 1.1),
        (furniture_tables.dining_table, 2, 0.7, 0.78),
        (furniture_tables.desk, 2, 0.7, 0.8),
        (furniture_storage.wardrobe, 2, 1.7, 2.3),
        (furniture_storage.bookshelf, 2, 0.9, 2.5),
        (things.cup, 2, 0.06, 0.17),
    ],
)  # fmt: skip
def test_sizes_are_those_of_real_things(function: object, axis: int, low: float, high: float) -> None:
    for seed in range(8):
        bottom, top = build(function, seed).extent
        assert low <= (top - bottom)[axis] <= high


@pytest.mark.parametrize("number", ROOMS)
def test_nothing_leaves_the_room(number: int) -> None:
    one = room(number)
    extents = solids_extent(one.scene.solids)
    assert (extents[:, 0] > one.scene.low - 0.03).all()
    assert (extents[:, 1] < one.scene.high + 0.03).all()


@pytest.mark.parametrize("number", ROOMS)
def test_pieces_do_not_go_through_one_another(number: int) -> None:
    """No box around a solid of one piece overlaps one of another by more than 4 mm on all axes."""
    owner = np.concatenate([np.full(len(piece.solids), place) for place, piece in enumerate(room(number).pieces)])
    extents = room(number).obstacles
    deep = np.minimum(extents[:, None, 1], extents[None, :, 1]) - np.maximum(extents[:, None, 0], extents[None, :, 0])
    overlap = (deep.min(axis=2) > 0.0041) & (owner[:, None] != owner[None])
    assert not overlap.any()


@pytest.mark.parametrize("number", ROOMS)
def test_every_piece_is_held_by_something(number: int) -> None:
    """Floor, ceiling, walls, or another piece below it."""
    one = room(number)
    for place, piece in enumerate(one.pieces):
        low, high = piece.extent
        others = [other for k, other in enumerate(one.pieces) if k != place]
        on_wall = any(
            min(low[0] - r.low[0], r.high[0] - high[0], low[1] - r.low[1], r.high[1] - high[1]) < 0.02
            for r in one.regions
        )
        below = np.concatenate([solids_extent(other.solids) for other in others])
        rests = (
            (np.abs(below[:, 1, 2] - low[2]) < 0.035)
            & (np.minimum(below[:, 1, :2], high[:2]) > np.maximum(below[:, 0, :2], low[:2])).all(axis=1)
        ).any()
        assert low[2] < 0.02 or high[2] > one.regions[0].ceiling - 0.02 or on_wall or rests, piece.name


@pytest.mark.parametrize("number", ROOMS)
def test_a_room_is_lit_and_its_materials_exist(number: int) -> None:
    scene = room(number).scene
    assert 1 <= len(scene.lights) <= 3
    for light in scene.lights:
        assert (light.position > scene.low).all()
        assert (light.position < scene.high).all()
        assert (light.power > 0).all()
    used = [solid.material for solid in scene.solids] + list(scene.shell)
    assert min(used) >= 0
    assert max(used) < len(scene.materials)
    colours = np.array([material.colours for material in scene.materials])
    assert colours.min() >= 0
    assert colours.max() <= 1


def test_the_same_numbers_give_the_same_room() -> None:
    one, again, other, seeded = build_room(5, 3), build_room(5, 3), build_room(5, 4), build_room(6, 3)
    assert one.scene.materials == again.scene.materials
    np.testing.assert_array_equal(one.obstacles, again.obstacles)
    for different in (other, seeded):
        assert one.obstacles.shape != different.obstacles.shape or (one.obstacles != different.obstacles).any()


def test_rooms_vary() -> None:
    rooms = [room(number) for number in ROOMS]
    assert len({one.kind for one in rooms}) >= 4
    assert {one.kind for one in rooms} <= set(RECIPES)
    sizes = [one.regions[0].area for one in rooms]
    assert max(sizes) > 1.5 * min(sizes)
    counts = Counter(piece.name for one in rooms for piece in one.pieces)
    assert len(counts) >= 25
    assert np.median([len(one.pieces) for one in rooms]) > 15
