from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthnet.errors import InputError, ShapeError
from depthnet.prepare.nyu_raw.files import (
    Accelerometer,
    decode_accelerometer,
    decode_colour,
    decode_disparity,
    parse_raw_name,
    raw_file_name,
    write_raw_frame,
)

PGM, PPM = b"P5 640 480 65535\n", b"P6 640 480 255\n"
DISPARITY = np.random.default_rng(0).integers(400, 1050, (480, 640)).astype(np.uint16)
DISPARITY[:, -8:] = 2047
IMAGE = np.random.default_rng(1).integers(0, 256, (480, 640, 3), dtype=np.uint8)
DEPTH_FILE = PGM + DISPARITY.astype("<u2").tobytes()
COLOUR_FILE = PPM + IMAGE.tobytes()


def test_names_of_the_dump() -> None:
    name = parse_raw_name("d-1295406963.698573-2772371968.pgm")
    assert name is not None
    assert (name.kind, name.time_s, name.tick) == ("d", 1295406963.698573, 2772371968)
    assert name.stem == "d-1295406963.698573-2772371968"
    assert raw_file_name("r", 1339729868.166858, 2965701968) == "r-1339729868.166858-2965701968.ppm"


@pytest.mark.parametrize(
    "file",
    [
        "INDEX.txt",
        "d-1295406963.698573-2772371968.ppm",
        "._d-1.5-2.pgm",
        "d-12-3.pgm",
        "x-1.5-2.pgm",
        "d-1.5-2.pgm.part",
    ],
)
def test_other_names(file: str) -> None:
    assert parse_raw_name(file) is None


def test_names_sort_by_host_time_not_by_spelling() -> None:
    files = ["d-1000.5-1.pgm", "d-999.5-2.pgm", "d-1000.25-9.pgm"]
    assert [name.file for name in sorted(filter(None, map(parse_raw_name, files)))] == [files[1], files[2], files[0]]


def test_disparity_is_read_low_byte_first() -> None:
    payload = bytearray(b"\x84\x03" * (480 * 640))  # 0x0384 = 900
    payload[:2] = b"\xff\x07"
    disparity = decode_disparity(PGM + bytes(payload), "d.pgm")
    assert (disparity[0, 0], disparity[0, 1], disparity[479, 639]) == (2047, 900, 900)


def test_a_file_in_the_order_of_the_format_is_swapped() -> None:
    assert (decode_disparity(PGM + DISPARITY.astype(">u2").tobytes(), "d.pgm") == DISPARITY).all()


def test_comments_in_the_header_are_allowed() -> None:
    header = b"P5\n# written again\n640 480\n# once more\n65535\n"
    assert (decode_disparity(header + DISPARITY.astype("<u2").tobytes(), "d.pgm") == DISPARITY).all()


def test_the_real_frame(shared_data: Path) -> None:
    disparity = decode_disparity((shared_data / "nyu_raw_sample" / "d-sample.pgm").read_bytes(), "d-sample.pgm")
    assert (disparity.min(), disparity.max()) == (839, 2047)
    assert (disparity[:, -8:] == 2047).all()  # the sensor never measures in the last eight columns
    image = decode_colour((shared_data / "nyu_raw_sample" / "r-sample.ppm").read_bytes(), "r-sample.ppm")
    assert image[0, 0].tolist() == [0xDC, 0xF8, 0xEB]


