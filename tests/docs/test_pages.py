"""README, the pages of the site and the model card: commands run, options and links exist, blanks are filled in.

What a fenced block of a page is for, in the order of the page and in one folder (the fixture ``own_desk``):

- ``bash``: every line runs. ``python``: it runs, with the names of the blocks before it; a file of ``examples/`` may be
  included.
- ``yaml title="NAME"``: the file NAME of that folder; options of a training, or a suite of experiments.
- ``text``: words to read. A line that begins with ``depthnet`` is a command that asks for what a test does not have (a
  download, a cluster, hours): its options are checked, as are those of commands in sentences. One that begins with
  ``pip`` names tiers that exist.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from depthnet.cli import main

ROOT = Path(__file__).resolve().parent.parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md")), ROOT / "src" / "depthnet" / "models" / "README.md"]
WITHOUT_COMMANDS = [ROOT / "CHANGELOG.md", ROOT / "examples" / "README.md"]
TIERS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
#: Lines that ask for a shell; all others run in this process.
SHELL = re.compile(r"[|&;<>$`]")
FENCED = re.compile(r'^```(\w+)(?: title="(.+?)")?\n(.*?)^```', flags=re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    kind: str
    title: str
    text: str
    where: str
    """Page and line, for messages."""

    @property
    def lines(self) -> list[str]:
        """Its commands, without comments."""
        return [line for line in self.text.splitlines() if line.strip() and not line.startswith("#")]


def blocks(page: Path) -> Iterator[Block]:
    text = re.sub(r"<!-- include: (examples/\S+) -->", lambda found: (ROOT / found[1]).read_text(), page.read_text())
    for found in FENCED.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(found[1], found[2] or "", found[3], f"{page.relative_to(ROOT)}:{line}")


SET_UP = [line for block in blocks(README) if block.kind == "bash" for line in block.lines if " -m venv " in line]


def run(line: str, folder: Path) -> None:
    """Run a line of a page: in this process where it is a plain `depthnet` command, which saves most of the time."""
    words = shlex.split(line, comments=True)
    if words[0] == "depthnet" and not SHELL.search(line):
        assert main(words[1:]) == 0, line
        return
    shim = folder / "bin"
    shim.mkdir(exist_ok=True)
    (shim / "depthnet").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m depthnet "$@"\n')
    (shim / "depthnet").chmod(0o755)
    environment = {**os.environ, "PATH": f"{shim}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-ec", line], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def check_options(line: str) -> None:
    """See that the options of a command exist, and the tiers of an installation."""
    words = shlex.split(line.partition(" && .venv/bin/")[2] or line, comments=True)
    if words[:1] == ["depthnet"] and words[1] != "models" and "--resume" not in words:
        assert main([*words[1:], "--print-config"]) == 0, line
    for tiers in re.findall(r'pip install [^#]*"\S*\[(.+?)\]"', line):
        assert set(tiers.split(",")) <= TIERS.keys(), line


def inline_commands(page: Path) -> list[str]:
    """The commands with options in the sentences of a page, but those that only ask for help."""
    words = FENCED.sub("", page.read_text(encoding="utf-8"))
    found = [" ".join(command.split()) for command in re.findall(r"`(depthnet [^`]+)`", words)]
    return [command for command in found if " --" in command and not command.endswith("--help")]


def write_file(block: Block) -> None:
    """Write a file that a page shows, and see that depthnet understands it."""
    from depthnet.config import TrainConfig
    from depthnet.experiment.suite import read_suite
    from depthnet.options import read_config

    Path(block.title).write_text(block.text, encoding="utf-8")
    if "rows:" in block.text:
        read_suite(block.title)
    else:
        read_config(block.title, TrainConfig)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_run(page: Path, own_desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for block in blocks(page):
        if block.kind == "yaml" and block.title:
            write_file(block)
        for line in block.lines if block.kind in ("bash", "text") else ():
            check_options(line)
            if block.kind == "bash" and line not in SET_UP:
                run(line, own_desk)
        if block.kind == "python":
            exec(compile(block.text, block.where, "exec"), names)
    for line in inline_commands(page):
        check_options(line)
    assert "Traceback" not in capsys.readouterr().err


def test_two_lines_set_everything_up() -> None:
    assert len(SET_UP) == 2
    assert " predict " in SET_UP[0]
    assert SET_UP[1].endswith("-m pytest")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    for step in SET_UP[1].split(" && "):
        assert step in script, f".ci/run lacks {step}"


@pytest.mark.slow
def test_the_first_line_runs_on_a_fresh_machine(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    ignored = shutil.ignore_patterns(".git", ".venv*", "runs", "out", "site", "__pycache__", ".*_cache")
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


@pytest.mark.parametrize("page", [*PAGES, *WITHOUT_COMMANDS], ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("#"):
            assert (page.parent / target.partition("#")[0]).exists(), f"{page.name} links to {target}"


def test_results_are_filled_in() -> None:
    assert "RESULT" not in README.read_text(encoding="utf-8").replace("RESULTS.md", ""), "fill in the results table"


def test_no_path_of_one_machine() -> None:
    for page in [*PAGES, *WITHOUT_COMMANDS]:
        assert not re.search(r"(?<![\w.])/(home|root|tmp|work)/", page.read_text(encoding="utf-8")), page
