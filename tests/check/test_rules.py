"""Every rule: a data set with the mistake is accused of it and of nothing else, a clean one of nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depthnet.check import RULES, Finding, check_dataset
from depthnet.check.frames import count_bends, describe_depth
from depthnet.data import open_dataset
from depthnet.data.samples import DepthDataset, RawSample, build_intrinsics

Rooms = Callable[..., DepthDataset]


def found(dataset: DepthDataset, limit: int | None = None) -> list[tuple[str, str]]:
    return [(one.rule, one.severity) for one in check_dataset(dataset, limit).findings]


def only(dataset: DepthDataset) -> Finding:
    (finding,) = check_dataset(dataset).findings
    return finding


def depth_of(sample: RawSample) -> np.ndarray[Any, np.dtype[np.float32]]:
    assert sample.depth is not None
    return sample.depth


def test_clean_rooms_are_not_accused(rooms: Rooms) -> None:
    report = check_dataset(rooms())
    assert report.findings == []
    assert report.ok


@pytest.mark.parametrize(
    "name", ["nyu_train", "tum_fr1_rpy", "7scenes_redkitchen", "kitti_sample/annotated", "kitti_sample/object"]
)
def test_real_data_are_not_accused(shared_data: Path, name: str) -> None:
    assert found(open_dataset(shared_data / name), limit=20) == []


def test_every_rule_says_what_it_looks_for() -> None:
    assert all(rule.__doc__ for rule in RULES)


# --- units ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale", "severity", "words"),
    [
        (1000.0, "error", "farther than any camera sees; perhaps millimetres read as metres"),
        (100.0, "error", "centimetres read as metres"),
        (10.0, "warning", "farther than rooms are"),
        (0.2, "warning", r"nearer than rooms are .* read at 5000 units a metre \(TUM\) \(then "),
        (0.001, "error", "nearer than any sensor sees; perhaps metres read as millimetres"),
    ],
)
def test_another_unit(rooms: Rooms, scale: float, severity: str, words: str) -> None:
    finding = only(rooms(scale=scale))
    assert (finding.rule, finding.severity) == ("unit", severity)
    assert re.search(words, finding.message), finding.message


def five_fold(sample: RawSample, index: int, correction: float = 1.0) -> RawSample:
    """A smaller room in TUM's unit, read as millimetres."""
    units = np.rint(np.rint(depth_of(sample) * 400) * 5 * correction)
    if index == 0:
        units[0, 0] = 25_000 * correction
    return replace(sample, depth=units.astype(np.float32) / np.float32(1000))


@pytest.mark.parametrize(("correction", "words"), [(1.0, "multiples of 5 mm"), (1.035, "reaches 25.9 m")])
def test_five_units_for_each_millimetre(rooms: Rooms, correction: float, words: str) -> None:
    finding = only(rooms(lambda sample, index: five_fold(sample, index, correction)))
    assert (finding.rule, finding.severity) == ("unit", "warning")
    assert words in finding.message
    assert "TUM" in finding.message


def test_large_rooms_alone_are_no_fault(rooms: Rooms) -> None:
    assert found(rooms(scale=2.0)) == []


def test_the_real_files_of_tum_read_as_millimetres(shared_data: Path, rooms: Rooms) -> None:
    real = open_dataset(shared_data / "tum_fr1_rpy")

    def change(sample: RawSample, index: int) -> RawSample:
        read = real.read_raw(7 * index)
        return replace(read, name=sample.name, depth=depth_of(read) * np.float32(5))

    finding = only(rooms(change))
    assert (finding.rule, finding.severity) == ("unit", "warning")
    assert "5000 units a metre (TUM)" in finding.message


@pytest.mark.parametrize(("scale", "rules"), [(8.0, []), (0.9, [("unit", "warning")]), (300.0, [("unit", "error")])])
def test_roads_are_farther_than_rooms(rooms: Rooms, scale: float, rules: list[tuple[str, str]]) -> None:
    assert found(rooms(scale=scale, format="kitti-raw")) == rules


