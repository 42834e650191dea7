"""Pieces that several depth networks share.

Every depth network is a :class:`DepthNetwork`: it takes ``image`` (B, 3, H, W) in [0, 1], normalises it
itself and returns natural log depth (B, 1, H, W), unclamped. Levels of the encoder and decoder are
available by name through :meth:`DepthNetwork.features`, for pose heads and other tasks.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from depthnet.errors import ConfigError, ShapeError

#: Largest log disparity that is not continued by a tangent: 1 mm of depth.
MAX_LOG_DISPARITY = math.log(1000.0)


class Network(nn.Module, ABC):
    """What every network has: normalisation inside, and groups of parameters for the optimiser."""

    #: Height and width that the network was designed for, or that are usual for it.
    input_size: tuple[int, int] = (240, 320)
    #: Options beyond the user's that a model file holds, so that the network can be built from the file alone.
    file_options: dict[str, Any] = {}  # noqa: RUF012 replaced as a whole, never changed
    #: Learning rate of groups of parameters as a factor of the run's, where the run says nothing about them.
    lr_factors: dict[str, float] = {}  # noqa: RUF012 likewise

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, float, float], std: tuple[float, float, float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def normalise(self, image: Tensor) -> Tensor:
        """Map an image in [0, 1] to the range that the first convolution expects."""
        if image.ndim != 4 or image.shape[1] != 3:
            raise ShapeError(f"image has shape {tuple(image.shape)}; expected (B, 3, H, W) RGB in [0, 1].")
        return (image - self.mean) / self.std

    def freeze_encoder(self, blocks: int) -> None:
        """Keep the first ``blocks`` blocks of the encoder (and its stem) at their weights; 0 freezes nothing.

        Raises:
            ConfigError: if the network has no pretrained encoder to keep.
        """
        if blocks:
            raise ConfigError(f"freeze_encoder_blocks {blocks}: this encoder has no pretrained blocks; use 0.")

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters that may want different learning rates: ``encoder`` (pretrained) and ``decoder``."""
        groups: dict[str, list[nn.Parameter]] = {"encoder": [], "decoder": []}
        for name, parameter in self.named_parameters():
            groups["encoder" if name.startswith("encoder.") else "decoder"].append(parameter)
        return groups


