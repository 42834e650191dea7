"""One contract that every depth network passes."""

from __future__ import annotations

import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from depthnet.errors import ConfigError, ShapeError
from depthnet.networks import NETWORKS, build_network
from depthnet.networks.blocks import DepthNetwork

sys.path.insert(0, str(Path(__file__).parent))
from tiny_backbones import CONFIGS, options

pytestmark = pytest.mark.usefixtures("one_thread")

#: Odd and even at every halving.
SIZES = [(49, 67), (64, 64), (33, 47), (50, 34)]
every_size = pytest.mark.parametrize("size", SIZES, ids=str)


#: Networks whose scores start at zero, so that nothing goes back through them before the first step.
ZERO_STARTS = {"garg2016"}


#: Variants that are quick to test, of networks whose published size is heavy at any size of image.
SMALL: dict[str, dict[str, Any]] = {
    "eigen2014": {"input_size": (64, 80), "full_width": 64},
    **{f"backbone:{kind}": options(kind) for kind in CONFIGS},
}
NAMES = [*NETWORKS, *(name for name in SMALL if ":" in name)]
every_network = pytest.mark.parametrize("name", NAMES)


def make_network(name: str) -> DepthNetwork:
    if ":" in name:
        pytest.importorskip("transformers")
    torch.manual_seed(0)
    return build_network(name, SMALL.get(name))


def make_image(batch: int, size: tuple[int, int], seed: int = 1) -> Tensor:
    return torch.rand(batch, 3, *size, generator=torch.Generator().manual_seed(seed))


def wake_zero_weights(network: DepthNetwork) -> None:
    """Move convolutions away from zero, as the first step of training does."""
    for parameter in network.parameters():
        if parameter.ndim == 4 and not parameter.any():
            torch.nn.init.normal_(parameter, std=1e-3)


@pytest.fixture(scope="module", params=NAMES)
def settled(request: pytest.FixtureRequest) -> DepthNetwork:
    """A network in evaluation whose batch norms have seen an image: with start statistics alone it is not itself."""
    network = make_network(request.param)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
        wake_zero_weights(network)
        network.train()(make_image(2, (64, 96)))
    return network.eval()


@every_network
@every_size
def test_any_size_forward_and_backward(name: str, size: tuple[int, int]) -> None:
    network = make_network(name).train()
    if name in ZERO_STARTS:
        wake_zero_weights(network)
    log_depth = network(make_image(2, size))
    assert log_depth.shape == (2, 1, *size)
    assert log_depth.dtype == torch.float32
    assert log_depth.isfinite().all()
    log_depth.square().mean().backward()
    used = {key: parameter for key, parameter in network.named_parameters() if parameter.requires_grad}
    for key, parameter in used.items():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
    assert {key for key, p in network.named_parameters() if p.grad is not None and (p.grad != 0).any()} == used.keys()


@every_network
@every_size
def test_features_are_what_they_are_called(name: str, size: tuple[int, int]) -> None:
    network = make_network(name).train()
    image = make_image(2, size)
    with torch.no_grad():
        torch.manual_seed(1)  # what dropout leaves out
        features = network.features(image)
        torch.manual_seed(1)
        log_depth = network(image)
        encoded = network.encode(image)
    assert {key: x.shape[1] for key, x in features.items()} == network.feature_channels
    assert list(features)[-1] == "log_depth"
    torch.testing.assert_close(features["log_depth"], log_depth)
    assert list(encoded) == list(features)[: len(encoded)]
    assert all(key.startswith("encoder_") for key in encoded)
    assert all(key.startswith("decoder_") or key == "disparity_px" for key in list(features)[len(encoded) : -1])
    for key, x in features.items():
        level = key.rpartition("_")[2]
        if level.isdigit():  # a level's name is its stride; skip-sized decoding keeps both sides equal
            stride = int(level)
            assert all(abs(n - m / stride) < 2 for n, m in zip(x.shape[2:], size)), key
            if key.startswith("decoder_") and f"encoder_{level}" in features:
                assert x.shape[2:] == features[f"encoder_{level}"].shape[2:], key


@pytest.mark.parametrize("name", sorted(set(NAMES) - ZERO_STARTS))
def test_start_is_a_plausible_scene(name: str) -> None:
    """An untrained network predicts a room, not an explosion: the first steps of training are not wasted."""
    with torch.no_grad():
        log_depth = make_network(name).train()(make_image(2, (96, 128)))
    assert 0.5 < log_depth.mean() < 1.2
    assert log_depth.std() < 0.5


