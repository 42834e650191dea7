"""Static 8-bit quantisation of an ONNX file, for processors with and without 8-bit dot-product instructions.

Activations are uint8 with one range each, weights int8 with a scale per output channel, symmetric (QDQ format). Beyond
the defaults of onnxruntime.quantization:

- Weights keep 7 bits, because AVX2 adds pairs of 8-bit products in 16 bits and would saturate; so a file gives the same
  depth on every processor. Depthwise weights keep 8: their kernels multiply in 16 bits and add in 32.
- Biases take up the mean error that rounding the weights makes (Nagel et al. 2019, Data-Free Quantization Through
  Weight Equalization and Bias Correction, section 4.2, with measured means).
- The last convolution and what follows stay float32: 256 steps of log depth would show as terraces.
- Parts of a concatenation share its scale, so that joining them is a copy.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.checkpoint import ModelInfo
from depthnet.errors import InputError, MissingTierError
from depthnet.onnx_file import drop_unused, save_onnx, store_half

#: What becomes integers; ONNX Runtime has integer kernels for these, and only for these of what our networks use.
OPERATORS = ["Conv", "Gemm", "Add", "Concat", "Clip", "Relu", "MaxPool", "Resize"]
#: The last of these before the output stays float32, and so does all behind it.
LAYERS = ("Conv", "Gemm")
Images = Sequence[NDArray[np.float32]]


@dataclass(frozen=True)
class Layers:
    """Layers (convolutions and products of matrices) of a quantised file."""

    integer: int
    """Computed with 8-bit integers."""
    float32: int
    """Left as they were."""


def quantise(
    source: Path, out: Path, info: ModelInfo, images: Images, on_image: Callable[[], None] = lambda: None
) -> Layers:
    """Write a depth network's ONNX file with 8-bit weights and activations.

    Args:
        source: the file as ``depthnet export`` writes it.
        out: the file to write, replaced when it is there: the same input, output and sizes.
        info: what the new file says about itself.
        images: what ranges and means are found on: (1, 3, h, w) in [0, 1], each of any size.
        on_image: called for each image that the network is run on, twice for each of ``images``.

    Returns:
        How many layers are integer.

    Raises:
        InputError: if none of its layers can be quantised.
        MissingTierError: without the onnx package.
    """
    try:
        import onnx
        from onnxruntime import quantization
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise MissingTierError('--int8 needs the onnx package: pip install "depthnet[train]"') from error

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.images: Iterator[NDArray[np.float32]] = iter(images)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            image = next(self.images, None)
            if image is None:
                return None
            on_image()
            return {"image": image}

    with tempfile.TemporaryDirectory() as folder:
        ready, raw = Path(folder) / "ready.onnx", Path(folder) / "raw.onnx"
        quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
        plain = onnx.load(str(ready))
        quantization.quantize_static(
            str(ready), str(raw), Reader(), per_channel=True, reduce_range=True,
            activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
            op_types_to_quantize=OPERATORS, nodes_to_exclude=_tail(plain.graph),
            extra_options={"TensorQuantOverrides": _eight_bits(plain.graph, quantization.QuantType.QInt8)},
        )  # fmt: skip
        model = onnx.load(str(raw))
    layers = _count(model.graph)
    if not layers.integer:
        raise InputError(f"{info.network}: has no convolution that can be quantised; export it without --int8.")
    _correct_biases(model.graph, plain.graph, _input_means(plain, images, on_image))
    _share_scales(model.graph)
    _take_shapes_from_integers(model.graph)
    drop_unused(model.graph)
    store_half(model.graph)
    del model.graph.value_info[:]
    save_onnx(out, model, info)
    return layers


def _convolutions(graph: Any) -> list[Any]:
    return [node for node in graph.node if node.op_type == "Conv"]


def _groups(convolution: Any) -> int:
    return next((attribute.i for attribute in convolution.attribute if attribute.name == "group"), 1)


def _arrays(graph: Any) -> dict[str, NDArray[Any]]:
    from onnx import numpy_helper

    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def _producers(graph: Any) -> dict[str, Any]:
    return {name: node for node in graph.node for name in node.output}


def _consumers(graph: Any) -> dict[str, list[Any]]:
    consumers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            consumers.setdefault(name, []).append(node)
    return consumers


def _tail(graph: Any) -> list[str]:
    """Names of the last layer and of all nodes between it and the output."""
    producers = _producers(graph)
    names, waiting = set(), [graph.output[0].name]
    while waiting:
        node = producers.get(waiting.pop())
        if node is None or node.op_type == "Shape" or node.name in names:
            continue
        names.add(node.name)
        if node.op_type not in LAYERS:
            waiting += node.input
    return sorted(names)


def _eight_bits(graph: Any, int8: Any) -> dict[str, list[dict[str, Any]]]:
    """Overrides that let depthwise weights keep all 8 bits."""
    rule = {"quant_type": int8, "symmetric": True, "reduce_range": False, "axis": 0}
    weights, arrays = [node.input[1] for node in _convolutions(graph) if _groups(node) > 1], _arrays(graph)
    return {name: [rule] for name in weights if arrays[name].shape[1] == 1}


def _count(graph: Any) -> Layers:
    producers = _producers(graph)
    layers = [node for node in graph.node if node.op_type in LAYERS]
    integer = sum(node.input[1] in producers for node in layers)
    return Layers(integer, len(layers) - integer)


def _input_means(model: Any, images: Images, on_image: Callable[[], None]) -> dict[str, NDArray[np.float64]]:
    """Mean of each channel, over pixels and images, of what goes into each convolution, by name."""
    import onnx
    import onnxruntime

    names = sorted({node.input[0] for node in _convolutions(model.graph)})
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0, 2, 3]), "mean_axes"))
    for index, name in enumerate(names):
        probe.graph.node.append(onnx.helper.make_node("ReduceMean", [name, "mean_axes"], [f"mean_{index}"], keepdims=0))
        probe.graph.output.append(onnx.helper.make_tensor_value_info(f"mean_{index}", onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    wanted = [f"mean_{index}" for index in range(len(names))]
    sums = [np.zeros(1)] * len(names)
    for image in images:
        on_image()
        sums = [total + mean for total, mean in zip(sums, session.run(wanted, {"image": image}), strict=True)]
    return {name: total / len(images) for name, total in zip(names, sums, strict=True)}


def _correct_biases(graph: Any, plain: Any, means: dict[str, NDArray[np.float64]]) -> None:
    """Add to each integer bias what the rounding of its weights takes from the mean of the output.

    Args:
        graph: the quantised graph.
        plain: the graph before it was quantised: the same convolutions by name.
        means: mean of each channel of what goes into them, by name of that tensor.
    """
    from onnx import numpy_helper

    tensors = {tensor.name: tensor for tensor in graph.initializer}
    values, weights, producers = _arrays(graph), _arrays(plain), _producers(graph)
    before = {node.name: node for node in _convolutions(plain)}
    for node in _convolutions(graph):
        if node.input[1] not in producers or len(node.input) < 3:
            continue
        old = before[node.name]
        quantised, scale = (values[name] for name in producers[node.input[1]].input[:2])
        bias, bias_scale = (values[name] for name in producers[node.input[2]].input[:2])
        weight, groups = weights[old.input[1]].astype(np.float64), _groups(node)
        lost = (weight - quantised * scale.astype(np.float64).reshape(-1, 1, 1, 1)).sum((2, 3))
        mean = np.repeat(means[old.input[0]].reshape(groups, -1), len(weight) // groups, axis=0)
        corrected = np.rint(bias + (lost * mean).sum(1) / bias_scale).astype(np.int32)
        name = producers[node.input[2]].input[0]
        tensors[name].CopyFrom(numpy_helper.from_array(corrected, name))


def _share_scales(graph: Any) -> None:
    """Quantise what only goes into a concatenation with the scale of its result."""
    producers, consumers = _producers(graph), _consumers(graph)
    for joined in graph.node:
        following = consumers.get(joined.output[0], []) if joined.op_type == "Concat" else []
        if [node.op_type for node in following] != ["QuantizeLinear"]:
            continue
        for name in joined.input:
            back = producers[name]
            quantiser = producers.get(back.input[0])
            alone = len(consumers[name]) == len(consumers[back.input[0]]) == 1
            if alone and quantiser is not None and quantiser.op_type == "QuantizeLinear":
                quantiser.input[1:] = back.input[1:] = following[0].input[1:]


def _take_shapes_from_integers(graph: Any) -> None:
    """Read sizes off the integer tensors: off a float one, ONNX Runtime would compute it for its size alone."""
    producers = _producers(graph)
    for node in graph.node:
        source = producers.get(node.input[0]) if node.op_type == "Shape" else None
        if source is not None and source.op_type == "DequantizeLinear":
            node.input[0] = source.input[0]
