from __future__ import annotations

import pickle

import numpy as np
import pytest

from depthnet.data import CachedDataset, DepthDataset, RawSample, Sample
from depthnet.data.samples import check_depth
from depthnet.errors import InputError, ShapeError


class Counting(DepthDataset):
    """Five frames in memory; counts its reads."""

    name = "counting"
    format = "memory"

    def __init__(self) -> None:
        self.names = list("abcde")
        self.reads: list[int] = []

    def read_raw(self, index: int) -> RawSample:
        self.reads.append(index)
        depth = np.full((2, 3), 1.0 + index, dtype=np.float32)
        depth[0, 0] = 0
        return RawSample(np.full((2, 3, 3), index, np.uint8), depth, np.eye(3, dtype=np.float32), self.names[index])


def test_a_sample_has_the_shapes_and_types_of_the_contract() -> None:
    sample = Counting()[2]
    assert sample.image.shape == (3, 2, 3)
    assert sample.image.dtype == np.float32
    np.testing.assert_allclose(sample.image, 2 / 255)
    assert sample.depth is not None
    assert sample.valid is not None
    assert sample.depth.shape == sample.valid.shape == (1, 2, 3)
    assert sample.depth.dtype == np.float32
    assert sample.valid.dtype == np.bool_
    assert not sample.valid[0, 0, 0]
    assert sample.valid.sum() == 5
    assert (sample.name, sample.T_world_cam, sample.time_s) == ("c", None, None)


def test_raw_and_float_samples_turn_into_each_other_exactly() -> None:
    image = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    depth = np.random.default_rng(0).uniform(0.5, 9, (16, 16)).astype(np.float32)
    raw = RawSample(image, depth, name="x")
    back = raw.to_sample().to_raw()
    np.testing.assert_array_equal(back.image, image)
    assert back.depth is not None
    np.testing.assert_array_equal(back.depth, depth)


def test_a_masked_out_depth_becomes_unknown_in_raw_form() -> None:
    valid = np.array([[[True, False]]])
    sample = Sample(np.zeros((3, 1, 2), np.float32), np.ones((1, 1, 2), np.float32), valid)
    raw = sample.to_raw()
    assert raw.depth is not None
    np.testing.assert_array_equal(raw.depth, [[1, 0]])


def test_indices_count_from_both_ends_and_stop() -> None:
    data = Counting()
    assert data[-1].name == "e"
    assert [sample.name for sample in data] == list("abcde")
    with pytest.raises(IndexError, match="5"):
        data[5]
    assert data[np.int64(1)].name == "b"


def test_select_takes_names_positions_and_slices() -> None:
    data = Counting()
    chosen = data.select(["d", 0])
    assert chosen.names == ["d", "a"]
    assert chosen[0].name == "d"
    assert chosen.select([1])[0].name == "a"
    assert data[1:4].names == ["b", "c", "d"]
    assert not data.reads[2:], "selecting reads no pixel"


@pytest.mark.parametrize(("one", "words"), [("z", "no sample named 'z'"), (5, "no sample 5"), (-1, "no sample -1")])
def test_select_refuses_what_is_not_there(one: str | int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Counting().select([one])


def test_the_cache_reads_each_frame_once_and_never_more_than_fits() -> None:
    data = Counting()
    frame_bytes = data.read_raw(0).nbytes
    data.reads.clear()
    cached = CachedDataset(data, limit_bytes=3 * frame_bytes)
    for _ in range(2):
        for i in range(5):
            assert cached[i].name == data.names[i]
    assert data.reads == [0, 1, 2, 3, 4, 3, 4]
    assert cached.cached == 3


def test_preload_fills_the_cache() -> None:
    data = Counting()
    cached = CachedDataset(data)
    assert cached.preload() == 5
    data.reads.clear()
    np.testing.assert_array_equal(cached[3].image, Counting()[3].image)
    assert data.reads == []


class DepthAlone(Counting):
    """Reads a depth map without its picture."""

    def read_depth(self, index: int) -> np.ndarray:
        return np.full((2, 3), 1.0 + index, dtype=np.float32)


def test_depth_alone_is_that_of_the_whole_sample() -> None:
    data = Counting()
    chosen = CachedDataset(data.select([4, 2]).select([1]))
    np.testing.assert_array_equal(chosen.read_depth(0), data.read_raw(2).depth)


def test_depth_alone_leaves_the_picture_alone_through_selections_and_the_cache() -> None:
    data = DepthAlone()
    cached = CachedDataset(data.select(["e", "c"]))
    depth = cached.read_depth(1)
    assert depth is not None
    assert (depth == 3).all()
    assert data.reads == []
    assert cached.cached == 0
    assert cached.read_raw(1).depth is cached.read_depth(1)  # from memory, where the picture is there anyway


def test_cached_pixels_cannot_be_overwritten() -> None:
    cached = CachedDataset(Counting())
    with pytest.raises(ValueError, match="read-only"):
        cached.read_raw(0).image[:] = 1
    sample = cached[0]
    sample.image[:] = 1
    assert cached[0].image.max() == 0


def test_a_pickled_cache_starts_empty_and_works() -> None:
    cached = CachedDataset(Counting())
    cached.preload()
    copy = pickle.loads(pickle.dumps(cached))
    assert copy.cached == 0
    assert copy[4].name == "e"


def test_image_and_depth_of_different_sizes_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"x: depth \(2, 2\) and image \(2, 3\)"):
        RawSample(np.zeros((2, 3, 3), np.uint8), np.zeros((2, 2), np.float32), name="x")
    with pytest.raises(ShapeError, match="uint8"):
        RawSample(np.zeros((2, 3), np.uint8), name="x")


@pytest.mark.parametrize(
    ("value", "words"), [(np.nan, "1 NaN or infinite"), (np.inf, "1 NaN or infinite"), (-0.5, r"1 negative .*-0\.5 m")]
)
def test_depth_that_is_no_depth_is_refused(value: float, words: str) -> None:
    depth = np.ones((2, 2), np.float32)
    depth[1, 0] = value
    with pytest.raises(InputError, match=rf"frame 3: depth has {words}"):
        check_depth(depth, "frame 3")
