"""A suite of experiments as a YAML file: rows of a table, each a training under one budget, and claims to be settled.

    budget: 11000                      # images that every row sees, all its stages together
    seeds: [0]
    base: {network: unet, size: [112, 160], batch_size: 16}
    rows:
      - {name: unet-l2, options: {loss: {terms: {l2: 1.0}}}}
      - name: eigen2014
        options: {network: eigen2014}
        stages:                        # each starts from the weights of the one before
          - {name: coarse, share: 0.6, options: {network_options: {stage: coarse}}}
          - {name: fine, share: 0.4, options: {network_options: {stage: fine}}}
    claims:
      - {name: loss, text: Eigen's loss is better, tests: [{kind: better, row: unet, than: unet-l2}]}

A suite is about depth, or, with ``pairs``, about motion: then its rows are of task pose or video, and each is scored by
the motion that it finds between two frames:

    base: {task: pose, network: pose-early, pose: {gap: [1, 2]}}
    pairs: [{name: rooms, data: $test, gap: [1, 2]}, {name: tum, data: $tum, gap: [1, 2]}]

``base``, ``options`` of a row and ``options`` of a stage are options of ``depthnet train`` by their YAML names, the
later before the earlier. A text ``$NAME`` in them stands for a path that the user gives (``--paths '{NAME: PATH}'``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal

from depthnet.config import TrainConfig
from depthnet.errors import ConfigError
from depthnet.experiment.subjects import COSTS, DEPTH, MOTION, Subject
from depthnet.options import read_config

SUITES = Path(__file__).resolve().parent.parent / "experiments"
#: What the suite decides itself: no row may set it.
DECIDED = ("epochs", "limit_batches", "validate_every", "seed", "val_data", "val_split")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass
class Stage:
    """One training of a row."""

    name: str = ""
    """Name of its folder."""
    share: float = 1.0
    """Share of the row's budget."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of ``depthnet train``."""


@dataclass
class Row:
    """One line of the table."""

    name: str = ""
    """Name in folders, claims and ``--rows``."""
    label: str = ""
    """What the table says; by default the name."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of ``depthnet train``, on top of the base."""
    stages: list[Stage] = field(default_factory=list)
    """Trainings one after the other, each from the weights of the one before; none: a single one."""

    @property
    def title(self) -> str:
        """What the table says."""
        return self.label or self.name


@dataclass
class Comparison:
    """A question that the numbers answer with yes, no or open."""

    kind: Literal["better", "not-better", "equivalent", "fewer"] = "better"
    """better: ahead by more than the margin. not-better: its opposite. equivalent: closer than the margin, either way.
    fewer: smaller in parameters or multiply_adds."""
    row: str = ""
    """The row in question."""
    than: str = ""
    """The row that it is held against. Always there is mean-depth; in a suite about motion true-motion, no-motion,
    direct-sensor and direct-mobile are."""
    by: str = "delta1"
    """The score, or parameters or multiply_adds. Of motions rotation_deg, translation_m, motion_error or warp_error."""
    pairs: str = ""
    """Name of the pairs on which motions are compared; by default the first ones."""
    margin: float = 0.0
    """Difference that still counts as none, in units of the metric."""


@dataclass
class Claim:
    """A sentence that holds when all its tests say yes, and fails when one says no."""

    name: str = ""
    """Short name."""
    text: str = ""
    """The claim, as it is printed."""
    tests: list[Comparison] = field(default_factory=list)
    """Its rule."""


@dataclass
class Pictures:
    """Photos on which all rows are drawn side by side; only such as may be shown."""

    data: str = ""
    """Data set with a licence to show, usually ``$NAME``; empty: rendered rooms."""
    count: int = 2
    """Photos, in even steps over the data set."""
    credit: str = ""
    """Authors and licence, printed under the picture."""
    rooms: list[int] = field(default_factory=list)
    """Numbers of rooms that are rendered here."""


@dataclass
class Pairs:
    """Pairs of frames of a video on which motions are scored."""

    name: str = ""
    """Name in claims."""
    label: str = ""
    """What the results say; by default the name."""
    data: str = ""
    """Data of video with depth and poses, usually ``$NAME``; pairs whose path is not given are left out, but not the
    first ones, on which all rows are compared."""
    split: str | None = None
    """Part of the data, where they have several."""
    gap: tuple[int, int] = (1, 1)
    """Smallest and largest number of frames between the two."""
    note: str = ""
    """What is to be known about them, in words."""

    @property
    def title(self) -> str:
        """What the results say."""
        return self.label or self.name


@dataclass
class Suite:
    """Everything that a suite of experiments says."""

    extends: str | None = None
    """Another suite, beside this file or shipped: what this file does not say is taken from it, options of the base one
    by one."""
    title: str = ""
    """Headline of the results."""
    budget: int = 0
    """Images that each row sees, all its stages together."""
    seeds: list[int] = field(default_factory=lambda: [0])
    """Every row is trained once with each."""
    validations: int = 10
    """Validations of a stage, in even steps, the last at its end."""
    split: str = "val"
    """Part of the data that is validated, and scored when the rows learn depth; `depthnet train` keeps it out of the
    training."""
    protocol: str | None = None
    """Protocol of the scores; by default the data set's own."""
    block_images: int = 1
    """Neighbouring validation images that show one room, and are drawn together in the bootstrap."""
    base: dict[str, Any] = field(default_factory=dict)
    """Options of ``depthnet train`` for all rows."""
    rows: list[Row] = field(default_factory=list)
    """Lines of the table."""
    claims: list[Claim] = field(default_factory=list)
    """What the numbers are to settle."""
    pictures: list[Pictures] = field(default_factory=list)
    """Photos for the depth maps side by side."""
    pairs: list[Pairs] = field(default_factory=list)
    """The rows learn motion, and this is what they are scored on; the first pairs are those of the table."""
    decides: str = ""
    """What the budget is enough for, in words."""
    leaves_open: str = ""
    """What it is not enough for, in words."""

    @property
    def subject(self) -> Subject:
        """What the rows learn."""
        return MOTION if self.pairs else DEPTH


