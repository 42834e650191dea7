"""One photo to metres: sizes, the camera rule, where the focal length comes from, loading and its errors."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from depthnet.errors import InputError
from depthnet.predictor import DepthModel, load_model, network_input, network_size, resize_depth
from depthnet.predictor.resize import MIN_SIDE

RNG = np.random.default_rng(0)
NYU_FOCAL = 51.88579  # of a 48 x 64 photo: the training camera's at the tiny model's input size of 24 x 32


def grey(height: int, width: int, level: int = 128) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


# --- sizes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("photo", "network"),
    [
        ((480, 640), (240, 320)),
        ((240, 320), (240, 320)),
        ((3024, 4032), (240, 320)),
        ((640, 480), (320, 240)),
        ((100, 100), (272, 272)),
        ((1, 4000), (32, 2400)),
        ((10_000, 3), (2400, 32)),
    ],
)
def test_network_size(photo: tuple[int, int], network: tuple[int, int]) -> None:
    assert network_size(*photo, (240, 320)) == network


@given(st.integers(1, 9000), st.integers(1, 9000))
def test_network_size_keeps_the_aspect_and_the_work(height: int, width: int) -> None:
    tall, wide = network_size(height, width, (240, 320))
    assert min(tall, wide) >= MIN_SIDE
    assert 0.8 * 76_800 <= tall * wide <= 1.25 * 76_800
    if 1 / 60 < width / height < 60:
        assert abs(math.log(wide / tall / (width / height))) < 0.03


@pytest.mark.parametrize("size", [(48, 64), (64, 48), (1, 1), (1, 400), (400, 1), (3, 1000), (37, 91), (333, 217)])
def test_depth_has_the_photos_size(model: DepthModel, size: tuple[int, int]) -> None:
    prediction = model.predict(RNG.integers(0, 256, (*size, 3), dtype=np.uint8))
    assert prediction.depth.shape == size
    assert prediction.depth.dtype == np.float32
    assert np.isfinite(prediction.depth).all()
    assert prediction.depth.min() > 0


def test_halving_averages_two_by_two() -> None:
    image = RNG.integers(0, 256, (8, 12, 3), dtype=np.uint8)
    blob = network_input(image, (4, 6))
    assert blob.shape == (1, 3, 4, 6)
    assert blob.dtype == np.float32
    assert blob.flags.c_contiguous
    boxes = image.reshape(4, 2, 6, 2, 3).mean(axis=(1, 3)).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(blob[0], boxes, atol=0.51 / 255)
    np.testing.assert_allclose(network_input(image, (8, 12))[0], image.transpose(2, 0, 1) / 255, atol=1e-6)


def test_resize_keeps_pixel_centres() -> None:
    ramp = np.tile(np.arange(8, dtype=np.float32), (4, 1))
    back = resize_depth(ramp, (8, 16))
    # The centre of pixel x of the larger map is at (x + 0.5) / 2 - 0.5 of the smaller one.
    np.testing.assert_allclose(back[3, 1:15], (np.arange(1, 15) + 0.5) / 2 - 0.5, atol=1e-5)
    assert resize_depth(ramp, (4, 8)) is ramp


# --- camera rule ----------------------------------------------------------------------------------------


def test_the_training_camera_changes_nothing_exactly(model: DepthModel) -> None:
    with_focal = model.predict(grey(48, 64, 255), focal_px=NYU_FOCAL)
    assert (with_focal.depth == 5.0).all()
    assert with_focal.focal_source == "--focal-px"
    without = model.predict(grey(48, 64, 255))
    assert without.focal_source == "training camera"
    assert without.focal_px == pytest.approx(NYU_FOCAL)
    np.testing.assert_allclose(without.depth, 5.0, rtol=1e-6)


def test_depth_follows_the_focal_length(model: DepthModel) -> None:
    image = RNG.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    once = model.predict(image, focal_px=50.0).depth
    np.testing.assert_allclose(model.predict(image, focal_px=150.0).depth, 3 * once, rtol=1e-6)


def test_the_same_camera_with_more_pixels_gives_the_same_metres(model: DepthModel) -> None:
    small = model.predict(grey(48, 64), focal_px=60.0).depth
    large = model.predict(grey(480, 640), focal_px=600.0).depth
    np.testing.assert_allclose(large, small[0, 0], rtol=1e-6)


def test_a_part_of_a_photo_has_twice_the_factor(model: DepthModel) -> None:
    whole = model.predict(grey(96, 128), focal_px=100.0)
    part = model.predict(grey(48, 64), focal_px=100.0)
    # The part is enlarged twice as much for the network, so f_input doubles; a real network sees everything
    # twice as large there and answers half the depth, where this one answers by the colour alone.
    assert part.depth[0, 0] == pytest.approx(2 * whole.depth[0, 0])


def test_field_of_view_is_horizontal(model: DepthModel) -> None:
    landscape = model.predict(grey(48, 64), fov_deg=90.0)
    assert (landscape.focal_px, landscape.focal_source) == (pytest.approx(32.0), "--fov-deg")
    assert model.predict(grey(64, 48), fov_deg=90.0).focal_px == pytest.approx(24.0)


def test_exif_is_used_and_an_option_goes_before_it(model: DepthModel, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = 35
    Image.new("RGB", (64, 48)).save(tmp_path / "a.jpg", exif=exif)
    by_exif = model.predict(tmp_path / "a.jpg")
    assert by_exif.focal_source == "EXIF"
    assert by_exif.focal_px == pytest.approx(35 * 80 / 43.27, rel=1e-4)
    assert model.predict(tmp_path / "a.jpg", focal_px=33.0).focal_source == "--focal-px"
    with Image.open(tmp_path / "a.jpg") as picture:
        assert model.predict(picture).focal_source == "EXIF"


def test_a_turned_photo_is_taken_by_the_same_camera(model: DepthModel) -> None:
    assert model.predict(grey(64, 48)).focal_px == model.predict(grey(48, 64)).focal_px


def test_focal_options_out_of_range(model: DepthModel) -> None:
    for options in ({"focal_px": 0.0}, {"focal_px": math.nan}, {"fov_deg": 180.0}, {"focal_px": 9.0, "fov_deg": 9.0}):
        with pytest.raises(InputError, match=r"--(focal-px|fov-deg)"):
            model.predict(grey(4, 4), **options)


# --- results --------------------------------------------------------------------------------------------


def test_save_writes_the_contracts_names(model: DepthModel, photos: Path, tmp_path: Path) -> None:
    prediction = model.predict(photos / "c.webp", focal_px=NYU_FOCAL)
    written = prediction.save(tmp_path / "new" / "out", formats=("npy", "png", "colour", "ply", "glb"))
    names = ["c_depth.npy", "c_depth.png", "c_depth_colour.png", "c_points.ply", "c_points.glb"]
    assert [path.name for path in written] == names
    assert sorted(path.name for path in (tmp_path / "new" / "out").iterdir()) == sorted(names)
    np.testing.assert_array_equal(np.load(written[0]), prediction.depth)
    with Image.open(written[1]) as picture:
        assert (np.asarray(picture) == 5000).all()


def test_save_refuses_before_it_writes(model: DepthModel, tmp_path: Path) -> None:
    prediction = model.predict(grey(8, 8))
    prediction.save(tmp_path, formats=("colour",))
    with pytest.raises(InputError, match="--overwrite"):
        prediction.save(tmp_path, formats=("npy", "colour"))
    assert not (tmp_path / "image_depth.npy").exists()
    prediction.save(tmp_path, formats=("npy", "colour"), overwrite=True)
    for formats in (("jpeg",), (), "", "png,jpeg"):
        with pytest.raises(InputError, match="--save"):
            prediction.save(tmp_path, formats=formats)
    assert [path.name for path in prediction.save(tmp_path, "npy, png", overwrite=True)] == [
        "image_depth.npy", "image_depth.png",
    ]  # fmt: skip


# --- loading --------------------------------------------------------------------------------------------


def test_onnx_path_never_imports_torch(tiny_onnx: Path, photos: Path, tmp_path: Path) -> None:
    code = (
        "import sys, depthnet\n"
        f"prediction = depthnet.load_model({str(tiny_onnx)!r}).predict({str(photos / 'b.jpg')!r})\n"
        f"prediction.save({str(tmp_path)!r}, formats=('png', 'colour', 'npy', 'ply', 'glb'))\n"
        "heavy = {'torch', 'lightning', 'h5py', 'scipy', 'safetensors'} & set(sys.modules)\n"
        "assert not heavy - {'scipy'}, heavy\n"  # trimesh takes SciPy where it finds it
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_run_folder_prefers_onnx(tmp_path: Path, write_tiny_onnx: Callable[..., Path]) -> None:
    write_tiny_onnx(tmp_path / "model.onnx")
    (tmp_path / "best.safetensors").write_bytes(b"not looked at")
    assert load_model(tmp_path).info.name == "tiny"


def test_damaged_and_foreign_models(tmp_path: Path, write_tiny_onnx: Callable[..., Path]) -> None:
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    with pytest.raises(InputError, match=r"junk\.onnx: onnxruntime cannot load it") as caught:
        load_model(tmp_path / "junk.onnx")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no depthnet metadata"):
        load_model(write_tiny_onnx(tmp_path / "bare.onnx", metadata=None))
    with pytest.raises(InputError, match="damaged"):
        load_model(write_tiny_onnx(tmp_path / "odd.onnx", metadata="{}"))
    with pytest.raises(InputError, match="expected one, image"):
        load_model(write_tiny_onnx(tmp_path / "input.onnx", input_name="x"))
    with pytest.raises(InputError, match="no such model"):
        load_model(tmp_path / "missing.onnx")


def test_options_of_the_runtime(tiny_onnx: Path) -> None:
    assert "CPU" in repr(load_model(tiny_onnx))
    for options in ({"threads": 0}, {"device": "tpu"}, {"device": "cuda:x"}):
        with pytest.raises(InputError, match=r"--(threads|device)"):
            load_model(tiny_onnx, **options)
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(InputError, match="--device cuda: this onnxruntime has no CUDA"):
            load_model(tiny_onnx, device="cuda")


def test_torch_weights_give_the_onnx_answer(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from depthnet.checkpoint import ModelInfo, save_network
    from depthnet.networks import build_network
    from depthnet.onnx_file import write_onnx

    torch.manual_seed(0)
    network = build_network("mobile", {}).eval()
    info = ModelInfo("mobile", "mobile", {}, (64, 96), 80.0, 0.001, 10.0)
    save_network(tmp_path / "best.safetensors", network, info)
    image = RNG.integers(0, 256, (75, 101, 3), dtype=np.uint8)
    by_torch = load_model(tmp_path, device="cpu", threads=1).predict(image)
    write_onnx(tmp_path / "model.onnx", network, info, half=False)
    by_onnx = load_model(tmp_path, device="cpu", threads=1).predict(image)
    np.testing.assert_allclose(by_torch.depth, by_onnx.depth, rtol=2e-3)
