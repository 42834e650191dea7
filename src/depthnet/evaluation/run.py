"""Score a model, or a folder of predictions, on a data set: one pass, all protocols side by side."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from depthnet.alignment import alignment_for
from depthnet.checkpoint import SHIPPED
from depthnet.config import EvaluateConfig
from depthnet.data.samples import DepthDataset, RawSample
from depthnet.errors import ConfigError, DepthNetError, InputError, MissingTierError
from depthnet.evaluation.predictions import PredictionFolder, is_prediction_folder
from depthnet.evaluation.protocols import EvaluationProtocol, find_protocols
from depthnet.evaluation.results import Evaluation, ImageScore
from depthnet.evaluation.scoring import score
from depthnet.predictor.resize import resize_depth

OnProgress = Callable[[int, int], None]
"""Called with (images done, images in all) after each image."""

Depth = NDArray[np.float32]
OnScored = Callable[["ScoredPair"], None]
"""Called with each prediction that was scored, while its pixels are still in memory."""
ReadPair = Callable[[int], tuple[Depth, Depth | None]]
"""Prediction and ground truth of a sample, by its index."""


@dataclass(frozen=True)
class ScoredPair:
    """A prediction that has just been scored, and all that scored it."""

    score: ImageScore
    """Name and error sums."""
    prediction: Depth
    """Metres, (H, W), at the ground truth's size; neither aligned nor clamped: NaN and infinity are allowed."""
    depth: Depth
    """True depth in metres, (H, W); 0 where unknown."""
    protocols: Sequence[EvaluationProtocol]
    align: str
    read_image: Callable[[], NDArray[np.uint8]]
    """Decodes the picture, RGB, (H, W, 3): worth the time for few of them."""


class DepthPredictor(Protocol):
    """Anything that turns a photo into metres; `depthnet.predictor.DepthModel` does."""

    def depth(self, image: NDArray[np.uint8], focal_px: float | None) -> Depth:
        """Depth in metres, (H, W), of an RGB image, (H, W, 3), with this focal length in pixels (None: unknown)."""
        ...


def evaluate(
    model: DepthPredictor | str | Path,
    dataset: DepthDataset,
    protocols: Sequence[str] = (),
    *,
    align: str = "none",
    flip: bool = False,
    focal_px: float | None = None,
    prediction_scale: float | None = None,
    on_progress: OnProgress | None = None,
    on_scored: OnScored | None = None,
) -> Evaluation:
    """Score predictions against the ground truth of a data set.

    A prediction of another size is resized to the ground truth's, bilinearly, in its own unit. A sample that cannot be
    read, predicted or aligned is reported in ``errors`` and the others go on.

    Args:
        model: an object with ``depth(image, focal_px)``, or the path of a folder of predictions.
        dataset: samples with depth.
        protocols: names, see :data:`depthnet.evaluation.PROTOCOLS`; by default the data set's own.
        align: fit of each prediction to its ground truth before it is clamped: none, median, scale, scale-shift or
            scale-shift-disparity. A model whose output has no unit (``model.info.kind``) needs one; for inverse depth
            scale-shift is the fit in disparity.
        flip: average the predicted depth of the image and that of its mirror image.
        focal_px: focal length of the images in pixels of their own size; by default the sample's K, if it has one.
        prediction_scale: metres per unit of a folder of predictions; by default 1 for ``.npy``, 0.001 for ``.png``.
        on_progress: called after each image.
        on_scored: called with each pair that was scored; a report collects its facts so.

    Returns:
        The scores.

    Raises:
        ConfigError: if a protocol or alignment is unknown, or it or an option does not fit the kind of model.
        InputError: if no sample at all could be scored.
    """
    chosen = find_protocols(protocols or (dataset.default_protocol,))
    align = alignment_for(output_kind(model), align)
    if focal_px is not None and not 0.0 < focal_px < math.inf:
        raise ConfigError(f"--focal-px {focal_px:g}: expected a positive focal length in pixels, for example 518.9.")
    read_pair, folder = _open_source(model, dataset, flip, focal_px, prediction_scale)
    missing = set(folder.missing) if folder else set()
    evaluation = Evaluation(str(model), dataset.name, align, flip, tuple(chosen))
    if folder and missing:
        evaluation.errors.append(folder.describe_missing())
    start = time.perf_counter()
    for index, name in enumerate(dataset.names):
        if name not in missing:
            try:
                pair = _score_pair(dataset, index, read_pair, chosen, align)
                evaluation.per_image.append(pair.score)
                if on_scored is not None:
                    on_scored(pair)
            except (MissingTierError, ConfigError):
                raise
            except DepthNetError as error:
                evaluation.errors.append(str(error) if name in str(error) else f"{name}: {error}")
        if on_progress is not None:
            on_progress(index + 1, len(dataset.names))
    evaluation.seconds = time.perf_counter() - start
    if not evaluation.per_image:
        reason = f"the first reason: {evaluation.errors[0]}" if evaluation.errors else "choose another --split."
        raise InputError(f"{dataset.name}: none of its {len(dataset.names)} samples could be scored; {reason}")
    return evaluation


