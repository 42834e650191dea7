"""Options that no training can follow, refused before any work."""

from __future__ import annotations

import math
from operator import attrgetter

from depthnet.config import TrainConfig
from depthnet.errors import ConfigError
from depthnet.predictor.resize import MIN_SIDE
from depthnet.training.tasks import TASKS

#: Option -> its smallest and largest value; an option that is None is not set.
RANGES: dict[str, tuple[float, float]] = {
    "epochs": (1, math.inf),
    "batch_size": (1, math.inf),
    "accumulate": (1, math.inf),
    "devices": (1, math.inf),
    "workers": (0, math.inf),
    "threads": (1, math.inf),
    "limit_batches": (1, math.inf),
    "log_every": (1, math.inf),
    "validate_every": (1, math.inf),
    "checkpoint_minutes": (0, math.inf),
    "freeze_encoder_blocks": (0, math.inf),
    "seed": (0, 2**32 - 1),
    "optim.weight_decay": (0, math.inf),
    "optim.warmup": (0, 1),
    "optim.step_size": (1, math.inf),
    "optim.clip_norm": (0, math.inf),
    "optim.ema": (0, 1),
}
#: Options that must be above 0.
POSITIVE = ("optim.lr", "optim.encoder_lr", "optim.step_gamma", "min_depth", "max_depth")


def check_options(config: TrainConfig) -> None:
    """Refuse options that are out of range; those of the loss and the network are checked where they are built.

    Raises:
        ConfigError: naming the option, its value, its range and its default.
    """
    for option, (low, high) in RANGES.items():
        value = attrgetter(option)(config)
        if value is not None and not low <= value <= high:
            raise _out_of_range(option, value, f"{low:g} or more" if high == math.inf else f"{low:g} to {high:g}")
    for option in POSITIVE:
        value = attrgetter(option)(config)
        if value is not None and not 0 < value < math.inf:
            raise _out_of_range(option, value, "above 0")
    if config.min_depth >= config.max_depth:
        raise _out_of_range("min_depth", config.min_depth, f"below --max-depth {config.max_depth:g}")
    for share, height, width in [(0.0, *config.size), *config.size_schedule]:
        if min(height, width) < MIN_SIDE or not 0 <= share < 1:
            raise ConfigError(
                f"--size or --size-schedule {share:g} {height} {width}: a share of the run lies from 0 to below 1 and "
                f"both sides are {MIN_SIDE} or more; for example --size 240 320."
            )
    TASKS[config.task].build_transform(config.augment, config.size)


def _out_of_range(option: str, value: float, allowed: str) -> ConfigError:
    default = attrgetter(option)(TrainConfig())
    advice = "leave it out" if default is None else f"its default is {default}"
    return ConfigError(f"--{option.replace('_', '-')} {value:g}: must be {allowed}; {advice}.")
