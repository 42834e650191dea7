"""The supervised losses: hand-worked numbers, identities, gradients, masks and cost."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from depthnet.config import LossConfig
from depthnet.errors import ConfigError, ShapeError
from depthnet.losses import supervised as losses

Batch = tuple[Tensor, Tensor, Tensor]


def image_of(prediction: Tensor) -> Tensor:
    """The same random image for every prediction of the batch."""
    generator = torch.Generator().manual_seed(7)
    image = torch.rand(1, 3, *prediction.shape[2:], generator=generator, dtype=prediction.dtype)
    return image.expand(len(prediction), -1, -1, -1)


def smooth(prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    return losses.l2_smooth(prediction, target, valid, image_of(prediction), 0.5)


# Every loss as a function of (prediction, target, valid) that averages over images only.
PER_IMAGE: dict[str, Callable[..., Tensor]] = {
    **losses.LOSSES,
    "eigen_0": partial(losses.eigen, eigen_lambda=0.0),
    "eigen_1": partial(losses.eigen, eigen_lambda=1.0),
    "berhu": partial(losses.berhu, threshold=0.7),
    "l2_smooth": smooth,
}
every_loss = pytest.mark.parametrize("loss", PER_IMAGE.values(), ids=PER_IMAGE.keys())


def make_batch(batch: int = 2, size: tuple[int, int] = (5, 6), seed: int = 0, holes: float = 0.3) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, 1, *size)
    prediction = torch.randn(shape, generator=generator, dtype=torch.float64)
    target = torch.rand(shape, generator=generator, dtype=torch.float64) * 5 + 0.5
    valid = torch.rand(shape, generator=generator) >= holes
    return prediction, target, valid


def grid(*rows: list[float]) -> Tensor:
    return torch.tensor([[rows]], dtype=torch.float64)


# --- numbers worked by hand: three valid pixels, the fourth holds rubbish ---
RESIDUALS = grid([1.0, 2.0], [3.0, math.inf])  # against a target of 1 m: d itself
METRES = grid([3.0, 5.0], [1.0, 7.0])
TARGET = grid([1.0, 4.0], [2.0, math.nan])
VALID = torch.tensor([[[[True, True], [True, False]]]])


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (partial(losses.eigen, eigen_lambda=0.0), 14 / 3),
        (partial(losses.eigen, eigen_lambda=0.5), 14 / 3 - 0.5 * 36 / 9),
        (partial(losses.eigen, eigen_lambda=1.0), 14 / 3 - 36 / 9),
        (losses.l1_log, 2.0),
        (losses.gradient, 1.0**2 / 1 + 2.0**2 / 1),  # one valid pair along x, one along y
        (losses.gradient_multiscale, (1.0 + 2.0) / 4),  # steps 2, 4 and 8 find no pair
        (partial(losses.gradient_multiscale, steps=(1,)), 3.0),
    ],
)
def test_hand_worked_log_losses(loss: Callable[..., Tensor], expected: float) -> None:
    assert loss(RESIDUALS, torch.ones_like(RESIDUALS), VALID).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (losses.l1, (2 + 1 + 1) / 3),
        (losses.l2, (4 + 1 + 1) / 3),
        # c = 0.2 · 2 m: (4 + 0.16) / 0.8 once and (1 + 0.16) / 0.8 twice.
        (losses.berhu, (5.2 + 1.45 + 1.45) / 3),
        (partial(losses.berhu, threshold=1.0), (2.5 + 1 + 1) / 3),
        (partial(losses.berhu, threshold=9.0), (2 + 1 + 1) / 3),
    ],
)
def test_hand_worked_metric_losses(loss: Callable[..., Tensor], expected: float) -> None:
    assert loss(METRES.log(), TARGET, VALID).item() == pytest.approx(expected, rel=1e-12)


def test_hand_worked_smoothness() -> None:
    flat = torch.full((1, 3, 2, 2), 0.3, dtype=torch.float64)
    # Along x |5 - 3| and |7 - 1|, along y |1 - 3| and |7 - 5|.
    assert losses.smoothness(METRES.log(), flat, VALID).item() == pytest.approx(4.0 + 2.0)
    edge = flat.clone()
    edge[:, :, :, 1] += math.log(2.0)  # between the columns: halves what is along x
    assert losses.smoothness(METRES.log(), edge, VALID).item() == pytest.approx(2.0 + 2.0)
    one_colour = flat.clone()
    one_colour[:, 0, :, 1] += 3 * math.log(2.0)  # the mean of the colours counts
    assert losses.smoothness(METRES.log(), one_colour, VALID).item() == pytest.approx(2.0 + 2.0)
    total = losses.l2_smooth(METRES.log(), TARGET, VALID, edge, 0.25)
    assert total.item() == pytest.approx(2.0 + 0.25 * 4.0)


def test_multiscale_steps() -> None:
    ramp = torch.arange(12, dtype=torch.float64).view(1, 1, 1, 12)
    ones, valid = torch.ones_like(ramp), torch.ones_like(ramp, dtype=torch.bool)
    assert losses.gradient_multiscale(ramp, ones, valid).item() == pytest.approx((1 + 2 + 4 + 8) / 4)


# --- Eigen's loss ---


@hypothesis.given(seed=st.integers(0, 2**16), height=st.integers(1, 4), width=st.integers(1, 5))
@hypothesis.settings(max_examples=40, deadline=None)
def test_three_forms_agree_at_lambda_1(seed: int, height: int, width: int) -> None:
    prediction, target, valid = make_batch(1, (height, width), seed)
    d = (prediction - target.log())[valid]
    n = max(len(d), 1)
    around_mean = (d - d.sum() / n).square().sum() / n
    over_pairs = (d[:, None] - d[None, :]).square().sum() / (2 * n**2)
    expanded = d.square().sum() / n - d.sum() ** 2 / n**2
    ours = losses.eigen(prediction, target, valid, eigen_lambda=1.0)
    for form in (around_mean, over_pairs, expanded):
        torch.testing.assert_close(ours, form, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("eigen_lambda", [0.0, 0.25, 0.5, 1.0])
def test_eigen_is_equation_4(eigen_lambda: float) -> None:
    prediction, target, valid = make_batch(1)
    d = (prediction - target.log())[valid]
    expected = d.square().sum() / len(d) - eigen_lambda * d.sum() ** 2 / len(d) ** 2
    torch.testing.assert_close(losses.eigen(prediction, target, valid, eigen_lambda), expected)


def test_eigen_ignores_scale_at_lambda_1_only() -> None:
    prediction, target, valid = make_batch()
    doubled = prediction + math.log(2.0)
    scale_free = partial(losses.eigen, eigen_lambda=1.0)
    torch.testing.assert_close(scale_free(doubled, target, valid), scale_free(prediction, target, valid))
    torch.testing.assert_close(scale_free(prediction, target * 2, valid), scale_free(prediction, target, valid))
    assert losses.eigen(doubled, target, valid) != pytest.approx(losses.eigen(prediction, target, valid).item())


def test_eigen_keeps_its_digits_far_from_zero() -> None:
    """A large common offset in float32: the textbook difference of squares would lose the variance."""
    prediction, target, valid = make_batch()
    exact = losses.eigen(prediction, target, valid, eigen_lambda=1.0)
    shifted = losses.eigen((prediction + 100).float(), target.float(), valid, eigen_lambda=1.0)
    assert shifted.item() == pytest.approx(exact.item(), rel=1e-4)


# --- what all of them share ---


@every_loss
def test_gradient_by_finite_differences(loss: Callable[..., Tensor]) -> None:
    prediction, target, valid = make_batch()
    prediction.requires_grad_()
    assert torch.autograd.gradcheck(lambda p: loss(p, target, valid), (prediction,), eps=1e-6, atol=1e-6)


@every_loss
def test_zero_at_the_truth_and_positive_elsewhere(loss: Callable[..., Tensor]) -> None:
    prediction, target, valid = make_batch()
    assert loss(prediction, target, valid) > 0
    if loss is not smooth:
        assert loss(target.log(), target, valid).item() == pytest.approx(0.0, abs=1e-12)


@every_loss
def test_each_image_counts_by_its_own_pixels(loss: Callable[..., Tensor]) -> None:
    prediction, target, valid = make_batch(3)
    valid[0] = True
    valid[2, :, 2:] = False
    parts = [loss(prediction[i : i + 1], target[i : i + 1], valid[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(loss(prediction, target, valid), torch.stack(parts).mean())


@every_loss
@pytest.mark.parametrize("rubbish", [math.nan, math.inf, -math.inf, 0.0, -1.0])
def test_what_is_not_valid_has_no_say(loss: Callable[..., Tensor], rubbish: float) -> None:
    prediction, target, valid = make_batch()
    expected = loss(prediction, target, valid)
    target[~valid] = rubbish
    if loss is not smooth:  # smoothness looks at every prediction, on purpose
        prediction[~valid] = rubbish
    prediction.requires_grad_()
    value = loss(prediction, target, valid)
    torch.testing.assert_close(value, expected)
    value.backward()
    assert prediction.grad is not None
    assert prediction.grad.isfinite().all()
    if loss is not smooth:
        assert (prediction.grad[~valid] == 0).all()


@every_loss
@pytest.mark.parametrize("rubbish", [math.nan, math.inf, 0.0, -1.0])
def test_a_target_without_logarithm_does_not_count(loss: Callable[..., Tensor], rubbish: float) -> None:
    prediction, target, valid = make_batch()
    expected = loss(prediction, target, valid)
    target[~valid] = rubbish
    torch.testing.assert_close(loss(prediction, target, valid | True), expected)


@every_loss
@pytest.mark.parametrize("pixels", [0, 1])
def test_image_with_next_to_nothing(loss: Callable[..., Tensor], pixels: int) -> None:
    prediction, target, valid = make_batch()
    valid[1] = False
    valid[1, 0, 2, 3] = pixels == 1
    target[~valid] = math.nan
    prediction.requires_grad_()
    value = loss(prediction, target, valid)
    assert value.isfinite()
    value.backward()
    assert prediction.grad is not None
    assert prediction.grad.isfinite().all()
    assert (prediction.grad[0] != 0).any()
    if pixels == 0:
        assert (prediction.grad[1] == 0).all()


@every_loss
def test_batch_without_a_valid_pixel(loss: Callable[..., Tensor]) -> None:
    prediction, target, valid = make_batch()
    prediction.requires_grad_()
    value = loss(prediction, torch.zeros_like(target), torch.zeros_like(valid))
    assert value == 0
    value.backward()
    assert prediction.grad is not None
    assert (prediction.grad == 0).all()


@every_loss
def test_one_pixel_image(loss: Callable[..., Tensor]) -> None:
    prediction, target, valid = make_batch(2, (1, 1), holes=0.0)
    prediction.requires_grad_()
    loss(prediction, target, valid).backward()
    assert prediction.grad is not None
    assert prediction.grad.isfinite().all()


@every_loss
def test_half_precision_is_computed_in_float32(loss: Callable[..., Tensor]) -> None:
    prediction, target, valid = make_batch(2, (16, 16))
    half = prediction.to(torch.bfloat16).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(half, target.float(), valid)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(half.float(), target.float(), valid), rtol=1e-3, atol=1e-4)
    value.backward()
    assert half.grad is not None
    assert half.grad.isfinite().all()
    assert loss(prediction, target, valid).dtype == torch.float64


@pytest.mark.parametrize("loss", [losses.l1, losses.l2, losses.berhu, smooth], ids=["l1", "l2", "berhu", "l2_smooth"])
def test_metric_losses_do_not_overflow(loss: Callable[..., Tensor]) -> None:
    """A prediction of e^90 m, as a bad start of training gives it, has a finite loss that leads back."""
    prediction, target, valid = (x[:, :, :2, :2] for x in make_batch(1, holes=0.0))
    prediction = torch.full_like(prediction, 90.0, dtype=torch.float32).requires_grad_()
    value = loss(prediction, target.float(), valid)
    value.backward()
    assert value.isfinite()
    assert prediction.grad is not None
    assert prediction.grad.isfinite().all()
    assert (prediction.grad > 0).all()


def test_metres_are_exact_up_to_one_kilometre() -> None:
    prediction = torch.tensor([0.001, 1.0, 80.0, 999.0], dtype=torch.float64).log().view(1, 1, 2, 2)
    ones = torch.ones_like(prediction)
    expected = (prediction.exp() - 1).abs().mean()
    torch.testing.assert_close(losses.l1(prediction, ones, ones.bool()), expected, rtol=1e-14, atol=0)


def test_berhu_is_continuous_in_value_and_slope() -> None:
    c, step = 0.5, 1e-6
    values, slopes = [], []
    for metres in (1.0 + c - step, 1.0 + c + step):
        prediction = grid([metres]).log().requires_grad_()
        value = losses.berhu(prediction, grid([1.0]), torch.ones(1, 1, 1, 1, dtype=torch.bool), threshold=c)
        value.backward()
        assert prediction.grad is not None
        values.append(value.item())
        slopes.append(prediction.grad.item() / metres)  # per metre
    assert values == pytest.approx([c, c], abs=2 * step)
    assert slopes == pytest.approx([1.0, 1.0], abs=1e-5)


class ElementCounter(TorchDispatchMode):
    """Counts the elements that all operations inside write."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        self.elements += sum(x.numel() for x in torch.utils._pytree.tree_leaves(out) if isinstance(x, Tensor))
        return out


