"""The benchmark of preparation: its made-up inputs are like real ones, and its rivals compute the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from depthnet.benchmark import BENCHMARKS, prepare
from depthnet.cli.benchmark import format_result
from depthnet.data.kitti.velodyne import project_velodyne, read_velodyne
from depthnet.io.images import read_rgb


def test_both_projections_give_the_same_depth() -> None:
    points = prepare.velodyne_scan()
    ours = project_velodyne(points, prepare.KITTI_PROJECTION, prepare.KITTI_SIZE)
    plain = prepare.project_plainly(points, prepare.KITTI_PROJECTION, prepare.KITTI_SIZE)
    np.testing.assert_array_equal(ours, plain)


def test_the_scan_is_like_a_real_one(shared_data: Path) -> None:
    real = read_velodyne(next((shared_data / "kitti_sample").rglob("*.bin")))
    made = prepare.velodyne_scan()
    assert made.dtype == real.dtype
    assert 0.8 < len(made) / len(real) < 1.25
    depths = [project_velodyne(one, prepare.KITTI_PROJECTION, prepare.KITTI_SIZE) for one in (made, real)]
    made_pixels, real_pixels = (np.count_nonzero(depth) for depth in depths)
    assert 0.7 < made_pixels / real_pixels < 1.4


def test_the_raw_frames_are_like_real_ones(shared_data: Path) -> None:
    from io import BytesIO

    from PIL import Image

    from depthnet.prepare.nyu_raw.files import decode_disparity
    from depthnet.prepare.scene_job import _ENCODER

    file = shared_data / "nyu_raw_sample" / "d-sample.pgm"
    real, made = decode_disparity(file.read_bytes(), file), prepare.raw_disparity(0)
    assert abs((made == 2047).mean() - (real == 2047).mean()) < 0.2
    sizes = []
    for picture in (read_rgb(shared_data / "nyu_raw_sample" / "r-sample.ppm"), prepare.raw_picture(0)):
        blob = BytesIO()
        Image.fromarray(picture).save(blob, **_ENCODER["png"])
        sizes.append(blob.tell())
    assert 0.7 < sizes[1] / sizes[0] < 1.6  # what is measured is mostly the writing of pictures


def test_a_whole_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "FRAMES", 1)
    monkeypatch.setattr(prepare, "REPEATS", 1)
    monkeypatch.setattr(prepare, "ROOMS", 1)
    monkeypatch.setattr(prepare, "SYNTHETIC_SIZE", (24, 32))
    results = prepare.run()
    assert BENCHMARKS["prepare"] == "depthnet.benchmark.prepare"
    assert list(results) == ["prepare", "prepare-velodyne", "prepare-synthetic"]
    for name, entry in results.items():
        assert name.startswith("prepare")
        assert entry["ours"] > 0
        assert entry["rival"] is None or entry["rival"] > 0
    assert results["prepare"]["frames_per_s"] == pytest.approx(1 / results["prepare"]["ours"])
    assert " frames/s" in format_result("prepare", results["prepare"])
