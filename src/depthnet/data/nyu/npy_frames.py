"""Frames of a large ``.npy`` array, read one at a time from a folder or straight from a `.zip`."""

from __future__ import annotations

import math
import os
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from depthnet.data.nyu.file_tree import FileTree
from depthnet.errors import InputError


class NpyFrames:
    """An array (N, ...) on disk; ``read(i)`` gives its i-th part.

    It can be pickled and forked: each process opens the file for itself.
    """

    def __init__(self, files: FileTree, name: str) -> None:
        """Read the head of the array.

        Raises:
            InputError: if it is no ``.npy`` of plain numbers in C order, or shorter than its shape.
        """
        self._files, self._name = files, name
        self.where = files.where(name)
        with files.open(name) as file:
            try:
                self.shape, self.dtype = _read_head(file)
                self._start = file.tell()
            except Exception as error:  # NumPy parses the head as Python text: any kind of error
                raise files.damaged(name, error) from error
        size, expected = files.size(name), self._start + math.prod(self.shape) * self.dtype.itemsize
        if size != expected or not self.shape or 0 in self.shape:
            raise InputError(
                f"{self.where}: {size} bytes; an array {self.shape} of {self.dtype} has {expected}: fetch it again."
            )
        self._file: IO[bytes] | None = None
        self._owner = 0

    def read(self, index: int) -> NDArray[Any]:
        """Part ``index`` (0 ≤ index < N), read-only.

        Raises:
            InputError: if it cannot be read.
        """
        count = math.prod(self.shape[1:]) * self.dtype.itemsize
        if self._file is None or self._owner != os.getpid():
            self._file, self._owner = self._files.open(self._name), os.getpid()
        try:
            self._file.seek(self._start + index * count)
            content = self._file.read(count)
        except Exception as error:  # zlib, zipfile and the disk have kinds of their own
            self._file = None
            raise self._files.damaged(self._name, error) from error
        if len(content) < count:
            raise InputError(f"{self.where}: ends within frame {index}; fetch it again.")
        return np.frombuffer(content, self.dtype).reshape(self.shape[1:])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_owner": 0}


def _read_head(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if fortran or dtype.kind not in "fiu":
        raise ValueError(f"array {shape} of {dtype}{' in Fortran order' * fortran}; expected numbers in C order")
    return shape, dtype
