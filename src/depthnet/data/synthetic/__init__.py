"""Rooms made from a seed: pictures with exact depth, cameras and stereo, without any download.

    room = build_room(seed=0, number=7)
    scene = pack_scene(room.scene)
    K = nyu_like_intrinsics((240, 320))
    walk = Walk(room, scene, 0, 7, K, (240, 320))
    rendering = render(scene, K, walk.pose(0.0), (240, 320))    # depth in metres, linear light
    image = develop(rendering.light, meter(rendering.light, rng), rng)

`shapes` and `tracing` find what rays meet, `surfaces`, `textures` and `light` what it looks like, `render` and `sensor`
make the picture; `palette`, `pieces`, `furniture_*`, `things` and `fixtures` build furniture, `arrangement`, `recipes`
and `room` furnish, `path` moves the camera. All arrays are NumPy's, or torch's on any device after
``pack_scene(...).on(device)``.
"""

from depthnet.data.synthetic.path import SECONDS_PER_VIEW, Walk, nyu_like_intrinsics
from depthnet.data.synthetic.render import Rendering, render, render_depth
from depthnet.data.synthetic.room import Room, build_room
from depthnet.data.synthetic.scene import Light, PackedScene, Scene, lamp, pack_scene
from depthnet.data.synthetic.sensor import Exposure, develop, meter

__all__ = [
    "SECONDS_PER_VIEW",
    "Exposure",
    "Light",
    "PackedScene",
    "Rendering",
    "Room",
    "Scene",
    "Walk",
    "build_room",
    "develop",
    "lamp",
    "meter",
    "nyu_like_intrinsics",
    "pack_scene",
    "render",
    "render_depth",
]
