"""``unet``: the network of "A U-Net kind of a Depth Net!" (Agarwal, 2017), experiment ``exp10_2``.

A ResNet-50 with half the widths (He et al., Deep Residual Learning, CVPR 2016, table 1; the stride sits on the
first 1x1 convolution, as in the paper) encodes; four transposed convolutions decode, each joined by a skip that
is scaled by a fixed factor; a fifth brings the one channel to full size. The decoder has no activations.
8 539 714 parameters, 2.5 G multiply-adds at 224x320.

Any size goes in. A transposed convolution 4x4 of stride 2 and padding 1 doubles n to 2n; a skip has 2n - 1, 2n or
2n + 1 pixels. Each one therefore computes row and column 2n as well (``output_padding=1``: the kernel's own
taps there, nothing invented) and is cut to the skip; at multiples of 32 the cut drops exactly that extra.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from depthnet.errors import ConfigError, ShapeError
from depthnet.networks.blocks import (
    CAFFE_MEAN,
    CAFFE_STD,
    HALF_RESNET50_STAGES,
    ConvNorm,
    DepthNetwork,
    residual_stage,
)

STRIDES = (1, 2, 2, 2)  # of the four stages
LEVELS = ("encoder_2", "encoder_4", "encoder_8", "encoder_16", "encoder_32")
# From deep to shallow: the last skip is as good as off.
FIXED_SKIP_FACTORS = (0.1, 0.01, 0.001, 1e-6)
SMALLEST = 3  # pixels a side: the max pool needs two pixels of conv_1


class ResNet50HalfEncoder(nn.Module):
    """ResNet-50 with half the widths in its bottlenecks and stages, and 64 channels in the first convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_1 = ConvNorm(3, 64, 7, 2)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        stages, inputs = [], 64
        for (blocks, width, outputs), stride in zip(HALF_RESNET50_STAGES, STRIDES):
            stages.append(residual_stage(inputs, blocks, width, outputs, stride))
            inputs = outputs
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = F.relu(self.conv_1(x))
        levels = [x]
        x = self.pool(x)
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        return dict(zip(LEVELS, levels))


