"""The page of a model file: what it says about itself, and the drawing of its network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from depthnet.checkpoint import ModelInfo, read_model_info
from depthnet.describe import describe_network, draw_svg
from depthnet.errors import MissingTierError
from depthnet.pages.page import Page, Row
from depthnet.pages.vector import Vector

SUFFIXES = (".onnx", ".safetensors")
_WIDTH = 1000


def is_model(path: Path) -> bool:
    """Whether a path is a model file by its name."""
    return path.is_file() and path.suffix.lower() in SUFFIXES


def build_model_page(path: Path) -> Page:
    """Show a model file; without PyTorch, which the drawing needs, its facts alone.

    Raises:
        DepthNetError: if it is no model of depthnet.
    """
    info = read_model_info(path)
    try:
        description = describe_network(path)
        panels: tuple[Vector, ...] = (Vector(draw_svg(description), "", _WIDTH),)
        notes: tuple[str, ...] = ()
    except MissingTierError as error:
        panels, notes = (), (f"No drawing: {error}",)
    return Page(
        title=path.name,
        subtitle=f"model file: {info.name}, network {info.network}, finds {info.task}",
        headings=("network",) * len(panels),
        rows=(Row("", _facts(info, path), panels),),
        notes=(*_scores(info.scores), *notes),
    )


def _facts(info: ModelInfo, path: Path) -> tuple[str, ...]:
    height, width = info.input_size
    options = ", ".join(f"{name} {value}" for name, value in info.network_options.items())
    facts = [
        f"{path.stat().st_size / 1e6:.1f} MB",
        f"trained at {height} x {width}, focal length {info.training_focal_px:.1f} px",
        f"{info.min_depth:g} to {info.max_depth:g} m, {info.kind}",
        *([f"options: {options}"] if options else []),
        *(f"{name}: {_short(value)}" for name, value in info.provenance.items() if not isinstance(value, Mapping)),
    ]
    return tuple(facts)


def _scores(scores: Mapping[str, Any]) -> tuple[str, ...]:
    """One line for each data set that the file has scores on."""
    return tuple(
        f"{where}: " + ", ".join(f"{name} {_short(value)}" for name, value in found.items())
        for where, found in scores.items()
        if isinstance(found, Mapping)
    )


def _short(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
