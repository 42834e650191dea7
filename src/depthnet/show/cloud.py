"""The page of a point cloud or mesh: a picture from beside the camera, and on an HTML page a view that turns."""

from __future__ import annotations

import base64
import json
import math
from dataclasses import dataclass
from functools import cached_property
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthnet.io.images import RGB
from depthnet.io.scene import SUFFIXES, Scene3D, read_scene
from depthnet.pages.page import Page, Row
from depthnet.pages.web import inline_picture

SIZE = (540, 720)
"""(H, W) of the picture."""
TURNS = {"from the camera": (0.0, 0.0), "from its right, above": (18.0, 10.0)}
"""What is seen -> how far the eye goes around the middle, degrees: to the right, and up."""
MOST_DRAWN, MOST_TURNABLE = 2_000_000, 200_000
"""Points of a picture and of a view that turns; of more, as many are drawn by lot."""
STYLE = """
.turn { position: relative; width: 720px; max-width: 94vw }
.turn canvas { display: block; width: 100%; touch-action: none; cursor: grab; background: #fff }
"""
_NEAR_GROWS = 1.6
"""Squares of near points are at most so many times as large as the gaps."""


@dataclass(frozen=True)
class View:
    """Where a picture of points is taken from: the eye circles a point in their middle and looks at it."""

    middle: NDArray[np.float32]
    """What the eye looks at, (3,)."""
    distance: float
    """From the eye to the middle."""
    focal: float
    """Focal length in heights of the picture."""

    def camera_points(self, points: NDArray[np.float32], right_deg: float, up_deg: float) -> NDArray[np.float32]:
        """Points as the eye sees them: x right, y up, distance along the view, (N, 3)."""
        a, b = math.radians(right_deg), math.radians(up_deg)
        turn = np.array([[math.cos(a), 0, -math.sin(a)], [0, 1, 0], [math.sin(a), 0, math.cos(a)]])
        tilt = np.array([[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
        seen: NDArray[np.float32] = (points - self.middle) @ (tilt @ turn).T.astype(np.float32)
        seen[:, 2] = self.distance - seen[:, 2]
        return seen


def is_scene(path: Path) -> bool:
    """Whether a path is a PLY or GLB file by its name."""
    return path.is_file() and path.suffix.lower() in SUFFIXES


def build_cloud_page(path: Path) -> Page:
    """Show a PLY or GLB file, of a cloud or a mesh.

    Raises:
        InputError: if it cannot be read or holds no point.
    """
    scene = read_scene(path)
    kind = f"mesh of {scene.faces:,} triangles, {len(scene.points):,} corners" if scene.faces else (
        f"cloud of {len(scene.points):,} points")  # fmt: skip
    low, high = np.percentile(scene.points, (1, 99), axis=0)
    x, y, z = (f"{a:.2f} to {b:.2f}" for a, b in zip(low, high))
    turnable = min(len(scene.points), MOST_TURNABLE)
    return Page(
        title=path.name,
        subtitle=kind,
        headings=tuple(TURNS),
        rows=(
            Row("", (f"x {x}, y {y}, z {z} (98 % of the points; metres in depthnet's files)",), build_panels(scene)),
        ),
        notes=(
            "The eye stands where the camera stood when all points lie before the origin, along -z with y up, as "
            "depthnet and glTF have it.",
            f"On an HTML page the last view turns: drag, wheel, arrow keys; it has {turnable:,} of the points.",
        ),
        style=STYLE,
        script=(files("depthnet.show") / "turnable.js").read_text(encoding="utf-8"),
    )


def build_panels(scene: Scene3D) -> tuple[Image.Image | Turnable, ...]:
    """A panel for each of :data:`TURNS`; the last one turns on an HTML page."""
    view = choose_view(scene.points)
    *still, last = TURNS.values()
    return (*(draw_points(scene, view, *turn) for turn in still), Turnable(scene, view, *last))


def choose_view(points: NDArray[np.float32]) -> View:
    """The camera's own place and direction where all points lie before it, else one that sees them all from outside."""
    middle = np.median(points, axis=0).astype(np.float32)
    if float(points[:, 2].max()) < 0:
        middle, distance = middle * np.array([0, 0, 1], np.float32), float(-middle[2])
    else:
        distance = 2.5 * float(np.percentile(np.linalg.norm(points - middle, axis=1), 90)) or 1.0
    reach = 1e-3
    for turn in TURNS.values():
        seen = View(middle, distance, 1.0).camera_points(points, *turn)
        seen = seen[seen[:, 2] > 0.05 * distance]
        across, up = np.percentile(np.abs(seen[:, :2]) / seen[:, 2:], 98, axis=0).tolist()
        reach = max(reach, up, across * SIZE[0] / SIZE[1])
    return View(middle, distance, 0.47 / reach)


def draw_points(
    scene: Scene3D, view: View, right_deg: float, up_deg: float, size: tuple[int, int] = SIZE
) -> Image.Image:
    """Draw points as squares, the nearest in front (z-buffer), on white.

    Squares are as large as the gaps between the points would be if these filled the picture, and larger where nearer.
    """
    points, colours = _by_lot(scene, MOST_DRAWN)
    height, width = size
    seen = view.camera_points(points, right_deg, up_deg)
    z = seen[:, 2]
    shown = np.flatnonzero(z > 0.05 * view.distance)
    z = z[shown]
    x = width / 2 + view.focal * height * seen[shown, 0] / z
    y = height / 2 - view.focal * height * seen[shown, 1] / z
    spacing = 1.2 * math.sqrt(width * height / max(len(shown), 1))
    sides = np.ceil(spacing * np.clip(view.distance / z, 1, _NEAR_GROWS))
    left, top = (np.floor(v - (sides - 1) / 2 + 0.5).astype(np.int64) for v in (x, y))
    # Depth in the high half of a key, the point in the low one: the least key of a pixel is its nearest point.
    keys = (z.astype(np.float32).view(np.uint32).astype(np.uint64) << np.uint64(32)) | shown.astype(np.uint64)
    nearest = np.full(height * width, np.iinfo(np.uint64).max)
    for down in range(int(sides.max(initial=1))):
        for across in range(int(sides.max(initial=1))):
            column, row = left + across, top + down
            inside = (sides > max(down, across)) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
            np.minimum.at(nearest, row[inside] * width + column[inside], keys[inside])
    picture = np.full((height * width, 3), 255, np.uint8)
    hit = nearest != np.iinfo(np.uint64).max
    picture[hit] = colours[(nearest[hit] & np.uint64(0xFFFFFFFF)).astype(np.intp)]
    return Image.fromarray(picture.reshape(height, width, 3))


@dataclass(frozen=True)
class Turnable:
    """A view of points that turns on an HTML page; elsewhere, and where the browser has no WebGL, a picture."""

    scene: Scene3D
    view: View
    right_deg: float
    up_deg: float

    def picture(self) -> Image.Image:
        """The view as it is at first."""
        return self._picture

    def html(self, alt: str) -> str:
        """The picture, and the points from which ``turnable.js`` makes the view: places as 16-bit numbers of a cube
        around the middle, then 8-bit colours."""
        points, colours = _by_lot(self.scene, MOST_TURNABLE)
        offsets = points - self.view.middle
        scale = float(np.abs(offsets).max()) or 1.0
        places = np.rint(offsets / scale * 32767).astype("<i2")
        facts: dict[str, Any] = {
            "count": len(points), "scale": scale, "distance": self.view.distance, "focal": self.view.focal,
            "right": self.right_deg, "up": self.up_deg, "height": SIZE[0], "width": SIZE[1],
        }  # fmt: skip
        content = base64.b64encode(places.tobytes() + colours.tobytes()).decode("ascii")
        return (
            f'<div class="turn" data-facts="{escape(json.dumps(facts))}">'
            f'<img alt="{escape(alt)}" src="{inline_picture(self.picture())}"><template>{content}</template></div>'
        )

    @cached_property
    def _picture(self) -> Image.Image:
        return draw_points(self.scene, self.view, self.right_deg, self.up_deg)


def _by_lot(scene: Scene3D, most: int) -> tuple[NDArray[np.float32], RGB]:
    """At most so many points, the same ones each time."""
    if len(scene.points) <= most:
        return scene.points, scene.colours
    chosen = np.sort(np.random.default_rng(0).choice(len(scene.points), most, replace=False))
    return scene.points[chosen], scene.colours[chosen]
