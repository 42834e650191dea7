"""Training from pairs: the joint change of both pictures, disparity by hand, and whole runs."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))
from stereo_scenes import BASELINE_M, DOFFS, FOCAL_PX, HEIGHT, WIDTH, depth_of, write_wall

from depthnet.checkpoint import read_model_info
from depthnet.config import AugmentConfig, OptimConfig, PhotometricConfig, TrainConfig
from depthnet.data.samples import CachedDataset
from depthnet.data.stereo_frames import RawPair, StereoFrames, build_stereo_transform, open_stereo_frames
from depthnet.errors import ConfigError
from depthnet.geometry.warp import warp_by_disparity
from depthnet.training import train
from depthnet.training.loader import TrainSamples
from depthnet.training.run import open_data
from depthnet.training.stereo_task import open_judged, pair_to_item, predict_disparity_px

DISPARITIES = (2, 4, 6, 9)


@pytest.fixture(scope="module")
def walls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("walls")
    for index, disparity_px in enumerate(DISPARITIES):
        write_wall(folder / f"wall_{index}", disparity_px, seed=index)
    return folder


@pytest.fixture
def options(walls: Path) -> TrainConfig:
    return TrainConfig(
        task="stereo", data=str(walls), split="all", val_data=str(walls), size=(32, 48), epochs=2, batch_size=2,
        workers=0, threads=1, log_every=1, accelerator="cpu", precision="32", optim=OptimConfig(lr=1e-3, ema=0.0),
        augment=AugmentConfig(recipe="eigen"),
    )  # fmt: skip


def as_batch(item: dict[str, Any]) -> dict[str, Tensor]:
    return {name: value[None] for name, value in item.items() if isinstance(value, Tensor)}


def test_pairs_are_frames_with_depth_and_a_right_picture(walls: Path) -> None:
    frames = open_stereo_frames(walls)
    assert (len(frames), frames.format) == (4, "middlebury")
    raw = frames.read_raw(1)
    assert raw.right is not None
    assert raw.depth is not None
    np.testing.assert_array_equal(raw.image[:, 4:], raw.right[:, :-4])
    np.testing.assert_allclose(raw.depth, depth_of(4), rtol=1e-6)
    assert (raw.baseline_m, raw.doffs) == (BASELINE_M, DOFFS)
    assert raw.nbytes == raw.image.nbytes * 2 + raw.depth.nbytes
    kept = CachedDataset(frames)
    assert kept.preload() == 4
    assert isinstance(kept.select([2]).read_raw(0), RawPair), "caches and selections pass pairs on"


@pytest.mark.parametrize("flip", [0.0, 1.0])
@pytest.mark.parametrize("recipe", ["none", "eigen", "modern"])
def test_a_changed_pair_is_a_pair_of_the_changed_camera(walls: Path, recipe: str, flip: float) -> None:
    """Warped by f·b / Z' - doffs of its own K, with Z' the depth by Eigen's rule, the right picture is the left one."""
    augment = AugmentConfig(recipe=recipe, flip=flip, scale=(1.3, 1.3), contrast=0.0)  # type: ignore[arg-type]
    transform = build_stereo_transform(augment, (32, 48))
    zoom = 1.0 if recipe == "none" else 1.3
    for index, disparity_px in enumerate(DISPARITIES):
        pair = transform(open_stereo_frames(walls).read_raw(index), np.random.default_rng(index))
        assert pair.K[0, 0] == pytest.approx(FOCAL_PX * 48 / WIDTH)
        assert pair.doffs == pytest.approx(DOFFS * zoom * 48 / WIDTH)
        shift = float(pair.K[0, 0]) * pair.baseline_m / (depth_of(disparity_px) / zoom) - pair.doffs
        assert shift == pytest.approx(disparity_px * zoom * 48 / WIDTH)
        left, right = torch.from_numpy(pair.left)[None], torch.from_numpy(pair.right)[None]
        warped, valid = warp_by_disparity(right, torch.full((1, 1, 32, 48), shift))
        off = (warped - left).abs()[valid.expand_as(left)].mean().item()
        assert off < 0.25 * (right - left).abs().mean().item()
        assert off < 0.03


