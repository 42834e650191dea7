from __future__ import annotations

import datetime
import logging
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthnet.data import open_dataset
from depthnet.data.kitti.raw import KittiRawDataset
from depthnet.data.splits.kitti import KITTI_SPLITS, kitti_frames
from depthnet.errors import ConfigError, InputError

MakeRaw = Callable[..., Path]
DRIVE = "2011_09_26_drive_0001"


def test_a_frame_has_image_depth_camera_pose_and_time(make_raw: MakeRaw, kitti: SimpleNamespace) -> None:
    data = open_dataset(make_raw())
    assert (data.format, data.default_protocol, data.name) == ("kitti-raw", "kitti-eigen", "raw")
    assert data.names == [f"{DRIVE}_sync/image_02/{frame:010d}" for frame in range(3)]
    sample = data[2]
    assert sample.image.shape == (3, *kitti.SIZE)
    np.testing.assert_array_equal(np.rint(sample.image[:, 0, 0] * 255), [2, 2, 7])
    assert sample.depth is not None
    assert sample.valid is not None
    np.testing.assert_allclose(sample.depth[0], kitti.frame_depth(2), atol=1e-4)
    np.testing.assert_array_equal(sample.valid, sample.depth > 0)
    np.testing.assert_allclose(sample.K, [[36, 0, 30.5], [0, 36, 9], [0, 0, 1]])
    moment = datetime.datetime(2011, 9, 26, 13, 2, 25, tzinfo=datetime.UTC).timestamp()
    assert sample.time_s == pytest.approx(moment + 0.2, abs=1e-5)


def test_poses_drive_on_along_the_axis_of_the_camera(make_raw: MakeRaw) -> None:
    first, _, third = (sample.T_world_cam for sample in KittiRawDataset(make_raw()))
    assert first is not None
    assert third is not None
    # The car goes 0.9 m a frame to the east, nose first; the camera looks the same way.
    step = np.linalg.inv(first) @ third
    np.testing.assert_allclose(step[:3, 3], [0, 0, 1.8], atol=0.04)
    np.testing.assert_allclose(step[:3, :3], np.eye(3), atol=1e-9)
    np.testing.assert_allclose(first[:3, 2], [1, 0, 0], atol=0.03)


def test_path_may_be_the_dates_a_date_or_a_drive(make_raw: MakeRaw) -> None:
    root = make_raw({DRIVE: range(2), "2011_09_28_drive_0002": range(1)})
    assert len(open_dataset(root)) == 3
    date = root / "2011_09_26"
    for path in (date, date / f"{DRIVE}_sync"):
        data = open_dataset(path)
        assert (data.format, len(data)) == ("kitti-raw", 2)
        assert data[1].depth is not None
    assert open_dataset(root).sequences() == {
        f"{DRIVE}_sync/image_02": [0, 1],
        "2011_09_28_drive_0002_sync/image_02": [2],
    }


def test_jpeg_copies_are_read_and_png_is_preferred(make_raw: MakeRaw, kitti: SimpleNamespace) -> None:
    root = make_raw(suffix=".jpg")
    kitti.write_image(root / "2011_09_26" / f"{DRIVE}_sync" / "image_02" / "data" / "0000000001.png", 200)
    data = KittiRawDataset(root)
    assert len(data) == 3
    assert data[0].image[0, 0, 0] == pytest.approx(0, abs=0.02)
    assert data[1].image[0, 0, 0] == pytest.approx(200 / 255)


def test_cameras_right_and_both(make_raw: MakeRaw) -> None:
    root = make_raw()
    both = KittiRawDataset(root, cameras="both")
    assert both.names[:2] == [f"{DRIVE}_sync/image_02/0000000000", f"{DRIVE}_sync/image_03/0000000000"]
    left, right = both[0], both[1]
    assert right.image[1, 0, 0] == pytest.approx(3 / 255)
    assert left.T_world_cam is not None
    assert right.T_world_cam is not None
    # The right camera stands 0.533 m to the right.
    offset = np.linalg.inv(left.T_world_cam) @ right.T_world_cam
    np.testing.assert_allclose(offset[:3, 3], [0.533, 0, 0], atol=0.02)
    assert right.depth is not None
    assert right.depth.max() > 0
    assert KittiRawDataset(root, cameras="right").names == both.names[1::2]


