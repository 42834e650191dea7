"""The page of a video: some of its frames, in even steps over it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from depthnet.io.video import VIDEO_SUFFIXES, FrameSource, read_video
from depthnet.pages.page import Page, Row

_WIDTH, _COLUMNS = 360, 3

#: Time in seconds and small picture of a frame.
Still = tuple[float, Image.Image]


def is_video(path: Path) -> bool:
    """Whether a path is a video by its name."""
    return path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES


def build_video_page(path: Path, count: int) -> Page:
    """Show ``count`` frames of a video, the first one and one near the end among them.

    Raises:
        InputError: if it is no video or damaged before its first frame.
        MissingTierError: if PyAV is not installed.
    """
    with read_video(path) as video:
        stills, frames, seconds = take_stills(video, count)
        rate, (height, width), problems = float(video.rate), video.size, tuple(video.problems)
    rows = [stills[start : start + _COLUMNS] for start in range(0, len(stills), _COLUMNS)]
    return Page(
        title=path.name,
        subtitle=f"video: {frames} frames of {width} x {height} in {seconds + 1 / rate:.1f} s, {rate:.4g} per second",
        headings=(),
        rows=tuple(Row("", tuple(f"{time:.2f} s" for time, _ in row), tuple(one for _, one in row)) for row in rows),
        notes=problems,
    )


def take_stills(video: FrameSource, count: int) -> tuple[list[Still], int, float]:
    """Small pictures of ``count`` frames in even steps; memory does not grow with the video.

    Whenever twice too many are kept, every second one goes, and from then on only every second one comes.

    Returns:
        The stills in order, the number of all frames, and the time of the last one in seconds.
    """
    kept: list[Still] = []
    step, frames, seconds = 1, 0, 0.0
    for frame in video:
        seconds = float(frame.time_s)
        if frames % step == 0:
            picture = Image.fromarray(frame.image)
            picture.thumbnail((_WIDTH, 4 * _WIDTH))
            kept.append((seconds, picture))
            if len(kept) >= 4 * count:
                kept, step = kept[::2], 2 * step
        frames += 1
    chosen = np.unique(np.linspace(0, len(kept) - 1, min(count, len(kept))).round().astype(int))
    return [kept[place] for place in chosen], frames, seconds
