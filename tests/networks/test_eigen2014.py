"""``eigen2014``: the layers, maps and stages of the release (FACTS.md, "Eigen, Puhrsch, Fergus 2014")."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from depthnet.checkpoint import ModelInfo, save_network
from depthnet.config import OptimConfig, TrainConfig
from depthnet.errors import ConfigError, InputError
from depthnet.networks.blocks import resize_to
from depthnet.networks.eigen2014 import LOG_DEPTH_STD, Eigen2014Depth, compatible_padding
from depthnet.onnx_file import write_onnx
from depthnet.training.optim import Ema, build_optimizer
from depthnet.training.run import build_start_network

pytestmark = pytest.mark.usefixtures("one_thread")

NYU: dict[str, Any] = {}
KITTI: dict[str, Any] = {"input_size": (172, 576), "bottom_rows": 116}
# Channels, height and width of every map; the paper's table has 37x27, 18x13, 8x6 and 71x20, 35x9, 17x4 (W x H).
MAPS_NYU = {
    "encoder_conv1": (96, 27, 37), "encoder_conv2": (256, 13, 18), "encoder_conv3": (384, 13, 18),
    "encoder_conv4": (384, 13, 18), "encoder_conv5": (256, 6, 8), "encoder_fine1": (63, 55, 74),
    "decoder_full6": (16, 1, 1), "decoder_coarse7": (1, 55, 74), "decoder_fine2": (64, 55, 74),
    "decoder_fine3": (1, 55, 74), "log_depth": (1, 228, 304),
}  # fmt: skip
MAPS_KITTI = {
    "encoder_conv1": (96, 20, 71), "encoder_conv2": (256, 9, 35), "encoder_conv3": (384, 9, 35),
    "encoder_conv4": (384, 9, 35), "encoder_conv5": (256, 4, 17), "encoder_fine1": (63, 27, 142),
    "decoder_full6": (16, 1, 1), "decoder_coarse7": (1, 27, 142), "decoder_fine2": (64, 27, 142),
    "decoder_fine3": (1, 27, 142), "log_depth": (1, 172, 576),
}  # fmt: skip
SMALL: dict[str, Any] = {"input_size": (64, 80), "full_width": 64}


def make_network(**options: Any) -> Eigen2014Depth:
    torch.manual_seed(0)
    return Eigen2014Depth(**options)


def make_image(batch: int = 2, size: tuple[int, int] = (64, 80)) -> Tensor:
    return torch.rand(batch, 3, *size, generator=torch.Generator().manual_seed(1))


def count(*modules: nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


# --- layers ---


@pytest.mark.parametrize(("options", "maps"), [(NYU, MAPS_NYU), (KITTI, MAPS_KITTI)], ids=["nyu", "kitti"])
def test_every_map_at_its_published_input_size(options: dict[str, Any], maps: dict[str, tuple[int, ...]]) -> None:
    network = make_network(full_width=16, **options).eval()
    conv_1: list[Tensor] = []
    network.encoder.conv_1.register_forward_hook(lambda module, inputs, output: conv_1.append(output))
    with torch.no_grad():
        features = network.features(make_image(1, network.input_size))
    assert {name: tuple(x.shape[1:]) for name, x in features.items()} == maps
    assert conv_1[0].shape[2:] == ((56, 75) if options is NYU else (42, 143))


def test_parameters() -> None:
    with torch.device("meta"):
        network, kitti = Eigen2014Depth(), Eigen2014Depth(**KITTI)
    layers = [m for m in network.encoder.modules() if isinstance(m, nn.Conv2d)]
    assert [count(layer) for layer in layers] == [34_944, 614_656, 885_120, 1_327_488, 884_992]
    assert [count(network.coarse_6), count(network.coarse_7)] == [50_335_744, 16_674_790]
    assert count(network.encoder, network.coarse_6, network.coarse_7) == 70_757_734
    assert [count(layer) for layer in (network.fine_1, network.fine_2, network.fine_3)] == [15_372, 102_464, 1_601]
    assert count(network) == 70_757_734 + 119_437
    assert kitti.coarse_6.in_features == 256 * 4 * 17
    assert kitti.coarse_7.out_features == 27 * 142
    assert count(Eigen2014Depth(full_width=1024)) == 3_747_200 + 12_289 * 1024 + 1025 * 4070 + 119_437


@pytest.mark.parametrize(
    ("pixels", "kernel", "stride", "padding"),
    [(228, 11, 4, 2), (304, 11, 4, 2), (172, 11, 4, 2), (227, 11, 4, 0), (228, 9, 2, 1), (229, 9, 2, 0)],
)
def test_compatible_padding(pixels: int, kernel: int, stride: int, padding: int) -> None:
    assert compatible_padding(pixels, kernel, stride) == padding


def test_first_layer_pools_rectifies_then_norms() -> None:
    """By hand: pool, ReLU, then x / (2 + 1e-4 Σ x²)^0.75 over the channel and two on either side."""
    network = make_network(**SMALL)
    with torch.no_grad():
        pixels = make_image(1) * 255 - 128
        found = network.encode(make_image(1))["encoder_conv1"]
        x = F.max_pool2d(F.conv2d(pixels, network.encoder.conv_1.weight, None, 4, 2), 3, 2).clamp(min=0)
        for channel in (0, 1, 50, 95):
            near = x[:, max(channel - 2, 0) : channel + 3]
            expected = x[:, channel] / (2 + 1e-4 * near.square().sum(1)) ** 0.75
            torch.testing.assert_close(found[:, channel], expected, rtol=1e-4, atol=1e-3)


def test_fine_stack_sees_its_own_statistics_and_the_coarse_map() -> None:
    network = make_network(**SMALL).eval()
    with torch.no_grad():
        features = network.features(make_image())
        pixels = (make_image() * 255 - 109.31410628) / 76.18328376
        fine_1 = F.max_pool2d(F.relu(F.conv2d(pixels, network.fine_1.weight, None, 2, 1)), 3, 2)
        torch.testing.assert_close(features["encoder_fine1"], fine_1, rtol=1e-4, atol=1e-6)
        fine_2 = F.relu(network.fine_2(torch.cat([features["decoder_coarse7"], fine_1], 1)))
        torch.testing.assert_close(features["decoder_fine2"], fine_2, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(features["decoder_fine3"], network.fine_3(fine_2), rtol=1e-4, atol=1e-6)


def test_dropout_is_halved_at_test_not_doubled_in_training() -> None:
    network = make_network(**SMALL)
    with torch.no_grad():
        whole = network.eval().features(make_image())["decoder_full6"].flatten()
        thinned = network.train().features(make_image())["decoder_full6"].flatten()
    live = whole > 0
    kept = thinned[live] > 0
    assert 0.2 < kept.float().mean() < 0.8
    torch.testing.assert_close(thinned[live][kept], 2 * whole[live][kept])


# --- where the map lies ---


def test_a_cell_is_what_lies_at_its_pixel() -> None:
    """Through the kernel's middle, pixel (5 + 4i, 5 + 4j) reaches cell (i, j) of the fine features and no other."""
    network = make_network(full_width=16).eval()
    nn.init.zeros_(network.fine_1.weight)
    network.fine_1.weight.data[:, :, 4, 4] = 1.0
    image = torch.zeros(1, 3, 228, 304)
    image[:, :, 5 + 4 * 20, 5 + 4 * 33] = 1.0
    with torch.no_grad():
        lit = network.encode(image)["encoder_fine1"][0, 0].nonzero().tolist()
    assert lit == [[20, 33]]


