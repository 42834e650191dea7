"""Losses of motion: numbers by hand, masks, and which motion the pictures ask for."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent.parent / "training"))
from video_scenes import K, view

from depthnet.config import PhotometricConfig
from depthnet.errors import ConfigError
from depthnet.geometry.se3 import invert_transform, se3_exp, se3_log
from depthnet.losses.motion import (
    check_motion_terms,
    halve_depth,
    photometric,
    rotation,
    smooth_normalised,
    translation,
    warp_source,
    xi,
)

pytestmark = pytest.mark.usefixtures("one_thread")

L1 = {"l1": 1.0}
TRUE_XI = np.array([0.05, -0.04, 0.06, 0.03, -0.04, 0.02])


@pytest.fixture(scope="module")
def batch() -> dict[str, Tensor]:
    """A target and two sources, with the true motions and depth."""
    motions = [se3_exp(TRUE_XI), se3_exp(-0.7 * TRUE_XI)]
    image, depth = view(np.eye(4))
    sources = [view(motion)[0] for motion in motions]
    pictures = [torch.from_numpy(picture).permute(2, 0, 1).float() / 255 for picture in (image, *sources)]
    return {
        "image": pictures[0][None],
        "sources": torch.stack(pictures[1:])[None],
        "depth": torch.from_numpy(depth)[None, None],
        "K": torch.from_numpy(K).float()[None],
        "T_tgt_src": torch.from_numpy(np.stack(motions)).float()[None],
    }


def true_xi(batch: dict[str, Tensor]) -> Tensor:
    return se3_log(batch["T_tgt_src"])


def test_against_the_truth_by_hand() -> None:
    true = torch.eye(4).repeat(1, 2, 1, 1)
    found = torch.tensor([[[0.3, 0.0, 0.4, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.6, 0.8]]])
    assert rotation(found, true) == pytest.approx(0.5)
    assert translation(found, true) == pytest.approx(0.25)
    assert xi(found, true) == pytest.approx(0.75)
    still = torch.zeros(1, 2, 6, requires_grad=True)
    (rotation(still, true) + translation(still, true) + xi(still, true)).backward()
    assert still.grad is not None
    assert torch.isfinite(still.grad).all()


def test_the_true_motion_is_the_least(batch: dict[str, Tensor]) -> None:
    for config in (PhotometricConfig(scales=1), PhotometricConfig(terms=L1, scales=2, zbuffer=True)):
        true = float(photometric(true_xi(batch), batch["depth"], batch, config))
        for axis in range(6):
            for step in (-0.02, 0.02):
                moved = true_xi(batch)
                moved[..., axis] += step
                assert float(photometric(moved, batch["depth"], batch, config)) > true


def test_a_pixel_counts_with_its_better_source(batch: dict[str, Tensor]) -> None:
    """One right motion of two is as good as that source alone; the wrong one does no harm."""
    config = PhotometricConfig(terms=L1)
    first = {**batch, "sources": batch["sources"][:, :1]}
    alone = photometric(true_xi(batch)[:, :1], batch["depth"], first, config)
    wrong = true_xi(batch)
    wrong[:, 1] = torch.tensor([0.0, 0.0, 0.0, 0.0, 3.0, 0.0])  # looks away
    assert float(photometric(wrong, batch["depth"], batch, config)) <= float(alone) + 1e-6


@pytest.mark.parametrize("auto_mask", [True, False])
def test_leaving_the_view_gains_nothing(batch: dict[str, Tensor], auto_mask: bool) -> None:
    config = PhotometricConfig(terms=L1, auto_mask=auto_mask)
    away = torch.zeros(1, 2, 6)
    away[..., 4] = 3.0
    unwarped = (batch["sources"] - batch["image"][:, None]).abs().mean(dim=2).amin(dim=1)[:, 1:-1, 1:-1].mean()
    assert float(photometric(away, batch["depth"], batch, config)) == pytest.approx(float(unwarped), rel=1e-5)


def test_what_stands_still_has_no_pull(batch: dict[str, Tensor]) -> None:
    frozen = {**batch, "sources": batch["image"][:, None].repeat(1, 2, 1, 1, 1)}
    for auto_mask, pulls in ((True, False), (False, True)):
        motion = true_xi(batch).requires_grad_()
        photometric(motion, batch["depth"], frozen, PhotometricConfig(auto_mask=auto_mask)).backward()
        assert motion.grad is not None
        assert bool((motion.grad != 0).any()) == pulls


def test_hidden_pixels_by_z_buffer() -> None:
    """A near post covers a wall: from a camera to the right, the wall beside the post lies behind it."""
    depth = torch.full((1, 1, 24, 48), 4.0)
    depth[..., 20:26] = 1.0
    camera = torch.tensor([[[40.0, 0.0, 23.5], [0.0, 40.0, 11.5], [0.0, 0.0, 1.0]]])
    T_src_tgt = torch.eye(4)[None].clone()
    T_src_tgt[0, 0, 3] = -0.2  # the post moves by 8 pixels, the wall by 2
    source = torch.rand(1, 3, 24, 48)
    _, seen = warp_source(source, depth, camera, T_src_tgt)
    _, unhidden = warp_source(source, depth, camera, T_src_tgt, zbuffer=True)
    hidden = (seen & ~unhidden)[0, 0].all(dim=0).nonzero().flatten().tolist()
    assert hidden
    assert all(14 <= x < 20 for x in hidden), "columns of the wall that land on the post at 12 to 17"
    assert unhidden[0, 0, :, 20:26].all()


def test_unknown_depth_does_not_count(batch: dict[str, Tensor]) -> None:
    depth = batch["depth"].clone()
    depth[..., :24] = 0.0
    motion = true_xi(batch).requires_grad_()
    loss = photometric(motion, depth, batch, PhotometricConfig(scales=3))
    loss.backward()
    assert motion.grad is not None
    assert torch.isfinite(motion.grad).all()
    assert photometric(motion, torch.zeros_like(depth), batch, PhotometricConfig()).item() == 0.0
    halved = halve_depth(torch.tensor([[[[2.0, 4.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]]]))
    assert halved.tolist() == [[[[3.0, 0.0]]]]


def test_smoothness_knows_no_scale(batch: dict[str, Tensor]) -> None:
    log_depth = batch["depth"].log()
    base = float(smooth_normalised(log_depth, batch["image"]))
    assert base > 0
    assert float(smooth_normalised(log_depth + 300.0, batch["image"])) == pytest.approx(base, rel=1e-3)
    assert float(smooth_normalised(torch.zeros_like(log_depth), batch["image"])) == 0.0


def test_the_warp_is_of_the_right_way(batch: dict[str, Tensor]) -> None:
    source, T_tgt_src = batch["sources"][:, 0], batch["T_tgt_src"][:, 0]
    errors = []
    for motion in (invert_transform(T_tgt_src), T_tgt_src):
        warped, seen = warp_source(source, batch["depth"], batch["K"], motion)
        errors.append(float((warped - batch["image"]).abs()[seen.expand_as(warped)].mean()))
    assert errors[0] < 0.01 < 0.3 * errors[1]


def test_refusals() -> None:
    with pytest.raises(ConfigError, match="loss term 'smooth' is unknown"):
        check_motion_terms({"smooth": 1.0}, (), PhotometricConfig())
    with pytest.raises(ConfigError, match=r"photometric\.terms: give one of l1, l2, ssim"):
        check_motion_terms({"photometric": 1.0}, (), PhotometricConfig(terms={"smooth": 1.0}))
    with pytest.raises(ConfigError, match=r"photometric\.scales 0"):
        check_motion_terms({"photometric": 1.0}, (), PhotometricConfig(scales=0))
