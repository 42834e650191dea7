"""`depthnet export --int8`: integers inside, the same file outside, and depth that stays."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depthnet.checkpoint import ModelInfo, read_model_info, save_network
from depthnet.errors import InputError
from depthnet.export import Int8Export, OnnxExport, export_int8, export_onnx, quantise
from depthnet.export.integers import Layers
from depthnet.predictor import load_model

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.usefixtures("one_thread")

SIZES = [(1, 48, 64), (2, 33, 47), (1, 65, 34)]


@pytest.fixture(scope="module")
def done(weights: Path, pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Int8Export:
    """The tiny network quantised on 16 pictures and scored on 4."""
    return export_int8(weights, tmp_path_factory.mktemp("int8") / "m.onnx", pairs, threads=1)


@pytest.fixture(scope="module")
def plain(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_onnx(weights, tmp_path_factory.mktemp("float") / "m.onnx").path


@pytest.fixture(scope="module")
def images(pairs: Path) -> list[np.ndarray]:
    from depthnet.data import open_dataset

    return [sample.image[None] for sample in open_dataset(pairs, "train")]


def open_session(path: Path, optimise: bool = True) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimise else level.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run(path: Path, images: list[np.ndarray], optimise: bool = True) -> np.ndarray:
    session = open_session(path, optimise)
    return np.concatenate([session.run(None, {"image": image})[0] for image in images])


def error(path: Path, plain: Path, images: list[np.ndarray]) -> np.ndarray:
    return np.log(run(path, images)) - np.log(run(plain, images))


def test_it_is_a_whole_model_file(done: Int8Export, info: ModelInfo) -> None:
    found = read_model_info(done.path)
    recipe = found.provenance.pop("int8")
    assert found == info
    assert recipe == {"weights": "int8 per channel", "activations": "uint8", "data": "pairs0", "calibrated": 16}
    session = open_session(done.path)
    (image,), (depth,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.type, depth.name, depth.type) == ("image", "tensor(float)", "depth", "tensor(float)")
    for batch, height, width in SIZES:
        picture = np.random.default_rng(0).random((batch, 3, height, width), dtype=np.float32)
        (metres,) = session.run(None, {"image": picture})
        assert metres.shape == (batch, 1, height, width)
        assert ((metres >= 0.001) & (metres <= 10)).all()


def test_depth_stays(done: Int8Export, plain: Path, images: list[np.ndarray]) -> None:
    expected = run(plain, images)
    assert expected.std() / expected.mean() > 0.02, "a flat picture would prove nothing"
    difference = np.abs(error(done.path, plain, images))
    assert 0 < np.median(difference) < 0.05
    assert np.corrcoef(np.log(run(done.path, images)).ravel(), np.log(expected).ravel())[0, 1] > 0.97


def test_weights_are_whole_numbers_of_seven_bits_and_depthwise_ones_of_eight(done: Int8Export) -> None:
    graph = onnx.load(str(done.path)).graph
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    producers = {name: node for node in graph.node for name in node.output}
    largest = {1: set(), 2: set()}
    for node in graph.node:
        if node.op_type == "Conv" and producers[node.input[1]].op_type == "DequantizeLinear":
            weight, scale = (values[name] for name in producers[node.input[1]].input[:2])
            assert weight.dtype == np.int8
            assert scale.shape == (len(weight),), "one scale for each output channel"
            largest[1 if weight.shape[1] == 1 else 2].add(int(np.abs(weight.astype(int)).max()))
    assert largest == {1: {127}, 2: {64}}


def test_all_but_the_last_convolution_run_as_integers(done: Int8Export, tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(done.path), options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(str(tmp_path / "optimised.onnx")).graph.node]
    assert kinds.count("QLinearConv") == done.layers.integer > 50
    assert kinds.count("Conv") + kinds.count("FusedConv") == done.layers.float32 == 1
    assert kinds.count("Transpose") <= 2, "nothing is turned around only to learn its size"


def test_the_last_layer_gives_more_than_256_depths(done: Int8Export, images: list[np.ndarray]) -> None:
    assert len(np.unique(run(done.path, images[:1]))) > 256


def test_integer_kernels_do_not_saturate(done: Int8Export, images: list[np.ndarray]) -> None:
    # Without optimisations the file is computed as floats that take the same steps.
    steps = np.abs(np.log(run(done.path, images[:4])) - np.log(run(done.path, images[:4], optimise=False)))
    assert np.median(steps) < 0.005


def write_two_convolutions(path: Path) -> None:
    """A file of which only the first convolution can become integer."""
    rng = np.random.default_rng(0)
    constants = {
        "w1": rng.normal(0, 0.2, (16, 3, 5, 5)), "b1": rng.normal(0, 0.1, 16),
        "w2": rng.normal(0, 0.1, (1, 16, 1, 1)), "b2": np.zeros(1),
    }  # fmt: skip
    make = onnx.helper.make_node
    nodes = [
        make("Conv", ["image", "w1", "b1"], ["x"], "first", pads=[2, 2, 2, 2]), make("Relu", ["x"], ["y"], "relu"),
        make("Conv", ["y", "w2", "b2"], ["z"], "last"), make("Exp", ["z"], ["depth"], "exp"),
    ]  # fmt: skip
    image, depth = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["b", channels, "h", "w"])
        for name, channels in (("image", 3), ("depth", 1))
    )
    tensors = [onnx.numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()]
    graph = onnx.helper.make_graph(nodes, "two", [image], [depth], tensors)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9), str(path))


def test_biases_take_up_the_mean_error_of_rounded_weights(
    info: ModelInfo, images: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = tmp_path / "plain.onnx"
    write_two_convolutions(plain)
    layers = quantise(plain, tmp_path / "corrected.onnx", info, images)
    assert (layers.integer, layers.float32) == (1, 1)
    monkeypatch.setattr("depthnet.export.integers._correct_biases", lambda graph, plain, means: None)
    quantise(plain, tmp_path / "rounded.onnx", info, images)
    corrected, rounded = (error(tmp_path / f"{name}.onnx", plain, images).mean() for name in ("corrected", "rounded"))
    assert abs(corrected) < 0.5 * abs(rounded)


def test_it_says_what_it_cost_and_brought(done: Int8Export, plain: Path) -> None:
    assert (done.calibrated, done.compared, done.size) == (16, 4, (48, 64))
    assert done.bytes.int8 == done.path.stat().st_size < 0.7 * done.bytes.float32
    assert done.bytes.float32 == pytest.approx(plain.stat().st_size, rel=0.01)
    assert done.seconds.int8 > 0
    assert done.seconds.float32 > 0
    assert 0 < done.difference < 0.05
    assert done.protocol == "none"
    assert done.delta1 is not None
    assert abs(done.delta1.int8 - done.delta1.float32) < 0.1


def test_photos_without_depth_are_compared_but_not_scored(
    done: Int8Export, plain: Path, weights: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(
        source: Path, out: Path, info: ModelInfo, images: list[np.ndarray], on_image: Callable[[], None]
    ) -> Layers:
        for _ in 2 * images:
            on_image()
        shutil.copy(written, out)
        return Layers(1, 1)

    written, steps = done.path, list[tuple[int, int]]()
    monkeypatch.setattr("depthnet.export.int8.export_onnx", lambda model, out, photo: OnnxExport(plain, 0.0, True))
    monkeypatch.setattr("depthnet.export.int8.quantise", copy)
    done = export_int8(
        weights, tmp_path / "m.onnx", pairs / "rgb", threads=1, on_progress=lambda *step: steps.append(step)
    )
    assert (done.protocol, done.delta1) == ("", None)
    assert 0 < done.difference < 0.05
    assert done.calibrated == done.compared == 20
    assert [now for now, _ in steps] == list(range(1, len(steps) + 1))
    assert steps[-1][0] == steps[-1][1]


def test_it_predicts_and_is_not_quantised_again(done: Int8Export, pairs: Path, tmp_path: Path) -> None:
    assert load_model(done.path).predict(pairs / "rgb" / "frame_00.png").depth.shape == (48, 64)
    with pytest.raises(InputError, match=r"m\.onnx: has no \.safetensors weights"):
        export_int8(done.path, tmp_path / "again.onnx", pairs)


def test_bad_wishes_are_refused_before_any_work(weights: Path, info: ModelInfo, network: Any, tmp_path: Path) -> None:
    save_network(tmp_path / "pose.safetensors", network, replace(info, task="pose"))
    with pytest.raises(InputError, match="finds the motion between two pictures, not the depth of a picture"):
        export_int8(tmp_path / "pose.safetensors", tmp_path / "m.onnx", tmp_path / "absent")
    (tmp_path / "m.onnx").write_bytes(b"old")
    with pytest.raises(InputError, match=r"m\.onnx: exists already; pass --overwrite"):
        export_int8(weights, tmp_path / "m.onnx", tmp_path / "absent")
    with pytest.raises(InputError, match=r"m\.pt: an exported file ends in \.onnx"):
        export_int8(weights, tmp_path / "m.pt", tmp_path / "absent")
    assert (tmp_path / "m.onnx").read_bytes() == b"old"


@pytest.mark.slow
def test_the_shipped_network_loses_no_accuracy_worth_naming(shared_data: Path, tmp_path: Path) -> None:
    done = export_int8("mobile", tmp_path / "m.onnx", shared_data / "nyu_train")
    assert done.protocol == "nyu"
    assert (done.calibrated, done.compared) == (64, 100)
    assert done.delta1 is not None
    assert done.delta1.float32 - done.delta1.int8 < 0.01
    assert done.difference < 0.02
    assert done.bytes.int8 < 0.65 * done.bytes.float32
