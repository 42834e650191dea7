"""A quantised file, and what it costs and brings against the float32 one."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthnet.checkpoint import ModelInfo, check_task, read_model_info, resolve_weights
from depthnet.data.samples import DepthDataset
from depthnet.evaluation import evaluate
from depthnet.export.integers import Layers, quantise
from depthnet.export.network import check_out, export_onnx
from depthnet.export.pictures import even_steps, open_pictures
from depthnet.io.images import RGB
from depthnet.predictor import DepthModel, load_model
from depthnet.predictor.resize import network_input, network_size
from depthnet.timing import measure

#: Runs of each of the two files, in turn.
REPEATS = 21
#: Pictures whose depth is compared pixel by pixel.
FEW = 20
#: Fit to the ground truth that scores need, by what a model gives.
ALIGN = {"metric": "none", "scale_invariant": "median", "affine_invariant": "scale-shift"}
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Pair:
    """A figure of the float32 file and of the quantised one."""

    float32: float
    int8: float


@dataclass(frozen=True)
class Int8Export:
    """A quantised file beside the float32 one."""

    path: Path
    """The file."""
    layers: Layers
    """How many layers are integer."""
    calibrated: int
    """Pictures that its ranges were found on."""
    compared: int
    """Pictures that the two files were compared on."""
    bytes: Pair
    """Size of the files."""
    seconds: Pair
    """Median time of the bare network for one picture at its own size."""
    size: tuple[int, int]
    """(H, W) of that picture."""
    difference: float
    """Mean over some of the pictures of the median difference of their pixels' depth, as a share of it."""
    protocol: str = ""
    """Protocol of the scores; empty where the pictures have no depth."""
    delta1: Pair | None = None
    """Share of pixels within a factor of 1.25 of the true depth."""


def export_int8(
    model: str | Path,
    out: str | Path,
    data: str | Path,
    overwrite: bool = False,
    format: str | None = None,
    threads: int | None = None,
    on_progress: OnProgress | None = None,
) -> Int8Export:
    """Export a depth model with 8-bit weights and activations, and compare it with its float32 file.

    Args:
        model: a shipped name, a .safetensors file or a run folder.
        out: the .onnx file to write.
        data: pictures like those that the model will see; with depth, both files are scored, too.
        overwrite: replace ``out`` when it is there.
        format: layout of the data when it is not to be recognised.
        threads: CPU threads of both files; by default all cores.
        on_progress: called with (runs of a network done, runs in all).

    Returns:
        The file and how it compares.

    Raises:
        DepthNetError: if the model has no weights or finds no depth, the pictures are too few or cannot be read, or the
            file cannot be written.
    """
    out = check_out(out, overwrite)
    info = read_model_info(resolve_weights(model))
    check_task(info, "depth", model)
    calibration, held = open_pictures(data, format)
    images = [_network_image(calibration.read_raw(index).image, info) for index in range(len(calibration))]
    scored = held.read_raw(0).depth is not None
    step = _counter(2 * len(images) + 2 * len(held) * scored, on_progress)
    recipe = {"weights": "int8 per channel", "activations": "uint8", "data": held.name, "calibrated": len(images)}
    with tempfile.TemporaryDirectory() as folder:
        plain = export_onnx(model, Path(folder) / "float32.onnx", photo=calibration.read_raw(0).image).path
        layers = quantise(plain, out, replace(info, provenance={**info.provenance, "int8": recipe}), images, step)
        float32, int8 = (load_model(path, "cpu", threads) for path in (plain, out))
        runs = {"float32": lambda: float32.runtime.run(images[0]), "int8": lambda: int8.runtime.run(images[0])}
        seconds = Pair(**measure(runs, REPEATS))
        protocol = held.default_protocol if scored else ""
        delta1 = Pair(*(_delta1(one, held, step) for one in (float32, int8))) if scored else None
        return Int8Export(
            out, layers, len(images), len(held), Pair(plain.stat().st_size, out.stat().st_size), seconds,
            (images[0].shape[2], images[0].shape[3]), _difference(float32, int8, held), protocol, delta1,
        )  # fmt: skip


def _counter(total: int, on_progress: OnProgress | None) -> Callable[[], None]:
    """A function that counts its calls and reports them."""
    done = itertools.count(1)
    return lambda: on_progress(next(done), total) if on_progress is not None else None


def _network_image(photo: RGB, info: ModelInfo) -> NDArray[np.float32]:
    return network_input(photo, network_size(photo.shape[0], photo.shape[1], info.input_size))


def _difference(float32: DepthModel, int8: DepthModel, held: DepthDataset) -> float:
    """Mean over at most :data:`FEW` pictures of the median difference of depth, as a share of it."""
    medians = []
    few = even_steps(held, FEW)
    for index in range(len(few)):
        image = _network_image(few.read_raw(index).image, int8.info)
        medians.append(np.median(np.abs(int8.runtime.run(image) / float32.runtime.run(image) - 1)))
    return float(np.mean(medians))


def _delta1(model: DepthModel, held: DepthDataset, step: Callable[[], None]) -> float:
    """The score of a model under the default protocol of the data."""
    found = evaluate(model, held, align=ALIGN[model.info.kind], on_progress=lambda done, total: step())
    return found.scores[held.default_protocol]["delta1"]
