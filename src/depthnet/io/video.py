"""Read videos and series of pictures one frame at a time, with exact times and upright pixels.

Files are read with FFmpeg through PyAV (`pip install "depthnet[video]"`), whatever the container and the codec. Times
are exact fractions of a second from the first frame, so that any rate, also a variable one, can come out as it went in.
Turned and mirrored pictures are made upright as the display matrix says; pixels that are not square are widened to
squares. A series of pictures is read the same way, at a rate that is given. Sound is not read.
`depthnet.io.video_writer` writes.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from PIL import Image

from depthnet.errors import DepthNetError, InputError, MissingTierError, one_line
from depthnet.io.images import RGB, read_image

if TYPE_CHECKING:
    import av

#: Suffixes that count as videos.
VIDEO_SUFFIXES = frozenset({
    ".3gp", ".avi", ".flv", ".h264", ".h265", ".m2ts", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg",
    ".mts", ".ogv", ".ts", ".webm", ".wmv", ".y4m",
})  # fmt: skip
# A file that ends so much before its stated end is truncated: some encoders round the end up by a frame or two.
_SHORT_SHARE, _SHORT_FRAMES = Fraction(2, 100), 3


@dataclass(frozen=True)
class VideoFrame:
    """One picture of a video."""

    image: RGB
    """Upright 8-bit RGB, (H, W, 3)."""
    time_s: Fraction
    """Seconds from the first frame, exact."""
    name: str
    """Its number with six digits, or the stem of its file."""
    focal_px: float | None = None
    """Focal length in pixels where the picture's own file tells it."""


class FrameSource(ABC):
    """Frames one after another, to be iterated once, within a ``with`` block."""

    path: Path
    """The file, or the folder or pattern of the pictures."""
    size: tuple[int, int]
    """(H, W) of every frame."""
    time_base: Fraction
    """Seconds; all times are multiples of it."""
    rate: Fraction
    """Frames per second on average, as stated."""
    count: int | None
    """Number of frames as stated or estimated; None where nothing tells."""
    problems: list[str]
    """What could not be read, as it is met."""

    @abstractmethod
    def __iter__(self) -> Iterator[VideoFrame]:
        """Give the frames in order; what is damaged is left out and noted in :attr:`problems`."""

    def close(self) -> None:  # noqa: B027 pictures have nothing to let go of
        """Let go of the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_video(path: str | Path) -> VideoFile:
    """Open a video file; its frames are decoded as they are asked for.

    Args:
        path: a file of any container and codec that FFmpeg knows.

    Raises:
        InputError: if it is missing, no video, damaged before its first frame, or over Pillow's limit of pixels.
        MissingTierError: if PyAV is not installed.
    """
    return VideoFile(path)


class VideoFile(FrameSource):
    """A video file, see :func:`read_video`."""

    def __init__(self, path: str | Path) -> None:
        self.path, self.problems = Path(path), []
        self._container, self._stream = _open(self.path)
        stream = self._stream
        self.rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        assert stream.time_base is not None  # every demuxer sets it
        self.time_base = stream.time_base
        self._end_s = _stated_end(self._container, stream)
        self.count = stream.frames or (None if self._end_s is None else round(self._end_s * self.rate))
        self._frames = self._read()
        try:
            first = next(self._frames, None)
            if first is None:
                why = f" ({self.problems[0]})" if self.problems else ""
                raise InputError(f"{self.path}: no frame can be decoded{why}; copy or export it again.")
        except BaseException:
            self.close()
            raise
        self._first, self.size = first, (first.image.shape[0], first.image.shape[1])

    def __iter__(self) -> Iterator[VideoFrame]:
        yield self._first
        yield from self._frames

    def close(self) -> None:
        """Let go of the file."""
        self._container.close()

    def _read(self) -> Iterator[VideoFrame]:
        """Frames with rising times; a frame without one follows the one before at the video's rate."""
        from av.video.reformatter import VideoReformatter

        to_rgb, start, time_s, number = VideoReformatter(), None, Fraction(0), 0
        size = self._stream.codec_context
        width, height = max(1, round(size.width * _pixel_aspect(self._stream))), size.height
        for number, frame in enumerate(self._decode()):
            if frame.pts is not None and start is None:
                start = frame.pts * self.time_base - time_s
            told = None if frame.pts is None or start is None else frame.pts * self.time_base - start
            if number:
                time_s = told if told is not None and told > time_s else time_s + 1 / self.rate
            pixels = np.asarray(to_rgb.reformat(frame, width, height, "rgb24").to_ndarray(), np.uint8)
            yield VideoFrame(_upright(pixels, _display_matrix(frame, self._stream)), time_s, f"{number:06d}")
        read_s = time_s + 1 / self.rate
        if self._end_s is not None and not self.problems:
            allowed: Fraction = max(_SHORT_SHARE * self._end_s, _SHORT_FRAMES / self.rate)
            if self._end_s - read_s > allowed:
                self.problems.append(f"it ends after {float(read_s):.1f} of {float(self._end_s):.1f} s")

    def _decode(self) -> Iterator[av.VideoFrame]:
        """Pictures as FFmpeg gives them; a packet that it refuses is left out, and an end that it meets is the end."""
        from av.error import FFmpegError

        try:
            for packet in self._container.demux(self._stream):
                if packet.is_corrupt:
                    self.problems.append("a packet is cut off")
                try:
                    frames = packet.decode()
                except FFmpegError as error:
                    self.problems.append(error.strerror or one_line(error))
                    continue
                for frame in frames:
                    if frame.is_corrupt:
                        self.problems.append("a picture is damaged")
                    yield frame
        except FFmpegError as error:
            self.problems.append(error.strerror or one_line(error))


