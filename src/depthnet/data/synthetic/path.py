"""The way of a hand-held camera through a room.

The camera goes from one chosen view to the next, slowing down at each, and trembles a little all the time. A view is
chosen as people choose it: standing where there is room, at the height of the eyes or the chest, looking slightly
down, so that the picture is neither blocked by something near nor empty. Among several candidates the one is taken
whose depth is nearest to a wanted one, which is drawn like that of the pictures of NYU Depth v2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthnet.data.synthetic.render import render_depth
from depthnet.data.synthetic.room import Room
from depthnet.data.synthetic.scene import Floats, PackedScene

#: Mean of the logarithm of depth (metres) over a picture, and its standard deviation within a picture: mean and spread
#: of both over the 795 official training pictures of NYU Depth v2.
NYU_LOG_DEPTH, NYU_LOG_RANGE = (0.93, 0.29), (0.36, 0.13)
# Rooms limit both, so that more has to be wished for to get as much.
_WISHED_LOG_DEPTH, _WISHED_LOG_RANGE = (0.98, 0.4), (0.42, 0.15)
#: Nearest that a picture should show anything, metres: the sensors of indoor sets see nothing nearer.
_TOO_NEAR = 0.7
#: Distance of the camera from what stands as high as itself, and from lower things, metres.
_BESIDE, _ABOVE = 0.3, 0.12
_LOOK_SIZE = (12, 16)


@dataclass(frozen=True)
class View:
    """Where a camera stands and looks."""

    position: Floats
    """Metres, (3,)."""
    yaw_rad: float
    """Direction on the floor plan, from x towards y."""
    pitch_rad: float
    """Upwards positive."""

    def camera_to_world(self, roll_rad: float = 0.0) -> Floats:
        """Camera to world, (4, 4); the world has z up, the camera x right, y down, z forward."""
        cy, sy = math.cos(self.yaw_rad), math.sin(self.yaw_rad)
        cp, sp = math.cos(self.pitch_rad), math.sin(self.pitch_rad)
        forward = np.array([cy * cp, sy * cp, sp])
        level = np.array([sy, -cy, 0.0])
        down = np.cross(forward, level)
        cr, sr = math.cos(roll_rad), math.sin(roll_rad)
        matrix = np.eye(4)
        matrix[:3, :3] = np.stack([cr * level + sr * down, cr * down - sr * level, forward], axis=1)
        matrix[:3, 3] = self.position
        return matrix


def clearance(room: Room, position: Floats) -> float:
    """How far a point is from walls and from furniture that reaches up to it, beyond what a camera needs.

    Returns:
        Metres; negative where a camera should not be.
    """
    x, y, z = position
    region = max(room.regions, key=lambda one: _inside(one.low, one.high, x, y))
    margin = _inside(region.low, region.high, x, y) - 0.2
    tops = room.obstacles[:, 1, 2]
    beside = (room.obstacles[:, 0, 2] < z + 0.15) & (tops > 0.35)
    if beside.any():
        boxes = room.obstacles[beside]
        outside = np.maximum(np.maximum(boxes[:, 0, :2] - (x, y), (x, y) - boxes[:, 1, :2]), 0.0)
        needed = np.where(boxes[:, 1, 2] > z - 0.3, _BESIDE, _ABOVE)
        margin = min(margin, float((np.hypot(outside[:, 0], outside[:, 1]) - needed).min()))
    return margin


def _inside(low: tuple[float, float], high: tuple[float, float], x: float, y: float) -> float:
    return min(x - low[0], high[0] - x, y - low[1], high[1] - y)


class Walk:
    """A camera's way through a room, as a smooth function of time."""

    def __init__(
        self, room: Room, scene: PackedScene, seed: int, number: int, K: Floats, size: tuple[int, int]
    ) -> None:
        """Prepare a walk; views are chosen when they are first needed, each by its own random numbers.

        Args:
            room: the room.
            scene: its scene, packed.
            seed: seed of the set.
            number: number of the room.
            K: intrinsics in pixels of ``size``, (3, 3).
            size: (H, W) of the pictures.
        """
        self.room, self.scene = room, scene
        self._seed = (seed, number)
        # A glance has few pixels, and the field of view of the pictures.
        self._K = np.diag([_LOOK_SIZE[1] / size[1], _LOOK_SIZE[0] / size[0], 1.0]) @ K
        rng = np.random.default_rng([seed, number, 2])
        self._wanted, self._range = rng.normal(*_WISHED_LOG_DEPTH), rng.normal(*_WISHED_LOG_RANGE)
        self._eye = rng.uniform(1.05, 1.7)
        self._tremble = rng.uniform(0.3, 1.0, (5, 3)) * np.array([0.004, 0.004, 0.004, 0.006, 0.006])[:, None]
        self._rates = rng.uniform((0.5, 1.2, 3.0), (1.2, 3.0, 7.0), (5, 3)) * 2 * math.pi
        self._phases = rng.uniform(0, 2 * math.pi, (5, 3))
        self._roll = rng.normal(0, 0.025)
        self._views: list[View] = []

    def view(self, number: int) -> View:
        """The chosen view ``number``, counted from 0."""
        while len(self._views) <= number:
            self._views.append(self._choose(len(self._views)))
        return self._views[number]

    def pose(self, moment: float) -> Floats:
        """Camera to world at a moment, (4, 4).

        Args:
            moment: 0 at view 0, 1 at view 1, and so on; at least 0.
        """
        number = math.floor(moment)
        share = moment - number
        first = self.view(number)
        ease = share * share * (3.0 - 2.0 * share)
        position, yaw, pitch = first.position, first.yaw_rad, first.pitch_rad
        if share > 0:
            last = self.view(number + 1)
            position = position + ease * (last.position - position)
            yaw = yaw + ease * math.remainder(last.yaw_rad - yaw, 2 * math.pi)
            pitch = pitch + ease * (last.pitch_rad - pitch)
        shake = (self._tremble * np.sin(self._rates * moment * SECONDS_PER_VIEW + self._phases)).sum(axis=1)
        shaken = View(position + shake[:3], yaw + float(shake[3]), pitch + float(shake[4]))
        return shaken.camera_to_world(self._roll + 0.5 * float(shake[3]))

    def _choose(self, number: int) -> View:
        """The best of several places and directions; the way there from the view before is free."""
        rng = np.random.default_rng([*self._seed, 3, number])
        before = self._views[number - 1] if number else None
        best, lowest = before, math.inf
        for _ in range(_CANDIDATES):
            position = self._stand(rng, before)
            if position is None:
                continue
            view = self._look(rng, position, before)
            cost = self._cost(view)
            if cost < lowest:
                best, lowest = view, cost
        if best is None:
            best = View(self._anywhere(rng), float(rng.uniform(0, 2 * math.pi)), -0.2)
        return best

    def _stand(self, rng: np.random.Generator, before: View | None) -> Floats | None:
        """A free place; one that can be reached in a straight line from the view before."""
        region = self.room.regions[0] if rng.random() < 0.85 else self.room.regions[-1]
        for _ in range(30):
            height = min(float(np.clip(self._eye + rng.normal(0, 0.06), 0.9, 1.8)), region.ceiling - 0.3)
            if before is None:
                x, y = (rng.uniform(a + 0.2, b - 0.2) for a, b in zip(region.low, region.high, strict=True))
            else:
                x, y = before.position[:2] + rng.normal(0, 0.6, 2)
            position = np.array([x, y, height])
            if clearance(self.room, position) < 0:
                continue
            if before is None or all(
                clearance(self.room, before.position + share * (position - before.position)) > -0.1
                for share in np.linspace(0.1, 0.9, 7)
            ):
                return position
        return None

    def _look(self, rng: np.random.Generator, position: Floats, before: View | None) -> View:
        """A direction: at first to anywhere in the room, later not too far from the last one."""
        (x0, y0), (x1, y1) = self.room.regions[0].low, self.room.regions[0].high
        target = np.array([rng.uniform(x0, x1), rng.uniform(y0, y1)]) - position[:2]
        yaw = math.atan2(target[1], target[0])
        if before is not None:
            yaw = before.yaw_rad + float(rng.normal(0, 0.7))
        return View(position, yaw, float(np.clip(rng.normal(-0.22, 0.16), -0.8, 0.25)))

    def _cost(self, view: View) -> float:
        depth = render_depth(self.scene, self._K, view.camera_to_world(), _LOOK_SIZE)
        logs = np.log(depth)
        miss = abs(float(logs.mean()) - self._wanted) + abs(float(logs.std()) - self._range)
        return miss + 4.0 * max(0.0, _TOO_NEAR - float(np.quantile(depth, 0.03)))

    def _anywhere(self, rng: np.random.Generator) -> Floats:
        """The freest of many places, for rooms that are too full to stand in."""
        region = self.room.regions[0]
        places = rng.uniform((*region.low, 1.2), (*region.high, region.ceiling - 0.25), (200, 3))
        return max(places, key=lambda place: clearance(self.room, place))


#: Time from one chosen view to the next, seconds.
SECONDS_PER_VIEW = 3.0
#: Places and directions that are compared for each view.
_CANDIDATES = 12


def nyu_like_intrinsics(size: tuple[int, int], focal_640_px: float = 518.86) -> NDArray[np.float64]:
    """Intrinsics of a camera like that of NYU Depth v2, its axis in the middle of the picture.

    Args:
        size: (H, W).
        focal_640_px: focal length in pixels of a picture 640 wide.

    Returns:
        K, (3, 3).
    """
    height, width = size
    focal = focal_640_px * width / 640.0
    return np.array([[focal, 0.0, (width - 1) / 2], [0.0, focal, (height - 1) / 2], [0.0, 0.0, 1.0]])
