"""Options out of range are refused by name, before a run folder is made."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from depthnet.config import AugmentConfig, LossConfig, OptimConfig, TrainConfig
from depthnet.errors import ConfigError, DepthNetError
from depthnet.options import read_config
from depthnet.training import train
from depthnet.training.checks import check_options

CONFIGS = Path(__file__).parents[2] / "src" / "depthnet" / "configs"

BAD: list[tuple[dict[str, Any], str]] = [
    ({"epochs": 0}, r"--epochs 0: must be 1 or more; its default is 40"),
    ({"batch_size": 0}, r"--batch-size 0: must be 1 or more"),
    ({"batch_size": -2}, r"--batch-size -2"),
    ({"accumulate": 0}, r"--accumulate 0"),
    ({"devices": 0}, r"--devices 0"),
    ({"workers": -1}, r"--workers -1: must be 0 or more"),
    ({"threads": 0}, r"--threads 0: must be 1 or more; leave it out"),
    ({"limit_batches": 0}, r"--limit-batches 0"),
    ({"log_every": 0}, r"--log-every 0"),
    ({"validate_every": 0}, r"--validate-every 0"),
    ({"checkpoint_minutes": -1.0}, r"--checkpoint-minutes -1"),
    ({"seed": -1}, r"--seed -1: must be 0 to"),
    ({"min_depth": 0.0}, r"--min-depth 0: must be above 0"),
    ({"min_depth": 5.0, "max_depth": 1.0}, r"--min-depth 5: must be below --max-depth 1"),
    ({"max_depth": float("nan")}, r"--max-depth nan"),
    ({"size": (0, 64)}, r"--size.* 0 64: .*32 or more"),
    ({"size_schedule": [(1.5, 64, 64)]}, r"--size-schedule 1\.5 64 64"),
    ({"optim": OptimConfig(lr=-1.0)}, r"--optim\.lr -1: must be above 0"),
    ({"optim": OptimConfig(encoder_lr=0.0)}, r"--optim\.encoder-lr 0"),
    ({"optim": OptimConfig(ema=2.0)}, r"--optim\.ema 2: must be 0 to 1"),
    ({"optim": OptimConfig(warmup=3.0)}, r"--optim\.warmup 3"),
    ({"optim": OptimConfig(step_size=0)}, r"--optim\.step-size 0"),
    ({"augment": AugmentConfig(flip=4.0)}, r"augment\.flip 4"),
]


@pytest.mark.parametrize(("change", "line"), BAD)
def test_an_option_out_of_range_is_named_with_its_rule(change: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError, match=line) as caught:
        check_options(replace(TrainConfig(), **change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["mobile", "unet", "unet-original", "debug"])
def test_the_packaged_recipes_pass(name: str) -> None:
    check_options(read_config(CONFIGS / f"{name}.yaml", TrainConfig))
    check_options(TrainConfig())


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"epochs": 0}, "--epochs 0"),
        ({"loss": LossConfig(terms={"foo": 1.0})}, "loss term 'foo' is unknown"),
        ({"network_options": {"foo": 1}}, "foo"),
        ({"optim": OptimConfig(group_lr={"heads": 0.1})}, "no group 'heads'; choose among: encoder, decoder"),
        ({"accelerator": "teapot"}, r"--device teapot, .*cannot be used here .*leave them out"),
        ({"strategy": "teapot"}, r"--strategy teapot: cannot be used here"),
    ],
)
def test_unusable_options_leave_no_run_folder(
    tiny: TrainConfig, tmp_path: Path, change: dict[str, Any], line: str
) -> None:
    with pytest.raises(DepthNetError, match=line) as caught:
        train(replace(tiny, **change), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_file_among_the_data_is_one_line(tiny: TrainConfig, pairs: Path, tmp_path: Path, workers: int) -> None:
    """With a loader process too, which sends its traceback along."""
    data = tmp_path / "data"
    for kind in ("rgb", "depth"):
        (data / kind).mkdir(parents=True)
        for file in sorted((pairs / kind).iterdir())[:8]:
            (data / kind / file.name).symlink_to(file)
    (data / "intrinsics.txt").symlink_to(pairs / "intrinsics.txt")
    bad = data / "depth" / "frame_03.png"
    bad.unlink()
    bad.write_bytes(b"")
    config = replace(tiny, data=str(data), split="all", val_split="none", batch_size=8, workers=workers, cache=False)
    with pytest.raises(DepthNetError) as caught:
        train(config, out=tmp_path / "run")
    assert str(caught.value) == f"{bad}: empty file; copy it again."


def test_only_a_run_is_resumed(tiny: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(DepthNetError, match=r"no run folder \(it has no config.yaml\)"):
        train(tiny, resume=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_run_folder_that_cannot_be_made_and_a_damaged_state_are_one_line(tiny: TrainConfig, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DepthNetError, match=r"run: cannot be made \(Not a directory\); choose another --out"):
        train(tiny, out=tmp_path / "file" / "run")
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    (run / "config.yaml").touch()
    (run / "checkpoints" / "last.ckpt").write_bytes(b"junk")
    with pytest.raises(DepthNetError, match=r"last\.ckpt: not a whole state of a run .*--init RUN"):
        train(tiny, resume=run)


def test_ctrl_c_ends_the_run_and_says_how_to_go_on(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr("depthnet.training.module.TrainingModule.on_validation_epoch_end", interrupt)
    try:
        with pytest.raises(KeyboardInterrupt, match=r"go on with: depthnet train --resume .*run"):
            train(tiny, out=tmp_path / "run")
    finally:
        signal.signal(signal.SIGINT, before)
    assert not list((tmp_path / "run").rglob("*.part*"))
