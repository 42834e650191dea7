"""The training step of any task: batch in, loss out; moving average, schedule and validation scores beside it."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import Tensor

from depthnet.config import TrainConfig
from depthnet.networks.blocks import Network
from depthnet.training.depth_task import predict_depth
from depthnet.training.loader import size_at_epoch
from depthnet.training.optim import Ema, build_optimizer, build_schedule
from depthnet.training.tasks import TASKS


class TrainingModule(L.LightningModule):
    """A network in training.

    Args:
        network: the network, at its start weights.
        config: options of the run.
        total_steps: optimiser steps of the whole run, for the schedule.
    """

    def __init__(self, network: Network, config: TrainConfig, total_steps: int) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.total_steps = total_steps
        self.task = TASKS[config.task]
        self.step = self.task.build_step(config)
        self.ema = Ema(network, config.optim.ema) if config.optim.ema > 0 else None
        self._rows: list[dict[str, float]] = []
        #: Mean scores of this epoch's validation; empty in an epoch without one.
        self.val_scores: dict[str, float] = {}
        #: Total and terms of the last training batch, detached.
        self.last_terms: dict[str, Tensor] = {}

    @property
    def evaluated(self) -> Network:
        """The network that is validated and kept: the moving average where there is one."""
        return self.network if self.ema is None else self.ema.network

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

    def predict_depth(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        """Depth in metres (B, 1, H, W) at the size of ``image``, computed at network size ``size``."""
        assert self.task.depth_network is not None
        return predict_depth(self.task.depth_network(self.evaluated), image, size, self.config)

    def validation_step(self, batch: dict[str, Any], _index: int) -> None:
        size = size_at_epoch(self.config, self.current_epoch)
        self._rows += self.task.judge.score(self.evaluated, batch, size, self.config)

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
