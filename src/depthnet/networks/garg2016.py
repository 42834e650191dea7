"""``garg2016``: the released network of Garg et al., Unsupervised CNN for Single View Depth Estimation (ECCV 2016).

It is the "ResNet50-by-2" of the authors' release, not the AlexNet of the paper: a ResNet-50 with half the widths in
which max pools, not strides, halve the picture; one channel of disparity is scored at 1/32 of the size and doubled
five times by a fixed bilinear kernel, its values with it, since disparities are in pixels. At the first four sizes a
1x1 score of the encoder's features is added, each behind one learned factor that starts at almost nothing. The
scores start at zero, so the first disparity is zero everywhere, as far away as can be.

Any size goes in: a pool gives ceil(n / 2) pixels (Caffe's rule), twice that is n or n + 1, and is cut to n.

**From disparity to log depth.** The network predicts signed pixels of the rig that it was made for; of one width W of
the picture, disparity = disparity_px / (focal_baseline · W) in 1/metres. Up to ``far_m`` log depth is -ln(disparity);
beyond it, at 0 and below, where there is no logarithm, it goes on along its tangent at ``far_m``:
ln(far_m) + 1 - disparity · far_m. So every number has a log depth and a gradient, never NaN, and
:meth:`Garg2016Depth.disparity` gives the signed disparity back for the loss on stereo pairs. Nothing else is changed
for supervised training: it starts at zero disparity, about 2.7 · far_m, and has to find its way from there.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from depthnet.errors import ConfigError
from depthnet.networks.blocks import (
    CAFFE_MEAN,
    CAFFE_STD,
    HALF_RESNET50_STAGES,
    ConvNorm,
    DepthNetwork,
    residual_stage,
)

LEVELS = ("encoder_1", "encoder_2", "encoder_4", "encoder_8", "encoder_16", "encoder_32")
#: Start of the factor on each skip, from deep to shallow.
SKIP_STARTS = {"encoder_16": 1e-2, "encoder_8": 1e-4, "encoder_4": 1e-5, "encoder_2": 1e-6}
SKIP_CHANNELS = {"encoder_16": 512, "encoder_8": 256, "encoder_4": 128, "encoder_2": 128}


class PooledResNet50HalfEncoder(nn.Module):
    """ResNet-50 with half the widths, two convolutions in front and a 2x2 max pool before all but the first."""

    def __init__(self) -> None:
        super().__init__()
        # The release has biases in front of its batch norms; they are kept for its layers to be all there.
        self.conv_0 = ConvNorm(3, 64, 7, bias=True)
        self.conv_1 = ConvNorm(64, 128, 3, bias=True)
        self.pool = nn.MaxPool2d(2, 2, ceil_mode=True)
        stages, inputs = [], 128
        for blocks, width, outputs in HALF_RESNET50_STAGES:
            stages.append(residual_stage(inputs, blocks, width, outputs, bias=True))
            inputs = outputs
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        levels = [F.relu(self.conv_0(x))]
        levels.append(F.relu(self.conv_1(self.pool(levels[-1]))))
        for stage in self.stages:
            levels.append(stage(self.pool(levels[-1])))
        return dict(zip(LEVELS, levels))


class Garg2016Depth(DepthNetwork):
    """The released network, layer by layer.

    Args:
        focal_baseline: focal length in picture widths times baseline in metres of the rig whose disparities are
            predicted: the depth in metres of a disparity as wide as the picture. The release has 389.6304 pixel metres
            at 608 pixels (KITTI, 0.54 m).
        far_m: depth in metres beyond which log depth is linear in disparity; the farthest that is told apart.

    Raises:
        ConfigError: if an option is not positive.
    """

    input_size = (160, 608)
    bilinear: Tensor

    def __init__(self, focal_baseline: float = 389.6304 / 608, far_m: float = 80.0) -> None:
        super().__init__(CAFFE_MEAN, CAFFE_STD)
        for name, value in (("focal_baseline", focal_baseline), ("far_m", far_m)):
            if not 0 < value < math.inf:
                raise ConfigError(f"{name} {value}: must be positive; the release has {389.6304 / 608:.4f} and 80 m.")
        self.focal_baseline, self.far_m = focal_baseline, far_m
        self.feature_channels = {
            "encoder_1": 64, "encoder_2": 128, "encoder_4": 128, "encoder_8": 256, "encoder_16": 512,
            "encoder_32": 1024, "decoder_32": 1, "decoder_16": 1, "decoder_8": 1, "decoder_4": 1, "decoder_2": 1,
            "disparity_px": 1, "log_depth": 1,
        }  # fmt: skip
        self.encoder = PooledResNet50HalfEncoder()
        self.score = nn.Conv2d(1024, 1, 1)
        self.skip_scores = nn.ModuleDict({level: nn.Conv2d(SKIP_CHANNELS[level], 1, 1) for level in SKIP_STARTS})
        self.skip_factors = nn.ParameterDict(
            {level: nn.Parameter(torch.tensor(start)) for level, start in SKIP_STARTS.items()}
        )
        tent = torch.tensor([0.25, 0.75, 0.75, 0.25])
        self.register_buffer("bilinear", torch.outer(tent, tent).view(1, 1, 4, 4), persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        """Caffe's "xavier" (uniform, variance 1 / inputs) for the encoder; scores at zero."""
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d):
                assert module.bias is not None
                nn.init.zeros_(module.bias)
                if name.startswith("encoder."):
                    nn.init.kaiming_uniform_(module.weight, nonlinearity="linear")
                else:
                    nn.init.zeros_(module.weight)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Those of every network, and ``skip_factors``: the release gives them a hundredth of the learning rate."""
        groups = super().parameter_groups()
        factors = list(self.skip_factors.parameters())
        own = {id(factor) for factor in factors}
        groups["decoder"] = [parameter for parameter in groups["decoder"] if id(parameter) not in own]
        return {**groups, "skip_factors": factors}

    def encode(self, image: Tensor) -> dict[str, Tensor]:
        features: dict[str, Tensor] = self.encoder(self.normalise(image))
        return features

    def decode(self, features: dict[str, Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        x = self.score(features["encoder_32"])
        decoded = {"decoder_32": x}
        for level in SKIP_STARTS:
            skip = features[level]
            x = self._double(x, (skip.shape[-2], skip.shape[-1]))
            x = x + self.skip_scores[level](self.skip_factors[level] * skip)
            decoded[level.replace("encoder", "decoder")] = x
        disparity_px = self._double(x, size)
        return {**decoded, "disparity_px": disparity_px, "log_depth": self._log_depth(disparity_px, size[1])}

    def _double(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """Twice the size, cut to ``size``, and twice the values: a disparity of 1 pixel is 2 pixels there."""
        doubled = 2 * F.conv_transpose2d(x, self.bilinear, stride=2, padding=1)
        return doubled.narrow(2, 0, size[0]).narrow(3, 0, size[1])

    def _log_depth(self, disparity_px: Tensor, width: int) -> Tensor:
        """Log depth of a signed disparity, by the tangent beyond ``far_m``."""
        disparity = disparity_px / (self.focal_baseline * width)
        near = disparity.clamp(min=1 / self.far_m)
        return (near - disparity) * self.far_m - near.log()

    def disparity(self, log_depth: Tensor) -> Tensor:
        """Signed disparity in 1/metres of log depth: the inverse of the rule above, exactly."""
        near = log_depth.clamp(max=math.log(self.far_m))
        return (-near).exp() + (near - log_depth) / self.far_m
