"""What a run writes while it goes: state to resume from, model files, tables, pictures, progress."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from depthnet.checkpoint import ModelInfo, save_network
from depthnet.errors import InputError, one_line
from depthnet.io.depth import colourise_depth
from depthnet.io.files import atomic_path
from depthnet.training.loader import EpochBatches, ValidationSamples, size_at_epoch, stack
from depthnet.training.module import TrainingModule

if TYPE_CHECKING:
    from depthnet.config import TrainConfig

TRAIN_COLUMNS = ("step", "epoch", "loss", "lr", "images_per_s", "seconds")


class WholeFileCheckpoints(TorchCheckpointIO):
    """Lightning checkpoints that are there whole or not at all, and are read without unpickling objects."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        with atomic_path(Path(path)) as temporary:
            torch.save(checkpoint, temporary)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        try:
            loaded: dict[str, Any] = torch.load(path, map_location=map_location or "cpu", weights_only=True)
        except Exception as error:  # zip, pickle, struct and torch have a kind of their own for each damage
            reason = one_line(error)
            raise InputError(
                f"{path}: not a whole state of a run ({reason}); start a new run, from its weights with --init RUN."
            ) from error
        return loaded


class SaveState(L.Callback):
    """Write ``last.ckpt`` at the end of each epoch and, within one, every ``minutes``.

    A run killed at any moment resumes from it to the weights of an uninterrupted run: the order of the data
    and all random draws follow from (seed, epoch, index), and the batches done are part of the state.
    """

    def __init__(self, path: Path, minutes: float, batches: EpochBatches, accumulate: int) -> None:
        self.path, self.minutes, self.batches, self.accumulate = path, minutes, batches, accumulate
        self._saved = time.monotonic()
        self._next = {"epoch": 0, "batches_done": 0}

    def state_dict(self) -> dict[str, Any]:
        return dict(self._next)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        # Lightning makes the first iterator before it announces the epoch, so both are set here.
        self.batches.epoch = int(state_dict["epoch"])
        self.batches.done = int(state_dict["batches_done"])

    def _save(self, trainer: L.Trainer, epoch: int, done: int) -> None:
        self._next = {"epoch": epoch, "batches_done": done}
        trainer.save_checkpoint(self.path)
        self._saved = time.monotonic()

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.batches.rank, self.batches.world = trainer.global_rank, trainer.world_size

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.batches.epoch = trainer.current_epoch

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        done = batch_idx + 1
        due = time.monotonic() - self._saved > 60 * self.minutes
        if trainer.world_size > 1:
            due = bool(trainer.strategy.broadcast(due))
        if due and done % self.accumulate == 0 and done < int(trainer.num_training_batches):
            self._save(trainer, trainer.current_epoch, done)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._save(trainer, trainer.current_epoch + 1, 0)


class ModelFiles(L.Callback):
    """Write ``last.safetensors`` after each epoch and ``best.safetensors`` when validation gets better.

    Better is what the task says: a higher delta1 of depth, a smaller error of motions.
    """

    def __init__(self, run: Path, info: ModelInfo, config: TrainConfig) -> None:
        self.run, self.info, self.config = run, info, config
        self.best = -math.inf

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = float(state_dict["best"])

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, TrainingModule)
        if not trainer.is_global_zero:
            return
        info, scores = self._describe(trainer.current_epoch, pl_module.val_scores), pl_module.val_scores
        judge = pl_module.task.judge
        merit = (-scores[judge.best] if judge.falls else scores[judge.best]) if scores else -math.inf
        names = ["last", "best"] if merit > self.best else ["last"]
        self.best = max(self.best, merit)
        for prefix, (network, said) in pl_module.task.parts(pl_module.evaluated, info, self.config).items():
            for name in names:
                save_network(self.run / f"{prefix}{name}.safetensors", network, said)

    def _describe(self, epoch: int, scores: dict[str, float]) -> ModelInfo:
        """What the weights of this epoch say: their size is the one they were trained and validated at."""
        size = size_at_epoch(self.config, epoch)
        return replace(
            self.info,
            input_size=size,
            training_focal_px=self.info.training_focal_px * size[1] / self.config.size[1],
            provenance={**self.info.provenance, "epochs_done": epoch + 1},
            scores={"validation": {name: round(value, 5) for name, value in scores.items()}} if scores else {},
        )


