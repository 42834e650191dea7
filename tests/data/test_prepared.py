"""Prepared trees: what is read back, what is recognised, and every way in which a tree can be damaged."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from depthnet.data import open_dataset
from depthnet.data.prepared import PreparedDataset, looks_like_prepared
from depthnet.data.prepared_index import COLUMNS, IndexRow, csv_line, read_index
from depthnet.errors import DepthNetError, InputError
from depthnet.geometry.so3 import quat_xyzw_to_rotation

SIZE = (6, 8)
HEADER = csv_line(list(COLUMNS))
NAMES = [f"{scene}_{number}" for scene in ("hall", "den") for number in (2, 10)]


def row(name: str, **change: object) -> str:
    scene, _, frame = name.partition("_")
    K = np.array([[9.5, 0, 3.25], [0, 9.25, 2.5], [0, 0, 1]])
    fields = {"name": name, "scene": scene, "frame": frame, "K": K, "size": SIZE, "time_s": 1e9 + 1 / 3, **change}
    return IndexRow(**fields).line()  # type: ignore[arg-type]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two scenes of two frames; the value of picture and depth tells the frame."""
    root = tmp_path / "tree"
    for number, name in enumerate(NAMES):
        for folder, suffix in (("rgb", ".jpg" if number else ".png"), ("depth", ".png")):
            (root / folder).mkdir(parents=True, exist_ok=True)
            value = (
                np.full(SIZE, 1000 + number, np.uint16) if folder == "depth" else np.full((*SIZE, 3), number, np.uint8)
            )
            Image.fromarray(value).save(root / folder / f"{name}{suffix}")
    (root / "index.csv").write_text(HEADER + "".join(row(name) for name in NAMES))
    return root


def edit(tree: Path, old: str, new: str) -> None:
    text = (tree / "index.csv").read_text()
    assert old in text
    (tree / "index.csv").write_text(text.replace(old, new, 1))


def test_frames_come_in_the_order_of_the_list(tree: Path) -> None:
    data = open_dataset(tree)
    assert isinstance(data, PreparedDataset)
    assert (data.names, data.name, data.default_protocol) == (NAMES, "tree", "none")
    for number, sample in enumerate(data):
        assert np.rint(sample.image * 255).max() == number
        assert sample.depth is not None
        assert sample.depth.max() == pytest.approx(1 + number / 1000)
        assert sample.valid is not None
        assert sample.valid.all()
        np.testing.assert_array_equal(sample.K, np.array([[9.5, 0, 3.25], [0, 9.25, 2.5], [0, 0, 1]], np.float32))
        assert (sample.T_world_cam, sample.time_s) == (None, 1e9 + 1 / 3)
    assert data.sequences() == {"hall": [0, 1], "den": [2, 3]}
    assert data.read_right(0) is None
    assert data.acceleration_g(0) is None
    copy = pickle.loads(pickle.dumps(data))
    assert copy.scenes() == data.scenes() == ["hall", "hall", "den", "den"]


def test_a_prepared_tree_is_told_from_other_folders(tree: Path, tmp_path: Path) -> None:
    assert looks_like_prepared(tree)
    (tree / "index.csv").write_text("image,camera\n")
    assert not looks_like_prepared(tree)
    assert open_dataset(tree).format == "folder"
    (tree / "prepare.json").write_text("{}")
    with pytest.raises(InputError, match=r"index\.csv:1: no column 'name'"):
        open_dataset(tree)
    (tree / "index.csv").unlink()
    with pytest.raises(InputError, match=r"no index\.csv; the preparation was stopped .* run the same"):
        open_dataset(tree)
    assert not looks_like_prepared(tmp_path / "nowhere")


