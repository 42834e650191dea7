"""What depthnet writes beside depth: runs, experiments, scores, models, colour maps, videos; and what nobody wrote."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from depthnet.config import ShowConfig, TrainConfig
from depthnet.errors import InputError
from depthnet.evaluation import Evaluation, ImageScore, find_protocols, score
from depthnet.evaluation.results import write_scores
from depthnet.experiment.record import Record
from depthnet.io.depth import write_depth_colour
from depthnet.options import config_to_yaml
from depthnet.pages.page import Page, panel_picture
from depthnet.pages.vector import Vector
from depthnet.report.charts import HEIGHT, WIDTH
from depthnet.show import KINDS, build_page, show_path
from depthnet.show.run import MOST_POINTS, thin
from depthnet.show.table import Table


def write_table(path: Path, rows: list[dict[str, float]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_run(folder: Path, val: list[dict[str, float]], config: TrainConfig | None = None) -> Path:
    folder.mkdir(parents=True)
    config = config or TrainConfig(data="nyu", network="unet")
    (folder / "config.yaml").write_text(config_to_yaml(config), encoding="utf-8")
    environment = {"command": "depthnet train --data nyu", "depthnet": "0.1.0", "torch": "2.13.0"}
    (folder / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
    train = [{"step": step, "epoch": 0, "loss": 1 / step, "eigen": 0.5 / step, "lr": 0.1, "images_per_s": 8.0,
              "seconds": 6.0 * step} for step in range(10, 110, 10)]  # fmt: skip
    write_table(folder / "train.csv", train)
    write_table(folder / "val.csv", val)
    return folder


def line_points(panel: object) -> np.ndarray:
    """Places of the points of a chart's line, as shares of the chart."""
    assert isinstance(panel, Vector)
    (path,) = [one for one in ElementTree.fromstring(panel.svg) if one.get("class", "").startswith("line")]
    pairs = path.attrib["d"].removeprefix("M").split("L")
    return np.array([[float(value) for value in pair.split()] for pair in pairs]) / (WIDTH, HEIGHT)


def drawable(page: Page, tmp_path: Path) -> None:
    """All panels of a page become pictures and HTML."""
    for row in page.rows:
        for panel in row.panels:
            assert panel_picture(panel).width > 50


def test_a_run_has_its_curves_and_facts(tmp_path: Path) -> None:
    val = [{"epoch": epoch, "step": 50 * epoch, "abs_rel": 0.3, "rmse": 1.0, "delta1": one, "delta2": 0.9}
           for epoch, one in ((1, 0.4), (2, 0.6), (3, 0.5))]  # fmt: skip
    run = write_run(tmp_path / "my-run", val)
    Image.new("RGB", (1500, 600), "green").save(run / "samples.png")
    page = build_page(run, ShowConfig())
    assert page.title == "my-run"
    assert page.subtitle == "run folder: depth by unet on nyu; no model file yet"
    training, validation, samples = page.rows
    assert len(training.panels) == 2, "the loss and its term; no learning rate, no seconds"
    loss = line_points(training.panels[0])
    assert len(loss) == 10
    assert (np.diff(loss[:, 0]) > 0).all()
    assert (np.diff(loss[:, 1]) > 0).all(), "it falls"
    assert "100 steps in 10.0 min, 8.0 images/s" in training.facts
    assert validation.facts == ("3 validations", "best by delta1, epoch 2: delta1 0.6000, abs_rel 0.3000, rmse 1.0000")
    assert line_points(validation.panels[0])[:, 1].argmin() == 1, "the best one stands highest"
    assert panel_picture(samples.panels[0]).size == (1100, 440)
    assert page.notes == ("Command: depthnet train --data nyu", "depthnet 0.1.0, PyTorch 2.13.0")
    drawable(page, tmp_path)


