"""The shipped network as 8-bit integers against its float32 file, both in ONNX Runtime."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from depthnet.benchmark.timing import measure, result
from depthnet.checkpoint import shipped_file
from depthnet.export import quantise
from depthnet.export.network import blobs
from depthnet.predictor import load_model, network_input

REPEATS = 31
MODEL = "mobile"


def run() -> dict[str, dict[str, Any]]:
    """Seconds per picture at the network's size on all cores of this process; the pictures do not change the speed."""
    float32 = load_model(MODEL, device="cpu")
    height, width = float32.info.input_size
    images = [network_input(blobs(seed=seed), (height, width)) for seed in range(8)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        layers = quantise(shipped_file(MODEL), path, float32.info, images)
        int8 = load_model(path, device="cpu")
        seconds = measure(
            {"ours": lambda: int8.runtime.run(images[0]), "rival": lambda: float32.runtime.run(images[0])}, REPEATS, 3
        )
        return {
            "export": result(
                seconds["ours"], seconds["rival"], "its float32 file",
                f"s per {width}x{height} picture, bare {MODEL}",
                integer_layers=layers.integer, layers=layers.integer + layers.float32,
                ours_mb=path.stat().st_size / 1e6, rival_mb=shipped_file(MODEL).stat().st_size / 1e6,
            )
        }  # fmt: skip
