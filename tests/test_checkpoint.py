"""Model files: what is written is read back, and a file that cannot be used is one line."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depthnet import checkpoint
from depthnet.checkpoint import (
    FORMAT_VERSION,
    RUN_MODELS,
    SHIPPED,
    ModelInfo,
    file_sha256,
    load_network,
    load_weights,
    read_model_info,
    resolve_model,
    resolve_weights,
    save_network,
)
from depthnet.errors import InputError
from depthnet.networks import NETWORKS, build_network

torch = pytest.importorskip("torch")

OPTIONS = {"output_stride": 32, "decoder": [8, 8, 8, 8, 8]}
INFO = ModelInfo(
    name="tiny Ü",
    network="mobile",
    network_options=OPTIONS,
    input_size=(48, 64),
    training_focal_px=51.5,
    min_depth=0.001,
    max_depth=10.0,
    provenance={"data": {"name": "set", "count": 3}, "command": 'depthnet train --data "a b"'},
    scores={"abs_rel": 0.123},
)


def refusal(call: Callable[..., Any], *arguments: Any) -> str:
    """The one line with which a call refuses its arguments."""
    with pytest.raises(InputError) as caught:
        call(*arguments)
    line = str(caught.value)
    assert "\n" not in line
    return line


@pytest.fixture(scope="module")
def network() -> Any:
    torch.manual_seed(3)
    network = build_network("mobile", OPTIONS)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if "running" in name:
                value.copy_(torch.rand(value.shape) + 0.5)
    return network.eval()


@pytest.fixture
def file(network: Any, tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_network(path, network, INFO)
    return path


def rewrite(file: Path, header: Callable[[dict[str, Any]], Any]) -> Path:
    """Change the JSON header of a safetensors file and leave its data."""
    blob = file.read_bytes()
    (length,) = struct.unpack("<Q", blob[:8])
    text = json.dumps(header(json.loads(blob[8 : 8 + length]))).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + blob[8 + length :])
    return file


def with_info(file: Path, **changes: Any) -> Path:
    """Change fields of what the file says about itself; None removes a field."""

    def change(header: dict[str, Any]) -> dict[str, Any]:
        fields = {**json.loads(header["__metadata__"]["depthnet"]), **changes}
        header["__metadata__"]["depthnet"] = json.dumps({k: v for k, v in fields.items() if v is not None})
        return header

    return rewrite(file, change)


# --- round trip -----------------------------------------------------------------------------------------


def test_float32_comes_back_bit_for_bit(network: Any, file: Path) -> None:
    loaded, info = load_network(file)
    assert info == INFO
    assert not loaded.training
    state = loaded.state_dict()
    for name, value in network.state_dict().items():
        assert torch.equal(state[name], value), name
    image = torch.rand(1, 3, 33, 47)
    with torch.no_grad():
        assert torch.equal(loaded(image), network(image))


def test_memory_layout_does_not_reach_the_file(network: Any, file: Path, tmp_path: Path) -> None:
    other = build_network("mobile", OPTIONS)
    load_weights(other, network.state_dict(), "memory")
    save_network(tmp_path / "other.safetensors", other.to(memory_format=torch.channels_last), INFO)
    assert (tmp_path / "other.safetensors").read_bytes() == file.read_bytes()


def test_half_rounds_weights_and_leaves_biases_and_statistics(network: Any, file: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    save_network(path, network, INFO, half=True)
    assert 0.5 < path.stat().st_size / file.stat().st_size < 0.6
    loaded, info = load_network(path)
    assert info == INFO
    for name, value in loaded.state_dict().items():
        original = network.state_dict()[name]
        assert value.dtype == original.dtype
        assert torch.equal(value, original.half().float() if original.ndim > 1 else original), name
    image = torch.rand(1, 3, 48, 64)
    with torch.no_grad():
        error = (loaded(image) - network(image)).abs().max()
    assert 0 < error < 0.01


def test_an_interrupted_write_keeps_the_old_file(network: Any, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = file.read_bytes()

    def stop(self: Path, data: bytes) -> int:
        with self.open("wb") as half:
            half.write(data[: len(data) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", stop)
    with pytest.raises(KeyboardInterrupt):
        save_network(file, network, replace(INFO, name="new"))
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_both_kinds_of_file_say_what_they_are_without_pytorch(file: Path, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["batch", 3, "height", "width"])
    same = onnx.helper.make_tensor_value_info("depth", onnx.TensorProto.FLOAT, ["batch", 3, "height", "width"])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["image"], ["depth"])], "g", [value], [same])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    onnx.helper.set_model_props(model, {"depthnet": INFO.to_json()})
    onnx.save(model, str(tmp_path / "model.onnx"))
    code = (
        "import sys, json; blocked = ('torch', 'safetensors', 'onnx', 'lightning')\n"
        "for name in blocked: sys.modules[name] = None\n"
        "from dataclasses import asdict; from depthnet.checkpoint import read_model_info\n"
        "print(json.dumps([asdict(read_model_info(path)) for path in sys.argv[1:]]))"
    )
    command = [sys.executable, "-c", code, str(file), str(tmp_path / "model.onnx")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [json.loads(json.dumps(asdict(INFO)))] * 2


# --- files that cannot be used ----------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [0, 5, 8, 100, 0.3, 0.5, -1])
def test_a_truncated_file(keep: float, file: Path) -> None:
    blob = file.read_bytes()
    file.write_bytes(blob[: int(keep * len(blob))] if isinstance(keep, float) else blob[:keep])
    assert "model.safetensors: not a whole safetensors file" in refusal(load_network, file)


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n" + bytes(100), b"PK\x03\x04" + bytes(64), struct.pack("<Q", 2) + b"[]", b"text"]
)
def test_another_kind_of_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    assert "not a whole safetensors file" in refusal(read_model_info, path)


def test_onnx_files_that_are_none_or_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"not a graph")
    assert "model.onnx: onnxruntime cannot load it" in refusal(read_model_info, path)
    assert "absent.onnx: onnxruntime cannot load it" in refusal(read_model_info, tmp_path / "absent.onnx")


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    assert "No such file" in refusal(read_model_info, tmp_path / "absent.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    assert "cannot be read" in refusal(read_model_info, tmp_path / "folder.safetensors")


def test_weights_of_another_program(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(2, np.float32)}, tmp_path / "a.safetensors", metadata={"format": "pt"})
    save_file({"a": np.zeros(2, np.float32)}, tmp_path / "b.safetensors")
    for name in ("a", "b"):
        line = refusal(load_network, tmp_path / f"{name}.safetensors")
        assert f"{name}.safetensors: has no depthnet metadata" in line


def test_a_newer_format_asks_for_an_upgrade(file: Path) -> None:
    with_info(file, format_version=FORMAT_VERSION + 1, something_new=1)
    line = refusal(load_network, file)
    assert f"model format {FORMAT_VERSION + 1}; this version reads {FORMAT_VERSION}: upgrade depthnet" in line


@pytest.mark.parametrize(
    "changes",
    [{"format_version": None}, {"network": None}, {"surplus": 1}, {"input_size": 3}, {"format_version": "1"}],
)
def test_damaged_information(changes: dict[str, Any], file: Path) -> None:
    assert "model.safetensors: its depthnet metadata is damaged" in refusal(read_model_info, with_info(file, **changes))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"text"'])
def test_information_that_is_no_mapping(text: str) -> None:
    assert "m.onnx: its depthnet metadata is damaged" in refusal(ModelInfo.from_json, text, "m.onnx")


def test_a_network_that_this_version_does_not_have(file: Path) -> None:
    line = refusal(load_network, with_info(file, network="transformer-9"))
    assert "model.safetensors: this version cannot build its network" in line
    names = ", ".join(sorted(NETWORKS))
    assert f"'transformer-9' is unknown; choose one of: {names}, backbone:NAME (NAME is a transformers" in line
    assert "surplus" in refusal(load_network, with_info(file, network="mobile", network_options={"surplus": 1}))


def test_weights_of_another_network_name_the_first_differences(file: Path) -> None:
    line = refusal(load_network, with_info(file, network="unet", network_options={}))
    assert "model.safetensors: weights of another network: lacks" in line
    assert "has unknown" in line
    line = refusal(load_network, with_info(file, network="mobile", network_options={"output_stride": 32}))
    assert "has another shape of context.bias" in line


def test_no_weight_is_left_at_its_start_value(network: Any) -> None:
    other = build_network("mobile", OPTIONS)
    state = dict(network.state_dict())
    dropped = state.pop("head.weight")
    assert "lacks head.weight (1 in all)" in refusal(load_weights, other, state, "file")
    load_weights(other, {**state, "head.weight": dropped}, "file")
    assert torch.equal(other.head.weight, network.head.weight)


# --- names and paths --------------------------------------------------------------------------------------


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the folder of shipped models, empty."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    monkeypatch.setattr(checkpoint, "MODELS", folder)
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_name_is_its_file_even_beside_a_folder_of_that_name(name: str, shipped: Path) -> None:
    Path(name).mkdir()
    for suffix, resolve in ((".onnx", resolve_model), (".safetensors", resolve_weights)):
        line = refusal(resolve, name)
        assert line.startswith(f"{name}: its file {SHIPPED[name]}{suffix} is missing from this installation")
        file = shipped / f"{SHIPPED[name]}{suffix}"
        file.touch()
        assert resolve(name) == file


def test_a_run_folder_gives_the_best_that_is_there(tmp_path: Path) -> None:
    assert "a folder without model.onnx" in refusal(resolve_model, tmp_path)
    assert "has no .safetensors weights" in refusal(resolve_weights, tmp_path)
    for name in reversed(RUN_MODELS):  # from the least preferred
        (tmp_path / name).touch()
        assert resolve_model(str(tmp_path)) == tmp_path / name
    assert resolve_weights(tmp_path).name == "best.safetensors"
    (tmp_path / "best.safetensors").unlink()
    assert resolve_weights(tmp_path).name == "last.safetensors"


def test_files_are_themselves(tmp_path: Path) -> None:
    onnx, weights, other = (tmp_path / name for name in ("a.onnx", "a.safetensors", "a.ckpt"))
    for path in (onnx, weights, other):
        path.touch()
    assert resolve_model(onnx) == onnx
    assert resolve_model(weights) == resolve_weights(weights) == weights
    assert "a.ckpt: a model ends in .onnx or .safetensors" in refusal(resolve_model, other)
    assert "a.onnx: has no .safetensors weights" in refusal(resolve_weights, onnx)
    assert "has no .safetensors weights" in refusal(resolve_weights, other)


def test_what_is_not_there_names_the_shipped_models(tmp_path: Path) -> None:
    line = refusal(resolve_model, tmp_path / "absent.onnx")
    assert f"no such model; pass a shipped name ({', '.join(SHIPPED)})" in line
    assert "has no .safetensors weights" in refusal(resolve_weights, tmp_path / "absent.safetensors")


def test_sha256_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_sha256(tmp_path / "abc") == digest
