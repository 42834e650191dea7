"""Fixtures shared by all tests."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

PROJECT = Path(__file__).resolve().parent.parent

# A busy machine may take its time over an example; how long it takes is for benchmarks to say.
settings.register_profile("depthnet", deadline=None)
settings.load_profile("depthnet")

# A shell makes what it runs in the background deaf to Ctrl-C, and the processes that the tests start with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def project() -> Path:
    """Root of the checkout."""
    return PROJECT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data beside the checkout; a user's machine does not have it."""
    path = PROJECT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip("real data (../shared/data) is not on this machine")
    return path


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """PyTorch on one thread: small tensors are faster so, and sums come out the same everywhere."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=["numpy", "torch"])
def arrays_of(request: pytest.FixtureRequest) -> Callable[..., list[Any]]:
    """Turns NumPy arrays into arrays of each library that the pure formulas work on."""
    if request.param == "numpy":
        return lambda *arrays: list(arrays)
    torch = pytest.importorskip("torch")
    return lambda *arrays: [torch.from_numpy(array) for array in arrays]


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of 20 pairs: brighter is farther."""
    folder = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    for kind in ("rgb", "depth"):
        (folder / kind).mkdir()
    for index in range(20):
        coarse = rng.integers(40, 250, (3, 4), dtype=np.uint8)
        grey = np.asarray(Image.fromarray(coarse).resize((64, 48), Image.Resampling.BILINEAR))
        Image.fromarray(np.repeat(grey[..., None], 3, 2)).save(folder / "rgb" / f"frame_{index:02d}.png")
        Image.fromarray(grey.astype(np.uint16) * 16 + 500).save(folder / "depth" / f"frame_{index:02d}.png")
    (folder / "intrinsics.txt").write_text("60 60 31.5 23.5 64 48\n")
    (folder / "val.txt").write_text("\n".join(f"frame_{index:02d}" for index in range(16, 20)) + "\n")
    (folder / "train.txt").write_text("\n".join(f"frame_{index:02d}" for index in range(16)) + "\n")
    return folder
