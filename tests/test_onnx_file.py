"""The ONNX file computes what the network computes, at any size, and says what it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depthnet import onnx_file
from depthnet.checkpoint import ModelInfo, read_model_info
from depthnet.errors import InputError
from depthnet.networks import NETWORKS, build_network
from depthnet.onnx_file import write_onnx

pytestmark = pytest.mark.usefixtures("one_thread")

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

#: Batch, height, width: both parities of both sides, at every halving too.
SHAPES = [(2, 48, 64), (1, 33, 47), (2, 50, 37), (1, 65, 34), (3, 32, 96)]
OPTIONS: dict[str, dict[str, Any]] = {
    "mobile": {"decoder": [16, 16, 8, 8, 8]}, "unet": {}, "garg2016": {"far_m": 1.5},
    "eigen2014": {"full_width": 8, "input_size": [64, 80]},
}  # fmt: skip

WriteOnnx = Callable[..., Path]


def make_info(network: str) -> ModelInfo:
    return ModelInfo("tiny", network, OPTIONS[network], (32, 48), 40.0, 0.001, 10.0, scores={"rmse": 0.5})


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Any:
    """A network whose batch norms have seen an image and whose depth varies from pixel to pixel."""
    torch.manual_seed(0)
    network = build_network(request.param, OPTIONS[request.param])
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
            elif isinstance(module, torch.nn.Conv2d) and not module.weight.any():
                torch.nn.init.normal_(module.weight, std=0.004)  # scores that start at zero
        network.train()(torch.rand(2, 3, 64, 96))
        network.eval()
        log_depth = network(torch.rand(1, 3, 64, 96))
        last = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d) and m.out_channels == 1][-1]
        last.weight.mul_(0.2 / log_depth.std())
    network.name = request.param
    return network


@pytest.fixture(scope="module")
def written(network: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """The file with float32 weights (False) and with float16 weights (True)."""
    folder, info = tmp_path_factory.mktemp(network.name), make_info(network.name)
    traced = onnx_file._trace(network, info)  # the slow part, the same for both
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_file, "_trace", lambda *_: traced)
        for half in (False, True):
            write_onnx(folder / f"{half}.onnx", network, info, half=half)
    return {half: folder / f"{half}.onnx" for half in (False, True)}


def open_session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_torch(network: Any, image: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return network(torch.from_numpy(image)).exp().numpy()


def make_image(shape: tuple[int, int, int]) -> np.ndarray:
    return np.random.default_rng(shape[1]).random((shape[0], 3, *shape[1:]), dtype=np.float32)


def test_it_agrees_with_pytorch_at_any_size(network: Any, written: dict[bool, Path]) -> None:
    session = open_session(written[False])
    for shape in SHAPES:
        image = make_image(shape)
        (depth,) = session.run(None, {"image": image})
        expected = run_torch(network, image)
        assert depth.dtype == np.float32
        assert depth.shape == (shape[0], 1, *shape[1:])
        assert expected.std() / expected.mean() > 0.02, "a flat picture would prove nothing"
        assert (expected > 0.001).all()
        assert (expected < 10).all()
        np.testing.assert_allclose(depth, expected, rtol=1e-4, err_msg=str(shape))


def test_float16_rounds_each_weight_once_and_nothing_else(written: dict[bool, Path], tmp_path: Path) -> None:
    model = onnx.load(str(written[False]))
    rounded = 0
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.ndim > 1 and values.size >= 64:
            tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16).astype(np.float32), tensor.name))
            rounded += values.size
    assert rounded > 1_000_000
    onnx.save(model, str(tmp_path / "rounded.onnx"))
    for shape in SHAPES[:3]:
        image = make_image(shape)
        (expected,) = open_session(tmp_path / "rounded.onnx").run(None, {"image": image})
        (depth,) = open_session(written[True]).run(None, {"image": image})
        np.testing.assert_allclose(depth, expected, rtol=1e-5, err_msg=str(shape))


@pytest.mark.parametrize("network", ["mobile"], indirect=True)  # unet, deep and untrained, amplifies any rounding
def test_float16_weights_change_depth_by_less_than_a_thousandth(network: Any, written: dict[bool, Path]) -> None:
    image = make_image((2, 64, 96))
    (depth,) = open_session(written[True]).run(None, {"image": image})
    error = np.abs(depth / run_torch(network, image) - 1).mean()
    assert 0 < error < 1e-3


def test_the_images_of_a_batch_do_not_mix(written: dict[bool, Path]) -> None:
    session = open_session(written[False])
    images = np.random.default_rng(1).random((2, 3, 33, 48), dtype=np.float32)
    (both,) = session.run(None, {"image": images})
    for index in (0, 1):
        (one,) = session.run(None, {"image": images[index : index + 1]})
        np.testing.assert_allclose(both[index : index + 1], one, rtol=1e-4)


def test_float16_weights_halve_the_file_and_compute_in_float32(written: dict[bool, Path]) -> None:
    assert written[True].stat().st_size < 0.56 * written[False].stat().st_size
    graph = onnx.load(str(written[True])).graph
    halves = {tensor.name for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT16}
    assert halves
    casts = [node for node in graph.node if set(node.input) & halves]
    assert {node.op_type for node in casts} == {"Cast"}
    assert len(casts) == len(halves)
    for value in (*graph.input, *graph.output):
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def test_names_axes_and_information(network: Any, written: dict[bool, Path]) -> None:
    for path in written.values():
        session = open_session(path)
        (image,), (depth,) = session.get_inputs(), session.get_outputs()
        assert (image.name, depth.name) == ("image", "depth")
        assert [axis for axis in image.shape if isinstance(axis, int)] == [3]
        assert len(depth.shape) == 4
        metadata = session.get_modelmeta().custom_metadata_map
        assert list(metadata) == ["depthnet"]
        assert json.loads(metadata["depthnet"]) == json.loads(json.dumps(asdict(make_info(network.name))))
        assert read_model_info(path) == make_info(network.name)


@pytest.fixture(scope="module")
def mobile() -> Any:
    torch.manual_seed(0)
    return build_network("mobile", OPTIONS["mobile"]).eval()


@pytest.mark.parametrize("output_stride", [16, 32])
def test_mobile_pads_inside_its_convolutions(output_stride: int, tmp_path: Path) -> None:
    network = build_network("mobile", {**OPTIONS["mobile"], "output_stride": output_stride}).eval()
    write_onnx(tmp_path / "m.onnx", network, make_info("mobile"))
    graph = onnx.load(str(tmp_path / "m.onnx")).graph
    assert not [node for node in graph.node if node.op_type == "Pad"]
    rules = []
    for node in graph.node:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Conv" and list(attributes.get("strides", [])) == [2, 2]:
            rules.append(attributes.get("auto_pad"))
            assert "pads" not in attributes  # the two exclude each other
    assert rules == [b"SAME_UPPER"] * {16: 4, 32: 5}[output_stride]


def test_nothing_unused_stays_in_the_file(written: dict[bool, Path]) -> None:
    graph = onnx.load(str(written[True])).graph
    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    assert {tensor.name for tensor in graph.initializer} <= used
    assert all(set(node.output) & used for node in graph.node)


def test_depth_is_clamped_to_the_range_of_the_model(mobile: Any, tmp_path: Path) -> None:
    image = np.random.default_rng(2).random((1, 3, 48, 64), dtype=np.float32)
    expected = run_torch(mobile, image)
    low, high = np.quantile(expected, [0.25, 0.75]).astype(float)
    info = replace(make_info("mobile"), min_depth=low, max_depth=high)
    write_onnx(tmp_path / "m.onnx", mobile, info, half=False)
    (depth,) = open_session(tmp_path / "m.onnx").run(None, {"image": image})
    assert (depth.min(), depth.max()) == (np.float32(low), np.float32(high))
    np.testing.assert_allclose(depth, expected.clip(low, high), rtol=1e-4)
    assert ((depth > np.float32(low)) & (depth < np.float32(high))).mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("network", ["mobile"], indirect=True)
def test_a_failed_export_writes_nothing(
    mobile: Any, written: dict[bool, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced = written[False].read_bytes()
    monkeypatch.setattr(onnx_file, "_trace", lambda *_: traced)
    target = tmp_path / "m.onnx"
    target.write_bytes(b"old")

    def refuse(model: Any) -> None:
        raise onnx.checker.ValidationError("no graph")

    with monkeypatch.context() as patch:
        patch.setattr(onnx.checker, "check_model", refuse)
        with pytest.raises(onnx.checker.ValidationError):
            write_onnx(target, mobile, make_info("mobile"))
    with pytest.raises(InputError, match="cannot be written"):
        write_onnx(target / "below.onnx", mobile, make_info("mobile"))
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    assert target.read_bytes() == b"old"