@every_loss
def test_cost_is_linear_in_the_pixels(loss: Callable[..., Tensor]) -> None:
    counts = []
    for side in (64, 128):
        prediction, target, valid = make_batch(1, (side, side))
        prediction.requires_grad_()
        with ElementCounter() as counter:
            loss(prediction, target, valid).backward()
        counts.append(counter.elements)
    assert 3.9 < counts[1] / counts[0] < 4.3  # all pairs would give 16; the longest step lacks 8 of 64 columns


# --- shapes and the config ---


def test_shapes_are_checked() -> None:
    prediction, target, valid = make_batch()
    with pytest.raises(ShapeError, match="expected the same"):
        losses.eigen(prediction, target[:1], valid)
    with pytest.raises(ShapeError, match="expected the same"):
        losses.eigen(prediction[:, 0], target[:, 0], valid[:, 0])
    with pytest.raises(ShapeError, match="expected bool"):
        losses.eigen(prediction, target, valid.float())
    with pytest.raises(ShapeError, match="does not fit"):
        losses.l2_smooth(prediction, target, valid, torch.rand(2, 3, 4, 4))


def as_batch(batch: Batch) -> dict[str, Tensor]:
    return {"image": image_of(batch[0]), "depth": batch[1], "valid": batch[2]}


@pytest.mark.parametrize("name", losses.LOSSES)
def test_every_name_builds(name: str) -> None:
    prediction, target, valid = batch = make_batch()
    total, terms = losses.build_loss(LossConfig(terms={name: 2.0}))(prediction.requires_grad_(), as_batch(batch))
    assert list(terms) == [name]
    assert not terms[name].requires_grad
    torch.testing.assert_close(total.detach(), 2 * terms[name])
    if name != "l2_smooth":
        torch.testing.assert_close(terms[name], losses.LOSSES[name](prediction, target, valid).detach())
    total.backward()
    assert prediction.grad is not None
    assert prediction.grad.isfinite().all()


