from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthnet.data.kitti.calibration import (
    read_calibration,
    read_object_calibration,
    read_odometry_calibration,
    read_raw_calibration,
)
from depthnet.data.kitti.oxts import oxts_to_pose, read_oxts, read_timestamps
from depthnet.errors import InputError

# Rows of the real file of 2011_09_26.
P2 = "7.215377e+02 0.000000e+00 6.095593e+02 4.485728e+01 0.000000e+00 7.215377e+02 1.728540e+02 2.163791e-01 0 0 1 2.745884e-03"  # noqa: E501
P3 = "7.215377e+02 0.000000e+00 6.095593e+02 -3.395242e+02 0.000000e+00 7.215377e+02 1.728540e+02 2.199936e+00 0 0 1 2.729905e-03"  # noqa: E501


@pytest.fixture
def date(tmp_path: Path, kitti: Any) -> Path:
    kitti.write_calibration(tmp_path)
    text = kitti.CAM_TO_CAM.replace("6.200000e+01 1.900000e+01", "1.242000e+03 3.750000e+02")
    text = re.sub(r"P_rect_02: .*", f"P_rect_02: {P2}", re.sub(r"P_rect_03: .*", f"P_rect_03: {P3}", text))
    (tmp_path / "calib_cam_to_cam.txt").write_text(text, encoding="utf-8")
    return tmp_path


def test_the_real_rows_give_the_known_camera(date: Path, kitti: Any) -> None:
    calibration = read_raw_calibration(date)
    np.testing.assert_allclose(
        calibration.intrinsics(), [[721.5377, 0, 609.5593], [0, 721.5377, 172.854], [0, 0, 1]], rtol=1e-6
    )
    assert calibration.intrinsics().dtype == np.float32
    assert calibration.sizes == {2: (375, 1242), 3: (375, 1242)}
    # b_i = -P_i[0, 3] / fx: camera 2 at -0.06217 m, camera 3 at 0.47056 m.
    assert calibration.baseline_m() == pytest.approx(0.53273, abs=5e-6)
    assert calibration.T_rect_velo is not None
    np.testing.assert_allclose(calibration.T_rect_velo, kitti.rect_from_velo(), atol=1e-12)


def test_the_chain_carries_a_point_from_the_velodyne_to_the_pixel(date: Path) -> None:
    calibration = read_raw_calibration(date)
    X = np.array([10.0, 1.0, -0.5, 1.0])
    u, v, w = calibration.velodyne_projection() @ X
    in_camera = calibration.T_cam_rect() @ np.asarray(calibration.T_rect_velo) @ X
    assert w == pytest.approx(in_camera[2])
    K = calibration.intrinsics().astype(np.float64)
    np.testing.assert_allclose((K @ in_camera[:3])[:2] / in_camera[2], [u / w, v / w], rtol=1e-6)
    # 10 m ahead, 1 m to the left, 0.5 m below the sensor: left of the middle and below it, at about 9.7 m.
    assert 9.6 < w < 9.8
    assert u / w < 609 - 60
    assert v / w > 172 + 20


def test_the_imu_stands_behind_and_below_the_velodyne(date: Path) -> None:
    calibration = read_raw_calibration(date)
    T = calibration.T_cam_imu()
    assert T is not None
    # Camera 2 stands about 1.08 m in front of, 0.26 m to the right of and 0.72 m above the IMU.
    x, y, z = np.linalg.inv(T)[:3, 3]
    assert (x, y, z) == (pytest.approx(1.08, abs=0.05), pytest.approx(-0.26, abs=0.05), pytest.approx(0.72, abs=0.05))


def test_the_three_kinds_of_text_agree(date: Path, kitti: Any, shared_data: Path) -> None:
    raw = read_raw_calibration(date)
    there = read_object_calibration(shared_data / "kitti_sample" / "object" / "calib.txt")
    np.testing.assert_allclose(there.velodyne_projection(), raw.velodyne_projection(), rtol=1e-5)
    assert raw.T_cam_imu() is not None
    np.testing.assert_allclose(np.asarray(there.T_cam_imu()), np.asarray(raw.T_cam_imu()), atol=1e-6)
    assert there.baseline_m() == pytest.approx(raw.baseline_m())
    assert there.sizes == {}
    Tr = " ".join(f"{number:.12e}" for number in np.asarray(raw.T_rect_velo)[:3].ravel())
    (date / "calib.txt").write_text(f"P0: {P2}\nP2: {P2}\nP3: {P3}\nTr: {Tr}\n", encoding="utf-8")
    np.testing.assert_allclose(
        read_odometry_calibration(date / "calib.txt").velodyne_projection(), raw.velodyne_projection(), rtol=1e-9
    )


