"""Stereo pairs of every layout, and Cityscapes, whose disparity they share."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from depthnet.data import open_dataset
from depthnet.data.cityscapes import read_camera, read_disparity
from depthnet.data.kitti.layout import looks_like_raw
from depthnet.data.middlebury import read_middlebury_calibration
from depthnet.data.stereo import open_stereo
from depthnet.errors import InputError

MakeRaw = Callable[..., Path]
NAME = "train/aachen/aachen_000000_000019"
CAMERA: dict[str, dict[str, float]] = {
    "extrinsic": {"baseline": 0.209313, "pitch": 0.038, "roll": 0.0, "yaw": -0.0195, "x": 1.7, "y": 0.1, "z": 1.22},
    "intrinsic": {"fx": 2262.52, "fy": 2265.3017905988554, "u0": 20.0, "v0": 9.0},
}


@pytest.fixture
def cityscapes(tmp_path: Path, kitti: SimpleNamespace) -> Path:
    """Two training pictures and a validation one; disparity values 0, 1, 257 and 2561 are unknown, 0, 1 and 10 px."""
    root = tmp_path / "cityscapes"
    for part, city, frame in (("train", "aachen", 19), ("train", "aachen", 20), ("val", "lindau", 19)):
        stem = f"{part}/{city}/{city}_000000_{frame:06d}"
        kitti.write_image(root / "leftImg8bit" / f"{stem}_leftImg8bit.png", frame, 2)
        kitti.write_image(root / "rightImg8bit" / f"{stem}_rightImg8bit.png", frame, 3)
        values = np.full(kitti.SIZE, 2561, np.uint16)
        values[0, :3] = (0, 1, 257)
        for kind, suffix in (("disparity", ".png"), ("camera", ".json")):
            (root / kind / part / city).mkdir(parents=True, exist_ok=True)
            file = root / kind / f"{stem}_{kind}{suffix}"
            Image.fromarray(values).save(file) if kind == "disparity" else file.write_text(json.dumps(CAMERA))
    return root


def test_cityscapes_depth_follows_from_disparity(cityscapes: Path) -> None:
    data = open_dataset(cityscapes)
    assert (data.format, data.default_protocol, data.splits) == ("cityscapes", "none", ("train", "val"))
    assert data.names == [NAME, "train/aachen/aachen_000000_000020", "val/lindau/lindau_000000_000019"]
    sample = data[0]
    assert sample.depth is not None
    # 0.209313 m · 2262.52 px = 473.575: over 1 px and 10 px.
    np.testing.assert_allclose(sample.depth[0, 0, :4], [0, 0, 473.5748, 47.35748], rtol=1e-5)
    np.testing.assert_allclose(sample.K, [[2262.52, 0, 20], [0, 2265.3018, 9], [0, 0, 1]], rtol=1e-6)
    assert len(open_dataset(cityscapes, "val")) == 1
    with pytest.raises(InputError, match="no split 'test'; leftImg8bit holds train, val"):
        open_dataset(cityscapes, "test")


def test_labels_take_the_bonnet_and_the_border_away(cityscapes: Path, kitti: SimpleNamespace) -> None:
    labels = np.full(kitti.SIZE, 7, np.uint8)
    labels[-3:] = 1
    labels[:, :2] = 2
    labels[5, 5] = 3
    labels[6, 6] = 4
    file = cityscapes / "gtFine" / f"{NAME}_gtFine_labelIds.png"
    file.parent.mkdir(parents=True)
    Image.fromarray(labels).save(file)
    depth = open_dataset(cityscapes)[0].depth
    assert depth is not None
    expected = np.full(kitti.SIZE, True)
    expected[-3:] = expected[:, :2] = expected[5, 5] = False
    np.testing.assert_array_equal(depth[0] > 0, expected)
    Image.fromarray(labels[1:]).save(file)
    with pytest.raises(InputError, match="labels are 62x18 and the disparity 62x19"):
        open_dataset(cityscapes)[0]


def test_cityscapes_without_disparity_has_pictures_only(cityscapes: Path) -> None:
    (cityscapes / "disparity").rename(cityscapes / "x")
    sample = open_dataset(cityscapes)[0]
    assert sample.depth is None
    assert sample.K is not None
    (cityscapes / "x").rename(cityscapes / "disparity")
    (cityscapes / "camera").rename(cityscapes / "x")
    with pytest.raises(InputError, match=r"camera: missing; depth needs the baseline"):
        open_dataset(cityscapes)


def test_pictures_of_a_video_folder_are_read(cityscapes: Path) -> None:
    for kind in ("leftImg8bit", "rightImg8bit", "disparity", "camera"):
        (cityscapes / kind).rename(cityscapes / f"{kind}_sequence")
    assert open_dataset(cityscapes)[0].depth is not None
    assert len(open_stereo(cityscapes)) == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["extrinsic"].pop("baseline"), "no 'baseline'"),
        (lambda c: c["extrinsic"].update(baseline=209.3), "baseline in metres below 2"),
        (lambda c: c["extrinsic"].update(baseline=float("nan")), "baseline is nan"),
        (lambda c: c["intrinsic"].update(fy=-1.0), "expected pixels"),
        (lambda c: c["intrinsic"].update(fx="wide"), "could not convert"),
        (lambda c: c.update(intrinsic=[1, 2]), "expected"),
    ],
)
def test_cityscapes_cameras_that_cannot_be_are_refused(
    tmp_path: Path, change: Callable[[Any], Any], words: str
) -> None:
    camera = json.loads(json.dumps(CAMERA))
    change(camera)
    (tmp_path / "a_camera.json").write_text(json.dumps(camera), encoding="utf-8")
    with pytest.raises(InputError, match=rf"a_camera\.json: .*{words}"):
        read_camera(tmp_path / "a_camera.json")


@settings(max_examples=30, deadline=None)
@given(place=st.integers(0, 10_000), junk=st.text(max_size=4))
def test_a_mutilated_camera_is_lawful_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, place: int, junk: str
) -> None:
    text = json.dumps(CAMERA)
    place %= len(text)
    file = tmp_path_factory.mktemp("city") / "a_camera.json"
    file.write_text(text[:place] + junk + text[place + len(junk) :], encoding="utf-8")
    try:
        camera = read_camera(file)
    except InputError as error:
        message = str(error)
        assert "a_camera.json" in message
        return
    assert min(camera.fx, camera.fy, camera.baseline_m) > 0
    assert np.isfinite(camera.K).all()


def test_disparity_of_another_kind_is_refused(cityscapes: Path) -> None:
    file = cityscapes / "disparity" / f"{NAME}_disparity.png"
    Image.fromarray(np.full((19, 62), 60_000, np.uint16)).save(file)
    with pytest.raises(InputError, match=r"disparities up to 234\.4 px in a picture 62 wide"):
        read_disparity(file)
    Image.fromarray(np.full((19, 62), 60, np.uint8)).save(file)
    with pytest.raises(InputError, match="8-bit"):
        open_dataset(cityscapes)[0]
    Image.fromarray(np.full((19, 61), 60, np.uint16)).save(file)
    with pytest.raises(InputError, match="disparity is 61x19 and its picture 62x19"):
        open_dataset(cityscapes)[0]


def test_cityscapes_pairs(cityscapes: Path, caplog: pytest.LogCaptureFixture) -> None:
    pairs = open_stereo(cityscapes, "train")
    assert (pairs.format, len(pairs)) == ("cityscapes", 2)
    pair = pairs[0]
    assert (pair.left[1, 0, 0], pair.right[1, 0, 0]) == (pytest.approx(2 / 255), pytest.approx(3 / 255))
    assert pair.baseline_m == 0.209313
    assert pair.disparity_px is not None
    assert pair.valid is not None
    np.testing.assert_allclose(pair.disparity_px[0, 0, :4], [0, 0, 1, 10], rtol=1e-5)
    assert pair.valid[0, 0, :4].tolist() == [False, False, True, True]
    (cityscapes / "rightImg8bit" / f"{NAME}_rightImg8bit.png").unlink()
    with caplog.at_level(logging.WARNING):
        assert open_stereo(cityscapes, "train").names == ["train/aachen/aachen_000000_000020"]
    assert "1 of 2 left pictures have no right one" in caplog.text


def test_kitti_pairs(make_raw: MakeRaw, kitti: SimpleNamespace) -> None:
    root = make_raw()
    pairs = open_stereo(root)
    assert (pairs.format, len(pairs), len(pairs[1:])) == ("kitti-raw", 3, 2)
    pair = pairs[-1]
    assert pair.name == "2011_09_26_drive_0001_sync/image_02/0000000002"
    assert (pair.left[1, 0, 0], pair.right[1, 0, 0]) == (pytest.approx(2 / 255), pytest.approx(3 / 255))
    assert pair.baseline_m == pytest.approx((2.238 + 16.94) / 36)
    assert pair.disparity_px is not None
    depth = kitti.frame_depth(2)
    np.testing.assert_allclose(pair.disparity_px[0][depth > 0], 36 * pair.baseline_m / depth[depth > 0], rtol=1e-4)
    assert pair.depth is not None
    np.testing.assert_allclose(pair.depth[0], depth, rtol=1e-4)
    right = root / "2011_09_26" / "2011_09_26_drive_0001_sync" / "image_03" / "data"
    kitti.write_image(right / "0000000002.png", 2, size=(19, 60))
    with pytest.raises(InputError, match=r"0000000002\.png: 60x19"):
        pairs[2]
    for file in right.iterdir():
        file.unlink()
    with pytest.raises(InputError, match=r"3 left pictures, but no image_03"):
        open_stereo(root)
    assert looks_like_raw(root)


MIDDLEBURY = """cam0=[36.0 0 20.0; 0 36.0 9.0; 0 0 1]
cam1=[36.0 0 24.5; 0 36.0 9.0; 0 0 1]
doffs=4.5
baseline=193.001
width=62
height=19
ndisp=70
"""


@pytest.fixture
def middlebury(tmp_path: Path, kitti: SimpleNamespace) -> Path:
    scene = tmp_path / "middlebury" / "Chair-perfect"
    kitti.write_image(scene / "im0.png", 1)
    kitti.write_image(scene / "im1.png", 2)
    (scene / "calib.txt").write_text(MIDDLEBURY, encoding="utf-8")
    disparity = np.full(kitti.SIZE, 5.5, "<f4")
    disparity[0] = np.inf
    (scene / "disp0.pfm").write_bytes(b"Pf\n62 19\n-1\n" + disparity[::-1].tobytes())
    return scene


def test_middlebury_scenes(middlebury: Path) -> None:
    for path in (middlebury, middlebury.parent):
        pairs = open_stereo(path)
        assert (pairs.format, pairs.names) == ("middlebury", ["Chair-perfect"])
    pair = pairs[0]
    assert (pair.baseline_m, pair.doffs) == (0.193001, 4.5)
    assert pair.depth is not None
    assert pair.valid is not None
    assert not pair.valid[0, 0].any()
    assert pair.valid[0, 1:].all()
    # 36 px · 0.193001 m / (5.5 + 4.5) px.
    np.testing.assert_allclose(pair.depth[0, 1:], 0.6948036, rtol=1e-6)
    assert not pair.depth[0, 0].any()
    with pytest.raises(InputError, match="no split 'val'"):
        open_stereo(middlebury, "val")
    (middlebury / "disp0.pfm").unlink()
    assert open_stereo(middlebury)[0].disparity_px is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("doffs=4.5", "doffs=4.0", "doffs = cx1 − cx0"),
        ("doffs=4.5", "", "'doffs='"),
        ("baseline=193.001", "baseline=0.193", "expected millimetres"),
        ("cam0=[36.0", "cam0=[-36.0", "expected cam0="),
        ("cam1=[36.0 0 24.5;", "cam1=[36.0 0;", "expected cam1="),
    ],
)
def test_middlebury_calibrations_that_cannot_be_are_refused(middlebury: Path, old: str, new: str, words: str) -> None:
    file = middlebury / "calib.txt"
    file.write_text(MIDDLEBURY.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=rf"calib\.txt: .*{words}"):
        read_middlebury_calibration(file)


def test_middlebury_pictures_of_another_size_are_refused(middlebury: Path, kitti: SimpleNamespace) -> None:
    kitti.write_image(middlebury / "im0.png", 1, size=(38, 124))
    with pytest.raises(InputError, match="its calibration is for 62x19"):
        open_stereo(middlebury)[0]


def test_the_real_motorcycle_matches_its_disparity(shared_data: Path) -> None:
    pairs = open_stereo(shared_data / "middlebury_motorcycle")
    assert pairs.names == ["motorcycle"]
    pair = pairs[0]
    assert pair.left.shape == (3, 500, 741)
    assert pair.valid is not None
    assert pair.disparity_px is not None
    assert pair.depth is not None
    known = pair.depth[pair.valid]
    assert known.min() == pytest.approx(2.11, abs=0.01)
    assert known.max() == pytest.approx(5.02, abs=0.01)
    y, x = np.nonzero(pair.valid[0])
    match = np.rint(x - pair.disparity_px[0, y, x]).astype(int)
    seen, opposite = match >= 0, np.minimum(2 * x - match, 740)
    error = np.abs(pair.left[:, y[seen], x[seen]] - pair.right[:, y[seen], match[seen]]).mean()
    wrong_way = np.abs(pair.left[:, y, x] - pair.right[:, y, opposite]).mean()
    assert error < 0.04 < 0.15 < wrong_way


def test_what_holds_no_pairs_says_what_was_looked_for(tmp_path: Path, cityscapes: Path, middlebury: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        open_stereo(tmp_path / "none")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match=r"no stereo pairs .*Looked for kitti-raw: .*prepared"):
        open_stereo(empty)
    with pytest.raises(InputError, match="--format 'x': no stereo layout; choose one of kitti-raw"):
        open_stereo(cityscapes, format="x")
    with pytest.raises(InputError, match="no KITTI drive"):
        open_stereo(cityscapes, format="kitti-raw")
    (middlebury / "leftImg8bit").mkdir()
    with pytest.raises(InputError, match="fits cityscapes and middlebury"):
        open_stereo(middlebury)
