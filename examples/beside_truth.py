"""Photo, predicted depth and measured depth side by side, in one colour range, as a PNG.

    python examples/beside_truth.py PHOTO DEPTH.png OUT.png [--depth-scale 5000] [--focal-px F] [--model mobile]

The measured depth is a 16-bit PNG with DEPTH_SCALE units per metre (1000 for depthnet's own, 5000 for TUM RGB-D).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import depthnet
from depthnet.io.depth import colourise_depth, read_depth_png, write_depth_colour
from depthnet.io.files import atomic_path
from depthnet.metrics import depth_metrics


def main() -> None:
    """Read, predict, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo")
    parser.add_argument("depth")
    parser.add_argument("out")
    parser.add_argument("--depth-scale", type=float, default=1000.0)
    parser.add_argument("--focal-px", type=float)
    parser.add_argument("--model", default="mobile")
    options = parser.parse_args()

    prediction = depthnet.load_model(options.model).predict(options.photo, focal_px=options.focal_px)
    truth = read_depth_png(options.depth, scale=options.depth_scale)
    valid = truth > 0
    near, far = (float(value) for value in np.percentile(truth[valid], (2, 98)))
    with tempfile.TemporaryDirectory() as folder:
        measured = Path(folder) / "measured.png"  # with the scale in metres on its right
        write_depth_colour(measured, truth, min_depth=near, max_depth=far, valid=valid)
        panels = [
            prediction.image,
            colourise_depth(prediction.depth, min_depth=near, max_depth=far),
            np.asarray(Image.open(measured).convert("RGB")),
        ]
    with atomic_path(options.out) as temporary:
        Image.fromarray(np.concatenate(panels, axis=1)).save(temporary, optimize=True)
    scores = depth_metrics(prediction.depth, truth, valid)
    print(f"{options.out}: {near:.2f} to {far:.2f} m, delta1 {scores['delta1']:.3f}, abs_rel {scores['abs_rel']:.3f}")


if __name__ == "__main__":
    main()
