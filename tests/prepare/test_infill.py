"""In-filling by colorization: the published system's solution, on every pattern of holes, and clear errors."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

pytest.importorskip("numba")
pytest.importorskip("scipy")

from depthnet.compile import compiled
from depthnet.errors import InputError, MissingTierError, ShapeError
from depthnet.prepare.infill import infill_colorization, infill_colorization_reference
from depthnet.prepare.infill.elimination import Block
from depthnet.prepare.infill.order import dissect
from depthnet.prepare.infill.stencil import build_weights

SIZE = (30, 41)
Frame = tuple[NDArray[np.uint8], NDArray[np.float64]]


def flat(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    return np.full((*size, 3), rng.integers(256), np.uint8)


def noise(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    return rng.integers(0, 256, (*size, 3), dtype=np.uint8)


def blocks(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Black and white, edges everywhere."""
    return np.kron(rng.integers(0, 2, (9, 9, 1)) * 255, np.ones((8, 8, 3)))[: size[0], : size[1]].astype(np.uint8)


def nearly_flat(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """One step of blue is 4.5e-4 of grey: its square is below the floor of the variance."""
    image = np.full((*size, 3), 128)
    image[..., 2] += rng.integers(0, 2, size)
    return image.astype(np.uint8)


def lone_pixels(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """White pixels on black: the weakest weights that a window can have."""
    return np.where(rng.random((*size, 1)) < 0.04, 255, np.zeros(3)).astype(np.uint8)


PICTURES: list[Callable[..., NDArray[np.uint8]]] = [flat, noise, blocks, nearly_flat, lone_pixels]
PATTERNS: dict[str, Callable[[NDArray[np.bool_], np.random.Generator], None]] = {
    "everything known": lambda known, rng: None,
    "large hole": lambda known, rng: known[4:-4, 5:-6].fill(False),
    "hole at the border": lambda known, rng: known[:17, 20:].fill(False),
    "whole rows": lambda known, rng: known[7:19].fill(False),
    "only one row": lambda known, rng: (known.fill(False), known[11].fill(True)),
    "one known pixel": lambda known, rng: (known.fill(False), known[3:4, 36:37].fill(True)),
    "two corners": lambda known, rng: (known.fill(False), np.fill_diagonal(known[::29, ::40], True)),
    "scattered": lambda known, rng: np.logical_and(known, rng.random(known.shape) < 0.5, out=known),
    "chess": lambda known, rng: np.not_equal(*(np.indices(known.shape) % 2), out=known),
}


def measured(known: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float64]:
    return np.where(known, rng.uniform(0.4, 10.0, known.shape), 0.0)


def difference(frame: Frame, alpha: float = 1.0) -> float:
    """Largest relative difference to the direct solve."""
    filled = infill_colorization(*frame, alpha)
    assert filled.dtype == np.float64
    assert filled.shape == frame[1].shape
    return float(np.abs(filled / infill_colorization_reference(*frame, alpha) - 1).max())


# --- the published system --------------------------------------------------------------------------------


def test_the_weights_worked_by_hand() -> None:
    image = np.zeros((1, 2, 3), np.uint8)
    image[0, 1] = 255  # one neighbour has all the weight: x0 (1 + 1) - x1 = d0 and x1 - x0 = 0
    for fill in (infill_colorization, infill_colorization_reference):
        np.testing.assert_allclose(fill(image, np.array([[3.0, 0.0]])), [[3.0, 3.0]], rtol=1e-6)
        np.testing.assert_allclose(fill(image, np.array([[3.0, 6.0]])), [[4.0, 5.0]], rtol=1e-5)
    # Grey 0, 1, .298936 in a row. Left: its neighbour alone. Middle: v = .1774267, m = .491491 -> s = .106723 > .6 v.
    image = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0]]], np.uint8)
    weights = np.empty((8, 1, 3), np.float32)
    compiled(build_weights)(image, weights)
    grey = np.array([0.0, 1.0, 0.298936])
    s = max(0.6 * grey.var(), (1 - 0.298936) ** 2 / -np.log(0.01))
    towards = np.exp(-np.array([1.0, (1 - 0.298936) ** 2]) / s)
    np.testing.assert_allclose(weights[[3, 4], 0, 1], towards / towards.sum(), rtol=1e-5)
    assert weights[4, 0, 0] == weights[3, 0, 2] == 1
    assert weights.sum() == pytest.approx(3)


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.__name__)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_result_is_that_of_the_direct_solve(picture: Callable[..., NDArray[np.uint8]], pattern: str) -> None:
    rng = np.random.default_rng(3)
    known = np.ones(SIZE, bool)
    PATTERNS[pattern](known, rng)
    assert known.any()
    assert difference((picture(SIZE, rng), measured(known, rng))) < 1e-4


