"""Hand-made scored pairs, and reports of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from depthnet.errors import InputError
from depthnet.evaluation import Evaluation, ImageScore, ScoredPair, find_protocols, score
from depthnet.report import ModelFacts, ModelReport

MakePair = Callable[..., ScoredPair]
MakeReport = Callable[..., ModelReport]


def _pair(
    prediction: np.ndarray, depth: np.ndarray, name: str = "a", protocol: str = "none", align: str = "none",
    photo: bool = True,
) -> ScoredPair:  # fmt: skip
    prediction, depth = np.atleast_2d(np.float32(prediction)), np.atleast_2d(np.float32(depth))

    def read_image() -> np.ndarray:
        if not photo:
            raise InputError(f"{name}: no picture.")
        return np.full((*depth.shape, 3), 90, np.uint8)

    protocols = find_protocols([protocol, f"{protocol}-pooled"])
    sums = ImageScore(name, score(prediction, depth, None, protocols, align))
    return ScoredPair(sums, prediction, depth, protocols, align, read_image)


@pytest.fixture
def make_pair() -> MakePair:
    """Scores a prediction against a depth map, both of any shape."""
    return _pair


@pytest.fixture
def make_report() -> MakeReport:
    """What a run over these pairs gives: pairs, name of the model, images to keep."""

    def build(pairs: Sequence[ScoredPair], model: str = "m", images: int = 3) -> ModelReport:
        facts = ModelFacts(images)
        for pair in pairs:
            facts(pair)
        found = Evaluation(model, "data", pairs[0].align, False, tuple(pairs[0].protocols), [p.score for p in pairs])
        return ModelReport(found, facts)

    return build
