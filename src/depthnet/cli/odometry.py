"""`depthnet odometry`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar

import tyro

from depthnet.cli.parsing import Face, Flag, JobCommand, Options
from depthnet.cli.report import report_failure
from depthnet.cli.usage import UsageError
from depthnet.config import OdometryConfig

if TYPE_CHECKING:
    from depthnet.odometry import OdometryResult, VideoFrame


@dataclass
class Odometry(JobCommand):
    """Follow the camera through a video and write its path, camera to world, beginning at the identity.

    depthnet odometry rgbd_dataset_freiburg1_rpy --out trajectory.txt

    depthnet odometry my_video --depth mobile --focal-px 525 --out trajectory.txt
    """

    positional: ClassVar[str] = "paths"

    paths: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="SEQUENCE")]] = ()
    """A video of any layout: TUM RGB-D, 7-Scenes, ScanNet, images/ depth/ K.txt poses.txt, a prepared tree ..."""
    job: Options[OdometryConfig] = field(default_factory=OdometryConfig)
    overwrite: Flag = False
    """Replace the trajectory file when it exists."""
    face: Options[Face] = field(default_factory=Face)

    def run(self) -> int:
        """Track, report gaps on stderr and print the summary."""
        if len(self.paths) != 1:
            raise UsageError(f"odometry needs one SEQUENCE (a video); {len(self.paths)} were given.")
        if not self.job.out:
            raise UsageError("odometry needs --out trajectory.txt.")
        from depthnet.cli.progress import image_progress
        from depthnet.odometry import run_odometry

        with image_progress("odometry") as on_progress:
            result = run_odometry(self.paths[0], self.job, self.overwrite, on_progress)
        for gap in result.gaps:
            print(f"depthnet: {describe_gap(gap)}", file=sys.stderr)
        for line in format_summary(result):
            print(line)
        failures = [frame.error for frame in result.frames if frame.error]
        if not result.tracked:
            failures.append(f"{self.paths[0]}: no frame has a pose, so {result.path} is not written.")
        for line in failures:
            report_failure(line)
        return 1 if failures else 0


def describe_gap(gap: list[VideoFrame]) -> str:
    """One line about frames without a pose."""
    first, last = gap[0].name, gap[-1].name
    reasons = list(dict.fromkeys(frame.tracked.reason for frame in gap))
    more = f" (and {len(reasons) - 1} other reasons)" if len(reasons) > 1 else ""
    frames = f"frame {first}" if len(gap) == 1 else f"{len(gap)} frames, {first} to {last}"
    return f"gap, left out of the path: {frames}: {reasons[0]}{more}"


def format_summary(result: OdometryResult) -> list[str]:
    """What became of the video: counts and speed, then errors where there is ground truth."""
    count, tracked = len(result.frames), result.tracked
    speed = f", {(count - 2) / result.seconds:.1f} pairs/s" if count > 2 and result.seconds > 0 else ""
    gaps = len(result.gaps)
    lines = [f"{result.path}: {count} frames, {len(tracked)} tracked, {gaps} gap{'s' * (gaps != 1)}{speed}"]
    if tracked:
        keyframes = sum(frame.tracked.is_keyframe for frame in tracked)
        confidence = sorted(frame.tracked.confidence for frame in tracked)
        lines.append(
            f"confidence {confidence[len(tracked) // 2]:.2f} (median), {confidence[0]:.2f} (least), "
            f"{keyframes} keyframe{'s' * (keyframes != 1)}"
        )
    if repeats := sum(frame.repeats for frame in result.frames):
        lines.append(f"{repeats} frames repeat the one before them bit by bit: the camera or the recorder was frozen")
    if scores := result.scores():
        position = f"ATE {scores['ate_m']:.4f} m" if "ate_m" in scores else "no ATE (the path is a point or a line)"
        lines.append(
            f"{position}, RPE {scores['rpe_m']:.4f} m and {scores['rpe_deg']:.3f} degrees "
            f"(root mean square over pairs {scores['rpe_frames']:.0f} frames apart)"
        )
    return lines
