"""Depth maps of all rows side by side, on photos that may be shown: credited data sets and rendered rooms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthnet.errors import InputError
from depthnet.experiment.plan import Plan, fill_paths, missing_paths
from depthnet.experiment.record import MODEL_FILE
from depthnet.experiment.suite import Pictures
from depthnet.io.depth import colour_range, colourise_depth
from depthnet.pages.page import Page, Row
from depthnet.pages.panels import resize_for_show
from depthnet.pages.sheet import draw_sheet
from depthnet.predictor import load_model

PANEL_HEIGHT = 150
#: Seed of the rooms that are shown: those of a training tree usually have another.
ROOM_SEED = 2017


@dataclass(frozen=True)
class Photo:
    """A photo that may be shown, with its depth."""

    name: str
    image: NDArray[np.uint8]
    """RGB, (H, W, 3)."""
    depth: NDArray[np.float32]
    """Metres, (H, W); 0 where unknown."""
    focal_px: float | None
    """Focal length in pixels; None for that of the training camera."""

    @property
    def depth_range(self) -> tuple[float, float]:
        """Metres of the two ends of the colours, for the truth and all predictions."""
        return colour_range(self.depth, self.depth > 0, None, None)

    @property
    def panel_size(self) -> tuple[int, int]:
        """Height and width at which it is shown."""
        height, width = self.depth.shape
        return PANEL_HEIGHT, max(1, round(PANEL_HEIGHT * width / height))

    def draw(self) -> Image.Image:
        """The photo itself."""
        return Image.fromarray(self.image).resize(self.panel_size[::-1], Image.Resampling.LANCZOS)

    def draw_depth(self, depth: NDArray[np.float32]) -> Image.Image:
        """A depth map of it, (H, W), in the colours of its range."""
        return Image.fromarray(colourise_depth(resize_for_show(depth, self.panel_size), *self.depth_range))


def collect_photos(plan: Plan) -> tuple[list[Photo], list[str]]:
    """The photos that the suite wants, and a line on each source: its credit, or why it is not there.

    Raises:
        InputError: if a source is NYU Depth v2, whose photos may not be published.
    """
    photos: list[Photo] = []
    notes: list[str] = []
    for source in plan.suite.pictures:
        missing = missing_paths(source.data, plan.config.paths)
        if missing:
            notes.append(f"Photos of {source.data.removeprefix('$')} are left out: {missing}.")
            continue
        if source.data:
            photos += _from_data(fill_paths(source.data, plan.config.paths), source)
        photos += _rendered(source.rooms)
        notes += [source.credit] if source.credit else []
    return photos, notes


def _from_data(path: str, source: Pictures) -> list[Photo]:
    from depthnet.data import open_dataset

    dataset = open_dataset(path)
    if dataset.default_protocol == "nyu":
        raise InputError(f"{path}: photos of NYU Depth v2 may not be published; name other data under pictures.")
    chosen = np.unique(np.linspace(0, len(dataset) - 1, min(source.count, len(dataset))).round().astype(int))
    samples = [dataset.read_raw(int(index)) for index in chosen]
    return [
        Photo(sample.name, sample.image, sample.depth, None if sample.K is None else float(sample.K[0, 0]))
        for sample in samples
        if sample.depth is not None
    ]


def _rendered(rooms: Sequence[int]) -> list[Photo]:
    if not rooms:
        return []
    from depthnet.prepare.source import PreparedFrame
    from depthnet.prepare.synthetic import SyntheticOptions, SyntheticSource

    source = SyntheticSource(SyntheticOptions(rooms=max(rooms) + 1, frames=1, seed=ROOM_SEED))
    scenes, focal_px = source.scenes(), float(source.intrinsics[0, 0])
    return [
        Photo(f"rendered room {number}", frame.image, frame.depth, focal_px)
        for number in rooms
        for frame in source.frames(scenes[number])
        if isinstance(frame, PreparedFrame)
    ]


def draw_depth_maps(plan: Plan, photos: Sequence[Photo], captions: Iterable[tuple[str, str]]) -> Image.Image:
    """One line of pictures for each row, a column for each photo; the first two lines are photo and truth.

    Args:
        plan: says where the models are.
        photos: at least one.
        captions: name of a row and what stands under its maps; rows without a model are not among them.
    """
    rows = [
        Row("photo", (), tuple(photo.draw() for photo in photos)),
        Row("measured or rendered depth", (), tuple(photo.draw_depth(photo.depth) for photo in photos)),
    ]
    for name, caption in captions:
        model = load_model(plan.of_row(name)[0].stages[-1].folder / MODEL_FILE, threads=plan.config.threads)
        maps = tuple(photo.draw_depth(model.depth(photo.image, photo.focal_px)) for photo in photos)
        rows.append(Row(caption, (), maps))
    page = Page(
        title="Depth maps of all rows",
        subtitle=plan.suite.title,
        headings=tuple(photo.name for photo in photos),
        rows=tuple(rows),
        notes=tuple(
            f"{photo.name}: {photo.depth_range[0]:.1f} m (red) to {photo.depth_range[1]:.1f} m (blue)."
            for photo in photos
        ),
    )
    return draw_sheet(page)
