"""From a suite to the runs it asks for: which folder, which options, how many epochs make the budget."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthnet.config import ExperimentConfig, TrainConfig
from depthnet.cores import usable_cores
from depthnet.errors import ConfigError
from depthnet.experiment.command import option_words
from depthnet.experiment.suite import Pairs, Row, Stage, Suite, merge_options
from depthnet.options import from_plain

if TYPE_CHECKING:
    from depthnet.data.samples import DepthDataset

#: Options that change how fast a run goes and what it logs, but not what it learns.
PACE = ("threads", "workers", "cache", "log_every", "checkpoint_minutes")


@dataclass(frozen=True)
class PlannedStage:
    """One training, as ``depthnet train`` would do it."""

    name: str
    """Name of the stage; empty when the run has only this one."""
    folder: Path
    """Its run folder."""
    config: TrainConfig
    """All its options."""
    own_data: bool
    """Whether it trains on other data than the suite's."""

    @property
    def images(self) -> int:
        """Images that it sees."""
        return self.config.epochs * (self.config.limit_batches or 0) * self.batch_images

    @property
    def batch_images(self) -> int:
        """Images of one batch, over all devices."""
        return self.config.batch_size * self.config.devices

    @property
    def words(self) -> list[str]:
        """The words of its command line."""
        return ["train", *option_words(self.config), "--out", str(self.folder)]


@dataclass(frozen=True)
class PlannedRun:
    """A row with one seed."""

    row: Row
    seed: int
    folder: Path
    stages: tuple[PlannedStage, ...]

    @property
    def images(self) -> int:
        """Images that all its stages see."""
        return sum(stage.images for stage in self.stages)

    @property
    def title(self) -> str:
        """Row and seed, for messages."""
        return f"row {self.row.name}, seed {self.seed}"


@dataclass(frozen=True)
class Plan:
    """All runs of a suite on given data, in the order in which they are trained."""

    suite: Suite
    config: ExperimentConfig
    out: Path
    runs: tuple[PlannedRun, ...]
    pairs: tuple[Pairs, ...]
    """The pairs of frames that motions are scored on, their paths filled in."""
    left_out: dict[str, str]
    """Rows that cannot be trained, and pairs that cannot be scored, with what was given, each with the reason."""

    @property
    def split(self) -> str:
        """The part of the data that is scored."""
        return self.config.val_split or self.suite.split

    @property
    def scored_data(self) -> str:
        """The data that are scored."""
        return self.config.val_data or self.config.data

    def of_row(self, name: str) -> tuple[PlannedRun, ...]:
        """The runs of a row, one for each seed."""
        return tuple(run for run in self.runs if run.row.name == name)


def plan_suite(suite: Suite, config: ExperimentConfig, out: Path, source: str) -> Plan:
    """Work out every run.

    Args:
        suite: the suite.
        config: data and paths that the user gave.
        out: folder of all runs.
        source: file of the suite, for messages.

    Raises:
        ConfigError: if an option of the suite is unknown or has a wrong value.
        InputError: if data cannot be opened.
    """
    counts: dict[str, int] = {}
    runs, left_out = [], {}
    pairs: list[Pairs] = []
    for one in suite.pairs:
        missing = missing_paths(one.data, config.paths)
        if missing and not pairs:
            raise ConfigError(f"{source}: pairs {one.name}, on which all rows are compared: {missing}.")
        if missing:
            left_out[one.name] = missing
        else:
            pairs.append(replace(one, data=fill_paths(one.data, config.paths)))
    for seed in suite.seeds:  # all rows with the first seed come first: a table that is not finished can be read
        for row in suite.rows:
            try:
                runs.append(_plan_run(suite, row, seed, config, out, source, counts))
            except _PathNotGivenError as not_given:
                left_out[row.name] = str(not_given)
    return Plan(suite, config, out, tuple(runs), tuple(pairs), left_out)


class _PathNotGivenError(Exception):
    """An option of a row names a path that the user did not give."""


