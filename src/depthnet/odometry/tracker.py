"""A camera that is followed frame by frame: keyframes, starts, confidence, and what happens when the view is lost.

A frame is aligned against two keyframes at once where two see the same: the newest or best, and another one, so that a
camera that comes back is held by what was seen there before. Whether an alignment is believed is measured against this
camera's own history (how well frames usually fit) and against what its equations say about their certainty; a frame
that is not believed is lost: it gets no pose, and the next one is looked for around the last pose, around every
keyframe, and in other directions.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import InputError, ShapeError
from depthnet.geometry.se3 import invert_transform
from depthnet.geometry.so3 import quat_xyzw_to_rotation, rotation_to_quat_xyzw, so3_exp
from depthnet.odometry.align import Alignment, DirectAligner, Reference
from depthnet.odometry.pyramid import Pyramid, build_pyramid

Matrix = NDArray[np.float64]

#: Keyframes that are remembered.
MOST_KEYFRAMES = 40
#: Keyframes that a frame is aligned against.
REFERENCES = 2
#: A keyframe tells enough while it says about each direction of motion half as much as about its first frame.
LEAST_INFORMATION = 0.5
#: A frame is believed while it fits half as well as frames usually do: 5 / 7 of a perfect fit (Student-t, freedom 5,
#: two residuals) is what noise alone leaves.
LEAST_FIT = 0.5 * 5 / 7
#: Largest standard deviation of the least certain direction, pixels of the finest level, if pixels were independent.
MOST_DEVIATION_PX = 0.1
#: Share of the references' pixels that must be seen.
LEAST_SEEN = 0.2
#: Frames over which "usually" is measured.
_HISTORY = 50
#: A step of time this many times the usual one is a gap: the motion before it says nothing about the one over it.
_GAP = 3.0
#: Directions in which a lost camera is looked for: turns right and down, as shares of the field of view.
_TURNS = tuple((x, y) for x in (0.0, -0.25, 0.25, -0.5, 0.5) for y in (0.0, -0.25, 0.25) if (x, y) != (0.0, 0.0))


@dataclass(frozen=True)
class TrackedFrame:
    """What is known about the camera at one frame."""

    T_world_cam: Matrix | None
    """Camera to world, (4, 4), the first frame being the world; None where the camera is lost."""
    confidence: float
    """0 to 1: how well the frame fits, how much of the references it sees, how certain its equations are; 0 if lost."""
    keyframe: int
    """Number of the frame that it was aligned against, the best one; its own where it became a keyframe."""
    time_s: float | None
    """Time of the frame, seconds."""
    is_keyframe: bool = False
    """Whether later frames may be aligned against it."""
    reason: str = ""
    """Why the camera is lost; empty where it is not."""


@dataclass
class _Keyframe:
    number: int
    reference: Reference
    first_information: float | None = None


@dataclass
class _History:
    """What is usual for this camera."""

    scales: deque[Matrix] = field(default_factory=lambda: deque(maxlen=_HISTORY))
    steps_s: deque[float] = field(default_factory=lambda: deque(maxlen=_HISTORY))

    def usual_scales(self, frame: Pyramid) -> Matrix:
        """Median scales of the residuals; at the beginning half of the contrast of the frame."""
        if self.scales:
            middle: Matrix = np.median(np.array(self.scales), axis=0)
            return middle
        level = frame.levels[-1]
        known = level.inverse[level.inverse > 0]
        return np.array(
            [max(float(level.image.std()) / 2, 1.0), max(float(known.std()) / 2 if known.size else 0, 1e-3)]
        )


class DirectTracker:
    """Follows an RGB-D camera, frame by frame.

    Args:
        threads: threads that share the pixels of a frame; results do not depend on it.
        free_scale: depth was guessed by a network, so that its scale flickers from frame to frame.
    """

    def __init__(self, threads: int = 1, free_scale: bool = False) -> None:
        self._aligner = DirectAligner(threads, free_scale)
        self._keyframes: deque[_Keyframe] = deque(maxlen=MOST_KEYFRAMES)
        self._history = _History()
        self._number = -1
        self._size: tuple[int, ...] | None = None
        self._pose: Matrix = np.eye(4)
        self._velocity: Matrix | None = None
        self._time_s: float | None = None
        self._is_lost = False

    def track(
        self, image: NDArray[np.uint8], depth: NDArray[np.floating[Any]] | None, K: NDArray[Any],
        time_s: float | None = None,
    ) -> TrackedFrame:  # fmt: skip
        """Find the pose of the next frame.

        Args:
            image: RGB, (H, W, 3) uint8; every frame of one size.
            depth: metres, (H, W); 0 or not finite where unknown; None where the frame has none.
            K: intrinsics in pixels of this size, (3, 3).
            time_s: seconds; later than the frame before.

        Returns:
            Its pose, or why there is none. The first frame with depth is the world.

        Raises:
            ShapeError: if a shape differs, or from the frame before.
            InputError: if K is no camera of pictures of this size.
        """
        self._number += 1
        depth = self._check(image, depth, K)
        if time_s is not None and self._time_s is not None and not time_s > self._time_s:
            return self._lost(time_s, f"its time {time_s:.6f} s is not after {self._time_s:.6f} s")
        if depth is None:
            return self._lost(time_s, "it has no depth")
        frame = build_pyramid(image, depth, K)
        if np.count_nonzero(frame.levels[0].inverse) < frame.levels[0].image.size // 100:
            return self._lost(time_s, "it has depth at less than 1 % of its pixels")
        if not self._keyframes:
            return self._begin(frame, time_s)
        return self._follow(frame, time_s)

    def skip(self, reason: str, time_s: float | None = None) -> TrackedFrame:
        """Count a frame that cannot be tracked, for example because its file is damaged.

        Args:
            reason: why.
            time_s: seconds.
        """
        self._number += 1
        return self._lost(time_s, reason)

    def _check(self, image: NDArray[Any], depth: NDArray[Any] | None, K: NDArray[Any]) -> NDArray[np.float32] | None:
        check_camera(K, image.shape[:2])
        if self._size is not None and image.shape != self._size:
            raise ShapeError(f"frame {self._number}: image {image.shape}; the first was {self._size}: resize it.")
        self._size = image.shape
        if depth is None:
            return None
        if depth.shape != image.shape[:2]:
            raise ShapeError(f"frame {self._number}: depth {depth.shape}, image {image.shape}; expected one size.")
        depth = np.ascontiguousarray(depth, np.float32)
        return depth if np.isfinite(depth).all() else np.where(np.isfinite(depth), depth, np.float32(0.0))

    def _begin(self, frame: Pyramid, time_s: float | None) -> TrackedFrame:
        self._time_s = time_s
        self._add_keyframe(frame, np.eye(4))
        return TrackedFrame(np.eye(4), 1.0, self._number, time_s, is_keyframe=True)

    def _follow(self, frame: Pyramid, time_s: float | None) -> TrackedFrame:
        usual = self._history.usual_scales(frame)
        found = self._track_near(frame, usual, self._starts(time_s)) or self._search(frame, usual)
        if found is None:
            return self._lost(
                time_s, "it fits no keyframe: blurred, covered, too far from the last frame, or K is wrong"
            )
        keyframes, alignment, confidence = found
        pose = _rigid(alignment.T_world_cam)
        self._velocity = None if self._is_lost else invert_transform(self._pose) @ pose
        self._remember_step(time_s)
        self._pose, self._is_lost = pose, False
        self._history.scales.append(alignment.scales)
        is_keyframe = self._is_exhausted(keyframes, alignment)
        if is_keyframe:
            self._add_keyframe(frame.scaled(alignment.scale), pose)
        number = self._number if is_keyframe else keyframes[0].number
        return TrackedFrame(pose, confidence, number, time_s, is_keyframe)

    def _starts(self, time_s: float | None) -> list[Matrix]:
        """Poses to start from: as fast as before, and standing still; after a gap in time only the latter."""
        starts = [self._pose]
        if self._velocity is not None and not self._is_gap(time_s):
            starts.insert(0, _rigid(self._pose @ self._velocity))
        return starts

    def _is_gap(self, time_s: float | None) -> bool:
        if time_s is None or self._time_s is None or not self._history.steps_s:
            return False
        return time_s - self._time_s > _GAP * float(np.median(self._history.steps_s))

    def _remember_step(self, time_s: float | None) -> None:
        if time_s is not None and self._time_s is not None:
            self._history.steps_s.append(time_s - self._time_s)
        self._time_s = time_s

    def _track_near(
        self, frame: Pyramid, usual: Matrix, starts: Iterable[Matrix], searched: Sequence[_Keyframe] | None = None
    ) -> tuple[list[_Keyframe], Alignment, float] | None:
        """Align from the start that explains the coarsest picture best; None where the result is not believed."""
        coarsest = len(frame.levels) - 1
        best: tuple[float, list[_Keyframe], Matrix] | None = None
        for start in starts:
            keyframes = list(searched or self._choose(start))
            coarse = self._aligner.align([one.reference for one in keyframes], frame, start, finest=coarsest)
            if coarse is not None:
                fit, _ = self._aligner.fit([one.reference for one in keyframes], frame, coarse, usual, coarsest)
                if best is None or fit > best[0]:
                    best = fit, keyframes, coarse.T_world_cam
        if best is None:
            return None
        _, keyframes, start = best
        references = [one.reference for one in keyframes]
        alignment = self._aligner.align(references, frame, start)
        if alignment is None:
            return None
        confidence = self._judge(references, frame, alignment, usual)
        return None if confidence == 0.0 else (keyframes, alignment, confidence)

    def _judge(self, references: list[Reference], frame: Pyramid, alignment: Alignment, usual: Matrix) -> float:
        """Confidence in an alignment; 0 where it is not believed."""
        middle = min(1, len(frame.levels) - 1)
        fit, seen = self._aligner.fit(references, frame, alignment, usual, middle)
        deviation = _deviation_px(alignment, references[0].frame)
        if seen < LEAST_SEEN or fit < LEAST_FIT * seen or deviation > MOST_DEVIATION_PX:
            return 0.0
        certainty = 1.0 - deviation / MOST_DEVIATION_PX
        return float(np.clip(min(1.0, fit / seen * 7 / 5) * np.sqrt(seen) * certainty, 0.01, 1.0))

    def _search(self, frame: Pyramid, usual: Matrix) -> tuple[list[_Keyframe], Alignment, float] | None:
        """Look for a lost camera: around its last pose turned in many directions, and around each keyframe."""
        turned = [self._pose @ _turn(x, y, frame) for x, y in _TURNS]
        nearest = self._choose(self._pose)
        found = self._track_near(frame, usual, turned, nearest)
        for keyframe in reversed(self._keyframes):
            if found is not None:
                break
            found = self._track_near(frame, usual, [keyframe.reference.T_world_cam], [keyframe])
        return found

    def _choose(self, T_world_cam: Matrix) -> list[_Keyframe]:
        """The keyframes that see most of what a camera at this pose sees, best first; the newest is among them."""
        newest = self._keyframes[-1]
        others = [one for one in self._keyframes if one is not newest]
        T_cam_world = invert_transform(T_world_cam)
        shares = [one.reference.frame.share_seen(T_cam_world @ one.reference.T_world_cam) for one in others]
        order = np.argsort(shares)[::-1][: REFERENCES - 1]
        return [newest, *(others[i] for i in order if shares[i] > 0.5)]

    def _is_exhausted(self, keyframes: list[_Keyframe], alignment: Alignment) -> bool:
        """Whether none of the keyframes tells enough about the camera any more."""
        exhausted = True
        for keyframe, information in zip(keyframes, alignment.information):
            size = float(np.linalg.slogdet(information + 1e-9 * np.eye(6))[1] / 6)
            if keyframe.first_information is None:
                keyframe.first_information = size
            exhausted = exhausted and size < keyframe.first_information + math.log(LEAST_INFORMATION)
        return exhausted

    def _add_keyframe(self, frame: Pyramid, pose: Matrix) -> None:
        self._keyframes.append(_Keyframe(self._number, Reference(frame, pose)))

    def _lost(self, time_s: float | None, reason: str) -> TrackedFrame:
        self._is_lost, self._velocity = True, None
        number = self._keyframes[-1].number if self._keyframes else self._number
        return TrackedFrame(None, 0.0, number, time_s, reason=reason)


def check_camera(K: NDArray[Any], size: tuple[int, ...]) -> None:
    """Refuse a matrix that is no camera of pictures of this size.

    Args:
        K: intrinsics in pixels, (3, 3).
        size: (H, W).

    Raises:
        ShapeError: if K is not (3, 3).
        InputError: saying what is wrong.
    """
    if np.shape(K) != (3, 3):
        raise ShapeError(f"K has shape {np.shape(K)}; expected (3, 3).")
    fx, fy, cx, cy = (float(K[place]) for place in ((0, 0), (1, 1), (0, 2), (1, 2)))
    height, width = size
    focal = np.isfinite([fx, fy]).all() and 0.1 * max(size) < min(fx, fy) and max(fx, fy) < 100 * max(size)
    if not (focal and 0 < cx < width and 0 < cy < height):
        raise InputError(
            f"K: focal lengths {fx:g}, {fy:g}, centre {cx:g}, {cy:g} px for pictures of {width}x{height}; expected a "
            "centre inside the picture and a focal length of about its width: correct K, or pass --focal-px."
        )


def _deviation_px(alignment: Alignment, frame: Pyramid) -> float:
    """Standard deviation of the least certain direction, in pixels of the finest level."""
    level = frame.levels[0]
    per_px = 1.0 / float(level.camera[0])
    units = np.repeat([per_px / max(frame.middle_inverse, 1e-6), per_px], 3)
    information = np.sum(alignment.information, axis=0) * np.outer(units, units)
    least = float(np.linalg.eigvalsh(information)[0])
    return float("inf") if least <= 0 else least**-0.5


def _turn(x: float, y: float, frame: Pyramid) -> Matrix:
    """A turn to the right and down by shares of the field of view."""
    level = frame.levels[0]
    height, width = level.image.shape
    fx, fy = (float(focal) for focal in level.camera[:2])
    turn = np.eye(4)
    turn[:3, :3] = so3_exp(np.array([-y * 2 * np.arctan(height / 2 / fy), x * 2 * np.arctan(width / 2 / fx), 0.0]))
    return turn


def _rigid(T: Matrix) -> Matrix:
    """The same with a rotation that rounding has not stretched."""
    rigid = T.copy()
    rigid[:3, :3] = quat_xyzw_to_rotation(rotation_to_quat_xyzw(T[:3, :3]))
    return rigid
