"""Whole checks of data on disk: unreadable files, workers, the table and the JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from depthnet.check import check_dataset, check_path, format_report
from depthnet.config import CheckConfig
from depthnet.data import open_dataset
from depthnet.data.samples import DepthDataset, RawSample
from depthnet.errors import ConfigError, InputError, MissingTierError

Rooms = Callable[..., DepthDataset]


@pytest.fixture
def folder(tmp_path: Path, rooms: Rooms) -> Path:
    """The rooms as a folder data set."""
    root = tmp_path / "set"
    for part in ("rgb", "depth"):
        (root / part).mkdir(parents=True)
    (root / "intrinsics.txt").write_text("104 104 63.5 47.5 128 96\n")
    data = rooms()
    for index, name in enumerate(data.names):
        raw = data.read_raw(index)
        assert raw.depth is not None
        Image.fromarray(raw.image).save(root / "rgb" / f"{name}.png")
        Image.fromarray(np.rint(raw.depth * 1000).astype(np.uint16)).save(root / "depth" / f"{name}.png")
    return root


def damage(folder: Path) -> None:
    """Four kinds of bad file."""
    (folder / "rgb" / "0001.png").write_bytes(b"no picture")
    file = folder / "depth" / "0004.png"
    file.write_bytes(file.read_bytes()[:200])
    Image.new("L", (128, 96), 7).save(folder / "depth" / "0006.png")
    Image.fromarray(np.ones((9, 9), np.uint16)).save(folder / "depth" / "0007.png")


def test_a_clean_folder(folder: Path) -> None:
    report = check_path(str(folder), CheckConfig())
    assert report.ok
    assert report.sizes() == {"128x96": 12}
    assert report.cameras() == [((104.0, 104.0, 63.5, 47.5), 12)]
    depth = [open_dataset(folder).read_depth(index) for index in range(12)]
    known = [one[one > 0] for one in depth if one is not None]
    ranges = report.ranges()
    assert ranges["farthest [m]"][2] == pytest.approx(max(one.max() for one in known))
    assert ranges["nearest [m]"][0] == pytest.approx(min(one.min() for one in known))
    assert ranges["median [m]"][1] == pytest.approx(np.median([np.median(one) for one in known]), abs=0.01)
    assert 4 < ranges["missing [%]"][1] < 6


def test_each_unreadable_file_is_one_line_and_the_others_go_on(folder: Path) -> None:
    damage(folder)
    seen: list[tuple[int, int]] = []
    report = check_dataset(open_dataset(folder), on_progress=lambda done, total: seen.append((done, total)))
    assert not report.ok
    assert report.findings == []
    assert [frame.name for frame in report.frames if frame.error] == ["0001", "0004", "0006", "0007"]
    for line, words in zip(report.unreadable, ("not an image", "damaged", "8-bit image", "depth is 9x9"), strict=True):
        assert words in line
        assert str(folder) in line
        assert "\n" not in line
    assert len(report.readable) == 8
    assert seen == [(done, 12) for done in range(1, 13)]
    assert "12 samples, 4 cannot be read" in format_report(report)


def test_the_number_of_workers_changes_nothing(folder: Path) -> None:
    damage(folder)
    data = open_dataset(folder)
    one, two = check_dataset(data, workers=1), check_dataset(data, workers=2)
    one.seconds = two.seconds = 0.0
    assert one.to_json() == two.to_json()


def test_a_limit_is_spread_over_the_data(rooms: Rooms) -> None:
    report = check_dataset(rooms(), limit=3)
    assert [frame.name for frame in report.frames] == ["0000", "0006", "0011"]
    assert "12 samples, 3 looked at" in format_report(report)
    assert len(check_dataset(rooms(), limit=99).frames) == 12


@pytest.mark.parametrize("options", [{"limit": 0}, {"workers": 0}])
def test_impossible_options(rooms: Rooms, options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="0: expected 1 or more"):
        check_dataset(rooms(), **options)


def test_nothing_readable_is_no_crash(rooms: Rooms) -> None:
    def broken(sample: RawSample, index: int) -> RawSample:
        raise InputError(f"file {index}: broken")

    report = check_dataset(rooms(broken))
    assert not report.ok
    assert report.unreadable[3] == "0003: file 3: broken"
    assert report.ranges() == {}
    json.dumps(report.to_json(), allow_nan=False)
    assert "12 cannot be read" in format_report(report)


def test_a_missing_tier_stops_the_check(rooms: Rooms) -> None:
    def missing(sample: RawSample, index: int) -> RawSample:
        raise MissingTierError("pip install")

    with pytest.raises(MissingTierError):
        check_dataset(rooms(missing))


def test_what_the_reader_leaves_out_is_told(rooms: Rooms) -> None:
    data = rooms()
    data.left_out = {"0099": "no depth within 20 ms"}
    assert "1 frames on disk are no samples, for example 0099: no depth within 20 ms" in format_report(
        check_dataset(data)
    )


def test_the_json(tmp_path: Path, rooms: Rooms) -> None:
    def change(sample: RawSample, index: int) -> RawSample:
        sample.K = None if sample.K is None else sample.K * np.float32(math.nan)
        return sample

    report = check_dataset(rooms(change))
    report.write_json(tmp_path / "r.json")
    content: dict[str, Any] = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert {key: content[key] for key in ("data", "format", "count", "looked_at", "ok")} == {
        "data": "rooms", "format": "folder", "count": 12, "looked_at": 12, "ok": False,
    }  # fmt: skip
    assert content["sizes"] == {"128x96": 12}
    assert content["cameras"][0]["K"] == [None] * 4
    (finding,) = content["findings"]
    assert (finding["rule"], finding["severity"], finding["count"]) == ("K", "error", 12)
    assert finding["names"] == [f"{index:04d}" for index in range(12)]
    with pytest.raises(InputError, match="exists already"):
        report.write_json(tmp_path / "r.json")


def test_the_table(rooms: Rooms) -> None:
    lines = format_report(check_dataset(rooms())).splitlines()
    assert lines[0] == "rooms: folder, 12 samples"
    assert lines[2] == "  K: f 104.0, 104.0 px, c 63.5, 47.5 px: 12 samples"
    assert lines[-1] == "nothing suspicious"
    text = format_report(check_dataset(rooms(scale=1000.0)))
    assert "error: unit: the median depth of the data is" in text
