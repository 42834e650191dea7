"""ScanNet: archives and exported scenes made byte by byte, cameras, poses and splits; damaged files."""

from __future__ import annotations

import io
import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from depthnet.data import open_dataset
from depthnet.data.rgbd.scannet import ScanNetArchive, open_scannet
from depthnet.errors import DepthNetError, InputError

COLOUR, DEPTH = (20, 27), (10, 13)  # (H, W)
K_COLOUR = np.array([[30.0, 0, 13, 0], [0, 31, 9.5, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
# As the authors scale it: f by w / W, the principal point by (w - 1) / (W - 1).
K_DEPTH = np.array([[30.0 * 13 / 27, 0, 6, 0], [0, 15.5, 4.5, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
POSE = np.array([[0.0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]])
LOST = np.full((4, 4), -np.inf)


def colour_of(frame: int) -> NDArray[np.uint8]:
    ramp = np.linspace(0, 200, COLOUR[1], dtype=np.uint8)
    return np.broadcast_to((ramp + frame)[None, :, None], (*COLOUR, 3)).copy()


def depth_of(frame: int) -> NDArray[np.uint16]:
    units = np.full(DEPTH, 1500 + frame, np.uint16)
    units[0, 0] = 0
    return units


def sens(**changes: Any) -> bytes:
    """The bytes of an archive of three frames; the second has lost its pose."""
    field = {
        "version": 4, "name": b"StructureSensor", "matrices": (K_COLOUR, np.eye(4), K_DEPTH, np.eye(4)),
        "codings": (2, 1), "sizes": (COLOUR[1], COLOUR[0], DEPTH[1], DEPTH[0]), "shift": 1000.0, "count": 3,
        "poses": (POSE, LOST, POSE),
    } | changes  # fmt: skip
    name: bytes = field["name"]
    blob = struct.pack("<IQ", field["version"], len(name)) + name
    blob += b"".join(np.asarray(matrix, "<f4").tobytes() for matrix in field["matrices"])
    blob += struct.pack("<2i4IfQ", *field["codings"], *field["sizes"], field["shift"], field["count"])
    for frame, pose in enumerate(field["poses"]):
        colour, depth = colour_of(frame).tobytes(), depth_of(frame).astype("<u2").tobytes()
        if field["codings"][0]:
            picture = io.BytesIO()
            Image.fromarray(colour_of(frame)).save(picture, "JPEG" if field["codings"][0] == 2 else "PNG", quality=95)
            colour = picture.getvalue()
        if field["codings"][1]:
            depth = zlib.compress(depth)
        stamps = struct.pack("<2Q", 33_333 * frame, 33_400 * frame)
        sizes = struct.pack("<2Q", len(colour), len(depth))
        blob += np.asarray(pose, "<f4").tobytes() + stamps + sizes + colour + depth
    return blob


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "scans/scene0000_00/scene0000_00.sens"
    path.parent.mkdir(parents=True)
    path.write_bytes(sens())
    return path


def export(root: Path, frames: int = 12) -> Path:
    """The folders that the authors' reader writes: unpadded numbers, '%f' matrices."""
    for part in ("color", "depth", "pose", "intrinsic"):
        (root / part).mkdir(parents=True)
    for i in range(frames):
        Image.fromarray(colour_of(i)).save(root / f"color/{i}.jpg", quality=95)
        Image.fromarray(depth_of(i)).save(root / f"depth/{i}.png")
        np.savetxt(root / f"pose/{i}.txt", LOST if i == 1 else POSE, fmt="%f")
    for name, matrix in (("intrinsic_color", K_COLOUR), ("intrinsic_depth", K_DEPTH)):
        np.savetxt(root / f"intrinsic/{name}.txt", matrix, fmt="%f")
    for name in ("extrinsic_color", "extrinsic_depth"):
        np.savetxt(root / f"intrinsic/{name}.txt", np.eye(4), fmt="%f")
    return root


def check_frames(data: Any) -> None:
    first, lost = data[0], data[1]
    assert first.image.shape == (3, *DEPTH)
    assert first.depth.shape == (1, *DEPTH)
    assert first.depth[0, 5, 5] == pytest.approx(1.5)
    assert first.valid.sum() == DEPTH[0] * DEPTH[1] - 1
    np.testing.assert_allclose(first.K, K_DEPTH[:3, :3], rtol=1e-6)
    np.testing.assert_allclose(first.T_world_cam, POSE)
    assert lost.T_world_cam is None
    # The ramp of 27 pixels is now one of 13, by pixel centres: x stands where (x + 0.5) 27 / 13 - 0.5 stood.
    ramp = 200 / 26 * ((np.arange(1, 12) + 0.5) * 27 / 13 - 0.5)
    np.testing.assert_allclose(first.image[0, 5, 1:-1] * 255, ramp, atol=3)
    np.testing.assert_array_equal(data.read_depth(2), data[2].depth[0])


def test_an_archive_is_read_in_place(archive: Path) -> None:
    for path in (archive, archive.parent):
        data = open_dataset(path)
        assert (data.format, data.name) == ("scannet", "scene0000_00")
        assert data.names == ["000000", "000001", "000002"]
        check_frames(data)
    late = open_dataset(archive)
    assert late[2].time_s == pytest.approx(0.066666), "the last frame first; microseconds"
    assert late[0].time_s is None, "a stamp of 0 was never set"
    assert pickle.loads(pickle.dumps(late))[1].name == "000001"


@pytest.mark.parametrize("codings", [(0, 0), (1, 1), (2, 0)])
def test_every_coding_gives_the_same(archive: Path, codings: tuple[int, int]) -> None:
    archive.write_bytes(sens(codings=codings))
    check_frames(open_dataset(archive))


def test_an_exported_scene(tmp_path: Path) -> None:
    data = open_dataset(export(tmp_path / "scene0001_00"))
    assert (data.format, data.names[2], data.names[11]) == ("scannet", "000002", "000011")
    assert data[11].depth.max() == pytest.approx(1.511), "10 and 11 come after 9"
    check_frames(data)
    assert data[0].time_s is None


def test_the_cameras_of_the_25k_subset_lie_beside_the_folders(tmp_path: Path) -> None:
    root = export(tmp_path / "scene0001_00", 2)
    for part in ("color", "depth"):
        (root / f"intrinsic/intrinsic_{part}.txt").rename(root / f"intrinsics_{part}.txt")
    for file in (root / "intrinsic").iterdir():
        file.unlink()
    (root / "intrinsic").rmdir()
    np.testing.assert_allclose(open_dataset(root)[0].K, K_DEPTH[:3, :3], rtol=1e-5)


def test_several_scenes_and_their_splits(archive: Path) -> None:
    scans = archive.parent.parent
    export(scans / "scene0001_00", 2)
    data = open_dataset(scans)
    assert data.sequences() == {"scene0000_00": [0, 1, 2], "scene0001_00": [3, 4]}
    assert data[3].name == "scene0001_00/000000"
    with pytest.raises(InputError, match="no split 'val'"):
        open_dataset(scans, split="val")
    (scans / "scannetv2_val.txt").write_text("scene0001_00\nscene0002_00\n", encoding="utf-8")
    validation = open_dataset(scans, split="val")
    assert validation.splits == ("val",)
    assert validation.names == ["scene0001_00/000000", "scene0001_00/000001"]
    assert validation.left_out == {"scene0002_00": "listed in split val, but not there"}
    with pytest.raises(InputError, match="no split 'train'; it lists val"):
        open_dataset(scans, split="train")
    (scans / "scannetv2_val.txt").write_text("scene0007_00\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"scannetv2_val\.txt: none of its 1 scenes is in"):
        open_dataset(scans, split="val")


def test_archives_side_by_side(archive: Path) -> None:
    archive.with_name("scene0010_00.sens").write_bytes(sens(count=1, poses=(POSE,)))
    assert open_dataset(archive.parent).names[-2:] == ["scene0000_00/000002", "scene0010_00/000000"]


def test_an_uncalibrated_recording_is_registered_and_its_poses_move(archive: Path) -> None:
    T_colour_depth = np.eye(4)
    T_colour_depth[0, 3] = 1.5 / (30.0 * 13 / 27)  # one pixel at 1.5 m
    archive.write_bytes(sens(matrices=(K_COLOUR, np.eye(4), K_DEPTH, T_colour_depth)))
    sample = open_dataset(archive)[0]
    assert sample.depth is not None
    assert (sample.depth[0, :, 0] == 0).all(), "the wall moved to the right"
    assert (sample.depth[0, 1:, 1:] > 1.49).all()
    # K is colour's at this size: (13 + 0.5) 13 / 27 - 0.5.
    np.testing.assert_allclose(sample.K, [[30 * 13 / 27, 0, 6], [0, 15.5, 4.5], [0, 0, 1]], rtol=1e-5)
    np.testing.assert_allclose(sample.T_world_cam, POSE @ np.linalg.inv(T_colour_depth), atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 3}, "version 3, .* expected a ScanNet .sens file of version 4"),
        ({"codings": (2, 2)}, "depth coding 2; expected .* export it to folders"),
        ({"codings": (5, 1), "poses": ()}, "colour coding 5"),
        ({"shift": 0.0}, "0 depth units per metre; expected 1 to 100000"),
        ({"shift": float("nan")}, "nan depth units per metre"),
        ({"count": 0}, "holds no frame"),
        ({"count": 10**15}, "truncated: 1000000000000000 frames need more than"),
        ({"sizes": (27, 20, 0, 10)}, "depth pictures of 0x10"),
        ({"matrices": (K_COLOUR, np.eye(4), np.zeros((4, 4)), np.eye(4))}, "intrinsic_depth: .* is no camera matrix"),
        ({"matrices": (K_COLOUR, np.eye(4), K_DEPTH, LOST)}, "extrinsic_depth has numbers that are not finite"),
    ],
)
def test_a_header_that_cannot_be_is_refused(archive: Path, changes: dict[str, Any], words: str) -> None:
    archive.write_bytes(sens(**changes))
    with pytest.raises(InputError, match=rf"scene0000_00\.sens.*{words}"):
        open_dataset(archive)


def test_a_truncated_archive_gives_the_frames_that_are_whole(archive: Path) -> None:
    whole = sens()
    archive.write_bytes(whole[:-20])
    data = open_dataset(archive)
    assert data[1].depth is not None
    with pytest.raises(InputError, match=rf"frame 2 of 3 ends at byte {len(whole)}, the file at {len(whole) - 20}"):
        data[2]
    archive.write_bytes(whole[:200])
    with pytest.raises(InputError, match="ends within its header"):
        open_dataset(archive)


def test_pictures_and_poses_that_do_not_fit_are_refused(archive: Path) -> None:
    for changes, words in (
        ({"sizes": (27, 21, 13, 10)}, "frame 0, colour: 27x20, but the header says 27x21"),
        ({"sizes": (27, 20, 13, 11)}, "frame 0, depth: 260 bytes; expected 286 for 13x11"),
        ({"sizes": (27, 20, 12, 10)}, "frame 0, depth: more than 240 bytes"),
        ({"poses": (POSE.T, POSE, POSE)}, "frame 0, pose: not a rigid motion"),
        ({"matrices": (K_COLOUR, np.eye(4), K_COLOUR, np.eye(4))}, r"principal point \(13, 9\.5\) is not that of"),
    ):
        archive.write_bytes(sens(**changes))
        with pytest.raises(InputError, match=words):
            open_dataset(archive)[0]


def test_exports_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    root = export(tmp_path / "scene0001_00", 2)
    Image.fromarray(np.zeros(DEPTH, np.uint8)).save(root / "depth/1.png")
    with pytest.raises(InputError, match=r"1\.png: 8-bit image; expected 16-bit depth in millimetres"):
        open_dataset(root)[1]
    (root / "depth/1.png").unlink()
    with pytest.raises(InputError, match=r"2 color/, 1 depth/, 2 pose/; frame '1' has no depth/"):
        open_dataset(root)
    Image.fromarray(depth_of(1)).save(root / "depth/1.png")
    (root / "intrinsic/intrinsic_depth.txt").rename(root / "intrinsic/lost.txt")
    with pytest.raises(InputError, match=r"intrinsic_depth\.txt: is not there; expected the depth camera's 4x4"):
        open_dataset(root)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 1), st.binary(max_size=8), st.booleans())
def test_fuzzed_archives_give_sound_frames_or_a_named_file(
    archive: Path, place: float, patch: bytes, cut: bool
) -> None:
    whole = sens()
    # Most of the interest is in the header and the first record.
    start = int(place**3 * len(whole))
    archive.write_bytes(whole[:start] + patch + (b"" if cut else whole[start + len(patch) :]))
    message, depths = "", []
    try:
        data = ScanNetArchive(archive)
        depths = [data[i].depth for i in range(min(3, len(data)))]
    except DepthNetError as error:
        message = str(error)
    assert message == "" or "scene0000_00.sens" in message
    assert all(np.isfinite(depth).all() and (depth >= 0).all() for depth in depths)


def test_a_path_without_a_scene(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no ScanNet scene; expected NAME\.sens, or color/ depth/ pose/ intrinsic/"):
        open_scannet(tmp_path)
