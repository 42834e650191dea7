"""What makes a task of training: where the data come from, what is drawn from them, the loss, and how it is judged.

All else of a run (order of the data, optimiser, states, tables, resuming) is the same for every task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from depthnet.checkpoint import ModelInfo
from depthnet.config import AugmentConfig, TrainConfig
from depthnet.data.samples import DepthDataset
from depthnet.data.transforms import Size
from depthnet.networks.blocks import DepthNetwork, Network

Batch = Mapping[str, Tensor]
#: The total, for ``backward``, and every term before its weight, detached.
Terms = tuple[Tensor, dict[str, Tensor]]
#: Of a network in training and a batch.
Step = Callable[[Any, Batch], Terms]
#: A network and what its file says about it.
Part = tuple[Network, ModelInfo]


class Open(Protocol):
    """Opens data of any layout that the task reads."""

    def __call__(self, path: str, split: str | None = None, format: str | None = None) -> DepthDataset: ...


@dataclass(frozen=True)
class Judge:
    """How a network in training is validated."""

    frames: Callable[[DepthDataset, TrainConfig], DepthDataset]
    """What of the validation data is scored; nothing of data without the truth that it needs."""
    item: Callable[[DepthDataset, int, Size], dict[str, Any]]
    """One item of a batch: sample ``index`` at a size, unchanged otherwise."""
    score: Callable[[Any, Batch, Size, TrainConfig], list[dict[str, float]]]
    """Scores of each sample of a batch by name; the network sees it at a size."""
    best: str
    """The score by which the best model is kept."""
    needs: str = "true depth"
    """The truth, in words."""
    falls: bool = False
    """Whether a lower score is better."""
    shown: tuple[str, ...] = ()
    """Scores that are told after each validation."""


@dataclass(frozen=True)
class Task:
    """One thing to train for."""

    open: Open
    """Training data."""
    open_validation: Open
    """Data with the truth."""
    frames: Callable[[DepthDataset, TrainConfig], DepthDataset]
    """What of the training data is drawn from."""
    build_transform: Callable[[AugmentConfig, Size], object]
    """The random change of one sample; refuses options that it cannot use."""
    draw: Callable[[DepthDataset, int, TrainConfig, Size, np.random.Generator], dict[str, Any]]
    """One item of a batch: sample ``index``, changed by the draws of the generator, at a size."""
    build_network: Callable[[TrainConfig], Network]
    """The network at its start weights."""
    build_step: Callable[[TrainConfig], Step]
    """The loss of a batch; refuses options that it cannot use."""
    parts: Callable[[Any, ModelInfo, TrainConfig], dict[str, Part]]
    """The model files of a network: what goes before their names, and what they hold."""
    judge: Judge
    """How it is validated."""
    depth_network: Callable[[Any], DepthNetwork] | None
    """The part of the network that predicts depth, for pictures of it; None where there is none."""
