"""How the camera moved through an RGB-D video, or through a plain one with depth from a network.

``estimate_trajectory`` follows the camera through a data set; ``DirectTracker`` takes one frame after the other, for a
robot. Both need Numba, of the [data] tier.
"""

from depthnet.odometry.run import OdometryResult, VideoFrame, estimate_trajectory, run_odometry
from depthnet.odometry.tracker import DirectTracker, TrackedFrame

__all__ = [
    "DirectTracker",
    "OdometryResult",
    "TrackedFrame",
    "VideoFrame",
    "estimate_trajectory",
    "run_odometry",
]
