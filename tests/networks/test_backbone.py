"""``backbone:NAME`` beyond the common contract: checkpoints in, model files out, levels, freezing, errors."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from depthnet.checkpoint import ModelInfo, load_network, save_network
from depthnet.config import OptimConfig
from depthnet.errors import ConfigError, InputError, MissingTierError
from depthnet.networks import build_network
from depthnet.networks.backbone import IMAGENET_MEAN, BackboneDepth
from depthnet.onnx_file import write_onnx
from depthnet.training.optim import group_rates
from depthnet.training.start_weights import load_encoder

sys.path.insert(0, str(Path(__file__).parent))
from tiny_backbones import CONFIGS, options

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.usefixtures("one_thread")
every_kind = pytest.mark.parametrize("kind", CONFIGS)
WHOLE_MODELS = {
    "resnet": "ResNetForImageClassification", "convnext": "ConvNextModel", "swin": "SwinModel", "dinov2": "Dinov2Model"
}  # fmt: skip


def tiny(kind: str, **more: Any) -> BackboneDepth:
    torch.manual_seed(0)
    network = build_network("backbone:tiny", {**options(kind), **more})
    assert isinstance(network, BackboneDepth)
    with torch.no_grad():
        network.head.weight.mul_(10.0)  # starts quiet: let every pixel depend on the levels
    return network


def random_image(size: tuple[int, int], batch: int = 2) -> Tensor:
    return torch.rand(batch, 3, *size, generator=torch.Generator().manual_seed(1))


def make_info(network: BackboneDepth, size: tuple[int, int] = (64, 96)) -> ModelInfo:
    return ModelInfo("tiny", "backbone:tiny", {**options("resnet"), **network.file_options}, size, 40.0, 1e-3, 10.0)


def without_prefix(model: torch.nn.Module) -> dict[str, Tensor]:
    return {key.removeprefix("resnet.").removeprefix("swin."): value for key, value in model.state_dict().items()}


@pytest.fixture
def checkpoint(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, Path]:
    """A whole model as it lies on the hub, with a head or norms that the backbone has no use for, and its folder."""
    values = dict(CONFIGS[request.param])
    config = transformers.AutoConfig.for_model(values.pop("model_type"), **values)
    torch.manual_seed(5)
    model = getattr(transformers, WHOLE_MODELS[request.param])(config)
    model.save_pretrained(tmp_path / "checkpoint")
    return model, tmp_path / "checkpoint"


@pytest.mark.parametrize("checkpoint", CONFIGS, indirect=True)
def test_a_checkpoint_brings_its_weights_and_a_model_file_does_without_it(
    checkpoint: tuple[Any, Path], tmp_path: Path
) -> None:
    model, folder = checkpoint
    settings = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.6, 0.7]}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    network = build_network(f"backbone:{folder}", {"decoder": [16, 16, 8, 8, 8]})
    assert isinstance(network, BackboneDepth)
    assert group_rates(network, OptimConfig(lr=1e-3)) == pytest.approx({"encoder": 5e-5, "decoder": 1e-3})
    assert group_rates(network, OptimConfig(lr=1e-3, encoder_lr=2e-4))["encoder"] == 2e-4
    assert network.training
    assert all(module.training for module in network.modules())
    torch.testing.assert_close(network.mean.flatten(), torch.tensor(settings["image_mean"]))
    torch.testing.assert_close(network.std.flatten(), torch.tensor(settings["image_std"]))
    pretrained, found = without_prefix(model), without_prefix(network.encoder)
    assert {key for key in found if key not in pretrained} == {key for key in found if "hidden_states_norms" in key}
    for key in found.keys() & pretrained.keys():
        assert torch.equal(found[key], pretrained[key]), key

    image = random_image((33, 47))
    with torch.no_grad():
        expected = network.eval()(image)
    info = make_info(network)
    info.network = f"backbone:{folder}"
    save_network(tmp_path / "model.safetensors", network, info)
    shutil.rmtree(folder)
    again, _ = load_network(tmp_path / "model.safetensors")
    with torch.no_grad():
        torch.testing.assert_close(again(image), expected, rtol=0, atol=0)


@pytest.mark.parametrize("checkpoint", ["resnet"], indirect=True)
def test_a_folder_without_weights_or_image_settings(
    checkpoint: tuple[Any, Path], caplog: pytest.LogCaptureFixture
) -> None:
    model, folder = checkpoint
    (folder / "model.safetensors").unlink()
    network = build_network(f"backbone:{folder}", {"pretrained": False, "decoder": [16, 16, 8, 8, 8]})
    assert network.mean.flatten().tolist() == pytest.approx(IMAGENET_MEAN)
    assert "normalised as ImageNet's" in caplog.text
    start = model.state_dict()["resnet.embedder.embedder.convolution.weight"]
    assert not torch.equal(network.state_dict()["encoder.embedder.embedder.convolution.weight"], start)
    with pytest.raises(InputError, match="cannot read it") as caught:
        build_network(f"backbone:{folder}")
    assert "\n" not in str(caught.value)


@every_kind
def test_the_picture_goes_on_beyond_its_edge_without_a_change_of_scale(kind: str) -> None:
    network = tiny(kind).eval()
    image = random_image((50, 75))
    whole = F.pad(image, (0, 21, 0, 14), mode="replicate")  # 64 x 96
    with torch.no_grad():
        torch.testing.assert_close(network(image), network(whole)[..., :50, :75])


@every_kind
def test_pyramid_levels_are_the_backbone_s_own_maps(kind: str) -> None:
    network = tiny(kind).eval()
    image = random_image((64, 96))
    with torch.no_grad():
        features = network.encode(image)
        size = (56, 84) if kind == "dinov2" else (64, 96)
        small = F.interpolate(network.normalise(image), size=size, mode="bilinear", align_corners=False)
        maps = network.encoder(small).feature_maps
    assert list(features) == ["encoder_2", "encoder_4", "encoder_8", "encoder_16", "encoder_32"]
    for stride, x in zip((2, 4, 8, 16, 32), features.values()):
        assert x.shape[2:] == (64 // stride, 96 // stride)
    if kind == "dinov2":
        assert [tuple(x.shape) for x in maps] == [(2, 16, 4, 6)] * 4
        assert network.encoder.config.out_features == ["stage2", "stage3", "stage4", "stage5"]
        with torch.no_grad():
            torch.testing.assert_close(features["encoder_16"], network.neck.project[2](maps[2]))
    else:
        for x, expected in zip(list(features.values())[1:], maps, strict=True):
            torch.testing.assert_close(x, expected)


def test_two_blocks_serve_four_levels() -> None:
    config = {**CONFIGS["dinov2"], "num_hidden_layers": 2}
    network = tiny("dinov2", config=config)
    assert network.encoder.config.out_features == ["stage1", "stage2"]
    assert network.features(random_image((32, 32)))["log_depth"].shape == (2, 1, 32, 32)


@pytest.mark.parametrize(
    ("kind", "unused"),
    [
        ("resnet", []),
        ("convnext", []),
        ("swin", ["encoder.swin.layernorm."]),
        ("dinov2", ["encoder.embeddings.mask_token"]),
    ],
)
def test_what_the_maps_do_not_depend_on_is_not_trained(kind: str, unused: list[str]) -> None:
    fixed = [key for key, parameter in tiny(kind).named_parameters() if not parameter.requires_grad]
    assert all(any(key.startswith(prefix) for prefix in unused) for key in fixed)
    assert bool(fixed) == bool(unused)


@pytest.mark.parametrize(
    ("kind", "blocks", "kept", "trained"),
    [
        ("resnet", 2, ("embedder.", "encoder.stages.0.", "encoder.stages.1."), "encoder.stages.2."),
        ("convnext", 1, ("embeddings.", "encoder.stages.0."), "encoder.stages.1."),
        ("swin", 1, ("swin.embeddings.", "swin.encoder.layers.0."), "swin.encoder.layers.1."),
        ("dinov2", 3, ("embeddings.", "encoder.layer.0.", "encoder.layer.1.", "encoder.layer.2."), "encoder.layer.3."),
    ],
)
def test_frozen_blocks_stay_as_they_are(kind: str, blocks: int, kept: tuple[str, ...], trained: str) -> None:
    network = tiny(kind)
    network.freeze_encoder(blocks)
    start = {key: value.clone() for key, value in network.encoder.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    network.eval().train()
    network(random_image((32, 64))).square().mean().backward()
    optimizer.step()
    changed = {key for key, value in network.encoder.state_dict().items() if not torch.equal(value, start[key])}
    assert not any(key.startswith(kept) for key in changed)
    assert any(key.startswith(trained) for key in changed)
    with pytest.raises(ConfigError, match=r"freeze_encoder_blocks 9: the backbone has \d blocks"):
        network.freeze_encoder(9)


@every_kind
def test_an_onnx_file_of_any_size(kind: str, tmp_path: Path) -> None:
    """Traced at 96 x 96, where Swin's windows need no padding: other sizes need it."""
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    network = tiny(kind).eval()
    write_onnx(tmp_path / "model.onnx", network, make_info(network, (95, 93)), half=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    for batch, size in ((1, (33, 130)), (2, (64, 50))):
        image = random_image(size, batch)
        with torch.no_grad():
            expected = network(image).exp().clamp(1e-3, 10.0).numpy()
        (found,) = session.run(None, {"image": image.numpy()})
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_one_line_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="cannot read it") as caught:
        build_network(f"backbone:{tmp_path}")
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="vit is no backbone of transformers"):
        build_network("backbone:x", {"config": {"model_type": "vit"}})
    with pytest.raises(ConfigError, match="cannot build its config"):
        build_network("backbone:x", {"config": {"model_type": "no_such_model"}})
    with pytest.raises(ConfigError, match=r"decoder \[8, 8\]: tiny has 5 levels \(encoder_2, encoder_4"):
        tiny("resnet", decoder=[8, 8])
    with pytest.raises(ConfigError, match="backbone:NAME"):
        build_network("backbones:x")
    with pytest.raises(InputError, match="backbone:NAME brings its own"):
        load_encoder(tiny("resnet"), "hf:x")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingTierError, match=r'pip install "depthnet\[hf\]"'):
        build_network("backbone:x")
    with pytest.raises(MissingTierError, match=r'pip install "depthnet\[hf\]"'):
        tiny("resnet")
