"""Batches for training: the order and every random draw follow from (seed, epoch, index) alone.

Nothing depends on the number of workers or processes, and a resumed run sees what the uninterrupted one
would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from depthnet.config import TrainConfig
from depthnet.data.samples import DepthDataset
from depthnet.errors import DepthNetError, InputError
from depthnet.training.tasks import TASKS


def size_at_epoch(config: TrainConfig, epoch: int) -> tuple[int, int]:
    """Height and width of the network's input in this epoch (progressive resizing)."""
    share = epoch / config.epochs
    size = config.size
    if config.size_schedule:
        reached = [(start, height, width) for start, height, width in sorted(config.size_schedule) if share >= start]
        if reached:
            size = (reached[-1][1], reached[-1][2])
    return size


class TrainSamples(Dataset[dict[str, Any]]):
    """Augmented samples of a data set, addressed by (epoch, index)."""

    def __init__(self, dataset: DepthDataset, config: TrainConfig) -> None:
        self.dataset = dataset
        self.config = config

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        epoch, index = key
        rng = np.random.default_rng((self.config.seed, epoch, index))
        size = size_at_epoch(self.config, epoch)
        return TASKS[self.config.task].draw(self.dataset, index, self.config, size, rng)


class ValidationSamples(Dataset[dict[str, Any]]):
    """Samples at the network's size with the truth, without augmentation."""

    def __init__(self, dataset: DepthDataset, size: tuple[int, int], task: str = "depth") -> None:
        self.dataset = dataset
        self.size = size
        self.item = TASKS[task].judge.item

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.item(self.dataset, index, self.size)


class EpochBatches(Sampler[list[tuple[int, int]]]):
    """Batches of (epoch, index): a new permutation each epoch, split evenly over the processes.

    Global batch g holds the permutation's entries g·B·world to (g + 1)·B·world; process r takes the r-th
    slice of B. What does not fill a global batch at the end is left out of that epoch.
    """

    def __init__(self, count: int, batch_size: int, seed: int, rank: int = 0, world: int = 1) -> None:
        self.count, self.batch_size, self.seed, self.rank, self.world = count, batch_size, seed, rank, world
        self.epoch = 0
        #: Batches of this epoch that were done before a resume; reset when the epoch has been served.
        self.done = 0
        if len(self) == 0:
            raise InputError(
                f"{count} training samples; a batch of {batch_size} on {world} device(s) needs more: lower it."
            )

    def __len__(self) -> int:
        return self.count // (self.batch_size * self.world)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.count)
        span = self.batch_size * self.world
        start, self.done = self.done, 0
        for batch in range(start, len(self)):
            first = batch * span + self.rank * self.batch_size
            yield [(self.epoch, int(index)) for index in order[first : first + self.batch_size]]


def build_train_loader(dataset: DepthDataset, config: TrainConfig, batches: EpochBatches) -> DataLoader[Any]:
    """Loader of training batches in the order of ``batches``."""
    return DataLoader(
        TrainSamples(dataset, config),
        batch_sampler=batches,
        num_workers=config.workers,
        persistent_workers=config.workers > 0,
        prefetch_factor=4 if config.workers > 0 else None,
        worker_init_fn=_one_thread,
        pin_memory=torch.cuda.is_available(),
    )


def build_val_loader(dataset: DepthDataset, config: TrainConfig, size: tuple[int, int]) -> DataLoader[Any]:
    """Loader of validation batches, in order."""
    return DataLoader(ValidationSamples(dataset, size, config.task), batch_size=config.batch_size, num_workers=0)


def _one_thread(_worker: int) -> None:
    torch.set_num_threads(1)


def own_error(error: DepthNetError) -> DepthNetError:
    """An error as a data set raised it: a loader process sends its whole traceback along in the text."""
    _, crossed, trace = str(error).partition("Original Traceback")
    return type(error)(trace.strip().splitlines()[-1].partition(": ")[2]) if crossed else error


def stack(items: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    """Batch a few items (for a picture of fixed samples)."""
    return {key: torch.stack([item[key] for item in items]) for key in ("image", "depth", "valid")}