def output_kind(model: DepthPredictor | str | Path) -> str:
    """What a model gives: ``metric``, ``scale_invariant`` or ``affine_invariant``; one that does not say, metres."""
    return str(getattr(getattr(model, "info", None), "kind", "metric"))


def split_models(names: str) -> list[str]:
    """The models of ``--model``: one, or several with commas between; a file or folder with a comma in it is one."""
    if Path(names).exists():
        return [names]
    return list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip())) or [names]


def evaluate_path(
    config: EvaluateConfig, on_progress: OnProgress | None = None, on_scored: OnScored | None = None
) -> Evaluation:
    """Open the data and the one model that the options name, and score; :func:`split_models` tells several apart.

    A shipped model's name goes before a folder of that name; PyTorch is loaded only for a model that needs it.

    Args:
        config: the options; ``json`` and ``report`` are left to the caller (:func:`write_scores`, depthnet.report).
        on_progress: called after each image.
        on_scored: called with each pair that was scored.

    Raises:
        ConfigError, InputError: see :func:`evaluate`; also if the data or the model cannot be opened.
        MissingTierError: if they need packages that are not installed.
    """
    from depthnet.data import open_dataset

    if not config.data:
        raise ConfigError(
            "--data: missing; pass the path of data with ground truth, for example nyu_depth_v2_labeled.mat."
        )
    find_protocols(config.protocol)
    dataset = open_dataset(config.data, split=config.split, format=config.format)
    model: Any = config.model
    if config.model in SHIPPED or not is_prediction_folder(config.model):
        from depthnet.predictor import load_model

        model = load_model(config.model, device=config.device, threads=config.threads)
    evaluation = evaluate(
        model,
        dataset,
        config.protocol,
        align=config.align,
        flip=config.flip,
        focal_px=config.focal_px,
        prediction_scale=config.prediction_scale,
        on_progress=on_progress,
        on_scored=on_scored,
    )
    evaluation.model, evaluation.data = config.model, config.data
    return evaluation


def _score_pair(
    dataset: DepthDataset, index: int, read_pair: ReadPair, protocols: Sequence[EvaluationProtocol], align: str
) -> ScoredPair:
    prediction, depth = read_pair(index)
    if depth is None:
        raise InputError("no depth; an evaluation needs ground truth; choose another --split or data set.")
    prediction = resize_depth(prediction, (depth.shape[0], depth.shape[1]))
    sums = ImageScore(dataset.names[index], score(prediction, depth, None, protocols, align))
    return ScoredPair(sums, prediction, depth, protocols, align, lambda: dataset.read_raw(index).image)


def _open_source(
    model: DepthPredictor | str | Path,
    dataset: DepthDataset,
    flip: bool,
    focal_px: float | None,
    prediction_scale: float | None,
) -> tuple[ReadPair, PredictionFolder | None]:
    """Where predictions come from; options that do not fit it are refused."""
    if isinstance(model, str | Path):
        if flip:
            raise ConfigError("--flip: predictions in a folder cannot be mirrored; average them before writing them.")
        folder = PredictionFolder(model, dataset.names, prediction_scale)
        return lambda index: (folder.read(dataset.names[index]), dataset.read_depth(index)), folder
    if prediction_scale is not None:
        raise ConfigError("--prediction-scale: a model gives metres; leave it out, or pass a folder of predictions.")

    def read_pair(index: int) -> tuple[Depth, Depth | None]:
        sample = dataset.read_raw(index)
        return _predict(model, sample, flip, focal_px), sample.depth

    return read_pair, None


def _predict(model: DepthPredictor, sample: RawSample, flip: bool, focal_px: float | None) -> Depth:
    if focal_px is None and sample.K is not None:
        focal_px = float(sample.K[0, 0])
    depth = model.depth(sample.image, focal_px)
    if flip:
        mirrored = model.depth(np.ascontiguousarray(sample.image[:, ::-1]), focal_px)
        depth = (depth + mirrored[:, ::-1]) * np.float32(0.5)
    return depth
