"""Joint changes of image, depth, valid mask and K: the resize to the network's size and the training augmentation.

Geometry is one affine map from the source to the target picture, applied once to the image (bilinear, after an
antialiased reduction when the target is coarser) and once to the depth (nearest: depths of two surfaces are never
mixed). Colour is one table of 256 values per channel, taken while the pixels turn from 8 bits to float. NumPy and
Pillow only.

Maps are 2×3 matrices in pixel corners (u = x + 0.5, v = y + 0.5: the top-left corner of the picture is (0, 0)), where a
resize is a pure product. K has integer pixel centres, so its principal point is 0.5 less.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthnet.config import AugmentConfig
from depthnet.data.samples import RawSample, Sample
from depthnet.errors import ConfigError, InputError, ShapeError
from depthnet.geometry.camera import crop_intrinsics, flip_intrinsics, scale_intrinsics

Size = tuple[int, int]
Transform = Callable[[Sample | RawSample, np.random.Generator], Sample]

_SATURATION_CHANCE = 0.5
_CONTRAST_CHANCE = 0.5
_CUTOUT_SIDE = (0.1, 0.4)  # of the side of the image
_PASTE_SIDE = (0.25, 0.75)


def resize_sample(sample: Sample | RawSample, size: Size) -> Sample:
    """Bring a sample to another size: scale with the aspect kept, cut what is too much evenly from both sides.

    Args:
        sample: any sample; image antialiased when it shrinks, depth by nearest neighbour.
        size: (H, W) of the result.

    Returns:
        The resized sample; K follows: f·s and (c + 0.5)·s − 0.5 after the cut.

    Raises:
        ConfigError: if the size is not positive.
    """
    height, width = check_size(size)
    if isinstance(sample, Sample) and sample.image.shape[1:] == (height, width):
        return replace(sample)
    raw = sample.to_raw() if isinstance(sample, Sample) else sample
    if raw.size == (height, width):
        return raw.to_sample()
    scale = _cover_scale(raw.size, (height, width))
    box_height, box_width = height / scale, width / scale
    top, left = (raw.size[0] - box_height) / 2, (raw.size[1] - box_width) / 2
    box = (max(0.0, left), max(0.0, top), min(left + box_width, raw.size[1]), min(top + box_height, raw.size[0]))
    image = Image.fromarray(raw.image).resize((width, height), Image.Resampling.BILINEAR, box=box)
    depth = raw.depth
    if depth is not None:
        to_source = np.array([[1 / scale, 0.0, left], [0.0, 1 / scale, top]])
        depth = warp_depth(depth, to_source, (height, width))
    K = None if raw.K is None else _window_intrinsics(raw.K, top, left, scale)
    return replace(raw, image=np.asarray(image), depth=depth, K=K).to_sample()


def build_train_transform(augment: AugmentConfig, size: Size) -> Transform:
    """The random change of one training sample.

    Args:
        augment: recipe and ranges.
        size: (H, W) of the results.

    Returns:
        A function of (sample, generator). The generator is the only source of chance, so a seed per sample repeats the
        run. It takes float or raw samples, raw ones faster, and can be pickled.

    Raises:
        ConfigError: if a range of ``augment`` cannot be used.
    """
    check_augment(augment)
    return TrainTransform(augment, check_size(size))


@dataclass(frozen=True)
class TrainTransform:
    """Random zoom, roll, crop, flip and colour of one sample; see `build_train_transform`.

    What happens to the geometry, in this order, and to K:

    - roll by a random angle about the optical axis: the map K·R_z·K⁻¹, affine, which leaves depth and K as they are.
      Without K it turns about the middle of the image with square pixels.
    - resize to cover the target, by r: K becomes f·r.
    - zoom by s: depth is divided by s and the focal length stays (Eigen, Puhrsch and Fergus 2014, data augmentation).
    - crop of the target's size at a random place inside the picture (Eigen's translation).
    - flip left-right.

    The principal point moves with its pixel through all of them. Pixels from outside the source are black and unknown.
    The camera pose is dropped: a zoomed or mirrored picture belongs to no pose.
    """

    augment: AugmentConfig
    size: Size

    def __call__(self, sample: Sample | RawSample, rng: np.random.Generator) -> Sample:
        """Change one sample by the draws of ``rng``."""
        if self.augment.recipe == "none":
            return resize_sample(sample, self.size)
        raw = sample.to_raw() if isinstance(sample, Sample) else sample
        geometry = draw_geometry(self.augment, raw, self.size, rng)
        colour = draw_colour(self.augment, rng)
        picture = warp_image(raw.image, geometry, self.size)
        image = recolour(picture, colour)
        if colour.cutout:
            _cut_out(image, rng)
        depth = None
        if raw.depth is not None:
            depth = warp_depth(raw.depth, geometry.to_source, self.size)
            depth *= np.float32(1.0 / geometry.zoom)
            depth = depth[None]
        return Sample(
            image=image,
            depth=depth,
            valid=None if depth is None else depth > 0,
            K=geometry.K,
            name=raw.name,
            time_s=raw.time_s,
        )


def paste_rectangle(sample: Sample, other: Sample, rng: np.random.Generator) -> Sample:
    """Replace a random rectangle of a sample, image and depth, by the same rectangle of another of its size.

    What stands in the rectangle must then be judged by what is in it, not by the room around it.

    Args:
        sample: any sample; it is left as it was.
        other: a sample of the same size and, for metres to mean the same, the same focal length.
        rng: draws sides of 1/4 to 3/4 of the picture's, and the place.

    Raises:
        ShapeError: if the sizes differ.
        InputError: if only one of the two has depth.

    Source: Yun et al., CutMix, ICCV 2019, for dense targets.
    """
    if sample.image.shape != other.image.shape:
        raise ShapeError(f"{sample.name} {sample.image.shape} and {other.name} {other.image.shape} differ in size.")
    rows, columns = _draw_rectangle(sample.image.shape[1:], _PASTE_SIDE, rng)
    image = sample.image.copy()
    image[:, rows, columns] = other.image[:, rows, columns]
    if sample.depth is None and other.depth is None:
        return replace(sample, image=image)
    if sample.depth is None or other.depth is None:
        raise InputError(f"{sample.name} and {other.name}: only one has depth; give both or neither.")
    depth = sample.depth.copy()
    depth[:, rows, columns] = other.depth[:, rows, columns]
    return replace(sample, image=image, depth=depth, valid=depth > 0)


@dataclass(frozen=True)
class Geometry:
    """One drawn map: target corners → source corners (2×3), its zoom, its enlargement in all, and the new K.

    ``turn`` is what it does to the axes of the camera, p_new = turn p_old, (3, 3): the roll, then the flip of x.
    """

    to_source: NDArray[np.float64]
    zoom: float
    enlargement: float
    K: NDArray[np.float32] | None
    turn: NDArray[np.float64]


def draw_geometry(augment: AugmentConfig, raw: RawSample, size: Size, rng: np.random.Generator) -> Geometry:
    """Draw roll, zoom, crop and flip of one sample."""
    zoom = float(rng.uniform(*augment.scale))
    angle = math.radians(float(rng.uniform(-augment.rotation_deg, augment.rotation_deg)))
    shift_y, shift_x = (float(v) for v in rng.uniform(-0.5, 0.5, 2))
    flipped = bool(rng.random() < augment.flip)

    (source_height, source_width), (height, width) = raw.size, size
    cover = _cover_scale(raw.size, size)
    enlargement = cover * zoom
    window_height, window_width = height / enlargement, width / enlargement
    top = (source_height - window_height) * (0.5 + shift_y)
    left = (source_width - window_width) * (0.5 + shift_x)

    from_rolled = np.array(
        [[enlargement, 0.0, -left * enlargement], [0.0, enlargement, -top * enlargement], [0.0, 0.0, 1.0]]
    )
    K = None if raw.K is None else _window_intrinsics(raw.K, top, left, cover, zoom)
    if flipped:
        from_rolled = np.array([[-1.0, 0.0, width], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]) @ from_rolled
        K = None if K is None else flip_intrinsics(K, width)
    rotation = _rotation_about_z(angle)
    to_source = np.asarray(np.linalg.inv(from_rolled @ _roll(rotation, raw)), dtype=np.float64)
    return Geometry(to_source[:2], zoom, enlargement, K, np.diag([-1.0 if flipped else 1.0, 1.0, 1.0]) @ rotation)


def _rotation_about_z(angle: float) -> NDArray[np.float64]:
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def _roll(rotation: NDArray[np.float64], raw: RawSample) -> NDArray[np.float64]:
    """K·R_z·K⁻¹ in pixel corners, (3, 3): rotate the picture about the optical axis."""
    if raw.K is None:
        corners = np.array([[1.0, 0.0, raw.size[1] / 2], [0.0, 1.0, raw.size[0] / 2], [0.0, 0.0, 1.0]])
    else:
        corners = raw.K.astype(np.float64)
        corners[:2, 2] += 0.5
    return np.asarray(corners @ rotation @ np.linalg.inv(corners))


def _window_intrinsics(
    K: NDArray[np.float32], top: float, left: float, resize: float, zoom: float = 1.0
) -> NDArray[np.float32]:
    """K of the window that starts at the corner (left, top), resized and zoomed; the zoom keeps the focal length."""
    moved = scale_intrinsics(crop_intrinsics(K, top, left), resize * zoom, resize * zoom)
    moved[:2, :2] /= zoom
    return moved


def warp_image(pixels: NDArray[np.uint8], geometry: Geometry, size: Size) -> Image.Image:
    """Resample the image: an antialiased reduction when it gets coarser, then one bilinear affine map."""
    height, width = pixels.shape[:2]
    picture = Image.fromarray(pixels)
    to_source = geometry.to_source
    if geometry.enlargement < 1:
        reduced = max(1, round(height * geometry.enlargement)), max(1, round(width * geometry.enlargement))
        picture = picture.resize((reduced[1], reduced[0]), Image.Resampling.BILINEAR)
        to_source = to_source * np.array([[reduced[1] / width], [reduced[0] / height]])
    coefficients = tuple(to_source.ravel().tolist())
    return picture.transform((size[1], size[0]), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)


def warp_depth(depth: NDArray[np.float32], to_source: NDArray[np.float64], size: Size) -> NDArray[np.float32]:
    """Nearest depth at each target pixel, (H, W); 0 outside the source."""
    picture = Image.fromarray(np.ascontiguousarray(depth, dtype=np.float32))
    coefficients = tuple(to_source.ravel().tolist())
    moved = picture.transform((size[1], size[0]), Image.Transform.AFFINE, coefficients, Image.Resampling.NEAREST)
    return np.array(moved, dtype=np.float32)


@dataclass(frozen=True)
class Colour:
    """One drawn change of colour; 1 leaves as it is."""

    channels: NDArray[np.float64]
    gamma: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    cutout: bool = False


def draw_colour(augment: AugmentConfig, rng: np.random.Generator) -> Colour:
    """Draw the change of colour of one sample."""
    channels = rng.uniform(*augment.colour, 3)
    if augment.recipe == "eigen":
        return Colour(channels)
    brightness = rng.uniform(1 - augment.brightness, 1 + augment.brightness)
    contrast = rng.uniform(1 - augment.contrast, 1 + augment.contrast)
    saturation = rng.uniform(1 - augment.saturation, 1 + augment.saturation)
    gamma = math.exp(rng.uniform(-1.0, 1.0) * math.log1p(augment.gamma))
    chances = rng.random(3)
    return Colour(
        channels=channels * brightness,
        gamma=gamma,
        contrast=float(contrast) if chances[0] < _CONTRAST_CHANCE else 1.0,
        saturation=float(saturation) if chances[1] < _SATURATION_CHANCE else 1.0,
        cutout=bool(chances[2] < augment.cutout),
    )


def recolour(picture: Image.Image, colour: Colour) -> NDArray[np.float32]:
    """8-bit RGB to float (3, H, W) in [0, 1]: gamma, channels, contrast about the mean, saturation about grey."""
    table = (np.arange(256) / 255.0) ** colour.gamma * colour.channels[:, None]
    if colour.contrast != 1.0:
        counts = np.asarray(picture.histogram(), dtype=np.float64).reshape(3, 256)
        mean = float((counts * table).sum() / counts.sum())
        table = mean + (table - mean) * colour.contrast
    if colour.saturation == 1.0:
        table = np.clip(table, 0.0, 1.0)
    table = table.astype(np.float32)
    image = np.empty((3, picture.height, picture.width), dtype=np.float32)
    for values, band, out in zip(table, picture.split(), image):
        np.take(values, np.asarray(band), out=out, mode="clip")
    if colour.saturation != 1.0:
        grey = image[0] + image[1]
        grey += image[2]
        grey *= np.float32((1.0 - colour.saturation) / 3.0)
        image *= np.float32(colour.saturation)
        image += grey
        np.clip(image, 0.0, 1.0, out=image)
    return image


def _cut_out(image: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Replace a random rectangle of the image by uniform noise, in place."""
    rows, columns = _draw_rectangle(image.shape[1:], _CUTOUT_SIDE, rng)
    window = image[:, rows, columns]
    window[...] = rng.random(window.shape, dtype=np.float32)


