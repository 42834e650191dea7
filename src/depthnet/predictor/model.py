"""A loaded depth network with its camera rule."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthnet.checkpoint import HUB_PREFIX, resolve_model
from depthnet.errors import InputError
from depthnet.geometry.camera import depth_for_camera, focal_from_fov, training_view_focal
from depthnet.io.images import RGB, ImageLike, LoadedImage, read_image
from depthnet.predictor.prediction import Prediction
from depthnet.predictor.resize import network_input, network_size, resize_depth
from depthnet.predictor.rivals import load_rival
from depthnet.predictor.runtime import Runtime, load_runtime


class DepthModel:
    """A loaded depth network with its camera rule; photos of any size and shape go in.

    Args:
        runtime: the network and what its file says about itself.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.info = runtime.info

    def __repr__(self) -> str:
        return f"DepthModel({self.info.name!r}, {self.runtime.name})"

    def predict(
        self, image: ImageLike | LoadedImage, focal_px: float | None = None, fov_deg: float | None = None
    ) -> Prediction:
        """Depth of a photo in metres.

        Args:
            image: a path, a PIL image or an (H, W, 3) uint8 RGB array (or what ``read_image`` gave).
            focal_px: focal length in pixels of the upright photo at its own size.
            fov_deg: horizontal field of view of the upright photo in degrees, instead of ``focal_px``.

        Returns:
            Depth at the photo's size. Without a focal length from here or from EXIF, the photo is taken to
            show the training camera's field of view (over its diagonal), and ``focal_source`` says so.

        Raises:
            InputError: if the photo cannot be read, or a focal length or angle is out of range.
        """
        photo = image if isinstance(image, LoadedImage) else read_image(image)
        focal, source = self.choose_focal(photo.image.shape[:2], focal_px, fov_deg, photo.focal_px)
        return Prediction(self.depth(photo.image, focal), photo.image, focal, source, photo.stem)

    def choose_focal(
        self, size: tuple[int, ...], focal_px: float | None, fov_deg: float | None, exif_px: float | None
    ) -> tuple[float, str]:
        """The focal length that the metres of a photo rest on.

        Args:
            size: (H, W) of the photo.
            focal_px: what the user says, pixels; None for nothing.
            fov_deg: the horizontal field of view instead, degrees.
            exif_px: what the photo's file says, pixels.

        Returns:
            Pixels of the photo, and where they come from.

        Raises:
            InputError: if the model gives no metres, or a focal length or angle is out of range.
        """
        check_camera(focal_px, fov_deg)
        if self.info.kind == "affine_invariant":
            raise InputError(
                f"{self.info.name}: gives inverse depth up to scale and shift, not metres; choose a metric model. "
                "`depthnet evaluate --align scale-shift` scores it."
            )
        height, width = size
        if focal_px is not None:
            return float(focal_px), "--focal-px"
        if fov_deg is not None:
            return focal_from_fov(fov_deg, width), "--fov-deg"
        if exif_px is not None:
            return exif_px, "EXIF"
        focal = training_view_focal(height, width, self.info.training_focal_px, self.info.input_size)
        return focal, "assumed view" if self.runtime.own_size else "training camera"

    def depth(self, image: RGB, focal_px: float | None = None) -> NDArray[np.float32]:
        """Depth in metres of an RGB photo (H, W, 3) uint8, at its own size (H, W).

        Args:
            image: the photo.
            focal_px: its focal length in pixels; by default that of the training camera's field of view.
        """
        height, width = image.shape[:2]
        if focal_px is None:
            focal_px = training_view_focal(height, width, self.info.training_focal_px, self.info.input_size)
        return resize_depth(self.depth_at_network_size(image, focal_px), (height, width))

    def depth_at_network_size(self, image: RGB, focal_px: float) -> NDArray[np.float32]:
        """Depth in metres of an RGB photo (H, W, 3) uint8, at the size (h, w) at which the network sees it.

        Args:
            image: the photo.
            focal_px: its focal length in pixels of its own size; a model without a training camera does without.
        """
        height, width = image.shape[:2]
        if self.runtime.own_size:
            own: NDArray[np.float32] = self.runtime.run(network_input(image, (height, width)))[0, 0]
            return own
        size = network_size(height, width, self.info.input_size)
        depth = self.runtime.run(network_input(image, size))[0, 0]
        return depth_for_camera(depth, focal_px * (size[1] / width), self.info.training_focal_px)


def load_model(name: str | Path = "mobile", device: str | None = None, threads: int | None = None) -> DepthModel:
    """Load a depth model.

    Args:
        name: a shipped name, a ``.onnx``, a ``.safetensors``, a run folder (its ``model.onnx`` first), or ``hf:`` and
            the name or folder of a transformers depth model.
        device: ``cpu``, ``cuda`` or ``cuda:N``; by default CUDA where the installed runtime has it, else the CPU.
        threads: CPU threads; by default all cores this process may use.

    Raises:
        InputError: if there is no such model or device, or the file is damaged.
        MissingTierError: if the package that runs the model is not installed.
    """
    if str(name).startswith(HUB_PREFIX):
        return DepthModel(load_rival(str(name).removeprefix(HUB_PREFIX), device, threads))
    return DepthModel(load_runtime(resolve_model(name), device, threads))


def check_camera(focal_px: float | None, fov_deg: float | None) -> None:
    """Refuse a focal length and an angle together, or out of range.

    Raises:
        InputError: saying which.
    """
    if focal_px is not None and fov_deg is not None:
        raise InputError(f"--focal-px {focal_px:g} and --fov-deg {fov_deg:g}: give one of the two.")
    if focal_px is not None and not (math.isfinite(focal_px) and focal_px > 0):
        raise InputError(f"--focal-px {focal_px:g}: a focal length is a positive number of pixels.")
    if fov_deg is not None and not 0 < fov_deg < 180:
        raise InputError(f"--fov-deg {fov_deg:g}: a field of view is between 0 and 180 degrees.")
