"""What makes a task of training: where the data come from, what is drawn from them, and the loss of a batch.

All else of a run (order of the data, optimiser, states, files, validation against true depth) is the same for every
task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from depthnet.config import AugmentConfig, TrainConfig
from depthnet.data.samples import DepthDataset
from depthnet.data.transforms import Size
from depthnet.networks.blocks import DepthNetwork

Batch = Mapping[str, Tensor]
#: The total, for ``backward``, and every term before its weight, detached.
Terms = tuple[Tensor, dict[str, Tensor]]
#: Of a network in training and a batch.
Step = Callable[[DepthNetwork, Batch], Terms]


class Open(Protocol):
    """Opens data of any layout that the task reads."""

    def __call__(self, path: str, split: str | None = None, format: str | None = None) -> DepthDataset: ...


@dataclass(frozen=True)
class Task:
    """One thing to train for."""

    open: Open
    """Training data."""
    open_validation: Open
    """Data with true depth."""
    build_transform: Callable[[AugmentConfig, Size], object]
    """The random change of one sample; refuses options that it cannot use."""
    draw: Callable[[DepthDataset, int, TrainConfig, Size, np.random.Generator], dict[str, Any]]
    """One item of a batch: sample ``index``, changed by the draws of the generator, at a size."""
    build_step: Callable[[TrainConfig], Step]
    """The loss of a batch; refuses options that it cannot use."""
