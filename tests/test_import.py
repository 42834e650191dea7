"""The core imports without the heavy tiers, and `--help` loads nothing that it does not need."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import depthnet
from depthnet.cli import COMMANDS

#: Refuses the packages of the install tiers, as on a machine with the core alone.
BLOCKER = """
import json, sys

TIERS = {"torch", "lightning", "h5py", "scipy", "numba", "safetensors", "onnx", "transformers", "dask"}

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in TIERS:
            raise ModuleNotFoundError(f"blocked: {name}", name=name)

sys.meta_path.insert(0, Blocker())
before = set(sys.modules)
"""
REPORT = "\nprint(json.dumps(sorted(set(sys.modules) - before)))"


def modules_after(code: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", BLOCKER + code + REPORT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_depthnet_loads_next_to_nothing() -> None:
    loaded = modules_after("import depthnet; depthnet.__version__")
    ours = {name for name in loaded if name.startswith("depthnet")}
    assert ours == {"depthnet"}
    assert not loaded & {"numpy", "PIL", "onnxruntime", "trimesh", "rich", "tyro", "yaml"}
    assert len(loaded) < 60


def test_help_loads_no_command() -> None:
    loaded = modules_after("from depthnet.cli import main; assert main(['--help']) == 0")
    assert {name for name in loaded if name.startswith("depthnet")} <= {
        "depthnet",
        "depthnet.cli",
        "depthnet.cli.report",
        "depthnet.cli.usage",
        "depthnet.errors",
    }
    assert not loaded & {"numpy", "tyro", "rich", "onnxruntime"}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_needs_no_tier(command: str) -> None:
    loaded = modules_after(f"from depthnet.cli import main; assert main(['{command}', '--help']) == 0")
    assert not loaded & {"numpy", "onnxruntime", "trimesh", "PIL"}


@pytest.mark.parametrize(
    "module",
    [
        "predictor",
        "evaluation",
        "metrics",
        "alignment",
        "checkpoint",
        "data",
        "io.images",
        "io.depth",
        "geometry.camera",
    ],
)
def test_core_modules_import_without_the_tiers(module: str) -> None:
    modules_after(f"import depthnet.{module}")


def test_names_are_loaded_on_first_use() -> None:
    assert depthnet.load_model.__module__.startswith("depthnet.predictor")
    assert set(depthnet.__all__) <= set(dir(depthnet))
    assert depthnet.data.open_dataset
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = depthnet.no_such_name


def test_a_model_runs_without_a_trace_at_home(tmp_path: Path) -> None:
    code = "import depthnet, numpy; depthnet.load_model(threads=1).predict(numpy.zeros((48, 64, 3), numpy.uint8))"
    places = {name: str(tmp_path) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME")}
    clean = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", code], env=clean | places, check=True)
    assert list(tmp_path.rglob("*")) == []  # ONNX Runtime's telemetry would leave a device's number here


def test_the_version_stands_once(project: Path) -> None:
    declared = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in declared["project"]
    assert declared["project"]["dynamic"] == ["version"]
    source = (project / declared["tool"]["hatch"]["version"]["path"]).read_text(encoding="utf-8")
    assert re.findall(r'^__version__ = "(.+)"$', source, re.MULTILINE) == [depthnet.__version__]
