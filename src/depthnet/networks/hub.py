"""Reading transformers checkpoints, by name from the hub or from a local folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from depthnet.errors import DepthNetError, InputError, MissingTierError, one_line

_log = logging.getLogger(__name__)


def import_transformers(purpose: str) -> Any:
    """The package ``transformers``.

    Raises:
        MissingTierError: if it is not installed; ``purpose`` says what needs it.
    """
    try:
        import transformers
    except ImportError as error:
        raise MissingTierError(f'{purpose} needs transformers: pip install "depthnet[hf]"') from error
    return transformers


@contextmanager
def reading_checkpoint(name: str) -> Iterator[Any]:
    """Gives ``transformers``, silent, for reading the checkpoint ``name``; what goes wrong becomes one line.

    A name that is no folder is looked up on the hub, which downloads it the first time; the log says so.

    Raises:
        InputError: if the checkpoint cannot be read.
        MissingTierError: without transformers.
    """
    transformers = import_transformers(name)
    if not Path(name).is_dir():
        _log.warning("%s: no local folder; read from the Hugging Face hub, downloaded unless it was before", name)
    verbosity, progress = transformers.logging.get_verbosity(), transformers.logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        yield transformers
    except DepthNetError:
        raise
    except Exception as error:  # transformers lets through what its many parts raise
        raise InputError(
            f"{name}: transformers cannot read it ({one_line(error)}); pass its name, or its folder without internet."
        ) from error
    finally:
        transformers.logging.set_verbosity(verbosity)
        if progress:
            transformers.logging.enable_progress_bar()


def image_processor_settings(transformers: Any, name: str) -> dict[str, Any]:
    """What ``preprocessor_config.json`` of a checkpoint says; empty where there is none."""
    try:
        settings: dict[str, Any] = transformers.ImageProcessingMixin.get_image_processor_dict(name)[0]
    except OSError:
        return {}
    return settings
