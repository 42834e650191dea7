"""From YAML to the option dataclasses of depthnet.config and back, with errors a user can act on."""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from depthnet.errors import ConfigError

Config = TypeVar("Config")


def read_config(path: str | Path, cls: type[Config]) -> Config:
    """Read a YAML file into an option dataclass; keys that the file leaves out keep their defaults.

    Nested dataclasses are merged key by key; a plain mapping or list (``loss.terms``, ``network_options``) is
    replaced as a whole.

    Args:
        path: the YAML file.
        cls: an option dataclass whose fields all have defaults.

    Raises:
        ConfigError: if the file is missing or no YAML, or a key is unknown or has a value of the wrong type.
    """
    return from_plain(cls, _read_yaml(Path(path)), str(path))


def from_plain(cls: type[Config], values: Mapping[str, Any], source: str) -> Config:
    """Build an option dataclass from the plain mapping that YAML gives.

    Args:
        cls: an option dataclass whose fields all have defaults.
        values: field name -> plain value.
        source: what the values came from, named in errors.

    Raises:
        ConfigError: if a key is unknown or a value has the wrong type.
    """
    result: Config = _convert(cls, dict(values), "", source)
    return result


def value_from_plain(annotation: Any, value: Any, name: str, source: str) -> Any:
    """Convert one plain value to an annotated type: ``[[0, 120, 160]]`` to ``list[tuple[float, int, int]]``.

    Raises:
        ConfigError: if the value does not fit the type.
    """
    return _convert(annotation, value, name, source)


def to_plain(config: Any) -> Any:
    """Give an option dataclass as dicts, lists and scalars, ready for YAML or JSON."""
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        return {field.name: to_plain(getattr(config, field.name)) for field in dataclasses.fields(config)}
    if isinstance(config, Mapping):
        return {key: to_plain(value) for key, value in config.items()}
    if isinstance(config, tuple | list):
        return [to_plain(value) for value in config]
    return config


def config_to_yaml(config: Any, flow: bool = False) -> str:
    """Write an option dataclass as YAML text that :func:`read_config` reads back to the same value.

    Args:
        config: the dataclass, or any plain value.
        flow: write it in one line with braces.
    """
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes lists in one line: ``size: [240, 320]``."""

    Dumper.add_representer(list, lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data, True))
    width = float("inf") if flow else 100
    plain = to_plain(config)
    text: str = yaml.dump(
        plain, Dumper=Dumper, default_flow_style=flow, sort_keys=False, allow_unicode=True, width=width
    )
    return text


def _read_yaml(path: Path) -> dict[str, Any]:
    import yaml

    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_strict_loader())
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; give --config a YAML file.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as text ({error}); give --config a YAML file.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise ConfigError(f"{path}: {where}{problem}; expected lines of the form `key: value`.") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: holds a {type(values).__name__}; expected lines of the form `key: value`.")
    return values


def _strict_loader() -> Any:
    """PyYAML's safe loader, which refuses a key that stands twice instead of keeping the last one in silence."""
    import yaml

    class StrictLoader(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen: set[str] = set()
            for key, _ in node.value:
                if not isinstance(key.value, str):
                    raise yaml.MarkedYAMLError(problem="a key is no name", problem_mark=key.start_mark)
                if key.value in seen:
                    raise yaml.MarkedYAMLError(problem=f"key {key.value!r} stands twice", problem_mark=key.start_mark)
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    return StrictLoader


def _convert(annotation: Any, value: Any, name: str, source: str) -> Any:
    origin = get_origin(annotation)
    if annotation is Any:
        return value
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        return _convert_dataclass(annotation, value, name, source)
    if origin in (Union, types.UnionType):
        inner = next(arg for arg in get_args(annotation) if arg is not type(None))
        empty = value is None or (isinstance(value, str) and value.lower() == "none")
        return None if empty else _convert(inner, value, name, source)
    if origin in (tuple, list):
        return _convert_sequence(annotation, value, name, source)
    if origin is dict and isinstance(value, Mapping):
        inner = get_args(annotation)[1]
        return {str(key): _convert(inner, item, f"{name}.{key}", source) for key, item in value.items()}
    return _convert_scalar(annotation, value, name, source)


def _convert_dataclass(cls: type, value: Any, name: str, source: str) -> Any:
    if not isinstance(value, Mapping):
        raise _wrong(cls, value, name, source)
    hints = get_type_hints(cls)
    prefix = f"{name}." if name else ""
    for key in value:
        if key not in hints:
            raise ConfigError(f"{source}: unknown key {prefix + str(key)!r}; {_nearest(str(key), cls, prefix)}")
    return cls(**{key: _convert(hints[key], item, prefix + key, source) for key, item in value.items()})


def _convert_sequence(annotation: Any, value: Any, name: str, source: str) -> Any:
    origin, inner = get_origin(annotation), get_args(annotation)
    variable = origin is list or (len(inner) == 2 and inner[1] is Ellipsis)
    if variable and isinstance(value, str):
        value = [word.strip() for word in value.split(",") if word.strip()]
    if not isinstance(value, list | tuple) or not (variable or len(value) == len(inner)):
        raise _wrong(annotation, value, name, source)
    kinds = [inner[0]] * len(value) if variable else inner
    return origin(_convert(kind, item, name, source) for kind, item in zip(kinds, value, strict=True))


def _convert_scalar(annotation: Any, value: Any, name: str, source: str) -> Any:
    if get_origin(annotation) is Literal:
        match = value if isinstance(value, str) else str(value)
        if match in get_args(annotation) and not isinstance(value, bool):
            return match
    elif annotation is bool or isinstance(value, bool):
        if annotation is bool and isinstance(value, bool):
            return value
    elif annotation is float and isinstance(value, int | float | str):
        try:
            return float(value)  # YAML 1.1 reads 1e-3 as a string
        except ValueError:
            pass
    elif annotation in (int, str) and isinstance(value, annotation):
        return value
    raise _wrong(annotation, value, name, source)


def _wrong(annotation: Any, value: Any, name: str, source: str) -> ConfigError:
    return ConfigError(f"{source}: {name} is {value!r}; expected {describe_type(annotation)}.")


def describe_type(annotation: Any) -> str:
    """Say a type in words for an error: `a number`, `one of: adamw, adam`, `2 values (a number, a number)`."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return f"one of: {', '.join(map(str, inner))}"
    if origin is dict:
        return f"a mapping of names, each to {describe_type(inner[1])}"
    if origin is list or (origin is tuple and inner[-1] is Ellipsis):
        return f"a list, each item {describe_type(inner[0])}"
    if origin is tuple:
        return f"{len(inner)} values ({', '.join(describe_type(kind) for kind in inner)})"
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", Any: "any value"}
    return words.get(annotation, "a block of `key: value` lines")


def _dotted_names(cls: type, prefix: str = "") -> Iterator[str]:
    for name, hint in get_type_hints(cls).items():
        yield prefix + name
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            yield from _dotted_names(hint, f"{prefix}{name}.")


def _nearest(key: str, cls: type, prefix: str) -> str:
    leaves = list(get_type_hints(cls))
    close = difflib.get_close_matches(key.replace("-", "_"), leaves, n=1, cutoff=0.6)
    deeper = [name for name in _dotted_names(cls, prefix) if name.rsplit(".", 1)[-1] == key]
    best = deeper or [prefix + name for name in close]
    return f"did you mean {best[0]!r}?" if best else f"known: {', '.join(leaves)}."
