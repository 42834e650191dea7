"""Depth maps: what is written is read, and the colour picture shows near warm, far cold and legible metres."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from depthnet.errors import InputError, ShapeError
from depthnet.io.depth import (
    colourise_depth,
    read_depth,
    read_depth_png,
    write_depth_colour,
    write_depth_npy,
    write_depth_png,
)
from depthnet.io.pointcloud import write_points_glb, write_points_ply

RNG = np.random.default_rng(0)


def test_png_round_trip_is_exact_to_half_a_millimetre(tmp_path: Path) -> None:
    depth = RNG.uniform(0.3, 10, (31, 17)).astype(np.float32)
    write_depth_png(tmp_path / "d.png", depth)
    back = read_depth_png(tmp_path / "d.png")
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, depth, atol=0.000501)
    with Image.open(tmp_path / "d.png") as picture:
        assert picture.mode.startswith("I")
        np.testing.assert_array_equal(np.asarray(picture), np.rint(depth * 1000))


def test_png_of_odd_values(tmp_path: Path) -> None:
    depth = np.array([[0.0, np.nan, np.inf, -1.0, 0.0001, 65.535, 70.0, 1e9]], np.float32)
    write_depth_png(tmp_path / "d.png", depth)
    np.testing.assert_array_equal(
        np.rint(read_depth_png(tmp_path / "d.png") * 1000), [[0, 0, 0, 0, 1, 65535, 65535, 65535]]
    )


def test_scale_of_other_formats(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 5000, 12345]], np.uint16)).save(tmp_path / "tum.png")
    np.testing.assert_allclose(read_depth_png(tmp_path / "tum.png", scale=5000), [[0, 1.0, 2.469]], rtol=1e-6)


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "RGBA", "1"])
def test_eight_bit_is_refused_with_the_next_step(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (4, 4)).save(tmp_path / "0007.png")
    expected = (
        r"0007\.png: 8-bit image; expected 16-bit depth in millimetres\. "
        r"It looks like a colour map: pass the \.npz or the 16-bit PNG\."
    )
    with pytest.raises(InputError, match=expected):
        read_depth_png(tmp_path / "0007.png")


def test_npy_and_npz_round_trip(tmp_path: Path) -> None:
    depth = RNG.uniform(0, 10, (5, 4)).astype(np.float32)
    write_depth_npy(tmp_path / "d.npy", depth)
    np.testing.assert_array_equal(read_depth(tmp_path / "d.npy"), depth)
    np.savez_compressed(tmp_path / "one.npz", arr=depth[None, ..., None])
    np.testing.assert_array_equal(read_depth(tmp_path / "one.npz"), depth)
    np.savez(tmp_path / "two.npz", depth=depth.astype(np.float64), other=np.ones(3))
    assert read_depth(tmp_path / "two.npz").dtype == np.float32
    write_depth_png(tmp_path / "d.png", depth)
    np.testing.assert_allclose(read_depth(tmp_path / "d.png"), depth, atol=0.00101)


def test_a_one_pixel_wide_map_keeps_its_shape(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.ones((5, 1), np.float32))
    assert read_depth(tmp_path / "d.npy").shape == (5, 1)


def test_bad_numpy_files(tmp_path: Path) -> None:
    np.save(tmp_path / "flat.npy", np.ones(5))
    np.save(tmp_path / "words.npy", np.array([["a", "b"]]))
    np.save(tmp_path / "objects.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "many.npz", a=np.ones((2, 2)), b=np.ones((2, 2)))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "flat.npy").read_bytes()[:-9])
    (tmp_path / "junk.npz").write_bytes(b"PK\x03\x04 junk")
    for name in ("flat.npy", "words.npy", "objects.npy", "many.npz", "cut.npy", "junk.npz", "missing.npy"):
        with pytest.raises(InputError, match=name):
            read_depth(tmp_path / name)


def test_a_file_that_is_no_numpy_file_is_not_called_one_of_pickled_objects(tmp_path: Path) -> None:
    (tmp_path / "junk.npy").write_bytes(b"junk")
    with pytest.raises(InputError, match=r"junk\.npy: not a whole NumPy file of numbers; write it again\."):
        read_depth(tmp_path / "junk.npy")


def test_a_disk_that_takes_a_part_leaves_no_file_and_says_why(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: the first bytes are taken, then the rest is refused."""
    resource = pytest.importorskip("resource")
    depth = np.random.default_rng(0).uniform(0.5, 9.5, (100, 100)).astype(np.float32)
    points, colours = np.ones((10_000, 3), np.float32), np.zeros((10_000, 3), np.uint8)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    messages = {}
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        for name, write in {
            "d.png": lambda path: write_depth_png(path, depth),
            "c.png": lambda path: write_depth_colour(path, depth),
            "d.npy": lambda path: write_depth_npy(path, depth),
            "p.ply": lambda path: write_points_ply(path, points, colours),
            "p.glb": lambda path: write_points_glb(path, points, colours),
        }.items():
            try:
                write(tmp_path / name)
            except InputError as error:
                messages[name] = str(error)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sorted(messages) == ["c.png", "d.npy", "d.png", "p.glb", "p.ply"]
    for name, message in messages.items():
        assert f"{name}: cannot be written (File too large); free space" in message
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten_unasked_and_no_part_is_left(tmp_path: Path) -> None:
    depth = np.ones((2, 2), np.float32)
    for write, name in ((write_depth_png, "a.png"), (write_depth_npy, "a.npy"), (write_depth_colour, "c.png")):
        write(tmp_path / name, depth)
        before = (tmp_path / name).read_bytes()
        with pytest.raises(InputError, match="exists already"):
            write(tmp_path / name, depth * 2, overwrite=False)
        assert (tmp_path / name).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy", "a.png", "c.png"]
    with pytest.raises(InputError, match="cannot be written"):
        write_depth_png(tmp_path, depth)


