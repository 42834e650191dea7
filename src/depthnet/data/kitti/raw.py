"""KITTI raw: drives with colour images, velodyne scans, GPS/IMU poses and time stamps, and the splits of the field.

Depth of a frame, by the name of the layout:

- ``kitti-raw``: the velodyne scan projected to the image; z of the rectified camera, nearest point of each pixel.
- ``kitti-raw-literature``: the scan projected as the published evaluations do it: forward distance from the velodyne,
  pixels moved by one (see `depthnet.data.kitti.velodyne`). Use it to compare with printed numbers, not to train.
- ``kitti-raw-annotated``: the official annotated depth (11 scans accumulated, checked against stereo), found inside the
  drives or in ``data_depth_annotated`` beside the dates.

Of a split, the frames that are on disk are used; how many are not is said in one line, and none at all is an error. A
frame without velodyne scan (some drives lack a few) is left out in the same way, unless the drives were fetched without
any scans: then every sample has image, K, pose and time, and no depth.

Source: Geiger, Lenz, Stiller, Urtasun, Vision meets Robotics: The KITTI Dataset, IJRR 2013; annotated depth: Uhrig et
al., Sparsity Invariant CNNs, 3DV 2017.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from depthnet.data.kitti.calibration import LEFT, RIGHT
from depthnet.data.kitti.layout import KittiDrive, find_annotated, find_drives, numbered_files
from depthnet.data.kitti.velodyne import Variant, project_velodyne, read_velodyne
from depthnet.data.samples import DepthDataset, RawSample
from depthnet.data.splits.kitti import KITTI_SPLITS, kitti_frames
from depthnet.errors import ConfigError, InputError
from depthnet.io.depth import read_depth_png
from depthnet.io.images import open_image, read_rgb

DepthKind = Literal["velodyne", "literature", "annotated"]
Cameras = Literal["left", "right", "both"]

_FORMATS: dict[DepthKind, str] = {
    "velodyne": "kitti-raw",
    "literature": "kitti-raw-literature",
    "annotated": "kitti-raw-annotated",
}
_CAMERAS: dict[Cameras, tuple[int, ...]] = {"left": (LEFT,), "right": (RIGHT,), "both": (LEFT, RIGHT)}
_PNG_SCALE = 256.0
_FARTHEST_M = 130.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KittiFrame:
    """One image of a drive."""

    drive: str
    """For example ``2011_09_26_drive_0002``."""
    camera: int
    """2 left, 3 right."""
    number: int
    """Frame number within the drive."""

    @property
    def name(self) -> str:
        """Name of the sample: ``2011_09_26_drive_0002_sync/image_02/0000000069``."""
        return f"{self.drive}_sync/image_0{self.camera}/{self.number:010d}"


class KittiRawDataset(DepthDataset):
    """Frames of KITTI raw."""

    default_protocol = "kitti-eigen"
    splits: tuple[str, ...] = KITTI_SPLITS

    def __init__(
        self,
        path: str | Path,
        split: str | None = None,
        depth: DepthKind = "velodyne",
        cameras: Cameras = "left",
        annotated: str | Path | None = None,
    ) -> None:
        """List the frames and read the calibrations; no pixel is read.

        Args:
            path: the root that holds the dates, a date, or a drive.
            split: a name of `KITTI_SPLITS`; None or "all" for every frame on disk.
            depth: where depth comes from, see above.
            cameras: left (image_02), right (image_03), or both.
            annotated: root of the annotated depth; by default it is looked for.

        Raises:
            InputError: if there is no drive, a calibration is missing or damaged, the split is unknown, or none of its
                frames is here.
            ConfigError: if an option is unknown.
        """
        if depth not in get_args(DepthKind):
            raise ConfigError(f"depth '{depth}': KITTI raw has {', '.join(get_args(DepthKind))}; choose one.")
        if cameras not in _CAMERAS:
            raise ConfigError(f"cameras '{cameras}': choose one of {', '.join(_CAMERAS)}.")
        self.path = Path(path)
        self.name = self.path.resolve().name
        self.format, self.depth_kind = _FORMATS[depth], depth
        self.drives = self._drives()
        if not self.drives:
            raise InputError(
                f"{self.path}: no KITTI drive such as 2011_09_26/2011_09_26_drive_0001_sync; pass the folder that "
                "holds the dates."
            )
        self._annotated = self._annotated_folders(annotated) if depth == "annotated" else {}
        self._truth_frames: dict[tuple[str, int], Mapping[int, str]] = {}
        wanted = list(self._wanted(split, _CAMERAS[cameras]))
        self.frames = self._on_disk(wanted, split)
        self.missing = len(wanted) - len(self.frames)
        """Number of frames of the split that are not on disk."""
        self.names = [frame.name for frame in self.frames]
        for name, camera in sorted({(frame.drive, frame.camera) for frame in self.frames}):
            self._check_calibration(self.drives[name], camera)

    def read_raw(self, index: int) -> RawSample:
        """Decode the image and project the scan (or decode the annotated depth) of frame ``index``.

        Raises:
            InputError: if a file is damaged, or an image is not of the size that its calibration is for.
        """
        frame = self.frames[index]
        drive = self.drives[frame.drive]
        file = drive.image_path(frame.camera, frame.number)
        image = read_rgb(file)
        size = image.shape[0], image.shape[1]
        drive.calibration.check_size(file, size, frame.camera)
        return RawSample(
            image=image,
            depth=self._depth(frame, size),
            K=drive.calibration.intrinsics(frame.camera),
            name=frame.name,
            T_world_cam=drive.T_world_cam(frame.camera, frame.number),
            time_s=drive.time_s(frame.camera, frame.number),
        )

    def read_depth(self, index: int) -> NDArray[np.float32] | None:
        """Depth of frame ``index`` in metres, (H, W), 0 where unknown; None when the drives have no scans."""
        frame = self.frames[index]
        drive = self.drives[frame.drive]
        size = drive.calibration.sizes.get(frame.camera)
        if size is None:
            with open_image(drive.image_path(frame.camera, frame.number)) as picture:
                size = picture.height, picture.width
        return self._depth(frame, size)

    def _drives(self) -> dict[str, KittiDrive]:
        return {name: KittiDrive(folder, name) for name, folder in find_drives(self.path.resolve()).items()}

    def _annotated_folders(self, annotated: str | Path | None) -> dict[str, Path]:
        return _find_annotated(self.path, annotated)

    def _check_calibration(self, drive: KittiDrive, camera: int) -> None:
        """Read the calibration now, so that what it lacks is said before hours of work."""
        drive.calibration.intrinsics(camera)
        if self.depth_kind != "annotated" and drive.scans:
            drive.calibration.velodyne_projection(camera)

    def has_depth(self, index: int) -> bool:
        """Whether frame ``index`` has depth; only drives fetched without any scan have frames that have not."""
        frame = self.frames[index]
        return self.depth_kind == "annotated" or frame.number in self.drives[frame.drive].scans

    def sequences(self) -> dict[str, list[int]]:
        """Positions of the frames of each drive and camera, in order of time."""
        videos: dict[str, list[int]] = {}
        for index, frame in enumerate(self.frames):
            videos.setdefault(f"{frame.drive}_sync/image_0{frame.camera}", []).append(index)
        return videos

    def _depth(self, frame: KittiFrame, size: tuple[int, int]) -> NDArray[np.float32] | None:
        drive = self.drives[frame.drive]
        if self.depth_kind == "annotated":
            return read_annotated_depth(self._truth_path(frame), size)
        if frame.number not in drive.scans:
            return None
        projection = drive.calibration.velodyne_projection(frame.camera)
        variant: Variant = "literature" if self.depth_kind == "literature" else "z"
        return project_velodyne(read_velodyne(drive.scan_path(frame.number)), projection, size, variant)

    def _wanted(self, split: str | None, cameras: tuple[int, ...]) -> Iterator[KittiFrame]:
        """Frames that the split names, or all images on disk."""
        if split is None or split == "all":
            for name, drive in self.drives.items():
                on_disk = sorted({(number, camera) for camera in cameras for number in drive.images(camera)})
                yield from (KittiFrame(name, camera, number) for number, camera in on_disk)
            return
        if split not in KITTI_SPLITS:
            raise InputError(f"{self.path}: no split '{split}'; KITTI raw has {', '.join(KITTI_SPLITS)}, all.")
        chosen = "eigen-benchmark" if split == "test" and self.depth_kind == "annotated" else split
        for name, numbers in kitti_frames(chosen).items():
            yield from (KittiFrame(name, camera, number) for number in numbers for camera in cameras)

    def _on_disk(self, wanted: list[KittiFrame], split: str | None) -> list[KittiFrame]:
        """Those of ``wanted`` that can be read; says how many are left out.

        Raises:
            InputError: if none is left.
        """
        seen = [f for f in wanted if f.drive in self.drives and f.number in self.drives[f.drive].images(f.camera)]
        frames = seen
        if self.depth_kind == "annotated":
            frames = [f for f in seen if f.number in self._truth(f)]
        elif any(frame.number in self.drives[frame.drive].scans for frame in seen):
            frames = [f for f in seen if f.number in self.drives[f.drive].scans]
        what = "frames" if split is None else f"frames of split '{split}'"
        lack = f"{len(wanted) - len(seen)} without image, {len(seen) - len(frames)} without depth"
        kept, reason = set(frames), "no annotated depth" if self.depth_kind == "annotated" else "no velodyne scan"
        self.left_out = {frame.name: reason for frame in seen if frame not in kept}
        if not frames:
            raise InputError(
                f"{self.path}: none of the {len(wanted)} {what} can be used ({lack}; {len(self.drives)} drives here); "
                "fetch the drives, or choose another --split."
            )
        if len(frames) < len(wanted):
            absent = next(frame.name for frame in wanted if frame not in kept)
            _log.warning(
                "%s: %d of %d %s are left out (%s), the first is %s.",
                self.path, len(wanted) - len(frames), len(wanted), what, lack, absent,
            )  # fmt: skip
        return frames

    def _truth(self, frame: KittiFrame) -> Mapping[int, str]:
        """Frame number -> annotated depth map of the drive and camera of ``frame``."""
        key = frame.drive, frame.camera
        if key not in self._truth_frames:
            folder = self._annotated.get(frame.drive)
            files = numbered_files(folder / f"image_0{frame.camera}", (".png",)) if folder else {}
            self._truth_frames[key] = files
        return self._truth_frames[key]

    def _truth_path(self, frame: KittiFrame) -> Path:
        return self._annotated[frame.drive] / f"image_0{frame.camera}" / self._truth(frame)[frame.number]


def read_annotated_depth(path: str | Path, size: tuple[int, int] | None = None) -> NDArray[np.float32]:
    """Read a depth map of the KITTI depth benchmark: 16-bit PNG, metres = value / 256, 0 unknown.

    Args:
        path: the file.
        size: (H, W) that it must have, when known.

    Returns:
        Depth in metres, (H, W); 0 where unknown.

    Raises:
        InputError: if the file is no 16-bit image, has another size, or holds depths beyond 130 m, farther than the
            sensor sees.
    """
    depth = read_depth_png(path, _PNG_SCALE)
    if size is not None and depth.shape != size:
        raise InputError(
            f"{path}: depth is {depth.shape[1]}x{depth.shape[0]} and its image {size[1]}x{size[0]}; the two must be of "
            "one frame, at original size: restore the file."
        )
    farthest = float(depth.max(initial=0.0))
    if farthest > _FARTHEST_M:
        raise InputError(
            f"{path}: depths up to {farthest:.1f} m when read as value/256; the sensor sees 120 m: the file is in "
            "another unit (millimetres?) or damaged: restore it."
        )
    return depth


def _find_annotated(path: Path, root: str | Path | None) -> dict[str, Path]:
    """Drive -> folder of its annotated depth, from the given root or from the usual places."""
    if root is not None:
        found = find_annotated(Path(root))
    else:
        top = path.resolve()
        raw_drives = find_drives(top).values()
        found = {name: folder for drive in raw_drives for name, folder in find_annotated(drive).items()}
        for place in (top, *list(top.parents)[:3]):
            for candidate in (place / "data_depth_annotated", place):
                found = {**find_annotated(candidate), **found}
    if not found:
        raise InputError(
            f"{root or path}: no annotated depth (DRIVE_sync/proj_depth/groundtruth/image_02/0000000005.png); unpack "
            "data_depth_annotated.zip beside the dates."
        )
    return found
