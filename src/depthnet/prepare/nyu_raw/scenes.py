"""Find the scenes of the raw NYU Depth v2 dump, as folders or inside zip parts, and match their frames by time."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from depthnet.errors import InputError, one_line
from depthnet.prepare.nyu_raw.files import INDEX_NAME, RawName, parse_raw_name

# Folders below the given one that are looked through: DUMP/PART/SCENE, and one to spare.
_MAX_DEPTH = 3
# What opening a damaged zip file raises; NotImplementedError is a RuntimeError.
_NO_ZIP = (OSError, EOFError, zipfile.BadZipFile, RuntimeError, ValueError, struct.error)


@dataclass(frozen=True)
class SceneLocation:
    """Where the files of a scene lie."""

    container: Path
    """The scene's folder, or the zip part that holds it."""
    prefix: str | None
    """Folder within the zip part, ``""`` or ending in ``/``; None for a folder on disk."""


class SceneFiles:
    """The files of an open scene by name."""

    def __init__(self, where: str, files: list[str], read: Callable[[str], bytes]) -> None:
        self.where = where
        """What messages call the scene."""
        names = sorted(name for file in files if (name := parse_raw_name(file)) is not None)
        self.depth, self.colour, self.accelerometer = ([name for name in names if name.kind == kind] for kind in "dra")
        self._read = read
        self._listed = INDEX_NAME in files

    def read(self, file: str) -> bytes:
        """Content of a file.

        Raises:
            InputError: if it cannot be read or, in a zip part, fails its check sum.
        """
        try:
            return self._read(file)
        except Exception as error:  # zipfile lets through what each of its decompressors raises on damaged data
            reason = one_line(error) or type(error).__name__
            raise InputError(f"{self.where}/{file}: cannot be read ({reason}); download it again.") from error

    def missing_depth(self) -> list[RawName]:
        """Depth frames that ``INDEX.txt`` lists but that are not there; none when there is no list."""
        if not self._listed:
            return []
        lines = self.read(INDEX_NAME).decode("utf-8", errors="replace").split()
        listed = {name for line in lines if (name := parse_raw_name(line)) is not None and name.kind == "d"}
        return sorted(listed - set(self.depth))


@contextmanager
def open_scene(location: SceneLocation) -> Iterator[SceneFiles]:
    """Open a scene for reading; a zip part stays open until the end.

    Raises:
        InputError: if the folder or the zip part cannot be read.
    """
    folder, prefix = location.container, location.prefix
    if prefix is None:
        try:
            files = [file.name for file in folder.iterdir()]
        except OSError as error:
            raise InputError(f"{folder}: cannot be read ({error.strerror}); check the folder.") from error
        yield SceneFiles(str(folder), files, lambda file: (folder / file).read_bytes())
        return
    with _open_zip(folder) as archive:
        files = [path[len(prefix) :] for path in archive.namelist() if path.startswith(prefix)]
        yield SceneFiles(f"{folder}/{prefix}".rstrip("/"), files, lambda file: archive.read(prefix + file))


