"""The README's commands run, its links exist, and its tables are filled in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
SHELL = [line for kind, text in BLOCKS if kind == "bash" for line in text.splitlines()]
SET_UP = [line for line in SHELL if " -m venv " in line]
USE = [line for line in SHELL if line not in SET_UP]
#: The lines from the training command on need what the lines before them wrote.
TRAINING = USE[next(index for index, line in enumerate(USE) if " train " in line) :]
PAGES = [ROOT / name for name in ("README.md", "CHANGELOG.md", "examples/README.md")]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: the examples, a photo of their own and six pairs of image and depth."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(ROOT / "examples", folder / "examples")
    shutil.copy(ROOT / "examples" / "office.jpg", folder / "photo.jpg")
    for part in ("rgb", "depth"):
        (folder / "my_data" / part).mkdir(parents=True)
    (folder / "my_data" / "intrinsics.txt").write_text("131.25 131.25 79.5 59.5 160 120\n")
    photo = Image.open(folder / "photo.jpg").resize((160, 120))
    ramp = np.linspace(1000, 4000, 160, dtype=np.uint16) * np.ones((120, 1), np.uint16)
    for index in range(16):
        photo.rotate(2 * index).save(folder / "my_data" / "rgb" / f"{index:04}.jpg")
        Image.fromarray(ramp).save(folder / "my_data" / "depth" / f"{index:04}.png")
    return folder


def run(line: str, folder: Path) -> str:
    """Run a line of the README with this Python's `depthnet` in front of the PATH."""
    shim = folder / "bin"
    if not shim.exists():
        shim.mkdir()
        (shim / "depthnet").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m depthnet "$@"\n')
        (shim / "depthnet").chmod(0o755)
    environment = {**os.environ, "PATH": f"{shim}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-ec", line], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_two_lines_set_everything_up() -> None:
    assert len(SET_UP) == 2
    assert " predict " in SET_UP[0]
    assert SET_UP[1].endswith("-m pytest")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    for step in SET_UP[1].split(" && "):
        assert step in script, f".ci/run lacks {step}"


@pytest.mark.parametrize("line", [line for line in USE if line not in TRAINING])
def test_core_commands_run(line: str, desk: Path) -> None:
    assert run(line, desk)


@pytest.mark.slow
def test_training_commands_run(desk: Path) -> None:
    for line in TRAINING:
        run(line, desk)
    assert (desk / "out" / "first" / "office_depth.png").is_file()


@pytest.mark.parametrize("code", [text for kind, text in BLOCKS if kind == "python"])
def test_python_runs(code: str, desk: Path) -> None:
    done = subprocess.run([sys.executable, "-c", code], cwd=desk, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (desk / "out" / "photo_points.ply").is_file()


@pytest.mark.slow
def test_the_first_line_runs_on_a_fresh_machine(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    ignored = shutil.ignore_patterns(".git", ".venv*", "runs", "out", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, checkout, ignore=ignored)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        ["bash", "-ec", SET_UP[0]], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "office.jpg" in done.stdout
    assert {path.name for path in (checkout / "out").iterdir()} == {"office_depth.png", "office_depth_colour.png"}
    packages = subprocess.run([checkout / ".venv/bin/pip", "list"], capture_output=True, text=True, check=True).stdout
    assert "torch" not in packages.split()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("#"):
            assert (page.parent / target.partition("#")[0]).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize(
    "line", [line for kind, text in BLOCKS if kind in ("bash", "text") for line in text.splitlines()]
)
def test_options_in_the_readme_exist(line: str) -> None:
    """Also the lines that need data of the user's own are checked, as far as their options go."""
    import shlex

    from depthnet.cli import main

    words = shlex.split(line.partition(" && .venv/bin/")[2] or line, comments=True)
    if words[:1] == ["depthnet"] and words[1] not in ("models", "benchmark") and "--resume" not in words:
        assert main([*words[1:], "--print-config"]) == 0


def test_results_are_filled_in() -> None:
    assert "RESULT" not in README.replace("RESULTS.md", ""), "fill in the results table"


def test_no_path_of_one_machine() -> None:
    for page in PAGES:
        assert not re.search(r"(?<![\w.])/(home|root|tmp|work)/", page.read_text(encoding="utf-8"))