@pytest.mark.parametrize(("options", "first"), [(NYU, 0), (KITTI, 56)], ids=["nyu", "kitti"])
def test_bilinear_keeps_the_samples_and_repeats_the_edges(options: dict[str, Any], first: int) -> None:
    network = make_network(full_width=16, **options)
    h, w = network.map_size
    cells = torch.rand(1, 1, h, w)
    x = network._to_input(cells)
    assert x.shape == (1, 1, *network.input_size)
    rows, columns = slice(first + 5, first + 4 * h + 4, 4), slice(5, 4 * w + 4, 4)
    torch.testing.assert_close(x[:, :, rows, columns], cells)
    torch.testing.assert_close(x[:, :, first + 7, 5], (cells[:, :, 0, 0] + cells[:, :, 1, 0]) / 2)
    assert (x[:, :, : first + 5] == x[:, :, first + 5 : first + 6]).all()
    assert (x[..., 4 * w + 2 :] == x[..., 4 * w + 1 : 4 * w + 2]).all()


def test_nearest_fills_the_region_of_the_release() -> None:
    """On 240x320, whose crop of 228x304 is the input, the cells fill [10:230, 12:308]."""
    network = make_network(full_width=16, upsampling="nearest")
    cells = torch.arange(55 * 74.0).view(1, 1, 55, 74)
    picture = torch.full((240, 320), torch.nan)
    picture[6:234, 8:312] = network._to_input(cells)[0, 0]
    blocks = picture[10:230, 12:308].reshape(55, 4, 74, 4)
    assert (blocks == cells.view(55, 1, 74, 1)).all()


