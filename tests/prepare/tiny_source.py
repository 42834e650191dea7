"""A source of tiny scenes, in a module of its own so that other processes can import it.

Its folder has a file SCENE.json for each scene; what stands there may go wrong when the scene is read. Every scene that
is begun is noted in ``begun.txt`` beside the folder.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from depthnet.errors import InputError
from depthnet.prepare.source import DroppedFrame, PreparedFrame

SIZE = (24, 32)


def make_scenes(folder: Path, names: str, **trouble: dict[str, Any]) -> Path:
    """Write a folder of scenes with one letter each.

    Args:
        folder: the folder.
        names: the letters.
        trouble: letter -> ``{"bad": True}``: it cannot be read after its first frame; ``{"drop": [1]}``: these frames
            are faulty; ``{"seconds": 1}``: each frame takes so long; ``{"die": n}``: its process is killed in its
            second frame, n times.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.json").write_text(json.dumps(trouble.get(name, {})))
    return folder


def begun(folder: Path) -> list[str]:
    """Scenes that were begun since the last look, sorted."""
    log = folder.with_name("begun.txt")
    lines = sorted(log.read_text().split()) if log.exists() else []
    log.unlink(missing_ok=True)
    return lines


@dataclass(frozen=True)
class TinyOptions:
    """Options of the source."""

    count: int = 3
    """Frames of a scene."""
    video: bool = False
    """Give times, poses, right pictures and another camera to every frame."""


class TinySource:
    """Scenes of seeded noise."""

    name = "tiny"

    def __init__(self, path: str | Path, options: TinyOptions | None = None) -> None:
        self.path = Path(path)
        self.options = options or TinyOptions()

    def scenes(self) -> list[str]:
        return sorted(file.stem for file in self.path.glob("*.json"))

    def count_frames(self, scene: str) -> int:
        return self.options.count

    def frames(self, scene: str) -> Iterator[PreparedFrame | DroppedFrame]:
        with self.path.with_name("begun.txt").open("a") as log:
            log.write(scene + "\n")
        trouble = json.loads((self.path / f"{scene}.json").read_text())
        for number in range(self.options.count):
            time.sleep(trouble.get("seconds", 0))
            if number == 1:
                self._go_wrong(scene, trouble)
            if number in trouble.get("drop", []):
                yield DroppedFrame(f"{number:03d}", "truncated: 100 of 614400 bytes, cut")
            else:
                yield tiny_frame(scene, number, self.options.video)

    def _go_wrong(self, scene: str, trouble: dict[str, Any]) -> None:
        if trouble.get("bad"):
            raise InputError(f"{scene}.zip: cut off after 1 frame; fetch it again.")
        dead = self.path.with_name(f"dead_{scene}")
        deaths = len(dead.read_text()) if dead.exists() else 0
        if deaths < trouble.get("die", 0):
            dead.write_text("x" * (deaths + 1))
            os.kill(os.getpid(), 9)


def tiny_frame(scene: str, number: int, video: bool = False) -> PreparedFrame:
    """A frame that depends on nothing but scene and number."""
    rng = np.random.default_rng([number, *scene.encode()])
    image, right = (rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8) for _ in range(2))
    depth = rng.integers(500, 9000, SIZE).astype(np.float32) / np.float32(1000)
    depth[0, 0] = 0.0
    K = np.array([[30.125, 0, 15.5], [0, 30.25, 11.75], [0, 0, 1.0]])
    if not video:
        return PreparedFrame(f"{number:03d}", image, depth, K)
    T_world_cam = np.eye(4)
    T_world_cam[:3, 3] = 0.1 * number, -0.2, 0.3
    T_world_cam[:2, :2] = [[np.cos(number), -np.sin(number)], [np.sin(number), np.cos(number)]]
    K[0, 0] += number
    return PreparedFrame(f"{number:03d}", image, depth, K, 10.0 + number / 30, T_world_cam, right, 0.075)
