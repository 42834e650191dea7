"""DESIGN.md §3: names, units, axes and argument order, each pinned by a test."""

from __future__ import annotations

import inspect
import math
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from depthnet import metrics
from depthnet.checkpoint import ModelInfo
from depthnet.config import AugmentConfig, TrainConfig
from depthnet.data.samples import RawSample
from depthnet.data.transforms import build_train_transform
from depthnet.geometry.camera import (
    crop_intrinsics,
    depth_for_camera,
    depth_to_points,
    flip_intrinsics,
    focal_from_35mm,
    points_to_pixels,
    scale_intrinsics,
)
from depthnet.io.depth import read_depth_png, write_depth_png
from depthnet.predictor import DepthModel, network_input, resize_depth
from depthnet.predictor.runtime import Runtime

K = np.array([[[100.0, 0, 15.5], [0, 100.0, 11.5], [0, 0, 1]]])


def test_axes_are_x_right_y_down_z_forward() -> None:
    points = depth_to_points(np.full((1, 1, 24, 32), 2.0), K)
    assert points[0, 0, 0, 31] > 0 > points[0, 0, 0, 0], "x grows to the right"
    assert points[0, 1, 23, 0] > 0 > points[0, 1, 0, 0], "y grows downwards"
    assert (points[0, 2] == 2.0).all(), "depth is z, not the distance from the camera"


def test_the_centre_of_the_top_left_pixel_is_0_0() -> None:
    principal = depth_to_points(np.ones((1, 1, 1, 1)), np.array([[[100.0, 0, 0], [0, 100.0, 0], [0, 0, 1]]]))
    np.testing.assert_array_equal(principal[0, :, 0, 0], [0, 0, 1])


def test_sizes_are_h_w_and_pixels_are_x_y() -> None:
    pixels = points_to_pixels(depth_to_points(np.ones((1, 1, 24, 32)), K), K)
    assert pixels.shape == (1, 2, 24, 32)
    np.testing.assert_allclose(pixels[0, :, 5, 30], [30, 5])


def test_k_of_a_resized_image_projects_to_the_resized_pixels() -> None:
    resized = scale_intrinsics(K, 0.5, 0.25)
    point = np.array([0.3, -0.2, 2.0]).reshape(1, 3, 1, 1)
    x, y = points_to_pixels(point, K)[0, :, 0, 0]
    np.testing.assert_allclose(
        points_to_pixels(point, resized)[0, :, 0, 0], [(x + 0.5) * 0.25 - 0.5, (y + 0.5) * 0.5 - 0.5]
    )


def test_the_resizes_of_prediction_follow_the_pixel_centre_rule() -> None:
    ramp = np.tile(np.arange(0, 64, dtype=np.uint8)[None, :, None] * 4, (48, 1, 3))
    half = network_input(ramp, (24, 32))[0, 0, 0] * 255
    x = np.arange(32)
    np.testing.assert_allclose(half, 4 * ((x + 0.5) * 2 - 0.5), atol=0.51)
    back = resize_depth(half[None].repeat(24, axis=0).astype(np.float32), (48, 64))[10]
    np.testing.assert_allclose(back[2:-2], ramp[0, 2:-2, 0], atol=0.6)


def test_crop_and_flip_move_k_with_the_pixels() -> None:
    point = np.array([0.1, 0.05, 1.0]).reshape(1, 3, 1, 1)
    x, y = points_to_pixels(point, K)[0, :, 0, 0]
    np.testing.assert_allclose(points_to_pixels(point, crop_intrinsics(K, 2, 5))[0, :, 0, 0], [x - 5, y - 2])
    mirrored = point * np.array([-1.0, 1.0, 1.0]).reshape(1, 3, 1, 1)
    np.testing.assert_allclose(points_to_pixels(mirrored, flip_intrinsics(K, 32))[0, :, 0, 0], [31 - x, y])


def test_zooming_in_is_either_depth_or_focal_never_both() -> None:
    """Zoom by s: depth / s with K kept, or depth kept with f * s, give the same pixels for the same object size."""
    size, z, f, s = 0.4, 2.0, 100.0, 1.5
    assert f * size / (z / s) == pytest.approx((f * s) * size / z)