def test_the_time_with_its_colons_does_not_disturb(date: Path) -> None:
    entries = read_calibration(date / "calib_cam_to_cam.txt")
    assert "calib_time" not in entries
    assert entries["corner_dist"].tolist() == [0.0995]


def test_without_velodyne_or_imu_the_camera_is_still_known(date: Path) -> None:
    (date / "calib_velo_to_cam.txt").unlink()
    calibration = read_raw_calibration(date)
    assert calibration.baseline_m() > 0
    assert calibration.T_cam_imu() is None
    with pytest.raises(InputError, match="no calibration of the velodyne"):
        calibration.velodyne_projection()
    with pytest.raises(InputError, match=r"no projection of camera 0 \(it has 2, 3\)"):
        calibration.intrinsics(0)


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("cam_to_cam", "P_rect_02: 7.215377e+02", "P_rect_02:", "'P_rect_02' has 11 numbers; expected 12"),
        ("cam_to_cam", "P_rect_02", "P_rect_09", "no line 'P_rect_02' of 12 numbers"),
        ("cam_to_cam", "P_rect_02: 7.215377e+02", "P_rect_02: -7.215377e+02", "'P_rect_02' is no rectified"),
        (
            "cam_to_cam",
            "P_rect_02: 7.215377e+02 0.000000e+00",
            "P_rect_02: 0 7.215377e+02",
            "'P_rect_02' is no rectified",
        ),
        ("cam_to_cam", "P_rect_02: 7.2", "P_rect_02: 7,2", "no line 'P_rect_02'"),
        ("cam_to_cam", "P_rect_02: 7.215377e+02", "P_rect_02: nan", "'P_rect_02' holds NaN"),
        ("cam_to_cam", "4.485728e+01", "4.485728e+04", "'P_rect_02' puts the camera over 20 m away"),
        ("cam_to_cam", "R_rect_00: 9.999239e-01", "R_rect_00: 9.099239e-01", "'R_rect_00': not a rotation"),
        ("cam_to_cam", "R_rect_00", "R_rect_07", "no line 'R_rect_00'"),
        ("cam_to_cam", "S_rect_02: 1.242000e+03", "S_rect_02: 1.2425e+03", "'S_rect_02' is 1242.5 375"),
        ("cam_to_cam", "P_rect_03", "P_rect_02", "'P_rect_02' stands there twice"),
        ("velo_to_cam", "R: 7.533745e-03", "R: 7.533745e-01", "'R, T': not a rotation"),
        ("velo_to_cam", "T: -4.069766e-03 -7.631618e-02 -2.717806e-01", "T: -4 -76.3 -271.8", "are these millimetres"),
        ("velo_to_cam", "T: ", "U: ", "no line 'T' of 3 numbers"),
        ("imu_to_velo", "T: -8.086759e-01", "T: ", "'T' has 2 numbers"),
    ],
)
def test_a_bad_line_is_named(date: Path, file: str, old: str, new: str, words: str) -> None:
    path = date / f"calib_{file}.txt"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=rf"calib_{file}\.txt: .*{re.escape(words)}"):
        read_raw_calibration(date)


