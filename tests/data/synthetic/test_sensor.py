"""From light to 8 bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from depthnet.data.synthetic.sensor import Exposure, develop, meter

PLAIN = Exposure(gain=1.0, white_balance=(1, 1, 1), contrast=1.0, vignette=0.0, blur_px=0.0, noise=0.0)


def flat(value: float, size: tuple[int, int] = (24, 32)) -> np.ndarray:
    return np.full((*size, 3), value, np.float32)


def test_the_curve_by_hand() -> None:
    rng = np.random.default_rng(0)
    assert develop(flat(1.0), PLAIN, rng).min() == 255
    assert develop(flat(0.0), PLAIN, rng).max() == 0
    assert develop(flat(0.5), PLAIN, rng)[0, 0, 0] == round(255 * 0.5 ** (1 / 2.2))
    assert develop(flat(0.25), replace(PLAIN, gain=2.0), rng)[0, 0, 0] == round(255 * 0.5 ** (1 / 2.2))
    assert develop(flat(7.0), PLAIN, rng).min() == 255  # too bright is white


def test_contrast_keeps_black_white_and_the_middle() -> None:
    strong = replace(PLAIN, contrast=1.5)
    middle = 0.5**2.2
    values = [develop(flat(v), strong, np.random.default_rng(0))[0, 0, 0] for v in (0.0, middle, 1.0)]
    assert values[0] == 0
    assert values[1] == pytest.approx(127.5, abs=0.6)
    assert values[2] == 255


def test_vignette_and_blur() -> None:
    dark = develop(flat(0.4), replace(PLAIN, vignette=0.5), np.random.default_rng(0)).astype(float)
    assert dark[12, 16, 0] > dark[0, 0, 0] > 0
    assert (dark[0, 0, 0] / dark[12, 16, 0]) ** 2.2 == pytest.approx(0.5, abs=0.03)
    point = flat(0.0)
    point[12, 16] = 1.0
    spread = develop(point, replace(PLAIN, blur_px=0.8), np.random.default_rng(0))
    assert spread[12, 16, 0] > spread[12, 17, 0] == spread[11, 16, 0] > 0
    assert spread[12, 20, 0] == 0


def test_noise_has_its_strength_and_its_seed() -> None:
    noisy = replace(PLAIN, noise=0.02)
    one, again, other = (develop(flat(0.5, (96, 96)), noisy, np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    light = (one / 255.0) ** 2.2
    assert light.std() == pytest.approx(0.02 * np.sqrt(0.51), rel=0.2)
    assert light.mean() == pytest.approx(0.5, abs=0.005)


def test_metering_shows_dim_and_bright_rooms_alike() -> None:
    """The same scene under a thousand times the light gives the same picture."""
    light = np.random.default_rng(0).uniform(0.1, 1.0, (24, 32, 3)).astype(np.float32)
    pictures = [
        develop(light * k, meter(light * k, np.random.default_rng(3), noise=0.0), np.random.default_rng(4))
        for k in (1.0, 1000.0)
    ]
    assert np.abs(pictures[0].astype(int) - pictures[1]).max() <= 1
    assert 40 < pictures[0].mean() < 235