def test_camera_rule_is_one_for_the_training_camera_at_twice_its_size() -> None:
    """480 x 640 at 518.8579 px, seen at 240 x 320 by a network of 259.42895 px: the factor is exactly 1."""
    depth = np.array([0.7, 3.1, 9.9], np.float32)
    np.testing.assert_array_equal(depth_for_camera(depth, 518.8579 * (320 / 640), 259.42895), depth)
    info = ModelInfo("flat", "flat", {}, (240, 320), 259.42895, 0.001, 10.0)
    flat = DepthModel(Runtime(info, lambda image: np.full((1, 1, *image.shape[2:]), 3.1, np.float32), "a test"))
    photo = np.zeros((480, 640, 3), np.uint8)
    assert (flat.depth(photo, 518.8579) == np.float32(3.1)).all()
    assert (flat.depth(photo) == np.float32(3.1)).all(), "and so without a focal length"
    np.testing.assert_allclose(flat.depth(photo, 2 * 518.8579), 6.2, rtol=1e-6)


def test_depth_on_disk_is_16_bit_millimetres_and_0_is_unknown(tmp_path: Path) -> None:
    write_depth_png(tmp_path / "d.png", np.array([[0.0, 1.234]], np.float32))
    with Image.open(tmp_path / "d.png") as picture:
        assert np.asarray(picture).tolist() == [[0, 1234]]
    np.testing.assert_allclose(read_depth_png(tmp_path / "d.png"), [[0.0, 1.234]], rtol=1e-6)


def test_an_image_is_rgb_in_0_to_1() -> None:
    red = np.zeros((24, 32, 3), np.uint8)
    red[..., 0] = 255
    blob = network_input(red, (24, 32))
    assert (blob[0, 0] == 1.0).all()
    assert (blob[0, 1:] == 0.0).all()


PLAIN = AugmentConfig(recipe="eigen", scale=(1.0, 1.0), rotation_deg=0.0, flip=0.0, colour=(1.0, 1.0))


def ramp_sample() -> RawSample:
    """Red grows with x, depth with x; the left columns are unknown."""
    x = np.tile(np.arange(32, dtype=np.float32), (24, 1))
    image = np.stack([x * 8, x * 0, x * 0], axis=-1).astype(np.uint8)
    depth = np.where(x < 4, 0, 1 + x / 8).astype(np.float32)
    return RawSample(image, depth, K[0].astype(np.float32), "ramp")


def test_float_types_and_shapes_of_a_sample() -> None:
    sample = ramp_sample().to_sample()
    assert sample.depth is not None
    assert sample.valid is not None
    assert sample.K is not None
    assert (sample.image.shape, sample.depth.shape, sample.valid.shape) == ((3, 24, 32), (1, 24, 32), (1, 24, 32))
    assert (sample.image.dtype, sample.depth.dtype, sample.valid.dtype) == (np.float32, np.float32, np.bool_)
    assert (sample.K.shape, sample.K.dtype) == ((3, 3), np.float32)
    np.testing.assert_array_equal(sample.valid, sample.depth > 0)
    assert 0 <= sample.image.min() <= sample.image.max() <= 1


def test_eigens_zoom_divides_the_depth_and_keeps_the_focal_length() -> None:
    raw = ramp_sample()
    zoomed = build_train_transform(AugmentConfig(**{**vars(PLAIN), "scale": (2.0, 2.0)}), (24, 32))(
        raw, np.random.default_rng(0)
    )
    assert raw.K is not None
    assert zoomed.depth is not None
    assert zoomed.K is not None
    np.testing.assert_allclose(zoomed.K[[0, 1], [0, 1]], raw.K[[0, 1], [0, 1]], rtol=1e-6)
    assert np.ptp(zoomed.image[0, 12]) < 0.6 * np.ptp(raw.image[12, :, 0] / 255), "half of the picture fills it"
    column = zoomed.image[0] * 255 / 8  # of the source
    known = zoomed.depth[0] > 0
    np.testing.assert_allclose(zoomed.depth[0][known], (1 + column[known] / 8) / 2, atol=0.04)  # nearest: half a column


