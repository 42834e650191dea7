"""Depth models of transformers (``--model hf:NAME``), with their own image processing, for the same tables as ours.

A rival gets the photo at its own size and does with it what its own configuration says. It knows no training camera:
the camera rule is not applied to it. Metric models are taken at their word; the others give inverse depth up to scale
and shift, which evaluation fits to the ground truth in 1/metres.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from depthnet.checkpoint import HUB_PREFIX, ModelInfo
from depthnet.errors import InputError, MissingTierError
from depthnet.geometry.camera import focal_from_fov
from depthnet.predictor.runtime import Runtime, check_place, torch_device

if TYPE_CHECKING:
    from torch import Tensor

#: Horizontal angle of view, in degrees, that a photo without a focal length is taken to have; only point clouds use it.
ASSUMED_FOV_DEG = 60.0
#: What the models of a type give; one that says so itself (``depth_estimation_type``) is believed.
KINDS = {
    "depth_anything": "affine_invariant",
    "dpt": "affine_invariant",
    "depth_pro": "metric",
    "glpn": "metric",
    "zoedepth": "metric",
}


def load_rival(name: str, device: str | None = None, threads: int | None = None) -> Runtime:
    """Load a depth model of transformers for running.

    Args:
        name: a checkpoint of the hub (downloaded when it was not before) or a local folder.
        device: ``cpu``, ``cuda`` or ``cuda:N``; None for CUDA where PyTorch has it, else the CPU.
        threads: CPU threads; None leaves PyTorch's number.

    Raises:
        InputError: if the checkpoint cannot be read, is no depth model, or is of a type whose output is not known.
        MissingTierError: without PyTorch or transformers.
    """
    check_place(device, threads)
    try:
        import torch

        from depthnet.networks.hub import image_processor_settings, reading_checkpoint
    except ImportError as error:
        raise MissingTierError(f'{HUB_PREFIX}{name} needs PyTorch: pip install "depthnet[train,hf]"') from error
    with reading_checkpoint(name) as transformers:
        config = transformers.AutoConfig.from_pretrained(name)
        kind = output_kind(config, name)
        settings = image_processor_settings(transformers, name)
        prepare = _processor(transformers, name, config, settings)
        network = transformers.AutoModelForDepthEstimation.from_pretrained(name).float()
    device = torch_device(device, threads)
    network = network.to(device).eval()
    padded = config.model_type == "zoedepth" and getattr(prepare, "do_pad", True)

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        photo = np.rint(image[0].transpose(1, 2, 0) * 255).astype(np.uint8)
        pixels = prepare(images=photo, return_tensors="pt", input_data_format="channels_last")["pixel_values"]
        with torch.inference_mode():
            depth = depth_of_output(network(pixels.to(device)), photo.shape[:2], padded)
        result: NDArray[np.float32] = depth.cpu().numpy()
        return result

    size = _input_size(settings)
    info = ModelInfo(
        name=f"{HUB_PREFIX}{name}", network=config.model_type, network_options={}, input_size=size,
        training_focal_px=focal_from_fov(ASSUMED_FOV_DEG, size[1]), min_depth=0.0, max_depth=float("inf"), kind=kind,
        provenance={"transformers": transformers.__version__},
    )  # fmt: skip
    return Runtime(info, run, f"PyTorch, {device}", own_size=True)


def output_kind(config: Any, name: str) -> str:
    """What a model gives: ``metric``, or ``affine_invariant`` for inverse depth up to scale and shift.

    Raises:
        InputError: if the model's type is not known.
    """
    if config.model_type not in KINDS:
        raise InputError(
            f"{HUB_PREFIX}{name}: whether {config.model_type} gives metres is not known here ({', '.join(KINDS)} are); "
            "write its predictions into a folder and pass that."
        )
    stated = getattr(config, "depth_estimation_type", None)
    # The DPT models with a projection in the head are DINOv2's for NYU and KITTI, which were trained on metres.
    if stated == "metric" or (config.model_type == "dpt" and config.add_projection):
        return "metric"
    return KINDS[config.model_type]


def depth_of_output(output: Any, size: tuple[int, int], padded: bool) -> Tensor:
    """What a model predicted at the size of the photo, (1, 1, H, W), as its own post-processing does it.

    Args:
        output: the model's output; ``predicted_depth`` (1, h, w), for Depth Pro with ``field_of_view`` in degrees.
        size: (H, W) of the photo.
        padded: the photo was mirrored at its edges by ZoeDepth's rule, which is cut off again.
    """
    import torch
    import torch.nn.functional as F

    depth = output.predicted_depth[:, None].float()
    if hasattr(output, "field_of_view"):  # Depth Pro: inverse depth of a camera whose focal length is the width
        fov = output.field_of_view
        depth = depth if fov is None else depth * 2 * torch.tan(torch.deg2rad(fov.float()) / 2)
        depth = 1 / F.interpolate(depth, size=size, mode="bilinear").clamp(1e-4, 1e4)
        return depth
    top, left = (int((n / 2) ** 0.5 * 3) if padded else 0 for n in size)
    whole = (size[0] + 2 * top, size[1] + 2 * left)
    depth = F.interpolate(depth, size=whole, mode="bicubic", align_corners=False)
    return depth[..., top : top + size[0], left : left + size[1]]


class DepthProProcessor:
    """Depth Pro's image processing, whose own class needs torchvision: to [0, 1], normalise, resize without smoothing.

    Args:
        settings: its ``preprocessor_config.json``.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        size = settings.get("size") or {"height": 1536, "width": 1536}
        self.size = (int(size["height"]), int(size["width"]))
        self.mean = np.array(settings.get("image_mean") or [0.5] * 3, np.float32)
        self.std = np.array(settings.get("image_std") or [0.5] * 3, np.float32)

    def __call__(self, images: NDArray[np.uint8], **_: Any) -> dict[str, Tensor]:
        """Pixels (1, 3, h, w) of an RGB photo, (H, W, 3)."""
        import torch
        import torch.nn.functional as F

        pixels = (images.astype(np.float32) / 255 - self.mean) / self.std
        planes = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)[None]))
        return {"pixel_values": F.interpolate(planes, size=self.size, mode="bilinear", align_corners=False)}


def _processor(transformers: Any, name: str, config: Any, settings: dict[str, Any]) -> Any:
    """The model's own image processor, on Pillow."""
    if config.model_type == "depth_pro":
        return DepthProProcessor(settings)
    backend = {"backend": "pil"} if int(transformers.__version__.split(".")[0]) >= 5 else {"use_fast": False}
    return transformers.AutoImageProcessor.from_pretrained(name, **backend)


def _input_size(settings: dict[str, Any]) -> tuple[int, int]:
    """About the size at which the model sees a photo."""
    size = settings.get("size")
    if isinstance(size, dict) and "height" in size and "width" in size:
        return int(size["height"]), int(size["width"])
    return 384, 512
