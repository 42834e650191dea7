"""Contact sheets and pages, from data on disk to the file."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from depthnet.config import ShowConfig
from depthnet.errors import InputError
from depthnet.io.depth import write_depth_npy, write_depth_png
from depthnet.pages.page import Page, Row
from depthnet.pages.sheet import draw_sheet
from depthnet.show import build_page, show_path


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Nine pairs; in frame NNN the depth is 1.NNN m left and 3 m right; two pixels are unknown."""
    root = tmp_path / "my <set>"
    for part in ("rgb", "depth"):
        (root / part).mkdir(parents=True)
    for number in range(9):
        Image.new("RGB", (64, 48), (20 * number, 90, 90)).save(root / "rgb" / f"{number:03d}.png")
        depth = np.full((48, 64), 3000, np.uint16)
        depth[:, :32] = 1000 + number
        depth[0, :2] = 0
        Image.fromarray(depth).save(root / "depth" / f"{number:03d}.png")
    (root / "intrinsics.txt").write_text("50 51 31.5 23.5 64 48\n")
    return root


def test_samples_are_spread_over_the_set_and_described(pairs: Path) -> None:
    page = build_page(pairs, ShowConfig(count=3))
    assert [row.title for row in page.rows] == ["000", "004", "008"]
    assert page.title == "my <set>"
    assert page.subtitle == "folder: 9 samples, 3 shown"
    assert page.rows[1].facts == (
        "64 x 48", "f 50.0, 51.0 px, c 31.5, 23.5 px", "1.00 to 3.00 m, median 3.00 m", "99.9 % known",
    )  # fmt: skip
    assert "1 m (red) to 3 m (blue)" in page.notes[0]
    assert [len(row.panels) for row in page.rows] == [4, 4, 4]
    assert build_page(pairs, ShowConfig(count=99)).subtitle == "folder: 9 samples, all shown"


def test_one_scale_for_all_shows_a_unit_that_changes(pairs: Path) -> None:
    write_depth_png(pairs / "depth" / "008.png", np.full((48, 64), 30.0))
    page = build_page(pairs, ShowConfig(count=2))
    first, last = (np.asarray(row.panels[1])[100, 100] for row in page.rows)
    assert first[0] > last[0] + 50  # red against blue
    assert last[2] > first[2] + 50


def test_the_sheet_holds_panels_of_every_sample(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    shown = show_path(pairs, ShowConfig(count=3, out=str(out)))
    assert (shown.path, shown.errors) == (out, [])
    sheet = np.asarray(Image.open(out))
    for number in (0, 4, 8):
        pixels = (sheet == (20 * number, 90, 90)).all(axis=2)
        assert pixels.sum() == 192 * 256, "the image, enlarged four times, is there whole"
    assert (sheet == (255, 214, 0)).all(axis=2).sum() > 3 * 192, "the step shows in each sample"


def test_the_page_needs_no_other_file(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    show_path(pairs, ShowConfig(count=2, out=str(out)))
    text = out.read_text(encoding="utf-8")
    assert "my &lt;set&gt;" in text
    assert "<set>" not in text
    sources = re.findall(r'src="([^"]*)"', text)
    assert len(sources) == 8
    for source in sources:
        head, _, data = source.partition(",")
        assert head == "data:image/png;base64"
        Image.open(io.BytesIO(base64.b64decode(data))).load()
    assert not re.findall(r'(?:href|src)="(?!data:)', text)


def test_a_sample_that_cannot_be_read_is_a_row_that_says_why(pairs: Path, tmp_path: Path) -> None:
    (pairs / "rgb" / "004.png").write_bytes(b"no picture")
    for suffix in ("png", "html"):
        shown = show_path(pairs, ShowConfig(count=3, out=str(tmp_path / f"x.{suffix}")))
        assert len(shown.errors) == 1
        assert "rgb/004.png: not an image" in shown.errors[0]
    assert "cannot be read" in (tmp_path / "x.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["d.npy", "d.png"])
def test_a_depth_map_alone(tmp_path: Path, name: str) -> None:
    depth = np.full((50, 70), 2.0, np.float32)
    depth[:, 35:] = 4.0
    (write_depth_npy if name.endswith("npy") else write_depth_png)(tmp_path / name, depth)
    page = build_page(tmp_path / name, ShowConfig())
    assert page.rows[0].facts == ("70 x 50", "2.00 to 4.00 m, median 3.00 m", "100.0 % known")
    shown = show_path(tmp_path / name, ShowConfig(out=str(tmp_path / "out.webp")))
    assert Image.open(shown.path).format == "WEBP"


def test_a_photo_is_no_depth_map(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    with pytest.raises(InputError, match="8-bit image; expected 16-bit"):
        show_path(tmp_path / "photo.png", ShowConfig(out=str(tmp_path / "x.png")))
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (ShowConfig(out="x.pdf"), "'.pdf' is no picture or page"),
        (ShowConfig(out="x.png", count=0), "--count 0: expected 1 or more"),
        (ShowConfig(out="x.png", split="dev"), "no split 'dev'"),
    ],
)
def test_impossible_wishes(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: ShowConfig, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=words):
        show_path(pairs, config)
    assert not (tmp_path / "x.png").exists()


def test_nothing_is_overwritten_unless_asked(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert show_path(pairs).path == Path("my <set>_show.png")
    with pytest.raises(InputError, match="exists already; pass --overwrite"):
        show_path(pairs)
    show_path(pairs, overwrite=True)
    with pytest.raises(InputError, match="no such file or folder"):
        show_path(tmp_path / "none")


def test_long_names_stay_on_the_sheet() -> None:
    row = Row("scene/" + "very_long_name_" * 40, ("fact " * 100,), ())
    sheet = draw_sheet(Page("t" * 300, "s", ("image",), (row, Row("a", (), (), "broken " * 60))))
    edge = np.asarray(sheet)[:, -20:]
    assert (edge == 255).all(), "the margin is free"


@pytest.mark.parametrize("name", ["nyu_train", "tum_fr1_rpy", "7scenes_redkitchen", "kitti_sample/object"])
def test_real_sets(shared_data: Path, name: str) -> None:
    page = build_page(shared_data / name, ShowConfig(count=2))
    assert page.errors == []
    for row in page.rows:
        assert len(row.panels) == 4
        marked = (np.asarray(row.panels[2]) == (255, 214, 0)).all(axis=2).mean()
        assert marked < 0.1, "outlines, not noise"
    assert draw_sheet(page).width > 800
