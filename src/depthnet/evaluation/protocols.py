"""Protocols: which pixels of a data set count, and how a prediction is clamped before it is scored.

A crop is given in pixels of a reference size and is scaled when the ground truth has another size, each edge to the
nearest pixel (halves to the even one, as Python rounds). KITTI's crops are fractions of the size, cut off to whole
pixels.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from depthnet.errors import ConfigError

Box = tuple[int, int, int, int]
"""Top, bottom, left, right in pixels; bottom and right are the first that do not belong to the box."""

POOLED = "-pooled"


@dataclass(frozen=True)
class EvaluationProtocol:
    """How one row of a results table is computed."""

    name: str
    """Name of ``--protocol``."""
    crop: Callable[[int, int], Box]
    """The scored box of a ground truth of size (H, W)."""
    truth_range: tuple[float, float]
    """Ground truth counts when it lies strictly between these depths, metres."""
    prediction_range: tuple[float, float]
    """Predictions are clamped to this range, metres; NaN becomes its lower and infinity its upper end."""
    pooled: bool = False
    """Average over all pixels of the data set instead of over its images."""


def whole(height: int, width: int) -> Box:
    """The box of every pixel."""
    return 0, height, 0, width


def pixel_crop(
    top: int, bottom: int, left: int, right: int, reference: tuple[int, int] = (480, 640)
) -> Callable[[int, int], Box]:
    """A crop of images of ``reference`` size (H, W); at other sizes each edge is rounded to the nearest pixel."""

    def crop(height: int, width: int) -> Box:
        y, x = height / reference[0], width / reference[1]
        return round(top * y), round(bottom * y), round(left * x), round(right * x)

    return crop


def fraction_crop(top: float, bottom: float, left: float, right: float) -> Callable[[int, int], Box]:
    """A crop of fractions of the size; each edge is cut off (not rounded) to a whole pixel, as monodepth does."""

    def crop(height: int, width: int) -> Box:
        return int(top * height), int(bottom * height), int(left * width), int(right * width)

    return crop


_INDOOR = (1e-3, 10.0)
_OUTDOOR = (1e-3, 80.0)

PROTOCOLS: dict[str, EvaluationProtocol] = {
    protocol.name: protocol
    for protocol in (
        # BTS, AdaBins and most papers since: the toolbox' MATLAB region read as if it were zero-based.
        EvaluationProtocol("nyu", pixel_crop(45, 471, 41, 601), _INDOOR, _INDOOR),
        # The region in which the NYU toolbox projects depth, with its one-based MATLAB range converted.
        EvaluationProtocol("nyu-toolbox", pixel_crop(44, 471, 40, 601), _INDOOR, _INDOOR),
        EvaluationProtocol("nyu-full", whole, _INDOOR, _INDOOR),
        # The box that Eigen's network of 2014 predicts, as stored by DenseDepth.
        EvaluationProtocol("nyu-densedepth", pixel_crop(20, 460, 24, 616), _INDOOR, _INDOOR),
        # Garg et al. 2016; fractions and their truncation from monodepth (Godard et al. 2017).
        EvaluationProtocol(
            "kitti-eigen", fraction_crop(0.40810811, 0.99189189, 0.03594771, 0.96405229), _OUTDOOR, _OUTDOOR
        ),
        # Eigen et al. 2014, from the same place.
        EvaluationProtocol(
            "kitti-eigen-crop", fraction_crop(0.3324324, 0.91351351, 0.03594771, 0.96405229), _OUTDOOR, _OUTDOOR
        ),
        # Every valid pixel, no cap. Logarithms need positive finite numbers: predictions stay within 1 mm and 1 km.
        EvaluationProtocol("none", whole, (0.0, math.inf), (1e-3, 1e3)),
    )
}
"""Protocols that average per image, by name; each also exists as NAME-pooled (see :func:`find_protocol`)."""


def find_protocol(name: str) -> EvaluationProtocol:
    """The protocol called ``name``, which may end in ``-pooled``.

    Raises:
        ConfigError: if there is none.
    """
    base = name.removesuffix(POOLED)
    if base in PROTOCOLS:
        return PROTOCOLS[name] if base == name else replace(PROTOCOLS[base], name=name, pooled=True)
    near = difflib.get_close_matches(name, [*PROTOCOLS, *(known + POOLED for known in PROTOCOLS)], n=1)
    hint = f" Perhaps you meant {near[0]}." if near else ""
    raise ConfigError(
        f"--protocol {name}: unknown; choose from {', '.join(PROTOCOLS)}, "
        f"each also as NAME{POOLED} (averaged over all pixels).{hint}"
    )


def find_protocols(names: Iterable[str]) -> list[EvaluationProtocol]:
    """The protocols of these names, each once, in order.

    Raises:
        ConfigError: if one is unknown.
    """
    return [find_protocol(name) for name in dict.fromkeys(names)]
