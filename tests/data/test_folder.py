from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from depthnet.data.folder import FolderDataset
from depthnet.data.splits import nyu_labeled_indices
from depthnet.errors import InputError

MakeFolder = Callable[..., Path]


@pytest.mark.parametrize("suffix", [".png", ".webp", ".PNG"])
def test_pairs_come_back_in_order_with_depth_in_metres(make_folder: MakeFolder, suffix: str) -> None:
    data = FolderDataset(make_folder(["b", "a10", "a2"], suffix=suffix))
    assert data.names == ["a10", "a2", "b"]
    assert (data.name, data.format, data.default_protocol) == ("set", "folder", "none")
    sample = data[2]
    expected = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(np.rint(sample.image * 255).astype(np.uint8), expected.transpose(2, 0, 1))
    assert sample.depth is not None
    assert sample.valid is not None
    assert sample.depth[0, 0, 0] == 0
    assert sample.depth[0, 1, 1] == pytest.approx(1.0)
    assert not sample.valid[0, 0, 0]
    assert sample.valid.sum() == 47
    assert sample.K is None


def test_jpeg_images_are_read(make_folder: MakeFolder) -> None:
    root = make_folder(["a", "b"])
    for name, suffix in (("a", ".jpg"), ("b", ".JPEG")):
        Image.open(root / "rgb" / f"{name}.png").save(root / "rgb" / f"{name}{suffix}", "jpeg")
        (root / "rgb" / f"{name}.png").unlink()
    assert [sample.image.shape for sample in FolderDataset(root)] == [(3, 6, 8)] * 2


def test_intrinsics_follow_the_size_of_the_images(make_folder: MakeFolder) -> None:
    data = FolderDataset(make_folder(["a"], size=(6, 8), intrinsics="518.8579 519.4696 325.5824 253.7362 640 480\n"))
    scale = 8 / 640
    expected = [[518.8579 * scale, 0, 326.0824 * scale - 0.5], [0, 519.4696 * scale, 254.2362 * scale - 0.5], [0, 0, 1]]
    np.testing.assert_allclose(data[0].K, expected, rtol=1e-5)
    assert data[0].K.dtype == np.float32


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("518 519 325\n", "3 numbers"),
        ("f g h i j k", "are not numbers"),
        ("nan 519 325 253 640 480", "positive and finite"),
        ("518 519 325 253 0 480", "positive and finite"),
        ("", "0 numbers"),
    ],
)
def test_intrinsics_that_cannot_be_used_are_refused(make_folder: MakeFolder, text: str, words: str) -> None:
    with pytest.raises(InputError, match=rf"intrinsics\.txt: .*{words}.*fx fy cx cy width height"):
        FolderDataset(make_folder(["a"], intrinsics=text))


def test_names_that_do_not_pair_up_are_named(make_folder: MakeFolder) -> None:
    root = make_folder(["a", "b", "c"])
    (root / "depth" / "b.png").unlink()
    with pytest.raises(InputError, match=r"3 images and 2 depth maps; 'b' has an image but no depth/b\.png"):
        FolderDataset(root)
    (root / "rgb" / "b.png").unlink()
    (root / "rgb" / "c.png").unlink()
    with pytest.raises(InputError, match=r"1 images and 2 depth maps; 'c' has a depth map but no rgb/c"):
        FolderDataset(root)


def test_two_images_of_one_name_are_refused(make_folder: MakeFolder) -> None:
    root = make_folder(["a"])
    Image.new("RGB", (8, 6)).save(root / "rgb" / "a.jpg")
    with pytest.raises(InputError, match=r"second image named 'a'"):
        FolderDataset(root)


@pytest.mark.parametrize("part", ["rgb", "depth"])
def test_a_missing_part_is_named(make_folder: MakeFolder, part: str) -> None:
    root = make_folder(["a"])
    (root / part / "a.png").unlink()
    (root / part).rmdir()
    with pytest.raises(InputError, match=rf"no folder {part}/"):
        FolderDataset(root)


def test_an_empty_set_is_refused(make_folder: MakeFolder) -> None:
    with pytest.raises(InputError, match="no image"):
        FolderDataset(make_folder([]))


def test_sizes_that_differ_are_refused_at_the_pair(make_folder: MakeFolder) -> None:
    root = make_folder(["a", "b"])
    Image.fromarray(np.ones((3, 4), np.uint16)).save(root / "depth" / "b.png")
    data = FolderDataset(root)
    assert data[0].name == "a"
    with pytest.raises(InputError, match=r"depth/b\.png: depth is 4x3 and its image 8x6"):
        data[1]


def test_an_8_bit_depth_map_is_refused(make_folder: MakeFolder) -> None:
    root = make_folder(["a"])
    Image.new("L", (8, 6), 100).save(root / "depth" / "a.png")
    with pytest.raises(InputError, match=r"depth/a\.png: 8-bit image; expected 16-bit"):
        FolderDataset(root)[0]


@pytest.mark.parametrize("part", ["rgb", "depth"])
def test_a_truncated_file_is_named_and_the_others_are_read(make_folder: MakeFolder, part: str) -> None:
    root = make_folder(["a", "b"], size=(40, 40))
    file = root / part / "a.png"
    file.write_bytes(file.read_bytes()[:60])
    data = FolderDataset(root)
    with pytest.raises(InputError, match=rf"{part}/a\.png"):
        data[0]
    assert data[1].name == "b"


