"""``depthnet describe``: what a network is made of and what it costs, as a table and as a drawing.

Nothing is told by hand: the network is run once on PyTorch's meta device, which computes shapes only, and every
operation, module call and tensor that one level hands to another is taken from that run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from depthnet.config import DescribeConfig
from depthnet.describe.description import Block, Description, Layer
from depthnet.describe.svg import draw_svg
from depthnet.describe.table import format_table
from depthnet.errors import ConfigError, InputError, MissingTierError
from depthnet.io.files import atomic_path

if TYPE_CHECKING:
    from depthnet.networks.blocks import Network

__all__ = ["Block", "Description", "Layer", "describe_network", "draw_svg", "format_table"]


def describe_network(network: str | Path, config: DescribeConfig | None = None, overwrite: bool = False) -> Description:
    """Describe a network by name or the network of a model, and draw it when a file is named.

    Args:
        network: a name of :data:`depthnet.networks.NETWORKS` or ``POSE_NETWORKS``, ``backbone:NAME``, a shipped model,
            a .onnx, a .safetensors or a run folder. A network's name goes before a shipped model's.
        config: the drawing's file, the input size and the network's options.
        overwrite: replace the drawing when it exists.

    Returns:
        Shapes, connections, parameters and multiply-adds of every level.

    Raises:
        DepthNetError: if there is no such network or model, it cannot be built or run at that size, or the drawing
            cannot be written.
        MissingTierError: without PyTorch.
    """
    config = config or DescribeConfig()
    out = Path(config.out) if config.out else None
    if out:  # before the work, not after it
        _check_out(out, overwrite)
    try:
        import torch

        from depthnet.describe.trace import trace_network
        from depthnet.networks.blocks import DepthNetwork
    except ImportError as error:
        raise MissingTierError('describing a network needs PyTorch: pip install "depthnet[train]"') from error
    built, title, size = _build(str(network), config)
    height, width = config.size or size
    if min(height, width) < 1:
        raise ConfigError(f"--size {height} {width}: expected a height and a width of 1 pixel or more.")
    names = ["image"] if isinstance(built, DepthNetwork) else ["image_tgt", "image_src"]
    pictures = {name: torch.empty(1, 3, height, width, device="meta") for name in names}
    description = trace_network(built.eval().to("meta"), pictures, title)
    if out:
        with atomic_path(out, overwrite) as temporary:
            temporary.write_text(draw_svg(description), encoding="utf-8")
    return description


def _check_out(out: Path, overwrite: bool) -> None:
    if out.suffix.lower() != ".svg":
        raise InputError(f"{out}: '{out.suffix}' is no drawing; end --out with .svg.")
    if out.is_dir():
        raise InputError(f"{out}: is a folder; pass the name of a file to --out.")
    if out.exists() and not overwrite:
        raise InputError(f"{out}: exists already; pass --overwrite to replace it, or another --out.")


def _build(name: str, config: DescribeConfig) -> tuple[Network, str, tuple[int, int]]:
    """The network of a name or a model with its title and its own input size."""
    from depthnet.checkpoint import SHIPPED, read_model_info, resolve_model
    from depthnet.networks import NETWORKS, POSE_NETWORKS, build_network, build_pose_network

    built: Network
    if name in POSE_NETWORKS:
        built = build_pose_network(name, config.network_options)
        return built, name, built.input_size
    if name in NETWORKS or (":" in name and not Path(name).exists()):
        built = build_network(name, config.network_options)
        return built, name, built.input_size
    if config.network_options:
        raise ConfigError(f"{name}: --network-options go with a network's name; a model brings its own.")
    if name not in SHIPPED and not Path(name).exists():
        raise InputError(
            f"{name}: neither a network ({', '.join([*sorted(NETWORKS), *POSE_NETWORKS])}) nor a model: pass one of "
            "these names, a .onnx, a .safetensors or a run folder."
        )
    path = resolve_model(name)
    info = read_model_info(path)
    title = info.network if info.name == info.network else f"{info.name} ({info.network})"
    build: Callable[..., Network] = build_pose_network if info.task == "pose" else build_network
    return build(info.network, info.network_options), title, info.input_size
