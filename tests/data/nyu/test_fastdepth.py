"""FastDepth's files, made byte by byte with h5py: what is read, and what is refused."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from depthnet.data import open_dataset
from depthnet.data.nyu.fastdepth import FastDepthDataset
from depthnet.errors import InputError, MissingTierError

h5py = pytest.importorskip("h5py")

SIZE = (6, 8)
MakeTree = Callable[..., Path]


def write_frame(path: Path, seed: int, change: dict[str, Any] | None = None) -> dict[str, np.ndarray[Any, Any]]:
    """Write one file and give its arrays; ``change`` replaces an array, or leaves it out (None)."""
    rng = np.random.default_rng(seed)
    arrays = {
        "rgb": rng.integers(0, 256, (3, *SIZE), dtype=np.uint8),
        "depth": rng.uniform(0.7, 9.0, SIZE).astype(np.float32),
        **(change or {}),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for key, values in arrays.items():
            if values is not None:
                file[key] = values
    return arrays


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "nyudepthv2"
    for seed, name in enumerate(("bath_0001/00001", "bath_0001/00006", "cafe_0001a/00201", "cafe_0001a/00005")):
        write_frame(root / "train" / f"{name}.h5", seed)
    for number in (1, 2):
        write_frame(root / "val" / "official" / f"0000{number}.h5", 10 + number)
    return root


def test_frames_come_back_in_metres_with_the_camera(tree: Path) -> None:
    data = open_dataset(tree)
    assert (data.format, data.default_protocol, data.name, len(data)) == ("fastdepth", "nyu", "nyudepthv2", 6)
    assert data.names[:2] == ["train/bath_0001/00001", "train/bath_0001/00006"]
    raw, expected = data.read_raw(0), write_frame(tree / "again.h5", 0)
    np.testing.assert_array_equal(raw.image, expected["rgb"].transpose(1, 2, 0))
    np.testing.assert_array_equal(raw.depth, expected["depth"])
    np.testing.assert_array_equal(data.read_depth(0), expected["depth"])
    assert raw.K is not None
    assert raw.K[0, 0] == pytest.approx(518.8579 * 8 / 640)
    assert pickle.loads(pickle.dumps(data))[5].name == "val/official/00002"


def test_the_parts(tree: Path) -> None:
    names = {split: FastDepthDataset(tree, split).names for split in ("train", "test", "val", "holdout", "all")}
    assert len(names["train"]) == 4
    assert names["test"] == names["val"] == ["val/official/00001", "val/official/00002"]
    assert names["holdout"] == ["train/bath_0001/00001", "train/cafe_0001a/00201"]
    assert names["all"] == names["train"] + names["test"]
    assert FastDepthDataset(tree).splits == ("train", "test")  # so that no training chooses on the official test frames
    with pytest.raises(InputError, match="no split 'dev'"):
        FastDepthDataset(tree, "dev")


def test_one_part_is_a_set_too(tree: Path) -> None:
    assert open_dataset(tree / "train").names[0] == "bath_0001/00001"
    assert open_dataset(tree / "val", split="test").names == ["official/00001", "official/00002"]
    with pytest.raises(InputError, match=r"no SCENE/NNNNN\.h5 of split 'train'"):
        open_dataset(tree / "val", split="train")


def test_half_precision_and_doubles_are_read_as_found(tree: Path) -> None:
    for kind in (np.float16, np.float64):
        depth = np.full(SIZE, 2.5, kind)
        write_frame(tree / "train" / "bath_0001" / "00001.h5", 0, {"depth": depth})
        found = FastDepthDataset(tree).read_depth(0)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, depth)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"depth": np.full(SIZE, 2500.0, np.float32)}, r"median of 2\.5e\+03 m .* the unit is another"),
        ({"depth": np.full(SIZE, 0.25, np.float32)}, "the unit is another"),
        ({"depth": np.full(SIZE, 2500, np.uint16)}, "floating-point metres"),
        ({"depth": np.full(SIZE, np.nan, np.float32)}, "48 NaN or infinite"),
        ({"depth": np.full(SIZE, -1.0, np.float32)}, "48 negative"),
        ({"depth": np.ones((5, 8), np.float32)}, r"expected \(3, H, W\) uint8"),
        ({"rgb": np.zeros((*SIZE, 3), np.uint8)}, r"expected \(3, H, W\) uint8"),
        ({"rgb": np.zeros((3, *SIZE), np.float32)}, r"expected \(3, H, W\) uint8"),
        ({"rgb": np.zeros((3, 8, 6), np.uint8), "depth": np.ones((8, 6), np.float32)}, "axes are swapped"),
        ({"rgb": None}, r"no array 'rgb' \(it has depth\)"),
        ({"depth": None}, r"no array 'depth' \(it has rgb\)"),
    ],
)
def test_a_wrong_file_is_named_and_the_others_are_read(tree: Path, change: dict[str, Any], words: str) -> None:
    write_frame(tree / "train" / "bath_0001" / "00001.h5", 0, change)
    data = FastDepthDataset(tree)
    with pytest.raises(InputError, match=rf"bath_0001/00001\.h5: .*{words}") as caught:
        data[0]
    assert "\n" not in str(caught.value)
    assert data[1].name == "train/bath_0001/00006"


def test_without_h5py_the_tier_is_named(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingTierError, match=r'pip install "depthnet\[data\]"'):
        open_dataset(tree)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_never_gives_a_wrong_kind_of_sample(tmp_path: Path, data: st.DataObject) -> None:
    """Cut and overwritten files are refused, or give a map within the range of the sensor and of its image's size."""
    path = tmp_path / "set" / "scene" / "00001.h5"
    write_frame(path, 0)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        raw = FastDepthDataset(tmp_path / "set").read_raw(0)
    except InputError as error:
        assert str(path) in str(error)  # noqa: PT017
        return
    assert raw.depth is not None
    assert raw.depth.shape == raw.image.shape[:2]
    assert np.isfinite(raw.depth).all()
    assert raw.depth.min() >= 0
    assert raw.depth.max() <= 20
