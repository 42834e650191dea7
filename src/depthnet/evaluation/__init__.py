"""Scores by the field's own protocols, side by side from one pass, for any model or folder of predictions."""

from depthnet.evaluation.predictions import PredictionFolder, is_prediction_folder
from depthnet.evaluation.protocols import PROTOCOLS, EvaluationProtocol, find_protocol, find_protocols
from depthnet.evaluation.results import Evaluation, ImageScore, format_table, write_scores
from depthnet.evaluation.run import DepthPredictor, ScoredPair, evaluate, evaluate_path, split_models
from depthnet.evaluation.scoring import apply_protocol, clamp, score

__all__ = [
    "PROTOCOLS",
    "DepthPredictor",
    "Evaluation",
    "EvaluationProtocol",
    "ImageScore",
    "PredictionFolder",
    "ScoredPair",
    "apply_protocol",
    "clamp",
    "evaluate",
    "evaluate_path",
    "find_protocol",
    "find_protocols",
    "format_table",
    "is_prediction_folder",
    "score",
    "split_models",
    "write_scores",
]
