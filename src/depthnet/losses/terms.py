"""A loss as the weighted sum of named terms."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from depthnet.errors import ConfigError

#: Of a network's output and a batch: the total, for ``backward``, and every term before its weight, for the log.
Loss = Callable[[Tensor, Mapping[str, Tensor]], tuple[Tensor, dict[str, Tensor]]]


def check_terms(weights: Mapping[str, float], known: Iterable[str], example: str) -> None:
    """Refuse terms that do not exist and weights that cannot be.

    Args:
        weights: weight of each term.
        known: names of the terms that there are.
        example: one of them, for the message.

    Raises:
        ConfigError: if a name is unknown, a weight negative or not finite, or none is positive.
    """
    for name, weight in weights.items():
        if name not in known:
            raise ConfigError(f"loss term {name!r} is unknown; choose among: {', '.join(known)}.")
        if not (math.isfinite(weight) and weight >= 0):
            raise ConfigError(f"loss term {name}: weight {weight} must be a finite number, 0 or more.")
    if not any(weights.values()):
        raise ConfigError(f"the loss has no term with a positive weight; name one, such as {example}: 1.0.")


def weighted_sum(weights: Mapping[str, float], terms: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """The total of the terms, and each of them before its weight, detached."""
    total = torch.stack([weights[name] * value for name, value in terms.items()]).sum()
    return total, {name: value.detach() for name, value in terms.items()}
