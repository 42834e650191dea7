"""The preparation job: every scene of a source, in parallel, into one tree that trains.

The tree: ``rgb/NAME.(png|jpg)``, ``depth/NAME.png`` (16-bit millimetres, 0 unknown), ``right/NAME.*`` of stereo pairs,
with NAME = SCENE_FRAME; ``index.csv``, ``dropped.csv`` and, where all frames have one camera, ``intrinsics.txt``;
``prepare.json`` and ``scenes/`` say how it was made and which scenes are done. Its bytes depend on source and options
alone, not on how many workers did it, nor on how often it was interrupted. (Another version of Pillow or zlib may pack
the same pixels otherwise.)
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from depthnet.cores import usable_cores
from depthnet.data.prepared_index import PLAIN_NAME
from depthnet.errors import DepthNetError, InputError
from depthnet.prepare.cluster import run_on_cluster
from depthnet.prepare.pool import FramesDone, run_local
from depthnet.prepare.scene_job import ImageFormat, SceneJob, SceneOutcome, record_path
from depthnet.prepare.source import SceneSource
from depthnet.prepare.tree import Totals, build_recipe, check_scene, open_tree, recorded_scenes, write_tables

_log = logging.getLogger(__name__)

_TABLES_SECONDS = 60.0


@dataclass
class PrepareProgress:
    """How far a job is."""

    scenes: int
    """Scenes of the source."""
    done: int = 0
    """Scenes that are done or have failed."""
    frames: int = 0
    """Frames seen by this run, kept or dropped; on a cluster, those of the scenes that it has finished."""
    partial: float = 0.0
    """Share of the scenes in work, in scenes, where the source tells how many frames they have."""


@dataclass(frozen=True)
class PrepareResult:
    """A prepared tree."""

    out: Path
    totals: Totals
    """What the tree holds, earlier runs included."""
    new: list[str]
    """Scenes that this run has done, sorted."""
    failed: dict[str, str] = field(default_factory=dict)
    """Scene -> why it is not in the tree, in one line; running again tries it again."""


def prepare(
    source: SceneSource,
    out: str | Path,
    workers: int | None = None,
    cluster: str | None = None,
    overwrite: bool = False,
    image_format: ImageFormat = "png",
    on_progress: Callable[[PrepareProgress], None] | None = None,
    on_failure: Callable[[str], None] | None = None,
) -> PrepareResult:
    """Prepare all scenes of a source, or those that are missing from a tree that was begun.

    Args:
        source: the scenes. Its class must stand in a module, and its optional attributes are used: ``options`` (a
            dataclass or mapping, kept in ``prepare.json``), ``scene_options`` (names of options that say only which
            scenes there are, and so may change when a tree is taken up again), ``unique_names`` (True: frame names
            differ between scenes too, and are file names without the scene's) and ``count_frames(scene)`` (cheap, for
            the time left).
        out: folder of the tree.
        workers: processes; by default one for each core of this process.
        cluster: address of a Dask scheduler that does the scenes instead.
        overwrite: start a tree that is there anew.
        image_format: png keeps every pixel; jpg (quality 95) makes pictures less than half as large.
        on_progress: called whenever a frame or a scene is done.
        on_failure: called with one line for each scene that fails, when it does.

    Returns:
        The result; scenes that failed are named there.

    Raises:
        InputError: if the source has no scenes, the tree was prepared with other options or cannot be written.
        MissingTierError: if a package of the source or of the cluster is missing.
        KeyboardInterrupt: when the user stops it; its text says how to go on.
    """
    if workers is not None and workers < 1:
        raise InputError(f"workers {workers}: at least one process is needed; leave it out for one on each core.")
    scenes = _list_scenes(source)
    out = Path(os.path.abspath(out))  # noqa: PTH100 - of a link, keep the name that cluster workers know it by
    with open_tree(out, build_recipe(source, image_format), overwrite) as recipe:
        missing = [scene for scene in scenes if not check_scene(out, scene)]
        _forget_damaged(out, set(scenes))
        job = SceneJob(source, out, image_format, recipe)
        count = min(workers or usable_cores(), max(len(missing), 1))
        events: Generator[FramesDone | SceneOutcome] | Generator[SceneOutcome]
        events = run_on_cluster(job, missing, cluster) if cluster else run_local(job, missing, count)
        course = _Course(out, PrepareProgress(len(scenes), len(scenes) - len(missing)), on_progress, on_failure)
        try:
            if missing:
                with closing(events):
                    course.follow(events)
        except KeyboardInterrupt as stop:
            raise KeyboardInterrupt(course.leave()) from stop
        except SystemExit:
            _log.warning("stopped; %s", course.leave())
            raise
        except DepthNetError:
            course.leave()
            raise
        totals = write_tables(out)
    if not totals.scenes:
        first = next(iter(course.failed.values()), "")
        raise InputError(f"{out}: none of the {len(scenes)} scenes could be prepared; the first: {first}")
    return PrepareResult(out, totals, sorted(course.new), dict(sorted(course.failed.items())))


class _Course:
    """Keeps account of a running job."""

    def __init__(
        self,
        out: Path,
        progress: PrepareProgress,
        on_progress: Callable[[PrepareProgress], None] | None,
        on_failure: Callable[[str], None] | None,
    ) -> None:
        self.out, self.progress = out, progress
        self.new: list[str] = []
        self.failed: dict[str, str] = {}
        self._tell, self._complain = on_progress, on_failure
        self._working: dict[str, FramesDone] = {}
        self._tables_at = time.monotonic()

    def follow(self, events: Iterator[FramesDone | SceneOutcome]) -> None:
        """Take note of every event; the tables are kept up to date from minute to minute."""
        self._report()
        for event in events:
            if isinstance(event, FramesDone):
                before = self._working.get(event.scene)
                self.progress.frames += event.done - (before.done if before is not None else 0)
                self._working[event.scene] = event
            else:
                self._finish(event)
            self._report()

    def leave(self) -> str:
        """Leave a tree that can be used as it is; gives the words that say how to go on."""
        with suppress(DepthNetError, OSError):
            write_tables(self.out)
        done = self.progress.done - len(self.failed)
        return f"{done} of {self.progress.scenes} scenes are done: the same command goes on from there"

    def _finish(self, outcome: SceneOutcome) -> None:
        seen = self._working.pop(outcome.scene, None)
        if outcome.trace:
            _log.debug("%s", outcome.trace)
        if outcome.error is not None and outcome.stop:
            raise InputError(outcome.error)
        self.progress.done += 1
        if outcome.error is not None:
            self.failed[outcome.scene] = outcome.error
            if self._complain is not None:
                self._complain(outcome.error)
            return
        self.new.append(outcome.scene)
        if seen is None:
            self.progress.frames += outcome.frames
        if time.monotonic() - self._tables_at > _TABLES_SECONDS:
            write_tables(self.out)
            self._tables_at = time.monotonic()

    def _report(self) -> None:
        shares = (min(1.0, event.done / event.count) for event in self._working.values() if event.count)
        self.progress.partial = sum(shares)
        if self._tell is not None:
            self._tell(self.progress)


def _list_scenes(source: SceneSource) -> list[str]:
    """Names of the scenes, sorted and checked: they become file names."""
    scenes = sorted(source.scenes())
    if not scenes:
        raise InputError(f"{source.name}: the source has no scenes; check --source and its options.")
    for scene in scenes:
        if not PLAIN_NAME.fullmatch(scene):
            raise InputError(f"{source.name}: scene '{scene}'; a name has letters, digits, '-', '_' and '.' only.")
    twice = [scene for scene, following in pairwise(scenes) if scene == following]
    if twice:
        raise InputError(f"{source.name}: scene '{twice[0]}' is there twice; remove one of its folders.")
    return scenes


def _forget_damaged(out: Path, listed: set[str]) -> None:
    """Keep the scenes of earlier runs that the source has no more (a part of the download was removed), if whole."""
    for scene in recorded_scenes(out):
        if scene not in listed and not check_scene(out, scene):
            _log.warning("scene %s: files are missing and the source has it no more; left out of the tables", scene)
            record_path(out, scene).unlink()
