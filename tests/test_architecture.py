"""The floors of the design, read from the source with ast: who imports whom, and what stays out of the core."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import depthnet

ROOT = Path(depthnet.__file__).resolve().parent

#: Floors from the ground up. A room imports from lower floors, from itself, or from a room before it on its floor.
FLOORS = (
    (
        "errors", "cores", "timing", "compile", "train_config", "config", "options", "geometry", "losses", "metrics",
        "alignment",
    ),
    ("io", "networks"),
    ("data", "prepare", "checkpoint", "onnx_file"),
    (
        "predictor", "training", "evaluation", "odometry", "check", "pages", "report", "export", "describe", "server",
        "benchmark", "experiment", "show",
    ),
    ("cli", "__init__", "__main__"),
)  # fmt: skip
POSITION = {room: (floor, place) for floor, rooms in enumerate(FLOORS) for place, room in enumerate(rooms)}

#: Packages that no module but those of TORCH_ROOMS imports at its top.
HEAVY = {
    "torch", "lightning", "pytorch_lightning", "h5py", "scipy", "onnxruntime", "trimesh", "onnx", "onnxscript",
    "safetensors", "transformers", "tensorboard", "av", "gradio", "dask", "matplotlib",
    "numba",
}  # fmt: skip
#: Rooms whose modules may need PyTorch as a whole; the core never imports them (test_import.py).
TORCH_ROOMS = ("networks", "losses", "training", "describe", "benchmark")
FORBIDDEN = {"torchvision", "timm", "segmentation_models_pytorch", "lpips", "cv2"}
FORBIDDEN_NAMES = {"utils", "util", "misc", "helpers", "helper", "manager", "common"}

FILES = sorted(ROOT.rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts == ("__init__",):
        return "__init__"
    return ".".join(part for part in parts if part != "__init__")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path, top_only: bool = False) -> Iterator[str]:
    """Full names of what a file imports; ``from a import b`` gives a.b."""
    for node in parsed(path).body if top_only else ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the full name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


MODULES = {module_name(file) for file in FILES}


@cache
def internal_imports(path: Path) -> frozenset[str]:
    """Modules of depthnet that a file imports, without the leading `depthnet.`."""
    names = [name for name in imports(path) if name.startswith("depthnet")]
    inner = [name.removeprefix("depthnet.") for name in names if name not in ("depthnet", "depthnet.__version__")]
    return frozenset(name if name in MODULES else name.rpartition(".")[0] or "__init__" for name in inner)


def room(module: str) -> str:
    return module.partition(".")[0]


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_go_down(path: Path) -> None:
    me = room(module_name(path))
    assert me in POSITION, f"{me}: a new room; give it a floor in FLOORS"
    for name in internal_imports(path):
        other = room(name)
        if other == me:
            continue
        (my_floor, my_place), (floor, place) = POSITION[me], POSITION[other]
        assert floor < my_floor or (floor == my_floor and place < my_place), (
            f"{path.name} imports {name}, which is above"
        )


def test_no_cycles() -> None:
    graph = {module_name(path): sorted(internal_imports(path) - {module_name(path)}) for path in FILES}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, f"cycle: {' -> '.join([*trail[trail.index(module) :], module])}"
        if module not in done:
            for name in graph.get(module, []):
                visit(name, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_heavy_packages_are_imported_where_they_are_used(path: Path) -> None:
    packages = {name.partition(".")[0] for name in imports(path, top_only=True)}
    heavy = packages & HEAVY
    if room(module_name(path)) in TORCH_ROOMS and path.name != "__init__.py":
        heavy -= {"torch", "lightning", "pytorch_lightning"}
    assert not heavy, f"{path.name}: {heavy} at the top of the module; import it inside the function that needs it"


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_packages_without_a_cpu_build_stay_out(path: Path) -> None:
    assert not {name.partition(".")[0] for name in imports(path)} & FORBIDDEN


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_rooms_have_names_that_say_what_is_inside(path: Path) -> None:
    assert not {*path.relative_to(ROOT).parts[:-1], path.stem} & FORBIDDEN_NAMES


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(parsed(path)), f"{path.name} has no docstring"
