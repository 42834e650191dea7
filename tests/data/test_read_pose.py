"""Poses and times without pictures: the same as those of the decoded samples, in every layout that has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from depthnet.data import CachedDataset, DepthDataset, open_dataset
from depthnet.data.rgbd.video import JoinedSequences


def check_poses(data: DepthDataset, frames: range) -> None:
    for index in frames:
        sample = data[index]
        T_world_cam, time_s = data.read_pose(index)
        assert time_s == sample.time_s
        assert T_world_cam is not None
        np.testing.assert_array_equal(T_world_cam, sample.T_world_cam)


@pytest.mark.parametrize("name", ["tum_fr1_rpy", "7scenes_redkitchen"])
def test_real_videos_and_what_is_made_of_them(shared_data: Path, name: str) -> None:
    data = open_dataset(shared_data / name)
    check_poses(data, range(0, 60, 29))
    check_poses(data.select([7, 3]), range(2))
    check_poses(CachedDataset(data), range(1))
    check_poses(JoinedSequences("two", data.format, {"a": data[:2], "b": data[2:4]}), range(1, 4))


def test_a_sequence_folder_without_poses_has_none(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (8, 6)).save(tmp_path / "images" / "0.png")
    (tmp_path / "K.txt").write_text("10 0 3.5\n0 10 2.5\n0 0 1\n", encoding="utf-8")
    assert open_dataset(tmp_path).read_pose(0) == (None, None)
