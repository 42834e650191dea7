"""``backbone:NAME``: the U-Net decoder of ``mobile`` on any backbone of transformers.

Two kinds of backbones are known. A *pyramid* (ResNet, ConvNeXt, Swin, PVT ...: its configuration has ``depths``)
gives a map for each stride; its stages are the skips. A *plain* vision transformer (DINOv2 ...) gives maps of one
stride, the side of its patch; four of its blocks in even steps become a pyramid in :class:`PatchPyramid`.

Any size goes in. The picture is continued at the right and below to a multiple of the deepest stride by repeating its
edge, so that every level covers exactly the same area, and the result is cut back. Nothing is stretched: the scale of
the picture is what depth in metres rests on. A patch of 14 pixels is laid over 16 pixels of the picture by a fixed
reduction, for levels of the strides 4, 8, 16 and 32 as in every other network.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from depthnet.errors import ConfigError
from depthnet.networks.blocks import resize_to
from depthnet.networks.decoder import SkipDecoderNetwork
from depthnet.networks.hub import image_processor_settings, import_transformers, reading_checkpoint

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PROBE = 64  # pixels a side of the picture that shows what a backbone gives
DETAIL = 16  # channels of the level at stride 2, where the backbone has none
PRETRAINED_LR = 0.05  # of the decoder's learning rate, unless the run gives the encoder one of its own
#: Channels of the decoder's levels by default.
WIDTHS = {"encoder_2": 24, "encoder_4": 48, "encoder_8": 64, "encoder_16": 128, "encoder_32": 256}
#: Parts of a configuration that say nothing about the network.
NOT_STORED = ("id2label", "label2id", "_name_or_path", "architectures", "transformers_version", "torch_dtype", "dtype")

_log = logging.getLogger(__name__)


class BackboneDepth(SkipDecoderNetwork):
    """A transformers backbone with the decoder of ``mobile``.

    Pretrained weights come with NAME; by default they are trained at a twentieth of the decoder's learning rate. A
    model file holds the configuration as ``config``, ``mean`` and ``std`` of its network options, and so needs neither
    the checkpoint nor the internet. ONNX export takes every backbone whose operators ONNX has: not DINOv2 with
    registers, which smooths its position embeddings as it resizes them.

    Args:
        name: a checkpoint of the hub (downloaded when it was not before) or a local folder with ``config.json`` and,
            for a pretrained start, weights. Not read when ``config`` is given.
        config: configuration of the backbone as transformers writes it; the start is random then.
        mean: mean of the training images in [0, 1]; by default what the checkpoint says, else ImageNet's.
        std: their standard deviation, likewise.
        pretrained: False builds the backbone of NAME with random weights.
        decoder: channels of the decoder from deep to shallow: strides 32, 16, 8, 4 and 2 for most backbones; by default
            256, 128, 64, 48 and 24.
        log_depth_bias: start value of the output, natural log metres; about the mean of indoor scenes.

    Raises:
        ConfigError: if the backbone is of no known kind, or ``decoder`` has another number of levels.
        InputError: if the checkpoint cannot be read.
        MissingTierError: without transformers.
    """

    def __init__(
        self,
        name: str,
        config: dict[str, Any] | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        pretrained: bool = True,
        decoder: Sequence[int] | None = None,
        log_depth_bias: float = 0.85,
    ) -> None:
        if config is None:
            encoder, normalisation = _read_checkpoint(name, pretrained)
        else:
            encoder, normalisation = _build_backbone(name, config), (IMAGENET_MEAN, IMAGENET_STD)
        mean, std = _channels(mean or normalisation[0]), _channels(std or normalisation[1])
        super().__init__(mean, std)
        self.file_options = {"config": _stored(encoder.config), "mean": list(mean), "std": list(std)}
        if config is None and pretrained:
            self.lr_factors = {"encoder": PRETRAINED_LR}
        self.encoder = encoder
        self.patch = None if _is_pyramid(encoder.config) else _patch_side(encoder.config)
        maps = self._probe(name)
        if self.patch is None:
            self.stage_levels = [f"encoder_{PROBE // x.shape[-1]}" for x in maps]
            channels = {level: x.shape[1] for level, x in zip(self.stage_levels, maps)}
        else:
            self.neck = PatchPyramid(maps[0].shape[1], _nominal_stride(self.patch))
            channels = self.neck.channels
        self.multiple = max(int(level.rpartition("_")[2]) for level in channels)
        # Backbones start at stride 4: a convolution of the picture itself gives the decoder its finest level.
        self.detail = None
        if "encoder_2" not in channels:
            channels = {"encoder_2": DETAIL, **channels}
            self.detail = nn.Sequential(
                nn.Conv2d(3, DETAIL, 3, 2, padding=1, bias=False), nn.BatchNorm2d(DETAIL), nn.ReLU()
            )
        if decoder is None:
            decoder = [WIDTHS.get(level, WIDTHS["encoder_32"]) for level in reversed(channels)]
        if len(decoder) != len(channels):
            raise ConfigError(f"decoder {list(decoder)}: {name} has {len(channels)} levels ({', '.join(channels)}).")
        self.add_decoder(channels, decoder, log_depth_bias)
        self.train()  # a checkpoint is read in evaluation mode

    def _maps(self, image: Tensor) -> list[Tensor]:
        """The backbone's own maps of a normalised picture whose sides are multiples of the deepest stride."""
        if self.patch is not None:
            stride = _nominal_stride(self.patch)
            height, width = image.shape[-2:]
            image = resize_to(image, (height // stride * self.patch, width // stride * self.patch))
        with _windows_of_any_size(self.encoder) if torch.onnx.is_in_onnx_export() else nullcontext():
            maps = list(self.encoder(image).feature_maps)
        return maps if self.patch is None else [maps[i * len(maps) // 4] for i in range(4)]

    def _probe(self, name: str) -> list[Tensor]:
        """Maps of an empty picture; parameters that they do not depend on (a mask token ...) are not trained."""
        self.encoder.eval()
        try:
            with torch.enable_grad():
                maps = self._maps(torch.zeros(1, 3, PROBE, PROBE))
        except (RuntimeError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split())[:120]
            raise ConfigError(f"{name}: does not run on {PROBE}x{PROBE} pixels ({reason}); choose another.") from error
        if any(x.ndim != 4 or PROBE % x.shape[-1] for x in maps) and self.patch is None:
            shapes = [tuple(x.shape) for x in maps]
            raise ConfigError(f"{name}: maps {shapes} of {PROBE}x{PROBE} pixels; expected strides 2, 4, 8 ...")
        used = _leaves(maps)
        for parameter in self.encoder.parameters():
            parameter.requires_grad_(id(parameter) in used)
        return maps

    def _frame(self, height: int, width: int) -> tuple[int, int]:
        """Size of the continued picture; written for ONNX, whose division of integers does not round down below 0."""
        step = self.multiple
        return (height + step - 1) // step * step, (width + step - 1) // step * step

    def encode(self, image: Tensor) -> dict[str, Tensor]:
        x = self.normalise(image)
        height, width = self._frame(image.shape[-2], image.shape[-1])
        x = F.pad(x, (0, width - image.shape[-1], 0, height - image.shape[-2]), mode="replicate")
        features = {} if self.detail is None else {"encoder_2": self.detail(x)}
        maps = self._maps(x)
        return {**features, **(dict(zip(self.stage_levels, maps)) if self.patch is None else self.neck(maps))}

    def decode(self, features: dict[str, Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        decoded = super().decode(features, self._frame(*size))
        decoded["log_depth"] = decoded["log_depth"][..., : size[0], : size[1]]
        return decoded

    def features(self, image: Tensor) -> dict[str, Tensor]:
        """As in the base class; the levels of :meth:`encode` go on beyond the picture, these are cut to it."""
        levels = super().features(image)
        for name, x in levels.items():
            if name != "log_depth":
                height, width = (-(-n // int(name.rpartition("_")[2])) for n in image.shape[-2:])
                levels[name] = x[..., :height, :width]
        return levels

    def freeze_encoder(self, blocks: int) -> None:
        """Keep the stem and the first ``blocks`` blocks: transformer blocks of a plain backbone, stages of a pyramid.

        Raises:
            ConfigError: if there are not so many.
        """
        lists = [module for module in self.encoder.modules() if isinstance(module, nn.ModuleList)]
        count = len(lists[0]) if lists else 0
        if not 0 <= blocks <= count:
            raise ConfigError(f"freeze_encoder_blocks {blocks}: the backbone has {count} blocks.")
        if blocks:
            parameters = list(self.encoder.parameters())
            kept = {id(parameter) for parameter in lists[0][blocks - 1].parameters()}
            last = max(index for index, parameter in enumerate(parameters) if id(parameter) in kept)
            for parameter in parameters[: last + 1]:
                parameter.requires_grad_(False)
            self.train(self.training)

    def train(self, mode: bool = True) -> BackboneDepth:
        """As in PyTorch; the statistics of frozen batch norms stay as they are."""
        super().train(mode)
        for module in self.encoder.modules():
            if isinstance(module, nn.BatchNorm2d) and not module.weight.requires_grad:
                module.eval()
        return self


class PatchPyramid(nn.Module):
    """Four maps of a plain transformer, all at one stride, as levels at 1/4, 1/2, 1 and 2 times that stride.

    Source: Ranftl et al., Vision Transformers for Dense Prediction, ICCV 2021, section 3 ("reassemble").
    """

    def __init__(self, inputs: int, stride: int) -> None:
        super().__init__()
        widths = [max(1, inputs // 8), max(1, inputs // 4), max(1, inputs // 2), inputs]
        strides = [stride // 4, stride // 2, stride, stride * 2]
        self.channels = {f"encoder_{stride}": width for stride, width in zip(strides, widths)}
        self.project = nn.ModuleList(nn.Conv2d(inputs, width, 1) for width in widths)
        self.resample = nn.ModuleList(
            [
                nn.ConvTranspose2d(widths[0], widths[0], 4, 4),
                nn.ConvTranspose2d(widths[1], widths[1], 2, 2),
                nn.Identity(),
                nn.Conv2d(widths[3], widths[3], 3, 2, padding=1),
            ]
        )

    def forward(self, maps: list[Tensor]) -> dict[str, Tensor]:
        levels = (resample(project(x)) for project, resample, x in zip(self.project, self.resample, maps))
        return dict(zip(self.channels, levels))


def _read_checkpoint(name: str, pretrained: bool) -> tuple[nn.Module, tuple[Sequence[float], Sequence[float]]]:
    """The backbone of a checkpoint, and mean and std of the images that it was trained on."""
    with reading_checkpoint(name) as transformers:
        config = transformers.AutoConfig.from_pretrained(name)
        _choose_stages(config, name)
        settings = image_processor_settings(transformers, name)
        if not pretrained:
            encoder = transformers.AutoBackbone.from_config(config)
        else:
            # AutoBackbone itself looks every name up on the hub, that of a local folder too.
            backbone = transformers.MODEL_FOR_BACKBONE_MAPPING[type(config)]
            encoder = backbone.from_pretrained(name, config=config).float()
    if not settings.get("image_mean"):
        _log.warning("%s: says nothing about its images; they are normalised as ImageNet's", name)
    return encoder, (settings.get("image_mean") or IMAGENET_MEAN, settings.get("image_std") or IMAGENET_STD)


def _build_backbone(name: str, config: dict[str, Any]) -> nn.Module:
    """A backbone with random weights from its configuration as plain values."""
    transformers = import_transformers(f"backbone:{name}")
    values = dict(config)
    try:
        built = transformers.AutoConfig.for_model(values.pop("model_type"), **values)
        _choose_stages(built, name)
        encoder: nn.Module = transformers.AutoBackbone.from_config(built)
    except (KeyError, ValueError, TypeError, ImportError) as error:
        if isinstance(error, ConfigError):
            raise
        reason = " ".join(str(error).split())[:120]
        raise ConfigError(f"backbone:{name}: transformers cannot build its config ({reason}).") from error
    return encoder


def _choose_stages(config: Any, name: str) -> None:
    """Ask for the maps that become levels: every stage of a pyramid, four blocks in even steps of a plain backbone."""
    stages = [stage for stage in getattr(config, "stage_names", None) or [] if stage != "stem"]
    if not stages:
        raise ConfigError(
            f"{name}: {config.model_type} is no backbone of transformers; choose a ResNet, ConvNeXt, Swin, DINOv2 ..., "
            "or --network mobile for MobileNetV2."
        )
    if not _is_pyramid(config):
        config.reshape_hidden_states = True
        stages = list(dict.fromkeys(stages[math.ceil(len(stages) * k / 4) - 1] for k in range(1, 5)))
    config.out_features = stages


def _channels(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) != 3:
        raise ConfigError(f"mean or std {list(values)}: expected three numbers, for red, green and blue.")
    return float(values[0]), float(values[1]), float(values[2])


def _is_pyramid(config: Any) -> bool:
    return hasattr(config, "depths")


def _patch_side(config: Any) -> int:
    side = getattr(config, "patch_size", None)
    if isinstance(side, Sequence):
        side = side[0] if len(set(side)) == 1 else None
    if not isinstance(side, int) or side < 4:
        raise ConfigError(f"{config.model_type}: neither stages (depths) nor square patches; choose another backbone.")
    return side


def _nominal_stride(patch: int) -> int:
    """The power of two that a patch is laid over: 16 for 14 and 16."""
    return int(2 ** round(math.log2(patch)))


def _stored(config: Any) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(config.to_json_string(use_diff=False))
    return {key: value for key, value in values.items() if key not in NOT_STORED}


def _leaves(outputs: list[Tensor]) -> set[int]:
    """Identities of the parameters that ``outputs`` depend on, from the graph that autograd has made."""
    seen, waiting = set(), [output.grad_fn for output in outputs]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting.extend(following for following, _ in node.next_functions)
    return {id(node.variable) for node in seen if hasattr(node, "variable")}


@contextmanager
def _windows_of_any_size(encoder: nn.Module) -> Iterator[None]:
    """Let Swin always cut back what it has padded to whole windows; a trace would fix that choice for one size."""
    padded = [module for module in encoder.modules() if hasattr(module, "maybe_pad") and hasattr(module, "window_size")]

    def pad_and_cut(pad: Any, x: Tensor, height: int, width: int) -> tuple[Tensor, tuple[int, ...]]:
        return pad(x, height, width)[0], (0, 0, 0, 1, 0, 1)

    for module in padded:
        module.maybe_pad = partial(pad_and_cut, module.maybe_pad)  # type: ignore[assignment]
    try:
        yield
    finally:
        for module in padded:
            del module.maybe_pad
