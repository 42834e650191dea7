"""From options back to the words of a command line."""

from __future__ import annotations

import dataclasses
from typing import Any

from depthnet.options import config_to_yaml


def option_words(config: Any, prefix: str = "--") -> list[str]:
    """The words that give an option dataclass on the command line: one option for each value that is no default.

    Args:
        config: an option dataclass of ``depthnet.config`` (its fields all have defaults).
        prefix: what stands before the names; nested dataclasses are ``--loss.terms``.

    Returns:
        Words for the shell, not yet quoted; ``depthnet COMMAND WORDS --print-config`` prints the same options.
    """
    words: list[str] = []
    default = type(config)()
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), f"{prefix}{field.name.replace('_', '-')}"
        if dataclasses.is_dataclass(value):
            words += option_words(value, f"{name}.")
        elif value != getattr(default, field.name):
            words += _option(name, value)
    return words


def _option(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [name if value else f"--no-{name.removeprefix('--')}"]
    if isinstance(value, dict | list):
        return [name, config_to_yaml(value, flow=True).strip()]
    if isinstance(value, tuple):
        return [name, *map(str, value)]
    return [name, "none" if value is None else str(value)]
