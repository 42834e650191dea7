"""`depthnet benchmark`."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import tyro

from depthnet.cli.parsing import Face, Flag, JobCommand, Options
from depthnet.cli.report import refuse_existing_file
from depthnet.config import BenchmarkConfig
from depthnet.io.files import atomic_path


@dataclass
class Benchmark(JobCommand):
    """Time the package against a rival, in turn, on this machine; all benchmarks by default.

    depthnet benchmark predict --json speed.json
    """

    positional: ClassVar[str] = "names"

    names: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME...")]] = ()
    """Benchmarks by name."""
    job: Options[BenchmarkConfig] = field(default_factory=BenchmarkConfig)
    overwrite: Flag = False
    """Replace the JSON file when it exists."""
    face: Options[Face] = field(default_factory=Face)

    def run(self) -> int:
        """Run the benchmarks and print one line for each."""
        out = Path(self.job.json) if self.job.json else None
        refuse_existing_file(out, "--json", self.overwrite)
        from depthnet.benchmark import run_benchmarks

        figures = run_benchmarks(self.names, on_start=lambda name: print(f"{name} ...", file=sys.stderr))
        for name, result in figures.items():
            print(format_result(name, result))
        if out:
            with atomic_path(out, self.overwrite) as temporary:
                temporary.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return 0


def format_result(name: str, result: dict[str, Any]) -> str:
    """One line of a benchmark: both times, the ratio and what was compared, and the rates that were measured."""
    ours, rival, unit, rival_name = (result[key] for key in ("ours", "rival", "unit", "rival_name"))
    rates = "".join(
        f"; {value:.3g} {key.replace('_per_s', '/s', 1).replace('_', ' ')}"
        for key, value in result.items()
        if "_per_s" in key
    )
    if rival is None:
        return f"{name}: ours {ours:.4g} {unit}{rates}; absent, because not installed: {rival_name}"
    return f"{name}: ours {ours:.4g} {unit}, {rival_name} {rival:.4g} {unit}, ratio {result['ratio']:.2f}{rates}"
