"""Patterns: averages kept at a distance, lines of the right width, and light samples."""

from __future__ import annotations

import numpy as np
import pytest

from depthnet.data.synthetic import textures
from depthnet.data.synthetic.light import light_samples, sky_samples
from depthnet.data.synthetic.textures import Material, pack_materials, surface_colour

PATTERNS = range(13)
COLOURS = ((0.2, 0.3, 0.4), (0.6, 0.5, 0.4), (0.9, 0.1, 0.5))


def colours(material: Material, width: float, side: int = 96, step: float = 0.013) -> np.ndarray:
    u, v = (a.reshape(-1).astype(np.float32) for a in np.meshgrid(np.arange(side) * step, np.arange(side) * step))
    along = np.zeros_like(u)
    number = np.zeros(u.shape, np.int64)
    return surface_colour(pack_materials([material]), number, u, v, along, np.full_like(u, width))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_gives_colours(pattern: int) -> None:
    near = colours(Material(pattern, COLOURS, (8.0, 9.0), 0.4, 0.2), 0.002)
    assert near.shape == (3, 96 * 96)
    assert np.isfinite(near).all()
    assert near.min() >= 0
    assert near.max() < 2.5
    assert pattern == textures.OUTDOORS or near.std(axis=1).max() > 0.005


@pytest.mark.parametrize("pattern", [p for p in PATTERNS if p not in (textures.OUTDOORS, textures.PICTURE)])
def test_far_away_a_pattern_becomes_its_average(pattern: int) -> None:
    material = Material(pattern, COLOURS, (8.0, 9.0), 0.3, 0.2)
    near, far = colours(material, 0.001, 200, 0.02), colours(material, 3.0, 200, 0.02)
    assert far.std(axis=1).max() < 0.35 * near.std(axis=1).max() + 0.01
    if pattern in (textures.STRIPES, textures.TILES, textures.BRICK, textures.PLAID, textures.SPECKLE):
        np.testing.assert_allclose(far.mean(axis=1), near.mean(axis=1), atol=0.06)


def test_a_line_has_its_exact_share_of_a_pixel() -> None:
    share = textures._share_of_line
    line = np.array([0.25])
    assert share(np.array([0.1]), line, np.array([0.01])) == pytest.approx(1.0)
    assert share(np.array([0.6]), line, np.array([0.01])) == pytest.approx(0.0)
    assert share(np.array([0.25]), line, np.array([0.1])) == pytest.approx(0.5)  # half of the pixel is on the line
    assert share(np.array([-0.9]), line, np.array([0.01])) == pytest.approx(1.0)  # cells go on below 0
    assert share(np.array([0.37]), line, np.array([7.0])) == pytest.approx(0.25)  # many lines: their average


def test_glow_and_shine_are_kept() -> None:
    packed = pack_materials([Material(0, COLOURS, glow=2.0, shine=0.3, gloss=77.0)])
    np.testing.assert_allclose(packed.numbers[0, 4:], (0.3, 77.0, 2.0))


def test_light_samples_fill_the_light_evenly() -> None:
    samples = light_samples()
    assert samples.shape == (16, 2)
    np.testing.assert_allclose(samples.mean(axis=0), 0, atol=1e-12)
    assert len({(int(a * 4), int(b * 4)) for a, b in (samples + 1) / 2}) == 16


def test_sky_samples_follow_the_cosine() -> None:
    ways = sky_samples()
    np.testing.assert_allclose(np.linalg.norm(ways, axis=1), 1.0)
    assert (ways[:, 2] > 0).all()
    assert ways[:, 2].mean() == pytest.approx(2 / 3, abs=0.02)  # mean cosine under a cosine density
