"""From a recorded run to blocks: each named level of a network with all that is computed for it alone."""

from __future__ import annotations

from torch import Tensor, nn

from depthnet.describe.description import Block, Description, Layer, Shape
from depthnet.describe.recorder import Call, Operation, Recorder
from depthnet.describe.words import is_quiet, kind_of, summarise
from depthnet.networks.blocks import DepthNetwork


def trace_network(network: nn.Module, inputs: dict[str, Tensor], title: str) -> Description:
    """Run a network once and describe what ran.

    The levels of a :class:`~depthnet.networks.blocks.DepthNetwork` are those of its ``features``; of any other
    module, the outputs of its direct children. What a block reads is found from the data that flowed.

    Args:
        network: the network, in evaluation mode. On the meta device the run costs nothing.
        inputs: its arguments by name, in order, on its device; a batch of one.
        title: name of the description.
    """
    recorder = Recorder(network, inputs)
    with recorder.watch():
        if isinstance(network, DepthNetwork):
            levels = network.features(*inputs.values())
        else:
            network(*inputs.values())
            levels = _children_outputs(recorder.calls)
    owners, sources = _share_out(levels, recorder, list(inputs))
    first_uses = _first_uses(owners)
    inside = _calls_inside(owners, recorder.calls)
    blocks = []
    for name in sources:
        layers = _layers([operation for operation, owner in owners.items() if owner == name], first_uses)
        blocks.append(
            Block(
                name=name,
                shape=_shape(levels[name]),
                sources=sources[name],
                parameters=sum(layer.parameters for layer in layers),
                multiply_adds=sum(layer.multiply_adds for layer in layers),
                summary=summarise(layers, inside[name], recorder.calls),
                layers=tuple(layers),
            )
        )
    return Description(
        title=title,
        inputs=tuple(Block(name, _shape(tensor)) for name, tensor in inputs.items()),
        blocks=tuple(blocks),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        multiply_adds=sum(operation.multiply_adds for operation in recorder.operations),
    )


def _children_outputs(calls: list[Call]) -> dict[str, Tensor]:
    """What the direct children of the module give that was called first; a child that is called again counts anew."""
    levels: dict[str, Tensor] = {}
    for call in calls:
        if call.parent is calls[0] and call.output is not None:
            again = sum(name.partition(" ")[0] == call.name for name in levels)
            levels[f"{call.name} ({again + 1})" if again else call.name] = call.output
    output = calls[0].output
    if output is not None and all(output is not level for level in levels.values()):
        levels["output"] = output
    return levels


def _share_out(
    levels: dict[str, Tensor], recorder: Recorder, inputs: list[str]
) -> tuple[dict[Operation, str], dict[str, tuple[str, ...]]]:
    """Give each operation to the first level that needs it.

    Returns:
        The level of each operation that any needs, in the order of the run; and for each level, in the order in
        which they are computed, the inputs and levels that its operations read.
    """
    ends = {name: recorder.makers(tensor) for name, tensor in levels.items()}
    ordered = sorted(ends, key=lambda name: max((operation.index for operation in ends[name]), default=-1))
    owners: dict[Operation, str] = {}
    sources = {}
    for name in ordered:
        read: set[str] = set()
        waiting = list(ends[name])
        while waiting:
            operation = waiting.pop()
            if operation.is_preparation:  # serves all that read the input, and belongs to none of them
                read |= operation.inputs
            elif operation not in owners:
                owners[operation] = name
                read |= operation.inputs
                waiting += operation.parents
            elif operation.is_live:  # what depends on weights alone may serve several levels and joins none of them
                read.add(owners[operation])
        sources[name] = tuple(other for other in [*inputs, *ordered] if other in read - {name})
    return dict(sorted(owners.items(), key=lambda item: item[0].index)), sources


def _first_uses(owners: dict[Operation, str]) -> dict[Operation, int]:
    """How many parameters each operation is the first to read."""
    seen: set[nn.Parameter] = set()
    counts = {}
    for operation in owners:
        new = set(operation.parameters) - seen
        seen |= new
        counts[operation] = sum(parameter.numel() for parameter in new)
    return counts


def _calls_inside(owners: dict[Operation, str], calls: list[Call]) -> dict[str, list[Call]]:
    """For each level, the outermost module calls that work for it alone, in order."""
    served: dict[Call, set[str]] = {call: set() for call in calls}
    for operation, owner in owners.items():
        for call in operation.call.chain() if operation.call else []:
            served[call].add(owner)
    inside: dict[str, list[Call]] = {owner: [] for owner in owners.values()}
    for call in calls:
        if len(served[call]) == 1 and (call.parent is None or len(served[call.parent]) > 1):
            inside[next(iter(served[call]))].append(call)
    return inside


def _layers(operations: list[Operation], first_uses: dict[Operation, int]) -> list[Layer]:
    """One layer for each module call that computes or pools, not counting what its submodules do."""
    by_call: dict[Call | None, list[Operation]] = {}
    for operation in operations:
        by_call.setdefault(operation.call, []).append(operation)
    layers = []
    for call, own in by_call.items():
        parameters = sum(first_uses[operation] for operation in own)
        multiply_adds = sum(operation.multiply_adds for operation in own)
        costs = parameters > 0 or multiply_adds > 0
        if call is None and costs:
            kind = ", ".join(dict.fromkeys(operation.name for operation in own if operation.multiply_adds))
            layers.append(Layer("", kind or "weights of its own", (), (), parameters, multiply_adds))
        elif call is not None and (costs or _is_telling_leaf(call.module)):
            shapes = _shape(call.input), _shape(call.output)
            layers.append(Layer(call.name, kind_of(call.module), *shapes, parameters, multiply_adds))
    return layers


def _is_telling_leaf(module: nn.Module) -> bool:
    return next(module.children(), None) is None and not is_quiet(module)


def _shape(tensor: Tensor | None) -> Shape:
    return () if tensor is None else tuple(tensor.shape[1:])
