"""`depthnet predict`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Annotated, ClassVar

import tyro

from depthnet.cli.parsing import Face, Flag, JobCommand, Options
from depthnet.cli.report import report_failure
from depthnet.cli.usage import UsageError
from depthnet.config import PredictConfig
from depthnet.errors import DepthNetError

if TYPE_CHECKING:
    from depthnet.predictor import DepthModel, FileResult
    from depthnet.predictor.video import VideoResult
    from depthnet.predictor.video_inputs import VideoInput


@dataclass
class Predict(JobCommand):
    """Depth in metres for photos and videos: files, folders or globs.

    depthnet predict photo.jpg

    depthnet predict clip.mp4 --steady

    depthnet predict frames/ --fps 25

    depthnet predict photos/ 'more/*.png' --out depth --save npy,colour --fov-deg 62
    """

    positional: ClassVar[str] = "inputs"

    inputs: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="INPUT...")]] = ()
    """Photos, videos, folders of photos, or globs in quotes."""
    job: Options[PredictConfig] = field(default_factory=PredictConfig)
    overwrite: Flag = False
    """Replace results that exist."""
    face: Options[Face] = field(default_factory=Face)

    def run(self) -> int:
        """Predict, write the results and print one line of facts for each photo and video."""
        if not self.inputs:
            raise UsageError("predict needs photos or videos: files, folders or globs in quotes.")
        if self.job.focal_px is not None and self.job.fov_deg is not None:
            raise UsageError("--focal-px and --fov-deg say the same thing: give one of the two.")
        from depthnet.predictor.video_inputs import find_videos

        videos, photos = find_videos(self.inputs, self.job.fps)
        if not videos and (self.job.steady or self.job.colour_range or self.job.fps):
            raise UsageError("--steady, --colour-range and --fps are for videos, and there is none among the inputs.")
        failed = self._predict_videos(videos) if videos else 0
        failed += self._predict_photos(photos) if photos else 0
        return 1 if failed else 0

    def _predict_photos(self, inputs: list[str]) -> int:
        """Predict photos and print one line for each; gives how many failed."""
        from depthnet.cli.progress import image_progress
        from depthnet.predictor import DEFAULT_FORMATS, expand_inputs, load_model, predict_many

        job, failed = self.job, 0
        paths, without_photo = expand_inputs(inputs)
        results: Iterable[FileResult] = without_photo
        if paths:
            model = load_model(job.model, job.device, job.threads)
            formats = job.save or DEFAULT_FORMATS
            photos = predict_many(
                model, paths, job.out, formats, job.focal_px, job.fov_deg, self.overwrite, job.max_points
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
        return failed

    def _predict_videos(self, videos: list[VideoInput]) -> int:
        """Predict videos and print one line for each; gives how many failed, or could be read in part only."""
        from depthnet.predictor.video import load_video_model
        from depthnet.predictor.video_inputs import check_video_outputs
        from depthnet.predictor.video_output import VIDEO_FORMAT

        job, failed = self.job, 0
        formats = job.save or (VIDEO_FORMAT,)
        check_video_outputs(videos, job.out, formats)
        model, workers = load_video_model(job.model, job.device, job.threads)
        for video in videos:
            try:
                result = self._predict_video(video, model, workers, formats)
            except DepthNetError as error:
                failed += 1
                report_failure(error)
                continue
            print(result.facts, flush=True)
            if result.error is not None:
                failed += 1
                report_failure(result.error)
        return failed

    def _predict_video(self, video: VideoInput, model: DepthModel, workers: int, formats: Sequence[str]) -> VideoResult:
        from depthnet.cli.progress import image_progress
        from depthnet.predictor.video import predict_video
        from depthnet.predictor.video_output import VideoOutput

        job = self.job
        with video.open() as source, image_progress(video.path.name) as on_progress:
            output = VideoOutput(source, job.out, formats, job.video, job.colour_range, self.overwrite, job.max_points)
            return predict_video(model, source, output, job.focal_px, job.fov_deg, job.steady, workers, on_progress)
