"""What one run of a network shows: levels, connections and costs."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from depthnet.config import DescribeConfig  # noqa: E402
from depthnet.describe import Description, describe_network, draw_svg  # noqa: E402
from depthnet.describe.trace import trace_network  # noqa: E402
from depthnet.networks import NETWORKS, build_network  # noqa: E402
from depthnet.networks.blocks import DepthNetwork  # noqa: E402


@pytest.fixture(scope="module")
def unet() -> Description:
    return describe_network("unet")


@pytest.fixture(scope="module")
def mobile() -> Description:
    return describe_network("mobile")


def trace(network: nn.Module, *shapes: tuple[int, ...]) -> Description:
    """Describe a network from inputs a, b ... on the meta device."""
    inputs = {name: torch.empty(1, *shape, device="meta") for name, shape in zip("ab", shapes)}
    return trace_network(network.eval().to("meta"), inputs, "test")


def test_unet_costs_what_it_is_known_to_cost(unet: Description) -> None:
    assert unet.inputs[0].shape == (3, 224, 320)
    assert unet.parameters == 8_539_714
    assert unet.multiply_adds == 2_481_561_600
    first = unet.blocks[0]
    # 7x7 from 3 to 64 channels at 112x160; scale and bias of the batch norm
    assert (first.name, first.parameters) == ("encoder_2", 7 * 7 * 3 * 64 + 2 * 64)
    assert first.multiply_adds == 7 * 7 * 3 * 64 * 112 * 160
    last = unet.blocks[-1]
    # a transposed convolution multiplies each pixel of its input by all 16 taps
    assert (last.name, last.parameters, last.multiply_adds) == ("log_depth", 17, 16 * 112 * 160)


def test_mobile_costs_what_it_is_known_to_cost(mobile: Description) -> None:
    assert mobile.inputs[0].shape == (3, 240, 320)
    assert mobile.parameters == 2_292_441
    assert mobile.multiply_adds == 1_361_397_760
    assert mobile.blocks[0].multiply_adds == (27 * 32 + 9 * 32 + 32 * 16) * 120 * 160


def test_the_skips_are_those_of_the_data(unet: Description, mobile: Description) -> None:
    skips = tuple((f"encoder_{stride}", f"decoder_{stride}") for stride in (16, 8, 4, 2))
    assert unet.skips == mobile.skips == skips
    assert [block.sources[-1] for block in unet.blocks] == ["image", *(block.name for block in unet.blocks[:-1])]


def test_blocks_say_what_they_are_made_of(unet: Description, mobile: Description) -> None:
    made = {block.name: block.summary for block in unet.blocks}
    assert made["encoder_2"] == "conv 7×7 /2"
    assert made["encoder_4"] == "max pool 3×3 /2, 3 × Bottleneck"
    assert made["decoder_16"] == "transposed conv 4×4 /2, 2 × conv 3×3"
    assert mobile.blocks[0].summary == "conv 3×3 /2, depthwise conv 3×3, conv 1×1"
    assert mobile.blocks[3].summary == "7 × InvertedResidual"


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_accounted_for(name: str) -> None:
    network = build_network(name)
    found = trace(network, (3, *network.input_size))
    assert {block.name: block.shape[0] for block in found.blocks} == network.feature_channels
    assert found.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert found.unused_parameters == 0
    assert found.multiply_adds == sum(block.multiply_adds for block in found.blocks) > 10**8
    names = [block.name for block in found.nodes]
    assert names[0] == "a"
    for index, block in enumerate(found.nodes):
        assert set(block.sources) <= set(names[:index])
        assert bool(block.sources) == (index > 0)
        assert block.parameters == sum(layer.parameters for layer in block.layers)
        assert block.multiply_adds == sum(layer.multiply_adds for layer in block.layers)
    read = {source for block in found.blocks for source in block.sources}
    assert set(names) - read == {"log_depth"}


def test_counts_agree_with_pytorchs_own_counter() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    network = build_network("mobile").eval().to("meta")
    image = torch.empty(1, 3, 50, 70, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(image)
    assert 2 * trace_network(network, {"image": image}, "").multiply_adds == counter.get_total_flops()


def test_learned_factors_belong_to_a_level_and_join_none() -> None:
    fixed = describe_network("unet", DescribeConfig(size=(64, 96)))
    learned = describe_network("unet", DescribeConfig(size=(64, 96), network_options={"skip_factors": "learned"}))
    assert learned.parameters == fixed.parameters + 4
    assert learned.unused_parameters == 0
    # the four factors are cut apart once, for the first level that takes one
    assert learned.skips == fixed.skips


def test_attention_is_counted() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.queries = nn.Linear(8, 8)

        def forward(self, a: Tensor) -> Tensor:
            heads = self.queries(a).unflatten(-1, (2, 4)).transpose(1, 2)
            return nn.functional.scaled_dot_product_attention(heads, heads, heads)

    found = trace(Attention(), (5, 8))
    assert found.multiply_adds == 5 * 8 * 8 + 2 * (5 * 5 * 8)
    assert [(block.name, block.sources) for block in found.blocks] == [("queries", ("a",)), ("output", ("queries",))]


class Twins(nn.Module):
    """One encoder, called for each of two pictures, and a head; one weight is never read."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True))
        self.head = nn.Linear(8, 6)
        self.idle = nn.Parameter(torch.zeros(5))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        both = torch.cat([self.encoder(a / 2), self.encoder(b - 1)], 1)
        result: Tensor = self.head(both.mean(dim=(2, 3)))
        return result


