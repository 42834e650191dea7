"""What runs a network: ONNX Runtime for .onnx, PyTorch for .safetensors; the same call for both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from depthnet.checkpoint import METADATA_KEY, ModelInfo, check_task, load_network
from depthnet.cores import usable_cores
from depthnet.errors import InputError, MissingTierError, one_line

if TYPE_CHECKING:
    import onnxruntime

#: Runs the network: image (1, 3, h, w) float32 in [0, 1] -> depth (1, 1, h, w) float32 of the training camera, in
#: metres unless the model's kind says otherwise.
Runner: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True)
class Runtime:
    """A network ready to run."""

    info: ModelInfo
    """What the model file says about itself."""
    run: Runner
    """Runs the network."""
    name: str
    """What runs it and where, in words."""
    own_size: bool = False
    """Takes a photo at its own size and resizes it by its own rule; it knows no training camera."""

    @property
    def on_cpu(self) -> bool:
        """Whether the processor runs it."""
        return self.name.lower().endswith("cpu")


def load_runtime(path: Path, device: str | None, threads: int | None) -> Runtime:
    """Load a model file for running.

    Args:
        path: a ``.onnx`` or ``.safetensors`` file.
        device: ``cpu``, ``cuda`` or ``cuda:N``; None for CUDA where the runtime has it, else the CPU.
        threads: CPU threads; None for all cores this process may use.

    Raises:
        InputError: if an option is out of range, the device is not there or the file is damaged.
        MissingTierError: if the package that runs the model is not installed.
    """
    check_place(device, threads)
    return (_load_onnx if path.suffix == ".onnx" else _load_torch)(path, device, threads)


def check_place(device: str | None, threads: int | None) -> None:
    """Refuse a device or a number of threads that there cannot be.

    Raises:
        InputError: saying which.
    """
    if threads is not None and threads < 1:
        raise InputError(f"--threads {threads}: give 1 or more.")
    if device is not None and not (device in ("cpu", "cuda") or device.removeprefix("cuda:").isdigit()):
        raise InputError(f"--device {device}: choose cpu, cuda or cuda:N.")


def _load_onnx(path: Path, device: str | None, threads: int | None) -> Runtime:
    session, info = open_session(path, device, threads, "depth")
    first = [session.get_outputs()[0].name]

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        depth: NDArray[np.float32] = session.run(first, {"image": image})[0]
        return depth

    return Runtime(info, run, f"ONNX Runtime, {session.get_providers()[0].removesuffix('ExecutionProvider')}")


def open_session(
    path: Path, device: str | None, threads: int | None, task: str
) -> tuple[onnxruntime.InferenceSession, ModelInfo]:
    """Open a .onnx file that finds depth or pose; arguments and errors are those of :func:`load_runtime`."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingTierError(f'{path}: a .onnx model needs onnxruntime: pip install "depthnet"') from error
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = threads or usable_cores()
    options.inter_op_num_threads = 1
    # Idle threads sleep instead of spinning: decoding and writing run beside the network, and on two busy
    # cores spinning made the network itself 1.6 times slower.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    providers = _providers(onnxruntime.get_available_providers(), device)
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime raises its own undocumented classes
        reason = one_line(error)
        raise InputError(f"{path}: onnxruntime cannot load it ({reason}); export or copy it again.") from error
    if device not in (None, "cpu") and session.get_providers()[0] != "CUDAExecutionProvider":
        raise InputError(f"--device {device}: onnxruntime could not start CUDA here; check the driver or use cpu.")
    return session, _onnx_info(session, path, task)


def _providers(available: Sequence[str], device: str | None) -> list[Any]:
    """onnxruntime's providers for a device, the first one preferred."""
    if device == "cpu" or (device is None and "CUDAExecutionProvider" not in available):
        return ["CPUExecutionProvider"]
    if "CUDAExecutionProvider" not in available:
        raise InputError(
            f"--device {device}: this onnxruntime has no CUDA; pip install onnxruntime-gpu in its place, or use cpu."
        )
    index = int((device or "cuda").partition(":")[2] or 0)
    return [("CUDAExecutionProvider", {"device_id": index}), "CPUExecutionProvider"]


def _onnx_info(session: onnxruntime.InferenceSession, path: Path, task: str) -> ModelInfo:
    metadata = session.get_modelmeta().custom_metadata_map
    if METADATA_KEY not in metadata:
        raise InputError(f"{path}: has no depthnet metadata; write the model with `depthnet export`.")
    info = ModelInfo.from_json(metadata[METADATA_KEY], path)
    check_task(info, task, path)
    inputs = [(node.name, len(node.shape)) for node in session.get_inputs()]
    names = ["image"] if task == "depth" else ["image_tgt", "image_src"]
    if inputs != [(name, 4) for name in names]:
        wanted = f"{'one' if len(names) == 1 else 'two'}, {' and '.join(names)} (B, 3, H, W)"
        raise InputError(f"{path}: inputs {inputs}; expected {wanted}. Write it with `depthnet export`.")
    return info


def _load_torch(path: Path, device: str | None, threads: int | None) -> Runtime:
    network, info = load_network(path)
    import torch

    device = torch_device(device, threads)
    network = network.to(device).eval()

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            log_depth = network(torch.from_numpy(image).to(device))
            metres = log_depth.float().exp().clamp(info.min_depth, info.max_depth)
            depth: NDArray[np.float32] = metres.cpu().numpy()
        return depth

    return Runtime(info, run, f"PyTorch, {device}")


def torch_device(device: str | None, threads: int | None) -> str:
    """The PyTorch device of ``--device``, by default CUDA where there is one; also sets the number of threads.

    Raises:
        InputError: if there is no such device.
    """
    import torch

    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    index = int(device.partition(":")[2] or 0)
    if device != "cpu" and index >= torch.cuda.device_count():
        raise InputError(f"--device {device}: PyTorch sees {torch.cuda.device_count()} CUDA devices; use cpu.")
    if threads is not None:
        torch.set_num_threads(threads)
    return device
