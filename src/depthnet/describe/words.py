"""What a module is, in words short enough for a picture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from torch import nn

from depthnet.describe.description import Layer
from depthnet.describe.recorder import Call

#: A block of at most so many layers is summed up by its layers, a larger one by its modules.
FEW_LAYERS = 4
#: Parts of the names of modules that a summary leaves out.
QUIET = ("Norm", "LU", "Sigmoid", "Tanh", "Activation", "Dropout", "DropPath", "Identity")
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def kind_of(module: nn.Module) -> str:
    """A module in words: ``conv 7×7 /2``, ``max pool 3×3 /2``, ``linear``, or the name of its class."""
    if isinstance(module, CONVOLUTIONS):
        depthwise = 1 < module.groups == module.in_channels
        words = ["transposed"] if module.transposed else []
        words += ["depthwise"] if depthwise else ["grouped"] if module.groups > 1 else []
        dilation = f" dilated {module.dilation[0]}" if module.dilation[0] > 1 else ""
        return " ".join([*words, "conv", _window(module.kernel_size, module.stride)]) + dilation
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        name = "max pool" if isinstance(module, nn.MaxPool2d) else "average pool"
        return f"{name} {_window(_pair(module.kernel_size), _pair(module.stride))}"
    return "linear" if isinstance(module, nn.Linear) else type(module).__name__


def is_quiet(module: nn.Module) -> bool:
    """Whether a summary leaves a module out: a norm, an activation, a dropout."""
    return any(part in type(module).__name__ for part in QUIET)


def summarise(layers: Sequence[Layer], inside: Sequence[Call], calls: Sequence[Call]) -> str:
    """Say what a block is made of: its layers where they are few, else its modules.

    Args:
        layers: the layers of the block.
        inside: the outermost module calls that are wholly in the block.
        calls: every call of the run.
    """
    few = [layer.kind for layer in layers if _is_telling(layer)]
    if len(few) <= FEW_LAYERS:
        return _count_runs(few)
    modules = list(inside)
    while opened := [call for call in modules if len(modules) == 1 or isinstance(call.module, nn.Sequential)]:
        parts = {call: [other for other in calls if other.parent is call] for call in opened}
        if not any(parts.values()):
            break
        modules = [part for call in modules for part in parts.get(call) or [call]]
    return _count_runs([kind_of(call.module) for call in modules if not is_quiet(call.module)])


def _is_telling(layer: Layer) -> bool:
    return (bool(layer.name) or layer.multiply_adds > 0) and not any(part in layer.kind for part in QUIET)


def _count_runs(words: Sequence[str]) -> str:
    """Join words, equal neighbours as ``3 × word``."""
    runs = [(word, len(list(run))) for word, run in groupby(words)]
    return ", ".join(word if count == 1 else f"{count} × {word}" for word, count in runs)


def _pair(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return (value, value) if isinstance(value, int) else value


def _window(kernel: tuple[int, ...], stride: tuple[int, ...]) -> str:
    steps = sorted(set(stride))
    return "×".join(map(str, kernel)) + ("" if steps == [1] else f" /{'×'.join(map(str, steps))}")
