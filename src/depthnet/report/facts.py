"""What a report tells of one model, collected pair by pair in one pass: sums, one number per image, a few pictures.

All of it is about the first protocol of the run: its pixels, and the prediction as it scores it (aligned, clamped).
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from depthnet.alignment import fit_median
from depthnet.errors import InputError
from depthnet.evaluation import Evaluation, ScoredPair, apply_protocol
from depthnet.metrics import DELTA
from depthnet.report.pictures import Pictures, build_pictures

DEPTH_STEP = 0.1
"""Metres of true depth that are summed together; a page merges them to a dozen bins."""
_DEPTH_BINS = 2000
ERROR_STEP = 0.025
"""Width of a bin of the relative error; bins are centred on multiples of it."""
_ERROR_BINS = 41
"""Bins on each side of 0; the last on the right holds all that is beyond."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """One image that is shown."""

    name: str
    metrics: dict[str, float]
    scale: float
    """True over predicted median depth; NaN when it does not exist."""
    pictures: Pictures


@dataclass(frozen=True)
class DistanceBin:
    """The pixels of a range of true depth, of all images together."""

    low: float
    """Metres."""
    high: float
    """Metres; infinity: no upper end."""
    pixels: int
    abs_rel: float
    """NaN without a pixel, as delta1."""
    delta1: float


@dataclass
class ModelFacts:
    """Collects the facts of a model; call it with each scored pair.

    Memory does not grow with the data but for one number per image.
    """

    images: int = 3
    """How many best images to keep, and how many worst."""
    scales: dict[str, float] = field(default_factory=dict)
    """Scale of each image by its name: median true depth over median prediction before any alignment, over the pixels
    that count, as ``--align median`` multiplies; NaN when it does not exist, as for inverse depth without a unit."""
    errors: Values = field(default_factory=lambda: np.zeros(2 * _ERROR_BINS))
    """Pixels by relative error, in bins around (i - 40) * ERROR_STEP; the last is all beyond."""
    signed: float = 0.0
    """Sum of (prediction - truth) / truth."""
    too_far: int = 0
    """Pixels whose prediction is farther than the truth."""
    _distance: Values = field(default_factory=lambda: np.zeros((3, _DEPTH_BINS + 1)))
    _best: list[tuple[float, int, Case]] = field(default_factory=list)
    _worst: list[tuple[float, int, Case]] = field(default_factory=list)

    def __call__(self, pair: ScoredPair) -> None:
        """Add an image."""
        protocol = pair.protocols[0]
        prediction, counts = apply_protocol(pair.prediction, pair.depth, pair.depth > 0, protocol, pair.align)
        self.scales[pair.score.name] = _scale(pair, counts)
        if counts.any():
            self._add_pixels(prediction[counts], pair.depth[counts])
            self._offer(pair, prediction, counts)

    @property
    def pixels(self) -> int:
        """Pixels that counted."""
        return int(self.errors.sum())

    @property
    def depths(self) -> Values:
        """Pixels by true depth in steps of DEPTH_STEP; the last is all beyond 200 m."""
        pixels: Values = self._distance[0]
        return pixels

    def by_distance(self, edges: Sequence[float]) -> list[DistanceBin]:
        """The scores between consecutive edges, metres; see :func:`distance_edges`."""
        steps = [_DEPTH_BINS + 1 if edge == math.inf else round(edge / DEPTH_STEP) for edge in edges]
        bins = []
        for low, high, first, end in zip(edges, edges[1:], steps, steps[1:]):
            pixels, relative, close = self._distance[:, first:end].sum(axis=1).tolist()
            scores = (relative / pixels, close / pixels) if pixels else (math.nan, math.nan)
            bins.append(DistanceBin(low, high, int(pixels), *scores))
        return bins

    def cases(self) -> tuple[list[Case], list[Case]]:
        """The best images, best first, and the worst, worst first; none is in both."""
        kept = len({abs(index) for _, index, _ in (*self._best, *self._worst)})
        best, worst = [case for *_, case in self._best], [case for *_, case in self._worst]
        return best[: (kept + 1) // 2], worst[: kept // 2]

    def _add_pixels(self, prediction: NDArray[np.float32], depth: NDArray[np.float32]) -> None:
        error = (prediction - depth) / depth
        self.signed += float(error.sum(dtype=np.float64))
        self.too_far += int(np.count_nonzero(error > 0))
        places = np.clip(np.rint(error / np.float32(ERROR_STEP)) + (_ERROR_BINS - 1), 0, 2 * _ERROR_BINS - 1)
        self.errors += np.bincount(places.astype(np.intp), minlength=self.errors.size)
        # 0.7 m is a little less in float32; the small term keeps it in the bin that begins there.
        places = np.minimum(depth / np.float32(DEPTH_STEP) + np.float32(1e-4), _DEPTH_BINS).astype(np.intp)
        close = np.maximum(prediction, depth) < DELTA * np.minimum(prediction, depth)
        for row, weights in enumerate((None, np.abs(error), close)):
            self._distance[row] += np.bincount(places, weights, minlength=_DEPTH_BINS + 1)

    def _offer(self, pair: ScoredPair, prediction: NDArray[np.float32], counts: NDArray[np.bool_]) -> None:
        """Keep the image if it is among the best or the worst so far; only then it is decoded and drawn."""
        metrics = pair.score.metrics(pair.protocols[0].name)
        rank, index = metrics["abs_rel"], len(self.scales)
        lists = [
            (kept, (sign * rank, sign * index))
            for kept, sign in ((self._best, 1), (self._worst, -1))
            if len(kept) < self.images or (kept and (sign * rank, sign * index) < kept[-1][:2])
        ]
        if not lists:
            return
        pictures = build_pictures(pair.read_image, prediction, pair.depth, counts)
        case = Case(pair.score.name, metrics, self.scales[pair.score.name], pictures)
        for kept, key in lists:
            kept.insert(bisect([entry[:2] for entry in kept], key), (*key, case))
            del kept[self.images :]


@dataclass(frozen=True)
class ModelReport:
    """All that a page says about one model."""

    evaluation: Evaluation
    facts: ModelFacts


def distance_edges(models: Iterable[ModelFacts], most: int = 12) -> list[float]:
    """Round edges in metres of at most ``most`` bins of equal width that hold the depths of all models' pixels.

    The farthest thousandth of the pixels does not widen them: when something lies beyond, the last edge is infinity.

    Returns:
        Edges, or none when no pixel counts.
    """
    pixels = np.sum([facts.depths for facts in models], axis=0)
    if not pixels.any():
        return []
    first = int(np.flatnonzero(pixels)[0])
    end = int(np.searchsorted(np.cumsum(pixels), 0.999 * pixels.sum())) + 1
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500) if -(-end // s) - first // s <= most)
    marks = range(first // step, -(-end // step) + 1)
    edges = [round(mark * step * DEPTH_STEP, 1) for mark in marks]
    return [*edges[:-1], math.inf] if pixels[marks[-1] * step :].any() else edges


def _scale(pair: ScoredPair, counts: NDArray[np.bool_]) -> float:
    if pair.align == "scale-shift-disparity":  # the prediction is no depth
        return math.nan
    try:
        return fit_median(pair.prediction, pair.depth, counts)[0]
    except InputError:
        return math.nan
