"""Single files of the raw NYU Depth v2 dump: names with time stamps, depth, colour and accelerometer; and their writer.

The dump was recorded with libfreenect's ``fakenect record``. A file is named ``KIND-SECONDS-TICK.SUFFIX``: kind ``d``
(depth, ``.pgm``), ``r`` (colour, ``.ppm``) or ``a`` (accelerometer, ``.dump``); the host's time in seconds; the
sensor's own 32-bit clock. Depth is an 11-bit disparity whose bytes are in the recorder's order, low byte first, though
the format of the file says high byte first.

Source: libfreenect, fakenect/record.c and libfreenect.h; Netpbm, ppm(5) and pgm(5).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import InputError, ShapeError
from depthnet.io.files import atomic_path
from depthnet.prepare.nyu_raw.calibration import NO_DISPARITY, RAW_SIZE

INDEX_NAME = "INDEX.txt"
_NAME = re.compile(r"(?P<kind>[dra])-(?P<time>\d+\.\d+)-(?P<tick>\d+)\.(?P<suffix>pgm|ppm|dump)")
_SUFFIXES = {"d": "pgm", "r": "ppm", "a": "dump"}
# magic number, width, height, largest value; comments may stand between; one blank ends the header
_HEADER = re.compile(rb"(P\d)" + rb"(?:\s|#[^\n]*\n)+(\d{1,9})" * 3 + rb"\s")
# freenect_raw_tilt_state on x86: three int16, one int8, a byte of padding, int32
_TILT_STATE = struct.Struct("<hhhbxi")


#: Counts of the sensor's accelerometer (Kionix KXSD9 at 2 g full scale) for one g.
COUNTS_PER_G = 819.0


@dataclass(frozen=True, order=True)
class RawName:
    """A file of the dump by what its name tells; sorts by host time."""

    time_s: float
    """Host time, seconds."""
    tick: int
    """The sensor's clock; it wraps at 2**32."""
    kind: str
    """d depth, r colour, a accelerometer."""
    file: str
    """The name itself, without folder."""

    @property
    def stem(self) -> str:
        """Name without suffix, such as ``d-1295406963.698573-2772371968``."""
        return self.file.rpartition(".")[0]


@dataclass(frozen=True)
class Accelerometer:
    """What the sensor's accelerometer and motor said, in counts (`COUNTS_PER_G`)."""

    x: int
    y: int
    z: int
    tilt: int
    """Angle of the motor in half degrees."""

    @property
    def acceleration_g(self) -> tuple[float, float, float]:
        """The same along the sensor's axes in units of g."""
        return self.x / COUNTS_PER_G, self.y / COUNTS_PER_G, self.z / COUNTS_PER_G


def parse_raw_name(file: str) -> RawName | None:
    """What a file name (without folder) tells; None for a name that is not of the dump."""
    match = _NAME.fullmatch(file)
    if match is None or _SUFFIXES[match["kind"]] != match["suffix"]:
        return None
    return RawName(time_s=float(match["time"]), tick=int(match["tick"]), kind=match["kind"], file=file)


def raw_file_name(kind: str, time_s: float, tick: int) -> str:
    """Name that the recorder gives a file: ``d-1295406963.698573-2772371968.pgm``."""
    return f"{kind}-{time_s:f}-{tick}.{_SUFFIXES[kind]}"


def decode_disparity(content: bytes, where: str | Path) -> NDArray[np.uint16]:
    """Depth frame of a ``.pgm`` file.

    The low byte comes first, as recorded. A file in the format's own order (written again by another program) is told
    by values beyond 11 bits, and swapped.

    Args:
        content: the whole file.
        where: its name, for the message.

    Returns:
        Disparity in counts, (480, 640), 0 to 2047; 2047 where nothing was measured.

    Raises:
        InputError: if the file is empty, truncated, too long, of another kind or size, has values beyond 11 bits in
            either byte order, or was not written to its end (last row all 0, which the sensor never gives).
    """
    payload = _payload(content, where, b"P5", 65535, 2)
    disparity = payload.view("<u2")
    if disparity.max() > NO_DISPARITY:
        disparity = payload.view(">u2")
    if disparity.max() > NO_DISPARITY:
        count = int(np.count_nonzero(disparity > NO_DISPARITY))
        raise InputError(
            f"{where}: {count} values above {NO_DISPARITY} in either byte order; expected 11-bit Kinect disparity; "
            "the file is damaged or holds another unit: extract it again."
        )
    disparity = disparity.astype(np.uint16).reshape(RAW_SIZE)
    if not disparity[-1].any():
        raise InputError(f"{where}: its last row is all 0, which the sensor never gives; the file is not whole.")
    return disparity


