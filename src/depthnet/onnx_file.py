"""Write a depth or a pose network as an ONNX file that runs with ONNX Runtime alone.

Depth: one input ``image`` (B, 3, H, W) in [0, 1], one output ``depth`` (B, 1, H, W) in metres, any B, H and W. Pose:
two inputs ``image_tgt`` and ``image_src`` of one size, one output ``xi`` (B, 6), whose exponential is T_tgt_src.
Weights are stored as float16 behind a cast: ONNX Runtime folds the casts when it loads the file, so the
arithmetic stays float32 and the file is half as large.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthnet.checkpoint import METADATA_KEY, ModelInfo
from depthnet.errors import InputError, MissingTierError, one_line
from depthnet.io.files import atomic_path

if TYPE_CHECKING:
    from depthnet.networks.blocks import Network

OPSET = 18
#: Weights with fewer values than this stay float32: they would save nothing.
SMALLEST_HALF = 64


def write_onnx(path: str | Path, network: Network, info: ModelInfo, half: bool = True) -> None:
    """Export ``network`` (of depth with the conversion to metres) and ``info`` as metadata.

    Args:
        path: the file, replaced when it is there.
        network: network in evaluation mode on the CPU.
        info: what the file says about itself.
        half: store weights as float16.

    Raises:
        InputError: if the network uses what ONNX cannot say, or the file cannot be written.
        MissingTierError: without the onnx package.
    """
    from depthnet.networks.blocks import Conv2dSame

    try:
        import onnx
    except ImportError as error:
        raise MissingTierError('writing ONNX needs the onnx package: pip install "depthnet[train]"') from error
    model = onnx.load_model_from_string(_trace(network, info))
    if any(isinstance(module, Conv2dSame) for module in network.modules()):
        _use_same_padding(model.graph)
    if half:
        store_half(model.graph)
    save_onnx(path, model, info)


def save_onnx(path: str | Path, model: Any, info: ModelInfo) -> None:
    """Check an ONNX model and write it, with ``info`` as its only metadata.

    Args:
        path: the file, replaced when it is there.
        model: an ``onnx.ModelProto``.
        info: what the file says about itself.

    Raises:
        InputError: if the file cannot be written.
    """
    import onnx

    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {METADATA_KEY: info.to_json()})
    model.producer_name = "depthnet"
    onnx.checker.check_model(model)
    with atomic_path(path) as temporary:
        temporary.write_bytes(model.SerializeToString())


def _trace(network: Network, info: ModelInfo) -> bytes:
    import torch
    from torch import Tensor, nn

    class MetricDepth(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: Tensor) -> Tensor:
            return torch.exp(self.network(image)).clamp(info.min_depth, info.max_depth)

    height, width = info.input_size
    buffer: Any = io.BytesIO()  # taken by the exporter, though its signature names paths only
    # An odd-sized batch of two keeps the tracer from taking sizes for constants or for each other.
    example = torch.rand(2, 3, height + 1, width + 3)
    axes = {0: "batch", 2: "height", 3: "width"}
    model: nn.Module = network if info.task == "pose" else MetricDepth()
    inputs, output = (["image_tgt", "image_src"], "xi") if info.task == "pose" else (["image"], "depth")
    dynamic = {**dict.fromkeys(inputs, axes), output: {0: "batch"} if info.task == "pose" else axes}
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # shape checks are constant by nature; other parity is tested
            torch.onnx.export(
                model.eval(), (example,) * len(inputs), buffer, input_names=inputs, output_names=[output],
                dynamic_axes=dynamic, opset_version=OPSET, dynamo=False,
            )  # fmt: skip
    except RuntimeError as error:  # some backbone:NAME use what ONNX has no operator for
        raise InputError(
            f"{info.network}: cannot be written as ONNX ({one_line(error)}); use its .safetensors file."
        ) from error
    traced: bytes = buffer.getvalue()
    return traced


def _use_same_padding(graph: Any) -> None:
    """Replace a Pad in front of a stride-2 convolution by the convolution's own SAME_UPPER padding.

    :class:`depthnet.networks.blocks.Conv2dSame` pads by the parity of the size, which an exporter writes as a
    Pad with computed amounts: a copy of the whole feature map. ONNX has the same rule as an attribute.
    """
    import onnx

    pads = {node.output[0]: node for node in graph.node if node.op_type == "Pad"}
    for node in graph.node:
        if node.op_type == "Conv" and node.input[0] in pads:
            node.input[0] = pads[node.input[0]].input[0]
            kept = [attribute for attribute in node.attribute if attribute.name not in ("pads", "auto_pad")]
            del node.attribute[:]
            node.attribute.extend([*kept, onnx.helper.make_attribute("auto_pad", "SAME_UPPER")])
    drop_unused(graph)


def drop_unused(graph: Any) -> None:
    """Remove nodes and initialisers that no output needs any more."""
    wanted = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= set(node.input)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    initializers = [tensor for tensor in graph.initializer if tensor.name in wanted]
    del graph.initializer[:]
    graph.initializer.extend(initializers)


def store_half(graph: Any) -> None:
    """Store weights as float16 behind a cast; a scale or a bias, which has one axis, stays as it is."""
    import numpy as np
    import onnx

    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims) < SMALLEST_HALF or len(tensor.dims) < 2:
            continue
        name = tensor.name
        values = onnx.numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, name + "_half"))
        casts.append(onnx.helper.make_node("Cast", [name + "_half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
