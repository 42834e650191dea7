from __future__ import annotations

import json
from pathlib import Path

import pytest

from depthnet.data.splits import nyu_labeled_indices, nyu_raw_train_scenes, nyu_sync_frames, read_split_file
from depthnet.errors import ConfigError


def test_the_official_parts_are_all_frames_once() -> None:
    trainval, test = nyu_labeled_indices("trainval"), nyu_labeled_indices("test")
    assert (len(trainval), len(test)) == (795, 654)
    assert sorted(trainval + test) == list(range(1449)) == list(nyu_labeled_indices("all"))
    assert trainval[:12] == (2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 18, 19)
    assert test[:7] == (0, 1, 8, 13, 14, 15, 16)


def test_training_and_validation_are_apart_by_the_guard() -> None:
    train, val = nyu_labeled_indices("train"), nyu_labeled_indices("val")
    guard = read_split_file("nyu_train_val")["guard"]
    assert (len(train), len(val), len(guard)) == (635, 100, 60)
    assert sorted((*train, *val, *guard)) == list(nyu_labeled_indices("trainval"))
    assert list(train) == sorted(train)


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ConfigError, match="split 'dev'"):
        nyu_labeled_indices("dev")


@pytest.mark.parametrize("name", ["nyu_labeled", "nyu_train_val"])
def test_the_package_holds_the_lists_as_they_were_given(shared_data: Path, name: str) -> None:
    assert read_split_file(name) == json.loads((shared_data / "splits" / f"{name}.json").read_text(encoding="utf-8"))


def test_the_sync_list_of_the_literature() -> None:
    frames = nyu_sync_frames()
    assert (len(frames), sum(map(len, frames.values()))) == (284, 24231)
    assert frames["kitchen_0028b"][:12] == (0, 1, 3, 4, 6, 7, 9, 10, 13, 14, 16, 17)
    assert list(frames) == sorted(frames)


def test_the_sync_list_is_the_published_one(shared_data: Path) -> None:
    published = json.loads((shared_data / "splits" / "nyu_sync_24k.json").read_text(encoding="utf-8"))["train"]
    assert {scene: list(numbers) for scene, numbers in nyu_sync_frames().items()} == published


def test_the_raw_training_scenes_are_the_published_ones(shared_data: Path) -> None:
    published = (shared_data / "splits" / "nyu_raw_train_scenes.txt").read_text(encoding="utf-8").split()
    assert len(published) == 284
    assert nyu_raw_train_scenes() == set(published)