def decode_colour(content: bytes, where: str | Path) -> NDArray[np.uint8]:
    """Colour frame of a ``.ppm`` file.

    Args:
        content: the whole file.
        where: its name, for the message.

    Returns:
        RGB, (480, 640, 3).

    Raises:
        InputError: if the file is empty, truncated, too long, of another kind or size, or has one value everywhere.
    """
    image = _payload(content, where, b"P6", 255, 3).reshape(*RAW_SIZE, 3)
    if image.min() == image.max():
        raise InputError(f"{where}: every value is {image.flat[0]}; a blank picture is no frame; leave it out.")
    return image


def decode_accelerometer(content: bytes, where: str | Path) -> Accelerometer:
    """Accelerometer state of a ``.dump`` file.

    Raises:
        InputError: if the size is not that of libfreenect's ``freenect_raw_tilt_state``, 12 bytes.
    """
    if len(content) != _TILT_STATE.size:
        raise InputError(
            f"{where}: {len(content)} bytes; an accelerometer dump has {_TILT_STATE.size}; extract it again."
        )
    x, y, z, tilt, _ = _TILT_STATE.unpack(content)
    return Accelerometer(x, y, z, tilt)


def write_raw_frame(
    scene: str | Path,
    time_s: float,
    disparity: NDArray[np.uint16],
    image: NDArray[np.uint8],
    accelerometer: tuple[int, int, int, int] = (0, 819, 0, 0),
    colour_delay_s: float = 0.0,
) -> tuple[Path, Path, Path]:
    """Write one frame as the recorder did, byte by byte: to test and to measure without the dump.

    The three files are added to ``INDEX.txt``. The sensor's clock is derived from the time (60 million ticks a second).

    Args:
        scene: folder of the scene; made when missing.
        time_s: host time of depth and accelerometer, seconds.
        disparity: counts, (480, 640), 0 to 2047.
        image: RGB, (480, 640, 3).
        accelerometer: x, y, z in counts, and the motor's angle.
        colour_delay_s: how much later the colour frame came, seconds.

    Returns:
        The files: depth, colour, accelerometer.

    Raises:
        ShapeError: if an array has another shape or type.
        InputError: if a file cannot be written.
    """
    height, width = RAW_SIZE
    for name, array, shape, kind in (
        ("disparity", disparity, RAW_SIZE, np.uint16),
        ("image", image, (*RAW_SIZE, 3), np.uint8),
    ):
        if array.shape != shape or array.dtype != kind:
            raise ShapeError(f"{name} {array.shape} {array.dtype}; a raw frame has {shape} {np.dtype(kind)}.")
    contents = (
        ("d", time_s, b"P5 %d %d 65535\n" % (width, height) + disparity.astype("<u2").tobytes()),
        ("r", time_s + colour_delay_s, b"P6 %d %d 255\n" % (width, height) + image.tobytes()),
        ("a", time_s, _TILT_STATE.pack(*accelerometer, 0)),
    )
    files = []
    for letter, stamp_s, content in contents:
        file = Path(scene) / raw_file_name(letter, stamp_s, round(stamp_s * 60e6) % 2**32)
        with atomic_path(file) as temporary:
            temporary.write_bytes(content)
        files.append(file)
    with (Path(scene) / INDEX_NAME).open("a", encoding="ascii") as index:
        index.writelines(f"{file.name}\n" for file in files)
    return files[0], files[1], files[2]


def _payload(content: bytes, where: str | Path, magic: bytes, largest: int, pixel_bytes: int) -> NDArray[np.uint8]:
    """Bytes after the header of a PGM or PPM, when it is of the given kind and exactly as long as it should be."""
    height, width = RAW_SIZE
    rule = f"expected a {width}x{height} {magic.decode()} file with values to {largest}"
    if not content:
        raise InputError(f"{where}: empty file; {rule}; extract it again.")
    header = _HEADER.match(content)
    if header is None:
        raise InputError(f"{where}: starts with {content[:20]!r}; {rule}; extract it again.")
    kind, numbers = header[1], tuple(int(word) for word in header.groups()[1:])
    if kind != magic or numbers != (width, height, largest):
        found = f"{kind.decode()} of {numbers[0]}x{numbers[1]} with values to {numbers[2]}"
        raise InputError(f"{where}: {found}; {rule}: the calibration holds for the recorder's own files only.")
    have, want = len(content) - header.end(), height * width * pixel_bytes
    if have != want:
        state = "truncated" if have < want else "too long"
        raise InputError(f"{where}: {state}, {have} bytes of pixels; {rule}, {want} bytes; extract it again.")
    payload: NDArray[Any] = np.frombuffer(content, np.uint8, offset=header.end())
    return payload
