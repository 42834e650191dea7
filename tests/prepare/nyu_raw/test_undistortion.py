from __future__ import annotations

import numpy as np
import pytest

from depthnet.prepare.nyu_raw.calibration import COLOUR_CAMERA, LensCamera
from depthnet.prepare.nyu_raw.undistortion import bilinear_map, undistort_image


def lens(**terms: float) -> LensCamera:
    """A lens of 10 pixels focal length with its centre at pixel (0, 0)."""
    return LensCamera(**{"fx": 10.0, "fy": 10.0, "cx": 0.0, "cy": 0.0, "k1": 0.0, "k2": 0.0, "p1": 0.0, "p2": 0.0,
                         "k3": 0.0, **terms})  # fmt: skip


def test_a_lens_without_distortion_changes_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    assert (undistort_image(image, lens()) == image).all()


def test_values_between_pixels_are_interpolated() -> None:
    # x' = x (1 + 0.2 r²) on the row y = 0: pixel 5 (x = 0.5) comes from 0.5 · 1.05 = 0.525, pixel 5.25; row 0 stays.
    plane = np.tile(np.arange(10.0), (4, 1)) ** 2
    straight = bilinear_map(lens(k1=0.2), (4, 10)).apply(plane)
    assert straight[0, 5] == pytest.approx(0.75 * 25 + 0.25 * 36)


def test_halves_are_rounded_up() -> None:
    # With k1 = 0.4 pixel 5 comes from 0.5 · 1.1 = 0.55, pixel 5.5: the mean of 10 and 13 is 11.5, which becomes 12.
    image = np.zeros((3, 10, 3), np.uint8)
    image[:, 5], image[:, 6] = 10, 13
    assert undistort_image(image, lens(k1=0.4))[0, 5].tolist() == [12, 12, 12]


def test_what_the_lens_did_not_see_is_repeated_or_painted() -> None:
    # k1 = 2 sends pixel 9 (x = 0.9) to 0.9 · 2.62 = 2.358, pixel 23.6 of ten.
    image = np.arange(90, dtype=np.uint8).reshape(3, 10, 3)
    camera = lens(k1=2.0)
    assert undistort_image(image, camera)[0, 9].tolist() == image[0, 9].tolist()
    painted = undistort_image(image, camera, border=255)
    assert painted[0, 9].tolist() == [255, 255, 255]
    assert painted[0, 1].tolist() == undistort_image(image, camera)[0, 1].tolist() != [255, 255, 255]


def test_a_map_is_made_once() -> None:
    assert bilinear_map(COLOUR_CAMERA, (480, 640)) is bilinear_map(COLOUR_CAMERA, (480, 640))
