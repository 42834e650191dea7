"""Verdicts on tables made by hand: what is settled, what stays open, and by which interval."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from depthnet.errors import InputError
from depthnet.experiment.compare import Difference, Interval, answer_test, bootstrap, compare, judge, verdict
from depthnet.experiment.record import Record
from depthnet.experiment.suite import Claim, Comparison

Make = Callable[..., Record]
HARD = np.linspace(0.2, 0.9, 40)  # how well an image can be done at all


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.02, 40)


@pytest.fixture
def table(make_record: Make) -> dict[str, dict[int, Record]]:
    """Four rows whose images differ far more than the rows do."""
    return {
        "good": {0: make_record(HARD + 0.05 + noise(1), parameters=10)},
        "bad": {0: make_record(HARD + noise(2), parameters=90)},
        "same": {0: make_record(HARD + noise(3), parameters=90)},
        "none": {},
    }


def ask(table: dict[str, dict[int, Record]], row: str, kind: str, than: str, **more: object) -> str:
    test = Comparison(kind=kind, row=row, than=than, **more)  # type: ignore[arg-type]
    return answer_test(test, table, block_images=1).answer


def test_better_is_seen_image_by_image_and_only_beyond_the_margin(table: dict[str, dict[int, Record]]) -> None:
    assert ask(table, "good", "better", "bad") == "yes"
    assert ask(table, "bad", "better", "good") == "no"
    assert ask(table, "same", "better", "bad") == "open"
    assert ask(table, "good", "better", "bad", margin=0.05) == "open"
    assert ask(table, "good", "better", "bad", margin=0.2) == "no"


def test_of_errors_the_smaller_is_better(table: dict[str, dict[int, Record]]) -> None:
    assert ask(table, "good", "better", "bad", by="rmse") == "no"
    assert ask(table, "bad", "better", "good", by="rmse") == "yes"


def test_not_better_is_the_opposite(table: dict[str, dict[int, Record]]) -> None:
    assert ask(table, "good", "not-better", "bad") == "no"
    assert ask(table, "good", "not-better", "bad", margin=0.2) == "yes"
    assert ask(table, "same", "not-better", "bad") == "open"


def test_equivalent_needs_the_whole_interval_inside_the_margin(table: dict[str, dict[int, Record]]) -> None:
    assert ask(table, "same", "equivalent", "bad", margin=0.02) == "yes"
    assert ask(table, "good", "equivalent", "bad", margin=0.02) == "no"
    assert ask(table, "bad", "equivalent", "good", margin=0.02) == "no"
    assert ask(table, "good", "equivalent", "bad", margin=0.05) == "open"


def test_costs_need_no_interval(table: dict[str, dict[int, Record]]) -> None:
    assert ask(table, "good", "fewer", "bad", by="parameters") == "yes"
    assert ask(table, "bad", "fewer", "good", by="multiply_adds") == "no"
    assert ask(table, "bad", "fewer", "same", by="parameters") == "no"


def test_a_row_without_a_result_leaves_the_question_open(table: dict[str, dict[int, Record]]) -> None:
    assert ask(table, "good", "better", "none") == "open"
    assert ask({**table, "late": {7: table["bad"][0]}}, "good", "better", "late") == "open"


@pytest.mark.parametrize(
    ("kinds", "answer"),
    [
        (("better",), "yes"),
        (("better", "fewer"), "yes"),
        (("better", "not-better"), "no"),
        (("better", "open"), "open"),
        (("not-better", "open"), "no"),
    ],
)
def test_a_claim_holds_with_all_its_tests(
    kinds: tuple[str, ...], answer: str, table: dict[str, dict[int, Record]]
) -> None:
    tests = {
        "better": Comparison("better", "good", "bad"),
        "not-better": Comparison("not-better", "good", "bad"),
        "fewer": Comparison("fewer", "good", "bad", "parameters"),
        "open": Comparison("better", "good", "none"),
    }
    finding = judge(Claim("x", "A claim", [tests[kind] for kind in kinds]), table, 1)
    assert finding.answer == answer
    assert len(finding.tests) == len(kinds)


def test_frames_of_one_room_are_not_independent(make_record: Make) -> None:
    rooms = np.repeat([0.3, 0.3, -0.1, 0.2, -0.2, 0.3], 10)  # one number a room, ten frames each
    row, than = {0: make_record(0.5 + rooms)}, {0: make_record(np.full(60, 0.5))}
    by_image, by_room = compare(row, than, "delta1", 10).intervals
    assert by_image.low > 0 > by_room.low
    assert by_room.how == "bootstrap over 6 blocks of 10 frames"
    claim = Comparison("better", "a", "b")
    assert answer_test(claim, {"a": row, "b": than}, 1).answer == "yes"
    assert answer_test(claim, {"a": row, "b": than}, 10).answer == "open"


def test_several_seeds_are_paired_and_have_an_interval_of_their_own(make_record: Make) -> None:
    row = {seed: make_record([ahead, ahead]) for seed, ahead in ((0, 0.1), (1, 0.2), (2, 0.3), (3, 9.0))}
    than = {seed: make_record([0.0, 0.0]) for seed in (0, 1, 2)}  # the fourth is not there yet
    difference = compare(row, than, "delta1", 1)
    assert difference.mean == pytest.approx(0.2)
    images, seeds = difference.intervals
    assert (images.low, images.high) == pytest.approx((0.2, 0.2))
    # Student's t at 97.5 % with 2 degrees of freedom is 4.302653; the standard deviation is 0.1.
    assert seeds.high - 0.2 == pytest.approx(4.302653 * 0.1 / 3**0.5, rel=1e-6)
    assert (difference.low, difference.high) == (seeds.low, seeds.high)
    assert seeds.how == "t interval over 3 seeds"


def test_bootstrap_is_repeatable_and_right_where_it_can_be_counted() -> None:
    values = np.random.default_rng(5).normal(1.0, 2.0, 200)
    assert bootstrap(values, 1) == bootstrap(values, 1)
    assert bootstrap(values, 1) != bootstrap(values, 1, seed=1)
    interval = bootstrap(values, 1)
    # The mean of many independent values: mean ± 1.96 standard errors.
    error = values.std() / np.sqrt(200)
    assert interval.low == pytest.approx(values.mean() - 1.96 * error, abs=0.05 * error)
    assert interval.high == pytest.approx(values.mean() + 1.96 * error, abs=0.05 * error)
    # Of two values, the mean of two drawn is 0, 1/2 or 1, the ends a quarter of the time each.
    assert (bootstrap(np.array([0.0, 1.0]), 1).low, bootstrap(np.array([0.0, 1.0]), 1).high) == (0.0, 1.0)


def test_a_last_block_that_is_smaller_counts_by_its_images() -> None:
    values = np.array([1.0, 1.0, 1.0, 1.0, 4.0])
    interval = bootstrap(values, 4)  # blocks of 4 and 1: means 1, (4 + 4) / 5 = 1.6, or 4
    assert (interval.low, interval.high) == (1.0, 4.0)
    assert interval.how == "bootstrap over 2 blocks of 4 frames"


def test_all_intervals_must_agree() -> None:
    split = Difference(0.1, (Interval(0.05, 0.2, "a"), Interval(-0.05, 0.1, "b")))
    assert verdict(Comparison("better", "x", "y"), split) == "open"
    assert verdict(Comparison("better", "x", "y"), Difference(0.1, split.intervals[:1])) == "yes"


def test_rows_on_different_images_are_not_compared(make_record: Make) -> None:
    with pytest.raises(InputError, match="scored on different images"):
        compare({0: make_record([1, 2])}, {0: make_record([1, 2, 3])}, "delta1", 1)
