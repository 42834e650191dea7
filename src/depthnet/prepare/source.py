"""What a source of data to prepare gives: scenes by name, and the frames of a scene in order.

A source is small and can be pickled: it is sent to every process, or to every worker of a cluster, and opens its files
there. The frames of a scene depend on nothing but the source and the scene's name, so the order in which scenes are
done, and by how many workers, changes no byte of the result.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PreparedFrame:
    """One frame, ready to be written."""

    name: str
    """Name within its scene; letters, digits, ``-``, ``_`` and ``.``."""
    image: NDArray[np.uint8]
    """RGB, (H, W, 3)."""
    depth: NDArray[np.float32]
    """z-depth in metres, (H, W); 0 where unknown."""
    K: NDArray[np.float64]
    """Intrinsics in pixels of this image, (3, 3)."""
    time_s: float | None = None
    """Time of the colour frame, seconds."""
    T_world_cam: NDArray[np.float64] | None = None
    """Camera to world, metres, (4, 4)."""
    right: NDArray[np.uint8] | None = None
    """The rectified right picture of a stereo pair, RGB, (H, W, 3)."""
    baseline_m: float | None = None
    """Distance of the right camera, metres; with ``right``."""
    acceleration_g: tuple[float, float, float] | None = None
    """What an accelerometer beside the camera felt, in units of g along its own x, y, z: at rest, up."""


@dataclass(frozen=True)
class DroppedFrame:
    """A frame that is left out, and why: it ends up in the report, never in the data."""

    name: str
    reason: str


class SceneSource(Protocol):
    """Scenes to prepare."""

    name: str
    """What the source is called in the report."""

    def scenes(self) -> list[str]:
        """Names of the scenes, sorted; cheap."""
        ...

    def frames(self, scene: str) -> Iterator[PreparedFrame | DroppedFrame]:
        """Frames of one scene in order, one in memory at a time.

        Raises:
            InputError: if the scene as a whole cannot be read.
        """
        ...