def test_depth_alone_does_not_decode_the_picture(make_folder: MakeFolder) -> None:
    root = make_folder(["a", "b"])
    data = FolderDataset(root)
    expected = data.read_raw(1).depth
    (root / "rgb" / "b.png").write_bytes(b"no picture")
    np.testing.assert_array_equal(data.read_depth(1), expected)
    (root / "depth" / "b.png").write_bytes(b"no depth map")
    with pytest.raises(InputError, match=r"depth/b\.png"):
        data.read_depth(1)


def test_stray_files_are_left_alone(make_folder: MakeFolder) -> None:
    root = make_folder(["a"])
    for name in ("rgb/._a.png", "depth/._a.png", "rgb/notes.txt"):
        (root / name).write_text("x", encoding="utf-8")
    assert FolderDataset(root).names == ["a"]


def test_without_lists_train_and_all_are_everything_and_val_says_what_to_write(make_folder: MakeFolder) -> None:
    root = make_folder(["a", "b"])
    for split in (None, "all", "train"):
        assert FolderDataset(root, split).names == ["a", "b"]
    with pytest.raises(InputError, match=r"no split 'val' \(it has no split lists\).*val\.txt.*splits\.json"):
        FolderDataset(root, "val")


def test_split_lists_are_followed(make_folder: MakeFolder) -> None:
    root = make_folder(["a", "b", "c.1"])
    (root / "train.txt").write_text("rgb/b.png\na\n", encoding="utf-8")
    (root / "splits.json").write_text(json.dumps({"note": "x", "val": ["c.1"], "hard": ["a.png"]}), encoding="utf-8")
    assert FolderDataset(root, "train").names == ["b", "a"]
    assert FolderDataset(root, "val").names == ["c.1"]
    assert FolderDataset(root, "hard").names == ["a"]
    assert len(FolderDataset(root)) == 3
    with pytest.raises(InputError, match=r"no split 'test'.*hard, train, val"):
        FolderDataset(root, "test")


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("val.txt", "nobody\n", "split 'val' names 'nobody'"),
        ("val.txt", "", "split 'val' is empty"),
        ("splits.json", "{", r"splits\.json: not JSON"),
        ("splits.json", "[1]", r"splits\.json: not JSON of the form"),
    ],
)
def test_split_lists_that_cannot_be_used_are_refused(make_folder: MakeFolder, file: str, text: str, words: str) -> None:
    root = make_folder(["a"])
    (root / file).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        FolderDataset(root, "val")


NYU_LINE = "259.42895 259.7348 162.54123 126.61808 320 240"


def test_labelled_nyu_frames_get_their_fixed_splits(make_folder: MakeFolder) -> None:
    names = ["0002", "0003", "0068", "0069", "0013"]
    root = make_folder(names, intrinsics=NYU_LINE)
    data = FolderDataset(root)
    assert data.default_protocol == "nyu"
    assert len(data) == 5
    assert FolderDataset(root, "train").names == ["0002", "0003"]
    assert FolderDataset(root, "val").names == ["0068", "0069"]
    assert FolderDataset(root, "trainval").names == ["0002", "0003", "0068", "0069"]
    assert FolderDataset(root, "test").names == ["0013"]
    with pytest.raises(InputError, match="no split 'valid'; NYU Depth v2 has"):
        FolderDataset(root, "valid")


def test_a_split_without_a_frame_here_is_refused(make_folder: MakeFolder) -> None:
    with pytest.raises(InputError, match="none of the 100 frames of split 'val' is among the 1 here"):
        FolderDataset(make_folder(["0002"], intrinsics=NYU_LINE), "val")


def test_four_digits_alone_are_not_nyu(make_folder: MakeFolder) -> None:
    assert FolderDataset(make_folder(["0002", "0003"])).default_protocol == "none"


def test_another_camera_is_not_nyu(make_folder: MakeFolder) -> None:
    root = make_folder(["0002", "0003"], intrinsics="525 525 319.5 239.5 640 480")
    assert FolderDataset(root).default_protocol == "none"


def test_a_whole_official_part_is_nyu_without_a_camera(tmp_path: Path) -> None:
    for part in ("rgb", "depth"):
        (tmp_path / part).mkdir()
        for index in nyu_labeled_indices("test"):
            (tmp_path / part / f"{index:04d}.png").touch()
    assert FolderDataset(tmp_path).default_protocol == "nyu"


def test_it_can_be_pickled(make_folder: MakeFolder) -> None:
    data = pickle.loads(pickle.dumps(FolderDataset(make_folder(["a"]))))
    assert data[0].name == "a"


def test_the_real_training_tree(shared_data: Path) -> None:
    root = shared_data / "nyu_train"
    data, train, val = FolderDataset(root), FolderDataset(root, "train"), FolderDataset(root, "val")
    assert (len(data), len(train), len(val), data.default_protocol) == (795, 635, 100, "nyu")
    assert not set(train.names) & set(val.names)
    sample = val[0]
    assert sample.name == "0068"
    assert sample.image.shape == (3, 240, 320)
    assert sample.depth is not None
    assert sample.valid is not None
    assert sample.valid.all()
    assert 0.5 < sample.depth.min() < sample.depth.max() <= 10
    np.testing.assert_allclose(sample.K, [[259.42895, 0, 162.54123], [0, 259.7348, 126.61808], [0, 0, 1]], rtol=1e-6)
