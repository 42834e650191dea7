"""Networks that see two pictures and say how the camera moved: ``pose-early`` and ``pose-late``.

Both give an se(3) vector xi = (rho, phi), metres and radians, with T_tgt_src = `depthnet.geometry.se3.se3_exp`\\ (xi):
``p_tgt = T_tgt_src p_src``. The transform the other way is the exponential of -xi. Outputs are multiplied by 0.01, so
that training starts near a camera that stands still (Zhou et al., Unsupervised Learning of Depth and Ego-Motion from
Video, CVPR 2017, as released).

Each comes in two shapes: ``light``, the strided convolutions of SfMLearner's pose network, and ``alexnet``, that of the
original experiment (Agarwal, 2017), with the widths of Krizhevsky et al., NIPS 2012, in one tower. Any size goes in.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from depthnet.errors import ConfigError, ShapeError
from depthnet.networks.blocks import Network

#: Factor of the last layer's output.
XI_SCALE = 0.01
#: Kernel and channels of the strided convolutions of SfMLearner's pose network.
LIGHT_LAYERS = ((7, 16), (5, 32), (3, 64), (3, 128), (3, 256), (3, 256), (3, 256))
#: Of them, those whose map still tells where something is: stride 32.
LIGHT_GLOBAL_LAYERS = 5


class PoseNetwork(Network):
    """Base class of the pose networks: target and source picture in, the motion between them out."""

    def __init__(self) -> None:
        super().__init__(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))

    @abstractmethod
    def forward(self, image_tgt: Tensor, image_src: Tensor) -> Tensor:
        """The motion of each pair.

        Args:
            image_tgt: RGB in [0, 1], (B, 3, H, W).
            image_src: the other picture of the same camera, (B, 3, H, W).

        Returns:
            xi of T_tgt_src, translation part first, (B, 6).

        Raises:
            ShapeError: if a shape differs.
        """

    def normalise_pair(self, image_tgt: Tensor, image_src: Tensor) -> tuple[Tensor, Tensor]:
        """Both pictures in the range of the first convolution; refuses two that do not fit."""
        if image_tgt.shape != image_src.shape:
            shapes = f"image_tgt {tuple(image_tgt.shape)} and image_src {tuple(image_src.shape)}"
            raise ShapeError(f"{shapes} differ; expected (B, 3, H, W) twice.")
        return self.normalise(image_tgt), self.normalise(image_src)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """``encoder`` (of pictures, or a whole depth network) and ``decoder`` (what makes a motion of it)."""
        groups: dict[str, list[nn.Parameter]] = {"encoder": [], "decoder": []}
        for name, parameter in self.named_parameters():
            groups["encoder" if name.startswith(("encoder.", "depth.")) else "decoder"].append(parameter)
        return groups


class PoseEarly(PoseNetwork):
    """Early fusion: both pictures are stacked as six channels.

    Args:
        shape: ``light``: seven strided convolutions, 1x1 to six channels, mean over the map; 1 586 774 parameters.
            ``alexnet``: the five convolutions of AlexNet on six channels, then 1000, 500 and 6, as the original.

    Raises:
        ConfigError: if there is no such shape.

    Source: Zhou et al., CVPR 2017, fig. 4 (light); Agarwal, A U-Net kind of a Depth Net!, 2017 (alexnet).
    """

    def __init__(self, shape: str = "light") -> None:
        super().__init__()
        self.encoder: nn.Module
        self.head: nn.Module
        if check_shape(shape) == "light":
            self.encoder, self.head = light_encoder(6, len(LIGHT_LAYERS)), MeanHead(LIGHT_LAYERS[-1][1])
        else:
            self.encoder, self.head = GlobalFeatures(shape, 6), vector_head(1000)

    def forward(self, image_tgt: Tensor, image_src: Tensor) -> Tensor:
        xi: Tensor = self.head(self.encoder(torch.cat(self.normalise_pair(image_tgt, image_src), dim=1)))
        return xi * XI_SCALE


class PoseLate(PoseNetwork):
    """Late fusion: each picture becomes a vector of its own; only these meet, in fully connected layers.

    Args:
        shape: encoder of a picture, ``light`` (strided convolutions) or ``alexnet`` (as the original).
        shared: whether both pictures go through the same weights.

    Raises:
        ConfigError: if there is no such shape.
    """

    def __init__(self, shape: str = "light", shared: bool = True) -> None:
        super().__init__()
        check_shape(shape)
        encoders = [GlobalFeatures(shape, 3) for _ in range(1 if shared else 2)]
        self.encoder = nn.ModuleList(encoders)
        self.head = vector_head(2 * encoders[0].fully.out_features)

    def forward(self, image_tgt: Tensor, image_src: Tensor) -> Tensor:
        tgt, src = self.normalise_pair(image_tgt, image_src)
        vectors = torch.cat([self.encoder[0](tgt), self.encoder[-1](src)], dim=1)
        xi: Tensor = self.head(vectors)
        return xi * XI_SCALE


class MeanHead(nn.Module):
    """1x1 convolution to six channels, mean over the map."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        xi: Tensor = self.conv(x).mean(dim=(2, 3))
        return xi


class GlobalFeatures(nn.Module):
    """A vector of a whole picture: convolutions, a map of fixed size, one fully connected layer.

    The map is resized to a fixed one, so that pictures of any size fit the layer; at its own size it stays as it is.
    """

    def __init__(self, shape: str, inputs: int) -> None:
        super().__init__()
        self.features = alexnet_encoder(inputs) if shape == "alexnet" else light_encoder(inputs, LIGHT_GLOBAL_LAYERS)
        self.size, outputs = ((6, 6), 1000) if shape == "alexnet" else ((3, 4), 256)
        self.fully = nn.Linear(256 * self.size[0] * self.size[1], outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(self.features(x), size=self.size, mode="bilinear", align_corners=False)
        return F.relu(self.fully(x.flatten(1)))


def vector_head(inputs: int) -> nn.Sequential:
    """Fully connected layers from a vector to six numbers: 500, then 6."""
    return nn.Sequential(nn.Linear(inputs, 500), nn.ReLU(inplace=True), nn.Linear(500, 6))


def light_encoder(inputs: int, layers: int) -> nn.Sequential:
    """The first strided convolutions of SfMLearner's pose network, each with a ReLU."""
    modules: list[nn.Module] = []
    for kernel, outputs in LIGHT_LAYERS[:layers]:
        modules += [nn.Conv2d(inputs, outputs, kernel, 2, padding=kernel // 2), nn.ReLU(inplace=True)]
        inputs = outputs
    return initialise(nn.Sequential(*modules))


def alexnet_encoder(inputs: int) -> nn.Sequential:
    """The convolutions of AlexNet; its pools get a border, so that small pictures go through."""
    modules: list[nn.Module] = []
    for kernel, stride, outputs, pool in (
        (11, 4, 96, 1),
        (5, 1, 256, 1),
        (3, 1, 384, 0),
        (3, 1, 384, 0),
        (3, 1, 256, 1),
    ):
        modules += [nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2), nn.ReLU(inplace=True)]
        modules += [nn.MaxPool2d(3, 2, padding=1)] * pool
        inputs = outputs
    return initialise(nn.Sequential(*modules))


def initialise(layers: nn.Sequential) -> nn.Sequential:
    """He et al. 2015, for convolutions that are followed by a ReLU and no norm."""
    for module in layers.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return layers


def check_shape(shape: str) -> str:
    """A shape that there is."""
    if shape not in ("light", "alexnet"):
        raise ConfigError(f"shape {shape!r} is unknown; choose light or alexnet.")
    return shape
