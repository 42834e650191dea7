"""Loops compiled on first use, and what is said without the compiler."""

from __future__ import annotations

import sys

import pytest

from depthnet.compile import compiled
from depthnet.errors import MissingTierError
from depthnet.odometry import kernels


def test_without_numba_the_user_and_the_tier_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(MissingTierError, match=r'^odometry needs numba; run: pip install "depthnet\[data\]"'):
        compiled.__wrapped__(kernels.halve_image)
