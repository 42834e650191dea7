"""`depthnet train`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from depthnet.checkpoint import run_config_path
from depthnet.cli.parsing import Face, Flag, JobCommand, Options
from depthnet.cli.usage import UsageError
from depthnet.config import TrainConfig


@dataclass
class Train(JobCommand):
    """Train a network; the run folder holds all that repeats the run.

    depthnet train --data PATH --config mobile --out runs/mine

    depthnet train --resume runs/mine

    Mappings and lists are written as YAML in one word: --loss.terms '{eigen: 1, gradient: 0.5}'.
    """

    out: str | None = None
    """Run folder; by default a new one below runs/."""
    resume: str | None = None
    """Go on with this run folder by the options that it holds."""
    loss_name: Annotated[str | None, tyro.conf.arg(name="loss")] = None
    """Train with this loss alone, or with several of equal weight, commas between: short for --loss.terms
    (of task stereo: --photometric.terms; of tasks pose and video: --pose.terms)."""
    device: str | None = None
    """Where to train: cpu, cuda or mps; --devices says how many."""
    overwrite: Flag = False
    """Replace the run folder when it exists."""
    job: Options[TrainConfig] = field(default_factory=TrainConfig)
    face: Options[Face] = field(default_factory=Face)

    def config_path(self) -> Path | None:
        """Give the YAML file of `--config`, or the one of the run that `--resume` names."""
        if self.resume and self.face.config:
            raise UsageError("--resume goes on with the run's own options: leave --config away, or start a new run.")
        if self.resume and self.out:
            raise UsageError("--resume goes on in the run's own folder: leave --out away, or start a new run.")
        return run_config_path(self.resume) if self.resume else super().config_path()

    def resolved(self) -> TrainConfig:
        """Give the job options with `--loss` and `--device` written into them."""
        config = self.job
        if self.loss_name is not None:
            terms = {name.strip(): 1.0 for name in self.loss_name.split(",") if name.strip()}
            if config.task in ("pose", "video"):
                config = replace(config, pose=replace(config.pose, terms=terms))
            elif config.task == "stereo":
                config = replace(config, photometric=replace(config.photometric, terms=terms))
            else:
                config = replace(config, loss=replace(config.loss, terms=terms))
        if self.device:
            config = replace(config, accelerator=self.device)
        return config

    def run(self) -> int:
        """Train, and print where the run is and how it scores."""
        config = self.resolved()
        if not config.data:
            raise UsageError("train needs --data PATH (a folder or file with images and depth), or --resume RUN.")
        from depthnet.training import train

        out, resume = (Path(path) if path else None for path in (self.out, self.resume))
        result = train(config, out, resume, self.overwrite)
        print(f"run: {result.run}")
        for name, value in result.scores.items():
            print(f"{name}: {value:.4f}" if isinstance(value, float) else f"{name}: {value}")
        return 0
