"""Training of depth networks on PyTorch Lightning; see :func:`depthnet.training.run.train`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from depthnet.training.run import TrainResult, train

__all__ = ["TrainResult", "train"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from depthnet.training import run
    except ImportError as error:
        from depthnet.errors import MissingTierError

        if (error.name or "depthnet").startswith("depthnet"):
            raise
        raise MissingTierError(f'training needs {error.name}: pip install "depthnet[train]"') from error
    return getattr(run, name)