@every_network
def test_images_of_a_batch_do_not_mix(name: str, settled: DepthNetwork) -> None:
    image = make_image(3, (33, 47))
    with torch.no_grad():
        whole = settled(image)
        parts = torch.cat([settled(image[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(whole, parts, rtol=1e-4, atol=1e-4)


@every_network
def test_state_dict_round_trip(name: str, tmp_path: Path) -> None:
    first, second = make_network(name), build_network(name, SMALL.get(name))
    image = make_image(2, (64, 64))
    with torch.no_grad():
        first.train()(image)  # moves the running statistics too
        torch.save(first.state_dict(), tmp_path / "network.pt")
        second.load_state_dict(torch.load(tmp_path / "network.pt", weights_only=True))
        torch.testing.assert_close(second.eval()(image), first.eval()(image), rtol=0, atol=0)


@every_network
def test_parameter_groups_are_a_partition(name: str) -> None:
    network = make_network(name)
    groups = network.parameter_groups()
    assert "encoder" in groups
    assert len(groups) > 1
    assert all(groups.values())
    grouped = [id(parameter) for group in groups.values() for parameter in group]
    assert sorted(grouped) == sorted(id(parameter) for parameter in network.parameters())
    assert {id(p) for p in groups["encoder"]} == {id(p) for p in network.encoder.parameters()}  # type: ignore[operator, union-attr]


@every_network
def test_channels_last_changes_nothing(name: str) -> None:
    network, image = make_network(name).train(), make_image(2, (33, 47))
    with torch.no_grad():
        torch.manual_seed(1)  # what dropout leaves out
        expected = network(image)
        network = network.to(memory_format=torch.channels_last)
        torch.manual_seed(1)
        other = network(image.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(other, expected, rtol=1e-4, atol=1e-4)


@every_network
def test_wrong_images_are_refused(name: str) -> None:
    network = make_network(name)
    for wrong in (torch.rand(3, 64, 64), torch.rand(1, 1, 64, 64), torch.rand(1, 4, 64, 64)):
        with pytest.raises(ShapeError, match="expected"):
            network(wrong)


@every_network
def test_disparity_is_the_inverse_of_depth(name: str) -> None:
    network = make_network(name)
    log_depth = torch.linspace(-3, 4, 15).view(1, 1, 3, 5)
    torch.testing.assert_close(network.disparity(log_depth), torch.exp(-log_depth))
    extreme = torch.tensor([-80.0, 80.0]).view(1, 1, 1, 2).requires_grad_()
    network.disparity(extreme).sum().backward()
    assert extreme.grad is not None
    assert extreme.grad.isfinite().all()


def test_unknown_names_and_options() -> None:
    with pytest.raises(ConfigError, match=r"'unett' is unknown; choose one of: .*mobile, .*unet"):
        build_network("unett")
    with pytest.raises(ConfigError, match="unet"):
        build_network("unet", {"depth": 5})


def export(network: DepthNetwork, path: Path, dynamo: bool) -> None:
    """Export with every free dimension, quietly, from an odd size: any other must work too."""
    free, axes = torch.export.Dim.DYNAMIC, {0: "batch", 2: "height", 3: "width"}
    if dynamo:
        logging.getLogger("torch").setLevel(logging.ERROR)
        how: dict[str, Any] = {"dynamic_shapes": ({0: free, 2: free, 3: free},), "external_data": False}
    else:
        how = {"dynamic_axes": {"image": axes, "log_depth": axes}, "opset_version": 18}
    names = {"input_names": ["image"], "output_names": ["log_depth"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (make_image(2, (65, 99)),), path, dynamo=dynamo, verbose=False, **names, **how)


@pytest.mark.slow
@pytest.mark.parametrize("dynamo", [False, True], ids=["trace", "dynamo"])
def test_onnx_agrees_at_any_size(settled: DepthNetwork, tmp_path: Path, dynamo: bool) -> None:
    """PyTorch's own exporters; the quick tests of our files are in test_onnx_file.py and test_backbone.py."""
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript" if dynamo else "onnx")
    export(settled, tmp_path / "network.onnx", dynamo)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx", options)
    for batch, size in ((2, (97, 131)), (1, (64, 64)), (1, (33, 50)), (1, (66, 47))):
        image = make_image(batch, size)
        with torch.no_grad():
            expected = settled(image).numpy()
        (found,) = session.run(None, {"image": image.numpy()})
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * float(np.abs(expected).max()))
