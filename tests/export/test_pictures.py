"""Pictures to calibrate with and pictures to compare on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from depthnet.errors import InputError
from depthnet.export import open_pictures
from depthnet.export.pictures import CALIBRATION, SCORED


def write_photos(folder: Path, count: int) -> Path:
    folder.mkdir(exist_ok=True)
    for index in range(count):
        Image.new("RGB", (6, 4), (index, 0, 0)).save(folder / f"{index:03}.png")
    return folder


def test_ranges_come_from_the_training_part_and_scores_from_the_validation_part(pairs: Path) -> None:
    calibration, held = open_pictures(pairs)
    assert calibration.names == [f"frame_{index:02}" for index in range(16)]
    assert held.names == [f"frame_{index:02}" for index in range(16, 20)]
    assert held.read_raw(0).depth is not None


def test_without_parts_no_picture_is_in_both(pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("train", "val"):
        (pairs / f"{name}.txt").rename(pairs / f"{name}.off")
    monkeypatch.setattr("depthnet.export.pictures.CALIBRATION", 10)
    try:
        calibration, held = open_pictures(pairs)
    finally:
        for name in ("train", "val"):
            (pairs / f"{name}.off").rename(pairs / f"{name}.txt")
    assert len(calibration) == len(held) == 10
    assert {*calibration.names, *held.names} == {f"frame_{index:02}" for index in range(20)}
    assert calibration.names[0] == "frame_00"
    assert calibration.names[-1] == "frame_19"  # in even steps from the first to the last


@pytest.mark.parametrize("pattern", ["", "*.png"])
def test_a_folder_or_a_glob_of_photos_will_do(pattern: str, tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "photos", 9)
    calibration, held = open_pictures(folder / pattern)
    assert len(calibration) == 9
    assert [calibration.read_raw(index).image[0, 0, 0] for index in (0, 8)] == [0, 8]
    assert held.names == calibration.names, "too few for two parts: compared on the same"
    assert held.read_raw(0).depth is None


def test_many_photos_are_taken_in_even_steps(tmp_path: Path) -> None:
    calibration, held = open_pictures(write_photos(tmp_path / "photos", CALIBRATION + SCORED + 60))
    assert (len(calibration), len(held)) == (CALIBRATION, SCORED)
    steps = np.diff([int(Path(name).stem) for name in calibration.names])
    assert set(steps) <= {5, 6}
    assert not {*calibration.names} & {*held.names}


def test_too_few_pictures_are_refused_with_the_reason(tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "photos", 7)
    with pytest.raises(InputError, match=r"photos: 7 pictures to calibrate with; at least 8 are needed: the ranges of"):
        open_pictures(folder)


@pytest.mark.parametrize("name", ["empty", "absent", "absent/*.jpg"])
def test_no_pictures_at_all(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no photos there and no data of a known layout; pass --data with some"):
        open_pictures(tmp_path / name)


def test_a_damaged_data_set_is_not_taken_for_photos(tmp_path: Path) -> None:
    write_photos(tmp_path / "set", 9)
    (tmp_path / "set" / "rgb").mkdir()
    with pytest.raises(InputError, match="depth"):
        open_pictures(tmp_path / "set")
