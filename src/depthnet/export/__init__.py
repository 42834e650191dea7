"""``depthnet export``: a trained model as an ONNX file that runs with ONNX Runtime alone, of floats or 8-bit integers.

:func:`export_onnx` writes the file and checks it against PyTorch. :func:`export_int8` also quantises it, with ranges
that it finds on the user's pictures, and says what that costs in accuracy and brings in speed and size.
"""

from depthnet.export.int8 import Int8Export, export_int8
from depthnet.export.integers import quantise
from depthnet.export.network import OnnxExport, export_onnx, ship
from depthnet.export.pictures import open_pictures

__all__ = ["Int8Export", "OnnxExport", "export_int8", "export_onnx", "open_pictures", "quantise", "ship"]
