"""Pretrained encoders: features equal those of the program that the weights come from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from depthnet.errors import InputError, MissingTierError
from depthnet.networks import build_network
from depthnet.networks.mobile import TAPS, MobileDepth, MobileNetV2Encoder
from depthnet.training.start_weights import load_encoder, mobilenet_from_transformers

pytestmark = pytest.mark.usefixtures("one_thread")


# --- transformers -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    """A random MobileNetV2 of transformers and the folder in which it is saved."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    model = transformers.MobileNetV2Model(transformers.MobileNetV2Config(image_size=64), add_pooling_layer=False)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):  # statistics that a wrong fold would not survive
                module.running_mean.normal_(std=0.3)
                module.running_var.uniform_(0.3, 3.0)
                module.weight.uniform_(0.7, 1.5)
                module.bias.normal_(std=0.3)
            elif isinstance(module, torch.nn.Conv2d):  # its own start weights of 0.02 would die out on the way
                torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    folder = tmp_path_factory.mktemp("mobilenet_v2")
    model.eval().save_pretrained(folder)
    return model, str(folder)


@pytest.mark.parametrize("size", [(64, 96), (47, 33), (50, 37)], ids=str)
def test_features_are_those_of_transformers(size: tuple[int, int], peer: tuple[Any, str]) -> None:
    model, folder = peer
    encoder = MobileNetV2Encoder(output_stride=32).eval()
    encoder.load_state_dict(mobilenet_from_transformers(folder))
    image = torch.rand(2, 3, *size) * 2 - 1
    with torch.no_grad():
        found = encoder(image)
        blocks = [model.conv_stem(image), *model(image, output_hidden_states=True).hidden_states]
    assert len(blocks) == 17
    for index, name in TAPS.items():
        expected = blocks[index]
        assert expected.std() > 0.05, name
        torch.testing.assert_close(found[name] / expected.std(), expected / expected.std(), rtol=1e-4, atol=1e-4)


def test_a_transformers_folder_goes_into_the_network(peer: tuple[Any, str]) -> None:
    torch.manual_seed(1)
    network = build_network("mobile")
    start = {name: value.clone() for name, value in network.state_dict().items()}
    load_encoder(network, f"hf:{peer[1]}")
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, start[name])}
    assert changed == {f"encoder.{name}" for name in network.encoder.state_dict()}


def test_another_width_does_not_fit(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    narrow = transformers.MobileNetV2Config(depth_multiplier=0.35, image_size=32)
    transformers.MobileNetV2Model(narrow, add_pooling_layer=False).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"does not fit the encoder of mobile at .* tensors in all"):
        load_encoder(build_network("mobile"), f"hf:{tmp_path}")


def test_a_folder_without_a_model_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    with pytest.raises(InputError, match="without internet") as caught:
        load_encoder(build_network("mobile"), f"hf:{tmp_path}")
    assert "\n" not in str(caught.value)


def test_without_transformers_the_tier_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingTierError, match=r'pip install "depthnet\[hf\]"'):
        load_encoder(build_network("mobile"), "hf:google/mobilenet_v2_1.0_224")


# --- files ------------------------------------------------------------------------------------------------


@pytest.fixture
def encoder_file(tmp_path: Path) -> Path:
    torch.manual_seed(2)
    path = tmp_path / "encoder.safetensors"
    save_file(MobileNetV2Encoder().state_dict(), path)
    return path


def change(path: Path, **tensors: torch.Tensor | None) -> str:
    """Replace tensors of a file by name, "__" for a dot; None removes one."""
    named = {name.replace("__", "."): value for name, value in tensors.items()}
    state = {**load_file(path), **named}
    save_file({name: value for name, value in state.items() if value is not None}, path)
    return str(path)


@pytest.mark.parametrize("output_stride", [16, 32])
def test_a_file_fills_the_encoder(output_stride: int, encoder_file: Path) -> None:
    network = build_network("mobile", {"output_stride": output_stride})
    assert isinstance(network, MobileDepth)
    load_encoder(network, str(encoder_file))
    for name, value in load_file(encoder_file).items():
        assert torch.equal(network.encoder.state_dict()[name], value), name


def test_a_classification_head_is_left_out_and_half_weights_are_widened(encoder_file: Path) -> None:
    network = build_network("mobile")
    half = load_file(encoder_file)["stem.weight"].half()
    load_encoder(network, change(encoder_file, head__weight=torch.zeros(10, 1280), stem__weight=half))
    assert isinstance(network, MobileDepth)
    assert torch.equal(network.encoder.stem.weight, half.float())


@pytest.mark.parametrize(
    ("tensors", "named"),
    [
        ({"blocks__3__expand__bias": None}, r"blocks\.3\.expand\.bias \(1 tensors"),
        ({"surplus": torch.zeros(1)}, r"surplus \(1 tensors"),
        ({"stem__weight": torch.zeros(16, 3, 3, 3)}, r"stem\.weight \(1 tensors"),
    ],
)
def test_a_tensor_too_few_too_many_or_of_another_shape(
    tensors: dict[str, torch.Tensor | None], named: str, encoder_file: Path
) -> None:
    network = build_network("mobile")
    start = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(InputError, match=rf"encoder\.safetensors: does not fit the encoder of mobile at {named}"):
        load_encoder(network, change(encoder_file, **tensors))
    assert all(torch.equal(value, start[name]) for name, value in network.state_dict().items())


def test_files_that_cannot_be_read(encoder_file: Path, tmp_path: Path) -> None:
    network = build_network("mobile")
    with pytest.raises(InputError, match=r"absent\.safetensors: no such file"):
        load_encoder(network, str(tmp_path / "absent.safetensors"))
    with pytest.raises(InputError, match="no such file"):
        load_encoder(network, str(tmp_path))
    encoder_file.write_bytes(encoder_file.read_bytes()[:-1000])
    with pytest.raises(InputError, match=r"encoder\.safetensors: not a whole safetensors file"):
        load_encoder(network, str(encoder_file))
    encoder_file.write_bytes(b"\x89PNG")
    with pytest.raises(InputError, match=r"encoder\.safetensors: not a whole safetensors file"):
        load_encoder(network, str(encoder_file))


def test_a_network_without_such_an_encoder(encoder_file: Path) -> None:
    with pytest.raises(InputError, match="start weights are for --network mobile"):
        load_encoder(build_network("unet"), str(encoder_file))


@pytest.mark.parametrize("name", ["mobilenet_v2_imagenet", "mobilenet_v2_deeplab_pascal"])
def test_the_real_files_fit(name: str, shared_data: Path) -> None:
    path = shared_data / "weights" / f"{name}.safetensors"
    network = build_network("mobile")
    assert isinstance(network, MobileDepth)
    load_encoder(network, str(path))
    stored = load_file(path)
    for key, value in network.encoder.state_dict().items():
        assert torch.equal(value, stored[key].float()), key
    with torch.no_grad():
        top = network.features(torch.rand(1, 3, 64, 96))["encoder_top"]
    assert torch.isfinite(top).all()
    assert 0.1 < top.std() < 10
