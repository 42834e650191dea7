"""The frames of one video with camera and depth, read ahead of the tracker."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.data.samples import DepthDataset, RawSample
from depthnet.errors import DepthNetError, InputError, MissingTierError

#: Depth in metres, (H, W), of a picture, (H, W, 3) uint8, whose focal length in pixels is given.
PredictDepth = Callable[[NDArray[np.uint8], float], NDArray[np.float32]]
#: Frames that are read ahead.
_AHEAD = 4


@dataclass(frozen=True)
class ReadFrame:
    """One frame as the tracker takes it, or why it cannot be read."""

    name: str
    raw: RawSample | None
    K: NDArray[np.float64]
    error: str = ""


def choose_video(dataset: DepthDataset, name: str | None) -> list[int]:
    """Positions of the frames of one video in order.

    Args:
        dataset: the data set.
        name: of the video, where the data set has several.

    Raises:
        InputError: if there are several and none or an unknown one is named, or it has fewer than two frames.
    """
    videos = dataset.sequences()
    names = ", ".join(list(videos)[:12]) + (f" and {len(videos) - 12} more" if len(videos) > 12 else "")
    if name is None and len(videos) != 1:
        raise InputError(f"{dataset.name}: {len(videos)} videos ({names}); choose one with --video NAME.")
    if name is not None and name not in videos:
        raise InputError(f"--video {name}: {dataset.name} has no such video; choose one of {names}.")
    positions = next(iter(videos.values())) if name is None else videos[name]
    if len(positions) < 2:
        raise InputError(f"{dataset.name}: {len(positions)} frame; a motion needs two: pass a longer video.")
    return positions


def read_video(
    dataset: DepthDataset, positions: list[int], focal_px: float | None = None, predict: PredictDepth | None = None
) -> Iterator[ReadFrame]:
    """Frames in order, the next ones being decoded (and their depth predicted) meanwhile.

    Args:
        dataset: the data set.
        positions: the frames.
        focal_px: focal length in pixels of the pictures, in place of the data set's.
        predict: gives the depth, in place of the data set's.

    Raises:
        InputError: if the data set has no K and no focal length is given.
        MissingTierError: if the data set needs a package that is not installed.
    """

    def read(position: int) -> ReadFrame:
        try:
            raw = dataset.read_raw(position)
        except MissingTierError:
            raise
        except DepthNetError as error:
            return ReadFrame(dataset.names[position], None, np.eye(3), str(error))
        K = build_camera(raw, focal_px)
        if predict is not None:
            raw.depth = predict(raw.image, float(K[0, 0]))
        return ReadFrame(raw.name, raw, K)

    with ThreadPoolExecutor(1) as reader:
        ahead: deque[Future[ReadFrame]] = deque()
        left = iter(positions)
        try:
            for position in left:
                ahead.append(reader.submit(read, position))
                if len(ahead) > _AHEAD:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


def build_camera(raw: RawSample, focal_px: float | None) -> NDArray[np.float64]:
    """K of a frame, (3, 3): the data set's, with another focal length where one is given.

    Raises:
        InputError: if there is neither, or the focal length is not positive.
    """
    if focal_px is not None and not 0 < focal_px < float("inf"):
        raise InputError(f"--focal-px {focal_px:g}: a focal length is a positive number of pixels.")
    height, width = raw.size
    if raw.K is None and focal_px is None:
        raise InputError(f"{raw.name}: the data have no K; pass --focal-px F, pixels of the {width}x{height} pictures.")
    if raw.K is None:
        K: NDArray[Any] = np.array([[1.0, 0.0, (width - 1) / 2], [0.0, 1.0, (height - 1) / 2], [0.0, 0.0, 1.0]])
    else:
        K = np.asarray(raw.K, np.float64).copy()
    if focal_px is not None:
        K[0, 0], K[1, 1] = focal_px, focal_px
    return K
