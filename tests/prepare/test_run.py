"""The preparation job: the same bytes in every way to get there, and nothing lost when it is stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from tiny_source import TinyOptions, TinySource, begun, make_scenes, tiny_frame

from depthnet.data import open_dataset
from depthnet.data.folder import FolderDataset
from depthnet.data.prepared import PreparedDataset
from depthnet.errors import InputError
from depthnet.prepare.run import PrepareProgress, prepare


def content(tree: Path) -> dict[str, bytes]:
    """Every file of a tree, hidden ones too."""
    return {str(file.relative_to(tree)): file.read_bytes() for file in sorted(tree.rglob("*")) if file.is_file()}


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """A download of five scenes, one of which has a faulty frame."""
    return make_scenes(tmp_path / "download", "abcde", b={"drop": [1]})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an undisturbed run with one process makes of five scenes."""
    folder = tmp_path_factory.mktemp("whole")
    prepare(TinySource(make_scenes(folder / "download", "abcde", b={"drop": [1]})), folder / "tree", workers=1)
    return content(folder / "tree")


def test_the_tree_of_two_processes_is_that_of_one(scenes: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    seen: list[PrepareProgress] = []
    result = prepare(
        TinySource(scenes),
        tmp_path / "t",
        workers=2,
        on_progress=lambda now: seen.append(PrepareProgress(**asdict(now))),
    )
    assert content(tmp_path / "t") == whole
    assert result.new == list("abcde")
    assert (result.totals.scenes, result.totals.frames, result.totals.dropped, result.failed) == (5, 14, 1, {})
    assert result.totals.bytes == sum(len(data) for name, data in whole.items() if name.startswith(("rgb/", "depth/")))
    assert seen[0] == PrepareProgress(5)
    assert seen[-1] == PrepareProgress(5, 5, 15)
    assert any(0 < now.partial < 2 for now in seen)
    assert [now.frames for now in seen] == sorted(now.frames for now in seen)


def test_what_the_tree_holds(whole: dict[str, bytes], tmp_path: Path) -> None:
    for name, data in whole.items():
        (tmp_path / "t" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "t" / name).write_bytes(data)
    names = [f"{scene}_{number:03d}" for scene in "abcde" for number in range(3) if (scene, number) != ("b", 1)]
    assert sorted(whole) == sorted([
        "dropped.csv", "index.csv", "intrinsics.txt", "prepare.json", *(f"scenes/{scene}.json" for scene in "abcde"),
        *(f"rgb/{name}.png" for name in names), *(f"depth/{name}.png" for name in names),
    ])  # fmt: skip
    assert whole["dropped.csv"] == b'scene,frame,reason\nb,001,"truncated: 100 of 614400 bytes, cut"\n'
    assert whole["intrinsics.txt"] == b"30.125 30.25 15.5 11.75 32 24\n"
    recipe = json.loads(whole["prepare.json"])
    assert (recipe["source"], recipe["options"]) == ("tiny", {"count": 3, "video": False})
    for data in (FolderDataset(tmp_path / "t"), open_dataset(tmp_path / "t")):
        assert data.names == names
        expected, raw = tiny_frame("d", 2), data.read_raw(names.index("d_002"))
        np.testing.assert_array_equal(raw.image, expected.image)
        np.testing.assert_array_equal(raw.depth, expected.depth)
        np.testing.assert_array_equal(raw.K, expected.K.astype(np.float32))
    assert data.format == "prepared"


def test_videos_and_stereo_pairs_come_back_as_they_were(tmp_path: Path) -> None:
    source = TinySource(make_scenes(tmp_path / "download", "ab"), TinyOptions(video=True))
    prepare(source, tmp_path / "t", workers=1)
    assert not (tmp_path / "t" / "intrinsics.txt").exists()  # every frame has a camera of its own
    data = PreparedDataset(tmp_path / "t")
    assert data.scenes() == ["a"] * 3 + ["b"] * 3
    assert data.sequences() == {"a": [0, 1, 2], "b": [3, 4, 5]}
    for index, (scene, number) in enumerate((scene, number) for scene in "ab" for number in range(3)):
        expected, raw = tiny_frame(scene, number, video=True), data.read_raw(index)
        np.testing.assert_array_equal(raw.image, expected.image)
        np.testing.assert_array_equal(raw.depth, expected.depth)
        np.testing.assert_array_equal(raw.K, expected.K.astype(np.float32))
        np.testing.assert_allclose(raw.T_world_cam, expected.T_world_cam, atol=1e-15)
        assert raw.time_s == expected.time_s
        np.testing.assert_array_equal(data.read_right(index), expected.right)
        assert data.baseline_m(index) == 0.075


def test_a_second_run_does_only_what_is_missing(scenes: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    tree = tmp_path / "t"
    for name, data in whole.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)
    assert prepare(TinySource(scenes), tree).new == []
    assert begun(scenes) == []
    (tree / "rgb" / "a_001.png").unlink()
    (tree / "depth" / "c_000.png").write_bytes(whole["depth/c_000.png"][:100])
    (tree / "scenes" / "d.json").write_bytes(whole["scenes/d.json"][:50])
    (tree / "index.csv").unlink()
    assert prepare(TinySource(scenes), tree, workers=1).new == ["a", "c", "d"]
    assert begun(scenes) == ["a", "c", "d"]
    assert content(tree) == whole


def test_scenes_may_be_added_to_the_download_and_removed_from_it(tmp_path: Path) -> None:
    first = make_scenes(tmp_path / "download", "ab")
    prepare(TinySource(first), tmp_path / "t", workers=1)
    (first / "a.json").unlink()
    make_scenes(first, "c")
    begun(first)
    result = prepare(TinySource(first), tmp_path / "t", workers=1)
    assert (result.new, begun(first), result.totals.scenes) == (["c"], ["c"], 3)
    (tmp_path / "t" / "rgb" / "a_000.png").unlink()  # it cannot be made again
    assert prepare(TinySource(first), tmp_path / "t").totals.scenes == 2
    assert set(PreparedDataset(tmp_path / "t").scenes()) == {"b", "c"}


RUN = "import sys; from tiny_source import TinySource; from depthnet.prepare.run import prepare; \
prepare(TinySource(sys.argv[1]), sys.argv[2], workers=2)"


def children_of(pid: int) -> set[int]:
    """Processes that a process has started, and theirs."""
    table = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            table[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
    found = {pid}
    while more := {one for one, parent in table.items() if parent in found} - found:
        found |= more
    return found - {pid}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
def test_kill_9_at_any_moment_loses_nothing(scenes: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    tree = tmp_path / "t"
    make_scenes(scenes, "cd", c={"seconds": 0.4}, d={"seconds": 0.4})
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    job = subprocess.Popen([sys.executable, "-c", RUN, str(scenes), str(tree)], env=environment)
    deadline = time.monotonic() + 300
    while not {"a", "b"} <= {file.stem for file in tree.glob("scenes/*.json")} or not any(
        tree.glob(".unfinished/*/rgb/*")
    ):
        assert time.monotonic() < deadline
        assert job.poll() is None
        time.sleep(0.02)
    children = children_of(job.pid)
    job.kill()
    job.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in children):  # they notice at their next frame
        assert time.monotonic() < deadline
        time.sleep(0.05)
    done = {file.stem for file in tree.glob("scenes/*.json")}
    assert begun(scenes)
    make_scenes(scenes, "cd")
    assert prepare(TinySource(scenes), tree, workers=1).new == sorted(set("abcde") - done)
    assert begun(scenes) == sorted(set("abcde") - done)
    assert content(tree) == whole


def test_a_process_that_dies_is_replaced(scenes: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    make_scenes(scenes, "c", c={"die": 1})
    result = prepare(TinySource(scenes), tmp_path / "t", workers=1)
    assert (result.failed, begun(scenes)) == ({}, ["a", "b", "c", "c", "d", "e"])
    assert content(tmp_path / "t") == whole


def test_what_is_wrong_with_one_scene_stops_no_other(scenes: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    tree, said = tmp_path / "t", list[str]()
    make_scenes(scenes, "bd", b={"bad": True, "drop": [1]}, d={"die": 9})
    result = prepare(TinySource(scenes), tree, workers=2, on_failure=said.append)
    assert result.new == ["a", "c", "e"]
    assert result.failed == {
        "b": "scene b: b.zip: cut off after 1 frame; fetch it again.",
        "d": "scene d: its process died twice (signal 9, as when memory runs out).",
    }
    assert sorted(said) == sorted(result.failed.values())
    assert {file.name[:1] for file in (tree / "rgb").iterdir()} == {"a", "c", "e"}
    assert PreparedDataset(tree).sequences().keys() == {"a", "c", "e"}
    begun(scenes)
    make_scenes(scenes, "bd", b={"drop": [1]})
    assert prepare(TinySource(scenes), tree, workers=1).new == ["b", "d"]
    assert content(tree) == whole


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit on file sizes on this system")
def test_a_disk_that_refuses_files_stops_the_job_with_one_line(scenes: Path, tmp_path: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # the recipe has room, a picture has not
    try:
        with pytest.raises(InputError, match=r"a_000\.png: cannot be written \(File too large\); free space") as caught:
            prepare(TinySource(scenes), tmp_path / "t", workers=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert begun(scenes) == ["a"]
    assert not [name for name in content(tmp_path / "t") if name.endswith(".png")]
