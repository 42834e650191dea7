"""``mobile``: a MobileNetV2 encoder and a light U-Net decoder, for speed on a CPU.

Encoder: Sandler et al., MobileNetV2, CVPR 2018, table 2, width 1.0, batch norm folded into weight and
bias, so that it loads dequantised TensorFlow weights exactly. With ``output_stride=16`` the last stage
keeps its resolution and dilates its depthwise convolutions instead, as DeepLab v3 does.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from depthnet.errors import ConfigError
from depthnet.networks.blocks import Conv2dSame, DepthNetwork, resize_to

# (expansion, output channels, stride) of the 17 inverted residual blocks: MobileNetV2, table 2.
BLOCKS = (
    [(1, 16, 1)]
    + [(6, 24, 2), (6, 24, 1)]
    + [(6, 32, 2)] + [(6, 32, 1)] * 2
    + [(6, 64, 2)] + [(6, 64, 1)] * 3
    + [(6, 96, 1)] * 3
    + [(6, 160, 2)] + [(6, 160, 1)] * 2
    + [(6, 320, 1)]
)  # fmt: skip
# The last block before each halving: its output is the skip of that resolution.
TAPS = {0: "encoder_2", 2: "encoder_4", 5: "encoder_8", 12: "encoder_16", 16: "encoder_top"}


class InvertedResidual(nn.Module):
    """Expand 1x1, depthwise 3x3, project 1x1 (linear), with a shortcut where the shape allows it."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int, dilation: int) -> None:
        super().__init__()
        width = inputs * expansion
        self.expand = nn.Conv2d(inputs, width, 1) if expansion > 1 else None
        self.depthwise = Conv2dSame(width, width, 3, stride, dilation=dilation, groups=width)
        self.project = nn.Conv2d(width, outputs, 1)
        self.shortcut = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return x + y if self.shortcut else y


class MobileNetV2Encoder(nn.Module):
    """MobileNetV2 1.0 without its classification head; keys as in the dequantised weight files."""

    def __init__(self, output_stride: int = 16) -> None:
        super().__init__()
        if output_stride not in (16, 32):
            raise ConfigError(f"output_stride {output_stride}: choose 16 or 32.")
        self.stem = Conv2dSame(3, 32, 3, 2)
        blocks, channels, dilation, stride_so_far = [], 32, 1, 2
        for expansion, outputs, stride in BLOCKS:
            dilated = stride == 2 and stride_so_far == output_stride
            block_stride = 1 if dilated else stride
            # The block that gives up its stride keeps its own dilation; the ones after it see twice the grid.
            blocks.append(InvertedResidual(channels, outputs, expansion, block_stride, dilation))
            dilation = dilation * 2 if dilated else dilation
            stride_so_far *= block_stride
            channels = outputs
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = {}
        x = F.relu6(self.stem(x), inplace=True)
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in TAPS:
                features[TAPS[index]] = x
        return features


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


class MobileDepth(DepthNetwork):
    """Depth network for a laptop CPU: about 2.3 million parameters, 1.5 G multiply-adds at 320x240.

    Args:
        output_stride: 16 dilates the last encoder stage (as the DeepLab start weights were trained),
            32 halves once more.
        decoder: channels of the decoder at strides 16 (context), 16, 8, 4 and 2.
        log_depth_bias: start value of the output, natural log metres; about the mean of indoor scenes.
    """

    def __init__(
        self,
        output_stride: int = 16,
        decoder: tuple[int, int, int, int, int] = (128, 128, 64, 48, 24),
        log_depth_bias: float = 0.85,
    ) -> None:
        super().__init__(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
        top, d16, d8, d4, d2 = decoder
        self.feature_channels = {
            "encoder_2": 16, "encoder_4": 24, "encoder_8": 32, "encoder_16": 96, "encoder_top": 320,
            "decoder_top": top, "decoder_16": d16, "decoder_8": d8, "decoder_4": d4, "decoder_2": d2, "log_depth": 1,
        }  # fmt: skip
        self.encoder = MobileNetV2Encoder(output_stride)
        self.reduce = nn.Conv2d(320, top, 1, bias=False)
        self.norm_reduce = nn.BatchNorm2d(top)
        # Metric scale is a property of the whole picture: every pixel also sees the image mean.
        self.context = nn.Conv2d(320, top, 1)
        self.up_16 = UpBlock(top, 96, d16)
        self.up_8 = UpBlock(d16, 32, d8)
        self.up_4 = UpBlock(d8, 24, d4)
        self.up_2 = UpBlock(d4, 16, d2)
        self.head = nn.Conv2d(d2, 1, 3, padding=1)
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d) and not name.startswith("encoder"):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.normal_(self.head.weight, std=0.01)
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias, log_depth_bias)

    def freeze_encoder(self, blocks: int) -> None:
        if not 0 <= blocks <= len(BLOCKS):
            raise ConfigError(f"freeze_encoder_blocks {blocks}: the encoder has {len(BLOCKS)} blocks.")
        if blocks:
            for module in [self.encoder.stem, *self.encoder.blocks[:blocks]]:
                module.requires_grad_(False)

    def encode(self, image: Tensor) -> dict[str, Tensor]:
        features: dict[str, Tensor] = self.encoder(self.normalise(image))
        return features

    def decode(self, features: dict[str, Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        top = features["encoder_top"]
        context = self.context(top.mean(dim=(2, 3), keepdim=True))
        x = out_top = F.relu(self.norm_reduce(self.reduce(top)) + context)
        x = out_16 = self.up_16(x, features["encoder_16"])
        x = out_8 = self.up_8(x, features["encoder_8"])
        x = out_4 = self.up_4(x, features["encoder_4"])
        x = out_2 = self.up_2(x, features["encoder_2"])
        log_depth = resize_to(self.head(x), size)
        return {
            "decoder_top": out_top, "decoder_16": out_16, "decoder_8": out_8,
            "decoder_4": out_4, "decoder_2": out_2, "log_depth": log_depth,
        }  # fmt: skip
