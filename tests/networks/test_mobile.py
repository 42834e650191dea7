"""``mobile``: its encoder is MobileNetV2 as TensorFlow computes it, and loads the start weights exactly."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from depthnet.errors import ConfigError
from depthnet.networks.blocks import Conv2dSame
from depthnet.networks.mobile import MobileDepth, MobileNetV2Encoder

START_WEIGHTS = ("mobilenet_v2_deeplab_pascal", "mobilenet_v2_imagenet")
# MobileNetV2, table 2: strides and output channels of the 17 blocks, written out.
STRIDES = (1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1)
CHANNELS = (16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320)
TAPS = {"encoder_2": 0, "encoder_4": 2, "encoder_8": 5, "encoder_16": 12, "encoder_top": 16}


def make_image(size: tuple[int, int], batch: int = 1) -> Tensor:
    return torch.rand(batch, 3, *size, generator=torch.Generator().manual_seed(1))


def same_convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1, dilation: int = 1, groups: int = 1
) -> Tensor:
    """TensorFlow's SAME rule, word by word: output ceil(n / s), the odd pixel of padding at the end."""
    pads: list[int] = []
    for n, k in zip(reversed(x.shape[2:]), reversed(weight.shape[2:])):
        reach = (k - 1) * dilation + 1
        total = max((math.ceil(n / stride) - 1) * stride + reach - n, 0)
        pads += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x, pads), weight, bias, stride, 0, dilation, groups)


def restated_encoder(image: Tensor, weights: dict[str, Tensor], output_stride: int) -> list[Tensor]:
    """MobileNetV2 from the keys of a weight file alone: the output of every block."""

    def convolve(x: Tensor, key: str, stride: int = 1, dilation: int = 1) -> Tensor:
        weight = weights[f"{key}.weight"]
        return same_convolution(x, weight, weights[f"{key}.bias"], stride, dilation, x.shape[1] // weight.shape[1])

    def relu6(x: Tensor) -> Tensor:
        return x.clamp(0, 6)

    x = relu6(convolve(image * 2 - 1, "stem", 2))
    outputs = []
    for index, stride in enumerate(STRIDES):
        block = f"blocks.{index}"
        dilated = output_stride == 16 and index > 13
        if output_stride == 16 and index == 13:
            stride = 1
        y = relu6(convolve(x, f"{block}.expand")) if f"{block}.expand.weight" in weights else x
        y = relu6(convolve(y, f"{block}.depthwise", stride, 2 if dilated else 1))
        y = convolve(y, f"{block}.project")
        x = x + y if stride == 1 and x.shape[1] == y.shape[1] else y
        outputs.append(x)
    return outputs


@pytest.fixture(scope="module", params=START_WEIGHTS)
def weights(request: pytest.FixtureRequest, shared_data: Path) -> dict[str, Tensor]:
    safetensors = pytest.importorskip("safetensors.torch")
    found: dict[str, Tensor] = safetensors.load_file(shared_data / "weights" / f"{request.param}.safetensors")
    return {key: value.float() for key, value in found.items()}


@pytest.mark.parametrize("output_stride", [16, 32])
@pytest.mark.parametrize("size", [(64, 96), (65, 97), (66, 47), (33, 50)], ids=str)
def test_start_weights_compute_as_restated(
    weights: dict[str, Tensor], output_stride: int, size: tuple[int, int]
) -> None:
    network = MobileDepth(output_stride=output_stride).eval()
    wanted = {key: value for key, value in weights.items() if not key.startswith("head.")}
    network.encoder.load_state_dict(wanted, strict=True)  # every key of the file, and no other
    image = make_image(size)
    with torch.no_grad():
        found = network.encode(image)
        expected = restated_encoder(image, wanted, output_stride)
    for name, index in TAPS.items():
        assert found[name].shape[1] == CHANNELS[index]
        torch.testing.assert_close(found[name], expected[index], rtol=1e-3, atol=1e-4)
        assert found[name].std() > 0.05  # weights that mean something


def test_start_weights_are_read_exactly(weights: dict[str, Tensor]) -> None:
    encoder = MobileNetV2Encoder()
    encoder.load_state_dict({key: value for key, value in weights.items() if not key.startswith("head.")})
    for key, value in encoder.state_dict().items():
        assert torch.equal(value, weights[key]), key


@pytest.mark.parametrize("output_stride", [16, 32])
def test_random_encoder_agrees_with_its_restatement(output_stride: int) -> None:
    """The same without the files, so that it also runs where the data is absent."""
    torch.manual_seed(0)
    network = MobileDepth(output_stride=output_stride).eval()
    weights = {key: value.detach() for key, value in network.encoder.state_dict().items()}
    image = make_image((65, 48), batch=2)
    with torch.no_grad():
        found = network.encode(image)
    expected = restated_encoder(image, weights, output_stride)
    for name, index in TAPS.items():
        torch.testing.assert_close(found[name], expected[index], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("output_stride", "top"), [(16, (14, 20)), (32, (7, 10))])
def test_output_stride(output_stride: int, top: tuple[int, int]) -> None:
    with torch.no_grad():
        features = MobileDepth(output_stride=output_stride).eval().features(make_image((224, 320)))
    assert features["encoder_2"].shape == (1, 16, 112, 160)
    assert features["encoder_4"].shape == (1, 24, 56, 80)
    assert features["encoder_8"].shape == (1, 32, 28, 40)
    assert features["encoder_16"].shape == (1, 96, 14, 20)
    assert features["encoder_top"].shape == (1, 320, *top)
    assert features["log_depth"].shape == (1, 1, 224, 320)


def test_bad_output_stride() -> None:
    with pytest.raises(ConfigError, match="output_stride 8: choose 16 or 32"):
        MobileDepth(output_stride=8)


@pytest.mark.parametrize("height", [1, 2, 7, 8, 9])
@pytest.mark.parametrize("width", [1, 2, 5, 6])
@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 2, 1), (3, 1, 1), (3, 1, 2), (1, 1, 1)])
def test_same_padding(height: int, width: int, kernel: int, stride: int, dilation: int) -> None:
    convolution = Conv2dSame(4, 4, kernel, stride, dilation=dilation, groups=4)
    x = torch.randn(1, 4, height, width)
    with torch.no_grad():
        found = convolution(x)
        expected = same_convolution(x, convolution.weight, convolution.bias, stride, dilation, groups=4)
    assert found.shape[2:] == (math.ceil(height / stride), math.ceil(width / stride))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("height", "width"), [(12, 16), (7, 9), (1, 2), (5, 4)])
