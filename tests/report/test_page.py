"""The page: what stands on it, that it needs nothing from outside, that names do no harm, and empty or tiny data."""

from __future__ import annotations

import re
import shlex
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from depthnet.cli.evaluate import Evaluate
from depthnet.cli.parsing import parse
from depthnet.config import EvaluateConfig
from depthnet.errors import InputError
from depthnet.metrics import METRICS
from depthnet.report import build_report, write_report
from depthnet.report.page import command_words
from depthnet.report.pictures import ERROR_LIMIT, colourise_error

CONFIG = EvaluateConfig(data="data")
VOID = {"meta", "img"}


class Outline(HTMLParser):
    """Checks that elements are closed in order, and keeps attributes and the cells of tables."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.texts.append((self.open[-1], data.strip()))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def cells(self) -> list[str]:
        return [text for tag, text in self.texts if tag in ("td", "th")]


def ramp(factor: float, **options: Any) -> dict[str, Any]:
    depth = np.linspace(1.0, 4.0, 12 * 16).reshape(12, 16)
    return {"prediction": depth * factor, "depth": depth, **options}


def test_the_page_of_one_model(make_pair: Any, make_report: Any) -> None:
    report = make_report([make_pair(**ramp(1.0, name="first")), make_pair(**ramp(1.1, name="second"))], "runs/mine")
    config = EvaluateConfig(model="runs/mine", data="data", split="val", protocol=("none", "none-pooled"))
    page = Outline(build_report([report], config, "today"))
    text = " ".join(text for _, text in page.texts)
    for fact in ("runs/mine", "data", "val", "today", "depthnet", "Best", "Worst", "first", "second", "metres"):
        assert fact in text, fact
    cells = page.cells()
    assert cells[cells.index("none") + 1] == "0.0500"  # abs_rel: the mean of 0 and 0.1
    for metric in METRICS:
        assert any(cell.startswith(metric) for cell in cells), metric
    assert {"rmse [m]\u00a0↓", "silog [%]\u00a0↓", "delta1\u00a0↑"} <= set(cells)
    assert len(page.all("article")) == 2
    assert len(page.all("img")) == 8
    assert "Model against model" not in text


def test_nothing_comes_from_outside(make_pair: Any, make_report: Any) -> None:
    html = build_report([make_report([make_pair(**ramp(1.1))])], CONFIG, "today")
    page = Outline(html)
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in page.elements}
    for _, attributes in page.elements:
        assert not {"href", "srcset", "data", "action"} & set(attributes)
        assert all(not name.startswith("on") for name in attributes)
    assert all(str(image["src"]).startswith("data:image/jpeg;base64,") for image in page.all("img"))
    assert "http" not in re.sub(r"http-equiv", "", html).lower()
    assert "url(" not in html
    assert "@import" not in html
    (policy,) = (meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert str(policy).startswith("default-src 'none'")


def test_everything_has_words_for_those_who_do_not_see_it(make_pair: Any, make_report: Any) -> None:
    page = Outline(build_report([make_report([make_pair(**ramp(1.1, name="kitchen"))])], CONFIG, "today"))
    assert all("kitchen" in str(image["alt"]) for image in page.all("img"))
    charts = [svg for svg in page.all("svg") if svg.get("role") == "img"]
    assert len(charts) == 5 + 2  # five charts, two scales of colours
    assert all(svg["aria-label"] for svg in charts)
    headers = page.all("th")
    assert headers
    assert all(cell["scope"] in ("col", "row") for cell in headers)
    assert page.all("html")[0]["lang"] == "en"
    assert [tag for tag, _ in page.elements].count("h1") == 1


def test_names_do_no_harm(make_pair: Any, make_report: Any) -> None:
    bad = '<script>alert("1")</script>&\'"><img src=x onerror=alert(1)>'
    pairs = [make_pair(**ramp(factor, name=f"{bad}{factor}")) for factor in (1.0, 1.2)]
    reports = [make_report(pairs, f"{bad}{index}") for index in range(2)]
    for report in reports:
        report.evaluation.errors.append(f"{bad}: cannot be read")
        report.evaluation.data = bad
    html = build_report(reports, EvaluateConfig(model=bad, data=bad, split=bad), bad)
    page = Outline(html)
    assert "<script" not in html
    assert not any("onerror" in attributes for _, attributes in page.elements)
    assert len(page.all("img")) == 2 * 2 * 4
    assert any(bad in str(image["alt"]) for image in page.all("img"))


def test_several_models_are_compared(make_pair: Any, make_report: Any) -> None:
    names, factors = "abcd", (1.30, 1.30, 1.30, 1.02)
    good = make_report([make_pair(**ramp(1.10, name=name)) for name in names], "good")
    other = make_report([make_pair(**ramp(factor, name=name)) for name, factor in zip(names, factors)], "other")
    html = build_report([good, other], CONFIG, "today")
    page = Outline(html)
    cells = page.cells()
    row = cells[cells.index("images worse") + 1 :][:6]
    # Differences 0.2, 0.2, 0.2 and -0.08: mean 0.13, deviation 0.14, over the root of 4.
    assert row == ["other", "4", "+0.1300", "0.0700", "1 (25 %)", "3 (75 %)"]
    assert html.count('<ul class="key">') == 3
    assert html.count("Best and worst images of") == 2
    best = re.findall(r'<td class="best">([^<]+)</td>', html)
    assert best[0] == "0.1000"  # abs_rel of good


def test_each_model_s_alignment_is_said_when_they_differ(make_pair: Any, make_report: Any) -> None:
    depth = np.linspace(1.0, 4.0, 12).reshape(3, 4)
    metric = make_report([make_pair(depth, depth)], "metric")
    inverse = make_report([make_pair(3 / depth + 1, depth, align="scale-shift-disparity")], "inverse")
    for report in (metric, inverse):
        report.evaluation.align = "none" if report is metric else "scale-shift-disparity"
    html = build_report([metric, inverse], CONFIG, "today")
    assert "metric: none: metres as predicted; inverse: scale-shift-disparity, image by image" in html
    alone = build_report([inverse], CONFIG, "today")
    assert "No image has a scale" in alone


def test_one_image_is_the_best_and_there_is_no_worst(make_pair: Any, make_report: Any) -> None:
    page = Outline(build_report([make_report([make_pair([2.5], [2.0])])], CONFIG, "today"))
    titles = [text for tag, text in page.texts if tag == "h3"]
    assert titles == ["Best"]
    assert "0.2500" in page.cells()


def test_data_without_a_pixel_that_counts(make_pair: Any, make_report: Any) -> None:
    empty = make_report([make_pair([2.5, 2.0], [0.0, 0.0])], "empty")
    page = Outline(build_report([empty], CONFIG, "today"))
    text = " ".join(text for _, text in page.texts)
    assert "No pixel of the data counts." in text
    assert "1 of 1 images have no pixel that counts" in text
    assert not page.all("img")
    # Beside a model that has scores, it has dashes.
    both = Outline(build_report([make_report([make_pair(**ramp(1.1))], "full"), empty], CONFIG, "today"))
    assert both.cells().count("-") > 9
    Outline(build_report([empty, make_report([make_pair(**ramp(1.1))], "full")], CONFIG, "today"))


def test_pictures_that_cannot_be_read_are_said_so(make_pair: Any, make_report: Any) -> None:
    page = Outline(build_report([make_report([make_pair(**ramp(1.1, photo=False))])], CONFIG, "today"))
    assert len(page.all("img")) == 3
    assert ("div", "cannot be read") in page.texts


def test_many_failures_are_counted(make_pair: Any, make_report: Any) -> None:
    report = make_report([make_pair(**ramp(1.1))])
    report.evaluation.errors += [f"{index}: broken" for index in range(25)]
    html = build_report([report], CONFIG, "today")
    assert html.count('<li class="bad">') == 20
    assert "and 5 more" in html


def test_the_command_line_gives_the_options_back() -> None:
    config = EvaluateConfig(
        model="a b", data="d'x", protocol=("nyu", "none-pooled"), align="median", flip=True, focal_px=500.5,
        report="p.html", report_images=1,
    )  # fmt: skip
    line = " ".join(command_words(config))
    program, command, *words = shlex.split(line)
    assert (program, command) == ("depthnet", "evaluate")
    assert parse(Evaluate, "evaluate", words).job == config
    assert command_words(EvaluateConfig(data="d")) == ["depthnet", "evaluate", "--model", "mobile", "--data", "d"]


def test_error_colours() -> None:
    errors = np.array([[0.0, -ERROR_LIMIT, ERROR_LIMIT, 9.0, np.nan]], np.float32)
    right, near, far, beyond, uncounted = colourise_error(errors)[0].tolist()
    assert min(right) > 240
    assert near[2] > 150 > near[0]
    assert far[0] > 150 > far[2]
    assert beyond == far
    assert uncounted == [128, 128, 128]


def test_nothing_is_overwritten_unless_asked(make_pair: Any, make_report: Any, tmp_path: Any) -> None:
    report = make_report([make_pair(**ramp(1.1))])
    write_report(tmp_path / "page.html", [report], CONFIG)
    with pytest.raises(InputError, match="exists already"):
        write_report(tmp_path / "page.html", [report], CONFIG)
    write_report(tmp_path / "page.html", [report], CONFIG, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
