"""Geometry is tested from outside: an image of its own pixel coordinates tells where each target pixel came from."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from depthnet.config import AugmentConfig
from depthnet.data import RawSample, Sample
from depthnet.data.samples import build_intrinsics
from depthnet.data.transforms import build_train_transform, paste_rectangle, resize_sample
from depthnet.errors import ConfigError, InputError, ShapeError

PLAIN = {"colour": (1.0, 1.0), "flip": 0.0, "rotation_deg": 0.0, "scale": (1.0, 1.0)}
HEIGHT, WIDTH = 24, 32
LEVELS = (
    8  # of colour per pixel of the source: Pillow's bilinear map cuts decimals off, so a coordinate is 1/16 px low;
)
# half a pixel of a wrong convention would be 0.5 / 30 = 0.017 in the rays


def coordinates(height: int = HEIGHT, width: int = WIDTH) -> RawSample:
    """Red is 8·x, green is 8·y; depth 2 m everywhere; a camera off the middle with two focal lengths."""
    y, x = np.mgrid[:height, :width]
    image = np.stack([x * LEVELS, y * LEVELS, np.full_like(x, 128)], axis=-1).astype(np.uint8)
    return RawSample(image, np.full((height, width), 2.0, np.float32), build_intrinsics(30.0, 30.6, 16.8, 11.4), "xy")


def fit_to_source(sample: Sample) -> NDArray[np.float64]:
    """Affine map target pixel → source pixel, (3, 3), read from the colours where the depth is known."""
    assert sample.valid is not None
    inside = sample.valid[0].copy()
    y, x = np.nonzero(inside)
    target = np.stack([x, y, np.ones_like(x)], axis=1).astype(np.float64)
    source = np.stack([sample.image[0][inside], sample.image[1][inside]], axis=1).astype(np.float64) * 255 / LEVELS
    inner = ((source > 2.5) & (source < np.array([WIDTH, HEIGHT]) - 3.5)).all(axis=1)
    solution, *_ = np.linalg.lstsq(target[inner], source[inner], rcond=None)
    return np.vstack([solution.T, [0.0, 0.0, 1.0]])


def ray_map(raw: RawSample, sample: Sample) -> NDArray[np.float64]:
    """Map of rays target → source, K_source⁻¹ · A · K_target: what the change of the picture means for the world."""
    assert raw.K is not None
    assert sample.K is not None
    return np.asarray(np.linalg.inv(raw.K.astype(np.float64)) @ fit_to_source(sample) @ sample.K.astype(np.float64))


def transform(raw: RawSample | Sample, size: tuple[int, int], seed: int = 0, **options: object) -> Sample:
    augment = AugmentConfig(**{"recipe": "eigen", **PLAIN, **options})  # type: ignore[arg-type]
    return build_train_transform(augment, size)(raw, np.random.default_rng(seed))


def test_nothing_random_is_the_identity() -> None:
    raw = coordinates()
    moved, plain = transform(raw, (HEIGHT, WIDTH)), raw.to_sample()
    np.testing.assert_allclose(moved.image, plain.image, atol=1e-7)
    np.testing.assert_array_equal(moved.depth, plain.depth)
    np.testing.assert_allclose(moved.K, plain.K, rtol=1e-6)


def test_a_flip_is_the_mirror_image() -> None:
    raw = coordinates()
    moved, plain = transform(raw, (HEIGHT, WIDTH), flip=1.0), raw.to_sample()
    np.testing.assert_allclose(moved.image, plain.image[:, :, ::-1], atol=1e-7)
    np.testing.assert_allclose(moved.K, [[30, 0, WIDTH - 1 - 16.8], [0, 30.6, 11.4], [0, 0, 1]], rtol=1e-6)


@pytest.mark.parametrize("size", [(12, 16), (18, 24), (22, 32), (24, 28), (36, 48)])
@pytest.mark.parametrize("seed", [0, 1])
def test_resize_and_crop_leave_the_rays_as_they_are(size: tuple[int, int], seed: int) -> None:
    raw = coordinates()
    for sample in (transform(raw, size, seed), resize_sample(raw, size)):
        np.testing.assert_allclose(ray_map(raw, sample), np.eye(3), atol=3e-3)
        assert sample.K is not None
        assert sample.K[0, 0] == pytest.approx(30 * max(size[0] / HEIGHT, size[1] / WIDTH), rel=1e-5)


@pytest.mark.parametrize("size", [(24, 32), (18, 24), (22, 32)])
@pytest.mark.parametrize("seed", range(4))
def test_a_rotation_is_a_roll_of_the_camera_that_keeps_the_intrinsics(size: tuple[int, int], seed: int) -> None:
    raw = coordinates()
    rays = ray_map(raw, transform(raw, size, seed, rotation_deg=20.0))
    angle = np.arctan2(rays[1, 0], rays[0, 0])
    assert abs(np.rad2deg(angle)) <= 20
    c, s = np.cos(angle), np.sin(angle)
    np.testing.assert_allclose(rays, [[c, -s, 0], [s, c, 0], [0, 0, 1]], atol=3e-3)


@pytest.mark.parametrize("size", [(24, 32), (18, 24)])
@pytest.mark.parametrize("seed", range(4))
def test_a_zoom_divides_depth_and_keeps_the_focal_length(size: tuple[int, int], seed: int) -> None:
    raw = coordinates()
    sample = transform(raw, size, seed, scale=(1.2, 1.5))
    assert sample.depth is not None
    assert sample.K is not None
    zoom = 2.0 / sample.depth.max()
    assert 1.2 <= zoom <= 1.5
    assert sample.K[0, 0] == pytest.approx(30 * size[0] / HEIGHT, rel=1e-5)
    np.testing.assert_allclose(ray_map(raw, sample), np.diag([1 / zoom, 1 / zoom, 1]), atol=6e-3)


@pytest.mark.parametrize("seed", range(8))
def test_all_changes_together_are_mirror_roll_and_zoom(seed: int) -> None:
    raw = coordinates()
    sample = transform(raw, (20, 27), seed, scale=(0.8, 1.4), rotation_deg=8.0, flip=0.5)
    assert sample.depth is not None
    rays = ray_map(raw, sample)
    scaled = rays[:2, :2] * (2.0 / sample.depth.max())
    np.testing.assert_allclose(scaled @ scaled.T, np.eye(2), atol=1e-2)
    np.testing.assert_allclose(rays[:2, 2], 0, atol=6e-3)


def test_a_slanted_plane_stays_that_plane_in_3d() -> None:
    raw = coordinates()
    assert raw.K is not None
    normal, distance = np.array([0.2, -0.1, 1.0]), 2.0
    raw.depth = plane_depth(raw.K, normal, distance, raw.size)
    for seed in range(4):
        sample = transform(raw, (18, 24), seed, flip=1.0)
        assert sample.K is not None
        assert sample.depth is not None
        mirrored = normal * [-1, 1, 1]
        expected = plane_depth(sample.K, mirrored, distance, (18, 24))
        assert np.abs(sample.depth[0] - expected).max() < 0.015  # half a source pixel of this slope
        assert abs((sample.depth[0] - expected).mean()) < 0.002


def plane_depth(
    K: NDArray[np.float32], normal: NDArray[np.float64], distance: float, size: tuple[int, int]
) -> NDArray[np.float32]:
    y, x = np.mgrid[: size[0], : size[1]]
    rays = np.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], np.ones(size)], axis=-1)
    return np.asarray(distance / (rays @ normal), dtype=np.float32)


def test_without_intrinsics_the_picture_turns_about_its_middle() -> None:
    raw = coordinates()
    raw.K = None
    sample = transform(raw, (HEIGHT, WIDTH), 3, rotation_deg=10.0)
    assert sample.K is None
    middle = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2, 1.0])
    np.testing.assert_allclose(fit_to_source(sample) @ middle, middle, atol=0.1)


def test_what_comes_from_outside_is_black_and_unknown() -> None:
    raw = coordinates()
    raw.image[:] = 200
    sample = transform(raw, (HEIGHT, WIDTH), 1, rotation_deg=30.0)
    assert sample.depth is not None
    assert sample.valid is not None
    outside = ~sample.valid[0]
    assert 0 < outside.mean() < 0.5
    assert (sample.depth[0][outside] == 0).all()
    assert (sample.image[:, outside] == 0).mean() > 0.98  # the two borders agree within rounding


def test_depths_of_two_surfaces_are_never_mixed() -> None:
    raw = coordinates()
    assert raw.depth is not None
    raw.depth[:, WIDTH // 2 :] = 7.0
    raw.depth[6:8] = 0.0
    sample = transform(raw, (20, 29), 5, rotation_deg=7.0, scale=(1.25, 1.25))
    assert sample.depth is not None
    near = np.array([0.0, 2.0 / 1.25, 7.0 / 1.25])
    assert np.abs(sample.depth[..., None] - near).min(axis=-1).max() < 1e-6
    np.testing.assert_array_equal(sample.valid, sample.depth > 0)


def test_resize_cuts_the_middle_rows_of_the_original_experiment() -> None:
    # 320x240 to 320x224 is rows 8 to 232: no pixel is resampled
    rng = np.random.default_rng(0)
    raw = RawSample(
        rng.integers(0, 256, (240, 320, 3), dtype=np.uint8),
        rng.random((240, 320), np.float32),
        np.eye(3, dtype=np.float32),
    )
    sample, plain = resize_sample(raw, (224, 320)), raw.to_sample()
    assert plain.depth is not None
    np.testing.assert_array_equal(sample.image, plain.image[:, 8:232])
    np.testing.assert_array_equal(sample.depth, plain.depth[:, 8:232])
    np.testing.assert_allclose(sample.K, [[1, 0, 0], [0, 1, -8], [0, 0, 1]])


def test_halving_averages_the_image_and_follows_the_pixel_centres() -> None:
    raw = coordinates()
    raw.image[:] = (np.indices((HEIGHT, WIDTH)).sum(axis=0) % 2 * 200)[
        ..., None
    ]  # a chessboard aliases unless averaged
    sample = resize_sample(raw, (HEIGHT // 2, WIDTH // 2))
    np.testing.assert_allclose(sample.image[:, 2:-2, 2:-2], 100 / 255, atol=1.5 / 255)
    np.testing.assert_allclose(sample.K, [[15, 0, 8.15], [0, 15.3, 5.45], [0, 0, 1]])


def test_resize_to_its_own_size_changes_nothing() -> None:
    sample = Sample(np.random.default_rng(0).random((3, 5, 7), np.float32), name="x")
    np.testing.assert_array_equal(resize_sample(sample, (5, 7)).image, sample.image)


def test_resize_keeps_pose_and_time_and_augmentation_drops_the_pose() -> None:
    raw = coordinates()
    raw.T_world_cam, raw.time_s = np.eye(4), 1.5
    assert resize_sample(raw, (12, 16)).T_world_cam is not None
    moved = transform(raw, (12, 16))
    assert moved.T_world_cam is None
    assert moved.time_s == 1.5


def test_colour_factors_multiply_the_channels() -> None:
    raw = RawSample(np.full((4, 4, 3), 100, np.uint8))
    moved = transform(raw, (4, 4), 2, colour=(0.8, 1.2)).image
    factors = moved[:, 0, 0] / (100 / 255)
    assert ((factors >= 0.8) & (factors <= 1.2)).all()
    assert len(set(factors.tolist())) == 3
    assert (moved == moved[:, :1, :1]).all()


def test_gamma_and_contrast_and_saturation_do_what_they_say() -> None:
    options = {**PLAIN, "recipe": "modern", "brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "gamma": 0.0}
    rng = np.random.default_rng(1)
    raw = RawSample(rng.integers(60, 180, (8, 8, 3), dtype=np.uint8))
    plain = raw.to_sample().image

    def seen(seed: int, **change: float) -> NDArray[np.float32]:
        return transform(raw, (8, 8), seed, **{**options, **change}).image

    np.testing.assert_allclose(seen(0), plain, atol=1e-6)
    gamma = np.log(seen(0, gamma=0.5)) / np.log(plain)
    assert gamma.std() < 1e-4
    assert 1 / 1.5 <= gamma.mean() <= 1.5
    contrasted = [seen(seed, contrast=0.5) for seed in range(12)]
    changed = [image for image in contrasted if not np.allclose(image, plain, atol=1e-6)]
    assert 0 < len(changed) < 12
    for image in changed:
        assert image.mean() == pytest.approx(plain.mean(), abs=1e-5)
        factor = image.std() / plain.std()
        np.testing.assert_allclose(image - image.mean(), (plain - plain.mean()) * factor, atol=1e-5)
    saturated = [seen(seed, saturation=0.6) for seed in range(12)]
    assert any(not np.allclose(image, plain, atol=1e-6) for image in saturated)
    for image in saturated:
        np.testing.assert_allclose(image.mean(axis=0), plain.mean(axis=0), atol=1e-5)


def test_a_cutout_changes_a_rectangle_of_the_image_only() -> None:
    raw = coordinates()
    options = {"recipe": "modern", "brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "gamma": 0.0}
    moved, plain = transform(raw, (HEIGHT, WIDTH), 4, cutout=1.0, **options), raw.to_sample()
    y, x = np.nonzero((np.abs(moved.image - plain.image) > 1e-6).any(axis=0))
    box = (y.max() - y.min() + 1) * (x.max() - x.min() + 1)
    assert len(y) > 0.95 * box
    assert 0.005 < box / (HEIGHT * WIDTH) < 0.17
    np.testing.assert_array_equal(moved.depth, plain.depth)


def test_a_paste_takes_image_depth_and_valid_of_one_rectangle() -> None:
    raw, rng = coordinates(), np.random.default_rng(5)
    sample = raw.to_sample()
    white = Sample(np.ones_like(sample.image), np.full_like(sample.depth, 5.0), sample.valid.copy(), None, "white")
    white.depth[0, HEIGHT // 2], white.valid[0, HEIGHT // 2] = 0.0, False
    pasted = paste_rectangle(sample, white, rng)
    y, x = np.nonzero((pasted.image == 1.0).all(axis=0))
    rows, columns = slice(y.min(), y.max() + 1), slice(x.min(), x.max() + 1)
    assert len(y) == (rows.stop - rows.start) * (columns.stop - columns.start)
    assert 0.05 < len(y) / (HEIGHT * WIDTH) < 0.6
    expected, valid = sample.depth.copy(), sample.valid.copy()
    expected[:, rows, columns], valid[:, rows, columns] = white.depth[:, rows, columns], white.valid[:, rows, columns]
    np.testing.assert_array_equal(pasted.depth, expected)
    np.testing.assert_array_equal(pasted.valid, valid)
    np.testing.assert_array_equal(sample.image, raw.to_sample().image)  # the sample itself is left as it was
    assert pasted.name == sample.name


def test_a_paste_needs_two_alike() -> None:
    sample, rng = coordinates().to_sample(), np.random.default_rng(0)
    with pytest.raises(ShapeError, match="differ in size"):
        paste_rectangle(sample, coordinates(HEIGHT, WIDTH + 1).to_sample(), rng)
    with pytest.raises(InputError, match="only one has depth"):
        paste_rectangle(sample, Sample(sample.image, name="bare"), rng)


def test_recipe_none_only_resizes() -> None:
    raw = coordinates()
    moved = transform(raw, (12, 16), recipe="none", flip=1.0, scale=(1.5, 1.5))
    np.testing.assert_array_equal(moved.image, resize_sample(raw, (12, 16)).image)


def test_a_seed_repeats_the_sample_and_float_samples_give_the_same() -> None:
    raw = coordinates()
    change = build_train_transform(AugmentConfig(), (48, 64))
    change = pickle.loads(pickle.dumps(change))
    first, again = change(raw, np.random.default_rng((0, 3, 7))), change(raw, np.random.default_rng((0, 3, 7)))
    other, from_float = (
        change(raw, np.random.default_rng((0, 3, 8))),
        change(raw.to_sample(), np.random.default_rng((0, 3, 7))),
    )
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.image, from_float.image)
    np.testing.assert_array_equal(first.depth, from_float.depth)
    assert np.abs(first.image - other.image).max() > 0.01


def test_the_source_is_left_as_it_was() -> None:
    raw = coordinates()
    kept = raw.image.copy()
    raw.image.flags.writeable = False
    assert raw.depth is not None
    raw.depth.flags.writeable = False
    build_train_transform(AugmentConfig(cutout=1.0), (HEIGHT, WIDTH))(raw, np.random.default_rng(0))
    np.testing.assert_array_equal(raw.image, kept)
    assert (raw.depth == 2).all()


@settings(max_examples=40, deadline=None)
@given(
    source=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    recipe=st.sampled_from(["none", "eigen", "modern"]),
    seed=st.integers(0, 2**32 - 1),
    with_depth=st.booleans(),
)
def test_any_size_and_seed_gives_a_lawful_sample(
    source: tuple[int, int], size: tuple[int, int], recipe: str, seed: int, with_depth: bool
) -> None:
    rng = np.random.default_rng(seed)
    depth = np.where(rng.random(source) < 0.3, 0, rng.uniform(0.1, 10, source)).astype(np.float32)
    raw = RawSample(rng.integers(0, 256, (*source, 3), dtype=np.uint8), depth if with_depth else None)
    augment = AugmentConfig(recipe=recipe, scale=(0.7, 1.6), cutout=0.5)  # type: ignore[arg-type]
    sample = build_train_transform(augment, size)(raw, rng)
    assert sample.image.shape == (3, *size)
    assert sample.image.dtype == np.float32
    assert 0 <= sample.image.min() <= sample.image.max() <= 1
    if not with_depth:
        assert sample.depth is None
        assert sample.valid is None
        return
    assert sample.depth is not None
    assert sample.valid is not None
    assert sample.depth.shape == sample.valid.shape == (1, *size)
    assert sample.depth.dtype == np.float32
    np.testing.assert_array_equal(sample.valid, sample.depth > 0)
    assert sample.depth.max() <= 10 / 0.7


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"recipe": "strong"}, "recipe 'strong'"),
        ({"scale": (0.0, 1.0)}, "augment.scale"),
        ({"scale": (1.5, 1.0)}, "augment.scale"),
        ({"colour": (-1.0, 1.0)}, "augment.colour"),
        ({"flip": 1.5}, "augment.flip"),
        ({"paste": -0.5}, "augment.paste"),
        ({"saturation": -0.1}, "augment.saturation"),
        ({"gamma": float("nan")}, "augment.gamma"),
        ({"rotation_deg": 200.0}, "rotation_deg"),
    ],
)
def test_ranges_that_make_no_sense_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        build_train_transform(AugmentConfig(**options), (4, 4))  # type: ignore[arg-type]


def test_an_empty_size_is_refused() -> None:
    with pytest.raises(ConfigError, match="0x4"):
        build_train_transform(AugmentConfig(), (0, 4))
