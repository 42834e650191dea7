"""A server on a free loopback port, one for each module, and photos to give it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from depthnet.config import ServeConfig

MakePhoto = Callable[..., Path]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Address of a server that takes files of 1 MB and photos of a million pixels."""
    pytest.importorskip("gradio", reason="no Gradio here: pip install depthnet[serve]")
    from depthnet.server import serving

    with serving(ServeConfig(port=0, threads=1, max_upload_mb=1, max_megapixels=1.0)) as address:
        yield address


@pytest.fixture(scope="session")
def make_photo() -> MakePhoto:
    """Writes a photo in soft colours; each seed gives another one."""

    def make(path: Path, seed: int = 0, size: tuple[int, int] = (48, 64), **options: Any) -> Path:
        coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC).save(path, **options)
        return path

    return make


@pytest.fixture
def exif() -> Image.Exif:
    """EXIF data of a camera held upright (turn by 90 degrees) with a lens of 28 mm in terms of 35 mm film."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0xA405] = 28
    return exif