def _draw_rectangle(size: tuple[int, ...], sides: tuple[float, float], rng: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of a random rectangle, its sides within ``sides`` of those of ``size`` (H, W)."""
    height, width = size
    shares = rng.uniform(*sides, 2)
    side_y, side_x = max(1, round(height * shares[0])), max(1, round(width * shares[1]))
    top, left = int(rng.integers(height - side_y + 1)), int(rng.integers(width - side_x + 1))
    return slice(top, top + side_y), slice(left, left + side_x)


def _cover_scale(source: Size, target: Size) -> float:
    """The smallest enlargement at which ``source`` covers ``target`` in both directions."""
    if min(source) < 1:
        raise InputError(f"image of size {source[0]}x{source[1]}: it has no pixels; remove it from the data.")
    return max(target[0] / source[0], target[1] / source[1])


def check_size(size: Size) -> Size:
    """A size of whole pixels, refused where it has none."""
    height, width = int(size[0]), int(size[1])
    if height < 1 or width < 1:
        raise ConfigError(f"size {height}x{width}: height and width must be at least 1; for example 240x320.")
    return height, width


def check_augment(augment: AugmentConfig) -> None:
    """Refuse ranges that cannot be used.

    Raises:
        ConfigError: naming the option and its rule.
    """
    if augment.recipe not in ("none", "eigen", "modern"):
        raise ConfigError(f"augment.recipe '{augment.recipe}': unknown; choose none, eigen or modern.")
    for key in ("scale", "colour"):
        low, high = getattr(augment, key)
        if not 0 < low <= high:
            raise ConfigError(f"augment.{key} {low} to {high}: expected 0 < low <= high; for example 0.8 1.2.")
    for key in ("flip", "cutout", "paste"):
        if not 0 <= getattr(augment, key) <= 1:
            raise ConfigError(f"augment.{key} {getattr(augment, key)}: a probability lies between 0 and 1.")
    for key in ("brightness", "contrast", "saturation", "right_colour"):
        if not 0 <= getattr(augment, key) <= 1:
            raise ConfigError(f"augment.{key} {getattr(augment, key)}: must lie between 0 and 1; 0 leaves it out.")
    if not augment.gamma >= 0:
        raise ConfigError(f"augment.gamma {augment.gamma}: must be at least 0; 0 leaves it out.")
    if not 0 <= augment.rotation_deg <= 180:
        raise ConfigError(f"augment.rotation_deg {augment.rotation_deg}: must lie between 0 and 180; 0 leaves it out.")
