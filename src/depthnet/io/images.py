"""Read photos of any common kind as upright 8-bit RGB, and the focal length their EXIF data tell.

What is unified: EXIF orientation is applied; grey, palette, 1-bit, CMYK, YCbCr and HSV become RGB;
transparent parts are shown on white; 16-bit grey and colour are scaled from 65535 to 255, not cut;
floating-point pictures are scaled from their white (the smallest of 1, 255, 65535 that fits) to 255.
Of an animation the first picture is read. Colour profiles are not applied.
"""

from __future__ import annotations

import io
import math
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from depthnet.errors import DepthNetError, InputError, one_line
from depthnet.geometry.camera import focal_from_35mm

RGB: TypeAlias = NDArray[np.uint8]
ImageLike: TypeAlias = str | Path | Image.Image | NDArray[np.uint8]

#: Suffixes that count as photos when a folder is read.
IMAGE_SUFFIXES = frozenset({
    ".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm",
    ".ppm", ".tga", ".tif", ".tiff", ".webp",
})  # fmt: skip
# What Pillow's readers raise on damaged files, beyond its own classes.
_DAMAGED = (OSError, SyntaxError, ValueError, TypeError, IndexError, KeyError, EOFError, OverflowError,
            struct.error, zlib.error, MemoryError)  # fmt: skip
_MM_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # EXIF FocalPlaneResolutionUnit: inch, cm, mm, micrometre
# warnings.catch_warnings changes the whole process; our own threads take turns.
_warnings_lock = threading.Lock()


@dataclass(frozen=True)
class LoadedImage:
    """A photo and what its file says about its camera."""

    image: RGB
    """Upright 8-bit RGB, (H, W, 3)."""
    focal_px: float | None
    """Focal length in pixels of ``image`` by EXIF; None where EXIF does not tell."""
    stem: str
    """File name without folder and suffix; ``image`` for pictures that come from no file."""


def read_image(source: ImageLike) -> LoadedImage:
    """Read a photo and its focal length.

    Args:
        source: a path, a PIL image or an (H, W, 3) uint8 RGB array (taken as it is).

    Returns:
        The upright RGB photo, its focal length in pixels (None where unknown) and its name.

    Raises:
        InputError: if the file is missing, empty, truncated, not an image or over Pillow's limit of
            ``PIL.Image.MAX_IMAGE_PIXELS`` (89 478 485) pixels, or the array is not (H, W, 3) uint8.
    """
    if isinstance(source, np.ndarray):
        return LoadedImage(_check_array(source), None, "image")
    if isinstance(source, Image.Image):
        name = str(getattr(source, "filename", "") or "image")
        with _readable(name):
            return LoadedImage(_upright_rgb(source), _exif_focal(source), Path(name).stem)
    with open_image(source) as picture:
        return LoadedImage(_upright_rgb(picture), _exif_focal(picture), Path(source).stem)


def read_rgb(path: str | Path, content: bytes | None = None) -> RGB:
    """Read a photo as upright 8-bit RGB, (H, W, 3).

    Args:
        path: the file, or, with ``content``, the name that messages give it.
        content: the bytes of the file, when it lies in an archive.

    Raises:
        InputError: as :func:`read_image`.
    """
    with open_image(path, content) as picture:
        return _upright_rgb(picture)


@contextmanager
def open_image(path: str | Path, content: bytes | None = None) -> Iterator[Image.Image]:
    """Open an image file with Pillow; whatever goes wrong while it is read becomes one clear InputError.

    Args:
        path: the file, or, with ``content``, the name that messages give it.
        content: the bytes of the file, when it lies in an archive.

    Yields:
        The opened image; its pixels are loaded when they are first used.

    Raises:
        InputError: if the file is missing, empty, truncated, not an image or over Pillow's pixel limit.
    """
    if not isinstance(path, str | Path):
        raise InputError(f"{type(path).__name__}: pass a path, a PIL image or an (H, W, 3) uint8 array.")
    path = Path(path)
    if _file_size(path) == 0 if content is None else not content:
        raise InputError(f"{path}: empty file; copy it again.")
    with _readable(path):
        with _quiet():
            picture = Image.open(path if content is None else io.BytesIO(content))
        with picture:
            if picture.format == "EPS":
                raise InputError(f"{path}: a PostScript drawing, not a photo; export it as PNG or JPEG.")
            yield picture


def _file_size(path: Path) -> int:
    if path.is_dir():
        raise InputError(f"{path}: is a folder; pass an image file.")
    try:
        return path.stat().st_size
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path.") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Pillow's remarks on odd headers off the screen, and make its warning of a bomb an error."""
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


