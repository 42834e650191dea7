"""A loaded pose network: the motion between two photos of one camera."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.checkpoint import ModelInfo, load_pose_network, resolve_model
from depthnet.errors import ShapeError
from depthnet.geometry.se3 import se3_exp
from depthnet.io.images import RGB
from depthnet.predictor.resize import network_input, network_size
from depthnet.predictor.runtime import check_place, open_session, torch_device

#: Two pictures (1, 3, h, w) float32 in [0, 1], target and source -> xi (1, 6).
PoseRunner = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[Any]]


class PoseModel:
    """A loaded pose network; photos of any size go in, as long as their camera is like that of its training.

    Args:
        info: what the model file says about itself.
        run: the network.
    """

    def __init__(self, info: ModelInfo, run: PoseRunner) -> None:
        self.info, self.run = info, run

    def __repr__(self) -> str:
        return f"PoseModel({self.info.name!r})"


def load_pose_model(name: str | Path, device: str | None = None, threads: int | None = None) -> PoseModel:
    """Load a pose model.

    Args:
        name: a ``.onnx``, a ``.safetensors`` or a run folder of task pose or video.
        device: ``cpu``, ``cuda`` or ``cuda:N``; by default CUDA where the installed runtime has it, else the CPU.
        threads: CPU threads; by default all cores this process may use.

    Raises:
        InputError: if there is no such model or device, the file is damaged, or it finds depth.
        MissingTierError: if the package that runs the model is not installed.
    """
    check_place(device, threads)
    path = resolve_model(name, task="pose")
    if path.suffix == ".onnx":
        session, info = open_session(path, device, threads, "pose")

        def run(image_tgt: NDArray[np.float32], image_src: NDArray[np.float32]) -> NDArray[Any]:
            return np.asarray(session.run(["xi"], {"image_tgt": image_tgt, "image_src": image_src})[0])

        return PoseModel(info, run)
    network, info = load_pose_network(path)
    import torch

    where = torch_device(device, threads)
    network = network.to(where)

    def run_torch(image_tgt: NDArray[np.float32], image_src: NDArray[np.float32]) -> NDArray[Any]:
        with torch.inference_mode():
            xi = network(torch.from_numpy(image_tgt).to(where), torch.from_numpy(image_src).to(where))
        return np.asarray(xi.float().cpu().numpy())

    return PoseModel(info, run_torch)


def predict_motion(model: PoseModel, image_tgt: RGB, image_src: RGB) -> NDArray[np.float64]:
    """The motion between two photos of one camera.

    Args:
        model: the pose model.
        image_tgt: RGB, (H, W, 3) uint8.
        image_src: RGB of the same size.

    Returns:
        T_tgt_src, (4, 4); its translation is in metres where ``model.info.kind`` is ``metric``.

    Raises:
        ShapeError: if the photos differ in size.
    """
    if image_tgt.shape != image_src.shape:
        raise ShapeError(f"image_tgt {image_tgt.shape} and image_src {image_src.shape} differ; resize one of them.")
    size = network_size(image_tgt.shape[0], image_tgt.shape[1], model.info.input_size)
    xi = model.run(network_input(image_tgt, size), network_input(image_src, size))
    motion: NDArray[np.float64] = se3_exp(xi[0].astype(np.float64))
    return motion
