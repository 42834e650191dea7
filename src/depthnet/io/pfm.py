"""Portable float maps (PFM), as stereo benchmarks store disparity.

Header ``Pf`` (grey) or ``PF`` (colour), then ``width height``, then a scale whose sign tells the byte order (negative:
little-endian) and whose size is a factor nobody uses; then rows of float32 from the *bottom* up.

Source: P. Debevec, HDRI: The PFM format; format notes of the Middlebury 2014 data.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import InputError

_HEADER = re.compile(rb"(P[fF])\s+(\d{1,9})\s+(\d{1,9})\s+([-+.\deE]{1,32})[\r \t]?\n?")


def read_pfm(path: str | Path) -> NDArray[np.float32]:
    """Read a grey PFM.

    Args:
        path: the file.

    Returns:
        Its values, (H, W), top row first; infinity and NaN are passed on.

    Raises:
        InputError: if the file cannot be read, is no grey PFM, or has more or fewer bytes than its header says.
    """
    path = Path(path)
    try:
        blob = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); check the path.") from error
    match = _HEADER.match(blob)
    if match is None or match[1] != b"Pf":
        raise InputError(f"{path}: begins with {blob[:12]!r}; expected a grey float map (Pf, width, height, scale).")
    width, height = int(match[2]), int(match[3])
    try:
        scale = float(match[4])
    except ValueError:
        scale = 0.0
    if not (scale != 0 and np.isfinite(scale) and width and height):
        raise InputError(
            f"{path}: header '{match[0]!r}'; expected width, height and a scale that is not 0: restore it."
        )
    body = blob[match.end() :]
    if len(body) != 4 * width * height:
        raise InputError(
            f"{path}: {len(body)} bytes after the header; {width}x{height} floats are {4 * width * height}: the file "
            "is truncated or damaged: copy it again."
        )
    values = np.frombuffer(body, dtype="<f4" if scale < 0 else ">f4").reshape(height, width)
    return np.ascontiguousarray(values[::-1], dtype=np.float32)
