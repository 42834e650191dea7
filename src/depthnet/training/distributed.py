"""Batch norm over all processes, on any backend.

PyTorch's SyncBatchNorm runs on GPUs only. Training with several CPU processes (gloo) should follow the same
curve as one process with the whole batch, so the statistics are summed with a differentiable all-reduce.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as dist_fn
from torch import Tensor, nn


class GlobalBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d whose training statistics cover the batches of every process."""

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
            return super().forward(x)
        count = torch.full((1,), x.numel() / x.shape[1], dtype=torch.float64, device=x.device)
        wide = x.float()
        # Summed in float64: the variance below is a difference of two large numbers.
        total = wide.sum((0, 2, 3), dtype=torch.float64)
        square = (wide * wide).sum((0, 2, 3), dtype=torch.float64)
        sums = torch.cat([total, square, count])
        sums = dist_fn.all_reduce(sums)  # type: ignore[no-untyped-call]
        channels, pixels = x.shape[1], sums[-1]
        mean = sums[:channels] / pixels
        variance = (sums[channels : 2 * channels] / pixels - mean * mean).clamp_min(0)
        self._update_running(mean.detach().float(), (variance * pixels / (pixels - 1)).detach().float())
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        normalised: Tensor = x * scale[None, :, None, None].to(x.dtype) + shift[None, :, None, None].to(x.dtype)
        return normalised

    @torch.no_grad()
    def _update_running(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        momentum = 0.1 if self.momentum is None else self.momentum
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)


def use_global_batch_norm(network: nn.Module) -> None:
    """Turn every BatchNorm2d of ``network`` into :class:`GlobalBatchNorm2d`, weights and state kept."""
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = GlobalBatchNorm2d
