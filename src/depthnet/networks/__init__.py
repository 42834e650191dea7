"""Depth networks by name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from depthnet.errors import ConfigError

if TYPE_CHECKING:
    from depthnet.networks.blocks import DepthNetwork

#: Name -> (module, class). Importing this table costs nothing; torch comes with the class.
NETWORKS = {
    "eigen2014": ("depthnet.networks.eigen2014", "Eigen2014Depth"),
    "garg2016": ("depthnet.networks.garg2016", "Garg2016Depth"),
    "mobile": ("depthnet.networks.mobile", "MobileDepth"),
    "unet": ("depthnet.networks.unet", "UNetDepth"),
}


def build_network(name: str, options: dict[str, Any] | None = None) -> DepthNetwork:
    """Build a depth network with random weights.

    Args:
        name: a key of :data:`NETWORKS`.
        options: keyword arguments of its constructor.

    Raises:
        ConfigError: if the name or an option is unknown.
    """
    if name not in NETWORKS:
        raise ConfigError(f"network {name!r} is unknown; choose one of: {', '.join(sorted(NETWORKS))}.")
    module, cls = NETWORKS[name]
    try:
        network: DepthNetwork = getattr(importlib.import_module(module), cls)(**(options or {}))
    except TypeError as error:
        raise ConfigError(f"network {name}: {error}; see the class's arguments.") from error
    return network
