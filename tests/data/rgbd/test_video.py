"""What the readers of RGB-D video share, and the sequences of a data set."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthnet.data import CachedDataset, DepthDataset, RawSample
from depthnet.data.rgbd.video import (
    JoinedSequences,
    check_intrinsics,
    check_principal_point,
    natural_key,
    read_matrix,
)
from depthnet.errors import InputError
from depthnet.io.trajectory import check_transform


class Frames(DepthDataset):
    """Some frames in memory; the depth tells which."""

    format = "memory"

    def __init__(self, name: str, count: int) -> None:
        self.name = name
        self.names = [str(i) for i in range(count)]
        self.left_out = {"x": "no depth"}

    def read_raw(self, index: int) -> RawSample:
        depth = np.full((2, 3), 1.0 + index, np.float32)
        return RawSample(np.zeros((2, 3, 3), np.uint8), depth, name=self.names[index], time_s=float(index))


def joined() -> JoinedSequences:
    return JoinedSequences("all", "memory", {"a": Frames("a", 2), "none": Frames("none", 0), "b": Frames("b", 3)})


def test_joined_sequences_follow_one_another_under_their_own_names() -> None:
    data = joined()
    assert data.names == ["a/0", "a/1", "b/0", "b/1", "b/2"]
    assert data.sequences() == {"a": [0, 1], "none": [], "b": [2, 3, 4]}
    assert data.left_out["b/x"] == "no depth"
    assert [sample.name for sample in data] == data.names
    assert [float(data.read_depth(i).max()) for i in range(5)] == [1, 2, 1, 2, 3]
    assert pickle.loads(pickle.dumps(data))[4].time_s == 2.0
    with pytest.raises(IndexError, match="sample 5 of all: it has 5"):
        data[5]


def test_selections_and_caches_keep_the_sequences() -> None:
    data = joined()
    chosen = data.select(["b/2", "a/1", "b/0"])
    assert chosen.sequences() == {"b": [0, 2], "a": [1]}
    assert [chosen.names[i] for i in chosen.sequences()["b"]] == ["b/2", "b/0"]
    assert chosen[:2].sequences() == {"b": [0], "a": [1]}
    cached = CachedDataset(chosen)
    assert cached.sequences() == chosen.sequences()
    assert cached.left_out == data.left_out
    assert pickle.loads(pickle.dumps(cached)).sequences() == chosen.sequences()
    assert Frames("one", 3).sequences() == {"one": [0, 1, 2]}, "a set that knows no better is one sequence"


def test_numbers_in_names_count_by_value() -> None:
    names = ["f10", "f2", "f1b", "f1a", "2", "10", "f", "1"]
    assert sorted(names, key=natural_key) == ["1", "2", "10", "f", "f1a", "f1b", "f2", "f10"]


@given(st.lists(st.text(max_size=5), max_size=6))
def test_any_names_can_be_sorted_and_the_order_is_their_own(names: list[str]) -> None:
    assert sorted(names, key=natural_key) == sorted(sorted(names), key=natural_key)


RIGID = np.array([[0.0, -1, 0, 5], [1, 0, 0, -2], [0, 0, 1, 0.5], [0, 0, 0, 1]])


def test_a_rigid_motion_passes_and_a_lost_one_is_none() -> None:
    np.testing.assert_array_equal(check_transform(RIGID, "here"), RIGID)
    for lost in (np.nan, -np.inf):
        pose = RIGID.copy()
        pose[1, 3] = lost
        assert check_transform(pose, "here") is None
    assert check_transform(np.full((4, 4), -np.inf), "here") is None


@pytest.mark.parametrize(
    "matrix",
    [
        RIGID.T,  # written column after column
        RIGID * 1000.0,
        np.diag([1.0, 1, -1, 1]),  # a mirror
        np.diag([0.9, 1, 1, 1]),
        np.zeros((4, 4)),
        np.full((4, 4), 1e300),
        np.roll(RIGID, 1, axis=0),
    ],
)
def test_what_is_no_rigid_motion_is_refused(matrix: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"^here: not a rigid motion .*last row 0 0 0 1"):
        check_transform(matrix, "here")


def test_a_camera_has_its_form_and_fits_its_images() -> None:
    K = check_intrinsics(np.array([[525.0, 0, 319.5, 0], [0, 525, 239.5, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "K.txt")
    assert (K.shape, K.dtype) == ((3, 3), np.float32)
    check_principal_point(K, (480, 640), "K.txt", 0.5)
    with pytest.raises(InputError, match=r"^K\.txt: principal point \(319\.5, 239\.5\) is not that of .* 320x240"):
        check_principal_point(K, (240, 320), "K.txt", 0.5)
    for bad in ([[0, 0, 1], [0, 1, 1], [0, 0, 1]], [[1, 0, 1], [0, 1, 1], [0, 0, 2]], [[1, 0, 1], [1, 1, 1], [0, 0, 1]],
                [[np.nan, 0, 1], [0, 1, 1], [0, 0, 1]], [[1, 0, 0], [0, 1, 0], [9, 9, 1]]):  # fmt: skip
        with pytest.raises(InputError, match=r"is no camera matrix; expected 'fx s cx / 0 fy cy / 0 0 1'"):
            check_intrinsics(np.array(bad, dtype=np.float64), "K.txt")


def test_a_matrix_of_another_size_or_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "m.txt"
    file.write_text("1 0 0\n0, 1 0\n0 0 -inf\n", encoding="utf-8")
    np.testing.assert_array_equal(read_matrix(file, 3, "K"), [[1, 0, 0], [0, 1, 0], [0, 0, -np.inf]])
    with pytest.raises(InputError, match=r"m\.txt: 9 numbers; expected a pose, 4x4 numbers"):
        read_matrix(file, 4, "a pose")
    file.write_text("1 0 0 0 l 0 0 0 1", encoding="utf-8")
    with pytest.raises(InputError, match=r"m\.txt: .* are not all numbers; expected K, 3x3 numbers"):
        read_matrix(file, 3, "K")
