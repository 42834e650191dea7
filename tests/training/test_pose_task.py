"""Learning the motion between two frames: whole runs, and that each way of learning does learn."""

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
from video_scenes import SIZE, write_video

from depthnet.checkpoint import load_network, load_pose_network, read_model_info, resolve_model
from depthnet.config import AugmentConfig, OptimConfig, PhotometricConfig, PoseConfig, TrainConfig
from depthnet.data import open_dataset
from depthnet.data.video_frames import VideoFrames
from depthnet.errors import ConfigError, InputError
from depthnet.networks import build_pose_network
from depthnet.predictor import load_model
from depthnet.predictor.pose import load_pose_model, predict_motion
from depthnet.training import train
from depthnet.training.pose_task import build_depth_source, build_pose_step, judged_clip, score_motions, score_pairs
from depthnet.training.run import open_data

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "one", frames=9)
    write_video(folder / "two", frames=4, seed=1)
    return folder


@pytest.fixture
def options(videos: Path) -> TrainConfig:
    return TrainConfig(
        task="pose", network="pose-early", data=str(videos), val_data=str(videos), size=SIZE, epochs=2, batch_size=4,
        workers=0, threads=1, log_every=1, limit_batches=2, accelerator="cpu", precision="32",
        optim=OptimConfig(lr=1e-3, ema=0.0), augment=AugmentConfig(recipe="eigen", scale=(1.0, 1.0)),
    )  # fmt: skip


def clips(folder: Path, indices: range) -> dict[str, Tensor]:
    """A batch of unchanged pairs."""
    frames = VideoFrames(open_dataset(folder), (1, 1))
    items: list[dict[str, Any]] = [judged_clip(frames, index, SIZE) for index in indices]
    return {name: torch.stack([item[name] for item in items]) for name in items[0] if name != "name"}