def test_a_run_of_motion_is_judged_by_its_own_score(tmp_path: Path) -> None:
    val = [{"epoch": epoch, "step": epoch, "rotation_deg": 1.0, "translation_m": 0.1, "motion_error": one}
           for epoch, one in ((1, 0.4), (2, 0.2), (3, 0.3))]  # fmt: skip
    config = TrainConfig(data="tum", task="pose", network="pose-early")
    page = build_page(write_run(tmp_path / "run", val, config), ShowConfig())
    assert page.subtitle.startswith("run folder: pose by pose-early on tum")
    assert page.rows[1].facts[1].startswith("best by motion_error, epoch 2: motion_error 0.2000, rotation_deg 1.0000")


def test_a_run_that_has_just_begun(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [{"epoch": 1}])
    (run / "train.csv").unlink()
    (run / "val.csv").unlink()
    page = build_page(run, ShowConfig())
    assert page.rows[0].facts[-1] == "no step is logged yet"
    show_path(run, ShowConfig(out=str(tmp_path / "x.png")))


def test_long_curves_are_thinned_by_means() -> None:
    points = [(float(x), 2.0 * x) for x in range(10 * MOST_POINTS + 1)]
    thinned = thin(points)
    assert len(thinned) <= MOST_POINTS
    assert thinned[0] == pytest.approx((5.0, 10.0))
    assert thin(points[:5]) == points[:5]


def test_an_experiment_is_a_table_bars_and_curves(tmp_path: Path) -> None:
    for name, delta1 in (("row-a-s0", 0.5), ("row-b-s0", 0.7)):
        val = [{"epoch": 1, "step": 100, "delta1": 0.2}, {"epoch": 2, "step": 200, "delta1": delta1}]
        folder = write_run(tmp_path / "suite" / name, val)
        Record({}, {"delta1": delta1, "abs_rel": 0.1}, {}, 9600, 120.0, 8_500_000, 1).write(folder)
    write_run(tmp_path / "suite" / "row-c-s0", [{"epoch": 1, "step": 100, "delta1": 0.3}])
    page = build_page(tmp_path / "suite", ShowConfig())
    assert page.subtitle == "experiment: 2 runs with a result"
    (table,) = page.rows[0].panels
    assert isinstance(table, Table)
    assert table.headings == ("run", "delta1", "abs_rel", "images seen", "training min", "parameters")
    assert table.rows[1] == ["row-b-s0", "0.7000", "0.1000", "9600", "2.0", "8.50 M"]
    curves = page.rows[2].panels[0]
    assert isinstance(curves, Vector)
    lines = [one for one in ElementTree.fromstring(curves.svg) if one.tag.endswith("polyline")]
    assert [len(line.attrib["points"].split()) for line in lines] == [2, 2, 1]
    assert "row-c-s0  0.300" in curves.svg
    drawable(page, tmp_path)


def test_scores_are_a_table_and_bars(tmp_path: Path) -> None:
    depth = np.linspace(1, 4, 48, dtype=np.float32).reshape(6, 8)
    protocols = find_protocols(["none"])
    evaluations = [
        Evaluation(f"model-{factor}", "my data", protocols=tuple(protocols), seconds=1.5,
                   per_image=[ImageScore("a", score(depth * factor, depth, None, protocols, "none"))])
        for factor in (1.1, 2.0)
    ]  # fmt: skip
    write_scores(evaluations[:1], tmp_path / "one.json")
    write_scores(evaluations, tmp_path / "two.json")
    page = build_page(tmp_path / "one.json", ShowConfig())
    assert page.subtitle == "scores of model-1.1"
    table = page.rows[0].panels[0]
    assert isinstance(table, Table)
    assert table.caption == "1 images of my data"
    assert table.rows[0][:2] == ["none", "0.1000"], "10 % too far: abs_rel 0.1"
    assert table.rows[0][-1] == "48"
    assert len(page.rows[1].panels) == 3
    two = build_page(tmp_path / "two.json", ShowConfig())
    bars = two.rows[1].panels[0]
    assert isinstance(bars, Vector)
    widths = [float(one.attrib["width"]) for one in ElementTree.fromstring(bars.svg) if one.tag.endswith("rect")]
    assert widths == [WIDTH - 8, 0.0], "delta1 is 1 and 0"
    drawable(two, tmp_path)
    show_path(tmp_path / "two.json", ShowConfig(out=str(tmp_path / "two.html")))
    text = (tmp_path / "two.html").read_text(encoding="utf-8")
    assert '<th scope="row">model-2.0, none</th>' in text
    assert "<script" not in text


