"""Errors of a depth map: the field's nine numbers, as single functions, all in one pass, and as sums that add up.

Every function takes ``(prediction, target, valid)``: z-depth in metres of any one shape, and a mask of that shape.
Arrays may be NumPy arrays or PyTorch tensors (the array API standard, through ``array_api_compat``). Values where
``valid`` is False are never looked at; where it is True both depths must be positive and finite, since most of the
numbers take a logarithm: clamp first (the protocols of :mod:`depthnet.evaluation` do). p is a predicted depth, t its
target, e = ln p - ln t, and mean() runs over valid pixels. Without a valid pixel a metric is NaN.

Source of the formulas: Eigen, Puhrsch & Fergus 2014, table 1 (abs_rel, sq_rel, rmse, rmse_log, delta); Saxena et al.
2009 (log10); the KITTI depth benchmark's 100 sqrt(mean(e^2) - mean(e)^2) (silog; other code leaves out the square root
or the 100).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Any, TypeAlias

from array_api_compat import array_namespace, device

from depthnet.errors import InputError, ShapeError

Array: TypeAlias = Any
"""A NumPy array or a PyTorch tensor."""

METRICS = ("abs_rel", "sq_rel", "rmse", "rmse_log", "log10", "silog", "delta1", "delta2", "delta3")
"""Names of the metrics in the order of every table; smaller is better, but the deltas are shares of good pixels."""

DELTA = 1.25
"""Base of the delta thresholds; its first three powers are exact in float32."""


def abs_rel(prediction: Array, target: Array, valid: Array) -> Array:
    """Mean absolute relative error, mean(|p - t| / t); a 0-d array without unit."""
    p, t = valid_pairs(prediction, target, valid)
    return _mean(abs(p - t) / t)


def sq_rel(prediction: Array, target: Array, valid: Array) -> Array:
    """Mean squared relative error, mean((p - t)^2 / t); a 0-d array in metres (t is not squared)."""
    p, t = valid_pairs(prediction, target, valid)
    return _mean((p - t) ** 2 / t)


def rmse(prediction: Array, target: Array, valid: Array) -> Array:
    """Root of the mean squared error, sqrt(mean((p - t)^2)); a 0-d array in metres."""
    p, t = valid_pairs(prediction, target, valid)
    return _mean((p - t) ** 2) ** 0.5


def rmse_log(prediction: Array, target: Array, valid: Array) -> Array:
    """Root of the mean squared error of the natural logarithms, sqrt(mean(e^2)); a 0-d array without unit."""
    return _mean(_log_error(prediction, target, valid) ** 2) ** 0.5


def log10(prediction: Array, target: Array, valid: Array) -> Array:
    """Mean absolute error of the decimal logarithms, mean(|log10 p - log10 t|); a 0-d array without unit."""
    return _mean(abs(_log_error(prediction, target, valid))) / math.log(10.0)


def silog(prediction: Array, target: Array, valid: Array) -> Array:
    """Scale-invariant logarithmic error, 100 sqrt(mean(e^2) - mean(e)^2); a 0-d array in percent.

    It is the standard deviation of e, computed as sqrt(mean((e - mean(e))^2)), the same number without cancellation.
    """
    e = _log_error(prediction, target, valid)
    return 100.0 * _mean((e - _mean(e)) ** 2) ** 0.5


def delta1(prediction: Array, target: Array, valid: Array) -> Array:
    """Share of pixels with max(p / t, t / p) < 1.25 (strictly); a 0-d array in [0, 1]."""
    return _delta(prediction, target, valid, 1)


def delta2(prediction: Array, target: Array, valid: Array) -> Array:
    """Share of pixels with max(p / t, t / p) < 1.25^2 (strictly); a 0-d array in [0, 1]."""
    return _delta(prediction, target, valid, 2)


def delta3(prediction: Array, target: Array, valid: Array) -> Array:
    """Share of pixels with max(p / t, t / p) < 1.25^3 (strictly); a 0-d array in [0, 1]."""
    return _delta(prediction, target, valid, 3)


@dataclass(frozen=True)
class MetricSums:
    """Sums over pixels from which all metrics follow; adding two pools their pixels, so a data set can be streamed."""

    pixels: int = 0
    """Number of valid pixels."""
    relative: float = 0.0
    """Sum of |p - t| / t."""
    relative_square: float = 0.0
    """Sum of (p - t)^2 / t, metres."""
    square: float = 0.0
    """Sum of (p - t)^2, square metres."""
    log_absolute: float = 0.0
    """Sum of |e|."""
    log: float = 0.0
    """Sum of e."""
    log_square: float = 0.0
    """Sum of e^2."""
    beyond1: float = 0.0
    """Number of pixels with max(p / t, t / p) >= 1.25."""
    beyond2: float = 0.0
    """Number of pixels with max(p / t, t / p) >= 1.25^2."""
    beyond3: float = 0.0
    """Number of pixels with max(p / t, t / p) >= 1.25^3."""

    def __add__(self, other: MetricSums) -> MetricSums:
        return MetricSums(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def metrics(self) -> dict[str, float]:
        """The nine metrics by name (see the functions of this module for units); all NaN without a pixel."""
        n = self.pixels
        if n == 0:
            return dict.fromkeys(METRICS, math.nan)
        mean_log, mean_log_square = self.log / n, self.log_square / n
        return {
            "abs_rel": self.relative / n,
            "sq_rel": self.relative_square / n,
            "rmse": math.sqrt(self.square / n),
            "rmse_log": math.sqrt(mean_log_square),
            "log10": self.log_absolute / n / math.log(10.0),
            "silog": 100.0 * math.sqrt(max(mean_log_square - mean_log**2, 0.0)),
            "delta1": 1.0 - self.beyond1 / n,
            "delta2": 1.0 - self.beyond2 / n,
            "delta3": 1.0 - self.beyond3 / n,
        }


def metric_sums(prediction: Array, target: Array, valid: Array) -> MetricSums:
    """Everything that the metrics need, in one pass over the valid pixels.

    Args:
        prediction: depth in metres, any shape; positive and finite where valid.
        target: true depth in metres, the same shape; positive and finite where valid.
        valid: True where both count, the same shape, bool.

    Returns:
        The sums, added up in float64.

    Raises:
        ShapeError: if the shapes differ.
        InputError: if a valid depth is zero, negative, NaN or infinite.
    """
    p, t = valid_pairs(prediction, target, valid)
    pixels = int(p.shape[0])
    if pixels == 0:
        return MetricSums()
    xp = array_namespace(p, t)
    for name, depth in (("prediction", p), ("target", t)):
        lowest, highest = float(xp.min(depth)), float(xp.max(depth))
        if not (lowest > 0.0 and highest < math.inf):
            raise InputError(
                f"{name}: valid depths from {lowest:g} to {highest:g} m; expected positive finite metres; "
                "clamp it or mask these pixels."
            )
    return MetricSums(pixels, *(float(xp.sum(term, dtype=xp.float64)) for term in error_terms(p, t)))


def depth_metrics(prediction: Array, target: Array, valid: Array) -> dict[str, float]:
    """All nine metrics of one image (or of all pixels given), in one pass.

    Arguments and errors are those of :func:`metric_sums`; the result is that of :meth:`MetricSums.metrics`.
    """
    return metric_sums(prediction, target, valid).metrics()


def error_terms(prediction: Array, target: Array) -> Iterator[Array]:
    """What each pixel adds to the sums of :class:`MetricSums`, one array after another, in the order of its fields.

    The ratio and the logarithm are computed once, and an array can be summed and dropped before the next one is made. A
    pixel with equal depths adds nothing to any sum: give masked pixels the same depth in both.

    Args:
        prediction: depth in metres, positive and finite, any shape.
        target: true depth in metres, positive and finite, the same shape.

    Yields:
        Arrays of that shape; the last three are bool.
    """
    xp = array_namespace(prediction, target)
    difference = prediction - target
    yield xp.abs(difference) / target
    square = difference * difference
    yield square / target
    yield square
    error = xp.log(prediction / target)
    yield xp.abs(error)
    # silog is a small difference of these two: in float32 their rounding alone would score 0.005 %.
    error = xp.astype(error, xp.float64)
    yield error
    yield error * error
    ratio = xp.maximum(prediction, target) / xp.minimum(prediction, target)
    for power in (1, 2, 3):
        yield ratio >= DELTA**power


def valid_pairs(prediction: Array, target: Array, valid: Array) -> tuple[Array, Array]:
    """Predicted and true depth of the valid pixels, two 1-D arrays of at least float32.

    Raises:
        ShapeError: if the shapes differ or ``valid`` is not bool.
    """
    if not tuple(prediction.shape) == tuple(target.shape) == tuple(valid.shape):
        raise ShapeError(
            f"prediction {tuple(prediction.shape)}, target {tuple(target.shape)} and valid {tuple(valid.shape)}: "
            "expected one shape; resize the prediction to the target."
        )
    xp = array_namespace(prediction, target)
    if not xp.isdtype(valid.dtype, "bool"):
        raise ShapeError(f"valid: {valid.dtype}; expected bool; compare it with 0 first.")
    return _at_least_float32(prediction[valid]), _at_least_float32(target[valid])


def _at_least_float32(values: Array) -> Array:
    xp = array_namespace(values)
    return values if values.dtype in (xp.float32, xp.float64) else xp.astype(values, xp.float32)


def _mean(values: Array) -> Array:
    xp = array_namespace(values)
    if values.shape[0] == 0:
        return xp.asarray(math.nan, dtype=values.dtype, device=device(values))
    return xp.mean(values)


def _log_error(prediction: Array, target: Array, valid: Array) -> Array:
    p, t = valid_pairs(prediction, target, valid)
    xp = array_namespace(p, t)
    return xp.log(p) - xp.log(t)


def _delta(prediction: Array, target: Array, valid: Array, power: int) -> Array:
    p, t = valid_pairs(prediction, target, valid)
    xp = array_namespace(p, t)
    return _mean(xp.astype(xp.maximum(p, t) / xp.minimum(p, t) < DELTA**power, p.dtype))
