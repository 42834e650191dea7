"""The notebook runs from top to bottom, and lies in the repository without results."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from depthnet.cli import main

nbformat = pytest.importorskip("nbformat", reason="the notebook's test needs depthnet[notebook] and nbclient")
nbclient = pytest.importorskip("nbclient")
for package in ("ipykernel", "matplotlib", "torch"):
    pytest.importorskip(package)

LARGEST_BYTES = 40_000


def test_it_runs_from_top_to_bottom(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel draws into the notebook
    path = project / "notebooks" / "depthnet.ipynb"
    notebook = nbformat.read(path, as_version=4)
    assert len(path.read_bytes()) < LARGEST_BYTES
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in codes), "clear its outputs"
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
    pictures = [output for cell in codes for output in cell.outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == sum("plt.show()" in cell.source for cell in codes)


def test_its_commands_exist(project: Path) -> None:
    text = (project / "notebooks" / "depthnet.ipynb").read_text(encoding="utf-8")
    commands = re.findall(r'"depthnet (.+?)(?:\\n)?"', text)
    assert len(commands) >= 5
    for command in commands:
        assert main([*command.split(), "--print-config"]) == 0, command