def test_dilated_depthwise_trains_as_it_predicts(height: int, width: int) -> None:
    convolution = Conv2dSame(6, 6, 3, 1, dilation=2, groups=6)
    x = torch.randn(2, 6, height, width, requires_grad=True)
    upstream = torch.randn(2, 6, height, width)
    results = []
    for training in (False, True):
        y = convolution.train(training)(x)
        results.append((y, *torch.autograd.grad((y * upstream).sum(), [x, *convolution.parameters()])))
    for plain, by_phases in zip(*results):
        torch.testing.assert_close(by_phases, plain, rtol=1e-5, atol=1e-5)


def test_relu6_caps_the_expanded_features() -> None:
    """A huge stem bias is cut to 6 before the first block: the shortcutless block 0 then sees sixes only."""
    network = MobileDepth().eval()
    weights = network.encoder.state_dict()
    for key in ("stem.bias", "blocks.0.depthwise.bias"):
        weights[key] = torch.full_like(weights[key], 1e6)
    network.encoder.load_state_dict(weights)
    with torch.no_grad():
        found = network.encode(make_image((32, 32)))["encoder_2"]
    expected = 6 * weights["blocks.0.project.weight"].sum(1).view(1, -1, 1, 1) + weights["blocks.0.project.bias"].view(
        1, -1, 1, 1
    )
    torch.testing.assert_close(found, expected.expand_as(found), rtol=1e-4, atol=1e-4)


def test_input_range_is_minus_one_to_one() -> None:
    image = make_image((8, 8))
    torch.testing.assert_close(MobileDepth().normalise(image), image * 2 - 1)
