"""Depth maps on disk: 16-bit PNG in millimetres, NPY in metres, and a colour picture with a metre scale.

A depth map here is (H, W) float32 z-depth in metres, 0 where unknown.
"""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from depthnet.errors import InputError, ShapeError
from depthnet.io.files import atomic_path
from depthnet.io.images import RGB, open_image

#: Largest depth that a 16-bit PNG in millimetres holds, metres.
MAX_PNG_DEPTH = 65.535
# Level 1 writes a 640 x 480 map 5 times faster than Pillow's default 6 and 20 % larger; run-length
# matching (zlib's Z_RLE) suits the flat colours of the picture better than searching for repeats.
_PNG_LEVEL = 1
_Z_RLE = 3

# Turbo, red, green and blue as polynomials of degree 5 in t from 0 (blue) to 1 (red).
# Source: A. Mikhailov, "Turbo, An Improved Rainbow Colormap for Visualization", Google AI blog 2019;
# polynomial approximation by R. Du, published with it (Apache-2.0).
_TURBO = np.array([
    [0.13572138, 4.61539260, -42.66032258, 132.13108234, -152.94239396, 59.28637943],
    [0.09140261, 2.19418839, 4.84296658, -14.18503333, 4.27729857, 2.82956604],
    [0.10667330, 12.64194608, -60.58204836, 110.36276771, -89.90310912, 27.34824973],
])  # fmt: skip
_UNKNOWN_COLOUR = (0, 0, 0)
_PAPER, _INK = (255, 255, 255), (32, 32, 32)


def read_depth_png(path: str | Path, scale: float = 1000.0, content: bytes | None = None) -> NDArray[np.float32]:
    """Read a 16-bit depth PNG (or 16-bit PGM or TIFF).

    Args:
        path: the file, or, with ``content``, the name that messages give it.
        scale: units per metre: 1000 for millimetres, 5000 for TUM, 256 for KITTI.
        content: the bytes of the file, when it lies in an archive.

    Returns:
        Depth in metres, (H, W); 0 where unknown.

    Raises:
        InputError: if the file is missing, damaged or not a 16-bit grey image.
    """
    with open_image(path, content) as picture:
        if not picture.mode.startswith("I"):
            unit = "millimetres" if scale == 1000 else f"1/{scale:g} metre"
            kind = "floating-point" if picture.mode == "F" else "8-bit"
            advice = "It looks like a colour map: pass the .npz or the 16-bit PNG."
            raise InputError(f"{path}: {kind} image; expected 16-bit depth in {unit}. {advice}")
        units = np.asarray(picture)
    metres: NDArray[np.float32] = np.divide(units, scale, dtype=np.float32)
    return metres


def write_depth_png(path: str | Path, depth: NDArray[np.floating[Any]], overwrite: bool = True) -> None:
    """Write depth as 16-bit PNG in millimetres, 0 where unknown.

    Args:
        path: the file.
        depth: metres, (H, W). Above 65.535 m it is cut to that; what is not finite or not positive becomes
            0; known depth below 1 mm becomes 1 mm, so that it stays known.
        overwrite: False raises when the file is there already.

    Raises:
        ShapeError: if depth is not (H, W).
        InputError: if the file cannot be written.
    """
    depth = _check_map(depth)
    known = np.isfinite(depth) & (depth > 0)
    millimetres = np.clip(np.rint(np.where(known, depth, 0.0) * 1000.0), 1.0, 65535.0)
    picture = Image.fromarray(np.where(known, millimetres, 0.0).astype(np.uint16))
    with atomic_path(path, overwrite) as temporary:
        picture.save(temporary, "PNG", compress_level=_PNG_LEVEL)


def write_depth_npy(path: str | Path, depth: NDArray[np.floating[Any]], overwrite: bool = True) -> None:
    """Write depth as NPY float32 metres, (H, W), exactly as it is.

    Raises:
        ShapeError: if depth is not (H, W).
        InputError: if the file cannot be written.
    """
    blob = io.BytesIO()
    np.save(blob, _check_map(depth).astype(np.float32, copy=False))
    with atomic_path(path, overwrite) as temporary:
        temporary.write_bytes(blob.getbuffer())  # unlike numpy.save, it says why a disk refuses the file


