"""Score one prediction under several protocols at once.

Pixel errors are computed once for all protocols whose clamping leaves this image the same, in strips of rows that stay
in the processor's cache, and are summed per strip and column; each protocol then adds up the strips and columns of its
own box.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.alignment import apply_fit, find_alignment
from depthnet.errors import InputError, ShapeError
from depthnet.evaluation.protocols import Box, EvaluationProtocol
from depthnet.metrics import MetricSums, error_terms

STRIP_ROWS = 48
"""Rows of a strip: a few strips of 640 float32 columns fit the cache; at most 255, so that a count fits a byte."""

Depth = NDArray[np.float32]
Mask = NDArray[np.bool_]
Ranges = tuple[tuple[float, float], tuple[float, float]]
"""The prediction_range and truth_range of a protocol."""


def score(
    prediction: Depth,
    depth: Depth,
    valid: Mask | None,
    protocols: Sequence[EvaluationProtocol],
    align: str = "none",
) -> dict[str, MetricSums]:
    """Errors of one prediction under each protocol.

    Args:
        prediction: depth in metres, (H, W); NaN and infinity are allowed.
        depth: true depth in metres, (H, W); 0 where unknown.
        valid: True where the true depth is known, (H, W); None: where it is positive.
        protocols: crops and ranges; pooled variants share the work of their base.
        align: fit to the ground truth before clamping, by each protocol's own pixels; one of `ALIGNMENTS`.

    Returns:
        The sums by name of protocol; a protocol without a valid pixel has ``pixels`` 0.

    Raises:
        ShapeError: if the shapes differ.
        InputError: if an alignment does not exist for this prediction.
        ConfigError: if ``align`` is unknown.
    """
    if prediction.ndim != 2 or prediction.shape != depth.shape or (valid is not None and valid.shape != depth.shape):
        raise ShapeError(
            f"prediction {prediction.shape}, ground truth {depth.shape}, valid {getattr(valid, 'shape', None)}: "
            "expected one shape (H, W); resize the prediction to the ground truth."
        )
    prediction = np.asarray(prediction, dtype=np.float32)
    depth = np.asarray(depth, dtype=np.float32)
    known = depth > 0 if valid is None else valid
    if not np.isfinite(depth).all():
        known = known & np.isfinite(depth)
        depth = np.where(known, depth, np.float32(0.0))
    by_work: dict[EvaluationProtocol, list[str]] = {}
    for protocol in protocols:
        by_work.setdefault(replace(protocol, name="", pooled=False), []).append(protocol.name)
    if align == "none":
        sums = _score_together(prediction, depth, known, list(by_work))
    else:
        sums = [_score_aligned(prediction, depth, known, protocol, align) for protocol in by_work]
    return {name: found for names, found in zip(by_work.values(), sums, strict=True) for name in names}


def apply_protocol(
    prediction: Depth, depth: Depth, known: Mask, protocol: EvaluationProtocol, align: str = "none"
) -> tuple[Depth, Mask]:
    """A prediction as a protocol scores it: fitted to the pixels that count, then clamped.

    Args:
        prediction: depth in metres, (H, W); NaN and infinity are allowed.
        depth: true depth in metres, (H, W), finite.
        known: True where the true depth is known, (H, W).
        protocol: its crop and ranges.
        align: one of `ALIGNMENTS`.

    Returns:
        The whole prediction, (H, W), and True at the pixels that count, (H, W).

    Raises:
        InputError: if the alignment does not exist for this prediction.
        ConfigError: if ``align`` is unknown.
    """
    top, bottom, left, right = protocol.crop(*depth.shape)
    box = np.s_[top:bottom, left:right]
    counts = np.zeros(depth.shape, np.bool_)
    counts[box] = _within(depth[box], known[box], protocol.truth_range)
    if align != "none" and counts.any():
        scale, shift = find_alignment(align)(prediction[box], depth[box], counts[box])
        if not np.isfinite([scale, shift]).all():
            raise InputError(
                f"alignment {align}: scale {scale:g}, shift {shift:g}; expected finite numbers; "
                "check the prediction's unit."
            )
        prediction = apply_fit(align, prediction, scale, shift)
    return clamp(prediction, protocol.prediction_range), counts


def clamp(prediction: Depth, limits: tuple[float, float]) -> Depth:
    """The prediction within ``limits``: NaN gives the lower, infinity the upper end."""
    clamped = np.clip(prediction, np.float32(limits[0]), np.float32(limits[1]))
    gaps = np.isnan(clamped)
    if gaps.any():
        clamped[gaps] = np.float32(limits[0])
    return clamped


def sum_boxes(
    prediction: Depth, depth: Depth, known: Mask, boxes: Sequence[Box], ranges: Ranges | None = None
) -> list[MetricSums]:
    """Error sums over the valid pixels of several boxes of one image.

    Args:
        prediction: depth in metres, (H, W).
        depth: true depth in metres, (H, W), finite.
        known: the pixels that may count, (H, W).
        boxes: boxes inside the image; they may overlap.
        ranges: (prediction_range, truth_range) of a protocol; None when they are known to change nothing.

    Returns:
        The sums of each box.
    """
    rows = _edges((edge for box in boxes for edge in box[:2]), STRIP_ROWS)
    columns = _edges(edge for box in boxes for edge in box[2:])
    if len(rows) < 2 or len(columns) < 2:
        return [MetricSums() for _ in boxes]
    left, right = columns[0], columns[-1]
    strips = [
        _sum_strip(prediction[a:b, left:right], depth[a:b, left:right], known[a:b, left:right], ranges)
        for a, b in pairwise(rows)
    ]
    cells = np.add.reduceat(np.stack(strips), np.array(columns[:-1]) - left, axis=2)
    results = []
    for top, bottom, first, last in boxes:
        if bottom <= top or last <= first:
            results.append(MetricSums())
            continue
        part = cells[rows.index(top) : rows.index(bottom), :, columns.index(first) : columns.index(last)]
        pixels, *sums = part.sum(axis=(0, 2)).tolist()
        results.append(MetricSums(int(pixels), *sums))
    return results


def _score_together(
    prediction: Depth, depth: Depth, known: Mask, protocols: Sequence[EvaluationProtocol]
) -> list[MetricSums]:
    """Sums of each protocol; those whose ranges leave this image as it is, or are equal, share their errors."""
    # With a NaN the comparisons are False: such an image is clamped.
    nearest, farthest = float(prediction.min(initial=np.inf)), float(prediction.max(initial=-np.inf))
    truth_farthest = float(depth.max(initial=0.0))
    truth_nearest = float(np.maximum(depth, ~known * np.float32(1e9)).min(initial=np.inf))
    groups: dict[Ranges | None, list[int]] = {}
    for index, protocol in enumerate(protocols):
        (low, high), (near, far) = protocol.prediction_range, protocol.truth_range
        untouched = low <= nearest and farthest <= high and near < truth_nearest and truth_farthest < far
        groups.setdefault(None if untouched else (protocol.prediction_range, protocol.truth_range), []).append(index)
    results = [MetricSums()] * len(protocols)
    for ranges, members in groups.items():
        boxes = [protocols[index].crop(*depth.shape) for index in members]
        for index, sums in zip(members, sum_boxes(prediction, depth, known, boxes, ranges), strict=True):
            results[index] = sums
    return results


def _score_aligned(
    prediction: Depth, depth: Depth, known: Mask, protocol: EvaluationProtocol, align: str
) -> MetricSums:
    """Sums of one protocol after a fit to its own pixels."""
    aligned, counts = apply_protocol(prediction, depth, known, protocol, align)
    return sum_boxes(aligned, depth, counts, [protocol.crop(*depth.shape)])[0]


def _within(depth: Depth, known: Mask, limits: tuple[float, float]) -> Mask:
    mask: Mask = (depth > np.float32(limits[0])) & (depth < np.float32(limits[1])) & known
    return mask


def _sum_strip(prediction: Depth, depth: Depth, known: Mask, ranges: Ranges | None) -> NDArray[np.float64]:
    """Sums over the rows of a strip: (1 + number of terms, columns), first the valid pixels."""
    valid = known
    if ranges is not None:
        prediction = clamp(prediction, ranges[0])
        valid = _within(depth, known, ranges[1])
    if not valid.all():
        # Masked pixels become 1 in both maps and so add nothing. Arithmetic is several times faster here than np.where.
        keep, fill = valid.astype(np.float32), (~valid).astype(np.float32)
        prediction = np.maximum(prediction * keep, fill)
        depth = np.maximum(depth * keep, fill)
    sums = [_sum_rows(valid)]
    sums.extend(_sum_rows(term) for term in error_terms(prediction, depth))
    return np.array(sums, dtype=np.float64)


def _sum_rows(values: NDArray[Any]) -> NDArray[Any]:
    """Sum of each column; bools are counted in bytes."""
    if values.dtype == np.bool_:
        values = values.view(np.uint8)
    sums: NDArray[Any] = np.add.reduce(values, axis=0, dtype=values.dtype)
    return sums


def _edges(marks: Iterable[int], step: int | None = None) -> list[int]:
    """Sorted distinct marks, with more of them between so that no gap is wider than ``step``."""
    edges = sorted(set(marks))
    if step is not None:
        for low, high in pairwise(edges):
            edges.extend(range(low + step, high, step))
        edges.sort()
    return edges