@pytest.mark.parametrize("size", [(64, 80), (65, 83), (70, 67)])
def test_odd_sizes_place_the_map_too(size: tuple[int, int]) -> None:
    """The same bright pixel lights a cell of the fine features and shows that cell's value in the output."""
    network = make_network(input_size=size, full_width=16).eval()
    nn.init.zeros_(network.fine_1.weight)
    network.fine_1.weight.data[:, :, 4, 4] = 1.0
    cells = torch.rand(1, 1, *network.map_size)
    shown = network._to_input(cells)[0, 0]
    row, column = (shown == cells[0, 0, 3, 4]).nonzero()[0].tolist()
    image = torch.zeros(1, 3, *size)
    image[:, :, row, column] = 1.0
    with torch.no_grad():
        assert network.encode(image)["encoder_fine1"][0, 0].nonzero().tolist() == [[3, 4]]


def test_other_sizes_are_stretched_to_the_own_one_and_back() -> None:
    network = make_network(**SMALL).eval()
    image = make_image(2, (90, 71))
    with torch.no_grad():
        own = network(resize_to(image, (64, 80)))
        torch.testing.assert_close(network(image), resize_to(own, (90, 71)))
        cells = network.features(make_image())["decoder_fine3"] * LOG_DEPTH_STD
        torch.testing.assert_close(network(make_image())[:, :, 5:58:4, 5:74:4], cells)


# --- stages ---


def names(network: Eigen2014Depth, *groups: str) -> set[str]:
    chosen = {id(parameter) for group in groups for parameter in network.parameter_groups()[group]}
    return {name for name, parameter in network.named_parameters() if id(parameter) in chosen}


FINE = ("fine_1", "fine_2", "fine_3")


@pytest.mark.parametrize(
    ("stage", "learns"), [("coarse", ("encoder", "full")), ("fine", FINE), ("joint", ("encoder", "full", *FINE))]
)
def test_a_step_moves_the_stacks_of_its_stage_alone(stage: str, learns: tuple[str, ...]) -> None:
    network = make_network(stage=stage, **SMALL).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    rates = OptimConfig(name="sgd", lr=5.0, group_lr={"encoder": 0.001, "full": 0.1, "fine_2": 0.01})
    optimizer, ema = build_optimizer(network, rates), Ema(network, 0.9)
    network(make_image()).square().mean().backward()
    optimizer.step()
    ema.update(network)
    expected = names(network, *learns)
    assert {name for name, parameter in network.named_parameters() if parameter.grad is not None} == expected
    assert {name for name, value in network.state_dict().items() if not value.equal(before[name])} == expected
    assert len(optimizer.state) == len(expected)
    averaged = ema.network.state_dict()
    assert {name for name, value in averaged.items() if not value.equal(before[name])} == expected
    factors = {"encoder": 0.001, "full": 0.1, "fine_1": 1.0, "fine_2": 0.01, "fine_3": 1.0}
    assert {group["name"]: group["lr"] / 5.0 for group in optimizer.param_groups} == pytest.approx(
        {name: factors[name] for name in learns}
    )


def test_coarse_returns_the_coarse_map_alone() -> None:
    coarse, joint = make_network(stage="coarse", **SMALL).eval(), make_network(**SMALL).eval()
    assert coarse.state_dict().keys() == joint.state_dict().keys()
    with torch.no_grad():
        features, both = coarse.features(make_image()), joint.features(make_image())
    assert list(features) == list(coarse.feature_channels)
    assert not any("fine" in name for name in features)
    torch.testing.assert_close(features["decoder_coarse7"], both["decoder_coarse7"])
    torch.testing.assert_close(features["log_depth"], coarse._to_input(both["decoder_coarse7"]) * LOG_DEPTH_STD)
    assert not torch.allclose(features["log_depth"], both["log_depth"])


