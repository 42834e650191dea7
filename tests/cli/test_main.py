"""Dispatch, help, and how errors leave the process."""

from __future__ import annotations

import dataclasses
import importlib
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from depthnet.cli import COMMANDS
from depthnet.cli.models import Models
from depthnet.cli.parsing import Command
from depthnet.errors import InputError

#: Runs a command line and gives its exit code, stdout and stderr: see conftest.py.
Shell = Callable[..., Any]


def fail_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(self: Models) -> int:
        raise error

    monkeypatch.setattr(Models, "run", run)


@pytest.mark.parametrize("word", ["--help", "-h", "help"])
def test_help_lists_every_command(depthnet: Shell, word: str) -> None:
    outcome = depthnet(word)
    assert outcome.code == 0
    for name, (_, summary) in COMMANDS.items():
        assert name in outcome.out
        assert summary in outcome.out


@pytest.mark.parametrize("words", [["--version"], ["predict", "--version"], ["train", "--epochs", "3", "--version"]])
def test_version_everywhere(depthnet: Shell, words: list[str]) -> None:
    import depthnet as package

    outcome = depthnet(*words)
    assert (outcome.code, outcome.out) == (0, f"depthnet {package.__version__}\n")


def test_no_word_and_a_wrong_word_are_wrong_usage(depthnet: Shell) -> None:
    assert depthnet("--debug").code == 2
    outcome = depthnet()
    assert outcome.code == 2
    assert outcome.out == ""
    assert "usage: depthnet COMMAND" in outcome.err
    outcome = depthnet("pedict", "photo.jpg")
    assert outcome.code == 2
    assert "perhaps you meant 'predict'" in outcome.err
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_a_documented_dataclass(depthnet: Shell, name: str) -> None:
    module, cls = COMMANDS[name][0].split(":")
    command = getattr(importlib.import_module(module), cls)
    assert issubclass(command, Command)
    assert dataclasses.is_dataclass(command)
    outcome = depthnet(name, "--help")
    assert outcome.code == 0
    assert f"usage: depthnet {name}" in outcome.out
    assert "--debug" in outcome.out


def test_a_users_error_is_one_line(depthnet: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(InputError("photo.jpg: is empty;\ncopy it again."), monkeypatch)
    outcome = depthnet("models")
    assert outcome.code == 1
    assert outcome.err == "depthnet: error: photo.jpg: is empty; copy it again.\n"
    assert outcome.out == ""


@pytest.mark.parametrize("words", [["models", "--debug"], ["--debug", "models"]])
def test_debug_shows_the_traceback(depthnet: Shell, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    fail_with(InputError("photo.jpg: is empty"), monkeypatch)
    outcome = depthnet(*words)
    assert outcome.code == 1
    assert "Traceback" in outcome.err
    assert "InputError: photo.jpg: is empty" in outcome.err


def test_an_interrupt_says_so(depthnet: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(KeyboardInterrupt(), monkeypatch)
    outcome = depthnet("models")
    assert outcome.code == 130
    assert outcome.err == "depthnet: interrupted\n"
    fail_with(KeyboardInterrupt("go on with: depthnet train --resume r"), monkeypatch)
    outcome = depthnet("models")
    assert outcome.code == 130
    assert outcome.err == "depthnet: interrupted; go on with: depthnet train --resume r\n"


def test_termination_unwinds_as_an_interrupt_does(depthnet: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that half-written files are removed and worker threads finish theirs."""
    removed = []

    def run(self: Models) -> int:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            removed.append("half a file")
        return 0

    monkeypatch.setattr(Models, "run", run)
    before = signal.getsignal(signal.SIGTERM)
    assert depthnet("models").code == 143
    assert removed == ["half a file"]
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (ModuleNotFoundError("No module named 'torch'", name="torch"), 'pip install "depthnet[train]"'),
        (ModuleNotFoundError("No module named 'h5py._errors'", name="h5py._errors"), 'pip install "depthnet[data]"'),
        (PermissionError(13, "Permission denied", "/x"), "Permission denied"),
        (ZeroDivisionError("division by zero"), "unexpected ZeroDivisionError"),
    ],
)
def test_other_errors_are_one_line_too(
    depthnet: Shell, monkeypatch: pytest.MonkeyPatch, error: Exception, part: str
) -> None:
    fail_with(error, monkeypatch)
    outcome = depthnet("models")
    assert outcome.code == 1
    assert part in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_the_module_is_the_command(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "depthnet", "predict"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("depthnet: error: predict needs photos")


def test_a_reader_that_goes_away_makes_no_noise(tmp_path: Path) -> None:
    line = f'{sys.executable} -m depthnet --help | true; exit "${{PIPESTATUS[0]}}"'
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
