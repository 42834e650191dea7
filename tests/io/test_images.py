"""Photos of every common kind, and every way in which a file can be bad."""

from __future__ import annotations

import struct
import warnings
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from depthnet.errors import DepthNetError, InputError
from depthnet.io.images import read_image, read_rgb

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)


def save(path: Path, picture: Image.Image, **options: Any) -> Path:
    picture.save(path, **options)
    return path


def exif(orientation: int | None = None, **tags: Any) -> Image.Exif:
    data = Image.Exif()
    if orientation is not None:
        data[ExifTags.Base.Orientation] = orientation
    data.get_ifd(ExifTags.IFD.Exif).update({ExifTags.Base[name]: value for name, value in tags.items()})
    return data


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def raw_png(path: Path, width: int, height: int, bits: int, colour: int, rows: bytes, *chunks: bytes) -> Path:
    """A PNG byte by byte, for kinds that Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = png_chunk(b"IHDR", header) + b"".join(chunks) + png_chunk(b"IDAT", zlib.compress(rows))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body + png_chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "ppm", "webp"])
def test_lossless_kinds_come_back_exactly(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a.{suffix}", Image.fromarray(PHOTO), **({"lossless": True} if suffix == "webp" else {}))
    image = read_rgb(path)
    np.testing.assert_array_equal(image, PHOTO)
    assert image.flags.writeable
    assert image.flags.c_contiguous


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tiff", "webp"])
def test_orientation_is_applied(tmp_path: Path, orientation: int, suffix: str) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    path = save(tmp_path / f"a.{suffix}", Image.fromarray(PHOTO), exif=exif(orientation), **options)
    with Image.open(path) as picture:
        upright = ImageOps.exif_transpose(picture)
    image = read_rgb(path)
    np.testing.assert_array_equal(image, np.asarray(upright))
    assert image.shape == ((9, 6, 3) if orientation >= 5 else (6, 9, 3))
    with Image.open(path) as picture:
        np.testing.assert_array_equal(read_image(picture).image, image)


def test_grey_one_bit_and_palette(tmp_path: Path) -> None:
    grey = PHOTO[..., 0]
    np.testing.assert_array_equal(
        read_rgb(save(tmp_path / "g.png", Image.fromarray(grey))), grey[..., None].repeat(3, 2)
    )
    bits = Image.fromarray(grey > 127)
    np.testing.assert_array_equal(read_rgb(save(tmp_path / "b.png", bits))[..., 1], (grey > 127) * 255)
    palette = Image.fromarray(PHOTO).quantize(8)
    np.testing.assert_array_equal(read_rgb(save(tmp_path / "p.png", palette)), np.asarray(palette.convert("RGB")))


def test_transparency_is_shown_on_white(tmp_path: Path) -> None:
    rgba = np.dstack([PHOTO, np.full((6, 9), 255, np.uint8)])
    rgba[0, :, 3] = 0
    rgba[1, 0] = (0, 0, 0, 128)
    image = read_rgb(save(tmp_path / "a.png", Image.fromarray(rgba)))
    assert (image[0] == 255).all()
    assert image[1, 0].tolist() == [127, 127, 127]
    np.testing.assert_array_equal(image[2:], PHOTO[2:])
    grey_alpha = Image.fromarray(rgba).convert("LA")
    assert (read_rgb(save(tmp_path / "la.png", grey_alpha))[0] == 255).all()


def test_palette_with_a_transparent_entry(tmp_path: Path) -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.putdata([0, 1])
    image = read_rgb(save(tmp_path / "p.png", palette, transparency=0))
    assert image.tolist() == [[[255, 255, 255], [200, 100, 50]]]


def test_sixteen_bit_grey_is_scaled_not_cut(tmp_path: Path) -> None:
    levels = np.array([[0, 257, 32768, 65535]], np.uint16)
    for name in ("a.png", "a.tiff"):
        image = read_rgb(save(tmp_path / name, Image.fromarray(levels)))
        assert image[0, :, 0].tolist() == [0, 1, 128, 255]
    (tmp_path / "a.pgm").write_bytes(b"P5 4 1 65535\n" + levels.astype(">u2").tobytes())
    assert read_rgb(tmp_path / "a.pgm")[0, :, 2].tolist() == [0, 1, 128, 255]


def test_sixteen_bit_colour_is_scaled_not_cut(tmp_path: Path) -> None:
    levels = np.array([[[0, 0x4000, 0xFFFF], [0x80FF, 0x1234, 0xFF00]]], ">u2")
    image = read_rgb(raw_png(tmp_path / "a.png", 2, 1, 16, 2, b"\0" + levels.tobytes()))
    assert image.tolist() == [[[0, 0x40, 0xFF], [0x80, 0x12, 0xFF]]]


def test_floating_point_grey(tmp_path: Path) -> None:
    unit = np.array([[0.0, 0.5, 1.0, 1.05, np.nan, -1.0]], np.float32)
    image = read_rgb(save(tmp_path / "a.tiff", Image.fromarray(unit)))
    assert image[0, :, 0].tolist() == [0, 128, 255, 255, 0, 0]
    assert read_rgb(save(tmp_path / "b.tiff", Image.fromarray(np.array([[0, 100, 255]], np.float32))))[0, 1, 0] == 100
    wide = Image.fromarray(np.array([[0, 1_000_000]], np.int32))
    assert read_rgb(save(tmp_path / "c.tiff", wide))[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "HSV", "LAB"])
def test_other_colour_spaces(tmp_path: Path, mode: str) -> None:
    flat = Image.new("RGB", (8, 8), (200, 40, 60))
    if mode == "LAB":
        flat = Image.new("LAB", (8, 8), (255, 128, 128))  # L* 100 is white
        assert np.asarray(read_image(flat).image).min() > 250
        return
    image = read_image(flat.convert(mode)).image
    assert np.abs(image.astype(int) - (200, 40, 60)).max() <= 4
    if mode == "CMYK":
        image = read_rgb(save(tmp_path / "c.jpg", flat.convert("CMYK"), quality=95))
        assert np.abs(image.astype(int) - (200, 40, 60)).max() <= 6


def test_arrays_and_names(tmp_path: Path) -> None:
    assert read_image(PHOTO).image is PHOTO or np.array_equal(read_image(PHOTO).image, PHOTO)
    assert read_image(PHOTO).stem == "image"
    assert read_image(str(save(tmp_path / "my.photo.png", Image.fromarray(PHOTO)))).stem == "my.photo"
    assert read_image(Image.fromarray(PHOTO)).stem == "image"
    for bad in (PHOTO.astype(np.float32), PHOTO[..., 0], np.zeros((0, 3, 3), np.uint8)):
        with pytest.raises(InputError, match=r"\(H, W, 3\) uint8"):
            read_image(bad)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1)])
def test_absurd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    assert read_rgb(save(tmp_path / "a.png", Image.new("RGB", size))).shape == (size[1], size[0], 3)


# --- focal length ---------------------------------------------------------------------------------------


def test_focal_from_35mm_equivalent_is_the_same_after_turning(tmp_path: Path) -> None:
    picture = Image.new("RGB", (400, 300))
    for orientation in (1, 6):
        data = exif(orientation, FocalLengthIn35mmFilm=28, FocalLength=4.2)
        loaded = read_image(save(tmp_path / f"{orientation}.jpg", picture, exif=data))
        assert loaded.focal_px == pytest.approx(28 * 500 / 43.27, rel=1e-4)
        assert loaded.image.shape == ((400, 300, 3) if orientation == 6 else (300, 400, 3))


def test_focal_from_the_sensor_follows_a_resize(tmp_path: Path) -> None:
    # 50 mm at 4000 px per 25.4 mm inch, taken 6000 px wide and stored 600 px wide: 50 / 25.4 * 4000 / 10.
    data = exif(FocalLength=50.0, FocalPlaneXResolution=4000.0, FocalPlaneResolutionUnit=2,
                ExifImageWidth=6000, ExifImageHeight=4000)  # fmt: skip
    loaded = read_image(save(tmp_path / "a.jpg", Image.new("RGB", (600, 400)), exif=data))
    assert loaded.focal_px == pytest.approx(50 / 25.4 * 4000 / 10)
    centimetres = exif(FocalLength=50.0, FocalPlaneXResolution=100.0, FocalPlaneResolutionUnit=3)
    loaded = read_image(save(tmp_path / "b.jpg", Image.new("RGB", (600, 400)), exif=centimetres))
    assert loaded.focal_px == pytest.approx(500.0)


@pytest.mark.parametrize(
    "tags", [{}, {"FocalLength": 4.2}, {"FocalLengthIn35mmFilm": 0}, {"FocalPlaneXResolution": 9.0}]
)
def test_no_focal_length_is_none(tmp_path: Path, tags: dict[str, Any]) -> None:
    path = save(tmp_path / "a.jpg", Image.new("RGB", (40, 30)), exif=exif(**tags))
    assert read_image(path).focal_px is None


def test_damaged_exif_does_not_stop_a_photo(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", Image.new("RGB", (40, 30)), exif=b"Exif\0\0II*\0\xff\xff\xff\x7f garbage")
    loaded = read_image(path)
    assert loaded.image.shape == (30, 40, 3)
    assert loaded.focal_px is None


# --- bad files ------------------------------------------------------------------------------------------


def encoded(kind: str) -> bytes:
    buffer = BytesIO()
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_truncated(tmp_path: Path, kind: str) -> None:
    blob = encoded(kind)
    for part in (0.02, 0.3, 0.7):
        path = tmp_path / f"cut.{kind.lower()}"
        path.write_bytes(blob[: int(len(blob) * part)])
        with pytest.raises(InputError, match="cut"):
            read_rgb(path)


def test_missing_empty_folder_and_no_image(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.jpg: cannot be read \(No such file"):
        read_rgb(tmp_path / "nothing.jpg")
    with pytest.raises(InputError, match="folder"):
        read_rgb(tmp_path)
    (tmp_path / "empty.png").touch()
    with pytest.raises(InputError, match="empty file"):
        read_rgb(tmp_path / "empty.png")
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(InputError, match="not an image"):
        read_rgb(tmp_path / "text.png")
    (tmp_path / "drawing.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    with pytest.raises(InputError, match="PostScript"):
        read_rgb(tmp_path / "drawing.png")
    for other in (None, 3, [[0, 0]]):
        with pytest.raises(InputError, match="pass a path, a PIL image or an"):
            read_image(other)  # type: ignore[arg-type]


@pytest.mark.parametrize("side", [12_000, 30_000])
def test_decompression_bomb_is_one_error_and_no_warning(tmp_path: Path, side: int) -> None:
    path = raw_png(tmp_path / "bomb.png", side, side, 1, 0, b"")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match=r"89\.5 million pixels"):
            read_rgb(path)


def test_errors_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded("PNG")[:200])
    with pytest.raises(DepthNetError) as caught:
        read_image(tmp_path / "a.png")
    assert "\n" not in str(caught.value)


def test_random_damage_is_never_another_error(tmp_path: Path) -> None:
    for kind in ("JPEG", "PNG", "TIFF", "GIF", "WEBP"):
        blob = bytearray(encoded(kind))
        for trial in range(40):
            damaged = bytearray(blob)
            for _ in range(8):
                damaged[RNG.integers(0, min(len(blob), 300 if trial % 2 else len(blob)))] = RNG.integers(0, 256)
            path = tmp_path / f"damaged.{kind.lower()}"
            path.write_bytes(damaged)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    image = read_image(path).image
                except InputError:
                    continue
            assert image.dtype == np.uint8
            assert image.shape[2] == 3


def test_a_real_photo(shared_data: Path) -> None:
    path = next((shared_data / "tum_fr1_rpy" / "rgb").iterdir())
    loaded = read_image(path)
    assert loaded.image.shape == (240, 320, 3)
    assert loaded.focal_px is None
