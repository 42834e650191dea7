"""`depthnet describe`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import tyro

from depthnet.cli.parsing import Face, Flag, JobCommand, Options
from depthnet.cli.usage import UsageError
from depthnet.config import DescribeConfig


@dataclass
class Describe(JobCommand):
    """Say what a network is made of and what each part costs, as a table and, with --out, as a drawing.

    depthnet describe unet --out unet.svg

    depthnet describe runs/mine --size 480 640 --layers
    """

    positional: ClassVar[str] = "names"

    names: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="NETWORK|MODEL")]] = ()
    """A network's name (see `depthnet models`), a shipped model, a .onnx, a .safetensors or a run folder."""
    job: Options[DescribeConfig] = field(default_factory=DescribeConfig)
    overwrite: Flag = False
    """Replace the drawing when it exists."""
    face: Options[Face] = field(default_factory=Face)

    def run(self) -> int:
        """Print the table, then the name of the drawing."""
        if len(self.names) != 1:
            raise UsageError(f"describe needs one NETWORK or MODEL; {len(self.names)} were given.")
        from depthnet.describe import describe_network, format_table

        print(format_table(describe_network(self.names[0], self.job, self.overwrite), self.job.layers))
        if self.job.out:
            print(f"\n{self.job.out}")
        return 0
