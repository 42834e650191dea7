"""What is written of a video: its depth as a video with a scale, and files for each frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from depthnet.config import VideoLayout
from depthnet.io.video import FrameSource, VideoFrame, import_av
from depthnet.io.video_writer import VideoWriter
from depthnet.predictor.painter import Painter
from depthnet.predictor.prediction import MAX_POINTS, Prediction, output_paths, refuse_existing
from depthnet.predictor.resize import resize_depth

#: The format of ``--save`` that is the video itself; any other one is a file for each frame.
VIDEO_FORMAT = "colour"
#: What follows the stem of a video in the name of its depth video.
VIDEO_SUFFIX = "_depth.mp4"


@dataclass(frozen=True)
class DepthFrame:
    """One frame and its depth."""

    frame: VideoFrame
    """The picture and its time."""
    depth: NDArray[np.float32]
    """Metres at the network's size, (h, w)."""
    focal_px: float
    """Focal length in pixels of the frame that the metres rest on."""
    focal_source: str
    """Where it comes from, as in :class:`Prediction`."""

    def prediction(self) -> Prediction:
        """The frame as :meth:`DepthModel.predict` gives it, depth at the frame's own size."""
        image = self.frame.image
        depth = resize_depth(self.depth, (image.shape[0], image.shape[1]))
        return Prediction(depth, image, self.focal_px, self.focal_source, self.frame.name)


class VideoOutput:
    """Writes the depth of one video within a ``with`` block, whose end, however it comes, leaves a video that plays.

    The depth video is ``STEM_depth.mp4``: the times of the video, upright pictures, no sound. Files for each frame are
    ``STEM_frames/NUMBER_depth.png`` and so on, what :meth:`Prediction.save` writes for a photo.

    Args:
        source: the video.
        out: folder of the results; None for beside the video.
        formats: ``colour`` for the depth video; any other one of :meth:`Prediction.save` for a file of each frame.
        layout: what the depth video shows.
        colour_range: near and far end of its colours in metres; by default they follow the depth, slowly.
        overwrite: replace results that are there.
        max_points: points of a cloud or corners of a mesh at most.

    Raises:
        InputError: if a format or the range of the colours cannot be, or a result is there already.
        MissingTierError: if a video is wanted and PyAV is not installed.
    """

    def __init__(
        self,
        source: FrameSource,
        out: str | Path | None = None,
        formats: str | Sequence[str] = (VIDEO_FORMAT,),
        layout: VideoLayout = "side-by-side",
        colour_range: Sequence[float] | None = None,
        overwrite: bool = False,
        max_points: int = MAX_POINTS,
    ) -> None:
        self._source, self._overwrite, self._max_points = source, overwrite, max_points
        self._formats = [name for name in output_paths("", ".", formats) if name != VIDEO_FORMAT]
        self.video, self.folder = video_outputs(source.path, out, formats)
        self.paths = tuple(path for path in (self.video, self.folder) if path is not None)
        if not overwrite:
            refuse_existing(self.paths)
        self._painter: Painter | None = None
        if self.video is not None:
            import_av(self.video)
            self._painter = Painter(source.size, layout, colour_range)
        self._writer: VideoWriter | None = None
        self.count = 0
        self.first: DepthFrame | None = None
        #: Nearest and farthest depth in metres: 2 % of the pixels of some frame are nearer, or farther.
        self.depth_range = (np.inf, 0.0)

    def write(self, one: DepthFrame) -> int:
        """Write the next frame.

        Returns:
            How many there are now.

        Raises:
            InputError: if the disk refuses it.
        """
        if self._writer is not None and self._painter is not None:
            time_s = one.frame.time_s
            self._writer.append(self._painter.paint(one.frame.image, one.depth, time_s), time_s)
        if self.folder is not None:
            one.prediction().save(self.folder, self._formats, self._overwrite, self._max_points)
        near, far = np.percentile(one.depth[::4, ::4], (2.0, 98.0))
        self.depth_range = (min(self.depth_range[0], float(near)), max(self.depth_range[1], float(far)))
        self.first = self.first or one
        self.count += 1
        return self.count

    def __enter__(self) -> Self:
        if self.video is not None and self._painter is not None:
            source = self._source
            self._writer = VideoWriter(self.video, self._painter.size, source.time_base, source.rate, self._overwrite)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()


def video_outputs(path: Path, out: str | Path | None, formats: str | Iterable[str]) -> tuple[Path | None, Path | None]:
    """The depth video of a video, ``STEM_depth.mp4``, and the folder of its frames' files, ``STEM_frames``.

    Args:
        path: the video, or the folder of its pictures.
        out: folder of both; None for beside the video.
        formats: what will be written; ``colour`` is the video.

    Returns:
        Both paths; None for what is not wanted.

    Raises:
        InputError: if a format is unknown, or none is given.
    """
    wanted = output_paths("", ".", formats)
    stem = path.resolve().name if path.is_dir() else path.stem
    folder = path.resolve().parent if out is None and path.is_dir() else Path(out or path.parent)
    video = folder / f"{stem}{VIDEO_SUFFIX}" if VIDEO_FORMAT in wanted else None
    return video, folder / f"{stem}_frames" if set(wanted) - {VIDEO_FORMAT} else None
