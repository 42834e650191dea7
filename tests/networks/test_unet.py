"""``unet``: the layers of the original, one by one (ORIGINAL.md, "The network")."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from depthnet.errors import ConfigError, ShapeError
from depthnet.networks.blocks import Bottleneck
from depthnet.networks.unet import FIXED_SKIP_FACTORS, UNetDepth, Upsample2x

# Channels and size at 224x320: what the experiment file gives.
LEVELS = {
    "encoder_2": (64, 112, 160),
    "encoder_4": (128, 56, 80),
    "encoder_8": (256, 28, 40),
    "encoder_16": (512, 14, 20),
    "encoder_32": (1024, 7, 10),
    "decoder_32": (512, 7, 10),
    "decoder_16": (64, 14, 20),
    "decoder_8": (32, 28, 40),
    "decoder_4": (16, 56, 80),
    "decoder_2": (1, 112, 160),
    "log_depth": (1, 224, 320),
}
# Skip, its block, the fixed factor, the width that transposed convolution and skip share.
SKIPS = [
    ("encoder_16", "up_16", 0.1, 128),
    ("encoder_8", "up_8", 0.01, 64),
    ("encoder_4", "up_4", 0.001, 32),
    ("encoder_2", "up_2", 1e-6, 16),
]


@pytest.fixture(scope="module")
def network() -> UNetDepth:
    torch.manual_seed(0)
    return UNetDepth()


def make_image(batch: int = 1, size: tuple[int, int] = (64, 96)) -> Tensor:
    return torch.rand(batch, 3, *size, generator=torch.Generator().manual_seed(1))


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_every_level_at_224x320(network: UNetDepth) -> None:
    with torch.no_grad():
        features = network.eval().features(make_image(1, (224, 320)))
    assert {name: tuple(x.shape[1:]) for name, x in features.items()} == LEVELS


def test_parameters(network: UNetDepth) -> None:
    assert count(network) == 8_539_714
    learned = UNetDepth(skip_factors="learned")
    assert count(learned) == 8_539_714 + 4


def test_multiply_adds_at_224x320(network: UNetDepth) -> None:
    total = 0

    def add(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.ConvTranspose2d):  # every input pixel meets every weight
            total += inputs[0][0, 0].numel() * module.weight.numel()
        elif isinstance(module, nn.Conv2d):
            total += output[0, 0].numel() * module.weight.numel()

    hooks = [module.register_forward_hook(add) for module in network.modules()]
    with torch.no_grad():
        network.eval()(make_image(1, (224, 320)))
    for hook in hooks:
        hook.remove()
    assert total == 2_481_561_600  # the 2.5 G of ORIGINAL.md


def test_encoder_layers(network: UNetDepth) -> None:
    conv_1, norm_1 = network.encoder.conv_1
    assert isinstance(conv_1, nn.Conv2d)
    assert (conv_1.kernel_size, conv_1.stride, conv_1.padding, conv_1.out_channels) == ((7, 7), (2, 2), (3, 3), 64)
    assert isinstance(norm_1, nn.BatchNorm2d)
    pool = network.encoder.pool
    assert (pool.kernel_size, pool.stride, pool.padding, pool.ceil_mode) == (3, 2, 0, True)
    found = []
    for stage in network.encoder.stages:
        assert isinstance(stage, nn.Sequential)
        for index, block in enumerate(stage):
            assert isinstance(block, Bottleneck)
            reduce, middle, expand = (c for c in (block.reduce[0], block.conv[0], block.expand[0]))
            assert isinstance(reduce, nn.Conv2d)
            assert isinstance(middle, nn.Conv2d)
            assert isinstance(expand, nn.Conv2d)
            assert (reduce.kernel_size, middle.kernel_size, expand.kernel_size) == ((1, 1), (3, 3), (1, 1))
            assert middle.stride == expand.stride == (1, 1)  # the stride sits on the first 1x1
            assert (block.project is not None) == (index == 0)
            if block.project is not None:
                project = block.project[0]
                assert isinstance(project, nn.Conv2d)
                assert project.stride == reduce.stride
                found.append((len(stage), reduce.out_channels, middle.out_channels, expand.out_channels, reduce.stride))
            else:
                assert reduce.stride == (1, 1)
    assert found == [
        (3, 32, 32, 128, (1, 1)),
        (4, 64, 64, 256, (2, 2)),
        (6, 128, 128, 512, (2, 2)),
        (3, 256, 256, 1024, (2, 2)),
    ]


def test_biases_and_norms(network: UNetDepth) -> None:
    convolutions = {n: m for n, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)}
    assert all((module.bias is None) == name.startswith("encoder.") for name, module in convolutions.items())
    norms = [n for n, m in network.named_modules() if isinstance(m, nn.BatchNorm2d) and m.affine]
    assert len(norms) == sum(name.startswith("encoder.") for name in convolutions) == 53
    assert all(name.startswith("encoder.") for name in norms)
    assert not any(isinstance(m, nn.ReLU) for n, m in network.named_modules() if not n.startswith("encoder"))


def test_decoder_layers(network: UNetDepth) -> None:
    assert tuple(network.score.weight.shape) == (512, 1024, 1, 1)
    widths = [(512, 512, 128, 64), (64, 256, 64, 32), (32, 128, 32, 16), (16, 64, 16, 1)]
    for block, (inputs, skip, width, outputs) in zip(
        (network.up_16, network.up_8, network.up_4, network.up_2), widths, strict=True
    ):
        assert tuple(block.up.weight.shape) == (inputs, width, 4, 4)
        assert tuple(block.lateral.weight.shape) == (width, skip, 3, 3)
        assert tuple(block.conv.weight.shape) == (outputs, 2 * width, 3, 3)
    assert tuple(network.up_1.weight.shape) == (1, 1, 4, 4)


def test_bottleneck_adds_before_its_last_relu() -> None:
    """A block whose branch gives nothing hands on its (rectified) shortcut."""
    block = Bottleneck(128, 32, 128, 1, projected=False).eval()
    norm = block.expand[1]
    assert isinstance(norm, nn.BatchNorm2d)
    nn.init.zeros_(norm.weight)
    x = torch.randn(1, 128, 5, 5)
    with torch.no_grad():
        torch.testing.assert_close(block(x), F.relu(x))


def test_normalisation_is_the_original_one(network: UNetDepth) -> None:
    """RGB in [0, 1] becomes 0..255 with mean (104, 117, 123) of blue, green, red removed."""
    image = make_image()
    expected = image * 255 - torch.tensor([123.0, 117.0, 104.0]).view(1, 3, 1, 1)
    torch.testing.assert_close(network.normalise(image), expected, rtol=1e-4, atol=1e-4)


# --- the skips and their factors ---


def test_fixed_factors(network: UNetDepth) -> None:
    assert FIXED_SKIP_FACTORS == (0.1, 0.01, 0.001, 1e-6)
    torch.testing.assert_close(network.skip_factors, torch.tensor([factor for _, _, factor, _ in SKIPS]))
    assert "skip_factors" not in network.state_dict()
    assert "skip_factors" not in dict(network.named_parameters())


@pytest.mark.parametrize("index", range(4))
def test_effect_of_each_skip_is_its_factor(index: int) -> None:
    """The decoder is affine, so a skip's share of the output is its factor times the share of the bare skip."""
    torch.manual_seed(0)
    network = UNetDepth().double()
    skip, block, factor, _ = SKIPS[index]
    with torch.no_grad():
        network.get_submodule(block).lateral.bias.normal_()  # which the factor leaves alone
        features = network.train().encode(make_image(2).double())

        def decode(value: float) -> Tensor:
            network.skip_factors = torch.tensor(FIXED_SKIP_FACTORS, dtype=torch.float64)
            network.skip_factors[index] = value
            return network.decode(features, (64, 96))["log_depth"]

        off, bare, original = decode(0.0), decode(1.0), decode(factor)
        torch.testing.assert_close(original - off, factor * (bare - off), rtol=1e-6, atol=1e-12)
        assert (bare - off).abs().max() > 1e-3
        # Off is the same as a skip that holds nothing, whatever the factor is.
        features[skip] = torch.zeros_like(features[skip])
        torch.testing.assert_close(decode(factor), off, rtol=1e-12, atol=1e-12)


