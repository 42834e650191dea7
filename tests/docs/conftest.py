"""The folder of a reader: what the commands of README and site expect to find, as small as it can be."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def desk(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos, pairs of picture and depth, a video and two forms of NYU Depth v2, under the names that the pages use."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(project / "examples", folder / "examples")
    photo = Image.open(folder / "examples" / "office.jpg")
    small = photo.resize((160, 120))
    (folder / "photos").mkdir()
    small.save(folder / "photo.jpg")
    small.save(folder / "photos" / "first.jpg")
    small.rotate(3).save(folder / "photos" / "second.png")
    write_clip(folder / "clip.mp4", small)
    write_pairs(folder / "my_data", small)
    write_video(folder / "my_video")
    write_nyu_labeled(folder / "nyu_depth_v2_labeled.mat", photo)
    write_nyu_raw(folder / "nyu_depth_v2_raw" / "basement_0001a", photo)
    return folder


@pytest.fixture
def own_desk(desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the desk, which is the current folder."""
    folder = tmp_path / "desk"
    shutil.copytree(desk, folder)
    monkeypatch.chdir(folder)
    yield folder
    shutil.rmtree(folder)


def write_clip(path: Path, photo: Image.Image) -> None:
    """Six frames, 25 a second."""
    pytest.importorskip("av")
    from depthnet.io.video_writer import VideoWriter

    with VideoWriter(path, (120, 160), Fraction(1, 25), Fraction(25)) as writer:
        for index in range(6):
            writer.append(np.asarray(photo.rotate(index))[..., :3], Fraction(index, 25))


def write_pairs(folder: Path, photo: Image.Image) -> None:
    """The folder format."""
    for part in ("rgb", "depth"):
        (folder / part).mkdir(parents=True)
    (folder / "intrinsics.txt").write_text("131.25 131.25 79.5 59.5 160 120\n")
    ramp = np.linspace(1000, 4000, 160, dtype=np.uint16) * np.ones((120, 1), np.uint16)
    for index in range(16):
        photo.rotate(2 * index).save(folder / "rgb" / f"{index:04}.jpg")
        Image.fromarray(ramp).save(folder / "depth" / f"{index:04}.png")


def write_video(folder: Path) -> None:
    """A camera in a rendered room, with depth and poses."""
    from depthnet.cli import main

    words = "--rooms 1 --frames 12 --size 48 64 --step-s 0.0333 --no-shadows --workers 1"
    assert main(["prepare", "synthetic", "--out", str(folder), *words.split()]) == 0


def write_nyu_labeled(path: Path, photo: Image.Image) -> None:
    """The first frames of the labelled set in small, axes reversed as in the original."""
    h5py = pytest.importorskip("h5py")
    width, height, count = 64, 48, 16
    image = np.asarray(photo.resize((width, height)))
    depth = np.linspace(1, 4, width * height, dtype=np.float32).reshape(height, width)
    with h5py.File(path, "w", userblock_size=512) as file:
        file["images"] = np.repeat(image.transpose(2, 1, 0)[None], count, 0)
        file["depths"] = file["rawDepths"] = np.repeat(depth.T[None], count, 0)
        letters = np.frombuffer("kitchen_0001".encode("utf-16-le"), "<u2")[:, None]
        scene = file.create_dataset("#refs#/scene", data=letters).ref
        file.create_dataset("scenes", data=[[scene] * count], dtype=h5py.ref_dtype)


def write_nyu_raw(scene: Path, photo: Image.Image) -> None:
    """A scene of one frame of the raw dump."""
    from depthnet.prepare.nyu_raw.files import write_raw_frame

    disparity = np.full((480, 640), 900, np.uint16)
    disparity[100:140, 200:260] = 2047
    write_raw_frame(scene, 1294851097.5, disparity, np.asarray(photo.resize((640, 480)))[..., :3].copy())