def test_colours_near_is_warm_far_is_cold_unknown_is_black() -> None:
    depth = np.linspace(1, 5, 200, dtype=np.float32).reshape(10, 20)
    depth[0, 0] = 0.0
    depth[0, 1] = np.nan
    colours = colourise_depth(depth).astype(int)
    assert colours.shape == (10, 20, 3)
    assert colours[0, 0].tolist() == colours[0, 1].tolist() == [0, 0, 0]
    assert colours[0, 5, 0] > colours[0, 5, 2] + 80, "near is red"
    assert colours[9, 15, 2] > colours[9, 15, 0] + 80, "far is blue"
    assert colours[9, 19].max() > 100, "the far end is not mistaken for unknown"


def test_colours_follow_the_given_range_and_valid() -> None:
    depth = np.array([[1.0, 2.0, 3.0, 4.0]], np.float32)
    wide = colourise_depth(depth, 0.0, 10.0)
    np.testing.assert_array_equal(colourise_depth(depth * 2, 0.0, 20.0), wide)
    masked = colourise_depth(depth, 0.0, 10.0, valid=np.array([[True, False, True, True]]))
    assert masked[0, 1].tolist() == [0, 0, 0]
    np.testing.assert_array_equal(masked[0, 2:], wide[0, 2:])
    with pytest.raises(ShapeError):
        colourise_depth(depth, valid=np.ones((2, 2), bool))


def test_a_few_wild_pixels_do_not_take_the_range() -> None:
    depth = np.linspace(1, 2, 10_000, dtype=np.float32).reshape(100, 100)
    wild = depth.copy()
    wild[0, :20] = 1000.0
    difference = np.abs(colourise_depth(wild)[1:].astype(int) - colourise_depth(depth)[1:])
    assert difference.max() < 12


@pytest.mark.parametrize("shape", [(480, 640), (64, 48), (1, 1), (1, 3000), (3000, 1)])
def test_the_picture_holds_the_map_and_a_scale_beside_it(tmp_path: Path, shape: tuple[int, int]) -> None:
    depth = RNG.uniform(1, 4, shape).astype(np.float32)
    write_depth_colour(tmp_path / "c.png", depth)
    with Image.open(tmp_path / "c.png") as picture:
        pixels = np.asarray(picture)
        assert picture.mode == "RGB"
        text = picture.text  # type: ignore[attr-defined]
    height, width = shape
    np.testing.assert_array_equal(pixels[:height, :width], colourise_depth(depth))
    assert pixels.shape[0] == max(height, 160)
    bar = pixels[:, width:]
    dark = (bar.max(axis=2) < 90).sum()
    assert dark > 60, "ticks and figures are drawn"
    assert float(text["min_depth"].removesuffix(" m")) <= float(text["max_depth"].removesuffix(" m"))


@pytest.mark.parametrize("value", [0.0, np.nan, 2.5, 1e-4, 9000.0])
def test_flat_and_unknown_maps_are_pictures_too(tmp_path: Path, value: float) -> None:
    write_depth_colour(tmp_path / "c.png", np.full((20, 30), value, np.float32))
    assert (tmp_path / "c.png").stat().st_size > 100


def test_ticks_are_round_within_the_range_and_enough() -> None:
    from depthnet.io.depth import nice_ticks

    assert nice_ticks(0.8, 1.85, 8) == (pytest.approx([0.8, 1.0, 1.2, 1.4, 1.6, 1.8]), 1)
    for low, high in ((0.5, 9.9), (0.01, 0.02), (2.31, 2.33), (100.0, 65000.0), (1.0, 1.001)):
        for most in (5, 8, 15):
            ticks, digits = nice_ticks(low, high, most)
            assert 2 <= len(ticks) <= most + 1
            assert low - 1e-6 <= ticks[0] < ticks[-1] <= high + 1e-6 * high
            assert len({f"{tick:.{digits}f}" for tick in ticks}) == len(ticks), "no two labels are the same"


def test_wrong_shape() -> None:
    for call in (colourise_depth, lambda depth: write_depth_png("never.png", depth)):
        with pytest.raises(ShapeError, match=r"\(H, W\)"):
            call(np.ones((1, 4, 4), np.float32))


def test_real_tum_depth(shared_data: Path) -> None:
    path = min((shared_data / "tum_fr1_rpy" / "depth").glob("*.png"))
    depth = read_depth_png(path, scale=5000)
    assert depth.shape == (240, 320)
    assert 0.4 < np.median(depth[depth > 0]) < 4


def test_a_map_out_of_an_archive_is_read_from_its_bytes(tmp_path: Path) -> None:
    depth = np.array([[0.0, 1.25], [2.5, 65.535]], np.float32)
    write_depth_png(tmp_path / "a.png", depth)
    content = (tmp_path / "a.png").read_bytes()
    np.testing.assert_array_equal(read_depth_png("set.zip/a.png", content=content), depth)
    with pytest.raises(InputError, match=r"^set\.zip/a\.png: damaged"):
        read_depth_png("set.zip/a.png", content=content[:50])
    with pytest.raises(InputError, match=r"^set\.zip/a\.png: empty file"):
        read_depth_png("set.zip/a.png", content=b"")
