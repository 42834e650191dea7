"""Clouds and meshes of files, drawn and turned."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from depthnet.config import ShowConfig
from depthnet.errors import InputError
from depthnet.io.scene import Scene3D, read_scene
from depthnet.predictor import Prediction
from depthnet.show import build_page, show_path
from depthnet.show.cloud import SIZE, choose_view, draw_points

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
RED, GREEN, BLUE, GREY = (200, 10, 10), (10, 200, 10), (10, 10, 200), (90, 90, 90)


@pytest.fixture
def photo() -> Prediction:
    """A wall 3 m away, red above and blue below, left half darker; a green square 1.5 m away in the middle."""
    image = np.zeros((60, 80, 3), np.uint8)
    image[:30], image[30:], image[25:35, 35:45] = RED, BLUE, GREEN
    image[:, :40][image[:, :40] == 200] = 120
    depth = np.full((60, 80), 3.0, np.float32)
    depth[25:35, 35:45] = 1.5
    return Prediction(depth, image, 80.0, "--focal-px", "photo")


def share(picture: np.ndarray, colour: tuple[int, int, int]) -> float:
    return float((np.abs(picture.astype(int) - colour) < 12).all(axis=2).mean())


@pytest.mark.parametrize("name", ["photo_points.ply", "photo_points.glb", "photo_mesh.glb", "photo_mesh.ply"])
def test_a_file_is_drawn_as_the_photo_was_seen(photo: Prediction, tmp_path: Path, name: str) -> None:
    photo.save(tmp_path, ("ply", "glb", "mesh", "mesh-ply"))
    page = build_page(tmp_path / name, ShowConfig())
    kind = "mesh of 9," if "mesh" in name else "cloud of 4,800 points"
    assert page.subtitle.startswith(kind)
    picture = np.asarray(page.rows[0].panels[0])
    assert picture.shape == (*SIZE, 3)
    white = (picture == 255).all(axis=2)
    rows, columns = (np.flatnonzero(~white.all(axis=axis)) for axis in (1, 0))
    inside = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert inside.shape[0] > 400, "it fills the picture"
    assert (inside == 255).all(axis=2).mean() < 0.01, "no holes"
    height, width = inside.shape[:2]
    right = inside[:, round(0.6 * width) : -5]
    assert share(right[5 : round(0.4 * height)], RED) > 0.9, "red is above, and its brighter half on the right"
    assert share(right[round(0.6 * height) : -5], BLUE) > 0.9
    assert share(inside[round(0.45 * height) : round(0.55 * height), width // 2 + 8 : width // 2 + 28], GREEN) > 0.7


def test_the_nearest_point_is_in_front_and_moves_against_the_eye() -> None:
    wall = np.stack(np.meshgrid(np.linspace(-2, 2, 81), np.linspace(-1.5, 1.5, 61)), axis=-1).reshape(-1, 2)
    points = np.concatenate([np.column_stack([wall, np.full(len(wall), -4.0)]), [[0, 0, -2]] * 3]).astype(np.float32)
    colours = np.concatenate([np.full((len(wall), 3), 90), [GREEN] * 3]).astype(np.uint8)
    scene = Scene3D(points, colours, 0)
    view = choose_view(points)
    assert view.distance == 4
    places = []
    for turn in ((0, 0), (10, 0), (0, 10)):
        y, x = np.nonzero((np.asarray(draw_points(scene, view, *turn)) == GREEN).all(axis=2))
        places.append((x.mean(), y.mean()))
    assert places[0] == pytest.approx((SIZE[1] / 2, SIZE[0] / 2), abs=3)
    assert places[1][0] < places[0][0] - 50, "seen from the right, what is near stands farther left"
    assert places[2][1] > places[0][1] + 50, "seen from above, it stands lower"


def test_points_around_the_origin_are_seen_from_outside(tmp_path: Path) -> None:
    directions = np.random.default_rng(0).normal(size=(2000, 3))
    points = (directions / np.linalg.norm(directions, axis=1)[:, None]).astype(np.float32)
    view = choose_view(points)
    assert view.distance == pytest.approx(2.5, rel=0.05)
    picture = np.asarray(draw_points(Scene3D(points, np.full((2000, 3), 90, np.uint8), 0), view, 0, 0))
    drawn = (picture == 90).all(axis=2)
    assert not drawn[[0, -1]].any()
    assert np.ptp(np.nonzero(drawn)[0]) > 0.8 * SIZE[0], "it fills the picture"


def test_the_page_turns_the_points_and_runs_no_other_script(photo: Prediction, tmp_path: Path) -> None:
    photo.save(tmp_path, "glb")
    text = show_path(tmp_path / "photo_points.glb", ShowConfig(out=str(tmp_path / "p.html"))).path.read_text("utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in text
    assert not re.findall(r'(?:href|src)="(?!data:)', text)
    facts = json.loads(html.unescape(re.findall(r'data-facts="([^"]*)"', text)[0]))
    content = base64.b64decode(re.findall("<template>([^<]*)</template>", text)[0])
    places = np.frombuffer(content, "<i2", 3 * facts["count"]).reshape(-1, 3) / 32767 * facts["scale"]
    scene = read_scene(tmp_path / "photo_points.glb")
    middle = [0, 0, np.median(scene.points[:, 2])]
    np.testing.assert_allclose(places + middle, scene.points, atol=facts["scale"] / 32000)
    np.testing.assert_array_equal(np.frombuffer(content, np.uint8, offset=6 * facts["count"]), scene.colours.ravel())


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine (Debian: apt install chromium)")
def test_a_browser_draws_the_view(photo: Prediction, tmp_path: Path) -> None:
    photo.save(tmp_path, "ply")
    page = show_path(tmp_path / "photo_points.ply", ShowConfig(out=str(tmp_path / "p.html"))).path
    subprocess.run(
        [str(BROWSER), "--headless", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
         "--hide-scrollbars", "--window-size=1600,800", "--virtual-time-budget=4000",
         f"--screenshot={tmp_path / 'shot.png'}", page.as_uri()],
        capture_output=True, timeout=180, check=True,
    )  # fmt: skip
    shot = np.asarray(Image.open(tmp_path / "shot.png").convert("RGB"))
    assert share(shot[150:350, 800:1450], RED) > 0.15
    assert share(shot[350:650, 800:1450], BLUE) > 0.15


def test_colours_and_axes_are_read_back(photo: Prediction, tmp_path: Path) -> None:
    photo.save(tmp_path, ("ply", "glb", "mesh"))
    points, colours = photo.points()
    for name in ("photo_points.ply", "photo_points.glb"):
        scene = read_scene(tmp_path / name)
        np.testing.assert_allclose(scene.points, points * [1, -1, -1], rtol=1e-6)
        np.testing.assert_allclose(scene.colours.astype(int), colours, atol=7 if name.endswith("glb") else 0)
    mesh = read_scene(tmp_path / "photo_mesh.glb")
    assert mesh.faces > 9000
    assert (np.abs(mesh.colours.astype(int) - photo.mesh().colours).max(axis=1) < 40).mean() > 0.9, "JPEG of the photo"


def test_files_that_are_none(tmp_path: Path) -> None:
    for name in ("junk.ply", "junk.glb"):
        (tmp_path / name).write_bytes(b"ply\nno")
        with pytest.raises(InputError, match=rf"{name}: (no whole|holds no)"):
            build_page(tmp_path / name, ShowConfig())
    with pytest.raises(InputError, match="no such file"):
        show_path(tmp_path / "none.ply")
