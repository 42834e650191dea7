"""Folders of predictions that any program has written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from depthnet.data import open_dataset
from depthnet.errors import ConfigError, InputError
from depthnet.evaluation import PROTOCOLS, evaluate, is_prediction_folder
from depthnet.io.depth import write_depth_png
from depthnet.metrics import METRICS

MakeScenes = Callable[..., Any]


def write_predictions(folder: Path, names: list[str], depths: list[np.ndarray], form: str) -> None:
    for name, depth in zip(names, depths):
        file = folder / form.format(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".npy":
            np.save(file, depth)
        else:
            write_depth_png(file, depth)


@pytest.mark.parametrize("form", ["{}.npy", "{}_depth.npy", "{}.png", "{}_depth.png"])
def test_folder_of_predictions_in_every_form(make_scenes: MakeScenes, form: str, tmp_path: Path) -> None:
    scenes = make_scenes(("kitchen/0001", "kitchen/0002", "office/0001"))
    depths = [np.maximum(depth, 0.5) for depth in scenes.depths]
    write_predictions(tmp_path / "deep", scenes.names, depths, form)
    assert evaluate(tmp_path / "deep", scenes).scores["nyu"]["abs_rel"] == pytest.approx(0.0, abs=1e-3)
    # Names that are unique without their folder may lie flat; 0001 is in two folders.
    write_predictions(tmp_path / "flat", ["0002", "0001"], [depths[1], depths[0]], form)
    found = evaluate(str(tmp_path / "flat"), scenes)
    assert [image.name for image in found.per_image] == ["kitchen/0002"]
    assert len(found.errors) == 1
    assert "2 of 3 samples have no prediction and are not scored: kitchen/0001, office/0001" in found.errors[0]


def test_prediction_scale_and_odd_arrays(make_scenes: MakeScenes, tmp_path: Path) -> None:
    scenes = make_scenes()
    half = [np.maximum(d, 0.5)[None, :, :, None].astype(np.float64) / 2 for d in scenes.depths]
    write_predictions(tmp_path, scenes.names, half, "{}.npy")
    assert evaluate(tmp_path, scenes).scores["nyu"]["abs_rel"] == pytest.approx(0.5, abs=1e-6)
    assert evaluate(tmp_path, scenes, prediction_scale=2.0).scores["nyu"]["abs_rel"] == pytest.approx(0.0, abs=1e-6)
    centimetres = Image.fromarray(np.rint(np.maximum(scenes.depths[0], 0.5) * 100).astype(np.uint16))
    (tmp_path / "cm").mkdir()
    centimetres.save(tmp_path / "cm" / "a.png")
    found = evaluate(tmp_path / "cm", scenes, prediction_scale=0.01)
    assert found.scores["nyu"]["abs_rel"] < 0.01
    with pytest.raises(ConfigError, match="--prediction-scale 0"):
        evaluate(tmp_path, scenes, prediction_scale=0.0)


def test_depth_beside_the_photo_is_preferred(make_scenes: MakeScenes, tmp_path: Path) -> None:
    scenes = make_scenes(("a",))
    Image.new("RGB", (128, 96)).save(tmp_path / "a.png")
    write_predictions(tmp_path, ["a"], [np.maximum(scenes.depths[0], 0.5)], "{}_depth.png")
    assert not evaluate(tmp_path, scenes).errors


def test_one_bad_sample_is_reported_and_the_others_go_on(make_scenes: MakeScenes, tmp_path: Path) -> None:
    scenes = make_scenes(("a", "b", "c"))
    write_predictions(tmp_path, scenes.names, scenes.depths, "{}.npy")
    (tmp_path / "b.npy").write_bytes((tmp_path / "b.npy").read_bytes()[:1000])
    progress: list[tuple[int, int]] = []
    found = evaluate(tmp_path, scenes, on_progress=lambda done, total: progress.append((done, total)))
    assert found.count == 2
    assert progress == [(1, 3), (2, 3), (3, 3)]
    assert len(found.errors) == 1
    assert "b.npy" in found.errors[0]
    np.save(tmp_path / "b.npy", np.zeros_like(scenes.depths[0]))
    assert "median is 0" in evaluate(tmp_path, scenes, align="median").errors[0]


def test_nothing_to_score_is_an_error(make_scenes: MakeScenes, tmp_path: Path) -> None:
    scenes = make_scenes()
    with pytest.raises(InputError, match=r"no prediction for any of the 2 samples; looked for a_depth\.npy, a\.npy"):
        evaluate(tmp_path, scenes)
    with pytest.raises(InputError, match="no such folder"):
        evaluate(tmp_path / "absent", scenes)
    (tmp_path / "a.npy").write_bytes(b"no array")
    with pytest.raises(InputError, match="none of its 2 samples could be scored; the first reason"):
        evaluate(tmp_path, scenes)


def write_folder_data(path: Path, names: list[str], depths: list[np.ndarray]) -> None:
    (path / "rgb").mkdir(parents=True)
    for name, depth in zip(names, depths):
        Image.new("RGB", depth.shape[::-1]).save(path / "rgb" / f"{name}.png")
        write_depth_png(path / "depth" / f"{name}.png", depth)


def test_evaluate_path_scores_a_folder_without_importing_torch(make_scenes: MakeScenes, tmp_path: Path) -> None:
    scenes = make_scenes()
    depths = [np.round(depth, 3) for depth in scenes.depths]
    write_folder_data(tmp_path / "data", scenes.names, depths)
    write_predictions(tmp_path / "predictions", scenes.names, depths, "{}.npy")
    assert is_prediction_folder(tmp_path / "predictions")
    code = (
        "import sys; from depthnet.config import EvaluateConfig; from depthnet.evaluation import evaluate_path;"
        "found = evaluate_path(EvaluateConfig(model=sys.argv[1], data=sys.argv[2])); assert found.count == 2;"
        "assert found.to_json()['protocols']['none']['delta1'] == 1.0;"
        "assert not {'torch', 'h5py', 'scipy', 'onnxruntime'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "predictions"), str(tmp_path / "data")], check=True)


def test_a_run_folder_is_no_folder_of_predictions(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").touch()
    assert not is_prediction_folder(tmp_path)
    assert not is_prediction_folder(tmp_path / "absent.onnx")


def test_real_frames_score_perfectly_against_themselves(shared_data: Path, tmp_path: Path) -> None:
    dataset = open_dataset(shared_data / "nyu_train")
    assert dataset.default_protocol == "nyu"
    some = dataset.select(range(0, len(dataset), 200))
    for index, name in enumerate(some.names):
        np.save(tmp_path / f"{name}.npy", some.read_raw(index).depth)
    found = evaluate(tmp_path, some, ["nyu", "nyu-toolbox", "nyu-full", "nyu-densedepth", "none", "nyu-pooled"])
    for scores in found.scores.values():
        assert scores == {name: (1.0 if name.startswith("delta") else 0.0) for name in METRICS}
    top, bottom, left, right = PROTOCOLS["nyu"].crop(240, 320)
    assert 0 < found.pixels["nyu"] <= found.count * (bottom - top) * (right - left)


def test_predictions_in_a_folder_need_no_picture(
    make_scenes: MakeScenes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes = make_scenes()
    monkeypatch.setattr(scenes, "read_raw", lambda index: pytest.fail("the picture was decoded"))
    monkeypatch.setattr(scenes, "read_depth", lambda index: scenes.depths[index])
    write_predictions(tmp_path, scenes.names, scenes.depths, "{}.npy")
    assert evaluate(tmp_path, scenes).scores["nyu"]["delta1"] == 1.0
