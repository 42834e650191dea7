"""The order of the data and every random draw follow from (seed, epoch, index) alone."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from depthnet.config import TrainConfig
from depthnet.data import open_dataset
from depthnet.errors import InputError
from depthnet.training.loader import EpochBatches, TrainSamples, build_train_loader, size_at_epoch


def test_an_epoch_serves_each_sample_once_in_an_order_of_its_own() -> None:
    batches = EpochBatches(20, 4, seed=3)
    first = list(itertools.chain(*batches))
    assert sorted(index for _, index in first) == list(range(20))
    assert {epoch for epoch, _ in first} == {0}
    batches.epoch = 1
    second = list(itertools.chain(*batches))
    assert [index for _, index in second] != [index for _, index in first]
    assert list(itertools.chain(*EpochBatches(20, 4, seed=3))) == first
    assert list(itertools.chain(*EpochBatches(20, 4, seed=4))) != first


def test_what_does_not_fill_a_batch_is_left_out() -> None:
    batches = EpochBatches(11, 4, seed=0)
    assert len(batches) == 2
    assert [len(batch) for batch in batches] == [4, 4]


def test_processes_share_the_global_batch_of_one() -> None:
    alone = list(EpochBatches(24, 8, seed=5))
    halves = [list(EpochBatches(24, 4, seed=5, rank=rank, world=2)) for rank in range(2)]
    assert alone == [left + right for left, right in zip(*halves, strict=True)]


def test_a_resumed_epoch_goes_on_behind_the_batches_done() -> None:
    whole = list(EpochBatches(20, 4, seed=1))
    resumed = EpochBatches(20, 4, seed=1)
    resumed.done = 3
    assert list(resumed) == whole[3:]
    assert list(resumed) == whole  # only the first pass after the resume is shortened


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(InputError, match="3 training samples; a batch of 4"):
        EpochBatches(3, 4, seed=0)


def test_size_schedule() -> None:
    config = TrainConfig(size=(240, 320), epochs=10, size_schedule=[(0.5, 96, 128), (0.0, 48, 64), (0.8, 240, 320)])
    assert [size_at_epoch(config, epoch) for epoch in (0, 4, 5, 7, 8, 9)] == [
        (48, 64), (48, 64), (96, 128), (96, 128), (240, 320), (240, 320)
    ]  # fmt: skip
    assert size_at_epoch(replace(config, size_schedule=[]), 0) == (240, 320)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_do_not_depend_on_workers(tiny: TrainConfig, workers: int) -> None:
    dataset = open_dataset(tiny.data, split="train")
    config = replace(tiny, workers=workers, augment=replace(tiny.augment, paste=0.5))
    batches = EpochBatches(len(dataset), 4, seed=0)
    batches.epoch = 2
    served = list(build_train_loader(dataset, config, batches))
    samples = TrainSamples(dataset, config)
    first = next(iter(EpochBatches(len(dataset), 4, seed=0)))
    assert len(served) == 4
    order = np.random.default_rng((0, 2)).permutation(len(dataset))[:4]
    expected = [samples[2, int(index)] for index in order]
    for name in ("image", "depth", "valid"):
        assert torch.equal(served[0][name], torch.stack([item[name] for item in expected]))
    assert served[0]["image"].shape == (4, 3, 32, 48)
    assert not torch.equal(samples[2, first[0][1]]["image"], samples[0, first[0][1]]["image"])