@pytest.mark.parametrize("alpha", [1e-4, 0.0149, 0.0151, 0.1, 0.8, 30.0])
def test_any_pull_of_the_known_pixels(alpha: float) -> None:
    rng = np.random.default_rng(5)
    frame = noise(SIZE, rng), measured(rng.random(SIZE) < 0.8, rng)
    assert difference(frame, alpha) < 1e-4


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(1, 24), width=st.integers(2, 24), share=st.floats(0, 1), picture=st.sampled_from(PICTURES),
    seed=st.integers(0, 2**32 - 1), nearest=st.floats(1e-4, 5.0),
)  # fmt: skip
def test_any_shape_and_pattern(
    height: int, width: int, share: float, picture: Callable[..., NDArray[np.uint8]], seed: int, nearest: float
) -> None:
    rng = np.random.default_rng(seed)
    size = height, width
    depth = np.where(rng.random(size) < share, rng.uniform(nearest, 10.0, size), 0.0)
    depth[rng.integers(height), rng.integers(width)] = nearest
    assert difference((picture(size, rng), depth)) < 1e-4


def test_real_sensor_frame(shared_data: Path) -> None:
    folder = shared_data / "tum_fr1_rpy"
    image = np.asarray(Image.open(sorted((folder / "rgb").iterdir())[0]).convert("RGB"))
    depth = np.asarray(Image.open(sorted((folder / "depth").iterdir())[0])) / 5000.0
    image, depth = image[20:140, 100:260], depth[20:140, 100:260]
    assert 0.05 < np.mean(depth == 0) < 0.95
    assert difference((image, depth)) < 2e-5


def test_known_pixels_are_smoothed_and_stay_in_range() -> None:
    rng = np.random.default_rng(7)
    image, depth = blocks(SIZE, rng), measured(rng.random(SIZE) < 0.7, rng)
    filled = infill_colorization(image, depth)
    known = depth > 0
    assert filled.min() >= depth[known].min()
    assert filled.max() <= depth.max()
    assert np.abs(filled - depth)[known].max() > 0.1
    firm = infill_colorization(image, depth, alpha=1e7)
    np.testing.assert_allclose(firm[known], depth[known], rtol=1e-5)


def test_a_constant_stays_constant_behind_the_weakest_weights() -> None:
    # Rings of ever larger steps of grey around the middle: a walk from there gets out once in 1e20 steps or more.
    y, x = np.abs(np.mgrid[-16:17, -16:17])
    ring = np.maximum(y, x)
    grey = np.select([ring < 3, ring < 4, ring < 5, ring < 6, ring < 7], [0, 2, 8, 26, 80], 255)
    image = np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)
    depth = np.where(ring > 10, 2.5, 0.0)
    np.testing.assert_allclose(infill_colorization(image, depth), 2.5, rtol=1e-9)
    depth[0] = 4.0  # inside, whatever it is, lies between, and the trapped middle is one value
    filled = infill_colorization(image, depth)
    assert np.ptp(filled[14:19, 14:19]) < 1e-6
    assert 2.5 < filled[16, 16] < 4.0


def test_units_do_not_matter_and_inputs_stay_as_they_were() -> None:
    rng = np.random.default_rng(9)
    image, depth = noise(SIZE, rng), measured(rng.random(SIZE) < 0.6, rng)
    before = image.copy(), depth.copy()
    image.flags.writeable = depth.flags.writeable = False
    filled = infill_colorization(image, depth)
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(depth, before[1])
    np.testing.assert_allclose(infill_colorization(image, depth * 1e6) / 1e6, filled, rtol=1e-12)
    np.testing.assert_allclose(infill_colorization(image, depth.astype(np.float32)), filled, rtol=1e-5)
    turned = infill_colorization(image[:, ::-1], depth[:, ::-1])[:, ::-1]  # views, not in C order
    np.testing.assert_allclose(turned, filled, rtol=1e-4)


# --- the direct solver -----------------------------------------------------------------------------------


