"""Depth from a single photograph, in metres.

>>> import depthnet
>>> model = depthnet.load_model()
>>> prediction = model.predict("photo.jpg")
>>> prediction.depth  # (H, W) float32, metres

Importing the package loads nothing heavy: each name below is loaded when it is first used.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# From 1.32 on, ONNX Runtime reports its use to its makers unless this is set before it is loaded. Nothing is sent from
# here without being asked for; who wants it sets 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from depthnet.errors import DepthNetError
    from depthnet.predictor import DepthModel, Prediction, load_model

__all__ = ["DepthModel", "DepthNetError", "Prediction", "__version__", "load_model"]

#: Public name -> the module that defines it.
_NAMES = {
    "DepthModel": "depthnet.predictor",
    "DepthNetError": "depthnet.errors",
    "Prediction": "depthnet.predictor",
    "load_model": "depthnet.predictor",
}
#: Packages and modules reached as `depthnet.NAME` without an import of their own.
_MODULES = {"alignment", "data", "evaluation", "geometry", "io", "losses", "metrics", "networks", "training"}


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"depthnet.{name}")
    raise AttributeError(f"module 'depthnet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES, *_MODULES})
