"""``depthnet train``: from options to a run folder that repeats the run."""

from __future__ import annotations

import logging
import os
import platform
import re
import shlex
import subprocess
import sys
import warnings
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch

import depthnet
from depthnet.checkpoint import (
    POSE_PREFIX,
    RUN_MODELS,
    ModelInfo,
    file_sha256,
    load_any_network,
    read_model_info,
    resolve_weights,
    run_config_path,
)
from depthnet.config import TrainConfig
from depthnet.data.samples import CachedDataset, DepthDataset
from depthnet.errors import ConfigError, DepthNetError, InputError
from depthnet.io.files import atomic_path
from depthnet.networks.blocks import Network
from depthnet.onnx_file import write_onnx
from depthnet.options import config_to_yaml
from depthnet.training.callbacks import (
    ModelFiles,
    Progress,
    SamplePictures,
    SaveState,
    Tables,
    WholeFileCheckpoints,
    write_json,
)
from depthnet.training.checks import check_options
from depthnet.training.distributed import use_global_batch_norm
from depthnet.training.loader import EpochBatches, ValidationSamples, build_train_loader, build_val_loader, own_error
from depthnet.training.module import TrainingModule
from depthnet.training.optim import group_rates
from depthnet.training.tasks import TASKS

_log = logging.getLogger(__name__)

CACHE_LIMIT_BYTES = 4 * 2**30
#: Tells the processes that Lightning starts for further devices where the run is.
RUN_VARIABLE = "DEPTHNET_RUN"


@dataclass
class TrainResult:
    """Where a run is and how its kept model scores on validation (empty without validation)."""

    run: Path
    scores: dict[str, float]


