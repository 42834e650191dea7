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

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from depthnet.compile import compiled
from depthnet.geometry.se3 import invert_transform, se3_adjoint
from depthnet.odometry import kernels
from depthnet.odometry.pyramid import Level, Pyramid

Matrix = NDArray[np.float64]

#: An iteration that moves the picture by less is the last of its level, pixels of that level.
SMALLEST_STEP_PX = 0.02
MOST_ITERATIONS = 20
#: Pixels that one thread takes at least.
_SHARE = 12_000
#: Least scales: an eighth-bit rounding of grey values, and 0.1 mm at 1 m.
_LEAST_SCALES = np.array([0.3, 1e-4])
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
    """Of each reference, what its pixels say about the motion in the frame of the first reference, (6, 6)."""
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


class _Fit:
    """One reference during an alignment; its methods over shares of the pixels may run in several threads."""

    def __init__(self, reference: Reference, first: Reference, scales: Matrix | None = None) -> None:
        self.frame = reference.frame
        self.T_first_me = invert_transform(first.T_world_cam) @ reference.T_world_cam
        #: A small motion in the frame of the first reference, in the frame of this one.
        self.adjoint = se3_adjoint(invert_transform(self.T_first_me))
        self.light = np.array([1.0, 0.0, 1.0])
        self.scales = scales
        self.counts = np.zeros(2)
        self.solved = np.zeros((3, 7))

    def enter(self, level: int, target: Level) -> None:
        """Go on at another size."""
        self.points, self.target = self.frame.levels[level].reference, target
        self.residuals = np.empty((5, self.points.count), np.float32)
        self.shares = _split(self.points.count)

    def move(self, motion: Matrix) -> None:
        """Set T_current_first for the next measurement."""
        self.pose = (motion @ self.T_first_me)[:3].astype(np.float32)

    def measure(self, start: int, stop: int) -> Matrix:
        """Residuals of a share, and its sums of :meth:`weigh`."""
        compiled(kernels.measure_residuals)(
            self.points.points, self.points.photo, self.points.geo, self.pose, self.target.camera,
            self.light.astype(np.float32), self.target.image, self.target.inverse, self.residuals, start, stop,
        )  # fmt: skip
        return self.weigh(start, stop)

    def weigh(self, start: int, stop: int) -> Matrix:
        """Sums over a share by which the scales are estimated."""
        sums = np.empty(5)
        scales = np.ones(2) if self.scales is None else self.scales
        compiled(kernels.sum_scales)(self.residuals, scales.astype(np.float32), sums, start, stop)
        return sums

    def equations(self, start: int, stop: int) -> Matrix:
        """Products of a share's photometric columns, (9, 9), and below them of its geometric ones, (8, 8 of 9)."""
        sums = np.zeros((kernels.PHOTO + kernels.GEO, kernels.PHOTO))
        compiled(kernels.sum_equations)(
            self.points.points, self.points.photo, self.points.geo, self.residuals,
            np.asarray(self.scales, np.float32), float(self.light[0]), sums[: kernels.PHOTO],
            sums[kernels.PHOTO :, : kernels.GEO], start, stop,
        )  # fmt: skip
        return sums

    def follow(self, step: Matrix) -> None:
        """Change gain, bias and scale as the step of the motion asks."""
        self.light -= self.solved[:, 6] + self.solved[:, :6] @ (self.adjoint @ step)


