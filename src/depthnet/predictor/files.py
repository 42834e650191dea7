"""Depth of many files: the next photo is decoded and the last result written while the network runs."""

from __future__ import annotations

import glob
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from depthnet.errors import DepthNetError, InputError
from depthnet.io.images import IMAGE_SUFFIXES, LoadedImage, read_image
from depthnet.predictor.model import DepthModel, check_camera
from depthnet.predictor.prediction import (
    DEFAULT_FORMATS,
    MAX_POINTS,
    OUTPUT_NAMES,
    Prediction,
    check_max_points,
    output_paths,
    refuse_existing,
)

# Photos decoded ahead of the network, and results waiting behind it: enough to keep all three busy.
_QUEUE = 2
_OWN_PICTURES = tuple(name for name in OUTPUT_NAMES.values() if Path(name).suffix in IMAGE_SUFFIXES)


@dataclass(frozen=True)
class FileResult:
    """What became of one file."""

    path: Path
    """The photo."""
    error: DepthNetError | None = None
    """Why it was not done; None when it was."""
    written: tuple[Path, ...] = ()
    """Its results."""
    size: tuple[int, int] = (0, 0)
    """(H, W) of the photo and its depth."""
    depth_range: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Near end, median and far end of its depth in metres (2 % of the pixels are nearer, 2 % farther)."""
    focal_px: float = 0.0
    """Focal length in pixels that the metres rest on."""
    focal_source: str = ""
    """Where it comes from: ``--focal-px``, ``--fov-deg``, ``EXIF`` or ``training camera``."""
    seconds: float = 0.0
    """Time of the network and the two resizes, without reading and writing."""

    @property
    def facts(self) -> str:
        """The result in one line."""
        if self.error is not None:
            return str(self.error)
        near, median, far = self.depth_range
        return (
            f"{self.path}: {self.size[1]} x {self.size[0]}, {near:.2f} to {far:.2f} m (median {median:.2f} m), "
            f"focal length {self.focal_px:.1f} px from {self.focal_source}"
        )


def expand_inputs(inputs: Sequence[str | Path]) -> tuple[list[Path], list[FileResult]]:
    """Files, folders and globs as one list of photos, each once.

    A folder stands for the images right in it, a glob (``**`` goes into folders) for the images it matches;
    hidden files and depthnet's own pictures (``*_depth.png``, ``*_depth_colour.png``) are passed over there.
    A file that is named is taken as it is, also when it is missing: reading it will say so.

    Returns:
        The photos, and a failed result for each folder or glob that holds none.

    Raises:
        InputError: if nothing is given.
    """
    if not inputs:
        raise InputError("no input: pass photos, folders or globs.")
    found: dict[Path, Path] = {}
    failed = []
    for given in inputs:
        path = Path(given)
        if path.is_dir():
            members = _photos(path.iterdir())
        elif glob.has_magic(str(given)) and not path.exists():
            members = _photos(Path(match) for match in glob.glob(str(given), recursive=True))  # noqa: PTH207
        else:
            members = [path]
        if not members:
            reason = "no photo there (depthnet's own *_depth.png do not count); pass a folder or glob with some."
            failed.append(FileResult(path, InputError(f"{given}: {reason}")))
        for member in members:
            found.setdefault(member.resolve(), member)
    return list(found.values()), failed


def plan_outputs(
    paths: Sequence[Path],
    out: str | Path | None = None,
    formats: str | Sequence[str] = DEFAULT_FORMATS,
    overwrite: bool = False,
) -> list[Path]:
    """Folder of the results of each photo, after checking that no file gets in the way of another.

    Args:
        paths: the photos.
        out: folder of all results; None for beside each photo.
        formats: what will be written.
        overwrite: existing results may be replaced.

    Raises:
        InputError: if a format is unknown, two photos would write one file, a result would replace a photo of
            the list, a result is there already, or ``out`` is a file.
    """
    if out is not None and Path(out).exists() and not Path(out).is_dir():
        raise InputError(f"--out {out}: is a file; pass a folder.")
    folders = [Path(out) if out is not None else path.parent for path in paths]
    photos = {path.resolve() for path in paths}
    owners: dict[Path, Path] = {}
    for path, folder in zip(paths, folders, strict=True):
        for target in output_paths(path.stem, folder, formats).values():
            place = target.resolve()
            if place in photos:
                raise InputError(f"{path}: its result {target} would replace another input; choose another --out.")
            if owners.setdefault(place, path) != path:
                raise InputError(f"{owners[place]} and {path}: both write {target.name}; rename one or run them apart.")
    if not overwrite:
        refuse_existing(owners)
    return folders


def predict_many(
    model: DepthModel,
    paths: Sequence[Path],
    out: str | Path | None = None,
    formats: str | Sequence[str] = DEFAULT_FORMATS,
    focal_px: float | None = None,
    fov_deg: float | None = None,
    overwrite: bool = False,
    max_points: int = MAX_POINTS,
) -> Iterator[FileResult]:
    """Predict and write photos one after another, and give a result for each, in order.

    The checks of the whole list run at once, the photos as the results are asked for. Reading and writing
    happen in a thread each beside the network. A bad photo is a result with its error; the others go on.

    Args:
        model: the model.
        paths: photos, as :func:`expand_inputs` finds them.
        out: folder of all results; None for beside each photo.
        formats: what to write, see :meth:`Prediction.save`.
        focal_px: focal length in pixels, the same for all photos.
        fov_deg: horizontal field of view in degrees, the same for all photos.
        overwrite: replace results that are there.
        max_points: points of a cloud or corners of a mesh at most.

    Raises:
        InputError: before any work, as :func:`plan_outputs` and for a focal length or ``max_points`` out of range.
    """
    check_camera(focal_px, fov_deg)
    check_max_points(max_points)
    folders = plan_outputs(paths, out, formats, overwrite)

    def write(path: Path, folder: Path, outcome: tuple[Prediction, float] | DepthNetError) -> FileResult:
        if isinstance(outcome, DepthNetError):
            return FileResult(path, outcome)
        try:
            written = outcome[0].save(folder, formats, overwrite, max_points)
        except DepthNetError as error:
            return FileResult(path, error)
        return _result(path, written, *outcome)

    def run(photo: Future[LoadedImage]) -> tuple[Prediction, float] | DepthNetError:
        try:
            loaded = photo.result()
            start = time.perf_counter()
            prediction = model.predict(loaded, focal_px, fov_deg)
            return prediction, time.perf_counter() - start
        except DepthNetError as error:
            return error

    def results() -> Iterator[FileResult]:
        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
            rest = iter(paths)
            photos = deque(reader.submit(read_image, path) for path in islice(rest, _QUEUE))
            waiting: deque[Future[FileResult]] = deque()
            for path, folder in zip(paths, folders, strict=True):
                outcome = run(photos.popleft())
                photos.extend(reader.submit(read_image, path) for path in islice(rest, 1))
                waiting.append(writer.submit(write, path, folder, outcome))
                if len(waiting) > _QUEUE or waiting[0].done():
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    return results()


def predict_files(
    model: DepthModel,
    inputs: Sequence[str | Path],
    out: str | Path | None = None,
    formats: str | Sequence[str] = DEFAULT_FORMATS,
    focal_px: float | None = None,
    fov_deg: float | None = None,
    overwrite: bool = False,
    max_points: int = MAX_POINTS,
    on_result: Callable[[FileResult], None] | None = None,
) -> list[FileResult]:
    """Predict files, folders and globs, write the results and report on each.

    Args:
        model: the model.
        inputs: files, folders and globs, see :func:`expand_inputs`.
        out: folder of all results, made when missing; None for beside each photo.
        formats: what to write, see :meth:`Prediction.save`.
        focal_px: focal length in pixels, the same for all photos.
        fov_deg: horizontal field of view in degrees, the same for all photos.
        overwrite: replace results that are there.
        max_points: points of a cloud or corners of a mesh at most.
        on_result: called with each result as soon as it is there, in order, in this thread.

    Returns:
        One result per photo, after those of folders and globs without one; ``error`` is set in what failed.

    Raises:
        InputError: before any work, as :func:`expand_inputs` and :func:`predict_many`.
    """
    results = []
    paths, failed = expand_inputs(inputs)
    for result in chain(failed, predict_many(model, paths, out, formats, focal_px, fov_deg, overwrite, max_points)):
        results.append(result)
        if on_result is not None:
            on_result(result)
    return results


def _photos(paths: Iterator[Path]) -> list[Path]:
    return sorted(
        path for path in paths
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
        and not path.name.endswith(_OWN_PICTURES) and path.is_file()
    )  # fmt: skip


def _result(path: Path, written: tuple[Path, ...], prediction: Prediction, seconds: float) -> FileResult:
    height, width = prediction.depth.shape
    focal_px, focal_source = prediction.focal_px, prediction.focal_source
    return FileResult(path, None, written, (height, width), prediction.depth_range, focal_px, focal_source, seconds)