@given(
    numbers=st.lists(st.floats(-1e6, 1e6), min_size=7, max_size=7),
    focal=st.floats(1e-3, 1e6),
    time_s=st.none() | st.floats(-1e12, 1e12),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_line_comes_back_as_it_was(numbers: list[float], focal: float, time_s: float | None, tmp_path: Path) -> None:
    quat = np.array(numbers[3:])
    if np.linalg.norm(quat) < 1e-3:
        quat = np.array([0.0, 0.0, 0.0, 1.0])
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = quat_xyzw_to_rotation(quat), numbers[:3]
    K = np.array([[focal, 0, numbers[0]], [0, focal, numbers[1]], [0, 0, 1.0]])
    felt = (numbers[4], numbers[5], numbers[6])
    known = {"T_world_cam": T, "time_s": time_s, "baseline_m": focal, "acceleration_g": felt}
    line = row("a_b_c", scene="a_b", frame="c", K=K, **known)
    (tmp_path / "index.csv").write_text(HEADER + line)
    index = read_index(tmp_path / "index.csv")
    assert index.camera(0) == index.shared_camera() == (focal, focal, numbers[0], numbers[1], 8, 6)
    assert (index.time_s(0), index.baseline_m(0)) == (time_s, focal)
    np.testing.assert_array_equal(index.acceleration_g(0), felt)
    found = index.T_world_cam(0)
    assert found is not None
    np.testing.assert_array_equal(found[:3, 3], T[:3, 3])
    np.testing.assert_allclose(found[:3, :3], T[:3, :3], atol=1e-12)


def test_columns_in_another_order_and_further_ones(tree: Path) -> None:
    lines = [line.split(",") for line in (tree / "index.csv").read_text().splitlines()]
    shuffled = "".join(csv_line([*line[::-1], "more"]) for line in lines)
    (tree / "index.csv").write_text(shuffled)
    data = PreparedDataset(tree)
    assert data.names == NAMES
    assert data[1].time_s == 1e9 + 1 / 3


def test_splits_name_scenes_or_frames(tree: Path) -> None:
    assert PreparedDataset(tree, "train").names == NAMES  # without lists
    with pytest.raises(InputError, match="no split 'val' \\(it has no split lists\\)"):
        PreparedDataset(tree, "val")
    (tree / "splits.json").write_text('{"train": ["den"], "val": ["hall_10", "hall_2"], "odd": ["cellar"], "none": []}')
    assert PreparedDataset(tree, "train").names == ["den_2", "den_10"]
    assert PreparedDataset(tree, "val").names == ["hall_2", "hall_10"]
    assert PreparedDataset(tree, "all").names == NAMES
    assert PreparedDataset(tree).splits == ("train", "val", "odd", "none")
    with pytest.raises(InputError, match="'cellar' \\(1 such\\), which is neither a scene nor a frame"):
        PreparedDataset(tree, "odd")
    with pytest.raises(InputError, match="split 'none' is empty"):
        PreparedDataset(tree, "none")
    with pytest.raises(InputError, match="no split 'test' \\(it lists none, odd, train, val\\)"):
        PreparedDataset(tree, "test")


def test_a_tree_of_the_labelled_set_has_its_splits_and_protocol(tree: Path) -> None:
    names = ["0002", "0000", "0001", "0005"]
    camera = np.array([[518.8579 / 80, 0, 4.0], [0, 519.4696 / 80, 3.0], [0, 0, 1]])
    for folder in ("rgb", "depth"):
        source = tree / folder / "den_10.png"
        if not source.exists():
            source = source.with_suffix(".jpg")
        for name in names:
            shutil.copy(source, tree / folder / f"{name}{source.suffix}")
    lines = [row(name, scene="den", frame=name, K=camera) for name in names]
    (tree / "index.csv").write_text(HEADER + "".join(lines))
    data = PreparedDataset(tree)
    assert (data.default_protocol, data.names) == ("nyu", sorted(names))
    assert data.splits == ("train", "val", "trainval", "test", "all")
    assert data.guards
    assert PreparedDataset(tree, "trainval").names == ["0002", "0005"]
    assert PreparedDataset(tree, "test").names == ["0000", "0001"]


@pytest.mark.parametrize("folder", ["rgb", "depth"])
def test_a_missing_file_is_named_at_once(folder: str, tree: Path) -> None:
    next((tree / folder).glob("den_2.*")).unlink()
    with pytest.raises(InputError, match=rf"index\.csv lists 4 frames, but 'den_2' is not in {folder}/ \(1 such\)"):
        PreparedDataset(tree)
    shutil.rmtree(tree / folder)
    with pytest.raises(InputError, match=rf"{folder}: cannot be listed"):
        PreparedDataset(tree)


def test_files_of_other_frames_and_sizes_are_refused(tree: Path) -> None:
    data = PreparedDataset(tree)
    Image.fromarray(np.zeros((8, 6, 3), np.uint8)).save(tree / "rgb" / "hall_2.png")
    with pytest.raises(InputError, match=r"rgb/hall_2\.png: 6x8 pixels, but index\.csv says 8x6"):
        data[0]
    Image.fromarray(np.zeros((3, 4), np.uint16)).save(tree / "depth" / "den_2.png")
    with pytest.raises(InputError, match=r"depth/den_2\.png: 4x3 pixels, but index\.csv says 8x6"):
        data[2]
    Image.fromarray(np.zeros(SIZE, np.uint8)).save(tree / "depth" / "den_10.png")
    with pytest.raises(InputError, match=r"depth/den_10\.png: 8-bit image; expected 16-bit depth in millimetres"):
        data[3]
    file = tree / "rgb" / "hall_10.jpg"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(InputError, match=r"hall_10\.jpg: (damaged|not an image)"):
        data[1]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("hall_10,", "hall_2,", r"index\.csv: 'hall_2' is listed twice"),
        ("hall_10,", "../hall_10,", r"index\.csv:3: name '\.\./hall_10'; expected letters"),
        (",9.5,", ",0.0,", r"index\.csv:2: focal lengths must be positive \(1 such lines\)"),
        (",9.5,", ",inf,", "must be finite"),
        (",9.5,", ",,", "must be finite"),
        (",9.5,", ",wide,", "index.csv:2: fx is 'wide'; expected a number or nothing"),
        (",8,6,", ",8.5,6,", "whole numbers from 1"),
        (",8,6,,,,,,,,", ",8,6,1,,,,,,,", "seven finite numbers, or none"),
        (",8,6,,,,,,,,", ",8,6,0,0,0,0,0,0,2,", "length 1"),
        (",8,6,,,,,,,,,,,\n", ",8,6,,,,,,,,-0.1,,,\n", "baseline_m must be positive"),
        (",8,6,,,,,,,,,,,\n", ",8,6,,,,,,,,,0,1,\n", "ax_g ay_g az_g are finite numbers, or none"),
        (",8,6,,,,,,,,,,,\n", ",8,6\n", r"index\.csv:2: 10 cells under 21 columns; the file is cut off"),
        ("fx,fy", "fx,fx", "no column 'fy'"),
        ("baseline_m", "fx", "a column stands twice"),
        ("hall_2,hall", 'hall_2,"hall', "not a CSV file|cells under"),
    ],
)
def test_a_list_that_cannot_be_true_is_refused_by_line(old: str, new: str, words: str, tree: Path) -> None:
    edit(tree, old, new)
    with pytest.raises(InputError, match=words) as caught:
        PreparedDataset(tree)
    assert "\n" not in str(caught.value)


