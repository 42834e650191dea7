"""When a folder is taken for a tree, which recipes go together, and what a job without work says."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from tiny_source import TinyOptions, TinySource, begun, make_scenes

from depthnet.errors import InputError
from depthnet.prepare.run import prepare
from depthnet.prepare.scene_job import SceneJob
from depthnet.prepare.tree import build_recipe, check_scene, open_tree, write_tables


@pytest.fixture
def source(tmp_path: Path) -> TinySource:
    return TinySource(make_scenes(tmp_path / "download", "ab"))


@pytest.fixture
def tree(source: TinySource, tmp_path: Path) -> Path:
    """A finished tree, written without a process of its own."""
    out = tmp_path / "t"
    with open_tree(out, build_recipe(source, "png"), overwrite=False) as recipe:
        for scene in source.scenes():
            assert SceneJob(source, out, "png", recipe).run(scene).error is None
        write_tables(out)
    begun(source.path)
    return out


@pytest.mark.parametrize(
    ("options", "image_format", "words"),
    [
        (TinyOptions(count=5), "png", "(count 3, now 5)"),
        (TinyOptions(count=5, video=True), "png", "(count 3, now 5; video false, now true)"),
        (TinyOptions(), "jpg", "(image_format png, now jpg)"),
    ],
)
def test_other_options_are_refused_with_the_difference(
    options: TinyOptions, image_format: Any, words: str, source: TinySource, tree: Path
) -> None:
    with pytest.raises(InputError, match="was prepared otherwise") as caught:
        prepare(TinySource(source.path, options), tree, image_format=image_format)
    assert words in str(caught.value)
    assert "--overwrite" in str(caught.value)
    assert begun(source.path) == []


def test_another_source_and_options_that_are_new_are_named(source: TinySource, tree: Path) -> None:
    source.name = "huge"
    source.options = {"count": 3, "deep": {"er": 1}}  # type: ignore[assignment]
    with pytest.raises(InputError, match=r"\(source tiny, now huge; video false, now not set; deep\.er not set, now 1"):
        prepare(source, tree)


def test_options_that_only_choose_scenes_may_change(source: TinySource, tree: Path) -> None:
    class Chosen(TinySource):
        scene_options = ("video",)

    recipe = build_recipe(Chosen(source.path), "png")
    assert recipe == build_recipe(Chosen(source.path, TinyOptions(video=True)), "png")
    assert "video" not in recipe
    (tree / "prepare.json").write_text(recipe)
    assert prepare(Chosen(source.path, TinyOptions(video=True)), tree).new == []
    with pytest.raises(InputError, match="count 3, now 4"):
        prepare(Chosen(source.path, TinyOptions(count=4)), tree)


def test_a_scene_recorded_with_other_columns_is_done_again(source: TinySource, tree: Path) -> None:
    index = (tree / "index.csv").read_bytes()
    record = tree / "scenes" / "b.json"
    record.write_text(record.read_text().replace(",,,\\n", "\\n"))
    assert check_scene(tree, "a")
    assert not check_scene(tree, "b")
    assert prepare(source, tree, workers=1).new == ["b"]
    assert (tree / "index.csv").read_bytes() == index


def test_the_version_that_began_a_tree_is_kept_and_no_reason_to_refuse(source: TinySource, tree: Path) -> None:
    file = tree / "prepare.json"
    file.write_text(file.read_text().replace('"depthnet": "', '"depthnet": "0.'))
    before = file.read_text()
    (tree / "rgb" / "a_000.png").unlink()
    assert prepare(source, tree, workers=1).new == ["a"]
    assert file.read_text() == before


def test_overwriting_starts_anew(source: TinySource, tree: Path) -> None:
    (source.path / "a.json").unlink()
    options = TinyOptions(count=1)
    result = prepare(TinySource(source.path, options), tree, workers=1, overwrite=True)
    assert (result.new, result.totals.frames) == (["b"], 1)
    assert [file.name for file in (tree / "rgb").iterdir()] == ["b_000.png"]
    assert [file.name for file in (tree / "scenes").iterdir()] == ["b.json"]


def test_a_folder_of_something_else_is_never_touched(source: TinySource, tmp_path: Path) -> None:
    (tmp_path / "home" / "rgb").mkdir(parents=True)
    (tmp_path / "home" / "rgb" / "mine.png").write_bytes(b"mine")
    for overwrite in (False, True):
        with pytest.raises(InputError, match=r"home: holds rgb, and no prepare\.json: not a tree"):
            prepare(source, tmp_path / "home", overwrite=overwrite)
    assert (tmp_path / "home" / "rgb" / "mine.png").read_bytes() == b"mine"


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_place_that_cannot_be_a_folder(place: str, source: TinySource, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match=r"file.*: cannot be written \(.+\); choose another --out"):
        prepare(source, tmp_path / place)


@pytest.mark.parametrize("text", ["", "{", "[1]", "\xff"])
def test_a_damaged_recipe_is_said_to_be_one(text: str, source: TinySource, tree: Path) -> None:
    (tree / "prepare.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"prepare\.json: damaged; pass --overwrite"):
        prepare(source, tree)


def test_two_jobs_do_not_write_one_tree(source: TinySource, tree: Path) -> None:
    folder = os.open(tree, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    with pytest.raises(InputError, match="another `depthnet prepare` is writing there"):
        prepare(source, tree)
    os.close(folder)
    assert prepare(source, tree).totals.frames == 6


def test_what_a_killed_job_left_is_removed(source: TinySource, tree: Path) -> None:
    (tree / ".unfinished" / "a.123" / "rgb").mkdir(parents=True)
    (tree / ".unfinished" / "a.123" / "rgb" / "a_000.png").write_bytes(b"half")
    for name in (".index.77.part.csv", "scenes/.a.77.part.json"):
        (tree / name).write_bytes(b"half")
    prepare(source, tree)
    assert not [file for file in tree.rglob("*") if file.name.startswith(".")]


def test_two_scenes_whose_frames_have_one_name_are_refused(tmp_path: Path) -> None:
    source = TinySource(make_scenes(tmp_path / "download", "ab"))
    source.unique_names = True  # type: ignore[attr-defined] # they are not: 000 is in both
    with open_tree(tmp_path / "t", build_recipe(source, "png"), overwrite=False) as recipe:
        for scene in "ab":
            SceneJob(source, tmp_path / "t", "png", recipe).run(scene)
        with pytest.raises(InputError, match="rgb/000: scenes 'a' and 'b' both have a frame of this name"):
            write_tables(tmp_path / "t")


def test_a_scene_is_checked_by_the_sizes_of_its_files(tree: Path) -> None:
    assert check_scene(tree, "a")
    assert not check_scene(tree, "c")
    (tree / "depth" / "a_001.png").write_bytes(b"")
    assert not check_scene(tree, "a")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "has no scenes"),
        (["a", "b", "a"], "scene 'a' is there twice"),
        (["x/y"], "scene 'x/y'; a name has letters"),
    ],
)
def test_sources_whose_scenes_cannot_be_folders(
    names: list[str], words: str, source: TinySource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "scenes", lambda: names)
    with pytest.raises(InputError, match=words):
        prepare(source, tmp_path / "t")
    assert not (tmp_path / "t").exists()


def test_workers_below_one(source: TinySource, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="workers 0: at least one"):
        prepare(source, tmp_path / "t", workers=0)


def test_nothing_but_bad_scenes_is_an_error(tmp_path: Path) -> None:
    source = TinySource(make_scenes(tmp_path / "download", "a", a={"bad": True}))
    with pytest.raises(
        InputError, match=r"none of the 1 scenes could be prepared; the first: scene a: a\.zip: cut off"
    ):
        prepare(source, tmp_path / "t", workers=1)
