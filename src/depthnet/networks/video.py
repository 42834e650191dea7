"""A depth network and a pose network that are trained together on video."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from depthnet.networks.blocks import DepthNetwork, Network
from depthnet.networks.pose import PoseNetwork
from depthnet.networks.pose_features import PoseFeatures


class VideoNetwork(Network):
    """Depth of a picture and the motion to each of its neighbours.

    Args:
        pose: the pose network. One that reads the features of a depth network brings the depth network along: both
            share it, and each picture passes its encoder once.
        depth: the depth network; None takes that of ``pose``.
    """

    def __init__(self, pose: PoseNetwork, depth: DepthNetwork | None = None) -> None:
        assert (depth is None) == isinstance(pose, PoseFeatures), "one depth network, in one place"
        super().__init__(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
        self.pose = pose
        self.own_depth = depth
        self.input_size = self.depth.input_size
        self.file_options = self.depth.file_options
        self.lr_factors = self.depth.lr_factors

    @property
    def depth(self) -> DepthNetwork:
        """The depth network."""
        if self.own_depth is not None:
            return self.own_depth
        assert isinstance(self.pose, PoseFeatures)
        return self.pose.depth

    def freeze_encoder(self, blocks: int) -> None:
        self.depth.freeze_encoder(blocks)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """The groups of the depth network, and ``pose``: what only the motion needs."""
        groups = self.depth.parameter_groups()
        shared = {id(parameter) for parameters in groups.values() for parameter in parameters}
        return {**groups, "pose": [one for one in self.pose.parameters() if id(one) not in shared]}

    def forward(self, image: Tensor, sources: Tensor) -> tuple[Tensor, Tensor]:
        """Depth and motions.

        Args:
            image: RGB in [0, 1], (B, 3, H, W).
            sources: S neighbours of each in time, (B, S, 3, H, W).

        Returns:
            Natural log depth of ``image``, (B, 1, H, W), and xi of T_tgt_src to each source, (B, S, 6).
        """
        batch, count = sources.shape[:2]
        neighbours = sources.transpose(0, 1).flatten(0, 1)
        if self.own_depth is not None:
            xi = self.pose(image.repeat(count, 1, 1, 1), neighbours)
            return self.own_depth(image), xi.view(count, batch, 6).transpose(0, 1)
        assert isinstance(self.pose, PoseFeatures)
        size = (image.shape[-2], image.shape[-1])
        features = self.depth.encode(torch.cat([image, neighbours]))
        if self.pose.level not in features:
            features = {**features, **self.depth.decode(features, size)}
        target = {name: level[:batch] for name, level in features.items()}
        log_depth = target["log_depth"] if "log_depth" in target else self.depth.decode(target, size)["log_depth"]
        tapped = features[self.pose.level]
        xi = self.pose.read_motion(tapped[:batch].repeat(count, 1, 1, 1), tapped[batch:])
        return log_depth, xi.view(count, batch, 6).transpose(0, 1)
