"""Dense alignment of a frame against one or several references at once, coarse to fine.

What is minimised is the Student-t likelihood of two residuals of each pixel of a reference that has depth: its grey
value, and its inverse depth, both looked up in the frame where the pixel comes to lie. Both share a weight, so that a
pixel that is covered, mirrors or moves counts little in either. Each has a scale of its own, estimated anew in each
iteration; inverse depth because a sensor that triangulates errs equally in it, near and far. Grey values may differ by
a gain and a bias (exposure), and inverse depths, where a network guessed them, by a factor.

Derivatives stand on the reference's side, so that they are computed once for a reference and not in every iteration.

Source: Kerl, Sturm, Cremers, Robust Odometry Estimation for RGB-D Cameras, ICRA 2013, and Dense Visual SLAM for RGB-D
Cameras, IROS 2013 (both residuals under one weight); Baker & Matthews, Lucas-Kanade 20 Years On, IJCV 2004.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from depthnet.compile import compiled
from depthnet.odometry import equations, kernels
from depthnet.odometry.pyramid import Level, Pyramid

Matrix = NDArray[np.float64]

#: An iteration that moves the picture by less is the last of its level, pixels of the finest level.
SMALLEST_STEP_PX = 0.2
MOST_ITERATIONS = 20
#: Pixels of a share, about.
_SHARE = 4_000
#: Pixels of all references, below which further threads cost more than they bring.
_ALONE = 8_000
#: Residuals below which an alignment says nothing.
_FEWEST_PIXELS = 50


@dataclass(frozen=True)
class Reference:
    """A frame whose pose is known."""

    frame: Pyramid
    T_world_cam: Matrix


@dataclass(frozen=True)
class Alignment:
    """How a frame fits its references."""

    T_world_cam: Matrix
    """Camera to world, (4, 4)."""
    information: tuple[Matrix, ...]
    """Of each reference, what its pixels, also those that a stride left out, say about the motion in the frame of the
    first reference, (6, 6)."""
    scales: Matrix
    """Scales of the photometric and geometric residuals, grey values and 1 / metres; mean over the references."""
    seen: float
    """Share of the references' pixels that the frame sees."""
    lights: tuple[Matrix, ...]
    """Of each reference, gain and bias of the frame's grey values, and the factor of its inverse depth, (3,)."""
    iterations: int

    @property
    def scale(self) -> float:
        """The frame's inverse depth over that of the references; 1 where it was not estimated."""
        return float(np.mean([light[2] for light in self.lights]))


class _Problem:
    """The references of an alignment, and what is found out about them; row r of each array belongs to reference r."""

    def __init__(self, references: Sequence[Reference], free_scale: bool) -> None:
        count = len(references)
        self.frames = [reference.frame for reference in references]
        poses = np.array([reference.T_world_cam for reference in references])
        self.firsts, self.adjoints = np.empty((count, 4, 4)), np.empty((count, 6, 6))
        compiled(equations.relate)(poses, self.firsts, self.adjoints)
        self.free_scale = free_scale
        self.lights = np.tile([1.0, 0.0, 1.0], (count, 1))
        self.scales = np.ones((count, 2))
        self.information = np.zeros((count, 6, 6))
        self.counts = np.zeros(count)
        self.poses = np.zeros((count, 3, 4), np.float32)
        self.motion: Matrix = np.eye(4)
        self.memory = np.zeros(equations.MEMORY)
        self.memory[-1] = 1.0

    def start(self, motion: Matrix) -> None:
        """Set T_current_first."""
        self.motion = np.array(motion)
        self.poses[:] = (motion @ self.firsts)[:, :3]

    def enter(self, level: int, target: Level) -> None:
        """Go on at another size."""
        self.target = target
        self.points = [frame.levels[level].reference for frame in self.frames]
        self.shares = [(r, *ends) for r, points in enumerate(self.points) for ends in _split(points.count)]
        self.owners = np.array([share[0] for share in self.shares])
        self.parts = np.empty((len(self.shares), kernels.ROWS, kernels.PHOTO))
        self.memory[:-1] = 0.0

    def guess_scales(self) -> None:
        """Bias and scales of each reference from medians, so that a wrong start does not make everything fit."""
        for r, points in enumerate(self.points):
            residuals = np.empty((5, points.count), np.float32)
            compiled(kernels.measure_residuals)(
                points.points, points.photo, points.geo, self.poses[r], self.target.camera, self.lights[r],
                self.target.image, self.target.inverse, residuals, 0, points.count,
            )  # fmt: skip
            self.lights[r, 1] = _middle(residuals[0], residuals[2])
            residuals[0] -= np.float32(self.lights[r, 1])
            self.scales[r] = [
                max(1.5 * _middle(np.abs(residuals[i]), residuals[2 + i]), equations.LEAST_SCALES[i]) for i in range(2)
            ]

    def sum_shares(self, numbers: range) -> None:
        """Sums over some shares; threads may each take some."""
        for number in numbers:
            r, start, stop = self.shares[number]
            points = self.points[r]
            compiled(kernels.sum_share)(
                points.points, points.photo, points.geo, self.poses[r], self.target.camera, self.lights[r],
                self.scales[r], self.target.image, self.target.inverse, self.parts[number], start, stop,
            )  # fmt: skip

    def step(self) -> float:
        """Change motion, lights and scales by the sums, and tell by how many pixels of the finest level it moves the
        picture."""
        compiled(equations.iterate)(
            self.parts, self.owners, self.adjoints, self.firsts, self.free_scale, self.scales, self.lights,
            self.information, self.counts, self.memory, self.motion, self.poses,
        )  # fmt: skip
        rho, phi = self.memory[6:9], self.memory[9:12]
        turn, shift = math.sqrt(phi @ phi), math.sqrt(rho @ rho)
        return float(self.frames[0].levels[0].camera[0]) * (turn + shift * self.frames[0].middle_inverse)


