"""`depthnet export`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from depthnet.cli.parsing import Face, Flag, JobCommand, Options
from depthnet.cli.usage import UsageError
from depthnet.config import ExportConfig

if TYPE_CHECKING:
    from depthnet.export import Int8Export, OnnxExport


@dataclass
class Export(JobCommand):
    """Write a trained network as one ONNX file that needs nothing else, checked against PyTorch.

    depthnet export --model runs/mine --out mine.onnx

    depthnet export --model runs/mine --out mine_int8.onnx --int8 --data photos/
    """

    job: Options[ExportConfig] = field(default_factory=ExportConfig)
    overwrite: Flag = False
    """Replace the file when it exists."""
    face: Options[Face] = field(default_factory=Face)

    def run(self) -> int:
        """Export, and print what the file is; of an int8 file, also how it compares with the float32 one."""
        job = self.job
        if not job.out:
            raise UsageError("export needs --out FILE.onnx.")
        if job.int8 and not job.data:
            raise UsageError("export --int8 needs --data PATH: pictures on which it finds the ranges of 8-bit numbers.")
        if job.data and not job.int8:
            raise UsageError(f"--data {job.data}: is for --int8; leave it out, or add --int8.")
        from depthnet.export import export_int8, export_onnx

        if not job.int8:
            print(describe_export(export_onnx(job.model, Path(job.out), self.overwrite)))
            return 0
        from depthnet.cli.progress import image_progress

        with image_progress("int8") as on_progress:
            done = export_int8(
                job.model, Path(job.out), str(job.data), self.overwrite, job.format, job.threads, on_progress
            )
        print(describe_int8(done))
        return 0


def describe_export(done: OnnxExport) -> str:
    """One line: the file, its size and how far it is from PyTorch."""
    weights = "float16" if done.float16 else "float32"
    return (
        f"{done.path}: {done.path.stat().st_size / 1e6:.1f} MB, {weights} weights, "
        f"at most {100 * done.difference:.2g} % from PyTorch at any pixel of 3 sizes"
    )


def describe_int8(done: Int8Export) -> str:
    """One line for each of: the file, its size, its speed, its depth and its score against the float32 file."""
    size, seconds, (height, width) = done.bytes, done.seconds, done.size
    lines = [
        f"{done.path}: {done.layers.integer} of {done.layers.integer + done.layers.float32} layers in int8, "
        f"ranges from {done.calibrated} pictures",
        f"size    {size.int8 / 1e6:.2f} MB, float {size.float32 / 1e6:.2f} MB",
        f"speed   {1e3 * seconds.int8:.1f} ms, float {1e3 * seconds.float32:.1f} ms for {width}x{height}: "
        f"{seconds.float32 / seconds.int8:.2f} times as fast",
        f"depth   {100 * done.difference:.2g} % from float's in the median",
    ]
    if done.delta1:
        lines.append(
            f"delta1  {done.delta1.int8:.4f}, float {done.delta1.float32:.4f} "
            f"({done.protocol}, {done.compared} pictures): {done.delta1.int8 - done.delta1.float32:+.4f}"
        )
    return "\n".join(lines)
