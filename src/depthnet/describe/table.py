"""The table of a network, as text."""

from __future__ import annotations

from collections.abc import Sequence

from depthnet.describe.description import (
    Block,
    Description,
    Layer,
    format_count,
    format_quantity,
    format_shape,
    format_share,
)

HEADINGS = ("level", "shape", "reads", "parameters", "multiply-adds", "share", "made of")
TO_THE_RIGHT = (3, 4, 5)


def format_table(description: Description, layers: bool = False) -> str:
    """One line for each level, then the total; plain ASCII.

    Args:
        description: the network.
        layers: below each level, also a line for each of its layers.
    """
    rows: list[Sequence[str]] = [HEADINGS]
    for block in description.nodes:
        rows.append(_block_row(block, description))
        if layers:
            rows += [_layer_row(layer, description) for layer in block.layers]
    if description.unused_parameters:
        rows.append(
            (
                "(unused)",
                "",
                "",
                format_count(description.unused_parameters),
                "",
                "",
                "parameters that this run does not read",
            )
        )
    total = (format_count(description.parameters), format_quantity(description.multiply_adds))
    rows.append(("total", "", "", *total, "100.0 %", ""))
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [
        "  ".join(
            cell.rjust(width) if index in TO_THE_RIGHT else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([f"{description.title}: {description.totals}", "", *lines]).replace(" ·", ",").replace("×", "x")


def _block_row(block: Block, description: Description) -> Sequence[str]:
    if not block.sources:
        return (block.name, format_shape(block.shape), "", "", "", "", "")
    share = format_share(block.multiply_adds, description.multiply_adds)
    counts = (format_count(block.parameters), format_quantity(block.multiply_adds), share)
    return (block.name, format_shape(block.shape), " + ".join(block.sources), *counts, block.summary)


def _layer_row(layer: Layer, description: Description) -> Sequence[str]:
    share = format_share(layer.multiply_adds, description.multiply_adds)
    counts = (format_count(layer.parameters), format_quantity(layer.multiply_adds), share)
    return (f"  {layer.name}", format_shape(layer.output_shape), format_shape(layer.input_shape), *counts, layer.kind)
