"""What the scores of two rows prove: differences image by image, their intervals, and verdicts on claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import InputError
from depthnet.experiment.record import Record, Scores
from depthnet.experiment.subjects import COSTS, is_better_high
from depthnet.experiment.suite import Claim, Comparison

RESAMPLES = 10_000
CONFIDENCE = 0.95

Answer = Literal["yes", "no", "open"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """Where a difference lies with 95 % confidence."""

    low: float
    high: float
    how: str
    """How it was found, in words."""


@dataclass(frozen=True)
class Difference:
    """How far one row is ahead of another; positive is better, whatever the direction of the metric."""

    mean: float
    intervals: tuple[Interval, ...]

    @property
    def low(self) -> float:
        """Lower end of all intervals together."""
        return min(interval.low for interval in self.intervals)

    @property
    def high(self) -> float:
        """Upper end of all intervals together."""
        return max(interval.high for interval in self.intervals)


@dataclass(frozen=True)
class ComparisonResult:
    """The answer to one test of a claim."""

    test: Comparison
    answer: Answer
    difference: Difference | None = None
    """None where costs are compared, or the rows have no seed in common yet."""
    values: tuple[float, float] | None = None
    """What both rows have: mean score or cost."""


@dataclass(frozen=True)
class Finding:
    """What the numbers say about a claim."""

    claim: Claim
    answer: Answer
    tests: tuple[ComparisonResult, ...]


#: Row -> seed -> record.
Table = Mapping[str, Mapping[int, Record]]


def judge(claim: Claim, table: Table, block_images: int) -> Finding:
    """Judge a claim: yes when all its tests say yes, no when one says no, open otherwise.

    Args:
        claim: the claim with its rule.
        table: records of all rows that have one.
        block_images: neighbouring images that show one room.
    """
    results = tuple(answer_test(test, table, block_images) for test in claim.tests)
    answers = {result.answer for result in results}
    answer: Answer = "no" if "no" in answers else "open" if "open" in answers else "yes"
    return Finding(claim, answer, results)


def answer_test(test: Comparison, table: Table, block_images: int) -> ComparisonResult:
    """Answer one test; open when the rows have no result with the same seed."""
    row, than = table.get(test.row), table.get(test.than)
    if not row or not than or not row.keys() & than.keys():
        return ComparisonResult(test, "open")
    if test.by in COSTS:
        costs = tuple(float(getattr(next(iter(records.values())), test.by)) for records in (row, than))
        return ComparisonResult(test, "yes" if costs[0] < costs[1] else "no", values=(costs[0], costs[1]))
    if test.pairs and not all(test.pairs in record.elsewhere for record in (*row.values(), *than.values())):
        return ComparisonResult(test, "open")
    difference = compare(row, than, test.by, block_images, test.pairs)
    values = tuple(mean_score(records.values(), test.by, test.pairs) for records in (row, than))
    return ComparisonResult(test, verdict(test, difference), difference, (values[0], values[1]))


def verdict(test: Comparison, difference: Difference) -> Answer:
    """Answer by the whole of the intervals: what they do not settle stays open."""
    low, high, margin = difference.low, difference.high, test.margin
    if test.kind == "equivalent":
        if -margin < low and high < margin:
            return "yes"
        return "no" if low > margin or high < -margin else "open"
    ahead: Answer = "yes" if low > margin else "no" if high <= margin else "open"
    if test.kind == "not-better":
        opposite: dict[Answer, Answer] = {"yes": "no", "no": "yes", "open": "open"}
        return opposite[ahead]
    return ahead


def mean_score(records: Iterable[Record], metric: str, pairs: str = "") -> float:
    """Mean over the seeds of a row's score."""
    return float(np.mean([record.of(pairs).scores[metric] for record in records]))


def compare(
    row: Mapping[int, Record], than: Mapping[int, Record], metric: str, block_images: int, pairs: str = ""
) -> Difference:
    """How far a row is ahead, with its intervals.

    The difference is taken image by image, so that what makes an image hard for both rows cancels. Intervals: over
    the images; over blocks of neighbouring images, when a block is more than one; over the seeds, when there are
    several.

    Args:
        row: records by seed.
        than: those of the other row; at least one seed must be in both, and those that are not are left out.
        metric: name of the metric.
        block_images: images of a block.
        pairs: name of further pairs of frames; empty for what every row is scored on.

    Raises:
        InputError: if the two were not scored on the same images.
    """
    by_seed = np.array([
        _image_differences(row[seed].of(pairs).per_image, than[seed].of(pairs).per_image, metric)
        for seed in row if seed in than
    ])  # fmt: skip
    by_image: Floats = by_seed.mean(axis=0)
    intervals = [bootstrap(by_image, 1)]
    if block_images > 1:
        intervals.append(bootstrap(by_image, block_images))
    if len(by_seed) > 1:
        intervals.append(_over_seeds(by_seed.mean(axis=1)))
    return Difference(float(by_image.mean()), tuple(intervals))


def bootstrap(differences: Floats, block_images: int, seed: int = 0) -> Interval:
    """Percentile interval of the mean under resampling of whole blocks of neighbours.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13; blocks as in ch. 8.

    Args:
        differences: of each image, in the order of the data, (N,).
        block_images: images of a block; the last block may be smaller.
        seed: of the resampling; the same seed gives the same interval.
    """
    starts = np.arange(0, len(differences), block_images)
    sums = np.add.reduceat(differences, starts)
    counts = np.diff(np.append(starts, len(differences)))
    drawn = np.random.default_rng(seed).integers(len(starts), size=(RESAMPLES, len(starts)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(means, [tail, 100 - tail])
    what = f"{len(starts)} frames" if block_images == 1 else f"{len(starts)} blocks of {block_images} frames"
    return Interval(float(low), float(high), f"bootstrap over {what}")


def _over_seeds(differences: Floats) -> Interval:
    """Student's interval of the mean over seeds."""
    from scipy.stats import t

    count = len(differences)
    half = t.ppf(0.5 + CONFIDENCE / 2, count - 1) * differences.std(ddof=1) / np.sqrt(count)
    mean = differences.mean()
    return Interval(float(mean - half), float(mean + half), f"t interval over {count} seeds")


def _image_differences(one: Mapping[str, Scores], other: Mapping[str, Scores], metric: str) -> Floats:
    if list(one) != list(other):
        raise InputError("two rows were scored on different images; remove their result.json, they are scored again.")
    sign = 1.0 if is_better_high(metric) else -1.0
    pairs = zip(one.values(), other.values(), strict=True)
    return sign * np.array([a[metric] - b[metric] for a, b in pairs])
