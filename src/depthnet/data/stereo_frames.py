"""Stereo pairs as a data set of frames with depth, and the joint random change of both pictures.

``StereoFrames`` makes of pairs what the rest of depthnet reads: the left pictures with their depth, where it is known.
Its raw frames bring the right picture along, so that caches, selections and held-out frames work on pairs too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthnet.config import AugmentConfig
from depthnet.data.samples import DepthDataset, RawSample
from depthnet.data.stereo import StereoDataset, StereoSample, open_stereo
from depthnet.data.transforms import (
    Size,
    check_augment,
    check_size,
    draw_colour,
    draw_geometry,
    recolour,
    resize_sample,
    warp_image,
)
from depthnet.errors import ConfigError
from depthnet.geometry.camera import crop_intrinsics, flip_intrinsics

StereoTransform = Callable[["RawPair", np.random.Generator], StereoSample]


@dataclass
class RawPair(RawSample):
    """A left frame with its right picture of the same size."""

    right: NDArray[np.uint8] | None = None
    """RGB, (H, W, 3); there in every pair that `StereoFrames` reads."""
    baseline_m: float = 0.0
    """Distance of the right camera, metres."""
    doffs: float = 0.0
    """cx of the right camera minus cx of the left one, pixels."""

    @property
    def nbytes(self) -> int:
        """Memory of the pixels, bytes."""
        return super().nbytes + (0 if self.right is None else self.right.nbytes)


class StereoFrames(DepthDataset):
    """Left pictures of stereo pairs, with depth where the pairs have it."""

    def __init__(self, pairs: StereoDataset) -> None:
        self.pairs = pairs
        self.name, self.format, self.names = pairs.name, pairs.format, pairs.names
        self.splits, self.guards = pairs.splits, pairs.guards

    def read_raw(self, index: int) -> RawPair:
        """Decode pair ``index``."""
        sample = self.pairs[index]
        depth = sample.depth
        return RawPair(
            image=_to_pixels(sample.left),
            depth=None if depth is None else depth[0],
            K=sample.K,
            name=sample.name,
            right=_to_pixels(sample.right),
            baseline_m=sample.baseline_m,
            doffs=sample.doffs,
        )


def open_stereo_frames(path: str | Path, split: str | None = None, format: str | None = None) -> StereoFrames:
    """Open pairs of any layout that `depthnet.data.stereo.open_stereo` knows as frames with depth.

    Raises:
        InputError: as `open_stereo`.
    """
    return StereoFrames(open_stereo(path, split, format))


def build_stereo_transform(augment: AugmentConfig, size: Size) -> StereoTransform:
    """The random change of one training pair.

    Args:
        augment: recipe and ranges; rotation, cut-outs and paste are left out.
        size: (H, W) of the results.

    Returns:
        A function of (pair, generator), the only source of chance. It can be pickled.

    Raises:
        ConfigError: if a range of ``augment`` cannot be used; zooming out would match black with black.
    """
    check_augment(augment)
    if augment.scale[0] < 1:
        raise ConfigError(f"augment.scale {augment.scale[0]:g}: pairs are not zoomed out; expected 1 or more.")
    return PairTransform(replace(augment, rotation_deg=0.0, cutout=0.0), check_size(size))


@dataclass(frozen=True)
class PairTransform:
    """Random flip, zoom, crop and colour of one pair; see `build_stereo_transform`.

    - flip: both pictures are mirrored and change places, so that matches lie further left in the right picture as ever;
      the disparity of the new left picture is not known.
    - resize to cover the target, zoom and crop, by one map for both pictures, so that rows stay rows and a disparity
      grows as the picture does. K keeps its focal length in the zoom, as `depthnet.data.transforms.TrainTransform`
      says: f·b / disparity is then the depth of the nearer camera that the zoom stands for.
    - colour: the same for both, then, for the right one alone, factors within ``right_colour``.
    """

    augment: AugmentConfig
    size: Size

    def __call__(self, pair: RawPair, rng: np.random.Generator) -> StereoSample:
        """Change one pair by the draws of ``rng``; the result has no disparity."""
        assert pair.right is not None
        assert pair.K is not None
        left, right, K = pair.image, pair.right, pair.K
        if self.augment.recipe == "none":
            small = resize_sample(RawSample(image=left, K=K), self.size)
            other = resize_sample(RawSample(image=right), self.size)
            assert small.K is not None
            doffs = pair.doffs * float(small.K[0, 0] / K[0, 0])
            return StereoSample(small.image, other.image, small.K, pair.baseline_m, doffs=doffs, name=pair.name)
        if rng.random() < self.augment.flip:
            left, right = (np.ascontiguousarray(side[:, ::-1]) for side in (right, left))
            K = flip_intrinsics(crop_intrinsics(K, 0.0, -pair.doffs), left.shape[1])
        unflipped = replace(self.augment, flip=0.0)
        geometry = draw_geometry(unflipped, RawSample(image=left, K=K), self.size, rng)
        colour = draw_colour(unflipped, rng)
        left_image = recolour(warp_image(left, geometry, self.size), colour)
        side = self.augment.right_colour
        own = replace(colour, channels=colour.channels * rng.uniform(1 - side, 1 + side, 3))
        right_image = recolour(warp_image(right, geometry, self.size), own)
        assert geometry.K is not None
        doffs = pair.doffs * geometry.enlargement
        return StereoSample(left_image, right_image, geometry.K, pair.baseline_m, doffs=doffs, name=pair.name)


def _to_pixels(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """8-bit RGB (H, W, 3) of (3, H, W) in [0, 1] that came from 8 bits."""
    return np.ascontiguousarray(np.rint(image * np.float32(255.0)).astype(np.uint8).transpose(1, 2, 0))