def find_scenes(path: str | Path) -> dict[str, SceneLocation]:
    """Scenes of the dump by name, sorted.

    Args:
        path: a folder with scene folders or zip parts, at any of three levels; a scene folder; or a zip part.

    Raises:
        InputError: if there is no scene, a zip part is damaged, or a scene is there twice.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; give the folder of the raw NYU Depth v2 dump or a zip part.")
    scenes: dict[str, SceneLocation] = {}
    for name, location in _walk(path.absolute(), _MAX_DEPTH):
        if name in scenes:
            raise InputError(
                f"{path}: scene {name} is in {scenes[name].container} and in {location.container}; keep one of the two."
            )
        scenes[name] = location
    if not scenes:
        raise InputError(
            f"{path}: no raw NYU Depth v2 scene; looked for folders, also in zip parts, with files such as "
            "d-1295406963.698573-2772371968.pgm; extract or download a part there."
        )
    return dict(sorted(scenes.items()))


@dataclass(frozen=True)
class SyncedFrame:
    """A depth frame with the colour frame and the accelerometer dump that are nearest in time."""

    depth: RawName
    colour: RawName
    accelerometer: RawName | None
    """None when the scene has no accelerometer dumps."""
    shared: bool
    """True when another depth frame has the same colour frame."""

    @property
    def gap_s(self) -> float:
        """Time between depth and colour, seconds."""
        return abs(self.depth.time_s - self.colour.time_s)


def synchronise(files: SceneFiles) -> list[SyncedFrame]:
    """Match the frames of a scene by the host's time; every depth frame is kept.

    Raises:
        InputError: if the scene has no depth or no colour frames.

    Source: the authors' toolbox (get_synched_frames.m).
    """
    for kind, names in (("depth", files.depth), ("colour", files.colour)):
        if not names:
            raise InputError(f"{files.where}: no {kind} frame; a scene has d-*.pgm and r-*.ppm: extract it again.")
    times = [name.time_s for name in files.depth]
    colour = match_nearest(times, [name.time_s for name in files.colour])
    accelerometer = match_nearest(times, [name.time_s for name in files.accelerometer])
    return [
        SyncedFrame(
            depth=depth,
            colour=files.colour[at],
            accelerometer=files.accelerometer[accelerometer[i]] if accelerometer else None,
            shared=at in (colour[i - 1] if i else -1, colour[i + 1] if i + 1 < len(colour) else -1),
        )
        for i, (depth, at) in enumerate(zip(files.depth, colour, strict=True))
    ]


def match_nearest(times: Sequence[float], candidates: Sequence[float]) -> list[int]:
    """Index of the candidate that is matched to each time; empty when there are no candidates.

    A pointer starts at the first candidate, never goes back, and moves on while the next one is not farther away: ties
    go to the later one.

    Args:
        times: seconds, ascending.
        candidates: seconds, ascending.

    Source: the authors' toolbox (get_synched_frames.m).
    """
    matches: list[int] = []
    at = 0
    for time in times if candidates else ():
        while at + 1 < len(candidates) and abs(time - candidates[at + 1]) <= abs(time - candidates[at]):
            at += 1
        matches.append(at)
    return matches


def _walk(path: Path, depth: int) -> Iterator[tuple[str, SceneLocation]]:
    """Scenes at and below a folder, or in a zip part, with their names."""
    if path.is_file():
        yield from _zip_scenes(path)
        return
    try:
        folders, zips, is_scene = [], [], False
        with os.scandir(path) as entries:
            for entry in entries:
                if parse_raw_name(entry.name) is not None or entry.name == INDEX_NAME:
                    is_scene = True
                    break
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    folders.append(Path(entry.path))
                elif entry.name.lower().endswith(".zip"):
                    zips.append(Path(entry.path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the folder.") from error
    if is_scene:
        yield path.name, SceneLocation(path, None)
        return
    for part in sorted(zips):
        yield from _zip_scenes(part)
    for folder in sorted(folders) if depth else ():
        yield from _walk(folder, depth - 1)


def _zip_scenes(path: Path) -> Iterator[tuple[str, SceneLocation]]:
    with _open_zip(path) as archive:
        folders = {
            str(file.parent)
            for file in map(PurePosixPath, archive.namelist())
            if "__MACOSX" not in file.parts and parse_raw_name(file.name) is not None
        }
    for folder in sorted(folders):
        if folder == ".":
            yield path.stem, SceneLocation(path, "")
        else:
            yield PurePosixPath(folder).name, SceneLocation(path, f"{folder}/")


@contextmanager
def _open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except _NO_ZIP as error:
        raise InputError(
            f"{path}: not a whole zip file ({error}); a part of the raw dump is one: download it again."
        ) from error
    with archive:
        yield archive