def test_an_empty_list_and_one_that_is_no_text(tree: Path) -> None:
    (tree / "index.csv").write_text(HEADER)
    with pytest.raises(InputError, match="no frame is listed"):
        PreparedDataset(tree)
    (tree / "index.csv").write_bytes(HEADER.encode() + b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"not a CSV file in UTF-8|cells under"):
        PreparedDataset(tree)


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_damaged_list_is_an_error_or_leaves_every_frame_with_its_own_camera(data: st.DataObject, tree: Path) -> None:
    text = (HEADER + "".join(row(name) for name in NAMES)).encode()
    start = data.draw(st.integers(0, len(text) - 1))
    length = data.draw(st.integers(0, 40))
    junk = data.draw(st.binary(max_size=6) | st.sampled_from([b",", b"\n", b'"', b"nan", b"-", b"1e999"]))
    (tree / "index.csv").write_bytes(text[:start] + junk + text[start + length :])
    found, said = None, "index.csv"
    try:
        found = PreparedDataset(tree)
    except DepthNetError as error:
        said = str(error)
    assert "index.csv" in said  # the only thing that is wrong
    assert "\n" not in said
    for index, name in enumerate(found.names if found else []):
        assert name in NAMES
        with suppress(InputError):  # a size that is none of the files'
            raw = found.read_raw(index)
            assert raw.depth.max() == np.float32(1 + NAMES.index(name) / 1000)
            assert np.isfinite(raw.K).all()
            assert raw.K[0, 0] > 0


