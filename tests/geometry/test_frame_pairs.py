"""Pairs of frames that are a given number, time or way apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from depthnet.errors import ConfigError, InputError
from depthnet.geometry.frame_pairs import distances_along, path_length, select_pairs


def walk(*z: float) -> NDArray[np.float64]:
    T = np.tile(np.eye(4), (len(z), 1, 1))
    T[:, 2, 3] = z
    return T


def pairs(*args: Any, **options: Any) -> list[tuple[int, int]]:
    return [(i, j) for i, j in select_pairs(*args, **options).tolist()]


def test_by_frames() -> None:
    path = walk(*range(7))
    assert pairs(path, 3) == [(0, 3), (1, 4), (2, 5), (3, 6)]
    assert pairs(path, 3, all_pairs=False) == [(0, 3), (3, 6)]
    assert pairs(path, 7) == []


def test_by_metres_with_every_start_it_is_the_nearest_within_a_tenth() -> None:
    path = walk(0, 0.55, 1.05, 1.05, 1.98, 5.0)
    # From 0 the first of the two at 1.05 is nearest to 1; from 0.55 nothing lies between 1.45 and 1.65.
    assert pairs(path, 1.0, "m") == [(0, 2), (2, 4), (3, 4)]


def test_by_metres_one_after_the_other_it_is_the_first_beyond() -> None:
    path = walk(0, 0.6, 1.2, 2.1, 2.2, 5.0)
    assert pairs(path, 1.0, "m", all_pairs=False) == [(0, 2), (2, 4), (4, 5)]
    # A way back counts as way.
    assert pairs(walk(0, 0.6, 0, 0.6), 1.0, "m", all_pairs=False) == [(0, 2)]


def test_by_seconds_it_is_the_nearest_but_never_across_a_gap_and_never_the_last() -> None:
    times = np.array([0.0, 0.5, 1.04, 1.5, 3.0, 4.0, 5.0])
    path = walk(*range(7))
    assert pairs(path, 1.0, "s", times_s=times) == [(0, 2), (1, 3), (4, 5)]
    assert pairs(path, 1.0, "s", all_pairs=False, times_s=times) == [(0, 2), (4, 5)]


def test_a_second_of_thirty_frames() -> None:
    times = 1305031102.175304 + np.arange(90) / 30
    path = walk(*range(90))
    assert pairs(path, 1.0, "s", times_s=times) == [(i, i + 30) for i in range(59)]
    assert pairs(path, 1.0, "s", all_pairs=False, times_s=times) == [(0, 30), (30, 60)]


def test_the_way_along_a_path() -> None:
    path = walk(0, 3, 1, 1)
    np.testing.assert_array_equal(distances_along(path), [0, 3, 5, 5])
    assert path_length(path) == 5
    assert path_length(path[:1]) == 0


@pytest.mark.parametrize("unit", ["frames", "s", "m"])
@pytest.mark.parametrize("all_pairs", [True, False])
def test_a_single_frame_or_a_frozen_camera_has_no_pair(unit: Any, all_pairs: bool) -> None:
    assert pairs(walk(1), 1, unit, all_pairs, np.zeros(1)) == []
    if unit == "m":
        assert pairs(walk(1, 1, 1, 1), 1, unit, all_pairs) == []


def test_what_cannot_be_is_refused() -> None:
    path = walk(*range(5))
    for delta, unit in ((0.5, "frames"), (0, "m"), (-1, "frames"), (float("nan"), "s")):
        with pytest.raises(InputError, match=rf"--delta {delta:g} {unit}: expected a positive number"):
            select_pairs(path, delta, unit, times_s=np.arange(5.0))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"needs the time of every pose"):
        select_pairs(path, 1, "s")
    with pytest.raises(ConfigError, match=r"--delta-unit km: unknown; choose one of frames, s, m"):
        select_pairs(path, 1, "km")  # type: ignore[arg-type]
