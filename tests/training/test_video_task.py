"""Depth and motion from video alone: what a run writes, and that depth appears where none was given."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from video_scenes import SIZE, write_video

from depthnet.checkpoint import load_network, read_model_info, resolve_model
from depthnet.config import AugmentConfig, LossConfig, OptimConfig, PhotometricConfig, PoseConfig, TrainConfig
from depthnet.data import open_dataset
from depthnet.errors import ConfigError, InputError
from depthnet.networks.video import VideoNetwork
from depthnet.predictor import load_model
from depthnet.predictor.pose import load_pose_model
from depthnet.training import train
from depthnet.training.run import build_start_network
from depthnet.training.video_task import build_video_step, metres

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def options(tmp_path: Path) -> TrainConfig:
    folder = write_video(tmp_path / "videos" / "one", frames=7)
    return TrainConfig(
        task="video", network="mobile", data=str(folder), val_data=str(folder), size=SIZE, epochs=1, batch_size=2,
        workers=0, threads=1, log_every=1, limit_batches=2, accelerator="cpu", precision="32",
        optim=OptimConfig(lr=1e-4, ema=0.9), augment=AugmentConfig(recipe="eigen", scale=(1.0, 1.3)),
        photometric=PhotometricConfig(scales=2),
    )  # fmt: skip


def test_a_run_writes_a_depth_model_and_a_pose_model(options: TrainConfig, tmp_path: Path) -> None:
    result = train(options, out=tmp_path / "run")
    assert {"delta1", "rotation_deg", "translation_m"} <= result.scores.keys()
    assert (tmp_path / "run" / "train.csv").read_text().startswith("step,epoch,loss,photometric,smooth,lr")
    depth, pose = (read_model_info(tmp_path / "run" / name) for name in ("model.onnx", "pose-model.onnx"))
    assert (depth.task, depth.kind, depth.network) == ("depth", "scale_invariant", "mobile")
    assert (pose.task, pose.kind, pose.network) == ("pose", "scale_invariant", "pose-features")
    image = open_dataset(options.data).read_raw(0).image
    assert load_model(tmp_path / "run").depth(image).shape == image.shape[:2]
    assert load_pose_model(tmp_path / "run").info.name == "pose-run"
    tapped, _ = load_network(tmp_path / "run" / "best.safetensors")
    assert resolve_model(tmp_path / "run", "pose").name == "pose-model.onnx"
    assert train(options, resume=tmp_path / "run").scores == result.scores
    assert sum(p.numel() for p in tapped.parameters()) > 2_000_000


@pytest.mark.usefixtures("no_onnx")
def test_two_networks_and_measured_depth(options: TrainConfig, tmp_path: Path) -> None:
    """A depth model is fine-tuned in metres by the mixed loss, with a pose network of its own."""
    config = replace(
        options, init="mobile", loss=LossConfig(terms={"eigen": 1.0}),
        pose=PoseConfig(network="pose-early", terms={"photometric": 1.0, "smooth": 0.001, "depth": 0.1}),
    )  # fmt: skip
    train(config, out=tmp_path / "run")
    assert read_model_info(tmp_path / "run" / "best.safetensors").kind == "metric"
    assert read_model_info(tmp_path / "run" / "pose-best.safetensors").network == "pose-early"
    assert (tmp_path / "run" / "train.csv").read_text().startswith("step,epoch,loss,photometric,smooth,depth,lr")


@pytest.mark.parametrize("pose", ["pose-features", "pose-early"])
def test_start_weights_are_those_of_the_depth_model(options: TrainConfig, pose: str) -> None:
    network = build_start_network(replace(options, init="mobile", pose=PoseConfig(network=pose)))
    assert isinstance(network, VideoNetwork)
    shipped, _ = load_network(resolve_model("mobile").with_suffix(".safetensors"))
    for name, value in shipped.state_dict().items():
        assert torch.equal(network.depth.state_dict()[name], value)


def test_depth_appears_from_the_pictures(options: TrainConfig) -> None:
    """One clip, true motions given through the loss on poses: the relief of the room comes out of the pictures."""
    from depthnet.data.video_frames import VideoFrames
    from depthnet.training.pose_task import judged_clip

    config = replace(options, pose=PoseConfig(network="pose-early", terms={"photometric": 1.0, "smooth": 0.01}))
    item = judged_clip(VideoFrames(open_dataset(options.data), (1, 1), both=True), 1, SIZE)
    batch = {name: value[None] for name, value in item.items() if name != "name"}
    from depthnet.geometry.se3 import se3_log

    class Grid(torch.nn.Module):
        """Depth as free numbers on a coarse grid, with the true motions."""

        def __init__(self) -> None:
            super().__init__()
            self.log_depth = torch.nn.Parameter(torch.full((1, 1, 8, 12), 0.3))

        def forward(self, image: torch.Tensor, sources: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            full = torch.nn.functional.interpolate(self.log_depth, size=SIZE, mode="bilinear", align_corners=False)
            return full, se3_log(batch["T_tgt_src"])

    grid, step = Grid(), build_video_step(config)
    optimiser = torch.optim.Adam(grid.parameters(), 0.03)

    def error() -> float:
        log_depth, _ = grid(batch["image"], batch["sources"])
        return float((log_depth - batch["depth"].log())[batch["valid"]].abs().mean().detach())

    before = error()
    for _ in range(100):
        loss, _ = step(grid, batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert error() < 0.4 * before


def test_a_zoom_is_a_longer_focal_length(options: TrainConfig) -> None:
    """The network sees the zoomed picture nearer, by the camera rule; the geometry keeps its metres."""
    log_depth = torch.full((1, 1, 2, 2), float(np.log(2.0)), requires_grad=True)
    depth = metres(log_depth, {"zoom": torch.full((1, 1, 1, 1), 1.5)})
    assert torch.allclose(depth, torch.tensor(3.0))
    depth.sum().backward()
    assert log_depth.grad is not None
    assert torch.isfinite(metres(torch.full((1, 1, 1, 1), 500.0), {"zoom": torch.ones(1, 1, 1, 1)})).all()


def test_options_that_cannot_be_used_are_refused(options: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"pose\.network_options: frozen follows from --network"):
        train(replace(options, pose=PoseConfig(network_options={"frozen": True})), out=tmp_path / "run")
    short = write_video(tmp_path / "short", frames=2)
    with pytest.raises(InputError, match="no frames of one video are 1 to 1 apart"):
        train(replace(options, data=str(short), val_split="none"), out=tmp_path / "run")
