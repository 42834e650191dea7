"""Odometry by a pose network: the motion from each frame to the next, put together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import InputError
from depthnet.geometry.se3 import se3_exp, se3_log
from depthnet.odometry.tracker import TrackedFrame
from depthnet.predictor.pose import PoseModel, predict_motion


class LearnedTracker:
    """Follows a camera by a pose network alone; errors of the motions add up, and nothing takes them back.

    Each motion is the mean of what the network says forwards and of the inverse of what it says backwards, as se(3)
    vectors. Where it agrees with itself the confidence is 1: it is s / (s + d) with s the length of that mean and d
    that of the difference. A frame that cannot be read is a gap; the next one is compared with the last that could.
    """

    def __init__(self, model: PoseModel) -> None:
        self.model = model
        self._number = -1
        self._last: tuple[int, NDArray[np.uint8], NDArray[np.float64]] | None = None

    def track(
        self, image: NDArray[np.uint8], depth: NDArray[Any] | None, K: NDArray[Any], time_s: float | None = None
    ) -> TrackedFrame:
        """Take the next frame.

        Args:
            image: RGB, (H, W, 3) uint8.
            depth: not looked at.
            K: not looked at; the camera should be like that of the training.
            time_s: seconds.

        Raises:
            InputError: if the frame has another size than the one before.
        """
        self._number += 1
        pose, confidence, before = np.eye(4), 1.0, self._number
        if self._last is not None:
            before, last_image, last_pose = self._last
            if last_image.shape != image.shape:
                raise InputError(
                    f"frame {self._number}: {image.shape}, the one before {last_image.shape}; resize them."
                )
            there = se3_log(predict_motion(self.model, last_image, image))
            back = se3_log(predict_motion(self.model, image, last_image))
            mean, difference = (there - back) / 2, there + back
            length = float(np.linalg.norm(mean))
            confidence = length / max(length + float(np.linalg.norm(difference)), 1e-12)
            pose = last_pose @ se3_exp(mean)
        self._last = self._number, image, pose
        return TrackedFrame(pose, confidence, before, time_s)

    def skip(self, reason: str, time_s: float | None = None) -> TrackedFrame:
        """Count a frame that cannot be tracked."""
        self._number += 1
        return TrackedFrame(None, 0.0, self._number, time_s, reason=reason)
