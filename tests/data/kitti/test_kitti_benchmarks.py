"""Annotated depth, odometry and object frames; the evaluation of real samples at their own size."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from depthnet.cli import main
from depthnet.data import open_dataset
from depthnet.data.kitti.annotated import KittiDepthDataset
from depthnet.data.kitti.raw import read_annotated_depth
from depthnet.errors import InputError

MakeRaw = Callable[..., Path]
DRIVE = "2011_09_26_drive_0002"


@pytest.fixture
def annotated(make_raw: MakeRaw, kitti: SimpleNamespace, tmp_path: Path) -> Path:
    """``data_depth_annotated`` beside ``raw``: a training and a validation drive, the first 2 frames not annotated."""
    make_raw({DRIVE: range(8), "2011_09_26_drive_0001": range(4)})
    for part, drive, frames in (("val", DRIVE, range(2, 8)), ("train", "2011_09_26_drive_0001", range(2, 4))):
        for frame in frames:
            folder = tmp_path / "data_depth_annotated" / part / f"{drive}_sync" / "proj_depth" / "groundtruth"
            kitti.write_truth(folder / "image_02" / f"{frame:010d}.png", 10.0 + frame)
    return tmp_path / "data_depth_annotated"


def test_annotated_depth_finds_its_pictures(annotated: Path) -> None:
    data = open_dataset(annotated)
    assert (data.format, data.default_protocol, data.name) == ("kitti-depth", "kitti-eigen", "data_depth_annotated")
    assert len(data) == 8
    sample = data.select([f"{DRIVE}_sync/image_02/0000000003"])[0]
    assert sample.depth is not None
    assert np.unique(sample.depth).tolist() == [0, 13.0]
    assert not sample.depth[0, :, :31].any()
    assert sample.image[0, 0, 0] == pytest.approx(3 / 255)
    assert sample.K is not None
    assert sample.T_world_cam is not None


def test_splits_of_annotated_depth(annotated: Path) -> None:
    assert [name[-1] for name in open_dataset(annotated, "test").names] == ["6"]  # of 0, 3, 6 the improved list has 6
    assert [name[-1] for name in open_dataset(annotated, "eigen-test").names] == ["3", "6"]
    assert len(open_dataset(annotated, "benchmark-val")) == 6
    assert len(open_dataset(annotated, "benchmark-train")) == 2
    assert len(open_dataset(annotated / "train")) == 2
    with pytest.raises(InputError, match="no drive of split 'benchmark-val'"):
        open_dataset(annotated / "train", "benchmark-val")
    with pytest.raises(InputError, match="no split 'x'"):
        open_dataset(annotated, "x")


def test_annotated_depth_without_pictures_says_where_it_looked(annotated: Path, tmp_path: Path) -> None:
    shutil.move(annotated.parent / "raw", annotated.parent / "elsewhere")
    with pytest.raises(InputError, match=r"annotated depth of 2 drives, but the images of none were found"):
        open_dataset(annotated)
    assert len(KittiDepthDataset(annotated, raw=annotated.parent / "elsewhere")) == 8


@pytest.mark.parametrize("middle", ["groundtruth_depth", "image"])
def test_the_selected_validation_images(tmp_path: Path, kitti: SimpleNamespace, middle: str) -> None:
    root = tmp_path / "depth_selection" / "val_selection_cropped"
    truth = root / "groundtruth_depth" / f"{DRIVE}_sync_groundtruth_depth_0000000008_image_03.png"
    image = root / "image" / f"{DRIVE}_sync_{middle}_0000000008_image_03.png"
    kitti.write_truth(truth, 7.25)
    kitti.write_image(image, 9)
    (root / "intrinsics").mkdir()
    intrinsics = root / "intrinsics" / f"{image.stem}.txt"
    intrinsics.write_text("721.5 0 30.0 0 721.5 9.0 0 0 1", encoding="utf-8")
    for path in (root, root.parent):
        data = open_dataset(path)
        assert (data.format, data.names) == ("kitti-depth", [f"{DRIVE}_sync/image_03/0000000008"])
        assert data[0].depth is not None
        assert data[0].depth.max() == 7.25
        np.testing.assert_allclose(data[0].K, [[721.5, 0, 30], [0, 721.5, 9], [0, 0, 1]])
    intrinsics.write_text("721.5 0 300.0 0 721.5 9.0 0 0 1", encoding="utf-8")
    with pytest.raises(InputError, match="is no K"):
        open_dataset(root)[0]
    image.unlink()
    with pytest.raises(InputError, match="no image belongs to it"):
        open_dataset(root)


def test_annotated_maps_of_another_kind_are_refused(tmp_path: Path, kitti: SimpleNamespace) -> None:
    file = tmp_path / "a.png"
    Image.fromarray(np.full((4, 5), 41_000, np.uint16)).save(file)  # 41 m in millimetres
    with pytest.raises(InputError, match=r"depths up to 160\.2 m when read as value/256.*millimetres"):
        read_annotated_depth(file)
    kitti.write_truth(file, 20.0)
    with pytest.raises(InputError, match="depth is 62x19 and its image 10x20"):
        read_annotated_depth(file, (20, 10))
    Image.fromarray(np.full((4, 5), 90, np.uint8)).save(file)
    with pytest.raises(InputError, match="8-bit image"):
        read_annotated_depth(file)


@pytest.fixture
def odometry(tmp_path: Path, kitti: SimpleNamespace) -> Path:
    """Sequences 00 and 09 of 3 frames, with scans and poses that go 1 m ahead a frame."""
    P = {camera: kitti.numbers(kitti.CAM_TO_CAM, f"P_rect_0{camera}") for camera in (2, 3)}
    Tr = kitti.rect_from_velo()[:3]
    text = "".join(
        f"{key}: {' '.join(f'{number:.12e}' for number in np.ravel(row))}\n"
        for key, row in (("P2", P[2]), ("P3", P[3]), ("Tr", Tr))
    )
    for name in ("00", "09"):
        sequence = tmp_path / "sequences" / name
        (sequence / "velodyne").mkdir(parents=True)
        (sequence / "calib.txt").write_text(text, encoding="utf-8")
        (sequence / "times.txt").write_text("0.0\n1.036e-01\n2.072e-01\n", encoding="utf-8")
        for frame in range(3):
            kitti.write_image(sequence / "image_2" / f"{frame:06d}.png", frame)
            scan = kitti.scan_of(kitti.frame_depth(frame), P[2].reshape(3, 4))
            (sequence / "velodyne" / f"{frame:06d}.bin").write_bytes(scan.tobytes())
        (tmp_path / "poses").mkdir(exist_ok=True)
        lines = [f"1 0 0 0 0 1 0 0 0 0 1 {frame}" for frame in range(3)]
        (tmp_path / "poses" / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def test_odometry_has_poses_of_the_colour_camera_times_and_depth(odometry: Path, kitti: SimpleNamespace) -> None:
    data = open_dataset(odometry)
    assert data.format == "kitti-odometry"
    assert data.names == [f"{name}/{frame:06d}" for name in ("00", "09") for frame in range(3)]
    assert data.sequences() == {"00": [0, 1, 2], "09": [3, 4, 5]}
    sample = data[2]
    assert sample.time_s == pytest.approx(0.2072)
    assert sample.T_world_cam is not None
    # Camera 2 stands at -K⁻¹·p of the grey camera: (p_x − cx·p_z) / f to the left, and 2 m on.
    left = (2.238 - 30.5 * 2.745884e-3) / 36
    down = (1.08e-2 - 9.0 * 2.745884e-3) / 36
    np.testing.assert_allclose(sample.T_world_cam[:3, 3], [-left, -down, 2 - 2.745884e-3], atol=1e-9)
    assert sample.depth is not None
    np.testing.assert_allclose(sample.depth[0], kitti.frame_depth(2), atol=1e-4)
    np.testing.assert_array_equal(data.read_depth(2), sample.depth[0])


def test_odometry_splits_and_paths(odometry: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert open_dataset(odometry).splits == ("train", "test", "00", "09")
    with caplog.at_level(logging.WARNING):
        assert len(open_dataset(odometry, "train")) == 3
    assert "sequences 01, 02, 03, 04, 05, 06, 07, 08 of split 'train' are not here" in caplog.text
    assert open_dataset(odometry, "09").names[0] == "09/000000"
    assert len(open_dataset(odometry / "sequences")) == 6
    one = open_dataset(odometry / "sequences" / "09")
    assert one.names == ["09/000000", "09/000001", "09/000002"]
    assert one[1].T_world_cam is not None
    with pytest.raises(InputError, match=r"no sequence of split '11'.*here are 00, 09"):
        open_dataset(odometry, "11")


def test_odometry_without_scans_poses_or_times(odometry: Path) -> None:
    sequence = odometry / "sequences" / "09"
    (sequence / "velodyne" / "000001.bin").unlink()
    data = open_dataset(sequence)
    assert data.left_out == {"09/000001": "no velodyne scan"}
    shutil.rmtree(sequence / "velodyne")
    shutil.rmtree(odometry / "poses")
    (sequence / "times.txt").unlink()
    sample = open_dataset(sequence)[2]
    assert (sample.depth, sample.T_world_cam, sample.time_s) == (None, None, None)


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("poses/00.txt", "1 0 0 0 0 1 0 0 0 0 1 0\n", "1 poses, but there is an image 000002"),
        ("poses/00.txt", "1 0 0 0 0 1 0 0 0 0 1\n" * 3, "line 1: 11 numbers; expected 12"),
        ("poses/00.txt", "1 0 0 0 0 1 0 0 0 0 2 0\n" * 3, "line 1: not a rigid motion"),
        ("poses/00.txt", "1 0 0 x 0 1 0 0 0 0 1 0\n" * 3, "are not all numbers; expected 12"),
        ("poses/00.txt", "1 0 0 nan 0 1 0 0 0 0 1 0\n" * 3, "NaN or infinity"),
        ("sequences/00/times.txt", "0\n1\n", "2 times, but there is an image 000002"),
        ("sequences/00/times.txt", "0\n2\n1\n", "the times go back"),
        ("sequences/00/calib.txt", "P2: 1 2 3\n", "'P2' has 3 numbers"),
    ],
)
def test_odometry_texts_that_do_not_fit_are_named(odometry: Path, file: str, text: str, words: str) -> None:
    (odometry / file).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rf"{Path(file).name}: .*{words}"):
        open_dataset(odometry, "00")


@pytest.fixture
def objects(tmp_path: Path, kitti: SimpleNamespace) -> Path:
    """``training`` with frames 000000 and 000007."""
    P2, Tr = kitti.numbers(kitti.CAM_TO_CAM, "P_rect_02"), np.eye(4)
    Tr[:3, :3] = kitti.numbers(kitti.VELO_TO_CAM, "R").reshape(3, 3)
    Tr[:3, 3] = kitti.numbers(kitti.VELO_TO_CAM, "T")
    rows = (("P2", P2), ("R0_rect", kitti.numbers(kitti.CAM_TO_CAM, "R_rect_00")), ("Tr_velo_to_cam", Tr[:3].ravel()))
    part = tmp_path / "training"
    for folder in ("velodyne", "calib"):
        (part / folder).mkdir(parents=True)
    for frame in (0, 7):
        kitti.write_image(part / "image_2" / f"{frame:06d}.png", frame)
        scan = kitti.scan_of(kitti.frame_depth(frame), P2.reshape(3, 4))
        (part / "velodyne" / f"{frame:06d}.bin").write_bytes(scan.tobytes())
        text = "".join(f"{key}: {' '.join(f'{number:.12e}' for number in row)}\n" for key, row in rows)
        (part / "calib" / f"{frame:06d}.txt").write_text(text + "\n", encoding="utf-8")
    return tmp_path


def test_object_frames(objects: Path, kitti: SimpleNamespace) -> None:
    data = open_dataset(objects)
    assert (data.format, data.names, data.splits) == (
        "kitti-object",
        ["training/000000", "training/000007"],
        ("train",),
    )
    sample = data[1]
    assert sample.depth is not None
    np.testing.assert_allclose(sample.depth[0], kitti.frame_depth(7), atol=1e-4)
    np.testing.assert_array_equal(data.read_depth(1), sample.depth[0])
    assert len(open_dataset(objects / "training")) == len(open_dataset(objects, "train")) == 2
    with pytest.raises(InputError, match="no split 'test'"):
        open_dataset(objects, "test")
    (objects / "training" / "velodyne" / "000000.bin").unlink()
    assert open_dataset(objects).left_out == {"training/000000": "no velodyne scan"}
    kitti.write_image(objects / "training" / "image_2" / "000007.png", 7, size=(38, 124))
    with pytest.raises(InputError, match="should be near the middle"):
        open_dataset(objects)[0]


@pytest.mark.parametrize(("sample", "name"), [("object", "image_2"), ("annotated", "image")])
def test_real_samples_are_scored_at_their_own_size(
    shared_data: Path, tmp_path: Path, sample: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = shared_data / "kitti_sample" / sample
    depth = open_dataset(source).read_depth(0)
    assert depth is not None
    assert depth.shape == (375, 1242)
    (tmp_path / "predictions").mkdir()
    np.save(tmp_path / "predictions" / f"{name}.npy", np.where(depth > 0, depth * 1.1, 5.0).astype(np.float32))
    scores = tmp_path / "scores.json"
    words = ["evaluate", "--model", str(tmp_path / "predictions"), "--data", str(source), "--json", str(scores)]
    assert main([*words, "--protocol", "kitti-eigen", "none"]) == 0
    protocols = json.loads(scores.read_text(encoding="utf-8"))["protocols"]
    # Garg's crop of 375x1242 is rows 153 to 371 and columns 44 to 1197; beyond 80 m nothing counts.
    inside = depth[153:371, 44:1197]
    assert protocols["kitti-eigen"]["pixels"] == np.count_nonzero((inside > 1e-3) & (inside < 80))
    assert protocols["none"]["pixels"] == np.count_nonzero(depth)
    assert protocols["none"]["abs_rel"] == pytest.approx(0.1, abs=1e-4)
    assert protocols["none"]["log10"] == pytest.approx(np.log10(1.1), abs=1e-4)
    assert main([*words[:5], "--overwrite"]) == 0
    assert "kitti-eigen" in capsys.readouterr().out