def test_eight_bits_in_a_sixteen_bit_file(rooms: Rooms) -> None:
    def as_levels(sample: RawSample, index: int) -> RawSample:
        levels = np.rint(np.minimum(depth_of(sample), 10) / 10 * 255)
        return replace(sample, depth=levels.astype(np.float32) / np.float32(255) * np.float32(10))

    finding = only(rooms(as_levels))
    assert finding.rule == "8 bits"
    assert "steps of 39.2 mm" in finding.message
    assert found(rooms(as_levels, format="densedepth")) == []  # there it is the layout
    assert found(rooms(as_levels, count=4)) == []  # too few to say so

    def as_millimetres(sample: RawSample, index: int) -> RawSample:
        return replace(sample, depth=np.rint(np.minimum(depth_of(sample), 10) * 25.5).astype(np.float32) / 1000)

    findings = check_dataset(rooms(as_millimetres)).findings
    assert findings[0].severity == "error"
    assert "an 8-bit picture read as millimetres?" in findings[0].message


def test_coarse_rounding_is_not_eight_bits(rooms: Rooms) -> None:
    def rounded(sample: RawSample, index: int) -> RawSample:
        return replace(sample, depth=np.rint(depth_of(sample) * 100).astype(np.float32) / np.float32(100))

    assert found(rooms(rounded)) == []


# --- disparity --------------------------------------------------------------------------------------------


def invert(sample: RawSample, index: int) -> RawSample:
    depth = depth_of(sample)
    inverse = np.divide(4.0, depth, out=np.zeros_like(depth), where=depth > 0)
    return replace(sample, depth=inverse)


def test_inverse_depth_is_recognised(rooms: Rooms) -> None:
    assert ("disparity", "warning") in found(rooms(invert))


@pytest.mark.parametrize("name", ["nyu_train", "7scenes_redkitchen"])
def test_inverse_real_depth_is_recognised(shared_data: Path, name: str) -> None:
    real = open_dataset(shared_data / name)[::10][:20]
    votes = np.zeros((2, 2), int)
    for index in range(len(real)):
        depth = real.read_depth(index)
        assert depth is not None
        inverse = np.divide(4.0, depth, out=np.zeros_like(depth), where=depth > 0)
        votes += [count_bends(depth), count_bends(inverse)]
    assert votes.sum(axis=1).min() > 300
    assert votes[0, 1] < 0.4 * votes[0].sum()
    assert votes[1, 1] > 0.6 * votes[1].sum()


def test_rooms_upside_down_are_not_disparity(rooms: Rooms) -> None:
    def turned(sample: RawSample, index: int) -> RawSample:
        return replace(sample, depth=np.ascontiguousarray(depth_of(sample)[::-1]))

    assert found(rooms(turned)) == []


# --- pixels -----------------------------------------------------------------------------------------------


def test_no_depth(rooms: Rooms) -> None:
    def without(sample: RawSample, index: int) -> RawSample:
        return replace(sample, depth=None)

    def some_empty(sample: RawSample, index: int) -> RawSample:
        return replace(sample, depth=depth_of(sample) * np.float32(index not in (3, 5)))

    assert found(rooms(without)) == found(rooms(scale=0.0)) == [("no depth", "error")]
    finding = only(rooms(some_empty))
    assert (finding.rule, finding.severity, finding.names) == ("no depth", "warning", ("0003", "0005"))


def test_constant_maps_and_images(rooms: Rooms) -> None:
    def flat_depth(sample: RawSample, index: int) -> RawSample:
        return replace(sample, depth=np.full_like(depth_of(sample), 2.0)) if index in (1, 2) else sample

    def flat_image(sample: RawSample, index: int) -> RawSample:
        return replace(sample, image=np.full_like(sample.image, 9)) if index == 4 else sample

    assert only(rooms(flat_depth)).names == ("0001", "0002")
    finding = only(rooms(flat_image))
    assert (finding.rule, finding.names) == ("constant", ("0004",))
    assert "images of one single colour" in finding.message


def test_duplicates(rooms: Rooms) -> None:
    other = rooms().read_raw(2)

    def copied(sample: RawSample, index: int) -> RawSample:
        return replace(sample, image=other.image) if index == 7 else sample

    def stuck(sample: RawSample, index: int) -> RawSample:
        return replace(sample, depth=other.depth) if index in (3, 4) else sample

    finding = only(rooms(copied))
    assert (finding.rule, finding.names) == ("duplicate", ("0007",))
    assert "0007 is 0002" in finding.message
    finding = only(rooms(stuck))
    assert (finding.rule, finding.names) == ("duplicate", ("0003", "0004"))
    assert "paired wrongly" in finding.message