def test_the_literature_and_the_annotated_depth_are_chosen_by_name(make_raw: MakeRaw, kitti: SimpleNamespace) -> None:
    root = make_raw()
    depth = open_dataset(root, format="kitti-raw-literature").read_raw(0).depth
    assert depth is not None
    # One pixel up and left, and forward from the velodyne: about 0.27 m more.
    y, x = np.nonzero(depth)
    shifted = kitti.frame_depth(0)[y + 1, x + 1]
    assert np.count_nonzero(shifted) == len(shifted) > 200
    assert np.median(depth[y, x] - shifted) == pytest.approx(0.27, abs=0.06)
    truth = root / "2011_09_26" / f"{DRIVE}_sync" / "proj_depth" / "groundtruth" / "image_02" / "0000000001.png"
    with pytest.raises(InputError, match="no annotated depth"):
        open_dataset(root, format="kitti-raw-annotated")
    kitti.write_truth(truth, 12.5)
    data = open_dataset(root, format="kitti-raw-annotated")
    assert data.names == [f"{DRIVE}_sync/image_02/0000000001"]
    assert set(data.left_out.values()) == {"no annotated depth"}
    assert np.unique(data.read_raw(0).depth).tolist() == [0, 12.5]


def test_splits_are_those_of_the_field() -> None:
    sizes = {split: sum(map(len, kitti_frames(split).values())) for split in KITTI_SPLITS}
    assert sizes == {
        "train": 22600, "val": 888, "test": 697, "eigen-train": 22600, "eigen-val": 888, "eigen-test": 697,
        "eigen-benchmark": 652, "zhou-train": 19956, "zhou-val": 2161,
    }  # fmt: skip
    test, benchmark = kitti_frames("test"), kitti_frames("eigen-benchmark")
    assert len(test) == 28
    assert {drive: len(frames) for drive, frames in test.items() if len(frames) != 25} == {"2011_09_26_drive_0048": 22}
    assert all(set(benchmark[drive]) <= set(test[drive]) for drive in benchmark)
    assert not test.keys() & kitti_frames("train").keys()
    with pytest.raises(ConfigError, match="split 'dev'"):
        kitti_frames("dev")


def test_the_package_holds_the_lists_as_they_were_given(shared_data: Path) -> None:
    import json

    given_lists = json.loads((shared_data / "splits" / "kitti_raw.json").read_text(encoding="utf-8"))
    for key, split in (("eigen_train", "eigen-train"), ("eigen_val", "eigen-val"), ("eigen_test", "eigen-test"),
                       ("eigen_benchmark_test", "eigen-benchmark"), ("zhou_train", "zhou-train"),
                       ("zhou_val", "zhou-val")):  # fmt: skip
        assert kitti_frames(split) == {drive: tuple(frames) for drive, frames in given_lists[key].items()}


def test_what_a_split_lacks_on_disk_is_said_in_one_line(make_raw: MakeRaw, caplog: pytest.LogCaptureFixture) -> None:
    # Of the test drive 0002, frames 0, 3 and 6 are of the split.
    root = make_raw({"2011_09_26_drive_0002": range(8)})
    with caplog.at_level(logging.WARNING):
        data = KittiRawDataset(root, "test")
    assert [name[-3:] for name in data.names] == ["000", "003", "006"]
    assert data.missing == 694
    assert len(caplog.records) == 1
    message = caplog.messages[0]
    assert "694 of 697 frames of split 'test' are left out (694 without image, 0 without depth)" in message
    assert "drive_0002_sync/image_02/0000000009" in message
    with pytest.raises(InputError, match=r"none of the 22600 frames of split 'train' can be used \(22600 without"):
        KittiRawDataset(root, "train")
    with pytest.raises(InputError, match=r"no split 'dev'; KITTI raw has train, val, test"):
        KittiRawDataset(root, "dev")


def test_frames_without_scan_are_left_out_and_reported(make_raw: MakeRaw, caplog: pytest.LogCaptureFixture) -> None:
    root = make_raw()
    scans = root / "2011_09_26" / f"{DRIVE}_sync" / "velodyne_points" / "data"
    (scans / "0000000001.bin").unlink()
    data = KittiRawDataset(root)
    assert [name[-1] for name in data.names] == ["0", "2"]
    assert data.left_out == {f"{DRIVE}_sync/image_02/0000000001": "no velodyne scan"}
    assert "1 of 3 frames are left out (0 without image, 1 without depth)" in caplog.text
    shutil.rmtree(scans)
    images_only = KittiRawDataset(root)
    assert len(images_only) == 3
    assert images_only[0].depth is None
    assert images_only.read_depth(0) is None
    assert images_only[0].T_world_cam is not None


def test_depth_alone_does_not_decode_the_picture(make_raw: MakeRaw) -> None:
    root = make_raw()
    data = KittiRawDataset(root)
    expected = data.read_raw(1).depth
    (root / "2011_09_26" / f"{DRIVE}_sync" / "image_02" / "data" / "0000000001.png").write_bytes(b"no picture")
    np.testing.assert_array_equal(data.read_depth(1), expected)
    with pytest.raises(InputError, match=r"0000000001\.png"):
        data[1]


