"""The words that go with a figure; the times come from :func:`depthnet.timing.measure`."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from depthnet.cores import usable_cores
from depthnet.timing import measure

__all__ = ["machine", "measure", "result"]


def result(ours: float, rival: float | None, rival_name: str, unit: str, **facts: Any) -> dict[str, Any]:
    """One entry of the benchmark's JSON; ``ratio`` above 1 says how many times faster ours is."""
    return {
        "ours": ours,
        "rival": rival,
        "rival_name": rival_name,
        "ratio": None if rival is None else rival / ours,
        "unit": unit,
        "machine": machine(),
        **facts,
    }


def machine() -> str:
    """Processor, usable cores and whether it multiplies bfloat16 natively."""
    name, flags = platform.processor() or platform.machine(), ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        fields = dict(line.split(":", 1) for line in cpuinfo.read_text().splitlines() if ":" in line)
        fields = {key.strip(): value.strip() for key, value in fields.items()}
        name, flags = fields.get("model name", name), fields.get("flags", "")
    bf16 = "with" if {"avx512_bf16", "amx_bf16"} & set(flags.split()) else "without"
    return f"{name}, {usable_cores()} cores, {bf16} bf16 instructions"
