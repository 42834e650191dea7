"""The filter over time: the motion it finds, what becomes steadier, and what it leaves alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from depthnet.predictor.steady import MOST_PAST, Steadier, estimate_flow, grid_grey, sample

Map = NDArray[np.float32]
SIZE = (96, 128)


def texture(seed: int = 0, size: tuple[int, int] = (160, 200)) -> NDArray[np.uint8]:
    """A picture with structure at several scales, RGB."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(Image.fromarray(rng.integers(0, 256, (cells, cells), dtype=np.uint8)).resize(size[::-1], 3), float)
        for cells in (6, 16, 40)
    ]
    return np.repeat(np.mean(layers, axis=0).astype(np.uint8)[..., None], 3, axis=2)


def window(scene: NDArray[np.uint8], x: int, y: int = 20) -> NDArray[np.uint8]:
    """What a camera of SIZE sees of a scene, moved right by x pixels."""
    return np.ascontiguousarray(scene[y : y + SIZE[0], x : x + SIZE[1]])


def flicker(maps: list[Map]) -> float:
    return float(np.mean([np.abs(np.log(b / a)).mean() for a, b in pairwise(maps)]))


def wavering(rng: np.random.Generator, depth: Map) -> Map:
    """Depth as a network gives it: another scale for each frame, and smooth local noise."""
    local = np.asarray(Image.fromarray(rng.normal(0, 0.05, (6, 8)).astype(np.float32)).resize(SIZE[::-1], 3))
    return np.asarray(depth * np.exp(rng.normal(0, 0.05) + local), np.float32)


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (4, 0), (-8, 4), (12, -8)])
def test_the_flow_of_a_moving_camera(dx: int, dy: int) -> None:
    scene = texture()
    before, now = (grid_grey(window(scene, x, y), SIZE) for x, y in ((30, 20), (30 + dx, 20 + dy)))
    flow = estimate_flow(now, before)[:, 4:-4, 4:-4]
    np.testing.assert_allclose(np.median(flow, axis=(1, 2)), (dx / 4, dy / 4), atol=0.25)


def test_samples_between_pixels_and_beyond_the_edge() -> None:
    ramp = np.add.outer(10 * np.arange(4), np.arange(5)).astype(np.float32)[None]
    place = np.array([[[0.5, 4, -3, 9]], [[0.25, 3, 1, 9]]], np.float32)
    np.testing.assert_allclose(sample(ramp, place)[0, 0], [3, 34, 10, 34], atol=1e-5)


def test_a_still_scene_becomes_steadier_and_stays_right() -> None:
    rng, grey = np.random.default_rng(0), grid_grey(window(texture(), 30), SIZE)
    truth = np.full(SIZE, 2.0, np.float32)
    raw = [wavering(rng, truth) for _ in range(40)]
    steadier = Steadier()
    steadied = [steadier.steady(grey, depth) for depth in raw]
    np.testing.assert_array_equal(steadied[0], raw[0], "nothing is known yet")
    assert flicker(steadied[5:]) < 0.25 * flicker(raw[5:])
    error = [np.abs(np.log(np.array(maps[10:]) / truth)).mean() for maps in (raw, steadied)]
    assert error[1] < 0.5 * error[0]


def test_a_moving_camera_takes_its_past_along() -> None:
    """Two walls, 1.5 and 3 m, pass by: the edge stays an edge, and both become steadier."""
    scene, rng = texture(), np.random.default_rng(1)
    walls = np.where(np.arange(200) < 100, 1.5, 3.0).astype(np.float32)
    steadier, raw, steadied = Steadier(), [], []
    for x in range(20, 68, 2):
        depth = wavering(rng, np.broadcast_to(walls[x : x + SIZE[1]], SIZE))
        raw.append(depth)
        steadied.append(steadier.steady(grid_grey(window(scene, x), SIZE), depth))
    spread = [np.std([np.log(one[:, 100 - x : 118 - x].mean()) for x, one in zip(range(20, 68, 2), maps)][8:])
              for maps in (raw, steadied)]  # fmt: skip
    assert spread[1] < 0.6 * spread[0]
    last, edge = steadied[-1], 100 - 66
    assert np.median(last[:, edge + 6 : edge + 16]) / np.median(last[:, edge - 16 : edge - 6]) > 1.7


def test_a_cut_begins_anew() -> None:
    steadier = Steadier()
    for _ in range(10):
        steadier.steady(grid_grey(window(texture(0), 30), SIZE), np.full(SIZE, 2.0, np.float32))
    other = grid_grey(255 - window(texture(7), 30), SIZE)
    np.testing.assert_array_equal(steadier.steady(other, np.full(SIZE, 3.0, np.float32)), 3.0)


def test_a_new_size_begins_anew() -> None:
    steadier = Steadier()
    steadier.steady(grid_grey(window(texture(), 30), SIZE), np.full(SIZE, 2.0, np.float32))
    turned = np.full(SIZE[::-1], 3.0, np.float32)
    np.testing.assert_array_equal(steadier.steady(grid_grey(texture(), SIZE[::-1]), turned), turned)


def test_what_moves_is_not_smeared() -> None:
    """A near thing appears before a far wall: its depth is taken as it is, that of the wall holds."""
    scene, thing = window(texture(0), 30), window(255 - texture(5), 30)
    steadier, depth = Steadier(), np.full(SIZE, 4.0, np.float32)
    for _ in range(10):
        steadier.steady(grid_grey(scene, SIZE), depth)
    scene[:, 40:80], depth = thing[:, 40:80], depth.copy()
    depth[:, 40:80] = 1.0
    found = steadier.steady(grid_grey(scene, SIZE), depth)
    assert np.median(np.abs(np.log(found[:, 48:72]))) < 0.1
    assert np.abs(np.log(found[:, :30] / 4)).max() < 0.05


def test_depth_that_changes_everywhere_is_followed() -> None:
    grey, steadier = grid_grey(window(texture(), 30), SIZE), Steadier()
    for _ in range(20):
        steadier.steady(grey, np.full(SIZE, 2.0, np.float32))
    for number in range(1, 40):
        found = steadier.steady(grey, np.full(SIZE, 2.4, np.float32))
        wanted = 2.4 * (2 / 2.4) ** ((MOST_PAST / (MOST_PAST + 1)) ** number)
        np.testing.assert_allclose(found, wanted, rtol=1e-3)


@pytest.mark.parametrize("size", [(32, 33), (192, 256), (33, 301)])
def test_any_size(size: tuple[int, int]) -> None:
    steadier, depth = Steadier(), np.random.default_rng(0).uniform(1, 2, size).astype(np.float32)
    for _ in range(3):
        found = steadier.steady(grid_grey(texture(), size), depth)
        assert found.shape == size
        assert np.isfinite(found).all()