MakeMat = Callable[..., Path]


def test_the_labelled_mat_as_a_tree_has_its_names_rooms_and_depth(make_mat: MakeMat, tmp_path: Path) -> None:
    from depthnet.data.nyu.labeled import NyuLabeledDataset
    from depthnet.prepare.nyu_labeled import NyuLabeledOptions, NyuLabeledSource
    from depthnet.prepare.scene_job import SceneJob
    from depthnet.prepare.tree import build_recipe, open_tree, write_tables

    mat = make_mat(count=12, size=(24, 32))
    for options in (NyuLabeledOptions(), NyuLabeledOptions(depth="raw", split="test")):
        source, out = NyuLabeledSource(mat.parent, options), tmp_path / options.depth
        assert pickle.loads(pickle.dumps(source)).scenes() == source.scenes()
        with open_tree(out, build_recipe(source, "png"), overwrite=False) as recipe:
            for scene in source.scenes():
                outcome = SceneJob(source, out, "png", recipe).run(scene)
                assert (outcome.error, outcome.frames) == (None, source.count_frames(scene))
            write_tables(out)
        tree, file = open_dataset(out), NyuLabeledDataset(mat, options.split, options.depth)
        assert (tree.format, tree.default_protocol, tree.names) == ("prepared", "nyu", file.names)
        assert tree.scenes() == file.scenes()  # type: ignore[attr-defined]
        for here, there in zip(tree, file, strict=True):
            np.testing.assert_array_equal(here.image, there.image)
            assert here.depth is not None
            np.testing.assert_allclose(here.depth, there.depth, atol=0.0005001)
            np.testing.assert_array_equal(here.valid, there.valid)
            np.testing.assert_allclose(here.K, there.K, rtol=1e-6)


def test_a_damaged_frame_of_the_mat_is_dropped_with_its_reason(
    make_mat: MakeMat, mat_frames: Callable[..., dict[str, np.ndarray]]
) -> None:
    from depthnet.prepare.nyu_labeled import NyuLabeledSource
    from depthnet.prepare.source import DroppedFrame, PreparedFrame

    depths = mat_frames(12, SIZE)["depths"]
    depths[4, 2, 2] = np.nan
    source = NyuLabeledSource(make_mat(change={"depths": depths.transpose(0, 2, 1)}))
    frames = list(source.frames(source.scenes()[1]))
    assert [type(frame) for frame in frames] == [PreparedFrame, DroppedFrame, PreparedFrame]
    assert frames[1] == DroppedFrame("0004", frames[1].reason)  # type: ignore[union-attr]
    assert "NaN" in frames[1].reason  # type: ignore[union-attr]


@pytest.mark.parametrize("size", [(480, 640), (240, 320)])
def test_the_camera_of_the_labelled_tree_has_the_published_digits(size: tuple[int, int]) -> None:
    from depthnet.prepare.nyu_labeled import _intrinsics

    scale = size[0] / 480
    fx, fy, cx, cy = 518.8579, 519.4696, 325.5824, 253.7362
    expected = [[fx * scale, 0, (cx + 0.5) * scale - 0.5], [0, fy * scale, (cy + 0.5) * scale - 0.5], [0, 0, 1]]
    np.testing.assert_allclose(_intrinsics(size), expected, rtol=1e-15)
