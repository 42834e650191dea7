"""Which of the inputs of `depthnet predict` are videos: by suffix, or a series of pictures whose rate is given."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from depthnet.errors import InputError
from depthnet.io.video import VIDEO_SUFFIXES, FrameSource, ImageSequence, natural_order, read_video
from depthnet.predictor.files import expand_inputs
from depthnet.predictor.video_output import VIDEO_SUFFIX, video_outputs


@dataclass(frozen=True)
class VideoInput:
    """A video that was named, not opened yet."""

    path: Path
    """The file, or the folder of the pictures."""
    pictures: tuple[Path, ...] = ()
    """The pictures in order; none for a file."""
    rate: Fraction = Fraction(0)
    """Frames per second of the pictures."""

    def open(self) -> FrameSource:
        """Open it.

        Raises:
            InputError: as :func:`read_video` and :class:`ImageSequence`.
            MissingTierError: if PyAV is not installed.
        """
        return ImageSequence(self.path, self.pictures, self.rate) if self.pictures else read_video(self.path)


def find_videos(inputs: Sequence[str], fps: float | None = None) -> tuple[list[VideoInput], list[str]]:
    """Take the videos out of the inputs.

    A file is a video by its suffix; a glob stands for the videos that it matches, but for depthnet's own
    ``*_depth.mp4``; with ``fps`` each folder or glob of pictures is a video, in the order of their numbers.

    Args:
        inputs: files, folders and globs.
        fps: frames per second of a series of pictures; None leaves pictures alone.

    Returns:
        The videos, and the inputs that are photos, for :func:`expand_inputs`.

    Raises:
        InputError: if ``fps`` is not positive.
    """
    rate = None if fps is None else exact_rate(fps)
    videos, photos = [], []
    for given in inputs:
        path = Path(given)
        many = path.is_dir() or (glob.has_magic(given) and not path.exists())
        if not many:
            found = [VideoInput(path)] if path.suffix.lower() in VIDEO_SUFFIXES else []
        elif rate is not None and (pictures := sorted(expand_inputs([given])[0], key=natural_order)):
            found = [VideoInput(path if path.is_dir() else pictures[0].parent, tuple(pictures), rate)]
        else:
            found = [] if path.is_dir() else [VideoInput(one) for one in _matches(given)]
        videos += found
        if not found or (rate is None and many and expand_inputs([given])[0]):
            photos.append(given)
    return videos, photos


def exact_rate(fps: float) -> Fraction:
    """Frames per second as a fraction; 23.976, 29.97 and 59.94 are the 24000, 30000 and 60000 / 1001 of television.

    Raises:
        InputError: if it is not positive.
    """
    if not 0 < fps < float("inf"):
        raise InputError(f"--fps {fps:g}: give a positive number of frames per second.")
    whole = round(fps * 1.001)
    if fps != round(fps) and abs(fps * 1.001 - whole) < 1e-3:
        return Fraction(1000 * whole, 1001)
    return Fraction(str(fps))


def check_video_outputs(videos: Sequence[VideoInput], out: str | None, formats: Sequence[str]) -> None:
    """Refuse videos whose results would get in the way of one another, before any work.

    Raises:
        InputError: naming the two.
    """
    inputs = {video.path.resolve() for video in videos}
    owners: dict[Path, Path] = {}
    for video in videos:
        for target in filter(None, video_outputs(video.path, out, formats)):
            place = target.resolve()
            if place in inputs:
                raise InputError(
                    f"{video.path}: its result {target} would replace another input; choose another --out."
                )
            if place in owners:
                raise InputError(
                    f"{owners[place]} and {video.path}: both write {target.name}; rename one or run them apart."
                )
            owners[place] = video.path


def _matches(pattern: str) -> list[Path]:
    found = (Path(match) for match in glob.glob(pattern, recursive=True))  # noqa: PTH207
    return sorted(
        path for path in found
        if path.suffix.lower() in VIDEO_SUFFIXES and not path.name.endswith(VIDEO_SUFFIX) and path.is_file()
    )  # fmt: skip
