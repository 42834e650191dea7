"""``depthnet show``: a picture, or an HTML page, of what a path holds: data, and whatever depthnet writes.

What can be shown is one entry of :data:`KINDS`: a test of the path, and a function that makes a page of it. The first
that fits is taken; a path that none of them claims is opened as a data set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from depthnet.config import ShowConfig
from depthnet.errors import InputError
from depthnet.io.files import atomic_path
from depthnet.pages.page import Page
from depthnet.pages.sheet import draw_sheet
from depthnet.pages.web import page_to_html
from depthnet.show.cloud import build_cloud_page, is_scene
from depthnet.show.colour_map import build_colour_page, is_colour_map
from depthnet.show.dataset import build_dataset_page
from depthnet.show.depth_map import build_depth_page, is_depth_map
from depthnet.show.experiment import build_experiment_page, is_experiment
from depthnet.show.model_file import build_model_page, is_model
from depthnet.show.run import build_run_page, is_run
from depthnet.show.scores import build_json_page, is_json
from depthnet.show.trajectory import build_trajectory_page, is_trajectory
from depthnet.show.video import build_video_page, is_video

__all__ = ["KINDS", "Kind", "Page", "Shown", "build_page", "show_path", "write_page"]

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
PAGES = (".html", ".htm")


@dataclass(frozen=True)
class Kind:
    """One kind of thing that can be shown."""

    matches: Callable[[Path], bool]
    """Cheap test of a path: its name, whether it is a folder."""
    build: Callable[[Path, ShowConfig], Page]
    """Makes the page."""


def _build_dataset(path: Path, config: ShowConfig) -> Page:
    from depthnet.data import FORMATS, open_dataset

    if config.format is None and path.is_file() and not any(entry.matches(path) for entry in FORMATS.values()):
        if path.suffix.lower() in PAGES:
            raise InputError(f"{path}: is a page already; open it in a browser.")
        raise InputError(f"{path}: nothing that can be shown; pass one of: {', '.join(KINDS)}.")
    return build_dataset_page(open_dataset(path, config.split, config.format), config.count)


def _build_trajectory(path: Path, config: ShowConfig) -> Page:
    from depthnet.data import open_dataset

    video = open_dataset(config.video, config.split) if config.video else None
    return build_trajectory_page(path, video, config.count)


KINDS: dict[str, Kind] = {
    "run folder": Kind(is_run, lambda path, config: build_run_page(path)),
    "folder of an experiment": Kind(is_experiment, lambda path, config: build_experiment_page(path)),
    "model file (.onnx, .safetensors)": Kind(is_model, lambda path, config: build_model_page(path)),
    "point cloud or mesh (.ply, .glb)": Kind(is_scene, lambda path, config: build_cloud_page(path)),
    "scores (.json)": Kind(is_json, lambda path, config: build_json_page(path)),
    "colour map (.png)": Kind(is_colour_map, lambda path, config: build_colour_page(path)),
    "depth map (.npy, 16-bit .png)": Kind(is_depth_map, lambda path, config: build_depth_page(path)),
    "camera path (.txt)": Kind(is_trajectory, _build_trajectory),
    "video": Kind(is_video, lambda path, config: build_video_page(path, config.count)),
    "data set": Kind(lambda path: True, _build_dataset),
}


@dataclass(frozen=True)
class Shown:
    """What was written."""

    path: Path
    """The picture or page."""
    errors: list[str]
    """Samples that could not be read, one line each; they are rows of the page too."""


def show_path(path: str | Path, config: ShowConfig | None = None, overwrite: bool = False) -> Shown:
    """Write a picture or a page of what a path holds.

    Args:
        path: a data set of any layout, or whatever depthnet writes, one of :data:`KINDS`.
        config: where to write it (by default ``NAME_show.png`` in the current folder) and what to choose.
        overwrite: replace the file when it exists.

    Returns:
        The file and what could not be read.

    Raises:
        InputError: if the path is nothing that can be shown, or the file exists or cannot be written.
    """
    path, config = Path(path), config or ShowConfig()
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; pass a data set, or what depthnet wrote.")
    out = Path(config.out) if config.out else Path(f"{path.resolve().stem}_show.png")
    if out.suffix.lower() not in (*PICTURES, *PAGES):
        raise InputError(f"{out}: '{out.suffix}' is no picture or page; end --out with .png, .jpg, .webp or .html.")
    if out.exists() and not overwrite:  # before the work, not after it
        raise InputError(f"{out}: exists already; pass --overwrite to replace it, or another --out.")
    page = build_page(path, config)
    write_page(page, out, overwrite)
    return Shown(out, page.errors)


def build_page(path: Path, config: ShowConfig) -> Page:
    """The page of a path, by the first of :data:`KINDS` that fits; a layout given by name is a data set.

    Raises:
        InputError: if the path cannot be read, or ``count`` is not positive.
    """
    if config.count < 1:
        raise InputError(f"--count {config.count}: expected 1 or more samples.")
    kinds = [KINDS["data set"]] if config.format else KINDS.values()
    return next(kind for kind in kinds if kind.matches(path)).build(path, config)


def write_page(page: Page, out: Path, overwrite: bool = False) -> None:
    """Write a page as HTML or as a picture, by the suffix of the file.

    Raises:
        InputError: if the file exists and ``overwrite`` is False, or cannot be written.
    """
    with atomic_path(out, overwrite) as temporary:
        if out.suffix.lower() in PAGES:
            temporary.write_text(page_to_html(page), encoding="utf-8")
        else:
            draw_sheet(page).save(temporary, quality=92)
