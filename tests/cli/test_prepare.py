"""`depthnet prepare` through its command line, on tiny scenes and on the sources that it ships."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from depthnet.cli import prepare as face
from depthnet.data.prepared import PreparedDataset

#: Runs a command line and gives its exit code, stdout and stderr: see conftest.py.
Shell = Callable[..., Any]

ENTRY = face.SourceEntry("tiny_source", "TinySource", "TinyOptions", "tiny scenes", "a folder of scenes")


@pytest.fixture
def make_scenes(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write a folder of tiny scenes, which the source `tiny` prepares."""
    monkeypatch.syspath_prepend(str(project / "tests" / "prepare"))
    monkeypatch.setitem(face.SOURCES, "tiny", ENTRY)
    from tiny_source import make_scenes

    write: Callable[..., Path] = make_scenes
    return write


def test_one_line_of_results_and_the_speed_apart(
    depthnet: Shell, make_scenes: Callable[..., Path], tmp_path: Path
) -> None:
    source = make_scenes(tmp_path / "download", "ab", b={"drop": [0]})
    words = ("prepare", "tiny", "--source", source, "--out", "t", "--workers", 1, "--count", 2)
    outcome = depthnet(*words)
    assert outcome.code == 0, outcome.err
    size = sum(file.stat().st_size for folder in ("rgb", "depth") for file in (tmp_path / "t" / folder).iterdir())
    assert outcome.out == f"t: 3 frames of 2 scenes (2 new), 1 dropped, {size / 1e6:.1f} MB\n"
    assert "prepare: 4 frames in" in outcome.err
    assert "frames per second" in outcome.err
    again = depthnet(*words)
    assert (again.code, again.err) == (0, "")
    assert "(0 new)" in again.out
    other = depthnet(*words[:-1], 3)
    assert other.code == 1
    assert other.err.count("\n") == 1
    assert other.err.startswith("depthnet: error: ")
    assert "(count 2, now 3)" in other.err
    anew = depthnet(*words[:-1], 3, "--overwrite", "--image-format", "jpg")
    assert "5 frames of 2 scenes (2 new)" in anew.out
    assert (tmp_path / "t" / "rgb" / "a_002.jpg").is_file()


def test_a_terminal_sees_scenes_frames_and_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from depthnet.cli.progress import scene_progress
    from depthnet.prepare.run import PrepareProgress

    monkeypatch.setenv("FORCE_COLOR", "1")  # what makes rich take any stream for a terminal
    monkeypatch.setenv("COLUMNS", "120")
    with scene_progress("prepare") as on_progress:
        for done, partial, frames in ((4, 0.0, 0), (4, 0.5, 10), (5, 0.25, 25)):
            on_progress(PrepareProgress(8, done, frames, partial))
            time.sleep(0.05)
    out, err = capsys.readouterr()
    assert out == ""
    shown = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", err)
    assert re.search(r"5/8 scenes, 25 frames, \S+ frames/s 0:00:\d\d", shown)  # 2.75 scenes left at some 10 a second
    assert "prepare: 25 frames in " in err.splitlines()[-1]


def test_a_bad_scene_is_reported_and_the_others_go_on(
    depthnet: Shell, make_scenes: Callable[..., Path], tmp_path: Path
) -> None:
    source = make_scenes(tmp_path / "download", "abc", b={"bad": True})
    outcome = depthnet("prepare", "tiny", "--source", source, "--out", "t", "--workers", 1)
    assert outcome.code == 1
    assert "6 frames of 2 scenes" in outcome.out
    assert outcome.err.splitlines()[0] == "depthnet: error: scene b: b.zip: cut off after 1 frame; fetch it again."
    assert PreparedDataset(tmp_path / "t").sequences().keys() == {"a", "c"}


def test_a_tree_without_a_frame_is_no_success(
    depthnet: Shell, make_scenes: Callable[..., Path], tmp_path: Path
) -> None:
    source = make_scenes(tmp_path / "download", "a", a={"drop": [0]})
    outcome = depthnet("prepare", "tiny", "--source", source, "--out", "t", "--workers", 1, "--count", 1)
    assert outcome.code == 1
    assert "no frame is left; dropped.csv says why" in outcome.err


