"""What is likely or surely wrong with a data set: one function a rule, from the numbers of all samples.

An **error** cannot be right: nothing has such values. A **warning** is likely a mistake, but some data are like that.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from depthnet.check.frames import MANY_LEVELS, DepthFacts, FrameFacts

Severity = Literal["error", "warning"]
#: Median depth of a whole data set: outside of this nothing that is photographed lies, metres.
POSSIBLE = (0.2, 100.0)
#: Where rooms and roads lie, metres.
ROOMS, ROADS = (0.7, 12.0), (4.0, 60.0)
#: Horizontal field of view of a usual camera, degrees.
FIELD_OF_VIEW = (20.0, 130.0)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or may be."""

    rule: str
    severity: Severity
    message: str
    """What was found, and what it likely means."""
    names: tuple[str, ...] = ()
    """The samples that it concerns; empty when it concerns the data as a whole."""


@dataclass(frozen=True)
class Survey:
    """All samples that could be read, in numbers."""

    format: str
    outdoor: bool
    """The layout is one of road scenes."""
    frames: list[FrameFacts]
    sequences: dict[str, list[int]]
    """Positions of the samples of each video, in its order."""

    @property
    def depths(self) -> list[DepthFacts]:
        """Depth maps that have known pixels."""
        return [frame.depth for frame in self.frames if frame.depth is not None and frame.depth.known > 0]

    @property
    def middle(self) -> float:
        """Median over the samples of their median depth, metres."""
        return float(np.median([depth.middle for depth in self.depths]))


def find_problems(survey: Survey) -> list[Finding]:
    """Apply every rule; errors first."""
    found = [finding for rule in RULES for finding in rule(survey)]
    return sorted(found, key=lambda finding: finding.severity != "error")


def check_presence(survey: Survey) -> Iterator[Finding]:
    """Depth that is nowhere known is an error; single samples without a known pixel are a warning."""
    empty = [frame for frame in survey.frames if frame.depth is None or frame.depth.known == 0]
    if survey.frames and len(empty) == len(survey.frames):
        yield Finding("no depth", "error", "no sample has a known depth; is the depth folder that of these images?")
    elif empty:
        yield Finding("no depth", "warning", "depth maps without a single known pixel", _names(empty))


def check_unit(survey: Survey) -> Iterator[Finding]:
    """The median depth must be that of rooms (0.7 to 12 m) or roads (4 to 60 m).

    Below 0.2 m and above 100 m it is an error: millimetres read as metres give thousands, 8-bit values read as
    millimetres stay below 0.256 m. In between it is a warning: millimetres read at 5000 a metre (TUM) are a fifth, 5000
    a metre read as millimetres are five times too far.
    """
    if not survey.depths:
        return
    middle, (low, high) = survey.middle, ROADS if survey.outdoor else ROOMS
    what = f"the median depth of the data is {middle:.3g} m"
    if middle > POSSIBLE[1]:
        yield Finding("unit", "error", f"{what}, farther than any camera sees{_guess(middle, survey.outdoor)}")
    elif middle < POSSIBLE[0]:
        farthest, whole = max(depth.farthest for depth in survey.depths), all(depth.step_mm for depth in survey.depths)
        eight_bit = whole and 0.1 < farthest < 0.2555
        guess = "; no value is above 255: an 8-bit picture read as millimetres?" if eight_bit else ""
        yield Finding("unit", "error", f"{what}, nearer than any sensor sees{guess or _guess(middle, survey.outdoor)}")
    elif not low <= middle <= high:
        side = "nearer" if middle < low else "farther"
        scenes = "roads" if survey.outdoor else "rooms"
        text = f"{what}, {side} than {scenes} are ({low:g} to {high:g} m){_guess(middle, survey.outdoor)}"
        yield Finding("unit", "warning", text)