def read_depth(path: str | Path) -> NDArray[np.float32]:
    """Read a depth map by its suffix: .npy and .npz in metres, any other as 16-bit PNG in millimetres.

    Args:
        path: the file. An .npz holds one array or one named ``depth``; axes of length 1 are dropped.

    Returns:
        Depth in metres as stored, (H, W); 0 where unknown.

    Raises:
        InputError: if the file is missing, damaged or holds no depth map.
    """
    path = Path(path)
    if path.suffix.lower() not in (".npy", ".npz"):
        return read_depth_png(path)
    try:
        stored = np.load(path, allow_pickle=False)
        if path.suffix.lower() == ".npz":
            with stored:
                names = stored.files
                if "depth" not in names and len(names) != 1:
                    raise InputError(f"{path}: arrays {', '.join(names)}; expected one named depth.")
                stored = stored["depth" if "depth" in names else names[0]]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); check the path.") from error
    except InputError:
        raise
    except Exception as error:  # truncated zip, pickled objects, a broken header: NumPy raises many kinds
        # Of any file that is no NumPy file, numpy says that it holds pickled objects.
        reason = "" if "pickle" in str(error) else f" ({' '.join(str(error).split())})"
        raise InputError(f"{path}: not a whole NumPy file of numbers{reason}; write it again.") from error
    array = np.asarray(stored)
    flat = array.reshape([n for n in array.shape if n != 1]) if array.ndim > 2 else array
    if flat.ndim != 2 or array.dtype.kind not in "fiu":
        raise InputError(f"{path}: array {array.shape} {array.dtype}; expected (H, W) depth in metres.")
    return flat.astype(np.float32, copy=False)


def colourise_depth(
    depth: NDArray[np.floating[Any]],
    min_depth: float | None = None,
    max_depth: float | None = None,
    valid: NDArray[np.bool_] | None = None,
) -> RGB:
    """Depth as colours: near is red, far is blue, unknown is black.

    Args:
        depth: metres, (H, W); 0 or not finite where unknown.
        min_depth: metres of the nearest colour; by default 2 % of the known pixels are nearer.
        max_depth: metres of the farthest colour; by default 2 % of the known pixels are farther.
        valid: pixels to show, (H, W); by default all known ones.

    Returns:
        8-bit RGB, (H, W, 3); depth outside the range has the colour of its end.

    Raises:
        ShapeError: if a shape differs.
    """
    depth = _check_map(depth)
    shown = _shown(depth, valid)
    low, high = colour_range(depth, shown, min_depth, max_depth)
    colours = np.take(colour_table(), colour_levels(np.where(shown, depth, high), low, high), axis=0)
    colours[~shown] = _UNKNOWN_COLOUR
    return colours


def colour_levels(depth: NDArray[np.floating[Any]], low: float, high: float) -> NDArray[np.uint8]:
    """Places of known depth in :func:`colour_table`: 255 at ``low`` metres or less, 0 at ``high`` or more."""
    nearness = (high - depth) / (high - low)
    levels: NDArray[np.uint8] = np.rint(np.clip(nearness, 0.0, 1.0) * 255.0).astype(np.uint8)
    return levels


def write_depth_colour(
    path: str | Path,
    depth: NDArray[np.floating[Any]],
    min_depth: float | None = None,
    max_depth: float | None = None,
    valid: NDArray[np.bool_] | None = None,
    overwrite: bool = True,
) -> None:
    """Write depth as a colour PNG with a scale bar in metres on its right.

    The range of the colours is also stored in the file, as PNG text ``min_depth`` and ``max_depth``.

    Args:
        path: the file. The map fills its left part pixel by pixel; the picture is at least 160 pixels high.
        depth: metres, (H, W); 0 or not finite where unknown.
        min_depth: as in :func:`colourise_depth`.
        max_depth: as in :func:`colourise_depth`.
        valid: as in :func:`colourise_depth`.
        overwrite: False raises when the file is there already.

    Raises:
        ShapeError: if a shape differs.
        InputError: if the file cannot be written.
    """
    depth = _check_map(depth)
    low, high = colour_range(depth, _shown(depth, valid), min_depth, max_depth)
    colours = Image.fromarray(colourise_depth(depth, low, high, valid))
    bar = draw_scale_bar(low, high, max(colours.height, 160))
    picture = Image.new("RGB", (colours.width + bar.width, bar.height), _PAPER)
    picture.paste(colours, (0, 0))
    picture.paste(bar, (colours.width, 0))
    text = PngInfo()
    text.add_text("min_depth", f"{low:.4f} m")
    text.add_text("max_depth", f"{high:.4f} m")
    with atomic_path(path, overwrite) as temporary:
        picture.save(temporary, "PNG", compress_level=_PNG_LEVEL, compress_type=_Z_RLE, pnginfo=text)


