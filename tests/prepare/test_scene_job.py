"""One scene to its files: what may be written, what is refused, and what an outcome tells."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from depthnet.errors import MissingTierError
from depthnet.io.depth import read_depth_png
from depthnet.prepare.scene_job import ImageFormat, SceneJob, read_record
from depthnet.prepare.source import DroppedFrame, PreparedFrame

FRAME = PreparedFrame(
    "000",
    np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3),
    np.full((4, 6), 1.5, np.float32),
    np.array([[5.0, 0, 2.5], [0, 5, 1.5], [0, 0, 1]]),
)


class Given:
    """A source that gives these frames for every scene, or raises."""

    name = "given"

    def __init__(self, *frames: PreparedFrame | DroppedFrame | Exception) -> None:
        self.given = frames

    def scenes(self) -> list[str]:
        return ["s"]

    def frames(self, scene: str) -> Iterator[PreparedFrame | DroppedFrame]:
        for frame in self.given:
            if isinstance(frame, Exception):
                raise frame
            yield frame


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., SceneJob]:
    (tmp_path / "prepare.json").write_text("{}\n")

    def make(source: Any, image_format: ImageFormat = "png") -> SceneJob:
        return SceneJob(source, tmp_path, image_format, "{}\n")

    return make


def files(tree: Path) -> list[str]:
    return sorted(str(file.relative_to(tree)) for file in tree.rglob("*") if file.is_file())


def test_a_scene_becomes_files_and_last_a_record(job: Callable[..., SceneJob], tmp_path: Path) -> None:
    outcome = job(Given(FRAME, DroppedFrame("001", "dark"), replace(FRAME, name="002"))).run("s")
    assert (outcome.frames, outcome.error) == (2, None)
    pictures = [f"{folder}/s_{name}.png" for folder in ("depth", "rgb") for name in ("000", "002")]
    assert files(tmp_path) == sorted(["prepare.json", *pictures, "scenes/s.json"])
    record = read_record(tmp_path / "scenes" / "s.json")
    assert record is not None
    assert record.lines == [f"s_{name},s,{name},,5.0,5.0,2.5,1.5,6,4,,,,,,,,,,,\n" for name in ("000", "002")]
    assert record.dropped == [("001", "dark")]
    assert record.files[0] == {name: (tmp_path / name).stat().st_size for name in ("rgb/s_000.png", "depth/s_000.png")}


def test_frames_whose_names_are_unique_keep_them(job: Callable[..., SceneJob], tmp_path: Path) -> None:
    source = Given(replace(FRAME, name="0007"))
    source.unique_names = True  # type: ignore[attr-defined]
    job(source).run("s")
    assert (tmp_path / "rgb" / "0007.png").is_file()


def test_jpg_is_close_and_png_is_exact(job: Callable[..., SceneJob], tmp_path: Path) -> None:
    y, x = np.mgrid[:48, :64]
    smooth = replace(
        FRAME, image=np.stack([2 * x, 3 * y, x + y], -1).astype(np.uint8), depth=np.ones((48, 64), np.float32)
    )
    for image_format in ("png", "jpg"):
        assert job(Given(smooth), image_format).run(image_format).error is None
    assert np.array_equal(Image.open(tmp_path / "rgb" / "png_000.png"), smooth.image)
    difference = np.asarray(Image.open(tmp_path / "rgb" / "jpg_000.jpg"), int) - smooth.image
    assert 0 < np.abs(difference).max() <= 6
    assert (tmp_path / "depth" / "jpg_000.png").read_bytes() == (tmp_path / "depth" / "png_000.png").read_bytes()


def test_depth_beyond_the_format_is_unknown_and_counted_never_cut(job: Callable[..., SceneJob], tmp_path: Path) -> None:
    depth = FRAME.depth.copy()
    depth[0, :3] = 65.535, 65.6, 80.0
    job(Given(replace(FRAME, depth=depth))).run("s")
    np.testing.assert_allclose(read_depth_png(tmp_path / "depth" / "s_000.png")[0], [65.535, 0, 0, 1.5, 1.5, 1.5])
    record = read_record(tmp_path / "scenes" / "s.json")
    assert record is not None
    assert record.too_far == 2
    assert depth[0, 1] == np.float32(65.6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "a/b"}, "frame 'a/b': a name has letters"),
        ({"name": ".hidden"}, "a name has letters"),
        ({"image": np.zeros((4, 6, 3), np.float32)}, "image (4, 6, 3) float32; expected (4, 6, 3) uint8"),
        ({"image": np.zeros((4, 6), np.uint8)}, "image (4, 6) uint8"),
        ({"depth": np.ones((6, 4), np.float32)}, "depth (6, 4) and image (4, 6) differ in size"),
        ({"depth": np.full((4, 6), np.nan, np.float32)}, "24 NaN or infinite pixels"),
        ({"depth": np.full((4, 6), -1, np.float32)}, "24 negative pixels"),
        ({"K": np.array([[5, 0.1, 2], [0, 5, 1], [0, 0, 1.0]])}, "K [[5.0, 0.1, 2.0]"),
        ({"K": np.array([[-5, 0, 2], [0, 5, 1], [0, 0, 1.0]])}, "expected [[fx, 0, cx]"),
        ({"K": np.eye(4)}, "expected [[fx, 0, cx]"),
        ({"T_world_cam": np.full((4, 4), np.nan)}, "T_world_cam has NaN"),
        ({"right": FRAME.image}, "go together"),
        ({"right": FRAME.image[:, :5], "baseline_m": 0.1}, "right image (4, 5, 3)"),
    ],
)  # fmt: skip
def test_a_frame_that_could_not_be_read_back_fails_its_scene(
    change: dict[str, Any], words: str, job: Callable[..., SceneJob], tmp_path: Path
) -> None:
    outcome = job(Given(FRAME, replace(FRAME, **{"name": "001", **change}))).run("s")
    assert outcome.error is not None
    assert outcome.error.startswith("scene s: frame '")
    assert words in outcome.error
    assert not outcome.stop
    assert files(tmp_path) == ["prepare.json"]  # not even its good frame


def test_two_frames_of_one_name_are_refused(job: Callable[..., SceneJob], tmp_path: Path) -> None:
    outcome = job(Given(FRAME, FRAME)).run("s")
    assert outcome.error == "scene s: two frames are named '000'; names within a scene must differ."
    assert files(tmp_path) == ["prepare.json"]


def test_a_fault_of_ours_is_one_line_with_its_trace_apart(job: Callable[..., SceneJob]) -> None:
    outcome = job(Given(FRAME, ZeroDivisionError("two\nlines"))).run("s")
    assert outcome.error == "scene s: ZeroDivisionError: two lines; --debug shows where."
    assert "Traceback" in outcome.trace
    assert not outcome.stop


def test_a_missing_package_stops_the_job(job: Callable[..., SceneJob]) -> None:
    outcome = job(Given(MissingTierError('run: pip install "depthnet[data]".'))).run("s")
    assert (outcome.error, outcome.stop) == ('run: pip install "depthnet[data]".', True)


def test_a_tree_that_is_not_there_or_another_stops_the_job(job: Callable[..., SceneJob], tmp_path: Path) -> None:
    (tmp_path / "prepare.json").write_text("other")
    outcome = job(Given(FRAME)).run("s")
    assert outcome.stop
    assert "replaced by another job" in str(outcome.error)
    (tmp_path / "prepare.json").unlink()
    assert "must see --out" in str(job(Given(FRAME)).run("s").error)
    assert files(tmp_path) == []


def test_a_tree_that_is_replaced_meanwhile_is_not_touched(job: Callable[..., SceneJob], tmp_path: Path) -> None:
    class Slow(Given):
        def frames(self, scene: str) -> Iterator[PreparedFrame | DroppedFrame]:
            yield FRAME
            (tmp_path / "prepare.json").write_text("other")

    assert "replaced by another job" in str(job(Slow()).run("s").error)
    assert files(tmp_path) == ["prepare.json"]


def test_one_frame_at_a_time_is_in_memory(job: Callable[..., SceneJob]) -> None:
    alive: list[int] = []

    class Watched(Given):
        def frames(self, scene: str) -> Iterator[PreparedFrame | DroppedFrame]:
            made: list[weakref.ref[PreparedFrame]] = []
            for number in range(20):
                frame = replace(FRAME, name=f"{number:03d}")
                made.append(weakref.ref(frame))
                alive.append(sum(one() is not None for one in made))
                yield frame
                del frame

    assert job(Watched()).run("s").frames == 20
    assert max(alive) <= 2  # the one that is being made, and the one before it


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"scene": "s", "more": 1}', '{"scene": "s", "dropped": [1]}'])
def test_a_damaged_record_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(text)
    assert read_record(tmp_path / "s.json") is None
