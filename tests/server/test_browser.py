"""The page in a real browser: photo in, depth out, metres under the cursor, files, and not a word to other hosts."""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from depthnet.predictor import Prediction, load_model

playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright here: pip install playwright")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine (Debian: apt install chromium)")

PHONE, DESK = (390, 844), (1280, 900)
#: Milliseconds that a busy machine may take.
PATIENCE_MS = 120_000
SOFTWARE_GL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox", *SOFTWARE_GL], timeout=PATIENCE_MS
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def requests() -> list[str]:
    """Addresses that the browser asked for, over all tests of this module."""
    return []


@pytest.fixture(scope="module")
def photo(make_photo: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real photo where there is one."""
    real = sorted((Path(__file__).resolve().parents[3] / "shared" / "data" / "tum_fr1_rpy" / "rgb").glob("*"))
    return real[0] if real else make_photo(tmp_path_factory.mktemp("photo") / "room.png", size=(240, 320))


@pytest.fixture(scope="module")
def prediction(photo: Path) -> Prediction:
    return load_model(threads=1).predict(photo)


def open_page(browser: Any, address: str, requests: list[str], size: tuple[int, int], **options: Any) -> Any:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("request", lambda request: requests.append(request.url))
    page.goto(address)
    page.wait_for_selector("#photo input[type=file]", state="attached")
    return page


def give(page: Any, photo: Path) -> None:
    """Give a photo and wait for its depth."""
    page.set_input_files("#photo input[type=file]", photo)
    page.wait_for_function("document.querySelector('#depth .stage img')?.naturalWidth > 0")
    page.wait_for_selector("#depth .view:not([hidden])")


@pytest.fixture(scope="module")
def page(browser: Any, address: str, requests: list[str], photo: Path) -> Iterator[Any]:
    """The page on a desk, with a photo."""
    page = open_page(browser, address, requests, DESK)
    give(page, photo)
    yield page
    page.context.close()


def place_of(page: Any, prediction: Prediction, x: int, y: int) -> tuple[float, float]:
    """Where on the screen a pixel of the photo is."""
    box = page.locator("#depth .stage img").bounding_box()
    height, width = prediction.depth.shape
    return box["x"] + (x + 0.5) / width * box["width"], box["y"] + (y + 0.5) / height * box["height"]


def expected_reading(prediction: Prediction, x: int, y: int) -> str:
    return f"{round(float(prediction.depth[y, x]) * 1000) / 1000:.2f} m at pixel ({x}, {y})"


def wait_for_text(page: Any, selector: str, text: str) -> None:
    until = time.monotonic() + PATIENCE_MS / 1000
    while text not in (seen := page.locator(selector).text_content()):
        assert time.monotonic() < until, f"{selector}: {seen!r}, not {text!r}"
        page.wait_for_timeout(50)


def pixels_of(element: Any) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(element.screenshot())).convert("RGB"), int)


def test_metres_under_the_cursor_are_those_of_the_photo_s_pixel(page: Any, prediction: Prediction) -> None:
    page.get_by_role("tab", name="Depth").click()
    height, width = prediction.depth.shape
    for x, y in ((0, 0), (width - 1, 0), (width // 3, height // 2), (7, height - 1), (width - 1, height - 1)):
        page.mouse.move(*place_of(page, prediction, x, y))
        wait_for_text(page, "#depth .reading", expected_reading(prediction, x, y))
        assert page.locator("#depth .label").text_content() == f"{expected_reading(prediction, x, y).split(' m')[0]} m"
    page.mouse.move(1, 1)
    wait_for_text(page, "#depth .reading", "tap it, to read metres")


def test_the_scale_says_which_colour_is_how_far(page: Any, prediction: Prediction) -> None:
    page.get_by_role("tab", name="Depth").click()
    ticks = page.locator("#depth .ticks span")
    metres = [float(text.removesuffix(" m")) for text in ticks.all_text_contents()]
    heights = [ticks.nth(index).bounding_box()["y"] for index in range(len(metres))]
    low, high = np.percentile(prediction.depth, (2, 98))
    assert len(metres) >= 2
    assert low <= min(metres) < max(metres) <= high
    assert np.argsort(metres).tolist() == np.argsort(heights)[::-1].tolist()  # far above near


def test_the_slider_uncovers_the_depth(page: Any) -> None:
    page.get_by_role("tab", name="Compare").click()
    slider = page.locator("#slider")
    slider.locator("img").first.wait_for()
    page.wait_for_timeout(500)
    box = slider.bounding_box()
    before = pixels_of(slider)
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.2 * box["width"], middle, steps=8)
    page.mouse.up()
    page.wait_for_timeout(500)
    change = np.abs(pixels_of(slider) - before).mean(axis=(0, 2))
    columns = change.size
    assert change[int(0.25 * columns) : int(0.45 * columns)].mean() > 10  # was photo, is depth
    assert change[int(0.6 * columns) : int(0.9 * columns)].mean() < 1  # was and is depth


def test_files_are_downloaded(page: Any, prediction: Prediction, tmp_path: Path) -> None:
    page.get_by_role("tab", name="Files").click()
    page.get_by_role("button", name="Write", exact=True).click()
    for kind, name in (("npy", "depth.npy"), ("png", "depth.png"), ("ply", "points.ply")):
        link = page.locator(f"#files a[download$='{name}']")
        link.wait_for()
        with page.expect_download() as coming:
            link.click()
        assert coming.value.suggested_filename == f"{prediction.stem}_{name}"
        (own,) = prediction.save(tmp_path, kind)
        assert Path(coming.value.path()).read_bytes() == own.read_bytes()


def test_a_focal_length_changes_the_metres_and_is_named(
    browser: Any, address: str, requests: list[str], photo: Path
) -> None:
    page = open_page(browser, address, requests, DESK)
    give(page, photo)
    wait_for_text(page, "#facts", "a guess: the training camera's view")
    page.locator("button.label-wrap", has_text="Camera").click()
    field = page.get_by_label("Focal length in pixels")
    field.fill("70")
    field.press("Enter")
    wait_for_text(page, "#facts", "focal length 70.0 px, as given.")
    given = load_model(threads=1).predict(photo, focal_px=70.0)
    page.mouse.move(*place_of(page, given, 30, 40))
    wait_for_text(page, "#depth .reading", expected_reading(given, 30, 40))
    page.context.close()


def test_a_bad_file_is_one_line_on_the_page_and_the_next_photo_works(
    browser: Any, address: str, requests: list[str], photo: Path, tmp_path: Path
) -> None:
    page = open_page(browser, address, requests, DESK)
    give(page, photo)
    page.get_by_role("button", name="Remove Image").click()
    (bad := tmp_path / "notes.jpg").write_text("no photo")
    page.set_input_files("#photo input[type=file]", bad)
    page.get_by_text("notes.jpg: not an image that Pillow can read; pass a JPEG, PNG, WebP or TIFF file.").wait_for()
    assert page.locator("#depth .view").is_hidden()
    page.get_by_role("button", name="Remove Image").click()
    give(page, photo)
    page.context.close()


@pytest.mark.parametrize(
    ("size", "scheme"),
    [(PHONE, "light"), *(pytest.param(size, "dark", marks=pytest.mark.slow) for size in (PHONE, DESK))],
)
def test_it_fits_the_screen_and_a_tap_reads_metres(
    browser: Any, address: str, requests: list[str], photo: Path, prediction: Prediction, size: tuple[int, int],
    scheme: str,
) -> None:  # fmt: skip
    page = open_page(browser, address, requests, size, color_scheme=scheme, has_touch=True)
    give(page, photo)
    page.locator("#depth .stage").scroll_into_view_if_needed()
    page.touchscreen.tap(*place_of(page, prediction, 40, 30))
    wait_for_text(page, "#depth .reading", expected_reading(prediction, 40, 30))
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    assert page.get_by_role("tab", name="Files").is_visible()
    pixels = pixels_of(page)
    assert (np.median(pixels) > 200) == (scheme == "light")
    page.context.close()


@pytest.mark.slow
def test_the_cloud_is_drawn_and_turns(page: Any) -> None:
    page.get_by_role("tab", name="3-D").click()
    canvas = page.locator("#cloud canvas")
    canvas.wait_for()
    until = time.monotonic() + PATIENCE_MS / 1000
    while (front := pixels_of(canvas)).std() < 10:
        assert time.monotonic() < until, "nothing is drawn"
        page.wait_for_timeout(500)
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 250)
    page.mouse.down()
    page.mouse.move(box["x"] + 450, box["y"] + 260, steps=10)
    page.mouse.up()
    page.wait_for_timeout(3000)
    assert np.abs(pixels_of(canvas) - front).mean() > 2


def test_nothing_was_asked_of_other_hosts(page: Any, address: str, requests: list[str]) -> None:
    asked = [urlsplit(request) for request in requests]
    assert len(asked) > 50
    assert {one.netloc for one in asked if one.scheme not in ("data", "blob")} == {urlsplit(address).netloc}
    answer = page.evaluate("fetch('http://192.0.2.1/').then(() => 'answered', (error) => `refused: ${error.message}`)")
    assert answer.startswith("refused")  # by the policy that comes with the page
    assert "https://" not in page.evaluate("getComputedStyle(document.body).fontFamily")
