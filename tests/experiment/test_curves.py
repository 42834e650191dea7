"""Learning curves: every line is in the picture, named, and no two names stand on each other."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from depthnet.config import TrainConfig
from depthnet.experiment.curves import BOX, HEIGHT, LINE_HEIGHT, Curve, draw_curves, learning_curve
from depthnet.experiment.plan import PlannedRun, PlannedStage
from depthnet.experiment.suite import Row

SVG = "{http://www.w3.org/2000/svg}"


def straight(title: str, height: float) -> Curve:
    return Curve(title, np.array([[100.0, 0.1], [200.0, height]]))


def test_all_lines_are_named_in_the_order_of_their_ends_and_apart() -> None:
    heights = [0.5 + 0.001 * index for index in range(14)]
    curves = [straight(f"row {index} <&>", height) for index, height in enumerate(heights)]
    root = ElementTree.fromstring(draw_curves("delta1", "images", [*curves, Curve("empty", np.zeros((0, 2)))]))
    lines = root.findall(f"{SVG}polyline")
    assert len(lines) == 14
    names = [(float(text.get("y", "")), text.text) for text in root.iter(f"{SVG}text") if "row" in (text.text or "")]
    assert [text for _, text in names] == [f"row {index} <&>  {heights[index]:.3f}" for index in range(13, -1, -1)]
    places = [place for place, _ in names]
    assert np.diff(places).min() >= LINE_HEIGHT - 0.11
    assert BOX[1] - 50 < places[0] < places[-1] < HEIGHT
    x, y = (float(value) for value in lines[0].get("points", "").split()[0].split(","))
    assert x == pytest.approx((BOX[0] + BOX[2]) / 2, abs=0.1)
    assert BOX[1] < y < BOX[3]


def test_a_picture_without_a_point_says_so() -> None:
    root = ElementTree.fromstring(draw_curves("delta1", "images", []))
    assert "nothing yet" in [text.text for text in root.iter(f"{SVG}text")]


def planned(folder: Path, tables: dict[str, str]) -> PlannedRun:
    config = TrainConfig(batch_size=4, accumulate=2, epochs=2, limit_batches=5)
    stages = []
    for name, table in tables.items():
        (folder / name).mkdir(parents=True)
        if table:
            (folder / name / "val.csv").write_text(table)
        stages.append(PlannedStage(name, folder / name, config, own_data=not table))
    return PlannedRun(Row("a"), 0, folder, tuple(stages))


def test_stages_follow_each_other_and_seeds_are_averaged(tmp_path: Path) -> None:
    table = "epoch,step,delta1\n1,5,0.2\n2,10,0.4\n3,15,nan\n"  # a training that broke down has no point there
    first = planned(tmp_path / "0", {"rooms": "", "nyu": table})
    second = planned(tmp_path / "1", {"rooms": "", "nyu": "epoch,step,delta1\n1,5,0.4\n"})
    # Forty images of the first stage, then five steps of two batches of four.
    assert learning_curve("one", [first], "delta1").points.tolist() == [[80.0, 0.2], [120.0, 0.4]]
    (both,) = learning_curve("mean", [first, second], "delta1").points
    assert both == pytest.approx([80.0, 0.3])