# --- cameras, poses, times --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("camera", "severity", "words"),
    [
        ((518.9, 519.5, 325.6, 253.7), "error", "outside the 128x96 image: K of a larger size"),
        ((52.0, 52.0, 31.5, 23.5), "warning", "far off the middle"),
        ((1040.0, 1040.0, 63.5, 47.5), "warning", "field of view of 7 degrees"),
        ((20.0, 20.0, 63.5, 47.5), "warning", "field of view of 145 degrees"),
        ((104.0, 78.0, 63.5, 47.5), "warning", "was the image stretched"),
        ((np.nan, 104.0, 63.5, 47.5), "error", "NaN"),
        ((-104.0, 104.0, 63.5, 47.5), "error", "non-positive"),
    ],
)
def test_cameras_that_do_not_fit(
    rooms: Rooms, camera: tuple[float, float, float, float], severity: str, words: str
) -> None:
    def change(sample: RawSample, index: int) -> RawSample:
        return replace(sample, K=build_intrinsics(*camera)) if index < 3 else sample

    finding = only(rooms(change))
    assert (finding.rule, finding.severity, finding.names) == ("K", severity, ("0000", "0001", "0002"))
    assert words in finding.message


def test_no_camera_is_no_fault(rooms: Rooms) -> None:
    assert found(rooms(lambda sample, index: replace(sample, K=None, T_world_cam=None, time_s=None))) == []


@pytest.mark.parametrize("fault", ["nan", "scaled", "mirrored", "row"])
def test_poses_that_are_no_motion(rooms: Rooms, fault: str) -> None:
    T = np.eye(4)
    if fault == "nan":
        T[0, 3] = np.nan
    elif fault == "scaled":
        T[:3, :3] *= 1.1
    elif fault == "mirrored":
        T[0, 0] = -1
    else:
        T[3, 3] = 0
    finding = only(rooms(lambda sample, index: replace(sample, T_world_cam=T) if index == 6 else sample))
    assert (finding.rule, finding.severity, finding.names) == ("pose", "error", ("0006",))


@pytest.mark.parametrize(("time", "names"), [(99.0, ("0005",)), (100.0 + 4 / 30, ("0005",)), (200.0, ("0006",))])
def test_times_must_rise(rooms: Rooms, time: float, names: tuple[str, ...]) -> None:
    finding = only(rooms(lambda sample, index: replace(sample, time_s=time) if index == 5 else sample))
    assert (finding.rule, finding.severity, finding.names) == ("time", "warning", names)


def test_times_start_again_in_each_video(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = rooms(lambda sample, index: replace(sample, time_s=float(index % 6)))
    assert found(dataset) == [("time", "warning")]
    monkeypatch.setattr(dataset, "sequences", lambda: {"a": list(range(6)), "b": list(range(6, 12))})
    assert found(dataset) == []


# --- measuring --------------------------------------------------------------------------------------------


def test_a_depth_map_in_numbers() -> None:
    depth = np.zeros((30, 40), np.float32)
    depth[:10], depth[20:] = 4.0, 1.0
    facts = describe_depth(depth)
    assert (facts.known, facts.nearest, facts.farthest) == (pytest.approx(2 / 3), 1.0, 4.0)
    assert facts.levels == (1.0, 4.0)
    assert facts.step_mm == 1000
    assert facts.above == pytest.approx(np.log(4.0))
    assert describe_depth(np.full((3, 3), 0.12345, np.float32)).step_mm == 0


def test_bends_of_a_plane_vote_for_depth() -> None:
    inverse = np.linspace(0.2, 1.0, 96)[:, None] + np.zeros((1, 128))
    assert count_bends((1 / inverse).astype(np.float32))[1] == 0
    assert count_bends((1 / inverse).astype(np.float32))[0] > 1000
    assert count_bends(inverse.astype(np.float32))[0] == 0
    assert count_bends(np.ones((4, 4), np.float32)) == (0, 0)
