"""Rooms as a source: the same bytes whoever makes them, readable as data, options checked."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from depthnet.cli import main
from depthnet.data import open_dataset
from depthnet.errors import ConfigError, InputError
from depthnet.prepare.run import prepare
from depthnet.prepare.source import PreparedFrame
from depthnet.prepare.synthetic import SyntheticOptions, SyntheticSource

TINY = SyntheticOptions(rooms=2, frames=2, size=(48, 64), seed=3)


def frames(options: SyntheticOptions, scene: str = "room_000000") -> list[PreparedFrame]:
    made = list(SyntheticSource(options).frames(scene))
    assert all(isinstance(frame, PreparedFrame) for frame in made)
    return made  # type: ignore[return-value]


def equal(one: PreparedFrame, two: PreparedFrame) -> bool:
    return bool((one.image == two.image).all() and (one.depth == two.depth).all())


def test_a_frame_has_all_that_is_known() -> None:
    source = SyntheticSource(TINY)
    assert source.scenes() == ["room_000000", "room_000001"]
    assert source.count_frames("room_000000") == 2
    first, second = frames(TINY)
    assert (first.name, second.name) == ("000000", "000001")
    assert (first.time_s, second.time_s) == (0.0, 3.0)
    assert first.image.shape == (48, 64, 3)
    assert first.image.dtype == np.uint8
    assert first.image.std() > 3
    assert first.depth.shape == (48, 64)
    assert first.depth.dtype == np.float32
    assert 0.02 < first.depth.min() < first.depth.max() < 20
    focal = 518.86 / 10  # a picture 64 wide
    np.testing.assert_allclose(first.K, [[focal, 0, 31.5], [0, focal, 23.5], [0, 0, 1]])
    assert first.T_world_cam is not None
    assert second.T_world_cam is not None
    assert (first.T_world_cam != second.T_world_cam).any()
    assert first.right is None
    assert first.baseline_m is None


def test_frames_depend_on_seed_room_and_number_alone() -> None:
    first, second = frames(TINY)
    more = frames(replace(TINY, rooms=5, frames=3))
    assert equal(first, more[0])
    assert equal(second, more[1])
    copy = pickle.loads(pickle.dumps(SyntheticSource(TINY)))
    assert equal(second, list(copy.frames("room_000000"))[1])
    assert not equal(first, frames(replace(TINY, seed=4))[0])
    assert not equal(first, frames(TINY, "room_000001")[0])


def test_a_video_keeps_its_exposure() -> None:
    """A camera that hardly moves sees the same colours; with an exposure of its own, a picture has others."""
    still = replace(TINY, frames=3, step_s=1e-6, noise=0.0)
    own, steady = frames(still), frames(replace(still, steady_exposure=True))
    assert equal(own[0], steady[0])

    def change(made: list[PreparedFrame]) -> float:
        return max(float(np.abs(one.image.astype(float) - made[0].image).mean()) for one in made[1:])

    assert change(own) > 5
    assert change(steady) < 0.1


def test_a_stereo_pair() -> None:
    """The right picture is that of the left camera moved along its x axis; the left one stays as it is."""
    pair = frames(replace(TINY, frames=1, baseline_m=0.1))[0]
    assert equal(pair, frames(TINY)[0])
    assert pair.baseline_m == 0.1
    assert pair.right is not None
    assert pair.right.shape == pair.image.shape
    assert (pair.right != pair.image).any()
    shift = np.median(51.886 * 0.1 / pair.depth)
    assert 0.5 < shift < 12
    grey, other = (one.astype(float).mean(axis=2) for one in (pair.image, pair.right))
    misfit = [np.abs(grey[:, k:] - other[:, : 64 - k]).mean() for k in range(12)]
    assert abs(int(np.argmin(misfit)) - shift) < 2


def test_noise_shadows_and_field_of_view() -> None:
    plain = replace(TINY, frames=1, noise=0.0, blur_px=0.0)
    assert not equal(frames(plain)[0], frames(replace(plain, shadows=False))[0])
    assert (frames(plain)[0].image != frames(replace(plain, noise=0.05))[0].image).any()
    assert frames(replace(plain, fov_deg=90.0))[0].K[0, 0] == pytest.approx(32.0)
    assert frames(replace(plain, focal_px=40.0))[0].K[1, 1] == 40.0


def test_a_tree_has_the_same_bytes_whatever_the_workers(tmp_path: Path) -> None:
    for name, workers in (("one", 1), ("two", 2)):
        result = prepare(SyntheticSource(replace(TINY, baseline_m=0.05)), tmp_path / name, workers)
        assert result.totals.frames == 4
        assert not result.failed
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert sum(path.parts[0] in ("rgb", "depth", "right") for path in files) == 12
    for path in files:
        if path.parts[0] != "scenes":
            assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes(), path


def test_a_tree_is_given_more_rooms(tmp_path: Path) -> None:
    prepare(SyntheticSource(replace(TINY, rooms=1, frames=1)), tmp_path / "rooms", 1)
    more = prepare(SyntheticSource(replace(TINY, frames=1)), tmp_path / "rooms", 1)
    assert (more.new, more.totals.frames) == (["room_000001"], 2)
    with pytest.raises(InputError, match="frames 1, now 2"):
        prepare(SyntheticSource(TINY), tmp_path / "rooms", 1)


def test_the_command_makes_data_that_opens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "prepare",
        "synthetic",
        "--out",
        str(tmp_path / "rooms"),
        "--rooms",
        "1",
        "--frames",
        "2",
        "--size",
        "48",
        "64",
    ]
    assert main([*words, "--workers", "1", "--seed", "3"]) == 0
    assert "2 frames of 1 scenes" in capsys.readouterr().out
    data = open_dataset(tmp_path / "rooms")
    sample, made = data[0], frames(TINY)[0]
    assert data.names == ["room_000000_000000", "room_000000_000001"]
    np.testing.assert_array_equal(sample.to_raw().image, made.image)
    assert sample.depth is not None
    np.testing.assert_allclose(sample.depth[0], made.depth, atol=0.00051)
    np.testing.assert_allclose(sample.K, made.K, rtol=1e-5)
    assert sample.T_world_cam is not None
    np.testing.assert_allclose(sample.T_world_cam, made.T_world_cam, atol=1e-6)
    assert sample.time_s == 0.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rooms": 0}, "rooms 0"),
        ({"rooms": 2_000_000}, "another seed"),
        ({"frames": 0}, "frames 0"),
        ({"size": (8, 64)}, "size 8 64"),
        ({"focal_px": 100.0, "fov_deg": 60.0}, "one of the two"),
        ({"focal_px": -1.0}, "focal_px -1"),
        ({"fov_deg": 170.0}, "fov_deg 170"),
        ({"baseline_m": 0.0}, "baseline_m 0"),
        ({"baseline_m": 1.5}, "at most 0.2 m"),
        ({"step_s": float("nan")}, "step_s nan"),
        ({"noise": -0.1}, "noise -0.1"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_options_out_of_range_are_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        replace(TINY, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("scene", ["room_000002", "room_x", "hall", ""])
def test_unknown_rooms_are_refused(scene: str) -> None:
    with pytest.raises(InputError, match="room_000000 to room_000001"):
        list(SyntheticSource(TINY).frames(scene))


def test_a_device_without_torch_names_the_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from depthnet.errors import MissingTierError

    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingTierError, match=r"pip install 'depthnet\[train\]'"):
        list(SyntheticSource(replace(TINY, device="cuda")).frames("room_000000"))