class ImageSequence(FrameSource):
    """Pictures of one size as the frames of a video.

    Args:
        path: their folder or pattern, for messages.
        files: the pictures in order.
        rate: frames per second.

    Raises:
        InputError: if the rate is not positive or no picture can be read.
    """

    def __init__(self, path: str | Path, files: Sequence[Path], rate: Fraction) -> None:
        if rate <= 0:
            raise InputError(f"--fps {float(rate):g}: give a positive number of frames per second.")
        self.path, self.files, self.problems = Path(path), list(files), []
        self.rate, self.time_base, self.count = rate, 1 / rate, len(self.files)
        self.size = (0, 0)
        self._frames = self._read()
        first = next(self._frames, None)
        if first is None:
            raise InputError(f"{path}: none of its {len(self.files)} pictures can be read: {self.problems[0]}")
        self._first = first

    def __iter__(self) -> Iterator[VideoFrame]:
        yield self._first
        yield from self._frames

    def _read(self) -> Iterator[VideoFrame]:
        for number, file in enumerate(self.files):
            try:
                photo = read_image(file)
            except DepthNetError as error:
                self.problems.append(str(error))
                continue
            size = (photo.image.shape[0], photo.image.shape[1])
            self.size = self.size if any(self.size) else size
            if size != self.size:
                sizes = f"{size[1]} x {size[0]}, the pictures before it {self.size[1]} x {self.size[0]}"
                self.problems.append(f"{file}: {sizes}; frames of a video have one size.")
                continue
            yield VideoFrame(photo.image, number * self.time_base, photo.stem, photo.focal_px)


def natural_order(path: Path) -> list[Any]:
    """Key that sorts numbered files by their numbers: frame_2 before frame_10."""
    parts = re.split(r"(\d+)", path.name)
    return [int(part) if place % 2 else part for place, part in enumerate(parts)]


def import_av(path: str | Path) -> Any:
    """PyAV, which reads or writes a file.

    Raises:
        MissingTierError: if it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise MissingTierError(f'{path}: video needs PyAV: pip install "depthnet[video]"') from error
    return av


def _open(path: Path) -> tuple[av.container.InputContainer, av.VideoStream]:
    """Open a file and find its video stream, before any picture is decoded."""
    av = import_av(path)
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: empty file; copy it again.")
        # As a file: a name may hold a colon, and a playlist may not fetch what it names.
        container = av.open(f"file:{path.absolute()}", options={"protocol_whitelist": "file"})
    except InputError:
        raise
    except av.error.InvalidDataError as error:
        raise InputError(
            f"{path}: not a video, or one whose index is missing because it was cut off; copy or export it again."
        ) from error
    except (OSError, av.error.FFmpegError) as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or one_line(error)}); check the path.") from error
    try:
        stream = _video_stream(path, container)
    except InputError:
        container.close()
        raise
    return container, stream


def _video_stream(path: Path, container: av.container.InputContainer) -> av.VideoStream:
    streams = [one for one in container.streams.video if not one.disposition & one.disposition.attached_pic]
    if not streams:
        others = ", ".join(sorted({one.type for one in container.streams})) or "nothing"
        raise InputError(f"{path}: no video in it, but {others}; pass a file with a video stream.")
    stream = streams[0]
    context = stream.codec_context
    if context is None:
        raise InputError(f"{path}: a codec that this PyAV cannot decode; export it as H.264.")
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and context.width * context.height > limit:
        raise InputError(
            f"{path}: {context.width} x {context.height} pixels are more than {limit / 1e6:.1f} million, the guard "
            "against decompression bombs; resize it first."
        )
    stream.thread_type = "AUTO"
    return stream


def _stated_end(container: av.container.InputContainer, stream: av.VideoStream) -> Fraction | None:
    """Length of the video in seconds by its header; None where only the sound's length may be told."""
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    tag = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if tag:  # Matroska
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + Fraction(tag[3])
    if container.duration and len(container.streams) == 1:
        return Fraction(container.duration, 1_000_000)
    return None


def _pixel_aspect(stream: av.VideoStream) -> Fraction:
    """Width of a pixel by its height; 1 where it is not told."""
    return stream.sample_aspect_ratio or Fraction(1)


def _display_matrix(frame: av.VideoFrame, stream: av.VideoStream) -> tuple[int, int, int, int]:
    """(a, b, c, d): a pixel (x, y) of the stored picture is shown at (a x + c y, b x + d y), up to a shift.

    Source: ISO/IEC 14496-12, 8.3.2 (matrix of a track), in FFmpeg's AV_FRAME_DATA_DISPLAYMATRIX.
    """
    side_data: Any = frame.side_data.get("DISPLAYMATRIX")  # a buffer
    if side_data is not None:
        a, b, _, c, d = np.frombuffer(side_data, np.int32)[:5].tolist()
        return a, b, c, d
    turned = round(float(stream.metadata.get("rotate", 0)) / 90) % 4  # quarter turns clockwise, in older files
    return ((1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0))[turned]


def _upright(image: RGB, matrix: tuple[int, int, int, int]) -> RGB:
    """Turn and mirror a picture by its display matrix, to the nearest quarter turn."""
    a, b, c, d = matrix
    if abs(b) + abs(c) > abs(a) + abs(d):
        image, a, d = image.transpose(1, 0, 2), c, b
    image = image[:, ::-1] if a < 0 else image
    return np.ascontiguousarray(image[::-1] if d < 0 else image)
