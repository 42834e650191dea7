"""Model files: weights together with everything that is needed to use them.

A ``.safetensors`` or ``.onnx`` file carries one JSON text (:class:`ModelInfo`): the network and its options,
the input size, the training camera, the depth range, where the weights come from and how they score.
Nothing is unpickled, and reading the information of a file needs neither PyTorch nor ONNX.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthnet.errors import ConfigError, InputError, MissingTierError
from depthnet.io.files import atomic_path

if TYPE_CHECKING:
    from depthnet.networks.blocks import DepthNetwork, Network
    from depthnet.networks.pose import PoseNetwork

FORMAT_VERSION = 1
METADATA_KEY = "depthnet"
MODELS = Path(__file__).parent / "models"
#: Shipped models: name -> file stem in ``models/``; each is there as .onnx and as .safetensors.
SHIPPED = {"mobile": "mobile"}
#: What goes before the name or folder of a transformers checkpoint.
HUB_PREFIX = "hf:"
#: Files of a run folder that hold a model, in the order in which they are preferred.
RUN_MODELS = ("model.onnx", "best.safetensors", "last.safetensors")
#: What goes before the names of the files that hold the motion, in a run that learns depth as well.
POSE_PREFIX = "pose-"


@dataclass
class ModelInfo:
    """What a model file says about itself."""

    name: str
    network: str
    network_options: dict[str, Any]
    #: Height and width that the network was trained at; a photo is resized to about as many pixels.
    input_size: tuple[int, int]
    #: Focal length in pixels at ``input_size`` of the pictures that the network was trained on.
    training_focal_px: float
    min_depth: float
    max_depth: float
    #: What the output is: ``metric``, ``scale_invariant`` (depth up to a scale) or ``affine_invariant`` (inverse depth
    #: up to scale and shift).
    kind: str = "metric"
    #: What it finds: ``depth`` of a picture, or ``pose``, the motion between two.
    task: str = "depth"
    provenance: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    def to_json(self) -> str:
        """The text that a model file carries."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, path: str | Path) -> ModelInfo:
        """Parse :meth:`to_json`; ``path`` names the file in an error.

        Raises:
            InputError: if the text is not such information or is of a newer format.
        """
        try:
            data = json.loads(text)
            version = data["format_version"]
            if version > FORMAT_VERSION:
                raise InputError(
                    f"{path}: model format {version}; this version reads {FORMAT_VERSION}: upgrade depthnet."
                )
            data["input_size"] = tuple(data["input_size"])
            return cls(**data)
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path}: its depthnet metadata is damaged ({error}); export the model again.") from error


def shipped_file(name: str, suffix: str = ".onnx") -> Path:
    """Where a file of a shipped model belongs, a key of :data:`SHIPPED`; it may be missing from an installation."""
    return MODELS / f"{SHIPPED[name]}{suffix}"


def _require_shipped(name: str, suffix: str) -> Path:
    path = shipped_file(name, suffix)
    if not path.is_file():
        raise InputError(
            f"{name}: its file {path.name} is missing from this installation; install depthnet again or pass the path "
            "of a model file."
        )
    return path


def resolve_model(model: str | Path, task: str = "depth") -> Path:
    """The file behind ``--model``: a shipped name, a .onnx or .safetensors file, or a run folder.

    A shipped name and a run folder give the ONNX file where there is one, which needs no PyTorch. Of a run that learned
    depth and motion, task pose gives the motion.

    Raises:
        InputError: if there is no such model.
    """
    if str(model) in SHIPPED:
        return _require_shipped(str(model), ".onnx")
    path = Path(model)
    if path.is_dir():
        for name in _run_models(task):
            if (path / name).is_file():
                return path / name
        raise InputError(f"{path}: a folder without {', '.join(RUN_MODELS)}; pass a finished run or a model file.")
    if not path.is_file():
        names = ", ".join(sorted(SHIPPED))
        raise InputError(f"{path}: no such model; pass a shipped name ({names}), a .onnx, a .safetensors or a run.")
    if path.suffix not in (".onnx", ".safetensors"):
        raise InputError(f"{path}: a model ends in .onnx or .safetensors; other weight files are not loaded.")
    return path


def _run_models(task: str) -> tuple[str, ...]:
    """Files of a run folder that may hold a model for a task, in the order in which they are preferred."""
    return (*(f"{POSE_PREFIX}{name}" for name in RUN_MODELS), *RUN_MODELS) if task == "pose" else RUN_MODELS


def resolve_weights(model: str | Path, task: str = "depth") -> Path:
    """The .safetensors file behind a model name, file or run folder, for training and export.

    Of a run that learned depth and motion, task pose gives the motion.

    Raises:
        InputError: if the model has no such file.
    """
    if str(model) in SHIPPED:
        return _require_shipped(str(model), ".safetensors")
    path = Path(model)
    if path.is_dir():
        candidates = [path / name for name in _run_models(task) if name.endswith(".safetensors")]
        path = next((candidate for candidate in candidates if candidate.is_file()), candidates[0])
    if path.suffix != ".safetensors" or not path.is_file():
        raise InputError(f"{model}: has no .safetensors weights; pass a shipped name, a .safetensors or a run folder.")
    return path


