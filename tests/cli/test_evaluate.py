"""`depthnet evaluate` with a report and with several models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depthnet.cli.parsing import join_repeated
from depthnet.evaluation import split_models

#: Runs a command line and gives its exit code, stdout and stderr: see conftest.py.
Shell = Callable[..., Any]


@pytest.fixture
def predictions(pairs: Path) -> list[str]:
    """Two folders of predictions of the pairs: everything at 2.5 m, and at 2 m."""
    for name, metres in (("p1", 2.5), ("p2", 2.0)):
        (pairs.parent / name).mkdir()
        for pair in ("0000", "0001", "0002"):
            np.save(pairs.parent / name / f"{pair}.npy", np.full((48, 64), metres, np.float32))
    return ["p1", "p2"]


def test_a_report_of_a_model(depthnet: Shell, tiny_model: Path, pairs: Path, tmp_path: Path) -> None:
    words = ("evaluate", "--model", tiny_model, "--data", pairs, "--threads", 1, "--report", "page.html")
    outcome = depthnet(*words)
    assert outcome.code == 0, outcome.err
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "--report page.html" in page.replace("</span>", "").replace("<span>", "")
    assert page.count("<article>") == 3
    refused = depthnet(*words)
    assert refused.code == 1
    assert "page.html: exists already" in refused.err
    assert depthnet(*words, "--overwrite", "--report-images", 0).code == 0
    assert "<img" not in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("together", [True, False])
def test_several_models_in_one_page_and_one_list(
    depthnet: Shell, pairs: Path, predictions: list[str], tmp_path: Path, together: bool
) -> None:
    models = ["--model", "p1,p2"] if together else ["--model", "p1", "--model=p2"]
    outcome = depthnet("evaluate", *models, "--data", pairs, "--json", "s.json", "--report", "page.html")
    assert outcome.code == 0, outcome.err
    assert "p1 on" in outcome.out
    assert "p2 on" in outcome.out
    found = json.loads((tmp_path / "s.json").read_text())
    assert [one["model"] for one in found] == ["p1", "p2"]
    for one in found:
        assert list(one) == ["model", "data", "count", "protocols", "seconds"]
    assert found[1]["protocols"]["none"]["abs_rel"] == pytest.approx((0 + 1 / 3) / 2)
    assert "Model against model" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_model_that_cannot_be_evaluated_does_not_stop_the_others(
    depthnet: Shell, pairs: Path, predictions: list[str], tmp_path: Path
) -> None:
    outcome = depthnet("evaluate", "--model", "absent,p1", "--data", pairs, "--json", "s.json")
    assert outcome.code == 1
    assert "depthnet: error: --model absent: " in outcome.err
    assert json.loads((tmp_path / "s.json").read_text())["model"] == "p1"


def test_a_report_is_a_page(depthnet: Shell, pairs: Path) -> None:
    outcome = depthnet("evaluate", "--data", pairs, "--report", "page.pdf")
    assert outcome.code == 2
    assert "page.pdf" in outcome.err


def test_models_are_split_at_commas_unless_one_has_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert split_models("mobile") == ["mobile"]
    assert split_models("a, b,,a") == ["a", "b"]
    (tmp_path / "a,b").mkdir()
    assert split_models("a,b") == ["a,b"]


def test_an_option_that_stands_several_times_is_joined() -> None:
    assert join_repeated(["--model", "a", "--data", "d", "--model=b"], "--model") == ["--data", "d", "--model", "a,b"]
    for words in (["--model", "a"], ["--model"], ["--data", "d"], []):
        assert join_repeated(words, "--model") == words