def test_any_module_is_described_by_its_children() -> None:
    found = trace(Twins(), (3, 6, 10), (3, 6, 10))
    sources = {block.name: block.sources for block in found.nodes}
    assert sources == {"a": (), "b": (), "encoder": ("a",), "encoder (2)": ("b",), "head": ("encoder", "encoder (2)")}
    first, second, head = found.blocks
    assert (first.parameters, second.parameters, head.parameters) == (112, 0, 54)
    assert first.multiply_adds == second.multiply_adds == 27 * 4 * 60
    assert (first.shape, head.shape, head.multiply_adds) == ((4, 6, 10), (6,), 48)
    assert (found.parameters, found.unused_parameters) == (171, 5)


class Shared(DepthNetwork):
    """A level that is a view of what the next one reads, and one that is written in place."""

    def __init__(self) -> None:
        super().__init__((0.5, 0.5, 0.5), (1.0, 1.0, 1.0))
        self.encoder = nn.Conv2d(3, 2, 1)
        self.last = nn.Conv2d(2, 1, 1)

    def encode(self, image: Tensor) -> dict[str, Tensor]:
        return {"encoder_1": self.encoder(self.normalise(image))}

    def decode(self, features: dict[str, Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        x = features["encoder_1"] * 2
        x[:, :1] *= self.last.weight.sum()  # changes x through a view of it
        log_depth = self.last(x)
        return {"decoder_1": x[..., : size[0], : size[1]], "log_depth": log_depth}


def test_views_and_changes_in_place_are_followed() -> None:
    found = trace(Shared(), (3, 4, 6))
    sources = {block.name: block.sources for block in found.blocks}
    assert sources == {"encoder_1": ("a",), "decoder_1": ("encoder_1",), "log_depth": ("decoder_1",)}
    # the weight is first read by the change in place
    assert [block.parameters for block in found.blocks] == [8, 2, 1]


def test_the_committed_picture_shows_the_network_as_it_is(project: Path, unet: Description) -> None:
    picture = (project / "docs" / "pictures" / "unet.svg").read_text(encoding="utf-8")
    assert picture == draw_svg(unet), "draw it again: depthnet describe unet --out docs/pictures/unet.svg"
