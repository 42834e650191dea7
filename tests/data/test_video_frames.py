"""Targets and sources of videos, and the joint change of pictures, depth, camera and motion."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "training"))
from video_scenes import SIZE, write_video

from depthnet.config import AugmentConfig
from depthnet.data import open_dataset
from depthnet.data.samples import CachedDataset
from depthnet.data.video_frames import Clip, VideoFrames, build_clip_transform, relative_motion, turn_motion
from depthnet.errors import ConfigError, InputError, ShapeError
from depthnet.geometry.se3 import invert_transform, se3_exp, se3_log
from depthnet.losses.motion import warp_source


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "one", frames=5)
    write_video(folder / "two", frames=4, seed=1)
    return folder


def test_sources_are_of_the_same_video_and_within_the_gap(videos: Path) -> None:
    frames = VideoFrames(open_dataset(videos), (2, 3))
    assert len(frames) == 9
    seen: dict[str, set[str]] = {}
    for index, name in enumerate(frames.names):
        seen[name] = {frames.draw_clip(index, np.random.default_rng(s))[1][0].name for s in range(30)}
    assert seen[frames.names[0]] == {frames.names[2], frames.names[3]}
    assert seen[frames.names[2]] == {frames.names[0], frames.names[4]}
    assert seen[frames.names[5]] == {frames.names[7], frames.names[8]}


def test_sources_on_both_sides_are_equally_far(videos: Path) -> None:
    frames = VideoFrames(open_dataset(videos), (1, 2), both=True)
    whole = open_dataset(videos).names
    assert frames.names == [whole[i] for i in (1, 2, 3, 6, 7)]
    _, sources = frames.draw_clip(0, np.random.default_rng(0))
    assert [source.name for source in sources] == [whole[0], whole[2]]


def test_held_out_frames_leave_gaps_and_not_new_neighbours(videos: Path) -> None:
    whole = open_dataset(videos)
    left = CachedDataset(whole.without(whole.select([1])))
    assert left.places()[:2] == [(next(iter(whole.sequences())), 0), (next(iter(whole.sequences())), 2)]
    frames = VideoFrames(left, (1, 1))
    assert whole.names[0] not in frames.names, "its neighbour is held out"
    _, sources = frames.draw_clip(frames.names.index(whole.names[2]), np.random.default_rng(0))
    assert sources[0].name == whole.names[3]


def test_frames_without_poses(tmp_path: Path) -> None:
    dataset = open_dataset(write_video(tmp_path / "bare", frames=3, poses=False, depth=False))
    assert len(VideoFrames(dataset, (1, 1))) == 3
    assert len(VideoFrames(dataset, (1, 1), posed=True)) == 0
    frames = VideoFrames(dataset, (1, 1))
    clip = build_clip_transform(AugmentConfig(), SIZE)(
        *frames.draw_clip(0, np.random.default_rng(0)), np.random.default_rng(0)
    )
    assert clip.T_tgt_src is None
    assert clip.depth is None


def warp_error(clip: Clip, T_tgt_src: np.ndarray) -> float:  # type: ignore[type-arg]
    """Mean difference of the target and the source as it looks by depth and motion, where it is seen."""
    assert clip.depth is not None
    depth, K, source = (torch.from_numpy(np.asarray(x))[None].double() for x in (clip.depth, clip.K, clip.sources[0]))
    warped, seen = warp_source(source, depth, K, torch.from_numpy(invert_transform(T_tgt_src))[None])
    assert seen.double().mean() > 0.5
    return float((warped - torch.from_numpy(clip.image)[None]).abs()[seen.expand_as(warped)].mean())


@pytest.mark.parametrize(
    "change",
    [{}, {"flip": 1.0}, {"rotation_deg": 20.0}, {"scale": (1.3, 1.3)},
     {"flip": 1.0, "rotation_deg": 20.0, "scale": (1.2, 1.2)}],
    ids=str,
)  # fmt: skip
def test_motion_depth_and_camera_follow_the_pictures(videos: Path, change: dict[str, object]) -> None:
    """Warped by what the clip says, the source is the target, as before the change; by the old motion it is not."""
    frames = VideoFrames(open_dataset(videos), (1, 1))
    still = AugmentConfig(recipe="eigen", flip=0.0, rotation_deg=0.0, scale=(1.0, 1.0), colour=(1.0, 1.0))
    transform = build_clip_transform(replace(still, **change), SIZE)  # type: ignore[arg-type]
    for index in (0, 3, 6):
        target, sources = frames.draw_clip(index, np.random.default_rng(index))
        rng = np.random.default_rng(2)
        clip = transform(target, sources, rng)
        motion = relative_motion(target, sources[0])
        assert clip.T_tgt_src is not None
        assert motion is not None
        right = warp_error(clip, clip.T_tgt_src[0])
        assert right < 0.02
        if change.keys() & {"flip", "rotation_deg"}:
            assert warp_error(clip, motion) > 1.5 * right


def test_a_flip_by_hand() -> None:
    xi = np.array([0.1, 0.2, 0.3, 0.04, 0.05, 0.06])
    mirrored = se3_log(turn_motion(se3_exp(xi), np.diag([-1.0, 1.0, 1.0])))
    np.testing.assert_allclose(mirrored, [-0.1, 0.2, 0.3, 0.04, -0.05, -0.06], atol=1e-12)


def test_time_reversed_is_the_inverse(videos: Path) -> None:
    dataset = open_dataset(videos)
    one, other = dataset.read_raw(1), dataset.read_raw(2)
    there, back = relative_motion(one, other), relative_motion(other, one)
    assert there is not None
    assert back is not None
    np.testing.assert_allclose(there @ back, np.eye(4), atol=1e-12)
    clips = [build_clip_transform(AugmentConfig(recipe="none"), SIZE)(a, [b], np.random.default_rng(0))
             for a, b in ((one, other), (other, one))]  # fmt: skip
    assert warp_error(clips[0], there) < 0.02
    assert warp_error(clips[1], invert_transform(there)) < 0.02
    assert warp_error(clips[1], there) > 0.02


def test_refusals(videos: Path) -> None:
    dataset = open_dataset(videos)
    with pytest.raises(ConfigError, match=r"pose\.gap 0 1"):
        VideoFrames(dataset, (0, 1))
    with pytest.raises(ConfigError, match="not zoomed out"):
        build_clip_transform(AugmentConfig(scale=(0.8, 1.0)), SIZE)
    change, rng = build_clip_transform(AugmentConfig(), SIZE), np.random.default_rng(0)
    frame = dataset.read_raw(0)
    with pytest.raises(InputError, match="has no intrinsics"):
        change(replace(frame, K=None), [frame], rng)
    with pytest.raises(ShapeError, match="differ in size"):
        change(frame, [replace(frame, image=frame.image[:-1], depth=None)], rng)
