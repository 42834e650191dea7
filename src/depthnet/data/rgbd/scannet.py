"""ScanNet: ``.sens`` archives, read in place, and exported folders ``color/ depth/ pose/ intrinsic/``.

Depth is 16-bit in units of the header (1000 per metre; exported PNG always millimetres), 0 unknown, and has been
brought to the colour camera by the authors' calibration: extrinsics are the identity and depth's K is colour's K at
depth's size. A sample has depth's size (usually 640x480) and K; the larger colour picture is resized to it. Where a
file's own numbers say that depth is not registered (an uncalibrated recording), it is (`depthnet.geometry.register`),
and the pose is moved to the colour camera.

Poses are camera to world; the authors write -infinity where tracking was lost: T_world_cam is None there. ``time_s`` is
the archive's colour stamp, None where it is 0 (never set) and in exported folders, which have none. Samples are named
by the frame's number, ``000000``, in both forms; a path with several scenes gives ``scene0000_00/000000``.

Parts: ``scannetv2_train.txt`` and so on (or ``train.txt``) beside the scenes, one scene a line; scenes of the list that
are not there are reported in ``left_out``.

Source: Dai et al., ScanNet, CVPR 2017, and the authors' SensReader.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthnet.data.folder import IMAGE_SUFFIXES
from depthnet.data.rgbd.sens import SensFile
from depthnet.data.rgbd.video import (
    JoinedSequences,
    check_intrinsics,
    check_partners,
    check_principal_point,
    files_by_stem,
    holds_only,
    natural_key,
    read_matrix,
    refuse_split,
    subfolders,
)
from depthnet.data.samples import DepthDataset, RawSample
from depthnet.errors import InputError
from depthnet.geometry.camera import scale_intrinsics
from depthnet.geometry.register import register_depth
from depthnet.geometry.se3 import invert_transform
from depthnet.io.depth import read_depth_png
from depthnet.io.images import open_image, read_rgb
from depthnet.io.text import read_text
from depthnet.io.trajectory import check_transform

# The authors scale the principal point by (w - 1) / (W - 1), we by pixel centres: a quarter pixel at most.
_SAME_CAMERA_PX = 1.0
_SAME_POSE = 1e-4
# K of another size has its principal point far from the middle.
_MIDDLE = 0.5
_SPLITS = ("train", "val", "test")

Size = tuple[int, int]


@dataclass(frozen=True)
class ScanNetCamera:
    """The two cameras of a scene, and whether depth is registered to colour."""

    where: Path
    """File or folder of the numbers, for messages."""
    K_depth: NDArray[np.float32]
    """In pixels of the depth maps, (3, 3)."""
    K_colour: NDArray[np.float32] | None
    """In pixels of the colour pictures, (3, 3); None where an export lacks it: depth counts as registered then."""
    T_colour_depth: NDArray[np.float64]
    """Depth camera to colour camera, metres, (4, 4)."""

    def pose(self, stored: NDArray[np.float64], where: str | Path) -> NDArray[np.float64] | None:
        """T_world_cam of the colour camera from the stored pose; None where tracking was lost."""
        pose = check_transform(stored, where)
        if pose is None or self._one_place:
            return pose
        T_world_colour: NDArray[np.float64] = pose @ invert_transform(self.T_colour_depth)
        return T_world_colour

    def align(self, depth: NDArray[np.float32], colour_size: Size) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Depth in the colour camera at depth's own size, and K.

        Args:
            depth: metres, (H, W).
            colour_size: (H, W) of the stored colour pictures.

        Raises:
            InputError: if a K is not in pixels of its pictures.
        """
        size = (depth.shape[0], depth.shape[1])
        check_principal_point(self.K_depth, size, self.where, _MIDDLE)
        if self._one_place and (self.K_colour is None or colour_size == size):
            return depth, self.K_depth
        if self.K_colour is None:
            raise InputError(f"{self.where}: depth is not registered and colour has no K; add intrinsic_color.txt.")
        check_principal_point(self.K_colour, colour_size, self.where, _MIDDLE)
        scale = size[0] / colour_size[0], size[1] / colour_size[1]
        K = np.asarray(scale_intrinsics(self.K_colour, *scale), dtype=np.float32)
        if self._one_place and np.abs(K - self.K_depth).max() < _SAME_CAMERA_PX:
            return depth, self.K_depth
        return register_depth(depth, self.K_depth, K, self.T_colour_depth, size), K

    @property
    def _one_place(self) -> bool:
        return bool(np.abs(self.T_colour_depth - np.eye(4)).max() < _SAME_POSE)