class DepthNetwork(Network):
    """Base class of the depth networks: image in, log depth out."""

    #: Channels of every tensor that :meth:`features` returns, by name.
    feature_channels: dict[str, int]

    @abstractmethod
    def encode(self, image: Tensor) -> dict[str, Tensor]:
        """Encoder features by name, from shallow to deep."""

    @abstractmethod
    def decode(self, features: dict[str, Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        """Decoder features by name, the last of them ``log_depth`` (B, 1, *size*)."""

    def features(self, image: Tensor) -> dict[str, Tensor]:
        """Every named level for one batch of images.

        Args:
            image: RGB in [0, 1], (B, 3, H, W).

        Returns:
            Encoder levels, decoder levels and ``log_depth``, each (B, C, h, w); the channels are
            ``feature_channels[name]``.
        """
        encoded = self.encode(image)
        size = (image.shape[-2], image.shape[-1])
        return {**encoded, **self.decode(encoded, size)}

    def forward(self, image: Tensor) -> Tensor:
        """Natural log depth (B, 1, H, W) of ``image`` (B, 3, H, W) in [0, 1]."""
        size = (image.shape[-2], image.shape[-1])
        return self.decode(self.encode(image), size)["log_depth"]

    def disparity(self, log_depth: Tensor) -> Tensor:
        """Disparity in 1/metres of this network's output, for losses on stereo pairs.

        It is exp(-log_depth), continued by its tangent below 1 mm of depth so that no start of training overflows.
        A network that predicts disparity itself gives its own back, which may be negative.

        Args:
            log_depth: what :meth:`forward` returned, (B, 1, H, W).

        Returns:
            1/metres, (B, 1, H, W).
        """
        bounded = (-log_depth).clamp(max=MAX_LOG_DISPARITY)
        return bounded.exp() * (1 - log_depth - bounded)


#: Mean and scale of images in [0, 1] for networks of Caffe's time: (104, 117, 123) of blue, green, red is removed on
#: the 0..255 scale, and nothing is divided.
CAFFE_MEAN = (123 / 255, 117 / 255, 104 / 255)
CAFFE_STD = (1 / 255, 1 / 255, 1 / 255)

#: Blocks, bottleneck width and output channels of the four stages of a ResNet-50 with half the widths.
HALF_RESNET50_STAGES = ((3, 32, 128), (4, 64, 256), (6, 128, 512), (3, 256, 1024))


class ConvNorm(nn.Sequential):
    """Convolution and batch norm with scale and bias; the norm undoes a ``bias`` of the convolution itself."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, bias: bool = False) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=bias), nn.BatchNorm2d(outputs)
        )


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 with a shortcut, projected in the first block of a stage; ReLU after the addition."""

    def __init__(self, inputs: int, width: int, outputs: int, stride: int, projected: bool, bias: bool = False) -> None:
        super().__init__()
        self.reduce = ConvNorm(inputs, width, 1, stride, bias)
        self.conv = ConvNorm(width, width, 3, bias=bias)
        self.expand = ConvNorm(width, outputs, 1, bias=bias)
        self.project = ConvNorm(inputs, outputs, 1, stride, bias) if projected else None

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.reduce(x))
        y = self.expand(F.relu(self.conv(y)))
        return F.relu(y + (x if self.project is None else self.project(x)))


def residual_stage(
    inputs: int, blocks: int, width: int, outputs: int, stride: int = 1, bias: bool = False
) -> nn.Sequential:
    """A stage of a ResNet: ``blocks`` bottlenecks, the first with the stride and a projected shortcut."""
    first = Bottleneck(inputs, width, outputs, stride, True, bias)
    return nn.Sequential(first, *(Bottleneck(outputs, width, outputs, 1, False, bias) for _ in range(blocks - 1)))


def resize_to(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resize with pixel centres kept (``align_corners=False``) to ``size`` = (H, W)."""
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


class Conv2dSame(nn.Conv2d):
    """Convolution padded as TensorFlow's SAME rule, for any input size.

    The output has ``ceil(n / stride)`` pixels a side. The total padding is split with the odd pixel at the
    right and bottom, so an even size at stride 2 and kernel 3 gets (0, 1) and an odd one (1, 1).
    Weights trained in TensorFlow need exactly this; symmetric padding shifts their features by a pixel.

    Source: TensorFlow, tf.nn.convolution, notes on padding.
    """

    def forward(self, x: Tensor) -> Tensor:
        (kh, kw), (sh, sw), (dh, dw) = self.kernel_size, self.stride, self.dilation
        if sh == 1 and sw == 1:
            if self.training and dh == dw == 2 and self.groups == x.shape[1] and x.device.type == "cpu":
                return self._by_phases(x)
            padding = (dh * (kh - 1) // 2, dw * (kw - 1) // 2)
            return F.conv2d(x, self.weight, self.bias, 1, padding, self.dilation, self.groups)
        if (kh, kw, sh, sw, dh, dw) != (3, 3, 2, 2, 1, 1):
            raise ShapeError(f"Conv2dSame supports kernel 3 at stride 2, not {self.kernel_size} at {self.stride}.")
        height, width = x.shape[-2:]
        x = F.pad(x, (width % 2, 1, height % 2, 1))
        return F.conv2d(x, self.weight, self.bias, 2, 0, 1, self.groups)

    def _by_phases(self, x: Tensor) -> Tensor:
        """The same result at dilation 2 as plain convolutions of the four pictures that hold every second pixel.

        For training: PyTorch's backward of a dilated depthwise convolution takes 15 times that of a plain one on a CPU.
        The pictures are cut and joined in channels-last memory, one copy each way.
        """
        batch, channels, height, width = x.shape
        rows, columns = -(-height // 2), -(-width // 2)
        x = F.pad(x, (0, 2 * columns - width, 0, 2 * rows - height)) if height % 2 or width % 2 else x
        cells = x.permute(0, 2, 3, 1).reshape(batch, rows, 2, columns, 2, channels)
        phases = cells.permute(2, 4, 0, 1, 3, 5).reshape(4 * batch, rows, columns, channels).permute(0, 3, 1, 2)
        phases = F.conv2d(phases, self.weight, self.bias, 1, self.kernel_size[0] // 2, 1, self.groups)
        cells = phases.permute(0, 2, 3, 1).reshape(2, 2, batch, rows, columns, self.out_channels)
        y = cells.permute(2, 3, 0, 4, 1, 5).reshape(batch, 2 * rows, 2 * columns, self.out_channels)
        return y.permute(0, 3, 1, 2)[..., :height, :width]
