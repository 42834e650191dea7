"""A tiny ONNX model whose answer is known: depth = 1 + 4 * mean of the pixel's channels, in metres."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from depthnet.checkpoint import METADATA_KEY, ModelInfo
from depthnet.predictor import DepthModel, load_model

INFO = ModelInfo("tiny", "tiny", {}, (24, 32), 25.942895, 0.001, 10.0)


@pytest.fixture(scope="session")
def write_tiny_onnx() -> Callable[..., Path]:
    """Writes the model to a path; ``metadata=None`` leaves depthnet's metadata out."""
    onnx = pytest.importorskip("onnx")

    def write(path: Path, metadata: str | None = INFO.to_json(), input_name: str = "image") -> Path:
        node, tensor, kind = onnx.helper.make_node, onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
        graph = onnx.helper.make_graph(
            [
                node("ReduceMean", [input_name], ["mean"], axes=[1], keepdims=1),
                node("Mul", ["mean", "four"], ["scaled"]),
                node("Add", ["scaled", "one"], ["depth"]),
            ],
            "tiny",
            [tensor(input_name, kind, ["batch", 3, "height", "width"])],
            [tensor("depth", kind, ["batch", 1, "height", "width"])],
            [
                onnx.numpy_helper.from_array(np.float32(4), "four"),
                onnx.numpy_helper.from_array(np.float32(1), "one"),
            ],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
        if metadata is not None:
            onnx.helper.set_model_props(model, {METADATA_KEY: metadata})
        onnx.save(model, str(path))
        return path

    return write


@pytest.fixture(scope="session")
def tiny_onnx(tmp_path_factory: pytest.TempPathFactory, write_tiny_onnx: Callable[..., Path]) -> Path:
    return write_tiny_onnx(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture(scope="session")
def model(tiny_onnx: Path) -> DepthModel:
    return load_model(tiny_onnx, device="cpu", threads=1)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with three photos, 48 x 64, in flat greys: depth 1, 3 and 5 metres."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, grey in (("a.png", 0), ("b.jpg", 128), ("c.webp", 255)):
        Image.new("RGB", (64, 48), (grey, grey, grey)).save(folder / name)
    return folder
