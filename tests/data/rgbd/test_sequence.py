"""Sequence folders: images, depth, K.txt and poses.txt; what may be missing and what may not."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from depthnet.data import open_dataset
from depthnet.data.rgbd.sequence import SequenceFolder
from depthnet.errors import DepthNetError, InputError

SIZE = (6, 8)
K = "10 0 3.5\n0 10 2.5\n0 0 1\n"


def make_sequence(root: Path, frames: int = 11) -> Path:
    """Frames 0 to 10 without leading zeros; frame i is i + 1 metres away and has moved by i metres."""
    for part in ("images", "depth"):
        (root / part).mkdir(parents=True)
    lines = []
    for i in range(frames):
        Image.fromarray(np.full((*SIZE, 3), i, np.uint8)).save(root / f"images/{i}.png")
        Image.fromarray(np.full(SIZE, 1000 * (i + 1), np.uint16)).save(root / f"depth/{i}.png")
        pose = np.eye(4)
        pose[0, 3] = i
        lines.append(" ".join(f"{number:.6e}" for number in pose.ravel()))
    (root / "K.txt").write_text(K, encoding="utf-8")
    (root / "poses.txt").write_text("\n".join(["# camera to world", *lines, ""]), encoding="utf-8")
    return root


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    return make_sequence(tmp_path / "walk")


def test_frames_follow_by_number_with_their_own_pose(sequence: Path) -> None:
    data = open_dataset(sequence)
    assert (data.format, data.name) == ("sequence", "walk")
    assert data.names == [str(i) for i in range(11)]
    for i in (2, 10):
        sample = data[i]
        assert sample.depth is not None
        assert sample.T_world_cam is not None
        assert (sample.depth.max(), sample.T_world_cam[0, 3]) == (i + 1.0, i)
        assert np.rint(sample.image.max() * 255) == i
    np.testing.assert_array_equal(data[0].K, [[10, 0, 3.5], [0, 10, 2.5], [0, 0, 1]])
    assert data[0].time_s is None
    assert pickle.loads(pickle.dumps(data))[3].name == "3"


def test_depth_and_poses_may_be_missing_as_a_whole(sequence: Path) -> None:
    (sequence / "depth").rename(sequence / "old")
    (sequence / "poses.txt").unlink()
    data = open_dataset(sequence)
    assert data.format == "sequence"
    assert (data[0].depth, data[0].valid, data[0].T_world_cam) == (None, None, None)


def test_several_sequences(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_sequence(tmp_path / "all" / name, 2)
    assert open_dataset(tmp_path / "all").names == ["a/0", "a/1", "b/0", "b/1"]


def test_a_lost_pose_is_none(sequence: Path) -> None:
    file = sequence / "poses.txt"
    file.write_text(file.read_text(encoding="utf-8").replace("3.000000e+00", "nan"), encoding="utf-8")
    data = open_dataset(sequence)
    assert data[3].T_world_cam is None
    assert data[4].T_world_cam is not None


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("poses.txt", "3.000000e+00", "", r"poses\.txt: line 5: 15 numbers; expected 16 numbers"),
        ("poses.txt", "3.000000e+00", "three", r"poses\.txt: line 5: .* are not all numbers"),
        ("poses.txt", "# camera to world\n", "# camera to world\n#", r"poses\.txt: 10 poses for 11 images"),
        ("poses.txt", "1.000000e+00 0.000000e+00", "1.100000e+00 0.000000e+00", "not a rigid motion"),
        ("K.txt", "0 0 1", "", r"K\.txt: 6 numbers; expected the camera matrix K, 3x3 numbers"),
        ("K.txt", "10 0 3.5", "-10 0 3.5", r"K\.txt: .* is no camera matrix"),
    ],
)
def test_damaged_text_is_named(sequence: Path, file: str, old: str, new: str, words: str) -> None:
    text = (sequence / file).read_text(encoding="utf-8")
    assert old in text
    (sequence / file).write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=words):
        open_dataset(sequence)


def test_missing_and_unfit_files_are_named(sequence: Path) -> None:
    (sequence / "K.txt").write_text("525 0 319.5\n0 525 239.5\n0 0 1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"K\.txt: principal point \(319\.5, 239\.5\) is not that of an image of 8x6"):
        open_dataset(sequence)[0]
    (sequence / "K.txt").unlink()
    with pytest.raises(InputError, match=r"K\.txt: is not there; expected the 3x3 camera matrix"):
        open_dataset(sequence)
    (sequence / "K.txt").write_text(K, encoding="utf-8")
    Image.fromarray(np.full(SIZE, 3, np.uint8)).save(sequence / "depth/1.png")
    with pytest.raises(InputError, match=r"depth/1\.png: 8-bit image"):
        open_dataset(sequence)[1]
    Image.fromarray(np.full((3, 4), 3000, np.uint16)).save(sequence / "depth/1.png")
    with pytest.raises(InputError, match=r"depth/1\.png: depth is 4x3 and its image 8x6"):
        open_dataset(sequence)[1]
    (sequence / "depth/1.png").unlink()
    with pytest.raises(InputError, match=r"11 images/, 10 depth/; frame '1' has no depth/"):
        open_dataset(sequence)
    with pytest.raises(InputError, match="no split 'val'"):
        open_dataset(sequence, split="val")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["K.txt", "poses.txt", "images/0.png", "depth/0.png"]), st.floats(0, 1), st.binary(max_size=6),
       st.booleans())  # fmt: skip
def test_fuzzed_files_give_a_sound_sample_or_a_named_file(
    sequence: Path, name: str, place: float, patch: bytes, cut: bool
) -> None:
    file = sequence / name
    whole = file.read_bytes()
    start = int(place * len(whole))
    file.write_bytes(whole[:start] + patch + (b"" if cut else whole[start + len(patch) :]))
    message, depth = "", np.zeros(1)
    try:
        sample = SequenceFolder(sequence)[0]
        assert sample.depth is not None
        assert sample.K is not None
        assert np.isfinite(sample.K).all()
        depth = sample.depth
    except DepthNetError as error:
        message = str(error)
    file.write_bytes(whole)
    assert message == "" or Path(name).name in message
    assert np.isfinite(depth).all()
    assert (depth >= 0).all()
