"""Options: defaults < YAML < command line, in any order on the line."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import yaml

from depthnet.cli.parsing import list_configs, parse
from depthnet.cli.predict import Predict
from depthnet.config import EvaluateConfig, PredictConfig, TrainConfig
from depthnet.options import read_config

#: Runs a command line and gives its exit code, stdout and stderr: see conftest.py.
Shell = Callable[..., Any]


def printed(depthnet: Shell, *words: object) -> dict[str, object]:
    outcome = depthnet(*words, "--print-config")
    assert outcome.code == 0, outcome.err
    values: dict[str, object] = yaml.safe_load(outcome.out)
    return values


@pytest.mark.parametrize("order", list(permutations([("--config", "my.yaml"), ("--epochs", "7"), ("--seed", "1")])))
def test_the_command_line_wins_wherever_config_stands(
    depthnet: Shell, tmp_path: Path, order: tuple[tuple[str, str], ...]
) -> None:
    (tmp_path / "my.yaml").write_text("epochs: 5\nbatch_size: 3\noptim: {lr: 0.25}\n")
    values = printed(depthnet, "train", *(word for option in order for word in option))
    assert (values["epochs"], values["batch_size"], values["seed"]) == (7, 3, 1)
    assert values["optim"]["lr"] == 0.25  # type: ignore[index]
    assert values["workers"] == TrainConfig().workers


def test_config_with_an_equals_sign(depthnet: Shell, tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("epochs: 5\n")
    assert printed(depthnet, "train", "--config=my.yaml")["epochs"] == 5


@pytest.mark.parametrize(
    "words",
    [
        ["a.jpg", "b.jpg", "--out", "o", "--save", "npy,png"],
        ["--out", "o", "a.jpg", "--save", "npy,png", "b.jpg"],
        ["--save", "npy,png", "a.jpg", "b.jpg", "--out", "o"],
        ["a.jpg", "--overwrite", "--out=o", "b.jpg", "--save=npy,png"],
    ],
)
def test_positional_words_and_options_in_any_order(words: list[str]) -> None:
    command = parse(Predict, "predict", words)
    assert command.inputs == ("a.jpg", "b.jpg")
    assert command.job == PredictConfig(out="o", save=("npy", "png"))


def test_what_print_config_prints_gives_the_same_options_again(depthnet: Shell, tmp_path: Path) -> None:
    words = ["train", "--size", "96", "128", "--loss.terms", "{l1: 1, gradient: 0.5}", "--optim.encoder-lr", "1e-4"]
    outcome = depthnet(*words, "--print-config")
    path = tmp_path / "again.yaml"
    path.write_text(outcome.out)
    config = read_config(path, TrainConfig)
    assert config.size == (96, 128)
    assert config.loss.terms == {"l1": 1.0, "gradient": 0.5}
    assert config.optim.encoder_lr == 1e-4
    assert depthnet("train", "--config", path, "--print-config").out == outcome.out


def test_mappings_and_lists_are_one_word_of_yaml(depthnet: Shell) -> None:
    schedule, options = "[[0, 48, 64], [0.5, 96, 128]]", "{width: 1.4, skips: [1, 2]}"
    values = printed(depthnet, "train", "--size-schedule", schedule, "--network-options", options)
    assert values["size_schedule"] == [[0.0, 48, 64], [0.5, 96, 128]]
    assert values["network_options"] == {"width": 1.4, "skips": [1, 2]}


def test_none_on_the_command_line_empties_what_the_file_sets(depthnet: Shell, tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("limit_batches: 5\nval_data: other\n")
    values = printed(depthnet, "train", "--config", "my.yaml", "--limit-batches", "none", "--val-data", "none")
    assert values["limit_batches"] is None
    assert values["val_data"] is None


@pytest.mark.parametrize("words", [["nyu", "nyu-full", "none"], ["nyu,nyu-full", "none"], ["nyu,nyu-full,none"]])
def test_several_protocols(depthnet: Shell, words: list[str]) -> None:
    values = printed(depthnet, "evaluate", "--protocol", *words, "--flip")
    assert values["protocol"] == ["nyu", "nyu-full", "none"]
    assert values["flip"] is True
    assert values["align"] == EvaluateConfig().align


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["train", "--epoch", "3"], ["--epoch", "Perhaps you meant", "--epochs"]),
        (["predict", "a.jpg", "--focalpx", "3"], ["--focalpx", "--focal-px"]),
        (["train", "--epochs", "many"], ["--epochs", "many"]),
        (["train", "--limit-batches", "many"], ["--limit-batches", "many", "a whole number"]),
        (["train", "--optim.name", "lion"], ["--optim.name", "lion", "adamw"]),
        (["train", "--loss.terms", "{l1: a}"], ["--loss.terms", "a number"]),
        (["train", "--loss.terms", "{l1: ["], ["--loss.terms", "not YAML"]),
        (["train", "extra"], ["extra"]),
        (["predict", "a.jpg", "--save", "jpeg"], ["--save", "jpeg", "colour"]),
        (["evaluate", "--align", "shift"], ["--align", "shift", "scale-shift"]),
    ],
)
def test_wrong_usage_is_exit_2_and_names_the_option(depthnet: Shell, words: list[str], parts: list[str]) -> None:
    outcome = depthnet(*words)
    assert outcome.code == 2
    assert outcome.out == ""
    for part in parts:
        assert part in outcome.err


def test_an_unknown_yaml_key_is_a_users_error(depthnet: Shell, tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("epoch: 5\n")
    outcome = depthnet("train", "--data", "x", "--config", "my.yaml")
    assert outcome.code == 1
    assert outcome.err == "depthnet: error: my.yaml: unknown key 'epoch'; did you mean 'epochs'?\n"


def test_packaged_configurations_by_name(depthnet: Shell) -> None:
    assert printed(depthnet, "train", "--config", "unet")["network"] == "unet"
    outcome = depthnet("train", "--config", "huge")
    assert outcome.code == 1
    for name in list_configs():
        assert name in outcome.err


def test_a_file_goes_before_a_packaged_name_and_a_run_folder_after(depthnet: Shell, tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.yaml").write_text("epochs: 91\n")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("epochs: 92\n")
    assert printed(depthnet, "train", "--config", "run")["epochs"] == 92
    assert printed(depthnet, "train", "--config", "./unet")["epochs"] == 91
    assert printed(depthnet, "train", "--config", "unet")["epochs"] != 91


def test_job_options_come_from_yaml_for_every_job(depthnet: Shell, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("save: [npy]\nfov_deg: 60\n")
    assert printed(depthnet, "predict", "--config", "p.yaml", "a.jpg", "--save", "png")["save"] == ["png"]
    assert printed(depthnet, "predict", "a.jpg", "--config", "p.yaml")["fov_deg"] == 60
