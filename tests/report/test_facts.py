"""Facts of a report against numbers worked by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from depthnet.evaluation import evaluate
from depthnet.report import ModelFacts
from depthnet.report.facts import ERROR_STEP, distance_edges


def test_scores_by_distance(make_pair: Any) -> None:
    facts = ModelFacts()
    # Up to 1 m: errors of 0.2, 0 and 0.5 (not within 1.25); from 2 m on: 0.1. The fifth pixel is unknown.
    facts(make_pair([1.2 * 0.5, 0.7, 1.35, 2.2, 9.0], [0.5, 0.7, 0.9, 2.0, 0.0]))
    near, empty, far = facts.by_distance([0.0, 1.0, 2.0, math.inf])
    assert (near.pixels, empty.pixels, far.pixels) == (3, 0, 1)
    assert near.abs_rel == pytest.approx((0.2 + 0.0 + 0.5) / 3, abs=1e-6)
    assert near.delta1 == pytest.approx(2 / 3)
    assert far.abs_rel == pytest.approx(0.1, abs=1e-6)
    assert far.delta1 == 1.0
    assert math.isnan(empty.abs_rel)
    assert (far.low, far.high) == (2.0, math.inf)


def test_depths_on_an_edge_belong_to_the_bin_that_begins_there(make_pair: Any) -> None:
    facts = ModelFacts()
    edges = np.arange(1, 100) / np.float32(10)  # no float32 is exactly 0.7
    facts(make_pair(edges, edges))
    assert np.flatnonzero(facts.depths).tolist() == list(range(1, 100))


def test_edges_are_round_and_few_and_hold_all_but_strays(make_pair: Any) -> None:
    rng = np.random.default_rng(0)
    for low, high, step in ((0.3, 1.3, 0.1), (0.6, 9.9, 1.0), (3.0, 79.0, 10.0), (5.0, 30.0, 5.0)):
        facts = ModelFacts()
        depth = rng.uniform(low, high, (40, 50))
        facts(make_pair(depth, depth))
        edges = distance_edges([facts])
        assert np.diff(edges) == pytest.approx(step)
        assert edges[0] <= low
        assert edges[-1] >= high
        assert len(edges) <= 13
        depth[0, 0] = 500.0  # one pixel of 2000 changes only what the last bin is called
        facts(make_pair(depth, depth))
        assert distance_edges([facts]) == [*edges[:-1], math.inf]
        assert sum(one.pixels for one in facts.by_distance([*edges[:-1], math.inf])) == facts.pixels == 4000
    assert distance_edges([ModelFacts()]) == []


def test_histogram_of_errors_is_centred_on_zero_and_keeps_its_tail(make_pair: Any) -> None:
    facts = ModelFacts()
    facts(make_pair([2.0, 2.02, 1.98, 2.2, 1.0, 8.0], [2.0] * 6))
    centres = {round((i - 40) * ERROR_STEP, 3): int(n) for i, n in enumerate(facts.errors) if n}
    assert centres == {-0.5: 1, 0.0: 3, 0.1: 1, 1.025: 1}
    assert facts.signed == pytest.approx(0.01 - 0.01 + 0.1 - 0.5 + 3.0, abs=1e-5)
    assert facts.too_far == 3


def test_drift_is_the_ratio_of_medians_before_any_alignment(make_pair: Any) -> None:
    facts = ModelFacts()
    depth = np.array([2.0, 4.0, 6.0, 0.0])
    facts(make_pair(depth / 1.25, depth, "near", align="median"))
    facts(make_pair([3.0, 8.0, 5.0, 1.0], depth, "mixed"))
    facts(make_pair([0.0, 0.0, 0.0, 1.0], depth, "zero"))
    facts(make_pair(depth, depth * 0, "unknown"))
    assert list(facts.scales) == ["near", "mixed", "zero", "unknown"]
    assert facts.scales["near"] == pytest.approx(1.25)
    assert facts.scales["mixed"] == pytest.approx(4.0 / 5.0)
    assert math.isnan(facts.scales["zero"])
    assert math.isnan(facts.scales["unknown"])
    facts(make_pair(1 / np.maximum(depth, 1), depth, "inverse", align="scale-shift-disparity"))
    assert math.isnan(facts.scales.pop("inverse")), "inverse depth has no scale in metres"
    # The scores are those after the alignment.
    assert facts.by_distance([0.0, 10.0])[0].pixels == 12
    aligned = ModelFacts()
    aligned(make_pair(depth / 1.25, depth, align="median"))
    assert aligned.by_distance([0.0, 10.0])[0].abs_rel == pytest.approx(0.0, abs=1e-6)


def test_only_pixels_of_the_protocol_count(make_pair: Any) -> None:
    depth = np.full((96, 128), 2.0)
    depth[50, 60] = 12.0  # beyond the range of nyu
    prediction = np.full((96, 128), 20.0)  # clamped to 10 m
    prediction[9:94, 8:120] = np.nan  # clamped to 1 mm inside the crop
    facts = ModelFacts()
    facts(make_pair(prediction, depth, protocol="nyu"))
    assert facts.pixels == 85 * 112 - 1
    assert facts.signed == pytest.approx(-(1 - 0.001 / 2) * facts.pixels, rel=1e-5)


@pytest.mark.parametrize("images", range(1, 10))
def test_best_and_worst_are_kept_in_order_and_apart(make_pair: Any, images: int) -> None:
    rng = np.random.default_rng(images)
    errors = rng.permutation(images) // 2 / 10  # pairs of equal rank
    facts = ModelFacts(images=2)
    decoded = []
    for index, error in enumerate(errors):
        pair = make_pair(np.full((3, 4), 2.0 * (1 + error)), np.full((3, 4), 2.0), f"image {index}")
        facts(pair)
        decoded.append(pair)
    best, worst = facts.cases()
    ranked = sorted(errors)
    assert [case.metrics["abs_rel"] for case in best] == pytest.approx(ranked[: min(2, (images + 1) // 2)], abs=1e-6)
    assert [case.metrics["abs_rel"] for case in worst] == pytest.approx(ranked[::-1][: min(2, images // 2)], abs=1e-6)
    names = [case.name for case in (*best, *worst)]
    assert len(set(names)) == len(names) == min(images, 4)


def test_no_image_is_kept_when_none_is_wanted_and_few_are_decoded(make_pair: Any) -> None:
    facts = ModelFacts(images=0)
    facts(make_pair([2.0], [2.0], photo=False))
    assert facts.cases() == ([], [])
    facts = ModelFacts(images=1)
    facts(make_pair([2.0], [2.0], photo=False))  # its picture cannot be read: the others are drawn all the same
    assert facts.cases()[0][0].pictures.photo is None
    assert facts.cases()[0][0].pictures.truth.startswith("data:image/jpeg;base64,")


def test_a_run_is_watched_without_changing_its_scores() -> None:
    from depthnet.data.samples import DepthDataset, RawSample

    class Flat(DepthDataset):
        name, names, default_protocol = "flat", ["a", "b", "c"], "none"
        reads = 0

        def read_raw(self, index: int) -> RawSample:
            self.reads += 1
            return RawSample(np.zeros((6, 8, 3), np.uint8), np.full((6, 8), 2.0, np.float32), None, self.names[index])

    class Model:
        def depth(self, image: np.ndarray, focal_px: float | None) -> np.ndarray:
            return np.full(image.shape[:2], 2.5, np.float32)

    facts = ModelFacts()
    watched, plain = evaluate(Model(), Flat(), on_scored=facts), evaluate(Model(), Flat())
    assert watched.scores == plain.scores
    assert facts.scales == pytest.approx(dict.fromkeys("abc", 0.8))
    assert facts.pixels == watched.pixels["none"]
