from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthnet.errors import InputError
from depthnet.geometry.disparity import depth_to_disparity_px, disparity_px_to_depth


def test_numbers_worked_by_hand(arrays_of: Callable[..., list[Any]]) -> None:
    # f 700 px, b 0.5 m: 350 / d. 0, NaN and infinity are unknown, and so is a match on the wrong side.
    (disparity,) = arrays_of(np.array([[70.0, 3.5, 0.0], [np.nan, np.inf, -2.0]], np.float32))
    depth = disparity_px_to_depth(disparity, 700.0, 0.5)
    assert type(depth) is type(disparity)
    np.testing.assert_allclose(np.asarray(depth), [[5, 100, 0], [0, 0, 0]])
    np.testing.assert_allclose(
        np.asarray(depth_to_disparity_px(depth, 700.0, 0.5)), [[70, 3.5, 0], [0, 0, 0]], rtol=1e-6
    )


def test_an_offset_between_the_centres_is_added() -> None:
    # Middlebury's Motorcycle: 994.978 · 0.193001 / (60 + 31.086) = 2.108228; a negative disparity is lawful there.
    depth = disparity_px_to_depth(np.array([60.0, -20.0, -40.0]), 994.978, 0.193001, 31.086)
    np.testing.assert_allclose(depth, [2.108228, 17.322, 0], atol=1e-3)


def test_whole_numbers_are_taken_as_floats() -> None:
    np.testing.assert_allclose(disparity_px_to_depth(np.array([2, 0]), 4.0, 0.5), [1.0, 0.0])


@given(depth=st.floats(0.1, 200), focal=st.floats(50, 3000), baseline=st.floats(0.01, 2), doffs=st.floats(-50, 50))
def test_there_and_back(depth: float, focal: float, baseline: float, doffs: float) -> None:
    disparity = depth_to_disparity_px(np.array([depth]), focal, baseline, doffs)
    if disparity[0] != 0:
        assert disparity_px_to_depth(disparity, focal, baseline, doffs)[0] == pytest.approx(depth, rel=1e-6)


@pytest.mark.parametrize(
    ("focal", "baseline", "doffs", "words"),
    [(0.0, 1.0, 0.0, "focal length 0"), (9.0, -0.5, 0.0, "baseline -0.5 m"), (9.0, np.nan, 0.0, "baseline nan"),
     (9.0, 1.0, np.inf, "doffs inf")],
)  # fmt: skip
def test_impossible_cameras_are_refused(focal: float, baseline: float, doffs: float, words: str) -> None:
    for convert in (disparity_px_to_depth, depth_to_disparity_px):
        with pytest.raises(InputError, match=words):
            convert(np.ones(1), focal, baseline, doffs)
