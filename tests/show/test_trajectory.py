"""Which frame of a video belongs to a pose of a path, and what is said when none does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from depthnet.data import RawSample
from depthnet.errors import InputError
from depthnet.io.trajectory import Trajectory
from depthnet.show.trajectory import find_frame, round_length


class Video:
    """Frames whose first grey value is their number."""

    name = "a video"

    def __init__(self, times_s: list[float | None]) -> None:
        self.times_s = times_s

    def __len__(self) -> int:
        return len(self.times_s)

    def read_raw(self, index: int) -> RawSample:
        return RawSample(np.full((2, 2, 3), index, np.uint8), None, time_s=self.times_s[index])


def path(times_s: list[float] | None, count: int = 3) -> Trajectory:
    poses = np.tile(np.eye(4), (count, 1, 1))
    return Trajectory(None if times_s is None else np.array(times_s), poses)


def number(trajectory: Trajectory, place: int, video: Any) -> int:
    return int(find_frame(trajectory, place, video).image[0, 0, 0])


def test_a_pose_with_a_time_belongs_to_the_frame_of_that_time() -> None:
    video = Video([1.0, 1.5, 2.0, 2.5])
    assert [number(path([1.00005, 2.0, 2.49995]), place, video) for place in range(3)] == [0, 2, 3]


def test_a_video_without_times_counts_its_frames() -> None:
    video = Video([None] * 4)
    assert number(path([0.0, 2.0, 3.0]), 1, video) == 2
    assert number(path(None), 1, video) == 1


@pytest.mark.parametrize("time_s", [0.5, 1.7, 9.0])
def test_a_time_of_no_frame_is_an_error(time_s: float) -> None:
    video: Any = Video([1.0, 1.5, 2.0])
    with pytest.raises(InputError, match=rf"a video: none of its 3 frames has time {time_s:.6f} s; pass the video of"):
        find_frame(path([time_s], 1), 0, video)


def test_a_path_longer_than_the_video_is_an_error() -> None:
    video: Any = Video([None] * 2)
    with pytest.raises(InputError, match="none of its 2 frames has number 2"):
        find_frame(path(None), 2, video)


@pytest.mark.parametrize(("most", "length"), [(1.0, 1.0), (4.9, 2.0), (5.0, 5.0), (0.07, 0.05), (99.0, 50.0)])
def test_lengths_are_round(most: float, length: float) -> None:
    assert round_length(most) == pytest.approx(length)
