"""From one photo to depth in metres, and from many files to many results.

:func:`load_model` gives a :class:`DepthModel`; its :meth:`~DepthModel.predict` takes a photo of any size and
gives a :class:`Prediction` of that size. :func:`predict_files` does the same for files, folders and globs.
An ONNX model runs in ONNX Runtime and never imports PyTorch.
"""

from depthnet.predictor.files import FileResult, expand_inputs, plan_outputs, predict_files, predict_many
from depthnet.predictor.model import DepthModel, load_model
from depthnet.predictor.prediction import DEFAULT_FORMATS, OUTPUT_NAMES, Prediction
from depthnet.predictor.resize import network_input, network_size, resize_depth

__all__ = [
    "DEFAULT_FORMATS",
    "OUTPUT_NAMES",
    "DepthModel",
    "FileResult",
    "Prediction",
    "expand_inputs",
    "load_model",
    "network_input",
    "network_size",
    "plan_outputs",
    "predict_files",
    "predict_many",
    "resize_depth",
]
