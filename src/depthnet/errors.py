"""Errors that depthnet raises on bad input: one line that says the value, the rule and the next step."""


class DepthNetError(Exception):
    """Base class: a user's error, shown as one line and exit code 1 by the command line."""


class ShapeError(DepthNetError, ValueError):
    """An array has another shape than the function takes."""


class InputError(DepthNetError, ValueError):
    """A file, folder or value that a user gave cannot be used."""


class ConfigError(DepthNetError, ValueError):
    """An option or a YAML key is unknown or out of range."""


class MissingTierError(DepthNetError, ImportError):
    """A function needs packages of an install tier that is not there."""


def one_line(error: BaseException, limit: int = 120) -> str:
    """The text of another library's error in one line of at most ``limit`` characters; may be empty."""
    return " ".join(str(error).split())[:limit]