@contextmanager
def _readable(name: str | Path) -> Iterator[None]:
    """Turn Pillow's many errors on bad files into an InputError about ``name``."""
    try:
        yield
    except DepthNetError:
        raise
    except PermissionError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror}); change its permissions.") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        limit = f"{(Image.MAX_IMAGE_PIXELS or 0) / 1e6:.1f}"
        raise InputError(f"{name}: more than {limit} million pixels, the guard against decompression bombs; "
                         "resize it first.") from error  # fmt: skip
    except UnidentifiedImageError as error:
        raise InputError(f"{name}: not an image that Pillow can read; pass a JPEG, PNG, WebP or TIFF file.") from error
    except _DAMAGED as error:
        reason = one_line(error) or type(error).__name__
        raise InputError(f"{name}: damaged or truncated image ({reason}); copy or export it again.") from error


def _check_array(array: NDArray[Any]) -> RGB:
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or 0 in array.shape:
        raise InputError(f"image array {array.shape} {array.dtype}: expected (H, W, 3) uint8 RGB; convert it first.")
    return np.ascontiguousarray(array)


def _upright_rgb(picture: Image.Image) -> RGB:
    """Pixels as RGB, turned as EXIF says; a new, writable, contiguous array."""
    picture.load()  # before the orientation is asked for: Pillow's TIFF reader turns the picture itself
    return _turn(_to_rgb(picture), _exif(picture).get(ExifTags.Base.Orientation, 1))


def _to_rgb(picture: Image.Image) -> RGB:
    if picture.mode.startswith("I") or picture.mode == "F":
        return _grey_to_rgb(np.asarray(picture))
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return np.array(Image.alpha_composite(white, layer).convert("RGB"))
    if picture.mode == "LAB":
        picture = _lab_to_rgb(picture)
    return np.array(picture if picture.mode == "RGB" else picture.convert("RGB"))


def _grey_to_rgb(values: NDArray[Any]) -> RGB:
    """8-bit RGB (H, W, 3) of grey values (H, W) in 16-bit or wider integers or in floating point.

    White is 65535 for integers; for floating point the smallest of 1, 255 and 65535 that is more than half
    of the largest value (a little overshoot is cut). Where no such white fits, it is the largest value.
    NaN and negative values are black.
    """
    levels = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    largest = float(levels.max())
    whites = (1.0, 255.0, 65535.0) if values.dtype.kind == "f" else (65535.0,)
    white = next((white for white in whites if largest < 2 * white), largest)
    grey = np.rint(np.clip(levels / white, 0.0, 1.0) * 255.0).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _lab_to_rgb(picture: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(picture, lab, srgb, outputMode="RGB")
    assert converted is not None
    return converted


def _turn(image: RGB, orientation: Any) -> RGB:
    """Undo the eight EXIF orientations (Exif 2.32, tag 0x0112); an unknown value turns nothing."""
    if orientation in (5, 6, 7, 8):
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def _exif(picture: Image.Image) -> Image.Exif:
    """EXIF data; empty when damaged, which is no reason to refuse a photo."""
    try:
        with _quiet():
            return picture.getexif()
    except _DAMAGED:
        return Image.Exif()


def _exif_focal(picture: Image.Image) -> float | None:
    """Focal length in pixels, the same for the stored and the turned photo; None where EXIF does not tell.

    From the 35 mm equivalent (rounded to whole millimetres by most cameras) by the diagonal; else from the
    focal length in millimetres and the resolution of the sensor, which is scaled when the photo was resized.

    Source: Exif 2.32, tags 0xA405, 0x920A, 0xA20E, 0xA210, 0xA002, 0xA003.
    """
    try:
        with _quiet():
            tags: Mapping[int, Any] = picture.getexif().get_ifd(ExifTags.IFD.Exif)
    except _DAMAGED:
        return None
    width, height = picture.size
    focal_35mm = _positive(tags.get(ExifTags.Base.FocalLengthIn35mmFilm))
    if focal_35mm is not None:
        return focal_from_35mm(focal_35mm, height, width)
    focal_mm = _positive(tags.get(ExifTags.Base.FocalLength))
    resolution = _positive(tags.get(ExifTags.Base.FocalPlaneXResolution))
    unit = tags.get(ExifTags.Base.FocalPlaneResolutionUnit, 2)
    if focal_mm is None or resolution is None or unit not in _MM_PER_UNIT:
        return None
    sides = (_positive(tags.get(tag)) for tag in (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight))
    taken = max((side for side in sides if side is not None), default=float(max(width, height)))
    return focal_mm * resolution / _MM_PER_UNIT[unit] * (max(width, height) / taken)


def _positive(value: Any) -> float | None:
    """A tag as a positive finite number; None for the zeros and fractions over zero that cameras write."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and number > 0 else None
