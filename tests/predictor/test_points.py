"""A photo in three dimensions: a room of known size comes back from its files, upright, in metres and whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from depthnet.errors import InputError
from depthnet.predictor import DepthModel, Prediction, predict_files
from depthnet.predictor.prediction import grid_stride

trimesh = pytest.importorskip("trimesh")

#: Walls of a room around a camera that looks along z: axis and place in metres, camera axes, and colour.
WALLS = {
    "left": (0, -1.5, (200, 30, 30)),
    "right": (0, 2.0, (30, 200, 30)),
    "ceiling": (1, -1.2, (240, 240, 240)),
    "floor": (1, 1.4, (120, 80, 40)),
    "back": (2, 4.0, (30, 30, 200)),
}
TO_CAMERA = np.array([1, -1, -1])


@pytest.fixture(scope="module")
def room() -> Prediction:
    """The room with exact depth; a box stands 2 m away, its edge blurred over three pixels."""
    height, width, focal = 60, 80, 50.0
    y, x = np.mgrid[:height, :width]
    rays = np.stack([(x - 39.5) / focal, (y - 29.5) / focal, np.ones_like(x, float)], axis=-1)
    with np.errstate(divide="ignore"):
        depths = np.stack([at / rays[..., axis] for axis, at, _ in WALLS.values()])
    depths[depths <= 0] = np.inf
    depth = depths.min(axis=0)
    colours = np.array([colour for *_, colour in WALLS.values()], np.uint8)[depths.argmin(axis=0)]
    colours[25:36, 30:41] = (250, 250, 0)
    rim = np.maximum(abs(y - 30), abs(x - 35))  # 5: edge of the box
    nearness = np.clip((8 - rim) / 3, 0, 1)
    depth = depth + nearness * (2.0 - depth)
    return Prediction(depth.astype(np.float32), colours, focal, "--focal-px", "room")


def check_walls(points: np.ndarray, colours: np.ndarray, at_least: float) -> None:
    """Points of each colour lie on their wall to a millimetre, and most of its pixels are there."""
    for axis, at, colour in WALLS.values():
        mine = points[(np.abs(colours.astype(int) - colour) < 3).all(axis=1)]
        distance = np.abs(mine[:, axis] - at)
        assert np.quantile(distance, at_least) < 1e-3
        assert np.sqrt(np.mean(np.sort(distance)[: int(at_least * len(mine))] ** 2)) < 1e-3


def test_a_room_comes_back_from_its_files(room: Prediction, tmp_path: Path) -> None:
    files = room.save(tmp_path, ("ply", "glb", "mesh", "mesh-ply"))
    assert [file.name for file in files] == ["room_points.ply", "room_points.glb", "room_mesh.glb", "room_mesh.ply"]
    points, colours = room.points()
    for file in (files[0], files[1], files[3]):
        scene = trimesh.load(file, process=False)
        read = next(iter(scene.geometry.values())) if file.suffix == ".glb" else scene
        seen = np.asarray(read.visual.vertex_colors if file.name.endswith("mesh.ply") else read.colors)[:, :3]
        vertices = read.vertices * TO_CAMERA
        assert vertices[:, 1].min() == pytest.approx(-1.2), "the ceiling is up"
        if file == files[1]:  # linear light: order is kept, values are not
            seen = colours
        check_walls(vertices, seen, 0.97)
        assert abs(len(read.vertices) - len(points)) < 40
    (mesh,) = trimesh.load(files[2], process=False).geometry.values()
    texture = np.asarray(mesh.visual.material.baseColorTexture).astype(int)
    assert texture.shape == (60, 80, 3)
    x, y = np.rint(mesh.visual.uv * (80, 60) - 0.5).astype(int).T
    np.testing.assert_array_equal(mesh.vertices[:, 2], -room.depth[59 - y, x])


def test_nothing_flies_between_box_and_wall(room: Prediction) -> None:
    points, colours = room.points()
    everything, all_colours = room.points(flying=True)
    assert len(everything) == 60 * 80
    behind = (everything[:, 2] > 2.3) & (everything[:, 2] < 3.4)
    between = behind & (all_colours == WALLS["back"][2]).all(axis=1)
    assert between.sum() > 50, "the blurred edge flies"
    kept = points[(colours == WALLS["back"][2]).all(axis=1)]
    left = (kept[:, 2] > 2.3) & (kept[:, 2] < 3.4)
    assert left.sum() <= 8, "the two pixels of each corner, which no row or column crosses between two steps"
    box = points[(colours == (250, 250, 0)).all(axis=1)]
    assert len(box) == 121, "the box itself is whole"
    sides = room.mesh().points[room.mesh().faces][..., 2]
    assert (np.ptp(sides, axis=1) < 1.0).all(), "no triangle goes from box to wall"


def test_points_are_those_of_the_pixels(room: Prediction) -> None:
    points, colours = room.points(flying=True)
    pixels = points @ room.K.T
    x, y = (pixels[:, :2] / pixels[:, 2:]).T.reshape(2, 60, 80)
    np.testing.assert_allclose(x, np.broadcast_to(np.arange(80), (60, 80)), atol=1e-3)
    np.testing.assert_allclose(y.T, np.broadcast_to(np.arange(60), (80, 60)), atol=1e-3)
    np.testing.assert_array_equal(colours.reshape(60, 80, 3), room.image)


@pytest.mark.parametrize(("limit", "stride"), [(4800, 1), (4799, 2), (1200, 2), (1199, 3), (1, 80)])
def test_a_limit_takes_every_second_pixel(room: Prediction, limit: int, stride: int) -> None:
    points, colours = room.points(limit, flying=True)
    assert len(points) == -(-60 // stride) * -(-80 // stride) <= limit
    whole, whole_colours = room.points(flying=True)
    np.testing.assert_allclose(points, whole.reshape(60, 80, 3)[::stride, ::stride].reshape(-1, 3), rtol=1e-5)
    np.testing.assert_array_equal(colours, whole_colours.reshape(60, 80, 3)[::stride, ::stride].reshape(-1, 3))


def test_a_large_photo_stays_below_the_limit() -> None:
    assert grid_stride((3024, 4032), 1_000_000) == 4
    assert grid_stride((480, 640), 1_000_000) == 1
    assert grid_stride((1, 4_000_000), 1_000_000) == 4
    with pytest.raises(InputError, match="--max-points 0: give 1 or more"):
        grid_stride((2, 2), 0)


@pytest.mark.parametrize("camera", [{"focal_px": 100.0}, {"fov_deg": 60.0}, {}])
def test_the_cloud_has_the_photos_camera(model: DepthModel, tmp_path: Path, camera: dict[str, float]) -> None:
    """A white photo is 5 m * f / f_train away; its width there follows from the same f."""
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = 24
    Image.new("RGB", (64, 48), "white").save(tmp_path / "white.jpg", exif=exif)
    (result,) = predict_files(model, [tmp_path / "white.jpg"], formats="ply", max_points=500, **camera)
    focal = {"focal_px": 100.0, "fov_deg": 32 / np.tan(np.pi / 6)}.get(next(iter(camera), ""), 24 * 80 / 43.2666)
    assert result.focal_px == pytest.approx(focal, rel=1e-4)
    cloud = trimesh.load(result.written[0])
    assert len(cloud.vertices) == 16 * 22, "every third pixel"
    metres = 5 * focal / 51.88579
    np.testing.assert_allclose(cloud.vertices[:, 2], -metres, rtol=1e-3)
    assert cloud.vertices[:, 0].min() == pytest.approx(-31.5 * metres / focal, rel=1e-3)
