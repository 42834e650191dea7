"""From the words of a command line to a command object, by tyro and the option dataclasses.

Precedence is defaults < YAML file < command line wherever `--config` stands: the words are parsed once to find the
file, and once more on top of what it says.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, Union, get_args, get_origin

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from depthnet.errors import ConfigError
from depthnet.options import config_to_yaml, describe_type, read_config, value_from_plain

Flag = tyro.conf.FlagCreatePairsOff[bool]
Job = TypeVar("Job")
#: The job's own options, shown and given without a prefix.
Options = Annotated[Job, tyro.conf.arg(name="")]

CONFIGS = Path(__file__).resolve().parent.parent / "configs"


@dataclass
class Face:
    """Options that mean the same for every job."""

    config: str | None = None
    """Read options from a YAML file, a run folder or a packaged configuration; the command line wins."""
    print_config: Flag = False
    """Print the options that are in force as YAML and stop."""
    debug: Flag = False
    """Show the traceback of an error."""


class Command(ABC):
    """One word of `depthnet`: a dataclass of options with the function that runs them."""

    #: The field that takes the positional words, if any.
    positional: ClassVar[str | None] = None

    @classmethod
    def choose(cls, name: str, words: Sequence[str]) -> tuple[type[Command], str, Sequence[str]]:
        """Give the class, name and words that are parsed: a command with several kinds looks for its kind's word."""
        return cls, name, words

    @abstractmethod
    def run(self) -> int:
        """Do the work; results to stdout, progress to stderr.

        Returns:
            The exit code.
        """


AnyCommand = TypeVar("AnyCommand", bound=Command)


@dataclass
class JobCommand(Command):
    """A command around one option dataclass, its field ``job``, which a YAML file may fill."""

    job: Any
    face: Face

    def resolved(self) -> Any:
        """Give the job options with what the command's own options say about them."""
        return self.job

    def config_path(self) -> Path | None:
        """Give the YAML file that the command line names, if any."""
        return find_config(self.face.config) if self.face.config else None

    def with_config(self, path: Path) -> Self:
        """Give a command of the same kind whose job options come from a YAML file."""
        return type(self)(job=read_config(path, type(self.job)), face=Face())


def run_command(cls: type[Command], name: str, words: Sequence[str]) -> int:
    """Parse the words of a command line and run the command.

    Args:
        cls: the command's dataclass.
        name: its word on the command line.
        words: the words after its name.

    Returns:
        The exit code.
    """
    cls, name, words = cls.choose(name, words)
    command: Command = parse(cls, name, words)
    if isinstance(command, JobCommand):
        if path := command.config_path():
            command = parse(type(command), name, words, default=command.with_config(path))
        if command.face.print_config:
            print(config_to_yaml(command.resolved()), end="")
            return 0
    return command.run()


def parse(cls: type[AnyCommand], name: str, words: Sequence[str], default: AnyCommand | None = None) -> AnyCommand:
    """Build a command object from words; options and positional words may stand in any order.

    Raises:
        SystemExit: after printing the help (code 0) or what is wrong with the words (code 2).
    """

    def call(**more: Any) -> Any:
        cli: Any = tyro.cli
        base = {} if default is None else {"default": default}
        return cli(cls, prog=f"depthnet {name}", args=list(words), **base, **more)

    command: AnyCommand
    with _registry():
        command, left = call(return_unknown_args=True)
        if left and (any(word.startswith("-") for word in left) or not cls.positional):
            call()  # prints what is wrong, with what was perhaps meant, and exits
    if left and cls.positional:  # positional words behind an option
        setattr(command, cls.positional, (*getattr(command, cls.positional), *left))
    return command


def join_repeated(words: Sequence[str], option: str) -> list[str]:
    """Write an option that stands several times, ``--model A --model=B``, once with commas: ``--model A,B``."""
    values, rest = [], []
    left = iter(words)
    for word in left:
        name, sign, value = word.partition("=")
        if name == option and (sign or (value := next(left, "")) != ""):
            values.append(value)
        else:
            rest.append(word)
    return [*rest, option, ",".join(values)] if len(values) > 1 else list(words)


def find_config(name: str) -> Path:
    """Find a YAML file by path, the YAML of a run folder, or a packaged configuration by name.

    Raises:
        ConfigError: if there is none; the message lists the packaged ones.
    """
    path = Path(name)
    if path.is_file():
        return path
    if name in list_configs():
        return CONFIGS / f"{name}.yaml"
    if (path / "config.yaml").is_file():
        return path / "config.yaml"
    raise ConfigError(f"{name}: no such YAML file or run folder; packaged configurations: {', '.join(list_configs())}.")


def list_configs() -> list[str]:
    """Name the packaged configurations."""
    return sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def _registry() -> ConstructorRegistry:
    """Rules of how option types are written on the command line, where tyro's own do not suit us."""
    registry = ConstructorRegistry()

    @registry.primitive_rule
    def rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
        kind, origin, inner = info.type, get_origin(info.type), get_args(info.type)
        if origin in (dict, list):
            return _one_word(kind, "YAML", _read_yaml_word)
        if origin in (Union, UnionType) and NoneType in inner and len(inner) == 2:
            real = next(arg for arg in inner if arg is not NoneType)
            if get_origin(real) is tuple:  # two numbers: tyro's own rule
                return None
            return _one_word(kind, _metavar(real), partial(_cast, real))
        if origin is tuple and inner[1:] == (Ellipsis,):
            if get_origin(inner[0]) is Literal:
                return _one_word(kind, "NAME[,NAME...]", str)
            if inner[0] is str and tyro.conf.Positional not in info.markers:
                return _names()
        return None

    return registry


def _one_word(kind: Any, metavar: str, read: Callable[[str], Any]) -> PrimitiveConstructorSpec[Any]:
    """An option of one word; ``read`` makes of the word the plain value that YAML would hold for it."""

    def show(value: Any) -> list[str]:
        if isinstance(value, tuple):
            return [",".join(value)]
        if isinstance(value, dict | list):
            return [config_to_yaml(value, flow=True).strip()]
        return ["none" if value is None else str(value)]

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=lambda words: value_from_plain(kind, read(words[0]), "value", "command line"),
        is_instance=lambda value: True,
        str_from_instance=show,
    )


def _names() -> PrimitiveConstructorSpec[tuple[str, ...]]:
    """Several words, or one with commas."""
    return PrimitiveConstructorSpec(
        nargs="*",
        metavar="NAME...",
        instance_from_str=lambda words: tuple(name for word in words for name in word.split(",") if name),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=list,
    )


def _metavar(kind: Any) -> str:
    return {int: "INT", float: "FLOAT", str: "STR"}.get(kind, "VALUE")


def _cast(kind: Any, word: str) -> Any:
    if word.lower() == "none" or kind is str:
        return word
    try:
        return kind(word)
    except ValueError as error:
        raise ConfigError(f"invalid value {word!r}: expected {describe_type(kind)}.") from error


def _read_yaml_word(word: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(word)
    except yaml.YAMLError as error:
        raise ConfigError(f"{word!r} is not YAML; write it as '{{name: value}}' or '[[value, value]]'.") from error
