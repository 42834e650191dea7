"""`depthnet models`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from depthnet.cli.parsing import Command, Flag, list_configs

SHOWN_SCORES = ("delta1", "abs_rel", "rmse")


@dataclass
class Models(Command):
    """List the models, networks and configurations that are shipped."""

    debug: Flag = False
    """Show the traceback of an error."""

    def run(self) -> int:
        """Print one line for each model, then the names of networks and configurations."""
        from depthnet.checkpoint import SHIPPED, shipped_file
        from depthnet.networks import FAMILIES, NETWORKS, POSE_NETWORKS

        print("models (--model NAME):")
        for name in SHIPPED:
            print(f"  {name:<10}{describe_model(shipped_file(name))}")
        families = [f"{family}:NAME" for family in FAMILIES]
        print(f"networks (--network NAME): {', '.join([*NETWORKS, *families])}")
        print(f"pose networks (--task pose --network NAME): {', '.join(POSE_NETWORKS)}")
        print(f"configurations (--config NAME): {', '.join(list_configs())}")
        return 0


def describe_model(path: Path) -> str:
    """Say in one line what a model file is: network, size, depth range and validation scores."""
    from depthnet.checkpoint import read_model_info

    if not path.is_file():
        return f"missing from this installation ({path.name})"
    info = read_model_info(path)
    height, width = info.input_size
    validation = info.scores.get("validation", {})
    scores = ", ".join(f"{name} {validation[name]:.3f}" for name in SHOWN_SCORES if name in validation)
    facts = [
        f"network {info.network}",
        f"input {height}x{width}",
        f"{info.min_depth:g} to {info.max_depth:g} m",
        f"{path.stat().st_size / 1e6:.1f} MB",
        *([f"validation: {scores}"] if scores else []),
    ]
    return "; ".join(facts)