def test_learned_factors_start_at_one_and_learn() -> None:
    torch.manual_seed(0)
    network = UNetDepth(skip_factors="learned").train()
    assert isinstance(network.skip_factors, nn.Parameter)
    assert network.skip_factors.tolist() == [1.0] * 4
    network(make_image(2)).square().mean().backward()
    assert network.skip_factors.grad is not None
    assert (network.skip_factors.grad != 0).all()
    assert any(parameter is network.skip_factors for parameter in network.parameter_groups()["decoder"])


# --- sizes ---


@pytest.mark.parametrize(("height", "width"), [(14, 20), (13, 19), (15, 21), (13, 21)])
def test_upsampling_is_cut_to_the_skip(height: int, width: int) -> None:
    up = Upsample2x(3, 2)
    x = torch.randn(2, 3, 7, 10)
    plain = F.conv_transpose2d(x, up.weight, up.bias, stride=2, padding=1)  # 14 x 20
    with torch.no_grad():
        found = up(x, (height, width))
    assert found.shape == (2, 2, height, width)
    shared = (slice(None), slice(None), slice(min(height, 14)), slice(min(width, 20)))
    torch.testing.assert_close(found[shared], plain[shared].detach())


def test_last_upsampling_starts_bilinear(network: UNetDepth) -> None:
    """Away from the border, the start of the 1 -> 1 transposed convolution is a bilinear resize plus the bias."""
    x = torch.rand(1, 1, 6, 8)
    with torch.no_grad():
        found = UNetDepth(log_depth_bias=0.5).up_1(x, (12, 16))
    expected = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False) + 0.5
    torch.testing.assert_close(found[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1])


def test_smallest_image(network: UNetDepth) -> None:
    with torch.no_grad():
        assert network.eval()(make_image(1, (3, 5))).shape == (1, 1, 3, 5)
    with pytest.raises(ShapeError, match="at least 3"):
        network(make_image(1, (2, 64)))


# --- options ---


def test_output_scale_divides_the_last_layer() -> None:
    """Weights in the label units of the original (2.187076678 · ln depth) give natural log metres."""
    scale = 2.187076678
    torch.manual_seed(0)
    plain, scaled = UNetDepth().eval(), UNetDepth(output_scale=scale).eval()
    assert scaled.up_1.bias is not None
    assert scaled.up_1.bias.item() / scale == pytest.approx(0.85)
    scaled.load_state_dict(plain.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(scaled(make_image()) * scale, plain(make_image()))


def test_bad_options() -> None:
    with pytest.raises(ConfigError, match="'leraned' is unknown; choose fixed or learned"):
        UNetDepth(skip_factors="leraned")
    with pytest.raises(ConfigError, match="output_scale"):
        UNetDepth(output_scale=0.0)
