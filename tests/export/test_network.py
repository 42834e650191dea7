"""`depthnet export` from Python: from weights to a file that runs alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depthnet.checkpoint import ModelInfo, load_network, read_model_info, save_network
from depthnet.errors import InputError
from depthnet.export import export_onnx, ship
from depthnet.networks import build_network
from depthnet.predictor import load_model

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

OPTIONS = {"output_stride": 32, "decoder": [8, 8, 8, 8, 8]}
INFO = ModelInfo("tiny", "mobile", OPTIONS, (48, 64), 51.5, 0.001, 10.0, provenance={"seed": 1})


@pytest.fixture(scope="module")
def network() -> Any:
    torch.manual_seed(0)
    network = build_network("mobile", OPTIONS)
    with torch.no_grad():
        network.head.weight.normal_(std=0.3)  # depth that varies
    return network.eval()


@pytest.fixture
def weights(network: Any, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    save_network(path, network, INFO)
    return path


def run_onnx(path: Path, image: np.ndarray) -> np.ndarray:
    return load_model(path, device="cpu", threads=1).runtime.run(image)


def run_torch(network: Any, image: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return network(torch.from_numpy(image)).exp().clamp(INFO.min_depth, INFO.max_depth).numpy()


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).random((1, 3, 49, 66), dtype=np.float32)


def test_the_file_predicts_as_the_weights_do(weights: Path, network: Any, image: np.ndarray, tmp_path: Path) -> None:
    out = tmp_path / "new" / "m.onnx"
    assert export_onnx(weights, out) == out
    assert read_model_info(out) == INFO
    expected = run_torch(network, image)
    assert expected.std() / expected.mean() > 0.02
    np.testing.assert_allclose(run_onnx(out, image), expected, rtol=1e-3)


def test_of_a_run_the_best_on_validation_is_taken(network: Any, tmp_path: Path) -> None:
    for name in ("best", "last"):
        save_network(tmp_path / f"{name}.safetensors", network, ModelInfo(**{**vars(INFO), "name": name}))
    (tmp_path / "model.onnx").write_bytes(b"an earlier export")
    assert read_model_info(export_onnx(str(tmp_path), tmp_path / "m.onnx")).name == "best"


def test_nothing_is_replaced_unless_asked(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.onnx"
    out.write_bytes(b"old")
    with pytest.raises(InputError, match=r"m\.onnx: exists already; pass --overwrite"):
        export_onnx(weights, out)
    assert out.read_bytes() == b"old"
    export_onnx(weights, out, overwrite=True)
    assert read_model_info(out) == INFO


@pytest.mark.parametrize("name", ["m.pt", "m", "m.onnx.zip", "m.safetensors"])
def test_another_suffix_is_refused_before_any_work(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"an exported file ends in \.onnx; choose such a name for --out"):
        export_onnx(tmp_path / "absent.safetensors", tmp_path / name)


def test_a_model_without_weights_is_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.safetensors: has no \.safetensors weights"):
        export_onnx(tmp_path / "absent.safetensors", tmp_path / "m.onnx")
    exported = export_onnx(weights, tmp_path / "m.onnx")
    with pytest.raises(InputError, match=r"m\.onnx: has no \.safetensors weights"):
        export_onnx(exported, tmp_path / "n.onnx")
    assert not (tmp_path / "n.onnx").exists()


def test_both_shipped_files_hold_one_network(weights: Path, image: np.ndarray, tmp_path: Path) -> None:
    small, graph = ship(weights, "pocket", tmp_path / "models")
    assert (small.name, graph.name) == ("pocket.safetensors", "pocket.onnx")
    assert read_model_info(small) == read_model_info(graph) == ModelInfo(**{**vars(INFO), "name": "pocket"})
    assert small.stat().st_size < 0.6 * weights.stat().st_size
    rounded, _ = load_network(small)
    np.testing.assert_allclose(run_onnx(graph, image), run_torch(rounded, image), rtol=1e-4)  # rounded once, not twice
