"""Rooms made from a seed as a tree that trains: exact depth, cameras and stereo pairs, without any download.

A scene is a room, a frame a moment on the way of a hand-held camera through it. Every frame depends on the options, its
room and its number alone.

Cost for 240 by 320 on one CPU core: about 0.3 s a frame with shadows and 0.15 s without, twice that with a right
picture, and 0.2 s a room.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import ConfigError, InputError
from depthnet.geometry.camera import focal_from_fov
from depthnet.prepare.source import DroppedFrame, PreparedFrame

if TYPE_CHECKING:
    from depthnet.data.synthetic import Exposure, PackedScene

#: Focal length of NYU Depth v2, pixels of a picture 640 wide.
_NYU_FOCAL_640_PX = 518.86
_NAME_DIGITS = 6


@dataclass(frozen=True)
class SyntheticOptions:
    """Which rooms are made, and how they are photographed."""

    rooms: int = 100
    """Rooms; more rooms of the same seed leave the first ones as they are."""
    frames: int = 4
    """Pictures of each room."""
    size: tuple[int, int] = (240, 320)
    """Height and width of the pictures."""
    focal_px: float | None = None
    """Focal length in pixels; by default that of NYU Depth v2, 518.86 for pictures 640 wide."""
    fov_deg: float | None = None
    """Horizontal field of view, degrees, in place of the focal length."""
    baseline_m: float | None = None
    """Also take the right picture of a stereo pair, so many metres to the right; not set: none."""
    step_s: float = 3.0
    """Time between two pictures of a room, seconds: 3 shows another view each time, 0.0333 makes a video."""
    steady_exposure: bool = False
    """All pictures of a room are exposed like its first, as in a video; else each has a brightness, white balance,
    contrast and noise of its own."""
    shadows: bool = True
    """Soft shadows; without them a picture takes less than half the time."""
    noise: float = 0.02
    """Strength of the sensor's noise, share of white; 0 is none."""
    blur_px: float = 0.6
    """Blur of the lens, pixels; 0 is none."""
    seed: int = 0
    """Seed of the rooms: another one gives other rooms."""
    device: str = "cpu"
    """cpu computes with NumPy; any other, for example cuda, with PyTorch there (its pixels differ in the last bits)."""

    def __post_init__(self) -> None:
        for name, value, least in (("rooms", self.rooms, 1), ("frames", self.frames, 1), ("seed", self.seed, 0)):
            if value < least:
                raise ConfigError(f"{name} {value}: it must be at least {least}.")
        if self.rooms > 10**_NAME_DIGITS:
            raise ConfigError(f"rooms {self.rooms}: at most {10**_NAME_DIGITS}; take another seed for more.")
        if min(self.size) < 16:
            raise ConfigError(f"size {self.size[0]} {self.size[1]}: height and width must be at least 16 pixels.")
        if self.focal_px is not None and self.fov_deg is not None:
            raise ConfigError(f"focal_px {self.focal_px:g} and fov_deg {self.fov_deg:g}: give one of the two.")
        for name, number in (("focal_px", self.focal_px), ("baseline_m", self.baseline_m), ("step_s", self.step_s)):
            if number is not None and not 0 < number < float("inf"):
                raise ConfigError(f"{name} {number:g}: it must be positive.")
        if self.fov_deg is not None and not 1 <= self.fov_deg <= 150:
            raise ConfigError(f"fov_deg {self.fov_deg:g}: a flat picture shows between 1 and 150 degrees.")
        if self.baseline_m is not None and self.baseline_m > _MOST_BASELINE:
            raise ConfigError(f"baseline_m {self.baseline_m:g}: rooms have space for at most {_MOST_BASELINE:g} m.")
        if self.noise < 0 or self.blur_px < 0:
            raise ConfigError(f"noise {self.noise:g}, blur_px {self.blur_px:g}: neither can be negative.")


#: A camera keeps this distance from walls, metres, so that the right one is still inside the room.
_MOST_BASELINE = 0.2


class SyntheticSource:
    """Rooms of a seed; can be pickled."""

    name = "synthetic"
    #: A tree may be given more rooms.
    scene_options = ("rooms",)

    def __init__(self, options: SyntheticOptions | None = None) -> None:
        """Note the options; nothing is built.

        Args:
            options: what to make; the defaults when None.
        """
        self.options = options or SyntheticOptions()

    def scenes(self) -> list[str]:
        """``room_000000`` and on."""
        return [f"room_{number:0{_NAME_DIGITS}d}" for number in range(self.options.rooms)]

    def count_frames(self, scene: str) -> int:
        """Pictures of a room."""
        return self.options.frames

    @cached_property
    def intrinsics(self) -> NDArray[np.float64]:
        """K of every picture, (3, 3): square pixels, the axis in the middle."""
        height, width = self.options.size
        focal = self.options.focal_px or _NYU_FOCAL_640_PX * width / 640.0
        if self.options.fov_deg is not None:
            focal = focal_from_fov(self.options.fov_deg, width)
        return np.array([[focal, 0.0, (width - 1) / 2], [0.0, focal, (height - 1) / 2], [0.0, 0.0, 1.0]])

    def frames(self, scene: str) -> Iterator[PreparedFrame | DroppedFrame]:
        """Take the pictures of one room.

        Raises:
            InputError: if there is no such room.
            MissingTierError: if a device is asked for and PyTorch is not installed.
        """
        from depthnet.data.synthetic import SECONDS_PER_VIEW, Walk, build_room, pack_scene

        options, number = self.options, self._number(scene)
        room = build_room(options.seed, number)
        packed = pack_scene(room.scene)
        walk = Walk(room, packed, options.seed, number, self.intrinsics, options.size)
        where = packed if options.device == "cpu" else packed.on(options.device)
        kept = None
        for frame in range(options.frames):
            T_world_cam = walk.pose(frame * options.step_s / SECONDS_PER_VIEW)
            picture, exposure = self._picture(where, T_world_cam, number, frame, kept)
            kept = exposure if options.steady_exposure else None
            yield picture

    def _picture(
        self, scene: PackedScene, T_world_cam: NDArray[np.float64], number: int, frame: int, kept: Exposure | None
    ) -> tuple[PreparedFrame, Exposure]:
        """A picture and its exposure; ``kept`` is that of an earlier one, to be used again."""
        from depthnet.data.synthetic import develop, meter, render

        options, K = self.options, self.intrinsics
        rng = np.random.default_rng([options.seed, number, 4, frame])
        left = render(scene, K, T_world_cam, options.size, options.shadows)
        # Both cameras of a stereo pair are exposed alike.
        metered = meter(left.light, rng, options.noise, options.blur_px)
        exposure = kept or metered
        right = None
        if options.baseline_m is not None:
            beside = np.eye(4)
            beside[0, 3] = options.baseline_m
            other = render(scene, K, T_world_cam @ beside, options.size, options.shadows)
            right = develop(other.light, exposure, np.random.default_rng([options.seed, number, 5, frame]))
        picture = PreparedFrame(
            name=f"{frame:0{_NAME_DIGITS}d}",
            image=develop(left.light, exposure, rng),
            depth=left.depth,
            K=K,
            time_s=frame * options.step_s,
            T_world_cam=T_world_cam,
            right=right,
            baseline_m=options.baseline_m,
        )
        return picture, exposure

    def _number(self, scene: str) -> int:
        digits = scene.removeprefix("room_")
        if scene == digits or not digits.isdecimal() or int(digits) >= self.options.rooms:
            raise InputError(f"scene '{scene}': rooms are called room_000000 to {self.scenes()[-1]}; choose one.")
        return int(digits)
