"""`depthnet export` from Python: from weights to a file that runs alone, checked against PyTorch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from depthnet.checkpoint import ModelInfo, load_network, read_model_info, save_network
from depthnet.errors import InputError
from depthnet.export import export_onnx, ship
from depthnet.export.network import LIMIT, largest_difference
from depthnet.io.images import read_rgb
from depthnet.onnx_file import write_onnx
from depthnet.predictor import load_model

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytestmark = pytest.mark.usefixtures("one_thread")


def run_onnx(path: Path, image: np.ndarray) -> np.ndarray:
    return load_model(path, device="cpu", threads=1).runtime.run(image)


def run_torch(network: Any, info: ModelInfo, image: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return network(torch.from_numpy(image)).exp().clamp(info.min_depth, info.max_depth).numpy()


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).random((1, 3, 49, 66), dtype=np.float32)


def test_the_file_predicts_as_the_weights_do(
    weights: Path, network: Any, info: ModelInfo, image: np.ndarray, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "m.onnx"
    done = export_onnx(weights, out)
    assert (done.path, done.float16) == (out, True)
    assert read_model_info(out) == info
    expected = run_torch(network, info, image)
    assert expected.std() / expected.mean() > 0.02
    np.testing.assert_allclose(run_onnx(out, image), expected, rtol=1e-3)


def test_on_a_photo_the_shipped_network_s_file_is_that_of_pytorch(project: Path, tmp_path: Path) -> None:
    photo = read_rgb(project / "examples" / "office.jpg")
    done = export_onnx("mobile", tmp_path / "m.onnx", photo=photo)
    assert 0 < done.difference < LIMIT


def test_a_file_that_computes_something_else_is_refused(
    weights: Path, network: Any, info: ModelInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, _ = load_network(weights)
    with torch.no_grad():
        other.head.bias += 0.02  # every depth is two hundredths farther

    def write_other(path: Path, network: Any, info: ModelInfo, half: bool) -> None:
        write_onnx(path, other, info, half)

    monkeypatch.setattr("depthnet.export.network.write_onnx", write_other)
    with pytest.raises(InputError, match=r"m\.onnx: would differ from PyTorch by 0\.02\d* of its output, more than 0"):
        export_onnx(weights, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_weights_that_float16_would_spoil_stay_float32(
    weights: Path, network: Any, info: ModelInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = export_onnx(weights, tmp_path / "half.onnx")
    monkeypatch.setattr("depthnet.export.network.LIMIT", half.difference / 2)
    full = export_onnx(weights, tmp_path / "full.onnx")
    assert (half.float16, full.float16) == (True, False)
    assert full.difference < half.difference / 2
    assert full.path.stat().st_size > 1.7 * half.path.stat().st_size


def test_the_difference_is_that_of_the_worst_pixel(network: Any, info: ModelInfo, tmp_path: Path) -> None:
    clipped = replace(info, max_depth=2.0)
    write_onnx(tmp_path / "m.onnx", network, clipped, half=False)
    photo = np.random.default_rng(3).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    assert largest_difference(tmp_path / "m.onnx", network, clipped, photo) < 1e-4
    small = torch.from_numpy(np.ascontiguousarray(photo[::2, ::2].transpose(2, 0, 1)[None] / np.float32(255)))
    with torch.inference_mode():
        farthest = float(network(small).exp().max())
    assert farthest > 2.0, "nothing is clipped: this would prove nothing"
    found = largest_difference(tmp_path / "m.onnx", network, info, photo)
    assert found == pytest.approx(1 - 2.0 / min(farthest, 10.0), abs=0.2)


def test_a_pose_network_is_checked_too(tmp_path: Path) -> None:
    from depthnet.networks import build_pose_network

    torch.manual_seed(0)
    pose = build_pose_network("pose-features", {"depth": "mobile"})
    info = ModelInfo("p", "pose-features", pose.file_options, pose.input_size, 50.0, 0.001, 10.0, task="pose")
    save_network(tmp_path / "p.safetensors", pose, info)
    done = export_onnx(tmp_path / "p.safetensors", tmp_path / "p.onnx")
    assert done.difference < LIMIT


def test_of_a_run_the_best_on_validation_is_taken(network: Any, info: ModelInfo, tmp_path: Path) -> None:
    for name in ("best", "last"):
        save_network(tmp_path / f"{name}.safetensors", network, replace(info, name=name))
    (tmp_path / "model.onnx").write_bytes(b"an earlier export")
    assert read_model_info(export_onnx(str(tmp_path), tmp_path / "m.onnx").path).name == "best"


def test_nothing_is_replaced_unless_asked(weights: Path, info: ModelInfo, tmp_path: Path) -> None:
    out = tmp_path / "m.onnx"
    out.write_bytes(b"old")
    with pytest.raises(InputError, match=r"m\.onnx: exists already; pass --overwrite"):
        export_onnx(weights, out)
    assert out.read_bytes() == b"old"
    export_onnx(weights, out, overwrite=True)
    assert read_model_info(out) == info


@pytest.mark.parametrize("name", ["m.pt", "m", "m.onnx.zip", "m.safetensors"])
def test_another_suffix_is_refused_before_any_work(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"an exported file ends in \.onnx; choose such a name for --out"):
        export_onnx(tmp_path / "absent.safetensors", tmp_path / name)


def test_a_model_without_weights_is_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.safetensors: has no \.safetensors weights"):
        export_onnx(tmp_path / "absent.safetensors", tmp_path / "m.onnx")
    exported = export_onnx(weights, tmp_path / "m.onnx").path
    with pytest.raises(InputError, match=r"m\.onnx: has no \.safetensors weights"):
        export_onnx(exported, tmp_path / "n.onnx")
    assert not (tmp_path / "n.onnx").exists()


def test_both_shipped_files_hold_one_network(weights: Path, info: ModelInfo, image: np.ndarray, tmp_path: Path) -> None:
    small, graph = ship(weights, "pocket", tmp_path / "models")
    assert (small.name, graph.name) == ("pocket.safetensors", "pocket.onnx")
    assert read_model_info(small) == read_model_info(graph) == replace(info, name="pocket")
    assert small.stat().st_size < 0.6 * weights.stat().st_size
    rounded, _ = load_network(small)
    np.testing.assert_allclose(run_onnx(graph, image), run_torch(rounded, info, image), rtol=1e-4)  # rounded once


def test_ten_lines_run_an_exported_file_without_depthnet(project: Path, weights: Path, tmp_path: Path) -> None:
    script = (project / "examples" / "onnx_alone.py").read_text(encoding="utf-8")
    lines = [line for line in script.splitlines() if line and not line.startswith(("#", "import", "from"))]
    assert len(lines) <= 10
    export_onnx(weights, tmp_path / "model.onnx")
    Image.open(project / "examples" / "office.jpg").save(tmp_path / "photo.jpg", quality=95)
    blocked = "import sys\nsys.modules.update(dict.fromkeys(['depthnet', 'torch', 'onnx']))\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{blocked}{script}\nnp.save('metres.npy', metres)"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ours = load_model(tmp_path / "model.onnx").depth_at_network_size(read_rgb(tmp_path / "photo.jpg"), 518.9)
    theirs = np.load(tmp_path / "metres.npy")
    assert theirs.shape == ours.shape
    assert np.median(np.abs(theirs / ours - 1)) < 0.05  # Pillow's bicubic and its box average are two pictures
