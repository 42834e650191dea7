"""Raw NYU Depth v2: from the dump, extracted or in zip parts, to frames with depth at the pixels of the colour picture.

Mode ``geometry`` computes what the colour camera would have measured: z in its own frame, correct pixel centres,
values beyond the sensor's range unknown. Mode ``toolbox`` repeats the published MATLAB steps, see the module of that
name. Either way K is that of the colour camera without its lens distortion, shifted by the crop.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from depthnet.data.splits import nyu_raw_train_scenes
from depthnet.errors import ConfigError, InputError
from depthnet.geometry.camera import crop_intrinsics
from depthnet.prepare.nyu_raw.calibration import COLOUR_CAMERA, TOOLBOX_MAX_DEPTH, VALID_REGION, Floats
from depthnet.prepare.nyu_raw.files import (
    INDEX_NAME,
    Accelerometer,
    decode_accelerometer,
    decode_colour,
    decode_disparity,
)
from depthnet.prepare.nyu_raw.registration import register_disparity
from depthnet.prepare.nyu_raw.scenes import (
    SceneFiles,
    SceneLocation,
    SyncedFrame,
    find_scenes,
    open_scene,
    synchronise,
)
from depthnet.prepare.nyu_raw.toolbox import project_depth_map
from depthnet.prepare.nyu_raw.undistortion import undistort_image
from depthnet.prepare.source import DroppedFrame, PreparedFrame

_log = logging.getLogger(__name__)

#: Depth frames that are known to be wrong though their files are whole, and are left out by the published scripts too.
FAULTY_FRAMES = frozenset({"d-1315166703.129542-2466101449.pgm"})

Singles = NDArray[np.float32]


@dataclass(frozen=True)
class NyuRawOptions:
    """How raw frames become training frames."""

    mode: Literal["geometry", "toolbox"] = "geometry"
    """geometry: depth of the colour camera, correct pixel centres; toolbox: the published MATLAB steps as they are."""
    fill: Literal["colorization", "none"] = "none"
    """Fill holes by colorization (Levin), or leave them 0."""
    crop: bool = False
    """Keep only the region where the sensor has depth: rows 44 to 470, columns 40 to 600 (427 x 561 pixels)."""
    every: int = 1
    """Take every k-th synchronised frame; the `sync` tree of the literature has every 7th."""
    split: Literal["all", "train"] = "all"
    """all scenes, or only those of the official training split."""
    naming: Literal["index", "stamp"] = "index"
    """Name frames by their number (00000, 00001: with every 7th as the `sync` tree counts) or by time stamps."""
    unique_colour: bool = False
    """Drop depth frames that share their colour frame with another."""
    max_gap_s: float = 0.1
    """Drop frames whose depth and colour are farther apart in time, seconds; the published scripts have no limit."""
    min_depth: float = 0.4
    """Sensor values nearer than this are unknown, metres; mode geometry only."""
    max_depth: float = 10.0
    """Sensor values farther than this are unknown, metres; mode geometry only (toolbox caps at 10)."""

    def __post_init__(self) -> None:
        choices = (
            ("mode", self.mode, ("geometry", "toolbox")),
            ("fill", self.fill, ("colorization", "none")),
            ("split", self.split, ("all", "train")),
            ("naming", self.naming, ("index", "stamp")),
        )
        for name, value, allowed in choices:
            if value not in allowed:
                raise ConfigError(f"{name} '{value}': raw NYU Depth v2 takes {' or '.join(allowed)}; choose one.")
        if self.every < 1:
            raise ConfigError(f"every {self.every}: take every k-th frame with k at least 1.")
        if not self.max_gap_s >= 0.0:
            raise ConfigError(f"max_gap_s {self.max_gap_s:g}: give a time of at least 0 seconds.")
        if not (0.0 < self.min_depth < self.max_depth and math.isfinite(self.max_depth)):
            raise ConfigError(
                f"min_depth {self.min_depth:g}, max_depth {self.max_depth:g}: give metres, 0 < min_depth < max_depth."
            )


class NyuRawSource:
    """Scenes of the raw dump; can be pickled."""

    name = "nyu-raw"
    #: A tree of the training scenes may be completed with the others.
    scene_options = ("split",)

    def __init__(self, path: str | Path, options: NyuRawOptions | None = None) -> None:
        """Look for scenes; no frame is read.

        Args:
            path: a folder with scene folders or zip parts, a scene folder, or a zip part.
            options: how to prepare them; the defaults when None.

        Raises:
            InputError: if there is no scene (of the split), a zip part is damaged, or a scene is there twice.
        """
        self.path = Path(path)
        self.options = options or NyuRawOptions()
        found = find_scenes(self.path)
        if self.options.split == "train":
            found = {scene: location for scene, location in found.items() if scene in nyu_raw_train_scenes()}
            if not found:
                raise InputError(f"{path}: no scene is among the 284 of the official training split; choose split all.")
        self._locations: dict[str, SceneLocation] = found

    def scenes(self) -> list[str]:
        """Names of the scenes, sorted."""
        return list(self._locations)

    def count_frames(self, scene: str) -> int:
        """Depth frames of a scene that are taken, good or bad; a look at its list of files."""
        with open_scene(self._location(scene)) as files:
            return -(-len(files.depth) // self.options.every) + sum(1 for _ in _missing(files))

    def frames(self, scene: str) -> Iterator[PreparedFrame | DroppedFrame]:
        """Frames of one scene in the order of their depth frames, one in memory at a time.

        A frame that cannot be made is dropped with the reason, as is each depth frame that ``INDEX.txt`` lists but that
        is not there. A dropped frame is named by its depth file.

        Raises:
            InputError: if the scene is unknown, its folder or zip part cannot be read, or it has no frames.
        """
        number = 0
        with open_scene(self._location(scene)) as files:
            yield from _missing(files)
            for pair in synchronise(files)[:: self.options.every]:
                if pair.depth.file in FAULTY_FRAMES:
                    # The published scripts do not count it, so that the numbers after it stay those of the literature.
                    yield DroppedFrame(pair.depth.stem, f"{files.where}/{pair.depth.file}: known to be faulty.")
                    continue
                name = f"{number:05d}" if self.options.naming == "index" else pair.depth.stem.removeprefix("d-")
                number += 1
                reason = self._reason_against(pair)
                if reason is not None:
                    yield DroppedFrame(pair.depth.stem, f"{files.where}/{pair.depth.file}: {reason}")
                    continue
                try:
                    yield self._prepare(files, pair, name)
                except InputError as error:
                    yield DroppedFrame(pair.depth.stem, str(error))

    def synchronised(self, scene: str) -> list[SyncedFrame]:
        """All depth frames of a scene with the colour frame and accelerometer dump that are nearest in time.

        Raises:
            InputError: if the scene is unknown, cannot be read, or has no frames.
        """
        with open_scene(self._location(scene)) as files:
            return synchronise(files)

    def accelerometer(self, scene: str) -> Iterator[tuple[float, Accelerometer | DroppedFrame]]:
        """Host time in seconds and state of every accelerometer dump of a scene, in order.

        Raises:
            InputError: if the scene is unknown or cannot be read.
        """
        with open_scene(self._location(scene)) as files:
            for name in files.accelerometer:
                try:
                    state = decode_accelerometer(files.read(name.file), f"{files.where}/{name.file}")
                    yield name.time_s, state
                except InputError as error:
                    yield name.time_s, DroppedFrame(name.stem, str(error))

    def _location(self, scene: str) -> SceneLocation:
        if scene not in self._locations:
            some = ", ".join(self.scenes()[:3])
            raise InputError(f"{self.path}: no scene '{scene}'; its {len(self._locations)} scenes look like {some}.")
        return self._locations[scene]

    def _reason_against(self, pair: SyncedFrame) -> str | None:
        if pair.gap_s > self.options.max_gap_s:
            return (
                f"its nearest colour frame {pair.colour.file} is {pair.gap_s:.3f} s away; at most "
                f"{self.options.max_gap_s:g} s are allowed: raise max_gap_s to keep it."
            )
        if pair.shared and self.options.unique_colour:
            return f"shares its colour frame {pair.colour.file} with another depth frame."
        return None

    def _prepare(self, files: SceneFiles, pair: SyncedFrame, name: str) -> PreparedFrame:
        where = f"{files.where}/{pair.depth.file}"
        disparity = decode_disparity(files.read(pair.depth.file), where)
        image = decode_colour(files.read(pair.colour.file), f"{files.where}/{pair.colour.file}")
        depth, image, K = self._register(disparity, image)
        if self.options.mode == "toolbox" and self.options.fill == "colorization":
            depth[depth == TOOLBOX_MAX_DEPTH] = 0.0  # the published in-filling takes the cap for missing
        if not depth.any():
            raise InputError(f"{where}: no pixel with known depth after registration; the sensor saw nothing.")
        if self.options.fill == "colorization":
            from depthnet.prepare.infill import infill_colorization

            depth = np.asarray(infill_colorization(image, depth, alpha=1.0), dtype=np.float32)
        felt = self._felt(files, pair)
        return PreparedFrame(name=name, image=image, depth=depth, K=K, time_s=pair.colour.time_s, acceleration_g=felt)

    def _felt(self, files: SceneFiles, pair: SyncedFrame) -> tuple[float, float, float] | None:
        """Acceleration at the frame; a damaged dump costs the frame its acceleration, not its depth."""
        if pair.accelerometer is None:
            return None
        try:
            content = files.read(pair.accelerometer.file)
            return decode_accelerometer(content, f"{files.where}/{pair.accelerometer.file}").acceleration_g
        except InputError as error:
            _log.warning("%s The frame is kept without acceleration.", error)
            return None

    def _register(
        self, disparity: NDArray[np.uint16], image: NDArray[np.uint8]
    ) -> tuple[Singles, NDArray[np.uint8], Floats]:
        """Depth (H, W) in metres at the pixels of the undistorted picture (H, W, 3), and its K; cropped if asked."""
        if self.options.mode == "toolbox":
            metres, image = project_depth_map(disparity, image)
            depth = metres.astype(np.float32)
        else:
            depth = register_disparity(disparity, self.options.min_depth, self.options.max_depth)
            image = undistort_image(image, COLOUR_CAMERA)
        if not self.options.crop:
            return depth, image, COLOUR_CAMERA.K
        rows, columns = VALID_REGION
        K: Floats = crop_intrinsics(COLOUR_CAMERA.K, rows.start, columns.start)
        return np.ascontiguousarray(depth[rows, columns]), np.ascontiguousarray(image[rows, columns]), K


def _missing(files: SceneFiles) -> Iterator[DroppedFrame]:
    """Depth frames that the scene's list names but that are not there."""
    try:
        for name in files.missing_depth():
            yield DroppedFrame(
                name.stem, f"{files.where}/{name.file}: in {INDEX_NAME}, but not there; extract it again."
            )
    except InputError as error:
        yield DroppedFrame(INDEX_NAME, str(error))
