"""Point clouds and meshes: independent readers get the metres and colours back, upright."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from depthnet.errors import InputError, ShapeError
from depthnet.io.mesh import TEXTURE_SIDE, Mesh, write_mesh_glb, write_mesh_ply
from depthnet.io.pointcloud import write_points_glb, write_points_ply

trimesh = pytest.importorskip("trimesh")

RNG = np.random.default_rng(0)
POINTS = RNG.uniform(-2, 5, (50, 3)).astype(np.float32)
COLOURS = RNG.integers(0, 256, (50, 3), dtype=np.uint8)
UPRIGHT = np.array([1, -1, -1])
FACES = np.array([[0, 2, 1], [1, 2, 3]], np.int32)


@pytest.fixture
def mesh() -> Mesh:
    """A photo of 4 x 6 pixels, red above and blue below, on two triangles one metre away."""
    photo = np.zeros((4, 6, 3), np.uint8)
    photo[:2, :, 0], photo[2:, :, 2] = 250, 250
    points = np.array([[-1, -1, 1], [1, -1, 1], [-1, 1, 1], [1, 1, 1]], np.float32)
    uv = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32)
    return Mesh(points, FACES, np.array([[250, 0, 0]] * 2 + [[0, 0, 250]] * 2, np.uint8), uv, photo)


def linear(colours: np.ndarray) -> np.ndarray:
    """sRGB bytes in linear light (IEC 61966-2-1), worked out again."""
    share = colours / 255
    return np.where(share > 0.04045, ((share + 0.055) / 1.055) ** 2.4, share / 12.92)


def read_glb(path: Path) -> tuple[dict[str, Any], bytes]:
    """The two chunks of a GLB file, by the specification's layout."""
    content = path.read_bytes()
    magic, version, length, json_length, json_kind = struct.unpack_from("<4sIII4s", content)
    assert (magic, version, length, json_kind) == (b"glTF", 2, len(content), b"JSON")
    binary_length, binary_kind = struct.unpack_from("<I4s", content, 20 + json_length)
    assert (binary_kind, 28 + json_length + binary_length) == (b"BIN\0", len(content))
    return json.loads(content[20 : 20 + json_length]), content[28 + json_length :]


def test_ply_bytes(tmp_path: Path) -> None:
    write_points_ply(tmp_path / "a.ply", POINTS[:1], COLOURS[:1])
    header, _, body = (tmp_path / "a.ply").read_bytes().partition(b"end_header\n")
    assert header.startswith(b"ply\nformat binary_little_endian 1.0\ncomment depthnet: metres; x right, y up, ")
    assert b"element vertex 1\n" in header
    assert body == (POINTS[0] * UPRIGHT).astype("<f4").tobytes() + COLOURS[0].tobytes()


def test_a_cloud_is_upright_in_every_format(tmp_path: Path) -> None:
    write_points_ply(tmp_path / "a.ply", POINTS, COLOURS)
    cloud = trimesh.load(tmp_path / "a.ply")
    np.testing.assert_allclose(cloud.vertices, POINTS * UPRIGHT, rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(cloud.colors)[:, :3], COLOURS)
    write_points_glb(tmp_path / "a.glb", POINTS, COLOURS)
    (cloud,) = trimesh.load(tmp_path / "a.glb").geometry.values()
    np.testing.assert_allclose(cloud.vertices, POINTS * UPRIGHT, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(cloud.colors)[:, :3], 255 * linear(COLOURS), atol=0.51)


def test_glb_says_all_that_a_viewer_needs(tmp_path: Path, mesh: Mesh) -> None:
    write_points_glb(tmp_path / "a.glb", POINTS, COLOURS)
    tree, content = read_glb(tmp_path / "a.glb")
    (primitive,) = tree["meshes"][0]["primitives"]
    assert primitive["mode"] == 0
    position = tree["accessors"][primitive["attributes"]["POSITION"]]
    upright = POINTS * UPRIGHT
    np.testing.assert_allclose([position["min"], position["max"]], [upright.min(axis=0), upright.max(axis=0)])
    colour = tree["accessors"][primitive["attributes"]["COLOR_0"]]
    view = tree["bufferViews"][colour["bufferView"]]
    stored = np.frombuffer(content, "<f4", 150, view["byteOffset"]).reshape(50, 3)
    np.testing.assert_allclose(stored, linear(COLOURS), rtol=1e-6)
    assert tree["materials"][primitive["material"]]["extensions"] == {"KHR_materials_unlit": {}}
    write_mesh_glb(tmp_path / "m.glb", mesh)
    tree, content = read_glb(tmp_path / "m.glb")
    assert all(view["byteOffset"] % 4 == 0 for view in tree["bufferViews"])
    assert tree["accessors"][tree["meshes"][0]["primitives"][0]["indices"]]["count"] == 6


def test_a_mesh_shows_the_photo_upright(tmp_path: Path, mesh: Mesh) -> None:
    write_mesh_glb(tmp_path / "m.glb", mesh)
    (read,) = trimesh.load(tmp_path / "m.glb", process=False).geometry.values()
    np.testing.assert_allclose(read.vertices, mesh.points * UPRIGHT)
    np.testing.assert_array_equal(read.faces, FACES)
    assert (read.face_normals[:, 2] > 0).all(), "both face the camera, which looks along -z"
    texture = np.asarray(read.visual.material.baseColorTexture)
    np.testing.assert_allclose(texture[0, :, 0].astype(int), 250, atol=12)
    top = read.vertices[:, 1] > 0
    assert (read.visual.uv[top, 1] == 1).all(), "the upper corners show the photo's top (trimesh counts v from below)"
    assert (read.visual.uv[~top, 1] == 0).all()
    write_mesh_ply(tmp_path / "m.ply", mesh)
    read = trimesh.load(tmp_path / "m.ply", process=False)
    np.testing.assert_allclose(read.vertices, mesh.points * UPRIGHT)
    np.testing.assert_array_equal(read.faces, FACES)
    np.testing.assert_array_equal(read.visual.vertex_colors[:, :3], mesh.colours)


def test_a_large_photo_is_reduced_for_the_texture(tmp_path: Path, mesh: Mesh) -> None:
    photo = np.zeros((2, 2 * TEXTURE_SIDE, 3), np.uint8)
    write_mesh_glb(tmp_path / "m.glb", Mesh(mesh.points, mesh.faces, mesh.colours, mesh.uv, photo))
    tree, content = read_glb(tmp_path / "m.glb")
    view = tree["bufferViews"][tree["images"][0]["bufferView"]]
    picture = Image.open(io.BytesIO(content[view["byteOffset"] :][: view["byteLength"]]))
    assert picture.size == (TEXTURE_SIDE, 1)


def test_refusals(tmp_path: Path, mesh: Mesh) -> None:
    with pytest.raises(ShapeError):
        write_points_ply(tmp_path / "a.ply", POINTS.T, COLOURS)
    with pytest.raises(ShapeError):
        write_points_ply(tmp_path / "a.ply", POINTS, COLOURS.astype(np.float32))
    with pytest.raises(ShapeError, match="at least one point"):
        write_points_glb(tmp_path / "a.glb", POINTS[:0], COLOURS[:0])
    with pytest.raises(ShapeError, match="at least one triangle"):
        write_mesh_glb(tmp_path / "m.glb", Mesh(mesh.points, FACES[:0], mesh.colours, mesh.uv, mesh.photo))
    write_points_ply(tmp_path / "a.ply", POINTS[:0], COLOURS[:0])
    with pytest.raises(InputError, match="exists"):
        write_points_ply(tmp_path / "a.ply", POINTS, COLOURS, overwrite=False)