def with_value(row: int, column: int, value: int) -> bytes:
    counts = DISPARITY.copy()
    counts[row, column] = value
    return PGM + counts.astype("<u2").tobytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "d.pgm: empty file"),
        (PGM, "truncated, 0 bytes of pixels"),
        (DEPTH_FILE[:-1], "truncated, 614399 bytes"),
        (DEPTH_FILE + b"\0", "too long, 614401 bytes"),
        (b"\0" * len(DEPTH_FILE), "starts with"),
        (b"<html>404", "starts with b'<html>404'"),
        (COLOUR_FILE, "P6 of 640x480 with values to 255; expected a 640x480 P5 file with values to 65535"),
        (b"P5 640 480 255\n" + b"\0" * 307200, "values to 255"),
        (b"P5 320 240 65535\n" + b"\0" * 153600, "P5 of 320x240"),
        (with_value(3, 4, 2048), "values above 2047 in either byte order"),
        (PGM + b"\0" * 614400, "last row is all 0"),
        (DEPTH_FILE[:-1280] + b"\0" * 1280, "last row is all 0"),
    ],
)
def test_a_bad_depth_file_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=r"d\.pgm") as error:
        decode_disparity(content, "scene/d.pgm")
    assert message in str(error.value)


def test_millimetres_are_no_disparity() -> None:
    with pytest.raises(InputError, match="11-bit Kinect disparity"):
        decode_disparity(PGM + np.full(307200, 2600, "<u2").tobytes(), "d.pgm")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (COLOUR_FILE[: len(COLOUR_FILE) // 2], "truncated"),
        (COLOUR_FILE + b"xx", "too long"),
        (DEPTH_FILE, "P5 of 640x480 with values to 65535"),
        (PPM + b"\0" * 921600, "every value is 0"),
    ],
)
def test_a_bad_colour_file_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=r"r\.ppm") as error:
        decode_colour(content, "scene/r.ppm")
    assert message in str(error.value)


def test_the_accelerometer_is_a_struct_of_12_bytes() -> None:
    content = struct.pack("<hhhbxi", -12, 805, 130, -9, 4)
    assert decode_accelerometer(content, "a.dump") == Accelerometer(x=-12, y=805, z=130, tilt=-9)
    for wrong in (b"", content[:-1], content + b"\0"):
        with pytest.raises(InputError, match=f"a.dump: {len(wrong)} bytes"):
            decode_accelerometer(wrong, "a.dump")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_file_is_refused_or_still_a_frame(data: st.DataObject) -> None:
    depth = data.draw(st.booleans())
    content = bytearray(DEPTH_FILE if depth else COLOUR_FILE)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.one_of(st.integers(0, 20), st.integers(0, len(content))))
        piece = data.draw(st.binary(max_size=5))
        content[at : at + data.draw(st.integers(0, 5))] = piece
    frame, message = None, ""
    try:
        frame = decode_disparity(bytes(content), "x") if depth else decode_colour(bytes(content), "x")
    except InputError as error:
        message = str(error)
    if frame is None:
        assert message.startswith("x: ")
        assert "\n" not in message
    else:
        assert frame.shape[:2] == (480, 640)
        assert frame.max() <= (2047 if depth else 255)


def test_a_written_frame_has_the_recorders_bytes(tmp_path: Path) -> None:
    files = write_raw_frame(tmp_path / "attic_0001", 1295406963.698573, DISPARITY, IMAGE, (1, 819, -2, 3), 0.010)
    depth, colour, accelerometer = files
    assert depth.read_bytes() == DEPTH_FILE
    assert colour.read_bytes() == COLOUR_FILE
    assert accelerometer.read_bytes() == bytes([1, 0, 0x33, 3, 0xFE, 0xFF, 3, 0, 0, 0, 0, 0])
    assert depth.name.startswith("d-1295406963.698573-")
    assert colour.name.startswith("r-1295406963.708573-")
    index = tmp_path / "attic_0001" / "INDEX.txt"
    assert index.read_text() == "".join(f"{file.name}\n" for file in files)
    assert all(parse_raw_name(file.name) for file in files)


def test_only_raw_frames_are_written(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match=r"disparity \(480, 640\) float64"):
        write_raw_frame(tmp_path, 1.0, DISPARITY.astype(np.float64), IMAGE)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match=r"image \(240, 640, 3\)"):
        write_raw_frame(tmp_path, 1.0, DISPARITY, IMAGE[::2])
