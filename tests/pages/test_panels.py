"""Panels: steps are found and planes are not, surfaces are never mixed, sparse points stay visible."""

from __future__ import annotations

import numpy as np
import pytest

from depthnet.pages.panels import (
    EDGE_COLOUR,
    alignment_panel,
    depth_panel,
    find_steps,
    image_panel,
    is_sparse,
    known_panel,
    panel_size,
    resize_for_show,
)


def plane(height: int = 60, width: int = 80, slope: float = 0.01) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """A floor: 1/z grows linearly from the horizon down; 1/z = 0.1 at the top."""
    inverse = 0.1 + slope * np.arange(height)[:, None] + np.zeros((1, width))
    return (1.0 / inverse).astype(np.float32)


@pytest.mark.parametrize("slope", [0.0, 0.001, 0.05])
def test_a_plane_has_no_step_however_slanted(slope: float) -> None:
    assert not find_steps(plane(slope=slope)).any()


def test_a_step_is_a_thin_line_where_it_is() -> None:
    depth = plane(slope=0.002)
    depth[20:40, 30:50] = 2.0
    steps = find_steps(depth)
    assert steps[30, [29, 30, 49, 50]].all()
    assert steps[[19, 20, 39, 40], 40].all()
    steps[18:42, 28:52] = False
    assert not steps.any()


def test_holes_are_no_steps() -> None:
    depth = np.full((20, 20), 3.0, np.float32)
    depth[5:9, 5:9] = 0.0
    assert not find_steps(depth).any()


def test_resizing_mixes_no_surfaces_and_keeps_the_middle() -> None:
    rng = np.random.default_rng(0)
    depth = rng.choice(np.array([1.0, 4.0], np.float32), (90, 120))
    small = resize_for_show(depth, (30, 40))
    np.testing.assert_array_equal(small, depth[1::3, 1::3])
    assert set(np.unique(resize_for_show(depth, (270, 361)))) == {1.0, 4.0}


def test_sparse_points_stay_visible_and_the_nearest_wins() -> None:
    depth = np.zeros((100, 200), np.float32)
    depth[50, 100], depth[51, 101], depth[10, 10] = 9.0, 5.0, 30.0
    assert is_sparse(depth)
    small = resize_for_show(depth, (25, 50))
    assert small[12, 25] == 5.0
    assert small[2, 2] == 30.0
    assert np.count_nonzero(small) == 18  # two points, each spread to its neighbours
    assert not is_sparse(np.ones((4, 4), np.float32))
    assert not resize_for_show(np.zeros((10, 10), np.float32), (5, 5)).any()


def test_the_alignment_panel_marks_steps_in_its_colour() -> None:
    image, depth = np.full((48, 64, 3), 200, np.uint8), np.full((48, 64), 3.0, np.float32)
    depth[:, 32:] = 1.5
    panel = np.asarray(alignment_panel(image, depth, (48, 64), 1.0, 4.0))
    assert (panel[24, 31:33] == EDGE_COLOUR).all()
    assert (panel[24, :30] == 140).all()


def test_dots_of_a_scan_leave_the_image_between_them() -> None:
    image, depth = np.full((80, 80, 3), 100, np.uint8), np.zeros((80, 80), np.float32)
    depth[::2, ::2] = 10.0
    panel = np.asarray(alignment_panel(image, depth, (40, 40), 5.0, 20.0))
    grey = (panel == 70).all(axis=2)
    assert 0.6 < grey.mean() < 0.9
    assert not grey[0, 0]


def test_panels_have_one_size_and_the_scale_stands_beside() -> None:
    assert panel_size(480, 640) == (225, 300)
    assert panel_size(375, 1242)[1] > 400
    assert panel_size(6, 8) == (222, 296)  # a whole factor
    image, depth = np.zeros((480, 640, 3), np.uint8), np.ones((480, 640), np.float32)
    assert image_panel(image, (225, 300)).size == known_panel(depth, (225, 300)).size == (300, 225)
    panel = depth_panel(depth, (225, 300), 0.5, 4.0)
    assert panel.height == 225
    assert panel.width > 330
    known = np.asarray(known_panel(np.eye(4, dtype=np.float32), (4, 4)))
    assert len(np.unique(known.reshape(-1, 3), axis=0)) == 2
