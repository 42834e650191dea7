"""Options for runs of a few seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from depthnet.config import LossConfig, OptimConfig, TrainConfig


@pytest.fixture
def tiny(pairs: Path) -> TrainConfig:
    """Options of a run of three epochs of four batches."""
    return TrainConfig(
        data=str(pairs), size=(32, 48), epochs=3, batch_size=4, workers=0, threads=1, log_every=1, accelerator="cpu",
        precision="32", loss=LossConfig(terms={"eigen": 1.0}), optim=OptimConfig(lr=1e-3, ema=0.9),
    )  # fmt: skip


@pytest.fixture
def no_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave model.onnx out of runs in whose test it plays no part: tracing takes as long as a tiny training."""
    monkeypatch.setattr("depthnet.training.run.write_onnx", lambda *_: None)
