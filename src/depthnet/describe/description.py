"""What is known about a network that has been traced: plain numbers, no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

#: Sizes of a tensor without its batch: (channels, height, width) of a map.
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """One module that computes."""

    name: str
    """Its path in the module tree; empty for what the network itself computes."""
    kind: str
    """What it is, in words."""
    input_shape: Shape
    output_shape: Shape
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Block:
    """All that is computed between the levels that it reads and the level that it gives."""

    name: str
    """Name of its level."""
    shape: Shape
    sources: tuple[str, ...] = ()
    """Inputs and levels that it reads, in the order in which they are computed; none for an input of the network."""
    parameters: int = 0
    multiply_adds: int = 0
    summary: str = ""
    """What it is made of, in words."""
    layers: tuple[Layer, ...] = ()

    @property
    def skips(self) -> tuple[str, ...]:
        """What it reads besides the newest of its sources."""
        return self.sources[:-1]


@dataclass(frozen=True)
class Description:
    """A network, as one run of it showed it."""

    title: str
    inputs: tuple[Block, ...]
    blocks: tuple[Block, ...]
    """In the order in which they are computed."""
    parameters: int
    """Of the whole network."""
    multiply_adds: int
    """For one sample, of the whole run; additions of biases and what has no weights are not counted."""

    @property
    def nodes(self) -> tuple[Block, ...]:
        """Inputs and blocks."""
        return (*self.inputs, *self.blocks)

    @property
    def skips(self) -> tuple[tuple[str, str], ...]:
        """Every connection past the main chain, as (source, target)."""
        return tuple((source, block.name) for block in self.blocks for source in block.skips)

    @property
    def totals(self) -> str:
        """Parameters, multiply-adds and input sizes in one line."""
        counts = f"{format_count(self.parameters)} parameters · {format_quantity(self.multiply_adds)} multiply-adds"
        return " · ".join([counts, *(f"{block.name} {format_shape(block.shape, ' × ')}" for block in self.inputs)])

    @property
    def unused_parameters(self) -> int:
        """Parameters that no block reads: of heads for training, say."""
        return self.parameters - sum(block.parameters for block in self.blocks)


def format_count(value: int) -> str:
    """A number with spaces between its thousands: 8 539 714."""
    return f"{value:,}".replace(",", " ")


def format_quantity(value: int) -> str:
    """A number with three digits and a unit: 2.53 G."""
    for unit, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if value >= 0.9995 * size:
            scaled = value / size
            return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f} {unit}"
    return str(value)


def format_shape(shape: Shape, times: str = "x") -> str:
    """Sizes joined by a sign: 64x112x160."""
    return times.join(map(str, shape))


def format_share(part: int, whole: int) -> str:
    """A part in per cent of the whole: 6.7 %; a trace of it is <0.1 %."""
    percent = 100 * part / whole if whole else 0.0
    return "<0.1 %" if 0 < percent < 0.05 else f"{percent:.1f} %"
