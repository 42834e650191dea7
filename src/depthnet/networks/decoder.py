"""The light U-Net decoder of ``mobile`` and ``backbone:NAME``: it takes its sizes from the skips."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from depthnet.networks.blocks import DepthNetwork, resize_to


class UpBlock(nn.Module):
    """Resize to the skip, concatenate its 1x1 projection, 3x3 convolution with batch norm and ReLU."""

    def __init__(self, inputs: int, skip: int, outputs: int) -> None:
        super().__init__()
        lateral = min(skip, outputs)
        self.lateral = nn.Conv2d(skip, lateral, 1, bias=False)
        self.norm_lateral = nn.BatchNorm2d(lateral)
        self.conv = nn.Conv2d(inputs + lateral, outputs, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = resize_to(x, (skip.shape[-2], skip.shape[-1]))
        lateral = self.norm_lateral(self.lateral(skip))
        return F.relu(self.norm(self.conv(torch.cat([x, lateral], 1))))


class SkipDecoderNetwork(DepthNetwork):
    """A depth network whose decoder climbs from the deepest encoder level over all the others."""

    #: Names of the decoder's levels without the deepest, from deep to shallow: 16, 8, 4, 2.
    levels: tuple[str, ...]

    def add_decoder(self, encoder: dict[str, int], widths: Sequence[int], log_depth_bias: float) -> None:
        """Make the decoder's layers and name all features; to be called when the encoder is there.

        Args:
            encoder: channels of the encoder's levels by name (``encoder_2`` ...), from shallow to deep.
            widths: channels of the decoder's levels, from deep to shallow, as many as the encoder has.
            log_depth_bias: start value of the output, natural log metres.
        """
        names = [name.removeprefix("encoder_") for name in reversed(encoder)]
        skips = list(reversed(encoder.values()))
        self.levels = tuple(names[1:])
        decoder = {f"decoder_{name}": width for name, width in zip(names, widths, strict=True)}
        self.feature_channels = {**encoder, **decoder, "log_depth": 1}
        self.reduce = nn.Conv2d(skips[0], widths[0], 1, bias=False)
        self.norm_reduce = nn.BatchNorm2d(widths[0])
        # Metric scale is a property of the whole picture: every pixel also sees the image mean.
        self.context = nn.Conv2d(skips[0], widths[0], 1)
        for index, level in enumerate(self.levels, start=1):
            self.add_module(f"up_{level}", UpBlock(widths[index - 1], skips[index], widths[index]))
        self.head = nn.Conv2d(widths[-1], 1, 3, padding=1)
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d) and not name.startswith("encoder"):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.normal_(self.head.weight, std=0.01)
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias, log_depth_bias)

    def decode(self, features: dict[str, Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        deepest = list(features)[-1]
        top = features[deepest]
        context = self.context(top.mean(dim=(2, 3), keepdim=True))
        x = F.relu(self.norm_reduce(self.reduce(top)) + context)
        decoded = {deepest.replace("encoder", "decoder"): x}
        for level in self.levels:
            x = decoded[f"decoder_{level}"] = self.get_submodule(f"up_{level}")(x, features[f"encoder_{level}"])
        decoded["log_depth"] = resize_to(self.head(x), size)
        return decoded
