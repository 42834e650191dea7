"""Depth and pose networks by name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from depthnet.errors import ConfigError

if TYPE_CHECKING:
    from depthnet.networks.blocks import DepthNetwork
    from depthnet.networks.pose import PoseNetwork

#: Name -> (module, class). Importing this table costs nothing; torch comes with the class.
NETWORKS = {
    "eigen2014": ("depthnet.networks.eigen2014", "Eigen2014Depth"),
    "garg2016": ("depthnet.networks.garg2016", "Garg2016Depth"),
    "mobile": ("depthnet.networks.mobile", "MobileDepth"),
    "unet": ("depthnet.networks.unet", "UNetDepth"),
}
#: Networks that are named ``FAMILY:NAME``; NAME is the first argument of their class.
FAMILIES = {"backbone": ("depthnet.networks.backbone", "BackboneDepth")}
#: Name of a network of motion -> module and class.
POSE_NETWORKS = {
    "pose-early": ("depthnet.networks.pose", "PoseEarly"),
    "pose-late": ("depthnet.networks.pose", "PoseLate"),
    "pose-features": ("depthnet.networks.pose_features", "PoseFeatures"),
}


def build_network(name: str, options: dict[str, Any] | None = None) -> DepthNetwork:
    """Build a depth network with random weights; ``backbone:NAME`` without a ``config`` option brings pretrained ones.

    Args:
        name: a key of :data:`NETWORKS`, or ``backbone:`` and the name or folder of a transformers checkpoint.
        options: keyword arguments of its constructor.

    Raises:
        ConfigError: if the name or an option is unknown.
    """
    family, _, member = name.partition(":")
    table = FAMILIES if member else NETWORKS
    if family not in table:
        raise ConfigError(
            f"network {name!r} is unknown; choose one of: {', '.join(sorted(NETWORKS))}, "
            "backbone:NAME (NAME is a transformers checkpoint or its folder)."
        )
    network: DepthNetwork = _construct(name, table[family], (member,) if member else (), options)
    return network


def build_pose_network(name: str, options: dict[str, Any] | None = None) -> PoseNetwork:
    """Build a network of the motion between two pictures with random weights.

    Args:
        name: a key of :data:`POSE_NETWORKS`.
        options: keyword arguments of its constructor.

    Raises:
        ConfigError: if the name or an option is unknown.
    """
    if name not in POSE_NETWORKS:
        raise ConfigError(f"network {name!r} finds no motion; choose one of: {', '.join(POSE_NETWORKS)}.")
    network: PoseNetwork = _construct(name, POSE_NETWORKS[name], (), options)
    return network


def _construct(name: str, place: tuple[str, str], arguments: tuple[str, ...], options: dict[str, Any] | None) -> Any:
    module, cls = place
    try:
        return getattr(importlib.import_module(module), cls)(*arguments, **(options or {}))
    except TypeError as error:
        raise ConfigError(f"network {name}: {error}; see the class's arguments.") from error