def test_flip_changes_image_depth_valid_and_k_together() -> None:
    raw = ramp_sample()
    sample, flipped = raw.to_sample(), build_train_transform(AugmentConfig(**{**vars(PLAIN), "flip": 1.0}), (24, 32))(
        raw, np.random.default_rng(0)
    )  # fmt: skip
    for name in ("image", "depth", "valid"):
        np.testing.assert_allclose(getattr(flipped, name), getattr(sample, name)[..., ::-1], atol=1e-6)
    np.testing.assert_allclose(flipped.K, flip_intrinsics(K[0], 32), rtol=1e-6)


def test_the_35_mm_equivalent_goes_by_the_diagonal_of_4327_hundredths() -> None:
    assert focal_from_35mm(43.27, 300, 400) == pytest.approx(500, rel=1e-3)
    assert focal_from_35mm(43.27, 400, 300) == pytest.approx(500, rel=1e-3), "and so after orientation"


def test_metrics_take_prediction_target_valid() -> None:
    for name in metrics.METRICS:
        assert list(inspect.signature(getattr(metrics, name)).parameters) == ["prediction", "target", "valid"], name
    one, two, valid = np.ones((1, 1, 1, 2)), np.full((1, 1, 1, 2), 2.0), np.ones((1, 1, 1, 2), bool)
    assert metrics.abs_rel(two, one, valid) == 1.0, "the error is divided by the target"
    assert metrics.abs_rel(one, two, valid) == 0.5


def test_silog_is_100_times_the_standard_deviation_of_the_log_error() -> None:
    target, valid = np.ones((1, 1, 1, 2)), np.ones((1, 1, 1, 2), bool)
    prediction = np.exp(np.array([0.1, 0.4])).reshape(1, 1, 1, 2)  # e: mean 0.25, mean square 0.085
    assert metrics.silog(prediction, target, valid) == pytest.approx(100 * math.sqrt(0.085 - 0.0625))
    assert metrics.depth_metrics(prediction, target, valid)["silog"] == pytest.approx(15.0)


def test_losses_take_prediction_target_valid_with_log_depth_first() -> None:
    torch = pytest.importorskip("torch")
    from depthnet.losses.supervised import LOSSES

    target, valid = torch.full((1, 1, 4, 4), 2.0), torch.ones(1, 1, 4, 4, dtype=torch.bool)
    for name, loss in LOSSES.items():
        assert list(inspect.signature(loss).parameters)[:3] == ["prediction", "target", "valid"], name
        extra = {"image": torch.zeros(1, 3, 4, 4)} if name == "l2_smooth" else {}
        assert float(loss(target.log(), target, valid, **extra)) == pytest.approx(0, abs=1e-6), f"{name}: log depth"


@pytest.mark.parametrize("name", ["mobile", "unet"])
def test_networks_normalise_inside_and_return_log_depth_unclamped(name: str) -> None:
    torch = pytest.importorskip("torch")
    from depthnet.networks import NETWORKS, build_network

    assert name in NETWORKS
    network = build_network(name).eval()
    assert {"mean", "std"} <= dict(network.named_buffers()).keys(), "a data set holds no mean and std"
    image = torch.rand(1, 3, 40, 56)
    with torch.inference_mode():
        before = network(image)
        last_bias = [bias for key, bias in network.named_parameters() if key.endswith("bias")][-1]
        last_bias.add_(20.0)  # e^20 metres, far beyond any range of depth
        after = network(image)
    assert (before.shape, before.dtype) == ((1, 1, 40, 56), torch.float32)
    torch.testing.assert_close(after, before + 20.0, rtol=1e-4, atol=1e-3)


def test_ranges_and_kinds_have_their_names() -> None:
    assert {"min_depth", "max_depth"} <= {field.name for field in fields(TrainConfig)}
    assert {"min_depth", "max_depth", "kind"} <= {field.name for field in fields(ModelInfo)}
    assert ModelInfo("a", "b", {}, (1, 1), 1.0, 0.1, 1.0).kind == "metric"
