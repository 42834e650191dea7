"""In-filling of one 640x480 sensor frame by colorization: ours against SciPy's direct solve of the same system.

Both run in a process of their own, held to one thread before any library starts, and take turns there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthnet.benchmark.timing import measure, result
from depthnet.errors import DepthNetError

SIZE = (480, 640)
REPEATS = 3
_ONE_THREAD = {
    f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "BLIS", "VECLIB_MAXIMUM", "NUMBA")
}


def run() -> dict[str, dict[str, Any]]:
    """Seconds per frame on one core, and the largest relative difference of the two results.

    Raises:
        DepthNetError: if the process that measures fails.
    """
    done = subprocess.run(
        [sys.executable, "-m", "depthnet.benchmark.infill"],
        env={**os.environ, **_ONE_THREAD}, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it was stopped"]
        raise DepthNetError(f"benchmark infill: exit {done.returncode}, {said[-1]}")
    figures: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return figures


def compare(image: NDArray[np.uint8], depth: NDArray[np.float64], repeats: int = REPEATS) -> dict[str, dict[str, Any]]:
    """Time both on one frame, in this process and its threads."""
    from depthnet.prepare.infill import infill_colorization, infill_colorization_reference

    difference = np.abs(infill_colorization(image, depth) / infill_colorization_reference(image, depth) - 1).max()
    seconds = measure(
        {
            "ours": lambda: infill_colorization(image, depth),
            "rival": lambda: infill_colorization_reference(image, depth),
        },
        repeats,
        warmup=0,
    )
    return {
        "infill": result(
            seconds["ours"], seconds["rival"], "SciPy spsolve of the published system",
            f"s per {depth.shape[1]}x{depth.shape[0]} frame, {np.mean(depth == 0):.1%} unknown, 1 core, "
            f"largest relative difference {difference:.1e}",
            difference=float(difference),
        )
    }  # fmt: skip


def build_frame(size: tuple[int, int] = SIZE, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A drawn room with the holes of a structured-light sensor, about 11 % of the frame.

    Boxes with texture stand before a wall and a floor. Unknown are the shadow on the left of each box (the projector
    stands to the right of the camera), shiny blobs, a border strip and single pixels.

    Returns:
        RGB, (H, W, 3) uint8, and depth in metres, (H, W); 0 where unknown.
    """
    rng = np.random.default_rng(seed)
    height, width = size
    y, x = np.mgrid[0:height, 0:width] / np.array([[[height]], [[width]]])
    depth = np.minimum(4.0 + 0.6 * x, 1.2 / np.maximum(y - 0.35, 1e-3))
    colour = np.stack([0.6 + 0.2 * x, 0.55 + 0.15 * y, 0.5 - 0.2 * y], axis=-1)
    unknown = rng.random(size) < 0.003
    for _ in range(12):
        left, top = rng.uniform(0.03, 0.85), rng.uniform(0.1, 0.75)
        box = (x >= left) & (x < left + rng.uniform(0.05, 0.25)) & (y >= top) & (y < top + rng.uniform(0.1, 0.35))
        distance = rng.uniform(0.8, 3.2)
        shadow = 0.04 * (1 / distance - 0.25)
        unknown |= (x >= left - shadow) & (x < left) & box.any(axis=1)[:, None] & (depth > distance)
        front = box & (depth > distance)
        depth[front], colour[front] = distance, rng.uniform(0.05, 0.95, 3)
        unknown &= ~front | (rng.random(size) < 0.003)
    for _ in range(7):
        radius = rng.uniform(0.01, 0.045)
        unknown |= ((x - rng.random()) * width / height) ** 2 + (y - rng.random()) ** 2 < radius**2
    unknown |= (x < 0.008) | (x > 0.992) | (y < 0.01) | (y > 0.99)
    coarse = Image.fromarray(rng.integers(0, 256, (height // 6, width // 6), dtype=np.uint8))
    texture = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)) / 255 - 0.5
    colour += 0.12 * texture[..., None] + rng.normal(0, 0.008, (*size, 3))
    depth += rng.normal(0, 0.002, size) * depth**2
    return (colour.clip(0, 1) * 255).astype(np.uint8), np.where(unknown, 0.0, depth)


if __name__ == "__main__":
    print(json.dumps(compare(*build_frame()), ensure_ascii=False))