def test_fine_hears_the_coarse_stack_without_dropout() -> None:
    network, image = make_network(stage="fine", **SMALL).train(), make_image()
    with torch.no_grad():
        torch.testing.assert_close(network(image), network(image), rtol=0, atol=0)
        joint = make_network(**SMALL).train()
        assert not joint(image).equal(joint(image))


def test_the_second_run_starts_from_the_first(tmp_path: Path) -> None:
    """``--init`` takes the coarse model into the network of the fine stage, which then keeps it as it is."""
    options = {**SMALL, "input_size": [64, 80]}
    coarse = make_network(stage="coarse", **SMALL)
    info = ModelInfo("coarse", "eigen2014", {"stage": "coarse", **options}, (64, 80), 60.0, 0.1, 10.0)
    save_network(tmp_path / "best.safetensors", coarse, info)
    config = TrainConfig(network="eigen2014", network_options={"stage": "fine", **options}, init=str(tmp_path))
    torch.manual_seed(5)
    network = build_start_network(config)
    assert isinstance(network, Eigen2014Depth)
    assert network.stage == "fine"
    assert all(value.equal(coarse.state_dict()[name]) for name, value in network.state_dict().items())
    assert {name for name, p in network.named_parameters() if p.requires_grad} == names(network, *FINE)
    config.network_options["full_width"] = 32
    with pytest.raises(InputError, match=r"another shape of coarse_6"):
        build_start_network(config)


# --- at full size ---


@pytest.mark.parametrize("options", [NYU, KITTI], ids=["nyu", "kitti"])
@pytest.mark.parametrize("full_width", [256, pytest.param(4096, marks=pytest.mark.slow)])
def test_forward_and_backward_at_the_published_size(options: dict[str, Any], full_width: int) -> None:
    network = make_network(full_width=full_width, **options).train()
    log_depth = network(make_image(1, network.input_size))
    assert log_depth.shape == (1, 1, *network.input_size)
    assert log_depth.mean().item() == pytest.approx(0.82473954, abs=0.05)
    assert log_depth.std() < 0.05
    (log_depth - 1).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_model_file_agrees_with_the_network(tmp_path: Path) -> None:
    """The writer of .onnx models rewrites paddings; those of this network are other ones."""
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    network, image = make_network(**SMALL).eval(), make_image(3, (71, 90))
    info = ModelInfo("small", "eigen2014", SMALL, (64, 80), 60.0, 0.001, 10.0)
    write_onnx(tmp_path / "small.onnx", network, info, half=False)
    (depth,) = onnxruntime.InferenceSession(tmp_path / "small.onnx").run(None, {"image": image.numpy()})
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(depth), network(image).exp(), rtol=1e-4, atol=1e-5)


# --- options ---


def test_the_output_starts_at_the_mean_and_counts_in_standard_deviations() -> None:
    network = make_network(log_depth_mean=2.5, log_depth_std=0.8, **SMALL).eval()
    with torch.no_grad():
        features = network.features(make_image())
    assert features["log_depth"].mean().item() == pytest.approx(2.5, abs=0.1)
    assert features["decoder_fine3"].mean().item() == pytest.approx(2.5 / 0.8, abs=0.1)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"stage": "final"}, "stage 'final' is unknown; choose among: joint, coarse, fine"),
        ({"upsampling": "cubic"}, "upsampling 'cubic' is unknown; choose among: bilinear, nearest"),
        ({"input_size": (63, 80)}, r"input_size \(63, 80\): .* 64 or more"),
        ({"bottom_rows": 229}, "bottom_rows 229: must be 16 to 228"),
        ({"bottom_rows": 0}, "bottom_rows 0"),
        ({"full_width": 0}, "full_width 0"),
        ({"log_depth_std": 0.0}, "log_depth_std 0.0: must be positive"),
    ],
)
def test_bad_options(options: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        Eigen2014Depth(**options)


def test_the_smallest_options_work() -> None:
    network = make_network(input_size=(64, 64), bottom_rows=16, full_width=1).train()
    network(make_image(1, (5, 3))).sum().backward()
    assert network.coarse_6.weight.grad is not None
