"""One scene from its source to its files: the piece of work that is done here, in another process or on a cluster.

The frames are written to a folder of their own, moved into the tree when the scene is complete, and last its record
``scenes/SCENE.json`` is written: a scene is done when its record is there. So a job that is killed at any moment leaves
no half scene in the tree, and two workers that do one scene twice (a cluster may lose sight of a living worker) write
the same bytes over each other.
"""

from __future__ import annotations

import json
import shutil
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthnet.data.prepared import RECIPE_FILE
from depthnet.data.prepared_index import COLUMNS, PLAIN_NAME, IndexRow
from depthnet.data.samples import check_depth
from depthnet.errors import DepthNetError, InputError, MissingTierError
from depthnet.io.depth import MAX_PNG_DEPTH, write_depth_png
from depthnet.io.files import atomic_path
from depthnet.prepare.source import DroppedFrame, PreparedFrame, SceneSource

ImageFormat = Literal["png", "jpg"]
RECORDS, STAGING = "scenes", ".unfinished"
FOLDERS = ("rgb", "depth", "right")
# Fixed, so that a frame is the same file whoever writes it. Run-length matching (zlib's Z_RLE) makes a 640x480 picture
# of a sensor smaller than level 6 does, in a quarter of its time. JPEG keeps the full resolution of colour.
_ENCODER: dict[str, dict[str, Any]] = {
    "png": {"format": "PNG", "compress_level": 1, "compress_type": 3},
    "jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
}