class DirectAligner:
    """Aligns frames; holds the threads that share the pixels.

    The result does not depend on the number of threads.

    Args:
        threads: how many to use.
        free_scale: estimate a factor between the inverse depths of frame and references (depth that was guessed).
    """

    def __init__(self, threads: int = 1, free_scale: bool = False) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None
        self._free_scale = free_scale

    def align(
        self, references: Sequence[Reference], frame: Pyramid, T_world_cam: Matrix, finest: int = 0
    ) -> Alignment | None:
        """Find the pose of a frame.

        Args:
            references: frames of the same size and camera with known poses, one at least.
            frame: the frame.
            T_world_cam: where to start, (4, 4).
            finest: level to stop at; 0 is the full size.

        Returns:
            The pose and how good it is, or None where the frame sees too little of the references.
        """
        problem = _Problem(references, self._free_scale)
        problem.start(np.linalg.inv(T_world_cam) @ references[0].T_world_cam)
        done = 0
        for level in range(len(frame.levels) - 1, finest - 1, -1):
            problem.enter(level, frame.levels[level])
            if done == 0:
                problem.guess_scales()
            for _ in range(MOST_ITERATIONS):
                self._sum(problem)
                moved_px = problem.step()
                if not math.isfinite(moved_px) or problem.counts.sum() < _FEWEST_PIXELS:
                    return None
                done += 1
                if moved_px < SMALLEST_STEP_PX:
                    break
        return Alignment(
            references[0].T_world_cam @ np.linalg.inv(problem.motion),
            tuple(one * points.stride for one, points in zip(problem.information, problem.points)),
            problem.scales.mean(axis=0),
            float(problem.counts.sum() / sum(max(points.count, 1) for points in problem.points)),
            tuple(problem.lights),
            done,
        )

    def fit(
        self, references: Sequence[Reference], frame: Pyramid, found: Alignment, scales: Matrix, level: int
    ) -> tuple[float, float]:
        """How well an alignment explains a frame.

        Args:
            references: as in :meth:`align`.
            frame: the frame.
            found: its alignment against them.
            scales: of the residuals, that "well" means.
            level: size at which to look.

        Returns:
            Mean over the references' pixels of freedom / (freedom + squares), 1 for a perfect fit, 0 for pixels that
            are not seen; and the share that is seen.
        """
        problem = _Problem(references, self._free_scale)
        problem.start(np.linalg.inv(found.T_world_cam) @ references[0].T_world_cam)
        problem.scales[:], problem.lights[:] = scales, found.lights
        problem.enter(level, frame.levels[level])
        self._sum(problem)
        sums = problem.parts[:, -1].sum(axis=0)
        count = sum(max(points.count, 1) for points in problem.points)
        return float(sums[4] / count), float(sums[2] / count)

    def _sum(self, problem: _Problem) -> None:
        """The sums of all shares, each by whichever thread."""
        count = len(problem.shares)
        alone = self._pool is None or sum(points.count for points in problem.points) < _ALONE
        hands = 1 if alone else self._threads
        others = [self._pool.submit(problem.sum_shares, range(i, count, hands)) for i in range(1, hands) if self._pool]
        problem.sum_shares(range(0, count, hands))
        for other in others:
            other.result()


def _split(count: int) -> list[tuple[int, int]]:
    """Shares of the pixels, by their count alone, in whole blocks."""
    parts = max(1, count // _SHARE)
    ends = [count * part // parts // kernels.BLOCK * kernels.BLOCK for part in range(parts)] + [count]
    return list(pairwise(ends))


def _middle(values: NDArray[np.float32], known: NDArray[np.float32]) -> float:
    chosen = values[known > 0]
    return float(np.median(chosen)) if chosen.size else 0.0
