"""A suite of a few steps, records made by hand, and a plan of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from depthnet.experiment.record import Record
from depthnet.metrics import METRICS

SUITE = """
title: A suite of a few steps
budget: 64
validations: 2
block_images: 2
base:
  network: mobile
  size: [32, 48]
  batch_size: 4
  workers: 0
  threads: 1
  log_every: 1
  checkpoint_minutes: 0
  precision: "32"
  accelerator: cpu
  optim: {ema: 0.9}
rows:
  - {name: broken, options: {network_options: {nonsense: 1}}}
  - {name: eigen, label: Eigen's loss}
  - {name: l2, options: {loss: {terms: {l2: 1.0}}}}
  - {name: pretrained, options: {encoder_weights: $encoder}}
claims:
  - name: better
    text: Eigen's loss beats L2
    tests: [{kind: better, row: eigen, than: l2}, {kind: fewer, row: eigen, than: l2, by: parameters}]
  - {name: nothing, text: L2 learns nothing, tests: [{kind: not-better, row: l2, than: mean-depth, margin: 0.02}]}
pictures: [{rooms: [1], credit: Rooms rendered here.}, {data: $street, credit: Somebody.}]
decides: Whether the machinery runs.
"""


@pytest.fixture(scope="session")
def suite_text() -> str:
    """The suite."""
    return SUITE


@pytest.fixture
def suite_file(tmp_path: Path, suite_text: str) -> Path:
    """The suite as a file."""
    file = tmp_path / "micro.yaml"
    file.write_text(suite_text, encoding="utf-8")
    return file


@pytest.fixture
def make_record() -> Callable[..., Record]:
    """Makes a record in which every metric of an image has the value given for that image."""

    def make(values: Sequence[float], parameters: int = 1) -> Record:
        per_image = {f"{index:04d}": dict.fromkeys(METRICS, float(value)) for index, value in enumerate(values)}
        mean = sum(map(float, values)) / len(values)
        return Record({}, dict.fromkeys(METRICS, mean), per_image, 100, 60.0, parameters, 2 * parameters)

    return make
