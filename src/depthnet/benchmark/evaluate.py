"""Scoring of 640x480 pairs under all protocols: ours in one pass against protocol after protocol in plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.benchmark.timing import measure, result
from depthnet.evaluation.protocols import PROTOCOLS, EvaluationProtocol, find_protocols
from depthnet.evaluation.scoring import score

PAIRS, SIZE = 8, (480, 640)


def run() -> dict[str, dict[str, Any]]:
    """Seconds per pair for every protocol and its pooled variant, prediction excluded."""
    rng = np.random.default_rng(0)
    pairs = []
    for _ in range(PAIRS):
        depth = rng.uniform(0.5, 9.5, SIZE).astype(np.float32)
        depth[rng.random(SIZE) < 0.1] = 0
        prediction = np.clip(depth * rng.uniform(0.8, 1.2, SIZE) + 0.01, 0.001, 10.0)  # the range of an indoor model
        pairs.append((prediction.astype(np.float32), depth))
    plain = list(PROTOCOLS.values())
    protocols = find_protocols([*PROTOCOLS, *(f"{name}-pooled" for name in PROTOCOLS)])
    seconds = measure(
        {
            "ours": lambda: [score(prediction, depth, None, protocols) for prediction, depth in pairs],
            "rival": lambda: [_plain(prediction, depth, one) for prediction, depth in pairs for one in plain],
        },
        repeats=5,
    )
    rival = "plain NumPy, one protocol after the other"
    return {
        "evaluate": result(
            seconds["ours"] / PAIRS, seconds["rival"] / PAIRS, rival,
            f"s per 640x480 pair, {len(PROTOCOLS)} protocols, 1 core", pairs_per_s=PAIRS / seconds["ours"],
        )
    }  # fmt: skip


def _plain(prediction: NDArray[np.float32], depth: NDArray[np.float32], protocol: EvaluationProtocol) -> list[float]:
    """The nine numbers as the usual evaluation scripts compute them."""
    top, bottom, left, right = protocol.crop(*depth.shape)
    p, t = prediction[top:bottom, left:right], depth[top:bottom, left:right]
    low, high = protocol.truth_range
    mask = (t > low) & (t < high)
    p, t = np.clip(p, *protocol.prediction_range)[mask], t[mask]
    threshold = np.maximum(t / p, p / t)
    error = np.log(p) - np.log(t)
    return [
        np.mean(np.abs(t - p) / t), np.mean((t - p) ** 2 / t), np.sqrt(np.mean((t - p) ** 2)),
        np.sqrt(np.mean((np.log(t) - np.log(p)) ** 2)), np.mean(np.abs(np.log10(p) - np.log10(t))),
        np.sqrt(np.mean(error**2) - np.mean(error) ** 2) * 100, *(np.mean(threshold < 1.25**k) for k in (1, 2, 3)),
    ]  # fmt: skip
