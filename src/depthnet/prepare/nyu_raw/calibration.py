"""The two cameras of the Kinect that recorded NYU Depth v2: lenses, where they stand, and its disparity in metres.

The numbers are the authors' calibration. Colour and depth frames have 640 x 480 pixels; pixel centres are integers and
start at 0.

Source: the authors' toolbox (camera_params.m); Silberman, Hoiem, Kohli, Fergus, Indoor Segmentation and Support
Inference from RGBD Images, ECCV 2012. Lens model: Brown, Decentering distortion of lenses, 1966, as in Bouguet's
calibration toolbox and OpenCV.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: (H, W) of colour and depth frames.
RAW_SIZE = (480, 640)
#: Rows and columns where the registered depth has values: the toolbox's rows 45 to 471 and columns 41 to 601, counted
#: from 1, as slices.
VALID_REGION = (slice(44, 471), slice(40, 601))
#: What the sensor writes where it measured nothing; also the largest value of its 11 bits.
NO_DISPARITY = 2047
#: z = PARAMETER_1 / (PARAMETER_2 - disparity), metres.
DEPTH_PARAMETER_1, DEPTH_PARAMETER_2 = 351.3, 1092.5
#: Depth at which the toolbox caps, metres.
TOOLBOX_MAX_DEPTH = 10.0


@dataclass(frozen=True)
class LensCamera:
    """A pinhole camera with radial and tangential lens distortion."""

    fx: float
    fy: float
    cx: float
    cy: float
    k1: float
    k2: float
    p1: float
    p2: float
    k3: float

    @property
    def K(self) -> Floats:  # noqa: N802
        """Intrinsics of the undistorted picture in pixels, (3, 3)."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def distort(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Where the lens puts the ray (x, y, 1): distorted x and y on the plane z = 1, any shape."""
        squared = x * x + y * y
        radial = 1.0 + squared * (self.k1 + squared * (self.k2 + squared * self.k3))
        distorted_x = x * radial + 2.0 * self.p1 * x * y + self.p2 * (squared + 2.0 * x * x)
        distorted_y = y * radial + self.p1 * (squared + 2.0 * y * y) + 2.0 * self.p2 * x * y
        return distorted_x, distorted_y

    def undistort(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """The ray (x, y, 1) that the lens puts at the given place: the inverse of :meth:`distort`.

        Iterated until nothing moves by more than 1e-12, far below a thousandth of a pixel.
        """
        ray_x, ray_y = x, y
        for _ in range(100):
            got_x, got_y = self.distort(ray_x, ray_y)
            step_x, step_y = x - got_x, y - got_y
            ray_x, ray_y = ray_x + step_x, ray_y + step_y
            if max(np.abs(step_x).max(initial=0.0), np.abs(step_y).max(initial=0.0)) < 1e-12:
                break
        return ray_x, ray_y

    def rays(self, size: tuple[int, int]) -> tuple[Floats, Floats]:
        """x and y of the ray (x, y, 1) through each pixel of an undistorted picture of ``size``: (1, W) and (H, 1)."""
        x = (np.arange(size[1], dtype=np.float64) - self.cx) / self.fx
        y = (np.arange(size[0], dtype=np.float64) - self.cy) / self.fy
        return x[None, :], y[:, None]


COLOUR_CAMERA = LensCamera(
    fx=5.1885790117450188e02,
    fy=5.1946961112127485e02,
    cx=3.2558244941119034e02,
    cy=2.5373616633400465e02,
    k1=2.0796615318809061e-01,
    k2=-5.8613825163911781e-01,
    p1=7.2231363135888329e-04,
    p2=1.0479627195765181e-03,
    k3=4.9856986684705107e-01,
)
DEPTH_CAMERA = LensCamera(
    fx=5.8262448167737955e02,
    fy=5.8269103270988637e02,
    cx=3.1304475870804731e02,
    cy=2.3844389626620386e02,
    k1=-9.9897236553084481e-02,
    k2=3.9065324602765344e-01,
    p1=1.9290592870229277e-03,
    p2=-1.9422022475975055e-03,
    k3=-5.1031725053400578e-01,
)

# The rotation A as camera_params.m lists it, and the translation T in the order in which the scripts use it: they
# build R = -transpose(A) and p_colour = R p_depth + T. Only ratios of the result are used there, so that its sign
# is lost. The rigid motion that gives the same pixels, with positive depth, is p_colour = transpose(A) p_depth - T.
_LISTED_ROTATION = np.array([
    [9.9997798940829263e-01, 5.0518419386157446e-03, 4.3011152014118693e-03],
    [-5.0359919480810989e-03, 9.9998051861143999e-01, -3.6879781309514218e-03],
    [-4.3196624923060242e-03, 3.6662365748484798e-03, 9.9998394948385538e-01],
])  # fmt: skip
_LISTED_TRANSLATION = np.array([2.5031875059141302e-02, -2.9342312935846411e-04, 6.6238747008330102e-04])


def colour_from_depth() -> Floats:
    """T_colour_depth, (4, 4), metres: ``p_colour = T_colour_depth @ p_depth``."""
    T_colour_depth = np.eye(4)
    T_colour_depth[:3, :3] = _LISTED_ROTATION.T
    T_colour_depth[:3, 3] = -_LISTED_TRANSLATION
    return T_colour_depth


def toolbox_transform() -> tuple[Floats, Floats]:
    """R (3, 3) and T (3,) in metres as the toolbox applies them, R p + T: all of the result has the opposite sign."""
    return -_LISTED_ROTATION.T, _LISTED_TRANSLATION.copy()


def disparity_to_metres(disparity: NDArray[Any]) -> Floats:
    """z-depth in the depth camera of raw Kinect disparity (11 bits, or values between after interpolation).

    Args:
        disparity: counts, any shape.

    Returns:
        Metres, same shape; negative beyond 1092.5 counts and infinite there: neither is a depth.

    Source: the authors' toolbox (depth_rel2depth_abs.m), before it clips.
    """
    with np.errstate(divide="ignore"):
        metres: Floats = DEPTH_PARAMETER_1 / (DEPTH_PARAMETER_2 - np.asarray(disparity, dtype=np.float64))
    return metres
