"""The tasks of training by name."""

from __future__ import annotations

from depthnet.training import depth_task, pose_task, stereo_task, video_task
from depthnet.training.task import Task

#: Value of ``TrainConfig.task`` -> task.
TASKS: dict[str, Task] = {
    "depth": depth_task.TASK,
    "stereo": stereo_task.TASK,
    "pose": pose_task.TASK,
    "video": video_task.TASK,
}
