"""The page of a camera path: from above and from the side, with the frames of its video beside it."""

from __future__ import annotations

import bisect
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from depthnet.data.samples import DepthDataset, RawSample
from depthnet.errors import InputError
from depthnet.io.trajectory import Trajectory, read_trajectory
from depthnet.pages.page import Page, Row
from depthnet.pages.panels import depth_panel, image_panel, panel_size
from depthnet.show.dataset import describe_depth, shared_range

SUFFIXES = (".txt", ".tum", ".kitti", ".part")
SIZE, MARGIN = 300, 26
#: Times that differ by less are the same.
_SAME_TIME_S = 1e-4
_PATH, _START, _END, _MARK, _INK = "#2563eb", "#16a34a", "#b91c1c", "#f59e0b", "#475569"
#: Axes of a view: which of x (right), y (down) and z (forward, of the first camera) go right and down on the picture.
_VIEWS = {"from above": ((0, 1.0), (2, -1.0)), "from the side": ((2, 1.0), (1, 1.0))}


def is_trajectory(path: Path) -> bool:
    """Whether a path is a text file, as trajectories are."""
    return path.is_file() and path.suffix.lower() in SUFFIXES


def build_trajectory_page(path: Path, video: DepthDataset | None, count: int) -> Page:
    """Draw a camera path in the frame of its first camera.

    Args:
        path: a TUM or KITTI trajectory file.
        video: the video that it belongs to; some of its frames are shown with their place on the path.
        count: frames that are shown at most.

    Returns:
        The page.

    Raises:
        InputError: if the file is no trajectory, or no frame of the video has a pose in it.
    """
    trajectory = read_trajectory(path)
    first = trajectory.T_world_cam[0]
    positions = (trajectory.T_world_cam[:, :3, 3] - first[:3, 3]) @ first[:3, :3]
    length = float(np.linalg.norm(np.diff(positions, axis=0), axis=1).sum())
    apart = float(np.linalg.norm(positions[-1] - positions[0]))
    if video is None:
        rows: tuple[Row, ...] = (Row("", (), _views(positions, None)),)
    else:
        rows = _frame_rows(trajectory, positions, video, count)
    seconds = "" if trajectory.times_s is None else f" in {trajectory.times_s[-1] - trajectory.times_s[0]:.1f} s"
    subtitle = f"camera path: {len(positions)} poses{seconds}, {length:.2f} m long, start and end {apart:.2f} m apart"
    return Page(
        title=path.name,
        subtitle=subtitle,
        headings=(*_VIEWS, "image", "depth") if video is not None else tuple(_VIEWS),
        rows=rows,
        notes=(
            "Axes of the first camera: from above, right is to its right and up is forward; from the side, right is "
            "forward. Green: start, red: end" + ("; orange: the frame." if video is not None else "."),
        ),
    )


def _frame_rows(
    trajectory: Trajectory, positions: NDArray[np.float64], video: DepthDataset, count: int
) -> tuple[Row, ...]:
    chosen = np.unique(np.linspace(0, len(positions) - 1, min(count, len(positions))).round().astype(int)).tolist()
    samples = [(place, find_frame(trajectory, place, video)) for place in chosen]
    low, high = shared_range([sample for _, sample in samples])
    return tuple(_frame_row(sample, positions, place, low, high) for place, sample in samples)


def find_frame(trajectory: Trajectory, place: int, video: DepthDataset) -> RawSample:
    """The frame of a pose: by time where the path has times (the frame's number where the video has none), else by
    number.

    Args:
        trajectory: the path.
        place: of the pose in it.
        video: its frames, in order of time.

    Raises:
        InputError: if the video has no such frame.
    """
    if trajectory.times_s is None:
        number, wanted = place, f"number {place}"
    else:
        time_s = float(trajectory.times_s[place])
        wanted = f"time {time_s:.6f} s"
        number = bisect.bisect_left(range(len(video)), time_s - _SAME_TIME_S, key=lambda i: _time(video, i))
    if number >= len(video) or (trajectory.times_s is not None and _time(video, number) > time_s + _SAME_TIME_S):
        raise InputError(f"{video.name}: none of its {len(video)} frames has {wanted}; pass the video of this path.")
    return video.read_raw(number)


def _time(video: DepthDataset, index: int) -> float:
    time_s = video.read_raw(index).time_s
    return float(index) if time_s is None else float(time_s)


def _frame_row(sample: RawSample, positions: NDArray[np.float64], place: int, low: float, high: float) -> Row:
    size = panel_size(*sample.size)
    panels = [*_views(positions, place), image_panel(sample.image, size)]
    facts = ["at " + ", ".join(f"{value:.2f}" for value in positions[place]) + " m (right, down, forward)"]
    if sample.depth is not None:
        panels.append(depth_panel(sample.depth, size, low, high))
        facts += describe_depth(sample.depth)
    return Row(sample.name, tuple(facts), tuple(panels))


def _views(positions: NDArray[np.float64], mark: int | None) -> tuple[Image.Image, ...]:
    return tuple(_draw_view(positions, right, down, mark) for right, down in _VIEWS.values())


def _draw_view(
    positions: NDArray[np.float64], right: tuple[int, float], down: tuple[int, float], mark: int | None
) -> Image.Image:
    """One view of the path, with a bar of a round length in metres."""
    flat = np.stack([sign * positions[:, axis] for axis, sign in (right, down)], axis=1)
    low, high = flat.min(axis=0), flat.max(axis=0)
    per_metre = (SIZE - 2 * MARGIN) / max(float((high - low).max()), 1e-3)
    pixels = SIZE / 2 + (flat - (low + high) / 2) * per_metre
    picture = Image.new("RGB", (SIZE, SIZE + 22), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, SIZE - 1, SIZE - 1), outline="#e2e8f0")
    draw.line([(float(x), float(y)) for x, y in pixels], fill=_PATH, width=2)
    for place, colour in ((0, _START), (-1, _END), *(() if mark is None else ((mark, _MARK),))):
        x, y = pixels[place]
        draw.ellipse((x - 5, y - 5, x + 5, y + 5), fill=colour)
    metres = round_length(SIZE / 3 / per_metre)
    draw.line((MARGIN, SIZE - 12, MARGIN + metres * per_metre, SIZE - 12), fill=_INK, width=3)
    draw.text((MARGIN, SIZE + 2), f"{metres:g} m", fill=_INK, font=ImageFont.load_default(size=13))
    return picture


def round_length(most: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is not above ``most``."""
    power = 10.0 ** math.floor(math.log10(most))
    return power * max((factor for factor in (1, 2, 5) if factor * power <= most * (1 + 1e-9)), default=1)
