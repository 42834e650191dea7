"""Where each level of a network stands: in one of two arms, in rows from the top.

A network whose encoder narrows and whose decoder widens level by level is a U: its levels stand by resolution, with
both arms' levels of one resolution beside each other. Any other network is a column along its longest path, with
what stands aside of it in the second arm.
"""

from __future__ import annotations

from itertools import groupby, pairwise

from depthnet.describe.description import Block, Description, Shape

#: Arm (0 left, 1 right) and row (0 at the top) of each level.
Places = dict[str, tuple[int, int]]


def place_levels(description: Description) -> Places:
    """Arm and row of every input and level."""
    return _place_as_u(description) or _place_as_column(description)


def is_u(description: Description) -> bool:
    """Whether a network has the shape of a U."""
    return bool(_place_as_u(description))


def extent(shape: Shape) -> tuple[int, int]:
    """Channels and rows of a level: (channels, height, width), (tokens, channels) or (channels,)."""
    if len(shape) == 2:
        return shape[1], shape[0]
    return (shape[0] if shape else 1), (shape[1] if len(shape) > 2 else 1)


def _area(block: Block) -> int:
    return block.shape[1] * block.shape[2] if len(block.shape) == 3 else 1


def _place_as_u(description: Description) -> Places:
    """Places by resolution; none where the network is no U."""
    encoder = [block for block in description.blocks if block.name.startswith("encoder_")]
    right = [block for block in description.blocks if block not in encoder]
    left = [*description.inputs, *encoder]
    reads_left = all(set(block.sources) <= {other.name for other in left} for block in encoder)
    chained = all(block.sources[-1:] == (before.name,) for before, block in pairwise([*left[-1:], *right]))
    joined = {source for block in right for source in block.skips} & {block.name for block in encoder}
    down, up = [_area(block) for block in left], [_area(block) for block in right]
    narrows, widens = down == sorted(down, reverse=True), up == sorted(up)
    if not (reads_left and chained and joined and narrows and widens and len(description.inputs) == 1):
        return {}
    arms = [{area: list(group) for area, group in groupby(arm, _area)} for arm in (left, right[::-1])]
    places: Places = {}
    row = 0
    for area in sorted({*down, *up}, reverse=True):
        groups = [arm.get(area, []) for arm in arms]
        rows = max(map(len, groups))
        for arm, group in enumerate(groups):  # what lies deepest in a group is what the other side reads or makes
            places |= {block.name: (arm, row + rows - len(group) + index) for index, block in enumerate(group)}
        row += rows
    return places


def _place_as_column(description: Description) -> Places:
    """The longest path from an input to the last level on the left, the rest on the right, before its first reader."""
    lengths = {block.name: 0 for block in description.inputs}
    before: dict[str, str] = {}
    for block in description.blocks:
        if block.sources:
            before[block.name] = max(reversed(block.sources), key=lambda name: lengths[name])
        lengths[block.name] = 1 + lengths.get(before.get(block.name, ""), -1)
    path = [description.nodes[-1].name]
    while path[-1] in before:
        path.append(before[path[-1]])
    places = {name: (0, row) for row, name in enumerate(reversed(path))}
    for block in reversed(description.nodes):
        if block.name not in places:
            readers = [places[other.name][1] for other in description.blocks if block.name in other.sources]
            row = min(readers, default=len(path)) - 1
            while (1, row) in places.values():
                row -= 1
            places[block.name] = (1, row)
    top = min(row for _, row in places.values())
    return {name: (arm, row - top) for name, (arm, row) in places.items()}
