"""The site: how pages are filled in, and, as slow tests, the site as a whole in a browser that opens it from disk."""

from __future__ import annotations

import importlib.util
import logging
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("mkdocs", reason="the site needs depthnet[docs]")
pytest.importorskip("griffe")

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


@pytest.fixture(scope="module")
def hooks(project: Path) -> ModuleType:
    place = importlib.util.spec_from_file_location("site_hooks", project / "docs" / "hooks.py")
    assert place is not None
    assert place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


def page(source: str) -> Any:
    return SimpleNamespace(file=SimpleNamespace(src_uri=source))


def test_a_section_ends_at_the_next_heading_of_its_level(hooks: ModuleType) -> None:
    text = "# A\none\n## B\ntwo\n### C\nthree\n## D\nfour"
    assert hooks.section(text, "B") == "two\n### C\nthree"
    assert hooks.section(text, "D") == "four"
    with pytest.raises(ValueError, match="no heading 'E'"):
        hooks.section(text, "E")


def test_links_of_an_included_text_lead_to_pages(hooks: ModuleType) -> None:
    text = (
        "[card](../models/README.md#limits) [recipe](../configs/unet.yaml) ![net](../../../docs/pictures/unet.svg) "
        "[list](../data/splits/nyu_train_val.json) [away](https://example.org/x) [here](#there)"
    )
    assert hooks.relinked(text, "src/depthnet/models", "how-to/train.md") == (
        "[card](../model-card.md#limits) [recipe](../reference/configurations.md#unet) ![net](../pictures/unet.svg) "
        "list [away](https://example.org/x) [here](#there)"
    )


def test_marks_are_filled_in(hooks: ModuleType) -> None:
    filled = hooks.on_page_markdown(
        "<!-- include: src/depthnet/configs/debug.yaml -->|<!-- include: NOT_THERE.md -->|<!-- help: models -->",
        page("reference/commands.md"),
    ).split("|")
    assert filled[0].startswith("# A run that finishes in about a minute")
    assert filled[1] == ""
    assert filled[2].startswith("usage: depthnet models")


def test_every_command_and_configuration_has_its_place(project: Path) -> None:
    from depthnet.cli import COMMANDS
    from depthnet.cli.parsing import list_configs
    from depthnet.cli.prepare import SOURCES

    commands, configurations = (
        (project / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8")
        for name in ("commands", "configurations")
    )
    for name in [*COMMANDS, *(f"prepare {source}" for source in SOURCES)]:
        assert f"<!-- help: {name} -->" in commands
    for name in list_configs():
        assert f"## {name}\n\n```yaml\n<!-- include: src/depthnet/configs/{name}.yaml -->" in configurations


@pytest.mark.parametrize(
    ("html", "fetches"),
    [
        ('<script src="https://example.org/a.js"></script>', True),
        ("<link rel=stylesheet href=https://example.org/a.css>", True),
        ('<img alt="" src="http://example.org/a.png">', True),
        ('<link rel="canonical" href="https://example.org/">', False),
        ('<a href="https://example.org/">a link</a> <img src="pictures/a.png">', False),
    ],
)
def test_what_comes_from_another_host_is_a_warning(
    hooks: ModuleType, html: str, fetches: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert hooks.on_post_page(html, page("index.md")) == html
    assert bool(caplog.records) == fetches


@pytest.fixture(scope="module")
def site(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    if BROWSER is None:
        pytest.skip("no Chromium on this machine (Debian: apt install chromium)")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.slow
def test_the_site_works_from_disk_and_asks_nobody(site: Path, browser: Any) -> None:
    asked: list[str] = []
    tab = browser.new_page(viewport={"width": 390, "height": 844})
    tab.on("request", lambda request: asked.append(request.url))
    for name in ("index", "how-to/train", "protocols", "reference/measuring", "reference/commands"):
        tab.goto((site / f"{name}.html").as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390, f"{name} is wider than a phone"
        assert tab.evaluate("[...document.images].every(one => one.naturalWidth > 0)"), name
    tab.goto((site / "index.html").as_uri() + "?q=silog")
    tab.wait_for_selector(".md-search-result__item", state="attached", timeout=30_000)
    assert "Protocols" in tab.inner_text(".md-search-result__list")
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:", "about:"))] == []
