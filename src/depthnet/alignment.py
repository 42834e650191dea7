"""Fit a prediction to its target before scoring, for models whose depth has no absolute scale.

Every fit gives ``(scale, shift)`` of aligned = scale * prediction + shift, in **depth** (metres). Only
``scale-shift-disparity`` works in **disparity** (1/metres): for models whose output is inverse depth up to scale and
shift (MiDaS and its successors); :func:`alignment_for` chooses it for them. The fit sees the valid pixels of one
image; pixels where the prediction is NaN or infinite are left out of it. Arrays may be NumPy arrays or PyTorch tensors
of one shape. A score after alignment is not comparable with one without: say it in every table.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from array_api_compat import array_namespace, is_numpy_array

from depthnet.errors import ConfigError, InputError
from depthnet.metrics import Array, valid_pairs


def fit_none(prediction: Array, target: Array, valid: Array) -> tuple[float, float]:
    """No alignment: (1, 0)."""
    return 1.0, 0.0


def fit_median(prediction: Array, target: Array, valid: Array) -> tuple[float, float]:
    """Ratio of the medians in depth, median(target) / median(prediction), and shift 0.

    Args:
        prediction: depth in any unit, any shape.
        target: true depth in metres, the same shape.
        valid: True where both count, the same shape, bool.

    Raises:
        ShapeError: if the shapes differ.
        InputError: if no valid pixel has a finite prediction, or the median of the prediction is not positive.

    Source: Zhou et al. 2017, Unsupervised Learning of Depth and Ego-Motion from Video, section 4.1.
    """
    p, t = _finite_pairs(prediction, target, valid)
    middle = _median(p)
    if not middle > 0.0:
        raise InputError(
            f"prediction: its median is {middle:g}; expected a positive depth to scale by; "
            "check the prediction or its unit."
        )
    return _median(t) / middle, 0.0


def fit_scale(prediction: Array, target: Array, valid: Array) -> tuple[float, float]:
    """Least-squares scale in depth, a = sum(p t) / sum(p^2), which minimises sum((a p - t)^2), and shift 0.

    Arguments are those of :func:`fit_median`.

    Raises:
        ShapeError: if the shapes differ.
        InputError: if no valid pixel has a finite prediction, or all of them predict 0.

    Source: the normal equation of a line through the origin.
    """
    p, t = _finite_pairs(prediction, target, valid)
    power = _sum(p * p)
    if power == 0.0:
        raise InputError(
            "prediction: 0 at every valid pixel; expected positive depth to scale; check the prediction or its unit."
        )
    return _sum(p * t) / power, 0.0


def fit_scale_shift(prediction: Array, target: Array, valid: Array) -> tuple[float, float]:
    """Least-squares scale and shift in depth: a, b that minimise sum((a p + b - t)^2).

    a = cov(p, t) / var(p) and b = mean(t) - a mean(p). The scale may come out negative when the prediction grows where
    the target shrinks (a disparity, for instance). A constant prediction holds no shape to fit: it gives a = 0, b =
    mean(t).

    Arguments are those of :func:`fit_median`.

    Raises:
        ShapeError: if the shapes differ.
        InputError: if no valid pixel has a finite prediction.

    Source: Ranftl et al. 2020, Towards Robust Monocular Depth Estimation (MiDaS), its scale- and shift-invariant loss;
    there in disparity, here in depth.
    """
    p, t = _finite_pairs(prediction, target, valid)
    n = int(p.shape[0])
    mean_p, mean_t = _sum(p) / n, _sum(t) / n
    p = p - mean_p
    variance = _sum(p * p) / n
    constant = variance <= (1e-7 * mean_p) ** 2  # no more than the rounding of float32
    scale = 0.0 if constant else _sum(p * (t - mean_t)) / n / variance
    return scale, mean_t - scale * mean_p


def fit_scale_shift_disparity(prediction: Array, target: Array, valid: Array) -> tuple[float, float]:
    """Least-squares scale and shift in disparity: a, b that minimise sum((a p + b - 1/t)^2).

    Args:
        prediction: inverse depth up to an unknown scale and shift, any shape.
        target: true depth in metres, the same shape.
        valid: True where both count, the same shape, bool.

    Raises:
        ShapeError: if the shapes differ.
        InputError: if no valid pixel has a finite prediction.

    Source: Ranftl et al. 2020 (MiDaS), section 5: predictions and ground truth are aligned in inverse depth.
    """
    xp = array_namespace(prediction, target)
    return fit_scale_shift(prediction, 1.0 / xp.where(valid & (target > 0), target, xp.ones_like(target)), valid)


Fit = Callable[[Array, Array, Array], tuple[float, float]]

ALIGNMENTS: dict[str, Fit] = {
    "none": fit_none,
    "median": fit_median,
    "scale": fit_scale,
    "scale-shift": fit_scale_shift,
    "scale-shift-disparity": fit_scale_shift_disparity,
}
"""Alignments by the name of ``--align``."""


def find_alignment(name: str) -> Fit:
    """The fit called ``name``.

    Raises:
        ConfigError: if there is none.
    """
    if name not in ALIGNMENTS:
        raise ConfigError(f"--align {name}: unknown; choose one of {', '.join(ALIGNMENTS)}.")
    return ALIGNMENTS[name]


def alignment_for(kind: str, name: str) -> str:
    """The alignment that ``--align NAME`` stands for with a model whose output is of this kind.

    Args:
        kind: ``metric``, ``scale_invariant`` (depth up to a scale) or ``affine_invariant`` (inverse depth up to scale
            and shift), as in ModelInfo.
        name: the alignment that the user asked for.

    Raises:
        ConfigError: if there is no such alignment, or this output cannot be scored so.
    """
    find_alignment(name)
    if kind == "affine_invariant":
        if name not in ("scale-shift", "scale-shift-disparity"):
            raise ConfigError(
                f"--align {name}: this model gives inverse depth up to scale and shift, not metres; "
                "pass --align scale-shift, which fits both in inverse depth."
            )
        return "scale-shift-disparity"
    if kind == "scale_invariant" and name == "none":
        raise ConfigError(
            "--align none: this model gives depth up to a scale, not metres; pass --align median, scale or scale-shift."
        )
    return name


def apply_fit(name: str, prediction: Array, scale: float, shift: float) -> Array:
    """Depth in metres of a prediction after the fit (scale, shift) of the alignment called ``name``; not clamped.

    A disparity of 0 or less after the fit lies at infinity: it becomes a million metres. NaN stays NaN.
    """
    aligned = prediction * scale + shift
    if name != "scale-shift-disparity":
        return aligned
    xp = array_namespace(aligned)
    return 1.0 / xp.where(aligned < 1e-6, xp.full_like(aligned, 1e-6), aligned)


def align(name: str, prediction: Array, target: Array, valid: Array) -> Array:
    """The prediction in metres after the alignment called ``name``; same shape, not clamped.

    Raises:
        ConfigError: if there is no such alignment.
        ShapeError, InputError: see the fits.
    """
    return apply_fit(name, prediction, *find_alignment(name)(prediction, target, valid))


def _finite_pairs(prediction: Array, target: Array, valid: Array) -> tuple[Array, Array]:
    """Prediction and target where valid and finite, two 1-D arrays with at least one element."""
    p, t = valid_pairs(prediction, target, valid)
    xp = array_namespace(p, t)
    finite = xp.isfinite(p)
    if not bool(xp.all(finite)):
        p, t = p[finite], t[finite]
    if p.shape[0] == 0:
        raise InputError(
            "alignment: no valid pixel with a finite prediction; expected at least one; leave this image out."
        )
    return p, t


def _sum(values: Array) -> float:
    xp = array_namespace(values)
    return float(xp.sum(values, dtype=xp.float64))


def _median(values: Array) -> float:
    """Middle value, or the mean of the two middle ones."""
    n = int(values.shape[0])
    low, high = (n - 1) // 2, n // 2
    # Selection is far cheaper than sorting; the array API knows only the latter.
    ordered = np.partition(values, (low, high)) if is_numpy_array(values) else array_namespace(values).sort(values)
    return (float(ordered[low]) + float(ordered[high])) / 2.0