def test_a_data_set_can_be_pickled(make_raw: MakeRaw) -> None:
    data = KittiRawDataset(make_raw())
    again = pickle.loads(pickle.dumps(data))
    np.testing.assert_array_equal(again[1].depth, data[1].depth)


def test_pictures_of_another_size_are_refused(make_raw: MakeRaw, kitti: SimpleNamespace) -> None:
    root = make_raw()
    file = root / "2011_09_26" / f"{DRIVE}_sync" / "image_02" / "data" / "0000000001.png"
    kitti.write_image(file, 1, size=(10, 31))
    data = KittiRawDataset(root)
    with pytest.raises(InputError, match=r"0000000001\.png: 31x10 pixels, but .* is for 62x19 \(S_rect_02\)"):
        data[1]
    text = kitti.CAM_TO_CAM.replace("S_rect_02", "S_nothing")
    (root / "2011_09_26" / "calib_cam_to_cam.txt").write_text(text, encoding="utf-8")
    unsized = KittiRawDataset(root)
    assert unsized[0].depth is not None
    with pytest.raises(
        InputError, match=r"the camera centre of .* is \(30\.5, 9\.0\), which should be near the middle"
    ):
        unsized[1]


def test_trouble_in_the_files_around_is_named(make_raw: MakeRaw) -> None:
    root = make_raw()
    drive = root / "2011_09_26" / f"{DRIVE}_sync"
    stamps = drive / "image_02" / "timestamps.txt"
    stamps.write_text("2011-09-26 13:02:25.5\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"timestamps\.txt: 1 time stamps, but there is a frame 2"):
        KittiRawDataset(root)[2]
    stamps.unlink()
    assert KittiRawDataset(root)[2].time_s is None
    (drive / "oxts" / "data" / "0000000002.txt").write_text("49 8", encoding="utf-8")
    with pytest.raises(InputError, match=r"0000000002\.txt: expected 30 numbers"):
        KittiRawDataset(root)[2]
    (drive / "oxts" / "data" / "0000000002.txt").unlink()
    assert KittiRawDataset(root)[2].T_world_cam is None
    scan = drive / "velodyne_points" / "data" / "0000000002.bin"
    scan.write_bytes(scan.read_bytes()[:-3])
    with pytest.raises(InputError, match=r"0000000002\.bin: .*truncated"):
        KittiRawDataset(root)[2]
    (root / "2011_09_26" / "calib_velo_to_cam.txt").unlink()
    with pytest.raises(InputError, match="no calibration of the velodyne"):
        KittiRawDataset(root)
    (root / "2011_09_26" / "calib_cam_to_cam.txt").unlink()
    with pytest.raises(InputError, match=r"unpack 2011_09_26_calib\.zip here"):
        KittiRawDataset(root)


def test_what_is_no_rectified_drive_is_refused(make_raw: MakeRaw, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no KITTI drive such as"):
        KittiRawDataset(tmp_path)
    root = make_raw()
    drive = root / "2011_09_26" / f"{DRIVE}_sync"
    with pytest.raises(ConfigError, match="depth 'x'"):
        KittiRawDataset(root, depth="x")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="cameras 'x'"):
        KittiRawDataset(root, cameras="x")  # type: ignore[arg-type]
    drive.rename(drive.with_name(f"{DRIVE}_extract"))
    with pytest.raises(InputError, match=r"_extract: an unrectified drive"):
        KittiRawDataset(root)


@settings(max_examples=25, deadline=None)
@given(place=st.integers(0, 10_000), values=st.binary(min_size=1, max_size=12), cut=st.booleans())
def test_a_damaged_scan_gives_lawful_depth_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, kitti: SimpleNamespace, place: int, values: bytes, cut: bool
) -> None:
    folder = tmp_path_factory.mktemp("drive") / "2011_09_26" / f"{DRIVE}_sync"
    kitti.write_calibration(folder.parent)
    kitti.write_image(folder / "image_02" / "data" / "0000000000.png", 1)
    P = kitti.numbers(kitti.CAM_TO_CAM, "P_rect_02").reshape(3, 4)
    blob = bytearray(kitti.scan_of(kitti.frame_depth(0), P).tobytes())
    start = place % len(blob)
    blob[start : start + len(values)] = b"" if cut else values
    scan = folder / "velodyne_points" / "data" / "0000000000.bin"
    scan.parent.mkdir(parents=True)
    scan.write_bytes(bytes(blob))
    try:
        depth = KittiRawDataset(folder.parent.parent)[0].depth
    except InputError as error:
        message = str(error)
        assert "0000000000.bin" in message
        return
    assert depth is not None
    assert np.isfinite(depth).all()
    assert 0 <= depth.min() <= depth.max() < 250
