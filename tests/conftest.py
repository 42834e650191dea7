"""Fixtures shared by all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parent.parent


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
