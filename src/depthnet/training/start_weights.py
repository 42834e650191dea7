"""Networks at their start weights: random, a pretrained encoder from a file or transformers, or a whole model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from depthnet.checkpoint import HUB_PREFIX, load_network, load_pose_network, load_weights, resolve_weights
from depthnet.config import TrainConfig
from depthnet.errors import InputError
from depthnet.networks import build_network
from depthnet.networks.blocks import DepthNetwork, Network
from depthnet.networks.hub import reading_checkpoint
from depthnet.networks.mobile import BLOCKS, MobileDepth
from depthnet.networks.pose import PoseNetwork


def build_depth_network(config: TrainConfig) -> DepthNetwork:
    """The depth network of a run: random weights, then the encoder's file, or a whole model (``--init``)."""
    network = build_network(config.network, config.network_options)
    if config.encoder_weights is not None:
        load_encoder(network, config.encoder_weights)
    if config.init is not None:
        path = resolve_weights(config.init)
        start, info = load_network(path)
        _start_from(network, config.network, start, info.network, path)
    return network


def start_pose_from(network: PoseNetwork, name: str, model: str) -> None:
    """Give the pose network called ``name`` the weights of a model of motion (``--init``)."""
    path = resolve_weights(model, task="pose")
    start, info = load_pose_network(path)
    _start_from(network, name, start, info.network, path)


def _start_from(network: Network, name: str, start: Network, held: str, path: Path) -> None:
    if held != name:
        raise InputError(f"{path}: holds {held}, not {name}; choose --network {held}.")
    load_weights(network, start.state_dict(), path)


def load_encoder(network: DepthNetwork, source: str) -> None:
    """Load the encoder of ``mobile`` from ``source``; every tensor of the encoder must be there.

    Args:
        network: the network; only ``mobile`` has pretrained encoders.
        source: a .safetensors file with keys ``stem`` and ``blocks.N.{expand,depthwise,project}`` (a
            classification ``head`` is left out), or ``hf:NAME`` for a transformers MobileNetV2 by name or folder.

    Raises:
        InputError: if the weights do not fit the encoder.
    """
    if not isinstance(network, MobileDepth):
        raise InputError(
            f"{source}: start weights are for --network mobile (backbone:NAME brings its own); "
            "leave out --encoder-weights."
        )
    if source.startswith(HUB_PREFIX):
        state = mobilenet_from_transformers(source.removeprefix(HUB_PREFIX))
    else:
        state = _read_file(Path(source))
    encoder = network.encoder
    wanted = encoder.state_dict()
    state = {name: value.float() for name, value in state.items() if not name.startswith("head.")}
    wrong = sorted(wanted.keys() ^ state.keys()) or [n for n in wanted if wanted[n].shape != state[n].shape]
    if wrong:
        raise InputError(
            f"{source}: does not fit the encoder of mobile at {wrong[0]} ({len(wrong)} tensors in all); "
            "pass MobileNetV2 1.0 weights, or a whole model to --init."
        )
    encoder.load_state_dict(state)


def _read_file(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise InputError(f"{path}: no such file; pass a .safetensors file or hf:google/mobilenet_v2_1.0_224.")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path}: not a whole safetensors file ({error}); copy it again.") from error


def mobilenet_from_transformers(name: str) -> dict[str, Tensor]:
    """Weights of a transformers ``MobileNetV2Model``, batch norm folded into weight and bias.

    Args:
        name: a name on the hub (downloads it) or a local folder.

    Returns:
        Tensors under the keys of :class:`depthnet.networks.mobile.MobileNetV2Encoder`.
    """
    with reading_checkpoint(name) as transformers:
        model: Any = transformers.MobileNetV2Model.from_pretrained(name, add_pooling_layer=False)
    stem = model.conv_stem
    layers: dict[str, Any] = {
        "stem": stem.first_conv, "blocks.0.depthwise": stem.conv_3x3, "blocks.0.project": stem.reduce_1x1
    }  # fmt: skip
    for index, layer in enumerate(list(model.layer)[: len(BLOCKS) - 1], start=1):
        layers[f"blocks.{index}.expand"] = layer.expand_1x1
        layers[f"blocks.{index}.depthwise"] = layer.conv_3x3
        layers[f"blocks.{index}.project"] = layer.reduce_1x1
    state = {}
    for key, layer in layers.items():
        state[f"{key}.weight"], state[f"{key}.bias"] = _fold(layer.convolution, layer.normalization)
    return state


@torch.no_grad()
def _fold(convolution: torch.nn.Conv2d, norm: torch.nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias of one convolution that equals convolution then batch norm in evaluation mode."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    bias = norm.bias - norm.running_mean * scale
    if convolution.bias is not None:
        bias = bias + convolution.bias * scale
    return (convolution.weight * scale.view(-1, 1, 1, 1)).clone(), bias.clone()
