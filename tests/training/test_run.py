"""Whole runs of a few seconds: files, repetition, resume after a kill, several processes, errors."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from depthnet.checkpoint import load_network, read_model_info
from depthnet.config import AugmentConfig, OptimConfig, ShowConfig, TrainConfig
from depthnet.errors import ConfigError, InputError
from depthnet.options import config_to_yaml, read_config
from depthnet.pages.page import panel_picture
from depthnet.show import build_page
from depthnet.training import train
from depthnet.training.run import open_data


def losses(run: Path) -> list[float]:
    with (run / "train.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def same_weights(a: Path, b: Path) -> bool:
    left, right = load_file(a), load_file(b)
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, pairs: Path) -> Path:
    """One run with mid-epoch states, to compare others with."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    train(_options(pairs), out=run)
    return run


def _options(pairs: Path) -> TrainConfig:
    config = TrainConfig(
        data=str(pairs), size=(32, 48), epochs=3, batch_size=4, workers=0, threads=1, log_every=1, accelerator="cpu",
        precision="32", checkpoint_minutes=0.0,
    )  # fmt: skip
    config.loss.terms = {"eigen": 1.0, "gradient_multiscale": 0.5}
    config.optim.ema = 0.9
    return config


def test_a_run_folder_holds_the_run(finished: Path, pairs: Path) -> None:
    names = {path.name for path in finished.iterdir()}
    assert names >= {
        "config.yaml", "environment.json", "best.safetensors", "last.safetensors", "model.onnx", "train.csv", "val.csv",
        "samples.png", "checkpoints", "tensorboard",
    }  # fmt: skip
    assert not list(finished.rglob("*.part*"))
    assert len(losses(finished)) == 12
    assert read_config(finished / "config.yaml", TrainConfig) == _options(pairs)
    info = read_model_info(finished / "model.onnx")
    assert info == read_model_info(finished / "best.safetensors")
    assert info.training_focal_px == pytest.approx(60 * 48 / 64, rel=1e-5)
    assert info.input_size == (32, 48)
    assert info.provenance["data"]["count"] == 16
    assert 0 < info.scores["validation"]["delta1"] <= 1


def test_show_draws_a_run(finished: Path) -> None:
    page = build_page(finished, ShowConfig())
    assert page.subtitle == "run folder: depth by mobile on pairs0; model.onnx, best.safetensors, last.safetensors"
    training, validation, samples = page.rows
    assert [len(row.panels) for row in page.rows] == [3, 3, 1]
    loss = panel_picture(training.panels[0])
    assert loss.size == (360, 236)
    assert training.facts[:2] == ("3 epochs of batches of 4", "size 32 x 48")
    assert training.facts[-1] == f"loss {losses(finished)[-1]:.4f}"
    score = read_model_info(finished / "best.safetensors").scores["validation"]["delta1"]
    assert f"delta1 {score:.4f}" in validation.facts[1]
    assert panel_picture(samples.panels[0]).width == 3 * 48


@pytest.mark.usefixtures("no_onnx")
def test_the_run_folder_repeats_the_run(finished: Path, tmp_path: Path) -> None:
    train(read_config(finished / "config.yaml", TrainConfig), out=tmp_path / "again")
    assert losses(tmp_path / "again") == losses(finished)
    assert same_weights(finished / "last.safetensors", tmp_path / "again" / "last.safetensors")