def _plan_run(
    suite: Suite, row: Row, seed: int, config: ExperimentConfig, out: Path, source: str, counts: dict[str, int]
) -> PlannedRun:
    folder = out / f"{row.name}-s{seed}"
    stages: list[PlannedStage] = []
    for stage in row.stages or [Stage()]:
        options = merge_options(merge_options(suite.base, row.options), stage.options)
        options = fill_paths(options, config.paths)
        where = f"{source}: row {row.name}" + (f", stage {stage.name}" if stage.name else "")
        train = from_plain(TrainConfig, options, where)
        own_data = bool(train.data)
        train = replace(train, seed=seed, threads=training_threads(config) or train.threads)
        train = replace(train, accelerator=config.device or train.accelerator)
        if own_data:  # a start for the next stage: what counts is the score there
            train = replace(train, val_split="none")
        else:
            train = replace(
                train, data=config.data, format=config.format, val_data=config.val_data,
                val_split=config.val_split or suite.split,
            )  # fmt: skip
        if stages:
            train = replace(train, init=str(stages[-1].folder))
        train = spend(suite.budget * stage.share, suite.validations, count_images(train, counts), train)
        stages.append(PlannedStage(stage.name, folder / stage.name if stage.name else folder, train, own_data))
    return PlannedRun(row, seed, folder, tuple(stages))


def training_threads(config: ExperimentConfig) -> int | None:
    """CPU threads of one training: trainings side by side share the cores; None leaves it to the row."""
    if config.threads or config.jobs == 1:
        return config.threads
    return max(1, usable_cores() // config.jobs)


def fill_paths(value: Any, paths: Mapping[str, str]) -> Any:
    """Replace every text ``$NAME`` by the path of that name."""
    if isinstance(value, Mapping):
        return {key: fill_paths(item, paths) for key, item in value.items()}
    if isinstance(value, str) and value.startswith("$"):
        name = value.removeprefix("$")
        if name not in paths:
            raise _PathNotGivenError(f"needs --paths '{{{name}: PATH}}'")
        return paths[name]
    return value


def missing_paths(value: Any, paths: Mapping[str, str]) -> str:
    """What :func:`fill_paths` misses in ``value``, in words; empty when it misses nothing."""
    try:
        fill_paths(value, paths)
    except _PathNotGivenError as missing:
        return str(missing)
    return ""


def count_images(config: TrainConfig, counts: dict[str, int]) -> int:
    """Number of training images, counted once for all rows that draw from the same frames."""
    where = (config.data, config.format, config.split, config.val_data, config.val_split)
    key = repr((where, config.task, config.pose.gap))
    if key not in counts:
        counts[key] = len(open_training(config))
    return counts[key]


def open_training(config: TrainConfig) -> DepthDataset:
    """The images that a training learns from, undecoded."""
    from depthnet.training.run import open_data

    return open_data(replace(config, cache=False))[0]


def spend(images: float, validations: int, count: int, config: TrainConfig) -> TrainConfig:
    """Options with which a training sees about ``images`` images, validated ``validations`` times in even steps.

    An epoch is a random part of the data (``limit_batches``), so that the number of images does not hang on the size
    of the data set: it differs from the budget by less than half a batch an epoch.

    Args:
        images: the budget.
        validations: how many, the last at the end.
        count: training images in the data.
        config: the options so far; a batch larger than the data is made smaller, as `depthnet train` would.
    """
    config = replace(config, batch_size=min(config.batch_size, max(1, count // config.devices)))
    batch = config.batch_size * config.devices
    whole = max(1, count // batch)
    between = math.ceil(images / (validations * whole * batch))
    epochs = between * validations
    limit = min(whole, max(1, round(images / (epochs * batch))))
    return replace(config, epochs=epochs, limit_batches=limit, validate_every=between)


def describe_difference(old: TrainConfig, new: TrainConfig, ignored: Iterable[str] = PACE) -> str:
    """The first option in which two trainings differ, in words; empty when they would learn the same."""
    neutral = {name: getattr(old, name) for name in ignored}
    new = replace(new, **neutral)
    if old == new:
        return ""
    words = [set(_pairs(option_words(config))) for config in (old, new)]
    gone, come = sorted(words[0] - words[1]), sorted(words[1] - words[0])
    return f"{', '.join(gone) or 'the default'} there, {', '.join(come) or 'the default'} here"


def _pairs(words: list[str]) -> list[str]:
    """Options with their values, as one text each."""
    pairs: list[str] = []
    for word in words:
        if word.startswith("--"):
            pairs.append(word)
        else:
            pairs[-1] += f" {word}"
    return pairs


def require_rows(plan: Plan, names: Iterable[str]) -> None:
    """Refuse names of rows that the suite has not.

    Raises:
        ConfigError: listing those that it has.
    """
    known = [row.name for row in plan.suite.rows]
    for name in names:
        if name not in known:
            raise ConfigError(f"--rows {name}: no such row; the suite has {', '.join(known)}.")
