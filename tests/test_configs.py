"""Every shipped YAML parses, says what it is for, and keeps to options that exist."""

from __future__ import annotations

from pathlib import Path

import pytest

import depthnet
from depthnet.config import TrainConfig
from depthnet.networks import FAMILIES, NETWORKS, POSE_NETWORKS
from depthnet.options import read_config

CONFIGS = sorted((Path(depthnet.__file__).parent / "configs").glob("*.yaml"))


def test_the_recipes_are_shipped() -> None:
    assert {"unet-original", "unet", "mobile", "debug"} <= {path.stem for path in CONFIGS}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_parses(path: Path) -> None:
    config = read_config(path, TrainConfig)
    family, _, member = config.network.partition(":")
    table = POSE_NETWORKS if config.task == "pose" else FAMILIES if member else NETWORKS
    assert family in table
    assert config.pose.network in POSE_NETWORKS


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_says_what_it_is_for(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_names_no_data_of_one_machine(path: Path) -> None:
    config = read_config(path, TrainConfig)
    assert not any(Path(value).is_absolute() for value in (config.data, config.val_data or "", config.init or ""))