def test_weighted_sum_and_options() -> None:
    prediction, target, valid = batch = make_batch()
    config = LossConfig({"eigen": 1.0, "gradient": 0.5, "l2_smooth": 0.1}, eigen_lambda=1.0, smooth_weight=3.0)
    total, terms = losses.build_loss(config)(prediction, as_batch(batch))
    parts = {
        "eigen": losses.eigen(prediction, target, valid, 1.0),
        "gradient": losses.gradient(prediction, target, valid),
        "l2_smooth": losses.l2_smooth(prediction, target, valid, image_of(prediction), 3.0),
    }
    torch.testing.assert_close(terms, parts)
    torch.testing.assert_close(total, parts["eigen"] + 0.5 * parts["gradient"] + 0.1 * parts["l2_smooth"])


def test_the_original_training_loss() -> None:
    """Three terms of the experiment files: Σd²/n, -0.5 (Σd)²/n² and the gradient term; labels were ln depth · 2.187."""
    prediction, target, valid = batch = make_batch(1)
    total, _ = losses.build_loss(LossConfig({"eigen": 1.0, "gradient": 1.0}, 0.5))(prediction, as_batch(batch))
    d = (prediction - target.log())[0, 0]
    v = valid[0, 0]
    n = v.sum()
    x, y = v[:, 1:] & v[:, :-1], v[1:] & v[:-1]
    expected = d[v].square().sum() / n - 0.5 * d[v].sum() ** 2 / n**2
    expected += (d[:, 1:] - d[:, :-1])[x].square().sum() / x.sum() + (d[1:] - d[:-1])[y].square().sum() / y.sum()
    torch.testing.assert_close(total, expected)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (LossConfig({"eigne": 1.0}), "'eigne' is unknown; choose among: eigen, l1_log, l1, l2, l2_smooth, berhu"),
        (LossConfig({"l1": -1.0}), "l1: weight -1.0"),
        (LossConfig({"l1": math.nan}), "l1: weight nan"),
        (LossConfig({}), "no term"),
        (LossConfig({"l1": 0.0}), "no term"),
        (LossConfig(eigen_lambda=1.5), "eigen_lambda 1.5"),
        (LossConfig(smooth_weight=-0.1), "smooth_weight -0.1"),
    ],
)
def test_bad_config(config: LossConfig, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        losses.build_loss(config)
