"""Trajectory files: written and read back, damaged ones, and a writer that keeps what was tracked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from depthnet.errors import ConfigError, DepthNetError, InputError, ShapeError
from depthnet.geometry.se3 import se3_exp
from depthnet.io.trajectory import TrajectoryWriter, read_trajectory, write_trajectory

POSES = se3_exp(np.random.default_rng(4).normal(size=(5, 6)))
TIMES = 1305031102.175304 + np.array([0.0, 1 / 30, 0.1, 0.7, 5.0])


def test_tum_there_and_back(tmp_path: Path) -> None:
    write_trajectory(tmp_path / "path.txt", TIMES, POSES)
    back = read_trajectory(tmp_path / "path.txt")
    np.testing.assert_array_equal(back.times_s, TIMES)
    np.testing.assert_allclose(back.T_world_cam, POSES, atol=1e-8)
    assert (len(back), len(back.skipped_s)) == (5, 0)


def test_kitti_there_and_back(tmp_path: Path) -> None:
    write_trajectory(tmp_path / "00.txt", None, POSES, "kitti")
    back = read_trajectory(tmp_path / "00.txt")
    assert back.times_s is None
    np.testing.assert_allclose(back.T_world_cam, POSES, atol=1e-9)


def test_lines_are_those_of_the_formats(tmp_path: Path) -> None:
    # 10 cm to the right and a quarter turn about z: x y z w = 0 0 √½ √½.
    T = np.array([[[0.0, -1, 0, 0.1], [1, 0, 0, 0], [0, 0, 1, 2], [0, 0, 0, 1]]])
    write_trajectory(tmp_path / "a.txt", [1305031102.175304], T)
    write_trajectory(tmp_path / "b.txt", [0], T, "kitti")
    line = (tmp_path / "a.txt").read_text(encoding="ascii")
    assert line == "1305031102.175304 0.100000000 0.000000000 2.000000000 " + (
        "0.000000000 0.000000000 0.707106781 0.707106781\n"
    )
    numbers = [float(word) for word in (tmp_path / "b.txt").read_text(encoding="ascii").split()]
    assert numbers == [0, -1, 0, 0.1, 1, 0, 0, 0, 0, 0, 1, 2]


def test_comments_commas_tabs_and_rows_without_pose(tmp_path: Path) -> None:
    file = tmp_path / "gt.txt"
    file.write_text(
        "# timestamp tx ty tz qx qy qz qw\n\n1.0,1,2,3,0,0,0,1\n1.5\tnan nan nan 0 0 0 1\r\n2.0 1 2 3 0 0 0 0\n"
        "3.0 4 5 6 0 0 0 -1\n3.0 7 8 9 0 0 0 1\n",
        encoding="utf-8",
    )
    back = read_trajectory(file)
    np.testing.assert_array_equal(back.times_s, [1.0, 3.0])
    np.testing.assert_array_equal(back.T_world_cam[:, :3, 3], [[1, 2, 3], [7, 8, 9]])
    np.testing.assert_array_equal(back.skipped_s, [1.5, 2.0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 0 0 0 0 0 0 1\n2 0 0 0 0 0 1\n", r"line 2: 7 numbers; expected 8 numbers, 'timestamp tx ty tz"),
        ("2 0 0 0 0 0 0 1\n1 0 0 0 0 0 0 1\n", r"times go back from 2\.000000 to 1\.000000 s; .* sort it"),
        ("1 0 0 0 0 0 0 1\nx 0 0 0 0 0 0 1\n", r"line 2: 'x' is no time in seconds"),
        ("1 0 0 0 0 0 a 1\n", r"line 1: .* are not all numbers"),
        ("1 0 0 0 2 0 0 1\n", r"line 1: the quaternion has length 2\.24"),
        ("1 0 0 0 0 0 0 0\n", r"holds no pose \(1 rows without one\)"),
        ("1 0 0 0 0 1 0 0 0 0 1 0\n" * 2 + "1 0 0 0 0 1 0 0 0 0 1\n", r"line 3: 11 numbers; expected 12"),
        ("2 0 0 0 0 2 0 0 0 0 2 0\n", r"line 1: not a rigid motion \(first row 2 0 0 0"),
        ("1 0 0 0 0 1 0 0 0 0 -1 0\n", r"line 1: not a rigid motion"),
        ("1 0 0 nan 0 1 0 0 0 0 1 0\n", r"line 1: NaN or infinity"),
        ("1 2 3\n", r"no trajectory, its first line has 3 numbers; expected 8 \(TUM: .*\) or 12 \(KITTI\)"),
        ("# nothing\n", r"no trajectory, it holds no line"),
    ],
)
def test_damaged_files_are_named_with_their_line(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "path.txt"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rf"path\.txt: .*{words}|path\.txt: {words}") as caught:
        read_trajectory(file)
    assert "\n" not in str(caught.value)


def test_a_format_can_be_named_and_must_exist(tmp_path: Path) -> None:
    file = tmp_path / "path.txt"
    file.write_text("# nothing\n", encoding="utf-8")
    for format in ("tum", "kitti"):
        with pytest.raises(InputError, match=r"holds no pose"):
            read_trajectory(file, format)  # type: ignore[arg-type]
    for call in (read_trajectory, lambda path, format: write_trajectory(path, TIMES, POSES, format)):
        with pytest.raises(ConfigError, match=r"no trajectory format; choose one of tum, kitti"):
            call(file, "euroc")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.booleans(), st.floats(0, 1), st.binary(max_size=6))
def test_fuzzed_files_give_rigid_poses_or_name_the_file(tmp_path: Path, tum: bool, place: float, patch: bytes) -> None:
    file = tmp_path / "fuzzed.txt"
    write_trajectory(file, TIMES, POSES, "tum" if tum else "kitti")
    whole = file.read_bytes()
    start = int(place * len(whole))
    file.write_bytes(whole[:start] + patch + whole[start + len(patch) :])
    message, back = "", None
    try:
        back = read_trajectory(file)
    except DepthNetError as error:
        message = str(error)
    if back is None:
        assert "fuzzed.txt" in message
        return
    R = back.T_world_cam[:, :3, :3]
    np.testing.assert_allclose(R @ np.swapaxes(R, 1, 2), np.broadcast_to(np.eye(3), R.shape), atol=2e-2)
    assert back.times_s is None or (np.diff(back.times_s) > 0).all()


def test_what_cannot_be_written_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    lost = POSES.copy()
    lost[2, 0, 3] = np.nan
    cases: list[tuple[Any, Any, type[Exception], str]] = [
        (TIMES, lost, InputError, "a pose with NaN"),
        (TIMES[::-1], POSES, InputError, "times that do not rise"),
        (TIMES[:3], POSES, ShapeError, r"times_s has shape \(3,\); expected \(5,\)"),
        (None, POSES, ShapeError, r"times_s has shape \(0,\)"),
        (TIMES, POSES[:, :3], ShapeError, r"T_world_cam has shape \(5, 3, 4\)"),
    ]
    for times, poses, kind, words in cases:
        with pytest.raises(kind, match=words):
            write_trajectory(tmp_path / "a.txt", times, poses)
    assert list(tmp_path.iterdir()) == []
    write_trajectory(tmp_path / "a.txt", TIMES, POSES)
    with pytest.raises(InputError, match=r"a\.txt: exists already; pass --overwrite"):
        write_trajectory(tmp_path / "a.txt", TIMES, POSES, overwrite=False)


def test_the_writer_grows_a_part_and_gives_it_its_name(tmp_path: Path) -> None:
    file = tmp_path / "new" / "path.txt"
    with TrajectoryWriter(file) as writer:
        for n, (time_s, pose) in enumerate(zip(TIMES, POSES), 1):
            writer.append(time_s, pose)
            assert len((tmp_path / "new" / "path.txt.part").read_text(encoding="ascii").splitlines()) == n
        assert not file.exists()
    assert [entry.name for entry in file.parent.iterdir()] == ["path.txt"]
    write_trajectory(tmp_path / "whole.txt", TIMES, POSES)
    assert file.read_bytes() == (tmp_path / "whole.txt").read_bytes()
    writer.close()
    assert writer.count == 5


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_what_was_tracked_is_kept_whatever_stops_it(tmp_path: Path, stop: type[BaseException]) -> None:
    file = tmp_path / "path.txt"

    def track() -> None:
        with TrajectoryWriter(file, "kitti") as writer:
            writer.append(None, POSES[0])
            writer.append(None, POSES[1])
            raise stop

    with pytest.raises(stop):
        track()
    np.testing.assert_allclose(read_trajectory(file).T_world_cam, POSES[:2], atol=1e-9)


def test_a_trajectory_without_a_pose_leaves_nothing(tmp_path: Path) -> None:
    with TrajectoryWriter(tmp_path / "path.txt"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_writer_refuses_what_is_there_and_times_that_go_back(tmp_path: Path) -> None:
    for name in ("path.txt", "path.txt.part"):
        (tmp_path / name).write_text("mine", encoding="ascii")
        with pytest.raises(InputError, match=rf"{name}: exists already; pass --overwrite"):
            TrajectoryWriter(tmp_path / "path.txt", overwrite=False)
        assert (tmp_path / name).read_text(encoding="ascii") == "mine"
        (tmp_path / name).unlink()
    with TrajectoryWriter(tmp_path / "path.txt") as writer:
        writer.append(2.0, POSES[0])
        with pytest.raises(InputError, match=r"time 2\.000000 after 2\.000000 s; expected rising times"):
            writer.append(2.0, POSES[1])
        writer.append(3.0, POSES[1])
    np.testing.assert_array_equal(read_trajectory(tmp_path / "path.txt").times_s, [2.0, 3.0])
    (tmp_path / "file").write_text("", encoding="ascii")
    with pytest.raises(InputError, match=r"cannot be written"):
        TrajectoryWriter(tmp_path / "file" / "path.txt")
