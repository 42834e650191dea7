"""The result of a check, as text and as plain values."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from depthnet.check.frames import DepthFacts, FrameFacts
from depthnet.check.rules import Finding
from depthnet.io.files import atomic_path

_ROWS: dict[str, Callable[[DepthFacts], float]] = {
    "nearest [m]": lambda depth: depth.nearest,
    "median [m]": lambda depth: depth.middle,
    "farthest [m]": lambda depth: depth.farthest,
    "missing [%]": lambda depth: 100.0 * (1.0 - depth.known),
}
_SHOWN_CAMERAS = 3


@dataclass
class Report:
    """What a data set holds and what is wrong with it."""

    data: str
    """Name of the data set."""
    format: str
    count: int
    """Samples of the data set, read or not."""
    frames: list[FrameFacts]
    """Samples that were looked at, those that cannot be read among them."""
    findings: list[Finding]
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Frames on disk that are no samples, with the reason."""
    seconds: float = 0.0

    @property
    def readable(self) -> list[FrameFacts]:
        """Samples that could be read."""
        return [frame for frame in self.frames if frame.error is None]

    @property
    def unreadable(self) -> list[str]:
        """Why samples cannot be read, one line each."""
        return [frame.error for frame in self.frames if frame.error is not None]

    @property
    def ok(self) -> bool:
        """Whether everything can be read and nothing is surely wrong."""
        return not self.unreadable and all(finding.severity != "error" for finding in self.findings)

    def sizes(self) -> dict[str, int]:
        """``WIDTHxHEIGHT`` -> samples."""
        return dict(Counter(f"{frame.size[1]}x{frame.size[0]}" for frame in self.readable).most_common())

    def cameras(self) -> list[tuple[tuple[float, ...] | None, int]]:
        """(fx, fy, cx, cy), or None for no camera, with its samples; the most frequent first."""
        found: Counter[tuple[float, ...] | None] = Counter(
            None if K is None else (K[0][0], K[1][1], K[0][2], K[1][2]) for K in (frame.K for frame in self.readable)
        )
        return found.most_common()

    def ranges(self) -> dict[str, tuple[float, float, float]]:
        """Least, median and greatest value over the samples of each row of the table; empty without depth."""
        depths = [frame.depth for frame in self.readable if frame.depth is not None]
        known = [depth for depth in depths if depth.known > 0]
        result = {}
        for name, value in _ROWS.items():
            values = [value(depth) for depth in (depths if "%" in name else known)]
            if values:
                result[name] = (min(values), float(np.median(values)), max(values))
        return result

    def to_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return {
            "data": self.data,
            "format": self.format,
            "count": self.count,
            "looked_at": len(self.frames),
            "unreadable": [{"name": frame.name, "error": frame.error} for frame in self.frames if frame.error],
            "left_out": dict(self.left_out),
            "sizes": self.sizes(),
            "cameras": [{"K": K and [_finite(one) for one in K], "count": count} for K, count in self.cameras()],
            "depth": {
                name: {"min": low, "median": middle, "max": high} for name, (low, middle, high) in self.ranges().items()
            },
            "findings": [
                {"rule": one.rule, "severity": one.severity, "message": one.message, "count": len(one.names),
                 "names": list(one.names)}
                for one in self.findings
            ],
            "ok": self.ok,
            "seconds": self.seconds,
        }  # fmt: skip

    def write_json(self, path: str | Path, overwrite: bool = False) -> None:
        """Write :meth:`to_json` to a file.

        Raises:
            InputError: if the file exists and ``overwrite`` is False, or cannot be written.
        """
        with atomic_path(path, overwrite) as temporary:
            text = json.dumps(self.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")


def format_report(report: Report) -> str:
    """The report as lines: counts, a table of values over the samples, and one line for each finding."""
    looked = "" if len(report.frames) == report.count else f", {len(report.frames)} looked at"
    unreadable = f", {len(report.unreadable)} cannot be read" if report.unreadable else ""
    lines = [f"{report.data}: {report.format}, {_samples(report.count)}{looked}{unreadable}"]
    lines += [f"  size {size}: {_samples(count)}" for size, count in report.sizes().items()]
    cameras = report.cameras()
    lines += [f"  {_camera(K)}: {_samples(count)}" for K, count in cameras[:_SHOWN_CAMERAS]]
    if len(cameras) > _SHOWN_CAMERAS:
        lines.append(f"  and {len(cameras) - _SHOWN_CAMERAS} more K")
    ranges = report.ranges()
    if ranges:
        lines.append(f"  {'depth over the samples':<24}{'min':>9}{'median':>9}{'max':>9}")
        lines += [f"  {name:<24}" + "".join(f"{value:>9.2f}" for value in row) for name, row in ranges.items()]
    if report.left_out:
        name, reason = next(iter(report.left_out.items()))
        lines.append(f"  left out: {len(report.left_out)} frames on disk are no samples, for example {name}: {reason}")
    lines += [f"{one.severity}: {one.rule}: {one.message}{_examples(one.names)}" for one in report.findings]
    if not report.findings and not report.unreadable:
        lines.append("nothing suspicious")
    return "\n".join(lines)


def _samples(count: int) -> str:
    return f"{count} sample{'s' * (count != 1)}"


def _camera(K: tuple[float, ...] | None) -> str:
    return "no K" if K is None else "K: f {:.1f}, {:.1f} px, c {:.1f}, {:.1f} px".format(*K)


def _examples(names: tuple[str, ...]) -> str:
    if not names:
        return ""
    more = ", ..." if len(names) > 3 else ""
    return f" ({_samples(len(names))}: {', '.join(names[:3])}{more})"


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