def test_options_come_from_yaml_and_the_line_wins(
    depthnet: Shell, make_scenes: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "my.yaml").write_text("count: 5\nworkers: 3\nimage_format: jpg\n")
    for words in (
        ("prepare", "tiny", "--config", "my.yaml", "--count", "7", "--print-config"),
        ("prepare", "--print-config", "tiny", "--count", "7", "--config", "my.yaml"),
        ("prepare", "--count=7", "tiny", "--debug", "--print-config", "--config", "my.yaml"),
    ):
        outcome = depthnet(*words)
        assert outcome.code == 0, outcome.err
        assert yaml.safe_load(outcome.out) == {
            "source": "", "out": "", "workers": 3, "cluster": None, "image_format": "jpg", "count": 7, "video": False,
        }  # fmt: skip
    (tmp_path / "my.yaml").write_text("cuont: 5\n")
    outcome = depthnet("prepare", "tiny", "--config", "my.yaml")
    assert outcome.code == 1
    assert "did you mean 'count'?" in outcome.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "choose one of: nyu-raw, nyu-labeled, kitti, synthetic"),
        (["nyu-rwa", "--out", "t"], "perhaps you meant 'nyu-raw'"),
        (["--source", "kitti", "--out", "t"], "needs the word of a source"),
        (["nyu-labeled", "--source", "x.mat"], "needs --out DIR"),
        (["nyu-labeled", "--out", "t"], "needs --source: nyu_depth_v2_labeled.mat or its folder"),
        (["tiny", "--source", "download", "--out", "t", "--workers", "0"], "--workers 0: at least one"),
    ],
)
def test_wrong_usage(words: list[str], message: str, depthnet: Shell, make_scenes: Callable[..., Path]) -> None:
    outcome = depthnet("prepare", *words)
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_an_unknown_option_suggests_one(depthnet: Shell, make_scenes: Callable[..., Path]) -> None:
    outcome = depthnet("prepare", "tiny", "--cuont", "3")
    assert outcome.code == 2
    assert "--count" in outcome.err


@pytest.mark.parametrize("kind", face.SOURCES)
def test_every_source_explains_itself(kind: str, depthnet: Shell) -> None:
    pytest.importorskip(face.SOURCES[kind].module)
    outcome = depthnet("prepare", kind, "--help")
    assert outcome.code == 0
    config = yaml.safe_load(depthnet("prepare", kind, "--print-config").out)
    assert {"source", "out", "workers", "cluster", "image_format"} < set(config)
    for option in ("overwrite", "print-config", *(name.replace("_", "-") for name in config)):
        assert f"--{option}" in outcome.out
    assert kind in depthnet("prepare", "--help").out


def test_a_mat_that_is_not_there_is_one_line(depthnet: Shell, tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    outcome = depthnet("prepare", "nyu-labeled", "--source", tmp_path, "--out", "t")
    assert outcome.code == 1
    assert "nyu_depth_v2_labeled.mat: cannot be opened" in outcome.err
    assert outcome.err.count("\n") == 1


def test_the_raw_dump_becomes_a_tree_of_registered_frames(depthnet: Shell, tmp_path: Path) -> None:
    import numpy as np

    from depthnet.benchmark.prepare import raw_disparity, raw_picture
    from depthnet.prepare.nyu_raw.files import write_raw_frame

    for number in range(3):
        write_raw_frame(tmp_path / "raw" / "study_0001", 1.3e9 + number, raw_disparity(number), raw_picture(number))
    cut = next((tmp_path / "raw" / "study_0001").glob("r-1300000001*"))
    cut.write_bytes(cut.read_bytes()[:-7])
    outcome = depthnet("prepare", "nyu-raw", "--source", "raw", "--out", "t", "--workers", 1, "--crop")
    assert outcome.code == 0, outcome.err
    assert "2 frames of 1 scenes (1 new), 1 dropped" in outcome.out
    data = PreparedDataset(tmp_path / "t")
    assert data.scenes() == ["study_0001"] * 2
    assert "r-1300000001" in (tmp_path / "t" / "dropped.csv").read_text()
    for sample in data:
        assert sample.image.shape == (3, 427, 561)
        assert sample.depth is not None
        assert sample.valid is not None
        assert sample.valid.mean() > 0.6
        assert 0.4 <= np.median(sample.depth[sample.valid]) <= 10.0
    fx, fy, cx, cy, width, height = (float(word) for word in (tmp_path / "t" / "intrinsics.txt").read_text().split())
    np.testing.assert_allclose([fx, fy, cx, cy], [518.85790, 519.46961, 325.58245 - 40, 253.73617 - 44], atol=1e-4)
    assert (width, height) == (561, 427)


RUN = """
import sys
from depthnet.cli import main, prepare
prepare.SOURCES["tiny"] = prepare.SourceEntry("tiny_source", "TinySource", "TinyOptions", "tiny", "a folder")
sys.exit(main(["prepare", "tiny", *sys.argv[1:]]))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_job_says_how_to_go_on_and_leaves_whole_scenes(
    number: int, code: int, make_scenes: Callable[..., Path], tmp_path: Path, project: Path
) -> None:
    source, tree = make_scenes(tmp_path / "download", "abc", b={"seconds": 60}), tmp_path / "t"
    job = subprocess.Popen(
        [sys.executable, "-c", RUN, "--source", str(source), "--out", str(tree), "--workers", "1"],
        env={**os.environ, "PYTHONPATH": str(project / "tests" / "prepare")},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 300
    while not (tree / "scenes" / "a.json").exists() or "b" not in (tmp_path / "begun.txt").read_text():
        assert time.monotonic() < deadline
        assert job.poll() is None
        time.sleep(0.02)
    os.killpg(job.pid, number)  # as a terminal does: the processes of the scenes get it too
    out, err = job.communicate(timeout=300)
    assert (job.returncode, out) == (code, "")
    assert "1 of 3 scenes are done: the same command goes on from there" in err
    assert "Traceback" not in err
    assert not [file for file in tree.rglob("*") if file.name.startswith(".")]
    assert PreparedDataset(tree).names == ["a_000", "a_001", "a_002"]
