"""The contact sheet of a data set: some samples, spread over it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from depthnet.data.samples import DepthDataset, RawSample
from depthnet.errors import DepthNetError, MissingTierError
from depthnet.io.depth import colour_range
from depthnet.pages.page import Page, Row
from depthnet.pages.panels import alignment_panel, depth_panel, image_panel, known_panel, panel_size

HEADINGS = ("image", "depth", "depth on the image", "known pixels")


def build_dataset_page(dataset: DepthDataset, count: int) -> Page:
    """Show ``count`` samples in even steps over the data set.

    All depth panels have one scale, so that a unit that changes within the set is seen as well. A sample that cannot be
    read is a row that says why.

    Args:
        dataset: any data set; samples without depth show their image alone.
        count: how many samples at most.

    Returns:
        The page; its rows stand in the order of the data set.
    """
    chosen = np.unique(np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int))
    samples = [_read(dataset, int(index)) for index in chosen]
    low, high = shared_range([one for one in samples if isinstance(one, RawSample)])
    rows = tuple(
        _sample_row(one, low, high) if isinstance(one, RawSample) else Row(dataset.names[index], (), (), str(one))
        for index, one in zip(chosen, samples)
    )
    splits = f"; splits: {', '.join(dataset.splits)}" if dataset.splits else ""
    protocol = f"; protocol {dataset.default_protocol}" if dataset.default_protocol != "none" else ""
    shown = "all shown" if len(rows) == len(dataset) else f"{len(rows)} shown"
    return Page(
        title=dataset.name,
        subtitle=f"{dataset.format}: {len(dataset)} sample{'s' * (len(dataset) != 1)}, {shown}{splits}{protocol}",
        headings=HEADINGS,
        rows=rows,
        notes=(
            f"Depth: one scale for all samples, {low:.3g} m (red) to {high:.3g} m (blue), black where unknown.",
            "Depth on the image: yellow lines at depth steps, or coloured dots where depth is sparse; they should lie "
            "on the outlines of things. Sparse points are drawn larger than they are.",
        ),
    )


def describe_depth(depth: NDArray[np.float32]) -> tuple[str, ...]:
    """Range and share of known pixels, in words."""
    known = depth[depth > 0]
    if not known.size:
        return ("no known depth",)
    low, middle, high = known.min(), np.median(known), known.max()
    return f"{low:.2f} to {high:.2f} m, median {middle:.2f} m", f"{100 * known.size / depth.size:.1f} % known"


def _read(dataset: DepthDataset, index: int) -> RawSample | DepthNetError:
    try:
        return dataset.read_raw(index)
    except MissingTierError:
        raise
    except DepthNetError as error:
        return error


def shared_range(samples: list[RawSample]) -> tuple[float, float]:
    """Metres between which 96 % of the known pixels of all samples lie."""
    known = [sample.depth[sample.depth > 0][::16] for sample in samples if sample.depth is not None]
    together = np.concatenate(known)[None] if known else np.zeros((1, 1), np.float32)
    return colour_range(together, together > 0, None, None)


def _sample_row(sample: RawSample, low: float, high: float) -> Row:
    height, width = sample.size
    size = panel_size(height, width)
    facts, panels = [f"{width} x {height}"], [image_panel(sample.image, size)]
    if sample.K is None:
        facts.append("no K")
    else:
        fx, fy, cx, cy = (sample.K[place] for place in ((0, 0), (1, 1), (0, 2), (1, 2)))
        facts.append(f"f {fx:.1f}, {fy:.1f} px, c {cx:.1f}, {cy:.1f} px")
    if sample.depth is None:
        facts.append("no depth")
    else:
        facts += describe_depth(sample.depth)
        panels += [
            depth_panel(sample.depth, size, low, high),
            alignment_panel(sample.image, sample.depth, size, low, high),
            known_panel(sample.depth, size),
        ]
    if sample.time_s is not None:
        facts.append(f"time {sample.time_s:.3f} s")
    if sample.T_world_cam is not None:
        facts.append("at " + ", ".join(f"{value:.2f}" for value in sample.T_world_cam[:3, 3]) + " m")
    return Row(sample.name, tuple(facts), tuple(panels))
