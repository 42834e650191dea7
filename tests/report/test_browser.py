"""The page in a real browser: nothing stands out to the side on a phone, and it prints."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from depthnet.config import EvaluateConfig
from depthnet.report import write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine (Debian: apt install chromium)")

PHONE, DESK = (390, 844), (1280, 900)
LONG = "a_folder_with_a_name_that_has_no_blank_in_it_and_is_much_wider_than_a_phone/frame_000001_of_the_left_camera"
#: A page around the page that writes down what the browser made of it; the page itself may run no script.
PROBE = """<!doctype html><body style="margin:0">
<iframe id="f" src="page.html" style="border:0;width:{width}px;height:{height}px"></iframe>
<script>
onload = () => {{
  const page = document.getElementById("f").contentDocument;
  const pictures = [...page.images], charts = [...page.querySelectorAll("svg.chart")];
  const wide = [...page.querySelectorAll("figure, svg, img, p, h1, h2, pre, ul, .scroll")].filter(
    (one) => one.getBoundingClientRect().right > {width} + 0.5);
  document.title = JSON.stringify({{
    width: page.documentElement.scrollWidth, wide: wide.length,
    broken: pictures.filter((one) => !one.naturalWidth).length, pictures: pictures.length,
    flat: charts.filter((one) => one.getBoundingClientRect().height < 150).length, charts: charts.length,
  }});
}};
</script>"""


def browse(*words: str) -> str:
    done = subprocess.run(
        [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *words],
        capture_output=True, text=True, timeout=180, check=True,
    )  # fmt: skip
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page")


@pytest.fixture
def page(make_pair: Any, make_report: Any, folder: Path) -> Path:
    """A page of three models under two protocols, with long names."""
    path = folder / "page.html"
    if not path.exists():
        rng = np.random.default_rng(0)
        depth = rng.uniform(0.5, 9.0, (24, 1)) * np.ones((24, 32))
        pairs = [make_pair(depth * factor, depth, f"{LONG}_{factor}") for factor in (0.8, 0.9, 1.0, 1.3)]
        models = [make_report(pairs, f"{LONG}/{index}", images=2) for index in range(3)]
        models[1].evaluation.errors.append(f"{LONG}: cannot be read")
        config = EvaluateConfig(model=",".join(m.evaluation.model for m in models), data=LONG, protocol=("none",))
        write_report(path, models, config)
    return path


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_nothing_stands_out_to_the_side(page: Path, size: tuple[int, int]) -> None:
    import json

    probe = page.with_name(f"probe{size[0]}.html")
    probe.write_text(PROBE.format(width=size[0], height=size[1]), encoding="utf-8")
    dom = browse("--allow-file-access-from-files", f"--window-size={size[0]},{size[1]}", "--dump-dom", probe.as_uri())
    (title,) = re.findall("<title>(.+)</title>", dom)
    assert json.loads(title) == {
        "width": size[0], "wide": 0, "broken": 0, "pictures": 3 * 4 * 4, "flat": 0, "charts": 5,
    }  # fmt: skip


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_a_screenshot_shows_ink_on_paper(page: Path, size: tuple[int, int], tmp_path: Path) -> None:
    shot = tmp_path / "shot.png"
    browse(f"--window-size={size[0]},{size[1]}", f"--screenshot={shot}", page.as_uri())
    with Image.open(shot) as picture:
        assert picture.size == size
        pixels = np.asarray(picture.convert("L"))
    assert np.median(pixels) > 240
    assert np.count_nonzero(pixels < 60) > 1000


def test_it_prints(page: Path, tmp_path: Path) -> None:
    printed = tmp_path / "page.pdf"
    browse("--no-pdf-header-footer", f"--print-to-pdf={printed}", page.as_uri())
    content = printed.read_bytes()
    assert content.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", content)) <= 15