def run_config_path(run: str | Path) -> Path:
    """The ``config.yaml`` that makes a folder a run.

    Raises:
        InputError: if the folder is no run.
    """
    path = Path(run) / "config.yaml"
    if not path.is_file():
        raise InputError(f"{run}: no run folder (it has no config.yaml); pass one that `depthnet train` wrote.")
    return path


def read_model_info(path: str | Path) -> ModelInfo:
    """Read what a .safetensors or .onnx file says about itself.

    Raises:
        InputError: if the file is truncated or was not written by depthnet.
    """
    path = Path(path)
    metadata = _safetensors_metadata(path) if path.suffix == ".safetensors" else _onnx_metadata(path)
    if METADATA_KEY not in metadata:
        raise InputError(f"{path}: has no depthnet metadata; write models with `depthnet train` or `depthnet export`.")
    return ModelInfo.from_json(metadata[METADATA_KEY], path)


def _safetensors_metadata(path: Path) -> dict[str, str]:
    """The ``__metadata__`` of a safetensors file: 8 bytes of length, then a JSON header."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > 100_000_000:
                raise ValueError("header too long")
            header = json.loads(file.read(length))
            return dict(header.get("__metadata__", {}))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path.") from error
    except (struct.error, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not a whole safetensors file ({error}); copy it again.") from error


def _onnx_metadata(path: Path) -> dict[str, str]:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingTierError('reading a .onnx file needs onnxruntime: pip install "depthnet"') from error
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own undocumented classes
        reason = str(error).splitlines()[0][:120]
        raise InputError(f"{path}: onnxruntime cannot load it ({reason}); export it again.") from error
    return dict(session.get_modelmeta().custom_metadata_map)


def save_network(path: str | Path, network: Network, info: ModelInfo, half: bool = False) -> None:
    """Write a network and its information as one .safetensors file.

    Args:
        path: the file, replaced when it is there.
        network: the network; its weights are stored as float32.
        info: what the file says about itself.
        half: store the weights as float16 (biases and statistics stay float32): half the size.

    Raises:
        InputError: if the file cannot be written.
    """
    import torch
    from safetensors.torch import save

    state = {}
    for name, value in network.state_dict().items():
        value = value.detach().cpu().contiguous()
        state[name] = value.to(torch.float16) if half and value.ndim > 1 else value
    blob = save(state, metadata={METADATA_KEY: info.to_json()})
    with atomic_path(path) as temporary:
        temporary.write_bytes(blob)


def load_network(path: str | Path) -> tuple[DepthNetwork, ModelInfo]:
    """Build the depth network of a .safetensors file with its weights, in evaluation mode on the CPU.

    Raises:
        InputError: if the file is damaged, holds no depth network, this version has no such network, or its weights do
            not fit it.
        MissingTierError: without PyTorch.
    """
    network: DepthNetwork
    network, info = _load(Path(path), "depth")
    return network, info


def load_pose_network(path: str | Path) -> tuple[PoseNetwork, ModelInfo]:
    """Build the pose network of a .safetensors file, as :func:`load_network` does a depth network."""
    network: PoseNetwork
    network, info = _load(Path(path), "pose")
    return network, info


def load_any_network(path: str | Path) -> tuple[Network, ModelInfo]:
    """Build the network of a .safetensors file, whatever it finds, as :func:`load_network` does a depth network."""
    network: Network
    network, info = _load(Path(path), read_model_info(path).task)
    return network, info


def check_task(info: ModelInfo, task: str, path: str | Path) -> None:
    """Refuse a model that finds something else.

    Raises:
        InputError: saying what it finds.
    """
    if info.task != task:
        found = {"depth": "the depth of a picture", "pose": "the motion between two pictures"}
        raise InputError(f"{path}: finds {found.get(info.task, info.task)}, not {found[task]}; choose another model.")


def _load(path: Path, task: str) -> tuple[Any, ModelInfo]:
    info = read_model_info(path)
    check_task(info, task, path)
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from depthnet.networks import build_network, build_pose_network
    except ImportError as error:
        raise MissingTierError(f'{path}: .safetensors weights need PyTorch: pip install "depthnet[train]"') from error
    try:
        build: Callable[..., Network] = build_pose_network if task == "pose" else build_network
        network = build(info.network, info.network_options)
        state = load_file(path)
    except ConfigError as error:
        raise InputError(f"{path}: this version cannot build its network: {error}") from error
    except SafetensorError as error:
        raise InputError(f"{path}: not a whole safetensors file ({error}); copy it again.") from error
    load_weights(network, state, path)
    return network.eval(), info


def load_weights(network: Network, state: dict[str, Any], source: str | Path) -> None:
    """Copy a full state into ``network``; every name and shape must match.

    Raises:
        InputError: naming the first differences.
    """
    wanted = network.state_dict()
    missing = sorted(wanted.keys() - state.keys())
    unknown = sorted(state.keys() - wanted.keys())
    shapes = sorted(name for name in wanted.keys() & state.keys() if wanted[name].shape != state[name].shape)
    differences = {"lacks": missing, "has unknown": unknown, "has another shape of": shapes}
    problems = [f"{word} {names[0]} ({len(names)} in all)" for word, names in differences.items() if names]
    if problems:
        raise InputError(
            f"{source}: weights of another network: {'; '.join(problems)}. Choose its network and options."
        )
    network.load_state_dict({name: value.to(wanted[name].dtype) for name, value in state.items()})


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
