"""Shown to work, in minutes: metres from rendered pairs without depth, and the disparity of one real pair from itself.

python -m pytest -m slow tests/training/test_stereo_learns.py -s
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import depthnet
from depthnet.config import AugmentConfig, PhotometricConfig, TrainConfig
from depthnet.data.samples import DepthDataset
from depthnet.data.stereo_frames import build_stereo_transform, open_stereo_frames
from depthnet.data.transforms import resize_sample
from depthnet.networks import build_network
from depthnet.options import read_config
from depthnet.prepare.run import prepare
from depthnet.prepare.synthetic import SyntheticOptions, SyntheticSource
from depthnet.training import train
from depthnet.training.run import open_data
from depthnet.training.stereo_task import build_stereo_step, pair_to_item, predict_disparity_px

pytestmark = pytest.mark.slow

RECIPE = Path(depthnet.__file__).parent / "configs" / "stereo-rooms.yaml"


def best_constant(data: DepthDataset, size: tuple[int, int]) -> float:
    """The smallest mean abs_rel that one depth for all pixels of all images can have."""
    depths = [resize_sample(sample, size).depth for sample in data]
    known = [depth[depth > 0] for depth in depths if depth is not None]
    return min(
        float(np.mean([np.mean(np.abs(guess - truth) / truth) for truth in known]))
        for guess in np.geomspace(0.5, 10, 200)
    )


def test_depth_in_metres_of_rooms_is_learned_without_depth(tmp_path: Path) -> None:
    source = SyntheticSource(SyntheticOptions(rooms=60, frames=8, size=(96, 128), baseline_m=0.2))
    prepare(source, tmp_path / "rooms", workers=2)
    recipe = read_config(RECIPE, TrainConfig)
    config = replace(recipe, data=str(tmp_path / "rooms"), size=(64, 96), epochs=24, batch_size=8, validate_every=8)
    scores = train(config, out=tmp_path / "run").scores
    _, validation = open_data(config)
    assert validation is not None
    constant = best_constant(validation, config.size)
    print(f"abs_rel {scores['abs_rel']:.3f}, best constant {constant:.3f}; {scores}")
    assert scores["abs_rel"] < 0.7 * constant


@pytest.mark.parametrize(("name", "most", "share"), [("unet", 0.55, 0.5), ("garg2016", 0.75, 0.25)])
def test_the_disparity_of_a_real_pair_is_found_from_the_pair_alone(
    shared_data: Path, name: str, most: float, share: float
) -> None:
    """A network fitted to Middlebury's Motorcycle, 160x237, by its two pictures; the error is in pixels of 741x500."""
    size, steps = (160, 237), 800
    config = TrainConfig(
        task="stereo", size=size, augment=AugmentConfig(recipe="none"),
        photometric=PhotometricConfig(terms={"ssim": 0.85, "l1": 0.15, "smooth": 0.3}, scales=4),
    )  # fmt: skip
    raw = open_stereo_frames(shared_data / "middlebury_motorcycle").read_raw(0)
    item = pair_to_item(build_stereo_transform(config.augment, size)(raw, np.random.default_rng(0)))
    batch = {key: value[None] for key, value in item.items() if isinstance(value, Tensor)}
    torch.manual_seed(0)
    network = build_network(name, {"skip_factors": "learned"} if name == "unet" else {}).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    step = build_stereo_step(config)
    for _ in range(steps):
        optimizer.zero_grad()
        step(network, batch)[0].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        found_px = predict_disparity_px(network.eval(), batch)[0].numpy()
    truth = resize_sample(raw, size)
    assert truth.depth is not None
    assert truth.K is not None
    known = truth.depth > 0
    true_px = float(truth.K[0, 0]) * raw.baseline_m / truth.depth[known] - batch["doffs_px"].item()
    full = float(raw.K[0, 0] / truth.K[0, 0])  # type: ignore[index]
    error_px = full * np.abs(found_px[known] - true_px)
    constant_px = full * np.abs(np.median(true_px) - true_px).mean()
    print(
        f"{name}: end-point error {error_px.mean():.2f} px (best constant {constant_px:.2f}), "
        f"median {np.median(error_px):.2f} px, within 3 px {np.mean(error_px < 3):.3f}"
    )
    assert error_px.mean() < most * constant_px
    assert np.mean(error_px < 3) > share
