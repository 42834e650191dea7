"""What the numbers say about a claim, in sentences that follow from them."""

from __future__ import annotations

from depthnet.experiment.compare import ComparisonResult, Difference, Finding
from depthnet.experiment.plan import Plan
from depthnet.experiment.subjects import format_value
from depthnet.experiment.suite import Comparison

VERDICTS = {
    "yes": "The claim holds here.",
    "no": "The claim fails here.",
    "open": "The claim is not settled here.",
}
ANSWERS = {"yes": "yes", "no": "no", "open": "not settled"}


def describe_finding(finding: Finding, plan: Plan) -> str:
    """A heading, the verdict, and a line on each test with its rule, its numbers and its answer."""
    lines = [f"### {finding.claim.text}", "", f"**{VERDICTS[finding.answer]}**", ""]
    return "\n".join(lines + [f"- {describe_test(result, plan)}" for result in finding.tests])


def describe_test(result: ComparisonResult, plan: Plan) -> str:
    """One test: the question, the numbers, the answer."""
    test = result.test
    question = describe_question(test, plan)
    if result.values is None:
        missing = f"{_title(test.row, plan)} and {_title(test.than, plan)} have no result with the same seed yet"
        return f"{question} Not settled: {plan.left_out.get(test.pairs, missing)}."
    row, than = (format_value(test.by, value) for value in result.values)
    numbers = f"{row} against {than}"
    if result.difference is not None:
        numbers += f"; {describe_difference(result.difference, test.by)}"
    return f"{question} {numbers}. Answer: {ANSWERS[result.answer]}."


def describe_question(test: Comparison, plan: Plan) -> str:
    """What a test asks."""
    row, than, by = _title(test.row, plan), _title(test.than, plan), test.by.replace("_", "-")
    margin = format_value(test.by, test.margin)
    by += next((f" on {pairs.title}" for pairs in plan.suite.pairs if pairs.name == test.pairs), "")
    if test.kind == "equivalent":
        return f"Are {row} and {than} within {margin} in {by}?"
    if test.kind == "fewer":
        return f"Has {row} fewer {by} than {than}?"
    by_more = f" by more than {margin}" if test.margin else ""
    no = " not" if test.kind == "not-better" else ""
    return f"Is {row}{no} better than {than}{by_more} in {by}?"


def describe_difference(difference: Difference, metric: str) -> str:
    """How far ahead, and the intervals."""
    ahead = "ahead" if difference.mean >= 0 else "behind"
    intervals = "; ".join(
        f"{_signed(metric, one.low)} to {_signed(metric, one.high)} by {one.how}" for one in difference.intervals
    )
    return f"{ahead} by {format_value(metric, abs(difference.mean))}, with 95 % confidence {intervals}"


def _signed(metric: str, value: float) -> str:
    return ("+" if value >= 0 else "−") + format_value(metric, abs(value))


def _title(name: str, plan: Plan) -> str:
    titles = {**plan.suite.subject.baselines, **{row.name: row.title for row in plan.suite.rows}}
    return titles[name]
