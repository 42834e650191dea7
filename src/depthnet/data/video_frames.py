"""Frames of videos with their neighbours in time, and the joint random change of a target and its sources.

``VideoFrames`` makes of a data set of video the frames that can be targets: those with a source at one of the wanted
distances, within their video. A motion that is learned is that of the pictures after the change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from depthnet.config import AugmentConfig
from depthnet.data.samples import DepthDataset, RawSample
from depthnet.data.transforms import (
    Size,
    check_augment,
    check_size,
    draw_colour,
    draw_geometry,
    recolour,
    resize_sample,
    warp_depth,
    warp_image,
)
from depthnet.errors import ConfigError, InputError, ShapeError
from depthnet.geometry.se3 import invert_transform

Matrix = NDArray[np.float64]
ClipTransform = Callable[[RawSample, Sequence[RawSample], np.random.Generator], "Clip"]


@dataclass
class Clip:
    """A target frame and S sources of the same camera, as they are trained on."""

    image: NDArray[np.float32]
    """The target, RGB in [0, 1], (3, H, W)."""
    sources: NDArray[np.float32]
    """RGB in [0, 1], (S, 3, H, W)."""
    K: NDArray[np.float32]
    """Intrinsics of all of them, pixels, (3, 3)."""
    depth: NDArray[np.float32] | None
    """z-depth of the target in metres, (1, H, W); 0 where unknown."""
    T_tgt_src: Matrix | None
    """Motion to each source, (S, 4, 4), where all poses are known."""
    zoom: float
    """How much longer the focal length is than that of the video's pictures at this size."""
    name: str
    """Name of the target."""


class VideoFrames(DepthDataset):
    """The frames of videos that have sources.

    Args:
        dataset: any data set of video, or a part of one.
        gap: smallest and largest number of frames between target and source.
        both: a source on each side, at the same distance; else one on either side.
        posed: leave frames without a pose out.

    Raises:
        ConfigError: if the range of the gap cannot be.
    """

    def __init__(self, dataset: DepthDataset, gap: tuple[int, int], both: bool = False, posed: bool = False) -> None:
        if not 1 <= gap[0] <= gap[1]:
            raise ConfigError(f"pose.gap {gap[0]} {gap[1]}: expected 1 <= smallest <= largest; for example 1 3.")
        self.dataset, self.gap, self.both = dataset, gap, both
        self.name, self.format = dataset.name, dataset.format
        self.default_protocol, self.splits, self.guards = dataset.default_protocol, dataset.splits, dataset.guards
        self._places = dataset.places()
        usable = [not posed or dataset.read_pose(position)[0] is not None for position in range(len(dataset))]
        self._at = {place: position for position, place in enumerate(self._places) if usable[position]}
        self._targets = [position for position in self._at.values() if self._choices(position)]
        self.names = [dataset.names[position] for position in self._targets]

    def _choices(self, target: int) -> list[tuple[int, ...]]:
        """The sources that a target may have, as positions in the data set."""
        video, number = self._places[target]
        steps = range(self.gap[0], self.gap[1] + 1)
        wanted = (
            [(-step, step) for step in steps] if self.both else [(sign * step,) for step in steps for sign in (-1, 1)]
        )
        found = [tuple(self._at.get((video, number + step), -1) for step in one) for one in wanted]
        return [one for one in found if min(one) >= 0]

    def read_raw(self, index: int) -> RawSample:
        """Decode target ``index``."""
        return self.dataset.read_raw(self._targets[index])

    def read_depth(self, index: int) -> NDArray[np.float32] | None:
        """Depth of target ``index``."""
        return self.dataset.read_depth(self._targets[index])

    def read_pose(self, index: int) -> tuple[Matrix | None, float | None]:
        """Pose and time of target ``index``."""
        return self.dataset.read_pose(self._targets[index])

    def places(self) -> list[tuple[str, int]]:
        """Video of each target and its number within it."""
        return [self._places[position] for position in self._targets]

    def draw_clip(self, index: int, rng: np.random.Generator) -> tuple[RawSample, list[RawSample]]:
        """Target ``index`` and, of the sources that it may have, those that ``rng`` draws."""
        choices = self._choices(self._targets[index])
        chosen = choices[int(rng.integers(len(choices)))]
        return self.read_raw(index), [self.dataset.read_raw(position) for position in chosen]


