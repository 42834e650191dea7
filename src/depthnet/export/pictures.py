"""The user's pictures: a data set of any layout, or plain photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from depthnet.data import FORMATS, open_dataset
from depthnet.data.samples import DepthDataset, RawSample
from depthnet.errors import InputError
from depthnet.io.images import read_rgb
from depthnet.predictor import expand_inputs

#: Pictures that ranges are found on, in even steps over the data.
CALIBRATION = 64
#: With fewer the ranges would miss what other pictures hold, and cut it off.
FEWEST = 8
#: Pictures that are scored, in even steps.
SCORED = 200


class PhotoDataset(DepthDataset):
    """Photos without depth."""

    format = "photos"

    def __init__(self, name: str, photos: Sequence[Path]) -> None:
        self.name = name
        self.names = [str(photo) for photo in photos]

    def read_raw(self, index: int) -> RawSample:
        """Decode photo ``index``."""
        return RawSample(image=read_rgb(self.names[index]), name=self.names[index])


def open_pictures(path: str | Path, format: str | None = None) -> tuple[DepthDataset, DepthDataset]:
    """Open pictures to calibrate with and pictures to compare on.

    Args:
        path: data of any layout that depthnet recognises, or a photo, a folder or a glob of photos.
        format: name of the layout when it is not to be recognised.

    Returns:
        At most :data:`CALIBRATION` and :data:`SCORED` pictures. The second are those of the split val, where there is
        one, which the first keep clear of; else all that are not of the first.

    Raises:
        InputError: if there are no such data, or fewer than :data:`FEWEST` pictures to calibrate with.
    """
    whole = open_dataset(path, format=format) if format or _has_layout(Path(path)) else _open_photos(path)
    trained = open_dataset(path, "train", format) if "train" in whole.splits else whole
    held = open_dataset(path, "val", format) if "val" in whole.splits else None
    calibration = even_steps(trained if held is None else trained.without(held), CALIBRATION)
    if len(calibration) < FEWEST:
        raise InputError(
            f"{path}: {len(calibration)} pictures to calibrate with; at least {FEWEST} are needed: the ranges of fewer "
            "would cut off what other pictures hold."
        )
    if held is None:
        taken = set(calibration.names)
        rest = [index for index, name in enumerate(whole.names) if name not in taken]
        held = whole.select(rest) if rest else whole
    return calibration, even_steps(held, SCORED)


def _has_layout(path: Path) -> bool:
    return path.exists() and any(entry.matches(path) for entry in FORMATS.values())


def _open_photos(path: str | Path) -> PhotoDataset:
    photos = [photo for photo in expand_inputs([path])[0] if photo.exists()]
    if not photos:
        raise InputError(f"{path}: no photos there and no data of a known layout; pass --data with some.")
    return PhotoDataset(Path(path).name, photos)


def even_steps(dataset: DepthDataset, count: int) -> DepthDataset:
    """At most ``count`` samples, in even steps."""
    positions = np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int)
    return dataset.select(positions.tolist())
