"""The training step of any task: batch in, loss out; moving average, schedule and validation scores beside it."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from torch import Tensor

from depthnet.config import TrainConfig
from depthnet.metrics import depth_metrics
from depthnet.networks.blocks import DepthNetwork, resize_to
from depthnet.training.loader import size_at_epoch
from depthnet.training.optim import Ema, build_optimizer, build_schedule
from depthnet.training.tasks import TASKS


class DepthModule(L.LightningModule):
    """A depth network in training.

    Args:
        network: the network, at its start weights.
        config: options of the run.
        total_steps: optimiser steps of the whole run, for the schedule.
    """

    def __init__(self, network: DepthNetwork, config: TrainConfig, total_steps: int) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.total_steps = total_steps
        self.step = TASKS[config.task].build_step(config)
        self.ema = Ema(network, config.optim.ema) if config.optim.ema > 0 else None
        self._rows: list[dict[str, float]] = []
        #: Mean scores of this epoch's validation; empty in an epoch without one.
        self.val_scores: dict[str, float] = {}
        #: Total and terms of the last training batch, detached.
        self.last_terms: dict[str, Tensor] = {}

    @property
    def evaluated(self) -> DepthNetwork:
        """The network that is validated and kept: the moving average where there is one."""
        return self.network if self.ema is None else self.ema.network

    def to_depth(self, log_depth: Tensor) -> Tensor:
        """Metres from log depth, clamped to the model's range (only here, never in front of the loss)."""
        return torch.exp(log_depth.float()).clamp(self.config.min_depth, self.config.max_depth)

    def training_step(self, batch: dict[str, Any], _index: int) -> Tensor:
        image = batch["image"]
        if self.config.channels_last:
            image = image.contiguous(memory_format=torch.channels_last)
        total, terms = self.step(self.network, {**batch, "image": image})
        self.last_terms = {"loss": total.detach(), **{name: value.detach() for name, value in terms.items()}}
        return total

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        if self.ema is not None:
            self.ema.update(self.network)

    @torch.no_grad()
    def predict_depth(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        """Depth in metres (B, 1, H, W) at the size of ``image``, computed at network size ``size``."""
        small = F.interpolate(image, size=size, mode="bilinear", antialias=True, align_corners=False)
        return self.to_depth(resize_to(self.evaluated(small).float(), (image.shape[-2], image.shape[-1])))

    def validation_step(self, batch: dict[str, Any], _index: int) -> None:
        prediction = self.predict_depth(batch["image"], size_at_epoch(self.config, self.current_epoch))
        target = batch["depth"]
        valid = batch["valid"] & (target > self.config.min_depth) & (target < self.config.max_depth)
        for one in range(len(target)):
            if valid[one].any():
                scores = depth_metrics(prediction[one], target[one], valid[one])
                self._rows.append({name: float(value) for name, value in scores.items()})

    def on_train_epoch_start(self) -> None:
        self.val_scores = {}

    def on_validation_epoch_start(self) -> None:
        self._rows = []
        self.evaluated.eval()

    def on_validation_epoch_end(self) -> None:
        if not self._rows:
            return
        names = self._rows[0].keys()
        sums = torch.tensor([sum(row[name] for row in self._rows) for name in names] + [len(self._rows)])
        if self.trainer.world_size > 1:
            gathered = self.all_gather(sums.to(self.device))
            sums = gathered.sum(0).cpu()  # type: ignore[union-attr]
        means = (sums[:-1] / sums[-1]).tolist()
        self.val_scores = dict(zip(names, means, strict=True))

    def configure_optimizers(self) -> Any:
        optimizer = build_optimizer(self.network, self.config.optim)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, build_schedule(self.config.optim, self.total_steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
