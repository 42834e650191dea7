"""Records one run of a network: every operation, whose results it reads, and the module that called it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry


@dataclass(eq=False)
class Call:
    """One call of a module."""

    name: str
    """Path of the module."""
    module: nn.Module
    parent: Call | None
    """The call around it."""
    input: Tensor | None
    """The first tensor that it is given."""
    output: Tensor | None = None
    """The first tensor that it gives."""

    def chain(self) -> list[Call]:
        """This call and the calls around it, the outermost first."""
        return [*(self.parent.chain() if self.parent else []), self]


@dataclass(eq=False)
class Operation:
    """One operation on tensors."""

    index: int
    name: str
    call: Call | None
    parents: list[Operation]
    """The operations whose results it reads."""
    inputs: set[str]
    """The network's inputs that it reads, itself or through operations without weights."""
    parameters: list[nn.Parameter]
    multiply_adds: int
    is_view: bool
    """Whether it only looks at its first parent's result in another shape."""
    is_live: bool = field(init=False)
    """Whether its result depends on the network's inputs, and not on weights alone."""
    is_preparation: bool = field(init=False)
    """Whether its result is made of the network's inputs without any weights: normalised, resized."""
    is_weightless: bool = field(init=False)

    def __post_init__(self) -> None:
        self.is_live = bool(self.inputs) or any(parent.is_live for parent in self.parents)
        costs = bool(self.parameters) or self.multiply_adds > 0
        self.is_weightless = not costs and all(parent.is_weightless for parent in self.parents)
        self.is_preparation = self.is_live and self.is_weightless
        for parent in self.parents:
            if parent.is_preparation:
                self.inputs |= parent.inputs


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the operations that run inside ``with Recorder(...).watch():``.

    Args:
        network: the network whose modules are named.
        inputs: its inputs by name.
    """

    def __init__(self, network: nn.Module, inputs: dict[str, Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[Operation] = []
        self.calls: list[Call] = []
        self._names = {module: name for name, module in network.named_modules()}
        self._inputs = {id(tensor): name for name, tensor in inputs.items()}
        self._producers: dict[int, Operation] = {}  # by the id of the tensor, which is kept alive
        self._writers: dict[int, list[Operation]] = {}  # operations in place, by the storage
        self._kept: list[Any] = [inputs]
        self._stack: list[Call] = []

    @contextmanager
    def watch(self) -> Iterator[Recorder]:
        """Record what runs inside; gradients are off."""
        with (
            torch.no_grad(),
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave),
            self,
        ):
            yield self

    def makers(self, tensor: Tensor) -> list[Operation]:
        """As :meth:`producers`, but of what a view looks at."""
        found = self.producers(tensor)
        while found and found[0].is_view and found[0].parents:
            found[0] = found[0].parents[0]
        return found

    def producers(self, tensor: Tensor) -> list[Operation]:
        """The operations that a tensor comes from: the one that gave it, and those that wrote into its memory."""
        own = [self._producers[id(tensor)]] if id(tensor) in self._producers else []
        return [*own, *self._writers.get(_storage(tensor), [])]

    def _enter(self, module: nn.Module, arguments: Any) -> None:
        parent = self._stack[-1] if self._stack else None
        call = Call(self._names.get(module, type(module).__name__), module, parent, first_tensor(arguments))
        self.calls.append(call)
        self._stack.append(call)

    def _leave(self, module: nn.Module, arguments: Any, output: Any) -> None:
        self._stack.pop().output = first_tensor(output)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        read = _tensors((args, kwargs))
        count = flop_registry.get(func.overloadpacket)
        operation = Operation(
            index=len(self.operations),
            name=func.overloadpacket.__name__,
            call=self._stack[-1] if self._stack else None,
            parents=[operation for tensor in read for operation in self.producers(tensor)],
            inputs={self._inputs[id(tensor)] for tensor in read if id(tensor) in self._inputs},
            parameters=[tensor for tensor in read if isinstance(tensor, nn.Parameter)],
            multiply_adds=count(*args, **kwargs, out_val=result) // 2 if count else 0,  # it counts both as one
            is_view=func.is_view,
        )
        self.operations.append(operation)
        for tensor in _tensors(result):
            self._producers[id(tensor)] = operation
            if func._schema.is_mutable:
                self._writers.setdefault(_storage(tensor), []).append(operation)
        self._kept.append((read, result))
        return result


def first_tensor(value: Any) -> Tensor | None:
    """The first tensor in a structure of tuples, lists and dicts."""
    return next(iter(_tensors(value)), None)


def _tensors(value: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]


def _storage(tensor: Tensor) -> int:
    address: int = tensor.untyped_storage()._cdata
    return address
