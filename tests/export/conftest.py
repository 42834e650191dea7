"""A tiny network with random weights, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from depthnet.checkpoint import ModelInfo, save_network

OPTIONS = {"output_stride": 32, "decoder": [8, 8, 8, 8, 8]}


@pytest.fixture(scope="session")
def info() -> ModelInfo:
    return ModelInfo("tiny", "mobile", OPTIONS, (48, 64), 51.5, 0.001, 10.0, provenance={"seed": 1})


@pytest.fixture(scope="session")
def network() -> Any:
    """A network whose depth varies over the picture."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from depthnet.networks import build_network

    torch.manual_seed(0)
    network = build_network("mobile", OPTIONS)
    with torch.no_grad():
        network.head.weight.normal_(std=0.3)
    return network.eval()


@pytest.fixture(scope="session")
def weights(network: Any, info: ModelInfo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_network(path, network, info)
    return path