def fit(config: TrainConfig, batch: dict[str, Tensor], steps: int, lr: float) -> dict[str, float]:
    """Mean scores of a network after steps on one batch."""
    torch.manual_seed(0)
    network, step = build_pose_network(config.network, config.network_options).train(), build_pose_step(config)
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        loss, _ = step(network, batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    rows = score_pairs(network.eval(), batch, SIZE, config)
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


@pytest.mark.parametrize(
    ("network", "options", "steps"),
    [("pose-early", {}, 60), ("pose-late", {}, 60), ("pose-features", {"depth": "unet", "frozen": False}, 35)],
)
def test_supervised_learns_four_pairs(videos: Path, network: str, options: dict[str, Any], steps: int) -> None:
    config = TrainConfig(task="pose", network=network, network_options=options)
    scores = fit(config, clips(videos, range(4)), steps, lr=1e-3)
    assert scores["rotation_deg"] < 0.25 * scores["still_deg"]
    assert scores["translation_m"] < 0.25 * scores["still_m"]


def test_pictures_and_depth_alone_show_the_motion(videos: Path) -> None:
    """The network is trained on one pair without its pose, and finds the pose."""
    config = TrainConfig(
        task="pose", network="pose-early", pose=PoseConfig(terms={"photometric": 1.0}),
        photometric=PhotometricConfig(scales=3, zbuffer=True),
    )  # fmt: skip
    scores = fit(config, clips(videos, range(3, 4)), steps=100, lr=6e-4)
    assert scores["still_deg"] > 2
    assert scores["rotation_deg"] < 0.2 * scores["still_deg"]
    assert scores["translation_m"] < 0.3 * scores["still_m"]


def test_scores_by_hand() -> None:
    true = torch.eye(4)[None].clone()
    true[0, :3, 3] = torch.tensor([0.3, 0.0, 0.4])
    (row,) = score_motions(torch.tensor([[0.0, 0.0, 0.2, 0.0, 0.0, np.pi / 6]]), true, scale=2.0)
    assert row["rotation_deg"] == pytest.approx(30.0)
    assert row["translation_m"] == pytest.approx(0.3)
    assert row["motion_error"] == pytest.approx(0.3 + np.pi / 6)
    assert (row["still_deg"], row["still_m"]) == pytest.approx((0.0, 0.5))


def test_a_run_has_all_files_and_resumes_to_the_same(options: TrainConfig, tmp_path: Path) -> None:
    whole = train(options, out=tmp_path / "run")
    info = read_model_info(tmp_path / "run" / "model.onnx")
    assert (info.task, info.kind, info.network) == ("pose", "metric", "pose-early")
    header = (tmp_path / "run" / "val.csv").read_text().splitlines()[0]
    assert header == "epoch,step,rotation_deg,translation_m,motion_error,still_deg,still_m"
    assert (tmp_path / "run" / "train.csv").read_text().startswith("step,epoch,loss,rotation,translation,lr")
    assert info.scores["validation"] == whole.scores
    assert train(options, resume=tmp_path / "run").scores == whole.scores
    again = replace(options, init=str(tmp_path / "run"), epochs=1)
    assert set(train(again, out=tmp_path / "again").scores) == set(whole.scores)
    with pytest.raises(InputError, match="finds the motion between two pictures, not the depth"):
        load_model(tmp_path / "run")
    first, second = (open_dataset(options.data).read_raw(i).image for i in (0, 1))
    motion = predict_motion(load_pose_model(tmp_path / "run"), first, second)
    network, _ = load_pose_network(tmp_path / "run" / "best.safetensors")
    assert np.isfinite(motion).all()
    assert sum(p.numel() for p in network.parameters()) == 1_586_774


@pytest.mark.usefixtures("no_onnx")
def test_features_of_a_model_and_its_depth(options: TrainConfig, tmp_path: Path) -> None:
    """The tapped network comes with its weights, stays frozen, and is in the one file that the run writes."""
    config = replace(
        options, network="pose-features", epochs=1,
        pose=PoseConfig(features="mobile", terms={"photometric": 1.0}, depth="mobile"),
    )  # fmt: skip
    train(config, out=tmp_path / "run")
    network, info = load_pose_network(tmp_path / "run" / "best.safetensors")
    shipped, _ = load_network(resolve_model("mobile").with_suffix(".safetensors"))
    for name, value in shipped.state_dict().items():
        assert torch.equal(network.depth.state_dict()[name], value)  # type: ignore[union-attr]
    assert info.network_options["depth"] == "mobile"


def test_predicted_depth_follows_the_camera_rule(videos: Path) -> None:
    depth_of = build_depth_source(TrainConfig(pose=PoseConfig(depth="mobile")))
    batch = clips(videos, range(2))
    longer = {**batch, "K": batch["K"] * torch.tensor([2.0, 2.0, 1.0]).view(3, 1)}
    torch.testing.assert_close(depth_of(longer), 2 * depth_of(batch))
    assert depth_of(batch).shape == (2, 1, *SIZE)


def test_data_that_cannot_be_used_are_refused(options: TrainConfig, tmp_path: Path, caplog: Any) -> None:
    bare = write_video(tmp_path / "bare", frames=4, poses=False, depth=False)
    config = replace(options, data=str(bare), val_data=None)
    with pytest.raises(InputError, match="no frames of one video are 1 to 1 apart and have poses"):
        open_data(config)
    unsupervised = replace(config, pose=PoseConfig(terms={"photometric": 1.0}))
    with pytest.raises(InputError, match="has no depth to warp by; let a depth model predict it"):
        open_data(unsupervised)
    predicted = replace(unsupervised, pose=replace(unsupervised.pose, depth="mobile"))
    with caplog.at_level(logging.WARNING):
        training, validation = open_data(predicted)
    assert (len(training), validation) == (4, None)
    assert "has no pairs of frames with poses; nothing is validated" in caplog.text
    for change, line in (
        ({"network": "mobile"}, "finds no motion"),
        ({"pose": PoseConfig(features="mobile")}, "goes with --network pose-features"),
        ({"pose": PoseConfig(terms={"smooth": 1.0})}, "loss term 'smooth' is unknown"),
        ({"pose": PoseConfig(gap=(3, 2))}, r"pose\.gap 3 2"),
        ({"encoder_weights": "x.safetensors"}, "encoder_weights are for depth networks"),
    ):
        with pytest.raises(ConfigError, match=line):
            train(replace(options, **change), out=tmp_path / "run")  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()