def train(
    config: TrainConfig, out: str | Path | None = None, resume: str | Path | None = None, overwrite: bool = False
) -> TrainResult:
    """Train a network.

    Args:
        config: all options; they are written to ``config.yaml`` of the run folder.
        out: the run folder; by default ``runs/NETWORK-N`` with the next free N.
        resume: a run folder to go on with; ``config`` must be the one it holds.
        overwrite: allow ``out`` to hold an earlier run, which is replaced.

    Returns:
        The run folder with ``model.onnx``, ``best.safetensors`` and ``last.safetensors``, and the scores.

    Raises:
        DepthNetError: on unusable data, options or files, before any training where they can be seen then.
        KeyboardInterrupt: when the user stops it; its text says how to go on.
    """
    run = run_config_path(resume).parent if resume is not None else _new_run(config, out, overwrite)
    state = run / "checkpoints" / "last.ckpt"
    check_options(config)
    if config.threads:
        torch.set_num_threads(config.threads)
    _quiet()
    L.seed_everything(config.seed, workers=True, verbose=False)
    training, validation = open_data(config)
    network = build_start_network(config)
    group_rates(network, config.optim)  # only to refuse groups that the network does not have
    info = describe_run(config, training, run.name)
    info.network_options = {**config.network_options, **network.file_options}
    if config.batch_size * config.devices > len(training):
        smaller = max(1, len(training) // config.devices)
        _log.warning("%d training samples: --batch-size %d instead of %d", len(training), smaller, config.batch_size)
        config = replace(config, batch_size=smaller)
    batches = EpochBatches(len(training), config.batch_size, config.seed, world=config.devices)
    per_epoch = min(len(batches), config.limit_batches or len(batches))
    module = TrainingModule(network, config, total_steps=config.epochs * (-(-per_epoch // config.accumulate)))
    if config.devices > 1:
        use_global_batch_norm(network)
    trainer = _build_trainer(config, run, info, batches, per_epoch, validation)
    train_loader = build_train_loader(training, config, batches)
    val_loader = build_val_loader(validation, config, config.size) if validation is not None else None
    if _is_first_process():  # not before, so that unusable options leave no run folder
        _write_run_files(run, config, fresh=resume is None)
        os.environ[RUN_VARIABLE] = str(run)
    try:
        start = str(state) if resume is not None and state.exists() else None
        trainer.fit(module, train_loader, val_loader, ckpt_path=start, weights_only=True)
    except SystemExit as stop:
        if stop.code != 1:  # what Lightning makes of Ctrl-C
            raise
        raise KeyboardInterrupt(f"go on with: depthnet train --resume {run}") from stop
    except DepthNetError as error:
        raise own_error(error) from error
    if trainer.is_global_zero:
        return TrainResult(run, _export(run).scores.get("validation", {}))
    return TrainResult(run, {})


def _is_first_process() -> bool:
    """Whether this process was started by the user, not by Lightning for another device."""
    return int(os.environ.get("LOCAL_RANK", "0")) == 0


def _new_run(config: TrainConfig, out: str | Path | None, overwrite: bool) -> Path:
    if not _is_first_process():
        return Path(os.environ.get(RUN_VARIABLE) or out or "runs")
    if out is None:
        number, name = 1, re.sub(r"[^\w.-]+", "-", config.network)
        while (run := Path("runs") / f"{name}-{number}").exists():
            number += 1
        return run
    run = Path(out)
    if (run / "config.yaml").exists() and not overwrite:
        raise InputError(f"{run}: holds a run already; go on with --resume {run}, pass --overwrite or another --out.")
    if run.exists() and not run.is_dir():
        raise InputError(f"{run}: is a file; --out takes a folder.")
    return run


def open_data(config: TrainConfig) -> tuple[DepthDataset, DepthDataset | None]:
    """Training data and, where there are any, validation data; no frame is in both."""
    if not config.data:
        raise ConfigError("--data is missing; pass a folder or file with images and depth.")
    task = TASKS[config.task]
    training = task.open(config.data, split=config.split, format=config.format)
    validation = _open_validation(config, training)
    judged = _judged(validation, config)
    if validation is not None and judged is not None and config.val_data is None:
        training = training.without(validation)
    if config.cache:
        training = cached = CachedDataset(training, CACHE_LIMIT_BYTES)
        if config.workers:
            cached.preload()  # forked loader processes share these pages
    return task.frames(training, config), judged


def _judged(validation: DepthDataset | None, config: TrainConfig) -> DepthDataset | None:
    """What of the validation data can be scored; None where there is nothing, which is told."""
    if validation is None:
        return None
    judge = TASKS[config.task].judge
    judged = judge.frames(validation, config)
    if len(judged) == 0:
        _log.warning("%s: has no %s; nothing is validated", validation.name, judge.needs)
    return judged if len(judged) else None


def _open_validation(config: TrainConfig, training: DepthDataset) -> DepthDataset | None:
    if config.val_split == "none":
        return None
    path, open_dataset = config.val_data or config.data, TASKS[config.task].open_validation
    if config.val_split != "auto":
        return open_dataset(path, split=config.val_split, format=config.format)
    whole = open_dataset(path, format=config.format) if config.val_data else training
    if "val" in whole.splits:
        return open_dataset(path, split="val", format=config.format)
    if config.val_data:
        return whole
    # The end of the list, not random frames: neighbours in a video are almost the same picture.
    held = max(1, len(training) // 10)
    _log.warning("%s: no split val; the last %d of %d samples are held out", training.name, held, len(training))
    return training[len(training) - held :] if len(training) > 1 else None


def build_start_network(config: TrainConfig) -> Network:
    """The task's network at its start weights, with what is to be kept frozen."""
    network = TASKS[config.task].build_network(config)
    network.freeze_encoder(config.freeze_encoder_blocks)
    if config.channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def describe_run(config: TrainConfig, training: DepthDataset, name: str) -> ModelInfo:
    """What the model files of the run will say about themselves."""
    provenance: dict[str, Any] = {
        "depthnet": depthnet.__version__,
        "date": date.today().isoformat(),
        "command": _command(),
        "data": {"name": training.name, "format": training.format, "split": config.split, "count": len(training)},
        "config": asdict(config),
        "seed": config.seed,
    }
    if config.encoder_weights is not None and Path(config.encoder_weights).is_file():
        path = Path(config.encoder_weights)
        provenance["start_weights"] = {"file": path.name, "sha256": file_sha256(path)}
    if config.init is not None:
        path = resolve_weights(config.init, "pose" if config.task == "pose" else "depth")
        origin = read_model_info(path).provenance
        provenance["init"] = {"file": path.name, "sha256": file_sha256(path), "provenance": origin}
    return ModelInfo(
        name=name, network=config.network, network_options=config.network_options, input_size=config.size,
        training_focal_px=_training_focal(training, config.size), min_depth=config.min_depth,
        max_depth=config.max_depth, provenance=provenance,
    )  # fmt: skip


def _training_focal(training: DepthDataset, size: tuple[int, int]) -> float:
    """Median focal length, in pixels at the network's size, of some samples spread over the data."""
    focals = []
    for index in np.unique(np.linspace(0, len(training) - 1, 16).round().astype(int)):
        sample = training[int(index)]
        if sample.K is not None:
            focals.append(float(sample.K[0, 0]) * size[1] / sample.image.shape[2])
    if not focals:
        raise InputError(
            f"{training.name}: has no intrinsics, so depth in metres is not defined for other cameras. "
            "Add intrinsics.txt with one line: fx fy cx cy width height."
        )
    return float(np.median(focals))


def _write_run_files(run: Path, config: TrainConfig, fresh: bool) -> None:
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{run}: cannot be made ({error.strerror}); choose another --out.") from error
    if not fresh:
        return
    models = [f"{prefix}{name}" for prefix in ("", POSE_PREFIX) for name in RUN_MODELS]
    for stale in (*models, "train.csv", "val.csv", "checkpoints/last.ckpt"):
        (run / stale).unlink(missing_ok=True)
    with atomic_path(run / "config.yaml") as temporary:
        temporary.write_text(config_to_yaml(config), encoding="utf-8")
    write_json(run / "environment.json", {
        "command": _command(),
        "depthnet": depthnet.__version__, "commit": _commit(), "python": platform.python_version(),
        "torch": torch.__version__, "lightning": L.__version__, "numpy": np.__version__,
        "machine": platform.machine(), "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    })  # fmt: skip


def _command() -> str:
    """The command line of this process, to be typed again."""
    return shlex.join(["depthnet", *sys.argv[1:]])


def _commit() -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def native_bf16() -> bool:
    """Whether the hardware multiplies bfloat16 itself; emulated, it is slower than float32."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _quiet() -> None:
    """Leave what Lightning says for its own users out of ours; errors still come through."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning\..*")


def _build_trainer(
    config: TrainConfig, run: Path, info: ModelInfo, batches: EpochBatches, per_epoch: int,
    validation: DepthDataset | None,
) -> L.Trainer:  # fmt: skip
    from lightning.fabric.utilities.exceptions import MisconfigurationException
    from lightning.pytorch.loggers import TensorBoardLogger

    precision: Any = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}.get(
        config.precision, "bf16-mixed" if native_bf16() else "32-true"
    )
    images = config.batch_size * config.devices
    callbacks: list[L.Callback] = [
        Tables(run, config.log_every, images),
        ModelFiles(run, info, config),
        Progress(per_epoch * config.epochs, images),
    ]
    if validation is not None and TASKS[config.task].depth_network is not None:
        samples = ValidationSamples(validation, config.size, config.task)
        callbacks.append(SamplePictures(run, samples, config))
    # Last, so that the saved state holds what the others did at the end of the epoch.
    state = run / "checkpoints" / "last.ckpt"
    callbacks.append(SaveState(state, config.checkpoint_minutes, batches, config.accumulate))
    strategy: Any = config.strategy
    if strategy == "auto" and config.devices > 1:
        strategy = "ddp"
    if strategy in ("ddp", "ddp_spawn"):
        from lightning.pytorch.strategies import DDPStrategy

        start: Any = "spawn" if strategy == "ddp_spawn" else "popen"
        strategy = DDPStrategy(start_method=start, broadcast_buffers=False, timeout=timedelta(minutes=30))
    try:
        return L.Trainer(
            accelerator=config.accelerator, devices=config.devices, strategy=strategy, precision=precision,
            max_epochs=config.epochs, accumulate_grad_batches=config.accumulate,
            gradient_clip_val=config.optim.clip_norm or None, check_val_every_n_epoch=config.validate_every,
            limit_train_batches=per_epoch, limit_val_batches=1.0 if validation is not None else 0,
            num_sanity_val_steps=0, enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
            use_distributed_sampler=False, callbacks=callbacks, plugins=[WholeFileCheckpoints()],
            logger=TensorBoardLogger(run, name="", version="tensorboard"), default_root_dir=run,
        )  # fmt: skip
    except (MisconfigurationException, ValueError) as error:
        reason = " ".join(str(error).split()).split(". ")[0].rstrip(".")
        raise ConfigError(
            f"--device {config.accelerator}, --devices {config.devices}, --strategy {config.strategy}: "
            f"cannot be used here ({reason}); leave them out to train on what is there."
        ) from error


def _export(run: Path) -> ModelInfo:
    """Write ``model.onnx`` from the best weights on validation, or the last without validation; motion has its own."""
    infos = []
    for prefix in ("", POSE_PREFIX):
        kept = next((path for name in RUN_MODELS[1:] if (path := run / f"{prefix}{name}").exists()), None)
        if kept is None:
            continue
        infos.append(read_model_info(kept))
        try:
            write_onnx(run / f"{prefix}model.onnx", *load_any_network(kept))
        except InputError as error:
            _log.warning("no %smodel.onnx: %s", prefix, error)
    return infos[0]
