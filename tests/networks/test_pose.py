"""The pose networks: any size, gradients, files that hold everything, ONNX, and what describe says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from depthnet.checkpoint import ModelInfo, load_network, load_pose_network, save_network
from depthnet.config import DescribeConfig
from depthnet.describe import describe_network
from depthnet.errors import ConfigError, InputError, ShapeError
from depthnet.networks import POSE_NETWORKS, build_network, build_pose_network
from depthnet.networks.pose_features import PoseFeatures
from depthnet.networks.video import VideoNetwork
from depthnet.onnx_file import write_onnx
from depthnet.predictor.pose import load_pose_model, predict_motion

pytestmark = pytest.mark.usefixtures("one_thread")

#: Every network, in each of its shapes.
CASES: list[tuple[str, dict[str, Any]]] = [
    ("pose-early", {}),
    ("pose-early", {"shape": "alexnet"}),
    ("pose-late", {}),
    ("pose-late", {"shared": False}),
    ("pose-late", {"shape": "alexnet"}),
    ("pose-features", {}),
    ("pose-features", {"level": "decoder_8", "frozen": False}),
]
every_case = pytest.mark.parametrize(("name", "options"), CASES, ids=str)


def make_pair(size: tuple[int, int], batch: int = 2) -> tuple[Tensor, Tensor]:
    pictures = torch.rand(2, batch, 3, *size, generator=torch.Generator().manual_seed(3))
    return pictures[0], pictures[1]


def make_info(name: str, options: dict[str, Any]) -> ModelInfo:
    return ModelInfo(name, name, options, (32, 48), 40.0, 0.1, 10.0, task="pose")


@every_case
def test_any_size_forward_and_backward(name: str, options: dict[str, Any]) -> None:
    network = build_pose_network(name, options).train()
    for size in ((32, 48), (33, 47)):
        xi = network(*make_pair(size))
        assert xi.shape == (2, 6)
        assert xi.abs().max() < 0.2, "a start near a camera that stands still"
    xi.square().sum().backward()
    lost = [n for n, p in network.named_parameters() if p.requires_grad and p.grad is None]
    if name == "pose-features" and not options.get("frozen", True):
        lost = [n for n in lost if not n.startswith("depth.")]  # what lies behind the tapped level
    assert not lost


def test_the_light_one_has_the_published_size() -> None:
    """SfMLearner's pose path without a second source: 1 590 668 - 3·49·16 - 6·256 - 6 parameters."""
    network = build_pose_network("pose-early")
    assert sum(p.numel() for p in network.parameters()) == 1_590_668 - 3 * 49 * 16 - 6 * 256 - 6


@every_case
def test_one_file_holds_everything(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = build_pose_network(name, options).eval()
    info = make_info(name, {**options, **network.file_options})
    save_network(tmp_path / "model.safetensors", network, info)
    again, said = load_pose_network(tmp_path / "model.safetensors")
    pair = make_pair((32, 48))
    torch.testing.assert_close(again(*pair), network(*pair))
    assert said.task == "pose"
    with pytest.raises(InputError, match="finds the motion between two pictures, not the depth"):
        load_network(tmp_path / "model.safetensors")


@pytest.mark.parametrize(("name", "options"), [CASES[1], CASES[2], CASES[5]], ids=str)
def test_the_exported_file_agrees(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = build_pose_network(name, options).eval()
    info = make_info(name, {**options, **network.file_options})
    save_network(tmp_path / "model.safetensors", network, info)
    write_onnx(tmp_path / "model.onnx", network, info, half=False)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 40, 56, 3), dtype=np.uint8)
    motions = [
        predict_motion(load_pose_model(tmp_path / f"model.{kind}"), *pictures) for kind in ("onnx", "safetensors")
    ]
    np.testing.assert_allclose(motions[0], motions[1], atol=1e-5)
    assert np.abs(motions[0] - np.eye(4)).max() > 1e-5
    with pytest.raises(ShapeError, match="differ; resize"):
        predict_motion(load_pose_model(tmp_path / "model.onnx"), pictures[0], pictures[1, 1:])


def test_a_frozen_depth_network_stays_as_it_is() -> None:
    network = build_pose_network("pose-features", {"depth": "unet"}).train()
    assert isinstance(network, PoseFeatures)
    before = {name: value.clone() for name, value in network.depth.state_dict().items()}
    network(*make_pair((32, 48))).sum().backward()
    assert all(torch.equal(before[name], value) for name, value in network.depth.state_dict().items())
    assert all(parameter.grad is None for parameter in network.depth.parameters())
    assert network.head[0].weight.grad is not None  # type: ignore[union-attr]


@pytest.mark.parametrize("level", ["encoder_16", "decoder_8"])
def test_a_shared_encoder_gives_what_each_part_gives(level: str) -> None:
    pose = build_pose_network("pose-features", {"level": level, "frozen": False}).eval()
    assert isinstance(pose, PoseFeatures)
    network = VideoNetwork(pose).eval()
    image, source = make_pair((32, 48))
    other = make_pair((32, 48), 4)[1][2:]
    log_depth, xi = network(image, torch.stack([source, other], dim=1))
    torch.testing.assert_close(log_depth, pose.depth(image), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(xi[:, 1], pose(image, other), atol=1e-6, rtol=1e-4)
    counted = [id(p) for group in network.parameter_groups().values() for p in group]
    assert sorted(counted) == sorted(id(p) for p in network.parameters()), "each parameter in one group"


def test_two_networks_give_what_each_gives() -> None:
    depth, pose = build_network("mobile").eval(), build_pose_network("pose-early").eval()
    image, source = make_pair((32, 48))
    log_depth, xi = VideoNetwork(pose, depth).eval()(image, torch.stack([source, image], dim=1))
    torch.testing.assert_close(log_depth, depth(image))
    torch.testing.assert_close(xi[:, 0], pose(image, source), atol=1e-7, rtol=1e-5)


def test_options_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="'mobile' finds no motion; choose one of: pose-early"):
        build_pose_network("mobile")
    with pytest.raises(ConfigError, match="shape 'vgg' is unknown"):
        build_pose_network("pose-late", {"shape": "vgg"})
    with pytest.raises(ConfigError, match="level 'middle' is unknown; mobile has: encoder_2"):
        build_pose_network("pose-features", {"level": "middle"})
    with pytest.raises(ShapeError, match="differ"):
        build_pose_network("pose-early")(*make_pair((32, 48))[:1], make_pair((32, 47))[0])


@pytest.mark.parametrize("name", POSE_NETWORKS)
def test_describe(name: str) -> None:
    description = describe_network(name, DescribeConfig(size=(96, 128)))
    assert [block.name for block in description.inputs] == ["image_tgt", "image_src"]
    assert description.blocks[-1].shape == (6,)
    assert description.parameters == sum(p.numel() for p in build_pose_network(name).parameters())
    assert description.multiply_adds > 1_000_000