def check_five_fold(survey: Survey) -> Iterator[Finding]:
    """Rooms with a median of 4 to 12 m are large; likely they are 5000 units a metre (TUM), read as millimetres.

    Either of two more signs is asked for: all depths are multiples of 5 mm and of nothing larger (five units for each
    millimetre of the sensor; not where the values were corrected by a factor), or half of five or more samples hold
    nothing within 2.5 m while something lies beyond 20 m, which is twice what a sensor for rooms sees.
    """
    if not survey.depths or survey.outdoor or not 4.0 < survey.middle <= ROOMS[1]:
        return
    nearest = float(np.median([depth.nearest for depth in survey.depths]))
    farthest = max(depth.farthest for depth in survey.depths)
    signs = []
    if all(depth.step_mm for depth in survey.depths) and math.gcd(*(depth.step_mm for depth in survey.depths)) == 5:
        signs.append("all depths are multiples of 5 mm")
    if len(survey.depths) >= 5 and nearest > 2.5 and farthest > 20.0:
        signs.append(
            f"half of the samples hold nothing nearer than {nearest:.3g} m, and depth reaches {farthest:.3g} m"
        )
    if signs:
        yield Finding(
            "unit", "warning",
            f"{'; '.join(signs)}; if these are rooms, 5000 units a metre (TUM) were read as millimetres, and the "
            f"median depth is {survey.middle / 5:.3g} m instead of {survey.middle:.3g} m",
        )  # fmt: skip


def check_eight_bits(survey: Survey) -> Iterator[Finding]:
    """At most 256 different depths in five or more samples, none more than 300 times the smallest step: 8 bits.

    Data sets whose layout is 8-bit are not accused.
    """
    if len(survey.depths) < 5 or survey.format == "densedepth":
        return
    together: set[float] = set()
    for depth in survey.depths:
        together.update(depth.levels or range(MANY_LEVELS + 1))
        if len(together) > MANY_LEVELS:
            return
    levels = np.array(sorted(together))
    steps = np.diff(levels)
    if len(levels) >= 16 and levels[-1] <= 300 * steps.min():
        text = f"only {len(levels)} different depths, steps of {1000 * steps.min():.3g} mm: made from an 8-bit picture?"
        yield Finding("8 bits", "warning", text)


def check_disparity(survey: Survey) -> Iterator[Finding]:
    """Values that are straight on slanted surfaces, and larger below than above, are 1/z and not z.

    Two witnesses must agree: more than 60 % of at least 300 votes of :func:`depthnet.check.frames.count_bends`, and the
    bottom third farther than the top third in more than half of the samples. Sparse depth has no votes.
    """
    as_depth, as_inverse = (sum(depth.bends[kind] for depth in survey.depths) for kind in (0, 1))
    above = [depth.above for depth in survey.depths if math.isfinite(depth.above)]
    votes = as_depth + as_inverse
    if votes >= 300 and as_inverse > 0.6 * votes and above and np.mean(np.array(above) < 0) > 0.5:
        share = 100 * as_inverse / votes
        yield Finding(
            "disparity", "warning",
            f"slanted surfaces are straight in these values ({share:.0f} % of {votes} places) and the bottom of the "
            "images is the farther: inverse depth or disparity instead of depth?",
        )  # fmt: skip


def check_constant(survey: Survey) -> Iterator[Finding]:
    """A depth map with one single value, or a picture of one colour, was not measured."""
    flat = [frame for frame in survey.frames if frame.depth and 0 < frame.depth.nearest == frame.depth.farthest]
    if flat:
        yield Finding("constant", "warning", "depth maps with one single value", _names(flat))
    plain = [frame for frame in survey.frames if frame.flat_image]
    if plain:
        yield Finding("constant", "warning", "images of one single colour", _names(plain))


def check_camera(survey: Survey) -> Iterator[Finding]:
    """K must be finite with its principal point inside the image (else: error), and look like a usual camera.

    Warnings: a principal point more than 20 % of the side off the middle (K of another size), a field of view outside
    20 to 130 degrees, focal lengths in x and y that differ by more than 10 %.
    """
    problems: dict[tuple[Severity, str], list[FrameFacts]] = defaultdict(list)
    for frame in survey.frames:
        if frame.K is not None and (problem := _camera_problem(frame.K, *frame.size)):
            problems[problem].append(frame)
    for (severity, text), frames in problems.items():
        yield Finding("K", severity, text, _names(frames))


def check_poses(survey: Survey) -> Iterator[Finding]:
    """A pose must be a rigid motion: finite, an orthonormal right-handed rotation, last row (0, 0, 0, 1)."""
    broken = [frame for frame in survey.frames if frame.T_world_cam and not _is_rigid(np.array(frame.T_world_cam))]
    if broken:
        yield Finding("pose", "error", "poses that are no rigid motion (NaN, scaled, or mirrored)", _names(broken))


