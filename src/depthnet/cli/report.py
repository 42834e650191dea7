"""What every command says in the same words: an error in one line, and a file that must not be there yet."""

from __future__ import annotations

import sys
from pathlib import Path

from depthnet.errors import DepthNetError, InputError

#: Package that may be missing -> the install tier that brings it.
TIER_OF_PACKAGE = {
    "h5py": "data",
    "scipy": "data",
    "numba": "data",
    "torch": "train",
    "lightning": "train",
    "safetensors": "train",
    "onnx": "train",
    "onnxscript": "train",
    "tensorboard": "train",
    "transformers": "hf",
    "gradio": "serve",
    "av": "video",
}


def report_failure(error: BaseException | str) -> None:
    """Print one line about an error to stderr."""
    line = error if isinstance(error, str) else describe_error(error)
    print(f"depthnet: error: {line}", file=sys.stderr)


def describe_error(error: BaseException) -> str:
    """Say an error in one line; an error that is not the user's also says what to do with it."""
    line = " ".join(str(error).splitlines()) or type(error).__name__
    if isinstance(error, DepthNetError):
        return line
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        if package in TIER_OF_PACKAGE:
            return f'this needs {package}: pip install "depthnet[{TIER_OF_PACKAGE[package]}]"'
    if isinstance(error, OSError | MemoryError):
        return f"{line} ({type(error).__name__}); --debug shows where."
    return f"unexpected {type(error).__name__}: {line}; --debug shows where. Please report it."


def refuse_existing_file(path: Path | None, option: str, overwrite: bool) -> None:
    """Stop before the work when its result could not be written after it.

    Raises:
        InputError: if the file exists and is not to be replaced, or is a folder.
    """
    if path is not None and path.is_dir():
        raise InputError(f"{path}: is a folder; pass the name of a file to {option}.")
    if path is not None and path.exists() and not overwrite:
        raise InputError(f"{path}: exists already; pass --overwrite to replace it, or another {option}.")
