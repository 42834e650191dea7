"""`depthnet prepare`: one face for all sources, each of which adds its own options."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, make_dataclass
from typing import Annotated, Any, ClassVar

import tyro

from depthnet.cli.parsing import Command, Face, Flag, JobCommand, Options
from depthnet.cli.report import report_failure
from depthnet.cli.usage import UsageError
from depthnet.config import PrepareConfig


@dataclass(frozen=True)
class SourceEntry:
    """Where a source is found."""

    module: str
    source: str
    """Class of the scenes: ``source(path, options)``, or ``source(options)`` for one that reads nothing."""
    options: str
    """Class of its options."""
    summary: str
    reads: str = ""
    """What --source is; empty for a source that reads nothing."""


#: Word on the command line -> source.
SOURCES = {
    "nyu-raw": SourceEntry(
        "depthnet.prepare.nyu_raw", "NyuRawSource", "NyuRawOptions",
        "NYU Depth v2, raw: depth, colour and accelerometer matched in time, depth registered to the colour camera",
        "the folder of zip parts or scene folders",
    ),
    "nyu-labeled": SourceEntry(
        "depthnet.prepare.nyu_labeled", "NyuLabeledSource", "NyuLabeledOptions",
        "NYU Depth v2, labelled: single files from the .mat",
        "nyu_depth_v2_labeled.mat or its folder",
    ),
    "kitti": SourceEntry(
        "depthnet.prepare.kitti", "KittiSource", "KittiOptions",
        "KITTI raw: depth from the laser scanner, stereo pairs, poses",
        "the folder of the drives",
    ),
    "synthetic": SourceEntry(
        "depthnet.prepare.synthetic", "SyntheticSource", "SyntheticOptions",
        "rooms made from a seed, with exact depth; nothing is downloaded",
    ),
}  # fmt: skip


@dataclass
class Prepare(JobCommand):
    """From a download, or from nothing, to a tree that trains: rgb/, depth/, index.csv.

    depthnet prepare nyu-raw --source nyu_depth_v2_raw --out nyu --every 10 --workers 8

    depthnet prepare synthetic --out rooms

    Sources: nyu-raw, nyu-labeled, kitti, synthetic; `depthnet prepare SOURCE --help` lists the options of one.
    The same command run again does only what is missing.
    """

    #: Word of the source; None for the command without one, which can only explain itself.
    kind: ClassVar[str | None] = None

    job: Options[PrepareConfig] = field(default_factory=PrepareConfig)
    overwrite: Flag = False
    """Start the tree anew when it exists."""
    face: Options[Face] = field(default_factory=Face)

    @classmethod
    def choose(cls, name: str, words: Sequence[str]) -> tuple[type[Command], str, Sequence[str]]:
        """Find the source's word and give the command with its options."""
        place = find_source(words)
        if place is not None:
            return build_command(words[place]), f"{name} {words[place]}", [*words[:place], *words[place + 1 :]]
        if {"-h", "--help"} & set(words):
            return cls, name, words
        plain = next((word for word in words if not word.startswith("-")), "")
        close = difflib.get_close_matches(plain, SOURCES, n=1)
        hint = f"perhaps you meant {close[0]!r}; " if close else ""
        raise UsageError(f"prepare needs the word of a source: {hint}choose one of: {', '.join(SOURCES)}.")

    def run(self) -> int:
        """Prepare what is missing, and print what the tree holds."""
        assert self.kind is not None
        entry, job = SOURCES[self.kind], self.job
        if not job.out:
            raise UsageError(f"prepare {self.kind} needs --out DIR, the folder of the tree.")
        if entry.reads and not job.source:
            raise UsageError(f"prepare {self.kind} needs --source: {entry.reads}.")
        if job.source and not entry.reads:
            raise UsageError(f"prepare {self.kind} reads nothing: leave --source away.")
        if job.workers is not None and job.workers < 1:
            raise UsageError(f"--workers {job.workers}: at least one process is needed.")
        from depthnet.cli.progress import scene_progress
        from depthnet.prepare.run import prepare

        source = build_source(entry, job)
        with scene_progress("prepare") as on_progress:
            result = prepare(
                source, job.out, job.workers, job.cluster, self.overwrite, job.image_format, on_progress, report_failure
            )
        totals = result.totals
        print(
            f"{job.out}: {totals.frames} frames of {totals.scenes} scenes ({len(result.new)} new), "
            f"{totals.dropped} dropped, {totals.bytes / 1e6:.1f} MB"
        )
        if totals.too_far:
            print(f"{job.out}: {totals.too_far} pixels beyond 65.535 m, the limit of 16-bit millimetres, are unknown")
        if not totals.frames:
            report_failure(f"{job.out}: no frame is left; dropped.csv says why each was left out.")
        return 1 if result.failed or not totals.frames else 0


def find_source(words: Sequence[str]) -> int | None:
    """Place of the source's word: the first, or the first that is not the value of the option before it."""
    flags = {"--overwrite", "--print-config", "--debug"}
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        if word in SOURCES and (not before.startswith("-") or "=" in before or before in flags):
            return place
    return None


def build_command(kind: str) -> type[Prepare]:
    """The command of one source: its options beside those that all sources share."""
    entry = SOURCES[kind]
    options = getattr(importlib.import_module(entry.module), entry.options)
    job = make_dataclass("PrepareJob", [], bases=(options, PrepareConfig), frozen=True)
    command = make_dataclass(
        "PrepareSource",
        [("job", Annotated[job, tyro.conf.arg(name="")], field(default_factory=job))],
        bases=(Prepare,),
        namespace={"kind": kind},
    )
    reads = f"\n\n--source: {entry.reads}." if entry.reads else ""
    command.__doc__ = f"{entry.summary[0].upper()}{entry.summary[1:]}.{reads}"
    return command


def build_source(entry: SourceEntry, job: Any) -> Any:
    """The source with the options that the job holds."""
    module = importlib.import_module(entry.module)
    kind = getattr(module, entry.options)
    options = kind(**{one.name: getattr(job, one.name) for one in fields(kind)})
    source = getattr(module, entry.source)
    return source(job.source, options) if entry.reads else source(options)