def test_any_other_json_is_its_values(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(json.dumps({"predict": {"ours": 0.0123456789, "rivals": ["x", None]}}))
    page = build_page(tmp_path / "b.json", ShowConfig())
    (table,) = page.rows[0].panels
    assert isinstance(table, Table)
    assert table.rows == [("predict.ours", "0.0123457"), ("predict.rivals[0]", "x"), ("predict.rivals[1]", "None")]
    (tmp_path / "c.json").write_text("{")
    with pytest.raises(InputError, match=r"c\.json: no whole JSON file"):
        build_page(tmp_path / "c.json", ShowConfig())


def test_a_model_tells_its_facts_and_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from depthnet.checkpoint import ModelInfo, save_network
    from depthnet.networks import build_network

    network = build_network("mobile", {})
    info = ModelInfo("mine", "mobile", {}, (32, 48), 50.0, 0.001, 10.0, provenance={"data": "rooms"},
                     scores={"validation": {"delta1": 0.71234}})  # fmt: skip
    save_network(tmp_path / "m.safetensors", network, info)
    page = build_page(tmp_path / "m.safetensors", ShowConfig())
    assert page.subtitle == "model file: mine, network mobile, finds depth"
    assert "trained at 32 x 48, focal length 50.0 px" in page.rows[0].facts
    assert page.notes == ("validation: delta1 0.7123",)
    (drawing,) = page.rows[0].panels
    assert isinstance(drawing, Vector)
    assert "mine (mobile)" in drawing.svg
    picture = np.asarray(drawing.picture())
    for colour in ((127, 168, 217), (243, 178, 107)):  # encoder and decoder
        assert (np.abs(picture.astype(int) - colour) < 6).all(axis=2).sum() > 200
    assert asdict(info)["name"] in page.subtitle


def test_a_colour_map_tells_its_metres(tmp_path: Path) -> None:
    write_depth_colour(tmp_path / "p_depth_colour.png", np.linspace(1, 3, 200 * 160).reshape(160, 200), 1.0, 3.0)
    page = build_page(tmp_path / "p_depth_colour.png", ShowConfig())
    assert page.subtitle == "colour map"
    assert page.rows[0].facts[1] == "red 1.0000 m, blue 3.0000 m"
    np.testing.assert_array_equal(
        np.asarray(page.rows[0].panels[0]), np.asarray(Image.open(tmp_path / "p_depth_colour.png"))
    )


def test_a_video_is_some_of_its_frames(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(30):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 8 * number, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    page = build_page(tmp_path / "clip.mp4", ShowConfig(count=4))
    assert page.subtitle == "video: 30 frames of 64 x 48 in 3.0 s, 10 per second"
    stills = [np.asarray(panel)[24, 32, 0] for row in page.rows for panel in row.panels]
    times = [float(fact.removesuffix(" s")) for row in page.rows for fact in row.facts]
    assert len(stills) == 4
    assert times[0] == 0
    assert times[-1] >= 2.7
    np.testing.assert_allclose(stills, 80 * np.array(times), atol=8)


def test_an_unknown_file_is_told_what_can_be_shown(tmp_path: Path) -> None:
    (tmp_path / "notes.xyz").write_text("hello")
    with pytest.raises(InputError, match=r"notes\.xyz: nothing that can be shown; pass one of: run folder, ") as caught:
        show_path(tmp_path / "notes.xyz")
    assert all(kind in str(caught.value) for kind in KINDS)
    (tmp_path / "report.html").write_text("<html>")
    with pytest.raises(InputError, match="is a page already; open it in a browser"):
        show_path(tmp_path / "report.html")