class ScanNetArchive(DepthDataset):
    """One scene in its ``.sens`` file."""

    format = "scannet"

    def __init__(self, path: str | Path) -> None:
        """Read the header; no frame is read.

        Raises:
            InputError: if the file is no ``.sens`` file, truncated in its header, or has unusable cameras.
        """
        self.path = Path(path)
        self.name = self.path.stem
        self._file = SensFile(self.path)
        header = self._file.header
        self._camera = build_camera(
            self.path, header.intrinsic_depth, header.intrinsic_colour, header.extrinsic_depth, header.extrinsic_colour
        )
        self.names = [f"{index:06d}" for index in range(header.frames)]

    def read_raw(self, index: int) -> RawSample:
        """Decode frame ``index``.

        Raises:
            InputError: if the archive ends before it, or its pictures or its pose are damaged.
        """
        depth, K = self._aligned(index)
        record = self._file.record(index)
        return RawSample(
            image=resize_image(self._file.read_colour(index), depth.shape),
            depth=depth,
            K=K,
            name=self.names[index],
            T_world_cam=self._camera.pose(record.T_world_cam, self._file.where(index, "pose")),
            time_s=record.time_s,
        )

    def read_depth(self, index: int) -> NDArray[np.float32]:
        """Decode the depth map of frame ``index`` alone."""
        return self._aligned(index)[0]

    def _aligned(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self._camera.align(self._file.read_depth(index), self._file.header.colour_size)


class ScanNetFolder(DepthDataset):
    """One exported scene."""

    format = "scannet"

    def __init__(self, path: str | Path) -> None:
        """List the frames and read the cameras; no pixel is read.

        Raises:
            InputError: if a frame lacks one of its three files, or the cameras are missing or unusable.
        """
        self.path = Path(path)
        self.name = self.path.resolve().name
        colours = files_by_stem(self.path / "color", IMAGE_SUFFIXES, "0.jpg, 1.jpg and so on")
        depths = files_by_stem(self.path / "depth", (".png",), "0.png, 1.png and so on")
        poses = files_by_stem(self.path / "pose", (".txt",), "0.txt, 1.txt and so on")
        check_partners(self.path, {"color/": colours, "depth/": depths, "pose/": poses})
        self._files = [(colours[stem], depths[stem], poses[stem]) for stem in colours]
        self.names = [f"{int(stem):06d}" if stem.isdecimal() else stem for stem in colours]
        if len(set(self.names)) < len(self.names):
            raise InputError(f"{self.path / 'color'}: two files of one frame number; keep one of them.")
        self._camera = _read_camera(self.path)

    def read_raw(self, index: int) -> RawSample:
        """Decode frame ``index``.

        Raises:
            InputError: if a picture or a pose is damaged, or depth is not 16-bit.
        """
        colour, depth_file, pose = self._files[index]
        image = read_rgb(colour)
        depth, K = self._camera.align(read_depth_png(depth_file), (image.shape[0], image.shape[1]))
        return RawSample(
            image=resize_image(image, depth.shape),
            depth=depth,
            K=K,
            name=self.names[index],
            T_world_cam=self._camera.pose(read_matrix(pose, 4, "camera to world"), pose),
        )

    def read_depth(self, index: int) -> NDArray[np.float32]:
        """Decode the depth map of frame ``index`` alone; of the picture only the size is read."""
        colour, depth_file, _ = self._files[index]
        with open_image(colour) as picture:
            size = (picture.height, picture.width)
        return self._camera.align(read_depth_png(depth_file), size)[0]


def open_scannet(path: str | Path, split: str | None = None) -> DepthDataset:
    """Open a ``.sens`` file, a scene's folder, or a folder with several of either.

    A folder that holds both forms of a scene is read from the archive, which is the original.

    Raises:
        InputError: if there is no scene, the split is unknown or empty, or a scene cannot be opened.
    """
    path = Path(path)
    if is_sens(path) or (_is_exported(path) and not _archives(path)):
        refuse_split(path, split)
        return _open_scene(path)
    if len(archives := _archives(path)) == 1:
        refuse_split(path, split)
        return ScanNetArchive(archives[0])
    scenes = {scene.stem: scene for scene in archives}
    for folder in subfolders(path):
        if is_scene(folder):
            scenes.setdefault(folder.name, folder)
    if not scenes:
        raise InputError(
            f"{path}: no ScanNet scene; expected NAME.sens, or color/ depth/ pose/ intrinsic/, or folders with them."
        )
    lists = {one: file for one in _SPLITS if (file := _split_file(path, one)) is not None}
    chosen: list[str] = list(scenes)
    absent: list[str] = []
    if not lists:
        refuse_split(path, split)
    elif split not in (None, "all"):
        chosen, absent = _chosen_scenes(path, lists, split, scenes)
    joined = JoinedSequences(path.resolve().name, "scannet", {name: _open_scene(scenes[name]) for name in chosen})
    joined.splits = tuple(lists)
    joined.left_out = {**joined.left_out, **dict.fromkeys(absent, f"listed in split {split}, but not there")}
    return joined


def looks_like_scannet(path: Path) -> bool:
    """Whether a path is an archive, a scene, or a folder of scenes and nothing else."""
    return is_sens(path) or is_scene(path) or holds_only(path, is_scene)


def is_sens(path: Path) -> bool:
    """Whether a path is a ``.sens`` file, by its name."""
    return path.suffix.lower() == ".sens" and path.is_file()


def is_scene(path: Path) -> bool:
    """Whether a folder holds a ``.sens`` file or an exported scene."""
    return path.is_dir() and (_is_exported(path) or bool(_archives(path)))


def build_camera(
    where: Path,
    intrinsic_depth: NDArray[np.float64],
    intrinsic_colour: NDArray[np.float64] | None,
    extrinsic_depth: NDArray[np.float64],
    extrinsic_colour: NDArray[np.float64],
) -> ScanNetCamera:
    """The cameras of a scene from its four 4x4 matrices.

    The extrinsics take a camera to the frame of the sensor, which in the authors' files is the colour camera: theirs is
    the identity and depth's is depth to colour.

    Raises:
        InputError: if a matrix is no camera or no rigid motion.
    """
    to_sensor = []
    for name, matrix in (("extrinsic_depth", extrinsic_depth), ("extrinsic_color", extrinsic_colour)):
        checked = check_transform(matrix, f"{where}: {name}")
        if checked is None:
            raise InputError(f"{where}: {name} has numbers that are not finite; expected a rigid motion: correct it.")
        to_sensor.append(checked)
    K_depth = check_intrinsics(intrinsic_depth, f"{where}: intrinsic_depth")
    K_colour = None if intrinsic_colour is None else check_intrinsics(intrinsic_colour, f"{where}: intrinsic_color")
    return ScanNetCamera(where, K_depth, K_colour, invert_transform(to_sensor[1]) @ to_sensor[0])


def resize_image(image: NDArray[np.uint8], size: tuple[int, ...]) -> NDArray[np.uint8]:
    """The picture at another size (H, W): bilinear, wide enough for what is left out when it becomes smaller."""
    if image.shape[:2] == size[:2]:
        return image
    return np.asarray(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR))