class Upsample2x(nn.ConvTranspose2d):
    """Transposed convolution 4x4 of stride 2, cut to the size asked for: 2n - 1, 2n or 2n + 1 from n."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 4, 2, padding=1, output_padding=1)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:  # type: ignore[override]
        return super().forward(x).narrow(2, 0, size[0]).narrow(3, 0, size[1])


class SkipUpBlock(nn.Module):
    """Double the size, concatenate the scaled skip after its 3x3 convolution, then a 3x3 convolution."""

    def __init__(self, inputs: int, skip: int, width: int, outputs: int) -> None:
        super().__init__()
        self.up = Upsample2x(inputs, width)
        self.lateral = nn.Conv2d(skip, width, 3, padding=1)
        self.conv = nn.Conv2d(2 * width, outputs, 3, padding=1)

    def forward(self, x: Tensor, skip: Tensor, factor: Tensor) -> Tensor:
        x = self.up(x, (skip.shape[-2], skip.shape[-1]))
        lateral: Tensor = self.lateral(skip * factor)
        out: Tensor = self.conv(torch.cat([x, lateral], 1))
        return out


class UNetDepth(DepthNetwork):
    """The original network, layer by layer.

    Args:
        skip_factors: ``fixed`` multiplies the skips by 0.1, 0.01, 0.001 and 1e-6 from deep to shallow, as the
            original does; ``learned`` is a variant whose four factors are parameters that start at 1.
        output_scale: units of the last layer per natural log metre; the output is divided by it. The original
            trained on labels of 2.187076678 · ln(depth): give that value to use weights trained so.
        log_depth_bias: start value of the output, natural log metres; about the mean of indoor scenes.

    Raises:
        ConfigError: if ``skip_factors`` is another word or ``output_scale`` is not positive.
    """

    input_size = (224, 320)
    skip_factors: Tensor

    def __init__(self, skip_factors: str = "fixed", output_scale: float = 1.0, log_depth_bias: float = 0.85) -> None:
        super().__init__(CAFFE_MEAN, CAFFE_STD)
        if skip_factors not in ("fixed", "learned"):
            raise ConfigError(f"skip_factors {skip_factors!r} is unknown; choose fixed or learned.")
        if not output_scale > 0:
            raise ConfigError(f"output_scale {output_scale} must be positive; 1 gives natural log metres directly.")
        if skip_factors == "learned":
            self.skip_factors = nn.Parameter(torch.ones(len(FIXED_SKIP_FACTORS)))
        else:
            self.register_buffer("skip_factors", torch.tensor(FIXED_SKIP_FACTORS), persistent=False)
        self.output_scale = output_scale
        self.feature_channels = {
            "encoder_2": 64, "encoder_4": 128, "encoder_8": 256, "encoder_16": 512, "encoder_32": 1024,
            "decoder_32": 512, "decoder_16": 64, "decoder_8": 32, "decoder_4": 16, "decoder_2": 1, "log_depth": 1,
        }  # fmt: skip
        self.encoder = ResNet50HalfEncoder()
        self.score = nn.Conv2d(1024, 512, 1)
        self.up_16 = SkipUpBlock(512, 512, 128, 64)
        self.up_8 = SkipUpBlock(64, 256, 64, 32)
        self.up_4 = SkipUpBlock(32, 128, 32, 16)
        self.up_2 = SkipUpBlock(16, 64, 16, 1)
        self.up_1 = Upsample2x(1, 1)
        self._initialise(log_depth_bias)

    def _initialise(self, log_depth_bias: float) -> None:
        """He et al. 2015 for the encoder, its linear form for the decoder, a bilinear last upsampling."""
        for name, module in self.named_modules():
            if isinstance(module, nn.ConvTranspose2d):
                taps = module.kernel_size[0] * module.kernel_size[1] / (module.stride[0] * module.stride[1])
                nn.init.normal_(module.weight, std=(module.in_channels * taps) ** -0.5)
            elif isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu" if name.startswith("encoder.") else "linear")
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.bias is not None:
                nn.init.zeros_(module.bias)
        # A quiet start near the mean scene: a small last score, upsampled bilinearly, plus the bias.
        nn.init.normal_(self.up_2.conv.weight, std=0.01)
        tent = torch.tensor([0.25, 0.75, 0.75, 0.25])
        with torch.no_grad():
            self.up_1.weight.copy_(torch.outer(tent, tent))
            assert self.up_1.bias is not None
            self.up_1.bias.fill_(log_depth_bias * self.output_scale)

    def encode(self, image: Tensor) -> dict[str, Tensor]:
        x = self.normalise(image)
        if not torch.compiler.is_compiling() and min(image.shape[-2:]) < SMALLEST:
            raise ShapeError(f"image is {tuple(image.shape[-2:])} pixels; unet needs at least {SMALLEST} a side.")
        features: dict[str, Tensor] = self.encoder(x)
        return features

    def decode(self, features: dict[str, Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        f16, f8, f4, f2 = self.skip_factors.unbind()
        x = out_32 = self.score(features["encoder_32"])
        x = out_16 = self.up_16(x, features["encoder_16"], f16)
        x = out_8 = self.up_8(x, features["encoder_8"], f8)
        x = out_4 = self.up_4(x, features["encoder_4"], f4)
        x = out_2 = self.up_2(x, features["encoder_2"], f2)
        log_depth = self.up_1(x, size) / self.output_scale
        return {
            "decoder_32": out_32, "decoder_16": out_16, "decoder_8": out_8,
            "decoder_4": out_4, "decoder_2": out_2, "log_depth": log_depth,
        }  # fmt: skip
