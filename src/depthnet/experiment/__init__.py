"""``depthnet experiment``: a table of trainings under one budget, from a YAML file, with what it proves.

from depthnet.config import ExperimentConfig
from depthnet.experiment import run_experiment

outcome = run_experiment("nyu-cpu", ExperimentConfig(data="nyu", out="runs/nyu-cpu"))
"""

from depthnet.experiment.run import ExperimentOutcome, ExperimentProgress, run_experiment
from depthnet.experiment.suite import Suite, find_suite, read_suite

__all__ = ["ExperimentOutcome", "ExperimentProgress", "Suite", "find_suite", "read_suite", "run_experiment"]
