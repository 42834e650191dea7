"""``mobile``: a MobileNetV2 encoder and a light U-Net decoder, for speed on a CPU.

Encoder: Sandler et al., MobileNetV2, CVPR 2018, table 2, width 1.0, batch norm folded into weight and
bias, so that it loads dequantised TensorFlow weights exactly. With ``output_stride=16`` the last stage
keeps its resolution and dilates its depthwise convolutions instead, as DeepLab v3 does.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from depthnet.errors import ConfigError
from depthnet.networks.blocks import Conv2dSame
from depthnet.networks.decoder import SkipDecoderNetwork

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


class MobileDepth(SkipDecoderNetwork):
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
        self.encoder = MobileNetV2Encoder(output_stride)
        channels = {"encoder_2": 16, "encoder_4": 24, "encoder_8": 32, "encoder_16": 96, "encoder_top": 320}
        self.add_decoder(channels, decoder, log_depth_bias)

    def freeze_encoder(self, blocks: int) -> None:
        if not 0 <= blocks <= len(BLOCKS):
            raise ConfigError(f"freeze_encoder_blocks {blocks}: the encoder has {len(BLOCKS)} blocks.")
        if blocks:
            for module in [self.encoder.stem, *self.encoder.blocks[:blocks]]:
                module.requires_grad_(False)

    def encode(self, image: Tensor) -> dict[str, Tensor]:
        features: dict[str, Tensor] = self.encoder(self.normalise(image))
        return features
