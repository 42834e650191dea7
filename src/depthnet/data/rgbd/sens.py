"""ScanNet's ``.sens`` archive, read in place: a header with the cameras, then one record after the other.

All numbers are little-endian. Header: u32 version (4), u64 length and the sensor's name, four 4x4 float32 (intrinsics
and extrinsics of colour, then of depth), i32 colour coding (0 raw, 1 png, 2 jpeg), i32 depth coding (0 raw uint16,
1 zlib), u32 widths and heights of colour and depth, f32 units per metre, u64 number of frames. Record: 16 float32
camera to world, u64 microseconds of colour and of depth, u64 sizes of colour and of depth in bytes, the bytes.

The sizes stand in the records, so the place of a frame is known when those before it have been walked over. That is
done when a frame is first asked for, and only as far as needed.

Source: the ScanNet authors' SensReader (sensorData.h, SensorData.py).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import InputError
from depthnet.io.images import read_rgb

_VERSION = 4
_MOST_NAME_BYTES = 4096
_MOST_PIXELS = 1 << 14
_MOST_UNITS = 1e5
_MATRICES = struct.Struct("<64f")
_REST = struct.Struct("<2i4IfQ")
_RECORD = struct.Struct("<16f4Q")
_COLOUR_RAW, _COLOUR_CODINGS = 0, (0, 1, 2)
_DEPTH_RAW, _DEPTH_CODINGS = 0, (0, 1)


@dataclass(frozen=True)
class SensHeader:
    """What the archive says about all frames."""

    intrinsic_colour: NDArray[np.float64]
    """(4, 4), in pixels of the colour pictures."""
    extrinsic_colour: NDArray[np.float64]
    """(4, 4), colour camera to the frame of the sensor."""
    intrinsic_depth: NDArray[np.float64]
    """(4, 4), in pixels of the depth maps."""
    extrinsic_depth: NDArray[np.float64]
    """(4, 4), depth camera to the frame of the sensor."""
    colour_coding: int
    depth_coding: int
    colour_size: tuple[int, int]
    """(H, W)."""
    depth_size: tuple[int, int]
    """(H, W)."""
    units_per_metre: float
    frames: int
    end: int
    """Where the first record begins, bytes."""


@dataclass(frozen=True)
class SensRecord:
    """The numbers of a frame, and where its pictures are."""

    T_world_cam: NDArray[np.float64]
    """As stored: -infinity where tracking was lost, (4, 4)."""
    time_s: float | None
    """Time of the colour picture; None where the recorder left it 0."""
    colour: tuple[int, int]
    """First byte and number of bytes."""
    depth: tuple[int, int]
    """First byte and number of bytes."""


class SensFile:
    """A ``.sens`` archive; the file is opened for each read, so that it can be pickled and forked."""

    def __init__(self, path: Path) -> None:
        """Read the header.

        Raises:
            InputError: if the file is missing, truncated, of another kind, or uses a coding that is not supported.
        """
        self.path = path
        try:
            with path.open("rb") as file:
                self.header = _read_header(path, file)
            self._bytes = path.stat().st_size
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror or error}); check the path.") from error
        least = self.header.end + self.header.frames * _RECORD.size
        if self._bytes < least:
            raise InputError(
                f"{path}: truncated: {self.header.frames} frames need more than {least} bytes, the file has "
                f"{self._bytes}; fetch it again."
            )
        self._records: list[SensRecord] = []

    def record(self, index: int) -> SensRecord:
        """The numbers of frame ``index``.

        Raises:
            InputError: if the file ends before it.
        """
        if index >= len(self._records):
            with self.path.open("rb") as file:
                while index >= len(self._records):
                    self._records.append(self._next_record(file))
        return self._records[index]

    def read_colour(self, index: int) -> NDArray[np.uint8]:
        """RGB, (H, W, 3).

        Raises:
            InputError: if the picture is damaged or of another size than the header says.
        """
        where, (height, width) = self.where(index, "colour"), self.header.colour_size
        content = self._read(self.record(index).colour)
        if self.header.colour_coding == _COLOUR_RAW:
            _check_length(where, len(content), 3 * height * width, width, height)
            return np.frombuffer(content, np.uint8).reshape(height, width, 3)
        image = read_rgb(where, content)
        if image.shape[:2] != (height, width):
            raise InputError(
                f"{where}: {image.shape[1]}x{image.shape[0]}, but the header says {width}x{height}; fetch the "
                "file again."
            )
        return image

    def read_depth(self, index: int) -> NDArray[np.float32]:
        """z-depth in metres, (H, W); 0 where unknown.

        Raises:
            InputError: if it is damaged or of another size than the header says.
        """
        where, (height, width) = self.where(index, "depth"), self.header.depth_size
        content, expected = self._read(self.record(index).depth), 2 * height * width
        if self.header.depth_coding != _DEPTH_RAW:
            try:
                # Never more than a byte too many: what a damaged length promises is not allocated.
                content = zlib.decompressobj().decompress(content, expected + 1)
            except zlib.error as error:
                raise InputError(f"{where}: damaged ({error}); fetch the file again.") from error
        _check_length(where, len(content), expected, width, height)
        units = np.frombuffer(content, "<u2").reshape(height, width)
        metres: NDArray[np.float32] = np.divide(units, self.header.units_per_metre, dtype=np.float32)
        return metres

    def where(self, index: int, part: str) -> str:
        """What messages call a part of a frame."""
        return f"{self.path}: frame {index}, {part}"

    def _next_record(self, file: BinaryIO) -> SensRecord:
        index, last = len(self._records), self._records[-1].depth if self._records else (self.header.end, 0)
        start = sum(last)
        file.seek(start)
        head = file.read(_RECORD.size)
        if len(head) < _RECORD.size:
            raise self._truncated(index, start + _RECORD.size)
        *numbers, colour_us, _, colour_bytes, depth_bytes = _RECORD.unpack(head)
        colour = (start + _RECORD.size, colour_bytes)
        depth = (sum(colour), depth_bytes)
        if sum(depth) > self._bytes:
            raise self._truncated(index, sum(depth))
        pose = np.array(numbers, np.float64).reshape(4, 4)
        return SensRecord(pose, colour_us * 1e-6 if colour_us else None, colour, depth)

    def _truncated(self, index: int, end: int) -> InputError:
        return InputError(
            f"{self.path}: frame {index} of {self.header.frames} ends at byte {end}, the file at {self._bytes}; it is "
            "truncated or damaged: fetch it again."
        )

    def _read(self, place: tuple[int, int]) -> bytes:
        with self.path.open("rb") as file:
            file.seek(place[0])
            return file.read(place[1])


def _read_header(path: Path, file: BinaryIO) -> SensHeader:
    def take(count: int) -> bytes:
        content = file.read(count)
        if len(content) < count:
            raise InputError(f"{path}: ends within its header; expected a ScanNet .sens file: fetch it again.")
        return content

    (version,) = struct.unpack("<I", take(4))
    (name_bytes,) = struct.unpack("<Q", take(8))
    if version != _VERSION or name_bytes > _MOST_NAME_BYTES:
        raise InputError(
            f"{path}: version {version}, a name of {name_bytes} bytes; expected a ScanNet .sens file of version "
            f"{_VERSION}: check what the file is."
        )
    take(name_bytes)
    matrices = np.array(_MATRICES.unpack(take(_MATRICES.size)), np.float64).reshape(4, 4, 4)
    colour, depth, colour_w, colour_h, depth_w, depth_h, units, frames = _REST.unpack(take(_REST.size))
    intrinsic_colour, extrinsic_colour, intrinsic_depth, extrinsic_depth = matrices
    header = SensHeader(
        intrinsic_colour=intrinsic_colour,
        extrinsic_colour=extrinsic_colour,
        intrinsic_depth=intrinsic_depth,
        extrinsic_depth=extrinsic_depth,
        colour_coding=colour,
        depth_coding=depth,
        colour_size=(colour_h, colour_w),
        depth_size=(depth_h, depth_w),
        units_per_metre=units,
        frames=frames,
        end=file.tell(),
    )
    _check_header(path, header)
    return header


def _check_header(path: Path, header: SensHeader) -> None:
    if header.colour_coding not in _COLOUR_CODINGS or header.depth_coding not in _DEPTH_CODINGS:
        raise InputError(
            f"{path}: colour coding {header.colour_coding}, depth coding {header.depth_coding}; expected raw, png or "
            "jpeg (0, 1, 2) and raw or zlib (0, 1): export it to folders with ScanNet's own reader."
        )
    for part, size in (("colour", header.colour_size), ("depth", header.depth_size)):
        if not 1 <= min(size) <= max(size) <= _MOST_PIXELS:
            raise InputError(
                f"{path}: {part} pictures of {size[1]}x{size[0]}; expected both within 1 and {_MOST_PIXELS}: the "
                "header is damaged or the archive has none; fetch it again."
            )
    if not 1.0 <= header.units_per_metre <= _MOST_UNITS:
        raise InputError(
            f"{path}: {header.units_per_metre:g} depth units per metre; expected 1 to {_MOST_UNITS:g}, usually 1000: "
            "fetch it again."
        )
    if header.frames == 0:
        raise InputError(f"{path}: holds no frame; fetch it again.")


def _check_length(where: str, have: int, expected: int, width: int, height: int) -> None:
    if have != expected:
        raise InputError(
            f"{where}: {'more than ' if have > expected else ''}{min(have, expected)} bytes; expected {expected} for "
            f"{width}x{height}; fetch the file again."
        )
