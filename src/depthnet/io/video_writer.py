"""Write a video one frame at a time, with exact times, into a file that a stop leaves playable.

H.264 in MP4 (4:2:0, BT.709), which has even sides: the last column or row of an odd side is shown twice. No sound.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import InputError
from depthnet.io.images import RGB
from depthnet.io.video import import_av

if TYPE_CHECKING:
    import av

_ENCODERS = ("libx264", "libopenh264")
# Without B-frames the first picture has time 0 also in the fragments of a file that was never finalised.
_X264 = {"preset": "ultrafast", "crf": "20", "bf": "0"}
_SECONDS_PER_KEYFRAME = 2
_BT709, _LIMITED_RANGE = 1, 1
_WHITE = (235, 128, 128)


class Canvas:
    """A picture as video stores it, put together from parts: YUV 4:2:0, BT.709, even sides, white at first.

    Scaling and turning to YUV are one step, several times faster than painting in RGB.

    Args:
        size: (H, W), made even by a row or column more.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        from av import VideoFrame
        from av.video.reformatter import VideoReformatter

        height, width = (side + side % 2 for side in size)
        self.size = (height, width)
        self.frame = VideoFrame(width, height, "yuv420p")
        self._converters = defaultdict[int, VideoReformatter](VideoReformatter)  # one remembers one scaling
        for plane, value in zip(self.frame.planes, _WHITE):
            _pixels(plane)[:] = value

    def put(self, image: RGB, left: int = 0, size: tuple[int, int] | None = None) -> None:
        """Put a picture into the canvas, at its top.

        Args:
            image: 8-bit RGB, (H, W, 3).
            left: column where it begins, even.
            size: (H, W) to scale it to, made even; by default its own, and an odd side shows its last pixels twice.
        """
        from av import VideoFrame
        from av.video.reformatter import ColorRange, Colorspace

        if size is None and (image.shape[0] % 2 or image.shape[1] % 2):
            image = np.pad(image, [(0, image.shape[0] % 2), (0, image.shape[1] % 2), (0, 0)], mode="edge")
        height, width = (side + side % 2 for side in size or image.shape[:2])
        part = self._converters[left].reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24"), width, height, "yuv420p",
            dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG,
        )  # fmt: skip
        for whole, plane, step in zip(self.frame.planes, part.planes, (1, 2, 2)):
            rows, first, last = height // step, left // step, (left + width) // step
            _pixels(whole)[:rows, first:last] = _pixels(plane)[:rows, : last - first]


class VideoWriter:
    """Writes a video while its frames are made: they go to ``NAME.part``, which becomes ``NAME`` on closing.

    As a context manager it closes also on an error or Ctrl-C, so that the frames so far are kept in a file that plays.
    Nothing is left of a video without a frame. After a kill ``NAME.part`` plays up to its last two seconds.
    """

    def __init__(
        self, path: str | Path, size: tuple[int, int], time_base: Fraction, rate: Fraction, overwrite: bool = True
    ) -> None:
        """Begin a file.

        Args:
            path: the file (.mp4); its folder is made when missing.
            size: (H, W) of the frames.
            time_base: seconds of which all times are multiples.
            rate: frames per second on average.
            overwrite: False raises when the file, or the part of a killed run, is there already.

        Raises:
            InputError: if it is, the folder refuses the file or the encoder the size.
            MissingTierError: if PyAV is not installed.
        """
        av = import_av(path)
        self.path, self.size, self.time_base = Path(path), size, time_base
        self.part = self.path.with_name(f"{self.path.name}.part")
        self.count = 0
        self._closed = False
        self._canvas = Canvas(size)
        for file in (self.path, self.part):
            if file.exists() and not overwrite:
                raise InputError(f"{file}: exists already; pass --overwrite to replace it, or another --out.")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Fragments while it grows, an ordinary file once it is closed.
            options = {"movflags": "hybrid_fragmented", "flush_packets": "1"}
            self._container = av.open(f"file:{self.part.absolute()}", "w", format="mp4", options=options)
        except (OSError, av.error.FFmpegError) as error:
            raise self._refused(error) from error
        try:
            self._stream = self._add_stream(rate)
        except InputError:
            self.close()
            raise

    def append(self, picture: RGB | Canvas, time_s: Fraction) -> None:
        """Write the next frame.

        Args:
            picture: 8-bit RGB, (H, W, 3), or a canvas, of the size given at the beginning.
            time_s: seconds, later than the one before.

        Raises:
            InputError: if the disk refuses it.
        """
        from av.error import FFmpegError

        if not isinstance(picture, Canvas):
            self._canvas.put(picture)
            picture = self._canvas
        frame = picture.frame
        frame.pts, frame.time_base = round(time_s / self.time_base), self.time_base
        try:
            self._container.mux(self._stream.encode(frame))
        except (OSError, FFmpegError) as error:
            raise self._refused(error) from error
        self.count += 1

    def close(self) -> None:
        """Finish the file and give it its name; a second time it does nothing.

        Raises:
            InputError: if the disk refuses it.
        """
        if self._closed:
            return
        self._closed = True
        from av.error import FFmpegError

        try:
            if self.count:
                self._container.mux(self._stream.encode(None))
            self._container.close()
            if self.count:
                self.part.replace(self.path)
            else:
                self.part.unlink(missing_ok=True)
        except (OSError, FFmpegError) as error:
            raise self._refused(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _add_stream(self, rate: Fraction) -> av.VideoStream:
        """The H.264 stream, its encoder opened, so that a size that it refuses is met at once."""
        import av

        encoder = next((name for name in _ENCODERS if name in av.codecs_available), None)
        if encoder is None:
            raise InputError(
                f"{self.path}: this PyAV has no H.264 encoder ({', '.join(_ENCODERS)}); pip install av brings one."
            )
        stream: av.VideoStream = self._container.add_stream(encoder, rate=rate.limit_denominator(100_000))
        stream.height, stream.width = (side + side % 2 for side in self.size)
        stream.pix_fmt = "yuv420p"
        stream.time_base = self.time_base
        context = stream.codec_context
        context.time_base = self.time_base
        context.gop_size = max(1, round(_SECONDS_PER_KEYFRAME * rate))
        context.thread_count = 1  # it runs beside the network
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED_RANGE
        if encoder == "libx264":
            stream.options = dict(_X264)
        try:
            context.open()
        except av.error.FFmpegError as error:
            raise InputError(
                f"{self.path}: no video of {self.size[1]} x {self.size[0]} can be encoded ({error.strerror}); "
                "resize the input first."
            ) from error
        return stream

    def _refused(self, error: Exception) -> InputError:
        reason = getattr(error, "strerror", None) or str(error)
        return InputError(f"{self.path}: cannot be written ({reason}); free space or choose another --out.")


def _pixels(plane: av.video.plane.VideoPlane) -> NDArray[np.uint8]:
    """The bytes of a plane, (rows, bytes of a row, of which the last ones may be padding)."""
    buffer: Any = plane  # PyAV's types do not say that it is one
    return np.frombuffer(buffer, np.uint8).reshape(-1, plane.line_size)
