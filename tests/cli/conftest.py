"""A tiny ONNX model and tiny data, so that every command runs in an instant."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from depthnet.cli import main


@dataclass
class Outcome:
    """What a command line gave."""

    code: int
    out: str
    err: str


class Shell:
    """Runs command lines in this process and keeps what they print."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self.capture = capture

    def __call__(self, *words: object) -> Outcome:
        self.capture.readouterr()
        code = main([str(word) for word in words])
        return Outcome(code, *self.capture.readouterr())


@pytest.fixture
def depthnet(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Run a `depthnet` command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return Shell(capsys)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX model whose depth is 1 m + the mean of the three channels."""
    from onnx import TensorProto, helper, save_model

    from depthnet.checkpoint import METADATA_KEY, ModelInfo

    info = ModelInfo("tiny", "mobile", {}, (48, 64), 50.0, 0.001, 10.0)
    image, depth = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", channels, "h", "w"])
        for name, channels in (("image", 3), ("depth", 1))
    )
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=1),
        helper.make_node("Add", ["mean", "one"], ["depth"]),
    ]
    constants = [
        helper.make_tensor("axes", TensorProto.INT64, [1], [1]),
        helper.make_tensor("one", TensorProto.FLOAT, [], [1.0]),
    ]
    graph = helper.make_graph(nodes, "tiny", [image], [depth], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: info.to_json()})
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    save_model(model, path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of three small photos."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index, name in enumerate(("a", "b", "c")):
        pixels = np.random.default_rng(index).integers(0, 255, (30 + index, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """A folder of three pairs of image and depth (2 m left, 3 m right), with intrinsics."""
    folder = tmp_path / "pairs"
    for part in ("rgb", "depth"):
        (folder / part).mkdir(parents=True)
    (folder / "intrinsics.txt").write_text("50 50 31.5 23.5 64 48\n")
    depth = np.full((48, 64), 2000, np.uint16)
    depth[:, 32:] = 3000
    for name in ("0000", "0001", "0002"):
        Image.new("RGB", (64, 48), (90, 120, 150)).save(folder / "rgb" / f"{name}.png")
        Image.fromarray(depth).save(folder / "depth" / f"{name}.png")
    return folder