def test_exchanged_cameras_and_missing_files_are_refused(date: Path) -> None:
    path = date / "calib_cam_to_cam.txt"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("P_rect_02", "P_x").replace("P_rect_03", "P_rect_02").replace("P_x", "P_rect_03"))
    with pytest.raises(InputError, match=r"camera 3 stands -0\.5327 m to the right of camera 2"):
        read_raw_calibration(date).baseline_m()
    path.write_bytes(b"\xff\xd8\xff\xe0 a picture")
    with pytest.raises(InputError, match="not a text file"):
        read_raw_calibration(date)
    path.write_text("nothing here", encoding="utf-8")
    with pytest.raises(InputError, match="no line 'key: numbers'"):
        read_raw_calibration(date)
    path.unlink()
    with pytest.raises(InputError, match=r"calib_cam_to_cam\.txt: missing"):
        read_raw_calibration(date)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_mutilated_text_is_refused_or_gives_a_lawful_camera(
    tmp_path_factory: pytest.TempPathFactory, kitti: Any, data: st.DataObject
) -> None:
    date = tmp_path_factory.mktemp("date")
    kitti.write_calibration(date)
    path = date / "calib_cam_to_cam.txt"
    words = kitti.CAM_TO_CAM.split(" ")
    first, second = (data.draw(st.integers(0, len(words) - 1)) for _ in range(2))
    kind = data.draw(st.sampled_from(["swap", "cut", "drop", "text"]))
    if kind == "swap":
        words[first], words[second] = words[second], words[first]
    elif kind == "drop":
        del words[first]
    elif kind == "text":
        words[first] = data.draw(st.text(max_size=6))
    text = " ".join(words)
    path.write_text(text[: data.draw(st.integers(0, len(text)))] if kind == "cut" else text, encoding="utf-8")
    try:
        calibration = read_raw_calibration(date)
    except InputError as error:
        message = str(error)
        assert "calib_cam_to_cam.txt" in message
        assert "\n" not in message
        return
    K = calibration.intrinsics()
    assert np.isfinite(K).all()
    assert K[0, 0] > 0
    R = np.asarray(calibration.T_rect_velo)[:3, :3]
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=3e-3)


def packet(**change: float) -> np.ndarray[Any, Any]:
    values = dict.fromkeys(("lat", "lon", "alt", "roll", "pitch", "yaw"), 0.0) | change
    return np.array([*values.values(), *[0.0] * 24])


def test_poses_are_east_north_up_in_metres_from_the_first_packet() -> None:
    first = packet(lat=49.0, lon=8.4, alt=110.0)
    np.testing.assert_allclose(oxts_to_pose(first, first), np.eye(4), atol=1e-12)
    # A degree is 111 319.49 m at the equator: 0.001 degrees north, and east times cos(49°) = 0.656059.
    north = oxts_to_pose(packet(lat=49.001, lon=8.4, alt=112.0), first)
    np.testing.assert_allclose(north[:3, 3], [0, 111.3195, 2.0], atol=2e-3)
    east = oxts_to_pose(packet(lat=49.0, lon=8.401, alt=110.0, yaw=np.pi / 2), first)
    np.testing.assert_allclose(east[:3, 3], [73.0321, 0, 0], atol=1e-3)
    np.testing.assert_allclose(east[:3, 0], [0, 1, 0], atol=1e-12)  # heading north: forward is y
    pitched = oxts_to_pose(packet(lat=49.0, lon=8.4, alt=110.0, pitch=0.1), first)
    np.testing.assert_allclose(pitched[:3, 0], [np.cos(0.1), 0, -np.sin(0.1)], atol=1e-12)


def test_rotations_are_rotations() -> None:
    R = oxts_to_pose(packet(roll=0.3, pitch=-0.2, yaw=2.5), packet())[:3, :3]
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1.0)
    np.testing.assert_allclose(R[2], [np.sin(0.2), np.cos(0.2) * np.sin(0.3), np.cos(0.2) * np.cos(0.3)], atol=1e-12)


@pytest.mark.parametrize("text", ["", "1 2 3", "a " * 30, "95 8 0 0 0 0 " + "0 " * 24, "49 8 0 0 0 90 " + "0 " * 24])
def test_a_bad_packet_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "0.txt").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"0\.txt: expected 30 numbers"):
        read_oxts(tmp_path / "0.txt")


WriteTimes = Callable[[str], Path]


@pytest.fixture
def write_times(tmp_path: Path) -> WriteTimes:
    def write(text: str) -> Path:
        (tmp_path / "timestamps.txt").write_text(text, encoding="utf-8")
        return tmp_path / "timestamps.txt"

    return write


def test_time_stamps_are_seconds(write_times: WriteTimes) -> None:
    times = read_timestamps(write_times("2011-09-26 13:02:25.594360375\n\n2011-09-26 13:02:26\n\n"))
    start = datetime.datetime(2011, 9, 26, 13, 2, 25, tzinfo=datetime.UTC).timestamp()
    assert times[0] == pytest.approx(start + 0.594360375, abs=1e-6)
    assert np.isnan(times[1])
    assert times[2] == start + 1
    assert len(times) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [("0.1 0.2", "line 1 is"), ("2011-09-26 13:02:25\n2011-09-26 13:02:24\n", "go back by 1.000 s")],
)
def test_bad_times_are_named(write_times: WriteTimes, text: str, words: str) -> None:
    with pytest.raises(InputError, match=rf"timestamps\.txt: .*{words}"):
        read_timestamps(write_times(text))
