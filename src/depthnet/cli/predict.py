"""`depthnet predict`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Annotated, ClassVar

import tyro

from depthnet.cli.parsing import Face, Flag, JobCommand, Options
from depthnet.cli.report import report_failure
from depthnet.cli.usage import UsageError
from depthnet.config import PredictConfig

if TYPE_CHECKING:
    from depthnet.predictor import FileResult


@dataclass
class Predict(JobCommand):
    """Depth in metres for photos: files, folders or globs.

    depthnet predict photo.jpg

    depthnet predict photos/ 'more/*.png' --out depth --save npy,colour --fov-deg 62
    """

    positional: ClassVar[str] = "inputs"

    inputs: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="INPUT...")]] = ()
    """Photos, folders of photos, or globs in quotes."""
    job: Options[PredictConfig] = field(default_factory=PredictConfig)
    overwrite: Flag = False
    """Replace results that exist."""
    face: Options[Face] = field(default_factory=Face)

    def run(self) -> int:
        """Predict, write the results and print one line of facts for each photo."""
        if not self.inputs:
            raise UsageError("predict needs photos: files, folders or globs in quotes.")
        if self.job.focal_px is not None and self.job.fov_deg is not None:
            raise UsageError("--focal-px and --fov-deg say the same thing: give one of the two.")
        from depthnet.cli.progress import image_progress
        from depthnet.predictor import expand_inputs, load_model, predict_many

        job, failed = self.job, 0
        paths, without_photo = expand_inputs(self.inputs)
        results: Iterable[FileResult] = without_photo
        if paths:
            model = load_model(job.model, job.device, job.threads)
            photos = predict_many(
                model, paths, job.out, job.save, job.focal_px, job.fov_deg, self.overwrite, job.max_points
            )
            results = chain(without_photo, photos)
        with image_progress("predict") as on_progress:
            for done, result in enumerate(results, start=1):
                if result.error is None:
                    print(f"{result.facts}, {1000 * result.seconds:.0f} ms", flush=True)
                else:
                    failed += 1
                    report_failure(result.error)
                on_progress(done, len(without_photo) + len(paths))
        return 1 if failed else 0
