"""KITTI trees on disk, byte by byte as the downloads have them, with pictures of 62x19 pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

SIZE = (19, 62)

# The rows of 2011_09_26, with S and P of the 1242x375 pictures divided by about 20.
CAM_TO_CAM = """calib_time: 09-Jan-2012 13:57:47
corner_dist: 9.950000e-02
S_02: 1.392000e+03 5.120000e+02
K_02: 9.597910e+02 0.000000e+00 6.960217e+02 0.000000e+00 9.569251e+02 2.241806e+02 0.000000e+00 0.000000e+00 1.0
R_02: 9.999758e-01 -5.267463e-03 -4.552439e-03 5.251945e-03 9.999804e-01 -3.413835e-03 4.570332e-03 3.389843e-03 0.99998
R_rect_00: 9.999239e-01 9.837760e-03 -7.445048e-03 -9.869795e-03 9.999421e-01 -4.278459e-03 7.402527e-03 4.351614e-03 9.999631e-01
S_rect_02: 6.200000e+01 1.900000e+01
P_rect_02: 3.600000e+01 0.000000e+00 3.050000e+01 2.238000e+00 0.000000e+00 3.600000e+01 9.000000e+00 1.080000e-02 0.000000e+00 0.000000e+00 1.000000e+00 2.745884e-03
S_rect_03: 6.200000e+01 1.900000e+01
P_rect_03: 3.600000e+01 0.000000e+00 3.050000e+01 -1.694000e+01 0.000000e+00 3.600000e+01 9.000000e+00 1.080000e-02 0.000000e+00 0.000000e+00 1.000000e+00 2.729905e-03
"""  # noqa: E501
VELO_TO_CAM = """calib_time: 15-Mar-2012 11:37:16
R: 7.533745e-03 -9.999714e-01 -6.166020e-04 1.480249e-02 7.280733e-04 -9.998902e-01 9.998621e-01 7.523790e-03 1.480755e-02
T: -4.069766e-03 -7.631618e-02 -2.717806e-01
delta_f: 0.000000e+00 0.000000e+00
delta_c: 0.000000e+00 0.000000e+00
"""  # noqa: E501
IMU_TO_VELO = """calib_time: 25-May-2012 16:47:16
R: 9.999976e-01 7.553071e-04 -2.035826e-03 -7.854027e-04 9.998898e-01 -1.482298e-02 2.024406e-03 1.482454e-02 9.998881e-01
T: -8.086759e-01 3.195559e-01 -7.997231e-01
"""  # noqa: E501


def numbers(text: str, key: str) -> np.ndarray[Any, Any]:
    """Numbers of a line of a calibration text."""
    return np.array([float(word) for word in dict(line.split(": ") for line in text.splitlines())[key].split()])


def rect_from_velo() -> np.ndarray[Any, Any]:
    """Velodyne to rectified camera 0 of the rows above, (4, 4)."""
    rect, velo = np.eye(4), np.eye(4)
    rect[:3, :3] = numbers(CAM_TO_CAM, "R_rect_00").reshape(3, 3)
    velo[:3, :3], velo[:3, 3] = numbers(VELO_TO_CAM, "R").reshape(3, 3), numbers(VELO_TO_CAM, "T")
    return rect @ velo


def scan_of(depth: np.ndarray[Any, Any], P: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Points, (N, 4), that project with P to the centres of the pixels of a depth map (0: no point)."""
    y, x = np.nonzero(depth)
    z = depth[y, x]
    rays = np.stack([x * z, y * z, z]) - P[:, 3:]
    rect = np.vstack([np.linalg.solve(P[:, :3], rays), np.ones(len(z))])
    points = (np.linalg.inv(rect_from_velo()) @ rect)[:3].T
    return np.c_[points, np.full(len(z), 0.5)].astype("<f4")


def frame_depth(frame: int) -> np.ndarray[Any, Any]:
    """Depth that the scan of a frame shows in the left picture: every second pixel, farther to the right."""
    depth = np.zeros(SIZE)
    depth[1::2, 2::2] = 5.0 + frame + 0.125 * np.arange(2, SIZE[1], 2)
    return depth


def write_image(file: Path, red: int, green: int = 0, size: tuple[int, int] = SIZE) -> None:
    """A picture of one colour."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), (red, green, 7), np.uint8)).save(file)


def write_truth(file: Path, metres: float, size: tuple[int, int] = SIZE) -> None:
    """An annotated depth map: 16-bit, 256 to the metre, left half unknown."""
    file.parent.mkdir(parents=True, exist_ok=True)
    values = np.zeros(size, np.uint16)
    values[:, size[1] // 2 :] = round(metres * 256)
    Image.fromarray(values).save(file)


def write_calibration(date: Path) -> None:
    """The three texts of a day."""
    date.mkdir(parents=True, exist_ok=True)
    for name, text in (("cam_to_cam", CAM_TO_CAM), ("velo_to_cam", VELO_TO_CAM), ("imu_to_velo", IMU_TO_VELO)):
        (date / f"calib_{name}.txt").write_text(text, encoding="utf-8")


def oxts_line(frame: int) -> str:
    """A packet driving 0.9 m a frame to the east, nose to the east."""
    longitude = 8.4 + np.degrees(0.9 * frame / (6378137.0 * np.cos(np.radians(49.0))))
    return f"49.0 {longitude:.14f} 112.5 0 0 0 " + " ".join(["0.1"] * 20) + " 4 11 6 6"


MakeRaw = Callable[..., Path]


@pytest.fixture
def make_raw(tmp_path: Path) -> MakeRaw:
    """Write drives of KITTI raw; returns the root of the dates."""

    def make(
        drives: dict[str, range] | None = None, suffix: str = ".png", velodyne: bool = True, root: str = "raw"
    ) -> Path:
        P = numbers(CAM_TO_CAM, "P_rect_02").reshape(3, 4)
        for drive, frames in (drives or {"2011_09_26_drive_0001": range(3)}).items():
            date = tmp_path / root / drive[:10]
            write_calibration(date)
            folder = date / f"{drive}_sync"
            for part in ("velodyne_points/data", "oxts/data", "image_02/data"):
                (folder / part).mkdir(parents=True, exist_ok=True)
            for frame in frames:
                for camera in (2, 3):
                    write_image(folder / f"image_0{camera}" / "data" / f"{frame:010d}{suffix}", frame, camera)
                (folder / "oxts" / "data" / f"{frame:010d}.txt").write_text(oxts_line(frame), encoding="utf-8")
                if velodyne:
                    scan = scan_of(frame_depth(frame), P)
                    (folder / "velodyne_points" / "data" / f"{frame:010d}.bin").write_bytes(scan.tobytes())
            stamps = [f"2011-09-26 13:02:{25 + number / 10:012.9f}" for number in range(max(frames) + 1)]
            (folder / "image_02" / "timestamps.txt").write_text("\n".join(stamps) + "\n", encoding="utf-8")
        return tmp_path / root

    return make


@pytest.fixture(scope="session")
def kitti() -> SimpleNamespace:
    """The texts, sizes and writers of this module."""
    return SimpleNamespace(
        SIZE=SIZE, CAM_TO_CAM=CAM_TO_CAM, VELO_TO_CAM=VELO_TO_CAM, IMU_TO_VELO=IMU_TO_VELO, numbers=numbers,
        rect_from_velo=rect_from_velo, scan_of=scan_of, frame_depth=frame_depth, write_image=write_image,
        write_truth=write_truth, write_calibration=write_calibration,
    )  # fmt: skip
