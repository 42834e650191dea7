"""What the geometry modules ask of an array, NumPy's or torch's: its shape and a floating type."""

from __future__ import annotations

from typing import Any, TypeVar

from array_api_compat import array_namespace

from depthnet.errors import ShapeError

ArrayT = TypeVar("ArrayT", bound=Any)


def as_float(array: ArrayT) -> ArrayT:
    """The array itself when it is floating, else as float32."""
    xp = array_namespace(array)
    floats: ArrayT = array if xp.isdtype(array.dtype, "real floating") else xp.astype(array, xp.float32)
    return floats


def check_vector(name: str, vector: Any, length: int) -> None:
    """Refuse what is not (..., length).

    Raises:
        ShapeError: if the last axis has another length.
    """
    if vector.ndim < 1 or vector.shape[-1] != length:
        raise ShapeError(f"{name} has shape {tuple(vector.shape)}; expected (..., {length}).")


def check_matrix(name: str, matrix: Any, side: int) -> None:
    """Refuse what is not (..., side, side).

    Raises:
        ShapeError: if the last two axes have other lengths.
    """
    if matrix.ndim < 2 or tuple(matrix.shape[-2:]) != (side, side):
        raise ShapeError(f"{name} has shape {tuple(matrix.shape)}; expected (..., {side}, {side}).")