def _check_map(depth: NDArray[Any]) -> NDArray[Any]:
    if depth.ndim != 2 or 0 in depth.shape:
        raise ShapeError(f"depth has shape {depth.shape}; expected (H, W).")
    return depth


def _shown(depth: NDArray[Any], valid: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    known: NDArray[np.bool_] = np.isfinite(depth) & (depth > 0)
    if valid is None:
        return known
    if valid.shape != depth.shape:
        raise ShapeError(f"valid has shape {valid.shape}; expected {depth.shape} as depth.")
    return known & valid


def colour_range(
    depth: NDArray[Any], shown: NDArray[np.bool_], min_depth: float | None, max_depth: float | None
) -> tuple[float, float]:
    """Metres of the two ends of the colours, low < high; from about 100 000 pixels of a large map.

    Args:
        depth: metres, (H, W).
        shown: pixels that count, (H, W).
        min_depth: metres of the nearest colour; by default 2 % of the shown pixels are nearer.
        max_depth: metres of the farthest colour; by default 2 % of the shown pixels are farther.
    """
    ends = (0.0, 1.0)
    if min_depth is None or max_depth is None:
        step = max(1, math.isqrt(depth.size // 100_000))
        sample = depth[::step, ::step][shown[::step, ::step]]
        sample = sample if sample.size else depth[shown]
        ends = tuple(np.percentile(sample, (2.0, 98.0))) if sample.size else ends
    low = float(ends[0] if min_depth is None else min_depth)
    high = float(ends[1] if max_depth is None else max_depth)
    if high - low < 1e-3 * max(abs(high), 1e-3):  # a flat wall, or ends given the wrong way round
        middle = (low + high) / 2.0
        low, high = middle * 0.95, max(middle * 1.05, middle * 0.95 + 1e-6)
    return low, high


def colour_table() -> RGB:
    """256 colours from blue, far, to red, near, (256, 3), without Turbo's ends, which are close to black."""
    t = np.linspace(0.06, 0.96, 256)
    colours = _TURBO @ np.stack([t**power for power in range(6)])
    return np.ascontiguousarray(np.rint(np.clip(colours, 0.0, 1.0) * 255.0).astype(np.uint8).T)


def draw_scale_bar(low: float, high: float, height: int) -> Image.Image:
    """Draw the colours of :func:`colourise_depth` as a vertical bar with metres beside it.

    Args:
        low: metres of the nearest colour, red, at the bottom.
        high: metres of the farthest colour, blue, at the top; more than ``low``.
        height: pixels; 160 or more leave room for the ticks.
    """
    font_size = int(np.clip(height / 24, 13, 96))
    font = ImageFont.load_default(size=font_size)
    ticks, digits = nice_ticks(low, high, most=max(5, int(height / (2.5 * font_size))))
    labels = [f"{tick:.{digits}f} m" for tick in ticks]
    margin, width, tick_length = font_size, font_size, max(4, font_size // 3)
    text_width = math.ceil(max(font.getlength(label) for label in labels))
    text_left = margin + width + 2 * tick_length
    bar = Image.new("RGB", (text_left + text_width + margin // 2, height), _PAPER)
    draw = ImageDraw.Draw(bar)
    top, bottom = margin, height - 1 - margin
    colours = colour_table()[np.rint(np.linspace(0.0, 255.0, bottom - top + 1)).astype(np.uint8)]
    bar.paste(Image.fromarray(np.ascontiguousarray(np.repeat(colours[:, None], width, axis=1))), (margin, top))
    for tick, label in zip(ticks, labels, strict=True):
        y = round(bottom - (tick - low) / (high - low) * (bottom - top))
        line = (margin + width, y, margin + width + tick_length, y)
        draw.line(line, fill=_INK, width=max(1, font_size // 12))
        draw.text((text_left, y), label, fill=_INK, font=font, anchor="lm")
    return bar


def nice_ticks(low: float, high: float, most: int) -> tuple[list[float], int]:
    """Multiples of 1, 2 or 5 times a power of ten within low and high, and the decimals they need.

    The finest step with ``most`` intervals or fewer: as steps grow by 2.5 at most, ``most`` >= 5 gives two ticks.
    """
    span = high - low
    exponent = math.floor(math.log10(span / most))
    step = next(base * 10.0**exponent for base in (1, 2, 5, 10) if span <= most * base * 10.0**exponent)
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    return [step * index for index in range(first, last + 1)], max(0, -math.floor(math.log10(step) + 1e-9))
