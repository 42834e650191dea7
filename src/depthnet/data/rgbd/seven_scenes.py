"""7-Scenes: ``SCENE/seq-01/frame-000000.(color.png, depth.png, pose.txt)``.

Depth is 16-bit PNG in millimetres, 0 and 65535 unknown, and is not registered: the depth camera stands 26 mm beside
the colour camera and sees a narrower field. A sample has the depth moved to the colour camera (z-buffer,
`depthnet.geometry.register`) and the pose of the colour camera, T_world_colour = T_world_depth @ inv(T_colour_depth),
as the files hold the poses of the depth camera. The raw form ("7scenes-raw") gives depth, camera and pose of the depth
camera as they are stored; its picture does not fit its depth.

A path may be the data set, a scene or a sequence. The parts train and test are those of the scene's ``TrainSplit.txt``
and ``TestSplit.txt``; without these files all sequences are read. Sequences that a list names and the disk lacks are
reported in ``left_out``.

The calibration is the one that the field uses for all scenes; it was measured on another Kinect. On frames of
RedKitchen it leaves the edges of depth about 2 pixels of 320 to the left of and above those of the picture; without
registration they are about 10 away.

Source: Shotton et al., Scene Coordinate Regression Forests for Camera Relocalization in RGB-D Images, CVPR 2013;
T_colour_depth: the Kinect calibration of LIRIS, Lyon, as used with these scenes by Brachmann & Rother, DSAC*, 2021.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthnet.data.folder import IMAGE_SUFFIXES
from depthnet.data.rgbd.video import (
    JoinedSequences,
    check_partners,
    holds_only,
    natural_key,
    read_matrix,
    subfolders,
)
from depthnet.data.samples import DepthDataset, RawSample, build_intrinsics, check_same_size
from depthnet.errors import InputError
from depthnet.geometry.camera import scale_intrinsics
from depthnet.geometry.register import register_depth
from depthnet.geometry.se3 import invert_transform
from depthnet.io.depth import read_depth_png
from depthnet.io.images import open_image, read_rgb
from depthnet.io.text import read_text
from depthnet.io.trajectory import check_transform

#: fx fy cx cy at 640x480, integer pixel centres from 0.
COLOUR_CAMERA = (525.0, 525.0, 320.0, 240.0)
DEPTH_CAMERA = (585.0, 585.0, 320.0, 240.0)
CAMERA_SIZE = (480, 640)
#: Depth camera to colour camera, metres.
T_COLOUR_DEPTH = np.array([
    [0.99996518, 0.00267651, -0.00790410, -0.02555894],
    [-0.00274093, 0.99996303, -0.00815045, 0.00010110],
    [0.00788199, 0.00817183, 0.99993555, 0.00203183],
    [0.0, 0.0, 0.0, 1.0],
])  # fmt: skip
SPLIT_FILES = {"train": "TrainSplit.txt", "test": "TestSplit.txt"}

# 65535 mm, which means unknown, in float32 metres with room for rounding.
_UNKNOWN_FROM = 65.5345
_SEQUENCE = re.compile(r"seq-([0-9]+)")
_FRAME = re.compile(r"(frame-[0-9]+)\.(color|depth|pose)\.(\w+)")
# Enough names to meet a frame in a folder of frames, few enough to leave a large folder of other things soon.
_LOOKED_AT = 256


class SevenScenesSequence(DepthDataset):
    """One sequence; pictures are read when asked for."""

    def __init__(self, path: str | Path, registered: bool = True) -> None:
        """List the frames and read their poses; no pixel is read.

        Args:
            path: folder with ``frame-*`` files.
            registered: False gives the depth camera's depth, K and pose as stored.

        Raises:
            InputError: if a frame lacks one of its three files, or a pose is no rigid motion.
        """
        self.path = Path(path)
        self.name = self.path.resolve().name
        self.format = "7scenes" if registered else "7scenes-raw"
        self._registered = registered
        files = _list_frames(self.path)
        self.names = sorted(files["color"], key=natural_key)
        self._images = [files["color"][name] for name in self.names]
        self._depths = [files["depth"][name] for name in self.names]
        self._poses = [_read_pose(files["pose"][name], registered) for name in self.names]

    def read_raw(self, index: int) -> RawSample:
        """Decode frame ``index``.

        Raises:
            InputError: if a picture is damaged or depth is not 16-bit; in the raw form also if their sizes differ.
        """
        image, depth = read_rgb(self._images[index]), self._stored_depth(index)
        size = (image.shape[0], image.shape[1])
        if self._registered:
            depth, K = _to_colour(depth, size), _camera(COLOUR_CAMERA, size)
        else:
            check_same_size(image, depth, self._depths[index])
            K = _camera(DEPTH_CAMERA, size)
        pose = self._poses[index]
        return RawSample(image=image, depth=depth, K=K, name=self.names[index], T_world_cam=pose)

    def read_depth(self, index: int) -> NDArray[np.float32]:
        """Decode the depth map of frame ``index`` alone; of the picture only the size is read."""
        depth = self._stored_depth(index)
        if not self._registered:
            return depth
        with open_image(self._images[index]) as picture:
            return _to_colour(depth, (picture.height, picture.width))

    def read_pose(self, index: int) -> tuple[NDArray[np.float64] | None, float | None]:
        """Pose and time of frame ``index``; no pixel is read."""
        return self._poses[index], None

    def _stored_depth(self, index: int) -> NDArray[np.float32]:
        depth = read_depth_png(self._depths[index])
        depth[depth > _UNKNOWN_FROM] = 0.0
        return depth


class SevenScenes(JoinedSequences):
    """Several sequences of a scene, or of all scenes of the data set."""

    def __init__(self, path: Path, split: str | None, registered: bool) -> None:
        """Open the sequences of ``split``.

        Raises:
            InputError: if the split is unknown, none of its sequences is there, or a sequence cannot be read.
        """
        whole = is_scene(path)
        scenes = [path] if whole else [folder for folder in subfolders(path) if is_scene(folder)]
        chosen: dict[str, Path] = {}
        absent: dict[str, str] = {}
        for scene in scenes:
            prefix = "" if whole else f"{scene.name}/"
            here, missing = _sequences(scene, split)
            chosen |= {prefix + folder.name: folder for folder in here}
            absent |= {prefix + name: why for name, why in missing.items()}
        if not chosen:
            lacks = f"{len(absent)} are listed and none is" if absent else "none is"
            raise InputError(
                f"{path}: no sequence of split '{split or 'all'}' ({lacks} there); expected folders seq-01, seq-02 ... "
                "with frame-000000.color.png and so on: unpack the scene's seq-*.zip files."
            )
        opened = {name: SevenScenesSequence(folder, registered) for name, folder in chosen.items()}
        super().__init__(path.resolve().name, "7scenes" if registered else "7scenes-raw", opened)
        self.left_out = {**self.left_out, **absent}
        if any(_has_lists(scene) for scene in scenes):
            self.splits = tuple(SPLIT_FILES)


def open_seven_scenes(path: str | Path, split: str | None = None, registered: bool = True) -> DepthDataset:
    """Open the data set, a scene or a sequence.

    Args:
        path: its folder.
        split: train or test by the scene's lists; None or "all" for everything. Without lists "train" is everything
            too.
        registered: False for the stored depth of the depth camera.

    Raises:
        InputError: if the split is unknown or empty, or a file cannot be used.
    """
    path = Path(path)
    if not is_sequence(path):
        return SevenScenes(path, split, registered)
    if split not in (None, "all"):
        _refuse_other_split(path, split)
    return SevenScenesSequence(path, registered)


def looks_like_seven_scenes(path: Path) -> bool:
    """Whether a path is a sequence, a scene, or a folder of scenes and nothing else."""
    return is_sequence(path) or is_scene(path) or holds_only(path, is_scene)


def is_sequence(path: Path) -> bool:
    """Whether a folder holds frames of 7-Scenes."""
    return path.is_dir() and any(_FRAME.fullmatch(entry.name) for entry in islice(path.iterdir(), _LOOKED_AT))


def is_scene(path: Path) -> bool:
    """Whether a folder holds sequences of 7-Scenes, or the lists of its splits."""
    if not path.is_dir():
        return False
    return _has_lists(path) or any(
        is_sequence(folder) for folder in subfolders(path) if _number(folder.name) is not None
    )


def _refuse_other_split(path: Path, split: str) -> None:
    """Refuse a sequence that the lists of its scene put elsewhere than in ``split``."""
    scene = path.resolve().parent
    if not _has_lists(scene):
        _sequences_without_lists(path, [path], split)
    elif path.resolve() not in _sequences(scene, split)[0]:
        raise InputError(
            f"{path}: is not in split '{split}' of its scene ({SPLIT_FILES[split]}); pass the scene, or "
            "choose --split all."
        )


def _list_frames(path: Path) -> dict[str, dict[str, Path]]:
    """Kind (color, depth, pose) → frame → file; every frame has all three."""
    files: dict[str, dict[str, Path]] = {"color": {}, "depth": {}, "pose": {}}
    suffixes = {"color": IMAGE_SUFFIXES, "depth": (".png",), "pose": (".txt",)}
    for frame, kind, file in _frames(path):
        if file.suffix.lower() not in suffixes[kind]:
            continue
        if frame in files[kind]:
            raise InputError(f"{file}: a second file beside {files[kind][frame].name}; keep one of the two.")
        files[kind][frame] = file
    check_partners(path, {".color.(webp|png|jpg)": files["color"], ".depth.png": files["depth"],
                          ".pose.txt": files["pose"]})  # fmt: skip
    if not files["color"]:
        raise InputError(f"{path}: no frame-000000.color.png and so on; pass a sequence, a scene or the data set.")
    return files


def _frames(path: Path) -> Iterator[tuple[str, str, Path]]:
    for entry in sorted(path.iterdir()) if path.is_dir() else ():
        if match := _FRAME.fullmatch(entry.name):
            yield match[1], match[2], entry


def _read_pose(file: Path, registered: bool) -> NDArray[np.float64] | None:
    T_world_depth = check_transform(read_matrix(file, 4, "camera to world"), file)
    if T_world_depth is None or not registered:
        return T_world_depth
    T_world_colour: NDArray[np.float64] = T_world_depth @ invert_transform(T_COLOUR_DEPTH)
    return T_world_colour


def _to_colour(depth: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    K_depth = _camera(DEPTH_CAMERA, (depth.shape[0], depth.shape[1]))
    return register_depth(depth, K_depth, _camera(COLOUR_CAMERA, size), T_COLOUR_DEPTH, size)


def _camera(camera: tuple[float, float, float, float], size: tuple[int, int]) -> NDArray[np.float32]:
    K = build_intrinsics(*camera)
    return np.asarray(scale_intrinsics(K, size[0] / CAMERA_SIZE[0], size[1] / CAMERA_SIZE[1]), dtype=np.float32)


def _has_lists(scene: Path) -> bool:
    return any((scene / name).is_file() for name in SPLIT_FILES.values())


def _number(name: str) -> int | None:
    match = _SEQUENCE.fullmatch(name)
    return int(match[1]) if match else None


def _sequences(scene: Path, split: str | None) -> tuple[list[Path], dict[str, str]]:
    """Folders of the sequences of a split, and the names of those that its list has and the disk lacks."""
    folders = [folder for folder in subfolders(scene) if _number(folder.name) is not None]
    if not _has_lists(scene):
        return _sequences_without_lists(scene, folders, split)
    if split in (None, "all"):
        return folders, {}
    if split not in SPLIT_FILES:
        raise InputError(f"{scene}: no split '{split}'; 7-Scenes has {' and '.join(SPLIT_FILES)}; choose one, or all.")
    file = scene / SPLIT_FILES[split]
    listed = [_listed_number(line, file) for line in read_text(file).split("\n") if line.strip()]
    by_number = {_number(folder.name): folder for folder in folders}
    absent = {f"seq-{n:02d}": f"listed in {file.name}, but not there" for n in listed if n not in by_number}
    return [by_number[n] for n in listed if n in by_number], absent


def _sequences_without_lists(where: Path, folders: list[Path], split: str | None) -> tuple[list[Path], dict[str, str]]:
    if split not in (None, "all", "train"):
        names = " and ".join(SPLIT_FILES.values())
        raise InputError(f"{where}: no split '{split}' ({names} are not there); restore them or choose --split all.")
    return folders, {}


def _listed_number(line: str, file: Path) -> int:
    match = re.fullmatch(r"\s*(?:sequence|seq-?)\s*([0-9]+)\s*", line)
    if match is None:
        raise InputError(f"{file}: '{line.strip()[:40]}' names no sequence; expected 'sequence1'; correct the list.")
    return int(match[1])