def test_resume_after_kill_gives_the_weights_of_the_whole_run(finished: Path, pairs: Path, tmp_path: Path) -> None:
    run, options = tmp_path / "killed", tmp_path / "options.yaml"
    options.write_text(config_to_yaml(_options(pairs)))
    command = [sys.executable, "-m", "depthnet", "train", "--config", str(options), "--out", str(run)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    state, table = run / "checkpoints" / "last.ckpt", run / "train.csv"
    deadline = time.monotonic() + 600
    # A state inside the second epoch: five batches are in the table, and the state is written after each.
    while not (state.exists() and table.exists() and len(losses(run)) >= 6):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    saved = torch.load(state, weights_only=True)
    assert 4 < saved["global_step"] <= 12
    train(_options(pairs), resume=run)
    assert losses(run) == losses(finished)
    assert same_weights(finished / "last.safetensors", run / "last.safetensors")


@pytest.mark.usefixtures("no_onnx")
def test_two_processes_follow_the_curve_of_one(pairs: Path, tmp_path: Path) -> None:
    # Plain gradient descent passes rounding on as it is; Adam would divide it by gradients that are about zero.
    optim = OptimConfig(name="sgd", lr=0.01, ema=0.0)
    config = replace(_options(pairs), epochs=2, augment=AugmentConfig(recipe="eigen"), optim=optim)
    options = tmp_path / "two.yaml"
    options.write_text(config_to_yaml(replace(config, batch_size=2, devices=2, strategy="ddp")))
    command = [sys.executable, "-m", "depthnet", "train", "--config", str(options), "--out", str(tmp_path / "two")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        train(config, out=tmp_path / "one")  # meanwhile
        _, log = process.communicate(timeout=1200)
    finally:
        process.kill()
    assert process.returncode == 0, log[-2000:]
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=5e-4)
    one, two = load_file(tmp_path / "one/last.safetensors"), load_file(tmp_path / "two/last.safetensors")
    for name, value in one.items():
        assert np.linalg.norm(value - two[name]) <= 2e-3 * np.linalg.norm(value) + 1e-6, name


@pytest.mark.usefixtures("no_onnx")
def test_init_starts_from_a_run(finished: Path, tiny: TrainConfig, tmp_path: Path) -> None:
    config = replace(tiny, init=str(finished), epochs=1, optim=replace(tiny.optim, lr=1e-9, ema=0.0))
    config.optim.weight_decay = 0.0
    train(config, out=tmp_path / "next")
    start, _ = load_network(finished / "best.safetensors")
    end, info = load_network(tmp_path / "next" / "last.safetensors")
    assert torch.allclose(start.head.weight, end.head.weight, atol=1e-6)
    assert info.provenance["init"]["file"] == "best.safetensors"


@pytest.mark.usefixtures("no_onnx")
def test_accumulation_steps_once_per_group_of_batches(tiny: TrainConfig, tmp_path: Path) -> None:
    train(replace(tiny, epochs=1, batch_size=4, accumulate=2), out=tmp_path / "run")
    with (tmp_path / "run" / "train.csv").open() as file:
        assert [int(float(row["step"])) for row in csv.DictReader(file)] == [0, 1, 1, 2]


def test_unusable_runs_are_refused_before_training(finished: Path, tiny: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds a run already"):
        train(tiny, out=finished)
    with pytest.raises(ConfigError, match="--data is missing"):
        train(replace(tiny, data=""), out=tmp_path / "a")
    with pytest.raises(InputError, match="holds mobile, not unet"):
        train(replace(tiny, network="unet", init=str(finished)), out=tmp_path / "b")
    with pytest.raises(ConfigError, match="network 'resnet' is unknown"):
        train(replace(tiny, network="resnet"), out=tmp_path / "c")
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()


def test_without_a_split_the_last_tenth_is_held_out(tiny: TrainConfig, pairs: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("rgb", "depth", "intrinsics.txt"):
        (bare / name).symlink_to(pairs / name)
    training, validation = open_data(replace(tiny, data=str(bare)))
    assert validation is not None
    assert validation.names == ["frame_18", "frame_19"]
    assert training.names == [f"frame_{index:02d}" for index in range(18)]
    assert open_data(replace(tiny, data=str(bare), val_split="none"))[1] is None
    listed, validation = open_data(replace(tiny, split="all"))
    assert validation is not None
    assert len(listed) == 16
    assert validation.names == [f"frame_{index:02d}" for index in range(16, 20)]


def test_nothing_validated_and_none_of_its_neighbours_is_trained_on(shared_data: Path) -> None:
    for split in ("train", "trainval", "all"):
        training, validation = open_data(TrainConfig(data=str(shared_data / "nyu_train"), split=split, cache=False))
        assert validation is not None
        assert (len(training), len(validation)) == (635, 100)
    training, validation = open_data(
        TrainConfig(data=str(shared_data / "nyu_train"), split="trainval", val_split="none", cache=False)
    )
    assert (len(training), validation) == (795, None)


@pytest.mark.usefixtures("no_onnx")
def test_a_model_says_the_size_that_its_weights_were_trained_at(tiny: TrainConfig, tmp_path: Path) -> None:
    config = replace(tiny, size=(48, 64), size_schedule=[(0.0, 32, 40), (0.9, 48, 64)], epochs=2)
    train(config, out=tmp_path / "run")
    info = read_model_info(tmp_path / "run" / "last.safetensors")
    assert (info.input_size, info.training_focal_px) == ((32, 40), pytest.approx(60 * 40 / 64))


@pytest.mark.usefixtures("no_onnx")
def test_a_batch_larger_than_the_data_is_made_smaller(tiny: TrainConfig, tmp_path: Path) -> None:
    train(replace(tiny, batch_size=64, epochs=1), out=tmp_path / "run")
    assert len(losses(tmp_path / "run")) == 1


def test_data_without_a_camera_is_refused(tiny: TrainConfig, pairs: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for kind in ("rgb", "depth"):
        (bare / kind).symlink_to(pairs / kind)
    with pytest.raises(InputError, match=r"has no intrinsics.*Add intrinsics.txt"):
        train(replace(tiny, data=str(bare), val_split="none"), out=tmp_path / "run")
