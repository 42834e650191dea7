"""The ``config.yaml`` of a run is what `--config` reads."""

from __future__ import annotations

from pathlib import Path

from depthnet.config import AugmentConfig, LossConfig, OptimConfig, TrainConfig
from depthnet.options import config_to_yaml, read_config
from depthnet.training.run import _write_run_files


def test_the_options_of_a_run_are_read_back_as_they_were(tmp_path: Path) -> None:
    config = TrainConfig(
        data="Bücher: 1", network_options={"decoder": [8, 8, 8, 8, 8], "output_stride": 32},
        loss=LossConfig(terms={"l1_log": 1.0, "gradient": 0.25}), optim=OptimConfig(lr=1e-7, encoder_lr=3e-4),
        augment=AugmentConfig(scale=(1.0, 1.25)), size=(96, 128), size_schedule=[(0.0, 48, 64), (0.5, 96, 128)],
        val_split="none",
    )  # fmt: skip
    _write_run_files(tmp_path, config, fresh=True)
    assert read_config(tmp_path / "config.yaml", TrainConfig) == config
    assert (tmp_path / "config.yaml").read_text(encoding="utf-8") == config_to_yaml(config)
    assert "size: [96, 128]\n" in config_to_yaml(config)