class Tables(L.Callback):
    """Write ``train.csv`` and ``val.csv`` and, beside them, TensorBoard events."""

    def __init__(self, run: Path, every: int, batch_images: int) -> None:
        self.run, self.every, self.batch_images = run, every, batch_images
        self._rows: dict[str, list[dict[str, float]]] = {"train": [], "val": []}
        self._window: list[dict[str, float]] = []
        self._seconds = 0.0
        self._mark = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self._rows, "seconds": self._seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._rows, self._seconds = state_dict["rows"], float(state_dict["seconds"])

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._mark = time.monotonic()

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._window.append({name: float(value) for name, value in pl_module.last_terms.items()})
        if len(self._window) < self.every:
            return
        now = time.monotonic()
        seconds, self._mark = now - self._mark, now
        self._seconds += seconds
        means = self._mean_over_window(trainer)
        row = {
            "step": trainer.global_step, "epoch": trainer.current_epoch, **means,
            "lr": trainer.optimizers[0].param_groups[-1]["lr"],
            "images_per_s": len(self._window) * self.batch_images / seconds, "seconds": self._seconds,
        }  # fmt: skip
        self._window = []
        self._add("train", row, trainer)

    def _mean_over_window(self, trainer: L.Trainer) -> dict[str, float]:
        """Mean of each loss over the last batches of all processes."""
        names = list(self._window[0])
        means = torch.tensor([np.mean([row[name] for row in self._window]) for name in names])
        if trainer.world_size > 1:
            means = trainer.strategy.reduce(means.to(trainer.strategy.root_device), reduce_op="mean").cpu()
        return dict(zip(names, means.tolist(), strict=True))

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, TrainingModule)
        if pl_module.val_scores:
            row = {"epoch": trainer.current_epoch + 1, "step": trainer.global_step, **pl_module.val_scores}
            self._add("val", row, trainer)

    def _add(self, table: str, row: Mapping[str, float], trainer: L.Trainer) -> None:
        self._rows[table].append({name: round(float(value), 6) for name, value in row.items()})
        if not trainer.is_global_zero:
            return
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(self._rows[table][-1]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows[table])
        with atomic_path(self.run / f"{table}.csv") as temporary:
            temporary.write_text(text.getvalue())
        for logger in trainer.loggers:
            logger.log_metrics({f"{table}/{name}": value for name, value in row.items()}, step=trainer.global_step)


class SamplePictures(L.Callback):
    """Show a few fixed validation samples (image, prediction, truth) in TensorBoard and ``samples.png``."""

    def __init__(self, run: Path, samples: ValidationSamples, config: TrainConfig, count: int = 4) -> None:
        self.run, self.config = run, config
        chosen = np.linspace(0, len(samples) - 1, min(count, len(samples))).round().astype(int)
        self.samples, self.chosen = samples, [int(index) for index in chosen]

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        from PIL import Image

        assert isinstance(pl_module, TrainingModule)
        if not trainer.is_global_zero or trainer.sanity_checking:
            return
        batch = stack([self.samples[index] for index in self.chosen])
        size = size_at_epoch(self.config, trainer.current_epoch)
        predicted = pl_module.predict_depth(batch["image"].to(pl_module.device), size).cpu().numpy()
        rows = []
        for image, depth, truth in zip(batch["image"].numpy(), predicted, batch["depth"].numpy(), strict=True):
            near, far = float(truth[truth > 0].min(initial=0.5)), float(truth.max(initial=1.0))
            panels = [np.round(image.transpose(1, 2, 0) * 255).astype(np.uint8)]
            panels += [colourise_depth(one[0], min_depth=near, max_depth=far) for one in (depth, truth)]
            rows.append(np.concatenate(panels, 1))
        picture = np.concatenate(rows, 0)
        with atomic_path(self.run / "samples.png") as temporary:
            Image.fromarray(picture).save(temporary)
        for logger in trainer.loggers:
            experiment: Any = logger.experiment  # type: ignore[attr-defined]
            experiment.add_image("samples", picture, trainer.global_step, dataformats="HWC")


class Progress(L.Callback):
    """One bar over the whole run, with time left, on stderr; a line per validation where it is no terminal."""

    def __init__(self, total_batches: int, batch_images: int) -> None:
        self.total, self.batch_images = total_batches, batch_images
        self._bar: Any = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        if not trainer.is_global_zero:
            return
        console = Console(stderr=True)
        self._first, self._start = self._done(trainer), time.monotonic()
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("loss {task.fields[loss]:.4f}  {task.fields[scores]}  {task.fields[rate]:.1f} images/s"),
            TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
            console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task("", total=self.total, epoch="", loss=float("nan"), scores="", rate=0.0)
        self._bar.start()

    def _done(self, trainer: L.Trainer) -> int:
        return int(trainer.fit_loop.epoch_loop.total_batch_idx) + 1

    def _rate(self, trainer: L.Trainer) -> float:
        return (self._done(trainer) - self._first) * self.batch_images / max(1e-9, time.monotonic() - self._start)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self._bar is not None:
            self._bar.update(
                self._task, completed=self._done(trainer), epoch=f"{trainer.current_epoch + 1}/{trainer.max_epochs}",
                loss=float(pl_module.last_terms["loss"]), rate=self._rate(trainer),
            )  # fmt: skip

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        if self._bar is None:
            return
        scores, judge = pl_module.val_scores, pl_module.task.judge
        self._bar.update(self._task, scores=f"{judge.best} {scores[judge.best]:.4f}" if scores else "")
        if self._bar.disable:
            left = (self.total - self._done(trainer)) * self.batch_images / max(1e-9, self._rate(trainer))
            chosen = " ".join(f"{name} {scores[name]:.4f}" for name in judge.shown if name in scores)
            loss = f"loss {float(pl_module.last_terms['loss']):.4f}"
            line = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs} {loss} {chosen} "
            line += f"{self._rate(trainer):.1f} images/s, {left / 60:.0f} min left"
            os.write(2, (line + "\n").encode())

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if self._bar is not None:
            self._bar.stop()


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a small JSON file whole."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
