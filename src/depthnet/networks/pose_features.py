"""``pose-features``: the motion between two pictures from what a depth network finds in each of them.

The depth network is tapped at a named level of :meth:`~depthnet.networks.blocks.DepthNetwork.features`. The two maps
are narrowed, stacked and read by two strided convolutions, a 1x1 and a mean over the map, after the pose decoder of
Godard et al., ICCV 2019. The depth network is a part of this one, so one model file holds both, and depth and motion
can be trained together over one encoder.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from depthnet.errors import ConfigError
from depthnet.networks import build_network
from depthnet.networks.blocks import DepthNetwork
from depthnet.networks.pose import XI_SCALE, MeanHead, PoseNetwork, initialise


class PoseFeatures(PoseNetwork):
    """A pose head on the features of a depth network.

    Args:
        depth: name of the depth network; its weights come with a model file, or from ``pose.features`` of a training.
        depth_options: options of its constructor.
        level: the level that is tapped, a name of its ``feature_channels``.
        frozen: keep the depth network as it is, batch statistics too; False trains it along.
        width: channels of the head.

    Raises:
        ConfigError: if there is no such network, option or level.
    """

    def __init__(
        self,
        depth: str = "mobile",
        depth_options: dict[str, Any] | None = None,
        level: str = "encoder_16",
        frozen: bool = True,
        width: int = 128,
    ) -> None:
        super().__init__()
        self.depth: DepthNetwork = build_network(depth, depth_options)
        self.input_size = self.depth.input_size
        if level not in self.depth.feature_channels:
            levels = ", ".join(self.depth.feature_channels)
            raise ConfigError(f"level {level!r} is unknown; {depth} has: {levels}.")
        self.level, self.frozen = level, frozen
        self.file_options = {"depth": depth, "depth_options": {**(depth_options or {}), **self.depth.file_options}}
        self.squeeze = initialise(
            nn.Sequential(nn.Conv2d(self.depth.feature_channels[level], width, 1), nn.ReLU(inplace=True))
        )
        layers: list[nn.Module] = []
        for inputs in (2 * width, width):
            layers += [nn.Conv2d(inputs, width, 3, 2, padding=1), nn.ReLU(inplace=True)]
        self.head = nn.Sequential(*initialise(nn.Sequential(*layers)), MeanHead(width))
        if frozen:
            self.depth.requires_grad_(False)

    def train(self, mode: bool = True) -> PoseFeatures:
        """Switch to training; a frozen depth network stays in evaluation."""
        super().train(mode)
        if self.frozen:
            self.depth.eval()
        return self

    def freeze_encoder(self, blocks: int) -> None:
        self.depth.freeze_encoder(blocks)

    def forward(self, image_tgt: Tensor, image_src: Tensor) -> Tensor:
        self.normalise_pair(image_tgt, image_src)  # for its check: the depth network normalises by itself
        features = self.tap(torch.cat([image_tgt, image_src]))
        return self.read_motion(*features.chunk(2))

    def tap(self, image: Tensor) -> Tensor:
        """The tapped level of pictures (B, 3, H, W), (B, C, h, w); decoder levels are computed only when asked for."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            features = self.depth.encode(image)
            if self.level not in features:
                features = self.depth.decode(features, (image.shape[-2], image.shape[-1]))
            return features[self.level]

    def read_motion(self, features_tgt: Tensor, features_src: Tensor) -> Tensor:
        """xi (B, 6) of T_tgt_src from the tapped levels of both pictures, (B, C, h, w) each."""
        stacked = torch.cat([self.squeeze(features_tgt), self.squeeze(features_src)], dim=1)
        xi: Tensor = self.head(stacked)
        return xi * XI_SCALE
