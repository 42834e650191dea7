"""Pinhole cameras: intrinsics under resize, crop and flip, lifting and projecting, focal lengths.

Written once against the array API standard, so every function takes NumPy arrays and torch tensors and
gives the same kind back. Axes are OpenCV's (x right, y down, z forward); the centre of the top-left pixel
is (0, 0); sizes are (H, W), pixels are (x, y).
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

from array_api_compat import array_namespace
from array_api_compat import device as device_of

from depthnet.errors import InputError, ShapeError

ArrayT = TypeVar("ArrayT", bound=Any)

#: Diagonal of the 36 mm x 24 mm film frame that "35 mm equivalent" refers to: 43.27 mm.
FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)


def scale_intrinsics(K: ArrayT, sy: float, sx: float) -> ArrayT:
    """Intrinsics after resizing the image.

    With integer pixel centres a pixel at x lands at (x + 0.5) * s - 0.5, so f becomes f * s and c becomes
    (c + 0.5) * s - 0.5.

    Args:
        K: intrinsics in pixels, (..., 3, 3).
        sy: new height / old height.
        sx: new width / old width.

    Returns:
        Intrinsics in pixels of the resized image, (..., 3, 3).

    Raises:
        ShapeError: if K is not (..., 3, 3).
    """
    return _move_pixels(K, [[sx, 0.0, 0.5 * sx - 0.5], [0.0, sy, 0.5 * sy - 0.5], [0.0, 0.0, 1.0]])


def crop_intrinsics(K: ArrayT, top: float, left: float) -> ArrayT:
    """Intrinsics after cutting ``top`` rows and ``left`` columns off (negative: padding was added).

    Args:
        K: intrinsics in pixels, (..., 3, 3).
        top: rows removed above.
        left: columns removed on the left.

    Returns:
        Intrinsics in pixels of the cropped image, (..., 3, 3).

    Raises:
        ShapeError: if K is not (..., 3, 3).
    """
    return _move_pixels(K, [[1.0, 0.0, -left], [0.0, 1.0, -top], [0.0, 0.0, 1.0]])


def flip_intrinsics(K: ArrayT, width: int) -> ArrayT:
    """Intrinsics after mirroring the image left to right.

    The focal length stays positive: a mirrored image is the image of the mirrored world (x -> -x), and
    depth is the same there.

    Args:
        K: intrinsics in pixels, (..., 3, 3).
        width: width of the image in pixels.

    Returns:
        Intrinsics in pixels of the mirrored image, (..., 3, 3).

    Raises:
        ShapeError: if K is not (..., 3, 3).
    """
    flipped = _move_pixels(K, [[-1.0, 0.0, width - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    mirror_world = [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    result: ArrayT = flipped @ array_namespace(K).asarray(mirror_world, dtype=flipped.dtype, device=device_of(K))
    return result


def depth_to_points(depth: ArrayT, K: ArrayT) -> ArrayT:
    """Lift a depth map to 3-D points in the camera frame.

    Args:
        depth: z-depth in metres, (B, 1, H, W); 0 where unknown.
        K: intrinsics in pixels of this image size, (B, 3, 3), last row (0, 0, 1).

    Returns:
        Points in metres, (B, 3, H, W); zeros where depth is 0.

    Raises:
        ShapeError: if a shape differs.

    Source: Hartley & Zisserman, Multiple View Geometry, 2nd ed., eq. 6.10 (K) solved for the ray of a pixel.
    """
    _check_maps("depth", depth, 1, K)
    xp = array_namespace(depth, K)
    fx, fy, cx, cy, skew = _entries(xp.astype(K, depth.dtype))
    height, width = depth.shape[-2:]
    where = {"dtype": depth.dtype, "device": device_of(depth)}
    x = xp.reshape(xp.arange(width, **where), (1, 1, 1, width))
    y = xp.reshape(xp.arange(height, **where), (1, 1, height, 1))
    ray_y = (y - cy) / fy
    ray_x = (x - cx - skew * ray_y) / fx
    points: ArrayT = xp.concat([ray_x * depth, ray_y * depth, depth], axis=1)
    return points


def points_to_pixels(points: ArrayT, K: ArrayT) -> ArrayT:
    """Project 3-D points of the camera frame into the image.

    Args:
        points: metres, (B, 3, H, W).
        K: intrinsics in pixels, (B, 3, 3), last row (0, 0, 1).

    Returns:
        Pixels (x, y), (B, 2, H, W), also outside the image; NaN where z is 0 (unknown) or negative (behind
        the camera). Comparisons with NaN are false, so a test for "inside the image" rejects those; their
        gradient is zero.

    Raises:
        ShapeError: if a shape differs.

    Source: Hartley & Zisserman, Multiple View Geometry, 2nd ed., eq. 6.10.
    """
    _check_maps("points", points, 3, K)
    xp = array_namespace(points, K)
    fx, fy, cx, cy, skew = _entries(xp.astype(K, points.dtype))
    x, y, z = points[:, 0:1], points[:, 1:2], points[:, 2:3]
    in_front = z > 0
    z = xp.where(in_front, z, xp.ones_like(z))
    pixels: ArrayT = xp.concat([(fx * x + skew * y) / z + cx, fy * y / z + cy], axis=1)
    pixels = xp.where(in_front, pixels, xp.full_like(pixels, math.nan))
    return pixels


def focal_from_fov(fov_deg: float, size_px: float) -> float:
    """Focal length in pixels of a camera that sees ``fov_deg`` degrees over ``size_px`` pixels.

    Raises:
        InputError: if the angle is not within 0 and 180 degrees or the size is not positive.
    """
    if not (0.0 < fov_deg < 180.0 and size_px > 0):
        raise InputError(f"field of view {fov_deg:g} degrees over {size_px:g} px: give an angle between 0 and 180.")
    return size_px / (2.0 * math.tan(math.radians(fov_deg) / 2.0))


def fov_from_focal(focal_px: float, size_px: float) -> float:
    """Field of view in degrees over ``size_px`` pixels of a camera with this focal length in pixels.

    Raises:
        InputError: if a value is not positive.
    """
    if not (focal_px > 0 and size_px > 0):
        raise InputError(f"focal length {focal_px:g} px over {size_px:g} px: both must be positive.")
    return math.degrees(2.0 * math.atan2(size_px, 2.0 * focal_px))


def focal_from_35mm(focal_35mm: float, height: int, width: int) -> float:
    """Focal length in pixels from a 35 mm equivalent: the two diagonals show the same angle.

    Args:
        focal_35mm: equivalent focal length in millimetres, as EXIF stores it.
        height: height of the image in pixels.
        width: width of the image in pixels.

    Raises:
        InputError: if a value is not positive.

    Source: CIPA DCG-001, "35 mm film equivalent focal length" by the diagonal of 43.27 mm.
    """
    if not (focal_35mm > 0 and height > 0 and width > 0):
        raise InputError(f"35 mm focal length {focal_35mm:g} mm at {width} x {height} px: all must be positive.")
    return focal_35mm * math.hypot(height, width) / FILM_DIAGONAL_MM


def training_view_focal(height: int, width: int, focal_train_px: float, train_size: tuple[int, int]) -> float:
    """Focal length in pixels of an image that shows the training camera's diagonal field of view.

    The diagonal makes a portrait photo the turned landscape photo, and is what "35 mm equivalent" means too.

    Args:
        height: height of the image in pixels.
        width: width of the image in pixels.
        focal_train_px: focal length of the training camera, pixels of ``train_size``.
        train_size: (H, W) of the training images.
    """
    return focal_train_px * (math.hypot(height, width) / math.hypot(*train_size))


def depth_for_camera(depth: ArrayT, focal_input_px: float, focal_train_px: float) -> ArrayT:
    """The camera rule: depth_metres = depth_network * f_input / f_train.

    A network sees sizes in pixels. An object of S metres covers f * S / Z pixels, so a camera with twice the
    focal length of the training camera shows the same picture from twice the distance.

    Args:
        depth: what the network gives, in metres of its training camera, any shape.
        focal_input_px: the photo's focal length in pixels after the resize to the network's size.
        focal_train_px: focal length in pixels of the training images at the size the network saw.

    Returns:
        Metres before this camera, of the same shape.

    Raises:
        InputError: if a focal length is not positive and finite.
    """
    for focal in (focal_input_px, focal_train_px):
        if not (math.isfinite(focal) and focal > 0):
            raise InputError(f"focal length {focal:g} px: it must be positive; check --focal-px or --fov-deg.")
    metres: ArrayT = depth * (focal_input_px / focal_train_px)
    return metres


def _move_pixels(K: ArrayT, affine: list[list[float]]) -> ArrayT:
    """K of the image whose pixels were moved by ``affine``: A @ K."""
    if K.ndim < 2 or tuple(K.shape[-2:]) != (3, 3):
        raise ShapeError(f"K has shape {tuple(K.shape)}; expected (..., 3, 3).")
    xp = array_namespace(K)
    if not xp.isdtype(K.dtype, "real floating"):
        K = xp.astype(K, xp.float32)
    moved: ArrayT = xp.asarray(affine, dtype=K.dtype, device=device_of(K)) @ K
    return moved


def _entries(K: ArrayT) -> tuple[ArrayT, ArrayT, ArrayT, ArrayT, ArrayT]:
    """fx, fy, cx, cy, skew of K (B, 3, 3), each (B, 1, 1, 1) to broadcast over a map."""
    places = ((0, 0), (1, 1), (0, 2), (1, 2), (0, 1))
    fx, fy, cx, cy, skew = (K[:, row, column][:, None, None, None] for row, column in places)
    return fx, fy, cx, cy, skew


def _check_maps(name: str, maps: Any, channels: int, K: Any) -> None:
    if maps.ndim != 4 or maps.shape[1] != channels:
        raise ShapeError(f"{name} has shape {tuple(maps.shape)}; expected (B, {channels}, H, W).")
    if tuple(K.shape) != (maps.shape[0], 3, 3):
        raise ShapeError(f"K has shape {tuple(K.shape)}; expected ({maps.shape[0]}, 3, 3), one for each of {name}.")
