from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from depthnet import data
from depthnet.data import FORMATS, Format, open_dataset
from depthnet.errors import InputError


def test_a_folder_is_recognised(make_folder: Callable[..., Path]) -> None:
    root = make_folder(["a", "b"])
    for opened in (open_dataset(root), open_dataset(str(root), split="train"), open_dataset(root, format="folder")):
        assert opened.format == "folder"
        assert [sample.name for sample in opened] == ["a", "b"]


@pytest.mark.parametrize("name", ["nyu_depth_v2_labeled.mat", "renamed.bin"])
def test_a_mat_is_recognised_by_name_or_first_bytes(make_mat: Callable[..., Path], name: str) -> None:
    path = make_mat()
    path = path.rename(path.with_name(name))
    assert open_dataset(path).format == "nyu-mat"
    assert open_dataset(path, split="test").names == ["0000", "0001", "0008"]
    raw = open_dataset(path, format="nyu-mat-raw")[0]
    assert raw.valid is not None
    assert not raw.valid.all()


def test_half_a_folder_set_says_which_half_is_missing(make_folder: Callable[..., Path]) -> None:
    root = make_folder(["a"])
    (root / "depth").rename(root / "depths")
    with pytest.raises(InputError, match="no folder depth/"):
        open_dataset(root)


def test_tum_lists_are_no_plain_folder(make_folder: Callable[..., Path]) -> None:
    root = make_folder(["a"])
    (root / "depth.txt").write_text("# depth maps\n", encoding="utf-8")
    with pytest.raises(InputError, match="unknown layout") if "tum" not in FORMATS else pytest.raises(InputError):
        open_dataset(root)
    assert len(open_dataset(root, format="folder")) == 1


def test_an_unknown_layout_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it holds nothing"):
        open_dataset(tmp_path)
    for name in ("a.txt", "b.txt", "c.txt", "d.txt", "e.txt"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"unknown layout, it holds a\.txt.* and 1 more") as caught:
        open_dataset(tmp_path)
    message = str(caught.value)
    assert all(name in message for name in ("nyu-mat", "folder", "--format"))
    assert "\n" not in message
    with pytest.raises(InputError, match=r"a\.txt: unknown layout, it holds 0 bytes"):
        open_dataset(tmp_path / "a.txt")


def test_a_missing_path_and_an_unknown_format_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        open_dataset(tmp_path / "none")
    with pytest.raises(InputError, match="--format 'kity': unknown; choose one of nyu-mat"):
        open_dataset(tmp_path, format="kity")


def test_the_most_specific_wins_and_two_equals_ask_for_the_format(
    make_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder(["a"])
    folder = FORMATS["folder"]
    monkeypatch.setitem(data.FORMATS, "twin", Format("a twin", folder.matches, folder.open, folder.specificity))
    with pytest.raises(InputError, match=r"fits folder and twin; .* --format folder"):
        open_dataset(root)
    chosen: list[Path] = []
    monkeypatch.setitem(
        data.FORMATS,
        "special",
        Format("special", folder.matches, lambda p, s: chosen.append(p) or folder.open(p, s), 5),
    )
    open_dataset(root)
    assert chosen == [root]
