"""``depthnet export``: a trained model as an ONNX file that runs with ONNX Runtime alone."""

from __future__ import annotations

from pathlib import Path

from depthnet.checkpoint import load_any_network, load_network, resolve_weights
from depthnet.errors import InputError
from depthnet.onnx_file import write_onnx


def export_onnx(model: str | Path, out: str | Path, overwrite: bool = False) -> Path:
    """Export a shipped model, a .safetensors file or a run folder to ONNX.

    Args:
        model: the model; its .safetensors weights are used (of a run, the best on validation).
        out: the file to write: input ``image`` (B, 3, H, W) in [0, 1], output ``depth`` (B, 1, H, W) in metres; of a
            pose network, inputs ``image_tgt`` and ``image_src``, output ``xi`` (B, 6).
        overwrite: replace ``out`` when it is there.

    Returns:
        The path of the file.

    Raises:
        DepthNetError: if the model has no weights to export or the file cannot be written.
    """
    out = Path(out)
    if out.suffix != ".onnx":
        raise InputError(f"{out}: an exported file ends in .onnx; choose such a name for --out.")
    if out.exists() and not overwrite:
        raise InputError(f"{out}: exists already; pass --overwrite to replace it, or another --out.")
    network, info = load_any_network(resolve_weights(model))
    write_onnx(out, network, info)
    return out


def ship(model: str | Path, name: str, folder: str | Path) -> tuple[Path, Path]:
    """Write the two files of a shipped model, float16 weights: ``NAME.safetensors`` and ``NAME.onnx``.

    Args:
        model: a run folder or a .safetensors file.
        name: name of the model in ``SHIPPED``.
        folder: where the files go, replaced when they are there.

    Returns:
        The paths of the two files; the ONNX file is made from the rounded weights of the other.
    """
    from depthnet.checkpoint import save_network

    network, info = load_network(resolve_weights(model))
    info.name = name
    weights, graph = Path(folder) / f"{name}.safetensors", Path(folder) / f"{name}.onnx"
    save_network(weights, network, info, half=True)
    rounded, info = load_network(weights)
    write_onnx(graph, rounded, info)
    return weights, graph