def test_dissection_keeps_every_pixel_once_and_cuts() -> None:
    rows, columns = (part.astype(np.int32) for part in np.nonzero(np.random.default_rng(1).random((60, 70)) < 0.7))
    pixels = set(zip(rows.tolist(), columns.tolist()))
    starts = compiled(dissect)(rows, columns, 12)
    assert set(zip(rows.tolist(), columns.tolist())) == pixels
    assert starts[0] == 0
    assert starts[-1] == rows.size
    assert (np.diff(starts) > 0).all()
    last = slice(starts[-2], starts[-1])  # the first cut: pixels of one line near the middle
    assert np.unique(columns[last]).size == 1
    assert 15 < columns[last][0] < 55


def test_the_direct_solve_satisfies_every_row() -> None:
    rng = np.random.default_rng(11)
    depth = measured(rng.random(SIZE) < 0.3, rng)
    weights = np.empty((8, *SIZE), np.float32)
    compiled(build_weights)(noise(SIZE, rng), weights)
    values = np.pad(depth, 1)
    Block.factorise(depth == 0, weights, depth, 1.0).solve(values, everywhere=True)
    shifts = [(y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    around = np.stack([values[y : y + SIZE[0], x : x + SIZE[1]] for y, x in shifts])
    mean = (weights * around).sum(0) / weights.sum(0)
    np.testing.assert_allclose(values[1:-1, 1:-1][depth == 0], mean[depth == 0], rtol=1e-6)
    np.testing.assert_array_equal(values[1:-1, 1:-1][depth > 0], depth[depth > 0])


# --- bad input and missing parts -------------------------------------------------------------------------

IMAGE, DEPTH = np.zeros((4, 5, 3), np.uint8), np.ones((4, 5))
BAD: list[tuple[Any, Any, float, type[Exception], str]] = [
    (IMAGE[:3], DEPTH, 1.0, ShapeError, r"image \(3, 5, 3\) and depth \(4, 5\)"),
    (IMAGE[..., 0], DEPTH, 1.0, ShapeError, r"image \(4, 5\)"),
    (IMAGE, DEPTH[None], 1.0, ShapeError, r"depth \(1, 4, 5\)"),
    (IMAGE[:1, :1], DEPTH[:1, :1], 1.0, ShapeError, "at least 2 pixels"),
    (IMAGE[:0], DEPTH[:0], 1.0, ShapeError, "at least 2 pixels"),
    (IMAGE / 255.0, DEPTH, 1.0, InputError, "image of float64.*uint8"),
    (IMAGE, (DEPTH * 1000).astype(np.uint16), 1.0, InputError, "depth of uint16.*metres"),
    (IMAGE, np.where(np.eye(4, 5) > 0, np.nan, DEPTH), 1.0, InputError, "depth holds nan"),
    (IMAGE, np.where(np.eye(4, 5) > 0, np.inf, DEPTH), 1.0, InputError, "depth holds inf"),
    (IMAGE, np.where(np.eye(4, 5) > 0, -0.5, DEPTH), 1.0, InputError, "depth holds -0.5"),
    (IMAGE, DEPTH * 0, 1.0, InputError, "0 everywhere"),
    (IMAGE, DEPTH, 0.0, InputError, "alpha 0.0"),
    (IMAGE, DEPTH, -1.0, InputError, "alpha -1.0"),
    (IMAGE, DEPTH, float("nan"), InputError, "alpha nan"),
]


@pytest.mark.parametrize(("image", "depth", "alpha", "error", "says"), BAD)
@pytest.mark.parametrize("fill", [infill_colorization, infill_colorization_reference])
def test_bad_input_is_named(
    fill: Callable[..., Any], image: Any, depth: Any, alpha: float, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        fill(image, depth, alpha)


def double(number: float) -> float:
    return 2 * number


def double_twice(number: float) -> float:
    return double(double(number))


def test_compiling_without_a_folder_for_the_machine_code(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core import caching

    monkeypatch.setattr(caching.FunctionCache._impl_class, "_locator_classes", [])
    compiled.cache_clear()
    try:
        function = compiled(double_twice)
        assert function(1.5) == 6.0
        assert function.stats.cache_path is None
    finally:
        compiled.cache_clear()


def test_a_missing_tier_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **options: Any) -> Any:
        if name.partition(".")[0] in ("numba", "scipy"):
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    compiled.cache_clear()
    with pytest.raises(MissingTierError, match=r'numba.*pip install "depthnet\[data\]"'):
        infill_colorization(IMAGE, DEPTH)
    with pytest.raises(MissingTierError, match=r'scipy.*pip install "depthnet\[data\]"'):
        infill_colorization_reference(IMAGE, DEPTH)