def check_times(survey: Survey) -> Iterator[Finding]:
    """Times within a video must rise."""
    by_index = {frame.index: frame for frame in survey.frames}
    late = []
    for positions in survey.sequences.values():
        frames = [by_index[one] for one in positions if one in by_index]
        timed = [frame for frame in frames if frame.time_s is not None]
        late += [after for before, after in pairwise(timed) if not _seconds(after) > _seconds(before)]
    if late:
        yield Finding("time", "warning", "times that do not rise within a video: is it sorted?", _names(late))


def check_duplicates(survey: Survey) -> Iterator[Finding]:
    """The same picture twice, or the same depth under different pictures; constant ones do not count."""
    images, depths = defaultdict(list), defaultdict(list)
    for frame in survey.frames:
        if not frame.flat_image:
            images[frame.image_hash].append(frame)
        if frame.depth and frame.depth.nearest < frame.depth.farthest:
            depths[frame.depth.hash].append(frame)
    copies = [frame for same in images.values() for frame in same[1:]]
    if copies:
        first = images[copies[0].image_hash][0].name
        text = f"images that are copies of earlier ones ({copies[0].name} is {first})"
        yield Finding("duplicate", "warning", text, _names(copies))
    stuck = [frame for same in depths.values() for frame in same[1:] if frame.image_hash != same[0].image_hash]
    if stuck:
        text = "depth maps that are those of other images: was a frame paired wrongly, or the sensor stuck?"
        yield Finding("duplicate", "warning", text, _names(stuck))


RULES: tuple[Callable[[Survey], Iterator[Finding]], ...] = (
    check_presence, check_unit, check_five_fold, check_eight_bits, check_disparity, check_constant, check_camera,
    check_poses, check_times, check_duplicates,
)  # fmt: skip


def _guess(middle: float, outdoor: bool) -> str:
    """The usual mistakes of unit that would explain a median depth."""
    low, high = ROADS if outdoor else ROOMS
    mistakes = (
        (1000.0, "millimetres read as metres"), (100.0, "centimetres read as metres"),
        (5.0, "5000 units a metre (TUM) read as millimetres"), (0.2, "millimetres read at 5000 units a metre (TUM)"),
        (0.256, "256 units a metre (KITTI) read as millimetres"), (3.90625, "millimetres read at 256 a metre (KITTI)"),
        (0.001, "metres read as millimetres"), (0.01, "metres read as centimetres"),
    )  # fmt: skip
    fitting = [f"{text} (then {middle / factor:.3g} m)" for factor, text in mistakes if low <= middle / factor <= high]
    return f"; perhaps {' or '.join(fitting[:2])}?" if fitting else ""


def _camera_problem(K: Iterable[Iterable[float]], height: int, width: int) -> tuple[Severity, str] | None:
    matrix = np.array([list(row) for row in K])
    fx, fy, cx, cy = matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]
    if not np.isfinite(matrix).all() or min(fx, fy) <= 0:
        return "error", "K with NaN, infinite or non-positive focal lengths"
    if not (-0.5 <= cx <= width - 0.5 and -0.5 <= cy <= height - 0.5):
        text = f"K with its principal point ({cx:.1f}, {cy:.1f}) outside the {width}x{height} image"
        return "error", f"{text}: K of a larger size?"
    if abs((cx + 0.5) / width - 0.5) > 0.2 or abs((cy + 0.5) / height - 0.5) > 0.2:
        text = f"K with its principal point ({cx:.1f}, {cy:.1f}) far off the middle of the {width}x{height} image"
        return "warning", f"{text}: K of another size, or a crop?"
    degrees = math.degrees(2 * math.atan(width / (2 * fx)))
    if not FIELD_OF_VIEW[0] <= degrees <= FIELD_OF_VIEW[1]:
        text = f"K with f = {fx:.1f} px, a field of view of {degrees:.0f} degrees over {width} px"
        return "warning", f"{text}: K of another size, or f in millimetres?"
    if not 0.9 < fx / fy < 1.1:
        return "warning", f"K with fx = {fx:.1f} and fy = {fy:.1f}: was the image stretched?"
    return None


def _is_rigid(T: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bool:
    if T.shape != (4, 4) or not np.isfinite(T).all() or not np.allclose(T[3], (0, 0, 0, 1), atol=1e-6):
        return False
    R = T[:3, :3]
    return bool(np.abs(R @ R.T - np.eye(3)).max() < 0.01 and np.linalg.det(R) > 0)


def _seconds(frame: FrameFacts) -> float:
    return math.nan if frame.time_s is None else frame.time_s


def _names(frames: Iterable[FrameFacts]) -> tuple[str, ...]:
    return tuple(frame.name for frame in frames)
