"""The benchmark of the server runs and says what it compared."""

from __future__ import annotations

import pytest

from depthnet.benchmark import run_benchmarks


@pytest.mark.slow
def test_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gradio", reason="no Gradio here: pip install depthnet[serve]")
    monkeypatch.setattr("depthnet.benchmark.serve.REPEATS", 2)
    results = run_benchmarks(["serve"])
    assert list(results) == ["serve"]
    assert results["serve"]["ratio"] == pytest.approx(results["serve"]["rival"] / results["serve"]["ours"])
    assert 0 < results["serve"]["ours"] < 60
