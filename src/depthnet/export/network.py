"""From weights to an ONNX file that was checked against PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthnet.checkpoint import ModelInfo, load_any_network, load_network, resolve_weights
from depthnet.errors import InputError
from depthnet.io.files import atomic_path
from depthnet.io.images import RGB
from depthnet.onnx_file import write_onnx
from depthnet.predictor.resize import MIN_SIDE, network_input
from depthnet.predictor.runtime import open_session

if TYPE_CHECKING:
    from depthnet.networks.blocks import Network

#: The file's output may differ from PyTorch's by this share of it, at the worst pixel of the worst size.
LIMIT = 0.01


@dataclass(frozen=True)
class OnnxExport:
    """A file that was written and checked."""

    path: Path
    """The file."""
    difference: float
    """Largest difference of its output from PyTorch's, as a share of it: at any pixel of any size that was tried."""
    float16: bool
    """Whether its weights are stored as float16; they are float32 where that would change the output too much."""


def export_onnx(model: str | Path, out: str | Path, overwrite: bool = False, photo: RGB | None = None) -> OnnxExport:
    """Export a shipped model, a .safetensors file or a run folder to ONNX, and check the file against PyTorch.

    Args:
        model: the model; its .safetensors weights are used (of a run, the best on validation).
        out: the file to write: input ``image`` (B, 3, H, W) in [0, 1], output ``depth`` (B, 1, H, W) in metres; of a
            pose network, inputs ``image_tgt`` and ``image_src``, output ``xi`` (B, 6).
        overwrite: replace ``out`` when it is there.
        photo: what the file is checked with, RGB, (H, W, 3); by default a picture made of random blobs.

    Returns:
        The file and how far it is from PyTorch.

    Raises:
        DepthNetError: if the model has no weights to export, the file cannot be written, or it computes something else
            than the network (nothing is left then).
    """
    out = check_out(out, overwrite)
    network, info = load_any_network(resolve_weights(model))
    photo = blobs() if photo is None else photo
    with atomic_path(out) as temporary:
        for half in (True, False):
            write_onnx(temporary, network, info, half)
            difference = largest_difference(temporary, network, info, photo)
            if difference <= LIMIT:
                return OnnxExport(out, difference, half)
        raise InputError(
            f"{out}: would differ from PyTorch by {difference:.2g} of its output, more than {LIMIT:g}; nothing was "
            "written: use the .safetensors file."
        )


def check_out(out: str | Path, overwrite: bool) -> Path:
    """The path of an exported file, refused before any work.

    Raises:
        InputError: if it has another suffix, or is there and may not be replaced.
    """
    out = Path(out)
    if out.suffix != ".onnx":
        raise InputError(f"{out}: an exported file ends in .onnx; choose such a name for --out.")
    if out.exists() and not overwrite:
        raise InputError(f"{out}: exists already; pass --overwrite to replace it, or another --out.")
    return out


def blobs(size: tuple[int, int] = (480, 640), seed: int = 0) -> RGB:
    """A picture (H, W, 3) with structure at every scale, for when there is no photo."""
    coarse = np.random.default_rng(seed).integers(0, 256, (size[0] // 16, size[1] // 16, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC))


def largest_difference(path: Path, network: Network, info: ModelInfo, photo: RGB) -> float:
    """Largest difference of a file's output from PyTorch's, as a share of it, over batches of three sizes.

    Args:
        path: the .onnx file.
        network: the network in evaluation mode on the CPU.
        info: what the file says about itself.
        photo: RGB, (H, W, 3); the batch holds it and its mirror image.
    """
    import torch

    session, _ = open_session(path, "cpu", None, info.task)
    names = [node.name for node in session.get_inputs()]
    height, width = info.input_size
    half = (max(MIN_SIDE, height // 2), max(MIN_SIDE, width // 2))
    largest = 0.0
    for size in (info.input_size, (height + 1, width + 3), half):
        one = network_input(photo, size)
        batch = np.ascontiguousarray(np.concatenate([one, one[..., ::-1]]))
        images = [batch, np.roll(batch, 2, axis=3)][: len(names)]  # of a pose network, the second camera looks aside
        with torch.inference_mode():
            expected = network(*(torch.from_numpy(image) for image in images))
            if info.task == "depth":
                expected = expected.exp().clamp(info.min_depth, info.max_depth)
        found = session.run(None, dict(zip(names, images, strict=True)))[0]
        largest = max(largest, _share(found, expected.numpy(), info.task))
    return largest


def _share(found: NDArray[np.float32], expected: NDArray[np.float32], task: str) -> float:
    """The largest difference as a share of each depth, or of the motion's largest number."""
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    scale = expected if task == "depth" else np.abs(expected).max()
    return float(np.max(np.abs(found - expected) / scale))


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
