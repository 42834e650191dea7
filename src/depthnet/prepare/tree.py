"""A prepared tree on disk while it is written: its recipe, which scenes are done, and its tables.

``prepare.json`` holds the recipe: source, options and picture format. It is written first and never changed, so that
all scenes of a tree are made in one way. ``scenes/SCENE.json`` are the records of finished scenes, and ``index.csv``,
``dropped.csv`` and ``intrinsics.txt`` are made from these alone, sorted by scene.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from depthnet.data.prepared import INDEX_FILE, RECIPE_FILE
from depthnet.data.prepared_index import COLUMNS, csv_line
from depthnet.errors import InputError
from depthnet.io.files import atomic_path, locked_folder
from depthnet.options import to_plain
from depthnet.prepare.scene_job import (
    FOLDERS,
    RECORDS,
    STAGING,
    ImageFormat,
    SceneRecord,
    read_record,
    record_path,
)
from depthnet.prepare.source import SceneSource

DROPPED_FILE, INTRINSICS_FILE = "dropped.csv", "intrinsics.txt"
_TABLES = (INDEX_FILE, DROPPED_FILE, INTRINSICS_FILE)
_CAMERA_CELLS = slice(COLUMNS.index("fx"), COLUMNS.index("height") + 1)


@dataclass(frozen=True)
class Totals:
    """What a tree holds."""

    scenes: int
    frames: int
    dropped: int
    too_far: int
    """Pixels beyond 65.535 m, which are unknown in the tree."""
    bytes: int
    """Size of its pictures and depth maps."""


def build_recipe(source: SceneSource, image_format: ImageFormat) -> str:
    """Content of ``prepare.json``: all that decides about the bytes of a tree, but the download itself.

    A source's options are its attribute ``options``, a dataclass or a mapping. Those that its attribute
    ``scene_options`` names say only which scenes there are; they may change from run to run, and are left out.
    """
    from depthnet import __version__

    free = getattr(source, "scene_options", ())
    options = {key: value for key, value in to_plain(getattr(source, "options", {})).items() if key not in free}
    recipe = {"depthnet": __version__, "source": source.name, "image_format": image_format, "options": options}
    return json.dumps(recipe, indent=2, ensure_ascii=False, default=str) + "\n"


@contextmanager
def open_tree(out: Path, recipe: str, overwrite: bool) -> Iterator[str]:
    """Make a new tree or take up one of the same recipe; no other job can write to it meanwhile.

    Args:
        out: its folder.
        recipe: what `build_recipe` gives.
        overwrite: start a tree that is there anew.

    Yields:
        The recipe as it stands in the tree (its first job may have been of another version).

    Raises:
        InputError: if the folder holds other things, another recipe or a running job, or cannot be written.
    """
    with _disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    with locked_folder(out, "depthnet prepare"):
        with _disk_errors(out):
            recipe = _settle_recipe(out, recipe, overwrite)
            _remove_unfinished(out)
        try:
            yield recipe
        finally:
            with suppress(OSError):
                _remove_unfinished(out)


def check_scene(out: Path, scene: str) -> bool:
    """True when a scene is done and its files have the sizes that its record says."""
    record = read_record(record_path(out, scene))
    if record is None:
        return False
    try:
        return all((out / file).stat().st_size == size for files in record.files for file, size in files.items())
    except OSError:
        return False


def recorded_scenes(out: Path) -> list[str]:
    """Names of the scenes that have a record, sorted."""
    folder = out / RECORDS
    if not folder.is_dir():
        return []
    return sorted(file.stem for file in folder.iterdir() if file.suffix == ".json" and not file.name.startswith("."))


def write_tables(out: Path) -> Totals:
    """Write ``index.csv``, ``dropped.csv`` and ``intrinsics.txt`` from the records, whole.

    Raises:
        InputError: if frames of two scenes have one name, or the disk refuses a file.
    """
    names: dict[str, str] = {}
    cameras: set[tuple[str, ...]] = set()
    scenes = frames = dropped = too_far = size = 0
    with (
        atomic_path(out / INDEX_FILE) as index,
        atomic_path(out / DROPPED_FILE) as report,
        index.open("w", encoding="utf-8") as lines,
        report.open("w", encoding="utf-8") as reasons,
    ):
        lines.write(csv_line(list(COLUMNS)))
        reasons.write(csv_line(["scene", "frame", "reason"]))
        for record in _records(out):
            scenes, frames = scenes + 1, frames + len(record.lines)
            dropped, too_far = dropped + len(record.dropped), too_far + record.too_far
            size += sum(sum(files.values()) for files in record.files)
            for line in record.lines:
                cells = line.rstrip("\n").split(",")
                _refuse_same_name(names, cells[0], record.scene)
                cameras.add(tuple(cells[_CAMERA_CELLS]))
            lines.writelines(record.lines)
            reasons.writelines(csv_line([record.scene, *one]) for one in record.dropped)
    _write_intrinsics(out / INTRINSICS_FILE, cameras)
    return Totals(scenes, frames, dropped, too_far, size)


def _records(out: Path) -> Iterator[SceneRecord]:
    for scene in recorded_scenes(out):
        record = read_record(record_path(out, scene))
        if record is not None:
            yield record


def _refuse_same_name(names: dict[str, str], name: str, scene: str) -> None:
    if name in names:
        raise InputError(
            f"rgb/{name}: scenes '{names[name]}' and '{scene}' both have a frame of this name; prepare the two into "
            "trees of their own."
        )
    names[name] = scene


def _write_intrinsics(file: Path, cameras: set[tuple[str, ...]]) -> None:
    if len(cameras) != 1:
        file.unlink(missing_ok=True)
        return
    with atomic_path(file) as temporary:
        temporary.write_text(" ".join(*cameras) + "\n", encoding="utf-8")


@contextmanager
def _disk_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{error.filename or out}: cannot be written ({error.strerror or error}); choose another --out."
        ) from error


def _settle_recipe(out: Path, recipe: str, overwrite: bool) -> str:
    """The recipe of the tree, written when the tree is new."""
    old = _read_recipe(out)
    if old is not None and overwrite:
        _clear(out)
        old = None
    if old is not None:
        _refuse_other_recipe(out, old, recipe)
        return old
    with atomic_path(out / RECIPE_FILE) as temporary:
        temporary.write_text(recipe, encoding="utf-8")
    return recipe


def _read_recipe(out: Path) -> str | None:
    """The recipe of a tree that is there; None for an empty folder."""
    file = out / RECIPE_FILE
    if file.is_file():
        return file.read_text(encoding="utf-8", errors="replace")
    left = sorted(entry.name for entry in out.iterdir())
    if left:
        raise InputError(
            f"{out}: holds {', '.join(left[:3])}{' and more' if len(left) > 3 else ''}, and no {RECIPE_FILE}: not a "
            "tree of `depthnet prepare`; choose an empty or a new folder for --out."
        )
    return None


def _refuse_other_recipe(out: Path, old: str, new: str) -> None:
    try:
        before, now = (_flat(json.loads(text)) for text in (old, new))
    except (ValueError, AttributeError):
        raise InputError(
            f"{out / RECIPE_FILE}: damaged; pass --overwrite to start the tree anew, or another --out."
        ) from None
    keys = [key for key in {**before, **now} if key != "depthnet" and before.get(key) != now.get(key)]
    if keys:
        changes = "; ".join(f"{key} {_word(before, key)}, now {_word(now, key)}" for key in keys)
        raise InputError(
            f"{out}: was prepared otherwise ({changes}); give the same options to go on, another --out, or "
            "--overwrite to start anew."
        )


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, the options without their common prefix."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, "" if key == "options" and not prefix else f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _word(values: dict[str, Any], key: str) -> str:
    return json.dumps(values[key], ensure_ascii=False).strip('"') if key in values else "not set"


def _clear(out: Path) -> None:
    """Remove what `depthnet prepare` wrote, the recipe last: until then the folder is known as ours."""
    for folder in (RECORDS, STAGING, *FOLDERS):
        if (out / folder).is_dir():
            shutil.rmtree(out / folder)
    for file in (*_TABLES, RECIPE_FILE):
        (out / file).unlink(missing_ok=True)


def _remove_unfinished(out: Path) -> None:
    """Remove what a killed job left: scenes without a record, and files under temporary names."""
    shutil.rmtree(out / STAGING, ignore_errors=True)
    for folder in (out, out / RECORDS):
        for file in folder.glob(".*.part.*"):
            file.unlink(missing_ok=True)
