"""Prediction of one 640x480 photo: ours against Depth Anything V2 Small, whole and in parts.

Depth Anything V2 Small: Yang et al. 2024; 24.8 M parameters, its own setting of 518 pixels on the short side
(518x686 for 4:3). Its weights are random here: they do not change the speed.
"""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthnet.benchmark.timing import measure, result
from depthnet.checkpoint import ModelInfo
from depthnet.predictor import DepthModel, load_model
from depthnet.predictor.resize import network_input, network_size

PHOTO = (480, 640)
FOCAL_PX = 518.8579
RIVAL_SIZE = (518, 686)
RIVAL = "Depth Anything V2 Small at 518x686, ONNX Runtime"
REPEATS = 9


def run() -> dict[str, dict[str, Any]]:
    """Seconds per photo on all cores of this process."""
    rng = np.random.default_rng(0)
    # A photo with structure at every scale, so that the decoder and the encoder of its file work as on a real one.
    coarse = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
    photo = np.asarray(coarse.resize(PHOTO[::-1], Image.Resampling.BICUBIC))
    model = load_model()
    with tempfile.TemporaryDirectory() as folder:
        functions = {**_ours(model, photo, Path(folder)), **_unet(Path(folder))}
        rival = _rival(Path(folder), photo)
        if rival is not None:
            functions["rival"] = rival
        seconds = measure(functions, REPEATS, warmup=2)
    slow = seconds.get("rival")
    return {
        "predict": result(seconds["network size"], slow, RIVAL, "s per photo, pixels to metres at the network's size"),
        "predict-files": result(seconds["files"], slow, RIVAL, "s per photo, JPEG to 16-bit PNG at the photo's size"),
        "predict-overhead": result(
            seconds["network size"], seconds["bare"], "the bare network (a ratio of 0.625 is 1.6 times)", "s per photo"
        ),
        "predict-unet": result(seconds["unet"], slow, RIVAL, "s per image, bare unet at 224x320"),
    }


def _ours(model: DepthModel, photo: NDArray[np.uint8], folder: Path) -> dict[str, Callable[[], object]]:
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=92)
    source = folder / "photo.jpg"
    source.write_bytes(buffer.getvalue())
    ready = network_input(photo, network_size(*PHOTO, model.info.input_size))
    return {
        "network size": lambda: model.depth_at_network_size(photo, FOCAL_PX),
        "bare": lambda: model.runtime.run(ready),
        "files": lambda: model.predict(source).save(folder, formats=("png",), overwrite=True),
    }


def _unet(folder: Path) -> dict[str, Callable[[], object]]:
    """The original U-Net, random weights, exported as a user would."""
    from depthnet.networks import build_network
    from depthnet.onnx_file import write_onnx

    info = ModelInfo("unet", "unet", {}, (224, 320), 259.4, 0.001, 10.0)
    write_onnx(folder / "unet.onnx", build_network("unet").eval(), info)
    model = load_model(folder / "unet.onnx")
    ready = np.random.default_rng(0).random((1, 3, 224, 320), dtype=np.float32)
    return {"unet": lambda: model.runtime.run(ready)}


def build_rival() -> Any:
    """Depth Anything V2 Small with random weights, a PyTorch module.

    Raises:
        ImportError: without transformers.
    """
    import transformers

    backbone: Any = transformers.Dinov2Config(  # type: ignore[call-arg]
        hidden_size=384, num_hidden_layers=12, num_attention_heads=6, image_size=518, patch_size=14,
        out_indices=[3, 6, 9, 12], apply_layernorm=True, reshape_hidden_states=False,
    )  # fmt: skip
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone, patch_size=14, reassemble_hidden_size=384, neck_hidden_sizes=[48, 96, 192, 384],
        fusion_hidden_size=64, head_hidden_size=32,
    )  # fmt: skip
    network: Any = transformers.DepthAnythingForDepthEstimation(config)
    return network.eval()


def _rival(folder: Path, photo: NDArray[np.uint8]) -> Callable[[], object] | None:
    """Resize and network of the rival, or None where transformers is not installed."""
    try:
        network = build_rival()
    except ImportError:
        return None
    import onnxruntime
    import torch

    class Depth(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            depth: torch.Tensor = self.network(image).predicted_depth
            return depth

    path = folder / "rival.onnx"
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its sizes become constants, as they are here
        torch.onnx.export(Depth(), (torch.rand(1, 3, *RIVAL_SIZE),), str(path), opset_version=18, dynamo=False)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def predict() -> object:
        small = Image.fromarray(photo).resize(RIVAL_SIZE[::-1], Image.Resampling.BICUBIC)
        pixels = np.asarray(small, np.float32).transpose(2, 0, 1)[None] / 255
        return session.run(None, {name: np.ascontiguousarray(pixels)})

    return predict