class DirectAligner:
    """Aligns frames; holds the threads that share the pixels.

    The result does not depend on the number of threads.

    Args:
        threads: how many to use.
        free_scale: estimate a factor between the inverse depths of frame and references (depth that was guessed).
    """

    def __init__(self, threads: int = 1, free_scale: bool = False) -> None:
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
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
        fits = [_Fit(reference, references[0]) for reference in references]
        motion = invert_transform(T_world_cam) @ references[0].T_world_cam
        done = 0
        for level in range(len(frame.levels) - 1, finest - 1, -1):
            target = frame.levels[level]
            for fit in fits:
                fit.enter(level, target)
            for iteration in range(MOST_ITERATIONS):
                self._measure(fits, motion, turns=2 if iteration == 0 else 1)
                if sum(fit.counts[0] for fit in fits) < _FEWEST_PIXELS:
                    return None
                information, gradient = self._linearise(fits)
                # Directions about which nothing is known stay.
                known = np.sum(information, axis=0) + 1e-9 * np.eye(6)
                step = -_solve(known + 1e-6 * np.diag(np.diag(known)), gradient)
                for fit in fits:
                    fit.follow(step)
                motion = motion @ _small_motion(step)
                done += 1
                if _pixels_moved(step, target) < SMALLEST_STEP_PX:
                    break
        seen = sum(fit.counts[0] for fit in fits) / sum(max(fit.points.count, 1) for fit in fits)
        return Alignment(
            references[0].T_world_cam @ invert_transform(motion),
            tuple(information),
            np.mean([fit.scales for fit in fits if fit.scales is not None], axis=0),
            float(seen),
            tuple(fit.light for fit in fits),
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
        motion = invert_transform(found.T_world_cam) @ references[0].T_world_cam
        total, count = np.zeros(5), 0
        for reference, light in zip(references, found.lights):
            fit = _Fit(reference, references[0], scales)
            fit.light = light
            fit.enter(level, frame.levels[level])
            fit.move(motion)
            total += self._sum(fit, fit.measure)
            count += max(fit.points.count, 1)
        return float(total[4] / count), float(total[2] / count)

    def _measure(self, fits: list[_Fit], motion: Matrix, turns: int) -> None:
        """Residuals of all references at a pose, and ``turns`` steps towards their scales."""
        for fit in fits:
            fit.move(motion)
            sums = self._sum(fit, fit.measure)
            if fit.scales is None:
                fit.light[1] = _middle(fit.residuals[0], fit.residuals[2])
                self._sum(fit, fit.measure)
                fit.scales = _first_scales(fit.residuals)
                turns, sums = 4, self._sum(fit, fit.weigh)
            for turn in range(turns):
                fit.scales = np.maximum(fit.scales * np.sqrt(sums[:2] / np.maximum(sums[2:4], 1.0)), _LEAST_SCALES)
                if turn + 1 < turns:
                    sums = self._sum(fit, fit.weigh)
            fit.counts = sums[2:4]

    def _linearise(self, fits: list[_Fit]) -> tuple[list[Matrix], Matrix]:
        """Normal equations of the motion, from each reference and in all; light and scale are eliminated."""
        information: list[Matrix] = []
        gradient: Matrix = np.zeros(6)
        for fit in fits:
            sums = self._sum(fit, fit.equations)
            H, g = _assemble(sums[: kernels.PHOTO], sums[kernels.PHOTO :, : kernels.GEO], self._free_scale)
            fit.solved = _solve(H[6:, 6:], np.column_stack([H[6:, :6], g[6:]]))
            information.append(fit.adjoint.T @ (H[:6, :6] - H[:6, 6:] @ fit.solved[:, :6]) @ fit.adjoint)
            gradient = gradient + fit.adjoint.T @ (g[:6] - H[:6, 6:] @ fit.solved[:, 6])
        return information, gradient

    def _sum(self, fit: _Fit, share: Callable[[int, int], Matrix]) -> Matrix:
        """The sum of a function over all shares of a reference's pixels, in their order."""
        if self._pool is None or len(fit.shares) == 1:
            return sum((share(*ends) for ends in fit.shares[1:]), start=share(*fit.shares[0]))
        parts = list(self._pool.map(lambda ends: share(*ends), fit.shares))
        return sum(parts[1:], start=parts[0])


def _split(count: int) -> list[tuple[int, int]]:
    """Shares of the pixels, by their count alone, in whole blocks."""
    parts = max(1, count // _SHARE)
    ends = [count * part // parts // kernels.BLOCK * kernels.BLOCK for part in range(parts)] + [count]
    return list(pairwise(ends))


def _middle(values: NDArray[np.float32], known: NDArray[np.float32]) -> float:
    chosen = values[known > 0]
    return float(np.median(chosen)) if chosen.size else 0.0


def _first_scales(residuals: NDArray[np.float32]) -> Matrix:
    """From medians, so that a wrong start does not make everything fit."""
    return np.array([max(1.5 * _middle(np.abs(residuals[i]), residuals[2 + i]), _LEAST_SCALES[i]) for i in range(2)])


def _assemble(photo: Matrix, geo: Matrix, free_scale: bool) -> tuple[Matrix, Matrix]:
    """H and g of motion (6), gain, bias and scale, (9, 9) and (9,), from the sums over pixels."""
    photo, geo = photo + np.triu(photo, 1).T, geo + np.triu(geo, 1).T
    H, g = np.zeros((9, 9)), np.zeros(9)
    H[:8, :8], g[:8] = photo[:8, :8], photo[:8, 8]
    motion_and_scale = np.array([0, 1, 2, 3, 4, 5, 8])
    H[np.ix_(motion_and_scale, motion_and_scale)] += geo[:7, :7]
    g[motion_and_scale] += geo[:7, 7]
    if not free_scale:
        H[8], H[:, 8], g[8] = 0.0, 0.0, 0.0
    H[[6, 7, 8], [6, 7, 8]] += 1e-6 * (H[6, 6] + H[7, 7]) + 1e-6  # a picture of one grey value has no gain
    return H, g


def _solve(H: Matrix, right: Matrix) -> Matrix:
    """The solution of H x = right, (N,) or (N, M)."""
    return np.asarray(np.linalg.solve(H, right), np.float64)


def _small_motion(xi: Matrix) -> Matrix:
    """A motion near exp(xi), by Cayley's formula: exactly rigid, and quick, which is what an iteration needs.

    Source: Absil, Mahony, Sepulchre, Optimization Algorithms on Matrix Manifolds, 2008, section 4.1 (retractions).
    """
    x, y, z = xi[3:] / 2
    hat = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    motion = np.eye(4)
    motion[:3, :3] += 2.0 / (1.0 + x * x + y * y + z * z) * (hat + hat @ hat)
    motion[:3, 3] = xi[:3]
    return motion


def _pixels_moved(step: Matrix, target: Level) -> float:
    """About how far a step moves the picture, pixels."""
    return float(target.camera[0]) * float(np.linalg.norm(step[3:]) + np.linalg.norm(step[:3]) * target.middle_inverse)
