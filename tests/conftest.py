"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

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