def find_suite(name: str | Path) -> Path:
    """The file of a suite: a path, or the name of a shipped one.

    Raises:
        ConfigError: if there is none; the message lists the shipped ones.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = {file.stem: file for file in sorted(SUITES.glob("*.yaml"))}
    if str(name) in shipped:
        return shipped[str(name)]
    raise ConfigError(f"{name}: no such suite; pass a YAML file or one of the shipped suites: {', '.join(shipped)}.")


def read_suite(path: str | Path) -> Suite:
    """Read a suite and check what can be seen without its data.

    Raises:
        ConfigError: naming the file and what is wrong with it.
    """
    suite = _read_extended(Path(path), ())
    try:
        _check(suite)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    return suite


def _read_extended(path: Path, readers: tuple[Path, ...]) -> Suite:
    """A suite on top of the one that it extends; ``readers`` are the files that led here."""
    suite = read_config(path, Suite)
    if suite.extends is None:
        return suite
    import yaml

    beside = path.parent / suite.extends
    file = beside if beside.is_file() else find_suite(suite.extends)
    if file.resolve() in {path.resolve(), *readers}:
        raise ConfigError(f"{path}: extends {suite.extends}, which extends it in turn; one of them must stand alone.")
    below = _read_extended(file, (path.resolve(), *readers))
    said = {name: getattr(suite, name) for name in yaml.safe_load(path.read_text(encoding="utf-8"))}
    return replace(below, **{**said, "base": merge_options(below.base, suite.base)})


def merge_options(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Put options on top of others: blocks such as ``loss`` key by key, everything else as a whole."""
    blocks = {field.name for field in fields(TrainConfig) if is_dataclass(getattr(TrainConfig(), field.name))}
    merged = {**base, **over}
    for name in blocks & base.keys() & over.keys():
        if isinstance(base[name], Mapping) and isinstance(over[name], Mapping):
            merged[name] = {**base[name], **over[name]}
    return merged


def _check(suite: Suite) -> None:
    for option in ("budget", "validations", "block_images"):
        if getattr(suite, option) < 1:
            raise ConfigError(f"{option} is {getattr(suite, option)}; it must be 1 or more.")
    if not suite.rows or not suite.seeds:
        raise ConfigError("rows and seeds must each have at least one entry.")
    _check_names("row", [row.name for row in suite.rows], taken=suite.subject.baselines)
    _check_names("seed", [str(seed) for seed in suite.seeds])
    _check_names("pairs", [pairs.name for pairs in suite.pairs])
    _check_options("base", suite.base)
    for row in suite.rows:
        _check_options(f"row {row.name}", row.options)
        _check_stages(row)
    for claim in suite.claims:
        for test in claim.tests:
            _check_comparison(test, suite)
        if not claim.tests:
            raise ConfigError(f"claim {claim.name!r} has no tests; say which rows are compared, and how.")


def _check_names(kind: str, names: Iterable[str], taken: Iterable[str] = ()) -> None:
    seen = set(taken)
    for name in names:
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{kind} name {name!r}: it names a folder; use letters, digits, '.', '_' and '-'.")
        if name in seen:
            raise ConfigError(f"{kind} {name!r} stands twice or is taken; choose another name.")
        seen.add(name)


def _check_options(where: str, options: Iterable[str]) -> None:
    decided = [name for name in options if name in DECIDED]
    if decided:
        raise ConfigError(f"{where}: {decided[0]} follows from budget, seeds, validations and split; leave it out.")


def _check_stages(row: Row) -> None:
    _check_names(f"row {row.name}: stage", [stage.name for stage in row.stages])
    for stage in row.stages:
        _check_options(f"row {row.name}, stage {stage.name}", stage.options)
        if not stage.share > 0:
            raise ConfigError(f"row {row.name}, stage {stage.name}: share {stage.share:g} must be above 0.")
    total = sum(stage.share for stage in row.stages)
    if row.stages and abs(total - 1) > 1e-6:
        raise ConfigError(f"row {row.name}: the shares of its stages add up to {total:g}; they must give 1.")


def _check_comparison(test: Comparison, suite: Suite) -> None:
    rows = [*suite.subject.baselines, *(row.name for row in suite.rows)]
    for name in (test.row, test.than):
        if name not in rows:
            raise ConfigError(f"a claim names row {name!r}; there are: {', '.join(rows)}.")
    further = [pairs.name for pairs in suite.pairs[1:]]
    if test.pairs and test.pairs not in further:
        raise ConfigError(f"a claim names pairs {test.pairs!r}; besides the first there are: {', '.join(further)}.")
    allowed = COSTS if test.kind == "fewer" else suite.subject.compared
    if test.by not in allowed:
        raise ConfigError(f"a claim compares {test.kind} by {test.by!r}; choose one of: {', '.join(allowed)}.")
    if test.margin < 0 or (test.kind == "equivalent" and test.margin == 0):
        raise ConfigError(f"a claim compares {test.kind} with margin {test.margin:g}; give a positive number.")