def test_a_flip_swaps_the_pictures_and_moves_the_centre(walls: Path) -> None:
    raw = open_stereo_frames(walls).read_raw(0)
    augment = AugmentConfig(recipe="eigen", flip=1.0, scale=(1.0, 1.0), colour=(1.0, 1.0))
    pair = build_stereo_transform(augment, (HEIGHT, WIDTH))(raw, np.random.default_rng(0))
    assert raw.right is not None
    np.testing.assert_allclose(pair.left, raw.right[:, ::-1].transpose(2, 0, 1) / 255, atol=1e-6)
    np.testing.assert_allclose(pair.right, raw.image[:, ::-1].transpose(2, 0, 1) / 255, atol=1e-6)
    assert pair.K[0, 2] == pytest.approx(WIDTH - 1 - (31.5 + DOFFS))


def test_the_right_picture_may_have_colours_of_its_own(walls: Path) -> None:
    raw = open_stereo_frames(walls).read_raw(0)
    raw = replace(raw, right=raw.image)
    same = AugmentConfig(recipe="eigen", flip=0.0, colour=(0.5, 0.9))
    pair = build_stereo_transform(same, (32, 48))(raw, np.random.default_rng(0))
    np.testing.assert_array_equal(pair.left, pair.right)
    pair = build_stereo_transform(replace(same, right_colour=0.1), (32, 48))(raw, np.random.default_rng(0))
    ratios = (pair.right.sum((1, 2)) / pair.left.sum((1, 2))).tolist()
    assert len(set(ratios)) == 3
    assert all(0.9 <= ratio <= 1.1 for ratio in ratios)


def test_disparity_of_a_network_by_hand(walls: Path) -> None:
    class Wall(torch.nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return torch.full_like(image[:, :1], float(np.log(depth_of(6))))

        def disparity(self, log_depth: Tensor) -> Tensor:
            return torch.exp(-log_depth)

    pair = build_stereo_transform(AugmentConfig(recipe="none"), (HEIGHT, WIDTH))(
        open_stereo_frames(walls).read_raw(2), np.random.default_rng(0)
    )
    disparity_px = predict_disparity_px(Wall(), as_batch(pair_to_item(pair)))  # type: ignore[arg-type]
    torch.testing.assert_close(disparity_px, torch.full((1, 1, HEIGHT, WIDTH), 6.0))


def test_draws_follow_from_seed_epoch_and_index(options: TrainConfig) -> None:
    frames = open_stereo_frames(options.data)
    first, again = TrainSamples(frames, options)[1, 2], TrainSamples(CachedDataset(frames), options)[1, 2]
    other = TrainSamples(frames, options)[2, 2]
    assert set(first) == {"image", "right", "K", "baseline_m", "doffs_px", "name"}
    assert torch.equal(first["image"], again["image"])
    assert torch.equal(first["right"], again["right"])
    assert not torch.equal(first["image"], other["image"])


def test_a_run_learns_validates_and_resumes(options: TrainConfig, tmp_path: Path) -> None:
    whole = train(options, out=tmp_path / "whole")
    assert 0 <= whole.scores["delta1"] <= 1
    info = read_model_info(tmp_path / "whole" / "model.onnx")
    assert info.training_focal_px == pytest.approx(FOCAL_PX * 48 / WIDTH)
    assert info.provenance["config"]["task"] == "stereo"
    header = (tmp_path / "whole" / "train.csv").read_text().splitlines()[0]
    assert header.startswith("step,epoch,loss,ssim,l1,smooth,")
    assert train(options, resume=tmp_path / "whole").scores == whole.scores


def test_pairs_without_depth_train_without_validation(
    options: TrainConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for index in range(2):
        write_wall(tmp_path / "bare" / f"wall_{index}", 3, seed=index, truth=False)
    config = replace(options, data=str(tmp_path / "bare"), val_data=None)
    with caplog.at_level(logging.WARNING):
        training, validation = open_data(config)
    assert (len(training), validation) == (2, None)
    assert "has no true depth; nothing is validated" in caplog.text


def test_validation_may_be_any_data_with_depth(pairs: Path, walls: Path) -> None:
    assert open_judged(str(pairs)).format == "folder"
    assert isinstance(open_judged(str(walls)), StereoFrames)


def test_options_that_pairs_cannot_use_are_refused(options: TrainConfig, tmp_path: Path) -> None:
    for change, line in (
        ({"augment": AugmentConfig(scale=(0.8, 1.0))}, r"augment\.scale 0\.8: pairs are not zoomed out"),
        ({"photometric": PhotometricConfig(terms={"eigen": 1.0})}, "loss term 'eigen' is unknown"),
        ({"photometric": PhotometricConfig(scales=0)}, r"photometric\.scales 0"),
        ({"augment": AugmentConfig(right_colour=2.0)}, r"augment\.right_colour 2"),
    ):
        with pytest.raises(ConfigError, match=line):
            train(replace(options, **change), out=tmp_path / "run")  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()
