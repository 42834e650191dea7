"""TUM RGB-D: lists, association, poses and units; damaged lists and pictures; the real slice."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from depthnet.data import Sample, open_dataset
from depthnet.data.rgbd.tum import TumSequence, open_tum
from depthnet.errors import DepthNetError, InputError

SIZE = (6, 8)
HEAD = "# ground truth trajectory\n# file: 'x.bag'\n# timestamp tx ty tz qx qy qz qw\n"
COLOUR, DEPTH = (10.00, 10.03, 10.06, 10.09), (10.005, 10.034, 10.058, 10.12)


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    return make_sequence(tmp_path / "fr1_tiny")


def make_sequence(root: Path) -> Path:
    """Four colour frames; the last has no depth map within 20 ms; the second has no pose."""
    for part in ("rgb", "depth"):
        (root / part).mkdir(parents=True)
    for i, stamp in enumerate(COLOUR):
        Image.fromarray(np.full((*SIZE, 3), 40 * i, np.uint8)).save(root / f"rgb/{stamp:.6f}.png")
    for i, stamp in enumerate(DEPTH):
        units = np.full(SIZE, 5000 * (i + 1), np.uint16)
        units[0, 0] = 0
        Image.fromarray(units).save(root / f"depth/{stamp:.6f}.png")
    for part, stamps in (("rgb", COLOUR), ("depth", DEPTH)):
        lines = "".join(f"{stamp:.6f} {part}/{stamp:.6f}.png\n" for stamp in stamps)
        (root / f"{part}.txt").write_text(f"# {part} maps\n# timestamp filename\n{lines}", encoding="utf-8")
    poses = "10.0010 1 2 3 0 0 0 1\n10.0610 4 5 6 0 0 0.7071 0.7071\n10.0910 7 8 9 0 0 0 1\n"
    (root / "groundtruth.txt").write_text(HEAD + poses, encoding="utf-8")
    return root


def test_frames_are_paired_as_published_and_the_rest_is_reported(sequence: Path) -> None:
    data = open_dataset(sequence)
    assert (data.format, data.name) == ("tum", "fr1_tiny")
    assert data.names == ["10.000000", "10.030000", "10.060000"]
    assert data.left_out == {"10.090000": "no depth map within 0.02 s in depth.txt"}
    first, second, third = data
    assert first.depth is not None
    assert first.valid is not None
    assert (first.depth[0, 1, 1], first.depth[0, 0, 0]) == (1.0, 0.0), "5000 units are a metre"
    assert first.valid.sum() == 47
    assert [sample.time_s for sample in data] == [10.0, 10.03, 10.06]
    np.testing.assert_allclose(first.T_world_cam, [[1, 0, 0, 1], [0, 1, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]])
    assert second.T_world_cam is None
    np.testing.assert_allclose(third.T_world_cam, [[0, -1, 0, 4], [1, 0, 0, 5], [0, 0, 1, 6], [0, 0, 0, 1]], atol=1e-12)
    # 640 pixels become 8: f / 80 and (c + 0.5) / 80 - 0.5.
    np.testing.assert_allclose(first.K, [[6.5625, 0, 3.5], [0, 6.5625, 2.5], [0, 0, 1]])
    np.testing.assert_array_equal(data.read_depth(2), third.depth[0])
    assert pickle.loads(pickle.dumps(data))[1].name == "10.030000"


def test_the_order_of_the_lists_and_their_blanks_change_nothing(sequence: Path) -> None:
    expected = [(sample.name, sample.depth.max(), sample.T_world_cam) for sample in TumSequence(sequence)]
    for name in ("rgb.txt", "depth.txt", "groundtruth.txt"):
        lines = (sequence / name).read_text(encoding="utf-8").splitlines()
        mixed = [line.replace(" ", ",\t ") if line[0] != "#" else line for line in reversed(lines)]
        (sequence / name).write_text("\r\n".join(["", *mixed, mixed[0], ""]), encoding="utf-8")
    again = [(sample.name, sample.depth.max(), sample.T_world_cam) for sample in TumSequence(sequence)]
    for (name, depth, pose), (same_name, same_depth, same_pose) in zip(expected, again):
        assert (name, depth) == (same_name, same_depth)
        np.testing.assert_array_equal(pose, same_pose)


def test_a_sequence_without_depth_or_poses_still_has_its_pictures(sequence: Path) -> None:
    (sequence / "groundtruth.txt").unlink()
    (sequence / "depth.txt").unlink()
    with pytest.raises(InputError, match=r"a folder depth/ but no depth\.txt"):
        open_tum(sequence)
    (sequence / "depth").rename(sequence / "old")
    data = open_dataset(sequence)
    assert data.format == "tum"
    assert len(data) == 4
    assert (data[3].depth, data[3].valid, data[3].T_world_cam, data[3].time_s) == (None, None, None, 10.09)
    assert data.read_depth(0) is None


def test_several_sequences_in_a_folder(tmp_path: Path) -> None:
    for name in ("fr10", "fr2"):
        make_sequence(tmp_path / "all" / name)
    data = open_dataset(tmp_path / "all")
    assert data.names[:4] == ["fr2/10.000000", "fr2/10.030000", "fr2/10.060000", "fr10/10.000000"]
    assert data.sequences() == {"fr2": [0, 1, 2], "fr10": [3, 4, 5]}
    assert list(data.left_out) == ["fr2/10.090000", "fr10/10.090000"]
    assert data[4].name == "fr10/10.030000"
    (tmp_path / "all" / "notes").mkdir()
    with pytest.raises(InputError, match="unknown layout"):
        open_dataset(tmp_path / "all")
    assert len(open_dataset(tmp_path / "all", format="tum")) == 6


def test_a_picture_of_another_shape_was_not_taken_by_this_camera(sequence: Path) -> None:
    for file in (*sequence.glob("rgb/*.png"), *sequence.glob("depth/*.png")):
        with Image.open(file) as picture:
            wide = picture.resize((16, 6), Image.Resampling.NEAREST)
        wide.save(file)
    assert TumSequence(sequence)[0].K is None


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("rgb.txt", "10.030000 ", "1O.030000 ", r"rgb\.txt: line 4: '1O\.030000' is no time in seconds"),
        ("rgb.txt", "10.030000 ", "nan ", r"line 4: 'nan' is no time"),
        ("rgb.txt", "10.030000 rgb/10.030000.png", "10.030000", r"line 4: .* names no file; expected 'timestamp path'"),
        ("rgb.txt", "rgb/10.030000.png", "rgb/gone.png", r"'rgb/gone\.png' is not there \(1 of 4 files are missing\)"),
        ("depth.txt", "10.034000 ", "10.005000 ", r"depth\.txt: line 4: .* has the stamp 10\.005000 of"),
        ("depth.txt", "\n10.", "\n99.", r"depth\.txt: no colour frame has a depth map within 0\.02 s: colour runs"),
        ("groundtruth.txt", "\n10.", "\n99.", r"groundtruth\.txt: no colour frame has a pose within 0\.02 s"),
        ("groundtruth.txt", "4 5 6 0 0", "4 5 6 0", r"groundtruth\.txt: line 5: 7 numbers; expected 8 numbers"),
        ("groundtruth.txt", "4 5 6 0 0", "4 5 six 0 0", r"line 5: .* are not all numbers"),
        ("groundtruth.txt", "4 5 6 0 0 0.7071 0.7071", "0 0 0.7071 0.7071 4 5 6", r"quaternion has length 8\.8"),
    ],
)
def test_damaged_lists_are_named_with_their_line(sequence: Path, file: str, old: str, new: str, words: str) -> None:
    change(sequence / file, old, new)
    with pytest.raises(InputError, match=words):
        open_dataset(sequence)


def test_poses_that_are_none_are_skipped(sequence: Path) -> None:
    change(sequence / "groundtruth.txt", "1 2 3 0 0 0 1", "nan nan nan 0 0 0 1")
    change(sequence / "groundtruth.txt", "4 5 6 0 0 0.7071 0.7071", "4 5 6 0 0 0 0")
    assert [sample.T_world_cam for sample in TumSequence(sequence)] == [None] * 3


@pytest.mark.parametrize("name", ["rgb.txt", "depth.txt"])
def test_an_empty_or_missing_list(sequence: Path, name: str) -> None:
    (sequence / name).write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(InputError, match=rf"{name[:-4]}\.txt: lists no file; expected 'timestamp path'"):
        open_dataset(sequence)
    if name == "rgb.txt":
        (sequence / name).unlink()
        with pytest.raises(InputError, match=r"rgb\.txt: cannot be read \(No such file"):
            open_dataset(sequence)


def test_a_sequence_has_no_splits(sequence: Path) -> None:
    assert len(open_dataset(sequence, split="train")) == 3
    with pytest.raises(InputError, match=r"no split 'test' .* choose --split all"):
        open_dataset(sequence, split="test")


def test_pictures_of_the_wrong_kind_are_refused(sequence: Path) -> None:
    data, depth = TumSequence(sequence), sequence / "depth/10.005000.png"
    Image.fromarray(np.full(SIZE, 200, np.uint8)).save(depth)
    with pytest.raises(InputError, match=r"10\.005000\.png: 8-bit image; expected 16-bit depth in 1/5000 metre"):
        data[0]
    Image.fromarray(np.full((5, 8), 5000, np.uint16)).save(depth)
    with pytest.raises(InputError, match=r"10\.005000\.png: depth is 8x5 and its image 8x6"):
        data[0]
    depth.write_bytes(depth.read_bytes()[:50])
    with pytest.raises(InputError, match=r"10\.005000\.png: damaged or truncated"):
        data[0]


FILES = ["rgb.txt", "depth.txt", "groundtruth.txt", "rgb/10.000000.png", "depth/10.005000.png"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(FILES), st.floats(0, 1), st.binary(max_size=6), st.booleans())
def test_fuzzed_files_give_a_sound_sample_or_a_named_file(
    sequence: Path, name: str, place: float, patch: bytes, cut: bool
) -> None:
    file = sequence / name
    whole = file.read_bytes()
    start = int(place * len(whole))
    file.write_bytes(whole[:start] + patch + (b"" if cut else whole[start + len(patch) :]))
    message = ""
    try:
        check_sound(list(open_tum(sequence)))
    except DepthNetError as error:
        message = str(error)
    file.write_bytes(whole)
    assert message == "" or Path(name).name in message


def check_sound(samples: list[Sample]) -> None:
    for sample in samples:
        assert sample.depth is None or (np.isfinite(sample.depth).all() and (sample.depth >= 0).all())
        if sample.T_world_cam is not None:
            np.testing.assert_allclose(sample.T_world_cam[:3, :3] @ sample.T_world_cam[:3, :3].T, np.eye(3), atol=1e-9)


def test_the_real_slice(shared_data: Path) -> None:
    data = open_dataset(shared_data / "tum_fr1_rpy")
    assert (data.format, len(data), dict(data.left_out)) == ("tum", 90, {})
    assert data.names[0] == "1305031229.528748"
    times: NDArray[np.float64] = np.array([data.read_raw(i).time_s for i in range(0, 90, 15)])
    assert (np.diff(times) > 0.4).all()
    sample = data[40]
    assert sample.image.shape == (3, 240, 320)
    np.testing.assert_allclose(sample.K, [[262.5, 0, 159.5], [0, 262.5, 119.5], [0, 0, 1]])
    assert sample.T_world_cam is not None
    assert sample.depth is not None
    assert 0.4 < np.median(sample.depth[sample.depth > 0]) < 3.0
