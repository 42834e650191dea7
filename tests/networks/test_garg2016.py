"""The released network of Garg 2016, layer by layer, and its way from signed disparity to log depth."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from depthnet.errors import ConfigError
from depthnet.losses.supervised import eigen
from depthnet.networks.blocks import Bottleneck
from depthnet.networks.garg2016 import SKIP_STARTS, Garg2016Depth

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def network() -> Garg2016Depth:
    torch.manual_seed(0)
    return Garg2016Depth()


def test_shapes_at_the_published_size(network: Garg2016Depth) -> None:
    with torch.no_grad():
        features = network.eval().features(torch.rand(1, 3, *network.input_size))
    assert {name: tuple(x.shape[1:]) for name, x in features.items()} == {
        "encoder_1": (64, 160, 608), "encoder_2": (128, 80, 304), "encoder_4": (128, 40, 152),
        "encoder_8": (256, 20, 76), "encoder_16": (512, 10, 38), "encoder_32": (1024, 5, 19),
        "decoder_32": (1, 5, 19), "decoder_16": (1, 10, 38), "decoder_8": (1, 20, 76), "decoder_4": (1, 40, 152),
        "decoder_2": (1, 80, 304), "disparity_px": (1, 160, 608), "log_depth": (1, 160, 608),
    }  # fmt: skip


def test_the_layers_are_those_of_the_release(network: Garg2016Depth) -> None:
    convolutions = [m for m in network.encoder.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 54
    assert all(m.stride == (1, 1) and m.bias is not None for m in convolutions)
    assert len([m for m in network.encoder.modules() if isinstance(m, nn.BatchNorm2d)]) == 54
    assert [len(stage) for stage in network.encoder.stages] == [3, 4, 6, 3]
    for stage in network.encoder.stages:
        projected = [block.project is not None for block in stage if isinstance(block, Bottleneck)]
        assert projected == [True] + [False] * (len(stage) - 1)
    scores = [network.score, *network.skip_scores.values()]
    assert [(m.in_channels, m.out_channels, m.kernel_size) for m in scores] == [
        (n, 1, (1, 1)) for n in (1024, 512, 256, 128, 128)
    ]


def test_parameter_count(network: Garg2016Depth) -> None:
    def conv(inputs: int, outputs: int, kernel: int = 1) -> int:
        return inputs * outputs * kernel * kernel + 3 * outputs  # with its bias, and scale and bias of the norm

    total = conv(3, 64, 7) + conv(64, 128, 3)
    inputs = 128
    for blocks, width, outputs in ((3, 32, 128), (4, 64, 256), (6, 128, 512), (3, 256, 1024)):
        total += conv(inputs, outputs)
        for block in range(blocks):
            total += conv(outputs if block else inputs, width) + conv(width, width, 3) + conv(width, outputs)
        inputs = outputs
    total += sum(channels + 1 for channels in (1024, 512, 256, 128, 128)) + 4
    assert sum(parameter.numel() for parameter in network.parameters()) == total == 6_002_249


def test_every_skip_is_scaled_by_its_factor_and_added(network: Garg2016Depth) -> None:
    factors = {level: factor.item() for level, factor in network.skip_factors.items()}
    assert factors == pytest.approx({"encoder_16": 1e-2, "encoder_8": 1e-4, "encoder_4": 1e-5, "encoder_2": 1e-6})
    with torch.no_grad():
        features = network.eval().encode(torch.rand(1, 3, 64, 96))
        for level in SKIP_STARTS:
            network.skip_scores[level].weight.fill_(1.0)  # type: ignore[union-attr, operator]
            decoded = network.decode(features, (64, 96))
            added = decoded[level.replace("encoder", "decoder")]
            expected = factors[level] * features[level].sum(1, keepdim=True)
            torch.testing.assert_close(added, expected, rtol=1e-4, atol=0)
            network.skip_scores[level].weight.zero_()  # type: ignore[union-attr, operator]


def test_upsampling_is_bilinear_and_doubles_the_pixels(network: Garg2016Depth) -> None:
    ramp = torch.arange(4.0).view(1, 1, 1, 4).expand(1, 1, 4, 4)
    doubled = network._double(ramp, (8, 8))
    torch.testing.assert_close(doubled[0, 0, 3, 1:7], torch.tensor([0.5, 1.5, 2.5, 3.5, 4.5, 5.5]))
    assert network._double(ramp, (7, 8)).shape == (1, 1, 7, 8)
    assert not [name for name, _ in network.named_parameters() if "bilinear" in name]


def test_a_constant_score_is_worth_32_times_as_many_pixels(network: Garg2016Depth) -> None:
    nn.init.constant_(network.score.bias, 1.5)  # type: ignore[arg-type]
    with torch.no_grad():
        features = network.eval().features(torch.rand(1, 3, 160, 192))
    middle = features["disparity_px"][0, 0, 79:81, 95:97]
    torch.testing.assert_close(middle, torch.full((2, 2), 48.0), rtol=1e-3, atol=0)


def test_depth_is_that_of_the_release(network: Garg2016Depth) -> None:
    disparity_px = torch.tensor([389.6304 / 50, 389.6304 / 10, 389.6304]).view(1, 1, 1, 3)
    torch.testing.assert_close(network._log_depth(disparity_px, 608).exp().flatten(), torch.tensor([50.0, 10.0, 1.0]))
    half = network._log_depth(disparity_px / 2, 304).exp()  # half the pixels in half the width: the same depth
    torch.testing.assert_close(half.flatten(), torch.tensor([50.0, 10.0, 1.0]))


def test_a_signed_disparity_has_a_log_depth_a_gradient_and_a_way_back(network: Garg2016Depth) -> None:
    far_px = 389.6304 / 80
    disparity_px = torch.tensor([-1e6, -far_px, 0.0, far_px / 2, far_px, 2 * far_px, 1e6], dtype=torch.float64)
    disparity_px = disparity_px.view(1, 1, 1, -1).requires_grad_()
    log_depth = network._log_depth(disparity_px, 608)
    expected = [math.log(80) + 2, math.log(80) + 1, math.log(80) + 0.5, math.log(80), math.log(40)]
    torch.testing.assert_close(log_depth.flatten()[1:6], torch.tensor(expected, dtype=torch.float64))
    (gradient,) = torch.autograd.grad(log_depth.sum(), disparity_px, retain_graph=True)
    assert (gradient < 0).all()
    torch.testing.assert_close(gradient.flatten()[1:4], torch.full((3,), -1 / far_px, dtype=torch.float64))
    back_px = network.disparity(log_depth) * network.focal_baseline * 608
    torch.testing.assert_close(back_px, disparity_px)
    (gradient,) = torch.autograd.grad(back_px.sum(), disparity_px)
    torch.testing.assert_close(gradient, torch.ones_like(gradient))


def test_it_starts_at_zero_disparity_and_learns_from_there_in_two_steps(network: Garg2016Depth) -> None:
    image, target = torch.rand(2, 3, 32, 64), torch.full((2, 1, 32, 64), 5.0)
    features = network.train().features(image)
    assert not features["disparity_px"].any()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    for step in range(2):
        optimizer.zero_grad()
        eigen(network(image), target, target > 0).backward()
        gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
        assert all(gradient.isfinite().all() for gradient in gradients.values())
        moved = any(gradient.any() for name, gradient in gradients.items() if name.startswith("encoder."))
        assert moved == (step == 1), "only the scores learn at first: behind them all is multiplied by zero"
        optimizer.step()


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="focal_baseline 0: must be positive"):
        Garg2016Depth(focal_baseline=0)
    with pytest.raises(ConfigError, match="far_m inf"):
        Garg2016Depth(far_m=math.inf)
