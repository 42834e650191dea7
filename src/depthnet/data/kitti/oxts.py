"""Where and when a frame of KITTI raw was taken: the GPS/IMU packets (``oxts``) and the camera's time stamps.

A packet is a line of 30 numbers: latitude, longitude (degrees), altitude (metres), roll, pitch, yaw (radians, yaw 0 =
east, counter-clockwise), then velocities, accelerations, rates and qualities, which are not used here.

Positions come from a Mercator projection whose scale is that of the drive's first latitude. The world has its origin at
the first packet of the drive, x east, y north, z up, metres.

Source: Geiger et al., IJRR 2013, section II, and the development kit (convertOxtsToPose).
"""

from __future__ import annotations

import datetime
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import InputError
from depthnet.io.text import read_text

_EARTH_RADIUS_M = 6378137.0
_COUNT = 30


def read_oxts(path: str | Path) -> NDArray[np.float64]:
    """Read one packet.

    Args:
        path: ``oxts/data/0000000000.txt``.

    Returns:
        Its 30 numbers.

    Raises:
        InputError: if the file cannot be read or does not hold 30 numbers with a latitude, a longitude and angles.
    """
    words = read_text(path).split()
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError:
        numbers = np.empty(0)
    lawful = len(numbers) == _COUNT and bool(np.isfinite(numbers).all())
    if not lawful or abs(numbers[0]) >= 90 or abs(numbers[1]) > 180 or np.abs(numbers[3:6]).max() > 6.3:
        raise InputError(
            f"{path}: expected {_COUNT} numbers: latitude, longitude (degrees), altitude (m), roll, pitch, yaw "
            f"(radians) ...; it has {len(words)} words, '{' '.join(words)[:60]}': restore the file."
        )
    return numbers


def oxts_to_pose(packet: NDArray[np.float64], first: NDArray[np.float64]) -> NDArray[np.float64]:
    """T_world_imu, (4, 4), of a packet, in metres from the position of the drive's ``first`` packet."""
    scale = math.cos(math.radians(first[0]))
    T = np.eye(4)
    T[:3, :3] = _rotation(*packet[3:6])
    T[:3, 3] = _mercator(packet, scale) - _mercator(first, scale)
    return T


def read_timestamps(path: str | Path) -> NDArray[np.float64]:
    """Read a list of time stamps such as ``2011-09-26 13:02:25.594360375``, one a line.

    Args:
        path: ``image_02/timestamps.txt`` and the like.

    Returns:
        Seconds since 1970, the stamps read as UTC, (N,), not descending; NaN for an empty line (a frame that was lost).

    Raises:
        InputError: if a line is no time stamp, or the times go back.
    """
    lines = read_text(path).splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    times = np.array([_seconds(path, number, line.strip()) for number, line in enumerate(lines, 1)])
    steps = np.diff(times[np.isfinite(times)])
    if (steps < 0).any():
        raise InputError(f"{path}: the times go back by {-steps.min():.3f} s; expected rising ones: restore the file.")
    return times


def _rotation(roll: float, pitch: float, yaw: float) -> NDArray[np.float64]:
    """Rz(yaw) · Ry(pitch) · Rx(roll)."""
    (cr, cp, cy), (sr, sp, sy) = np.cos([roll, pitch, yaw]), np.sin([roll, pitch, yaw])
    return np.array([
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ])  # fmt: skip


def _mercator(packet: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    latitude, longitude, altitude = (float(number) for number in packet[:3])
    x = scale * _EARTH_RADIUS_M * math.radians(longitude)
    y = scale * _EARTH_RADIUS_M * math.log(math.tan(math.radians(90.0 + latitude) / 2.0))
    return np.array([x, y, altitude])


def _seconds(path: str | Path, number: int, line: str) -> float:
    if not line:
        return math.nan
    whole, _, fraction = line.partition(".")
    try:
        moment = datetime.datetime.strptime(whole, "%Y-%m-%d %H:%M:%S").replace(tzinfo=datetime.UTC)
        return moment.timestamp() + float(f"0.{fraction or '0'}")
    except ValueError:
        raise InputError(
            f"{path}: line {number} is '{line[:40]}'; expected a time such as 2011-09-26 13:02:25.594360375: "
            "restore the file."
        ) from None
