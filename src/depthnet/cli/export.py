"""`depthnet export`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from depthnet.cli.parsing import Face, Flag, JobCommand, Options
from depthnet.cli.usage import UsageError
from depthnet.config import ExportConfig


@dataclass
class Export(JobCommand):
    """Write a trained network as one ONNX file that needs nothing else.

    depthnet export --model runs/mine --out mine.onnx
    """

    job: Options[ExportConfig] = field(default_factory=ExportConfig)
    overwrite: Flag = False
    """Replace the file when it exists."""
    face: Options[Face] = field(default_factory=Face)

    def run(self) -> int:
        """Export, and print the file and its size."""
        if not self.job.out:
            raise UsageError("export needs --out FILE.onnx.")
        from depthnet.export import export_onnx

        out = Path(self.job.out)
        export_onnx(self.job.model, out, self.overwrite)
        print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")
        return 0