def _open_scene(path: Path) -> DepthDataset:
    if is_sens(path):
        return ScanNetArchive(path)
    archives = _archives(path)
    return ScanNetArchive(archives[0]) if archives else ScanNetFolder(path)


def _is_exported(path: Path) -> bool:
    return (path / "color").is_dir() and ((path / "pose").is_dir() or (path / "intrinsic").is_dir())


def _archives(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    return sorted((file for file in path.glob("*.sens") if file.is_file()), key=lambda file: natural_key(file.name))


def _read_camera(scene: Path) -> ScanNetCamera:
    """Cameras of ``intrinsic/``, or of ``intrinsics_depth.txt`` beside the folders (the authors' 25k subset)."""
    folder, prefix = (scene / "intrinsic", "intrinsic")
    if not folder.is_dir() and (scene / "intrinsics_depth.txt").is_file():
        folder, prefix = scene, "intrinsics"

    def matrix(name: str) -> NDArray[np.float64] | None:
        file = folder / name
        return read_matrix(file, 4, "a 4x4 matrix") if file.is_file() else None

    depth = matrix(f"{prefix}_depth.txt")
    if depth is None:
        raise InputError(
            f"{folder / f'{prefix}_depth.txt'}: is not there; expected the depth camera's 4x4 matrix: export it."
        )
    identity = np.eye(4)
    extrinsics = [matrix(f"extrinsic_{part}.txt") for part in ("depth", "color")]
    return build_camera(
        folder, depth, matrix(f"{prefix}_color.txt"), *(identity if one is None else one for one in extrinsics)
    )


def _split_file(path: Path, split: str) -> Path | None:
    candidates = (path / f"scannetv2_{split}.txt", path / f"{split}.txt")
    return next((file for file in candidates if file.is_file()), None)


def _chosen_scenes(
    path: Path, lists: dict[str, Path], split: str | None, scenes: dict[str, Path]
) -> tuple[list[str], list[str]]:
    if split not in lists:
        raise InputError(f"{path}: no split '{split}'; it lists {', '.join(lists)}; choose one, or --split all.")
    listed = read_text(lists[split]).split()
    chosen = [name for name in listed if name in scenes]
    if not chosen:
        raise InputError(f"{lists[split]}: none of its {len(listed)} scenes is in {path}; choose --split all.")
    return list(dict.fromkeys(chosen)), [name for name in listed if name not in scenes]
