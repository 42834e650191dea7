"""Stereo scenes of a few pixels, in Middlebury's layout: one textured wall each, at a known distance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 48, 64
FOCAL_PX, BASELINE_M, DOFFS = 60.0, 0.2, 2.0


def write_wall(folder: Path, disparity_px: int, seed: int, truth: bool = True) -> None:
    """A wall at f·b / (disparity + doffs) metres: left pixel x shows right pixel x - disparity."""
    folder.mkdir(parents=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 24, 3), dtype=np.uint8)
    wide = Image.fromarray(coarse).resize((2 * WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    for name, first in (("im0", 20 - disparity_px), ("im1", 20)):
        wide.crop((first, 0, first + WIDTH, HEIGHT)).save(folder / f"{name}.png")
    (folder / "calib.txt").write_text(
        f"cam0=[{FOCAL_PX} 0 31.5; 0 {FOCAL_PX} 23.5; 0 0 1]\n"
        f"cam1=[{FOCAL_PX} 0 {31.5 + DOFFS}; 0 {FOCAL_PX} 23.5; 0 0 1]\n"
        f"doffs={DOFFS}\nbaseline={1000 * BASELINE_M}\nwidth={WIDTH}\nheight={HEIGHT}\n"
    )
    if truth:
        values = np.full((HEIGHT, WIDTH), disparity_px, "<f4")
        (folder / "disp0.pfm").write_bytes(f"Pf\n{WIDTH} {HEIGHT}\n-1\n".encode() + values.tobytes())


def depth_of(disparity_px: float) -> float:
    """Depth of such a wall, metres."""
    return FOCAL_PX * BASELINE_M / (disparity_px + DOFFS)