@dataclass
class SceneRecord:
    """What is known of a finished scene; `scenes/SCENE.json`."""

    scene: str
    lines: list[str] = field(default_factory=list)
    """Lines of ``index.csv``, in the order of the source."""
    files: list[dict[str, int]] = field(default_factory=list)
    """Of each frame: path in the tree -> bytes."""
    dropped: list[tuple[str, str]] = field(default_factory=list)
    """Frames left out: (name, reason)."""
    too_far: int = 0
    """Pixels beyond what 16 bits of millimetres hold, written as unknown."""

    def write(self, out: Path) -> None:
        """Write the record; from then on the scene is done."""
        with atomic_path(record_path(out, self.scene)) as temporary:
            temporary.write_text(json.dumps(asdict(self), ensure_ascii=False) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class SceneOutcome:
    """How a scene ended."""

    scene: str
    frames: int = 0
    error: str | None = None
    """Why the scene is not done, in one line."""
    stop: bool = False
    """True when no other scene could be written either: a full disk, a missing package."""
    trace: str = ""
    """Where an error comes from, for ``--debug``."""


@dataclass(frozen=True)
class SceneJob:
    """How any scene of a job is prepared; it is sent to the processes and workers that do the scenes."""

    source: SceneSource
    out: Path
    """The tree; workers of a cluster see it under the same path."""
    image_format: ImageFormat
    recipe: str
    """Content of ``prepare.json`` of the tree that this job writes."""

    def run(self, scene: str, on_frame: Callable[[int, int | None], None] | None = None) -> SceneOutcome:
        """Prepare one scene.

        Args:
            scene: its name.
            on_frame: called with the number of frames done and, where the source knows it, their number in all.

        Returns:
            The outcome. What is wrong with the scene, the disk or the installation is told there, not raised.
        """
        staging = self.out / STAGING / f"{scene}.{uuid.uuid4().hex[:12]}"
        try:
            self._check_tree()
            record = self._write_frames(scene, staging, on_frame or (lambda done, count: None))
            self._check_tree()
            with _writing():
                _move_files(staging, self.out)
                record.write(self.out)
            return SceneOutcome(scene, len(record.lines))
        except (_RefusedError, MissingTierError) as error:
            return SceneOutcome(scene, error=str(error), stop=True, trace=traceback.format_exc())
        except DepthNetError as error:
            return SceneOutcome(scene, error=f"scene {scene}: {error}", trace=traceback.format_exc())
        except Exception as error:  # a fault of ours or of the disk must not take the other scenes with it
            line = " ".join(str(error).split())
            kind = type(error).__name__
            return SceneOutcome(
                scene, error=f"scene {scene}: {kind}: {line}; --debug shows where.", trace=traceback.format_exc()
            )
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _check_tree(self) -> None:
        """See that the tree is the one that this job writes."""
        try:
            same = (self.out / RECIPE_FILE).read_text(encoding="utf-8") == self.recipe
        except OSError as error:
            raise _RefusedError(
                f"{self.out}: not there for a worker ({error.strerror or error}); all workers must see --out, and the "
                "source, under one path: use a disk that they share."
            ) from error
        if not same:
            raise _RefusedError(f"{self.out}: replaced by another job while this one ran; start this one again.")

    def _write_frames(self, scene: str, staging: Path, on_frame: Callable[[int, int | None], None]) -> SceneRecord:
        record, seen = SceneRecord(scene), set[str]()
        count = count_frames(self.source, scene)
        on_frame(0, count)
        for number, frame in enumerate(self.source.frames(scene), start=1):
            if isinstance(frame, DroppedFrame):
                record.dropped.append((frame.name, frame.reason))
            else:
                row = self._row(scene, frame)
                if row.name in seen:
                    raise InputError(f"two frames are named '{frame.name}'; names within a scene must differ.")
                seen.add(row.name)
                record.too_far += self._write_frame(row.name, frame, staging)
                record.lines.append(row.line())
                record.files.append(_sizes(staging, row.name, self.image_format, frame.right is not None))
            on_frame(number, count)
        return record

    def _row(self, scene: str, frame: PreparedFrame) -> IndexRow:
        _check_frame(frame)
        return IndexRow(
            name=frame.name if getattr(self.source, "unique_names", False) else f"{scene}_{frame.name}",
            scene=scene,
            frame=frame.name,
            K=np.asarray(frame.K, np.float64),
            size=(frame.image.shape[0], frame.image.shape[1]),
            time_s=frame.time_s,
            T_world_cam=frame.T_world_cam,
            baseline_m=frame.baseline_m,
            acceleration_g=frame.acceleration_g,
        )

    def _write_frame(self, name: str, frame: PreparedFrame, staging: Path) -> int:
        """Write the files of a frame; returns how many of its pixels were too far for the format."""
        too_far = frame.depth > MAX_PNG_DEPTH
        count = int(np.count_nonzero(too_far))
        with _writing():
            self._write_picture(staging / "rgb" / name, frame.image)
            write_depth_png(
                staging / "depth" / f"{name}.png",
                np.where(too_far, np.float32(0), frame.depth) if count else frame.depth,
            )
            if frame.right is not None:
                self._write_picture(staging / "right" / name, frame.right)
        return count

    def _write_picture(self, stem: Path, image: NDArray[np.uint8]) -> None:
        with atomic_path(stem.with_name(f"{stem.name}.{self.image_format}")) as temporary:
            Image.fromarray(image).save(temporary, **_ENCODER[self.image_format])


class _RefusedError(InputError):
    """The tree cannot be written: no scene can be done."""


@contextmanager
def _writing() -> Iterator[None]:
    """Tell a disk that refuses a file from a source that cannot be read."""
    try:
        yield
    except InputError as error:
        raise _RefusedError(str(error)) from error
    except OSError as error:
        raise _RefusedError(
            f"{error.filename or 'the tree'}: cannot be written ({error.strerror or error}); free space or choose "
            "another --out."
        ) from error


def record_path(out: Path, scene: str) -> Path:
    """File of a scene's record."""
    return out / RECORDS / f"{scene}.json"


def read_record(file: Path) -> SceneRecord | None:
    """Read a scene's record; None when there is none, or none that can be read.

    One whose lines have other columns is of an earlier version of the tree: its scene must be done again.
    """
    with suppress(OSError, ValueError, TypeError, AttributeError):
        record = SceneRecord(**json.loads(file.read_text(encoding="utf-8")))
        record.dropped = [(name, reason) for name, reason in record.dropped]
        if all(line.count(",") == len(COLUMNS) - 1 for line in record.lines):
            return record
    return None


def count_frames(source: SceneSource, scene: str) -> int | None:
    """How many frames a scene has, kept and dropped, where its source has a cheap ``count_frames(scene)``."""
    count = getattr(source, "count_frames", None)
    return None if count is None else count(scene)


def _check_frame(frame: PreparedFrame) -> None:
    """Refuse a frame that could not be read back as it is."""
    where = f"frame '{frame.name}'"
    if not PLAIN_NAME.fullmatch(frame.name):
        raise InputError(f"{where}: a name has letters, digits, '-', '_' and '.' only; rename it.")
    size = frame.image.shape[:2]
    for image, what in ((frame.image, "image"), (frame.right, "right image")):
        if image is not None and (image.dtype != np.uint8 or image.shape != (*size, 3)):
            raise InputError(f"{where}: {what} {image.shape} {image.dtype}; expected ({size[0]}, {size[1]}, 3) uint8.")
    if frame.depth.shape != size:
        raise InputError(f"{where}: depth {frame.depth.shape} and image {size} differ in size; they are one picture.")
    check_depth(frame.depth, where)
    K = np.asarray(frame.K)
    pinhole = K.shape == (3, 3) and bool(np.isfinite(K).all()) and K[0, 0] > 0 and K[1, 1] > 0
    if not pinhole or K[0, 1] != 0 or K[1, 0] != 0 or tuple(K[2]) != (0, 0, 1):
        raise InputError(f"{where}: K {K.tolist()}; expected [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels.")
    if frame.T_world_cam is not None and not np.isfinite(frame.T_world_cam).all():
        raise InputError(f"{where}: T_world_cam has NaN or infinite values; leave an unknown pose out.")
    if (frame.right is None) != (frame.baseline_m is None):
        raise InputError(f"{where}: a right picture and its baseline_m go together; give both or none.")


def _sizes(staging: Path, name: str, image_format: ImageFormat, right: bool) -> dict[str, int]:
    files = [f"rgb/{name}.{image_format}", f"depth/{name}.png", *([f"right/{name}.{image_format}"] if right else [])]
    with _writing():
        return {file: (staging / file).stat().st_size for file in files}


def _move_files(staging: Path, out: Path) -> None:
    for folder in FOLDERS:
        if (staging / folder).is_dir():
            (out / folder).mkdir(exist_ok=True)
            for file in sorted((staging / folder).iterdir()):
                file.replace(out / folder / file.name)