def relative_motion(target: RawSample, source: RawSample) -> Matrix | None:
    """T_tgt_src of two frames of a video, (4, 4), where both poses are known."""
    if target.T_world_cam is None or source.T_world_cam is None:
        return None
    motion: Matrix = invert_transform(target.T_world_cam) @ source.T_world_cam
    return motion


def turn_motion(T_tgt_src: Matrix, turn: Matrix) -> Matrix:
    """The motion between pictures whose axes were turned, p_new = turn p_old, both alike.

    p_tgt = R p_src + t becomes turn p_tgt = (turn R turnᵀ) turn p_src + turn t. ``turn`` may mirror: then the rotation
    is conjugated by a reflection and stays a rotation. Of a left-right flip, diag(-1, 1, 1), that changes the signs of
    t_x and of the rotation about y and z.

    Args:
        T_tgt_src: (4, 4).
        turn: orthogonal, (3, 3).
    """
    motion = T_tgt_src.copy()
    motion[:3, :3] = turn @ T_tgt_src[:3, :3] @ turn.T
    motion[:3, 3] = turn @ T_tgt_src[:3, 3]
    return motion


def build_clip_transform(augment: AugmentConfig, size: Size) -> ClipTransform:
    """The random change of a target and its sources.

    Args:
        augment: recipe and ranges; cut-outs and paste are left out.
        size: (H, W) of the results.

    Returns:
        A function of (target, sources, generator), the only source of chance. It can be pickled.

    Raises:
        ConfigError: if a range of ``augment`` cannot be used; zooming out would match black with black.
    """
    check_augment(augment)
    if augment.scale[0] < 1:
        raise ConfigError(f"augment.scale {augment.scale[0]:g}: frames of a video are not zoomed out; take 1 or more.")
    return ClipChange(augment, check_size(size))


@dataclass(frozen=True)
class ClipChange:
    """Random roll, zoom, crop, flip and colour of a clip; see `build_clip_transform`.

    One map changes all pictures and the depth of the target. A zoom is a longer focal length here, and depth and motion
    stay: depth ÷ s with the focal length kept (Eigen's rule) would leave no rigid motion between the frames. Roll and
    flip turn the axes of all cameras alike, and the motion with them (`turn_motion`). Colours change for all alike;
    then, for each source alone, by factors within ``right_colour``.
    """

    augment: AugmentConfig
    size: Size

    def __call__(self, target: RawSample, sources: Sequence[RawSample], rng: np.random.Generator) -> Clip:
        """Change one clip by the draws of ``rng``."""
        _check_clip(target, sources)
        motions = [relative_motion(target, source) for source in sources]
        if self.augment.recipe == "none":
            small = resize_sample(target, self.size)
            pictures = [resize_sample(replace(source, depth=None), self.size).image for source in sources]
            assert small.K is not None
            return Clip(small.image, np.stack(pictures), small.K, small.depth, _stack(motions), 1.0, target.name)
        geometry = draw_geometry(self.augment, target, self.size, rng)
        colour = draw_colour(self.augment, rng)
        pictures = []
        for source in sources:
            side = rng.uniform(1 - self.augment.right_colour, 1 + self.augment.right_colour, 3)
            own = replace(colour, channels=colour.channels * side)
            pictures.append(recolour(warp_image(source.image, geometry, self.size), own))
        image = recolour(warp_image(target.image, geometry, self.size), colour)
        depth = None if target.depth is None else warp_depth(target.depth, geometry.to_source, self.size)[None]
        assert geometry.K is not None
        K = geometry.K.copy()
        K[:2, :2] *= geometry.zoom
        turned = [None if motion is None else turn_motion(motion, geometry.turn) for motion in motions]
        return Clip(image, np.stack(pictures), K, depth, _stack(turned), geometry.zoom, target.name)


def _stack(motions: Sequence[Matrix | None]) -> Matrix | None:
    known = [motion for motion in motions if motion is not None]
    return np.stack(known) if len(known) == len(motions) else None


def _check_clip(target: RawSample, sources: Sequence[RawSample]) -> None:
    if target.K is None:
        raise InputError(
            f"{target.name}: has no intrinsics, and a motion is seen through a camera. Add them to the data: "
            "K.txt of a sequence folder, or intrinsics.txt with one line: fx fy cx cy width height."
        )
    for source in sources:
        if source.size != target.size:
            raise ShapeError(f"{target.name} {target.size} and {source.name} {source.size} differ in size; resize one.")
