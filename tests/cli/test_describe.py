"""`depthnet describe` on the command line, for networks and for model files."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

#: Runs a command line and gives its exit code, stdout and stderr: see conftest.py.
Shell = Callable[..., Any]


def test_a_network_as_a_table_and_a_drawing(depthnet: Shell) -> None:
    outcome = depthnet("describe", "unet", "--out", "net.svg")
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[0] == "unet: 8 539 714 parameters, 2.48 G multiply-adds, image 3 x 224 x 320"
    assert lines[-1] == "net.svg"
    drawing = Path("net.svg").read_bytes()
    words = {element.text for element in ElementTree.fromstring(drawing).iter("{http://www.w3.org/2000/svg}text")}
    assert {"encoder_2", "encoder_32", "decoder_16", "log_depth"} <= words
    again = depthnet("describe", "unet", "--out", "net.svg")
    assert again.code == 1
    assert "--overwrite" in again.err
    assert depthnet("describe", "--overwrite", "--out", "net.svg", "unet").code == 0
    assert Path("net.svg").read_bytes() == drawing, "the same bytes each time"


def test_size_options_and_layers(depthnet: Shell) -> None:
    words = ("describe", "unet", "--size", 64, 96, "--network-options", "{skip_factors: learned}", "--layers")
    outcome = depthnet(*words)
    assert outcome.code == 0, outcome.err
    assert "8 539 718 parameters" in outcome.out
    assert "image 3 x 64 x 96" in outcome.out
    assert "  encoder.stages.0.0.reduce.0" in outcome.out
    assert not list(Path().iterdir()), "without --out nothing is written"
    assert "size: [64, 96]" in depthnet(*words, "--print-config").out


def test_model_files_bring_their_network_and_size(depthnet: Shell, tmp_path: Path) -> None:
    from depthnet.checkpoint import ModelInfo, save_network
    from depthnet.networks import build_network

    options = {"decoder": [8, 8, 8, 8, 8]}
    info = ModelInfo("small", "mobile", options, (48, 64), 50.0, 0.001, 10.0)
    (tmp_path / "run").mkdir()
    save_network(tmp_path / "run" / "best.safetensors", build_network("mobile", options), info)
    for model in ("run", "run/best.safetensors"):
        outcome = depthnet("describe", model)
        assert outcome.code == 0, outcome.err
        assert outcome.out.startswith("small (mobile): ")
        assert "image 3 x 48 x 64" in outcome.out
        assert "decoder_16" in outcome.out
    refused = depthnet("describe", "run", "--network-options", "{output_stride: 32}")
    assert refused.code == 1
    assert "--network-options go with a network's name" in refused.err


def test_an_onnx_file_is_described_by_what_it_carries(depthnet: Shell, tiny_model: Path) -> None:
    outcome = depthnet("describe", tiny_model)
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("tiny (mobile): 2 292 441 parameters")
    assert "image 3 x 48 x 64" in outcome.out


def test_an_onnx_file_of_another_program(depthnet: Shell, tiny_model: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(tiny_model)
    del model.metadata_props[:]
    onnx.save(model, "other.onnx")
    outcome = depthnet("describe", "other.onnx")
    assert outcome.code == 1
    assert "other.onnx: has no depthnet metadata" in outcome.err


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        ([], 2, "0 were given"),
        (["unet", "mobile"], 2, "2 were given"),
        (["unett"], 1, "unett: neither a network (eigen2014"),
        (["unet", "--out", "net.png"], 1, "net.png: '.png' is no drawing; end --out with .svg"),
        (["unet", "--out", "folder.svg"], 1, "folder.svg: is a folder"),
        (["unet", "--size", "2", "2"], 1, "at least 3 a side"),
        (["unet", "--size", "0", "32"], 1, "--size 0 32: expected"),
        (["unet", "--size", "32"], 2, ""),
        (["unet", "--network-options", "{depth: 5}"], 1, "depth"),
    ],
)
def test_errors_are_one_line(depthnet: Shell, words: list[str], code: int, part: str) -> None:
    Path("folder.svg").mkdir()
    outcome = depthnet("describe", *words)
    assert outcome.code == code
    assert part in outcome.err
    assert outcome.out == ""
    assert code == 2 or len(outcome.err.splitlines()) == 1
